"""Noise in training, against overfitting."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from gputrain import ops
from gputrain.errors import explain
from gputrain.layers.base import Layer, arguments, declared, registry
from gputrain.utils.dtypes import is_number


def _normal(x: Any, mean: float, stddev: float, seed: Any) -> Any:
    """Noise of the shape of x; x itself while sizes are unknown, where only its shape matters."""
    if None in x.shape:
        return x
    return ops.random_normal(x.shape, mean, stddev, x.dtype, seed)


def _below(limit: float, value: Any, where: str) -> float:
    if not is_number(value) or not 0 <= value < limit:
        raise ValueError(explain(f"{where} must be a number, 0 <= number < {limit}.", received=repr(value)))
    return float(value)


@registry.add()
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
    stddev: float = declared.argument(partial(_below, math.inf))
    seed: Any = declared.argument(arguments.seed, None, plain=arguments.plain_seed)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The inputs in the layer's dtype, with noise where `training`."""
        x = ops.cast(inputs, self.compute_dtype)
        if not training or self.stddev == 0:
            return x
        return ops.add(x, _normal(x, 0.0, self.stddev, self.seed))


@registry.add()
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
    rate: float = declared.argument(partial(_below, 1))
    seed: Any = declared.argument(arguments.seed, None, plain=arguments.plain_seed)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The inputs in the layer's dtype, times noise where `training`."""
        x = ops.cast(inputs, self.compute_dtype)
        if not training or self.rate == 0:
            return x
        stddev = math.sqrt(self.rate / (1.0 - self.rate))
        return ops.multiply(x, _normal(x, 1.0, stddev, self.seed))


_ALPHA, _SCALE = 1.6732632423543772, 1.0507009873554805  # of selu


@registry.add()
class AlphaDropout(Layer):
    """Dropout that keeps mean 0 and variance 1, after selu: elements are set to its lowest value in training.

    Args:
        rate: share to drop, 0 <= rate < 1.
        noise_shape: shape of the mask, broadcast to the inputs; None entries mean the inputs' size.
        seed: an int or SeedGenerator; None means the configured seed.

    Shapes:
        any shape, kept.

    Raises:
        ValueError: a rate outside 0 <= rate < 1.

    Source:
        Klambauer et al. 2017, Self-Normalizing Neural Networks.

    Example:
        >>> AlphaDropout(0.5)(numpy.ones((1, 4), "float32"), training=False)
        array([[1., 1., 1., 1.]], dtype=float32)
    """

    supports_masking = True
    rate: float = declared.argument(partial(_below, 1))
    noise_shape: Any = declared.argument(arguments.noise_shape, None)
    seed: Any = declared.argument(arguments.seed, None, plain=arguments.plain_seed)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The inputs, some of them the lowest value where `training`, moved back to mean 0 and variance 1."""
        given = inputs.shape if self.noise_shape is None else self.noise_shape
        shape = tuple(inputs.shape[axis] if n is None else n for axis, n in enumerate(given))
        if not training or self.rate == 0 or None in shape:
            return inputs  # while sizes are unknown only the shape matters
        lowest = -_ALPHA * _SCALE
        factor = ((1 - self.rate) * (1 + self.rate * lowest**2)) ** -0.5
        kept = ops.greater_equal(ops.random_uniform(shape, dtype="float32", seed=self.seed), self.rate)
        x = ops.where(kept, inputs, lowest)
        return ops.add(ops.multiply(x, factor), -factor * lowest * self.rate)
