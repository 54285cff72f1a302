"""Figures of merit of a classifier, beside scikit-learn's."""

import json
import math

import numpy as np
import pytest

from gputrain.app import reporting
from gputrain.errors import DataError
from tests.app.reporting.reports import probabilities

CASES = [(2, 40, 0), (3, 7, 1), (10, 500, 2), (30, 60, 3)]  # classes, samples, seed: some classes stay empty


def assessed(classes, samples, seed, **more):
    p, y = probabilities(samples, classes, seed, sharpness=2.0)
    return p, y, reporting.assess_classifier(p, y, [f"c{i}" for i in range(classes)], **more)


@pytest.mark.parametrize("case", CASES)
def test_figures_are_those_of_scikit_learn(case):
    sklearn = pytest.importorskip("sklearn.metrics")
    p, y, assessment = assessed(*case)
    said, classes = p.argmax(1), list(range(case[0]))
    np.testing.assert_array_equal(
        assessment.confusion, sklearn.confusion_matrix(y, said, labels=classes), strict=True
    )
    columns = sklearn.precision_recall_fscore_support(y, said, labels=classes, zero_division=0)
    for key, column in zip(("precision", "recall", "f1", "support"), columns, strict=True):
        np.testing.assert_allclose([row[key] for row in assessment.per_class], column, rtol=1e-12)
    assert [row["name"] for row in assessment.per_class] == [f"c{i}" for i in classes]
    assert assessment.accuracy == pytest.approx(sklearn.accuracy_score(y, said))
    present = sklearn.recall_score(y, said, labels=np.unique(y), average="macro")
    assert assessment.balanced_accuracy == pytest.approx(present)
    assert assessment.macro_f1 == pytest.approx(sklearn.f1_score(y, said, average="macro", zero_division=0))


def test_balanced_accuracy_is_that_of_scikit_learn():
    sklearn = pytest.importorskip("sklearn.metrics")
    p, y, assessment = assessed(10, 500, 2)
    assert assessment.balanced_accuracy == pytest.approx(sklearn.balanced_accuracy_score(y, p.argmax(1)))


@pytest.mark.parametrize("decimals", [1, 2, 15])
def test_area_under_the_roc_curve_counts_ties_by_halves(decimals):
    sklearn = pytest.importorskip("sklearn.metrics")
    p, y = probabilities(200, 2, seed=5, sharpness=1.0)
    p = np.round(p, decimals)
    metrics = reporting.assess_classifier(p, y, ["no", "yes"]).metrics()
    assert metrics["roc_auc"] == pytest.approx(sklearn.roc_auc_score(y, p[:, 1]), abs=1e-12)


def test_absent_class_leaves_balanced_accuracy_to_the_others():
    assessment = reporting.assess_classifier(np.eye(3)[[0, 0, 1, 2]], [0, 0, 1, 1], ["a", "b", "c"])
    assert assessment.confusion.tolist() == [[2, 0, 0], [0, 1, 1], [0, 0, 0]]
    assert assessment.balanced_accuracy == 0.75
    assert assessment.per_class[2] == {"name": "c", "precision": 0, "recall": 0, "f1": 0, "support": 0}
    assert assessment.macro_f1 == pytest.approx((1 + 2 / 3 + 0) / 3)


def test_metrics_are_plain_and_name_the_second_class_of_two():
    _, _, assessment = assessed(2, 40, 0, cost_matrix=[[0, 1], [10, 0]])
    metrics = assessment.metrics()
    assert list(metrics) == [
        "accuracy",
        "balanced_accuracy",
        "macro_f1",
        "roc_auc",
        "precision",
        "recall",
        "expected_cost",
    ]
    assert all(type(value) is float for value in metrics.values())
    assert json.loads(json.dumps(metrics)) == metrics
    assert metrics["recall"] == assessment.per_class[1]["recall"]
    assert metrics["precision"] == assessment.per_class[1]["precision"]
    assert list(assessed(3, 7, 1)[2].metrics()) == ["accuracy", "balanced_accuracy", "macro_f1"]


def test_cost_is_the_mean_over_the_decisions():
    costs = np.random.default_rng(0).uniform(0, 9, (10, 10))
    p, y, assessment = assessed(10, 500, 2, cost_matrix=costs)
    said = p.argmax(1)
    assert assessment.cost == pytest.approx(sum(costs[t, s] for t, s in zip(y, said, strict=True)) / 500)
    assert assessed(10, 500, 2)[2].cost is None


