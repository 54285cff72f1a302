"""Figures of merit of a regression, beside scikit-learn's."""

import json
import math

import numpy as np
import pytest

from gputrain.app import reporting
from gputrain.errors import DataError


def numbers(samples, targets, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.normal(5, 3, (samples, targets)) * 10.0 ** np.arange(targets)
    return truth + rng.normal(0, 1, truth.shape) * truth.std(0) / 4, truth


@pytest.mark.parametrize("targets", [1, 3])
def test_figures_are_those_of_scikit_learn(targets):
    sklearn = pytest.importorskip("sklearn.metrics")
    predictions, truth = numbers(80, targets)
    assessment = reporting.assess_regression(predictions, truth, [f"t{i}" for i in range(targets)])
    for key, function in (
        ("mae", sklearn.mean_absolute_error),
        ("rmse", sklearn.root_mean_squared_error),
        ("r2", sklearn.r2_score),
    ):
        each = function(truth, predictions, multioutput="raw_values")
        np.testing.assert_allclose([row[key] for row in assessment.per_target], each, rtol=1e-12)
        assert getattr(assessment, key) == pytest.approx(function(truth, predictions))


def test_one_target_in_a_column_or_flat_is_the_same():
    predictions, truth = numbers(20, 1)
    column = reporting.assess_regression(predictions, truth[:, 0], ["y"])
    flat = reporting.assess_regression(predictions[:, 0], truth, ["y"])
    assert column.metrics() == flat.metrics()
    assert column.predictions.shape == flat.targets.shape == (20, 1)


def test_constant_target():
    met = reporting.assess_regression([3.0, 3.0], [3.0, 3.0], ["y"])
    missed = reporting.assess_regression([3.0, 4.0], [3.0, 3.0], ["y"])
    assert (met.r2, missed.r2) == (1.0, 0.0)


def test_metrics_are_plain_and_name_the_targets_of_several():
    one = reporting.assess_regression(*numbers(20, 1), ["y"]).metrics()
    assert list(one) == ["mae", "rmse", "r2"]
    two = reporting.assess_regression(*numbers(20, 2), ["a", "b"]).metrics()
    assert list(two)[3:] == ["mae_a", "rmse_a", "r2_a", "mae_b", "rmse_b", "r2_b"]
    assert all(type(value) is float for value in two.values())
    assert json.loads(json.dumps(two)) == two


def test_worst_by_absolute_error_ties_by_index():
    assessment = reporting.assess_regression([1.0, 0.0, 7.0, -1.0], [0.0, 0.0, 0.0, 0.0], ["y"])
    assert assessment.worst.tolist() == [2, 0, 3, 1]
    assert assessment.worst_rows()[0] == {"sample": 2, "true": 0.0, "predicted": 7.0, "error": 7.0}
    assert len(reporting.assess_regression(*numbers(80, 1), ["y"]).worst) == 24


def test_worst_of_several_targets_is_measured_by_their_spread():
    truth = np.array([[0.0, 0.0], [1.0, 1000.0], [2.0, 2000.0]])
    predictions = truth + np.array([[0.5, 0.0], [0.0, 100.0], [0.0, 0.0]])
    assessment = reporting.assess_regression(predictions, truth, ["small", "large"])
    assert assessment.worst.tolist() == [0, 1, 2]
    assert assessment.worst_rows()[1]["error large"] == 100.0


def test_nan_is_worst_and_shows_in_the_figures():
    assessment = reporting.assess_regression([1.0, math.nan, 9.0], [1.0, 2.0, 3.0], ["y"])
    assert assessment.worst.tolist() == [1, 2, 0]
    assert all(math.isnan(value) for value in assessment.metrics().values())


REFUSED = [
    (([1.0, 2.0], [1.0, 2.0], ["a", "b"]), "predictions must hold a number for each sample and each of the"),
    (([1.0], ["x"], ["a"]), "Expected: numbers (n, 1) or (n,). Received: <U1 (1,)."),
    (([], [], ["a"]), "Received: float64 (0,)."),
    (([1.0], [1.0, 2.0], ["a"]), "of the same samples. Expected: 2 predictions. Received: 1."),
]


@pytest.mark.parametrize(("given", "words"), REFUSED)
def test_what_does_not_belong_together_is_refused(given, words):
    with pytest.raises(DataError) as caught:
        reporting.assess_regression(*given)
    assert words in str(caught.value)
