"""What a layer expects of its inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gputrain.errors import ShapeError, explain
from gputrain.ir import Shape, dtype_name
from gputrain.layers.base.symbolic import shape_of
from gputrain.names import checked_name
from gputrain.utils import tree
from gputrain.utils.signatures import on_or_off


class InputSpec:
    """What a layer takes as an input: rank, shape and dtype. A layer that has one as `input_spec` checks it.

    Args:
        dtype: its dtype.
        shape: its shape with the batch; None where any size will do.
        ndim: how many dimensions it has.
        max_ndim, min_ndim: how many it has at most, and at least.
        axes: sizes by axis, as {-1: 128}.
        allow_last_axis_squeeze: whether a last axis of size 1 may be there or not.
        name: the key of the input where inputs come as a dict.
        optional: whether None will do.

    Raises:
        TypeError: axes that are no ints.
        ValueError: an axis that inputs of so many dimensions do not have, or an argument of another kind.

    Example:
        >>> InputSpec(shape=(None, 3))
        InputSpec(shape=(None, 3), ndim=2)
    """

    def __init__(
        self,
        dtype: Any = None,
        shape: Sequence[int | None] | None = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: Mapping[int, int | None] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ) -> None:
        self.dtype = None if dtype is None else dtype_name(dtype)
        self.shape = None if shape is None else tuple(shape)
        self.ndim = _count(ndim, "ndim") if self.shape is None else len(self.shape)
        self.max_ndim, self.min_ndim = _count(max_ndim, "max_ndim"), _count(min_ndim, "min_ndim")
        squeeze = on_or_off(allow_last_axis_squeeze, "InputSpec: allow_last_axis_squeeze", also=(0, 1))
        self.allow_last_axis_squeeze = squeeze
        self.name = None if name is None else checked_name(name, "InputSpec")
        self.optional = on_or_off(optional, "InputSpec: optional", also=(0, 1))
        try:
            self.axes = {int(axis): size for axis, size in (axes or {}).items()}
        except (AttributeError, TypeError, ValueError):
            rule = "InputSpec: axes is a dict of sizes by axis."
            raise TypeError(explain(rule, received=repr(axes))) from None
        most = self.ndim if self.ndim is not None else self.max_ndim
        if most is not None and any(axis >= most for axis in self.axes):
            rule = f"InputSpec: inputs of {most} dimensions have axes up to {most - 1}."
            raise ValueError(explain(rule, received=f"axes={self.axes}"))

    def __repr__(self) -> str:
        names = ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes")
        said = {name: getattr(self, name) for name in names}
        return f"InputSpec({', '.join(f'{name}={value}' for name, value in said.items() if value)})"

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data, but for the name."""
        names = ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes", "optional")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> InputSpec:
        """An InputSpec from `get_config()`."""
        return cls(**config)

    def misfit(self, x: Any) -> tuple[str, str] | None:
        """What is expected and what came, where an input does not fit; None where it does."""
        shape = shape_of(x)
        if self.dtype is not None and x.dtype != self.dtype:
            return f"dtype {self.dtype}", x.dtype
        ranks = (
            (not self.allow_last_axis_squeeze and self.ndim not in (None, len(shape)), f"{self.ndim}"),
            (self.max_ndim is not None and len(shape) > self.max_ndim, f"at most {self.max_ndim}"),
            (self.min_ndim is not None and len(shape) < self.min_ndim, f"at least {self.min_ndim}"),
        )
        for wrong, count in ranks:
            if wrong:
                return f"{count} dimensions", f"{len(shape)}, {shape}"
        for axis, size in self.axes.items():
            found = shape[axis] if -len(shape) <= axis < len(shape) else ()
            if size is not None and found not in (size, None):
                return f"size {size} of axis {axis}", f"{shape}"
        return None if self._has_shape(shape) else (f"shape {self.shape}", f"{shape}")

    def _has_shape(self, shape: Shape) -> bool:
        if self.shape is None:
            return True
        pair = [self.shape, shape]
        if self.allow_last_axis_squeeze:
            pair = [sizes[:-1] if sizes[-1:] == (1,) else sizes for sizes in pair]
        wanted, found = pair
        return len(wanted) == len(found) and all(
            None in sizes or sizes[0] == sizes[1] for sizes in zip(wanted, found, strict=True)
        )


def _count(value: Any, name: str) -> int | None:
    """A number of dimensions, or None."""
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        raise ValueError(explain(f"InputSpec: {name} is a number of dimensions.", received=repr(value)))
    return value


def check_inputs(specs: Any, inputs: Any, name: str) -> None:
    """Refuse inputs that a layer does not take.

    Args:
        specs: an InputSpec, or nested ones with None for what is not checked.
        inputs: a value, or nested ones.
        name: of the layer.

    Raises:
        ShapeError: another number of inputs, another shape, another dtype.
    """
    wanted = _flat(specs)
    names = [spec.name if spec is not None else None for spec in wanted]
    if isinstance(inputs, dict) and all(names):
        missing = [key for key in names if key not in inputs]
        if missing:
            rule = f"{name}: an input is missing."
            raise ShapeError(explain(rule, expected=names, received=list(inputs)))
        inputs = [inputs[key] for key in names]
    given = tree.flatten(inputs)
    if len(given) != len(wanted):
        rule = f"{name} takes {len(wanted)} input(s)."
        raise ShapeError(explain(rule, expected=wanted, received=len(given)))
    for number, (x, spec) in enumerate(zip(given, wanted, strict=True)):
        if spec is None or (x is None and spec.optional):
            continue
        if not hasattr(x, "shape"):
            rule = f"{name}: inputs of a layer are tensors."
            raise ShapeError(explain(rule, received=f"{x!r} of type {type(x).__name__}"))
        misfit = spec.misfit(x)
        if misfit is not None:
            which = f"input {number}" if spec.name is None else f"input {spec.name!r}"
            rule = f"{name}: {which} does not fit the layer's input_spec."
            raise ShapeError(explain(rule, expected=misfit[0], received=misfit[1]))


def _flat(specs: Any) -> list[InputSpec | None]:
    return [specs] if isinstance(specs, InputSpec) else tree.flatten(specs)
