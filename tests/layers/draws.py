"""Layers that draw random numbers, run at a given step of training."""

from __future__ import annotations

from typing import Any

import numpy as np

from gputrain.ir import Spec, Trace, Value
from gputrain.runtime import Variable, interpret


def at_step(layer: Any, x: np.ndarray, step: int, training: bool = True) -> np.ndarray:
    """What `layer` makes of `x` at step number `step` of a model."""
    value = Value(Spec(x.shape, x.dtype.name))
    trace = Trace(counter=Variable(np.asarray(step, np.int64), trainable=False, name="step"))
    with trace.active():
        output = layer(value, training=training)
    (result,) = interpret(trace.graph([value], [output]), [x])
    return result
