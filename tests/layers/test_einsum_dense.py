"""EinsumDense beside NumPy's einsum: unknown sizes, first values, errors, a model that trains."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import initializers, layers
from gputrain.errors import ShapeError


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize(
    ("equation", "output", "bias_axes", "shape", "kernel", "bias"),
    [
        ("abc,cde->abde", (None, 2, 3), "de", (2, 5, 4), (4, 2, 3), (2, 3)),
        ("abcd,cde->abe", (None, 6), "e", (2, 3, 5, 4), (5, 4, 6), (6,)),
        ("abc,bd->adc", (6, None), "d", (2, 5, 4), (5, 6), (6, 1)),
        ("...x,xy->...y", 3, "y", (2, 7, 5, 4), (4, 3), (3,)),
        ("...x,xy->...y", 3, None, (2, 4), (4, 3), None),
        ("ab...,bc->ac...", 6, "c", (2, 4, 3, 5), (4, 6), (6, 1, 1)),
        ("ab...,bc->ac...", 6, "c", (2, 4), (4, 6), (6,)),
    ],
)
def test_values(
    equation: str, output: Any, bias_axes: Any, shape: Any, kernel: Any, bias: Any, dtype: str
) -> None:
    layer = layers.EinsumDense(equation, output, bias_axes=bias_axes, bias_initializer="ones", dtype=dtype)
    x = np.random.default_rng(0).normal(size=shape).astype(dtype)
    made = np.asarray(layer(x))
    assert [w.shape for w in layer.weights] == [each for each in (kernel, bias) if each is not None]
    assert made.dtype == dtype
    expected = np.einsum(equation, x.astype("float64"), np.asarray(layer.kernel).astype("float64"))
    expected = expected + (bias is not None)
    bound = {"float16": 4e-3, "float32": 1e-5, "float64": 1e-12}[dtype]
    np.testing.assert_allclose(made, expected, rtol=bound, atol=bound * 4)


def test_unknown_sizes() -> None:
    """The steps of a sequence may be unknown; the same weights then serve all lengths."""
    x = keras.Input((None, 4))
    layer = layers.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="de")
    model = keras.Model(x, layer(x))
    assert model.output_shape == (None, None, 2, 3)
    for steps in (5, 1):
        data = np.ones((2, steps, 4), "float32")
        np.testing.assert_allclose(model.predict(data, verbose=0), layer(data), rtol=1e-6)


def test_the_spread_of_first_values_follows_from_the_equation() -> None:
    """A kernel (4, 8, 16) of 4 inputs and 8 * 16 outputs, whatever its layout."""
    for equation, output in (("abc,cde->abde", (None, 8, 16)), ("abc,dec->abde", (None, 8, 16))):
        layer = layers.EinsumDense(equation, output, kernel_initializer=initializers.HeUniform(seed=1))
        layer.build((None, 5, 4))
        assert np.abs(np.asarray(layer.kernel)).max() == pytest.approx(np.sqrt(6 / 4), rel=0.02)
        assert layer.get_config()["kernel_initializer"]["config"]["input_axes"] is None


def test_a_model_trains_and_is_made_again() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 5, 4)).astype("float32")
    y = np.einsum("abc,cd->abd", x, rng.normal(size=(4, 2)).astype("float32"))
    model = keras.Sequential(
        [keras.Input((5, 4)), layers.EinsumDense("...x,xy->...y", 2, bias_axes="y", name="e")]
    )
    model.compile("sgd", "mse")
    model.optimizer.learning_rate = 0.3
    losses = model.fit(x, y, epochs=25, verbose=0, batch_size=16).history["loss"]
    assert losses[-1] < 1e-3 * losses[0]
    again = keras.models.model_from_json(model.to_json())
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


def test_the_mask_is_not_carried() -> None:
    assert not layers.EinsumDense.supports_masking


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ab,bc", 3), r"EinsumDense: equation is an einsum of inputs and kernel\. Expected: ab,bc->ac, "),
        ((3, 3), r"EinsumDense: equation is an einsum.*Received: 3"),
        (("ab,bc->ad", 3), r"a letter of the output is one of inputs or kernel\. Received: 'd' of"),
        (("ab,bcd->ac", 3), r"a letter of the kernel is one of inputs or output\. Received: 'd' of"),
        (("ab,bc->ac", 0), r"EinsumDense: output_shape is a size or several"),
        (("ab,bc->ac", "3"), r"EinsumDense: output_shape is a size or several.*Received: '3'"),
        (("ab,bc->ac", 3, None, "d"), r"bias_axes is letters of the output\. Expected: some of 'ac'.*'d'"),
        (("ab,bc->ac", 3, None, 1), r"EinsumDense: bias_axes is letters of the output, as 'c', or None"),
    ],
)
def test_arguments_that_do_not_fit(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        layers.EinsumDense(*arguments)


@pytest.mark.parametrize(
    ("arguments", "shape", "message"),
    [
        (("ab,bc->ac", 3), (2, 5, 4), r"In layer e: .*'ab,bc->ac': the inputs have an axis for each letter"),
        (("...ab,bc->...ac", (5, 3)), (4,), r"the inputs have an axis for each letter"),
        (("abc,cd->abd", 3), (2, 5, 4), r"output_shape has a size for each letter of the output but the"),
        (("abc,cd->abd", (6, 3)), (2, 5, 4), r"'b' has one size in inputs and output\. .*\(2, 5, 4\), out"),
        (("abc,cd->abd", (5, None)), (2, 5, 4), r"made for a known size of 'd'.*Give output_shape or the"),
    ],
)
def test_inputs_that_do_not_fit(arguments: tuple[Any, ...], shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        layers.EinsumDense(*arguments, name="e")(np.ones(shape, "float32"))
