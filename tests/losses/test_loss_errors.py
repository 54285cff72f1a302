"""What losses say when targets, outputs or weights do not belong together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gputrain import losses
from gputrain.errors import DataError, ShapeError
from gputrain.ir import Graph, Spec, Value
from gputrain.runtime import interpret

P = np.full((4, 3), 1 / 3, "float32")
LABELS = np.array([0, 2, 1, 1])
ROWS = np.eye(3, dtype="float32")[LABELS]
MSE = losses.MeanSquaredError()

SHAPES: list[tuple[Callable[[], Any], str]] = [
    (
        lambda: losses.CategoricalCrossentropy()(LABELS, P),
        r"categorical_crossentropy: y_true must have the shape of y_pred; nothing is broadcast.*"
        r"Expected: y_true of shape \(4, 3\), as y_pred\. Received: y_true of shape \(4,\)\. "
        r'Class indices need to_categorical\(y\), or loss="sparse_categorical_crossentropy"\.',
    ),
    (
        lambda: losses.CategoricalCrossentropy(from_logits=True)(ROWS[:, :2], P),
        r"categorical_crossentropy: y_true must have the shape of y_pred.*\(4, 3\).*\(4, 2\)",
    ),
    (
        lambda: losses.SparseCategoricalCrossentropy()(ROWS, P),
        r"sparse_categorical_crossentropy: y_true must hold one class index for each row of y_pred\. "
        r"Expected: integers of shape \(4,\)\. Received: y_true of shape \(4, 3\) for y_pred of shape "
        r"\(4, 3\)\. One-hot rows belong to the loss or metric without 'sparse'; y\.argmax\(-1\)",
    ),
    (
        lambda: losses.SparseCategoricalCrossentropy()(LABELS[:3], P),
        r"one class index for each row.*integers of shape \(4,\)\. Received: y_true of shape \(3,\)",
    ),
    (
        lambda: MSE(LABELS, P),
        r"mean_squared_error: y_true must have the shape of y_pred; nothing is broadcast, only a last "
        r"axis of size 1 may be missing in one of them.*\(4, 3\).*\(4,\)\. Class indices need "
        r"to_categorical\(y, 3\); for numbers give the last layer as many units as y has columns\.",
    ),
    (
        lambda: MSE(np.ones((6, 4, 4)), np.ones((6, 8, 8, 1))),
        r"y_pred\. Received: y_true of shape \(6, 4, 4\)\. Resize the targets, as masks, to the size of the",
    ),
    (lambda: MSE(P[:, :2], P), r"Reshape y, or give the last layer as many units as y has columns\."),
    (lambda: MSE(P[:, :1], P), r"mean_squared_error: y_true must have the shape.*\(4, 3\).*\(4, 1\)"),
    (lambda: MSE(P[:1], P), r"mean_squared_error: y_true must have the shape.*\(4, 3\).*\(1, 3\)"),
    (lambda: MSE(1.0, P), r"mean_squared_error: y_true must have the shape.*\(4, 3\).*\(\)"),
    (lambda: losses.MeanAbsoluteError()(P.T, P), r"mean_absolute_error: .*\(4, 3\).*\(3, 4\)"),
    (lambda: losses.BinaryCrossentropy()(LABELS, P), r"binary_crossentropy: .*\(4, 3\).*\(4,\)"),
    *(
        (lambda loss=loss: loss(P[:, 0], P), rf"{loss.fn.__name__}: y_true must have the shape of y_pred")
        for loss in (
            losses.MeanAbsolutePercentageError(),
            losses.MeanSquaredLogarithmicError(),
            losses.Huber(),
            losses.LogCosh(),
            losses.Poisson(),
            losses.KLDivergence(),
            losses.CosineSimilarity(),
            losses.Hinge(),
            losses.SquaredHinge(),
            losses.CategoricalHinge(),
            losses.BinaryFocalCrossentropy(),
            losses.CategoricalFocalCrossentropy(),
        )
    ),
    *(
        (lambda loss=loss: loss(LABELS, P), rf"{loss.name}: .*Class indices need to_categorical\(y\)\.")
        for loss in (losses.CategoricalHinge(), losses.CategoricalFocalCrossentropy())
    ),
    (
        lambda: losses.CategoricalFocalCrossentropy(alpha=[0.5, 0.5])(ROWS, P),
        r"categorical_focal_crossentropy: alpha is one number, or one for each class\. Expected: 3 numbers",
    ),
    (
        lambda: losses.BinaryCrossentropy(from_logits=True)(P[:2], P),
        r"binary_crossentropy: .*\(4, 3\).*\(2, 3\)",
    ),
    (
        lambda: MSE(P, P, [1.0, 2.0]),
        r"sample_weight must have one number for each sample, or for each loss\. "
        r"Expected: \(\), \(N,\), \(N, 1\) or \(4,\), with N = 4\. Received: \(2,\)",
    ),
    (lambda: MSE(P, P, P), r"sample_weight must have one number.*Received: \(4, 3\)"),
    (
        lambda: MSE(P[None], P[None], [1.0] * 3),
        r"sample_weight must .*or \(1, 4\), with N = 1\. Received: \(3,\)",
    ),
]


@pytest.mark.parametrize("use, message", SHAPES, ids=[m[:60] for _, m in SHAPES])
def test_shapes(use: Callable[[], Any], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        use()


@pytest.mark.parametrize("labels", [[0, 1, 2, 3], [0, 1, -1, 2], [0.0, 1.0, 2.0, 3.0]])
@pytest.mark.parametrize("from_logits", [True, False])
def test_label_outside_the_classes(labels: list[Any], from_logits: bool) -> None:
    with pytest.raises(
        DataError, match=r"A class index must name one of the output's classes\. Expected: 0\.\.2"
    ):
        losses.SparseCategoricalCrossentropy(from_logits)(labels, P)


VALUES: list[tuple[Callable[[], Any], str]] = [
    (
        lambda: losses.MeanSquaredError(reduction="avg"),
        r"Unknown reduction of a loss\. Received: 'avg'\. Known names",
    ),
    (lambda: losses.MeanSquaredError(reduction="men"), r"Did you mean 'mean'\?"),
    (
        lambda: losses.get("mean_sqared_error"),
        r"Unknown loss 'mean_sqared_error'\. Did you mean 'mean_squared_error'",
    ),
    (
        lambda: losses.CategoricalCrossentropy(label_smoothing=2)(ROWS, P),
        r"label_smoothing is a share\. Expected: 0\.\.1",
    ),
    (
        lambda: losses.BinaryCrossentropy(label_smoothing=-1)(P, P),
        r"binary_crossentropy: label_smoothing is a share",
    ),
    (
        lambda: losses.BinaryFocalCrossentropy(label_smoothing=2)(P, P),
        r"binary_focal_crossentropy: label_smoothing is a share",
    ),
    (
        lambda: losses.CategoricalFocalCrossentropy(label_smoothing=-1)(ROWS, P),
        r"categorical_focal_crossentropy: label_smoothing is a share",
    ),
    (lambda: losses.deserialize({"class_name": "builtins.eval"}), r"Unknown loss 'builtins\.eval'"),
]


@pytest.mark.parametrize("use, message", VALUES, ids=[m[:60] for _, m in VALUES])
def test_values(use: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        use()


def test_not_a_function() -> None:
    with pytest.raises(
        TypeError, match=r"A loss function is a callable \(y_true, y_pred\) -> losses\. Received: 3"
    ):
        losses.LossFunctionWrapper(3)  # type: ignore[arg-type]


def test_one_class_is_warned_of() -> None:
    with pytest.warns(SyntaxWarning, match="the softmax of one unit is always 1"):
        losses.categorical_crossentropy(np.ones((2, 1)), np.ones((2, 1)))


def test_mask_of_another_shape() -> None:
    value, mask = Value(Spec((4, 3))), Value(Spec((4, 3), "bool"))
    value.mask = mask
    with pytest.raises(
        ShapeError, match=r"The mask of the outputs must have the shape of the losses.*\(4,\).*\(4, 3\)"
    ):
        MSE(P, value)


def test_unknown_batch_size_is_no_mismatch() -> None:
    value = Value(Spec((None, 3)))
    assert MSE(Value(Spec((None, 3))), value, Value(Spec((None,)))).shape == ()
    assert losses.SparseCategoricalCrossentropy()(Value(Spec((None,), "int32")), value).shape == ()


def test_labels_inside_a_model_are_not_read() -> None:
    value = Value(Spec((4,), "int32"))
    loss = losses.SparseCategoricalCrossentropy()(value, P)
    assert np.isfinite(interpret(Graph([value], [loss]), [np.array([0, 1, 2, 3], "int32")])[0])
