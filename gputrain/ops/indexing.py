"""Reading by position: slices, gathers, one-hot rows, and the scatters that are their gradients."""

from __future__ import annotations

import builtins
import operator
from collections.abc import Sequence
from types import EllipsisType
from typing import Any, ClassVar

import numpy as np

from gputrain import config
from gputrain.errors import DTypeError, ShapeError, explain
from gputrain.ir import INTEGERS, Spec, Value, dtype_name, normalize_axis
from gputrain.ir.spec import Dim, Shape, whole_number
from gputrain.names import did_you_mean
from gputrain.ops.base import Operation, Sample, apply, cast, convert, spec_of
from gputrain.ops.movement import Pad, broadcast_to, ravel
from gputrain.ops.pointwise import Gradients
from gputrain.ops.precision import narrow, wide_scratch

__all__ = [
    "GetItem",
    "GetItemGrad",
    "OneHot",
    "ScatterAdd",
    "ScatterAddAlongAxis",
    "Take",
    "TakeAlongAxis",
    "getitem",
    "one_hot",
    "pad",
    "slice",
    "take",
    "take_along_axis",
]

PAD_MODES = ("constant", "reflect", "symmetric", "edge")
Range = tuple[int | None, int | None, int | None]  # start, stop, step: a slice that can be hashed
Key = tuple[int | Range | None, ...]  # None puts in an axis of size 1

# --------------------------------------------------------------------------------------------------- slices


def indexer(key: Key) -> tuple[Any, ...]:
    """`key` as NumPy takes it."""
    return tuple(builtins.slice(*entry) if isinstance(entry, tuple) else entry for entry in key)


def _length(entry: Range, size: Dim) -> Dim:
    """How many elements a slice takes of `size`; None where that depends on an unknown size."""
    if size is not None:
        sizes = size, size + builtins.abs(entry[2] or 1)
        length, longer = (len(range(*builtins.slice(*entry).indices(n))) for n in sizes)
        return length if length == longer else size - (size - length)  # told as what it follows from
    start, stop, step = entry
    if (start, stop) == (None, None) and step in (None, 1, -1):
        return size
    return None


class GetItem(Operation):
    """x[key] for integers, slices and new axes known when the graph is built."""

    key: Key

    def infer(self, x: Spec) -> Spec:
        if builtins.sum(entry is not None for entry in self.key) > x.ndim:
            raise ShapeError(
                explain("Too many indices.", expected=f"at most {x.ndim}", received=f"{self} on {x}")
            )
        shape: list[Dim] = []
        axis = 0
        for entry in self.key:
            if entry is None:
                shape.append(1)
                continue
            size = x.shape[axis]
            if isinstance(entry, tuple):
                shape.append(_length(entry, size))
            elif size is not None and not -size <= entry < size:
                raise ShapeError(
                    explain(
                        f"Index out of range along axis {axis}.",
                        expected=f"{-size}..{size - 1}" if size else "no index, the axis is empty",
                        received=entry,
                    )
                )
            axis += 1
        return x.with_shape((*shape, *x.shape[axis:]))

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (apply(GetItemGrad(self.key, x.spec.dims), ct),)

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        xp.copyto(out, x[indexer(self.key)])

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        return [
            Sample(cls(key), (Spec(shape),), lambda x, k=key: x[indexer(k)], label=str(key))
            for shape, key in _CASES
        ]


