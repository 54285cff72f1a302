"""Sums of products in Einstein's notation, as few matrix products and copies as there can be."""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import product as combinations
from typing import Any, NamedTuple

import numpy as np

from gputrain.errors import ShapeError, explain
from gputrain.ir import Shape
from gputrain.ops.base import apply, harmonize, spec_of
from gputrain.ops.calls import keep_calls
from gputrain.ops.elementwise import multiply
from gputrain.ops.movement import expand_dims, reshape, squeeze, transpose
from gputrain.ops.products import MatMul
from gputrain.ops.reduction import sum

__all__ = ["einsum"]


def einsum(subscripts: str, *operands: Any) -> Any:
    """Sums of products in Einstein's notation, as numpy.einsum; operands are joined from the left.

    Args:
        subscripts: as "bij,bjk->bik"; "..." stands for further axes, which are broadcast.
        operands: arrays or values.

    Raises:
        ValueError: subscripts that do not fit.
        ShapeError: an axis of one letter has several sizes.

    Example:
        >>> einsum("ij,jk->ik", np.ones((2, 3)), np.ones((3, 4))).shape
        (2, 4)
    """
    arrays = harmonize(*operands)
    terms, result = _subscripts(subscripts, [spec_of(x).ndim for x in arrays])
    _check_sizes(subscripts, terms, [spec_of(x).shape for x in arrays])
    made, names = _traced(arrays[0], terms[0])
    for number, (other, own) in enumerate(zip(arrays[1:], terms[1:], strict=True), start=2):
        needed = {*result, *(c for term in terms[number:] for c in term)}
        made, names = _joined(made, names, *_traced(other, own), needed, result)
    made, names = _summed(made, names, {*result})
    return transpose(made, [names.index(c) for c in result])


def _subscripts(text: str, dimensions: list[int]) -> tuple[list[str], str]:
    """The letters of the axes of each operand and of the result; those of "..." are capitals of its own."""
    given, arrow, result = text.replace(" ", "").partition("->")
    terms = given.split(",")
    if len(terms) != len(dimensions):
        raise ValueError(
            explain("einsum needs subscripts for each operand.", expected=len(dimensions), received=text)
        )
    more = [n - len(term.replace("...", "")) for n, term in zip(dimensions, terms, strict=True)]
    if any(n < 0 or (n and "..." not in term) for n, term in zip(more, terms, strict=True)):
        raise ValueError(
            explain("einsum: a letter for each axis.", expected=dimensions, received=f"{text!r}")
        )
    extra = [chr(0x391 + i) for i in range(max(more))]  # Greek, so that none is taken
    terms = [t.replace("...", "".join(extra[len(extra) - n :])) for n, t in zip(more, terms, strict=True)]
    if not arrow:
        letters = "".join(terms)
        once = sorted(c for c in {*letters} if letters.count(c) == 1 and c not in extra)
        return terms, "".join([*extra, *once])
    result = result.replace("...", "".join(extra))
    if len({*result}) < len(result) or not {*result} <= {*"".join(terms)}:
        raise ValueError(explain("einsum: each letter of the result once, from an operand.", received=text))
    return terms, result


def _check_sizes(text: str, terms: list[str], shapes: list[Shape]) -> None:
    """Refuse a letter that stands for axes of several sizes, but for 1, which is broadcast."""
    known: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        for letter, size in zip(term, shape, strict=True):
            if size is not None and size != 1 and known.setdefault(letter, size) != size:
                rule = f"einsum: the axes of one letter, {letter!r} of {text!r}, have one size."
                raise ShapeError(explain(rule, received=f"shapes {' and '.join(map(str, shapes))}"))


def _traced(x: Any, names: str) -> tuple[Any, str]:
    """x without axes of the same letter twice: their diagonal is taken."""
    for letter in dict.fromkeys(names):
        while names.count(letter) > 1:
            i = names.index(letter)
            j = names.index(letter, i + 1)
            size = spec_of(x).dims[i]
            place = [1] * len(names)
            place[i] = place[j] = size
            x = sum(multiply(x, np.eye(size, dtype=spec_of(x).dtype).reshape(place)), j)
            names = names[:j] + names[j + 1 :]
    return x, names


