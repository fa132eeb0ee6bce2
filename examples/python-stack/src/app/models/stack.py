"""A last-in, first-out stack with an optional capacity."""

from collections.abc import Iterable, Iterator
from typing import Generic, Optional, TypeVar

T = TypeVar("T")


class EmptyStackError(LookupError):
    """Raised when an item is asked of a stack that holds none."""


class FullStackError(OverflowError):
    """Raised when an item is pushed onto a stack that is at its capacity."""


class Stack(Generic[T]):
    """A stack of items; `capacity` is the most it may hold, or `None` for no limit."""

    def __init__(self, items: Iterable[T] = (), capacity: Optional[int] = None) -> None:
        if capacity is not None and capacity < 0:
            raise ValueError(f"capacity must not be negative, got {capacity}")
        self._items: list[T] = []
        self._capacity = capacity
        for item in items:
            self.push(item)

    def push(self, item: T) -> None:
        """Puts `item` on top."""
        if self._capacity is not None and len(self._items) >= self._capacity:
            raise FullStackError(f"the stack holds its maximum of {self._capacity} items")
        self._items.append(item)

    def pop(self) -> T:
        """Takes the top item off and returns it."""
        if not self._items:
            raise EmptyStackError("pop from an empty stack")
        return self._items.pop()

    def peek(self) -> T:
        """Returns the top item and leaves it where it is."""
        if not self._items:
            raise EmptyStackError("peek at an empty stack")
        return self._items[-1]

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[T]:
        """Walks from the top item down."""
        return reversed(self._items)
