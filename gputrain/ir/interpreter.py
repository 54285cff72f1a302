"""The current interpreter: what an operation means at this moment.

While a model is traced, a `Trace` records operations; elsewhere the one that `runtime` installs computes
them on the device. There is one at a time in a thread, no stack of transforms. Operations ask it, and know
no device themselves.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from gputrain.ir.arithmetic import Arithmetic
from gputrain.ir.spec import Spec
from gputrain.ir.value import Node, Value
from gputrain.utils import tree


class Stored(Arithmetic):
    """What lies in memory between steps and is read by programs: the base of `runtime.Variable`.

    Attributes:
        spec: shape and dtype.
        path: the unique name.
        array: the memory, an array of `device`.
    """

    spec: Spec
    path: str
    array: Any
    device: Any

    @abstractmethod
    def require_here(self) -> None:
        """Refuse to be used on another device than the one it was made on."""

    @abstractmethod
    def numpy(self) -> np.ndarray:
        """A copy of the contents on the host."""


class Tensor(np.ndarray):
    """A NumPy array as operations and layers give it: it has `numpy()`, also where it is one number.

    NumPy's operators give Tensors again, NumPy's functions plain arrays. Its pickle is that of a plain array.
    """

    def numpy(self) -> np.ndarray:
        """The plain array."""
        return np.asarray(self)

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        return found if isinstance(found, np.ndarray) else np.asarray(found).view(Tensor)

    def __round__(self, ndigits: int = 0) -> Any:
        return np.round(self, ndigits)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """NumPy's function on plain arrays."""
        args, kwargs = tree.map_leaves(lambda x: x.numpy() if isinstance(x, Tensor) else x, (args, kwargs))
        return func(*args, **kwargs)

    def __repr__(self) -> str:
        return repr(self.numpy())

    def __reduce__(self) -> Any:
        return self.numpy().__reduce__()


def as_tensor(array: Any) -> Any:
    """The same memory as a `Tensor`; arrays of a device, and values, as they are."""
    return array.view(Tensor) if type(array) is np.ndarray else array


class Interpreter(ABC):
    """Gives operations their meaning. `path` names the layer that is being called."""

    @property
    def path(self) -> str:
        return ""

    def only_shape(self, spec: Spec) -> bool:
        """Whether nothing but the shape and dtype of such an array is asked for, so that it is not made."""
        return False

    def apply(self, op: Any, inputs: Sequence[Any]) -> Any:
        """Use an operation: recorded where an input is symbolic, computed where all are arrays."""
        if any(isinstance(x, Value) for x in inputs):
            return record(op, inputs, self.path)
        return self.compute(op, inputs)

    @abstractmethod
    def compute(self, op: Any, inputs: Sequence[Any]) -> Any:
        """The results of an operation on arrays."""

    @abstractmethod
    def operand(self, x: Any, dtype: str | None) -> Any:
        """An array, a list or a number as an operand."""

    @abstractmethod
    def host(self, array: Any) -> np.ndarray:
        """The contents of an array as a NumPy array."""

    @abstractmethod
    def read(self, stored: Stored) -> Any:
        """What a variable holds now."""


def record(op: Any, inputs: Sequence[Any], path: str = "") -> Any:
    """A node of the operation on these inputs; arrays among them become constants."""
    constant = Value.operators["constant"]
    values = tuple(x if isinstance(x, Value) else constant(x) for x in inputs)
    outputs = Node(op, values, op.output_specs(*(v.spec for v in values)), path).outputs
    return outputs[0] if op.n_outputs == 1 else outputs


_current: ContextVar[Interpreter | None] = ContextVar("interpreter", default=None)
_outside: list[Interpreter] = []


def install(interpreter: Interpreter) -> None:
    """Make `interpreter` the one that is current wherever nothing is traced."""
    _outside[:] = [interpreter]


def outside() -> Interpreter:
    """The interpreter that computes at once."""
    return _outside[0]


def current() -> Interpreter:
    """The interpreter of this moment, in this thread."""
    return _current.get() or _outside[0]


@contextmanager
def using(interpreter: Interpreter | None) -> Iterator[None]:
    """Within a `with` block another interpreter is current; None means the one that computes at once."""
    token = _current.set(interpreter)
    try:
        yield
    finally:
        _current.reset(token)
