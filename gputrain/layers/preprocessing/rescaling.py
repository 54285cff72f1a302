"""Preprocessing without state."""

from __future__ import annotations

from typing import Any

import numpy as np

from gputrain import ops
from gputrain.errors import explain
from gputrain.layers.base import Layer, declared, registry


def _numbers(value: Any, where: str) -> Any:
    """A number, or an array of them."""
    if np.asarray(value).dtype.kind not in "iuf":
        raise ValueError(explain(f"{where} is a number, or an array of numbers.", received=repr(value)))
    return value


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | float) else np.asarray(value).tolist()


@registry.add()
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
    scale: Any = declared.argument(_numbers, plain=_plain)
    offset: Any = declared.argument(_numbers, 0.0, plain=_plain)

    def call(self, inputs: Any) -> Any:
        """The rescaled inputs."""
        x = ops.multiply(ops.cast(inputs, self.compute_dtype), self._operand(self.scale))
        return ops.add(x, self._operand(self.offset))

    def _operand(self, value: Any) -> Any:
        return value if isinstance(value, int | float) else np.asarray(value, self.compute_dtype)
