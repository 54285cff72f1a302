"""Softmax and crossentropies of rows by compiled kernels."""

from __future__ import annotations

from typing import Any

import numpy as np

from gputrain.backend.base import Kernel, Thunk
from gputrain.backend.numpy.compiled.binding import FLOATS, Library
from gputrain.ir.spec import Spec

Array = Any


def _of_rows(op: Any, *specs: Spec) -> bool:
    """Whether the last operand is rows of floats, and the others fit it."""
    *others, x = specs
    known = all(s.static and s.size for s in specs) and x.ndim > 0
    return known and x.dtype in FLOATS and all(s.dtype == x.dtype for s in others)


def _of_labels(op: Any, label: Spec, logits: Spec) -> bool:
    return label.static and label.dtype != "bool" and _of_rows(op, logits)


def _sizes(x: Array) -> tuple[int, int]:
    """Rows and their width."""
    return x.size // x.shape[-1], x.shape[-1]


def kernels(library: Library) -> dict[str, Kernel]:
    """Kernels by the operation's name."""

    def softmax(op: Any, out: Array, x: Array, *, scratch: Any) -> Thunk:
        return library.bind(type(op).__name__, x.dtype.name, x, out, *_sizes(x))

    def crossentropy(op: Any, out: Any, target: Array, logits: Array, *, scratch: Any) -> Thunk:
        shares = 1.0 - op.smoothing, op.smoothing / logits.shape[-1]
        sizes = _sizes(logits)
        return library.bind("SoftmaxCrossentropy", logits.dtype.name, target, logits, *out, *sizes, *shares)

    def sparse(op: Any, out: Any, label: Array, logits: Array, *, scratch: Any) -> Thunk:
        kind = label.dtype.itemsize * (1 if np.issubdtype(label.dtype, np.signedinteger) else -1)
        sizes = _sizes(logits)
        return library.bind("SparseSoftmaxCrossentropy", logits.dtype.name, label, logits, *out, *sizes, kind)

    return {
        "LogSoftmax": Kernel(softmax, accepts=_of_rows),
        "Softmax": Kernel(softmax, accepts=_of_rows),
        "SoftmaxCrossentropy": Kernel(crossentropy, accepts=_of_rows),
        "SparseSoftmaxCrossentropy": Kernel(sparse, accepts=_of_labels),
    }
