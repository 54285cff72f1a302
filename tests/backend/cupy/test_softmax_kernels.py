"""Softmax and crossentropy kernels: rows of every length, infinities, labels of every dtype and outside."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gputrain.backend.cupy import CupyDevice, softmax
from gputrain.ops.base import Operation, Sample
from gputrain.ops.crossentropy import (
    CategoricalCrossentropy,
    LogSoftmax,
    Softmax,
    SoftmaxCrossentropy,
    SparseSoftmaxCrossentropy,
)
from tests.backend.cupy.running import FLOATS, check, run, samples
from tests.selection import quick
from tests.tolerances import assert_close


@pytest.mark.parametrize("sample", samples(softmax))
@pytest.mark.parametrize("dtype", FLOATS)
def test_agrees_with_its_reference(gpu: CupyDevice, sample: Sample, dtype: str) -> None:
    check(gpu, sample, dtype)


def agree(gpu: CupyDevice, op: Operation, inputs: list[Any], expected: Any, dtype: str) -> None:
    """Out of place and in place; NaN where NaN is expected."""
    pairs = gpu.overwrites(op, [])
    for in_place in ((), pairs):
        outs = run(gpu, op, inputs, in_place=in_place)
        for out, reference in zip(outs, expected, strict=True):
            assert_close(out, reference, dtype, str(op))


def log_softmax(x: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        shifted = np.float64(x) - np.float64(x).max(-1, keepdims=True)
        return np.asarray(shifted - np.log(np.exp(shifted).sum(-1, keepdims=True)))


@pytest.mark.parametrize("columns", [1, 5, 37, 1024, 1025, 20000])
@pytest.mark.parametrize("dtype", quick(("float32",), FLOATS))
def test_rows_of_every_length(gpu: CupyDevice, columns: int, dtype: str) -> None:
    rng = np.random.default_rng(columns)
    x = np.sort(rng.uniform(-8, 8, (3, columns)).astype(dtype))  # each element a new top
    x[1:] = rng.permuted(x[1:], axis=1)
    logs = log_softmax(x)
    agree(gpu, Softmax(), [x], [np.exp(logs)], dtype)
    agree(gpu, LogSoftmax(), [x], [logs], dtype)
    label = np.array([0, columns - 1, columns])
    target = (label[:, None] == np.arange(columns)).astype(dtype)
    loss, gradient = -(target * logs).sum(-1), np.exp(logs) * target.sum(-1, keepdims=True) - target
    agree(gpu, SparseSoftmaxCrossentropy(), [label, x], [loss, gradient], dtype)
    agree(gpu, SoftmaxCrossentropy(), [target, x], [loss, gradient], dtype)
    smooth = target * 0.9 + 0.1 / columns
    loss, gradient = -(smooth * logs).sum(-1), np.exp(logs) * smooth.sum(-1, keepdims=True) - smooth
    agree(gpu, SoftmaxCrossentropy(0.1), [target, x], [loss, gradient], dtype)
    q = np.exp(x.astype("float64")).astype(dtype)
    share = q.astype("float64") / q.astype("float64").sum(-1, keepdims=True)
    expected = -(target * np.log(np.clip(share, 1e-7, 1 - 1e-7))).sum(-1)
    agree(gpu, CategoricalCrossentropy(), [target, q], [expected], dtype)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("repeats", [1, 300])
def test_infinities_and_nan(gpu: CupyDevice, dtype: str, repeats: int) -> None:
    inf, nan = np.inf, np.nan
    rows = [
        [-inf, -inf, -inf, -inf, -inf],
        [0, 0, nan, 0, 0],
        [inf, 0, 1, 2, 3],
        [inf, inf, 0, 0, 0],
        [-inf, -inf, -inf, 1, 2],
        [1, 2, -inf, 3, -inf],
        [3, 3, 3, 3, 3],
        [0, 1e4, 0, 1e4, 0],
        [-1e4, -1e4, -1e4, -1e4, -1e4],
    ]
    x = np.tile(np.array(rows, dtype), (1, repeats))
    logs = log_softmax(x)
    agree(gpu, Softmax(), [x], [np.exp(logs)], dtype)
    (found,) = run(gpu, LogSoftmax(), [x])
    np.testing.assert_array_equal(np.isnan(found), np.isnan(logs))
    np.testing.assert_array_equal(np.isneginf(found), np.isneginf(logs))


@pytest.mark.parametrize(
    "dtype", ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
)
def test_labels_of_every_dtype(gpu: CupyDevice, dtype: str) -> None:
    x = np.random.default_rng(0).uniform(-2, 2, (4, 8)).astype("float32")
    label = np.array([1, 0, 7, 100] if dtype != "bool" else [1, 0, 1, 1]).astype(dtype)
    loss, gradient = run(gpu, SparseSoftmaxCrossentropy(), [label, x])
    hit = np.int64(label)[:, None] == np.arange(8)
    assert_close(loss, -np.where(hit, log_softmax(x), 0).sum(-1), "float32")
    assert_close(gradient, np.exp(log_softmax(x)) * hit.any(-1, keepdims=True) - hit, "float32")


@pytest.mark.parametrize("dtype", ["bool", "int32", "float64", "float16"])
def test_targets_of_other_dtypes(gpu: CupyDevice, dtype: str) -> None:
    x = np.random.default_rng(0).uniform(-2, 2, (4, 8)).astype("float32")
    target = np.eye(8)[:4].astype(dtype)
    loss, _ = run(gpu, SoftmaxCrossentropy(), [target, x])
    assert_close(loss, -(np.float64(target) * log_softmax(x)).sum(-1), "float32")


def test_more_rows_than_one_grid(gpu: CupyDevice) -> None:
    for shape in [(5000, 3), (60, 1100)]:
        x = np.random.default_rng(0).uniform(-2, 2, shape).astype("float32")
        agree(gpu, Softmax(), [x], [np.exp(log_softmax(x))], "float32")


def test_no_classes(gpu: CupyDevice) -> None:
    loss, gradient = run(gpu, SparseSoftmaxCrossentropy(), [np.zeros(3, int), np.zeros((3, 0), "float32")])
    assert loss.tolist() == [0, 0, 0]
    assert gradient.shape == (3, 0)
