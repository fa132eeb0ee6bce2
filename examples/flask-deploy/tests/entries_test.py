import pytest

from app.entries import MAX_LENGTH, Entries, InvalidEntry


def test_entries_are_numbered_from_one():
    entries = Entries()
    assert [entries.add("first"), entries.add("  second ")] == [1, 2]
    assert entries.all() == ["first", "second"]


@pytest.mark.parametrize("text", ["", "   ", None, 7], ids=repr)
def test_an_entry_needs_text(text):
    with pytest.raises(InvalidEntry, match="needs some text"):
        Entries().add(text)


def test_the_longest_entry_fits_and_one_more_character_does_not():
    entries = Entries()
    entries.add("x" * MAX_LENGTH)
    with pytest.raises(InvalidEntry, match="at most"):
        entries.add("x" * (MAX_LENGTH + 1))
