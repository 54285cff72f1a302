"""Losses against formulas in float64 NumPy: values, reductions, weights, masks, gradients, saving."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gputrain import config, losses, ops
from gputrain.compiler import gradients
from gputrain.ir import Graph, Spec, Value
from gputrain.runtime import interpret
from gputrain.utils import notes
from tests.tolerances import GRADIENT, assert_close

EPS = 1e-7
N, C = 6, 4


def one_hot(labels: np.ndarray, classes: int = C) -> np.ndarray:
    rows = np.zeros((len(labels), classes))
    for i, label in enumerate(labels):
        rows[i, label] = 1
    return rows


def crossentropy(t: np.ndarray, p: np.ndarray) -> np.ndarray:
    q = np.clip(p / p.sum(-1, keepdims=True), EPS, 1 - EPS)
    return -(t * np.log(q)).sum(-1)


def log_softmax(z: np.ndarray) -> np.ndarray:
    return z - z.max(-1, keepdims=True) - np.log(np.exp(z - z.max(-1, keepdims=True)).sum(-1, keepdims=True))


def binary(t: np.ndarray, p: np.ndarray) -> np.ndarray:
    p = np.clip(p, EPS, 1 - EPS)
    return -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean(-1)


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def focal(t: np.ndarray, p: np.ndarray, gamma: float, ones: float = 1.0, zeros: float = 1.0) -> np.ndarray:
    """Element by element: one of the two terms of the binary crossentropy counts."""
    losses_ = np.empty(t.shape)
    for i in np.ndindex(t.shape):
        given = p[i] if t[i] == 1 else 1 - p[i]
        losses_[i] = -(ones if t[i] == 1 else zeros) * (1 - given) ** gamma * math.log(given)
    return losses_.mean(-1)


def categorical_focal(t: np.ndarray, p: np.ndarray, gamma: float, alpha: Any) -> np.ndarray:
    q = p / p.sum(-1, keepdims=True)
    return -(np.asarray(alpha) * (1 - q) ** gamma * t * np.log(q)).sum(-1)


def softmax(z: np.ndarray) -> np.ndarray:
    return np.exp(z) / np.exp(z).sum(-1, keepdims=True)


def huber(e: np.ndarray, delta: float) -> np.ndarray:
    return np.where(np.abs(e) <= delta, e**2 / 2, delta * np.abs(e) - delta**2 / 2).mean(-1)


RNG = np.random.default_rng(21)
LABELS = np.array([0, 3, 1, 1, 2, 0])
T, P, Z = one_hot(LABELS), RNG.uniform(0.05, 1, (N, C)), RNG.normal(size=(N, C))
Y, BITS = RNG.normal(size=(N, C)), (RNG.random((N, C)) < 0.5).astype("float64")
BITS_P = RNG.uniform(0.05, 0.95, (N, C))
COUNTS, RATES, SIGNS = RNG.poisson(3.0, (N, C)).astype("float64"), RNG.uniform(0.5, 5, (N, C)), BITS * 2 - 1
SOFT, GUESS = RNG.dirichlet(np.ones(C), N), RNG.dirichlet(np.ones(C), N)
WRONG = np.where(T == 1, -np.inf, Z).max(-1)
LENGTHS = np.linalg.norm(Y, axis=-1) * np.linalg.norm(Z, axis=-1)

# name, loss, targets, outputs, losses of the samples
CASES: list[tuple[str, losses.Loss, np.ndarray, np.ndarray, np.ndarray]] = [
    ("mse", losses.MeanSquaredError(), Y, Z, ((Y - Z) ** 2).mean(-1)),
    ("mae", losses.MeanAbsoluteError(), Y, Z, np.abs(Y - Z).mean(-1)),
    ("mape", losses.MeanAbsolutePercentageError(), Y, Z, 100 * np.abs((Y - Z) / Y).mean(-1)),
    (
        "msle",
        losses.MeanSquaredLogarithmicError(),
        COUNTS,
        RATES,
        ((np.log(1 + np.maximum(COUNTS, EPS)) - np.log(1 + RATES)) ** 2).mean(-1),
    ),
    ("huber", losses.Huber(), Y, 2 * Z, huber(Y - 2 * Z, 1.0)),
    ("huber 0.3", losses.Huber(delta=0.3), Y, Z, huber(Y - Z, 0.3)),
    ("log cosh", losses.LogCosh(), Y, Z, np.log(np.cosh(Y - Z)).mean(-1)),
    ("poisson", losses.Poisson(), COUNTS, RATES, (RATES - COUNTS * np.log(RATES + EPS)).mean(-1)),
    ("kl", losses.KLDivergence(), SOFT, GUESS, (SOFT * np.log(SOFT / GUESS)).sum(-1)),
    ("cosine", losses.CosineSimilarity(), Y, Z, -(Y * Z).sum(-1) / LENGTHS),
    ("cosine axis", losses.CosineSimilarity(axis=0), Y.T, Z.T, -(Y * Z).sum(-1) / LENGTHS),
    ("hinge", losses.Hinge(), SIGNS, Z, np.maximum(1 - SIGNS * Z, 0).mean(-1)),
    ("hinge of bits", losses.Hinge(), BITS, Z, np.maximum(1 - SIGNS * Z, 0).mean(-1)),
    ("squared hinge", losses.SquaredHinge(), BITS, Z, (np.maximum(1 - SIGNS * Z, 0) ** 2).mean(-1)),
    (
        "categorical hinge",
        losses.CategoricalHinge(),
        T,
        Z + 1,
        np.maximum(np.maximum(WRONG + 1, 0) - (T * (Z + 1)).sum(-1) + 1, 0),
    ),
    ("focal", losses.BinaryFocalCrossentropy(), BITS, BITS_P, focal(BITS, BITS_P, 2)),
    (
        "focal balanced",
        losses.BinaryFocalCrossentropy(apply_class_balancing=True, alpha=0.3, gamma=1.5),
        BITS,
        BITS_P,
        focal(BITS, BITS_P, 1.5, 0.3, 0.7),
    ),
    ("focal 0", losses.BinaryFocalCrossentropy(gamma=0), BITS, BITS_P, binary(BITS, BITS_P)),
    (
        "focal logits",
        losses.BinaryFocalCrossentropy(gamma=3, from_logits=True),
        BITS,
        Z,
        focal(BITS, sigmoid(Z), 3),
    ),
    (
        "categorical focal",
        losses.CategoricalFocalCrossentropy(),
        T,
        P,
        categorical_focal(T, P, 2, 0.25),
    ),
    (
        "categorical focal weighted",
        losses.CategoricalFocalCrossentropy(alpha=[0.1, 0.2, 0.3, 0.4], gamma=1),
        T,
        P,
        categorical_focal(T, P, 1, [0.1, 0.2, 0.3, 0.4]),
    ),
    (
        "categorical focal logits",
        losses.CategoricalFocalCrossentropy(from_logits=True, label_smoothing=0.1),
        T,
        Z,
        categorical_focal(T * 0.9 + 0.1 / C, softmax(Z), 2, 0.25),
    ),
    ("bce", losses.BinaryCrossentropy(), BITS, BITS_P, binary(BITS, BITS_P)),
    ("bce logits", losses.BinaryCrossentropy(from_logits=True), BITS, Z, binary(BITS, sigmoid(Z))),
    (
        "bce smoothed",
        losses.BinaryCrossentropy(label_smoothing=0.2),
        BITS,
        BITS_P,
        binary(BITS * 0.8 + 0.1, BITS_P),
    ),
    ("bce axis", losses.BinaryCrossentropy(axis=0), BITS, BITS_P, binary(BITS.T, BITS_P.T)),
    ("cce", losses.CategoricalCrossentropy(), T, P, crossentropy(T, P)),
    ("cce logits", losses.CategoricalCrossentropy(from_logits=True), T, Z, -(T * log_softmax(Z)).sum(-1)),
    (
        "cce smoothed",
        losses.CategoricalCrossentropy(label_smoothing=0.1),
        T,
        P,
        crossentropy(T * 0.9 + 0.1 / C, P),
    ),
    ("cce axis", losses.CategoricalCrossentropy(axis=0), T.T, P.T, crossentropy(T, P)),
    ("sparse", losses.SparseCategoricalCrossentropy(), LABELS, P, crossentropy(T, P)),
    ("sparse column", losses.SparseCategoricalCrossentropy(), LABELS[:, None], P, crossentropy(T, P)),
    ("sparse floats", losses.SparseCategoricalCrossentropy(), LABELS.astype("f"), P, crossentropy(T, P)),
    (
        "sparse logits",
        losses.SparseCategoricalCrossentropy(from_logits=True),
        LABELS,
        Z,
        -(T * log_softmax(Z)).sum(-1),
    ),
]
each = pytest.mark.parametrize("name, loss, y_true, y_pred, expected", CASES, ids=[c[0] for c in CASES])


def copy(loss: losses.Loss, **changes: Any) -> Any:
    return type(loss).from_config({**loss.get_config(), **changes})


@each
def test_values(name: str, loss: Any, y_true: Any, y_pred: Any, expected: Any) -> None:
    for dtype in ("float32", "float64"):
        each_sample = copy(loss, reduction=None, dtype=dtype)(y_true, y_pred)
        assert each_sample.dtype == dtype
        assert_close(each_sample, expected, dtype, name)
    assert float(loss(y_true, y_pred)) == pytest.approx(expected.mean(), rel=1e-5)
    assert loss(y_true, y_pred).dtype == "float32"


@each
def test_function_of_the_same_name(name: str, loss: Any, y_true: Any, y_pred: Any, expected: Any) -> None:
    own = {k: v for k, v in loss.get_config().items() if k not in ("name", "reduction", "dtype")}
    assert_close(getattr(losses, loss.fn.__name__)(y_true, y_pred, **own), expected, "float64", name)


@each
def test_reductions(name: str, loss: Any, y_true: Any, y_pred: Any, expected: Any) -> None:
    w = np.linspace(0, 2, len(expected))
    wanted = {
        "sum_over_batch_size": (expected * w).mean(),
        "mean": (expected * w).mean(),
        "sum": (expected * w).sum(),
        "mean_with_sample_weight": (expected * w).sum() / w.sum(),
    }
    for reduction, value in wanted.items():
        other = copy(loss, reduction=reduction, dtype="float64")
        for weights in (w, w[:, None], list(w)):
            assert float(other(y_true, y_pred, weights)) == pytest.approx(value, rel=1e-12)
    for reduction in (None, "none"):
        assert_close(copy(loss, reduction=reduction)(y_true, y_pred, w), expected * w, "float32", name)


@each
def test_saved_and_loaded(name: str, loss: Any, y_true: Any, y_pred: Any, expected: Any) -> None:
    saved = json.loads(json.dumps(losses.serialize(loss)))
    other = losses.deserialize(saved)
    assert type(other) is type(loss)
    assert other.get_config() == loss.get_config()
    assert float(other(y_true, y_pred)) == float(loss(y_true, y_pred))


@each
def test_gradient(name: str, loss: Any, y_true: Any, y_pred: Any, expected: Any) -> None:
    loss, rng = copy(loss, dtype="float64"), np.random.default_rng(3)
    weights, direction = rng.uniform(0.5, 2, len(expected)), rng.normal(size=y_pred.shape)
    output, target = Value(Spec(y_pred.shape, "float64")), Value(Spec(y_true.shape, y_true.dtype.name))
    (gradient,) = gradients(loss(target, output, weights), [output])
    assert gradient is not None
    (found,) = interpret(Graph([output, target], [gradient]), [y_pred, y_true])
    step = 1e-6
    ends = [float(loss(y_true, y_pred + s * step * direction, weights)) for s in (1, -1)]
    slope = (ends[0] - ends[1]) / (2 * step)
    assert float((found * direction).sum()) == pytest.approx(slope, rel=100 * GRADIENT, abs=1e-8)


# ------------------------------------------------------------------------------------------------- weights


def test_weights_of_elements_and_of_samples() -> None:
    y, z = RNG.normal(size=(2, 3, 5)), RNG.normal(size=(2, 3, 5))
    loss = losses.MeanSquaredError(dtype="float64")
    expected = ((y - z) ** 2).mean(-1)
    w = RNG.uniform(size=(2, 3))
    assert float(loss(y, z, w)) == pytest.approx((expected * w).mean())
    assert float(loss(y, z, w[:, 0])) == pytest.approx((expected * w[:, :1]).mean())
    assert float(loss(y, z, w[:, :1])) == pytest.approx((expected * w[:, :1]).mean())
    assert float(loss(y, z, w[0])) == pytest.approx((expected * w[0]).mean())
    assert float(loss(y, z, 2.5)) == pytest.approx(expected.mean() * 2.5)
    weighted = losses.MeanSquaredError(dtype="float64", reduction="mean_with_sample_weight")
    assert float(weighted(y, z, w[:, 0])) == pytest.approx((expected * w[:, :1]).sum() / w[:, 0].sum())


def test_zero_weights_give_zero() -> None:
    for reduction in ("sum_over_batch_size", "mean_with_sample_weight", "sum"):
        assert float(losses.MeanSquaredError(reduction=reduction)(Y, Z, np.zeros(N))) == 0.0


# -------------------------------------------------------------------------------------------- the one squeeze


@pytest.mark.parametrize(
    "name",
    [
        "MeanSquaredError",
        "MeanAbsoluteError",
        "MeanAbsolutePercentageError",
        "MeanSquaredLogarithmicError",
        "Huber",
        "LogCosh",
        "Poisson",
        "Hinge",
        "SquaredHinge",
        "BinaryCrossentropy",
        "BinaryFocalCrossentropy",
    ],
)
def test_column_and_row_are_brought_together(name: str) -> None:
    loss = getattr(losses, name)(reduction=None, dtype="float64")
    a, b = np.array([0.0, 1.0, 1.0]), np.array([0.2, 0.6, 0.9])
    expected = loss(a[:, None], b[:, None])
    assert expected.shape == (3,)
    for y_true, y_pred in ((a, b[:, None]), (a[:, None], b), (a, b)):
        np.testing.assert_array_equal(loss(y_true, y_pred), expected)


def test_function_as_a_loss_does_not_broadcast_either() -> None:
    a, b = np.array([0.0, 1.0, 1.0]), np.array([[0.2], [0.6], [0.9]])
    loss = losses.as_loss(lambda t, p: ops.square(t - p))
    assert float(loss(a, b)) == pytest.approx(((a[:, None] - b) ** 2).mean())


def test_own_class_is_told_that_its_arithmetic_broadcasts(caplog: pytest.LogCaptureFixture) -> None:
    class Squares(losses.Loss):
        """A user's loss, which gets targets and outputs as they are."""

        def call(self, y_true: Any, y_pred: Any) -> Any:
            return ops.square(ops.expand_dims(y_true, -1) - y_pred)

    a, b = np.array([0.0, 1.0, 1.0]), np.array([[0.2], [0.6], [0.9]])
    notes.forget()
    assert float(Squares()(a, b)) == pytest.approx(((a[:, None] - b) ** 2).mean())
    assert "Squares.call is given y_true of shape (3,) and y_pred of shape (3, 1) as they are" in caplog.text


