"""Masking: steps of a sequence that do not count."""

from __future__ import annotations

from typing import Any

from gputrain import ops
from gputrain.layers.base import Layer, arguments, declared, registry


@registry.add()
class Masking(Layer):
    """Masks the steps whose features all have one value: the layers that follow leave them out.

    Args:
        mask_value: what all features of a step have where it does not count.

    Shapes:
        (N, ..., features), kept; features of masked steps are 0. The mask is (N, ...).

    Example:
        >>> x = numpy.array([[[1.0, 0.0], [9.0, 9.0]]], "float32")
        >>> Masking(mask_value=9)(x).tolist()
        [[[1.0, 0.0], [0.0, 0.0]]]
    """

    supports_masking = True
    mask_value: float = declared.argument(arguments.number, 0.0)

    def call(self, inputs: Any) -> Any:
        """The inputs, 0 in masked steps."""
        counts = ops.any(ops.not_equal(inputs, self.mask_value), -1, keepdims=True)
        return ops.multiply(inputs, ops.cast(counts, inputs.dtype))

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Where a feature is not `mask_value`."""
        return ops.any(ops.not_equal(inputs, self.mask_value), -1)
