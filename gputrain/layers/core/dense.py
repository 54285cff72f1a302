"""Dense: every output from every input."""

from __future__ import annotations

from typing import Any

from gputrain import ops
from gputrain.errors import ShapeError, explain
from gputrain.ir import Shape
from gputrain.layers.base import declared, registry
from gputrain.layers.base.arguments import known_size, positive_int
from gputrain.layers.base.kernel import KernelLayer


@registry.add()
class Dense(KernelLayer):
    """activation(inputs @ kernel + bias), along the last axis.

    Args:
        units: size of the output's last axis.
        lora_rank, lora_alpha, quantization_config: of Keras; only None is taken.

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
    units: int = declared.argument(positive_int)
    lora_rank: None = declared.keras_only("lora_rank", after="bias_constraint")
    lora_alpha: None = declared.keras_only("lora_alpha", after="lora_rank")
    quantization_config: None = declared.keras_only("quantization_config", after="lora_alpha")

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
