"""Operations that move elements and compute nothing: views, copies in another order, filled arrays."""

from __future__ import annotations

import builtins
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from gputrain.errors import DTypeError, ShapeError, explain
from gputrain.ir import Spec, Value, is_float, normalize_axes, normalize_axis
from gputrain.ir.spec import Dim, Shape, whole_number, whole_numbers
from gputrain.ops.base import Operation, Sample, apply, convert, harmonize, spec_of
from gputrain.ops.pointwise import Gradients, scalar_like

__all__ = [
    "BroadcastTo",
    "Concatenate",
    "ExpandDims",
    "Flip",
    "Pad",
    "Reshape",
    "Roll",
    "Split",
    "Squeeze",
    "Transpose",
    "broadcast_to",
    "concatenate",
    "expand_dims",
    "flip",
    "moveaxis",
    "ravel",
    "repeat",
    "reshape",
    "roll",
    "split",
    "squeeze",
    "stack",
    "swapaxes",
    "tile",
    "transpose",
    "unstack",
]


def _product(dims: Sequence[Dim]) -> Dim:
    """Product of sizes; None when one of them is unknown."""
    known: list[int] = [d for d in dims if d is not None]
    return math.prod(known) if len(known) == len(dims) else None


# ---------------------------------------------------------------------------------------------------- views


class Reshape(Operation):
    """The same elements under another shape, without a copy.

    In `shape` an entry -1 is whatever is left, and an entry None keeps the input's size at that position.
    """

    shape: Shape
    view = True

    def infer(self, x: Spec) -> Spec:
        self._check(x)
        kept = {i for i, d in enumerate(self.shape) if d is None}
        target: list[Dim] = [x.shape[i] if i in kept else d for i, d in enumerate(self.shape)]
        if -1 in target:
            target[target.index(-1)] = self._left(x, kept)
        # Sizes that are kept unchanged cancel, even when they are unknown.
        before = _product([d for i, d in enumerate(x.shape) if i not in kept])
        after = _product([d for i, d in enumerate(target) if i not in kept])
        empty = 0 in x.shape and 0 in target
        if before is not None and after is not None and before != after and not empty:
            raise self._mismatch(x)
        return x.with_shape(target)

    def _check(self, x: Spec) -> None:
        wild = [d for d in self.shape if d == -1]
        wrong = [d for d in self.shape if d is not None and d < -1]
        if len(wild) > 1 or wrong:
            raise ShapeError(
                explain(
                    "Reshape: sizes are at least 0, and one of them may be -1 (whatever is left).",
                    received=f"shape {self.shape}",
                )
            )
        for i, d in enumerate(self.shape):
            if d is None and i >= x.ndim:
                raise ShapeError(
                    explain(
                        "Reshape: None keeps the input's size at that position.",
                        expected=f"None only in the first {x.ndim} positions",
                        received=f"shape {self.shape} for {x}",
                        fix="Use -1 for the one size to be worked out.",
                    )
                )

    def _left(self, x: Spec, kept: set[int]) -> Dim:
        total = _product([d for i, d in enumerate(x.shape) if i not in kept])
        given = math.prod(d for d in self.shape if d is not None and d != -1)
        if total is None:
            return None
        if given == 0 or total % given:
            raise self._mismatch(x)
        return total // given

    def _mismatch(self, x: Spec) -> ShapeError:
        return ShapeError(
            explain(
                "Reshape: the number of elements must stay the same.",
                expected=f"{_product(x.shape) or x.shape} elements",
                received=f"{x} to shape {self.shape}",
                fix="Use -1 for one size to have it worked out.",
            )
        )

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (reshape(ct, x.spec.dims),)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        cases: list[tuple[Shape, Shape]] = [
            ((2, 6), (3, 4)),
            ((2, 3, 5), (-1, 15)),
            ((2, 3, 8), (None, -1, 4)),
            ((1,), ()),
            ((), (1, 1)),
            ((0, 3), (3, -1)),
            ((70001, 2), (-1,)),
        ]
        return [
            Sample(
                cls(shape), (Spec(x),), lambda a, s=shape: a.reshape([len(a) if d is None else d for d in s])
            )
            for x, shape in cases
        ]


