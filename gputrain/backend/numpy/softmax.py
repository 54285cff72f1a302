"""Crossentropy of labels: what belongs to a label is picked out, not multiplied by zeros and a one."""

from __future__ import annotations

from typing import Any

import numpy as np

from gputrain.backend.base import Kernel, Thunk
from gputrain.ir.spec import Spec

Array = Any


def _scratch(op: Any, label: Spec, logits: Spec) -> tuple[Spec, ...]:
    row = Spec((*logits.dims[:-1], 1), logits.dtype)
    index = Spec((row.size,), "int64")
    known = row.with_shape(index.shape)
    return row, row, index, index, known, known.with_dtype("bool"), known


def _sparse(op: Any, out: Any, label: Array, logits: Array, *, scratch: Any) -> Thunk:
    (loss, gradient), (row, total, index, ramp, picked, inside, known) = out, scratch
    classes, labels = logits.shape[-1], label.reshape(-1)
    losses, flat, sums, factors = (
        loss.reshape(-1),
        gradient.reshape(-1),
        total.reshape(-1),
        known.reshape(row.shape),
    )

    def find_labels() -> None:
        """Where each row's label lies in the flat array, and 1 where the label names a class, else 0."""
        np.copyto(ramp, labels)
        np.clip(ramp, 0, classes - 1, out=index)
        np.equal(ramp, index, out=inside)
        np.copyto(known, inside)
        ramp[...] = np.arange(0, len(index) * classes, classes)
        np.add(index, ramp, out=index)

    def run() -> None:
        find_labels()
        np.max(logits, axis=-1, keepdims=True, out=row)
        np.subtract(logits, row, out=gradient)
        np.take(flat, index, out=picked, mode="clip")
        np.exp(gradient, out=gradient)
        np.sum(gradient, axis=-1, keepdims=True, out=total)
        np.divide(gradient, total, out=gradient)
        np.log(total, out=total)
        np.subtract(sums, picked, out=losses)
        np.take(flat, index, out=picked, mode="clip")
        np.subtract(picked, 1, out=picked)
        flat[index] = picked
        np.multiply(losses, known, out=losses)
        np.multiply(gradient, factors, out=gradient)

    return run


KERNELS = {
    "SparseSoftmaxCrossentropy": Kernel(_sparse, _scratch, accepts=lambda op, label, logits: logits.size > 0)
}
