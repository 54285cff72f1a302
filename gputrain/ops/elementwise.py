"""Arithmetic, functions and selection: one class each, over two small bases for one and two inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from gputrain.errors import DTypeError, ShapeError, explain
from gputrain.ir import Spec, Value, broadcast, is_float
from gputrain.ir.spec import whole_number
from gputrain.ops.base import (
    Constant,
    Operation,
    Sample,
    apply,
    constant,
    convert,
    harmonize,
    is_number,
    require_float,
)
from gputrain.ops.comparison import (
    as_boolean,
    equal,
    greater,
    greater_equal,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    not_equal,
)
from gputrain.ops.pointwise import (
    Gradients,
    _Binary,
    _Unary,
    as_float,
    as_floats,
    binary_function,
    counted,
    dtype_of,
    no_gradient,
    scalar_like,
    unary_function,
    variant,
)

__all__ = [
    "Abs",
    "Add",
    "Ceil",
    "ChoiceGrad",
    "Clip",
    "Cos",
    "Divide",
    "Exp",
    "Expm1",
    "Floor",
    "FloorDivide",
    "Kept",
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
    "Through",
    "Where",
    "abs",
    "absolute",
    "add",
    "ceil",
    "clip",
    "cos",
    "divide",
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


# ------------------------------------------------------------------------------ what gradients are made with


class Kept(Operation):
    """x where the condition holds, 0 elsewhere, also where x is infinite or NaN."""

    broadcasts: ClassVar[bool] = True
    overwrites = ((0, 0),)

    def infer(self, x: Spec, condition: Spec) -> Spec:
        require_float(x, "Kept")
        if condition.dtype != "bool":
            raise DTypeError(explain("Kept: the condition must be boolean.", received=condition))
        return Spec(broadcast(x, condition, "Kept"), x.dtype)

    def vjp(self, ct: Value, out: Value, x: Value, condition: Value) -> Gradients:
        return kept(ct, condition), None

    def compute(self, xp: Any, out: Any, x: Any, condition: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        keep_bits(xp, x, condition, out)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(x: np.ndarray, condition: np.ndarray) -> np.ndarray:
            return np.where(condition, x, 0.0)

        flags = np.arange(12).reshape(3, 4) % 3 == 0
        found = [Sample(cls(), (Spec(s), flags), reference) for s in [(3, 4), (4,), (3, 1), ()]]
        edges = np.array([np.nan, np.inf, -np.inf, 1.0, -0.0, -2.0])
        return [
            *found,
            Sample(cls(), (Spec((2, 3, 4)), flags[:, :1]), reference, label="of rows"),
            Sample(cls(), (Spec((0, 4)), flags[:0]), reference),
            Sample(cls(), (Spec((70001,)), np.arange(70001) % 7 < 3), reference),
            Sample(cls(), (edges, np.zeros(6, bool)), reference, differentiable=(), label="edges"),
        ]


def keep_bits(xp: Any, x: Any, condition: Any, out: Any) -> None:
    """x where the condition holds, else 0, into `out`: the bits times 1 or 0.

    So neither NaN nor infinity gets through; a masked copy takes ten times as long.
    """
    kind = f"i{out.dtype.itemsize}"
    xp.multiply(x.view(kind), condition, out=out.view(kind))


def kept(x: Any, condition: Any) -> Any:
    """x where the condition holds, 0 elsewhere, whatever x is there."""
    return apply(Kept(), x, condition)


class Through(Operation):
    """The product of `factor` and what may be infinite or NaN: 0 where the factor is, and not NaN.

    Where the product is a number its own gradient goes on, also where the factor is 0.
    """

    overwrites = ((0, 1),)

    def infer(self, factor: Spec, product: Spec) -> Spec:
        require_float(product, "Through")
        return Spec(broadcast(factor, product, "Through"), product.dtype)

    def vjp(self, ct: Value, out: Value, factor: Value, product: Value) -> Gradients:
        return None, kept(ct, logical_or(not_equal(factor, 0.0), equal(product, product)))

    def scratch(self, factor: Spec, product: Spec) -> tuple[Spec, ...]:
        flags = self.infer(factor, product).with_dtype("bool")
        return flags, flags

    def compute(self, xp: Any, out: Any, factor: Any, product: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        nothing, lost = scratch
        xp.equal(factor, 0, out=nothing)
        xp.not_equal(product, product, out=lost)
        xp.logical_and(lost, nothing, out=lost)
        xp.copyto(out, product)
        xp.copyto(out, 0, where=lost)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(factor: np.ndarray, product: np.ndarray) -> np.ndarray:
            return np.where((factor == 0) & np.isnan(product), 0.0, product)

        shapes: list[tuple[int, ...]] = [(), (0,), (3, 5), (70001,)]
        found = [Sample(cls(), (Spec(s), Spec(s)), reference, differentiable=(1,)) for s in shapes]
        factor = np.array([0.0, -0.0, 1.0, 0.0, 0.0, 2.0, np.nan])
        product = np.array([np.nan, np.nan, np.nan, np.inf, 3.0, -np.inf, np.nan])
        return [*found, Sample(cls(), (factor, product), reference, differentiable=(), label="edges")]


def through(ct: Value, gradient: Value) -> Value:
    """A gradient made of `ct` and a slope that may be infinite or NaN: 0 where ct is.

    What nothing depends on has no gradient, as a logarithm of 0 in the branch that `where` did not take.
    """
    return apply(Through(), ct, gradient)


def has_flat_zeros(x: Value) -> bool:
    """Whether x is a sum of squares, by the way it is made: where it is 0, so are its own slopes."""
    node = x.node
    if node is None:
        return False
    op, inputs = node.op, node.inputs
    if type(op) is Square or (type(op) is Multiply and inputs[0] is inputs[1]):
        return True
    if type(op) is Power:
        exponent = number_of(inputs[1])
        return exponent is not None and exponent > 1 and (exponent % 2 == 0 or type_of(inputs[0]) is Abs)
    if type(op) is Add:
        return all(map(has_flat_zeros, inputs))
    if type(op) in (Multiply, Divide) and _by_number(inputs):
        return has_flat_zeros(inputs[0])
    if type(op) is Multiply and number_of(inputs[0]) is not None:
        return has_flat_zeros(inputs[1])
    return (op.view or op.sums) and has_flat_zeros(inputs[0])


def may_be_infinite(x: Value) -> bool:
    """Whether some finite numbers make x infinite or NaN, as they do a logarithm."""
    node = x.node
    if node is None:
        return False
    kind = type(node.op)
    if (
        node.op.view
        or kind is Negative
        or (kind in (Add, Subtract, Multiply, Divide) and _by_number(node.inputs))
    ):
        return may_be_infinite(node.inputs[0])
    return kind in _UNBOUNDED


def _by_number(inputs: Sequence[Value]) -> bool:
    """Whether the second of two operands is a number that is known when the graph is built."""
    return len(inputs) == 2 and number_of(inputs[1]) is not None


def type_of(x: Value) -> type[Operation] | None:
    """The kind of operation that makes x."""
    return None if x.node is None else type(x.node.op)


def number_of(x: Value) -> float | None:
    """The number that x is, where that is known when the graph is built."""
    op = None if x.node is None else x.node.op
    return float(op.array().reshape(())) if isinstance(op, Constant) and x.spec.size == 1 else None


# ------------------------------------------------------------------------------------------------- arithmetic


class Add(_Binary):
    """x1 + x2, broadcast."""

    function = "add"
    gradient = staticmethod(lambda ct, z, x, y: (ct, ct))


class Subtract(_Binary):
    """x1 - x2, broadcast."""

    function = "subtract"
    logical = False
    gradient = staticmethod(lambda ct, z, x, y: (ct, -ct))


class Multiply(_Binary):
    """x1 * x2, broadcast."""

    function = "multiply"

    def vjp(self, ct: Value, out: Value, x: Value, y: Value) -> Gradients:
        dx, dy = ct * y, ct * x
        return through(ct, dx) if may_be_infinite(y) else dx, through(ct, dy) if may_be_infinite(x) else dy


class Divide(_Binary):
    """x1 / x2, broadcast."""

    function = "divide"
    floating = True
    domain = (0.5, 2.0)

    def vjp(self, ct: Value, out: Value, x: Value, y: Value) -> Gradients:
        dx = ct / y
        if number_of(y):  # not 0
            return dx, -(dx * out)
        return through(ct, dx), through(ct, -(dx * out))


class ChoiceGrad(Operation):
    """ct where x1 is the larger, half of it where both are equal, 0 elsewhere: what `maximum` gives to x1."""

    broadcasts: ClassVar[bool] = True

    def infer(self, ct: Spec, x: Spec, y: Spec) -> Spec:
        return Spec(broadcast(ct, Spec(broadcast(x, y, "ChoiceGrad")), "ChoiceGrad"), ct.dtype)

    def vjp(self, ct2: Value, out: Value, ct: Value, x: Value, y: Value) -> Gradients:
        return apply(ChoiceGrad(), ct2, x, y), None, None

    def scratch(self, ct: Spec, x: Spec, y: Spec) -> tuple[Spec, ...]:
        out = self.infer(ct, x, y)
        return out.with_dtype("bool"), out

    def compute(self, xp: Any, out: Any, ct: Any, x: Any, y: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        flags, half = scratch
        xp.greater(x, y, out=flags)
        keep_bits(xp, ct, flags, out)
        xp.equal(x, y, out=flags)
        xp.multiply(ct, 0.5, out=half)
        xp.copyto(out, half, where=flags)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(ct: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
            return ct * ((x > y) + 0.5 * (x == y))

        x = np.array([[1.0, 2.0, 3.0], [3.0, 2.0, -1.0]])
        return [
            Sample(cls(), (Spec((2, 3)), x, x[::-1].copy()), reference, differentiable=(0,)),
            Sample(cls(), (Spec((2, 3)), x, np.array(2.0)), reference, differentiable=(0,)),
            Sample(cls(), (Spec(()), np.array(2.0), x[:, :1]), reference, differentiable=(0,)),
            Sample(cls(), (Spec((0, 3)), x[:0], x[0]), reference, differentiable=(0,)),
            Sample(cls(), (Spec((70001,)), Spec((70001,)), Spec((1,))), reference, differentiable=(0,)),
        ]


class Maximum(_Binary):
    """Larger of x1 and x2, elementwise. Where both are equal, each gets half of the gradient."""

    function = "maximum"
    gradient = staticmethod(
        lambda ct, z, x, y: (apply(ChoiceGrad(), ct, x, y), apply(ChoiceGrad(), ct, y, x))
    )


class Minimum(_Binary):
    """Smaller of x1 and x2, elementwise. Where both are equal, each gets half of the gradient."""

    function = "minimum"
    gradient = staticmethod(
        lambda ct, z, x, y: (apply(ChoiceGrad(), ct, y, x), apply(ChoiceGrad(), ct, x, y))
    )


class Power(_Binary):
    """x1 ** x2, elementwise. The gradient of x2 is 0 where x1 is not above 0."""

    function = "power"
    counting = True
    domain = (0.5, 2.0)

    def vjp(self, ct: Value, out: Value, x: Value, y: Value) -> Gradients:
        dx: Value | None
        exponent = number_of(y)
        if exponent is None:
            dx = through(ct, ct * through(y, y * power(x, y - 1.0)))
        else:
            dx = _power_gradient(ct, out, x, exponent)
        above = greater(x, 0.0)
        dy = ct * (out * log(where(above, x, scalar_like(x, 1.0))))
        return dx, kept(through(ct, dy), above)


def _power_gradient(ct: Value, out: Value, x: Value, exponent: float) -> Value:
    """Gradient of x ** exponent, a number: 0 for 0, ct for 1, no 0 times infinity for others."""
    if exponent == 0:
        return kept(ct, constant(np.False_))
    if exponent == 1:
        return ct
    gradient = through(ct, ct * (power(x, exponent - 1.0) * exponent))
    return kept(gradient, not_equal(out, 0.0)) if has_flat_zeros(x) else gradient


class FloorDivide(_Binary):
    """floor(x1 / x2)."""

    function = "floor_divide"
    counting = True
    gradient = staticmethod(lambda ct, z, x, y: (None, None))
    domain = (1.0, 9.0)


class Mod(_Binary):
    """Remainder of x1 / x2 with the sign of x2."""

    function = "mod"
    counting = True
    gradient = staticmethod(lambda ct, z, x, y: (ct, through(ct, -(ct * apply(FloorDivide(), x, y)))))

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        x, y = np.array([5.3, 7.9, -3.2]), np.array([2.0, 3.0, 2.5])
        return [Sample(cls(), (x, y), np.mod), Sample(cls(), (np.zeros((0, 2)), np.ones((0, 2))), np.mod)]


class Negative(_Unary):
    """-x."""

    function = "negative"
    gradient = staticmethod(lambda ct, y, x: -ct)
    floating = False
    logical = False


class Abs(_Unary):
    """|x|, elementwise."""

    function = "abs"
    gradient = staticmethod(lambda ct, y, x: through(apply(Sign(), x), ct * apply(Sign(), x)))
    floating = False


class _Steps(_Unary):
    """A function that is constant between its jumps."""

    gradient = no_gradient


class Sign(_Steps):
    """-1, 0 or 1 by the sign of x."""

    function = "sign"
    floating = False


Floor = variant(_Steps, "Floor", "floor", "Largest integer not above x.")
Ceil = variant(_Steps, "Ceil", "ceil", "Smallest integer not below x.")
Round = variant(_Steps, "Round", "rint", "Nearest integer, halves to even.")


class Exp(_Unary):
    """e ** x."""

    function = "exp"
    gradient = staticmethod(lambda ct, y, x: through(ct, ct * y))


class Expm1(_Unary):
    """e ** x - 1, exact near 0."""

    function = "expm1"
    gradient = staticmethod(lambda ct, y, x: through(ct, ct * (y + 1.0)))


class Log(_Unary):
    """Natural logarithm."""

    function = "log"
    gradient = staticmethod(lambda ct, y, x: through(ct, ct / x))
    domain = (0.5, 3.0)


class Log1p(_Unary):
    """log(1 + x), exact near 0."""

    function = "log1p"
    gradient = staticmethod(lambda ct, y, x: through(ct, ct / (x + 1.0)))
    domain = (-0.5, 3.0)


class Sqrt(_Unary):
    """Square root."""

    function = "sqrt"
    domain = (0.5, 3.0)

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        gradient = through(ct, ct * 0.5 / out)
        return (kept(gradient, not_equal(out, 0.0)) if has_flat_zeros(x) else gradient,)


class Rsqrt(_Unary):
    """1 / sqrt(x)."""

    gradient = staticmethod(lambda ct, y, x: through(ct, ct * (-0.5 * (y / x))))
    domain = (0.5, 3.0)
    reference = staticmethod(lambda x: 1.0 / np.sqrt(x))

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        xp.sqrt(x, out=out)
        xp.divide(1.0, out, out=out)


class Square(_Unary):
    """x * x."""

    function = "square"
    counting = True
    gradient = staticmethod(lambda ct, y, x: ct * (x * 2.0))
    floating = False


class Sin(_Unary):
    """Sine of x in radians."""

    function = "sin"
    gradient = staticmethod(lambda ct, y, x: ct * apply(Cos(), x))


class Cos(_Unary):
    """Cosine of x in radians."""

    function = "cos"
    gradient = staticmethod(lambda ct, y, x: -(ct * apply(Sin(), x)))


class Tanh(_Unary):
    """Hyperbolic tangent."""

    function = "tanh"
    gradient = staticmethod(lambda ct, y, x: ct * (1.0 - apply(Square(), y)))


class Sigmoid(_Unary):
    """1 / (1 + exp(-x)), exact also where it is nearly 0: its logarithm is asked for."""

    gradient = staticmethod(lambda ct, y, x: ct * (y * (1.0 - y)))
    reference = staticmethod(lambda x: 1.0 / (1.0 + np.exp(-x)))

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        xp.negative(x, out=out)
        xp.exp(out, out=out)
        xp.add(out, 1.0, out=out)
        xp.divide(1.0, out, out=out)


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
        return None, kept(ct, condition), kept(ct, logical_not(condition))

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
    """x limited to low..high; the gradient is 0 outside, and at the ends too where it is `flat` there."""

    low: float
    high: float
    flat: bool = False
    overwrites = ((0, 0),)

    def infer(self, x: Spec) -> Spec:
        return x

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        above, below = (greater, less) if self.flat else (greater_equal, less_equal)
        return (kept(ct, logical_and(above(x, self.low), below(x, self.high))),)

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        xp.clip(x, self.low, self.high, out=out)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        shapes = [(), (0,), (1,), (3, 5), (70001,)]
        return [Sample(cls(-0.7, 1.1), (Spec(s),), lambda x: np.clip(x, -0.7, 1.1)) for s in shapes]


class StopGradient(_Unary):
    """x, through which no gradient flows."""

    gradient = no_gradient
    floating = False
    view = True
    reference = staticmethod(lambda x: x)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        return [Sample(cls(), (Spec(s),), cls.reference, differentiable=()) for s in [(), (0,), (3, 5)]]


# What is infinite or NaN at a finite number, or where numbers end.
_UNBOUNDED = (Divide, Exp, Expm1, Log, Log1p, Power, Rsqrt, Sqrt)

add = binary_function(Add)
subtract = binary_function(Subtract)
multiply = binary_function(Multiply)
maximum = binary_function(Maximum)
minimum = binary_function(Minimum)
floor_divide = binary_function(FloorDivide)
mod = binary_function(Mod)
negative = unary_function(Negative)
abs = absolute = unary_function(Abs)
square = unary_function(Square)
floor = unary_function(Floor)
ceil = unary_function(Ceil)
exp = unary_function(Exp)
expm1 = unary_function(Expm1)
log = unary_function(Log)
log1p = unary_function(Log1p)
sqrt = unary_function(Sqrt)
rsqrt = unary_function(Rsqrt)
sin = unary_function(Sin)
cos = unary_function(Cos)
tanh = unary_function(Tanh)
sigmoid = unary_function(Sigmoid)


def divide(x1: Any, x2: Any) -> Any:
    """x1 / x2, broadcast; integers are divided as floats."""
    return apply(Divide(), *as_floats(x1, x2))


def true_divide(x1: Any, x2: Any) -> Any:
    """The same as `divide`; it is what the operator `/` means."""
    return apply(Divide(), *as_floats(x1, x2))


def sign(x: Any) -> Any:
    """-1, 0 or 1 by the sign of x; booleans are their own."""
    x = convert(x)
    return x if dtype_of(x) == "bool" else apply(Sign(), x)


def power(x1: Any, x2: Any) -> Any:
    """x1 ** x2, elementwise; a square where x2 is the number 2."""
    if isinstance(x2, int | float) and x2 == 2:
        return square(x1)
    return apply(Power(), *counted(*harmonize(x1, x2)))


def round(x: Any, decimals: int = 0) -> Any:
    """Nearest number with so many decimals, halves to even."""
    x, decimals = convert(x), whole_number(decimals, "round: decimals")
    if decimals >= 0 and not is_float(dtype_of(x)):
        return x
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


def clip(x: Any, x_min: Any, x_max: Any) -> Any:
    """x limited to x_min..x_max, numbers or arrays; floats among them make whole numbers floating."""
    if is_number(x_min) and is_number(x_max):
        return apply(Clip(x_min, x_max), harmonize(x, x_min, x_max)[0])
    return minimum(maximum(x, x_min), x_max)