def test_weights_of_a_single_number_are_told_of(caplog: pytest.LogCaptureFixture) -> None:
    notes.forget()
    loss = losses.as_loss(lambda t, p: ops.mean(ops.square(t - p)))
    assert float(loss([[0.0], [0.0]], [[1.0], [3.0]], [1.0, 0.0])) == pytest.approx(2.5)
    assert "gives a single number for its batch, so weights of shape (2,) only scale it" in caplog.text


# ---------------------------------------------------------------------------------------------------- masks


def masked(loss: Any, y_true: np.ndarray, y_pred: np.ndarray, mask: np.ndarray, weights: Any = None) -> Any:
    value, keep = Value(Spec(y_pred.shape, y_pred.dtype.name)), Value(Spec(mask.shape, "bool"))
    value.mask = keep
    return interpret(Graph([value, keep], [loss(y_true, value, weights)]), [y_pred, mask])[0]


def test_mask_counts_only_what_it_keeps() -> None:
    y, z = RNG.normal(size=(2, 3, 5)), RNG.normal(size=(2, 3, 5))
    keep = np.array([[True, True, False], [True, False, False]])
    w = np.array([1.0, 3.0])
    each_step = ((y - z) ** 2).mean(-1)
    loss = losses.MeanSquaredError(dtype="float64")
    assert float(masked(loss, y, z, keep)) == pytest.approx(each_step[keep].mean())
    weighted = (each_step * w[:, None])[keep]
    assert float(masked(loss, y, z, keep, w)) == pytest.approx(weighted.sum() / 3)
    total = losses.MeanSquaredError(dtype="float64", reduction="sum")
    assert float(masked(total, y, z, keep)) == pytest.approx(each_step[keep].sum())
    assert float(masked(loss, y, z, np.zeros_like(keep))) == 0.0


