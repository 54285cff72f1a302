"""Gathers and scatters: indices of every dtype, negative and outside, many for one row, order and bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gputrain.backend.cupy import CupyDevice, indexing
from gputrain.ops.base import Sample
from gputrain.ops.indexing import OneHot, ScatterAdd, ScatterAddAlongAxis, Take, TakeAlongAxis
from tests.backend.cupy.running import FLOATS, check, run, samples
from tests.selection import quick
from tests.tolerances import assert_close

INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


@pytest.mark.parametrize("sample", samples(indexing))
@pytest.mark.parametrize("dtype", FLOATS)
def test_agrees_with_its_reference(gpu: CupyDevice, sample: Sample, dtype: str) -> None:
    check(gpu, sample, dtype)


def numbers(shape: tuple[int, ...], dtype: str = "float32") -> np.ndarray:
    return np.random.default_rng(1).uniform(0, 3, shape).astype(dtype)


def added(parts: np.ndarray, indices: np.ndarray, size: int) -> np.ndarray:
    """The scatter of `parts` (M, D) into (size, D), one after the other."""
    out = np.zeros((size, *parts.shape[1:]), "float64")
    np.add.at(out, indices % size, parts.astype("float64"))
    return out


@pytest.mark.parametrize("dtype", quick(("int32", "uint8"), INTEGERS))
def test_indices_of_every_dtype(gpu: CupyDevice, dtype: str) -> None:
    indices = np.random.default_rng(0).integers(0, 127, (3, 4)).astype(dtype)
    if dtype.startswith("i"):
        indices[0, 0], indices[1, 1] = -1, -100
    places = indices.astype("int64")
    x = numbers((2, 50, 8))
    np.testing.assert_array_equal(run(gpu, Take(1), [x, indices])[0], x[:, places % 50])
    hot = (places[..., None] == np.arange(60)).astype("float32")
    np.testing.assert_array_equal(run(gpu, OneHot(60, 2, "float32"), [indices])[0], hot)
    np.testing.assert_array_equal(
        run(gpu, OneHot(60, 0, "bool"), [indices])[0], np.moveaxis(hot, -1, 0).astype(bool)
    )
    ct = numbers((3, 4, 6))
    (out,) = run(gpu, ScatterAdd(0, 50), [ct, indices])
    assert_close(out, added(ct.reshape(12, 6), places.reshape(12), 50), "float32")
    table = numbers((3, 9))
    expected = np.take_along_axis(table, places % 9, 1)
    np.testing.assert_array_equal(run(gpu, TakeAlongAxis(1), [table, indices])[0], expected)


@pytest.mark.parametrize("dtype", [*FLOATS, "int32", "uint8", "bool", "int64"])
@pytest.mark.parametrize("columns", quick((3, 300), [1, 3, 16, 300]))
def test_slices_of_every_dtype_and_size(gpu: CupyDevice, dtype: str, columns: int) -> None:
    indices = np.random.default_rng(2).integers(-37, 37, 50).astype("int32")
    x, ct = numbers((37, columns), dtype), numbers((50, columns), dtype)
    expected = np.zeros((37, columns), "float64" if dtype in FLOATS else dtype)
    np.add.at(expected, indices % 37, ct.astype(expected.dtype))
    for skipped in (0, 1):
        np.testing.assert_array_equal(run(gpu, Take(0), [x, indices], skipped=skipped)[0], x[indices])
        assert_close(run(gpu, ScatterAdd(0, 37), [ct, indices], skipped=skipped)[0], expected, dtype)


MANY: list[tuple[int, int, int, int]] = [  # indices, rows, columns, tables
    (1024, 300, 4, 1),
    (1025, 300, 3, 1),
    (2500, 40, 7, 2),
    (300, 1, 33, 2),
    (5000, 20000, 1, 1),
]


@pytest.mark.parametrize("count, size, columns, tables", MANY)
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_many_indices(gpu: CupyDevice, count: int, size: int, columns: int, tables: int, dtype: str) -> None:
    indices = np.random.default_rng(3).integers(-size, size, count).astype("int32")
    indices[: count // 3] = size // 2  # one row gets most of the slices
    ct = numbers((tables, count, columns), dtype)
    (out,) = run(gpu, ScatterAdd(1, size), [ct, indices])
    assert_close(out, np.stack([added(part, indices, size) for part in ct]), dtype)


def test_slices_are_added_in_their_order(gpu: CupyDevice) -> None:
    indices = np.random.default_rng(4).integers(0, 100, 3000).astype("int32")
    ct, expected = numbers((3000, 8)), np.zeros((100, 8), "float32")
    np.add.at(expected, indices, ct)
    assert run(gpu, ScatterAdd(0, 100), [ct, indices])[0].tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    "shape, count, axis",
    [((4, 30, 5), 12, 1), ((4, 30, 5), 40, 1), ((2000,), 3000, 0), ((50, 3), 17, 0), ((6, 7), 1, 1)],
)
@pytest.mark.parametrize("dtype", FLOATS)
def test_along_an_axis(gpu: CupyDevice, shape: Any, count: int, axis: int, dtype: str) -> None:
    size = shape[axis]
    form = tuple(count if i == axis else n for i, n in enumerate(shape))
    indices = np.random.default_rng(5).integers(-2 * size, 2 * size, form).astype("int32")
    x, ct = numbers(shape, dtype), numbers(form, dtype)
    taken = np.take_along_axis(x, indices % size, axis)
    np.testing.assert_array_equal(run(gpu, TakeAlongAxis(axis), [x, indices])[0], taken)
    expected = np.zeros(shape)
    places = list(np.indices(form))
    places[axis] = indices % size
    np.add.at(expected, tuple(places), ct.astype("float64"))
    assert_close(run(gpu, ScatterAddAlongAxis(axis, size), [ct, indices])[0], expected, dtype)