class GetItemGrad(Operation):
    """The gradient of GetItem: zeros of `shape` with the cotangent at `key`."""

    key: Key
    shape: tuple[int, ...]

    def infer(self, ct: Spec) -> Spec:
        return ct.with_shape(self.shape)

    def vjp(self, ct2: Value, out: Value, ct: Value) -> Gradients:
        return (apply(GetItem(self.key), ct2),)

    def compute(self, xp: Any, out: Any, ct: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        out.fill(0)
        out[indexer(self.key)] = ct

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def sample(shape: tuple[int, ...], key: Key) -> Sample:
            positions = np.arange(np.prod(shape, dtype=int)).reshape(shape)[indexer(key)]

            def reference(ct: np.ndarray) -> np.ndarray:
                flat = np.zeros(int(np.prod(shape)))
                for place, value in zip(positions.ravel(), ct.ravel(), strict=True):
                    flat[place] += value
                return flat.reshape(shape)

            return Sample(cls(key, shape), (Spec(positions.shape),), reference, label=str(key))

        return [sample(shape, key) for shape, key in _CASES]


_CASES: list[tuple[tuple[int, ...], Key]] = [
    ((), ()),
    ((5,), (-2,)),
    ((5, 3), ((1, 4, None), 2)),
    ((5, 3), ((None, None, -2), None, (None, -1, None))),
    ((2, 3, 4), ((None, None, None), (None, None, None), -1)),
    ((4, 3), ((2, 2, None),)),
    ((0, 3), ((None, None, 2), 1)),
]


def _canonical(key: Any, ndim: int) -> Key:
    """The user's key with the ellipsis written out and every entry hashable."""
    entries = list(key) if isinstance(key, tuple) else [key]
    dots = [i for i, e in enumerate(entries) if isinstance(e, EllipsisType)]
    if len(dots) > 1:
        raise ShapeError(explain("An index may hold one ellipsis (...).", received=key))
    if dots:
        used = len([e for e in entries if e is not None]) - 1
        entries[dots[0] : dots[0] + 1] = [builtins.slice(None)] * (ndim - used)
    return tuple(_entry(e) for e in entries)


def _entry(entry: Any) -> int | Range | None:
    if entry is None:
        return None
    if isinstance(entry, builtins.slice):
        start, stop, step = (
            None if v is None else _integer(v) for v in (entry.start, entry.stop, entry.step)
        )
        if step == 0:
            raise ShapeError(explain("The step of a slice must not be 0.", received=entry))
        return start, stop, step
    return _integer(entry)


def _integer(entry: Any) -> int:
    try:
        if isinstance(entry, bool | np.bool_ | Value):
            raise TypeError
        return operator.index(entry)
    except TypeError:
        raise DTypeError(
            explain(
                "Positions in x[...] must be known when the model is built.",
                expected="integers, slices of integers, ... and None",
                received=repr(entry),
                fix="Gather by computed indices with ops.take; choose by a condition with ops.where.",
            )
        ) from None


def getitem(x: Any, key: Any) -> Any:
    """x[key].

    Args:
        x: array or Value.
        key: integers, slices, `...` and None as in NumPy; or one array of integers, which gathers along the
            first axis as `take` does.

    Raises:
        ShapeError: too many indices, or one out of range.
        DTypeError: an index that is not known when the model is built.

    Example:
        >>> getitem(np.arange(6.0).reshape(2, 3), (0, slice(1, None)))
        array([1., 2.])
    """
    x = convert(x)
    if isinstance(key, list) or (hasattr(key, "dtype") and getattr(key, "ndim", 0) > 0):
        key = convert(key)
        if spec_of(key).dtype not in INTEGERS:
            rule = "An index that is an array must hold integers."
            raise DTypeError(explain(rule, received=spec_of(key), fix="Of a mask, use ops.where."))
        return take(x, key, axis=0)
    canonical = _canonical(key, x.ndim)
    return apply(GetItem(canonical), x)


def slice(inputs: Any, start_indices: Sequence[int], shape: Sequence[int]) -> Any:
    """The part of `inputs` that begins at `start_indices` and has `shape` (Python integers)."""
    inputs = convert(inputs)
    if not len(start_indices) == len(shape) == inputs.ndim:
        raise ShapeError(
            explain(
                "slice: one start and one size for each axis.",
                expected=f"{inputs.ndim} of each",
                received=f"start_indices={tuple(start_indices)}, shape={tuple(shape)}",
            )
        )
    for axis, (start, size) in enumerate(zip(start_indices, shape, strict=True)):
        whole = inputs.shape[axis]
        if start < 0 or size < 0 or (whole is not None and start + size > whole):
            raise ShapeError(
                explain(
                    f"slice: the part must lie inside axis {axis}.",
                    expected=f"0 <= start and start + size <= {whole}",
                    received=f"start {start}, size {size}",
                )
            )
    return getitem(inputs, tuple(builtins.slice(a, a + n) for a, n in zip(start_indices, shape, strict=True)))


# -------------------------------------------------------------------------------------------------- gathers


def _require_integers(spec: Spec, what: str) -> None:
    if spec.dtype not in INTEGERS:
        raise DTypeError(
            explain(
                f"{what}: indices must be integers.", received=spec, fix='Convert with ops.cast(x, "int32").'
            )
        )


class Take(Operation):
    """Slices of x along `axis` at integer indices, counted from the end where negative.

    Indices outside are the caller's error: `take` refuses those it can see, and layers and losses check the
    data once before training. Inside a step they wrap around on every device, and nothing else is touched.
    """

    axis: int

    def infer(self, x: Spec, indices: Spec) -> Spec:
        _require_integers(indices, "take")
        if x.shape[self.axis] == 0 and 0 not in indices.shape:
            raise ShapeError(explain(f"take: axis {self.axis} is empty.", received=x))
        return x.with_shape((*x.shape[: self.axis], *indices.shape, *x.shape[self.axis + 1 :]))

    def vjp(self, ct: Value, out: Value, x: Value, indices: Value) -> Gradients:
        return apply(ScatterAdd(self.axis, x.spec.dims[self.axis]), ct, indices), None

    def scratch(self, x: Spec, indices: Spec) -> tuple[Spec, ...]:
        return (indices.with_dtype("int64"),)  # NumPy would make this copy itself

    def compute(self, xp: Any, out: Any, x: Any, indices: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        if out.size == 0:
            return
        xp.copyto(scratch[0], indices, casting="unsafe")
        # NumPy copies through a buffer unless told how to treat bad indices; CuPy always wraps.
        how = {"mode": "wrap"} if xp is np else {}
        xp.take(x, scratch[0], axis=self.axis, out=out, **how)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        cases: list[tuple[Shape, list[Any], int]] = [
            ((5,), [3, 0, 3, -1], 0),
            ((4, 3), [[1, 2], [1, -4]], 0),
            ((2, 5, 3), [4, 4, 1], 1),
            ((2, 3), [], 1),
            ((0, 3), [2], 1),
            ((7, 1, 2), [[6]], 0),
        ]
        return [
            Sample(
                cls(axis),
                (Spec(x), np.array(i, "int32")),
                lambda v, i, a=axis: np.take(v, i.astype(int), a),
                label=f"{x}",
            )
            for x, i, axis in cases
        ]


class _Scatter(Operation):
    """Zeros of `size` along `axis`, elements of `ct` added there."""

    axis: int
    size: int
    gather: ClassVar[type[Operation]]  # of which it is the gradient

    def vjp(self, ct2: Value, out: Value, ct: Value, indices: Value) -> Gradients:
        return apply(self.gather(self.axis), ct2, indices), None

    def scratch(self, ct: Spec, indices: Spec) -> tuple[Spec, ...]:
        return wide_scratch(*self.output_specs(ct, indices))

    def compute(self, xp: Any, out: Any, ct: Any, indices: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        total = scratch[0] if scratch else out
        total.fill(0)
        self.add(xp, total, ct, indices.astype("int64") % builtins.max(1, self.size))
        narrow(xp, total, out)

    def add(self, xp: Any, total: Any, ct: Any, indices: Any) -> None:
        """Add `ct` to `total` at indices counted from the front."""
        raise NotImplementedError


class ScatterAdd(_Scatter):
    """The gradient of Take: zeros of `size` along `axis`, each slice of `ct` added at its index.

    Slices for one index are added in their order, so that equal inputs give equal bits.
    """

    gather = Take

    def infer(self, ct: Spec, indices: Spec) -> Spec:
        _require_integers(indices, "ScatterAdd")
        return ct.with_shape((*ct.shape[: self.axis], self.size, *ct.shape[self.axis + indices.ndim :]))

    def add(self, xp: Any, total: Any, ct: Any, indices: Any) -> None:
        along = range(self.axis, self.axis + indices.ndim)
        xp.add.at(xp.moveaxis(total, self.axis, 0), indices, xp.moveaxis(ct, along, range(indices.ndim)))

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(axis: int, size: int) -> Any:
            def scatter(ct: np.ndarray, indices: np.ndarray) -> np.ndarray:
                ct = np.moveaxis(ct, range(axis, axis + indices.ndim), range(indices.ndim))
                out = np.zeros((size, *ct.shape[indices.ndim :]))
                for place in np.ndindex(indices.shape):
                    out[int(indices[place])] += ct[place]
                return np.moveaxis(out, 0, axis)

            return scatter

        cases: list[tuple[Shape, list[Any], int, int]] = [
            ((4,), [3, 0, 3, -1], 0, 5),
            ((2, 2, 3), [[1, 2], [1, -4]], 0, 4),
            ((2, 3, 3), [4, 4, 1], 1, 5),
            ((2, 0), [], 1, 3),
            ((0, 1), [2], 1, 3),
        ]
        return [
            Sample(cls(axis, size), (Spec(ct), np.array(i, "int32")), reference(axis, size), label=f"{ct}")
            for ct, i, axis, size in cases
        ]


class TakeAlongAxis(Operation):
    """Elements of x along `axis` at indices of x's number of axes; the others broadcast."""

    axis: int

    def infer(self, x: Spec, indices: Spec) -> Spec:
        _require_integers(indices, "take_along_axis")
        fits = x.ndim == indices.ndim and builtins.all(
            i == self.axis or m is None or n is None or m == n
            for i, (m, n) in enumerate(zip(x.shape, indices.shape, strict=True))
        )
        if not fits:
            raise ShapeError(
                explain(
                    f"take_along_axis: x and indices must agree except along axis {self.axis}.",
                    received=f"{x.shape} and {indices.shape}",
                    fix="Broadcast the indices with ops.broadcast_to.",
                )
            )
        sizes = [
            n if m is None or i == self.axis else m
            for i, (m, n) in enumerate(zip(x.shape, indices.shape, strict=True))
        ]
        return x.with_shape(sizes)

    def vjp(self, ct: Value, out: Value, x: Value, indices: Value) -> Gradients:
        return apply(ScatterAddAlongAxis(self.axis, x.spec.dims[self.axis]), ct, indices), None

    def compute(self, xp: Any, out: Any, x: Any, indices: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        places = indices.astype("int64") % builtins.max(1, x.shape[self.axis])
        xp.copyto(out, xp.take_along_axis(x, places, self.axis))

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        return [
            Sample(
                cls(axis),
                (Spec(x), _spread(i, axis, x[axis])),
                lambda v, i, a=axis: _along(v, i, a),
                label=f"{x}",
            )
            for x, i, axis in _ALONG
        ]


class ScatterAddAlongAxis(_Scatter):
    """The gradient of TakeAlongAxis: zeros of `size` along `axis`, elements of `ct` added there."""

    gather = TakeAlongAxis

    def infer(self, ct: Spec, indices: Spec) -> Spec:
        _require_integers(indices, "ScatterAddAlongAxis")
        return ct.with_shape((*ct.shape[: self.axis], self.size, *ct.shape[self.axis + 1 :]))

    def add(self, xp: Any, total: Any, ct: Any, indices: Any) -> None:
        places = [xp.arange(n).reshape(-1, *[1] * (ct.ndim - 1 - i)) for i, n in enumerate(ct.shape)]
        places[self.axis] = indices
        xp.add.at(total, tuple(places), ct)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(axis: int, shape: tuple[int, ...]) -> Any:
            def scatter(ct: np.ndarray, indices: np.ndarray) -> np.ndarray:
                out = np.zeros(shape)
                for place in np.ndindex(ct.shape):
                    out[(*place[:axis], int(indices[place]), *place[axis + 1 :])] += ct[place]
                return out

            return scatter

        samples = []
        for x, i, axis in _ALONG:
            indices = _spread(i, axis, x[axis])
            samples.append(
                Sample(cls(axis, x[axis]), (Spec(indices.shape), indices), reference(axis, x), label=f"{x}")
            )
        return samples


_ALONG: list[tuple[tuple[int, ...], tuple[int, ...], int]] = [
    ((5,), (3,), 0),
    ((4, 3), (4, 2), 1),
    ((2, 5, 3), (2, 7, 3), 1),
    ((0, 3), (0, 2), 1),
    ((2, 3), (2, 0), 1),
]


def _spread(shape: tuple[int, ...], axis: int, size: int) -> np.ndarray:
    """Some indices of `shape` between -size and size - 1, for samples."""
    count = int(np.prod(shape))
    return ((np.arange(count) * 7) % (2 * size) - size).astype("int32").reshape(shape)


def _along(x: np.ndarray, indices: np.ndarray, axis: int) -> np.ndarray:
    out = np.empty(indices.shape)
    for place in np.ndindex(indices.shape):
        out[place] = x[(*place[:axis], int(indices[place]), *place[axis + 1 :])]
    return out


class OneHot(Operation):
    """Rows of `classes` zeros with a one at the index, along a new `axis`; all zeros for an index outside."""

    classes: int
    axis: int
    dtype: str

    def infer(self, indices: Spec) -> Spec:
        _require_integers(indices, "one_hot")
        return Spec((*indices.shape[: self.axis], self.classes, *indices.shape[self.axis :]), self.dtype)

    def vjp(self, ct: Value, out: Value, indices: Value) -> Gradients:
        return (None,)

    def compute(self, xp: Any, out: Any, indices: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        hits = indices[..., None] == xp.arange(self.classes)
        xp.copyto(out, xp.moveaxis(hits, -1, self.axis))

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(axis: int) -> Any:
            def one(i: np.ndarray) -> np.ndarray:
                return np.moveaxis((i[..., None] == np.arange(4)).astype(float), -1, axis)

            return one

        cases: list[tuple[Any, int]] = [
            (2, 0),
            ([0, 3, 1], 1),
            ([[1, 2], [3, 0]], 1),
            ([-1, 4], 0),
            (np.zeros(0, int), 1),
        ]
        return [
            Sample(cls(4, axis, "float32"), (np.array(i, "int32"),), reference(axis)) for i, axis in cases
        ]


def _as_indices(x: Any) -> Any:
    """Indices as integers: others become int32, rounded toward zero, as in Keras."""
    x = convert(x)
    return x if spec_of(x).dtype in INTEGERS else cast(x, "int32")


def _check_range(indices: Any, size: Dim, what: str) -> None:
    """Refuse indices outside -size..size-1, where both are known before anything runs."""
    if isinstance(indices, Value) or size is None or indices.size == 0 or indices.dtype.kind not in "iu":
        return
    low, high = int(indices.min()), int(indices.max())
    if low < -size or high >= size:
        raise IndexError(
            explain(
                f"{what}: indices must lie inside the axis.",
                expected=f"{-size}..{size - 1}",
                received=f"values from {low} to {high}",
            )
        )


def take(x: Any, indices: Any, axis: int | None = None) -> Any:
    """Slices of x at `indices` along `axis`; elements of the flattened x without an axis.

    Args:
        x: array or Value.
        indices: of any shape, counted from the end where negative; rounded toward zero.
        axis: the axis they count along; the shape of `indices` takes its place.

    Raises:
        IndexError: an index outside the axis, where the indices are an array. Those computed inside a model
            wrap around.
    """
    x, indices = convert(x), _as_indices(indices)
    if axis is None:
        x, axis = ravel(x), 0
    axis = normalize_axis(axis, x.ndim, "take")
    _check_range(indices, x.shape[axis], "take")
    return apply(Take(axis), x, indices)


def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: float | None = None) -> Any:
    """x with a border.

    Args:
        x: array or Value.
        pad_width: one number, one pair (before, after) for all axes, or a pair for each axis.
        mode: "constant"; "reflect" and "symmetric" continue x as in a mirror, without and with the edge
            itself; "edge" repeats the edge.
        constant_values: what the border holds; 0 when not given.

    Raises:
        ValueError: another mode, or constant_values with a mode that has none.
    """
    x = convert(x)
    if mode not in PAD_MODES:
        fix = did_you_mean(mode, PAD_MODES) if isinstance(mode, str) else None
        raise ValueError(explain("pad: unknown mode.", received=repr(mode), fix=fix))
    if mode != "constant" and constant_values is not None:
        rule = 'pad: constant_values is for mode="constant".'
        raise ValueError(explain(rule, received=f"{constant_values!r} with mode={mode!r}"))
    widths = np.asarray(pad_width)
    if widths.dtype.kind not in "iu" or widths.shape not in ((), (1,), (2,), (1, 2), (x.ndim, 2)):
        raise ShapeError(
            explain(
                "pad_width is one number, one pair (before, after), or a pair for each axis.",
                expected=f"{x.ndim} pairs of integers",
                received=pad_width,
            )
        )
    pairs = np.broadcast_to(widths, (x.ndim, 2)).tolist()
    if mode != "constant":
        for axis, (before, after) in enumerate(pairs):
            if before or after:
                size = spec_of(x).with_shape(x.shape[axis : axis + 1]).dims[0]
                x = take(x, np.pad(np.arange(size), (before, after), mode), axis)  # type: ignore[call-overload]
        return x
    value = 0.0 if constant_values is None else constant_values
    return apply(Pad(tuple((int(a), int(b)) for a, b in pairs), value), x)


def take_along_axis(x: Any, indices: Any, axis: int | None = None) -> Any:
    """Elements of x along `axis` at `indices`, which have as many axes as x; of flattened x without an axis.

    Axes of size 1 other than `axis` broadcast.

    Raises:
        IndexError: an index outside the axis, where the indices are an array.
    """
    x, indices = convert(x), _as_indices(indices)
    if axis is None:
        x, indices, axis = ravel(x), ravel(indices), 0
    axis = normalize_axis(axis, x.ndim, "take_along_axis")
    _check_range(indices, x.shape[axis], "take_along_axis")
    if x.ndim == indices.ndim:
        x = broadcast_to(x, _expanded(x.shape, indices.shape, axis))
        indices = broadcast_to(indices, _expanded(indices.shape, x.shape, axis))
    return apply(TakeAlongAxis(axis), x, indices)


def _expanded(shape: Shape, other: Shape, axis: int) -> Shape:
    """`shape` with its sizes of 1, except along `axis`, replaced by the other's."""
    return tuple(b if a == 1 and i != axis else a for i, (a, b) in enumerate(zip(shape, other, strict=True)))


def one_hot(x: Any, num_classes: int, axis: int = -1, dtype: str | None = None, sparse: bool = False) -> Any:
    """Class indices as rows of zeros with a single one.

    Args:
        x: numbers of any shape, rounded toward zero; an index outside 0..num_classes-1 gives a row of zeros.
        num_classes: how many classes there are.
        axis: where the new axis of size `num_classes` stands.
        dtype: dtype of the result, `config.floatx()` unless given.
        sparse: sparse results are not offered.

    Example:
        >>> one_hot([0, 2], 3)
        array([[1., 0., 0.],
               [0., 0., 1.]], dtype=float32)
    """
    if sparse:
        raise ValueError(
            explain("one_hot: sparse arrays are not offered.", expected="sparse=False", received=sparse)
        )
    x = _as_indices(x)
    num_classes = whole_number(num_classes, "one_hot: num_classes")
    if num_classes < 0:
        raise ShapeError(explain("one_hot: num_classes must not be negative.", received=num_classes))
    place = normalize_axis(axis, x.ndim + 1, "one_hot")
    return apply(OneHot(num_classes, place, dtype_name(dtype or config.floatx())), x)
