"""Sums and products of cotangents, which are None for what nobody differentiates."""

from __future__ import annotations

from gputrain.ir import Value
from gputrain.ops.base import cast
from gputrain.ops.elementwise import add, multiply


def total(*parts: Value | None) -> Value | None:
    """Sum of the parts there are."""
    found: Value | None = None
    for part in parts:
        if part is not None:
            found = part if found is None else add(found, part)
    return found


def scaled(x: Value | None, factor: Value) -> Value | None:
    """x * factor, where there is an x."""
    return None if x is None else multiply(x, factor)


def in_dtype(x: Value | None, dtype: str) -> Value | None:
    """x in another dtype, where there is an x."""
    return None if x is None else cast(x, dtype)
