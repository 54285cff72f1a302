"""Operations that are short compositions of others, and what Keras calls its activations as operations."""

from __future__ import annotations

import math
from typing import Any

from tests.parity.cases_functions import CUBE, LABELS, OTHER, UNIT, X, op, plain
from tests.parity.table import Case, bits, given, positive, real, shares, whole

INF, NAN = math.inf, math.nan
ODD = given([1.5, INF, NAN, -INF, 0.0, -2.0])
HOLES = given([[1.0, NAN, 3.0], [NAN, -2.0, 0.5], [4.0, 2.0, -1.0]])
FLAGS = bits(3, 4, dtype="bool")
WIDE = real(4, 6, low=-4, high=8)
IMAGE = real(2, 4, 6, 8)
NAN_REDUCTIONS = ("sum", "mean", "max", "min", "prod", "var", "std")
HEADS = real(2, 4, 2, 4)


def rows(names: str, *inputs: Any, **arguments: Any) -> list[Case]:
    return [op(name, *inputs, **arguments) for name in names.split()]


ACTIVATIONS = [
    *rows("celu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu log_sigmoid", WIDE),
    *rows("relu6 selu soft_shrink softsign sparse_plus sparse_sigmoid sparsemax squareplus swish", WIDE),
    *rows("tanh_shrink", WIDE),
    op("threshold", WIDE, threshold=1.0, default_value=0.3),
    op("leaky_relu", WIDE, negative_slope=0.4),
]
MATH = [
    *rows("isnan isinf isposinf isneginf isreal nan_to_num", ODD),
    op("nan_to_num", ODD, nan=1.0, posinf=7.0, neginf=-7.0),
    op("nan_to_num", whole(3, 4, below=9)),
    *rows("isnan isinf", whole(3, 4, below=9)),
    *rows("tan sinh cosh arcsinh deg2rad rad2deg exp2 sinc fabs trunc conj conjugate real copy", X),
    *rows("arcsinh tan sinh", real(3, 4, low=-1e-3, high=1e-3)),
    op("arctanh", UNIT),
    op("arccosh", real(3, 4, low=1.2, high=9)),
    *rows("log2 log10 reciprocal", positive(3, 4)),
    *rows("log2 exp2 reciprocal fabs", whole(3, 4, below=9)),
    *rows("logaddexp logaddexp2 hypot fmax fmin", X, OTHER),
    *rows("logaddexp hypot", X, real(4)),
    op("logaddexp", given([500.0, -500.0, 3.0]), given([499.0, 2.0, -400.0])),
    op("fmod", X, positive(3, 4)),
    op("fmod", whole(3, 4, below=50), given([7], "int32")),
    *rows("fmax fmin", given([1.0, NAN, 3.0, NAN]), given([2.0, 5.0, NAN, NAN])),
    op("divide_no_nan", X, given([1.0, 0.0, -2.0, 0.0])),
    op("heaviside", given([-1.0, 0.0, 2.0]), given([0.5])),
    op("logical_xor", FLAGS, bits(3, 4, dtype="bool")),
    op("logical_xor", bits(3, 4), FLAGS),
    op("isclose", given([1.0, 2.0, NAN, INF, 1e-9]), given([1.00001, 2.1, NAN, INF, 0.0])),
    op("isclose", given([1.0, NAN]), given([1.05, NAN]), rtol=0.1, equal_nan=True),
    op("allclose", given([1.0, 2.0]), given([1.0, 2.000001])),
    op("select", [FLAGS, bits(3, 4, dtype="bool")], [X, OTHER], default=0.5),
    op("saturate_cast", real(3, 4, low=-500, high=500), dtype="int8"),
    op("saturate_cast", real(3, 4, low=-500, high=500), dtype="uint8"),
    op("saturate_cast", whole(3, 4, below=500), dtype="uint8"),
    op("saturate_cast", X, dtype="float32"),
]
SHAPES = [
    *rows("hstack vstack dstack", [X, OTHER]),
    *rows("hstack vstack dstack", [real(4), real(4)]),
    op("append", X, OTHER),
    op("append", X, real(2, 4), axis=0),
    op("array_split", real(7, 2), indices_or_sections=3),
    op("array_split", X, indices_or_sections=3, axis=1),
    op("hsplit", X, indices_or_sections=2),
    op("hsplit", real(6), indices_or_sections=[2, 3]),
    op("vsplit", X, indices_or_sections=3),
    op("dsplit", CUBE, indices_or_sections=5),
    *rows("fliplr flipud rot90", X),
    *(op("rot90", CUBE, k=k, axes=(0, 2)) for k in (2, 3, 4, -1)),
    op("depth_to_space", IMAGE, block_size=2),
    op("space_to_depth", IMAGE, block_size=2),
    *(op(name, X, k=k) for name in ("tril", "triu") for k in (0, 1, -1)),
    *rows("tril triu", CUBE),
    *(op("diagonal", X, offset=k) for k in (0, 2, -1, -2)),
    op("diagonal", CUBE, axis1=2, axis2=0),
    op("trace", X),
    op("trace", CUBE, offset=1, axis1=1, axis2=2),
    *(op("diag", shape, k=k) for shape in (X, real(4)) for k in (0, 1, -2)),
    op("diagflat", X),
    plain("ops.tri", N=3),
    plain("ops.tri", N=3, M=5, k=1, dtype="int32"),
    plain("ops.linspace", start=0, stop=1, num=5),
    plain("ops.linspace", start=2.0, stop=-1.0, num=4, endpoint=False),
    plain("ops.logspace", start=0.0, stop=2.0, num=5),
    plain("ops.geomspace", start=1.0, stop=100.0, num=5),
    op("meshgrid", real(3), real(4)),
    op("meshgrid", real(3), real(4), real(2), indexing="ij"),
    op("multi_hot", whole(3, 2, below=5), num_classes=5),
    op("multi_hot", whole(4, below=5), num_classes=5),
    op("empty_like", given([0.0, 0.0])),
]
SUMS = [
    *(op(name, CUBE, axis=axis) for name in ("cumsum", "cumprod") for axis in (None, 0, 1, -1)),
    op("cumsum", whole(3, 7, below=9), axis=1),
    op("cumsum", FLAGS, axis=0),
    op("cumsum", X, axis=0, dtype="float32"),
    *(op("diff", CUBE, **how) for how in ({}, {"axis": 0}, {"n": 2, "axis": 1})),
    op("trapezoid", X),
    op("trapezoid", X, dx=0.5, axis=0),
    op("trapezoid", X, real(4)),
    op("average", X),
    op("average", CUBE, axis=1),
    op("average", X, axis=1, weights=[0.1, 0.2, 0.3, 0.9]),
    *(op("ptp", CUBE, **how) for how in ({}, {"axis": 1}, {"axis": 0, "keepdims": True})),
    *(op("moments", CUBE, **how) for how in ({"axes": (0,)}, {"axes": (0, 1), "keepdims": True})),
    *(op(f"nan{name}", HOLES, axis=axis) for name in NAN_REDUCTIONS for axis in (None, 0)),
    op("nanmax", HOLES, axis=1, keepdims=True),
    *(op(f"nan{name}", HOLES, axis=1) for name in ("cumsum", "cumprod")),
    op("norm", X),
    op("norm", CUBE),
    *(op("norm", X, ord=order, axis=1) for order in (1, 2, 3, INF, -INF)),
    op("norm", X, ord=0, axis=0),
    *(op("norm", X, ord=order) for order in ("fro", 1, -1, INF, -INF)),
    op("norm", CUBE, axis=(0, 2), keepdims=True),
    op("norm", real(7)),
    op("rms_normalization", X),
    op("rms_normalization", X, real(4), epsilon=0.01),
    op("rms_normalization", CUBE, axis=(1, 2)),
    op("in_top_k", LABELS, shares(5, 4), k=2),
    plain("ops.bincount", whole(9, below=5)),
    op("bincount", whole(9, below=5), minlength=8),
    op("bincount", whole(2, 6, below=4), minlength=4),
    plain("ops.bincount", whole(6, below=4), real(6)),
    op("bincount", whole(6, below=4), real(6), minlength=5),
    op("searchsorted", given([0.0, 1.0, 1.0, 2.0]), given([1.0, -1.0, 5.0, 1.5])),
    op("searchsorted", given([0.0, 1.0, 1.0, 2.0]), given([1.0, -1.0, 5.0, 1.5]), side="right"),
    op("digitize", given([0.2, 6.4, 3.0, 1.6]), given([0.0, 1.0, 2.5, 4.0, 10.0])),
    op("isin", whole(3, 4, below=6), given([1, 4], "int32")),
    op("isin", whole(3, 4, below=6), given([1, 4], "int32"), invert=True),
]
PRODUCTS = [
    op("outer", real(3), real(4)),
    op("outer", X, real(2)),
    op("inner", real(4), real(4)),
    op("inner", X, real(2, 4)),
    op("vdot", X, OTHER),
    op("tensordot", CUBE, real(4, 5, 2)),
    op("tensordot", CUBE, real(5, 3), axes=1),
    op("tensordot", X, real(2), axes=0),
    op("tensordot", CUBE, real(5, 3, 2), axes=[[0, 2], [1, 0]]),
    op("kron", X, real(2, 3)),
    op("kron", real(2), real(3)),
    op("cross", real(4, 3), real(4, 3)),
    op("cross", real(3, 4), real(3, 4), axis=0),
    op("vander", real(4)),
    op("vander", real(4), N=3, increasing=True),
    op("dot_product_attention", real(2, 3, 2, 4), real(2, 5, 2, 4), real(2, 5, 2, 4)),
    op(
        "dot_product_attention",
        real(2, 4, 2, 4),
        real(2, 4, 2, 4),
        real(2, 4, 2, 4),
        is_causal=True,
        scale=0.3,
    ),
]


def einsum(subscripts: str, *inputs: Any) -> Case:
    return Case("function", "ops.einsum", inputs, {}, {"before": (subscripts,)})


EINSUM = [
    einsum("ij,jk->ik", X, real(4, 5)),
    einsum("ij,jk", X, real(4, 5)),
    einsum("bij,bkj->bik", CUBE, real(3, 2, 5)),
    einsum("bqhd,bkhd->bhqk", real(2, 3, 2, 4), real(2, 5, 2, 4)),
    einsum("ij->ji", X),
    einsum("ij->", X),
    einsum("ij->j", X),
    einsum("ii->i", real(4, 4)),
    einsum("ii", real(4, 4)),
    einsum("i,j->ij", real(3), real(4)),
    einsum("i,i->", real(4), real(4)),
    einsum("...ij,...jk->...ik", CUBE, real(5, 2)),
    einsum("ij,j,jk->ik", X, real(4), real(4, 2)),
    einsum("ij,kl->k", X, OTHER),
]

CASES = [*ACTIVATIONS, *MATH, *SHAPES, *SUMS, *PRODUCTS, *EINSUM]
