"""Crops against slices of the same images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import layers
from gputrain.errors import ShapeError
from tests.layers.draws import at_step
from tests.layers.harness import run

RNG = np.random.default_rng(5)


def numbered(count: int, height: int, width: int, channels: int, dtype: str = "float32") -> np.ndarray:
    """Images in which every pixel is another number."""
    return np.arange(count * height * width * channels).reshape(count, height, width, channels).astype(dtype)


def corners(before: np.ndarray, after: np.ndarray) -> list[tuple[int, int]]:
    """(top, left) of each crop, which must be a slice of its own image."""
    height, width = after.shape[1:3]
    found = []
    for image, crop in zip(before, after, strict=True):
        top, left = (int(i[0]) for i in np.nonzero((image == crop[0, 0]).all(-1)))
        np.testing.assert_array_equal(crop, image[top : top + height, left : left + width])
        found.append((top, left))
    return found


@pytest.mark.parametrize("dtype", ["float32", "int32"])
@pytest.mark.parametrize("shape, size", [((6, 5, 2), (4, 4)), ((4, 9, 1), (4, 2)), ((3, 3, 3), (3, 3))])
def test_parts_of_its_own_image(dtype: str, shape: Any, size: Any) -> None:
    x = numbered(40, *shape, dtype)
    found = at_step(layers.RandomCrop(*size, seed=1), x, 5)
    assert found.shape == (40, *size, shape[2])
    assert found.dtype == "float32"
    places = corners(x, found)
    rooms = [n - k for n, k in zip(shape[:2], size, strict=True)]
    assert {t for t, _ in places} == set(range(rooms[0] + 1))
    assert {c for _, c in places} == set(range(rooms[1] + 1))


def test_bytes() -> None:
    x = RNG.permuted(np.tile(np.arange(30, dtype="uint8"), (20, 1)), axis=1).reshape(20, 6, 5, 1)
    corners(x, at_step(layers.RandomCrop(2, 2, seed=1), x, 5))


def test_all_places_are_equally_likely() -> None:
    x = numbered(1, 6, 7, 1)
    found = at_step(layers.RandomCrop(4, 5, seed=1), np.repeat(x, 900, axis=0), 5)
    places, counts = np.unique(found[:, 0, 0, 0], return_counts=True)
    assert places.tolist() == [0, 1, 2, 7, 8, 9, 14, 15, 16]
    squares = float(((counts - 100) ** 2 / 100).sum())
    assert squares < 26  # chi-square with 8 degrees of freedom: below 26.1 in 999 of 1000 runs


def test_the_same_for_both_layouts() -> None:
    x = numbered(12, 6, 5, 3)
    last = at_step(layers.RandomCrop(4, 2, seed=1), x, 5)
    first = at_step(layers.RandomCrop(4, 2, seed=1, data_format="channels_first"), np.moveaxis(x, -1, 1), 5)
    np.testing.assert_array_equal(np.moveaxis(first, 1, -1), last)
    middle = layers.CenterCrop(4, 2, data_format="channels_first")(np.moveaxis(x, -1, 1))
    np.testing.assert_array_equal(np.moveaxis(middle, 1, -1), layers.CenterCrop(4, 2)(x))


def test_gradient_goes_back_to_its_place() -> None:
    x, upstream = numbered(6, 5, 6, 2, "float64"), RNG.normal(size=(6, 3, 4, 2))
    found = run(layers.RandomCrop(3, 4, seed=1, dtype="float64"), [x], upstream, training=True)
    expected = np.zeros_like(x)
    for i, (top, left) in enumerate(corners(x, found.output)):
        expected[i, top : top + 3, left : left + 4] = upstream[i]
    np.testing.assert_array_equal(found.inputs[0], expected)


@pytest.mark.parametrize("size, rows, columns", [((4, 4), (1, 5), (0, 4)), ((3, 1), (1, 4), (2, 3))])
def test_the_middle(size: Any, rows: Any, columns: Any) -> None:
    """An odd row or column is left over below and to the right, as in Keras."""
    x = numbered(3, 6, 5, 2)
    expected = x[:, slice(*rows), slice(*columns)]
    np.testing.assert_array_equal(layers.CenterCrop(*size)(x), expected)
    np.testing.assert_array_equal(layers.RandomCrop(*size)(x, training=False), expected)


def test_padding_and_cropping_leave_an_image_as_it_was_outside_of_training() -> None:
    x = numbered(4, 5, 5, 1)
    model = keras.Sequential([keras.Input((5, 5, 1)), layers.ZeroPadding2D(2), layers.RandomCrop(5, 5)])
    np.testing.assert_array_equal(model.predict(x, verbose=0), x)


@pytest.mark.parametrize("make", [layers.RandomCrop, layers.CenterCrop])
def test_unknown_sizes(make: Any) -> None:
    x = keras.Input((None, None, 2))
    model = keras.Model(x, make(3, 4)(x))
    assert model.output_shape == (None, 3, 4, 2)
    images = numbered(2, 5, 6, 2)
    np.testing.assert_array_equal(model.predict(images, verbose=0), images[:, 1:4, 1:5])
    assert model(images, training=True).shape == (2, 3, 4, 2)


@pytest.mark.parametrize("make", [layers.RandomCrop, layers.CenterCrop])
def test_errors(make: Any) -> None:
    with pytest.raises(ShapeError, match=r"In layer c: \w+ takes images"):
        make(7, 2, name="c")(np.ones((6, 5), "float32"))
    with pytest.raises(ValueError, match=r"Crop: height must be a positive int\. Received: 0"):
        make(0, 2)
    with pytest.raises(ValueError, match=r"Crop: width must be a positive int\. Received: 2\.5"):
        make(2, 2.5)
