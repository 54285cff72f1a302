"""The closed list of what a recipe may name: the public classes of gputrain's own rooms.

A name in a recipe is looked up here or is an error. Nothing is imported by a name.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType, ModuleType
from typing import Any

from gputrain import callbacks, constraints, initializers, layers, losses, metrics, optimizers, regularizers
from gputrain.names import snake_case


@dataclass(frozen=True)
class _Room:
    """Where the classes of one kind are, and how a recipe names them.

    Attributes:
        module: the room that exports them.
        base: what all of them extend; not nameable itself.
        name: makes a recipe's name from a class's.
        aliases: short names that people use, each with its class.
        left_out: exported classes that a recipe has no use for.
    """

    module: ModuleType
    base: type
    name: Callable[[str], str]
    aliases: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


# A run has these of its own, or they take a function or a path, which a recipe does not give.
_NOT_FOR_RECIPES = (
    "Advisor", "BackupAndRestore", "CSVLogger", "CallbackList", "History", "JSONLinesLogger",
    "LambdaCallback", "LearningRateScheduler", "ModelCheckpoint", "MonitorCallback", "ProgbarLogger",
)  # fmt: skip

_ROOMS = {
    # The data section says what goes in, so a recipe has no input layer of its own.
    "layer": _Room(layers, layers.Layer, str, left_out=("InputLayer",)),
    "optimizer": _Room(optimizers, optimizers.Optimizer, str.lower),
    "loss": _Room(
        losses,
        losses.Loss,
        snake_case,
        aliases={"mse": "MeanSquaredError", "mae": "MeanAbsoluteError", "bce": "BinaryCrossentropy"},
        left_out=("LossFunctionWrapper",),
    ),
    "metric": _Room(metrics, metrics.Metric, snake_case, left_out=("MeanMetricWrapper",)),
    "callback": _Room(callbacks, callbacks.Callback, snake_case, left_out=_NOT_FOR_RECIPES),
    "schedule": _Room(optimizers.schedules, optimizers.schedules.LearningRateSchedule, snake_case),
    "initializer": _Room(initializers, initializers.Initializer, snake_case, left_out=("RandomInitializer",)),
    "regularizer": _Room(regularizers, regularizers.Regularizer, snake_case),
    "constraint": _Room(constraints, constraints.Constraint, snake_case),
}


@cache
def classes(kind: str) -> Mapping[str, type[Any]]:
    """Return the classes that a recipe may name, by their names in a recipe.

    Args:
        kind: "layer", "optimizer", "loss", "metric", "callback", or what those take: "schedule",
            "initializer", "regularizer", "constraint".

    Example:
        >>> classes("optimizer")["adam"].__name__
        'Adam'
    """
    room = _ROOMS[kind]
    exported = {name: getattr(room.module, name) for name in room.module.__all__}
    found = {name: item for name, item in exported.items() if _is_offered(name, item, room)}
    named = {room.name(name): item for name, item in found.items()}
    return MappingProxyType({**named, **{alias: found[name] for alias, name in room.aliases.items()}})


def find(kind: str, name: str) -> type[Any] | None:
    """Return the class that `name` stands for, by its name in a recipe or its own; None if there is none.

    Example:
        >>> find("loss", "mse") is find("loss", "MeanSquaredError")
        True
    """
    known = classes(kind)
    return known.get(name) or {cls.__name__: cls for cls in known.values()}.get(name)


def _is_offered(name: str, item: object, room: _Room) -> bool:
    is_class = inspect.isclass(item) and issubclass(item, room.base)
    return is_class and item is not room.base and name not in room.left_out
