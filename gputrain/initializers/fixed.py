"""Initializers without chance: zeros, ones, a constant, the identity matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gputrain.initializers.base import Initializer, registry
from gputrain.utils.dtypes import as_dtype, as_number, as_shape


@registry.add("zero")
class Zeros(Initializer):
    """All values 0.

    Example:
        >>> Zeros()((2,)).tolist()
        [0.0, 0.0]
    """

    def __call__(self, shape: Any, dtype: Any = None) -> NDArray[Any]:
        """Return zeros of `shape` and `dtype`."""
        return np.zeros(as_shape(shape, "Zeros"), as_dtype(dtype, "Zeros"))


@registry.add("one")
class Ones(Initializer):
    """All values 1.

    Example:
        >>> Ones()((2,)).tolist()
        [1.0, 1.0]
    """

    def __call__(self, shape: Any, dtype: Any = None) -> NDArray[Any]:
        """Return ones of `shape` and `dtype`."""
        return np.ones(as_shape(shape, "Ones"), as_dtype(dtype, "Ones"))


@registry.add()
class Constant(Initializer):
    """All values `value`.

    Args:
        value: a number, or an array that broadcasts to the shape asked for.

    Example:
        >>> Constant(3.0)((2,)).tolist()
        [3.0, 3.0]
    """

    def __init__(self, value: Any = 0.0) -> None:
        if np.asarray(value).dtype.kind not in "biuf":
            raise ValueError(f"Constant: value must be a number or an array of numbers. Received {value!r}.")
        self.value = value

    def __call__(self, shape: Any, dtype: Any = None) -> NDArray[Any]:
        """Return `value` broadcast to `shape`, of `dtype`.

        Raises:
            ValueError: `value` does not broadcast to `shape`.
        """
        dims, value = as_shape(shape, "Constant"), np.asarray(self.value)
        try:
            return np.broadcast_to(value, dims).astype(as_dtype(dtype, "Constant"))
        except ValueError:
            raise ValueError(
                f"Constant: value must broadcast to the weight's shape {dims}. "
                f"Received a value of shape {value.shape}."
            ) from None

    def get_config(self) -> dict[str, Any]:
        """Return {"value": number or nested list}."""
        return {"value": np.asarray(self.value).tolist()}


@registry.add("IdentityInitializer")
class Identity(Initializer):
    """`gain` on the main diagonal, 0 elsewhere; for weights of two dimensions.

    Args:
        gain: the value on the diagonal.

    Example:
        >>> Identity()((2, 2)).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = as_number(gain, "Identity: gain")

    def __call__(self, shape: Any, dtype: Any = None) -> NDArray[Any]:
        """Return the matrix of `shape` (rows, columns) and `dtype`.

        Raises:
            ValueError: `shape` is not of two dimensions.
        """
        dims = as_shape(shape, "Identity")
        if len(dims) != 2:
            raise ValueError(
                f"Identity: a weight must have 2 dimensions. Received shape {dims}. Use Orthogonal for more."
            )
        return (self.gain * np.eye(*dims)).astype(as_dtype(dtype, "Identity"))

    def get_config(self) -> dict[str, Any]:
        """Return {"gain": float}."""
        return {"gain": self.gain}
