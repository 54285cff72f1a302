"""Areas under curves, and the metrics that count right and wrong yeses."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.parity.means import numbers, refusal

N, L = 23, 3
BITS = (numbers(N, L, key="bits") > 0.1).astype("float32")
SCORES = numbers(N, L, key="scores", low=0.02, high=0.98)
LOGITS = numbers(N, L, key="scores", low=-3.0, high=3.0)
WEIGHTS = numbers(N, key="weights", low=0.1, high=2.0)
ROWS = np.eye(4, dtype="float32")[np.arange(N) % 4]
SHARES = numbers(N, 4, key="shares", low=0.05, high=0.9)

LABELS: dict[str, Any] = {
    "of each label": {"multi_label": True},
    "of so many labels": {"multi_label": True, "num_labels": L},
    "weighted labels": {"multi_label": True, "num_labels": L, "label_weights": [1.0, 2.0, 0.5]},
    "weights alone": {"multi_label": True, "label_weights": [1.0, 2.0, 0.5]},
    "weighted columns": {"label_weights": [1.0, 2.0, 0.5]},
    "weights of 0": {"multi_label": True, "label_weights": [0.0, 0.0, 0.0]},
}


def _batches(metric: Any, y: Any, p: Any, weights: Any = None) -> list[Any]:
    """The result after each of two batches, as the numbers they are then."""
    found = []
    for part in (slice(0, 10), slice(10, None)):
        metric.update_state(y[part], p[part], sample_weight=None if weights is None else weights[part])
        found.append(np.array(metric.result(), copy=True))
    return found


def areas_of_several_labels(keras: Any) -> dict[str, Any]:
    return {
        f"{name}, {curve}": _batches(keras.metrics.AUC(curve=curve, **given), BITS, SCORES)
        for name, given in LABELS.items()
        for curve in ("ROC", "PR", "PRGAIN")
    }


def areas_of_several_labels_with_weights(keras: Any) -> dict[str, Any]:
    return {
        f"{name}, {curve}": _batches(keras.metrics.AUC(curve=curve, **given), BITS, SCORES, WEIGHTS)
        for name, given in LABELS.items()
        for curve in ("ROC", "PR")
    }


def areas_by_all_ways_to_sum(keras: Any) -> dict[str, Any]:
    return {
        f"{curve} {way} {count} {several}": _batches(
            keras.metrics.AUC(count, curve, way, multi_label=several), BITS, SCORES
        )
        for curve in ("ROC", "PR", "PRGAIN")
        for way in ("interpolation", "minoring", "majoring")
        for count in (3, 20)
        for several in (False, True)
    }


def areas_of_given_thresholds(keras: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "three": [0.2, 0.5, 0.8],
        "uneven": [0.1, 0.15, 0.9],
        "unsorted": [0.8, 0.2],
        "a tuple": (0.3, 0.6),
        "an array": np.array([0.3, 0.6]),
        "none": [],
    }
    return {
        f"{name} {several}": _batches(
            keras.metrics.AUC(thresholds=thresholds, multi_label=several), BITS, SCORES
        )
        for name, thresholds in given.items()
        for several in (False, True)
    }


def areas_of_logits(keras: Any) -> dict[str, Any]:
    return {
        f"{curve} {several}": _batches(
            keras.metrics.AUC(curve=curve, from_logits=True, multi_label=several), BITS, LOGITS
        )
        for curve in ("ROC", "PR")
        for several in (False, True)
    }


def names_of_curves_in_small_letters(keras: Any) -> dict[str, Any]:
    metrics = (keras.metrics.AUC(curve=c, summation_method="Minoring") for c in ("roc", "pr", "prgain"))
    return {metric.get_config()["curve"]: metric(BITS, SCORES) for metric in metrics}


def areas_where_all_targets_are_of_one_kind(keras: Any) -> dict[str, Any]:
    one, zero, p = np.ones((5, 1)), np.zeros((5, 1)), SCORES[:5, :1]
    lacking, full = BITS * [1, 0, 1], np.maximum(BITS, [0, 1, 0])
    found: dict[str, Any] = {}
    for curve in ("ROC", "PR"):
        for several in (False, True):
            pairs = {
                "ones": (one, p),
                "zeros": (zero, p),
                "no ones": (lacking, SCORES),
                "a full one": (full, SCORES),
            }
            for name, pair in pairs.items():
                found[f"{curve} {several} {name}"] = keras.metrics.AUC(curve=curve, multi_label=several)(
                    *pair
                )
    return found


def areas_of_targets_and_outputs_of_other_dtypes(keras: Any) -> dict[str, Any]:
    y, p = BITS[:, :1], SCORES[:, :1]
    pairs = {
        "booleans": (y > 0, p),
        "whole numbers": (y.astype("int64"), p),
        "decisions": (y, (p > 0.5).astype("int64")),
        "flat": (y[:, 0], p[:, 0]),
        "flat against a column": (y[:, 0], p),
        "steps": (BITS.reshape(N, 1, L), SCORES.reshape(N, 1, L)),
        "one value": (y, p * 0 + 0.5),
        "right": (y, y),
        "ties": (y, np.round(p, 1)),
        "outside of 0 and 1": (y, p * 2 - 0.5),
        "lists": (y[:, 0].tolist(), p[:, 0].tolist()),
    }
    return {
        f"{curve}, {name}": keras.metrics.AUC(curve=curve)(*pair)
        for curve in ("ROC", "PR")
        for name, pair in pairs.items()
    }


def an_area_begins_anew_after_a_reset(keras: Any) -> dict[str, Any]:
    metric = keras.metrics.AUC(multi_label=True)
    first = float(metric(BITS, SCORES))
    metric.reset_state()
    empty = float(metric.result())
    return {"first": first, "empty": empty, "second": float(metric(BITS[:9], SCORES[:9]))}


def an_area_before_the_first_batch(keras: Any) -> dict[str, Any]:
    return {
        "one": keras.metrics.AUC().result(),
        "of labels": keras.metrics.AUC(multi_label=True, num_labels=L).result(),
        "no weight": keras.metrics.AUC()(BITS, SCORES, sample_weight=np.zeros(N)),
    }


def variables_and_config_of_an_area_of_labels(keras: Any) -> dict[str, Any]:
    metric = keras.metrics.AUC(curve="PR", multi_label=True, num_labels=L, name="area")
    other = type(metric).from_config(metric.get_config())
    kept = ("name", "curve", "summation_method", "multi_label", "num_labels", "num_thresholds", "from_logits")
    return {
        "shapes": [list(variable.shape) for variable in metric.variables],
        "kept": {key: other.get_config()[key] for key in kept},
        "again": [metric(BITS, SCORES), other(BITS, SCORES)],
    }


def thresholds_as_they_are_told(keras: Any) -> dict[str, Any]:
    metrics = keras.metrics
    return {
        "of an area": np.array(metrics.AUC(num_thresholds=5).thresholds),
        "of given ones": np.array(metrics.AUC(thresholds=[0.6, 0.3]).thresholds),
        "of precision": metrics.Precision().thresholds,
        "of several": metrics.Recall(thresholds=[0.2, 0.4]).thresholds,
        "of a count": metrics.TruePositives(thresholds=0.3).thresholds,
    }


def areas_that_cannot_be(keras: Any) -> dict[str, Any]:
    auc = keras.metrics.AUC
    return {
        "labels of one area": refusal(lambda: auc(num_labels=3)) is not None,
        "another number of labels": refusal(lambda: auc(multi_label=True, num_labels=4)(BITS, SCORES))
        is not None,
        "too few weights": refusal(lambda: auc(multi_label=True, label_weights=[1.0, 2.0])(BITS, SCORES))
        is not None,
        "an unknown curve": refusal(lambda: auc(curve="DET")) is not None,
        "an unknown way": refusal(lambda: auc(summation_method="middling")) is not None,
        "one threshold": refusal(lambda: auc(num_thresholds=1)) is not None,
        "flat labels": refusal(lambda: auc(multi_label=True)(BITS[:, 0], SCORES[:, 0])) is not None,
    }


def _fitted(
    keras: Any, metrics: list[Any], activation: str | None = "sigmoid", loss: Any = "bce"
) -> dict[str, Any]:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(L, activation=activation)])
    # Columns that differ: where all labels score the same, the last bit decides which is the largest.
    model.set_weights([numbers(4, L, key="kernel"), np.zeros(L, "float32")])
    model.compile("sgd", loss, metrics=metrics)
    x = numbers(N, 4)
    history = model.fit(
        x, BITS, batch_size=8, epochs=2, shuffle=False, verbose=0, validation_split=0.3
    ).history
    return {
        "history": {key: history[key] for key in sorted(history)},
        "evaluate": model.evaluate(x, BITS, verbose=0),
    }


def areas_of_labels_in_a_model(keras: Any) -> dict[str, Any]:
    area = keras.metrics.AUC
    return {
        "probabilities": _fitted(keras, [area(multi_label=True, name="each"), area(name="all")]),
        "by precision": _fitted(
            keras,
            [area(multi_label=True, num_labels=L, curve="PR", label_weights=[1.0, 2.0, 3.0], name="pr")],
        ),
        "logits": _fitted(
            keras,
            [area(multi_label=True, from_logits=True, name="each")],
            None,
            keras.losses.BinaryCrossentropy(from_logits=True),
        ),
    }


def scores_of_each_class_in_a_model(keras: Any) -> dict[str, Any]:
    metrics = keras.metrics
    return _fitted(keras, [metrics.F1Score(name="f1"), metrics.Recall(thresholds=[0.2, 0.5], name="recalls")])


COUNTS: dict[str, Any] = {
    "plain": {},
    "a list of thresholds": {"thresholds": [0.2, 0.3, 0.5]},
    "a list of one": {"thresholds": [0.3]},
    "the ends": {"thresholds": [0.0, 1.0]},
    "a whole number": {"thresholds": 0},
    "the largest": {"top_k": 1},
    "the two largest above": {"top_k": 2, "thresholds": 0.3},
    "a NumPy number of largest": {"top_k": np.int64(2)},
    "a class": {"class_id": 2},
    "a class above several": {"class_id": 2, "thresholds": [0.2, 0.3]},
    "a class among the two largest": {"class_id": 1, "top_k": 2},
    "the last class": {"class_id": -1},
}


def precision_and_recall_with_all_arguments(keras: Any) -> dict[str, Any]:
    return {
        f"{cls} {name}{weighted}": _batches(
            getattr(keras.metrics, cls)(**given), ROWS, SHARES, WEIGHTS if weighted else None
        )
        for cls in ("Precision", "Recall")
        for name, given in COUNTS.items()
        for weighted in ("", " weighted")
    }


def counts_at_several_thresholds(keras: Any) -> dict[str, Any]:
    names = ("TruePositives", "TrueNegatives", "FalsePositives", "FalseNegatives")
    return {
        f"{name} {thresholds}": np.array(
            getattr(keras.metrics, name)(thresholds=thresholds)(ROWS, SHARES, sample_weight=WEIGHTS)
        )
        for name in names
        for thresholds in (None, 0.0, [0.2, 0.4])
    }


def numbers_that_mean_nothing(keras: Any) -> dict[str, Any]:
    metrics, none, nowhere = keras.metrics, ROWS * 0, SHARES * 0
    zero, empty = np.zeros(N), (ROWS[:0], SHARES[:0])
    return {
        "precision without a yes": metrics.Precision()(ROWS, nowhere),
        "recall without a one": metrics.Recall()(none, SHARES),
        "recall of nothing": metrics.Recall()(*empty),
        "recall before a batch": metrics.Recall().result(),
        "accuracy without weight": metrics.CategoricalAccuracy()(ROWS, SHARES, sample_weight=zero),
        "accuracy of nothing": metrics.BinaryAccuracy()(*empty),
        "error without weight": metrics.MeanSquaredError()(ROWS, SHARES, sample_weight=zero),
        "error before a batch": metrics.RootMeanSquaredError().result(),
        "score of an absent class": metrics.F1Score()(ROWS * [1, 1, 1, 0], SHARES * [1, 1, 1, 0]),
        "score without a one": metrics.F1Score(average="macro")(none, SHARES),
        "score without a yes": metrics.FBetaScore(average="weighted", threshold=0.3)(ROWS, nowhere),
        "share of a constant": metrics.R2Score()(np.full((5, 1), 2.0), numbers(5, 1)),
        "angle to zero": [
            metrics.CosineSimilarity()(none, SHARES),
            keras.losses.CosineSimilarity()(ROWS, nowhere),
        ],
        "mean before a batch": metrics.Mean().result(),
        "loss without weight": [
            keras.losses.MeanSquaredError(reduction=how)(ROWS, SHARES, sample_weight=zero)
            for how in ("sum", "mean", "mean_with_sample_weight", "sum_over_batch_size")
        ],
    }


def scores_of_classes(keras: Any) -> dict[str, Any]:
    pairs = {"rows": (ROWS, SHARES), "labels": (BITS, SCORES), "booleans": (ROWS > 0, SHARES)}
    return {
        f"{name} {average} {threshold}": keras.metrics.F1Score(average=average, threshold=threshold)(*pair)
        for name, pair in pairs.items()
        for average in (None, "micro", "macro", "weighted")
        for threshold in (None, 0.3)
    }


def accuracies_at_other_thresholds(keras: Any) -> dict[str, Any]:
    found = {t: keras.metrics.BinaryAccuracy(threshold=t)(ROWS, SHARES) for t in (0, 0.3, 1)}
    labels = np.arange(N) % 4
    tops = {k: keras.metrics.SparseTopKCategoricalAccuracy(k=k)(labels, SHARES) for k in (1, np.int64(2), 3)}
    return {"thresholds": list(found.values()), "largest": list(tops.values())}
