"""Value and Node: the two things a graph is made of."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gputrain.errors import GraphError, explain
from gputrain.ir.arithmetic import Arithmetic
from gputrain.ir.spec import Shape, Spec
from gputrain.names import missing_attribute

_PACKAGE = str(Path(__file__).resolve().parents[1]) + os.sep
_sequence = itertools.count()


def next_order() -> int:
    """A number larger than that of every node made before."""
    return next(_sequence)


def user_line() -> str:
    """`file:line` of the nearest caller outside gputrain, kept with a node for its errors."""
    frame = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back  # type: ignore[assignment]
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else "<unknown>"


class _Slotted:
    """What is copied and pickled, under every protocol, as what its slots hold."""

    __slots__ = ()

    def __getstate__(self) -> dict[str, Any]:
        slots: tuple[str, ...] = type(self).__slots__
        return {name: getattr(self, name) for name in slots if name != "__weakref__"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)


class Value(_Slotted, Arithmetic):
    """A symbolic array: what an operation will compute, or an input of a graph.

    Python operators build operations (`x + 1`, `x @ w`, `x[:, 0]`). A value has no contents while a model
    is traced, so `bool(value)`, `if value:` and `float(value)` raise.

    Attributes:
        spec: shape and dtype.
        node: the operation that makes it; None for an input of the graph.
        index: which output of `node` it is.
        mask: a boolean Value saying which timesteps count, or None.
        name: a name for humans.
        origin: the input layer of an input of a functional model.
    """

    __slots__ = ("__weakref__", "index", "mask", "name", "node", "origin", "spec")

    def __init__(self, spec: Spec, node: Node | None = None, index: int = 0, name: str = "") -> None:
        self.spec = spec
        self.node = node
        self.index = index
        self.mask: Value | None = None
        self.name = name
        self.origin: Any = None

    @property
    def shape(self) -> Shape:
        return self.spec.shape

    @property
    def dtype(self) -> str:
        return self.spec.dtype

    @property
    def ndim(self) -> int:
        return self.spec.ndim

    def __repr__(self) -> str:
        made = f", by {self.node.op}" if self.node is not None else ""
        return f"<Value {self.name or 'unnamed'}: {self.spec}{made}>"

    __getattr__ = missing_attribute("KerasTensor")

    def __bool__(self) -> bool:
        raise _no_contents(
            self,
            "Python cannot branch on it",
            "Use ops.where(condition, a, b), or ops.cond(condition, true_fn, false_fn); "
            "ops.print(value) shows what it holds whenever the model runs.",
        )

    def __float__(self) -> float:
        raise _no_contents(
            self,
            "it is no Python number",
            "Compute with the functions of gputrain.ops; ops.print(value) shows it when the model runs.",
        )

    __int__ = __index__ = __complex__ = __float__

    def __len__(self) -> int:
        if not self.shape or self.shape[0] is None:
            raise GraphError(
                explain(
                    "Python can count or loop over a known first dimension only.",
                    received=self.spec,
                    fix="Work on all of it at once with gputrain.ops, or use ops.scan.",
                )
            )
        return self.shape[0]

    def __iter__(self) -> Iterator[Value]:
        return (self[i] for i in range(len(self)))

    def __array__(self, *args: object, **kwargs: object) -> Any:
        raise _no_contents(self, "NumPy cannot read it", "Use the function of the same name in gputrain.ops.")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """`array + value` is recorded, as `value + array` is; a NumPy function of a value raises."""
        name = _UFUNCS.get(ufunc.__name__)
        if name is None or method != "__call__" or kwargs:
            raise _no_contents(self, "NumPy cannot read it", f"Use gputrain.ops.{ufunc.__name__}.")
        return self.operators[name](*inputs)

    def __eq__(self, other: object) -> Any:
        return NotImplemented if other is None else self.operators["equal"](self, other)

    def __ne__(self, other: object) -> Any:
        return NotImplemented if other is None else self.operators["not_equal"](self, other)

    __hash__ = object.__hash__  # a value is a key by identity, whatever `==` records


# NumPy's functions behind the operators of an array, by the name of the operation that does the same.
_SAME = ("add", "subtract", "multiply", "divide", "floor_divide", "power", "matmul", "equal", "not_equal")
_UFUNCS = {name: name for name in (*_SAME, "less", "less_equal", "greater", "greater_equal")}
_UFUNCS |= {"remainder": "mod", "bitwise_and": "logical_and", "bitwise_or": "logical_or"}


def _no_contents(value: Value, so: str, fix: str) -> GraphError:
    return GraphError(
        explain(f"A value has no contents while a model is traced, so {so}.", received=repr(value), fix=fix)
    )


class Node(_Slotted):
    """One use of an operation.

    Attributes:
        op: the operation, with its parameters.
        inputs: the values it reads.
        outputs: the values it makes.
        path: path of the layer whose `call` made it ("sequential/dense").
        source: `file:line` in the user's code.
        frozen: gradients were taken through it, so rewrites leave it alone.
        order: creation number; the schedule keeps it where dependencies allow.
    """

    __slots__ = ("frozen", "inputs", "op", "order", "outputs", "path", "source")

    def __init__(self, op: Any, inputs: tuple[Value, ...], specs: tuple[Spec, ...], path: str = "") -> None:
        self.op = op
        self.inputs = inputs
        self.path = path
        self.source = user_line()
        self.frozen = False
        self.order: float = next(_sequence)
        self.outputs = tuple(Value(spec, self, i) for i, spec in enumerate(specs))

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({**state, "order": next_order()})  # among the nodes of this process

    @classmethod
    def alone(cls, op: Any, inputs: tuple[Value, ...], specs: tuple[Spec, ...]) -> Node:
        """A node of no graph, for a device to look at."""
        made = object.__new__(cls)
        made.op, made.inputs, made.path, made.source = op, inputs, "", ""
        made.frozen, made.order = False, 0
        made.outputs = tuple(Value(spec, made, i) for i, spec in enumerate(specs))
        return made

    @classmethod
    def like(cls, node: Node, op: Any, inputs: tuple[Value, ...], specs: tuple[Spec, ...]) -> Node:
        """A node that stands where `node` stood in the user's code and in the schedule."""
        made = cls.alone(op, inputs, specs)
        made.path, made.source = node.path, node.source
        made.frozen, made.order = node.frozen, node.order
        return made

    def __repr__(self) -> str:
        where = f" in {self.path}" if self.path else ""
        return f"<Node {self.op}{where}>"
