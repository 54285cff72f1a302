"""Results that would be wrong without a word: each is an error or a note, before the first step."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import layers
from gputrain.errors import DataError, ShapeError
from gputrain.utils import notes
from tests.models.small import LABELS, ONE_HOT, QUIET, REAL, X, classifier, regressor, same

pytestmark = pytest.mark.cpu_only("texts are the same on every device")

MANY = (ONE_HOT + np.roll(ONE_HOT, 1, axis=0) > 0).astype("float32")
PAIRS = (LABELS > 0).astype("float32")


def _net(units: int, activation: str | None, loss: Any, metrics: Any = None) -> keras.Sequential:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(units, activation=activation)])
    model.compile("sgd", loss, metrics=metrics)
    return model


# ------------------------------------------------------------------------------------------------- labels

BAD_LABELS: dict[str, tuple[Callable[[], keras.Model], Any, str]] = {
    "too large": (
        classifier,
        np.where(LABELS == 2, 3, LABELS),
        r"has 3 classes, so labels must lie in 0\.\.2.*from 0 to 3",
    ),
    "negative": (classifier, LABELS - 1, r"labels from -1 to 1; the first outside is -1 at sample \d+"),
    "counted from 1": (classifier, LABELS + 1, "renumber the labels from 0"),
    "large floats": (classifier, LABELS + 1.0, r"labels must lie in 0\.\.2"),
    "not whole": (classifier, LABELS + 0.5, "class indices must be whole numbers.*Received: float32 labels"),
    "indices for one-hot": (
        lambda: classifier(loss="categorical_crossentropy"),
        LABELS + 1,
        r"labels must lie in 0\.\.2",
    ),
    "binary of -1 and 1": (
        lambda: _net(1, "sigmoid", "binary_crossentropy"),
        2 * PAIRS - 1,
        r"targets of binary_crossentropy must lie in 0\.\.1.*from -1.0 to 1.0",
    ),
    "binary of three": (
        lambda: _net(1, "sigmoid", "binary_crossentropy"),
        LABELS,
        r"from 0 to 2.*sparse_categorical",
    ),
}
METHODS: dict[str, Callable[[keras.Model, Any], Any]] = {
    "fit": lambda model, y: model.fit(X, y, **QUIET),
    "evaluate": lambda model, y: model.evaluate(X, y, **QUIET),
    "train_on_batch": lambda model, y: model.train_on_batch(X, y),
    "validation": lambda model, y: model.fit(X, np.clip(y, 0, 1) // 1, validation_data=(X, y), **QUIET),
    "a later batch": lambda model, y: model.fit(iter([(X[:10], np.zeros_like(y[:10])), (X, y)]), **QUIET),
}


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
@pytest.mark.parametrize(("make", "labels", "text"), BAD_LABELS.values(), ids=BAD_LABELS)
def test_labels_out_of_range(make: Callable[[], keras.Model], labels: Any, text: str, method: Any) -> None:
    model = make()
    before = model.get_weights()
    with pytest.raises(DataError, match=text):
        method(model, labels)
    if method is not METHODS["a later batch"]:
        assert same(before, model.get_weights())
        assert int(model.step_counter) == 0


def test_ignored_class_may_lie_outside() -> None:
    loss = keras.losses.SparseCategoricalCrossentropy(ignore_class=-1)
    labels = np.where(np.arange(50) < 25, LABELS, -1)
    model = classifier(loss=loss)
    assert model.evaluate(X, labels, batch_size=50, **QUIET) == pytest.approx(
        model.evaluate(X[:25], LABELS[:25], batch_size=25, **QUIET), rel=1e-5
    )
    with pytest.raises(DataError, match="the first outside is 7 at sample 49"):
        model.fit(X, np.where(np.arange(50) == 49, 7, labels), **QUIET)


# ------------------------------------------------------------------------------------------ shapes of targets


def test_targets_of_shape_n_against_outputs_of_shape_n_by_1() -> None:
    model = regressor(1)
    column = REAL[:, :1]
    assert model.evaluate(X, column[:, 0], **QUIET) == model.evaluate(X, column, **QUIET)
    expected = ((model.predict(X, **QUIET) - column) ** 2).mean()
    assert model.evaluate(X, column[:, 0], **QUIET) == pytest.approx(expected, rel=1e-5)


SHAPES: dict[str, tuple[Callable[[], keras.Model], Any, type[Exception], str]] = {
    "a column for two": (
        regressor,
        REAL[:, 0],
        ShapeError,
        r"mean_squared_error.*shape \(32, 2\).*shape \(32,\)",
    ),
    "three for two": (regressor, ONE_HOT, ShapeError, r"nothing is broadcast.*shape \(32, 3\)"),
    "two for one": (lambda: regressor(1), REAL, ShapeError, r"shape \(32, 1\).*shape \(32, 2\)"),
    "one-hot for sparse": (
        classifier,
        ONE_HOT,
        ShapeError,
        "one class index per row.*Use categorical_crossentropy",
    ),
    "float labels for categorical": (
        lambda: classifier(loss="categorical_crossentropy"),
        LABELS.astype("float32"),
        ShapeError,
        r"one probability per class.*to_categorical\(y, 3\), or integer y with sparse_categorical",
    ),
    "too few columns for categorical": (
        lambda: classifier(loss="categorical_crossentropy"),
        REAL,
        ShapeError,
        "to_categorical.*sparse_categorical_crossentropy",
    ),
    "no target": (regressor, None, DataError, "has a loss but no target. Pass y to fit or evaluate"),
    "two targets for one output": (regressor, [REAL, REAL], DataError, "one target per output. Expected: 1"),
    "an unknown output": (regressor, {"other": REAL}, DataError, "no output is named 'other'"),
}


@pytest.mark.parametrize(("make", "y", "error", "text"), SHAPES.values(), ids=SHAPES)
def test_targets_that_do_not_fit(
    make: Callable[[], keras.Model], y: Any, error: type[Exception], text: str
) -> None:
    for method in ("fit", "evaluate"):
        model = make()
        with pytest.raises(error, match=text):
            getattr(model, method)(X, y, **QUIET)
        assert int(model.step_counter) == 0


# ------------------------------------------------------------------- integer labels, accuracy, logits: notes


def test_integer_labels_with_categorical_crossentropy(caplog: pytest.LogCaptureFixture) -> None:
    one_hot, indices = (classifier(loss="categorical_crossentropy", metrics=["accuracy"]) for _ in range(2))
    indices.set_weights(one_hot.get_weights())
    first = one_hot.fit(X, ONE_HOT, epochs=2, shuffle=False, **QUIET).history
    assert "class indices" not in caplog.text
    second = indices.fit(X, LABELS, epochs=2, shuffle=False, **QUIET).history
    assert caplog.text.count("was given integer class indices instead of one-hot rows") == 1
    for name in first:
        assert first[name] == pytest.approx(second[name], rel=1e-5)
    assert one_hot.evaluate(X, ONE_HOT, **QUIET) == pytest.approx(
        indices.evaluate(X, LABELS, **QUIET), rel=1e-5
    )
    assert indices.evaluate(X, LABELS[:, None], **QUIET) == indices.evaluate(X, LABELS, **QUIET)


def test_label_smoothing_with_integer_labels() -> None:
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.2)
    model = classifier(loss=loss)
    assert model.evaluate(X, LABELS, **QUIET) == pytest.approx(model.evaluate(X, ONE_HOT, **QUIET), rel=1e-5)


LOGITS_BINARY = keras.losses.BinaryCrossentropy(from_logits=True)
ACCURACY: dict[str, tuple[int, str | None, Any, Any, str]] = {
    "sparse": (3, "softmax", "sparse_categorical_crossentropy", LABELS, "SparseCategoricalAccuracy"),
    "one-hot": (3, "softmax", "categorical_crossentropy", ONE_HOT, "CategoricalAccuracy"),
    "indices for categorical": (
        3,
        "softmax",
        "categorical_crossentropy",
        LABELS,
        "SparseCategoricalAccuracy",
    ),
    "one unit": (1, "sigmoid", "binary_crossentropy", PAIRS, "BinaryAccuracy"),
    "many labels": (3, "sigmoid", "binary_crossentropy", MANY, "BinaryAccuracy"),
    "many labels as logits": (3, None, LOGITS_BINARY, MANY, "BinaryAccuracy"),
    "one logit": (1, None, LOGITS_BINARY, PAIRS, "BinaryAccuracy"),
}


@pytest.mark.parametrize(("units", "activation", "loss", "y", "name"), ACCURACY.values(), ids=ACCURACY)
def test_accuracy_follows_the_loss_and_says_its_name(
    units: int, activation: str | None, loss: Any, y: Any, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    model = _net(units, activation, loss, ["accuracy"])
    logs = model.evaluate(X, y, return_dict=True, **QUIET)
    assert f"metrics=['accuracy'] on output '{model.layers[0].name}' is {name}." in caplog.text
    outputs = model.predict(X, **QUIET)
    if name == "BinaryAccuracy":
        hits = (outputs > (0.5 if activation else 0)) == y.reshape(outputs.shape)
    else:
        hits = outputs.argmax(1) == LABELS
    assert logs["accuracy"] == pytest.approx(hits.mean(), abs=1e-6)


def test_short_names_follow_too() -> None:
    logs = _net(3, None, LOGITS_BINARY, ["acc", "ce"]).evaluate(X, MANY, return_dict=True, **QUIET)
    assert list(logs) == ["acc", "ce", "loss"]
    assert logs["ce"] == pytest.approx(logs["loss"], rel=1e-5)


def test_metrics_change_with_the_kind_of_targets() -> None:
    model = classifier(loss="categorical_crossentropy", metrics=["accuracy"])
    model.fit(X, LABELS, **QUIET)
    first = model.evaluate(X, ONE_HOT, **QUIET)
    assert first == pytest.approx(model.evaluate(X, LABELS, **QUIET), rel=1e-5)
    assert first == pytest.approx(model.evaluate(X, ONE_HOT, **QUIET), rel=1e-5)


class MyCrossentropy(keras.losses.CategoricalCrossentropy):
    """Like its base."""


class Likelihood(keras.losses.Loss):
    """Says what it reads, and has no from_logits."""

    activation = "softmax"

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return -keras.ops.sum(y_true * keras.ops.log(keras.ops.abs(y_pred) + 0.1), axis=-1)


MISMATCH: dict[str, tuple[int, str | None, Any, Any, str | None]] = {
    "softmax as logits": (
        3,
        "softmax",
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        LABELS,
        "ends in softmax, but sparse_categorical_crossentropy has from_logits=True.*from_logits=False",
    ),
    "sigmoid as logits": (
        1,
        "sigmoid",
        LOGITS_BINARY,
        PAIRS,
        "ends in sigmoid.*the activation is applied twice",
    ),
    "logits as probabilities": (
        3,
        None,
        "categorical_crossentropy",
        ONE_HOT,
        "ends in a linear activation.*divided by its sum.*Add activation='softmax', or pass from_logits=True",
    ),
    "one logit as a probability": (1, None, "binary_crossentropy", PAIRS, "linear.*activation='sigmoid'"),
    "relu as probabilities": (
        3,
        "relu",
        "categorical_crossentropy",
        ONE_HOT,
        r"a relu.*a row of zeros costs",
    ),
    "a loss of the user's": (3, None, Likelihood(), ONE_HOT, "linear.*activation='softmax'"),
    "a subclass": (3, None, MyCrossentropy(), ONE_HOT, "linear.*activation='softmax'"),
    "right probabilities for it": (3, "softmax", Likelihood(), ONE_HOT, None),
    "right probabilities": (3, "softmax", "categorical_crossentropy", ONE_HOT, None),
    "right logits": (1, None, LOGITS_BINARY, PAIRS, None),
    "no crossentropy": (1, None, "mse", PAIRS, None),
}


@pytest.mark.parametrize(("units", "activation", "loss", "y", "text"), MISMATCH.values(), ids=MISMATCH)
def test_logits_mismatches_are_said_once(
    units: int, activation: str | None, loss: Any, y: Any, text: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "gputrain")
    model = _net(units, activation, loss)
    model.fit(X, y, epochs=2, validation_split=0.2, **QUIET)
    said = [r.getMessage() for r in caplog.records if "ends in" in r.getMessage()]
    assert len(said) == (text is not None)
    if text is not None:
        assert re.search(text, said[0])


def test_a_softmax_layer_counts_as_an_activation(caplog: pytest.LogCaptureFixture) -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Softmax(), layers.Reshape((3,))])
    model.compile("sgd", "categorical_crossentropy")
    model.fit(X, ONE_HOT, **QUIET)
    assert "ends in" not in caplog.text


# ------------------------------------------------------------------ means over samples, not over batches


def test_the_short_last_batch_counts_by_its_samples() -> None:
    model = regressor(optimizer=keras.optimizers.SGD(0.0), metrics=["mae"])
    history = model.fit(X, REAL, batch_size=49, **QUIET).history
    errors = model.predict(X, **QUIET) - REAL
    assert history["loss"][0] == pytest.approx((errors**2).mean(), rel=1e-6)
    assert history["mae"][0] == pytest.approx(np.abs(errors).mean(), rel=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
def test_evaluate_does_not_depend_on_the_batch_size(weighted: bool) -> None:
    model = classifier(metrics=["accuracy"], weighted_metrics=["ce"])
    weights = np.linspace(0.1, 2, 50) if weighted else None
    results = [model.evaluate(X, LABELS, batch_size=n, sample_weight=weights, **QUIET) for n in (1, 7, 50)]
    np.testing.assert_allclose(results[0], results[2], rtol=0, atol=1e-6)
    np.testing.assert_allclose(results[1], results[2], rtol=0, atol=1e-6)


def test_predict_does_not_depend_on_the_neighbours() -> None:
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(8),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(2),
        ]
    )
    together = model.predict(X, batch_size=50, **QUIET)
    for size in (1, 7):
        np.testing.assert_allclose(model.predict(X, batch_size=size, **QUIET), together, rtol=1e-5, atol=1e-6)


# ---------------------------------------------------------------------------- splits, class weights, monitors


@pytest.mark.parametrize("y", [np.sort(LABELS), np.eye(3)[np.sort(LABELS)]], ids=["indices", "one-hot"])
def test_validation_split_of_sorted_data_says_which_classes_are_missing(
    y: Any, caplog: pytest.LogCaptureFixture
) -> None:
    classifier(loss="categorical_crossentropy").fit(X, y, validation_split=0.1, **QUIET)
    assert "validation_split takes the last samples unshuffled; classes [0, 1] do not occur" in caplog.text


WEIGHTS: dict[str, tuple[Any, Any, str]] = {
    "an unknown class": (
        {3: 1.0},
        LABELS,
        r"a class that does not exist. Expected: integers in 0\.\.2. Received: 3",
    ),
    "a name": ({"0": 1.0}, LABELS, "a class that does not exist.*Received: '0'"),
    "a negative weight": ({0: -1.0}, LABELS, "a non-negative number. Received: 0: -1.0"),
    "NaN": ({0: math.nan}, LABELS, "a non-negative number. Received: 0: nan"),
    "a list": ([1, 2, 3], LABELS, r'class_weight is \{class: weight\} or "balanced". Received: \[1, 2, 3\]'),
    "no classes": ({0: 1.0}, LABELS + 0.5, "needs class indices or one-hot rows"),
    "no target": ({0: 1.0}, None, "one target. Received: no y"),
    "two targets": (
        {0: 1.0},
        [LABELS, LABELS],
        "one target. Received: 2 targets. Pass sample_weight instead",
    ),
}


@pytest.mark.parametrize(("weights", "y", "text"), WEIGHTS.values(), ids=WEIGHTS)
def test_class_weight_errors(weights: Any, y: Any, text: str) -> None:
    model = classifier()
    with pytest.raises(DataError, match=text):
        model.fit(X, y, class_weight=weights, **QUIET)
    assert int(model.step_counter) == 0


def test_class_weight_says_its_normaliser_and_what_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    classifier().fit(X, LABELS, class_weight="balanced", **QUIET)
    assert 'class_weight="balanced": weight = samples / (classes * samples of the class)' in caplog.text
    classifier().fit(X, LABELS, class_weight={0: 2.0}, **QUIET)
    assert "class_weight does not name classes [1, 2], which occur in y; they weigh 1." in caplog.text


def test_an_unknown_monitor_raises_before_the_first_epoch() -> None:
    model = classifier(metrics=["accuracy"])
    for monitor, text in (("val_loss", "Pass validation data"), ("acuracy", "Did you mean 'accuracy'")):
        stopping = keras.callbacks.EarlyStopping(monitor=monitor)
        with pytest.raises(ValueError, match=text):
            model.fit(X, LABELS, callbacks=[stopping], **QUIET)
    assert int(model.step_counter) == 0


def test_nan_is_never_best() -> None:
    stopping = keras.callbacks.EarlyStopping(
        monitor="watched", mode="min", patience=5, restore_best_weights=True
    )

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            logs["watched"] = [math.nan, 2.0, 3.0][epoch]

    regressor().fit(X, REAL, epochs=3, callbacks=[Watch(), stopping], **QUIET)
    assert stopping.best == 2.0


def test_metrics_of_one_name_are_all_reported() -> None:
    model = regressor(metrics=["mae", "mae"], weighted_metrics=["mae"])
    logs = model.evaluate(X, REAL, return_dict=True, **QUIET)
    assert list(logs) == ["loss", "mae", "mae_1", "weighted_mae"]


def test_many_shapes_give_one_note(caplog: pytest.LogCaptureFixture) -> None:
    model = keras.Sequential([keras.Input((None, 4)), layers.Dense(2)])
    for steps in range(1, 20):
        model.predict(np.ones((2, steps, 4)), **QUIET)
    assert caplog.text.count("the predict step was traced 8 times") == 1
    assert "Changing: axis 1 of input 0" in caplog.text


def test_a_note_is_said_once_in_a_process(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        notes.note("something", "key")
    assert caplog.text.count("something") == 1
