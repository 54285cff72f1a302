"""Variable: an array that lives on the device between steps and never moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import backend
from ..errors import ShapeError, explain
from .spec import Spec, dtype_name
from .trace import current_trace
from .value import Value, install_operators


class Variable:
    """State kept on the device: a weight, a statistic, a metric total, an optimizer slot, a counter.

    Inside a traced function reading it gives a graph input and `assign` makes a new state of the graph;
    outside, both act on the device array at once.

    Args:
        initializer: array-like with the first value, or `f(shape, dtype) -> array`.
        shape: tuple of ints; needed with a callable initializer.
        dtype: name of the dtype; default is the array's own for arrays, `config.floatx()` otherwise.
        trainable: whether an optimizer may change it.
        name: last part of `path`.

    Example:
        >>> v = Variable(np.zeros(3), dtype="float32", name="total")
        >>> v.assign_add(np.ones(3)); v.numpy()
        array([1., 1., 1.], dtype=float32)
    """

    __array_priority__ = 100

    def __init__(
        self,
        initializer: Any,
        shape: tuple[int, ...] | None = None,
        dtype: str | None = None,
        trainable: bool = True,
        name: str = "variable",
        path: str | None = None,
    ) -> None:
        host = _initial(initializer, shape, dtype)
        self.spec = Spec(host.shape, host.dtype.name)
        self._trainable = bool(trainable)
        self.name = name
        self.path = path or name
        self.regularizer: Any = None
        self.constraint: Any = None
        self.changed: Callable[[], None] | None = None
        self.device = backend.current_device()
        self.array = self.device.empty(self.spec.dims, self.spec.dtype)
        self.device.upload(host, self.array)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.spec.dims

    @property
    def dtype(self) -> str:
        return self.spec.dtype

    @property
    def ndim(self) -> int:
        return self.spec.ndim

    @property
    def trainable(self) -> bool:
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)

    @property
    def value(self) -> Any:
        """The current Value inside a traced function; a copy as a NumPy array outside."""
        trace = current_trace()
        return trace.read(self) if trace is not None else self.numpy()

    def numpy(self) -> np.ndarray:
        """A copy of the contents on the host."""
        return self.device.download(self.array)

    def assign(self, value: Any) -> Any:
        """Set the contents.

        Args:
            value: array-like of the variable's shape; a Value inside a traced function.

        Raises:
            ShapeError: the shape differs.
        """
        trace = current_trace()
        if trace is not None:
            return trace.write(self, Value.operators["convert"](value, dtype=self.dtype))
        host = np.asarray(self.device.download(value), dtype=self.dtype)
        if host.shape != self.shape:
            raise ShapeError(
                explain(f"{self.path}: assign() needs the variable's shape.", expected=self.shape, received=host.shape)
            )
        self.device.upload(host, self.array)
        return self

    def assign_add(self, value: Any) -> Any:
        return self.assign(Value.operators["add"](self, value))

    def assign_sub(self, value: Any) -> Any:
        return self.assign(Value.operators["subtract"](self, value))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self.numpy() if dtype is None else self.numpy().astype(dtype)

    def __float__(self) -> float:
        return float(self.numpy())

    def __int__(self) -> int:
        return int(self.numpy())

    def __bool__(self) -> bool:
        return bool(self.value)

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self.dtype}>"


install_operators(Variable)


def _initial(initializer: Any, shape: tuple[int, ...] | None, dtype: str | None) -> np.ndarray:
    if callable(initializer):
        if shape is None:
            raise ShapeError(explain("A variable with a callable initializer needs a shape.", received=shape))
        name = dtype_name(dtype or "float32")
        host = np.asarray(initializer(tuple(shape), dtype=name), dtype=name)
        if host.shape != tuple(shape):
            raise ShapeError(
                explain("The initializer returned another shape.", expected=tuple(shape), received=host.shape)
            )
        return host
    host = np.asarray(initializer)
    return host.astype(dtype_name(dtype)) if dtype is not None else host.astype(dtype_name(host.dtype))