def _summed(x: Any, names: str, needed: set[str]) -> tuple[Any, str]:
    """x, summed over the letters that nothing needs."""
    gone = tuple(i for i, c in enumerate(names) if c not in needed)
    return (sum(x, gone), "".join(c for c in names if c in needed)) if gone else (x, names)


def _joined(a: Any, left: str, b: Any, right: str, needed: set[str], result: str) -> tuple[Any, str]:
    """The product of two operands, summed over the letters that nothing else needs."""
    a, left = _summed(a, left, needed | {*right})
    b, right = _summed(b, right, needed | {*left})
    sizes = [dict(zip(names, spec_of(x).shape, strict=True)) for x, names in ((a, left), (b, right))]
    both = [c for c in left if c in right]
    gone = [c for c in both if c not in needed and sizes[0][c] == sizes[1][c]]
    if not gone or len(both) == len(left) == len(right):
        return _multiplied(a, left, b, right, gone, result)
    plan, copied = _cheapest(left, right, "".join(gone), tuple((sizes[0] | sizes[1]).items()), result)
    if copied and plan.kept and not (plan.rows and plan.columns):
        return _multiplied(a, left, b, right, gone, result)
    if plan.swapped:
        a, left, b, right = b, right, a, left
    static = spec_of(a).static and spec_of(b).static
    return (_matrices if static else _broadcast)(a, left, b, right, plan), plan.names


def _multiplied(a: Any, left: str, b: Any, right: str, gone: list[str], result: str) -> tuple[Any, str]:
    """The product element by element and its sums, where matrices would be single rows."""
    every = dict.fromkeys(left + right)
    firsts = [dict.fromkeys(first + left + right) for first in (result, left, right)]
    orders = ["".join(c for c in order if c in every) for order in firsts]
    names = min(
        orders, key=lambda order: [_within(each, order) for each in (left, right, result)].count(False)
    )
    made = multiply(_aligned(a, left, names), _aligned(b, right, names))
    return _summed(made, names, {*names} - {*gone})


def _within(names: str, order: str) -> bool:
    """Whether letters stand in an order already."""
    return [c for c in order if c in names] == [c for c in names if c in order]


def _aligned(x: Any, own: str, names: str) -> Any:
    """x with its axes in the order of `names`, and axes of size 1 for those that it does not have."""
    x = transpose(x, [own.index(c) for c in names if c in own])
    return expand_dims(x, [i for i, c in enumerate(names) if c not in own])


class _Plan(NamedTuple):
    """One way to write a product: which operand comes first, and the orders of its letters.

    Attributes:
        kept: letters of both operands that stay: one matrix product for each.
        rows, columns: letters of one operand alone.
        inner: letters that are summed over.
    """

    swapped: bool
    kept: str
    rows: str
    inner: str
    columns: str

    @property
    def names(self) -> str:
        return self.kept + self.rows + self.columns


@lru_cache(maxsize=256)
def _cheapest(
    left: str, right: str, gone: str, sizes: tuple[tuple[str, int | None], ...], result: str
) -> tuple[_Plan, int]:
    """The plan that copies the fewest elements into another order, and how many those are."""
    both, inner = {*left} & {*right}, {*gone}
    plans: list[_Plan] = []
    for swapped, first, second in ((False, left, right), (True, right, left)):
        orders = (
            _orders(both - inner, first, second, result),
            _orders({*first} - both, first, result),
            _orders(inner, first, second),
            _orders({*second} - both, second, result),
        )
        plans += [_Plan(swapped, *each) for each in combinations(*orders)]
    whole = dict(sizes)

    def copied(plan: _Plan) -> int:
        first, second = (right, left) if plan.swapped else (left, right)
        moved = [] if _is_matrix(first, plan, plan.rows) else [first]
        moved += [] if _is_matrix(second, plan, plan.columns) else [second]
        moved += [] if _within(plan.names, result) else [plan.names]
        return builtins.sum(math.prod(whole[c] or 1 for c in names) for names in moved)

    computed = [plan for plan in plans if [whole[c] for c in plan.columns].count(None) < 2]
    best = min(computed or plans, key=copied)
    return best, copied(best)


