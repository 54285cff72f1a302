"""Copies between layouts, for elements of every size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gputrain.backend.cupy import CupyDevice, movement
from gputrain.ops.base import Sample
from gputrain.ops.creation import FullLike
from gputrain.ops.indexing import GetItem, GetItemGrad, indexer
from gputrain.ops.movement import BroadcastTo, Concatenate, Flip, Pad, Roll, Split, Transpose
from tests.backend.cupy.running import FLOATS, check, run, samples

DTYPES = ("bool", "float16", "int32", "float64")
WHOLE = (None, None, None)
MANY = (7, 5, 3, 1, 6, 4, 2, 0)
BORDER = ((0, 0), (1, 2), (2, 0), (0, 0))


@pytest.mark.parametrize("sample", samples(movement))
@pytest.mark.parametrize("dtype", FLOATS)
def test_agrees_with_its_reference(gpu: CupyDevice, sample: Sample, dtype: str) -> None:
    check(gpu, sample, dtype)


def numbered(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    count = int(np.prod(shape))
    return (np.arange(count) * 7919 % 251 % (2 if dtype == "bool" else 251)).astype(dtype).reshape(shape)


CASES: list[tuple[Any, tuple[int, ...], Any]] = [
    (Transpose((1, 0)), (67, 130), lambda x: x.T),
    (Transpose((0, 3, 1, 2)), (2, 9, 11, 33), lambda x: x.transpose(0, 3, 1, 2)),
    (Transpose((3, 1, 0, 2)), (8, 3, 2, 40), lambda x: x.transpose(3, 1, 0, 2)),
    (Transpose((0, 2, 1, 3)), (2, 3, 5, 16), lambda x: x.transpose(0, 2, 1, 3)),
    (Transpose(MANY), (2, 3, 2, 3, 2, 1, 2, 3), lambda x: x.transpose(MANY)),
    (BroadcastTo((5, 3, 32)), (3, 1), lambda x: np.broadcast_to(x, (5, 3, 32))),
    (BroadcastTo((5, 3, 32)), (32,), lambda x: np.broadcast_to(x, (5, 3, 32))),
    (Pad(BORDER), (2, 5, 6, 16), lambda x: np.pad(x, BORDER)),
    (Pad(((1, 1), (16, 32)), 1.0), (3, 64), lambda x: np.pad(x, ((1, 1), (16, 32)), constant_values=1)),
    (Flip((1,)), (3, 5, 32), lambda x: np.flip(x, 1)),
    (Flip((0, 2)), (3, 5, 33), lambda x: np.flip(x, (0, 2))),
    (Roll(-2, 1), (3, 5, 32), lambda x: np.roll(x, -2, 1)),
    (GetItem(((None, None, -1), 2, (1, 30, 3))), (4, 3, 33), lambda x: x[::-1, 2, 1:30:3]),
    (GetItem((WHOLE, (4, None, None))), (37, 21), lambda x: x[:, 4:]),
    (FullLike(1.0, "int16"), (3, 5), lambda x: np.ones((3, 5), np.int16)),
]  # fmt: skip


@pytest.mark.parametrize("op, shape, reference", CASES, ids=[f"{c[0]}" for c in CASES])
@pytest.mark.parametrize("dtype", DTYPES)
def test_moves_elements_of_every_size(
    gpu: CupyDevice, op: Any, shape: tuple[int, ...], reference: Any, dtype: str
) -> None:
    x = numbered(shape, dtype)
    for skipped in (0, 1):
        (out,) = run(gpu, op, [x], skipped=skipped)
        np.testing.assert_array_equal(out, reference(x))


KEYS: list[tuple[tuple[int, ...], Any]] = [
    ((4, 37, 21), (WHOLE, (4, None, None))),
    ((4, 37, 32), (-1, (3, 20, None), None, (16, 32, None))),
    ((9, 33), ((None, None, -2), (30, 3, -3))),
    ((5, 6), (WHOLE, (4, 2, None))),
]


@pytest.mark.parametrize("shape, key", KEYS, ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_slices_and_their_gradients(gpu: CupyDevice, shape: tuple[int, ...], key: Any, dtype: str) -> None:
    x = numbered(shape, dtype)
    (part,) = run(gpu, GetItem(key), [x])
    np.testing.assert_array_equal(part, x[indexer(key)])
    back = np.zeros_like(x)
    back[indexer(key)] = part
    for skipped in (0, 1):
        (found,) = run(gpu, GetItemGrad(key, shape), [part], skipped=skipped)
        np.testing.assert_array_equal(found, back)


@pytest.mark.parametrize("dtype", DTYPES)
def test_joins_and_cuts_along_each_axis(gpu: CupyDevice, dtype: str) -> None:
    shape = (6, 5, 33)
    for axis, size in enumerate(shape):
        sizes = (size, 1, 0, 16)
        parts = [numbered((*shape[:axis], n, *shape[axis + 1 :]), dtype) for n in sizes]
        whole = np.concatenate(parts, axis)
        (found,) = run(gpu, Concatenate(axis), parts)
        np.testing.assert_array_equal(found, whole)
        cuts = run(gpu, Split((size, size + 1, size + 1), axis), [whole])
        for cut, part in zip(cuts, parts, strict=True):
            np.testing.assert_array_equal(cut, part)


def test_more_elements_than_one_grid(gpu: CupyDevice) -> None:
    x = numbered((301, 1003), "float32")
    np.testing.assert_array_equal(run(gpu, Transpose((1, 0)), [x])[0], x.T)
    np.testing.assert_array_equal(run(gpu, Flip((1,)), [x])[0], x[:, ::-1])
