"""Value and Node: the two things a graph is made of."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import GraphError, explain
from .spec import Shape, Spec

if TYPE_CHECKING:
    from ..ops.base import Operation

_PACKAGE = str(Path(__file__).resolve().parents[1])
_sequence = itertools.count()


def user_line() -> str:
    """`file:line` of the nearest caller outside gputrain, kept with a node for its errors."""
    frame = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back  # type: ignore[assignment]
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else "<unknown>"


class Value:
    """A symbolic array: what an operation will compute, or an input of a graph.

    Python operators build operations (`x + 1`, `x @ w`, `x[:, 0]`). A value has no contents while a model
    is traced, so `bool(value)` and `if value:` raise.

    Attributes:
        spec: shape and dtype.
        node: the operation that makes it; None for an input of the graph.
        index: which output of `node` it is.
        mask: a boolean Value saying which timesteps count, or None.
        name: a name for humans.
        origin: the input layer of an input of a functional model.
    """

    __slots__ = ("__weakref__", "index", "mask", "name", "node", "origin", "spec")
    # Filled by gputrain.ops, so that the graph needs no import from the operations.
    operators: ClassVar[dict[str, Callable[..., Any]]] = {}
    __array_priority__ = 100
    __array_ufunc__ = None  # numpy_array + value calls Value.__radd__, not a loop over elements

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

    def __bool__(self) -> bool:
        raise GraphError(
            explain(
                "A value has no contents while a model is traced, so Python cannot branch on it.",
                received=repr(self),
                fix="Use ops.where(condition, a, b), or ops.cond(condition, true_fn, false_fn); "
                "compile(run_eagerly=True) runs the same graph with concrete values for printing.",
            )
        )

    def __len__(self) -> int:
        if not self.shape or self.shape[0] is None:
            raise GraphError(explain("len() needs a known first dimension.", received=self.spec))
        return self.shape[0]

    def __iter__(self) -> Iterator[Value]:
        return (self[i] for i in range(len(self)))

    def __array__(self, *args: object, **kwargs: object) -> Any:
        raise GraphError(
            explain(
                "A value has no contents while a model is traced, so NumPy cannot read it.",
                received=repr(self),
                fix="Use the function of the same name in gputrain.ops.",
            )
        )


def _binary(name: str, swapped: bool) -> Callable[[Value, Any], Value]:
    if swapped:
        return lambda self, other: Value.operators[name](other, self)
    return lambda self, other: Value.operators[name](self, other)


def _unary(name: str) -> Callable[[Value], Value]:
    return lambda self: Value.operators[name](self)


_BINARY = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "divide",
    "floordiv": "floor_divide",
    "mod": "mod",
    "pow": "power",
    "matmul": "matmul",
    "and": "logical_and",
    "or": "logical_or",
}
_COMPARE = {"lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"}


def install_operators(cls: type) -> None:
    """Give `cls` the arithmetic dunder methods, each looked up in `Value.operators` when it is called."""
    for dunder, name in _BINARY.items():
        setattr(cls, f"__{dunder}__", _binary(name, swapped=False))
        setattr(cls, f"__r{dunder}__", _binary(name, swapped=True))
    for dunder, name in _COMPARE.items():
        setattr(cls, f"__{dunder}__", _binary(name, swapped=False))
    for dunder, name in {"neg": "negative", "abs": "abs", "invert": "logical_not"}.items():
        setattr(cls, f"__{dunder}__", _unary(name))
    cls.__getitem__ = lambda self, key: Value.operators["getitem"](self, key)  # type: ignore[attr-defined]


install_operators(Value)


class Node:
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

    def __init__(
        self, op: Operation, inputs: tuple[Value, ...], specs: tuple[Spec, ...], path: str = ""
    ) -> None:
        self.op = op
        self.inputs = inputs
        self.path = path
        self.source = user_line()
        self.frozen = False
        self.order = next(_sequence)
        self.outputs = tuple(Value(spec, self, i) for i, spec in enumerate(specs))

    def __repr__(self) -> str:
        where = f" in {self.path}" if self.path else ""
        return f"<Node {self.op}{where}>"
