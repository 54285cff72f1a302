"""gputrain, for the runners."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import gputrain
from gputrain import ops
from gputrain.compiler import gradients
from gputrain.ir import Spec, Trace, Value
from gputrain.runtime import Variable, interpret
from tests.on_device import host, put
from tests.parity.table import flat, packed_as


class GputrainSide:
    """Gradients in a graph, which is then run node by node."""

    package = gputrain

    def array(self, value: Any) -> np.ndarray:
        return np.asarray(ops.convert_to_numpy(value))

    def differentiate(
        self,
        call: Callable[..., Any],
        arrays: Sequence[Any],
        variables: Sequence[Any],
        upstream: Callable[[int, tuple[int, ...]], np.ndarray],
    ) -> tuple[list[np.ndarray], list[np.ndarray | None], list[np.ndarray]]:
        leaves = list(flat(list(arrays)))
        values = [Value(Spec(a.shape, a.dtype.name)) for a in leaves]
        real = [v for v in values if v.dtype.startswith("float")]
        trace = Trace(counter=Variable(np.asarray(1, np.int64), trainable=False, name="step"))
        with trace.active():
            outputs = [ops.convert(o) for o in flat(call(*packed_as(list(arrays), iter(values))))]
            found = _gradients(outputs, [*real, *variables], upstream)
        graph = trace.graph(values, [*outputs, *(g for g in found if g is not None)])
        graph.verify()
        results = iter([host(array) for array in interpret(graph, put(leaves))])
        got = [next(results) for _ in outputs]
        slopes = [
            np.zeros(source.shape, source.dtype) if g is None else next(results)
            for g, source in zip(found, [*real, *variables], strict=True)
        ]
        by_input = dict(zip(map(id, real), slopes, strict=False))
        return got, [by_input.get(id(v)) for v in values], slopes[len(real) :]


def _gradients(
    outputs: list[Any], sources: list[Any], upstream: Callable[[int, tuple[int, ...]], np.ndarray]
) -> list[Any]:
    """None where no output depends on a source, or where what depends on it has no gradient."""
    total: Any = None
    for i, output in enumerate(outputs):
        if output.dtype.startswith("float"):
            part = ops.sum(ops.multiply(output, ops.constant(upstream(i, output.shape))))
            total = part if total is None else ops.add(total, part)
    if total is None or not sources:
        return [None] * len(sources)
    return gradients(total, sources)