class ExpandDims(Operation):
    """Axes of size 1 put in, at positions of the output."""

    axes: tuple[int, ...]
    view = True

    def infer(self, x: Spec) -> Spec:
        sizes = iter(x.shape)
        ndim = x.ndim + len(self.axes)
        return x.with_shape([1 if i in self.axes else next(sizes) for i in range(ndim)])

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (squeeze(ct, self.axes),)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        return [
            Sample(cls((0,)), (Spec(()),), lambda x: np.expand_dims(x, 0)),
            Sample(cls((1, 3)), (Spec((3, 5)),), lambda x: np.expand_dims(x, (1, 3))),
            Sample(cls((2,)), (Spec((0, 4)),), lambda x: np.expand_dims(x, 2)),
        ]


class Squeeze(Operation):
    """Axes of size 1 taken out."""

    axes: tuple[int, ...]
    view = True

    def infer(self, x: Spec) -> Spec:
        for axis in self.axes:
            if x.shape[axis] not in (1, None):
                raise ShapeError(
                    explain(
                        "squeeze: only axes of size 1 can be removed.",
                        received=f"axis {axis} of {x}",
                        fix="Leave axis out to remove just those of size 1, or use ops.reshape.",
                    )
                )
        return x.with_shape(d for i, d in enumerate(x.shape) if i not in self.axes)

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (expand_dims(ct, self.axes),)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        return [
            Sample(cls((0,)), (Spec((1,)),), lambda x: np.squeeze(x, 0)),
            Sample(cls((1, 3)), (Spec((3, 1, 5, 1)),), lambda x: np.squeeze(x, (1, 3))),
            Sample(cls((1,)), (Spec((0, 1)),), lambda x: np.squeeze(x, 1)),
        ]


# --------------------------------------------------------------------------------------------------- copies


class Transpose(Operation):
    """Axes in another order: axis i of the output is axis `axes[i]` of the input."""

    sums = True
    axes: tuple[int, ...]

    def infer(self, x: Spec) -> Spec:
        if sorted(self.axes) != list(range(x.ndim)):
            raise ShapeError(
                explain(
                    "transpose: axes must name each dimension once.",
                    expected=f"an order of 0..{x.ndim - 1}",
                    received=f"{self.axes} for {x}",
                )
            )
        return x.with_shape(x.shape[a] for a in self.axes)

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        back = tuple(self.axes.index(i) for i in range(len(self.axes)))
        return (transpose(ct, back),)

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        xp.copyto(out, x.transpose(self.axes))

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        cases = [
            ((), ()),
            ((5, 3), (1, 0)),
            ((2, 3, 5), (2, 0, 1)),
            ((0, 3), (1, 0)),
            ((7, 1, 1009), (0, 2, 1)),
        ]
        return [Sample(cls(axes), (Spec(x),), lambda a, p=axes: np.transpose(a, p)) for x, axes in cases]


class BroadcastTo(Operation):
    """x repeated along axes of size 1 and new leading axes; None keeps the input's size."""

    sums = True
    shape: Shape

    def infer(self, x: Spec) -> Spec:
        extra = len(self.shape) - x.ndim
        sizes: Shape = (1,) * builtins.max(extra, 0) + x.shape
        fits = extra >= 0 and builtins.all(
            t is None or n is None or n == t or n == 1 for n, t in zip(sizes, self.shape, strict=True)
        )
        if not fits:
            raise ShapeError(
                explain(
                    "broadcast_to: sizes must be equal or 1, counted from the last axis.",
                    expected=f"a shape that broadcasts to {self.shape}",
                    received=x,
                    fix="Add axes of size 1 with ops.expand_dims.",
                )
            )
        return x.with_shape(n if t is None else t for n, t in zip(sizes, self.shape, strict=True))

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (ct,)  # summed to the shape of x by autodiff

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        xp.copyto(out, x)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        cases: list[tuple[Shape, Shape]] = [
            ((), (3, 5)),
            ((5,), (3, 5)),
            ((3, 1), (2, 3, 7)),
            ((3, 1), (None, 4)),
            ((1, 3), (0, 3)),
            ((2, 3), (2, 3)),
            ((1,), (70001,)),
        ]
        return [
            Sample(
                cls(to), (Spec(x),), lambda a, s=to: np.broadcast_to(a, [3 if d is None else d for d in s])
            )
            for x, to in cases
        ]


