"""Classes and functions of a user's own that configs may name, as `keras.saving` registers them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextvars import Token
from typing import Any, TypeVar

from gputrain.errors import explain
from gputrain.utils.registry import CUSTOM, SCOPE, registered_as

__all__ = [
    "CustomObjectScope",
    "custom_object_scope",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "register_keras_serializable",
]

Named = TypeVar("Named", bound=Callable[..., Any])


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[Named], Named]:
    """Let configs name a class or function of your own; a decorator.

    Args:
        package: stands before the name, "Custom>Scale".
        name: default is that of the class or function.

    Raises:
        ValueError: a class without get_config.

    Example:
        >>> @register_keras_serializable()
        ... class Scale(Layer):
        ...     def call(self, inputs):
        ...         return 2.0 * inputs
        >>> get_registered_name(Scale)
        'Custom>Scale'
    """

    def decorate(item: Named) -> Named:
        if inspect.isclass(item) and not hasattr(item, "get_config"):
            raise ValueError(
                explain(
                    "Only a class that can describe itself is registered.",
                    expected="a method get_config()",
                    received=item.__name__,
                )
            )
        CUSTOM[f"{package}>{name or item.__name__}"] = item
        return item

    return decorate


def get_registered_name(obj: Any) -> str:
    """Return the name that a class or function is registered by, or else its own.

    Args:
        obj: a class or function.
    """
    return registered_as(obj) or str(obj.__name__)


def get_registered_object(
    name: str,
    custom_objects: Mapping[str, Any] | None = None,
    module_objects: Mapping[str, Any] | None = None,
) -> Any:
    """Return the class or function of a name, or None.

    Args:
        name: as "Custom>Scale".
        custom_objects: looked in after what is registered.
        module_objects: looked in last.
    """
    for known in (SCOPE.get(), CUSTOM, custom_objects or {}, module_objects or {}):
        if name in known:
            return known[name]
    return None


def get_custom_objects() -> dict[str, Any]:
    """Return what is registered, by name; a dict that may be changed."""
    return CUSTOM


class CustomObjectScope:
    """Within a `with` block, configs may name further classes and functions.

    Args:
        custom_objects: classes and functions by name.

    Example:
        >>> with CustomObjectScope({"double": lambda x: 2 * x}):
        ...     layer = layers.Dense(3, activation="double")
    """

    def __init__(self, custom_objects: Mapping[str, Any]) -> None:
        self.custom_objects = dict(custom_objects)
        self._tokens: list[Token[Mapping[str, Any]]] = []

    def __enter__(self) -> CustomObjectScope:
        self._tokens.append(SCOPE.set({**SCOPE.get(), **self.custom_objects}))
        return self

    def __exit__(self, *error: object) -> None:
        SCOPE.reset(self._tokens.pop())


custom_object_scope = CustomObjectScope
