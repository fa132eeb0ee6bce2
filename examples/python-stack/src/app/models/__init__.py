"""The data structures of the package."""

from app.models.stack import EmptyStackError, FullStackError, Stack

__all__ = ["EmptyStackError", "FullStackError", "Stack"]
