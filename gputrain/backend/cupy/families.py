"""The families of kernels: modules with a table KERNELS from an operation's name to how it is launched.

`prepare` of a family's kernel takes the device first: `f(gpu, op, out, *inputs, scratch) -> thunk`.
"""

from __future__ import annotations

from types import ModuleType

from gputrain.backend.cupy import (
    attending,
    conv,
    elementwise,
    indexing,
    linalg,
    movement,
    normalization,
    optim,
    pool,
    random,
    recurrence,
    reduce,
    softmax,
)

FAMILIES: tuple[ModuleType, ...] = (
    elementwise,
    reduce,
    softmax,
    indexing,
    movement,
    linalg,
    conv,
    pool,
    normalization,
    random,
    optim,
    attending,
    recurrence,
)