class Concatenate(Operation):
    """Inputs of one dtype, joined along `axis`."""

    axis: int

    def infer(self, *specs: Spec) -> Spec:
        first = specs[0]
        sizes: list[Dim] = list(first.shape)
        for spec in specs[1:]:
            if spec.dtype != first.dtype:
                raise DTypeError(
                    explain("concatenate needs inputs of one dtype.", received=f"{first} and {spec}")
                )
            if spec.ndim != first.ndim or builtins.any(
                i != self.axis and m is not None and n is not None and m != n
                for i, (m, n) in enumerate(zip(sizes, spec.shape, strict=True))
            ):
                raise ShapeError(
                    explain(
                        f"concatenate: shapes must agree except along axis {self.axis}.",
                        received=", ".join(str(s.shape) for s in specs),
                        fix="Crop, pad or reshape the inputs to a common shape, or choose another axis.",
                    )
                )
            sizes = [m if m is not None else n for m, n in zip(sizes, spec.shape, strict=True)]
        along = [s.shape[self.axis] for s in specs]
        known = [n for n in along if n is not None]
        sizes[self.axis] = builtins.sum(known) if len(known) == len(along) else None
        return first.with_shape(sizes)

    def vjp(self, ct: Value, out: Value, *inputs: Value) -> Gradients:
        before: tuple[builtins.slice, ...] = (builtins.slice(None),) * self.axis
        parts, start = [], 0
        for x in inputs:
            stop = start + x.spec.dims[self.axis]
            parts.append(ct[(*before, builtins.slice(start, stop))] if is_float(x.dtype) else None)
            start = stop
        return parts

    def compute(self, xp: Any, out: Any, *inputs: Any, scratch: tuple[Any, ...] = ()) -> None:
        xp.concatenate(inputs, axis=self.axis, out=out)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(axis: int) -> Any:
            return lambda *xs: np.concatenate(xs, axis)

        return [
            Sample(cls(0), (Spec((3,)),), reference(0)),
            Sample(cls(1), (Spec((2, 3)), Spec((2, 1)), Spec((2, 4))), reference(1)),
            Sample(cls(0), (Spec((0, 3)), Spec((2, 3))), reference(0)),
            Sample(cls(2), (Spec((3, 1, 5)), Spec((3, 1, 2))), reference(2)),
            Sample(cls(0), (Spec((70001,)), Spec((3,))), reference(0)),
        ]