def _orders(letters: set[str], *texts: str) -> list[str]:
    """The orders in which letters stand in the texts that have them all."""
    found = ("".join(c for c in text if c in letters) for text in texts)
    return list(dict.fromkeys(order for order in found if len(order) == len(letters)))


def _is_matrix(names: str, plan: _Plan, own: str) -> bool:
    """Whether an operand is one matrix for each kept letter as it lies, transposed or not."""
    return names in (plan.kept + own + plan.inner, plan.kept + plan.inner + own)


def _matrices(a: Any, left: str, b: Any, right: str, plan: _Plan) -> Any:
    """The product of operands whose sizes are known: one of matrices, of merged axes."""
    x, turned_x = _as_matrices(a, left, plan.kept, plan.rows, plan.inner)
    y, turned_y = _as_matrices(b, right, plan.kept, plan.inner, plan.columns)
    lead = [m if n == 1 else n for n, m in zip(spec_of(x).dims[:-2], spec_of(y).dims[:-2], strict=True)]
    rows = [spec_of(a).dims[left.index(c)] for c in plan.rows]
    columns = [spec_of(b).dims[right.index(c)] for c in plan.columns]
    return reshape(apply(MatMul(turned_x, turned_y), x, y), [*lead, *rows, *columns])


def _as_matrices(x: Any, names: str, kept: str, first: str, second: str) -> tuple[Any, bool]:
    """x as matrices (kept..., first, second), or transposed where that copies less; and whether they are."""
    turned = names != kept + first + second and (names == kept + second + first or names[-1] in first)
    parts = (second, first) if turned else (first, second)
    x = transpose(x, [names.index(c) for c in kept + "".join(parts)])
    sizes = iter(spec_of(x).dims)
    lead = [next(sizes) for _ in kept]
    return reshape(x, [*lead, *(math.prod(next(sizes) for _ in part) for part in parts)]), turned


def _broadcast(a: Any, left: str, b: Any, right: str, plan: _Plan) -> Any:
    """The product of operands with unknown sizes: rows stay axes of their own, for which b is broadcast."""
    lead, rows = len(plan.kept), len(plan.rows)
    x = transpose(a, [left.index(c) for c in plan.kept + plan.rows + plan.inner])
    y = transpose(b, [right.index(c) for c in plan.kept + plan.inner + plan.columns])
    columns = spec_of(y).shape[lead + len(plan.inner) :]
    x = _merged(x, len(plan.inner))
    y = _merged(y, len(columns))
    if len(plan.inner) > 1:
        y = reshape(y, [*[None] * lead, *_one_unknown((spec_of(x).shape[-1], spec_of(y).shape[-1]))])
    x = x if rows else expand_dims(x, lead)
    made = apply(MatMul(), x, expand_dims(y, range(lead, lead + rows - 1)))
    made = made if rows else squeeze(made, lead)
    return made if len(columns) == 1 else reshape(made, [*[None] * (lead + rows), *_one_unknown(columns)])


def _merged(x: Any, count: int) -> Any:
    """x with its last `count` axes in one."""
    sizes = spec_of(x).shape
    last = [size for size in sizes[len(sizes) - count :] if size is not None]
    whole = math.prod(last) if len(last) == count else -1
    return x if count == 1 else reshape(x, [*[None] * (len(sizes) - count), whole])


def _one_unknown(sizes: Sequence[int | None]) -> list[int]:
    """Sizes as `reshape` takes them."""
    if sizes.count(None) > 1:
        raise ShapeError(explain("einsum: of axes that are merged one size may be unknown.", received=sizes))
    return [-1 if size is None else size for size in sizes]


keep_calls(globals(), __all__)
