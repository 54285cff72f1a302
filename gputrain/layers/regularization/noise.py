"""Noise in training, against overfitting."""

from __future__ import annotations

import math
from typing import Any

from gputrain import ops
from gputrain.errors import explain
from gputrain.ir import Shape
from gputrain.layers.base import arguments
from gputrain.layers.base.layer import Layer
from gputrain.layers.base.layout import require_images
from gputrain.layers.regularization.dropout import Dropout


class GaussianNoise(Layer):
    """Adds normal noise of mean 0 in training, drawn anew in each step; does nothing otherwise.

    Args:
        stddev: standard deviation of the noise, 0 or more.
        seed: an int or SeedGenerator; None means the configured seed.

    Shapes:
        any shape, kept; numbers of any dtype come out in the layer's.

    Raises:
        ValueError: a standard deviation below 0.

    Example:
        >>> GaussianNoise(0.1)(numpy.ones((1, 2), "float32"), training=False)
        array([[1., 1.]], dtype=float32)
    """

    supports_masking = True

    def __init__(self, stddev: float, seed: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stddev = _below(stddev, math.inf, "GaussianNoise: stddev")
        self.seed = seed

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The inputs in the layer's dtype, with noise where `training`."""
        x = ops.cast(inputs, self.compute_dtype)
        if not training or self.stddev == 0:
            return x
        return ops.add(x, _normal(x, 0.0, self.stddev, self.seed))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {**super().get_config(), "stddev": self.stddev, "seed": arguments.plain_seed(self.seed)}


class GaussianDropout(Layer):
    """Multiplies by normal noise of mean 1 in training; does nothing otherwise.

    Args:
        rate: 0 <= rate < 1. The standard deviation is sqrt(rate / (1 - rate)), that of a Dropout of the rate.
        seed: an int or SeedGenerator; None means the configured seed.

    Shapes:
        any shape, kept; numbers of any dtype come out in the layer's.

    Raises:
        ValueError: a rate outside 0 <= rate < 1.

    Source:
        Srivastava et al. 2014, Dropout, section 10.

    Example:
        >>> GaussianDropout(0.5)(numpy.ones((1, 2), "float32"), training=False)
        array([[1., 1.]], dtype=float32)
    """

    supports_masking = True

    def __init__(self, rate: float, seed: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = _below(rate, 1, "GaussianDropout: rate")
        self.seed = seed

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The inputs in the layer's dtype, times noise where `training`."""
        x = ops.cast(inputs, self.compute_dtype)
        if not training or self.rate == 0:
            return x
        stddev = math.sqrt(self.rate / (1.0 - self.rate))
        return ops.multiply(x, _normal(x, 1.0, stddev, self.seed))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {**super().get_config(), "rate": self.rate, "seed": arguments.plain_seed(self.seed)}


class SpatialDropout2D(Dropout):
    """Dropout of whole channels: neighbouring pixels are alike, so that single ones are little missed.

    Args:
        rate: share of the channels to drop, 0 <= rate <= 1. The others are scaled by 1 / (1 - rate).
        data_format: "channels_last" or "channels_first"; None means `config.image_data_format()`.
        seed: an int or SeedGenerator; None means the configured seed.
        name, dtype: see `Layer`.

    Shapes:
        (N, H, W, C), kept.

    Raises:
        ValueError: a rate outside 0..1.
        ShapeError: inputs that are not images.

    Source:
        Tompson et al. 2014, Efficient Object Localization Using Convolutional Networks.

    Example:
        >>> SpatialDropout2D(0.5)(numpy.ones((1, 2, 2, 1), "float32"), training=False).shape
        (1, 2, 2, 1)
    """

    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: Any = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        self.data_format = arguments.data_format(data_format, "SpatialDropout2D")
        shape = (None, 1, 1, None) if self.data_format == "channels_last" else (None, None, 1, 1)
        super().__init__(rate, noise_shape=shape, seed=seed, name=name, dtype=dtype, **kwargs)

    def build(self, input_shape: Shape) -> None:
        """Check that images come in."""
        require_images(input_shape, self.data_format, "SpatialDropout2D")

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        config = super().get_config()
        del config["noise_shape"]
        return {**config, "data_format": self.data_format}


def _normal(x: Any, mean: float, stddev: float, seed: Any) -> Any:
    """Noise of the shape of x; x itself while sizes are unknown, where only its shape matters."""
    if None in x.shape:
        return x
    return ops.random_normal(x.shape, mean, stddev, x.dtype, seed)


def _below(value: Any, limit: float, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < limit:
        raise ValueError(explain(f"{where} must be a number, 0 <= number < {limit}.", received=repr(value)))
    return float(value)
