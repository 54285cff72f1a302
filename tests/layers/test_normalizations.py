"""Group, RMS and masked batch normalization beside loops; half precision; errors; what models learn."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import layers
from gputrain.errors import ShapeError
from tests.layers.harness import run

RNG = np.random.default_rng(0)


def _by_groups(x: np.ndarray, groups: int, axis: int, epsilon: float) -> np.ndarray:
    """Each sample's groups of channels by themselves, in loops."""
    x = np.moveaxis(x.astype("float64"), axis, -1)
    out, size = np.empty_like(x), x.shape[-1] // groups
    for sample in range(len(x)):
        for group in range(groups):
            part = x[sample, ..., group * size : (group + 1) * size]
            out[sample, ..., group * size : (group + 1) * size] = (part - part.mean()) / np.sqrt(
                part.var() + epsilon
            )
    return np.moveaxis(out, -1, axis)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize(
    ("shape", "groups", "axis"),
    [((2, 4, 3, 6), 3, -1), ((2, 6, 4, 3), 2, 1), ((2, 4, 6, 3), 6, -2), ((3, 4), 2, 1), ((1, 5, 2), 1, -1)],
)
def test_groups_against_loops(shape: Any, groups: int, axis: int, dtype: str) -> None:
    x = RNG.normal(3, 2, shape).astype(dtype)
    made = np.asarray(layers.GroupNormalization(groups, axis=axis, epsilon=0.01, dtype=dtype)(x))
    bound = {"float16": 4e-3, "float32": 1e-5, "float64": 1e-12}[dtype]
    assert made.dtype == dtype
    np.testing.assert_allclose(made, _by_groups(x, groups, axis, 0.01), atol=bound)


@pytest.mark.parametrize("make", [partial(layers.GroupNormalization, 2), layers.RMSNormalization])
def test_large_numbers_in_half_precision(make: Callable[..., Any]) -> None:
    """Squares of 300 are no numbers of 16 bits; the result is."""
    x = (300 * RNG.normal(size=(2, 5, 4))).astype("float16")
    exact = make()(x.astype("float32"))
    np.testing.assert_allclose(make(dtype="float16")(x), exact, atol=4e-3)


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.GroupNormalization(2, dtype="float64", epsilon=0.1),
        lambda: layers.GroupNormalization(3, axis=1, dtype="float64", center=False),
        lambda: layers.RMSNormalization(dtype="float64", epsilon=0.1),
        lambda: layers.RMSNormalization(axis=[1, 2], dtype="float64"),
        lambda: layers.RMSNormalization(axis=1, dtype="float64"),
    ],
)
def test_gradients_against_differences(make: Callable[[], Any]) -> None:
    layer, x = make(), RNG.normal(size=(2, 3, 4))
    layer.build(x.shape)
    for weight in layer.weights:
        weight.assign(RNG.normal(size=weight.shape))
    upstream = RNG.normal(size=x.shape)
    found = run(layer, [x], upstream)

    def total(x: np.ndarray) -> float:
        return float((np.asarray(layer(x)) * upstream).sum())

    direction = RNG.normal(size=x.shape)
    slope = (total(x + 1e-6 * direction) - total(x - 1e-6 * direction)) / 2e-6
    assert (found.inputs[0] * direction).sum() == pytest.approx(slope, rel=1e-6)
    for weight, gradient in zip(layer.trainable_weights, found.weights, strict=True):
        before, direction = weight.numpy(), RNG.normal(size=weight.shape)
        weight.assign(before + 1e-6 * direction)
        up = total(x)
        weight.assign(before - 1e-6 * direction)
        slope = (up - total(x)) / 2e-6
        weight.assign(before)
        assert (gradient * direction).sum() == pytest.approx(slope, rel=1e-6)


def test_root_mean_squares() -> None:
    x = RNG.normal(size=(2, 5, 4)).astype("float32")
    layer = layers.RMSNormalization(axis=[1, 2], epsilon=0.01)
    layer.build(x.shape)
    layer.scale.assign(RNG.normal(size=(5, 4)))
    exact = x / np.sqrt((x.astype("float64") ** 2).mean((1, 2), keepdims=True) + 0.01)
    np.testing.assert_allclose(layer(x), exact * np.asarray(layer.scale), rtol=1e-5)


