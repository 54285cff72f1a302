"""Whether what a package gives is what the reference says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tests.parity.runners import Result

# By the first word of an array's name: how far it may be off, as a part of the reference's norm.
TOLERANCES = {
    "output": 1e-5,
    "rates": 1e-5,
    "gradient": 1e-4,
    "weight": 5e-5,
    "distribution": 0.05,
}
# A gradient that is 0 but for rounding, as that of the bias of attention's keys: such a part of the largest
# gradient of the case counts for nothing. Measured: 3e-7.
ROUNDING = 1e-6
LONG = {"output": 1e-4}  # where an element is a sum over thousands, or the outcome of many steps


def differences(found: Result, expected: Result, tolerances: Mapping[str, float]) -> list[str]:
    """What differs, in words; nothing where all agrees."""
    told = [f"{n} is not there" for n in expected.arrays if n not in found.arrays]
    told += [f"{n} is not in the reference" for n in found.arrays if n not in expected.arrays]
    for name in expected.arrays.keys() & found.arrays.keys():
        kind = name.split(",")[0].split(" ")[0].rstrip(":")
        bound = {**TOLERANCES, **tolerances}[kind]
        least = ROUNDING * max(map(_norm, _gradients(expected))) if kind == "gradient" else 0.0
        pair = found.arrays[name], expected.arrays[name]
        told += [f"{name}: {text}" for text in _difference(*pair, bound, least)]
    for key, value in expected.facts.items():
        told += [f"{key}: {text}" for text in _unequal(found.facts.get(key), value)]
    return sorted(told)


def _gradients(result: Result) -> list[np.ndarray]:
    return [array for name, array in result.arrays.items() if name.startswith("gradient")]


def _norm(array: np.ndarray) -> float:
    return float(np.linalg.norm(array[np.isfinite(array)].astype("float64")))


def _difference(found: np.ndarray, expected: np.ndarray, bound: float, least: float) -> list[str]:
    if (found.shape, found.dtype) != (expected.shape, expected.dtype):
        return [f"{found.dtype} {found.shape}, the reference is {expected.dtype} {expected.shape}"]
    if not np.issubdtype(expected.dtype, np.floating):
        return [] if np.array_equal(found, expected) else [f"{found.tolist()}, not {expected.tolist()}"]
    finite = np.isfinite(expected)
    if not np.array_equal(found[~finite], expected[~finite], equal_nan=True):
        return ["NaN or infinite elsewhere than in the reference"]
    difference = found[finite].astype("float64") - expected[finite]
    off, norm = float(np.linalg.norm(difference)), _norm(expected)
    if off <= max(bound * norm, least):
        return []
    return [f"off by {off:.2g} of {norm:.2g}, or {off / norm if norm else np.inf:.2g}; allowed is {bound:g}"]


def _unequal(found: Any, expected: Any) -> list[str]:
    """What differs between two facts. A dictionary may have more; numbers are those of float32."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return [
            f"{key} is {found.get(key, 'not there')!r}, not {value!r}"
            for key, value in expected.items()
            if key not in found or _unequal(found[key], value)
        ]
    if isinstance(expected, list) and isinstance(found, list) and len(found) == len(expected):
        return [text for mine, theirs in zip(found, expected, strict=True) for text in _unequal(mine, theirs)]
    if isinstance(expected, float) and isinstance(found, (int, float)):
        return [] if math.isclose(found, expected, rel_tol=1e-7) else [f"{found!r}, not {expected!r}"]
    return (
        []
        if found == expected and isinstance(found, bool) == isinstance(expected, bool)
        else [f"{found!r}, not {expected!r}"]
    )
