"""Layers that only architectures of `applications` have: no public names, but configs may name them."""

from __future__ import annotations

from typing import Any, ClassVar

from gputrain import initializers, ops
from gputrain.ir import Shape
from gputrain.layers.base import Layer, arguments, declared, registry


@registry.add()
class CustomScaleLayer(Layer):
    """The first of two inputs plus the second one scaled.

    Args:
        scale: factor on the second input.

    Shapes:
        two of any shape, kept.
    """

    keras_room: ClassVar[str] = "keras.src.applications.inception_resnet_v2"
    scale: float = declared.argument(arguments.number)

    def call(self, inputs: Any) -> Any:
        """Two (N, ...) to (N, ...)."""
        return ops.add(inputs[0], ops.multiply(inputs[1], self.scale))


@registry.add()
class LayerScale(Layer):
    """Each channel multiplied by a weight (Touvron et al. 2021).

    Args:
        init_values: what all weights begin with.
        projection_dim: number of channels.

    Shapes:
        (N, ..., C), kept.
    """

    keras_room: ClassVar[str] = "keras.src.applications.convnext"
    init_values: float = declared.argument(arguments.number)
    projection_dim: int = declared.argument(arguments.positive_int)

    def build(self, input_shape: Shape) -> None:
        """Make gamma (C,)."""
        self.gamma = self.add_weight((self.projection_dim,), initializers.Constant(self.init_values))

    def call(self, inputs: Any) -> Any:
        """(N, ..., C) to (N, ..., C)."""
        return ops.multiply(inputs, self.gamma)


@registry.add()
class StochasticDepth(Layer):
    """Whole samples set to 0 in training, drawn anew in each step, and the others scaled (Huang et al. 2016).

    Args:
        drop_path_rate: share of the samples to drop.

    Shapes:
        (N, ...), kept.
    """

    keras_room: ClassVar[str] = "keras.src.applications.convnext"
    drop_path_rate: float = declared.argument(arguments.share)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The inputs, some samples 0 where `training`."""
        if not training or self.drop_path_rate == 0:
            return inputs
        return ops.dropout(inputs, self.drop_path_rate, noise_shape=(None, *[1] * (inputs.ndim - 1)))
