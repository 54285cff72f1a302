"""Classes and functions of a user's own that configs may name, as `keras.saving` registers them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextvars import Token
from typing import Any, TypeVar

import numpy as np

from gputrain.errors import explain
from gputrain.names import nearest
from gputrain.utils.dtypes import as_dtype
from gputrain.utils.registry import (
    CUSTOM,
    REGISTRIES,
    SCOPE,
    Registry,
    custom_object,
    described,
    described_function,
    is_function,
    registered_as,
    room_of,
)

__all__ = [
    "CustomObjectScope",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "register_keras_serializable",
    "serialize_keras_object",
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


def serialize_keras_object(obj: Any) -> Any:
    """Return an object of any room as plain data, such as the layers that a layer's `get_config` tells of.

    Args:
        obj: an object with `get_config`, a named function, numbers, strings, None, an array, or lists, tuples
            and dicts of them.

    Raises:
        TypeError: anything else.

    Example:
        >>> plain = serialize_keras_object(layers.Dense(3))
        >>> plain["module"], plain["class_name"]
        ('keras.layers', 'Dense')
    """
    if obj is None or isinstance(obj, str | bool | int | float):
        return obj
    if isinstance(obj, np.generic):
        return obj.item()
    if isinstance(obj, np.ndarray):
        return {"class_name": "__numpy__", "config": {"value": obj.tolist(), "dtype": obj.dtype.name}}
    if isinstance(obj, list | tuple):
        return type(obj)(serialize_keras_object(item) for item in obj)
    if isinstance(obj, Mapping):
        return {key: serialize_keras_object(item) for key, item in obj.items()}
    if isinstance(obj, slice):
        sides = {"start": obj.start, "stop": obj.stop, "step": obj.step}
        return {"class_name": "__slice__", "config": sides}
    if obj is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if inspect.isfunction(obj) and obj.__name__ != "<lambda>":
        return described_function(obj)
    if inspect.isclass(obj) or not hasattr(obj, "get_config"):
        raise TypeError(
            explain(
                "Only objects that describe themselves become plain data.",
                expected="an object with get_config(), or a named function",
                received=repr(obj),
            )
        )
    return described(obj)


def deserialize_keras_object(
    config: Any, custom_objects: Mapping[str, Any] | None = None, safe_mode: bool = True
) -> Any:
    """Return what `serialize_keras_object` described. Only registered names load.

    Args:
        config: plain data.
        custom_objects: classes and functions of yours by the names in it.
        safe_mode: as in Keras; nothing unsafe is ever loaded, so only True is taken.

    Raises:
        ValueError: a name that is not known, or safe_mode=False.

    Example:
        >>> deserialize_keras_object(serialize_keras_object(layers.Dense(3))).units
        3
    """
    if not safe_mode:
        rule = "deserialize_keras_object: nothing unsafe is ever loaded."
        raise ValueError(explain(rule, received="safe_mode=False", fix="Leave it out."))
    if isinstance(config, list | tuple):
        return type(config)(deserialize_keras_object(item, custom_objects) for item in config)
    if not isinstance(config, Mapping):
        return config
    if not ("class_name" in config and "config" in config):
        return {key: deserialize_keras_object(item, custom_objects) for key, item in config.items()}
    name, inner, registered = config["class_name"], config["config"], config.get("registered_name")
    if not isinstance(name, str):
        raise ValueError(explain("class_name is a name.", received=repr(name)[:200]))
    if name in ("__numpy__", "__tensor__"):
        return _array(inner)
    if name == "__slice__":
        return slice(inner["start"], inner["stop"], inner["step"])
    if name == "__ellipsis__":
        return Ellipsis
    if is_function(config):
        return _named(inner, None, custom_objects)[1]
    known = registered if registered and isinstance(registered, str) else name
    registry, target = _named(known, config.get("module"), custom_objects)
    if registry is not None:
        made = registry.deserialize({"class_name": name, "config": inner}, custom_objects)
        return finished(made, config, custom_objects)
    with CustomObjectScope(custom_objects or {}):
        made = target.from_config(inner) if hasattr(target, "from_config") else target(**inner)
    return finished(made, config, custom_objects)


def _array(inner: Mapping[str, Any]) -> np.ndarray:
    """An array of numbers out of nested lists."""
    dtype = as_dtype(inner["dtype"], "an array of a config")
    try:
        if dtype.kind in "biufc":
            return np.array(inner["value"], dtype)
        reason = f"dtype {dtype}"
    except (ValueError, TypeError, OverflowError) as error:
        reason = str(error)
    raise ValueError(explain("An array of a config is nested lists of numbers.", received=reason))


def finished(made: Any, config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return a layer or a model, built and compiled as plain data says it was; anything else as it is.

    Args:
        made: from the "config" of the data.
        config: the data with its "build_config" and "compile_config".
        custom_objects: classes and functions of a user by the names in it.
    """
    if isinstance(config, Mapping):
        with CustomObjectScope(custom_objects or {}):
            if config.get("build_config") and hasattr(made, "build_from_config"):
                made.build_from_config(config["build_config"])
            if config.get("compile_config") and hasattr(made, "compile_from_config"):
                made.compile_from_config(config["compile_config"])
    return made


def _named(
    name: str, module: str | None, custom_objects: Mapping[str, Any] | None
) -> tuple[Registry[Any] | None, Any]:
    """The class or function of a name, and the registry that has it, if one does."""
    own = (custom_objects or {}).get(name) or custom_object(name)
    if own is not None:
        return None, own
    known = [registry for registry in REGISTRIES if name in registry.names()]
    for registry in known:
        if module in (None, room_of(registry.find(name))) or str(module).startswith("keras.src."):
            return registry, registry.find(name)
    of_users = [*CUSTOM, *SCOPE.get(), *(custom_objects or ())]
    near = nearest(name, [*of_users, *(one for registry in REGISTRIES for one in registry.names())])
    raise ValueError(
        explain(
            f"Unknown name {name!r}{'' if module is None else f' of {module}'}.",
            expected=None if near is None else f"perhaps {near!r}",
            fix="A class or function of your own is registered with register_keras_serializable, or named in "
            "custom_objects.",
        )
    )
