"""Two-dimensional convolution, channels last: fprop, dgrad and wgrad, each an operation of its own.

The im2col matrix is (N*OH*OW, KH*KW*C), so no product needs a transposed copy. It is made a block of
images at a time in a workspace that stays in cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gputrain.errors import DTypeError, ShapeError, explain
from gputrain.ir import Spec, Value
from gputrain.ir.spec import Dim
from gputrain.ops.base import Operation, Sample, apply, harmonize, require_float

__all__ = ["Conv", "ConvFilterGrad", "ConvInputGrad", "conv"]

BLOCK_BYTES = 1 << 20  # im2col workspace: about half of a core's L2 cache

Pair = tuple[int, int]


def output_size(size: Dim, kernel: int, stride: int, dilation: int, padding: str) -> Dim:
    """Output positions along one axis; None where the input size is unknown."""
    if size is None:
        return None
    if padding == "same":
        return -(-size // stride)
    return (size - (kernel - 1) * dilation - 1) // stride + 1


def same_padding(size: int, kernel: int, stride: int, dilation: int) -> Pair:
    """(before, after) of padding="same": ceil(size / stride) positions, an odd one goes after."""
    total = max((-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


@dataclass(frozen=True)
class Window:
    """How a window slides over (N, H, W, C): all sizes known."""

    size: Pair  # H, W
    kernel: Pair  # KH, KW
    strides: Pair
    dilation: Pair
    padding: str

    @property
    def out(self) -> Pair:
        sizes = [
            output_size(self.size[i], self.kernel[i], self.strides[i], self.dilation[i], self.padding)
            for i in (0, 1)
        ]
        return sizes[0], sizes[1]  # type: ignore[return-value]

    @property
    def pads(self) -> tuple[Pair, Pair]:
        if self.padding == "valid":
            return (0, 0), (0, 0)
        h, w = (same_padding(self.size[i], self.kernel[i], self.strides[i], self.dilation[i]) for i in (0, 1))
        return h, w

    @property
    def padded(self) -> bool:
        return self.pads != ((0, 0), (0, 0))

    @property
    def padded_size(self) -> Pair:
        (top, bottom), (left, right) = self.pads
        return self.size[0] + top + bottom, self.size[1] + left + right

    def inner(self) -> tuple[slice, slice]:
        """Where the unpadded image lies in the padded one."""
        (top, _), (left, _) = self.pads
        return slice(top, top + self.size[0]), slice(left, left + self.size[1])

    def taps(self) -> Iterator[tuple[int, int, slice, slice]]:
        """(kh, kw, rows, columns): the padded pixels that tap (kh, kw) meets."""
        (oh, ow), (sh, sw), (dh, dw) = self.out, self.strides, self.dilation
        for kh in range(self.kernel[0]):
            for kw in range(self.kernel[1]):
                top, left = kh * dh, kw * dw
                yield (
                    kh,
                    kw,
                    slice(top, top + (oh - 1) * sh + 1, sh),
                    slice(left, left + (ow - 1) * sw + 1, sw),
                )


class _Convolution:
    """What the three share: parameters, checks, blocks of images."""

    strides: Pair
    padding: str
    dilation: Pair
    groups: int

    def _window(self, x: tuple[int, ...], kernel: tuple[int, ...]) -> Window:
        return Window((x[1], x[2]), (kernel[0], kernel[1]), self.strides, self.dilation, self.padding)

    def _block(self, n: int, window: Window, channels: int, itemsize: int) -> int:
        """Images per block, so that their im2col matrix fits BLOCK_BYTES."""
        oh, ow = window.out
        per_image = oh * ow * window.kernel[0] * window.kernel[1] * channels * itemsize
        return max(1, min(n, BLOCK_BYTES // max(per_image, 1)))

    def _workspaces(self, x: Spec, kernel: tuple[int, ...], filters: int) -> tuple[Spec, ...]:
        """A block's padded images, im2col matrix, product of one group, filters' product."""
        n, _, _, c = x.dims
        window = self._window(x.dims, kernel)
        block = self._block(n, window, c // self.groups, x.itemsize)
        (oh, ow), (ph, pw) = window.out, window.padded_size
        patch = kernel[0] * kernel[1] * (c // self.groups)
        return (
            Spec((block, ph, pw, c) if window.padded else (0, 0, 0, 0), x.dtype),
            Spec((block * oh * ow, patch), x.dtype),
            Spec((block * oh * ow, filters // self.groups) if self.groups > 1 else (0, 0), x.dtype),
            Spec((patch, filters // self.groups), x.dtype),
        )


def _pad(xp: Any, window: Window, x: Any, padded: Any) -> Any:
    """The images with their border of zeros; `x` itself where there is none."""
    if not window.padded:
        return x
    rows, columns = window.inner()
    block = padded[: len(x)]
    block[:, : rows.start] = 0
    block[:, rows.stop :] = 0
    block[:, :, : columns.start] = 0
    block[:, :, columns.stop :] = 0
    xp.copyto(block[:, rows, columns], x)
    return block


def _im2col(xp: Any, window: Window, x: Any, cols: Any) -> Any:
    """Patches of padded images x (n, PH, PW, C) as rows of cols (n*OH*OW, KH*KW*C)."""
    (n, *_, c), (oh, ow), (kh, kw) = x.shape, window.out, window.kernel
    rows = cols[: n * oh * ow]
    patches = rows.reshape(n, oh, ow, kh, kw, c)
    for i, j, vertical, horizontal in window.taps():
        xp.copyto(patches[:, :, :, i, j], x[:, vertical, horizontal])
    return rows


class Conv(_Convolution, Operation):
    """Cross-correlation of x (N, H, W, C) with filters w (KH, KW, C/groups, F): (N, OH, OW, F)."""

    strides: Pair = (1, 1)
    padding: str = "valid"
    dilation: Pair = (1, 1)
    groups: int = 1

    def infer(self, x: Spec, w: Spec) -> Spec:
        require_float(x, "Conv")
        if x.dtype != w.dtype:
            raise DTypeError(explain("Conv needs images and filters of one dtype.", received=f"{x} and {w}"))
        if x.ndim != 4 or w.ndim != 4:
            raise ShapeError(
                explain(
                    "Conv needs images (N, H, W, C) and filters (KH, KW, C/groups, F).",
                    received=f"{x.shape} and {w.shape}",
                    fix="Grey images need a channel axis: x.reshape(-1, height, width, 1).",
                )
            )
        kh, kw, c, f = w.shape
        if x.shape[3] is not None and c is not None and x.shape[3] != c * self.groups:
            raise ShapeError(
                explain(
                    "Conv: the filters must have the images' channels divided by groups.",
                    expected=f"{c * self.groups} channels (channels last)",
                    received=f"images {x.shape}, filters {w.shape}, groups={self.groups}",
                )
            )
        if f is not None and f % self.groups:
            raise ShapeError(explain("Conv: the number of filters must be divisible by groups.", received=f))
        sizes = [
            output_size(x.shape[1 + i], w.shape[i], self.strides[i], self.dilation[i], self.padding)  # type: ignore[arg-type]
            for i in (0, 1)
        ]
        if any(s is not None and s < 1 for s in sizes):
            raise ShapeError(
                explain(
                    "Conv: the (dilated) filter is larger than the image.",
                    received=f"image {x.shape[1:3]}, filter {(kh, kw)}, dilation {self.dilation}",
                    fix='Use padding="same", a smaller filter or larger images.',
                )
            )
        return Spec((x.shape[0], *sizes, f), x.dtype)

    def vjp(self, ct: Value, out: Value, x: Value, w: Value) -> Sequence[Value | None]:
        how = (self.strides, self.padding, self.dilation, self.groups)
        return (
            apply(ConvInputGrad((x.spec.dims[1], x.spec.dims[2]), *how), ct, w),
            apply(ConvFilterGrad((w.spec.dims[0], w.spec.dims[1]), *how), x, ct),
        )

    def scratch(self, x: Spec, w: Spec) -> tuple[Spec, ...]:
        return self._workspaces(x, w.dims, w.dims[3])

    def compute(self, xp: Any, out: Any, x: Any, w: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        padded, cols, product, filters = scratch
        window = self._window(x.shape, w.shape)
        rows_per_image = window.out[0] * window.out[1]
        flat = out.reshape(len(x) * rows_per_image, w.shape[3])
        step = max(1, len(cols) // rows_per_image)
        cg, fg = w.shape[2], w.shape[3] // self.groups
        for start in range(0, len(x), step):
            images = _pad(xp, window, x[start : start + step], padded)
            target = flat[start * rows_per_image : (start + len(images)) * rows_per_image]
            for g in range(self.groups):
                patches = _im2col(xp, window, images[..., g * cg : (g + 1) * cg], cols)
                if self.groups == 1:
                    xp.matmul(patches, w.reshape(-1, fg), out=target)
                    continue
                xp.copyto(filters.reshape(*w.shape[:3], fg), w[..., g * fg : (g + 1) * fg])
                xp.matmul(patches, filters, out=product[: len(target)])
                xp.copyto(target[:, g * fg : (g + 1) * fg], product[: len(target)])

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        return [Sample(op, (Spec(x), Spec(w)), conv_loops(op), label=f"{x}*{w}") for op, x, w in _cases(cls)]


class ConvInputGrad(_Convolution, Operation):
    """Gradient of Conv with respect to its images: (dy, w) to (N, H, W, C). A gathered col2im."""

    size: Pair
    strides: Pair = (1, 1)
    padding: str = "valid"
    dilation: Pair = (1, 1)
    groups: int = 1

    def infer(self, dy: Spec, w: Spec) -> Spec:
        return Spec((dy.shape[0], *self.size, w.dims[2] * self.groups), dy.dtype)

    def vjp(self, ct: Value, out: Value, dy: Value, w: Value) -> Sequence[Value | None]:
        how = (self.strides, self.padding, self.dilation, self.groups)
        return apply(Conv(*how), ct, w), apply(ConvFilterGrad((w.spec.dims[0], w.spec.dims[1]), *how), ct, dy)

    def _window_of(self, w: tuple[int, ...]) -> Window:
        return Window(self.size, (w[0], w[1]), self.strides, self.dilation, self.padding)

    def scratch(self, dy: Spec, w: Spec) -> tuple[Spec, ...]:
        (_, cols, product, filters) = self._workspaces(self.infer(dy, w), w.dims, w.dims[3])
        block = cols.dims[0] // max(1, dy.dims[1] * dy.dims[2])
        padded = (block, *self._window_of(w.dims).padded_size, w.dims[2] * self.groups)
        return Spec(padded, dy.dtype), cols, product, filters

    def compute(self, xp: Any, out: Any, dy: Any, w: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        padded, cols, product, filters = scratch
        window = self._window_of(w.shape)
        (oh, ow), (kh, kw) = window.out, window.kernel
        flat = dy.reshape(len(dy) * oh * ow, w.shape[3])
        step = max(1, len(cols) // max(1, oh * ow))
        rows, columns = window.inner()
        cg, fg = w.shape[2], w.shape[3] // self.groups
        for start in range(0, len(dy), step):
            n = min(step, len(dy) - start)
            source = flat[start * oh * ow : (start + n) * oh * ow]
            image = padded[:n]
            image[...] = 0
            patches = cols[: n * oh * ow]
            for g in range(self.groups):
                part, kernel = source, w.reshape(-1, fg) if self.groups == 1 else filters
                if self.groups > 1:
                    part = product[: len(source)]
                    xp.copyto(part, source[:, g * fg : (g + 1) * fg])
                    xp.copyto(filters.reshape(*w.shape[:3], fg), w[..., g * fg : (g + 1) * fg])
                xp.matmul(part, kernel.T, out=patches)
                taps = patches.reshape(n, oh, ow, kh, kw, cg)
                target = image[..., g * cg : (g + 1) * cg]
                for i, j, vertical, horizontal in window.taps():
                    spot = target[:, vertical, horizontal]
                    xp.add(spot, taps[:, :, :, i, j], out=spot)
            xp.copyto(out[start : start + n], image[:, rows, columns])

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        found = []
        for op, x, w in _cases(Conv):
            grad = cls((x[1], x[2]), op.strides, op.padding, op.dilation, op.groups)
            y = op.infer(Spec(x), Spec(w)).shape
            found.append(Sample(grad, (Spec(y), Spec(w)), input_grad_loops(op, x), label=f"{y}*{w}"))
        return found


class ConvFilterGrad(_Convolution, Operation):
    """Gradient of Conv with respect to its filters: (x, dy) to (KH, KW, C/groups, F)."""

    kernel: Pair
    strides: Pair = (1, 1)
    padding: str = "valid"
    dilation: Pair = (1, 1)
    groups: int = 1

    def infer(self, x: Spec, dy: Spec) -> Spec:
        return Spec((*self.kernel, x.dims[3] // self.groups, dy.shape[3]), x.dtype)

    def vjp(self, ct: Value, out: Value, x: Value, dy: Value) -> Sequence[Value | None]:
        how = (self.strides, self.padding, self.dilation, self.groups)
        return apply(ConvInputGrad((x.spec.dims[1], x.spec.dims[2]), *how), dy, ct), apply(Conv(*how), x, ct)

    def scratch(self, x: Spec, dy: Spec) -> tuple[Spec, ...]:
        return self._workspaces(x, self.kernel, dy.dims[3])

    def compute(self, xp: Any, out: Any, x: Any, dy: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        padded, cols, product, partial = scratch
        window = self._window(x.shape, self.kernel)
        per_image = window.out[0] * window.out[1]
        flat = dy.reshape(len(x) * per_image, dy.shape[3])
        step = max(1, len(cols) // max(1, per_image))
        cg, fg = out.shape[2], out.shape[3] // self.groups
        out[...] = 0
        for start in range(0, len(x), step):
            images = _pad(xp, window, x[start : start + step], padded)
            source = flat[start * per_image : (start + len(images)) * per_image]
            for g in range(self.groups):
                patches = _im2col(xp, window, images[..., g * cg : (g + 1) * cg], cols)
                part = source
                if self.groups > 1:
                    part = product[: len(source)]
                    xp.copyto(part, source[:, g * fg : (g + 1) * fg])
                xp.matmul(patches.T, part, out=partial)
                target = out[..., g * fg : (g + 1) * fg]
                xp.add(target, partial.reshape(target.shape), out=target)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        found = []
        for op, x, w in _cases(Conv):
            grad = cls((w[0], w[1]), op.strides, op.padding, op.dilation, op.groups)
            y = op.infer(Spec(x), Spec(w)).shape
            found.append(Sample(grad, (Spec(x), Spec(y)), filter_grad_loops(op, w), label=f"{x}*{y}"))
        return found


def conv(
    inputs: Any,
    kernel: Any,
    strides: int | Sequence[int] = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: int | Sequence[int] = 1,
) -> Any:
    """Two-dimensional convolution, channels last.

    Args:
        inputs: images (N, H, W, C).
        kernel: filters (KH, KW, C/groups, F); groups follow from the channels.
        strides, dilation_rate: one int or (vertical, horizontal).
        padding: "valid" or "same".
        data_format: None or "channels_last".

    Returns:
        (N, OH, OW, F).
    """

    x, w = harmonize(inputs, kernel)
    channels = x.shape[-1]
    groups = max(1, channels // w.shape[2]) if channels is not None and len(w.shape) == 4 else 1
    if data_format not in (None, "channels_last"):
        raise ValueError(
            explain("conv works channels last.", expected='"channels_last"', received=data_format)
        )
    return apply(Conv(pair(strides, "strides"), padding, pair(dilation_rate, "dilation_rate"), groups), x, w)


def pair(value: int | Sequence[int], name: str) -> Pair:
    """An int, or two, as (vertical, horizontal); positive."""
    given = (value, value) if isinstance(value, int | np.integer) else tuple(value)
    if len(given) != 2 or any(not isinstance(v, int | np.integer) or v < 1 for v in given):
        raise ValueError(explain(f"{name} must be a positive int or two of them.", received=value))
    return int(given[0]), int(given[1])


# ------------------------------------------------------------------------------- references, as plain loops


def _cases(cls: type[Conv]) -> list[tuple[Conv, tuple[int, ...], tuple[int, ...]]]:
    return [
        (cls(), (2, 5, 6, 3), (3, 2, 3, 4)),
        (cls((2, 2), "same"), (2, 5, 7, 2), (3, 3, 2, 3)),
        (cls((2, 1), "same"), (1, 6, 5, 1), (2, 4, 1, 2)),
        (cls((1, 1), "same", (2, 2)), (1, 7, 6, 2), (3, 3, 2, 2)),
        (cls((2, 2), "valid", (2, 1)), (2, 8, 7, 2), (3, 2, 2, 2)),
        (cls((1, 1), "valid", (1, 1), 2), (2, 4, 4, 4), (3, 3, 2, 6)),
        (cls((2, 2), "same", (1, 1), 2), (1, 5, 5, 2), (2, 2, 1, 2)),
        (cls(), (3, 4, 4, 3), (1, 1, 3, 5)),
        (cls(), (0, 4, 4, 1), (3, 3, 1, 2)),
        (cls(), (1, 1, 1, 1), (1, 1, 1, 1)),
        (cls((3, 3), "same"), (1, 2, 2, 1), (1, 1, 1, 2)),
    ]


def _loop(op: Conv, x: tuple[int, ...], w: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Every (n, oh, ow, f, ih, iw, channel, kh, kw, c) that meets inside the image."""
    (kh_n, kw_n, cg, f_n), fg = w, w[3] // op.groups
    sizes = [output_size(x[1 + i], w[i], op.strides[i], op.dilation[i], op.padding) for i in (0, 1)]
    pads = [
        same_padding(x[1 + i], w[i], op.strides[i], op.dilation[i])[0] if op.padding == "same" else 0
        for i in (0, 1)
    ]
    for n, oh, ow, f, kh, kw, c in np.ndindex(x[0], sizes[0] or 0, sizes[1] or 0, f_n, kh_n, kw_n, cg):
        ih = oh * op.strides[0] + kh * op.dilation[0] - pads[0]
        iw = ow * op.strides[1] + kw * op.dilation[1] - pads[1]
        if 0 <= ih < x[1] and 0 <= iw < x[2]:
            yield n, oh, ow, f, ih, iw, f // fg * cg + c, kh, kw, c


