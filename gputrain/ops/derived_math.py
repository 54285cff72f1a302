"""Elementwise functions that are short compositions of other operations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gputrain.errors import ShapeError, explain
from gputrain.ir import dtype_name, is_float
from gputrain.ops.base import cast, convert, harmonize, spec_of
from gputrain.ops.calls import keep_calls
from gputrain.ops.comparison import (
    as_boolean,
    equal,
    greater,
    isfinite,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    not_equal,
)
from gputrain.ops.creation import full_like, ones_like
from gputrain.ops.elementwise import (
    abs,
    add,
    clip,
    cos,
    divide,
    exp,
    expm1,
    floor,
    log,
    log1p,
    maximum,
    multiply,
    negative,
    sign,
    sin,
    sqrt,
    square,
    stop_gradient,
    subtract,
    where,
)
from gputrain.ops.pointwise import as_float, as_floats, dtype_of
from gputrain.ops.reduction import all

__all__ = [
    "allclose",
    "arccosh",
    "arcsinh",
    "arctanh",
    "conj",
    "conjugate",
    "copy",
    "cosh",
    "deg2rad",
    "divide_no_nan",
    "exp2",
    "fabs",
    "fmax",
    "fmin",
    "fmod",
    "heaviside",
    "hypot",
    "isclose",
    "isinf",
    "isnan",
    "isneginf",
    "isposinf",
    "isreal",
    "log2",
    "log10",
    "logaddexp",
    "logaddexp2",
    "logical_xor",
    "nan_to_num",
    "rad2deg",
    "real",
    "reciprocal",
    "saturate_cast",
    "select",
    "sinc",
    "sinh",
    "tan",
    "trunc",
]


# ------------------------------------------------------------------------------------------ questions


def isnan(x: Any) -> Any:
    """Whether each element is no number."""
    return not_equal(x, x)


def isinf(x: Any) -> Any:
    """Whether each element is infinite."""
    return logical_and(logical_not(isfinite(x)), equal(x, x))


def isposinf(x: Any) -> Any:
    """Whether each element is plus infinity."""
    return logical_and(isinf(x), greater(x, 0))


def isneginf(x: Any) -> Any:
    """Whether each element is minus infinity."""
    return logical_and(isinf(x), less(x, 0))


def isreal(x: Any) -> Any:
    """True for each element: there are no complex numbers."""
    return ones_like(x, "bool")


def isclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    """Whether |x1 - x2| <= atol + rtol * |x2|, elementwise.

    Args:
        x1, x2: arrays or values.
        rtol, atol: tolerances as a part of |x2| and as a number.
        equal_nan: whether two elements that are no numbers are close.
    """
    a, b = as_floats(x1, x2)
    close = logical_and(less_equal(abs(subtract(a, b)), add(atol, multiply(rtol, abs(b)))), isfinite(b))
    close = where(equal(a, b), True, close)
    return where(logical_and(isnan(a), isnan(b)), True, close) if equal_nan else close


def allclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    """Whether all elements are close to each other, as `isclose` says.

    Args:
        x1, x2, rtol, atol, equal_nan: as for `isclose`.
    """
    return all(isclose(x1, x2, rtol, atol, equal_nan))


def logical_xor(x1: Any, x2: Any) -> Any:
    """Either x1 or x2, elementwise; numbers count as true where they are not 0."""
    return not_equal(as_boolean(x1), as_boolean(x2))


# ---------------------------------------------------------------------------------- powers, logarithms


def exp2(x: Any) -> Any:
    """2 ** x, elementwise."""
    return exp(multiply(as_float(x), math.log(2.0)))


def log2(x: Any) -> Any:
    """Logarithm to the base 2."""
    return multiply(log(x), 1.0 / math.log(2.0))


def log10(x: Any) -> Any:
    """Logarithm to the base 10."""
    return multiply(log(x), 1.0 / math.log(10.0))


def logaddexp(x1: Any, x2: Any) -> Any:
    """log(exp(x1) + exp(x2)), without overflow."""
    a, b = as_floats(x1, x2)
    return add(maximum(a, b), log1p(exp(negative(_gap(a, b)))))


def logaddexp2(x1: Any, x2: Any) -> Any:
    """log2(2 ** x1 + 2 ** x2), without overflow."""
    a, b = as_floats(x1, x2)
    gap = multiply(negative(_gap(a, b)), math.log(2.0))
    return add(maximum(a, b), multiply(log1p(exp(gap)), 1.0 / math.log(2.0)))


def _gap(a: Any, b: Any) -> Any:
    """|a - b|, 0 between two equal infinities."""
    return abs(where(equal(a, b), 0.0, subtract(a, b)))


def reciprocal(x: Any) -> Any:
    """1 / x, elementwise."""
    return divide(1.0, as_float(x))


def divide_no_nan(x1: Any, x2: Any) -> Any:
    """x1 / x2, and 0 where x2 is 0; no gradient flows there."""
    a, b = as_floats(x1, x2)
    none = equal(b, 0.0)
    return where(none, 0.0, divide(a, where(none, 1.0, b)))


def hypot(x1: Any, x2: Any) -> Any:
    """Length of the hypotenuse, sqrt(x1 ** 2 + x2 ** 2), without overflow."""
    a, b = (abs(x) for x in as_floats(x1, x2))
    longer = stop_gradient(maximum(a, b))
    scale = where(equal(longer, 0.0), 1.0, longer)
    return multiply(scale, sqrt(add(square(divide(a, scale)), square(divide(b, scale)))))


# -------------------------------------------------------------------------------- angles and hyperbolas


def tan(x: Any) -> Any:
    """Tangent, of radians."""
    x = as_float(x)
    return divide(sin(x), cos(x))


def deg2rad(x: Any) -> Any:
    """Degrees as radians."""
    return multiply(as_float(x), math.pi / 180.0)


def rad2deg(x: Any) -> Any:
    """Radians as degrees."""
    return multiply(as_float(x), 180.0 / math.pi)


def sinh(x: Any) -> Any:
    """Hyperbolic sine."""
    x = as_float(x)
    return multiply(0.5, subtract(expm1(x), expm1(negative(x))))


def cosh(x: Any) -> Any:
    """Hyperbolic cosine."""
    x = as_float(x)
    return multiply(0.5, add(exp(x), exp(negative(x))))


def arcsinh(x: Any) -> Any:
    """Inverse of the hyperbolic sine."""
    x = as_float(x)
    below = less(x, 0.0)
    size = where(below, negative(x), x)  # not abs, whose slope at 0 is 0
    more = multiply(size, divide(size, add(1.0, hypot(size, 1.0))))
    y = log1p(add(size, more))
    return where(below, negative(y), y)


def arccosh(x: Any) -> Any:
    """Inverse of the hyperbolic cosine, for x from 1."""
    x = as_float(x)
    above = subtract(x, 1.0)
    return log1p(add(above, multiply(sqrt(above), sqrt(add(x, 1.0)))))


def arctanh(x: Any) -> Any:
    """Inverse of the hyperbolic tangent, for x in -1..1."""
    x = as_float(x)
    return multiply(0.5, subtract(log1p(x), log1p(negative(x))))


def sinc(x: Any) -> Any:
    """sin(pi * x) / (pi * x), and 1 at 0."""
    angle = multiply(as_float(x), math.pi)
    none = equal(angle, 0.0)
    safe = where(none, 1.0, angle)
    return where(none, 1.0, divide(sin(safe), safe))


# --------------------------------------------------------------------------- parts, choices, conversions


def fabs(x: Any) -> Any:
    """Absolute values, as floating-point numbers."""
    return abs(as_float(x))


def trunc(x: Any) -> Any:
    """x without its decimals; whole numbers are what they are."""
    x = convert(x)
    if not is_float(dtype_of(x)):
        return x
    return multiply(sign(x), floor(abs(x)))


def fmod(x1: Any, x2: Any) -> Any:
    """What is left of x1 / x2, with the sign of x1."""
    a, b = harmonize(x1, x2)
    whole = trunc(divide(a, b))
    return subtract(a, multiply(cast(whole, spec_of(a).dtype), b))


def fmax(x1: Any, x2: Any) -> Any:
    """The larger of two elements; the other one where one is no number."""
    a, b = harmonize(x1, x2)
    return where(logical_or(greater(a, b), isnan(b)), a, b)


def fmin(x1: Any, x2: Any) -> Any:
    """The smaller of two elements; the other one where one is no number."""
    a, b = harmonize(x1, x2)
    return where(logical_or(less(a, b), isnan(b)), a, b)


def heaviside(x1: Any, x2: Any) -> Any:
    """0 where x1 is negative, 1 where it is positive, x2 where it is 0."""
    a, b = as_floats(x1, x2)
    return where(equal(a, 0.0), b, cast(greater(a, 0.0), spec_of(a).dtype))


def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Any:
    """Elements of the first choice whose condition holds.

    Args:
        condlist: conditions.
        choicelist: an array or value for each.
        default: what stands where no condition holds.

    Raises:
        ShapeError: not as many choices as conditions, or none.
    """
    if len(condlist) != len(choicelist) or not condlist:
        rule = "select needs a choice for each condition, and at least one."
        raise ShapeError(explain(rule, received=f"{len(condlist)} and {len(choicelist)}"))
    *choices, chosen = harmonize(*choicelist, default)
    for condition, choice in zip(reversed(condlist), reversed(choices), strict=True):
        chosen = where(condition, choice, chosen)
    return chosen


def nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Any:
    """x with numbers in place of NaN and of infinities.

    Args:
        x: an array or value.
        nan: in place of NaN.
        posinf, neginf: in place of infinities; None is the largest and the smallest number of the dtype.
    """
    x = convert(x)
    dtype = spec_of(x).dtype
    if not is_float(dtype):
        return x
    limits = np.finfo(dtype)
    high = float(limits.max) if posinf is None else posinf
    low = float(limits.min) if neginf is None else neginf
    for place, number in ((isnan(x), nan), (isposinf(x), high), (isneginf(x), low)):
        x = where(place, full_like(x, number), x)
    return x


def saturate_cast(x: Any, dtype: str) -> Any:
    """x in another dtype; what that cannot hold becomes its largest or smallest number.

    Args:
        x: an array or value.
        dtype: of the result.
    """
    x, name = convert(x), dtype_name(dtype)
    if name == "bool":
        return cast(x, name)
    limits: Any = np.finfo(name) if is_float(name) else np.iinfo(name)
    source = spec_of(x).dtype
    if source == "bool":
        return cast(x, name)
    own: Any = np.finfo(source) if is_float(source) else np.iinfo(source)
    low, high = max(float(own.min), float(limits.min)), min(float(own.max), float(limits.max))
    if is_float(source):  # the next number of x's dtype inside the limits
        kind = np.dtype(source).type
        if float(kind(high)) > high:
            high = float(np.nextafter(kind(high), kind(0)))
        return cast(clip(x, low, high), name)
    return cast(clip(x, int(low), int(high)), name)


def copy(x: Any) -> Any:
    """The same contents."""
    return convert(x)


def real(x: Any) -> Any:
    """The same contents: there are no complex numbers."""
    return convert(x)


conj = conjugate = real


keep_calls(globals(), __all__)
