"""Reverse-mode differentiation of a graph: each operation's vjp, written in operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gputrain.compiler.rewrite import rewrite
from gputrain.errors import GraphError, ShapeError, explain
from gputrain.ir import Node, Stored, Value, current_trace, is_float, schedule
from gputrain.ops import add, sum_to
from gputrain.ops.base import as_value, constant

_IN_A_STEP = (
    "Compute the loss in a model's train_step, and there write gradients = gputrain.gradients(loss, "
    "variables) and self.optimizer.apply(gradients, variables)."
)


def gradients(
    target: Any, sources: Sequence[Value | Stored], upstream: Value | None = None
) -> list[Value | None]:
    """Gradients of `target` with respect to each source, as values of the same graph.

    Args:
        target: what to differentiate; one number unless `upstream` is given. A number depends on nothing.
        sources: values or variables that `target` was computed from.
        upstream: cotangent of `target`'s shape; None means 1.

    Returns:
        one Value of the source's shape for each source, None where `target` does not depend on it.
        Ask for all gradients of a target at once: a rewrite may take values that were not asked for out
        of its way.

    Raises:
        ShapeError: `target` holds several numbers and no upstream was given.

    Example:
        inside a traced train_step::

            grads = gputrain.gradients(loss, self.trainable_variables)
            self.optimizer.apply(grads, self.trainable_variables)
    """
    if current_trace() is None and not isinstance(target, Value):
        raise GraphError(
            explain(
                "gradients() works on values of a traced function.",
                received=type(target).__name__,
                fix=_IN_A_STEP,
            )
        )
    target = as_value(target)
    if upstream is None and any(size != 1 for size in target.shape):
        raise ShapeError(
            explain("gradients() of more than one number needs `upstream`.", received=target.spec)
        )
    wanted = [_source(s) for s in sources]
    seed = upstream if upstream is not None else np.ones(target.spec.dims, target.dtype)
    return pull_back([target], [seed if isinstance(seed, Value) else constant(seed)], wanted)


def pull_back(
    targets: Sequence[Value], upstreams: Sequence[Value | None], wanted: Sequence[Value]
) -> list[Value | None]:
    """Cotangents of `wanted`, given those of several targets (None where a target has none)."""
    rewrite(targets, wanted)
    path = _path(targets, wanted)
    cotangents: dict[Value, list[Value]] = {}
    for target, upstream in zip(targets, upstreams, strict=True):
        if upstream is not None and target in path:
            cotangents.setdefault(target, []).append(upstream)
    for node in reversed(schedule(targets)):
        node.frozen = True
        _pull_back(node, path, cotangents)
    return [_total(cotangents.get(value, [])) for value in wanted]


def _source(source: Value | Stored) -> Value:
    if isinstance(source, Value):
        return source
    trace = current_trace()
    if trace is None:
        rule = "gradients() with respect to a variable works inside a traced function only."
        raise GraphError(explain(rule, fix=_IN_A_STEP))
    return trace.read(source)


def _path(targets: Sequence[Value], wanted: Sequence[Value]) -> set[Value]:
    """Float values that depend on a wanted value: the only ones that get a cotangent."""
    path = {v for v in wanted if is_float(v.dtype)}
    for node in schedule(targets):
        if any(v in path for v in node.inputs):
            path.update(v for v in node.outputs if is_float(v.dtype))
    return path


def _pull_back(node: Node, path: set[Value], cotangents: dict[Value, list[Value]]) -> None:
    """Add the cotangents of a node's inputs, given those of its outputs."""
    if not any(v in path for v in node.inputs):
        return
    outer = [_total(cotangents.get(v, [])) for v in node.outputs]
    if all(ct is None for ct in outer):
        return
    single = node.op.n_outputs == 1
    trace = current_trace()
    names = trace.names if trace is not None else []
    saved = list(names)
    names[:] = [f"{node.path}'"] if node.path else []
    try:
        ct, out = (outer[0], node.outputs[0]) if single else (outer, node.outputs)
        inside = {"pull_back": pull_back} if node.op.bodies else {}
        found = node.op.vjp(ct, out, *node.inputs, **inside)
    finally:
        names[:] = saved
    for value, gradient in zip(node.inputs, found, strict=True):
        if gradient is not None and value in path:
            cotangents.setdefault(value, []).append(sum_to(gradient, value.spec.dims))


def _total(parts: list[Value]) -> Value | None:
    """Sum of the cotangents that reached a value; replaces them so that it is made once."""
    if not parts:
        return None
    total = parts[0]
    for part in parts[1:]:
        total = add(total, part)
    parts[:] = [total]
    return total
