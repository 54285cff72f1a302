"""Metrics against formulas and scikit-learn: values, weights, batches, masks, traced use, saving."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gputrain import metrics, ops
from gputrain.ir import Spec, Trace, Value
from gputrain.runtime import interpret

RNG = np.random.default_rng(41)
N, C = 53, 6
LABELS = RNG.integers(0, C, N)
ROWS = np.eye(C, dtype="float32")[LABELS]
P = RNG.dirichlet(np.ones(C), N).astype("float32")
W = RNG.uniform(0, 2, N)
BITS = (RNG.random((N, 3)) < 0.5).astype("float32")
BITS_P = RNG.uniform(0.05, 0.95, (N, 3)).astype("float32")
Y, Z = RNG.normal(size=(N, 4)).astype("float32"), RNG.normal(size=(N, 4)).astype("float32")


def top(k: int) -> np.ndarray:
    """Whether each label is among the k largest outputs, by sorting."""
    return np.array([label in np.argsort(-row)[:k] for label, row in zip(LABELS, P, strict=True)], float)


def log_loss(t: np.ndarray, p: np.ndarray) -> np.ndarray:
    q = np.clip(p.astype("float64"), 1e-7, 1 - 1e-7)
    return -(t * np.log(q) + (1 - t) * np.log(1 - q)).mean(-1)


HITS = (P.argmax(-1) == LABELS).astype(float)
NEGATIVE_LOG = -np.log(P[np.arange(N), LABELS].astype("float64"))
COUNTS = RNG.poisson(3.0, (N, 4)).astype("float32")
RATES = RNG.uniform(0.5, 5, (N, 4)).astype("float32")
DIFFERENCE = Y.astype("float64") - Z
SHARES = RNG.dirichlet(np.ones(C), N).astype("float32")
MARGIN = np.maximum(1 - (BITS * 2 - 1) * (BITS_P.astype("float64") * 3), 0)
COSINE = (Y.astype("float64") * Z).sum(-1) / np.linalg.norm(Y, axis=-1) / np.linalg.norm(Z, axis=-1)
SQUARES = ((Y.astype("float64") - Z) ** 2).mean(-1)
# name, a new metric, targets, outputs, the value of each sample, what becomes of their mean
CASES: list[tuple[str, Callable[[], Any], Any, Any, np.ndarray, Callable[[float], float]]] = [
    ("accuracy", metrics.Accuracy, LABELS, P.argmax(-1), HITS, float),
    ("accuracy column", metrics.Accuracy, LABELS, P.argmax(-1)[:, None], HITS, float),
    ("binary", metrics.BinaryAccuracy, BITS, BITS_P, ((BITS_P > 0.5) == BITS).mean(-1), float),
    (
        "binary 0.3",
        lambda: metrics.BinaryAccuracy(threshold=0.3),
        BITS[:, 0],
        BITS_P[:, :1],
        ((BITS_P > 0.3) == BITS)[:, 0].astype(float),
        float,
    ),
    ("categorical", metrics.CategoricalAccuracy, ROWS, P, HITS, float),
    ("sparse", metrics.SparseCategoricalAccuracy, LABELS, P, HITS, float),
    ("sparse column", metrics.SparseCategoricalAccuracy, LABELS[:, None].astype("f"), P, HITS, float),
    ("top 5", metrics.TopKCategoricalAccuracy, ROWS, P, top(5), float),
    ("top 2", lambda: metrics.TopKCategoricalAccuracy(2), ROWS, P, top(2), float),
    ("sparse top 3", lambda: metrics.SparseTopKCategoricalAccuracy(k=3), LABELS, P, top(3), float),
    ("mse", metrics.MeanSquaredError, Y, Z, SQUARES, float),
    ("mse 1d", metrics.MeanSquaredError, Y[:, 0], Z[:, 0], (Y[:, 0].astype("float64") - Z[:, 0]) ** 2, float),
    ("rmse", metrics.RootMeanSquaredError, Y, Z, SQUARES, lambda m: float(np.sqrt(m))),
    ("mae", metrics.MeanAbsoluteError, Y, Z, np.abs(Y.astype("float64") - Z).mean(-1), float),
    (
        "mape",
        metrics.MeanAbsolutePercentageError,
        RATES,
        COUNTS,
        100 * np.abs((RATES.astype("float64") - COUNTS) / RATES).mean(-1),
        float,
    ),
    (
        "msle",
        metrics.MeanSquaredLogarithmicError,
        COUNTS,
        RATES,
        (np.log((1.0 + COUNTS) / (1.0 + RATES)) ** 2).mean(-1),
        float,
    ),
    ("logcosh", metrics.LogCoshError, Y, Z, np.log(np.cosh(DIFFERENCE)).mean(-1), float),
    ("poisson", metrics.Poisson, COUNTS, RATES, (RATES - COUNTS * np.log(RATES)).mean(-1), float),
    ("kl", metrics.KLDivergence, SHARES, P, (SHARES * np.log(SHARES.astype("float64") / P)).sum(-1), float),
    ("cosine", metrics.CosineSimilarity, Y, Z, COSINE, float),
    ("cosine axis 1", lambda: metrics.CosineSimilarity(axis=1), Y, Z, COSINE, float),
    ("hinge", metrics.Hinge, BITS * 2 - 1, BITS_P * 3, MARGIN.mean(-1), float),
    ("squared hinge", metrics.SquaredHinge, BITS * 2 - 1, BITS_P * 3, (MARGIN**2).mean(-1), float),
    (
        "categorical hinge",
        metrics.CategoricalHinge,
        ROWS,
        P,
        np.maximum(1 + np.where(ROWS == 1, 0, P).max(-1) - P[np.arange(N), LABELS], 0),
        float,
    ),
    ("bce", metrics.BinaryCrossentropy, BITS, BITS_P, log_loss(BITS, BITS_P), float),
    ("cce", metrics.CategoricalCrossentropy, ROWS, P, NEGATIVE_LOG, float),
    ("scce", metrics.SparseCategoricalCrossentropy, LABELS, P, NEGATIVE_LOG, float),
    (
        "function",
        lambda: metrics.MeanMetricWrapper(metrics.mean_absolute_error, name="own"),
        Y,
        Z,
        np.abs(Y.astype("float64") - Z).mean(-1),
        float,
    ),
]
each = pytest.mark.parametrize("name, make, y_true, y_pred, values, last", CASES, ids=[c[0] for c in CASES])


@each
def test_value(name: str, make: Any, y_true: Any, y_pred: Any, values: Any, last: Any) -> None:
    metric = make()
    assert float(metric(y_true, y_pred)) == pytest.approx(last(values.mean()), rel=1e-5)
    assert metric.result().dtype == "float32"
    metric.reset_state()
    weighted = last((values * W).sum() / W.sum())
    assert float(metric(y_true, y_pred, sample_weight=W)) == pytest.approx(weighted, rel=1e-5)
    metric.reset_state()
    assert float(metric(y_true, y_pred, W[:, None])) == pytest.approx(weighted, rel=1e-5)


@each
def test_epoch_does_not_depend_on_the_batch_size(
    name: str, make: Any, y_true: Any, y_pred: Any, values: Any, last: Any
) -> None:
    results = []
    for size in (13, 20, N):  # 53 = 4 * 13 + 1, so that the last batch is a single sample
        metric = make()
        for i in range(0, N, size):
            metric.update_state(y_true[i : i + size], y_pred[i : i + size], W[i : i + size])
        results.append(float(metric.result()))
    assert results == pytest.approx([results[0]] * 3, rel=1e-6)


@each
def test_traced(name: str, make: Any, y_true: Any, y_pred: Any, values: Any, last: Any) -> None:
    """The same code as states of a graph: nothing changes until the graph runs."""
    metric, trace = make(), Trace()
    target, output = (Value(Spec(a.shape, a.dtype.name)) for a in (y_true, y_pred))
    with trace.active():
        metric.update_state(target, output)
        result = metric.result()
    graph = trace.graph([target, output], [result])
    graph.verify()
    assert float(metric.result()) == 0.0
    (first,) = interpret(graph, [y_true, y_pred])
    (second,) = interpret(graph, [y_true, y_pred])
    assert float(first) == pytest.approx(last(values.mean()), rel=1e-5)
    assert float(second) == pytest.approx(float(first), rel=1e-6)
    assert float(metric.result()) == float(second)
    assert float(metric.count.numpy()) == 2 * N
    assert {v.dtype for v in metric.variables} == {"float64"}


@each
def test_saved_and_loaded(name: str, make: Any, y_true: Any, y_pred: Any, values: Any, last: Any) -> None:
    metric = make()
    saved = json.loads(json.dumps(metrics.serialize(metric)))
    other = metrics.deserialize(saved)
    assert type(other) is type(metric)
    assert other.get_config() == metric.get_config()
    assert float(other(y_true, y_pred)) == float(metric(y_true, y_pred))


@each
def test_reset(name: str, make: Any, y_true: Any, y_pred: Any, values: Any, last: Any) -> None:
    metric = make()
    first = float(metric(y_true, y_pred))
    metric.reset_state()
    assert float(metric.result()) == 0.0
    assert float(metric(y_true, y_pred)) == first


# -------------------------------------------------------------------------------------------- sums and means


def test_mean_and_sum_by_hand() -> None:
    assert float(metrics.Mean()([1, 3, 5, 7])) == 4.0
    assert float(metrics.Mean()([1, 3, 5, 7], sample_weight=[1, 1, 0, 0])) == 2.0
    assert float(metrics.Sum()([1, 3, 5, 7])) == 16.0
    assert float(metrics.Sum()([[1, 3], [5, 7]], sample_weight=[1, 0])) == 4.0
    assert float(metrics.Mean()(3.0)) == 3.0
    assert float(metrics.Mean().result()) == 0.0


def test_scalars_weigh_by_their_weight() -> None:
    metric = metrics.Mean()
    metric.update_state(1.0, sample_weight=128.0)
    metric.update_state(4.0, sample_weight=64.0)
    assert float(metric.result()) == 2.0


def test_large_counts_stay_exact() -> None:
    metric = metrics.Sum(dtype="float64")
    metric.update_state([2.0**25])
    for _ in range(3):
        metric.update_state([1.0])
    assert float(metric.result()) == 2.0**25 + 3


def test_results_are_not_views_of_the_state() -> None:
    metric = metrics.Sum(dtype="float64")
    metric.update_state([1.0])
    first = metric.result()
    metric.update_state([1.0])
    assert float(first) == 1.0


# ---------------------------------------------------------------------------------------------------- masks


@pytest.mark.parametrize("weights", [None, np.array([1.0, 3.0])])
def test_masked_positions_do_not_count(weights: Any) -> None:
    keep = np.array([[True, True, False], [True, False, False]])
    labels, outputs = RNG.integers(0, 4, (2, 3)), RNG.random((2, 3, 4))
    value, mask = Value(Spec(outputs.shape, "float64")), Value(Spec(keep.shape, "bool"))
    value.mask = mask
    metric, trace = metrics.SparseCategoricalAccuracy(), Trace()
    with trace.active():
        metric.update_state(labels, value, weights)
        result = metric.result()
    (found,) = interpret(trace.graph([value, mask], [result]), [outputs, keep])
    w = keep * (1.0 if weights is None else weights[:, None])
    hits = outputs.argmax(-1) == labels
    assert float(found) == pytest.approx((hits * w).sum() / w.sum())


def test_ignored_class_does_not_count() -> None:
    metric = metrics.SparseCategoricalCrossentropy(ignore_class=2)
    counted = LABELS != 2
    assert float(metric(LABELS, P)) == pytest.approx(NEGATIVE_LOG[counted].mean(), rel=1e-5)
    assert float(metric.count.numpy()) == counted.sum()


# ------------------------------------------------------------------------------------------------ own metrics


class TruePositives(metrics.Metric):
    """Predictions of class 1 that are right, and a metric within."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hits = self.add_weight(name="hits", initializer="zeros")
        self.inner = metrics.Mean(name="share")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        found = ops.cast(ops.logical_and(ops.equal(y_true, 1), ops.greater(y_pred, 0.5)), self.dtype)
        self.hits.assign_add(ops.sum(found))
        self.inner.update_state(found)

    def result(self) -> Any:
        return self.hits.value


