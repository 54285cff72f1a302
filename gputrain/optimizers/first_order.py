"""SGD, RMSprop, Adam and AdamW: each one fused operation over all weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

from gputrain.errors import explain
from gputrain.ops.optim import AdamUpdate, RMSpropUpdate, SGDUpdate
from gputrain.optimizers.base import Optimizer, registry
from gputrain.utils.dtypes import is_number
from gputrain.utils.signatures import on_or_off, shares, with_line


class _FirstOrder(Optimizer):
    """Base of the optimizers whose step is one operation: `rule`, with the settings in its order.

    Args of a subclass that it does not name itself are those of `Optimizer`.
    """

    rule: ClassVar[Callable[..., Any]]
    _numeric_settings: tuple[str, ...] = ()

    def __init_subclass__(cls) -> None:
        cls.__doc__ = with_line(cls.__doc__, "(others as in `Optimizer`)")

    def _keep_settings(self, **settings: Any) -> None:
        """Check the settings of the rule, and keep them as attributes."""
        self._numeric_settings = tuple(settings)
        for argument, value in settings.items():
            setattr(self, argument, _CHECKS[argument](type(self).__name__, argument, value))

    def _values_of_settings(self) -> dict[str, Any]:
        return {argument: getattr(self, argument) for argument in self._numeric_settings}

    def fused_update(self, sizes: tuple[int, ...], decay: tuple[bool, ...]) -> Any:
        return self.rule(sizes, decay, self.weight_decay or 0.0, **self._values_of_settings())

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self._values_of_settings()}


@registry.add()
class SGD(_FirstOrder):
    """Gradient descent: w -= learning_rate * g; with momentum (Polyak 1964) or Nesterov's variant.

    Args:
        learning_rate: default 0.01.
        momentum: share of the last step that is kept, 0 to 1.
        nesterov: whether to look ahead.
    """

    rule = SGDUpdate
    momentum: float
    nesterov: bool

    @shares(Optimizer.__init__)
    def __init__(
        self, learning_rate: Any = 0.01, momentum: float = 0.0, nesterov: bool = False, **shared: Any
    ) -> None:
        super().__init__(learning_rate, **shared)
        self._keep_settings(momentum=momentum, nesterov=nesterov)

    @property
    def slot_names(self) -> tuple[str, ...]:
        return ("momentum",) if self.momentum else ()


@registry.add("RMSProp", "rmsprop")
class RMSprop(_FirstOrder):
    """Gradient over the root of its running mean square (Hinton 2012, lecture 6e).

    Args:
        learning_rate: default 0.001.
        rho: share of the old mean square that is kept.
        momentum: share of the last step that is kept.
        epsilon: added to the mean square.
        centered: subtract the squared running mean, so that the variance divides.
    """

    rule = RMSpropUpdate
    rho: float
    momentum: float
    epsilon: float
    centered: bool

    @shares(Optimizer.__init__)
    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **shared: Any,
    ) -> None:
        super().__init__(learning_rate, **shared)
        self._keep_settings(rho=rho, momentum=momentum, epsilon=epsilon, centered=centered)

    @property
    def slot_names(self) -> tuple[str, ...]:
        return ("velocity", *(["momentum"] if self.momentum else []), *(["average"] if self.centered else []))


@registry.add()
class Adam(_FirstOrder):
    """Adaptive moments (Kingma & Ba 2015), with the AMSGrad variant (Reddi et al. 2018).

    Args:
        learning_rate: default 0.001.
        beta_1, beta_2: shares of the old first and second moment that are kept.
        epsilon: added to the root of the second moment.
        amsgrad: divide by the largest second moment so far.
    """

    rule = AdamUpdate
    beta_1: float
    beta_2: float
    epsilon: float
    amsgrad: bool
    _slots_together = ("momentum", "velocity")

    @shares(Optimizer.__init__)
    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **shared: Any,
    ) -> None:
        super().__init__(learning_rate, **shared)
        self._keep_settings(beta_1=beta_1, beta_2=beta_2, epsilon=epsilon, amsgrad=amsgrad)

    @property
    def slot_names(self) -> tuple[str, ...]:
        return ("momentum", "velocity", *(["velocity_hat"] if self.amsgrad else []))


@registry.add("adamw")
class AdamW(Adam):
    """Adam with decoupled weight decay: w -= w * learning_rate * weight_decay before each update.

    Args:
        learning_rate: default 0.001.
        weight_decay: share of a weight that decays in a step of rate 1; `exclude_from_weight_decay` names
            weights that do not, as biases.
        beta_1, beta_2, epsilon, amsgrad: see `Adam`.

    Raises:
        ValueError: weight_decay is None; that is `Adam`.

    Source:
        Loshchilov & Hutter 2019, Decoupled Weight Decay Regularization.
    """

    @shares(Adam.__init__)
    def __init__(self, learning_rate: Any = 0.001, weight_decay: float = 0.004, **shared: Any) -> None:
        if weight_decay is None:
            raise ValueError(
                explain(
                    f"{type(self).__name__}: weight_decay is a number.",
                    received="None",
                    fix="Adam is the optimizer without weight decay.",
                )
            )
        super().__init__(learning_rate, weight_decay=weight_decay, **shared)


def _share(name: str, argument: str, value: Any) -> float:
    if not is_number(value) or not 0 <= value <= 1:
        raise ValueError(explain(f"{name}: {argument} must lie in 0..1.", received=repr(value)))
    return float(value)


def _moment_share(name: str, argument: str, value: Any) -> float:
    """A share below 1: the moments are divided by 1 - share**step."""
    if not is_number(value) or not 0 <= value < 1:
        rule = f"{name}: {argument} is a share below 1."
        raise ValueError(explain(rule, expected=f"0 <= {argument} < 1", received=repr(value)))
    return float(value)


def _epsilon(name: str, argument: str, value: Any) -> float:
    if not is_number(value) or not 0 <= value < math.inf:
        rule = f"{name}: {argument} must be a finite number, not below 0."
        raise ValueError(explain(rule, received=repr(value)))
    return float(value)


def _flag(name: str, argument: str, value: Any) -> bool:
    return on_or_off(value, f"{name}: {argument}", also=(0, 1))


_CHECKS: dict[str, Callable[[str, str, Any], Any]] = {
    "momentum": _share,
    "rho": _share,
    "beta_1": _moment_share,
    "beta_2": _moment_share,
    "epsilon": _epsilon,
    "nesterov": _flag,
    "centered": _flag,
    "amsgrad": _flag,
}
