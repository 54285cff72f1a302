"""What may be made while a model is built for the weights of a file: no more than the file speaks for."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Protocol


class Budget(Protocol):
    """How much memory there is for what a file describes."""

    def keep(self, where: str, shape: tuple[int, ...], dtype: str) -> None:
        """Count what stays; raises ValueError where it is too much, before there is memory for it."""

    def pass_by(self, where: str, shape: tuple[int, ...], dtype: str) -> None:
        """Refuse what is too much by itself, and does not stay."""


# Set while a model is built whose weights come from a file. Nothing is drawn for weights of layers meanwhile.
FROM_FILE: ContextVar[Budget | None] = ContextVar("weights_from_a_file", default=None)


def keep(where: str, shape: tuple[int, ...], dtype: str) -> None:
    """Count a variable, before it is made, where its value will come from a file."""
    if (budget := FROM_FILE.get()) is not None:
        budget.keep(where, shape, dtype)


def pass_by(where: str, shape: tuple[int, ...], dtype: str) -> None:
    """Refuse a result or a list that is too large, before it is made, while a model of a file is built."""
    if (budget := FROM_FILE.get()) is not None:
        budget.pass_by(where, shape, dtype)
