"""States as plain data, `{name: array}`: taken and set back; what a copy has, and what a user may keep."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import numpy as np

from gputrain.errors import ShapeError, explain
from gputrain.names import did_you_mean


class Copied:
    """What is copied and pickled as its attributes, less what its classes name in `_derived_attributes`.

    Derived are attributes that follow from the others or belong to what is running: compiled programs, locks.
    `copy.copy` gives what `copy.deepcopy` gives, as in Keras: nothing of a copy is the original's.
    """

    _derived_attributes: ClassVar[tuple[str, ...]] = ()

    def __getstate__(self) -> dict[str, Any]:
        derived = {name for cls in type(self).__mro__ for name in vars(cls).get("_derived_attributes", ())}
        return {name: value for name, value in vars(self).items() if name not in derived}

    def __copy__(self) -> Self:
        return copy.deepcopy(self)


class Stateful(Protocol):
    """What has a state: a layer, a metric, an optimizer, a callback, a source."""

    def state(self) -> dict[str, Any]:
        """Arrays and plain data by name."""

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Set what `state` gave."""


def take(item: Stateful) -> dict[str, Any]:
    """The state of `item`, also where the user gave it an attribute of the name "state"."""
    return type(item).state(item)


def give(item: Stateful, state: Mapping[str, Any]) -> None:
    """Set the state of `item`, also where the user gave it an attribute of the name "set_state"."""
    type(item).set_state(item, state)


class Holder(Protocol):
    """What holds an array, as a variable does."""

    name: str

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of each dimension."""

    @property
    def dtype(self) -> str:
        """The name of its dtype."""

    def numpy(self) -> np.ndarray:
        """A copy of the contents."""

    def fill(self, value: Any) -> None:
        """Set the contents."""


def unique(names: Iterable[str]) -> list[str]:
    """The names, a number added to those that came before.

    Example:
        >>> unique(["loss", "loss", "mae"])
        ['loss', 'loss_1', 'mae']
    """
    found: dict[str, None] = {}
    for name in names:
        numbered, number = name, 0
        while numbered in found:
            number += 1
            numbered = f"{name}_{number}"
        found[numbered] = None
    return list(found)


def by_name(variables: Iterable[Any]) -> dict[str, Any]:
    """Variables, metrics ... by their names, made unique."""
    items = list(variables)
    return dict(zip(unique(item.name for item in items), items, strict=True))


def of_variables(variables: Mapping[str, Holder]) -> dict[str, np.ndarray]:
    """Copies of the contents by name."""
    return {name: variable.numpy() for name, variable in variables.items()}


def check_names(where: str, names: Iterable[str], state: Any) -> None:
    """Refuse a state that does not hold exactly these names.

    Raises:
        ValueError: with the first that is missing or unknown.
    """
    known = list(names)
    if not isinstance(state, Mapping):
        raise ValueError(explain(f"{where}: a state is a dict.", expected=known, received=repr(state)))
    missing = [name for name in known if name not in state]
    if missing:
        rule = f"{where}: the state lacks {missing[0]!r}" + _more(missing)
        raise ValueError(explain(rule, expected=known, received=list(state)))
    extra = [name for name in state if name not in known]
    if extra:
        rule = f"{where}: the state holds {extra[0]!r}, which is not here{_more(extra)}"
        raise ValueError(f"{rule} {did_you_mean(str(extra[0]), known)}")


def check_shapes(where: str, variables: Mapping[str, Holder], state: Mapping[str, Any]) -> None:
    """Refuse arrays of other shapes than the variables'.

    Raises:
        ShapeError: with the first.
    """
    for name, variable in variables.items():
        if np.shape(state[name]) != variable.shape:
            rule = f"{where}: {name!r} has another shape in the state."
            raise ShapeError(explain(rule, expected=variable.shape, received=np.shape(state[name])))


def assign(where: str, variables: Mapping[str, Holder], state: Any) -> None:
    """Set variables to what `of_variables` gave; none is changed unless all fit.

    Raises:
        ValueError: a name is missing or unknown.
        ShapeError: an array has another shape than its variable.
    """
    check_names(where, variables, state)
    check_shapes(where, variables, state)
    for name, variable in variables.items():
        variable.fill(state[name])


def _more(names: list[str]) -> str:
    return f" (and {len(names) - 1} more)." if len(names) > 1 else "."


if TYPE_CHECKING:
    yielding = property
else:

    class yielding(property):
        """A property in whose place a user may keep an attribute of the same name, as `self.task = 3`.

        For names that Keras does not take. What gputrain itself needs it reads elsewhere.
        """

        def __set_name__(self, kind: type, name: str) -> None:
            self.name = name

        def __get__(self, owner: Any, kind: type | None = None) -> Any:
            if owner is not None and self.name in vars(owner):
                return vars(owner)[self.name]
            return super().__get__(owner, kind)

        def __set__(self, owner: Any, value: Any) -> None:
            vars(owner)[self.name] = value

        def __delete__(self, owner: Any) -> None:
            del vars(owner)[self.name]
