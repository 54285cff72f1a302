"""Compiled softmax and crossentropies: rows narrower and wider than vectors, labels of every kind, edges."""

from __future__ import annotations

import numpy as np
import pytest

from gputrain.ops.base import Operation, evaluate, spec_of
from gputrain.ops.crossentropy import (
    LogSoftmax,
    Softmax,
    SoftmaxCrossentropy,
    SparseSoftmaxCrossentropy,
)
from tests.backend.compiled.running import FLOATS, LEVELS, device, needs_library, run
from tests.selection import quick
from tests.tolerances import assert_close

pytestmark = needs_library

WIDTHS = [1, 2, 3, 4, 5, 7, 8, 9, 10, 15, 16, 17, 31, 33, 100, 1000]
LABELS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]


def _logits(rows: int, width: int, dtype: str) -> np.ndarray:
    return (np.random.default_rng(rows + width).standard_normal((rows, width)) * 4).astype(dtype)


def _expected(op: Operation, *inputs: np.ndarray) -> list[np.ndarray]:
    """What NumPy gives in float64."""
    wide = [x.astype("float64") if x.dtype.kind == "f" else x for x in inputs]
    with np.errstate(all="ignore"):
        return list(evaluate(op, np, wide))


@pytest.mark.parametrize("dtype", quick(FLOATS[:1], FLOATS))
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_widths(level: str, width: int, dtype: str) -> None:
    for rows in (1, 3, 16, 53):
        x = _logits(rows, width, dtype)
        target = np.random.default_rng(1).random((rows, width)).astype(dtype)
        label = np.random.default_rng(2).integers(-1, width + 1, rows)
        cases: list[tuple[Operation, list[np.ndarray]]] = [
            (Softmax(), [x]),
            (LogSoftmax(), [x]),
            (SoftmaxCrossentropy(), [target, x]),
            (SoftmaxCrossentropy(0.1), [target, x]),
            (SparseSoftmaxCrossentropy(), [label, x]),
        ]
        for op, inputs in cases:
            for found, expected in zip(
                run(device(level), op, inputs, skipped=1), _expected(op, *inputs), strict=True
            ):
                assert_close(found, expected, dtype, f"{op} of {rows} rows")


@pytest.mark.parametrize("shape", [(40000, 3), (3, 40000), (700, 130), (2, 3, 4, 5)], ids=str)
@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_many_rows_and_wide_ones(level: str, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).standard_normal(shape).astype("float32")
    (found,) = run(device(level), Softmax(), [x])
    assert_close(found, _expected(Softmax(), x)[0], "float32")
    label = np.random.default_rng(2).integers(0, shape[-1], shape[:-1])
    op = SparseSoftmaxCrossentropy()
    for got, expected in zip(run(device(level), op, [label, x]), _expected(op, label, x), strict=True):
        assert_close(got, expected, "float32")


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_labels_of_every_dtype(level: str, kind: str) -> None:
    label, x = np.array([0, 4, 2, np.iinfo(kind).max, np.iinfo(kind).min], kind), _logits(5, 5, "float32")
    op = SparseSoftmaxCrossentropy()
    for found, expected in zip(run(device(level), op, [label, x]), _expected(op, label, x), strict=True):
        assert_close(found, expected, "float32")


@pytest.mark.parametrize("width", [5, 40])
@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
def test_nan_and_infinity_stay_in_their_rows(level: str, width: int) -> None:
    x = _logits(40, width, "float32")
    x[1, 0], x[2, 3], x[3, 1], x[4], x[5, 4] = np.nan, np.inf, -np.inf, -np.inf, 300
    target = np.full((40, width), 1 / width, "float32")
    for op, inputs in ((Softmax(), [x]), (LogSoftmax(), [x]), (SoftmaxCrossentropy(), [target, x])):
        for found, expected in zip(run(device(level), op, inputs), _expected(op, *inputs), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5, err_msg=str(op))
    label = np.zeros(40, "int64")
    loss, gradient = run(device(level), SparseSoftmaxCrossentropy(), [label, x])
    known, slopes = run(device(level), SoftmaxCrossentropy(), [np.eye(width, dtype="float32")[label], x])
    finite = np.arange(40) != 3  # 0 times an infinite loss of another class is no part of it
    np.testing.assert_allclose(loss[finite], known[finite], rtol=1e-5)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-5, atol=1e-6)
    assert np.isfinite(loss[3])


def test_booleans_are_no_labels() -> None:
    x = np.zeros((2, 2), "float32")
    kernel = device(LEVELS[0]).compiled["SparseSoftmaxCrossentropy"]
    assert not kernel.accepts(SparseSoftmaxCrossentropy(), spec_of(np.zeros(2, bool)), spec_of(x))
