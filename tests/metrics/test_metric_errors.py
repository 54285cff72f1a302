"""What metrics say when targets, outputs or weights do not belong together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gputrain import metrics
from gputrain.errors import ShapeError

P = np.full((4, 3), 1 / 3, "float32")
LABELS = np.array([0, 2, 1, 1])
ROWS = np.eye(3, dtype="float32")[LABELS]

SHAPES: list[tuple[Callable[[], Any], str]] = [
    (
        lambda: metrics.CategoricalAccuracy()(LABELS, P),
        r"categorical_accuracy: y_true must have the shape of y_pred; nothing is broadcast.*\(4, 3\).*\(4,\)"
        r".*Class indices need to_categorical\(y\), or SparseCategoricalAccuracy\.",
    ),
    (
        lambda: metrics.SparseCategoricalAccuracy()(ROWS, P),
        r"sparse_categorical_accuracy: y_true must hold one class index for each row of y_pred.*\(4,\)\. "
        r"Received: y_true of shape \(4, 3\) for y_pred of shape \(4, 3\)\. One-hot rows belong to",
    ),
    (lambda: metrics.SparseCategoricalAccuracy()(LABELS[:2], P), r"one class index for each row.*\(2,\)"),
    (
        lambda: metrics.BinaryAccuracy()(LABELS, P),
        r"binary_accuracy: .*\(4, 3\).*\(4,\)\. Class indices need to_categorical\(y, 3\)",
    ),
    (lambda: metrics.Accuracy()(LABELS[:1], LABELS), r"accuracy: y_true must have the shape.*\(4,\).*\(1,\)"),
    (lambda: metrics.TopKCategoricalAccuracy()(LABELS, P), r"top_k_categorical_accuracy: .*to_categorical"),
    (lambda: metrics.MeanSquaredError()(LABELS, P), r"mean_squared_error: y_true must have the shape"),
    (
        lambda: metrics.CategoricalAccuracy()(ROWS, P, [1.0, 2.0]),
        r"sample_weight must have one number for each sample.*with N = 4\. Received: \(2,\)",
    ),
    (lambda: metrics.Mean()([1.0, 2.0], [1.0, 2.0, 3.0]), r"sample_weight must have.*Received: \(3,\)"),
]


@pytest.mark.parametrize("use, message", SHAPES, ids=[m[:60] for _, m in SHAPES])
def test_shapes(use: Callable[[], Any], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        use()


VALUES: list[tuple[Callable[[], Any], str]] = [
    (lambda: metrics.get("acuracy"), r"Unknown metric 'acuracy'\. Did you mean 'accuracy'\?"),
    (
        lambda: metrics.BinaryAccuracy(threshold=float("nan")),
        r"BinaryAccuracy: threshold must be a finite number",
    ),
    (lambda: metrics.TopKCategoricalAccuracy(k=0), r"Top k accuracy: k must be a positive int\. Received: 0"),
    (lambda: metrics.SparseTopKCategoricalAccuracy(k=2.5), r"Top k accuracy: k must be a positive int"),
    (lambda: metrics.deserialize({"class_name": "os.system"}), r"Unknown metric 'os\.system'"),
    (
        lambda: metrics.deserialize({"class_name": "MeanMetricWrapper", "config": {"fn": "exec"}}),
        r"Unknown metric function 'exec'",
    ),
]


@pytest.mark.parametrize("use, message", VALUES, ids=[m[:60] for _, m in VALUES])
def test_values(use: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        use()


def test_not_a_function() -> None:
    with pytest.raises(TypeError, match=r"A metric function is a callable \(y_true, y_pred\) -> values"):
        metrics.MeanMetricWrapper(3)  # type: ignore[arg-type]
