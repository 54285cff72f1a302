"""Sums, norms and products that are short compositions of other operations."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from gputrain import config
from gputrain.errors import ShapeError, explain
from gputrain.ir import Value, dtype_name, is_float, normalize_axes, normalize_axis
from gputrain.ir.spec import whole_number, whole_numbers
from gputrain.ops.attending import attend
from gputrain.ops.base import cast, convert, harmonize, spec_of
from gputrain.ops.calls import keep_calls
from gputrain.ops.comparison import (
    equal,
    greater,
    isfinite,
    less,
    less_equal,
    logical_and,
    not_equal,
)
from gputrain.ops.contraction import einsum
from gputrain.ops.creation import full_like, ones_like, zeros_like
from gputrain.ops.elementwise import (
    abs,
    add,
    divide,
    minimum,
    multiply,
    power,
    rsqrt,
    sqrt,
    square,
    subtract,
    where,
)
from gputrain.ops.indexing import getitem, one_hot, take, take_along_axis
from gputrain.ops.movement import (
    concatenate,
    expand_dims,
    moveaxis,
    ravel,
    reshape,
    squeeze,
    stack,
)
from gputrain.ops.pointwise import as_float, as_floats
from gputrain.ops.precision import wide_dtype
from gputrain.ops.reduction import Axes, any, max, mean, min, prod, sum, var
from gputrain.utils.signatures import only_taken

__all__ = [
    "average",
    "bincount",
    "cross",
    "cumprod",
    "cumsum",
    "diff",
    "digitize",
    "dot_product_attention",
    "in_top_k",
    "inner",
    "isin",
    "kron",
    "moments",
    "nancumprod",
    "nancumsum",
    "nanmax",
    "nanmean",
    "nanmin",
    "nanprod",
    "nanstd",
    "nansum",
    "nanvar",
    "norm",
    "outer",
    "ptp",
    "rms_normalization",
    "searchsorted",
    "tensordot",
    "trapezoid",
    "vander",
    "vdot",
]

COMPARED = 64  # longer sequences are searched by halves, which needs no memory for all pairs


# ---------------------------------------------------------------------------------------- along an axis


def cumsum(x: Any, axis: int | None = None, dtype: str | None = None) -> Any:
    """The sums of all elements up to each one along `axis`; of all elements, flattened, without one.

    Args:
        x: an array or value; its size along the axis is known.
        axis: one axis.
        dtype: of the sums.
    """
    return _accumulated(add, x, axis, dtype, "cumsum")


def cumprod(x: Any, axis: int | None = None, dtype: str | None = None) -> Any:
    """The products of all elements up to each one along `axis`; of all elements, flattened, without one.

    Args:
        x: an array or value; its size along the axis is known.
        axis: one axis.
        dtype: of the products.
    """
    return _accumulated(multiply, x, axis, dtype, "cumprod")


def _accumulated(combine: Callable[..., Any], x: Any, axis: int | None, dtype: str | None, what: str) -> Any:
    """In each round, twice as many elements are combined (Hillis and Steele 1986)."""
    x = convert(x)
    x = cast(x, dtype_name(dtype)) if dtype is not None else x
    x = cast(x, "int32") if spec_of(x).dtype == "bool" else x
    if axis is None:
        x, axis = ravel(x), 0
    axis = normalize_axis(axis, spec_of(x).ndim, what)
    length = spec_of(x).shape[axis]
    if length is None:
        raise ShapeError(explain(f"{what} needs to know the size along the axis.", received=spec_of(x)))
    step = 1
    while step < length:
        later = combine(_cut(x, axis, step, length), _cut(x, axis, 0, length - step))
        x = concatenate([_cut(x, axis, 0, step), later], axis)
        step *= 2
    return x


def _cut(x: Any, axis: int, start: int, stop: int) -> Any:
    return getitem(x, (*(slice(None),) * axis, slice(start, stop)))


def diff(a: Any, n: int = 1, axis: int = -1) -> Any:
    """Differences between neighbours along `axis`, `n` times.

    Args:
        a: an array or value; its size along the axis is known.
        n: how often.
        axis: one axis.
    """
    x = convert(a)
    axis = normalize_axis(axis, spec_of(x).ndim, "diff")
    for _ in range(whole_number(n, "diff: n")):
        length = spec_of(x).dims[axis]
        later, earlier = _cut(x, axis, 1, length), _cut(x, axis, 0, length - 1)
        x = not_equal(later, earlier) if spec_of(x).dtype == "bool" else subtract(later, earlier)
    return x


def trapezoid(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1) -> Any:
    """The integral of y along `axis` by trapezoids.

    Args:
        y: the function's values.
        x: where they stand; None for distances of `dx`.
        dx: the distance.
        axis: one axis.
    """
    y = as_float(y)
    axis = normalize_axis(axis, spec_of(y).ndim, "trapezoid")
    length = spec_of(y).dims[axis]
    between = multiply(0.5, add(_cut(y, axis, 1, length), _cut(y, axis, 0, length - 1)))
    width: Any = dx
    if x is not None:
        width = diff(as_float(x))
        if spec_of(width).ndim == 1:
            width = reshape(width, (-1, *(1,) * (spec_of(y).ndim - 1 - axis)))
    return sum(multiply(between, width), axis)


# -------------------------------------------------------------------------------------------- reductions


def average(x: Any, axis: Axes = None, weights: Any = None) -> Any:
    """The mean, weighted.

    Args:
        x: an array or value.
        axis: one axis, several, or all.
        weights: in the shape of x, or of its `axis`; None for equal ones.
    """
    if weights is None:
        return mean(x, axis)
    a, w = as_floats(x, weights)
    if spec_of(w).ndim != spec_of(a).ndim and isinstance(axis, int):
        place = [1] * spec_of(a).ndim
        place[axis] = -1
        w = reshape(w, place)
    w = multiply(w, ones_like(a))
    return divide(sum(multiply(a, w), axis), sum(w, axis))


def ptp(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """The largest element less the smallest."""
    return subtract(max(x, axis, keepdims), min(x, axis, keepdims))


def moments(x: Any, axes: Axes, keepdims: bool = False, synchronized: bool = False) -> tuple[Any, Any]:
    """The mean and the variance.

    Args:
        x: an array or value.
        axes: one axis or several.
        keepdims: whether axes that are summed over stay, with size 1.
        synchronized: as in Keras; one device sees the whole batch, so only False is taken.

    Raises:
        ValueError: synchronized.
    """
    if synchronized:
        raise ValueError("moments: one device sees the whole batch. Leave out synchronized=True.")
    x = as_float(x)
    return mean(x, axes, keepdims), var(x, axes, keepdims)


def norm(x: Any, ord: Any = None, axis: Axes = None, keepdims: bool = False) -> Any:
    """The norm of vectors, or of matrices.

    Args:
        x: an array or value.
        ord: of vectors None or 2 (Euclidean), 1, inf, -inf, 0 or another number; of matrices None or "fro".
        axis: one axis for vectors, two for matrices; None for all elements.
        keepdims: whether axes that are summed over stay, with size 1.

    Raises:
        ValueError: another order of matrices.
    """
    x = as_float(x)
    axes = normalize_axes(axis, spec_of(x).ndim, "norm")
    if ord is None or (ord == "fro" and len(axes) == 2) or (ord == 2 and len(axes) == 1):
        total = sum(square(x), axes, keepdims)
        none = equal(total, 0.0)  # where the gradient is 0, as everywhere on a plain
        return where(none, 0.0, sqrt(where(none, 1.0, total)))
    if len(axes) == 2:
        return _matrix_norm(x, ord, axes, keepdims)
    if len(axes) != 1 or isinstance(ord, str):
        rule = "norm: unknown order of vectors." if len(axes) == 1 else "norm takes one axis or two."
        raise ValueError(explain(rule, received=f"ord={ord!r}, axis={axis}"))
    if ord in (math.inf, -math.inf):
        return (max if ord > 0 else min)(abs(x), axes, keepdims)
    if ord == 0:
        return sum(cast(not_equal(x, 0.0), spec_of(x).dtype), axes, keepdims)
    if ord == 1:
        return sum(abs(x), axes, keepdims)
    return power(sum(power(abs(x), float(ord)), axes, keepdims), 1.0 / float(ord))


def _matrix_norm(x: Any, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    rows, columns = axes
    if ord not in (1, -1, math.inf, -math.inf):
        raise ValueError(
            explain(
                "norm: norms of matrices that need singular values are not offered.",
                expected='None, "fro", 1, -1, inf or -inf',
                received=f"ord={ord!r}",
            )
        )
    first, last = (rows, columns) if ord in (1, -1) else (columns, rows)
    sums = sum(abs(x), (first,), True)
    found = (max if ord > 0 else min)(sums, (last,), True)
    return found if keepdims else squeeze(found, axes)


def nansum(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """The sum of the elements that are numbers."""
    return sum(_numbers(x, 0.0), axis, keepdims)


def nanprod(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """The product of the elements that are numbers."""
    return prod(_numbers(x, 1.0), axis, keepdims)


def nanmax(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """The largest of the elements that are numbers; NaN where there is none."""
    return _where_any(x, max(_numbers(x, -math.inf), axis, keepdims), axis, keepdims)


def nanmin(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """The smallest of the elements that are numbers; NaN where there is none."""
    return _where_any(x, min(_numbers(x, math.inf), axis, keepdims), axis, keepdims)


def nanmean(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """The mean of the elements that are numbers."""
    x = as_float(x)
    return divide(nansum(x, axis, keepdims), _how_many(x, axis, keepdims))


def nanvar(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """The variance of the elements that are numbers."""
    x = as_float(x)
    center = nanmean(x, axis, True)
    apart = where(equal(x, x), subtract(_numbers(x, 0.0), center), 0.0)
    return divide(sum(square(apart), axis, keepdims), _how_many(x, axis, keepdims))


def nanstd(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """The standard deviation of the elements that are numbers."""
    return sqrt(nanvar(x, axis, keepdims))


def nancumsum(x: Any, axis: int | None = None, dtype: str | None = None) -> Any:
    """As `cumsum`, with NaN as 0."""
    return cumsum(_numbers(x, 0.0), axis, dtype)


def nancumprod(x: Any, axis: int | None = None, dtype: str | None = None) -> Any:
    """As `cumprod`, with NaN as 1."""
    return cumprod(_numbers(x, 1.0), axis, dtype)


def _numbers(x: Any, otherwise: float) -> Any:
    """x with a number in place of NaN."""
    x = convert(x)
    return where(equal(x, x), x, full_like(x, otherwise)) if is_float(spec_of(x).dtype) else x


def _how_many(x: Any, axis: Axes, keepdims: bool) -> Any:
    return sum(cast(equal(x, x), spec_of(x).dtype), axis, keepdims)


def _where_any(x: Any, found: Any, axis: Axes, keepdims: bool) -> Any:
    if not is_float(spec_of(convert(x)).dtype):
        return found
    return where(any(equal(x, x), axis, keepdims), found, math.nan)


def rms_normalization(
    x: Any, scale: Any = None, axis: int | Sequence[int] = -1, epsilon: float | None = None
) -> Any:
    """x / sqrt(mean of squares + epsilon) * scale (Zhang & Sennrich 2019).

    Args:
        x: an array or value.
        scale: of the sizes of `axis`, or None for 1.
        axis: one axis or several.
        epsilon: added to the mean, `config.epsilon()` unless given.

    Returns:
        the shape and dtype of x; float16 is computed in float32.
    """
    x = as_float(x)
    dtype = spec_of(x).dtype
    wide = cast(x, wide_dtype(dtype))
    axes = normalize_axes(axis, spec_of(x).ndim, "rms_normalization")
    shift = config.epsilon() if epsilon is None else float(epsilon)
    found = multiply(wide, rsqrt(add(mean(square(wide), axes, True), shift)))
    if scale is not None:
        place = [n if i in axes else 1 for i, n in enumerate(spec_of(x).shape)]
        found = multiply(found, reshape(cast(convert(scale), spec_of(wide).dtype), place))
    return cast(found, dtype)


# -------------------------------------------------------------------------------------- counts and places


def in_top_k(targets: Any, predictions: Any, k: int) -> Any:
    """Whether the score of each target is among the `k` largest of its row.

    Args:
        targets: class indices, (N,).
        predictions: scores, (N, classes).
        k: how many count.
    """
    targets, scores = convert(targets), as_float(predictions)
    own = take_along_axis(scores, expand_dims(targets, -1), -1)
    above = sum(cast(greater(scores, own), "int32"), -1)
    return logical_and(less(above, k), isfinite(squeeze(own, -1)))


def bincount(x: Any, weights: Any = None, minlength: int = 0, sparse: bool = False) -> Any:
    """How often each integer stands in the last axis of x.

    Args:
        x: integers from 0, (n,) or (N, n).
        weights: in the shape of x; what each counts. None for 1.
        minlength: the least length of the result; its length where x is a value of a model.
        sparse: as in Keras; there are no sparse tensors, so only False is taken.

    Raises:
        ValueError: sparse.
    """
    if sparse:
        raise ValueError("bincount: there are no sparse tensors. Leave out sparse=True.")
    x, length = convert(x), int(minlength)
    if not isinstance(x, Value):
        length = builtins.max(length, int(max(x, initial=-1)) + 1)
    elif not length:
        rule = "bincount: the largest integer is not known while a model is built."
        raise ValueError(explain(rule, received="minlength=0", fix="Pass minlength, one more than that."))
    hot = one_hot(x, length, dtype="int32" if weights is None else spec_of(convert(weights)).dtype)
    return sum(hot if weights is None else multiply(hot, expand_dims(weights, -1)), -2)


def searchsorted(sorted_sequence: Any, values: Any, side: str = "left") -> Any:
    """The places at which values would stand in a sorted sequence.

    Args:
        sorted_sequence: rising numbers, (n,).
        values: numbers of any shape.
        side: "left" is before equal numbers, "right" behind them.

    Raises:
        ValueError: another side.
    """
    if side not in ("left", "right"):
        raise ValueError(explain("searchsorted: unknown side.", expected='"left" or "right"', received=side))
    line, numbers = harmonize(sorted_sequence, values)
    passes = less if side == "left" else less_equal
    size = line.shape[0]
    if size is None or size <= COMPARED:
        return sum(cast(passes(line, expand_dims(numbers, -1)), "int32"), -1)
    found = zeros_like(numbers, "int32")  # so many are passed by; in steps of half the size, a quarter ...
    for step in (2**k for k in range(size.bit_length() - 1, -1, -1)):
        further = add(found, step)
        passed = passes(take(line, subtract(minimum(further, size), 1)), numbers)
        found = where(logical_and(less_equal(further, size), passed), further, found)
    return found


def digitize(x: Any, bins: Any) -> Any:
    """The number of the bin of each element.

    Args:
        x: numbers.
        bins: the rising borders between bins, (n,).
    """
    return searchsorted(bins, x, "right")


def isin(x1: Any, x2: Any, assume_unique: bool = False, invert: bool = False) -> Any:
    """Whether each element of x1 is in x2.

    Args:
        x1: an array or value.
        x2: what is looked in.
        assume_unique: accepted as in Keras; it changes no result.
        invert: whether to answer the opposite.
    """
    a, b = harmonize(x1, x2)
    found = any(equal(expand_dims(a, -1), ravel(b)), -1)
    return equal(found, False) if invert else found


# ------------------------------------------------------------------------------------------------ products


def outer(x1: Any, x2: Any) -> Any:
    """All products of an element of x1 with one of x2: (n,) and (m,) to (n, m)."""
    a, b = harmonize(x1, x2)
    return multiply(expand_dims(ravel(a), 1), expand_dims(ravel(b), 0))


def inner(x1: Any, x2: Any) -> Any:
    """Sums of products over the last axes."""
    a, b = harmonize(x1, x2)
    if not spec_of(a).ndim or not spec_of(b).ndim:
        return multiply(a, b)
    return tensordot(a, b, ((-1,), (-1,)))


def vdot(x1: Any, x2: Any) -> Any:
    """The sum of the products of all elements."""
    a, b = harmonize(x1, x2)
    return sum(multiply(ravel(a), ravel(b)))


def tensordot(x1: Any, x2: Any, axes: Any = 2) -> Any:
    """Sums of products over pairs of axes.

    Args:
        x1, x2: arrays or values.
        axes: how many last axes of x1 go with as many first ones of x2; or a pair of lists of axes.
    """
    a, b = harmonize(x1, x2)
    n, m = spec_of(a).ndim, spec_of(b).ndim
    single = not isinstance(axes, Iterable)
    count = whole_number(axes, "tensordot: axes") if single else 0
    pair = (range(n - count, n), range(count)) if single else axes
    given = [whole_numbers(one, "tensordot: axes") for one in pair]
    left, right = (
        [normalize_axis(i, d, "tensordot") for i in one] for one, d in zip(given, (n, m), strict=True)
    )
    names = [chr(97 + i) for i in range(n + m)]
    first, second = names[:n], names[n:]
    for i, j in zip(left, right, strict=True):
        second[j] = first[i]
    kept = [c for i, c in enumerate(first) if i not in left] + [
        c for j, c in enumerate(second) if j not in right
    ]
    return einsum(f"{''.join(first)},{''.join(second)}->{''.join(kept)}", a, b)


def kron(x1: Any, x2: Any) -> Any:
    """The Kronecker product: x2 once for each element of x1, times it."""
    a, b = harmonize(x1, x2)
    n = builtins.max(spec_of(a).ndim, spec_of(b).ndim)
    left, right = ((1,) * (n - spec_of(x).ndim) + spec_of(x).dims for x in (a, b))
    wide = reshape(a, [size for d in left for size in (d, 1)])
    narrow = reshape(b, [size for d in right for size in (1, d)])
    return reshape(multiply(wide, narrow), [p * q for p, q in zip(left, right, strict=True)])


def cross(
    x1: Any, x2: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Any:
    """The cross product of vectors of three numbers.

    Args:
        x1, x2: arrays or values.
        axisa, axisb, axisc: where the vectors lie in x1, in x2 and in the result.
        axis: where they lie in all three.

    Raises:
        ShapeError: vectors of another length.
    """
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = harmonize(x1, x2)
    a, b = moveaxis(a, axisa, -1), moveaxis(b, axisb, -1)
    if spec_of(a).shape[-1] != 3 or spec_of(b).shape[-1] != 3:
        raise ShapeError(
            explain("cross takes vectors of three numbers.", received=f"{spec_of(a)} and {spec_of(b)}")
        )
    left, right = ([x[..., i] for i in range(3)] for x in (a, b))
    parts = [
        subtract(multiply(left[i], right[j]), multiply(left[j], right[i]))
        for i, j in ((1, 2), (2, 0), (0, 1))
    ]
    return stack(parts, axisc)


def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """The powers of each element: (n,) to (n, N).

    Args:
        x: numbers, (n,).
        N: how many powers, from 0; None for n.
        increasing: whether they rise.
    """
    x = convert(x)
    count = spec_of(x).dims[0] if N is None else int(N)
    powers = [ones_like(x)]
    while len(powers) < count:
        powers.append(multiply(powers[-1], x))
    found = powers[:count]
    return stack(found if increasing else found[::-1], -1)


def dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    scale: float | None = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
) -> Any:
    """Attention, softmax(query . key * scale) . value (Vaswani et al. 2017).

    Args:
        query: (N, T, heads, size).
        key, value: (N, S, heads, size); the heads of the query are a multiple of theirs.
        bias: added to the scores, (N, heads, T, S) or what broadcasts to it.
        mask: True where a query may look at a key, of the same shape.
        scale: 1 / sqrt(size) unless given.
        is_causal: whether a query may look at keys up to its own place only.
        flash_attention: as in Keras; there is one way of computing it, which stores no scores.
        attn_logits_soft_cap: as in Keras; only None is taken.

    Returns:
        (N, T, heads, size of the values).

    Raises:
        ValueError: attn_logits_soft_cap.
        ShapeError: sizes that do not fit.
    """
    only_taken("flash_attention", flash_attention, "dot_product_attention")
    if attn_logits_soft_cap:
        rule = "dot_product_attention: attn_logits_soft_cap is not offered."
        raise ValueError(explain(rule, received=attn_logits_soft_cap, fix="Leave it out."))
    masks = () if mask is None else (mask,)
    return attend(query, key, value, bias=bias, masks=masks, scale=scale, causal=bool(is_causal))


keep_calls(globals(), __all__)
