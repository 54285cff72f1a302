"""What normalizations share: a factor and a summand for each feature."""

from __future__ import annotations

from typing import Any

from gputrain.layers.base import Layer, declared
from gputrain.runtime import Variable


class AffineLayer(Layer):
    """Base of the layers that end in gamma * normalized + beta.

    Args:
        center: whether beta is added.
        scale: whether gamma is multiplied.
        beta_initializer, gamma_initializer: first values of the weights.
        beta_regularizer, gamma_regularizer: penalties added to the loss.
        beta_constraint, gamma_constraint: what the weights keep to after each update.
    """

    supports_masking = True
    center: bool = declared.flag(True)
    scale: bool = declared.flag(True)
    beta_initializer: Any = declared.initializer("zeros")
    gamma_initializer: Any = declared.initializer("ones")
    beta_regularizer: Any = declared.regularizer()
    gamma_regularizer: Any = declared.regularizer()
    beta_constraint: Any = declared.constraint()
    gamma_constraint: Any = declared.constraint()
    gamma: Variable | None = None
    beta: Variable | None = None

    def add_gamma_and_beta(self, shape: tuple[int, ...]) -> None:
        """The weights of `shape`, where they are asked for."""
        if self.scale:
            self.gamma = self.add_declared_weight("gamma", shape)
        if self.center:
            self.beta = self.add_declared_weight("beta", shape)
