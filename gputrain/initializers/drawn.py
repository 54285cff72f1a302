"""Initializers that draw from a given distribution: normal, uniform, truncated normal, orthogonal."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gputrain.initializers.base import Initializer, registry
from gputrain.random.draws import standard_normal, standard_truncated_normal
from gputrain.random.seeds import Draw, SeedGenerator, next_draw
from gputrain.utils.dtypes import as_float_dtype, as_number, as_shape
from gputrain.utils.philox import uniform64

Seed = int | SeedGenerator | Mapping[str, Any] | None

_DRAWS: ContextVar[bool] = ContextVar("draws", default=True)


def zeros_in_no_memory(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Zeros for a weight that is about to be loaded; they take no memory and cannot be written to.

    Example:
        >>> zeros_in_no_memory((2,), "float32").tolist()
        [0.0, 0.0]
    """
    return np.broadcast_to(np.zeros((), dtype), shape)


@contextmanager
def without_draws() -> Iterator[None]:
    """Let initializers return zeros instead of draws, where weights are about to be loaded.

    Draws of weights made later stay the same.

    Example:
        >>> with without_draws():
        ...     RandomNormal()((2,)).tolist()
        [0.0, 0.0]
    """
    token = _DRAWS.set(False)
    try:
        yield
    finally:
        _DRAWS.reset(token)


class RandomInitializer(Initializer):
    """Base of the initializers that draw.

    As in Keras 3, one instance gives the same values at each call, seeded or not; two unseeded instances
    differ. With a SeedGenerator as seed, each call gives new values.

    Args:
        seed: an int, a SeedGenerator (or its saved form), or None: the next draw of the global seed.
    """

    def __init__(self, seed: Seed = None) -> None:
        if isinstance(seed, Mapping):
            seed = SeedGenerator.from_config(dict(seed["config"]))
        self.seed = seed
        self._fixed = None if isinstance(seed, SeedGenerator) else next_draw(seed, type(self).__name__)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        if isinstance(self.seed, SeedGenerator):
            return {"seed": {"class_name": "SeedGenerator", "config": self.seed.get_config()}}
        return {"seed": self.seed}

    def _draw(self) -> Draw:
        if self._fixed is not None:
            return self._fixed
        assert isinstance(self.seed, SeedGenerator)
        return self.seed.next()

    def _shaped(self, shape: Any, dtype: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
        where = type(self).__name__
        return as_shape(shape, where), as_float_dtype(dtype, where)

    def _drawn(self, shape: Any, dtype: Any, values: Callable[[Draw, int], NDArray[Any]]) -> NDArray[Any]:
        """What `values` makes of the draw, in this shape and dtype; zeros within `without_draws`."""
        dims, kind = self._shaped(shape, dtype)
        draw = self._draw()
        if not _DRAWS.get():
            return zeros_in_no_memory(dims, kind)
        return values(draw, math.prod(dims)).reshape(dims).astype(kind)

    def _normal(self, shape: Any, dtype: Any, mean: float, stddev: float) -> NDArray[Any]:
        return self._drawn(shape, dtype, lambda draw, count: mean + stddev * standard_normal(draw, count))

    def _truncated(self, shape: Any, dtype: Any, mean: float, stddev: float) -> NDArray[Any]:
        return self._drawn(
            shape, dtype, lambda draw, count: mean + stddev * standard_truncated_normal(draw, count)
        )

    def _uniform(self, shape: Any, dtype: Any, low: float, high: float) -> NDArray[Any]:
        return self._drawn(
            shape, dtype, lambda draw, count: low + (high - low) * uniform64(draw.words(count))
        )


@registry.add("normal")
class RandomNormal(RandomInitializer):
    """Draws from the normal distribution.

    Args:
        mean: its mean.
        stddev: its standard deviation.
        seed: as in RandomInitializer.

    Example:
        >>> RandomNormal(stddev=0.01, seed=1)((3, 4)).shape
        (3, 4)
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Seed = None) -> None:
        super().__init__(seed)
        where = type(self).__name__
        self.mean = as_number(mean, f"{where}: mean")
        self.stddev = as_number(stddev, f"{where}: stddev", least=0.0)

    def __call__(self, shape: Any, dtype: Any = None) -> NDArray[Any]:
        """Return normal values of `shape` and float `dtype`."""
        return self._normal(shape, dtype, self.mean, self.stddev)

    def get_config(self) -> dict[str, Any]:
        """Return {"mean", "stddev", "seed"}."""
        return {"mean": self.mean, "stddev": self.stddev, **super().get_config()}


@registry.add()
class TruncatedNormal(RandomNormal):
    """Draws from the normal distribution without what is over two standard deviations from the mean.

    Args:
        mean: mean of the distribution.
        stddev: its standard deviation before truncation.
        seed: as in RandomInitializer.

    Example:
        >>> bool((abs(TruncatedNormal(seed=1)((100,))) <= 0.1).all())
        True
    """

    def __call__(self, shape: Any, dtype: Any = None) -> NDArray[Any]:
        """Return truncated normal values of `shape` and float `dtype`."""
        return self._truncated(shape, dtype, self.mean, self.stddev)


@registry.add("uniform")
class RandomUniform(RandomInitializer):
    """Draws evenly from [minval, maxval).

    Args:
        minval: lower bound.
        maxval: upper bound.
        seed: as in RandomInitializer.

    Example:
        >>> bool((abs(RandomUniform(seed=1)((100,))) <= 0.05).all())
        True
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: Seed = None) -> None:
        super().__init__(seed)
        self.minval = as_number(minval, "RandomUniform: minval")
        self.maxval = as_number(maxval, "RandomUniform: maxval")

    def __call__(self, shape: Any, dtype: Any = None) -> NDArray[Any]:
        """Return uniform values of `shape` and float `dtype`."""
        return self._uniform(shape, dtype, self.minval, self.maxval)

    def get_config(self) -> dict[str, Any]:
        """Return {"minval", "maxval", "seed"}."""
        return {"minval": self.minval, "maxval": self.maxval, **super().get_config()}


