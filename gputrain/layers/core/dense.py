"""Dense: every output from every input."""

from __future__ import annotations

from typing import Any

from gputrain import ops
from gputrain.errors import ShapeError, explain
from gputrain.ir import Shape
from gputrain.layers.base.arguments import known_size, positive_int
from gputrain.layers.base.kernel import KernelLayer


class Dense(KernelLayer):
    """activation(inputs @ kernel + bias), along the last axis.

    Args:
        units: size of the output's last axis.
        activation: a name as "relu", or a function; None for none.
        use_bias: whether a bias is added.
        kernel_initializer, bias_initializer: what the weights begin with.
        kernel_regularizer, bias_regularizer: penalties on the weights, added to the loss.
        activity_regularizer: a penalty on the outputs, added to the loss.
        kernel_constraint, bias_constraint: what the weights are held to after each step.

    Shapes:
        (N, ..., input_dim) to (N, ..., units); kernel (input_dim, units), bias (units,).

    Raises:
        ValueError: units is not a positive int.
        ShapeError: inputs of fewer than two dimensions, or a last axis of unknown size.

    Example:
        >>> Dense(4, activation="relu")(numpy.ones((2, 3), "float32")).shape
        (2, 4)
    """

    supports_masking = True

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            **kwargs,
        )
        self.units = positive_int(units, "Dense: units")

    def build(self, input_shape: Shape) -> None:
        """Make the kernel (input_dim, units) and the bias (units,)."""
        if len(input_shape) < 2:
            raise ShapeError(
                explain(
                    "Dense takes at least two dimensions, the samples and their features.",
                    expected="(N, ..., features)",
                    received=input_shape,
                    fix="Give a single feature an axis of its own: x[:, None].",
                )
            )
        self.kernel = self.add_kernel((known_size(input_shape, -1, "Dense"), self.units))
        self.bias = self.add_bias(self.units)

    def call(self, inputs: Any) -> Any:
        """(N, ..., input_dim) to (N, ..., units)."""
        return self.finish(ops.matmul(inputs, self.kernel))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {**super().get_config(), "units": self.units}
