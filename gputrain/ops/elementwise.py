"""Arithmetic, functions and selection: one class each, over two small bases for one and two inputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from gputrain.errors import DTypeError, ShapeError, explain
from gputrain.ir import Spec, Value, broadcast
from gputrain.ops._erf import erf_into, erf_reference, erf_scratch
from gputrain.ops.base import Operation, Sample, apply, cast, convert, harmonize
from gputrain.ops.comparison import as_boolean, greater, greater_equal, less_equal, logical_and
from gputrain.ops.pointwise import (
    Gradients,
    _Binary,
    _Unary,
    as_float,
    as_floats,
    scalar_like,
    unary_function,
)

__all__ = [
    "Abs",
    "Add",
    "Ceil",
    "Clip",
    "Cos",
    "Divide",
    "Erf",
    "Exp",
    "Expm1",
    "Floor",
    "FloorDivide",
    "Log",
    "Log1p",
    "Maximum",
    "Minimum",
    "Mod",
    "Multiply",
    "Negative",
    "Power",
    "Round",
    "Rsqrt",
    "Sigmoid",
    "Sign",
    "Sin",
    "Sqrt",
    "Square",
    "StopGradient",
    "Subtract",
    "Tanh",
    "Where",
    "abs",
    "absolute",
    "add",
    "ceil",
    "clip",
    "cos",
    "divide",
    "erf",
    "exp",
    "expm1",
    "floor",
    "floor_divide",
    "log",
    "log1p",
    "maximum",
    "minimum",
    "mod",
    "multiply",
    "negative",
    "power",
    "round",
    "rsqrt",
    "sigmoid",
    "sign",
    "sin",
    "sqrt",
    "square",
    "stop_gradient",
    "subtract",
    "tanh",
    "true_divide",
    "where",
]


class Add(_Binary):
    """x + y."""

    function = "add"

    def vjp(self, ct: Value, out: Value, x: Value, y: Value) -> Gradients:
        return ct, ct


class Subtract(_Binary):
    """x - y."""

    function = "subtract"

    def vjp(self, ct: Value, out: Value, x: Value, y: Value) -> Gradients:
        return ct, negative(ct)


class Multiply(_Binary):
    """x * y."""

    function = "multiply"

    def vjp(self, ct: Value, out: Value, x: Value, y: Value) -> Gradients:
        return multiply(ct, y), multiply(ct, x)


class Divide(_Binary):
    """x / y."""

    function = "divide"
    floating = True
    domain = (0.5, 2.0)

    def vjp(self, ct: Value, out: Value, x: Value, y: Value) -> Gradients:
        dx = divide(ct, y)
        return dx, negative(multiply(dx, out))


class Maximum(_Binary):
    """Larger of two; where equal, the gradient goes to the first."""

    function = "maximum"

    def vjp(self, ct: Value, out: Value, x: Value, y: Value) -> Gradients:
        first = cast(greater_equal(x, y), ct.dtype)
        dx = multiply(ct, first)
        return dx, subtract(ct, dx)


class Minimum(_Binary):
    """Smaller of two; where equal, the gradient goes to the first."""

    function = "minimum"

    def vjp(self, ct: Value, out: Value, x: Value, y: Value) -> Gradients:
        first = cast(less_equal(x, y), ct.dtype)
        dx = multiply(ct, first)
        return dx, subtract(ct, dx)


class Power(_Binary):
    """x ** y."""

    function = "power"
    domain = (0.5, 2.0)

    def vjp(self, ct: Value, out: Value, x: Value, y: Value) -> Gradients:
        dx = multiply(ct, multiply(y, power(x, subtract(y, 1.0))))
        # x ** y * log(x) tends to 0 as x does; log(0) must not spoil it.
        safe = where(greater(x, 0.0), x, scalar_like(x, 1.0))
        return dx, multiply(ct, multiply(out, log(safe)))


class FloorDivide(_Binary):
    """floor(x / y); no gradient."""

    function = "floor_divide"
    domain = (1.0, 9.0)

    def vjp(self, ct: Value, out: Value, x: Value, y: Value) -> Gradients:
        return None, None


class Mod(_Binary):
    """Remainder with the sign of y."""

    function = "mod"
    domain = (1.0, 9.0)

    def vjp(self, ct: Value, out: Value, x: Value, y: Value) -> Gradients:
        return ct, negative(multiply(ct, floor_divide(x, y)))

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        x, y = np.array([5.3, 7.9, -3.2]), np.array([2.0, 3.0, 2.5])
        return [Sample(cls(), (x, y), np.mod), Sample(cls(), (np.zeros((0, 2)), np.ones((0, 2))), np.mod)]


class Negative(_Unary):
    """-x."""

    function = "negative"
    floating = False

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (negative(ct),)


class Abs(_Unary):
    """|x|."""

    function = "abs"
    floating = False

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (multiply(ct, sign(x)),)


class Sign(_Unary):
    """-1, 0 or 1 by the sign of x."""

    function = "sign"
    floating = False

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (None,)


class Floor(_Unary):
    """Largest integer not above x; no gradient."""

    function = "floor"

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (None,)


class Ceil(_Unary):
    """Smallest integer not below x; no gradient."""

    function = "ceil"

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (None,)


class Round(_Unary):
    """Nearest integer, halves to even."""

    function = "rint"

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (None,)


class Exp(_Unary):
    """e ** x."""

    function = "exp"

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (multiply(ct, out),)


class Expm1(_Unary):
    """e ** x - 1, exact near 0."""

    function = "expm1"

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (multiply(ct, add(out, 1.0)),)


class Log(_Unary):
    """Natural logarithm."""

    function = "log"
    domain = (0.5, 3.0)

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (divide(ct, x),)


class Log1p(_Unary):
    """log(1 + x), exact near 0."""

    function = "log1p"
    domain = (-0.5, 3.0)

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (divide(ct, add(x, 1.0)),)


class Sqrt(_Unary):
    """Square root."""

    function = "sqrt"
    domain = (0.5, 3.0)

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (divide(multiply(ct, 0.5), out),)


class Rsqrt(_Unary):
    """1 / sqrt(x)."""

    domain = (0.5, 3.0)
    reference = staticmethod(lambda x: 1.0 / np.sqrt(x))

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (multiply(ct, multiply(-0.5, divide(out, x))),)

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        xp.sqrt(x, out=out)
        xp.divide(1.0, out, out=out)


class Square(_Unary):
    """x * x."""

    function = "square"
    floating = False

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (multiply(ct, multiply(x, 2.0)),)


class Sin(_Unary):
    """Sine of x in radians."""

    function = "sin"

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (multiply(ct, apply(Cos(), x)),)


class Cos(_Unary):
    """Cosine of x in radians."""

    function = "cos"

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (negative(multiply(ct, apply(Sin(), x))),)


class Tanh(_Unary):
    """Hyperbolic tangent."""

    function = "tanh"

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (multiply(ct, subtract(1.0, square(out))),)


class Sigmoid(_Unary):
    """1 / (1 + exp(-x)), computed as (tanh(x / 2) + 1) / 2, which cannot overflow."""

    reference = staticmethod(lambda x: 1.0 / (1.0 + np.exp(-x)))

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (multiply(ct, multiply(out, subtract(1.0, out))),)

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        xp.multiply(x, 0.5, out=out)
        xp.tanh(out, out=out)
        xp.add(out, 1.0, out=out)
        xp.multiply(out, 0.5, out=out)


class Erf(_Unary):
    """Gauss error function, within 2 ulp in float32."""

    domain = (-3.5, 3.5)
    reference = staticmethod(erf_reference)

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (multiply(ct, multiply(2.0 / math.sqrt(math.pi), exp(negative(square(x))))),)

    def scratch(self, x: Spec) -> tuple[Spec, ...]:
        return erf_scratch(x)

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        erf_into(xp, out, x, scratch)


class Where(Operation):
    """x where the condition holds, y elsewhere; all three broadcast together."""

    broadcasts: ClassVar[bool] = True

    def infer(self, condition: Spec, x: Spec, y: Spec) -> Spec:
        if condition.dtype != "bool":
            raise DTypeError(explain("Where: the condition must be boolean.", received=condition))
        if x.dtype != y.dtype:
            raise DTypeError(explain("Where: both branches need one dtype.", received=f"{x} and {y}"))
        shape = broadcast(x, y, "Where")
        return Spec(broadcast(condition, Spec(shape), "Where"), x.dtype)

    def vjp(self, ct: Value, out: Value, condition: Value, x: Value, y: Value) -> Gradients:
        zero = scalar_like(ct, 0.0)
        return None, where(condition, ct, zero), where(condition, zero, ct)

    def compute(
        self, xp: Any, out: Any, condition: Any, x: Any, y: Any, *, scratch: tuple[Any, ...] = ()
    ) -> None:
        xp.copyto(out, y)
        xp.copyto(out, x, where=condition)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        flags = np.arange(12).reshape(3, 4) % 3 == 0
        return [
            Sample(cls(), (flags, Spec((3, 4)), Spec((3, 4))), np.where),
            Sample(cls(), (flags[:, :1], Spec((4,)), Spec(())), np.where),
            Sample(cls(), (flags[:0], Spec((0, 4)), Spec((1, 4))), np.where),
        ]


class Clip(Operation):
    """x limited to low..high; the gradient is 0 outside."""

    low: float
    high: float
    overwrites = ((0, 0),)

    def infer(self, x: Spec) -> Spec:
        return x

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        inside = logical_and(greater_equal(x, self.low), less_equal(x, self.high))
        return (multiply(ct, cast(inside, ct.dtype)),)

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        xp.clip(x, self.low, self.high, out=out)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        shapes = [(), (0,), (1,), (3, 5), (70001,)]
        return [Sample(cls(-0.7, 1.1), (Spec(s),), lambda x: np.clip(x, -0.7, 1.1)) for s in shapes]


class StopGradient(_Unary):
    """x, through which no gradient flows."""

    floating = False
    view = True
    reference = staticmethod(lambda x: x)

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (None,)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        return [Sample(cls(), (Spec(s),), lambda x: x, differentiable=()) for s in [(), (0,), (3, 5)]]


def add(x1: Any, x2: Any) -> Any:
    """x1 + x2, broadcast."""
    return apply(Add(), *harmonize(x1, x2))


def subtract(x1: Any, x2: Any) -> Any:
    """x1 - x2, broadcast."""
    return apply(Subtract(), *harmonize(x1, x2))


def multiply(x1: Any, x2: Any) -> Any:
    """x1 * x2, broadcast."""
    return apply(Multiply(), *harmonize(x1, x2))


def divide(x1: Any, x2: Any) -> Any:
    """x1 / x2, broadcast; integers are divided as floats."""
    return apply(Divide(), *as_floats(x1, x2))


true_divide = divide


def maximum(x1: Any, x2: Any) -> Any:
    """Larger of x1 and x2, elementwise."""
    return apply(Maximum(), *harmonize(x1, x2))


def minimum(x1: Any, x2: Any) -> Any:
    """Smaller of x1 and x2, elementwise."""
    return apply(Minimum(), *harmonize(x1, x2))


def power(x1: Any, x2: Any) -> Any:
    """x1 ** x2, elementwise; a square where x2 is the number 2."""
    if isinstance(x2, int | float) and x2 == 2:
        return square(x1)
    return apply(Power(), *harmonize(x1, x2))


def floor_divide(x1: Any, x2: Any) -> Any:
    """floor(x1 / x2)."""
    return apply(FloorDivide(), *harmonize(x1, x2))


def mod(x1: Any, x2: Any) -> Any:
    """Remainder of x1 / x2 with the sign of x2."""
    return apply(Mod(), *harmonize(x1, x2))


negative = unary_function(Negative, "negative", "-x.", floating=False)


abs = unary_function(Abs, "abs", "|x|, elementwise.", floating=False)


absolute = abs


sign = unary_function(Sign, "sign", "-1, 0 or 1 by the sign of x.", floating=False)


square = unary_function(Square, "square", "x * x.", floating=False)


floor = unary_function(Floor, "floor", "Largest integer not above x.")


ceil = unary_function(Ceil, "ceil", "Smallest integer not below x.")


exp = unary_function(Exp, "exp", "e ** x.")


expm1 = unary_function(Expm1, "expm1", "e ** x - 1, exact near 0.")


log = unary_function(Log, "log", "Natural logarithm.")


log1p = unary_function(Log1p, "log1p", "log(1 + x), exact near 0.")


sqrt = unary_function(Sqrt, "sqrt", "Square root.")


rsqrt = unary_function(Rsqrt, "rsqrt", "1 / sqrt(x).")


sin = unary_function(Sin, "sin", "Sine of x in radians.")


cos = unary_function(Cos, "cos", "Cosine of x in radians.")


tanh = unary_function(Tanh, "tanh", "Hyperbolic tangent.")


sigmoid = unary_function(Sigmoid, "sigmoid", "1 / (1 + exp(-x)).")


erf = unary_function(Erf, "erf", "Gauss error function.")


def round(x: Any, decimals: int = 0) -> Any:
    """Nearest number with so many decimals, halves to even."""
    x = as_float(x)
    if decimals == 0:
        return apply(Round(), x)
    factor = 10.0**decimals
    return divide(apply(Round(), multiply(x, factor)), factor)


def stop_gradient(variable: Any) -> Any:
    """The same contents, through which no gradient flows.

    Args:
        variable: an array, value or Variable.
    """
    return apply(StopGradient(), convert(variable))


def where(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    """x1 where `condition` holds, x2 elsewhere; all three broadcast together."""
    if x1 is None or x2 is None:
        raise ShapeError(
            explain(
                "where needs both branches: the number of true elements is not known when a model is built.",
                received="a condition alone" if x1 is x2 else "one branch",
                fix="Pass ops.where(condition, x1, x2).",
            )
        )
    return apply(Where(), as_boolean(condition), *harmonize(x1, x2))


def clip(x: Any, x_min: float, x_max: float) -> Any:
    """x limited to x_min..x_max (Python numbers)."""
    return apply(Clip(x_min, x_max), convert(x))
