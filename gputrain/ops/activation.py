"""Activations that are operations of their own, and those composed of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gputrain.ir import Spec, Value
from gputrain.ops.base import Operation, Sample, apply, require_float
from gputrain.ops.comparison import greater
from gputrain.ops.elementwise import (
    add,
    clip,
    exp,
    keep_bits,
    multiply,
    negative,
    sigmoid,
    square,
    subtract,
    tanh,
    where,
)
from gputrain.ops.pointwise import Gradients, _Unary, as_float, unary_function
from gputrain.ops.special import erfc, erfc_reference

# Of gelu's approximation 0.5 * x * (1 + tanh(TANH_SCALE * (x + TANH_CUBE * x ** 3))). Beyond the level, tanh
# and erf are -1 or 1 in any dtype; the cube of a large number would be infinite.
GELU_LEVEL, TANH_SCALE, TANH_CUBE = 30.0, math.sqrt(2 / math.pi), 0.044715

__all__ = [
    "Elu",
    "Gelu",
    "GeluGrad",
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


def _share_below(x: Any, approximate: bool) -> Any:
    """The share of the normal distribution below x, in operations; by tanh where `approximate`."""
    if approximate:
        near = clip(x, -GELU_LEVEL, GELU_LEVEL)
        inner = multiply(TANH_SCALE, add(near, multiply(TANH_CUBE, multiply(near, square(near)))))
        return multiply(add(tanh(inner), 1.0), 0.5)
    return multiply(erfc(multiply(x, -math.sqrt(0.5))), 0.5)


def _density(x: Any, approximate: bool) -> Any:
    """The slope of `_share_below`."""
    if approximate:
        share, near = _share_below(x, True), clip(x, -GELU_LEVEL, GELU_LEVEL)
        slope = add(2 * TANH_SCALE, multiply(6 * TANH_SCALE * TANH_CUBE, square(near)))
        return multiply(multiply(share, subtract(1.0, share)), slope)
    return multiply(exp(multiply(square(x), -0.5)), 1 / math.sqrt(2 * math.pi))


class Gelu(Operation):
    """Gaussian error linear unit: x times the share of the normal distribution below x.

    Source: Hendrycks & Gimpel 2016.
    """

    approximate: bool
    overwrites = ((0, 0),)

    def infer(self, x: Spec) -> Spec:
        require_float(x, "Gelu")
        return x

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (apply(GeluGrad(self.approximate), ct, x),)

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        out[...] = x * self.share(xp, x)

    def share(self, xp: Any, x: Any) -> Any:
        """The share below x, or its approximation."""
        if self.approximate:
            near = xp.clip(x, -GELU_LEVEL, GELU_LEVEL)
            return 0.5 * (1 + xp.tanh(TANH_SCALE * (near + TANH_CUBE * near**3)))
        host = x if xp is np else x.get()
        return xp.asarray(0.5 * erfc_reference(-math.sqrt(0.5) * host), x.dtype)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(approximate: bool) -> Any:
            return lambda x: x * _reference(x, approximate)

        shapes: list[tuple[int, ...]] = [(), (0,), (1,), (3, 5), (2, 8195)]
        return [
            Sample(cls(approximate), (Spec(s),), reference(approximate), -7.0, 7.0, label=str(approximate))
            for approximate in (False, True)
            for s in shapes
        ]


def _reference(x: np.ndarray, approximate: bool) -> np.ndarray:
    """The share of the normal distribution below x."""
    if approximate:
        return 1 / (1 + np.exp(-2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return 0.5 * erfc_reference(-x / math.sqrt(2))


class GeluGrad(Operation):
    """The gradient of Gelu: ct times the share below x and x times its slope."""

    approximate: bool
    overwrites = ((0, 0),)

    def infer(self, ct: Spec, x: Spec) -> Spec:
        return x

    def vjp(self, ct2: Value, out: Value, ct: Value, x: Value) -> Gradients:
        density = _density(x, self.approximate)
        if self.approximate:
            # The density 2 s (1 - s) u' has the slope 2 s (1 - s) (2 (1 - 2 s) u' u' + u''), s the share.
            share, near = _share_below(x, True), clip(x, -GELU_LEVEL, GELU_LEVEL)
            first = add(TANH_SCALE, multiply(3 * TANH_SCALE * TANH_CUBE, square(near)))
            second = multiply(6 * TANH_SCALE * TANH_CUBE, near)
            both = multiply(multiply(share, subtract(1.0, share)), 2.0)
            turned = multiply(multiply(subtract(1.0, multiply(share, 2.0)), square(first)), 2.0)
            bent = multiply(near, multiply(both, add(turned, second)))
        else:
            bent = negative(multiply(square(x), density))
        by_x = multiply(multiply(ct2, ct), add(multiply(density, 2.0), bent))
        return apply(self, ct2, x), by_x

    def compute(self, xp: Any, out: Any, ct: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        share, near = Gelu(self.approximate).share(xp, x), x
        if self.approximate:
            near = xp.clip(x, -GELU_LEVEL, GELU_LEVEL)
            slope = share * (1 - share) * (2 * TANH_SCALE * (1 + 3 * TANH_CUBE * near**2))
        else:
            slope = xp.exp(-0.5 * x**2) / math.sqrt(2 * math.pi)
        out[...] = ct * (share + near * slope)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(approximate: bool) -> Any:
            def run(ct: np.ndarray, x: np.ndarray) -> np.ndarray:
                if approximate:  # a step of a complex number, which loses no digits
                    turned = x + 1e-30j
                    return ct * (turned * _reference(turned, True)).imag / 1e-30
                return ct * (_reference(x, False) + x * np.exp(-x * x / 2) / np.sqrt(2 * np.pi))

            return run

        shapes: list[tuple[int, ...]] = [(), (0,), (1,), (3, 5), (2, 8195)]
        made = []
        for approximate in (False, True):
            op, expected = cls(approximate), reference(approximate)
            zeros = np.ones(2), np.array([0.0, -0.0])
            made.append(Sample(op, zeros, expected, label=f"{approximate} at 0"))
            made += [
                Sample(op, (Spec(s), Spec(s)), expected, -6.0, 6.0, label=f"{approximate} {s}")
                for s in shapes
            ]
        return made


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
    return apply(Gelu(bool(approximate)), as_float(x))
