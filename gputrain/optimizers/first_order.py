"""SGD, RMSprop, Adam and AdamW: each one fused operation over all weights."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gputrain.errors import explain
from gputrain.ops.optim import AdamUpdate, RMSpropUpdate, SGDUpdate
from gputrain.optimizers.base import Optimizer


class SGD(Optimizer):
    """Gradient descent: w -= learning_rate * g; with momentum (Polyak 1964) or Nesterov's variant.

    Args:
        learning_rate: default 0.01.
        momentum: share of the last step that is kept, 0 to 1.
        nesterov: whether to look ahead.
        (others as in `Optimizer`)
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str = "SGD",
    ) -> None:
        super().__init__(
            learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
            ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name,
        )  # fmt: skip
        self.momentum, self.nesterov = _share(name, "momentum", momentum), bool(nesterov)

    @property
    def slot_names(self) -> tuple[str, ...]:
        return ("momentum",) if self.momentum else ()

    def fused_update(self, sizes: tuple[int, ...], decay: tuple[bool, ...]) -> SGDUpdate:
        return SGDUpdate(sizes, decay, self.weight_decay or 0.0, self.momentum, self.nesterov)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "momentum": self.momentum, "nesterov": self.nesterov}


class RMSprop(Optimizer):
    """Gradient over the root of its running mean square (Hinton 2012, lecture 6e).

    Args:
        learning_rate: default 0.001.
        rho: share of the old mean square that is kept.
        momentum: share of the last step that is kept.
        epsilon: added to the mean square.
        centered: subtract the squared running mean, so that the variance divides.
        (others as in `Optimizer`)
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str = "rmsprop",
    ) -> None:
        super().__init__(
            learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
            ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name,
        )  # fmt: skip
        self.rho, self.momentum = _share(name, "rho", rho), _share(name, "momentum", momentum)
        self.epsilon = _epsilon(name, epsilon)
        self.centered = bool(centered)

    @property
    def slot_names(self) -> tuple[str, ...]:
        return ("velocity", *(["momentum"] if self.momentum else []), *(["average"] if self.centered else []))

    def fused_update(self, sizes: tuple[int, ...], decay: tuple[bool, ...]) -> RMSpropUpdate:
        decay_rate = self.weight_decay or 0.0
        return RMSpropUpdate(sizes, decay, decay_rate, self.rho, self.momentum, self.epsilon, self.centered)

    def get_config(self) -> dict[str, Any]:
        own = {"rho": self.rho, "momentum": self.momentum, "epsilon": self.epsilon, "centered": self.centered}
        return {**super().get_config(), **own}


class Adam(Optimizer):
    """Adaptive moments (Kingma & Ba 2015), with the AMSGrad variant (Reddi et al. 2018).

    Args:
        learning_rate: default 0.001.
        beta_1, beta_2: shares of the old first and second moment that are kept.
        epsilon: added to the root of the second moment.
        amsgrad: divide by the largest second moment so far.
        (others as in `Optimizer`)
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str = "adam",
    ) -> None:
        super().__init__(
            learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
            ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name,
        )  # fmt: skip
        self.beta_1, self.beta_2 = _decay(name, "beta_1", beta_1), _decay(name, "beta_2", beta_2)
        self.epsilon = _epsilon(name, epsilon)
        self.amsgrad = bool(amsgrad)

    @property
    def slot_names(self) -> tuple[str, ...]:
        return ("momentum", "velocity", *(["velocity_hat"] if self.amsgrad else []))

    def fused_update(self, sizes: tuple[int, ...], decay: tuple[bool, ...]) -> AdamUpdate:
        decay_rate = self.weight_decay or 0.0
        return AdamUpdate(sizes, decay, decay_rate, self.beta_1, self.beta_2, self.epsilon, self.amsgrad)

    def get_config(self) -> dict[str, Any]:
        own = {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon, "amsgrad": self.amsgrad}
        return {**super().get_config(), **own}


class AdamW(Adam):
    """Adam with decoupled weight decay: w -= w * learning_rate * weight_decay before each update.

    Args:
        learning_rate: default 0.001.
        weight_decay: share of a weight that decays in a step of rate 1; `exclude_from_weight_decay` names
            weights that do not, as biases.
        beta_1, beta_2, epsilon, amsgrad: see `Adam`.
        (others as in `Optimizer`)

    Raises:
        ValueError: weight_decay is None; that is `Adam`.

    Source:
        Loshchilov & Hutter 2019, Decoupled Weight Decay Regularization.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str = "adamw",
    ) -> None:
        if weight_decay is None:
            raise ValueError(
                explain(
                    f"{name}: weight_decay is a number.",
                    received="None",
                    fix="Adam is the optimizer without weight decay.",
                )
            )
        super().__init__(
            learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay, clipnorm, clipvalue,
            global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency, loss_scale_factor,
            gradient_accumulation_steps, name,
        )  # fmt: skip


def _share(name: str, argument: str, value: Any) -> float:
    if not _is_number(value) or not 0 <= value <= 1:
        raise ValueError(explain(f"{name}: {argument} must lie in 0..1.", received=repr(value)))
    return float(value)


def _decay(name: str, argument: str, value: Any) -> float:
    """A share below 1: the moments are divided by 1 - share**step."""
    if not _is_number(value) or not 0 <= value < 1:
        rule = f"{name}: {argument} is a share below 1."
        raise ValueError(explain(rule, expected=f"0 <= {argument} < 1", received=repr(value)))
    return float(value)


def _epsilon(name: str, value: Any) -> float:
    if not _is_number(value) or not 0 <= value < math.inf:
        rule = f"{name}: epsilon must be a finite number, not below 0."
        raise ValueError(explain(rule, received=repr(value)))
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)
