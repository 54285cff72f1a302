"""Operations on arrays, computed at once on the current device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gputrain.backend import Device, current_device
from gputrain.compiler.plan import workspaces
from gputrain.ir import Interpreter, Stored, Tensor, as_tensor
from gputrain.ops.base import Constant, Operation, spec_of
from gputrain.runtime.executable import prepare
from gputrain.utils import budget


class Eager(Interpreter):
    """The interpreter that is current where nothing is traced."""

    def compute(self, op: Operation, inputs: Sequence[Any]) -> Any:
        """The results of an operation on arrays: in NumPy's memory, unless an input lay on the device."""
        device = current_device()
        outs = returned(run_once(op, [device.asarray(x) for x in inputs], device), inputs, device)
        return outs[0] if op.n_outputs == 1 else outs

    def operand(self, x: Any, dtype: str | None) -> Any:
        """An array, a list or a number as an operand."""
        found = current_device().operand(x, dtype)
        return as_tensor(found) if isinstance(x, Tensor) else found

    def host(self, array: Any) -> np.ndarray:
        """The contents of an array as a NumPy array."""
        return current_device().download(array)

    def read(self, stored: Stored) -> Any:
        """What a variable holds now, as an array."""
        stored.require_here()
        return stored.device.shown(stored.array)


def returned(outs: Sequence[Any], inputs: Sequence[Any], device: Device) -> tuple[Any, ...]:
    """Results as their user gets them."""
    return tuple(map(as_tensor, device.returned(outs, inputs)))


def run_once(op: Operation, inputs: Sequence[Any], device: Device) -> tuple[Any, ...]:
    """Run an operation on arrays of the device into fresh buffers."""
    specs = [spec_of(x) for x in inputs]
    made = op.output_specs(*specs)
    for spec in made:
        budget.pass_by(op, spec.dims, spec.dtype)
    outs = [device.empty(s.dims, s.dtype) for s in made]
    scratch = [] if op.view else [device.empty(s.dims, s.dtype) for s in workspaces(op, specs, device)]
    with device.running():
        if op.view:
            device.copy(outs[0], inputs[0].reshape(outs[0].shape))()
        elif isinstance(op, Constant):
            device.upload(op.array(), outs[0])
        else:
            prepare(op, device, specs, outs, inputs, scratch)()
    return tuple(outs)
