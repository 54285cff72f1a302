"""Gradients that pass at some elements, by compiled kernels."""

from __future__ import annotations

from typing import Any

from gputrain.backend.base import Kernel, Thunk
from gputrain.backend.numpy.compiled.library import FLOATS, Library
from gputrain.ir import Spec

Array = Any

NAMES = ("ChoiceGrad", "ReluGrad", "Through")
MOST_OPERANDS = 3


def kernels(library: Library) -> dict[str, Kernel]:
    """Kernels of masks by the operation's name."""

    def prepare(op: Any, out: Array, *operands: Array, scratch: Any) -> Thunk:
        missing = MOST_OPERANDS - len(operands)
        steps = (*(int(x.size > 1) for x in operands), *(0,) * missing)
        arrays = (*operands, *(None,) * missing)
        return library.bind(type(op).__name__, out.dtype.name, arrays, out, steps, out.size)

    def accepts(op: Any, *specs: Spec) -> bool:
        if not all(s.static and s.dtype == specs[0].dtype for s in specs) or specs[0].dtype not in FLOATS:
            return False
        (out,) = op.output_specs(*specs)
        return out.size > 0 and all(s.shape == out.shape or s.size == 1 for s in specs)

    kernel = Kernel(prepare, accepts=accepts)
    return dict.fromkeys(NAMES, kernel)