def test_unknown_sizes_and_models() -> None:
    inputs = keras.Input((None, None, 4))
    outputs = layers.RMSNormalization()(layers.GroupNormalization(2)(inputs))
    model = keras.Model(inputs, outputs)
    assert model.output_shape == (None, None, None, 4)
    for sizes in ((3, 5), (1, 1)):
        x = RNG.normal(size=(2, *sizes, 4)).astype("float32")
        np.testing.assert_allclose(
            model.predict(x, verbose=0),
            layers.RMSNormalization()(layers.GroupNormalization(2)(x)),
            rtol=1e-5,
            atol=1e-6,
        )
    again = keras.models.model_from_json(model.to_json())
    assert [type(layer).__name__ for layer in again.layers[1:]] == ["GroupNormalization", "RMSNormalization"]


def test_a_network_of_groups_learns() -> None:
    keras.utils.set_random_seed(1)
    x = RNG.normal(size=(64, 6, 6, 4)).astype("float32")
    y = (x[:, :3, :, 0].mean((1, 2)) > x[:, 3:, :, 0].mean((1, 2))).astype("float32")
    model = keras.Sequential(
        [
            keras.Input((6, 6, 4)),
            layers.Conv2D(8, 3, use_bias=False),
            layers.GroupNormalization(4),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
    losses = model.fit(x, y, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]


# ------------------------------------------------------------------------------------------- masked batches


@pytest.mark.parametrize("axis", [-1, 1])
def test_what_is_masked_reaches_no_statistic(axis: int) -> None:
    """Not even where it is NaN or infinite."""
    x = RNG.normal(size=(3, 4, 4)).astype("float32")
    mask = np.array([[1, 1, 0, 0], [1, 0, 1, 1], [0, 0, 0, 0]], bool)
    clean, spoilt = x.copy(), x.copy()
    spoilt[~mask] = np.array([np.nan, np.inf, -np.inf, 1e30], "float32")
    found = []
    for each in (clean, spoilt):
        layer = layers.BatchNormalization(momentum=0.5, axis=axis)
        made = np.asarray(layer(each, training=True, mask=mask))
        found.append((layer.moving_mean.numpy(), layer.moving_variance.numpy(), made[mask]))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
    if axis == -1:
        np.testing.assert_allclose(found[0][0], x[mask].mean(0) / 2, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(found[0][1], x[mask].var(0) / 2 + 0.5, rtol=1e-5)


def test_synchronized_comes_to_the_same_on_one_process() -> None:
    x = RNG.normal(size=(8, 4)).astype("float32")
    made = [layers.BatchNormalization(synchronized=s)(x, training=True) for s in (True, False)]
    np.testing.assert_array_equal(*made)
    assert layers.BatchNormalization(synchronized=True).get_config()["synchronized"] is True


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: layers.GroupNormalization(0),
            ValueError,
            r"GroupNormalization: groups must be a positive i",
        ),
        (lambda: layers.GroupNormalization(-2), ValueError, r"GroupNormalization: groups must be a positive"),
        (
            lambda: layers.GroupNormalization(axis=None),
            ValueError,
            r"GroupNormalization: axis must be an int",
        ),
        (
            lambda: layers.GroupNormalization(epsilon=-1),
            ValueError,
            r"GroupNormalization: epsilon is a number",
        ),
        (
            lambda: layers.GroupNormalization(3, name="g")(np.ones((2, 4))),
            ShapeError,
            r"In layer g: Group.*Expected: channels that 3 groups divide.*Received: 4 channels on axis -1",
        ),
        (lambda: layers.GroupNormalization(8)(np.ones((2, 4))), ShapeError, r"channels that 8 groups divide"),
        (lambda: layers.GroupNormalization(2, axis=0)(np.ones((2, 4))), ShapeError, r"than the samples'"),
        (lambda: layers.GroupNormalization(2, axis=4)(np.ones((2, 4))), ShapeError, r"GroupNormalization"),
        (lambda: layers.GroupNormalization(2)(keras.Input((None,))), ShapeError, r"known size of axis -1"),
        (lambda: layers.RMSNormalization(epsilon="a"), ValueError, r"RMSNormalization: epsilon is a number"),
        (lambda: layers.RMSNormalization([]), ValueError, r"RMSNormalization: axis must be an int, or sever"),
        (lambda: layers.RMSNormalization([1, -1])(np.ones((2, 4))), ShapeError, r"axis may be named once"),
        (lambda: layers.RMSNormalization()(keras.Input((None,))), ShapeError, r"a known size of axis -1"),
        (lambda: layers.BatchNormalization(synchronized=2), ValueError, r"synchronized must be False"),
    ],
)
def test_what_does_not_fit_is_told(make: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()