def test_own_metric() -> None:
    metric = TruePositives()
    assert metric.name == "true_positives"
    assert [v.path for v in metric.variables] == ["true_positives/hits", "share/total", "share/count"]
    metric.update_state(np.array([1, 1, 0]), np.array([0.9, 0.1, 0.8]))
    metric.update_state(np.array([1]), np.array([0.7]))
    assert float(metric.result()) == 2.0
    assert float(metric.inner.result()) == 0.5
    metric.reset_state()
    assert float(metric.result()) == float(metric.inner.result()) == 0.0


def test_a_reset_sets_zeros() -> None:
    metric = metrics.Metric(name="m")
    best = metric.add_variable((2,), "ones", name="best")
    assert best.numpy().tolist() == [1.0, 1.0]
    metric.reset_state()
    assert best.numpy().tolist() == [0.0, 0.0]
    assert (best.dtype, best.trainable, best.path) == ("float32", False, "m/best")


# ------------------------------------------------------------------------------------------------------ names


def test_names() -> None:
    assert type(metrics.get("mse")) is metrics.MeanSquaredError
    assert type(metrics.get("MAPE")) is metrics.MeanAbsolutePercentageError
    assert type(metrics.get("msle")) is metrics.MeanSquaredLogarithmicError
    assert type(metrics.get("r2_score")) is metrics.R2Score
    assert type(metrics.get("auc")) is metrics.AUC
    assert metrics.LogCoshError().name == "logcosh"
    assert type(metrics.get("RootMeanSquaredError")) is metrics.RootMeanSquaredError
    assert type(metrics.get("top_k_categorical_accuracy")) is metrics.TopKCategoricalAccuracy
    assert metrics.get(None) is None
    assert metrics.as_metric(None) is None
    metric = metrics.Mean()
    assert metrics.get(metric) is metric
    assert metrics.as_metric(metric) is metric

    def own(y_true: Any, y_pred: Any) -> Any:
        return ops.mean(ops.absolute(y_true - y_pred), axis=-1)

    assert metrics.get(own) is own
    made = metrics.as_metric(own)
    assert made.name == "own"
    assert float(made([[0.0]], [[2.0]])) == 2.0