class Split(Operation):
    """x cut along `axis`: into equal parts when `sections` is a number, else before each of its indices."""

    sections: int | tuple[int, ...]
    axis: int

    @property
    def n_outputs(self) -> int:
        return self.sections if isinstance(self.sections, int) else len(self.sections) + 1

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        size = x.shape[self.axis]
        if isinstance(self.sections, int):
            if self.sections < 1 or (size is not None and size % self.sections):
                raise ShapeError(
                    explain(
                        "split: a number of parts must divide the size along the axis.",
                        received=f"{self.sections} parts of axis {self.axis} of {x}",
                        fix="Pass a list of indices for parts of different sizes.",
                    )
                )
            parts: list[Dim] = [None if size is None else size // self.sections] * self.sections
        else:
            parts = self._between(x)
        head, tail = x.shape[: self.axis], x.shape[self.axis + 1 :]
        return tuple(x.with_shape((*head, n, *tail)) for n in parts)

    def _between(self, x: Spec) -> list[Dim]:
        assert isinstance(self.sections, tuple)
        size, points = x.shape[self.axis], (0, *self.sections)
        rising = builtins.all(a <= b for a, b in zip(points, self.sections, strict=False))
        if not rising or (size is not None and points[-1] > size):
            raise ShapeError(
                explain(
                    "split: indices must rise from 0 to the size along the axis.",
                    received=f"{list(self.sections)} for axis {self.axis} of {x}",
                )
            )
        inner: list[Dim] = [b - a for a, b in zip(points, self.sections, strict=False)]
        return [*inner, None if size is None else size - points[-1]]

    def vjp(self, ct: Any, out: Any, x: Value) -> Gradients:
        cts = ct if isinstance(ct, tuple | list) else (ct,)
        outs = out if isinstance(out, tuple | list) else (out,)
        whole = [
            broadcast_to(scalar_like(o, 0.0), o.shape) if c is None else c
            for c, o in zip(cts, outs, strict=True)
        ]
        return (concatenate(whole, self.axis),)

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        start = 0
        for part in out if isinstance(out, tuple) else (out,):
            stop = start + part.shape[self.axis]
            xp.copyto(part, x[(builtins.slice(None),) * self.axis + (builtins.slice(start, stop),)])
            start = stop

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        cases: list[tuple[Shape, int | tuple[int, ...], int]] = [
            ((6,), 3, 0),
            ((2, 7), (3, 4), 1),
            ((2, 7), (0, 7), 1),
            ((0, 4), 2, 1),
            ((3, 5), 1, 0),
        ]
        return [
            Sample(cls(s, a), (Spec(x),), lambda v, s=s, a=a: tuple(np.split(v, s, a)), label=f"{x}")
            for x, s, a in cases
        ]


class Pad(Operation):
    """A border of `value`: `widths[i]` = (before, after) along axis i."""

    widths: tuple[tuple[int, int], ...]
    value: float = 0.0

    def infer(self, x: Spec) -> Spec:
        if len(self.widths) != x.ndim or any(w < 0 for pair in self.widths for w in pair):
            raise ShapeError(
                explain(
                    "pad needs a pair (before, after), not negative, for each axis.",
                    expected=f"{x.ndim} pairs",
                    received=f"{self.widths} for {x}",
                    fix="Crop with a slice, x[1:-1], instead of a negative width.",
                )
            )
        return x.with_shape(
            None if n is None else n + before + after
            for n, (before, after) in zip(x.shape, self.widths, strict=True)
        )

    def _inner(self, shape: Sequence[int]) -> tuple[builtins.slice, ...]:
        """Where x lies in the output of `shape`."""
        return tuple(builtins.slice(a, n - b) for n, (a, b) in zip(shape, self.widths, strict=True))

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (ct[self._inner(out.spec.dims)],)

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        inner = self._inner(out.shape)
        for axis, (before, after) in enumerate(self.widths):
            # Only the border is filled: full along later axes, inside the earlier ones.
            n = out.shape[axis]
            out[(*inner[:axis], builtins.slice(0, before))] = self.value
            out[(*inner[:axis], builtins.slice(n - after, n))] = self.value
        out[inner] = x

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        cases: list[tuple[Shape, tuple[tuple[int, int], ...], float]] = [
            ((), (), 0.0),
            ((5,), ((2, 1),), 0.0),
            ((2, 3, 1), ((0, 1), (2, 0), (1, 1)), 1.5),
            ((0, 3), ((1, 2), (0, 0)), -1.0),
            ((3, 0), ((0, 0), (0, 0)), 0.0),
            ((2, 35001), ((0, 0), (1, 2)), 0.0),
        ]

        def reference(widths: Any, value: float) -> Any:
            return lambda x: np.pad(x, widths, constant_values=value) if widths else x

        return [Sample(cls(w, v), (Spec(x),), reference(w, v)) for x, w, v in cases]


class Flip(Operation):
    """The order of elements reversed along `axes`."""

    axes: tuple[int, ...]

    def infer(self, x: Spec) -> Spec:
        return x

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (apply(Flip(self.axes), ct),)

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        xp.copyto(out, xp.flip(x, self.axes))

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        cases: list[tuple[Shape, tuple[int, ...]]] = [
            ((5,), (0,)),
            ((2, 3, 4), (0, 2)),
            ((0, 2), (1,)),
            ((70001,), (0,)),
        ]
        return [Sample(cls(a), (Spec(x),), lambda v, a=a: np.flip(v, a)) for x, a in cases]


class Roll(Operation):
    """Elements shifted along `axis`; those that leave at one end come back at the other."""

    shift: int
    axis: int

    def infer(self, x: Spec) -> Spec:
        return x

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (apply(Roll(-self.shift, self.axis), ct),)

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        size = x.shape[self.axis]
        cut = self.shift % size if size else 0
        before = (builtins.slice(None),) * self.axis
        out[(*before, builtins.slice(cut, None))] = x[(*before, builtins.slice(0, size - cut))]
        out[(*before, builtins.slice(0, cut))] = x[(*before, builtins.slice(size - cut, None))]

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        cases: list[tuple[Shape, int, int]] = [
            ((5,), 2, 0),
            ((3, 4), -1, 1),
            ((2, 3), 7, 0),
            ((0, 3), 1, 0),
            ((4,), 0, 0),
        ]
        return [Sample(cls(s, a), (Spec(x),), lambda v, s=s, a=a: np.roll(v, s, a)) for x, s, a in cases]


# ----------------------------------------------------------------------------------------- public functions


def reshape(x: Any, newshape: int | Sequence[Dim]) -> Any:
    """The same elements under another shape.

    Args:
        x: array or Value.
        newshape: the new sizes. One of them may be -1, which is then worked out; None keeps the size of x
            at that position, known or not.

    Raises:
        ShapeError: the number of elements would change.

    Example:
        >>> reshape(zeros((2, 3, 4)), (None, -1)).shape
        (2, 12)
    """
    x = convert(x)
    target = _as_shape(newshape)
    return x if target == x.shape and None not in target else apply(Reshape(target), x)


def _as_shape(given: int | Sequence[Dim]) -> Shape:
    """One size or several as a shape."""
    sizes = tuple(given) if isinstance(given, Iterable) else (given,)
    return tuple(n if n is None or isinstance(n, int) else whole_number(n, "a size") for n in sizes)


def ravel(x: Any) -> Any:
    """All elements of x in one dimension."""
    return reshape(x, (-1,))


def expand_dims(x: Any, axis: int | Sequence[int]) -> Any:
    """x with axes of size 1 put in at `axis` (positions of the output)."""
    x = convert(x)
    given = whole_numbers(axis, "expand_dims: axis")
    axes = normalize_axes(given, x.ndim + len(given), "expand_dims")
    return apply(ExpandDims(axes), x) if axes else x


def squeeze(x: Any, axis: int | Sequence[int] | None = None) -> Any:
    """x without its axes of size 1, or only without those in `axis`."""
    x = convert(x)
    if axis is None:
        axes = tuple(i for i, n in enumerate(x.shape) if n == 1)
    else:
        axes = normalize_axes(axis, x.ndim, "squeeze")
    return apply(Squeeze(axes), x) if axes else x


def transpose(x: Any, axes: Sequence[int] | None = None) -> Any:
    """x with its axes in the order `axes`, or reversed."""
    x = convert(x)
    order = (
        tuple(range(x.ndim))[::-1]
        if axes is None
        else tuple(normalize_axis(a, x.ndim, "transpose") for a in whole_numbers(axes, "transpose: axes"))
    )
    return x if order == tuple(range(x.ndim)) else apply(Transpose(order), x)


def moveaxis(x: Any, source: int | Sequence[int], destination: int | Sequence[int]) -> Any:
    """x with the axes `source` moved to the positions `destination`; the others keep their order."""
    x = convert(x)
    left = _axis_list(source, x.ndim, "moveaxis")
    right = _axis_list(destination, x.ndim, "moveaxis")
    if len(left) != len(right):
        raise ShapeError(
            explain("moveaxis: as many destinations as sources.", received=f"{source} and {destination}")
        )
    order = [i for i in range(x.ndim) if i not in left]
    for place, axis in sorted(zip(right, left, strict=True)):
        order.insert(place, axis)
    return transpose(x, order)


def _axis_list(axes: int | Sequence[int], ndim: int, what: str) -> list[int]:
    return [normalize_axis(a, ndim, what) for a in whole_numbers(axes, f"{what}: axis")]


def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """x with two axes exchanged.

    Args:
        x: an array or value.
        axis1, axis2: the two axes.
    """
    x = convert(x)
    order = list(range(x.ndim))
    first, second = normalize_axis(axis1, x.ndim, "swapaxes"), normalize_axis(axis2, x.ndim, "swapaxes")
    order[first], order[second] = second, first
    return transpose(x, order)


def broadcast_to(x: Any, shape: int | Sequence[Dim]) -> Any:
    """x repeated along axes of size 1, and along new leading axes, to `shape`."""
    x = convert(x)
    target = _as_shape(shape)
    return x if target == x.shape and None not in target else apply(BroadcastTo(target), x)


def concatenate(xs: Sequence[Any], axis: int = 0) -> Any:
    """Arrays joined along an axis they already have.

    Args:
        xs: arrays and values.
        axis: the axis along which they are joined.

    Raises:
        ShapeError: no arrays, or shapes that differ along another axis.
    """
    if len(xs) == 0:
        raise ShapeError(explain("concatenate needs at least one array.", received="an empty list"))
    xs = harmonize(*xs)
    axis = normalize_axis(axis, xs[0].ndim, "concatenate")
    return apply(Concatenate(axis), *xs)


def stack(x: Sequence[Any], axis: int = 0) -> Any:
    """Arrays of one shape joined along a new axis."""
    if len(x) == 0:
        raise ShapeError(explain("stack needs at least one array.", received="an empty list"))
    xs = harmonize(*x)
    axis = normalize_axis(axis, xs[0].ndim + 1, "stack")
    return concatenate([expand_dims(one, axis) for one in xs], axis)


def split(x: Any, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Any]:
    """x cut along `axis`: into so many equal parts, or before each index of a list.

    Args:
        x: an array or value.
        indices_or_sections: an int for equal parts, or the positions at which to cut.
        axis: the axis to cut along.
    """
    x = convert(x)
    axis = normalize_axis(axis, x.ndim, "split")
    if isinstance(indices_or_sections, int | np.integer):
        sections: int | tuple[int, ...] = int(indices_or_sections)
    else:
        sections = whole_numbers(indices_or_sections, "split: indices_or_sections")
    parts = apply(Split(sections, axis), x)
    return list(parts) if isinstance(parts, tuple) else [parts]


def unstack(x: Any, num: int | None = None, axis: int = 0) -> list[Any]:
    """The slices of x along `axis`, which they lose. `num` is needed where the size is unknown."""
    x = convert(x)
    axis = normalize_axis(axis, x.ndim, "unstack")
    count = x.shape[axis] if num is None else num
    if count is None:
        raise ShapeError(
            explain("unstack needs to know the size along the axis.", received=spec_of(x), fix="Pass num.")
        )
    return [squeeze(part, axis) for part in split(x, count, axis)] if count else []


def flip(x: Any, axis: int | Sequence[int] | None = None) -> Any:
    """x with the order of elements reversed along `axis`, or along all axes."""
    x = convert(x)
    axes = normalize_axes(axis, x.ndim, "flip")
    return apply(Flip(axes), x) if axes else x


def roll(x: Any, shift: int | Sequence[int], axis: int | Sequence[int] | None = None) -> Any:
    """x shifted along `axis`, what leaves at one end coming back at the other; flattened without an axis.

    Args:
        x: an array or value.
        shift: how far, toward higher positions; one int, or one for each axis.
        axis: one axis or several.
    """
    x = convert(x)
    shifts = whole_numbers(shift, "roll: shift")
    if axis is None:
        return reshape(roll(ravel(x), builtins.sum(shifts), 0), x.shape)
    axes = _axis_list(axis, x.ndim, "roll")
    if isinstance(shift, int | np.integer):
        shifts *= len(axes)
    if len(shifts) != len(axes):
        raise ShapeError(
            explain("roll: one shift, or one for each axis.", received=f"shift={shift}, axis={axis}")
        )
    for amount, one in zip(shifts, axes, strict=True):
        x = apply(Roll(amount, one), x)
    return x


def tile(x: Any, repeats: int | Sequence[int]) -> Any:
    """x laid `repeats` times side by side along each axis; the last axes when fewer are given."""
    x = convert(x)
    counts = [*whole_numbers(repeats, "tile: repeats")]
    if counts and builtins.min(counts) < 0:
        raise ShapeError(explain("tile: repeats must not be negative.", received=repeats))
    counts = [1] * (x.ndim - len(counts)) + counts
    if len(counts) > x.ndim:
        x = expand_dims(x, tuple(range(len(counts) - x.ndim)))
    for axis, count in enumerate(counts):
        x = _repeat_blocks(x, count, axis, before=True)
    return x


def repeat(x: Any, repeats: int, axis: int | None = None) -> Any:
    """x with each element `repeats` times in a row along `axis`; flattened without an axis."""
    if not isinstance(repeats, int | np.integer) or repeats < 0:
        raise ShapeError(
            explain(
                "repeat takes one number of repeats, at least 0.",
                received=repeats,
                fix="For a different number each, gather with ops.take.",
            )
        )
    x = convert(x)
    if axis is None:
        return repeat(ravel(x), repeats, 0)
    return _repeat_blocks(x, int(repeats), normalize_axis(axis, x.ndim, "repeat"), before=False)


def _repeat_blocks(x: Any, count: int, axis: int, before: bool) -> Any:
    """`axis` times `count`: whole copies one after another (`before`), or each element in a row."""
    if count == 1:
        return x
    if None in x.shape[axis + 1 :]:  # a new axis would move the positions of sizes that are kept
        return moveaxis(_repeat_blocks(moveaxis(x, axis, -1), count, x.ndim - 1, before), -1, axis)
    size = x.shape[axis]
    place = axis if before else axis + 1
    wide: list[Dim] = [None] * x.ndim
    wide.insert(place, count)
    spread = broadcast_to(expand_dims(x, place), wide)
    return reshape(spread, [*x.shape[:axis], -1 if size is None else size * count, *x.shape[axis + 1 :]])