@pytest.mark.parametrize("shape", [(1, 3), (2, 1), (1, 1), (1, 3, 1), (1,), ()])
def test_masks_of_size_one_count_for_all(shape: tuple[int, ...]) -> None:
    y, z, w = RNG.normal(size=(2, 3, 5)), RNG.normal(size=(2, 3, 5)), np.array([1.0, 3.0])
    mask = np.resize([True, False, True], shape)
    whole = np.array(np.broadcast_to(mask[..., 0] if mask.ndim == 3 else mask, (2, 3)))
    for reduction in ("sum_over_batch_size", "sum", "none"):
        loss = losses.MeanSquaredError(dtype="float64", reduction=reduction)
        for weights in (None, w):
            found, expected = (masked(loss, y, z, keep, weights) for keep in (mask, whole))
            np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_ignored_class_does_not_count() -> None:
    labels = np.array([0, 255, 1, 255, 2, 0])
    counted = labels != 255
    expected = crossentropy(T, P) * counted
    expected[0], expected[2] = crossentropy(one_hot(np.array([0, 1])), P[[0, 2]])
    for dtype in ("uint8", "int64", "float32"):
        y = labels.astype(dtype)
        assert_close(losses.sparse_categorical_crossentropy(y, P, ignore_class=255), expected, "float64")
        loss = losses.SparseCategoricalCrossentropy(ignore_class=255, dtype="float64")
        assert float(loss(y, P)) == pytest.approx(expected.sum() / counted.sum())
    assert float(loss(np.full(N, 255), P)) == 0.0


