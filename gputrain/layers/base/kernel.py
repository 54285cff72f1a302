"""What Dense and convolutions share: filters, a bias and an activation, with their settings."""

from __future__ import annotations

from typing import Any

from gputrain import ops
from gputrain.layers.base import declared
from gputrain.layers.base.layer import Layer
from gputrain.runtime import Variable


class BiasLayer(Layer):
    """activation(product + bias); subclasses say what the product is, and have its weights.

    Args:
        activation: a name as "relu", or a function; None for none.
        use_bias: whether a bias is added.
        bias_initializer: what the bias begins with.
        bias_regularizer: a penalty on the bias, added to the loss.
        activity_regularizer: a penalty on the outputs, added to the loss.
        bias_constraint: what the bias is held to after each step.
    """

    activation: Any = declared.activation()
    use_bias: bool = declared.flag(True)
    bias_initializer: Any = declared.initializer("zeros")
    bias_regularizer: Any = declared.regularizer()
    activity_regularizer: Any = declared.regularizer()
    bias_constraint: Any = declared.constraint()
    bias: Variable | None = None

    def add_bias(self, size: int) -> Variable | None:
        """The trainable weight "bias" (size,), or None without a bias."""
        return self.add_declared_weight("bias", (size,)) if self.use_bias else None

    def finish(self, product: Any) -> Any:
        """activation(product + bias), the channels being the last axis."""
        return self.activation(product if self.bias is None else ops.add(product, self.bias))


class KernelLayer(BiasLayer):
    """activation(product(inputs, kernel) + bias); subclasses say what the product is.

    Args:
        kernel_initializer, bias_initializer: what the weights begin with.
        kernel_regularizer, bias_regularizer: penalties on the weights, added to the loss.
        kernel_constraint, bias_constraint: what the weights are held to after each step.
    """

    kernel_initializer: Any = declared.initializer("glorot_uniform", after="use_bias")
    kernel_regularizer: Any = declared.regularizer(after="bias_initializer")
    kernel_constraint: Any = declared.constraint(after="activity_regularizer")

    def add_kernel(self, shape: tuple[int, ...]) -> Variable:
        """The trainable weight "kernel" of `shape`."""
        return self.add_declared_weight("kernel", shape)
