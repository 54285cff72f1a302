"""Values as plain Python data, and as JSON can say them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar


def plain(value: Any) -> Any:
    """Return a 0-dimensional array or NumPy scalar as a Python number; anything else as it is."""
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", None) == 0 else value


def flat(logs: Mapping[str, Any]) -> dict[str, Any]:
    """Logs in the order of their names, those of a dict within them on the same level, as Keras gives them.

    Example:
        >>> flat({"loss": 2.0, "compile_metrics": {"mae": 1.0, "accuracy": 0.5}})
        {'accuracy': 0.5, 'mae': 1.0, 'loss': 2.0}
    """
    found: dict[str, Any] = {}
    for name, value in sorted(logs.items()):
        found |= flat(value) if isinstance(value, Mapping) else {name: value}
    return found


def by_path(value: Any, path: str = "") -> dict[str, Any]:
    """The values in nested dicts and lists by their paths; an empty dict or list is a value.

    Example:
        >>> by_path({"model": {"layers": [{"units": 3}]}})
        {'model.layers[0].units': 3}
    """
    if isinstance(value, Mapping) and value:
        inner = [(f"{path}.{key}" if path else str(key), item) for key, item in value.items()]
    elif isinstance(value, list | tuple) and value:
        inner = [(f"{path}[{i}]", item) for i, item in enumerate(value)]
    else:
        return {path: value}
    return {name: leaf for where, item in inner for name, leaf in by_path(item, where).items()}


class Described:
    """A dataclass that says all of itself as plain data.

    Attributes:
        kind: str, said first where the data may be of another class as well.
    """

    kind: ClassVar[str] = ""

    def to_config(self) -> dict[str, Any]:
        """Return a dict of plain values, as JSON has them."""
        kind = {"kind": self.kind} if self.kind else {}
        return {**kind, **{name: _described(value) for name, value in vars(self).items()}}


def _described(value: Any) -> Any:
    if isinstance(value, Described):
        return value.to_config()
    if isinstance(value, Mapping):
        return {name: _described(item) for name, item in value.items()}
    return value.tolist() if hasattr(value, "tolist") else list(value) if isinstance(value, tuple) else value


def as_json(value: Any) -> Any:
    """Return what JSON can say of a value: null for a number that is not finite, text for what it cannot say.

    Example:
        >>> as_json({"loss": float("nan"), "shape": (2, 3)})
        {'loss': None, 'shape': [2, 3]}
    """
    value = plain(value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if hasattr(value, "__iter__"):
        return [as_json(item) for item in value]
    return str(value)