@pytest.mark.parametrize(
    ("dtype", "ignored"), [("uint8", -1), ("uint64", -1), ("int8", 255), ("bool", -1), ("int32", 1 << 40)]
)
def test_ignored_class_need_not_fit_the_dtype_of_the_labels(dtype: str, ignored: int) -> None:
    labels = np.array([0, 1, 1, 0, 1, 0])
    expected = losses.sparse_categorical_crossentropy(labels, P)
    y = labels.astype(dtype)
    got = losses.sparse_categorical_crossentropy(y, P, ignore_class=ignored)
    np.testing.assert_array_equal(got, expected)
    loss = losses.SparseCategoricalCrossentropy(ignore_class=ignored, dtype="float64")
    assert float(loss(y, P)) == pytest.approx(expected.mean())


# ------------------------------------------------------------------------------------------------ odd values


def test_all_zero_row_costs_minus_log_epsilon() -> None:
    p = np.array([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]], "float32")
    t = one_hot(np.array([2, 1]), 3)
    found = losses.categorical_crossentropy(t, p)
    np.testing.assert_allclose(found, [-np.log(1e-7), 1e-7], rtol=1e-5, atol=1e-7)


def test_relu_outputs_are_normalised_by_their_sum() -> None:
    p = np.array([[2.0, 6.0]], "float32")
    assert float(losses.categorical_crossentropy([[1.0, 0.0]], p)[0]) == pytest.approx(-np.log(0.25))


