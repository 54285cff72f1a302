"""An activation that learns its slope."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gputrain import constraints, initializers, ops, regularizers
from gputrain.ir import Shape, normalize_axis
from gputrain.layers.base.arguments import known_size, positive_int
from gputrain.layers.base.layer import Layer


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

    def __init__(
        self,
        alpha_initializer: Any = "Zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: int | Sequence[int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        given = [shared_axes] if isinstance(shared_axes, int) else shared_axes
        self.shared_axes = None if given is None else [positive_int(i, "PReLU: shared_axes") for i in given]

    def build(self, input_shape: Shape) -> None:
        """Make alpha, of the shape of a sample with 1 for each shared axis."""
        shared = [normalize_axis(i, len(input_shape), "PReLU: shared_axes") for i in self.shared_axes or ()]
        axes = range(1, len(input_shape))
        shape = [1 if i in shared else known_size(input_shape, i, "PReLU") for i in axes]
        self.alpha = self.add_weight(
            shape=tuple(shape),
            initializer=self.alpha_initializer,
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
            name="alpha",
        )

    def call(self, inputs: Any) -> Any:
        """The function of the inputs."""
        x = ops.cast(inputs, self.compute_dtype)  # the negative of an unsigned number is none
        below = ops.multiply(ops.relu(ops.negative(x)), self.alpha)
        return ops.subtract(ops.relu(x), below)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {
            **super().get_config(),
            "alpha_initializer": initializers.serialize(self.alpha_initializer),
            "alpha_regularizer": regularizers.serialize(self.alpha_regularizer),
            "alpha_constraint": constraints.serialize(self.alpha_constraint),
            "shared_axes": self.shared_axes,
        }
