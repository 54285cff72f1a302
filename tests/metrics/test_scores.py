"""Metrics that are no means of samples, against scikit-learn and loops: counts, AUC, R2, F1."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from gputrain import metrics
from gputrain.errors import ShapeError
from gputrain.ir import Spec, Trace, Value
from gputrain.runtime import interpret

RNG = np.random.default_rng(43)
N = 61
LABELS = RNG.integers(0, 4, N)
ROWS = np.eye(4, dtype="float32")[LABELS]
SHARES = (0.5 * RNG.dirichlet(np.ones(4), N) + 0.5 * np.roll(ROWS, 5, 0)).astype("float32")
SHARES[::2] = (0.5 * RNG.dirichlet(np.ones(4), N) + 0.5 * ROWS).astype("float32")[::2]
BITS = (RNG.random((N, 1)) < 0.3).astype("float32")
# Multiples of 1/256, so that 257 thresholds tell all of them apart.
SCORES = (np.round(np.clip(0.3 * BITS + 0.7 * RNG.random((N, 1)), 0, 1) * 256) / 256).astype("float32")
W = RNG.uniform(0.1, 2, N)
Y = RNG.normal(size=(N, 3))
Z = Y + RNG.normal(size=(N, 3)) * [0.3, 0.8, 2.0]
Case = tuple[str, Callable[[], Any], np.ndarray, np.ndarray, Callable[..., float]]


def sk() -> Any:
    return pytest.importorskip("sklearn.metrics")


def counted(yes: bool, true: bool) -> Callable[..., float]:
    def count(t: np.ndarray, p: np.ndarray, w: np.ndarray) -> float:
        rows = zip(t.ravel(), p.ravel(), w, strict=True)
        return float(sum(wi for ti, pi, wi in rows if (pi > 0.5) == yes and (ti == 1) == true))

    return count


def areas_pr(t: np.ndarray, p: np.ndarray, w: np.ndarray, thresholds: list[float]) -> tuple[float, float]:
    """Below and above the steps of precision over recall; precision is 0 where nothing is taken."""
    points = []
    for limit in thresholds:
        hits = float((w * (t == 1) * (p > limit)).sum())
        taken = float((w * (p > limit)).sum())
        points.append((hits / float((w * (t == 1)).sum()), hits / taken if taken else 0.0))
    steps = list(pairwise(points))
    low = sum((a[0] - b[0]) * min(a[1], b[1]) for a, b in steps)
    return low, sum((a[0] - b[0]) * max(a[1], b[1]) for a, b in steps)


def of_top(k: int) -> Callable[..., float]:
    """Precision among the k largest of each row, by sorting."""

    def share(t: np.ndarray, p: np.ndarray, w: np.ndarray) -> float:
        hits = [t[i, np.argsort(-p[i], kind="stable")[:k]].sum() for i in range(len(t))]
        return float((np.array(hits) * w).sum() / (k * w.sum()))

    return share


def f_scores(average: str, beta: float = 1.0) -> Callable[..., float]:
    return lambda t, p, w: float(
        sk().fbeta_score(t.argmax(-1), p.argmax(-1), beta=beta, average=average, sample_weight=w)
    )


CASES: list[Case] = [
    ("tp", metrics.TruePositives, BITS, SCORES, counted(True, True)),
    ("tn", metrics.TrueNegatives, BITS, SCORES, counted(False, False)),
    ("fp", metrics.FalsePositives, BITS, SCORES, counted(True, False)),
    ("fn", metrics.FalseNegatives, BITS, SCORES, counted(False, True)),
    (
        "precision",
        metrics.Precision,
        BITS,
        SCORES,
        lambda t, p, w: sk().precision_score(t, p > 0.5, sample_weight=w),
    ),
    (
        "recall 0.25",
        lambda: metrics.Recall(thresholds=0.25),
        BITS[:, 0],
        SCORES,
        lambda t, p, w: sk().recall_score(t, p > 0.25, sample_weight=w),
    ),
    (
        "precision of a class",
        lambda: metrics.Precision(class_id=2),
        ROWS,
        SHARES,
        lambda t, p, w: sk().precision_score(t[:, 2], p[:, 2] > 0.5, sample_weight=w),
    ),
    ("precision of the top 2", lambda: metrics.Precision(top_k=2), ROWS, SHARES, of_top(2)),
    (
        "recall of the top 1",
        lambda: metrics.Recall(top_k=1),
        ROWS,
        SHARES,
        lambda t, p, w: sk().accuracy_score(t.argmax(-1), p.argmax(-1), sample_weight=w),
    ),
    (
        "roc",
        lambda: metrics.AUC(num_thresholds=257),
        BITS,
        SCORES,
        lambda t, p, w: sk().roc_auc_score(t.ravel(), p.ravel(), sample_weight=w),
    ),
    (
        "roc thresholds",
        lambda: metrics.AUC(thresholds=np.arange(1, 256) / 256),
        BITS,
        SCORES,
        lambda t, p, w: sk().roc_auc_score(t.ravel(), p.ravel(), sample_weight=w),
    ),
    ("f1 macro", lambda: metrics.F1Score("macro"), ROWS, SHARES, f_scores("macro")),
    ("f1 micro", lambda: metrics.F1Score("micro"), ROWS, SHARES, f_scores("micro")),
    ("f1 weighted", lambda: metrics.F1Score("weighted"), ROWS, SHARES, f_scores("weighted")),
    (
        "f1 of bits",
        lambda: metrics.F1Score("micro", threshold=0.4),
        BITS,
        SCORES,
        lambda t, p, w: sk().f1_score(t, p > 0.4, sample_weight=w),
    ),
    ("f2", lambda: metrics.FBetaScore("macro", beta=2.0), ROWS, SHARES, f_scores("macro", 2.0)),
    ("r2", metrics.R2Score, Y, Z, lambda t, p, w: sk().r2_score(t, p, sample_weight=w)),
    ("r2 1d", metrics.R2Score, Y[:, 0], Z[:, :1], lambda t, p, w: sk().r2_score(t, p, sample_weight=w)),
    (
        "r2 by variance",
        lambda: metrics.R2Score("variance_weighted_average"),
        Y * [1, 2, 3],
        Z * [1, 2, 3],
        lambda t, p, w: sk().r2_score(t, p, sample_weight=w, multioutput="variance_weighted"),
    ),
    (
        "r2 sum",
        lambda: metrics.R2Score("sum"),
        Y,
        Z,
        lambda t, p, w: 3 * sk().r2_score(t, p, sample_weight=w),
    ),
    (
        "r2 adjusted",
        lambda: metrics.R2Score(num_regressors=5),
        Y[:, :1],
        Z[:, :1],
        lambda t, p, w: 1 - (1 - sk().r2_score(t, p, sample_weight=w)) * (N - 1) / (N - 6),
    ),
    (
        "r2 far from 0",
        metrics.R2Score,
        Y * 1e-3 + 1e6,
        Z * 1e-3 + 1e6,
        lambda t, p, w: sk().r2_score(t - 1e6, p - 1e6, sample_weight=w),
    ),
]
each = pytest.mark.parametrize("name, make, y_true, y_pred, expected", CASES, ids=[c[0] for c in CASES])


@each
def test_value(name: str, make: Any, y_true: Any, y_pred: Any, expected: Any) -> None:
    for weights in (None, W):
        metric = make()
        value = metric(y_true, y_pred, sample_weight=weights)
        assert value.shape == ()
        assert value.dtype == "float32"
        wanted = expected(y_true, y_pred, np.ones(N) if weights is None else weights)
        assert float(value) == pytest.approx(wanted, rel=2e-6, abs=1e-7)


@each
def test_epoch_does_not_depend_on_the_batch_size(
    name: str, make: Any, y_true: Any, y_pred: Any, expected: Any
) -> None:
    results = []
    for size in (15, 20, N):  # 61 = 4 * 15 + 1, so that the last batch is a single sample
        metric = make()
        for i in range(0, N, size):
            metric.update_state(y_true[i : i + size], y_pred[i : i + size], W[i : i + size])
        results.append(float(metric.result()))
    assert results == pytest.approx([results[0]] * 3, rel=1e-6)


@each
def test_traced(name: str, make: Any, y_true: Any, y_pred: Any, expected: Any) -> None:
    metric, trace = make(), Trace()
    target, output = (Value(Spec(a.shape, a.dtype.name)) for a in (y_true, y_pred))
    with trace.active():
        metric.update_state(target, output)
        result = metric.result()
    graph = trace.graph([target, output], [result])
    graph.verify()
    before = float(metric.result())
    (first,) = interpret(graph, [y_true, y_pred])
    assert float(first) == pytest.approx(expected(y_true, y_pred, np.ones(N)), rel=2e-6, abs=1e-7)
    assert float(metric.result()) == float(first)
    metric.reset_state()
    assert float(metric.result()) == before == 0.0
    assert {v.dtype for v in metric.variables} == {"float64"}


@each
def test_saved_and_loaded(name: str, make: Any, y_true: Any, y_pred: Any, expected: Any) -> None:
    metric = make()
    other = metrics.deserialize(json.loads(json.dumps(metrics.serialize(metric))))
    assert type(other) is type(metric)
    assert other.get_config() == metric.get_config()
    assert float(other(y_true, y_pred)) == float(metric(y_true, y_pred))


def test_several_thresholds_give_several_results() -> None:
    found = metrics.Precision(thresholds=[0.2, 0.5, 0.9])(BITS, SCORES)
    expected = [sk().precision_score(BITS, t < SCORES, zero_division=0) for t in (0.2, 0.5, 0.9)]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    scores = metrics.F1Score()(ROWS, SHARES)
    np.testing.assert_allclose(scores, sk().f1_score(LABELS, SHARES.argmax(-1), average=None), rtol=1e-6)
    found = metrics.R2Score(class_aggregation=None)(Y, Z)
    np.testing.assert_allclose(found, sk().r2_score(Y, Z, multioutput="raw_values"), rtol=1e-6)


def test_areas_under_precision_over_recall() -> None:
    limits = [-1e-7, *(i / 256 for i in range(1, 256)), 1 + 1e-7]
    low, high = areas_pr(BITS[:, 0], SCORES[:, 0], W, limits)
    for way, expected in (("minoring", low), ("majoring", high)):
        found = metrics.AUC(257, curve="PR", summation_method=way)(BITS, SCORES, W)
        assert float(found) == pytest.approx(expected, rel=1e-6)
    assert low < float(metrics.AUC(257, curve="PR")(BITS, SCORES, W)) < high


def test_interpolated_area_by_hand() -> None:
    """Positives 0.9 and 0.3, a negative 0.6; between recall 1/2 and 1 precision is (1/2 + t) / (1 + 2 t)."""
    metric = metrics.AUC(curve="PR", thresholds=[0.2, 0.45, 0.75, 0.95])
    t = (np.arange(100_000) + 0.5) / 100_000
    # From (hits, taken) = (1, 2) to (2, 3): precision (1 + t) / (2 + t), recall (1 + t) / 2.
    expected = 0.5 * 1.0 + ((1 + t) / (2 + t) * 0.5).mean()
    assert float(metric([1, 0, 1], [0.9, 0.6, 0.3])) == pytest.approx(expected, rel=1e-6)


def test_area_of_logits() -> None:
    logits = np.log(np.clip(SCORES, 1e-3, 1 - 1e-3) / (1 - np.clip(SCORES, 1e-3, 1 - 1e-3)))
    expected = float(metrics.AUC()(BITS, np.clip(SCORES, 1e-3, 1 - 1e-3)))
    assert float(metrics.AUC(from_logits=True)(BITS, logits)) == pytest.approx(expected, abs=0.02)


def test_keras_formula_of_r2_agrees() -> None:
    """The plain sums, which are exact enough near 0."""
    total = (Y**2).sum(0) - Y.sum(0) ** 2 / N
    scores = 1 - ((Y - Z) ** 2).sum(0) / total
    assert float(metrics.R2Score()(Y, Z)) == pytest.approx(scores.mean(), rel=1e-6)


@pytest.mark.parametrize(("outputs", "score"), [([5.0, 5.0, 5.0], 1.0), ([5.0, 5.0, 6.0], 0.0)])
def test_r2_of_constant_targets(outputs: list[float], score: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's own
        assert sk().r2_score([5.0] * 3, outputs) == score
    assert float(metrics.R2Score()([5.0] * 3, outputs)) == score


def test_adjusted_r2_needs_samples() -> None:
    plain = float(metrics.R2Score()(Y[:4], Z[:4]))
    assert float(metrics.R2Score(num_regressors=3)(Y[:4], Z[:4])) == plain
    assert float(metrics.R2Score(num_regressors=2)(Y[:4], Z[:4])) < plain


@pytest.mark.parametrize("make", [metrics.Precision, lambda: metrics.F1Score("micro", 0.5), metrics.R2Score])
def test_masked_positions_do_not_count(make: Any) -> None:
    keep = RNG.random(N) < 0.5
    value, mask = Value(Spec(SCORES.shape)), Value(Spec(keep.shape, "bool"))
    value.mask = mask
    metric, trace = make(), Trace()
    with trace.active():
        metric.update_state(BITS, value)
        result = metric.result()
    (found,) = interpret(trace.graph([value, mask], [result]), [SCORES, keep])
    assert float(found) == pytest.approx(float(make()(BITS[keep], SCORES[keep])), rel=1e-6)


@pytest.mark.parametrize("make", [metrics.Precision, lambda: metrics.F1Score("micro", 0.5), metrics.R2Score])
@pytest.mark.parametrize("shape", [(1, 4), (5, 1), (1, 1)])
def test_masks_of_size_one_count_for_all(make: Any, shape: tuple[int, int]) -> None:
    bits, scores = RNG.integers(0, 2, (5, 4)).astype("float32"), RNG.random((5, 4)).astype("float32")
    keep = RNG.random(shape) < 0.7
    keep.flat[0] = True
    found = []
    for given in (keep, np.array(np.broadcast_to(keep, (5, 4)))):
        value, mask = Value(Spec(scores.shape)), Value(Spec(given.shape, "bool"))
        value.mask = mask
        metric, trace = make(), Trace()
        with trace.active():
            metric.update_state(bits, value)
            result = metric.result()
        found.append(interpret(trace.graph([value, mask], [result]), [scores, given])[0])
    assert float(found[0]) == pytest.approx(float(found[1]), rel=1e-6)


def test_equal_scores_count_once_among_the_largest() -> None:
    equal = np.full((1, 4), 0.25, "float32")
    assert float(metrics.Recall(top_k=2)([[0, 1, 0, 0]], equal)) == 1.0
    assert float(metrics.Recall(top_k=2)([[0, 0, 1, 0]], equal)) == 0.0


def test_a_row_of_zeros_is_taken_for_no_class() -> None:
    y_true, y_pred = [[1, 0], [0, 1]], [[0.0, 0.0], [0.2, 0.8]]
    assert np.asarray(metrics.F1Score()(y_true, y_pred)).tolist() == [0.0, 1.0]


ERRORS: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: metrics.Precision(1.5), ValueError, r"Precision: a threshold of probabilities lies in 0\.\.1"),
    (lambda: metrics.TruePositives([]), ValueError, r"TruePositives: a threshold.*Received: \[\]"),
    (lambda: metrics.Recall(top_k=0), ValueError, r"k must be a positive int"),
    (lambda: metrics.AUC(num_thresholds=1), ValueError, r"AUC: num_thresholds must be an int of at least 2"),
    (lambda: metrics.AUC(curve="ROK"), ValueError, r"AUC: unknown curve\. .*Did you mean 'ROC'"),
    (lambda: metrics.AUC(summation_method="mid"), ValueError, r"AUC: unknown summation_method"),
    (lambda: metrics.AUC(num_labels=3), ValueError, r"AUC: num_labels goes with multi_label=True"),
    (lambda: metrics.AUC(multi_label=True, num_labels=0), ValueError, r"num_labels must be a positive int"),
    (
        lambda: metrics.AUC(multi_label=True, num_labels=3, label_weights=[1.0, 2.0]),
        ValueError,
        r"label_weights must hold a number for each label, none of them negative\. Expected: 3 numbers",
    ),
    (
        lambda: metrics.AUC(label_weights=[1.0, -2.0]),
        ValueError,
        r"label_weights must .*none of them negative",
    ),
    (
        lambda: metrics.AUC(multi_label=True, num_labels=2)(np.ones((4, 3)), np.ones((4, 3))),
        ShapeError,
        r"AUC: outputs must have a column for each label\. Expected: \(N, 2\)\. Received: \(4, 3\)",
    ),
    (
        lambda: metrics.AUC(multi_label=True)(np.ones(4), np.ones(4)),
        ShapeError,
        r"a column for each label\. Expected: \(N, L\)\. Received: \(4,\)",
    ),
    (lambda: metrics.R2Score("mean"), ValueError, r"R2Score: unknown class_aggregation\. Received: 'mean'"),
    (lambda: metrics.R2Score(num_regressors=-1), ValueError, r"R2Score: num_regressors is a number"),
    (lambda: metrics.F1Score("makro"), ValueError, r"F1Score: unknown average.*Did you mean 'macro'"),
    (lambda: metrics.F1Score(""), ValueError, r"F1Score: unknown average\. Received: ''"),
    (lambda: metrics.F1Score(threshold=0), ValueError, r"F1Score: threshold must be a number, 0 < "),
    (lambda: metrics.FBetaScore(beta=-1), ValueError, r"FBetaScore: beta must be a number, 0 < number"),
    (lambda: metrics.Precision()(LABELS, SHARES), ShapeError, r"Precision: y_true must have the shape"),
    (lambda: metrics.F1Score()(LABELS, SHARES), ShapeError, r"F1Score: y_true must have the shape of y_pred"),
    (lambda: metrics.R2Score()(Y[:, 0], Z), ShapeError, r"R2Score: y_true must have the shape of y_pred"),
    (
        lambda: metrics.R2Score()(Y[None], Z[None]),
        ShapeError,
        r"R2Score takes rows\. Expected: \(N, D\)\. Received: \(1, 61, 3\)",
    ),
    (lambda: metrics.R2Score()(Y, Z, W[:5]), ShapeError, r"sample_weight must have one number for each"),
    (lambda: metrics.Precision(class_id=4)(ROWS, SHARES), ShapeError, r"Precision: class_id"),
]


@pytest.mark.parametrize(("use", "error", "message"), ERRORS, ids=[m[:50] for _, _, m in ERRORS])
def test_errors(use: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        use()
