"""What visitors wrote, kept in memory."""

MAX_LENGTH = 200


class InvalidEntry(ValueError):
    """Raised for a text that cannot go into the book; the message is for the visitor."""


class Entries:
    """The entries of one guest book, oldest first."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def add(self, text: object) -> int:
        """Stores a text, with its outer blanks cut off, and returns its number, from 1."""
        if not isinstance(text, str) or not text.strip():
            raise InvalidEntry("an entry needs some text")
        text = text.strip()
        if len(text) > MAX_LENGTH:
            raise InvalidEntry(f"an entry has at most {MAX_LENGTH} characters")
        self._texts.append(text)
        return len(self._texts)

    def all(self) -> list[str]:
        """Returns every text."""
        return list(self._texts)