# -------------------------------------------------------------------------------------------- scikit-learn


@pytest.mark.peer
@pytest.mark.skipif(importlib.util.find_spec("sklearn") is None, reason="scikit-learn is not installed")
def test_against_scikit_learn() -> None:
    theirs = pytest.importorskip("sklearn.metrics")
    expected = {
        metrics.SparseCategoricalAccuracy(): theirs.accuracy_score(LABELS, P.argmax(-1), sample_weight=W),
        metrics.SparseTopKCategoricalAccuracy(k=2): theirs.top_k_accuracy_score(
            LABELS, P, k=2, sample_weight=W
        ),
        metrics.SparseCategoricalCrossentropy(): theirs.log_loss(LABELS, P, sample_weight=W),
    }
    for metric, value in expected.items():
        assert float(metric(LABELS, P, W)) == pytest.approx(value, rel=1e-5), metric.name
    for metric, name in (
        (metrics.MeanSquaredError(), "mean_squared_error"),
        (metrics.RootMeanSquaredError(), "root_mean_squared_error"),
        (metrics.MeanAbsoluteError(), "mean_absolute_error"),
    ):
        value = getattr(theirs, name)(Y[:, 0], Z[:, 0], sample_weight=W)
        assert float(metric(Y[:, 0], Z[:, 0], W)) == pytest.approx(value, rel=1e-5), name