def conv_loops(op: Conv) -> Any:
    """Convolution as loops over every product."""

    def run(x: np.ndarray, w: np.ndarray) -> np.ndarray:
        y = np.zeros(op.infer(Spec(x.shape), Spec(w.shape)).dims)
        for n, oh, ow, f, ih, iw, channel, kh, kw, c in _loop(op, x.shape, w.shape):
            y[n, oh, ow, f] += x[n, ih, iw, channel] * w[kh, kw, c, f]
        return y

    return run


def input_grad_loops(op: Conv, x_shape: tuple[int, ...]) -> Any:
    """Gradient for the images, as loops."""

    def run(dy: np.ndarray, w: np.ndarray) -> np.ndarray:
        dx = np.zeros(x_shape)
        for n, oh, ow, f, ih, iw, channel, kh, kw, c in _loop(op, x_shape, w.shape):
            dx[n, ih, iw, channel] += dy[n, oh, ow, f] * w[kh, kw, c, f]
        return dx

    return run


def filter_grad_loops(op: Conv, w_shape: tuple[int, ...]) -> Any:
    """Gradient for the filters, as loops."""

    def run(x: np.ndarray, dy: np.ndarray) -> np.ndarray:
        dw = np.zeros(w_shape)
        for n, oh, ow, f, ih, iw, channel, kh, kw, c in _loop(op, x.shape, w_shape):
            dw[kh, kw, c, f] += x[n, ih, iw, channel] * dy[n, oh, ow, f]
        return dw

    return run
