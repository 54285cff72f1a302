"""An activation that learns its slope."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gputrain import ops
from gputrain.ir import Shape, normalize_axis
from gputrain.layers.base import Layer, declared, registry
from gputrain.layers.base.arguments import known_size, positive_int


def _axes(value: int | Sequence[int] | None, where: str) -> list[int] | None:
    """Positive axes as a list, or None."""
    given = [value] if isinstance(value, int) else value
    return None if given is None else [positive_int(axis, where) for axis in given]


@registry.add()
class PReLU(Layer):
    """`x` where positive, alpha * x elsewhere, with an alpha learnt for each element of a sample.

    Args:
        alpha_initializer: first values of alpha.
        alpha_regularizer: penalty on alpha, added to the loss.
        alpha_constraint: what alpha keeps to after each update.
        shared_axes: axes, counted from 1 after that of the samples, along which alpha is one number:
            [1, 2] means one alpha for each channel of images (N, H, W, C).

    Shapes:
        any shape, kept, in the layer's dtype; alpha has the shape of a sample, with 1 for each shared axis.

    Raises:
        ValueError: an axis that is not a positive int.
        ShapeError: an unknown size along an axis that is not shared, or a shared axis that is not there.

    Source:
        He et al. 2015, Delving Deep into Rectifiers.

    Example:
        >>> PReLU("ones")(numpy.array([[-1.0, 2.0]], "float32"))
        array([[-1.,  2.]], dtype=float32)
    """

    supports_masking = True
    alpha_initializer: Any = declared.initializer("Zeros")
    alpha_regularizer: Any = declared.regularizer()
    alpha_constraint: Any = declared.constraint()
    shared_axes: list[int] | None = declared.argument(_axes, None)

    def build(self, input_shape: Shape) -> None:
        """Make alpha, of the shape of a sample with 1 for each shared axis."""
        shared = [normalize_axis(i, len(input_shape), "PReLU: shared_axes") for i in self.shared_axes or ()]
        axes = range(1, len(input_shape))
        shape = [1 if i in shared else known_size(input_shape, i, "PReLU") for i in axes]
        self.alpha = self.add_declared_weight("alpha", tuple(shape))

    def call(self, inputs: Any) -> Any:
        """The function of the inputs."""
        x = ops.cast(inputs, self.compute_dtype)  # the negative of an unsigned number is none
        below = ops.multiply(ops.relu(ops.negative(x)), self.alpha)
        return ops.subtract(ops.relu(x), below)
