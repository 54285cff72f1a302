"""How a window slides over a sequence, an image or a volume: 1 to 3 axes between N and C."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from gputrain.errors import explain
from gputrain.ir.spec import Dim, Spec

Pair = tuple[int, int]
Ints = tuple[int, ...]
Padding = str | tuple[Pair, ...]  # "valid", "same", "causal", or (before, after) for each axis


class Words(NamedTuple):
    """What people call things of one rank.

    Attributes:
        thing: what a window slides over.
        axes: its axes, as they stand in shapes.
        numbers: how many numbers name one for each axis.
        lacking: what helps where the axis of channels is missing.
    """

    thing: str
    axes: tuple[str, ...]
    numbers: str
    lacking: str

    def layout(self, channels: str = "C") -> str:
        return f"(N, {', '.join(self.axes)}, {channels})"

    @property
    def taps(self) -> str:
        """Sizes of a filter."""
        return ", ".join(f"K{axis}" for axis in self.axes) if len(self.axes) > 1 else "K"


WORDS = {
    1: Words("sequence", ("T",), "one", "One number at a time needs a channel axis: x.reshape(-1, time, 1)."),
    2: Words("image", ("H", "W"), "two", "Grey images need a channel axis: x.reshape(-1, height, width, 1)."),
    3: Words(
        "volume",
        ("D", "H", "W"),
        "three",
        "Grey volumes need a channel axis: x.reshape(-1, depth, height, width, 1).",
    ),
}


# ------------------------------------------------------------------------------------------- along one axis


def pads(size: int, kernel: int, stride: int, dilation: int, padding: str | Pair) -> Pair:
    """Elements that are missing (before, after) the axis.

    "same" makes ceil(size / stride) positions and puts an odd one after; "causal" lets no position see what
    comes after it.
    """
    reach = (kernel - 1) * dilation
    if padding == "same":
        total = max((-(-size // stride) - 1) * stride + reach + 1 - size, 0)
        return total // 2, total - total // 2
    if padding == "causal":
        return reach, 0
    return (0, 0) if isinstance(padding, str) else padding


def positions(size: Dim, kernel: int, stride: int, dilation: int, padding: str | Pair) -> Dim:
    """Output positions; None where the size is unknown, below 1 where the window does not fit."""
    if size is None:
        return None
    padded = size + sum(pads(size, kernel, stride, dilation, padding))
    return (padded - (kernel - 1) * dilation - 1) // stride + 1


def axis_padding(padding: Padding, axis: int) -> str | Pair:
    """The padding of one axis."""
    return padding if isinstance(padding, str) else padding[axis]


# ------------------------------------------------------------------------------------------ along all axes


@dataclass(frozen=True)
class Window:
    """A window over arrays (N, *size, C): all sizes known."""

    size: Ints
    kernel: Ints
    strides: Ints
    dilation: Ints
    padding: Padding

    @property
    def rank(self) -> int:
        return len(self.size)

    def _along(self, axis: int) -> tuple[int, int, int, int, str | Pair]:
        sizes = (self.size[axis], self.kernel[axis], self.strides[axis], self.dilation[axis])
        return *sizes, axis_padding(self.padding, axis)

    @cached_property
    def out(self) -> Ints:
        """Positions along each axis."""
        return tuple(positions(*self._along(axis)) or 0 for axis in range(self.rank))

    @cached_property
    def pads(self) -> tuple[Pair, ...]:
        """(before, after) of each axis."""
        return tuple(pads(*self._along(axis)) for axis in range(self.rank))

    @cached_property
    def padded(self) -> bool:
        return any(map(any, self.pads))

    @property
    def padded_size(self) -> Ints:
        return tuple(size + sum(pair) for size, pair in zip(self.size, self.pads, strict=True))

    @property
    def positions(self) -> int:
        """Windows in one image."""
        return math.prod(self.out)

    @cached_property
    def inner(self) -> tuple[slice, ...]:
        """Where the unpadded arrays lie in the padded ones."""
        spans = zip(self.size, self.pads, strict=True)
        return slice(None), *(slice(before, before + size) for size, (before, _) in spans)

    def taps(self, part: Sequence[slice] | None = None) -> Iterator[tuple[Ints, tuple[slice, ...]]]:
        """(tap, the padded elements that it meets) from the window at all positions, or at some."""
        chosen = [slice(0, out) for out in self.out] if part is None else part
        for tap in product(*map(range, self.kernel)):
            spans = zip(tap, self.strides, self.dilation, chosen, strict=True)
            yield tap, (slice(None), *(_met(*span) for span in spans))

    def first_inside(self) -> Any:
        """The first tap that meets no border, at each position: (*out, 1)."""
        first: Any = np.zeros((1,), "int64")
        for axis in range(self.rank):
            begin = self.pads[axis][0] - np.arange(self.out[axis]) * self.strides[axis]
            skipped = np.maximum(begin + self.dilation[axis] - 1, 0) // self.dilation[axis]
            first = (first * self.kernel[axis])[..., None, :] + skipped[:, None]
        return first

    def room(self, x: Spec) -> Spec:
        """The workspace of `bordered`: nothing where there is no border."""
        return x.with_shape((x.dims[0], *self.padded_size, x.dims[-1]) if self.padded else (0,))

    def bordered(self, xp: Any, x: Any, workspace: Any, value: float = 0.0) -> Any:
        """`x` with its border of one value, in the workspace; `x` itself where there is no border."""
        if not self.padded:
            return x
        whole, inner = workspace[: len(x)], self.inner
        for axis in range(1, 1 + self.rank):
            ahead = (slice(None),) * axis
            whole[(*ahead, slice(0, inner[axis].start))] = value
            whole[(*ahead, slice(inner[axis].stop, None))] = value
        xp.copyto(whole[inner], x)
        return whole


def _met(tap: int, stride: int, dilation: int, part: slice) -> slice:
    start = part.start * stride + tap * dilation
    return slice(start, start + (part.stop - part.start - 1) * stride + 1, stride)


# --------------------------------------------------------------------------- arguments of public functions


def rank_of(*counts: int) -> int:
    """The first of several possible numbers of spatial axes that is one, else 2."""
    return next((count for count in counts if count in WORDS), 2)


def positive(value: int | Sequence[int], rank: int, name: str) -> Ints:
    """An int, or one for each axis, as a tuple; positive.

    Raises:
        ValueError: anything else.
    """
    given = tuple(value) if isinstance(value, Iterable) else (value,) * rank
    if len(given) != rank or any(not isinstance(v, int | np.integer) or v < 1 for v in given):
        rule = f"{name} must be a positive int or {WORDS[rank].numbers} of them."
        raise ValueError(explain(rule, received=value))
    return tuple(int(v) for v in given)


def checked_padding(padding: Any, rank: int, name: str, causal: bool = True) -> Padding:
    """A name in lower case, or a pair for each axis.

    Args:
        padding: what the user gave.
        rank: the number of axes.
        name: of the function.
        causal: whether it knows causal padding, where there is one axis.

    Raises:
        ValueError: something else, or a pair with a number below 0.
    """
    names = ("valid", "same", "causal") if causal and rank == 1 else ("valid", "same")
    if isinstance(padding, str):
        if padding.lower() in names:
            return padding.lower()
    elif isinstance(padding, Sequence) and len(padding) == rank and all(map(_is_pair, padding)):
        return tuple((int(before), int(after)) for before, after in padding)
    wrong = "unknown padding"
    if isinstance(padding, str) and padding.lower() == "causal":
        wrong = "only sequences, convolved or pooled, have causal padding"
    raise ValueError(
        explain(
            f"{name}: {wrong}.",
            expected=f"{', '.join(names)}, or {WORDS[rank].numbers} (before, after) of 0 or more",
            received=repr(padding),
        )
    )


def _is_pair(value: Any) -> bool:
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
        return False
    return all(isinstance(v, int | np.integer) and v >= 0 for v in value)


def require_channels_last(data_format: str | None, name: str) -> None:
    """Refuse other layouts.

    Raises:
        ValueError: data_format is neither None nor "channels_last".
    """
    if data_format not in (None, "channels_last"):
        raise ValueError(
            explain(f"{name} works channels last.", expected='"channels_last"', received=data_format)
        )
