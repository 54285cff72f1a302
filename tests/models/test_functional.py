"""Functional models: several inputs and outputs, shared layers, sub-models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import layers
from gputrain.errors import GraphError, ShapeError
from tests.models.small import LABELS, ONE_HOT, QUIET, REAL, X, classifier, same


def two_by_two(structure: str) -> keras.Model:
    """Inputs a and b, outputs classes and real, held in a list or a dict."""
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    joined = layers.Concatenate()([a, b])
    classes = layers.Dense(3, activation="softmax", name="classes")(joined)
    real = layers.Dense(2, name="real")(joined)
    if structure == "list":
        return keras.Model([a, b], [classes, real])
    return keras.Model(inputs={"a": a, "b": b}, outputs={"classes": classes, "real": real})


GIVEN: dict[str, tuple[str, Any, Any]] = {
    "lists": ("list", [X, X], [LABELS, REAL]),
    "tuples": ("list", (X, X), (LABELS, REAL)),
    "dicts for lists": ("list", {"a": X, "b": X}, {"real": REAL, "classes": LABELS}),
    "dicts": ("dict", {"b": X, "a": X}, {"classes": LABELS, "real": REAL}),
    "lists for dicts": ("dict", [X, X], [LABELS, REAL]),
}


@pytest.mark.parametrize(("structure", "x", "y"), GIVEN.values(), ids=GIVEN)
def test_several_inputs_and_outputs(structure: str, x: Any, y: Any) -> None:
    model = two_by_two(structure)
    model.compile(
        "sgd",
        loss={"classes": "sparse_categorical_crossentropy", "real": "mse"},
        loss_weights={"classes": 1.0, "real": 0.5},
        metrics={"classes": ["accuracy"], "real": "mae"},
    )
    logs = model.evaluate(x, y, return_dict=True, **QUIET)
    names = ["loss", "classes_loss", "real_loss", "classes_accuracy", "real_mae"]
    assert list(logs) == sorted(names)
    assert logs["loss"] == pytest.approx(logs["classes_loss"] + 0.5 * logs["real_loss"], rel=1e-6)
    assert model.evaluate(x, y, **QUIET) == pytest.approx([logs[name] for name in names])
    history = model.fit(x, y, epochs=3, validation_data=(x, y), **QUIET).history
    assert history["loss"][-1] < history["loss"][0]
    assert "val_real_mae" in history
    predicted = model.predict(x, **QUIET)
    assert isinstance(predicted, dict if structure == "dict" else list)
    flat = list(predicted.values()) if structure == "dict" else predicted
    assert [p.shape for p in flat] == [(50, 3), (50, 2)]


def test_losses_in_a_list_may_leave_an_output_out() -> None:
    model = two_by_two("list")
    model.compile("sgd", loss=[None, "mse"])
    assert model.evaluate([X, X], [REAL], **QUIET) > 0
    with pytest.warns(UserWarning, match="the loss does not depend on classes/kernel, classes/bias"):
        model.fit([X, X], [REAL], **QUIET)


def test_sample_weight_of_each_output() -> None:
    model = two_by_two("list")
    model.compile("sgd", loss=["sparse_categorical_crossentropy", "mse"], weighted_metrics=[[], ["mae"]])
    zeros, ones = np.zeros(50), np.ones(50)
    logs = model.evaluate([X, X], [LABELS, REAL], sample_weight=[zeros, ones], return_dict=True, **QUIET)
    assert logs["classes_loss"] == 0
    assert logs["loss"] == pytest.approx(logs["real_loss"])
    assert "real_mae" in logs


def test_a_shared_layer_has_one_set_of_weights_and_two_gradients() -> None:
    a, b = keras.Input((4,)), keras.Input((4,))
    shared = layers.Dense(2, use_bias=False)
    model = keras.Model([a, b], layers.Add()([shared(a), shared(b)]))
    assert len(model.weights) == 1
    model.compile(keras.optimizers.SGD(1.0), keras.losses.MeanSquaredError())
    before = shared.kernel.numpy()
    model.fit([X, 2 * X], REAL, batch_size=50, **QUIET)
    residual = 3 * X @ before - REAL
    expected = before - (3 * X).T @ (2 * residual / residual.size)
    np.testing.assert_allclose(shared.kernel.numpy(), expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(AttributeError, match="was called 2 times on symbolic inputs"):
        _ = shared.output


def test_sub_models_by_layer_output_share_what_is_trained() -> None:
    model = classifier()
    features = keras.Model(model.inputs, model.layers[0].output)
    also = keras.Model(model.input, model.get_layer(index=0).output)
    hidden = features.predict(X, **QUIET)
    assert hidden.shape == (50, 8)
    np.testing.assert_array_equal(hidden, also.predict(X, **QUIET))
    model.fit(X, LABELS, **QUIET)
    assert not np.allclose(hidden, features.predict(X, **QUIET))


def test_a_model_cut_open_in_its_middle() -> None:
    model = classifier()
    head = keras.Model(model.layers[0].output, model.output)
    features = keras.Model(model.input, model.layers[0].output)
    expected = model.predict(X, **QUIET)
    np.testing.assert_allclose(head.predict(features.predict(X, **QUIET), **QUIET), expected, rtol=1e-6)


def test_a_frozen_base_with_a_new_head() -> None:
    base = classifier()
    base.trainable = False
    outputs = layers.Dense(2)(base(base.input))
    model = keras.Model(base.input, outputs)
    model.compile("sgd", "mse")
    before = base.get_weights()
    model.fit(X, REAL, **QUIET)
    assert same(before, base.get_weights())
    assert [v.shape for v in model.trainable_variables] == [(3, 2), (2,)]


def test_models_are_callable_on_arrays_and_values() -> None:
    model = classifier()
    np.testing.assert_allclose(model(X), model.predict(X, **QUIET), rtol=1e-5)
    assert model(keras.Input((4,))).shape == (None, 3)


def test_unknown_sizes_stay_unknown() -> None:
    x = keras.Input((None, 4))
    model = keras.Model(x, layers.Dense(2)(x))
    assert model.output_shape == (None, None, 2)
    for steps in (3, 5):
        assert model.predict(np.ones((2, steps, 4)), **QUIET).shape == (2, steps, 2)


def test_a_last_axis_of_one_comes_and_goes_as_in_keras() -> None:
    model = keras.Sequential([keras.Input((6, 6, 1)), layers.Flatten(), layers.Dense(2)])
    assert model.predict(np.ones((3, 6, 6)), **QUIET).shape == (3, 2)
    assert classifier().predict(X[:, :, None], **QUIET).shape == (50, 3)


class Named(keras.Model):
    """A functional model with a class of its own."""

    def __init__(self, units: int = 3) -> None:
        inputs = keras.Input((4,))
        super().__init__(inputs=inputs, outputs=layers.Dense(units)(inputs), name="named")

    def double(self, x: Any) -> Any:
        return 2 * self.predict(x, **QUIET)


def test_a_subclass_may_be_functional() -> None:
    model = Named()
    assert isinstance(model, Named)
    assert model.name == "named"
    assert model.output_shape == (None, 3)
    assert len(model.layers) == 2
    model.compile("sgd", "mse")
    model.fit(X, ONE_HOT, **QUIET)
    np.testing.assert_allclose(model.double(X), 2 * model(X), rtol=1e-5)
    assert type(Named()) is type(model)


class Plain(keras.Model):
    """Nothing of its own."""


def test_a_subclass_without_a_constructor_takes_inputs_and_outputs() -> None:
    x = keras.Input((4,))
    for model in (Plain(x, layers.Dense(2)(x)), Plain(inputs=x, outputs=layers.Dense(2)(x))):
        assert isinstance(model, Plain)
        assert model.predict(X, **QUIET).shape == (50, 2)


def _disconnected() -> keras.Model:
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    return keras.Model(a, layers.Dense(2)(b))


ERRORS: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "an input is left out": (
        _disconnected,
        GraphError,
        "not among the model's inputs. Expected: .*'a'.*Received: b",
    ),
    "arrays instead of values": (
        lambda: keras.Model(X, layers.Dense(2)(keras.Input((4,)))),
        GraphError,
        r"inputs must be symbolic values, as Input\(\)",
    ),
    "wrong width": (
        lambda: classifier().predict(X[:, :3], **QUIET),
        ShapeError,
        r"input '.*' has the wrong shape. Expected: \(None, 4\). Received: \(32, 3\)",
    ),
    "one sample": (lambda: classifier()(X[0]), ShapeError, r"A single sample needs a batch axis: x\[None\]"),
    "flat images": (
        lambda: keras.Sequential([keras.Input((6, 6, 1)), layers.Flatten()]).predict(
            np.ones((3, 36)), **QUIET
        ),
        ShapeError,
        r"The sizes agree, so reshape the data: x.reshape\(-1, 6, 6, 1\)",
    ),
    "one input of two": (
        lambda: two_by_two("list").predict(X, **QUIET),
        ShapeError,
        r"the model has 2 input\(s\). Expected: .*a: \(None, 4\)",
    ),
    "a missing name": (
        lambda: two_by_two("dict").predict({"a": X}, **QUIET),
        ShapeError,
        r"input 'b' is missing. Expected: \['a', 'b'\]. Received: \['a'\]",
    ),
    "a list for a dict": (
        lambda: keras.Model({"b": keras.Input((4,)), "a": (a := keras.Input((4,)))}, a * 1).predict([X, X]),
        ShapeError,
        r"the model has 2 input\(s\).*Pass a dict with \['b', 'a'\]",
    ),
    "shape without a tuple": (
        lambda: keras.Input(4),
        ValueError,
        r"shape is a tuple. Received: 4. Pass shape=\(4,\)",
    ),
    "no shape": (lambda: keras.Input(), ValueError, "needs either shape or batch_shape"),
    "a bare positional argument": (lambda: Plain(3), TypeError, "takes inputs and outputs, or neither"),
}


@pytest.mark.parametrize(("call", "error", "text"), ERRORS.values(), ids=ERRORS)
def test_errors(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()


def test_arrays_without_an_input_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    model = two_by_two("dict")
    expected = model.predict({"a": X, "b": X}, **QUIET)
    given = model.predict({"aa": X[:3], "a": X, "b": X}, **QUIET)
    assert "predict(x): no input is named 'aa'; these arrays are left out." in caplog.text
    np.testing.assert_array_equal(given["real"], expected["real"])
