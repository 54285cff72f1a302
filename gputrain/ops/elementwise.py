"""Elementwise operations: one class each, over two small bases for one and two inputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..errors import DTypeError, ShapeError, explain
from ..ir import Spec, Value, broadcast, is_float
from ._erf import erf_into, erf_reference, erf_scratch
from .base import Operation, Sample, apply, cast, convert, harmonize, require_float

__all__ = [
    "Abs",
    "Add",
    "Ceil",
    "Clip",
    "Cos",
    "Divide",
    "Elu",
    "Equal",
    "Erf",
    "Exp",
    "Expm1",
    "Floor",
    "FloorDivide",
    "Greater",
    "GreaterEqual",
    "IsFinite",
    "Less",
    "LessEqual",
    "Log",
    "Log1p",
    "LogicalAnd",
    "LogicalNot",
    "LogicalOr",
    "Maximum",
    "Minimum",
    "Mod",
    "Multiply",
    "Negative",
    "NotEqual",
    "Power",
    "Relu",
    "ReluGrad",
    "Round",
    "Rsqrt",
    "Sigmoid",
    "Sign",
    "Sin",
    "Softplus",
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
    "elu",
    "equal",
    "erf",
    "exp",
    "expm1",
    "floor",
    "floor_divide",
    "gelu",
    "greater",
    "greater_equal",
    "isfinite",
    "less",
    "less_equal",
    "log",
    "log1p",
    "logical_and",
    "logical_not",
    "logical_or",
    "maximum",
    "minimum",
    "mod",
    "multiply",
    "negative",
    "not_equal",
    "power",
    "relu",
    "round",
    "rsqrt",
    "sigmoid",
    "sign",
    "silu",
    "sin",
    "softplus",
    "sqrt",
    "square",
    "stop_gradient",
    "subtract",
    "tanh",
    "true_divide",
    "where",
]

Gradients = Sequence[Value | None]


class _Unary(Operation):
    """One input, one output of its shape. `function` names the function of NumPy and CuPy."""

    function: ClassVar[str] = ""
    overwrites: ClassVar[tuple[tuple[int, int], ...]] = ((0, 0),)
    floating: ClassVar[bool] = True  # integer inputs are refused
    domain: ClassVar[tuple[float, float]] = (-2.0, 2.0)
    reference: ClassVar[Callable[..., Any] | None] = None

    def infer(self, x: Spec) -> Spec:
        if self.floating:
            require_float(x, type(self).__name__)
        return x

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        getattr(xp, self.function)(x, out=out)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        reference = cls.reference or getattr(np, cls.function)
        shapes = [(), (0,), (1,), (7,), (3, 5), (2, 1, 70001)]
        return [Sample(cls(), (Spec(s),), reference, *cls.domain) for s in shapes]


class _Binary(Operation):
    """Two inputs of one dtype, broadcast together."""

    function: ClassVar[str] = ""
    overwrites: ClassVar[tuple[tuple[int, int], ...]] = ((0, 0), (0, 1))
    floating: ClassVar[bool] = False
    result: ClassVar[str | None] = None  # dtype of the output when it is not the inputs'
    domain: ClassVar[tuple[float, float]] = (-2.0, 2.0)

    def infer(self, x: Spec, y: Spec) -> Spec:
        name = type(self).__name__
        if x.dtype != y.dtype:
            raise DTypeError(explain(f"{name} needs inputs of one dtype.", received=f"{x} and {y}"))
        if self.floating:
            require_float(x, name)
        return Spec(broadcast(x, y, name), self.result or x.dtype)

    def compute(self, xp: Any, out: Any, x: Any, y: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        getattr(xp, self.function)(x, y, out=out)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        pairs = [
            ((), ()),
            ((3, 5), (3, 5)),
            ((4, 1, 3), (2, 1)),
            ((5,), ()),
            ((0, 3), (1, 3)),
            ((70001,), (1,)),
        ]
        return [
            Sample(cls(), (Spec(a), Spec(b)), getattr(np, cls.function), *cls.domain, label=f"{a}x{b}")
            for a, b in pairs
        ]


# ---------------------------------------------------------------------------------------------- arithmetic


@dataclass(frozen=True)
class Add(_Binary):
    """x + y."""

    function = "add"

    def vjp(self, ct: Value, out: Value, x: Value, y: Value) -> Gradients:
        return ct, ct


@dataclass(frozen=True)
class Subtract(_Binary):
    """x - y."""

    function = "subtract"

    def vjp(self, ct: Value, out: Value, x: Value, y: Value) -> Gradients:
        return ct, negative(ct)


@dataclass(frozen=True)
class Multiply(_Binary):
    """x * y."""

    function = "multiply"

    def vjp(self, ct: Value, out: Value, x: Value, y: Value) -> Gradients:
        return multiply(ct, y), multiply(ct, x)


@dataclass(frozen=True)
class Divide(_Binary):
    """x / y."""

    function = "divide"
    floating = True
    domain = (0.5, 2.0)

    def vjp(self, ct: Value, out: Value, x: Value, y: Value) -> Gradients:
        dx = divide(ct, y)
        return dx, negative(multiply(dx, out))


@dataclass(frozen=True)
class Maximum(_Binary):
    """Larger of two; where equal, the gradient goes to the first."""

    function = "maximum"

    def vjp(self, ct: Value, out: Value, x: Value, y: Value) -> Gradients:
        first = cast(greater_equal(x, y), ct.dtype)
        dx = multiply(ct, first)
        return dx, subtract(ct, dx)


@dataclass(frozen=True)
class Minimum(_Binary):
    """Smaller of two; where equal, the gradient goes to the first."""

    function = "minimum"

    def vjp(self, ct: Value, out: Value, x: Value, y: Value) -> Gradients:
        first = cast(less_equal(x, y), ct.dtype)
        dx = multiply(ct, first)
        return dx, subtract(ct, dx)


@dataclass(frozen=True)
class Power(_Binary):
    """x ** y."""

    function = "power"
    domain = (0.5, 2.0)

    def vjp(self, ct: Value, out: Value, x: Value, y: Value) -> Gradients:
        dx = multiply(ct, multiply(y, power(x, subtract(y, 1.0))))
        # x ** y * log(x) tends to 0 as x does; log(0) must not spoil it.
        safe = where(greater(x, 0.0), x, scalar_like(x, 1.0))
        return dx, multiply(ct, multiply(out, log(safe)))


@dataclass(frozen=True)
class FloorDivide(_Binary):
    """floor(x / y); no gradient."""

    function = "floor_divide"
    domain = (1.0, 9.0)

    def vjp(self, ct: Value, out: Value, x: Value, y: Value) -> Gradients:
        return None, None


@dataclass(frozen=True)
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


# ---------------------------------------------------------------------------------------------- comparison


class _Compare(_Binary):
    result = "bool"
    overwrites = ()

    def vjp(self, ct: Value, out: Value, x: Value, y: Value) -> Gradients:
        return None, None


@dataclass(frozen=True)
class Equal(_Compare):
    """x == y."""

    function = "equal"


@dataclass(frozen=True)
class NotEqual(_Compare):
    """x != y."""

    function = "not_equal"


@dataclass(frozen=True)
class Less(_Compare):
    """x < y."""

    function = "less"


@dataclass(frozen=True)
class LessEqual(_Compare):
    """x <= y."""

    function = "less_equal"


@dataclass(frozen=True)
class Greater(_Compare):
    """x > y."""

    function = "greater"


@dataclass(frozen=True)
class GreaterEqual(_Compare):
    """x >= y."""

    function = "greater_equal"


class _Logical(_Compare):
    def infer(self, x: Spec, y: Spec) -> Spec:
        for spec in (x, y):
            if spec.dtype != "bool":
                raise DTypeError(explain(f"{type(self).__name__} needs boolean input.", received=spec))
        return Spec(broadcast(x, y, type(self).__name__), "bool")

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        a, b = np.array([[True], [False]]), np.array([True, False, True])
        return [
            Sample(cls(), (a, b), getattr(np, cls.function)),
            Sample(cls(), (b[:0], b[:0]), getattr(np, cls.function)),
        ]


@dataclass(frozen=True)
class LogicalAnd(_Logical):
    """x and y, of booleans."""

    function = "logical_and"


@dataclass(frozen=True)
class LogicalOr(_Logical):
    """x or y, of booleans."""

    function = "logical_or"


@dataclass(frozen=True)
class LogicalNot(Operation):
    """not x, of booleans."""

    overwrites = ((0, 0),)

    def infer(self, x: Spec) -> Spec:
        if x.dtype != "bool":
            raise DTypeError(explain("LogicalNot needs boolean input.", received=x))
        return x

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (None,)

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        xp.logical_not(x, out=out)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        flags = np.array([[True, False, True]])
        return [Sample(cls(), (flags,), np.logical_not), Sample(cls(), (flags[:0],), np.logical_not)]


@dataclass(frozen=True)
class IsFinite(_Unary):
    """True where x is neither NaN nor infinite."""

    function = "isfinite"
    overwrites = ()

    def infer(self, x: Spec) -> Spec:
        require_float(x, "IsFinite")
        return x.with_dtype("bool")

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (None,)


# ---------------------------------------------------------------------------------------------- functions


@dataclass(frozen=True)
class Negative(_Unary):
    """-x."""

    function = "negative"
    floating = False

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (negative(ct),)


@dataclass(frozen=True)
class Abs(_Unary):
    """|x|."""

    function = "abs"
    floating = False

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (multiply(ct, sign(x)),)


@dataclass(frozen=True)
class Sign(_Unary):
    """-1, 0 or 1 by the sign of x."""

    function = "sign"
    floating = False

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (None,)


@dataclass(frozen=True)
class Floor(_Unary):
    """Largest integer not above x; no gradient."""

    function = "floor"

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (None,)


@dataclass(frozen=True)
class Ceil(_Unary):
    """Smallest integer not below x; no gradient."""

    function = "ceil"

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (None,)


@dataclass(frozen=True)
class Round(_Unary):
    """Nearest integer, halves to even."""

    function = "rint"

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (None,)


@dataclass(frozen=True)
class Exp(_Unary):
    """e ** x."""

    function = "exp"

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (multiply(ct, out),)


@dataclass(frozen=True)
class Expm1(_Unary):
    """e ** x - 1, exact near 0."""

    function = "expm1"

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (multiply(ct, add(out, 1.0)),)


@dataclass(frozen=True)
class Log(_Unary):
    """Natural logarithm."""

    function = "log"
    domain = (0.5, 3.0)

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (divide(ct, x),)


@dataclass(frozen=True)
class Log1p(_Unary):
    """log(1 + x), exact near 0."""

    function = "log1p"
    domain = (-0.5, 3.0)

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (divide(ct, add(x, 1.0)),)


@dataclass(frozen=True)
class Sqrt(_Unary):
    """Square root."""

    function = "sqrt"
    domain = (0.5, 3.0)

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (divide(multiply(ct, 0.5), out),)


@dataclass(frozen=True)
class Rsqrt(_Unary):
    """1 / sqrt(x)."""

    domain = (0.5, 3.0)
    reference = staticmethod(lambda x: 1.0 / np.sqrt(x))

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (multiply(ct, multiply(-0.5, divide(out, x))),)

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        xp.sqrt(x, out=out)
        xp.divide(1.0, out, out=out)


@dataclass(frozen=True)
class Square(_Unary):
    """x * x."""

    function = "square"
    floating = False

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (multiply(ct, multiply(x, 2.0)),)


@dataclass(frozen=True)
class Sin(_Unary):
    """Sine of x in radians."""

    function = "sin"

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (multiply(ct, apply(Cos(), x)),)


@dataclass(frozen=True)
class Cos(_Unary):
    """Cosine of x in radians."""

    function = "cos"

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (negative(multiply(ct, apply(Sin(), x))),)


@dataclass(frozen=True)
class Tanh(_Unary):
    """Hyperbolic tangent."""

    function = "tanh"

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (multiply(ct, subtract(1.0, square(out))),)


@dataclass(frozen=True)
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


@dataclass(frozen=True)
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


# --------------------------------------------------------------------------------- activations with own op


@dataclass(frozen=True)
class Relu(_Unary):
    """max(x, 0); NaN stays NaN."""

    floating = False
    reference = staticmethod(lambda x: np.maximum(x, 0))

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (apply(ReluGrad(), ct, out),)

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        xp.maximum(x, 0, out=out)


@dataclass(frozen=True)
class ReluGrad(Operation):
    """ct where the activation's output is positive, else 0. Reads the output, so relu may work in place."""

    overwrites = ((0, 0),)

    def infer(self, ct: Spec, out: Spec) -> Spec:
        return ct

    def vjp(self, ct2: Value, result: Value, ct: Value, out: Value) -> Gradients:
        return apply(ReluGrad(), ct2, out), None

    def compute(self, xp: Any, out: Any, ct: Any, y: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        xp.greater(y, 0, out=scratch[0])
        xp.multiply(ct, scratch[0], out=out)

    def scratch(self, ct: Spec, out: Spec) -> tuple[Spec, ...]:
        return (out.with_dtype("bool"),)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(ct: np.ndarray, y: np.ndarray) -> np.ndarray:
            return np.where(y > 0, ct, 0.0)

        shapes = [(), (0, 4), (1,), (3, 5), (2, 70001)]
        return [Sample(cls(), (Spec(s), Spec(s)), reference, differentiable=(0,)) for s in shapes]


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class Softplus(_Unary):
    """log(1 + exp(x)), computed as max(x, 0) + log1p(exp(-|x|))."""

    reference = staticmethod(lambda x: np.log1p(np.exp(x)))
    overwrites = ()

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (multiply(ct, sigmoid(x)),)

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        xp.abs(x, out=out)
        xp.negative(out, out=out)
        xp.exp(out, out=out)
        xp.log1p(out, out=out)
        xp.maximum(x, 0, out=scratch[0])
        xp.add(out, scratch[0], out=out)

    def scratch(self, x: Spec) -> tuple[Spec, ...]:
        return (x,)


# ---------------------------------------------------------------------------------------------- selection


@dataclass(frozen=True)
class Where(Operation):
    """x where the condition holds, y elsewhere; all three broadcast together."""

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


@dataclass(frozen=True)
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


@dataclass(frozen=True)
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


# ---------------------------------------------------------------------------------------- public functions


def add(x1: Any, x2: Any) -> Any:
    """x1 + x2, broadcast."""
    return apply(Add(), *harmonize(x1, x2))


def subtract(x1: Any, x2: Any) -> Any:
    """x1 - x2, broadcast."""
    return apply(Subtract(), *harmonize(x1, x2))


def multiply(x1: Any, x2: Any) -> Any:
    """x1 * x2, broadcast."""
    return apply(Multiply(), *harmonize(x1, x2))


def _floating(*xs: Any) -> list[Any]:
    return [as_float(x) for x in harmonize(*xs)]


def divide(x1: Any, x2: Any) -> Any:
    """x1 / x2, broadcast; integers are divided as floats."""
    return apply(Divide(), *_floating(x1, x2))


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


def equal(x1: Any, x2: Any) -> Any:
    """x1 == x2, elementwise."""
    return apply(Equal(), *harmonize(x1, x2))


def not_equal(x1: Any, x2: Any) -> Any:
    """x1 != x2, elementwise."""
    return apply(NotEqual(), *harmonize(x1, x2))


def less(x1: Any, x2: Any) -> Any:
    """x1 < x2, elementwise."""
    return apply(Less(), *harmonize(x1, x2))


def less_equal(x1: Any, x2: Any) -> Any:
    """x1 <= x2, elementwise."""
    return apply(LessEqual(), *harmonize(x1, x2))


def greater(x1: Any, x2: Any) -> Any:
    """x1 > x2, elementwise."""
    return apply(Greater(), *harmonize(x1, x2))


def greater_equal(x1: Any, x2: Any) -> Any:
    """x1 >= x2, elementwise."""
    return apply(GreaterEqual(), *harmonize(x1, x2))


def _boolean(x: Any) -> Any:
    x = convert(x)
    return x if _dtype(x) == "bool" else not_equal(x, 0)


def logical_and(x1: Any, x2: Any) -> Any:
    """x1 and x2, elementwise; numbers count as true where they are not 0."""
    return apply(LogicalAnd(), _boolean(x1), _boolean(x2))


def logical_or(x1: Any, x2: Any) -> Any:
    """x1 or x2, elementwise; numbers count as true where they are not 0."""
    return apply(LogicalOr(), _boolean(x1), _boolean(x2))


def logical_not(x: Any) -> Any:
    """not x, elementwise; numbers count as true where they are not 0."""
    return apply(LogicalNot(), _boolean(x))


def _dtype(x: Any) -> str:
    return str(np.dtype(x.dtype).name)


def as_float(x: Any) -> Any:
    """`x`, integers and booleans converted to `config.floatx()`."""
    from .. import config

    x = convert(x)
    return x if is_float(_dtype(x)) else cast(x, config.floatx())


def _function(op: type[Operation], name: str, doc: str, floating: bool = True) -> Callable[[Any], Any]:
    def function(x: Any) -> Any:
        return apply(op(), as_float(x) if floating else convert(x))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


negative = _function(Negative, "negative", "-x.", floating=False)
abs = _function(Abs, "abs", "|x|, elementwise.", floating=False)
absolute = abs
sign = _function(Sign, "sign", "-1, 0 or 1 by the sign of x.", floating=False)
square = _function(Square, "square", "x * x.", floating=False)
floor = _function(Floor, "floor", "Largest integer not above x.")
ceil = _function(Ceil, "ceil", "Smallest integer not below x.")
exp = _function(Exp, "exp", "e ** x.")
expm1 = _function(Expm1, "expm1", "e ** x - 1, exact near 0.")
log = _function(Log, "log", "Natural logarithm.")
log1p = _function(Log1p, "log1p", "log(1 + x), exact near 0.")
sqrt = _function(Sqrt, "sqrt", "Square root.")
rsqrt = _function(Rsqrt, "rsqrt", "1 / sqrt(x).")
sin = _function(Sin, "sin", "Sine of x in radians.")
cos = _function(Cos, "cos", "Cosine of x in radians.")
tanh = _function(Tanh, "tanh", "Hyperbolic tangent.")
sigmoid = _function(Sigmoid, "sigmoid", "1 / (1 + exp(-x)).")
erf = _function(Erf, "erf", "Gauss error function.")
relu = _function(Relu, "relu", "max(x, 0).", floating=False)
softplus = _function(Softplus, "softplus", "log(1 + exp(x)).")
isfinite = _function(IsFinite, "isfinite", "True where x is neither NaN nor infinite.")


def round(x: Any, decimals: int = 0) -> Any:
    """Nearest number with so many decimals, halves to even."""
    x = as_float(x)
    if decimals == 0:
        return apply(Round(), x)
    factor = 10.0**decimals
    return divide(apply(Round(), multiply(x, factor)), factor)


def stop_gradient(variable: Any) -> Any:
    """The same contents, through which no gradient flows."""
    return apply(StopGradient(), convert(variable))


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
        inner = multiply(math.sqrt(2 / math.pi), add(x, multiply(0.044715, multiply(x, square(x)))))
        return multiply(multiply(x, 0.5), add(tanh(inner), 1.0))
    return multiply(multiply(x, 0.5), add(erf(multiply(x, 1 / math.sqrt(2))), 1.0))


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
    return apply(Where(), _boolean(condition), *harmonize(x1, x2))


def clip(x: Any, x_min: float, x_max: float) -> Any:
    """x limited to x_min..x_max (Python numbers)."""
    return apply(Clip(x_min, x_max), convert(x))


def scalar_like(x: Any, value: float) -> Any:
    """A number as a 0-d operand in the dtype of x."""
    return convert(np.asarray(value, _dtype(x)))
