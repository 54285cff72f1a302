"""What programs are written with: numbers, and what is seen of a refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.parity.table import uniform


def numbers(*shape: int, key: str = "", low: float = -1.0, high: float = 1.0) -> np.ndarray:
    """float32 numbers in low..high; another `key` gives others."""
    return uniform(f"program {key}", shape, low, high).astype("float32")


def refusal(call: Callable[[], Any]) -> str | None:
    """The kind of error that a call ends with, as Python names it ("ValueError"); None where it ends well."""
    try:
        call()
    except Exception as error:  # noqa: BLE001  whatever it is, its kind is what is asked for
        return next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins")
    return None
