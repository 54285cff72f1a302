"""Convolution of sequences, images and volumes, channels last: fprop, dgrad and wgrad, an operation each.

Transposed convolution is dgrad with an output size of its own; depthwise convolution has as many groups as
channels. What is here is written to be read: a sum over the taps of a filter, each a matrix product. What is
written for speed is in the rooms of the devices.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from gputrain.errors import DTypeError, ShapeError, explain
from gputrain.ir import Spec, Value
from gputrain.ir.spec import Dim
from gputrain.ops.base import Operation, Sample, apply, harmonize, require_float
from gputrain.ops.movement import reshape
from gputrain.ops.window import (
    WORDS,
    Ints,
    Padding,
    Pair,
    Window,
    Words,
    axis_padding,
    checked_padding,
    positions,
    positive,
    rank_of,
    require_channels_last,
)

__all__ = [
    "Conv",
    "ConvFilterGrad",
    "ConvInputGrad",
    "conv",
    "conv_transpose",
    "depthwise_conv",
    "separable_conv",
]

How = tuple[Ints, Padding, Ints, int]


class _Convolution:
    """What the three share: parameters, checks, the channels and filters of each group."""

    strides: Ints
    padding: Padding
    dilation: Ints
    groups: int

    @property
    def how(self) -> How:
        return self.strides, self.padding, self.dilation, self.groups

    @property
    def words(self) -> Words:
        return WORDS[len(self.strides)]

    def window(self, size: Ints, kernel: Ints) -> Window:
        return Window(size, kernel, self.strides, self.dilation, self.padding)

    def of_groups(self, channels: int, filters: int) -> Iterator[tuple[slice, slice]]:
        """(its channels, its filters) for each group."""
        c, f = channels // self.groups, filters // self.groups
        for g in range(self.groups):
            yield slice(g * c, (g + 1) * c), slice(g * f, (g + 1) * f)

    def _check(self, what: str, x: Spec, w: Spec, channels: str) -> None:
        """Refuse arrays of other kinds than (N, ..., channels) and filters (..., C/groups, F)."""
        require_float(x, what)
        thing, ndim = self.words.thing, len(self.strides) + 2
        if x.dtype != w.dtype:
            rule = f"{what} needs {thing}s and filters of one dtype."
            raise DTypeError(explain(rule, received=f"{x} and {w}"))
        if x.ndim != ndim or w.ndim != ndim:
            filters = f"filters ({self.words.taps}, C/groups, F)"
            raise ShapeError(
                explain(
                    f"{what} needs {thing}s {self.words.layout(channels)} and {filters}.",
                    received=f"{x.shape} and {w.shape}",
                    fix=self.words.lacking,
                )
            )

    def _positions(self, size: Sequence[Dim], kernel: Sequence[Dim]) -> tuple[Dim, ...]:
        """Output positions along each axis; sizes may be unknown."""
        steps = zip(size, kernel, self.strides, self.dilation, strict=True)
        return tuple(
            positions(n, k, stride, dilation, axis_padding(self.padding, axis))  # type: ignore[arg-type]
            for axis, (n, k, stride, dilation) in enumerate(steps)
        )


class Conv(_Convolution, Operation):
    """Cross-correlation of x (N, H, W, C) with filters w (KH, KW, C/groups, F): (N, OH, OW, F).

    With one number as strides and dilation it takes sequences (N, T, C) and filters (K, C/groups, F), with
    three volumes (N, D, H, W, C) and (KD, KH, KW, C/groups, F).
    """

    strides: Ints = (1, 1)
    padding: Padding = "valid"
    dilation: Ints = (1, 1)
    groups: int = 1

    def infer(self, x: Spec, w: Spec) -> Spec:
        self._check("Conv", x, w, "C")
        thing, (c, f) = self.words.thing, w.shape[-2:]
        if x.shape[-1] is not None and c is not None and x.shape[-1] != c * self.groups:
            raise ShapeError(
                explain(
                    f"Conv: the filters must have the {thing}s' channels divided by groups.",
                    expected=f"{c * self.groups} channels (channels last)",
                    received=f"{thing}s {x.shape}, filters {w.shape}, groups={self.groups}",
                )
            )
        if f is not None and f % self.groups:
            raise ShapeError(explain("Conv: the number of filters must be divisible by groups.", received=f))
        sizes = self._positions(x.shape[1:-1], w.shape[:-2])
        if any(s is not None and s < 1 for s in sizes):
            raise ShapeError(
                explain(
                    f"Conv: the (dilated) filter is larger than the {thing}.",
                    received=f"{thing} {x.shape[1:-1]}, filter {w.shape[:-2]}, dilation {self.dilation}",
                    fix=f'Use padding="same", a smaller filter or larger {thing}s.',
                )
            )
        return Spec((x.shape[0], *sizes, f), x.dtype)

    def vjp(self, ct: Value, out: Value, x: Value, w: Value) -> Sequence[Value | None]:
        return (
            apply(ConvInputGrad(x.spec.dims[1:-1], *self.how), ct, w),
            apply(ConvFilterGrad(w.spec.dims[:-2], *self.how), x, ct),
        )

    def scratch(self, x: Spec, w: Spec) -> tuple[Spec, ...]:
        window, filters = self.window(x.dims[1:-1], w.dims[:-2]), w.dims[-1] // self.groups
        return window.room(x), x.with_shape((x.dims[0], *window.out, filters))

    def compute(self, xp: Any, out: Any, x: Any, w: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        padded, product = scratch
        window = self.window(x.shape[1:-1], w.shape[:-2])
        x = window.bordered(xp, x, padded)
        out[...] = 0
        for tap, met in window.taps():
            for channels, filters in self.of_groups(x.shape[-1], w.shape[-1]):
                xp.matmul(x[met][..., channels], w[tap][:, filters], out=product)
                xp.add(out[..., filters], product, out=out[..., filters])

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        return [Sample(op, (Spec(x), Spec(w)), conv_loops(op), label=f"{x}*{w}") for op, x, w in _cases()]


class ConvInputGrad(_Convolution, Operation):
    """Gradient of Conv with respect to its images: (dy, w) to (N, H, W, C). A gathered col2im.

    It also is transposed convolution; `size`, H and W of the output, may be unknown (None) then.
    """

    size: tuple[Dim, ...]
    strides: Ints = (1, 1)
    padding: Padding = "valid"
    dilation: Ints = (1, 1)
    groups: int = 1

    def infer(self, dy: Spec, w: Spec) -> Spec:
        what, thing = "Transposed convolution", self.words.thing
        self._check(what, dy, w, "F")
        if None not in (dy.shape[-1], w.shape[-1]) and dy.shape[-1] != w.shape[-1]:
            raise ShapeError(
                explain(
                    f"{what}: filters ({self.words.taps}, C/groups, F) must have the {thing}s' channels, F.",
                    expected=f"{w.shape[-1]} channels (channels last)",
                    received=f"{thing}s {dy.shape}, filters {w.shape}",
                )
            )
        if any(size is not None and size < 0 for size in self.size):
            raise ShapeError(
                explain(
                    f"{what}: padding cuts off more than there is.",
                    received=f"{thing}s {dy.shape}, filters {w.shape}, padding {self.padding}",
                    fix="Use less padding, or larger strides or filters.",
                )
            )
        made = self._positions(self.size, w.shape[:-2])
        pairs = zip(made, dy.shape[1:-1], strict=True)
        if any(None not in pair and pair[0] != pair[1] for pair in pairs):
            raise ShapeError(
                explain(
                    f"{what}: a convolution of the output must give the sizes of the input.",
                    expected=f"{dy.shape[1:-1]}",
                    received=f"{made} from an output of {self.size} and filters {w.shape[:-2]}",
                )
            )
        return Spec((dy.shape[0], *self.size, w.dims[-2] * self.groups), dy.dtype)

    def vjp(self, ct: Value, out: Value, dy: Value, w: Value) -> Sequence[Value | None]:
        return apply(Conv(*self.how), ct, w), apply(ConvFilterGrad(w.spec.dims[:-2], *self.how), ct, dy)

    def scratch(self, dy: Spec, w: Spec) -> tuple[Spec, ...]:
        images = self.infer(dy, w)
        window, channels = self.window(images.dims[1:-1], w.dims[:-2]), w.dims[-2]
        padded = images.with_shape((images.dims[0], *window.padded_size, images.dims[-1]))
        return padded, dy.with_shape((*dy.dims[:-1], channels))

    def compute(self, xp: Any, out: Any, dy: Any, w: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        padded, product = scratch
        window = self.window(out.shape[1:-1], w.shape[:-2])
        padded[...] = 0
        for tap, met in window.taps():
            for channels, filters in self.of_groups(out.shape[-1], w.shape[-1]):
                xp.matmul(dy[..., filters], w[tap][:, filters].T, out=product)
                spot = padded[met][..., channels]
                xp.add(spot, product, out=spot)
        xp.copyto(out, padded[window.inner])

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        found = []
        for op, x, w in _cases():
            grad = cls(x[1:-1], *op.how)
            y = op.infer(Spec(x), Spec(w)).shape
            found.append(Sample(grad, (Spec(y), Spec(w)), input_grad_loops(op, x), label=f"{y}*{w}"))
        return found


class ConvFilterGrad(_Convolution, Operation):
    """Gradient of Conv with respect to its filters: (x, dy) to (KH, KW, C/groups, F)."""

    kernel: Ints
    strides: Ints = (1, 1)
    padding: Padding = "valid"
    dilation: Ints = (1, 1)
    groups: int = 1

    def infer(self, x: Spec, dy: Spec) -> Spec:
        return Spec((*self.kernel, x.dims[-1] // self.groups, dy.shape[-1]), x.dtype)

    def vjp(self, ct: Value, out: Value, x: Value, dy: Value) -> Sequence[Value | None]:
        return apply(ConvInputGrad(x.spec.dims[1:-1], *self.how), dy, ct), apply(Conv(*self.how), x, ct)

    def scratch(self, x: Spec, dy: Spec) -> tuple[Spec, ...]:
        window = self.window(x.dims[1:-1], self.kernel)
        patches = x.with_shape((math.prod(dy.dims[:-1]), x.dims[-1] // self.groups))
        return window.room(x), patches

    def compute(self, xp: Any, out: Any, x: Any, dy: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        padded, patches = scratch
        window = self.window(x.shape[1:-1], self.kernel)
        x, rows = window.bordered(xp, x, padded), dy.reshape(len(patches), dy.shape[-1])
        for tap, met in window.taps():
            for channels, filters in self.of_groups(x.shape[-1], dy.shape[-1]):
                xp.copyto(patches.reshape(*dy.shape[:-1], patches.shape[-1]), x[met][..., channels])
                xp.matmul(patches.T, rows[:, filters], out=out[tap][:, filters])

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        found = []
        for op, x, w in _cases():
            grad = cls(w[:-2], *op.how)
            y = op.infer(Spec(x), Spec(w)).shape
            found.append(Sample(grad, (Spec(x), Spec(y)), filter_grad_loops(op, w), label=f"{x}*{y}"))
        return found


# ------------------------------------------------------------------------------------------ public functions


def conv(
    inputs: Any,
    kernel: Any,
    strides: int | Sequence[int] = 1,
    padding: str | Sequence[Sequence[int]] = "valid",
    data_format: str | None = None,
    dilation_rate: int | Sequence[int] = 1,
) -> Any:
    """Convolution of sequences, images or volumes, channels last.

    Args:
        inputs: sequences (N, T, C), images (N, H, W, C) or volumes (N, D, H, W, C).
        kernel: filters (K, C/groups, F), (KH, KW, C/groups, F) or (KD, KH, KW, C/groups, F); groups follow
            from the channels.
        strides, dilation_rate: one int, or one for each axis.
        padding: "valid", "same", for sequences "causal" (nothing is seen of what comes after), or (before,
            after) for each axis.
        data_format: None or "channels_last".

    Returns:
        (N, OT, F), (N, OH, OW, F) or (N, OD, OH, OW, F).

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: shapes that do not fit, or filters larger than the inputs.

    Example:
        >>> conv(np.ones((1, 9, 2), "float32"), np.ones((3, 2, 4), "float32"), padding="causal").shape
        (1, 9, 4)
    """
    require_channels_last(data_format, "conv")
    x, w = harmonize(inputs, kernel)
    rank = _rank(x, w)
    channels = x.shape[-1] if len(w.shape) == rank + 2 else None
    groups = max(1, channels // w.shape[-2]) if channels and w.shape[-2] else 1
    how = _how(rank, strides, padding, dilation_rate, "conv")
    return apply(Conv(*how, groups), x, w)


def _how(rank: int, strides: Any, padding: Any, dilation_rate: Any, what: str) -> tuple[Any, Any, Any]:
    """The first parameters of `Conv`, checked: strides, padding, dilation."""
    steps = positive(strides, rank, "strides")
    return steps, checked_padding(padding, rank, what), positive(dilation_rate, rank, "dilation_rate")


def depthwise_conv(
    inputs: Any,
    kernel: Any,
    strides: int | Sequence[int] = 1,
    padding: str | Sequence[Sequence[int]] = "valid",
    data_format: str | None = None,
    dilation_rate: int | Sequence[int] = 1,
) -> Any:
    """Convolution of each channel by itself, with M filters for each, channels last.

    Args:
        inputs: sequences (N, T, C), images (N, H, W, C) or volumes (N, D, H, W, C).
        kernel: filters (K, C, M), (KH, KW, C, M) or (KD, KH, KW, C, M).
        strides, padding, data_format, dilation_rate: as in `conv`.

    Returns:
        (N, OT, C*M), (N, OH, OW, C*M) or (N, OD, OH, OW, C*M): M neighbours for each channel.

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: shapes that do not fit, or filters larger than the inputs.

    Example:
        >>> depthwise_conv(np.ones((1, 5, 5, 3), "float32"), np.ones((3, 3, 3, 2), "float32")).shape
        (1, 3, 3, 6)
    """
    require_channels_last(data_format, "depthwise_conv")
    x, w = harmonize(inputs, kernel)
    rank = _rank(x, w)
    if len(w.shape) != rank + 2 or x.shape[-1] not in (None, w.shape[-2]):
        words = WORDS[rank]
        raise ShapeError(
            explain(
                f"depthwise_conv needs {words.thing}s {words.layout()} and filters ({words.taps}, C, M).",
                received=f"{tuple(x.shape)} and {tuple(w.shape)}",
                fix=words.lacking,
            )
        )
    *taps, channels, multiplier = w.shape
    filters = reshape(w, (*taps, 1, channels * multiplier))
    how = _how(rank, strides, padding, dilation_rate, "depthwise_conv")
    return apply(Conv(*how, channels), x, filters)


def separable_conv(
    inputs: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: int | Sequence[int] = 1,
    padding: str | Sequence[Sequence[int]] = "valid",
    data_format: str | None = None,
    dilation_rate: int | Sequence[int] = 1,
) -> Any:
    """A depthwise convolution, and one over all its channels with filters of a single tap.

    Args:
        inputs: sequences (N, T, C), images (N, H, W, C) or volumes (N, D, H, W, C).
        depthwise_kernel: as the kernel of `depthwise_conv`, M filters for each channel.
        pointwise_kernel: (1, C*M, F), (1, 1, C*M, F) or (1, 1, 1, C*M, F).
        strides, padding, data_format, dilation_rate: of the depthwise convolution, as in `conv`.

    Returns:
        (N, OT, F), (N, OH, OW, F) or (N, OD, OH, OW, F).

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: shapes that do not fit, or filters larger than the inputs.

    Example:
        >>> each, mix = np.ones((3, 3, 3, 2), "float32"), np.ones((1, 1, 6, 8), "float32")
        >>> separable_conv(np.ones((1, 5, 5, 3), "float32"), each, mix).shape
        (1, 3, 3, 8)
    """
    deep = depthwise_conv(inputs, depthwise_kernel, strides, padding, data_format, dilation_rate)
    return conv(deep, pointwise_kernel)


def conv_transpose(
    inputs: Any,
    kernel: Any,
    strides: int | Sequence[int] = 1,
    padding: str | Sequence[Sequence[int]] = "valid",
    output_padding: int | Sequence[int] | None = None,
    data_format: str | None = None,
    dilation_rate: int | Sequence[int] = 1,
) -> Any:
    """Transposed convolution, the gradient of a convolution with respect to its inputs, channels last.

    Along an axis of n elements, with k the reach of the (dilated) filter and s the stride, the output has
    (n - 1) * s + k + output_padding elements for "valid", (n - 1) * s + k % 2 + output_padding for "same".

    Args:
        inputs: sequences (N, T, F), images (N, H, W, F) or volumes (N, D, H, W, F).
        kernel: filters (K, C, F), (KH, KW, C, F) or (KD, KH, KW, C, F).
        strides, dilation_rate: one int, or one for each axis.
        padding: "valid", "same", or (before, after) to cut off along each axis.
        output_padding: elements that are added after, one int or one for each axis, smaller than the stride.
            None means max(s - k, 0) for "valid", and n * s elements in all for "same".
        data_format: None or "channels_last".

    Returns:
        (N, OT, C), (N, OH, OW, C) or (N, OD, OH, OW, C).

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: shapes that do not fit.

    Example:
        >>> x, w = np.ones((1, 4, 4, 8), "float32"), np.ones((3, 3, 2, 8), "float32")
        >>> conv_transpose(x, w, strides=2, padding="same").shape
        (1, 8, 8, 2)
    """
    require_channels_last(data_format, "conv_transpose")
    x, w = harmonize(inputs, kernel)
    rank = _rank(x, w)
    step, rate = positive(strides, rank, "strides"), positive(dilation_rate, rank, "dilation_rate")
    how = checked_padding(padding, rank, "conv_transpose", causal=False)
    extra = _output_padding(output_padding, step)
    sizes: list[Dim] = [None] * rank
    pairs = [(0, 0)] * rank
    if len(x.shape) == len(w.shape) == rank + 2:  # else refused by the operation
        for i in range(rank):
            reach = (w.shape[i] - 1) * rate[i] + 1
            sizes[i], pairs[i] = _transposed(x.shape[1 + i], reach, step[i], axis_padding(how, i), extra[i])
    return apply(ConvInputGrad(tuple(sizes), step, tuple(pairs), rate), x, w)


def _rank(x: Any, w: Any) -> int:
    """Spatial axes that filters, or else inputs, have."""
    return rank_of(len(w.shape) - 2, len(x.shape) - 2)


def _output_padding(value: int | Sequence[int] | None, strides: Ints) -> Sequence[int | None]:
    """A number of 0 or more for each axis, smaller than its stride; or None for each."""
    if value is None:
        return [None] * len(strides)
    given = (value,) * len(strides) if isinstance(value, int | np.integer) else tuple(value)
    whole = len(given) == len(strides) and all(isinstance(v, int | np.integer) for v in given)
    if not whole or any(not 0 <= v < stride for v, stride in zip(given, strides, strict=True)):
        raise ValueError(
            explain(
                "conv_transpose: output_padding must be smaller than strides, and 0 or more.",
                expected=f"an int or {WORDS[len(strides)].numbers}, below {strides}",
                received=value,
            )
        )
    return given


def _transposed(
    size: Dim, reach: int, stride: int, padding: str | Pair, extra: int | None
) -> tuple[Dim, Pair]:
    """(output size of a transposed convolution, padding of the convolution it transposes), by Keras's rule.

    Windows at `size` positions reach over (size - 1) * stride + reach elements. A cut below 0 adds some.
    """
    if isinstance(padding, tuple):
        before, cut = padding[0], sum(padding) - (extra or 0)
    else:
        if padding == "same":
            cut = reach - (stride if extra is None else reach % 2 + extra)
        else:
            cut = min(reach - stride, 0) if extra is None else -extra
        before = max(cut // 2, 0)
    out = None if size is None else (size - 1) * stride + reach - cut
    return out, (before, max(cut - before, 0))


# ------------------------------------------------------------------------------- references, as plain loops


def _cases() -> list[tuple[Conv, Ints, Ints]]:
    """(operation, images, filters), of all ranks."""
    one, three = (1,), (1, 1, 1)
    return [
        (Conv(), (2, 5, 6, 3), (3, 2, 3, 4)),
        (Conv((2, 2), "same"), (2, 5, 7, 2), (3, 3, 2, 3)),
        (Conv((2, 1), "same"), (1, 6, 5, 1), (2, 4, 1, 2)),
        (Conv((1, 1), "same", (2, 2)), (1, 7, 6, 2), (3, 3, 2, 2)),
        (Conv((2, 2), "valid", (2, 1)), (2, 8, 7, 2), (3, 2, 2, 2)),
        (Conv((1, 1), "valid", (1, 1), 2), (2, 4, 4, 4), (3, 3, 2, 6)),
        (Conv((2, 2), "same", (1, 1), 2), (1, 5, 5, 2), (2, 2, 1, 2)),
        (Conv((2, 1), "same", (1, 2), 3), (2, 5, 6, 3), (3, 2, 1, 6)),
        (Conv((2, 1), "same", (1, 2), 8), (2, 5, 6, 8), (3, 2, 1, 8)),
        (Conv((1, 2), ((2, 0), (1, 3))), (2, 4, 5, 2), (3, 3, 2, 2)),
        (Conv((1, 1), ((1, 1), (0, 2))), (1, 3, 2, 2), (1, 1, 2, 3)),
        (Conv(), (3, 4, 4, 3), (1, 1, 3, 5)),
        (Conv(), (0, 4, 4, 1), (3, 3, 1, 2)),
        (Conv((1, 1), "same", (1, 1), 2), (0, 4, 4, 2), (3, 3, 1, 2)),
        (Conv(), (1, 1, 1, 1), (1, 1, 1, 1)),
        (Conv((3, 3), "same"), (1, 2, 2, 1), (1, 1, 1, 2)),
        (Conv(one, "valid", one), (2, 7, 3), (3, 3, 4)),
        (Conv((2,), "same", one), (3, 8, 2), (3, 2, 3)),
        (Conv((2,), "causal", (3,)), (2, 9, 2), (3, 2, 3)),
        (Conv(one, "causal", one, 4), (2, 6, 4), (2, 1, 8)),
        (Conv((3,), ((4, 1),), (2,), 2), (1, 5, 4), (2, 2, 4)),
        (Conv(one, "causal", one), (0, 4, 2), (3, 2, 2)),
        (Conv(one, "causal", one), (1, 1, 1), (4, 1, 1)),
        (Conv(three, "valid", three), (2, 3, 4, 5, 2), (2, 3, 2, 2, 3)),
        (Conv((2, 1, 2), "same", (1, 2, 1)), (1, 5, 4, 3, 2), (3, 2, 2, 2, 2)),
        (Conv((1, 2, 1), ((0, 1), (2, 0), (1, 1)), three, 2), (1, 3, 3, 2, 2), (2, 2, 3, 1, 4)),
        (Conv((1, 2, 1), "same", (1, 1, 2), 4), (1, 3, 4, 3, 4), (2, 2, 2, 1, 4)),
        (Conv(three, "valid", three), (0, 2, 2, 2, 1), (2, 1, 2, 1, 2)),
        (Conv(three, "same", three), (1, 1, 1, 1, 1), (1, 1, 1, 1, 1)),
    ]


def _start(op: Conv, axis: int, size: int, kernel: int) -> int:
    """The element on which the first tap of the first window lies."""
    if not isinstance(op.padding, str):
        return -op.padding[axis][0]
    last = (kernel - 1) * op.dilation[axis]
    if op.padding == "causal":
        return -last
    if op.padding == "valid":
        return 0
    missing = (math.ceil(size / op.strides[axis]) - 1) * op.strides[axis] + last - (size - 1)
    return -(missing // 2) if missing > 0 else 0


def _loop(op: Conv, x: Ints, y: Ints, w: Ints) -> Iterator[tuple[Ints, Ints, Ints]]:
    """Indices into (x, y, w) of everything that meets inside the image."""
    *kernel, per_group, filters = w
    starts = [_start(op, i, x[1 + i], k) for i, k in enumerate(kernel)]
    for n, *at in np.ndindex(*y[:-1]):
        for tap in np.ndindex(*kernel):
            spans = zip(at, op.strides, tap, op.dilation, starts, strict=True)
            where = [o * stride + k * rate + start for o, stride, k, rate, start in spans]
            if all(0 <= i < size for i, size in zip(where, x[1:-1], strict=True)):
                for f, c in np.ndindex(filters, per_group):
                    channel = f // (filters // op.groups) * per_group + c
                    yield (n, *where, channel), (n, *at, f), (*tap, c, f)


def conv_loops(op: Conv) -> Any:
    """Convolution as loops over every product."""

    def run(x: np.ndarray, w: np.ndarray) -> np.ndarray:
        y = np.zeros(op.infer(Spec(x.shape), Spec(w.shape)).dims)
        for of_x, of_y, of_w in _loop(op, x.shape, y.shape, w.shape):
            y[of_y] += x[of_x] * w[of_w]
        return y

    return run


def input_grad_loops(op: Conv, x_shape: Ints) -> Any:
    """Gradient for the images, as loops."""

    def run(dy: np.ndarray, w: np.ndarray) -> np.ndarray:
        dx = np.zeros(x_shape)
        for of_x, of_y, of_w in _loop(op, x_shape, dy.shape, w.shape):
            dx[of_x] += dy[of_y] * w[of_w]
        return dx

    return run


def filter_grad_loops(op: Conv, w_shape: Ints) -> Any:
    """Gradient for the filters, as loops."""

    def run(x: np.ndarray, dy: np.ndarray) -> np.ndarray:
        dw = np.zeros(w_shape)
        for of_x, of_y, of_w in _loop(op, x.shape, dy.shape, w_shape):
            dw[of_w] += x[of_x] * dy[of_y]
        return dw

    return run
