"""Masks of symbolic values are traced, and every argument's mask is seen."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import layers, ops

RNG = np.random.default_rng(5)
A, B = (RNG.normal(size=(2, 3, 4)).astype("float32") for _ in range(2))
A[0, 1:], B[1, 2:] = 0, 0
KEEP_A, KEEP_B = (x.any(-1) for x in (A, B))


class NotZero(layers.Layer):
    """Masks steps that are all zeros, as Keras's Masking does."""

    supports_masking = True

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        return ops.any(ops.not_equal(inputs, 0.0), axis=-1)

    def call(self, inputs: Any) -> Any:
        return inputs


class Wide(NotZero):
    """Has a mask of as many axes as its output."""

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        return ops.not_equal(inputs, 0.0)


class Attends(layers.Layer):
    """Sums the steps of `values` that count, and keeps the masks that it was given."""

    def call(self, inputs: Any, values: Any, mask: Any = None, values_mask: Any = None) -> Any:
        self.seen = mask, values_mask
        kept = values if values_mask is None else values * ops.cast(values_mask, "float32")[..., None]
        return inputs + ops.sum(kept, axis=1, keepdims=True)

    def compute_mask(self, inputs: Any, previous_mask: Any, values_mask: Any = None) -> Any:
        return values_mask if previous_mask is None else previous_mask


class Shows(layers.Layer):
    """Its mask as numbers."""

    supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        return inputs if mask is None else ops.cast(mask, "float32")


def steps() -> Any:
    return keras.Input((3, 4))


def test_a_symbolic_mask_is_a_value_of_the_model() -> None:
    x = steps()
    value = layers.Dense(5)(NotZero()(x))
    assert (value.mask.shape, value.mask.dtype) == ((None, 3), "bool")
    model = keras.Model(x, [value, layers.Rescaling(2.0)(value.mask)])
    np.testing.assert_array_equal(model.predict(A, verbose=0)[1], 2.0 * KEEP_A)


def test_a_mask_has_the_shape_that_the_layer_gives_it() -> None:
    x = keras.Input((None, 4))
    value = Wide()(x)
    assert value.mask.shape == (None, None, 4)
    soft = layers.Softmax()(value)
    found = keras.Model(x, soft).predict(A, verbose=0)
    assert (found[A == 0] == 0).all()
    np.testing.assert_allclose(found[KEEP_A].sum(-1), 1.0, rtol=1e-6)


def test_user_code_sees_masks_of_the_sizes_of_its_inputs() -> None:
    x = keras.Input((None, 4))
    shown = Shows()(NotZero()(x))
    assert shown.shape == (None, None)
    np.testing.assert_array_equal(keras.Model(x, shown).predict(A, verbose=0), KEEP_A)


def test_masks_of_all_arguments_reach_the_call() -> None:
    a, b = steps(), steps()
    layer = Attends()
    model = keras.Model([a, b], layer(a, NotZero()(b)))
    expected = A + (B * KEEP_B[..., None]).sum(1, keepdims=True)
    np.testing.assert_allclose(model.predict([A, B], verbose=0), expected, rtol=1e-6)
    assert layer.seen[0] is None
    layer(NotZero()(a), NotZero()(b))
    assert [mask.shape[1:] for mask in layer.seen] == [(3,), (3,)]


def test_compute_mask_may_ask_for_the_masks_of_further_arguments() -> None:
    a, b = steps(), steps()
    for first, second, keep in ((a, NotZero()(b), KEEP_B), (NotZero()(a), NotZero()(b), KEEP_A)):
        value = Attends()(first, values=second)
        model = keras.Model([a, b], Shows()(value))
        np.testing.assert_array_equal(model.predict([A, B], verbose=0), keep)


def test_a_mask_that_is_given_comes_before_that_of_the_value() -> None:
    a, b = steps(), steps()
    masked = NotZero()(b)
    for given in (Shows()(NotZero()(a), mask=masked.mask), Shows()(a, masked.mask)):
        model = keras.Model([a, b], given)
        np.testing.assert_array_equal(model.predict([A, B], verbose=0), KEEP_B)


def test_a_model_passes_on_the_mask_it_is_given() -> None:
    inner_input = steps()
    inner = keras.Model(inner_input, Shows()(layers.Dense(4)(inner_input)))
    a, b = steps(), steps()
    model = keras.Model([a, b], inner(a, mask=NotZero()(b).mask))
    np.testing.assert_array_equal(model.predict([A, B], verbose=0), KEEP_B)
    np.testing.assert_array_equal(inner(A, mask=KEEP_A), KEEP_A)
    assert a.mask is None


def test_the_mask_of_a_later_argument_does_not_stop_in_silence() -> None:
    class Adds(layers.Layer):
        def call(self, inputs: Any, other: Any) -> Any:
            return inputs + other

    a, b = steps(), steps()
    with pytest.warns(UserWarning, match="adds: Adds does not support masks; its input's mask stops here"):
        Adds(name="adds")(a, NotZero()(b))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Adds()(a, b)


def test_keywords_come_in_any_order() -> None:
    a, b = steps(), steps()
    value = Attends()(values=NotZero()(b), inputs=NotZero()(a))
    model = keras.Model([a, b], Shows()(value))
    np.testing.assert_array_equal(model.predict([A, B], verbose=0), KEEP_A)


def test_a_config_holds_calls_with_masks() -> None:
    a = steps()
    value = NotZero(name="n")(a)
    model = keras.Model(a, [Shows(name="s")(a, mask=value.mask), value.mask, layers.Dense(2)(value)])
    config = json.loads(json.dumps(model.get_config()))
    again = keras.Model.from_config(config, {"NotZero": NotZero, "Shows": Shows})
    again.set_weights(model.get_weights())
    for found, expected in zip(again.predict(A, verbose=0), model.predict(A, verbose=0), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert again.get_config() == model.get_config()


def test_masks_reach_the_loss_through_models_in_models() -> None:
    x = steps()
    inner = keras.Model(x, layers.Dense(1, kernel_initializer="ones")(NotZero()(x)))
    model = keras.Sequential([keras.Input((3, 4)), inner, layers.Activation("linear")])
    model.compile("sgd", "mse")
    y = np.zeros((2, 3, 1), "float32")
    expected = np.square(A.sum(-1))[KEEP_A].mean()
    assert model.evaluate(A, y, verbose=0) == pytest.approx(expected, rel=1e-5)


def test_an_input_that_a_layer_returns_as_it_is_stays_without_mask() -> None:
    """Its mask is that of the output alone, also for layers that are called afterwards."""
    inputs = keras.Input((3, 4))
    model = keras.Model(inputs, [Shows()(NotZero()(inputs)), Shows()(inputs)])
    masked, plain = model.predict(A, verbose=0)
    np.testing.assert_array_equal(masked, KEEP_A)
    np.testing.assert_array_equal(plain, A)


def test_the_mask_under_its_name_in_keras() -> None:
    x = layers.Embedding(4, 3, mask_zero=True)(layers.Input((5,)))
    with pytest.raises(AttributeError, match=r"_keras_mask'\. The mask.*layer\.compute_mask\(x\)"):
        x._keras_mask  # noqa: B018