def test_given_decisions_replace_the_most_probable_class():
    p = np.array([[0.7, 0.3], [0.6, 0.4], [0.9, 0.1]])
    assessment = reporting.assess_classifier(p, [0, 1, 0], ["no", "yes"], decided=[1, 1, 0])
    assert assessment.confusion.tolist() == [[1, 1], [0, 1]]
    assert assessment.mistakes == (reporting.Mistake(index=0, true=0, predicted=1, probability=0.3),)


def test_worst_are_the_most_confident_mistakes_and_ties_go_by_index():
    p = np.array([[0.2, 0.8], [0.1, 0.9], [0.8, 0.2], [0.2, 0.8], [0.45, 0.55]])
    assessment = reporting.assess_classifier(p, [0, 0, 0, 0, 0], ["a", "b"])
    assert assessment.worst.tolist() == [1, 0, 3, 4]
    first = {"sample": 1, "true": "a", "predicted": "b", "probability": 0.9}
    assert assessment.worst_rows()[0] == first


def test_worst_are_at_most_24_and_pick_samples():
    p, y, assessment = assessed(30, 60, 3)
    wrong = np.flatnonzero(p.argmax(1) != y)
    order = sorted(wrong, key=lambda i: (-p[i].max(), i))[:24]
    assert len(wrong) > 24
    assert p[assessment.worst].tolist() == p[order].tolist()
    right = reporting.assess_classifier(np.eye(2), [0, 1], ["a", "b"])
    assert np.zeros((2, 8, 8))[right.worst].shape == (0, 8, 8)


def test_nan_counts_as_less_than_anything():
    p = np.array([[math.nan, 0.1, 0.2], [math.nan] * 3, [0.0, 0.0, 1.0]], np.float32)
    assessment = reporting.assess_classifier(p, [2, 1, 0], ["a", "b", "c"])
    assert assessment.confusion.tolist() == [[0, 0, 1], [1, 0, 0], [0, 0, 1]]
    assert assessment.worst.tolist() == [2, 1]
    binary = reporting.assess_classifier([[0.5, math.nan], [0.5, 0.5]], [0, 1], ["a", "b"])
    assert math.isnan(binary.metrics()["roc_auc"])


def test_one_class_alone_has_no_roc_curve():
    metrics = reporting.assess_classifier([[0.5, 0.5], [0.1, 0.9]], [1, 1], ["a", "b"]).metrics()
    assert math.isnan(metrics["roc_auc"])
    assert metrics["balanced_accuracy"] == 0.5


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtypes_and_inputs_left_as_they_were(dtype):
    p, y = probabilities(50, 3)
    p, y = p.astype(dtype), y.astype(np.uint8)
    before = p.copy(), y.copy()
    assessment = reporting.assess_classifier(p, y, ("a", "b", "c"))
    assert assessment.confusion.sum() == 50
    np.testing.assert_array_equal(p, before[0])
    np.testing.assert_array_equal(y, before[1])


def test_boolean_labels():
    assessment = reporting.assess_classifier([[0.9, 0.1], [0.2, 0.8]], np.array([False, True]), ["a", "b"])
    assert assessment.accuracy == 1


REFUSED = [
    ({"probabilities": [0.2, 0.8]}, "Expected: numbers (n, 2) with n of at least 1. Received: float64"),
    ({"probabilities": [0.2, 0.8]}, "np.column_stack([1 - p, p])"),
    ({"probabilities": np.zeros((0, 2)), "labels": []}, "with n of at least 1"),
    ({"probabilities": [["a", "b"]] * 2}, "Received: <U1 (2, 2)."),
    ({"probabilities": [[2.0, -3.0], [0, 0]]}, "Received: values from -3 to 2. Pass logits through softmax"),
    ({"labels": [0]}, "labels must hold one class index for each sample. Expected: integers (2,)."),
    ({"labels": [0.0, 1.0]}, "Received: float64 (2,)."),
    ({"labels": [0, 2]}, "labels must be indices of the 2 classes. Expected: 0..1. Received: 2."),
    ({"decided": [0, -1]}, "decided must be indices of the 2 classes. Expected: 0..1. Received: -1."),
    ({"cost_matrix": [0, 1]}, "Expected: finite numbers (2, 2). Received: shape (2,)."),
    ({"cost_matrix": [[0, math.nan], [1, 0]]}, "Received: NaN or infinity."),
]


@pytest.mark.parametrize(("wrong", "words"), REFUSED)
def test_what_does_not_belong_together_is_refused(wrong, words):
    given = {"probabilities": [[0.9, 0.1], [0.2, 0.8]], "labels": [0, 1], "classes": ["a", "b"], **wrong}
    with pytest.raises(DataError) as caught:
        reporting.assess_classifier(**given)
    assert words in str(caught.value)
