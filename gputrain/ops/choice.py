"""A choice: one of two bodies runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from gputrain.errors import ShapeError, explain
from gputrain.ir import Graph, Spec, Value
from gputrain.ops.base import Operation, Sample, apply, convert
from gputrain.ops.bodies import Body, PullBack, keep_effects, trace_body
from gputrain.ops.creation import zeros_of
from gputrain.utils import tree

__all__ = ["Cond", "cond"]


class Cond(Operation, eq=False):
    """One of two bodies on the same values, by a flag: (flag, values) to the outputs of the chosen body."""

    if_true: Body
    if_false: Body
    on_host: ClassVar[str] = "the host reads its flag to choose a branch"

    @property
    def n_outputs(self) -> int:
        return len(self.if_true.graph.outputs)

    @property
    def bodies(self) -> tuple[Body, Body]:
        return self.if_true, self.if_false

    def infer(self, flag: Spec, *specs: Spec) -> tuple[Spec, ...]:
        yes, no = ([v.spec for v in body.graph.outputs] for body in self.bodies)
        if yes != no:
            raise ShapeError(
                explain(
                    "cond: both branches must return the same shapes and dtypes.",
                    received=f"{[str(s) for s in yes]} and {[str(s) for s in no]}",
                )
            )
        if flag.shape != () or flag.dtype != "bool":
            raise ShapeError(explain("cond: the condition is one boolean.", expected="bool[]", received=flag))
        return tuple(yes)

    def vjp(
        self, ct: Any, out: Any, flag: Value, *values: Value, pull_back: PullBack
    ) -> Sequence[Value | None]:
        cts = list(ct) if isinstance(ct, list | tuple) else [ct]
        known = [
            c if c is not None else zeros_of(v.spec)
            for c, v in zip(cts, self.if_true.graph.outputs, strict=True)
        ]

        def backward(body: Body) -> Callable[..., list[Value]]:
            def run(*inputs: Value) -> list[Value]:
                inner, upstream = inputs[: len(values)], inputs[len(values) :]
                known = body.inline(inner)
                found = pull_back([known[v] for v in body.graph.outputs], upstream, inner)
                return [g if g is not None else zeros_of(v.spec) for g, v in zip(found, inner, strict=True)]

            return run

        specs = [v.spec for v in (*values, *known)]
        (_, yes, from_yes), (_, no, from_no) = (trace_body(backward(body), specs) for body in self.bodies)
        op, captured = _joined(yes, from_yes, no, from_no)
        grads = apply(op, flag, *values, *known, *captured) if values else ()
        return [None, *(grads if isinstance(grads, tuple) else (grads,))]

    def compute(self, xp: Any, out: Any, flag: Any, *values: Any, scratch: tuple[Any, ...] = ()) -> None:
        made = (self.if_true if bool(flag) else self.if_false).compute(xp, values)
        for target, value in zip(out if isinstance(out, tuple) else (out,), made, strict=True):
            target[...] = value

    def __str__(self) -> str:
        return f"Cond(bodies of {len(self.if_true.graph.nodes)} and {len(self.if_false.graph.nodes)} nodes)"

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def yes(x: Value, y: Value) -> Any:
            return x * y

        def no(x: Value, y: Value) -> Any:
            return x - y * y

        def reference(flag: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
            return x * y if flag else x - y * y

        specs = [Spec((3,), "float64"), Spec((3,), "float64")]
        op = cls(trace_body(yes, specs)[1], trace_body(no, specs)[1])
        return [
            Sample(op, (np.array(flag), *specs), reference, label=str(flag), dtype="float64")
            for flag in (True, False)
        ]


def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """true_fn() where `pred` holds, false_fn() elsewhere; only the chosen one is computed.

    Args:
        pred: one boolean: a value, an array or a Python bool.
        true_fn, false_fn: functions without arguments that return values of the same shapes and dtypes.

    Raises:
        ShapeError: the branches differ in shape or dtype, or `pred` is not one boolean.
    """
    flag = convert(pred)
    if not isinstance(flag, Value):
        return true_fn() if bool(flag) else false_fn()
    structure, yes, from_yes = trace_body(true_fn, [])
    _, no, from_no = trace_body(false_fn, [])
    op, values = _joined(yes, from_yes, no, from_no)
    outs = apply(op, flag, *values)
    outs = outs if isinstance(outs, tuple) else (outs,)
    keep_effects(outs, yes, no)
    return tree.pack(structure, outs)


def _joined(
    yes: Body, from_yes: Sequence[Value], no: Body, from_no: Sequence[Value]
) -> tuple[Cond, list[Value]]:
    """One operation of two bodies that captured different values, and all of these."""
    captured = list(dict.fromkeys([*from_yes, *from_no]))
    return Cond(_with_inputs(yes, from_yes, captured), _with_inputs(no, from_no, captured)), captured


def _with_inputs(body: Body, captured: Sequence[Value], values: Sequence[Value]) -> Body:
    """The body with one input for each of `values`, used or not, in the place of those it captured."""
    first = len(body.graph.inputs) - len(captured)
    own = dict(zip(captured, body.graph.inputs[first:], strict=True))
    inputs = [own[v] if v in own else Value(v.spec, name=v.name) for v in values]
    graph = Graph([*body.graph.inputs[:first], *inputs], body.graph.outputs, effects=body.graph.effects)
    return Body(graph)
