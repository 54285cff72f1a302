"""Variable: an array that lives on the device between steps and never moves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from gputrain import backend, config
from gputrain.errors import DeviceError, DTypeError, ShapeError, explain
from gputrain.ir import Spec, Stored, Value, as_tensor, current_trace, dtype_name
from gputrain.names import checked_name, nearest
from gputrain.ops.base import usual_dtype
from gputrain.release import __version__
from gputrain.utils import budget
from gputrain.utils.signatures import on_or_off, only_taken

LAYOUT = 1  # of the attributes that pickles hold: another number where they are no longer those before
WRITTEN_BY = (LAYOUT, __version__)
AGGREGATIONS = ("none", "mean", "sum", "only_first_replica")
SYNCHRONIZATIONS = ("auto", "none", "on_read", "on_write")


class Variable(Stored):
    """State kept on the device: a weight, a statistic, a metric total, an optimizer slot, a counter.

    Inside a traced function reading it gives a graph input and `assign` makes a new state of the graph;
    outside, both act on the device array at once.

    Args:
        initializer: array-like with the first value, or `f(shape, dtype) -> array`, or the name of an
            initializer.
        shape: tuple of ints; needed with an initializer.
        dtype: name of the dtype; default is the array's own for arrays, "int32" for Python's ints, "bool" for
            its bools, `config.floatx()` otherwise.
        trainable: whether an optimizer may change it.
        autocast: whether mixed precision may cast it where it is read; there is none, so both come to the
            same.
        aggregation: how the copies of several devices become one: "none", "mean", "sum" or
            "only_first_replica"; one device holds a variable, so all come to the same.
        synchronization: when copies are brought together: "auto", "none", "on_read" or "on_write"; likewise.
        name: last part of `path`; default "variable".
        layout: of Keras; only None is taken.
        path: the name among all variables; default `name`.

    Raises:
        ShapeError: an initializer without a shape, a shape of unknown sizes, an array of another shape.
        ValueError: an argument that is not as above.

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
        autocast: bool = True,
        aggregation: str | None = "none",
        synchronization: str | None = "auto",
        name: str | None = None,
        layout: Any = None,
        *,
        path: str | None = None,
    ) -> None:
        name = "variable" if name is None else checked_name(name, "Variable")
        where = path or name
        only_taken("layout", layout, where)
        self.autocast = on_or_off(autocast, f"{where}: autocast")
        self.aggregation = _one_of(aggregation, AGGREGATIONS, f"{where}: aggregation")
        self.synchronization = _one_of(synchronization, SYNCHRONIZATIONS, f"{where}: synchronization")
        host = _initial(initializer, shape, dtype, where)
        self.spec = Spec(host.shape, host.dtype.name)
        self._trainable = self.made_trainable = on_or_off(trainable, f"{where}: trainable")
        self.name = name
        self.path = where
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
        """The current Value inside a traced function; a copy of the contents outside."""
        trace = current_trace()
        return trace.read(self) if trace is not None else as_tensor(self.numpy())

    def numpy(self) -> np.ndarray:
        """A copy of the contents on the host."""
        return self.device.download(self.array)

    def assign(self, value: Any) -> Any:
        """Set the contents.

        Args:
            value: array-like of the variable's shape; a Value inside a traced function.

        Returns:
            The new contents, which later changes of the variable do not reach.

        Raises:
            ShapeError: the shape differs.
        """
        trace = current_trace()
        if trace is not None:
            new = self.operators["convert"](value, dtype=self.dtype)
            return trace.write(self, new if isinstance(new, Value) else self.operators["constant"](new))
        host = np.asarray(self.device.download(value), self.dtype)
        self.fill(host)
        return as_tensor(host)

    def fill(self, value: Any) -> None:
        """Set the contents, outside of traced functions, as `assign` does, and make no copy of an array.

        Args:
            value: array-like of the variable's shape.

        Raises:
            ShapeError: the shape differs.
        """
        host = value if isinstance(value, np.ndarray) else self.device.download(value)
        host = np.asarray(host, self.dtype)
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

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __eq__(self, other: object) -> Any:
        """Elementwise against anything but another variable, which is compared by identity."""
        return NotImplemented if _by_identity(other) else self.operators["equal"](self, other)

    def __ne__(self, other: object) -> Any:
        return NotImplemented if _by_identity(other) else self.operators["not_equal"](self, other)

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        text = f"path={self.path}, shape={self.shape}, dtype={self.dtype}"
        if current_trace() is None:
            text += f", value={self.numpy()}"
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


def _one_of(value: str | None, known: tuple[str, ...], where: str) -> str:
    """One of the known words; None stands for "none"."""
    word = "none" if value is None else value
    if word not in known:
        close = nearest(word, known) if isinstance(word, str) else None
        hint = close and f"Did you mean {close!r}?"
        raise ValueError(
            explain(f"{where} must be one of {', '.join(known)}.", received=repr(value), fix=hint)
        )
    return word


def _initial(initializer: Any, shape: Any, dtype: Any, where: str) -> np.ndarray:
    """The first value on the host."""
    if isinstance(initializer, str):
        initializer = Variable.operators["initializer"](initializer)
    sizes = None if shape is None else _sizes(shape, where)
    if callable(initializer):
        if sizes is None:
            rule = f"{where}: a variable with an initializer needs a shape."
            raise ShapeError(explain(rule, received=shape, fix="Pass shape=(3, 4)."))
        kind = dtype_name(dtype or config.floatx())
        budget.keep(where, sizes, kind)
        host = np.asarray(initializer(sizes, dtype=kind), dtype=kind)
        if host.shape != sizes:
            raise ShapeError(
                explain(
                    f"{where}: the initializer returned another shape.", expected=sizes, received=host.shape
                )
            )
        return host
    host = np.asarray(initializer, usual_dtype(initializer))
    if host.dtype.kind == "O":
        rule = f"{where}: a variable begins with numbers, or with an initializer."
        raise DTypeError(explain(rule, received=f"{initializer!r} of type {type(initializer).__name__}"))
    if sizes is not None and host.shape != sizes:
        rule = f"{where}: the first value has another shape than the variable."
        raise ShapeError(explain(rule, expected=sizes, received=host.shape))
    return host.astype(dtype_name(host.dtype if dtype is None else dtype))


def _sizes(shape: Any, where: str) -> tuple[int, ...]:
    """The shape of a variable, all sizes known."""
    given = tuple(shape) if isinstance(shape, Iterable) and not isinstance(shape, str) else None
    if given is None or not all(isinstance(size, int | np.integer) and size >= 0 for size in given):
        rule = f"{where}: the shape of a variable is a tuple of sizes, all of them known."
        raise ShapeError(explain(rule, received=repr(shape if given is None else given)))
    return tuple(int(size) for size in given)
