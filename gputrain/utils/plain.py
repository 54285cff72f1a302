"""Values as plain Python data, and as JSON can say them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def plain(value: Any) -> Any:
    """Return a 0-dimensional array or NumPy scalar as a Python number; anything else as it is."""
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", None) == 0 else value


def as_json(value: Any) -> Any:
    """Return what JSON can say of a value: null for a number that is not finite, text for what it cannot say.

    Example:
        >>> as_json({"loss": float("nan"), "shape": (2, 3)})
        {'loss': None, 'shape': [2, 3]}
    """
    value = plain(value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if hasattr(value, "__iter__"):
        return [as_json(item) for item in value]
    return str(value)