def test_float16_outputs_are_computed_in_float32() -> None:
    loss = losses.CategoricalCrossentropy(from_logits=True)
    value = loss(T, (Z * 10).astype("float16"))
    assert value.dtype == "float32"


@pytest.mark.parametrize("name", ["binary_crossentropy", "binary_focal_crossentropy"])
def test_float16_probabilities_of_0_and_1_cost_a_finite_number(name: str) -> None:
    y, p = np.array([[0, 1], [1, 0]], "float16"), np.array([[0, 1], [0, 1]], "float16")
    found = losses.get(name)(y, p)
    assert found.dtype == "float16"
    np.testing.assert_allclose(found, [0, -np.log(1e-7)], rtol=1e-2, atol=1e-6)


def test_large_labels_stay_exact() -> None:
    classes = 70000
    p = np.full((1, classes), 1e-3, "float32")
    p[0, 69999] = 1.0
    assert float(losses.SparseCategoricalCrossentropy()(np.array([69999]), p)) < 5


@pytest.mark.parametrize("size", [1e-4, 1e-2, 1.0, 50.0, 1e6])
def test_log_cosh_near_and_far(size: float) -> None:
    expected = size**2 / 2 if size < 0.1 else size + math.log1p(math.exp(-2 * size)) - math.log(2)
    for sign in (1, -1):
        assert float(losses.log_cosh([[0.0]], [[sign * size]])[0]) == pytest.approx(expected, rel=2e-3)


