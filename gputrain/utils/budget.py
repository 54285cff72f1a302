"""What may be made while a model is built that somebody else described: no more than a budget allows."""

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
# Set while a model is built that a recipe describes, whose weights are drawn.
LIMIT: ContextVar[Budget | None] = ContextVar("limit_of_a_recipe", default=None)


def keep(where: str, shape: tuple[int, ...], dtype: str) -> None:
    """Count a variable, before it is made, while a model of a file or of a recipe is built."""
    for budget in filter(None, (FROM_FILE.get(), LIMIT.get())):
        budget.keep(where, shape, dtype)


def pass_by(where: object, shape: tuple[int, ...], dtype: str) -> None:
    """Refuse a result or a list that is too large, before it is made, while such a model is built."""
    for budget in filter(None, (FROM_FILE.get(), LIMIT.get())):
        budget.pass_by(str(where), shape, dtype)
