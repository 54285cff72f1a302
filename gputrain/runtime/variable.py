"""Variable: an array that lives on the device between steps and never moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gputrain import backend
from gputrain.errors import DeviceError, ShapeError, explain
from gputrain.ir import Spec, Stored, Value, current_trace, dtype_name
from gputrain.release import __version__

LAYOUT = 1  # of the attributes that pickles hold: another number where they are no longer those before
WRITTEN_BY = (LAYOUT, __version__)
SHOWN = 8  # elements up to which a variable shows its contents


class Variable(Stored):
    """State kept on the device: a weight, a statistic, a metric total, an optimizer slot, a counter.

    Inside a traced function reading it gives a graph input and `assign` makes a new state of the graph;
    outside, both act on the device array at once.

    Args:
        initializer: array-like with the first value, or `f(shape, dtype) -> array`.
        shape: tuple of ints; needed with a callable initializer.
        dtype: name of the dtype; default is the array's own for arrays, `config.floatx()` otherwise.
        trainable: whether an optimizer may change it.
        name: last part of `path`.

    Attributes:
        changed: called after each `assign` outside of a traced function, if set.
        writes: how many of those there were.

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
        self._trainable = self.made_trainable = bool(trainable)
        self.name = name
        self.path = path or name
        self.regularizer: Any = None
        self.constraint: Any = None
        self.changed: Callable[[], None] | None = None
        self.writes = 0
        self._place(host)

    def _place(self, host: np.ndarray) -> None:
        """Have memory with these contents on the device in use."""
        self.device = backend.current_device()
        self.array = self.device.empty(self.spec.dims, self.spec.dtype)
        self.device.upload(host, self.array)

    def __getstate__(self) -> dict[str, Any]:
        """What a copy or a pickle has: the contents as a NumPy array, and no device."""
        state = {name: value for name, value in vars(self).items() if name not in ("device", "array")}
        return {**state, "contents": self.numpy(), "written_by": WRITTEN_BY}

    def __setstate__(self, state: dict[str, Any]) -> None:
        _require_layout(state.get("written_by"))
        own = {name: value for name, value in state.items() if name not in ("contents", "written_by")}
        vars(self).update(own)
        self._place(state["contents"])

    def require_here(self) -> None:
        """Refuse to be used on another device than the one it was made on.

        Raises:
            DeviceError: the backend was changed since.
        """
        current = backend.current_device()
        if self.device is not current:
            raise DeviceError(
                explain(
                    f"{self.path}: a model stays on the device it was built on.",
                    expected=f"the {self.device.name} device",
                    received=f"the {current.name} device, by a later set_backend() or set_device()",
                    fix="Set the backend before building the model, or go on with copy.deepcopy(model), "
                    "which lies on the device in use.",
                )
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of each dimension."""
        return self.spec.dims

    @property
    def dtype(self) -> str:
        """The dtype, as "float32"."""
        return self.spec.dtype

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self.spec.ndim

    @property
    def trainable(self) -> bool:
        """Whether an optimizer may change it."""
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
            new = self.operators["convert"](value, dtype=self.dtype)
            return trace.write(self, new if isinstance(new, Value) else self.operators["constant"](new))
        host = np.asarray(self.device.download(value), dtype=self.dtype)
        if host.shape != self.shape:
            raise ShapeError(
                explain(
                    f"{self.path}: assign() needs the variable's shape.",
                    expected=self.shape,
                    received=host.shape,
                )
            )
        self.device.upload(host, self.array)
        self.writes += 1
        if self.changed is not None:
            self.changed()
        return self

    def assign_add(self, value: Any) -> Any:
        """Add `value` to the contents; returns what `assign` does."""
        return self.assign(self.operators["add"](self, value))

    def assign_sub(self, value: Any) -> Any:
        """Subtract `value` from the contents; returns what `assign` does."""
        return self.assign(self.operators["subtract"](self, value))

    # In a traced function a variable is a Value, which has no contents: these raise there.
    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.value, dtype)

    def __float__(self) -> float:
        return float(self.value)

    def __int__(self) -> int:
        return int(self.value)

    def __bool__(self) -> bool:
        return bool(self.value)

    def __len__(self) -> int:
        return self.shape[0]

    def __eq__(self, other: object) -> Any:
        """Elementwise against anything but another variable, which is compared by identity."""
        return NotImplemented if _by_identity(other) else self.operators["equal"](self, other)

    def __ne__(self, other: object) -> Any:
        return NotImplemented if _by_identity(other) else self.operators["not_equal"](self, other)

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        text = f"path={self.path}, shape={self.shape}, dtype={self.dtype}"
        if self.spec.size <= SHOWN and current_trace() is None:
            text += f", value={self.numpy().tolist()}"
        return f"<Variable {text}>"


def _require_layout(written_by: Any) -> None:
    """Refuse what was pickled by a version whose objects have other attributes; every model has variables."""
    layout, version = written_by or (None, "an older version")
    if layout != LAYOUT:
        raise ValueError(
            explain(
                "This pickle was written by another version of gputrain, whose objects look different.",
                expected=f"one of gputrain {__version__} (layout {LAYOUT})",
                received=f"one of gputrain {version} (layout {layout})",
                fix="Read it with that version and keep model.get_weights(), which all versions take.",
            )
        )


def _by_identity(other: object) -> bool:
    return other is None or isinstance(other, Variable)


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