def test_zero_vectors_have_no_direction() -> None:
    zero, some = np.zeros((1, 3)), np.ones((1, 3))
    for pair in ((zero, some), (some, zero), (zero, zero)):
        assert losses.cosine_similarity(*pair).tolist() == [0.0]


EXTREMES: list[tuple[losses.Loss, list[float], list[float]]] = [
    (losses.MeanAbsolutePercentageError(), [0.0, 1.0], [1.0, 1.0]),
    (losses.MeanSquaredLogarithmicError(), [0.0, 1e30], [-5.0, 1e30]),
    (losses.Huber(), [0.0, 0.0], [1e30, 0.0]),
    (losses.LogCosh(), [0.0, 0.0], [-1e30, 0.0]),
    (losses.Poisson(), [0.0, 3.0], [0.0, 0.0]),
    (losses.KLDivergence(), [0.0, 1.0], [1.0, 0.0]),
    (losses.CosineSimilarity(), [0.0, 1.0], [0.0, 0.0]),
    (losses.BinaryFocalCrossentropy(gamma=0.5), [0.0, 1.0], [0.0, 0.0]),
    (losses.BinaryFocalCrossentropy(gamma=0.5), [1.0, 1.0], [1.0, 0.0]),
    (losses.BinaryFocalCrossentropy(from_logits=True), [1.0, 1.0], [1e4, -1e4]),
    (losses.CategoricalFocalCrossentropy(gamma=0.5), [1.0, 0.0], [1.0, 0.0]),
    (losses.CategoricalFocalCrossentropy(), [1.0, 0.0], [0.0, 0.0]),
    (losses.CategoricalFocalCrossentropy(from_logits=True), [1.0, 0.0], [-1e4, 1e4]),
    (losses.CategoricalHinge(), [1.0, 0.0], [1e30, -1e30]),
]


@pytest.mark.parametrize("loss, target, output", EXTREMES, ids=lambda v: getattr(v, "name", str(v)))
def test_losses_and_gradients_stay_finite(loss: Any, target: list[float], output: list[float]) -> None:
    value = Value(Spec((1, 2)))
    result = loss(np.array([target], "float32"), value)
    graph = Graph([value], [result, *gradients(result, [value])])
    for found in interpret(graph, [np.array([output], "float32")]):
        assert np.isfinite(found).all()


# ---------------------------------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    "name, function",
    [
        ("mse", losses.mean_squared_error),
        ("MSE", losses.mean_squared_error),
        ("mae", losses.mean_absolute_error),
        ("bce", losses.binary_crossentropy),
        ("mape", losses.mean_absolute_percentage_error),
        ("MSLE", losses.mean_squared_logarithmic_error),
        ("kld", losses.kl_divergence),
        ("log_cosh", losses.log_cosh),
        ("hinge", losses.hinge),
        ("categorical_focal_crossentropy", losses.categorical_focal_crossentropy),
        ("mean_squared_error", losses.mean_squared_error),
        ("categorical_crossentropy", losses.categorical_crossentropy),
        ("sparse_categorical_crossentropy", losses.sparse_categorical_crossentropy),
    ],
)
def test_names(name: str, function: Callable[..., Any]) -> None:
    assert losses.get(name) is function
    assert losses.deserialize(losses.serialize(function)) is function
    made = losses.as_loss(name)
    assert isinstance(made, losses.Loss)
    assert made.name == function.__name__
    assert type(losses.as_loss(function)) is type(made)


def test_huber_is_named_as_in_keras() -> None:
    assert losses.get("huber") is losses.huber
    assert losses.as_loss("huber").name == "huber_loss"


def test_get() -> None:
    loss = losses.MeanSquaredError()
    assert losses.get(None) is None
    assert losses.as_loss(None) is None
    assert losses.get(loss) is loss
    assert losses.as_loss(loss) is loss
    assert type(losses.get("MeanSquaredError")) is losses.MeanSquaredError
    saved = losses.serialize(losses.LossFunctionWrapper(losses.mean_absolute_error, name="own"))
    again = losses.deserialize(json.loads(json.dumps(saved)))
    assert (again.name, again.fn) == ("own", losses.mean_absolute_error)


def test_default_names_and_dtype() -> None:
    class OwnLoss(losses.Loss):
        """Nothing but a name."""

    assert OwnLoss().name == "own_loss"
    assert OwnLoss().dtype == config.floatx()
    assert losses.CategoricalCrossentropy().name == "categorical_crossentropy"
