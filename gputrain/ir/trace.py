"""Trace: what is recorded while a model's Python code runs once on symbolic values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple

import numpy as np

from gputrain.errors import GraphError, ShapeError, explain
from gputrain.ir import interpreter
from gputrain.ir.graph import Graph, State
from gputrain.ir.interpreter import Interpreter, Stored
from gputrain.ir.spec import Spec
from gputrain.ir.value import Value, next_order


def current_trace() -> Trace | None:
    """The innermost trace being recorded in this thread, or None."""
    now = interpreter.current()
    return now if isinstance(now, Trace) else None


def suspended() -> AbstractContextManager[None]:
    """Compute at once within a `with` block, also while a trace is being recorded."""
    return interpreter.using(None)


class Mark(NamedTuple):
    """How far a trace was recorded; see `Trace.mark`."""

    losses: int
    effects: int
    after: dict[Stored, Value]


class Trace(Interpreter):
    """Records state reads and writes, extra losses, effects and layer paths.

    Args:
        training: what layers see as `training` when nobody says otherwise; None leaves it to their `call`.
        counter: integer variable counting steps; random operations read it.
        calls: how often the layer was called that is called by itself; draws with a seed are counted so.
        parent: the trace around a body graph (scan, cond).
        repeats: whether this body runs more than once in a step (scan), so that nothing may draw in it.

    Attributes:
        losses: (layer, scalar) of what layers added (add_loss, activity regularizers).
        effects: values kept for what making them does.
        callers: layers whose call is being recorded, outermost first.
        finite: whether all that was required so far holds (`require`); states are kept unless it does.
        preparations: host functions to be called before each run of the program (learning-rate schedules).
        looked_up: (values, check, path of the layer) of what layers look up, which must be there.
    """

    def __init__(
        self,
        *,
        training: bool | None = None,
        counter: Stored | None = None,
        calls: int | None = None,
        parent: Trace | None = None,
        repeats: bool = False,
    ) -> None:
        self.training = training
        self.counter = counter
        self.calls = calls
        self.parent = parent
        self.repeats = repeats
        self.before: dict[Stored, Value] = {}
        self.after: dict[Stored, Value] = {}
        self.losses: list[tuple[Any, Value]] = []
        self.effects: list[Value] = []
        self.finite: Value | None = None
        self.preparations: list[Callable[[], None]] = []
        self.looked_up: list[tuple[Value, Callable[[np.ndarray, str], None], str]] = []
        self.callers: list[Any] = []
        self.names: list[str] = []
        self._keys: list[str] = []
        self._draws: Counter[str] = Counter()
        self.start = next_order()

    @property
    def path(self) -> str:
        """Path of the layer being called, for people."""
        return "/".join(self.names)

    # Arrays that a traced function computes with by the way are computed at once, by the trace around a body.

    def compute(self, op: Any, inputs: Sequence[Any]) -> Any:
        """The results of an operation on arrays."""
        return (self.parent or interpreter.outside()).compute(op, inputs)

    def only_shape(self, spec: Spec) -> bool:
        """Whether nothing but the shape and dtype of such an array is asked for, so that it is not made."""
        return self.parent is not None and self.parent.only_shape(spec)

    def operand(self, x: Any, dtype: str | None) -> Any:
        """An array, a list or a number as an operand."""
        return interpreter.outside().operand(x, dtype)

    def host(self, array: Any) -> np.ndarray:
        """The contents of an array as a NumPy array."""
        return interpreter.outside().host(array)

    @property
    def whole_path(self) -> str:
        """The path with that of the layers around the body that is being traced, for people."""
        around = self.parent.whole_path if self.parent is not None else ""
        return "/".join(part for part in (around, self.path) if part)

    @contextmanager
    def active(self) -> Iterator[Trace]:
        """Record in this trace within a `with` block."""
        with interpreter.using(self):
            yield self

    @contextmanager
    def scope(self, name: str, key: str, training: bool | None = None) -> Iterator[None]:
        """Within a layer's call: its name for people, its place in the model for random streams."""
        outer = self.training
        if training is not None:
            self.training = training
        self.names.append(name)
        self._keys.append(key)
        try:
            yield
        finally:
            self.names.pop()
            self._keys.pop()
            self.training = outer

    def require(self, flag: Value) -> Value:
        """Let new states count only where `flag` holds too; returns all flags so far in one.

        Raises:
            GraphError: in the body of a scan or cond, whose values no step can ask for.
        """
        if self.parent is not None:
            raise GraphError(
                explain(
                    f"{self.whole_path or 'The traced step'}: a value cannot be required to be finite "
                    "inside the body of a scan or cond.",
                    fix="Return it from the body and compute the loss, or check it, outside.",
                )
            )
        earlier = self.finite
        self.finite = flag if earlier is None else Value.operators["logical_and"](earlier, flag)
        return self.finite

    def stream_path(self) -> str:
        """A text unique to this random draw of this model: place of the layer and number of the draw.

        Raises:
            GraphError: in the body of a scan, where each iteration would draw the same numbers.
        """
        self._check_draws()
        if self.parent is not None:
            return f"{self.parent.stream_path()}/body/{'/'.join(self._keys)}"
        place = "/".join(self._keys)
        self._draws[place] += 1
        return f"{place}#{self._draws[place]}"

    def step(self, seeded: bool = False) -> Value:
        """The number of the training step, which random operations read.

        Args:
            seeded: whether the draw has a seed of its own; equal layers with one draw equally.
        """
        self._check_draws()
        if self.parent is not None:
            return self.parent.step(seeded)
        if seeded and self.calls is not None:
            return Value.operators["constant"](np.asarray(self.calls, np.int64))
        if self.counter is None:
            raise GraphError("A random operation needs a model's step counter; this trace has none.")
        return self.read(self.counter)

    def _check_draws(self) -> None:
        if self.repeats:
            raise GraphError(
                explain(
                    f"{self.whole_path or 'The traced step'}: random numbers cannot be drawn inside the body "
                    "of a scan; every iteration would get the same ones.",
                    fix="For a cell write RNN(cell, unroll=True), which draws in each of its steps. "
                    "Elsewhere draw before the loop with a leading time axis, and pass the numbers as xs.",
                )
            )

    def read(self, variable: Stored) -> Value:
        """The variable's value at this point of the traced program."""
        if variable in self.after:
            return self.after[variable]
        if variable not in self.before:
            variable.require_here()
            self.before[variable] = Value(variable.spec, name=variable.path)
        return self.before[variable]

    def write(self, variable: Stored, value: Value) -> Value:
        """Make `value` the variable's new state."""
        if self.parent is not None:
            raise GraphError(
                explain(
                    f"{variable.path}: a variable cannot be assigned inside the body of a scan or cond.",
                    fix="Carry it as loop state and assign the result after the loop.",
                )
            )
        if value.spec != variable.spec:
            raise ShapeError(
                explain(
                    f"{variable.path}: assign() needs the variable's shape and dtype.",
                    expected=variable.spec,
                    received=value.spec,
                )
            )
        self.read(variable)
        self.after[variable] = value
        return value

    def mark(self) -> Mark:
        """How far it is recorded, for `forget_since`."""
        return Mark(len(self.losses), len(self.effects), dict(self.after))

    def forget_since(self, mark: Mark) -> None:
        """Forget what was added to the loss, done and written since `mark`, to record it in another way."""
        del self.losses[mark.losses :], self.effects[mark.effects :]
        self.after = mark.after

    def graph(self, inputs: list[Value], outputs: list[Value]) -> Graph:
        """The recorded program between `inputs` and `outputs`, states included."""
        states = [State(v, value, self.after.get(v, value)) for v, value in self.before.items()]
        return Graph(inputs, outputs, states, list(self.effects))
