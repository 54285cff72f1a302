"""Initializers whose spread follows from the shape of the weight: Glorot, He, LeCun and the general form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from gputrain.initializers.base import registry
from gputrain.initializers.drawn import RandomInitializer, Seed
from gputrain.names import did_you_mean
from gputrain.utils.dtypes import as_shape
from gputrain.utils.signatures import check_settings, with_line

# Standard deviation of the standard normal distribution cut off at -2 and 2.
TRUNCATED_STDDEV = 0.87962566103423978

_MODES = ("fan_in", "fan_out", "fan_avg")
_DISTRIBUTIONS = ("truncated_normal", "untruncated_normal", "uniform", "normal")


Axes = Sequence[int] | None


def compute_fans(
    shape: tuple[int, ...], input_axes: Axes = None, output_axes: Axes = None
) -> tuple[int, int]:
    """Return how many inputs and outputs one unit of a weight has: (fan_in, fan_out).

    Args:
        shape: (), (n,), (inputs, outputs) or (*kernel, inputs, outputs).
        input_axes, output_axes: for any other layout, both: which axes count inputs and which outputs.

    Example:
        >>> compute_fans((3, 3, 16, 32))
        (144, 288)
    """
    if input_axes is not None and output_axes is not None:
        return math.prod(shape[axis] for axis in input_axes), math.prod(shape[axis] for axis in output_axes)
    if len(shape) < 2:
        n = math.prod(shape)
        return n, n
    field = math.prod(shape[:-2])
    return shape[-2] * field, shape[-1] * field


@registry.add()
class VarianceScaling(RandomInitializer):
    """Draws with mean 0 and variance scale / n, n being the number of inputs, outputs or their mean.

    Args:
        scale: factor on the variance, above 0.
        mode: what n is: "fan_in", "fan_out" or "fan_avg".
        distribution: "truncated_normal" (also "normal"), "untruncated_normal" or "uniform".
        seed: as in RandomInitializer.
        input_axes, output_axes: as in `compute_fans`.

    Raises:
        ValueError: an argument that is not among these.

    Example:
        >>> VarianceScaling(2.0, "fan_in", seed=1)((784, 128)).shape
        (784, 128)
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: Seed = None,
        input_axes: Axes = None,
        output_axes: Axes = None,
    ) -> None:
        if not scale > 0.0:
            raise ValueError(f"VarianceScaling: scale must be above 0. Received {scale!r}.")
        _check_choice("mode", mode, _MODES)
        _check_choice("distribution", distribution, _DISTRIBUTIONS)
        super().__init__(seed)
        self.scale = scale
        self.mode = mode
        self.distribution = "truncated_normal" if distribution == "normal" else distribution
        if (input_axes is None) != (output_axes is None):
            raise ValueError(
                f"{type(self).__name__}: input_axes and output_axes are given together. "
                f"Received input_axes={input_axes!r}, output_axes={output_axes!r}."
            )
        check_settings(type(self).__name__, {"input_axes": input_axes, "output_axes": output_axes})
        self.input_axes = None if input_axes is None else list(input_axes)
        self.output_axes = None if output_axes is None else list(output_axes)

    def __call__(self, shape: Any, dtype: Any = None) -> NDArray[Any]:
        """Return values of `shape` and float `dtype`."""
        stddev = math.sqrt(self.scale / self._units(as_shape(shape, type(self).__name__)))
        if self.distribution == "truncated_normal":
            return self._truncated(shape, dtype, 0.0, stddev / TRUNCATED_STDDEV)
        if self.distribution == "untruncated_normal":
            return self._normal(shape, dtype, 0.0, stddev)
        limit = math.sqrt(3.0) * stddev
        return self._uniform(shape, dtype, -limit, limit)

    def get_config(self) -> dict[str, Any]:
        """Return {"scale", "mode", "distribution", "seed", "input_axes", "output_axes"}."""
        own = {"scale": self.scale, "mode": self.mode, "distribution": self.distribution}
        return {**own, **self._seed_and_axes()}

    def _seed_and_axes(self) -> dict[str, Any]:
        axes = {"input_axes": self.input_axes, "output_axes": self.output_axes}
        return {**RandomInitializer.get_config(self), **axes}

    def _units(self, shape: tuple[int, ...]) -> float:
        fan_in, fan_out = compute_fans(shape, self.input_axes, self.output_axes)
        units = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2.0}
        return max(1.0, units[self.mode])


class _Named(VarianceScaling):
    """A VarianceScaling whose arguments are fixed by its class."""

    _arguments: tuple[float, str, str]

    def __init_subclass__(cls) -> None:
        for line in ("seed: as in RandomInitializer.", "input_axes, output_axes: as in `compute_fans`."):
            cls.__doc__ = with_line(cls.__doc__, line)

    def __init__(self, seed: Seed = None, input_axes: Axes = None, output_axes: Axes = None) -> None:
        super().__init__(*self._arguments, seed, input_axes, output_axes)

    def get_config(self) -> dict[str, Any]:
        """Return {"seed", "input_axes", "output_axes"}."""
        return self._seed_and_axes()


@registry.add()
class GlorotUniform(_Named):
    """Uniform in [-limit, limit], limit = sqrt(6 / (fan_in + fan_out)); the usual one of layers.

    Source: X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", 2010.

    Example:
        >>> bool(abs(GlorotUniform(seed=1)((3, 3))).max() <= 1.0)
        True
    """

    _arguments = (1.0, "fan_avg", "uniform")


@registry.add()
class GlorotNormal(_Named):
    """Truncated normal, variance 2 / (fan_in + fan_out).

    Source: X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", 2010.

    Example:
        >>> GlorotNormal(seed=1)((3, 4)).shape
        (3, 4)
    """

    _arguments = (1.0, "fan_avg", "truncated_normal")


@registry.add()
class HeUniform(_Named):
    """Uniform in [-limit, limit], limit = sqrt(6 / fan_in); suits relu.

    Source: K. He, X. Zhang, S. Ren, J. Sun, "Delving deep into rectifiers", 2015.

    Example:
        >>> HeUniform(seed=1)((3, 4)).shape
        (3, 4)
    """

    _arguments = (2.0, "fan_in", "uniform")


@registry.add()
class HeNormal(_Named):
    """Truncated normal, variance 2 / fan_in; suits relu.

    Source: K. He, X. Zhang, S. Ren, J. Sun, "Delving deep into rectifiers", 2015.

    Example:
        >>> HeNormal(seed=1)((3, 4)).shape
        (3, 4)
    """

    _arguments = (2.0, "fan_in", "truncated_normal")


@registry.add()
class LecunUniform(_Named):
    """Uniform in [-limit, limit], limit = sqrt(3 / fan_in).

    Source: Y. LeCun, L. Bottou, G. Orr, K.-R. Müller, "Efficient BackProp", 1998.

    Example:
        >>> LecunUniform(seed=1)((3, 4)).shape
        (3, 4)
    """

    _arguments = (1.0, "fan_in", "uniform")


@registry.add()
class LecunNormal(_Named):
    """Truncated normal, variance 1 / fan_in; suits selu.

    Source: Y. LeCun, L. Bottou, G. Orr, K.-R. Müller, "Efficient BackProp", 1998.

    Example:
        >>> LecunNormal(seed=1)((3, 4)).shape
        (3, 4)
    """

    _arguments = (1.0, "fan_in", "truncated_normal")


def _check_choice(argument: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(
            f"VarianceScaling: unknown {argument} {value!r}. {did_you_mean(str(value), choices)}"
        )
