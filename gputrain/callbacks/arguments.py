"""Checks of what callbacks are constructed with, made at once so that a recipe's errors come early."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

import numpy as np

from gputrain.errors import explain


def whole(owner: object, name: str, value: Any) -> int:
    """A whole number that is not negative.

    Raises:
        ValueError: anything else.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 0:
        raise ValueError(_refusal(owner, name, "a whole number", "0 or more", value))
    return int(value)


def number(owner: object, name: str, value: Any, least: float = -math.inf) -> float:
    """A finite number, of `least` or more.

    Raises:
        ValueError: anything else.
    """
    if not _is_finite(value) or value < least:
        expected = None if least == -math.inf else f"{least:g} or more"
        raise ValueError(_refusal(owner, name, "a finite number", expected, value))
    return float(value)


def share(owner: object, name: str, value: Any) -> float:
    """A number between 0 and 1, both excluded.

    Raises:
        ValueError: anything else.
    """
    if not _is_finite(value) or not 0 < value < 1:
        raise ValueError(_refusal(owner, name, "a number", f"0 < {name} < 1", value))
    return float(value)


def flag(owner: object, name: str, value: Any) -> bool:
    """True or False.

    Raises:
        ValueError: anything else.
    """
    if not isinstance(value, bool | np.bool_):
        raise ValueError(_refusal(owner, name, "True or False", None, value))
    return bool(value)


def verbosity(owner: object, value: Any) -> int:
    """0 or 1; False and True will do.

    Raises:
        ValueError: anything else.
    """
    return whole(owner, "verbose", int(value) if isinstance(value, bool) else value)


def _is_finite(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value)


def _refusal(owner: object, name: str, kind: str, expected: str | None, value: Any) -> str:
    rule = f"{type(owner).__name__}: {name} must be {kind}."
    return explain(rule, expected=expected, received=repr(value))
