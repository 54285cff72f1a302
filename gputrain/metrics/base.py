"""Metric: a number about a whole epoch, gathered batch by batch in variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from gputrain import config, initializers
from gputrain.ir import current_trace, dtype_name
from gputrain.names import missing_attribute, snake_case
from gputrain.runtime import Variable
from gputrain.utils import states, tree
from gputrain.utils.notes import note
from gputrain.utils.registry import Registry
from gputrain.utils.states import yielding

registry: Registry[Any] = Registry("metric", snake=True)


class Metric(states.Copied):
    """Base of all metrics: subclass it and write `update_state` and `result` in `gputrain.ops`.

    Inside a model both are traced and the variables stay on the device; outside they act at once.

    Args:
        dtype: dtype of the result and of variables; default `config.floatx()`.
        name: default is the class name in snake case.

    Attributes:
        direction: "up" where more is better, "down" where less is, None where that is not known; a class of
            yours says it as Keras's do, by `_direction = "up"`.

    Example:
        >>> class Largest(Metric):
        ...     def __init__(self, **kwargs):
        ...         super().__init__(**kwargs)
        ...         self.top = self.add_variable((), "zeros", name="top")
        ...     def update_state(self, y_true, y_pred, sample_weight=None):
        ...         self.top.assign(ops.maximum(self.top, ops.max(y_pred)))
        ...     def result(self):
        ...         return self.top.value
        >>> metric = Largest()
        >>> metric.update_state([0.0], [3.0])
        >>> float(metric.result())
        3.0
    """

    _direction: str | None = None

    if not TYPE_CHECKING:
        __getattr__ = missing_attribute("metrics.Metric")

    def __init__(self, dtype: Any = None, name: str | None = None) -> None:
        if name is not None and not isinstance(name, str):
            raise ValueError(f"{type(self).__name__}: name is a string. Received: {name!r}.")
        self.name = name or snake_case(type(self).__name__)
        self.dtype = dtype_name(dtype) if dtype is not None else config.floatx()
        self._variables: list[Variable] = []

    @yielding
    def direction(self) -> str | None:
        """ "up" where more is better, "down" where less is; None where that is not known."""
        return self._direction

    def add_variable(
        self,
        shape: Any,
        initializer: Any = None,
        dtype: Any = None,
        aggregation: str | None = "sum",
        name: str | None = None,
    ) -> Variable:
        """A new variable of this metric, not trainable.

        Args:
            shape: tuple of ints.
            initializer: first value; default zeros, which `reset_state` sets.
            dtype: default the metric's.
            aggregation: see `Variable`.
            name: last part of its path.
        """
        name = name or f"variable_{len(self._variables)}"
        variable = Variable(
            initializers.get(initializer if initializer is not None else "zeros"),
            shape,
            dtype_name(dtype) if dtype is not None else self.dtype,
            trainable=False,
            aggregation=aggregation,
            name=name,
            path=f"{self.name}/{name}",
        )
        self._variables.append(variable)
        return variable

    def add_weight(
        self, shape: Any = (), initializer: Any = None, dtype: Any = None, name: str | None = None
    ) -> Variable:
        """See `add_variable`."""
        return self.add_variable(shape, initializer, dtype, name=name)

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Take in a batch, usually (y_true, y_pred, sample_weight=None)."""
        raise NotImplementedError(f"{type(self).__name__} must define update_state(self, ...).")

    def result(self) -> Any:
        """The value for all that came since the last reset."""
        raise NotImplementedError(f"{type(self).__name__} must define result(self).")

    def _doubt_of_result(self) -> str | None:
        """Why `result` means nothing, from what the variables hold now; None where it has a meaning."""
        return None

    def logged(self) -> dict[str, Metric]:
        """The metrics that this one stands for, by the names of their results in logs."""
        return {self.name: self}

    def tell_doubt(self) -> None:
        """Say once why `result` means nothing, where that is so; in a trace nothing is known yet."""
        doubt = self._doubt_of_result() if current_trace() is None else None
        if doubt is not None:
            note(f"{self.name}: {doubt}")

    def reset_state(self) -> None:
        """Forget all that came: each variable, also of metrics within this one, becomes zero, as in Keras.

        A metric that begins with other values overrides it.
        """
        for variable in self.variables:
            variable.assign(np.zeros(variable.shape, variable.dtype))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """`update_state`, then `result`."""
        self.update_state(*args, **kwargs)
        return self.result()

    @property
    def variables(self) -> list[Variable]:
        """All variables, of this metric and of metrics that are its attributes, each once."""
        held = list(self._held_attributes())
        own = [*self._variables, *(x for x in held if isinstance(x, Variable))]
        within = (v for metric in held if isinstance(metric, Metric) for v in metric.variables)
        return list(dict.fromkeys([*own, *within]))

    def _held_attributes(self) -> Iterator[Any]:
        for key, value in vars(self).items():
            if key != "_variables":
                yield from tree.flatten(value)

    def state(self) -> dict[str, Any]:
        """Copies of all variables as NumPy arrays, by name."""
        return states.of_variables(states.by_name(self.variables))

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Set all variables to what `state` gave; none is changed unless all fit.

        Raises:
            ValueError: a variable is missing or unknown.
            ShapeError: an array has another shape than its variable.
        """
        states.assign(self.name, states.by_name(self.variables), state)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {"name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Return a new metric whose `get_config` gave `config`."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"
