"""Running a layer on arrays, with its gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gputrain import ops
from gputrain.compiler import gradients
from gputrain.ir import Spec, Trace, Value
from gputrain.runtime import Variable, interpret


@dataclass
class Run:
    """What a layer gave for some inputs, and the gradients of sum(upstream * output)."""

    output: np.ndarray
    inputs: list[np.ndarray]
    weights: list[np.ndarray]


def run(
    layer: Any, arrays: Sequence[np.ndarray], upstream: np.ndarray | None = None, training: bool = False
) -> Run:
    """Call `layer` on one array or a list of them; gradients where there is an upstream one.

    Statistics that the layer moves are kept.
    """
    values = [Value(Spec(a.shape, a.dtype.name)) for a in arrays]
    trace = Trace(counter=Variable(np.asarray(1, np.int64), trainable=False, name="step"))
    with trace.active():
        output = layer(values[0] if len(values) == 1 else values, training=training)
        weights = layer.trainable_variables
        found: list[Any] = []
        if upstream is not None:
            target = ops.sum(ops.multiply(output, upstream))
            found = gradients(target, [*values, *weights])
    assert all(g is not None for g in found), "an input or a weight has no gradient"
    graph = trace.graph(values, [output, *found])
    graph.verify()
    result, *grads = interpret(graph, list(arrays))
    return Run(result, grads[: len(values)], grads[len(values) :])


def _batches(x: np.ndarray) -> Iterator[Any]:
    for start in range(0, len(x), 4):
        yield x[start : start + 4], np.ones((4, 1), "float32")


# All ways for data (8, 4) into a model of one output.
CALLS: dict[str, Callable[[Any, np.ndarray], Any]] = {
    "fit": lambda model, x: model.fit(x, np.ones((8, 1)), verbose=0),
    "of a generator": lambda model, x: model.fit(_batches(x), verbose=0),
    "validation": lambda model, x: model.fit(
        np.ones((8, 4), "int32"), np.ones((8, 1)), verbose=0, validation_data=(x, np.ones((8, 1)))
    ),
    "evaluate": lambda model, x: model.evaluate(x, np.ones((8, 1)), verbose=0),
    "predict": lambda model, x: model.predict(x, verbose=0),
    "train_on_batch": lambda model, x: model.train_on_batch(x, np.ones((8, 1))),
    "predict_on_batch": lambda model, x: model.predict_on_batch(x),
    "call": lambda model, x: model(x),
}
