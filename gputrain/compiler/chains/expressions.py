"""What each elementwise operation is in C++: one table for all devices that emit code.

Texts are made of names, numbers and the operations' own classes. Operands are variables of the type an
element is computed in (float for float16); the functions are those of kernels/elementwise.cuh. Nothing a
user writes reaches the text: parameters are numbers, printed as such.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from gputrain.utils import philox

# The types in which elements are computed; float16 is computed in float.
C_TYPES = {
    "float32": "float",
    "float64": "double",
    "bool": "bool",
    "int8": "signed char",
    "int16": "short",
    "int32": "int",
    "int64": "long long",
    "uint8": "unsigned char",
    "uint16": "unsigned short",
    "uint32": "unsigned int",
    "uint64": "unsigned long long",
}

Expression = Callable[..., str]  # f(op, type computed in, *operands) -> C++ expression


def computed_in(dtype: str) -> str:
    """The C++ type in which elements of a dtype are computed."""
    return C_TYPES.get(dtype, "float")


def number(value: float, kind: str) -> str:
    """A Python number as an expression of a C++ type."""
    if isinstance(value, float) and not math.isfinite(value):
        sign = "-" if value < 0 else ""
        huge = f"infinity(({kind})0)"
        return f"({huge} - {huge})" if math.isnan(value) else f"({sign}{huge})"
    return f"(({kind})({float(value).hex() if isinstance(value, float) else int(value)}))"


def _of(template: str) -> Expression:
    """An expression without parameters: {0}, {1} ... are operands, {t} is the type computed in."""
    return lambda op, kind, *x: template.format(*x, t=kind)


def _clip(op: Any, kind: str, x: str) -> str:
    return f"smaller(larger({x}, {number(op.low, kind)}), {number(op.high, kind)})"


def _binary_crossentropy(op: Any, kind: str, target: str, output: str) -> str:
    low, high = number(op.epsilon, kind), number(1.0 - op.epsilon, kind)
    return f"binary_crossentropy({target}, {output}, {low}, {high})"


def _dropout_grad(op: Any, kind: str, ct: str, keep: str) -> str:
    return f"{ct} * {number(philox.keep_threshold(op.rate)[1], kind)} * ({kind}){keep}"


EXPRESSIONS: dict[str, Expression] = {
    "Abs": _of("abs_of({0})"),
    "Add": _of("{0} + {1}"),
    "Arctan2": _of("atan2({0}, {1})"),
    "BinaryCrossentropy": _binary_crossentropy,
    "Ceil": _of("ceil_of({0})"),
    "ChoiceGrad": _of("{1} > {2} ? {0} : ({1} == {2} ? {0} * ({t})0.5 : ({t})0)"),
    "Clip": _clip,
    "Cos": _of("cos_of({0})"),
    "Divide": _of("{0} / {1}"),
    "DropoutGrad": _dropout_grad,
    "Elu": lambda op, kind, x: f"elu_of({x}, {number(op.alpha, kind)})",
    "Equal": _of("{0} == {1}"),
    "Erf": _of("erf_of({0})"),
    "Erfc": _of("erfc_of({0})"),
    "Erfinv": _of("erfinv_of({0})"),
    "Exp": _of("exp_of({0})"),
    "Expm1": _of("expm1_of({0})"),
    "Floor": _of("floor_of({0})"),
    "FloorDivide": _of("floor_divide({0}, {1})"),
    "FullLike": lambda op, kind, x: number(op.value, kind),
    "Gelu": lambda op, kind, x: f"gelu{'_by_tanh' * op.approximate}_of({x})",
    "GeluGrad": lambda op, kind, ct, x: f"{ct} * gelu{'_by_tanh' * op.approximate}_slope({x})",
    "Greater": _of("{0} > {1}"),
    "GreaterEqual": _of("{0} >= {1}"),
    "IsFinite": _of("is_finite({0})"),
    "Kept": _of("{1} ? {0} : ({t})0"),
    "Less": _of("{0} < {1}"),
    "LessEqual": _of("{0} <= {1}"),
    "Log": _of("log_of({0})"),
    "Log1p": _of("log1p_of({0})"),
    "LogicalAnd": _of("{0} && {1}"),
    "LogicalNot": _of("!{0}"),
    "LogicalOr": _of("{0} || {1}"),
    "Maximum": _of("larger({0}, {1})"),
    "Minimum": _of("smaller({0}, {1})"),
    "Mod": _of("modulo({0}, {1})"),
    "Multiply": _of("{0} * {1}"),
    "Negative": _of("-{0}"),
    "NotEqual": _of("{0} != {1}"),
    "Power": _of("power({0}, {1})"),
    "Relu": _of("larger({0}, ({t})0)"),
    "ReluGrad": _of("{1} > 0 ? {0} : ({t})0"),
    "Round": _of("rint_of({0})"),
    "Rsqrt": _of("({t})1 / sqrt_of({0})"),
    "Sigmoid": _of("sigmoid_of({0})"),
    "SigmoidCrossentropy": _of("sigmoid_crossentropy({0}, {1})"),
    "Sign": _of("sign_of({0})"),
    "Sin": _of("sin_of({0})"),
    "Softplus": _of("softplus_of({0})"),
    "Sqrt": _of("sqrt_of({0})"),
    "Square": _of("{0} * {0}"),
    "Subtract": _of("{0} - {1}"),
    "Tanh": _of("tanh_of({0})"),
    "Through": _of("{0} == 0 && {1} != {1} ? ({t})0 : {1}"),
    "Where": _of("{0} ? {1} : {2}"),
}


def cast_to(dtype: str, source: str, x: str) -> str:
    """An operand of dtype `source` as an element of `dtype`."""
    if dtype == "bool":
        return f"({x} != 0)"
    if dtype == "float16" and source != "float16":
        return f"wide(narrow<__half>((float){x}))"  # the only rounding that a chain in float16 does by itself
    return f"(({computed_in(dtype)}){x})"
