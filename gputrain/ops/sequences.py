"""Sequences that are cut out of a signal, and put back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gputrain.errors import ShapeError, explain
from gputrain.ir import Spec, Value
from gputrain.ir.spec import Dim
from gputrain.ops.base import Operation, Sample, apply, convert
from gputrain.ops.pointwise import Gradients
from gputrain.ops.window import positive

__all__ = ["Frames", "OverlapAdd", "extract_sequences"]


class Frames(Operation):
    """Parts of the last axis, each `stride` behind the one before: (..., T) to (..., N, length)."""

    length: int
    stride: int

    def infer(self, x: Spec) -> Spec:
        if x.ndim == 0:
            raise ShapeError(explain("Sequences are cut out of an axis.", received=x))
        return x.with_shape((*x.shape[:-1], self._count(x.shape[-1]), self.length))

    def _count(self, size: Dim) -> Dim:
        if size is None:
            return None
        if size < self.length:
            raise ShapeError(
                explain(
                    "The signal is shorter than the sequences that are cut out of it.",
                    expected=f"at least {self.length} elements in the last axis",
                    received=size,
                )
            )
        return (size - self.length) // self.stride + 1

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (apply(OverlapAdd(self.stride, x.spec.dims[-1]), ct),)

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        for part, place in _parts(out.shape, self.stride):
            xp.copyto(out[part], x[place])

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def sample(shape: tuple[int, ...], length: int, stride: int) -> Sample:
            def reference(x: np.ndarray) -> np.ndarray:
                return np.lib.stride_tricks.sliding_window_view(x, length, -1)[..., ::stride, :]

            return Sample(cls(length, stride), (Spec(shape),), reference)

        cases = [
            ((5,), 5, 1),
            ((11,), 3, 2),
            ((2, 3, 12), 4, 4),
            ((2, 9), 2, 5),
            ((0, 7), 3, 2),
            ((3, 40), 2, 1),
        ]
        return [sample(*case) for case in cases]


class OverlapAdd(Operation):
    """Parts put back where they were cut out, their sum where they overlap: (..., N, n) to (..., size)."""

    stride: int
    size: int

    def infer(self, x: Spec) -> Spec:
        return x.with_shape((*x.shape[:-2], self.size))

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (apply(Frames(x.spec.dims[-1], self.stride), ct),)

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        out.fill(0)
        for part, place in _parts(x.shape, self.stride):
            xp.add(out[place], x[part], out=out[place])

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def sample(shape: tuple[int, ...], stride: int, size: int) -> Sample:
            def reference(x: np.ndarray) -> np.ndarray:
                out = np.zeros((*shape[:-2], size))
                for i in range(shape[-2]):
                    out[..., i * stride : i * stride + shape[-1]] += x[..., i, :]
                return out

            return Sample(cls(stride, size), (Spec(shape),), reference)

        cases = [
            ((1, 5), 1, 5),
            ((5, 3), 2, 12),
            ((2, 3, 4, 2), 3, 11),
            ((0, 2, 3), 2, 5),
            ((2, 9, 2), 1, 10),
        ]
        return [sample(*case) for case in cases]


def _parts(shape: tuple[int, ...], stride: int) -> list[tuple[Any, Any]]:
    """Slices of frames (..., N, length) and of where they lie: all frames' i-th elements, or whole frames."""
    count, length = shape[-2:]
    if length <= count:
        ends = [slice(i, i + stride * (count - 1) + 1, stride) for i in range(length)]
        return [((..., i), (..., end)) for i, end in enumerate(ends)] if count else []
    return [((..., i, slice(None)), (..., slice(i * stride, i * stride + length))) for i in range(count)]


def extract_sequences(x: Any, sequence_length: int, sequence_stride: int) -> Any:
    """Sequences cut out of the last axis, each `sequence_stride` behind the one before.

    Args:
        x: (..., T).
        sequence_length: elements of a sequence.
        sequence_stride: elements from the beginning of one to that of the next.

    Returns:
        (..., N, sequence_length), with N = (T - sequence_length) // sequence_stride + 1.

    Raises:
        ShapeError: T is smaller than `sequence_length`.

    Example:
        >>> extract_sequences([1, 2, 3, 4, 5], 3, 2).tolist()
        [[1, 2, 3], [3, 4, 5]]
    """
    length = positive_size(sequence_length, "extract_sequences: sequence_length")
    return apply(
        Frames(length, positive_size(sequence_stride, "extract_sequences: sequence_stride")), convert(x)
    )


def positive_size(value: int, where: str) -> int:
    """Check a positive int."""
    return positive(value, 1, where)[0]
