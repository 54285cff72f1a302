"""Activations that are operations of their own, and those composed of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gputrain.ir import Spec, Value
from gputrain.ops.base import Operation, Sample, apply
from gputrain.ops.comparison import greater
from gputrain.ops.elementwise import add, clip, keep_bits, multiply, sigmoid, square, tanh, where
from gputrain.ops.pointwise import Gradients, _Unary, as_float, unary_function
from gputrain.ops.special import erf

# Beyond, tanh in gelu's approximation is -1 or 1 in any dtype; the cube of a large number would be infinite.
_GELU_LEVEL = 30.0

__all__ = [
    "Elu",
    "Relu",
    "ReluGrad",
    "Softplus",
    "elu",
    "gelu",
    "relu",
    "silu",
    "softplus",
]


class Relu(_Unary):
    """max(x, 0).

    NaN stays NaN.
    """

    gradient = staticmethod(lambda ct, y, x: apply(ReluGrad(), ct, y))
    floating = False
    counting = True
    reference = staticmethod(lambda x: np.maximum(x, 0))

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        xp.maximum(x, 0, out=out)


class ReluGrad(Operation):
    """ct where the activation's output is positive, else 0. Reads the output, so relu may work in place."""

    overwrites = ((0, 0),)

    def infer(self, ct: Spec, out: Spec) -> Spec:
        return ct

    def vjp(self, ct2: Value, result: Value, ct: Value, out: Value) -> Gradients:
        return apply(ReluGrad(), ct2, out), None

    def compute(self, xp: Any, out: Any, ct: Any, y: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        xp.greater(y, 0, out=scratch[0])
        keep_bits(xp, ct, scratch[0], out)

    def scratch(self, ct: Spec, out: Spec) -> tuple[Spec, ...]:
        return (out.with_dtype("bool"),)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(ct: np.ndarray, y: np.ndarray) -> np.ndarray:
            return np.where(y > 0, ct, 0.0)

        shapes = [(), (0, 4), (1,), (3, 5), (2, 70001)]
        return [Sample(cls(), (Spec(s), Spec(s)), reference, differentiable=(0,)) for s in shapes]


class Elu(_Unary):
    """x where positive, alpha * (exp(x) - 1) elsewhere (Clevert et al. 2015)."""

    alpha: float = 1.0
    reference = staticmethod(lambda x: np.where(x > 0, x, np.expm1(x)))
    overwrites = ()

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (where(greater(x, 0.0), ct, multiply(ct, add(out, self.alpha))),)

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        xp.minimum(x, 0, out=out)
        xp.expm1(out, out=out)
        xp.multiply(out, self.alpha, out=out)
        xp.maximum(x, 0, out=scratch[0])
        xp.add(out, scratch[0], out=out)

    def scratch(self, x: Spec) -> tuple[Spec, ...]:
        return (x,)


class Softplus(_Unary):
    """log(1 + exp(x)).

    Computed as max(x, 0) + log1p(exp(-|x|)).
    """

    gradient = staticmethod(lambda ct, y, x: ct * sigmoid(x))
    reference = staticmethod(lambda x: np.log1p(np.exp(x)))
    overwrites = ()

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        xp.abs(x, out=out)
        xp.negative(out, out=out)
        xp.exp(out, out=out)
        xp.log1p(out, out=out)
        xp.maximum(x, 0, out=scratch[0])
        xp.add(out, scratch[0], out=out)

    def scratch(self, x: Spec) -> tuple[Spec, ...]:
        return (x,)


relu = unary_function(Relu)
softplus = unary_function(Softplus)


def elu(x: Any, alpha: float = 1.0) -> Any:
    """x where positive, alpha * (exp(x) - 1) elsewhere (Clevert et al. 2015)."""
    return apply(Elu(float(alpha)), as_float(x))


def silu(x: Any) -> Any:
    """x * sigmoid(x) (Elfwing et al. 2017)."""
    x = as_float(x)
    return multiply(x, sigmoid(x))


def gelu(x: Any, approximate: bool = True) -> Any:
    """Gaussian error linear unit, x * Phi(x) (Hendrycks & Gimpel 2016); by tanh where `approximate`."""
    x = as_float(x)
    if approximate:
        near = clip(x, -_GELU_LEVEL, _GELU_LEVEL)
        inner = multiply(math.sqrt(2 / math.pi), add(near, multiply(0.044715, multiply(near, square(near)))))
        return multiply(multiply(x, 0.5), add(tanh(inner), 1.0))
    return multiply(multiply(x, 0.5), add(erf(multiply(x, 1 / math.sqrt(2))), 1.0))
