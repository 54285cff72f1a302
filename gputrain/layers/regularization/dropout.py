"""Layers that act in training only."""

from __future__ import annotations

from typing import Any

from gputrain import ops
from gputrain.layers.base import Layer, arguments, declared, registry


@registry.add()
class Dropout(Layer):
    """Sets a share of the elements to 0 in training, drawn anew in each step; does nothing otherwise.

    Args:
        rate: share to drop, 0 <= rate <= 1. The others are scaled by 1 / (1 - rate), up to 16 bits.
        noise_shape: shape of the mask, broadcast to the inputs; None entries mean the inputs' size.
        seed: an int or SeedGenerator; None means the configured seed.

    Shapes:
        any shape, kept.

    Raises:
        ValueError: a rate outside 0..1.

    Source:
        Srivastava et al. 2014, Dropout, scaled in training ("inverted").

    Example:
        >>> Dropout(0.5)(numpy.ones((1, 4), "float32"), training=False)
        array([[1., 1., 1., 1.]], dtype=float32)
    """

    supports_masking = True
    rate: float = declared.argument(arguments.share)
    noise_shape: Any = declared.argument(arguments.noise_shape, None)
    seed: Any = declared.argument(arguments.seed, None, plain=arguments.plain_seed)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The inputs, some of them 0 where `training`."""
        if not training or self.rate == 0:
            return inputs
        return ops.dropout(inputs, self.rate, noise_shape=self.noise_shape, seed=self.seed)
