"""What a traced step depends on, and what is refused before one is traced."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import config, layers, losses, metrics, ops
from gputrain.data import Arrays
from tests.models.small import LABELS, ONE_HOT, QUIET, X, classifier, regressor, same

COLUMN = X[:, 0]

# ----------------------------------------------------------------------------------------- parts of the data


def test_signature_tells_which_parts_are_absent() -> None:
    forms = [
        Arrays(X),
        Arrays(X, COLUMN),
        Arrays(X, None, COLUMN),
        Arrays(X, COLUMN, COLUMN),
        Arrays([X, COLUMN]),
        Arrays(X, [COLUMN]),
        Arrays(X, [COLUMN, None]),
        Arrays(X, [None, COLUMN]),
    ]
    assert len({form.signature for form in forms}) == len(forms)
    assert Arrays(X[:3], COLUMN[:3]).signature == Arrays(X, COLUMN).signature


class Telling(keras.Model):
    """evaluate gives the mean of the targets, or less the mean of the weights where there are no targets."""

    def call(self, x: Any) -> Any:
        return x

    def test_step(self, data: Any) -> Any:
        _, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        return {"seen": ops.mean(y) if y is not None else ops.negative(ops.mean(weight))}


def test_weights_are_not_taken_for_targets() -> None:
    model = Telling()
    model.compile("sgd", "mse")
    ones = np.ones(50, "float32")
    whole: dict[str, Any] = {"batch_size": 50, "return_dict": True, **QUIET}
    for _ in range(2):
        assert model.evaluate(X, ones, **whole) == {"seen": 1.0}
        assert model.evaluate(X, sample_weight=ones, **whole) == {"seen": -1.0}


# ------------------------------------------------------------------------------------------ seed and metrics


def dropping() -> keras.Sequential:
    model = keras.Sequential([keras.Input((4,)), layers.Dropout(0.5), layers.Dense(2)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return model


def trained(seeds: tuple[int, int], start: list[Any]) -> list[Any]:
    """Weights after a fit under the second seed, which came after a fit under the first."""
    config.set_seed(seeds[0])
    model = dropping()
    for seed in seeds:
        config.set_seed(seed)
        model.set_weights(start)
        model.fit(X, X[:, :2], epochs=1, shuffle=False, **QUIET)
    weights: list[Any] = model.get_weights()
    return weights


def test_a_new_seed_reaches_the_dropout_of_a_trained_model() -> None:
    start = dropping().get_weights()
    fresh = trained((9, 9), start)
    assert same(trained((1, 9), start), fresh)
    assert not same(trained((1, 1), start), fresh)


def test_metrics_made_anew_are_those_that_a_step_updates() -> None:
    model = classifier(loss="categorical_crossentropy", metrics=["accuracy"])
    found = model.predict(X, **QUIET).argmax(-1)
    assert (found != LABELS).any()
    share = np.mean(found == LABELS)
    for _ in range(2):
        for y, expected in ((LABELS, share), (found, 1.0), (ONE_HOT, share)):
            got = model.evaluate(X, y, return_dict=True, **QUIET)
            assert got["accuracy"] == pytest.approx(expected)


# ------------------------------------------------------------------------------------ refused before tracing


@pytest.mark.parametrize("argument", ["metrics", "weighted_metrics"])
@pytest.mark.parametrize("given", [[5], 5, {"out": [5]}, ["mse", [2.5]]])
def test_what_is_no_metric_is_refused_by_compile(argument: str, given: Any) -> None:
    with pytest.raises(TypeError, match=r"Expected for the metric: a name, .* Received (5|2\.5) of type"):
        regressor(**{argument: given})


def test_what_is_no_loss_is_refused_by_compile() -> None:
    with pytest.raises(TypeError, match=r"Expected for the loss: a name, .* Received 5 of type int"):
        regressor(loss=[5])


def test_configs_of_losses_and_metrics_pass_compile() -> None:
    loss = losses.serialize(losses.MeanSquaredError(reduction="sum"))
    metric = metrics.serialize(metrics.MeanSquaredError(name="own"))
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2, name="out")])
    model.compile("sgd", [loss], metrics={"out": [metric, metrics.mean_absolute_error]})
    logs = model.evaluate(X, X[:, :2], return_dict=True, **QUIET)
    assert list(logs) == ["loss", "mean_absolute_error", "own"]


@pytest.mark.parametrize("value", ["maybe", 1, 0.5])
def test_shuffle_is_a_bool_or_batch(value: Any) -> None:
    with pytest.raises(ValueError, match=r'fit: shuffle must be True, False or "batch"\. Received: '):
        regressor().fit(X, X[:, :2], shuffle=value, **QUIET)


def test_shuffle_may_be_a_bool_of_numpy() -> None:
    regressor().fit(X, X[:, :2], shuffle=np.bool_(False), **QUIET)
