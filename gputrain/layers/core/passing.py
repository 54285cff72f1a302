"""Layers that hand their inputs on unchanged."""

from __future__ import annotations

from typing import Any

from gputrain import regularizers
from gputrain.layers.base import Layer, arguments, declared, registry


@registry.add()
class Identity(Layer):
    """The inputs themselves: a place for a layer that is not needed.

    Shapes:
        any shape, kept.

    Example:
        >>> Identity()(numpy.ones((1, 2), "float32"))
        array([[1., 1.]], dtype=float32)
    """

    supports_masking = True

    def call(self, inputs: Any) -> Any:
        """The inputs."""
        return inputs


@registry.add()
class ActivityRegularization(Layer):
    """The inputs themselves, whose size adds to the loss: l1 * sum(|x|) + l2 * sum(x ** 2), for each sample.

    Args:
        l1: factor of the first sum, 0 or more.
        l2: factor of the second sum, 0 or more.

    Shapes:
        any shape, kept.

    Raises:
        ValueError: a factor that is not a finite number, 0 or more.

    Example:
        >>> ActivityRegularization(l1=0.01)(numpy.ones((1, 2), "float32"))
        array([[1., 1.]], dtype=float32)
    """

    supports_masking = True
    l1: float = declared.argument(arguments.number, 0.0)
    l2: float = declared.argument(arguments.number, 0.0)

    def check_arguments(self) -> None:
        """The penalty is that of the two factors."""
        self.activity_regularizer = regularizers.L1L2(l1=self.l1, l2=self.l2)

    def call(self, inputs: Any) -> Any:
        """The inputs."""
        return inputs

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        config = super().get_config()
        del config["activity_regularizer"]
        return config
