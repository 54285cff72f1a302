"""Preprocessing without state."""

from __future__ import annotations

from typing import Any

import numpy as np

from gputrain import ops
from gputrain.layers.base.layer import Layer


class Rescaling(Layer):
    """inputs * scale + offset.

    Args:
        scale: a number, or an array that broadcasts to a sample's last axes.
        offset: likewise.

    Shapes:
        any shape of numbers, kept, in the layer's dtype.

    Example:
        >>> Rescaling(1 / 255)(numpy.array([[0, 255]], "uint8"))
        array([[0., 1.]], dtype=float32)
    """

    supports_masking = True

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = scale
        self.offset = offset

    def call(self, inputs: Any) -> Any:
        """The rescaled inputs."""
        x = ops.multiply(ops.cast(inputs, self.compute_dtype), self._operand(self.scale))
        return ops.add(x, self._operand(self.offset))

    def _operand(self, value: Any) -> Any:
        return value if isinstance(value, int | float) else np.asarray(value, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {**super().get_config(), "scale": _plain(self.scale), "offset": _plain(self.offset)}


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | float) else np.asarray(value).tolist()
