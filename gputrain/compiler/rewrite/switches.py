"""Which rewrites run. Every one of them can be switched off, to compare or to find a fault."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

PASSES: list[str] = []  # the names of all rewrites, in the order in which they are defined

_disabled: ContextVar[frozenset[str]] = ContextVar("disabled_passes", default=frozenset())


@contextmanager
def disabled(*names: str) -> Iterator[None]:
    """Switch passes off within a `with` block; without names, all of them.

    The environment variable GPUTRAIN_DISABLE_PASSES (names separated by commas, or "all") does the same.
    """
    token = _disabled.set(_disabled.get() | frozenset(names or PASSES))
    try:
        yield
    finally:
        _disabled.reset(token)


def enabled(name: str) -> bool:
    """Whether the pass of that name runs."""
    switched_off = os.environ.get("GPUTRAIN_DISABLE_PASSES", "").split(",")
    return name not in _disabled.get() and name not in switched_off and "all" not in switched_off
