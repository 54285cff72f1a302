"""Fingerprints of data: small, and other for other contents."""

from __future__ import annotations

from typing import Any

import numpy as np

from gputrain.data.arrays import Arrays, on_host
from gputrain.utils import tree

_PORTION = 1 << 22  # bytes that are read at a time
_PARTS = ("x", "y", "sample_weight")


def of_arrays(arrays: Arrays) -> dict[str, str]:
    """Dtype, shape and the beginning of the SHA-256 of each array, by its part.

    Example:
        >>> of_arrays(Arrays(np.zeros((4, 2), "float32")))
        {'x': 'float32 (4, 2), 66687aadf862bd77'}
    """
    return {name: f"{array.dtype} {array.shape}, {_digest(array)}" for name, array in _named(arrays).items()}


def of_batch(arrays: Arrays) -> dict[str, str]:
    """Dtype and shape of a sample in each array of a batch, by its part: all that is known of a stream."""
    return {name: f"{array.dtype} samples {array.shape[1:]}" for name, array in _named(arrays).items()}


def _named(arrays: Arrays) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in _PARTS:
        leaves = [leaf for leaf in tree.flatten(getattr(arrays, part)) if leaf is not None]
        found |= {part if len(leaves) == 1 else f"{part}[{i}]": leaf for i, leaf in enumerate(leaves)}
    return found


def _digest(array: Any) -> str:
    import hashlib

    found = hashlib.sha256()
    rows = max(1, _PORTION * len(array) // max(array.nbytes, 1)) if array.ndim else 1
    for start in range(0, len(array), rows):
        found.update(np.ascontiguousarray(on_host(array[start : start + rows])).data)
    return found.hexdigest()[:16]