@registry.add("OrthogonalInitializer")
class Orthogonal(RandomInitializer):
    """A random matrix with orthonormal columns or rows, whichever are fewer, times `gain`.

    A weight of more than two dimensions is seen as a matrix of shape (product of all but the last, last).

    Source: A. Saxe, J. McClelland, S. Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep
    linear neural networks", 2014; the signs as in F. Mezzadri, "How to generate random matrices from the
    classical compact groups", 2007.

    Args:
        gain: factor on the whole matrix.
        seed: as in RandomInitializer.

    Example:
        >>> q = Orthogonal(seed=1)((4, 2), "float64")
        >>> bool(numpy.allclose(q.T @ q, numpy.eye(2)))
        True
    """

    def __init__(self, gain: float = 1.0, seed: Seed = None) -> None:
        super().__init__(seed)
        self.gain = as_number(gain, "Orthogonal: gain")

    def __call__(self, shape: Any, dtype: Any = None) -> NDArray[Any]:
        """Return the matrix in `shape` (at least two dimensions) and float `dtype`.

        Raises:
            ValueError: `shape` has fewer than two dimensions.
        """
        dims, kind = self._shaped(shape, dtype)
        if len(dims) < 2:
            raise ValueError(
                f"Orthogonal: a weight must have at least 2 dimensions. Received shape {dims}. "
                f"Use another initializer for biases and scales."
            )
        rows, columns = math.prod(dims[:-1]), dims[-1]
        draws = standard_normal(self._draw(), rows * columns)
        q, r = np.linalg.qr(draws.reshape(max(rows, columns), min(rows, columns)))
        q = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)
        matrix = q if rows >= columns else q.T
        return (self.gain * matrix).reshape(dims).astype(kind)

    def get_config(self) -> dict[str, Any]:
        """Return {"gain", "seed"}."""
        return {"gain": self.gain, **super().get_config()}
