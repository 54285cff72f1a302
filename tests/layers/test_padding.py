"""ZeroPadding2D against NumPy's padding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gputrain import layers
from gputrain.errors import ShapeError
from tests.layers.harness import run

RNG = np.random.default_rng(3)


@pytest.mark.parametrize(
    "padding, sides",
    [
        (2, ((2, 2), (2, 2))),
        ((1, 0), ((1, 1), (0, 0))),
        ([1, 2], ((1, 1), (2, 2))),
        (((1, 0), (2, 3)), ((1, 0), (2, 3))),
        ((2, (0, 1)), ((2, 2), (0, 1))),
        (0, ((0, 0), (0, 0))),
    ],
)
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_zeros_around(padding: Any, sides: Any, data_format: str, dtype: str) -> None:
    x = RNG.integers(1, 9, (2, 3, 4, 5)).astype(dtype)
    layer = layers.ZeroPadding2D(padding, data_format)
    assert layer.padding == sides
    widths = [(0, 0), *sides, (0, 0)] if data_format == "channels_last" else [(0, 0), (0, 0), *sides]
    result = layer(x)
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, np.pad(x, widths))


def test_unknown_sizes_stay_unknown() -> None:
    value = layers.ZeroPadding2D(((1, 0), (2, 2)))(layers.Input((None, 4, 3)))
    assert value.shape == (None, None, 8, 3)


def test_gradient_is_the_inner_part() -> None:
    x, upstream = RNG.normal(size=(2, 3, 4, 1)), RNG.normal(size=(2, 6, 5, 1))
    found = run(layers.ZeroPadding2D(((1, 2), (0, 1)), dtype="float64"), [x], upstream)
    np.testing.assert_array_equal(found.inputs[0], upstream[:, 1:4, 0:4])


@pytest.mark.parametrize("padding", [-1, 1.5, (1, 2, 3), "22", ((1, 2), (1, -1)), ((1, 2), None), True])
def test_wrong_padding(padding: Any) -> None:
    message = r"ZeroPadding2D: padding is a number of rows and columns, 0 or more\. Expected: an int, "
    with pytest.raises(ValueError, match=message):
        layers.ZeroPadding2D(padding)


def test_no_images() -> None:
    with pytest.raises(ShapeError, match=r"In layer z: ZeroPadding2D takes images.*x\[\.\.\., None\]"):
        layers.ZeroPadding2D(name="z")(np.ones((2, 3, 4), "float32"))
