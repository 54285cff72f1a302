"""Arrays between the host, where tests look at them, and the device that the suite runs on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from gputrain import backend


def put(arrays: Iterable[Any]) -> list[Any]:
    """The arrays on the device."""
    device = backend.current_device()
    return [device.asarray(a) for a in arrays]


def host(array: Any) -> np.ndarray:
    """The contents of an array of the device."""
    return backend.current_device().download(array)


def hosts(arrays: Iterable[Any]) -> list[np.ndarray]:
    """The contents of arrays of the device."""
    return [host(a) for a in arrays]


def fill(array: Any, byte: int) -> Any:
    """The array, all its bytes overwritten."""
    backend.current_device().upload(np.full(array.nbytes, byte, np.uint8).view(array.dtype).reshape(array.shape), array)
    return array
