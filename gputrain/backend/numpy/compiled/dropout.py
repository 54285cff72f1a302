"""Dropout and uniform numbers by compiled kernels, which make the words of a draw in registers."""

from __future__ import annotations

from typing import Any

from gputrain.backend.base import Kernel, Thunk
from gputrain.backend.numpy.compiled.binding import FLOATS, Library
from gputrain.ir import Spec
from gputrain.utils import philox

Array = Any

WORDS = 1 << 64


def _signed(word: int) -> int:
    """A word of 64 bits as an argument."""
    return word - WORDS if word >= WORDS // 2 else word


def _named(op: Any, step: Spec) -> bool:
    """Whether the words of the draw have a name; NumPy says what is wrong with others."""
    return 0 <= op.seed < WORDS and 0 <= op.stream < WORDS and step.dtype == "int64"


def kernels(library: Library) -> dict[str, Kernel]:
    """Kernels of dropout by the operation's name."""

    def dropout(op: Any, out: Any, x: Array, step: Array, *, scratch: Any) -> Thunk:
        threshold, scale = philox.keep_threshold(op.rate)
        return library.bind(
            "Dropout", x.dtype.name, x, step, out, _signed(op.seed), _signed(op.stream), threshold, x.size,
            scale,
        )  # fmt: skip

    def gradient(op: Any, out: Array, ct: Array, keep: Array, *, scratch: Any) -> Thunk:
        scale = philox.keep_threshold(op.rate)[1]
        return library.bind("DropoutGrad", ct.dtype.name, ct, keep, out, ct.size, scale)

    def uniform(op: Any, out: Array, step: Array, *, scratch: Any) -> Thunk:
        return library.bind(
            "RandomUniform", out.dtype.name, step, out, _signed(op.seed), _signed(op.stream), out.size
        )

    def draws(op: Any, x: Spec, step: Spec) -> bool:
        keeps = philox.keep_threshold(op.rate)[0] > 0
        return x.static and x.dtype in FLOATS and keeps and _named(op, step)

    def known(op: Any, ct: Spec, keep: Spec) -> bool:
        return ct.static and ct.dtype in FLOATS and keep.shape == ct.shape and keep.dtype == "bool"

    return {
        "Dropout": Kernel(dropout, accepts=draws),
        "DropoutGrad": Kernel(gradient, accepts=known),
        "RandomUniform": Kernel(uniform, accepts=lambda op, step: op.dtype in FLOATS and _named(op, step)),
    }
