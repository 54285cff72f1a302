"""A closed registry of classes: what a name in a config may stand for.

Nothing is ever imported by a name that stands in a config: a name is looked up here, or it is an error.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from importlib import import_module
from inspect import Parameter
from typing import Any, Generic, Protocol, TypeVar, cast

from gputrain.names import attribute_instead, did_you_mean, snake_case
from gputrain.utils.signatures import called_with

_NAMED = Parameter.POSITIONAL_OR_KEYWORD
_ALLOWED_KEYS = ("class_name", "config", "module", "registered_name", "build_config", "compile_config")
# Keys that Keras writes where layers stand in a model, and where they are shared.
_OF_MODELS = ("name", "inbound_nodes", "shared_object_id")

# Kinds whose room is not called as several of them are.
_ROOMS = {"loss": "losses", "metric function": "metrics", "learning-rate schedule": "optimizers.schedules"}

# What code raises that makes an object out of plain data of other kinds than it wrote.
DAMAGE = (TypeError, LookupError, AttributeError, ArithmeticError)
_SHOWN = 400  # characters of a config that errors tell

REGISTRIES: list[Registry[Any]] = []  # all of them, in the order of the rooms they are in
# Classes and functions of a user's own by names such as "Custom>Scale", which configs may then use.
CUSTOM: dict[str, Any] = {}
# More of them, within a `with custom_object_scope(...)`.
SCOPE: ContextVar[Mapping[str, Any]] = ContextVar("custom_objects", default={})  # noqa: B039  (never changed)


class Configurable(Protocol):
    """An object that can say its constructor's arguments."""

    def get_config(self) -> dict[str, Any]: ...


T = TypeVar("T", bound=Configurable)
Named = TypeVar("Named", bound=Callable[..., Any])


class Registry(Generic[T]):
    """Names of one kind of object (initializers, constraints, schedules ...) and their classes.

    Classes enter where they are defined, by the decorator `add`.

    Args:
        kind: the word for one such object in errors, as "initializer".
        snake: whether `add` makes a class known by its name in snake_case too.

    Example:
        >>> registry = Registry("initializer")
        >>> @registry.add("zeros")
        ... class Zeros(Initializer): ...
        >>> registry.get("zeros")  # a new Zeros()
    """

    def __init__(self, kind: str, snake: bool = False) -> None:
        self.kind, self.snake = kind, snake
        self._classes: dict[str, type[T]] = {}
        self._later: dict[str, str] = {}  # names by the modules that are imported for them
        REGISTRIES.append(self)

    def add(self, *aliases: str) -> Callable[[Named], Named]:
        """Decorate a class, or a function, so that it is known by its own name and by `aliases`.

        Raises:
            ValueError: a name already stands for another class.
        """

        def decorate(item: Named) -> Named:
            names = (snake_case(item.__name__),) if self.snake else ()
            self.register(cast("type[T]", item), item.__name__, *names, *aliases)
            return item

        return decorate

    def register(self, cls: type[T], *names: str) -> type[T]:
        """Make `cls` known by `names`, or by its class name and that name in snake_case; return `cls`.

        Raises:
            ValueError: a name already stands for another class.
        """
        for name in names or (cls.__name__, snake_case(cls.__name__)):
            other = self._classes.setdefault(name, cls)
            if other is not cls:
                raise ValueError(
                    f"A name stands for one {self.kind}. {name!r} already stands for {other.__qualname__}; "
                    f"received {cls.__qualname__}. Choose another name."
                )
        return cls

    def add_later(self, module: str, names: Iterable[str]) -> None:
        """Make names known whose classes enter when a module is imported, which is when one is asked for.

        Args:
            module: the module that adds them.
            names: all that it adds.
        """
        self._later.update(dict.fromkeys(names, module))

    def find(self, name: str) -> type[T] | Callable[..., Any]:
        """Return the class or function that `name` stands for.

        Raises:
            ValueError: an unknown name, with the nearest one.
        """
        return self._find(name, None)

    def names(self) -> list[str]:
        """Return all known names, sorted."""
        return sorted({*self._classes, *self._later})

    def stands_for(self, name: str, item: Any) -> bool:
        """Return whether a name stands for this very class or function."""
        return self._classes.get(name) is item

    def get(self, identifier: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
        """Return the object that `identifier` stands for.

        Args:
            identifier: None, a name, a config dict, a class, an instance or any callable.
            custom_objects: further names that are allowed, each with its class or function.

        Returns:
            None for None; a new object for a name, dict or class; `identifier` itself for a callable.

        Raises:
            ValueError: an unknown name or a malformed dict.
            TypeError: anything else.
        """
        if identifier is None:
            return None
        if isinstance(identifier, str):
            return self._by_name(identifier, custom_objects)
        if isinstance(identifier, Mapping):
            return self.deserialize(identifier, custom_objects)
        if inspect.isclass(identifier):
            return identifier()
        if callable(identifier):
            return identifier
        raise TypeError(
            f"Expected for the {self.kind}: a name, a config dict, a class, an instance, a callable or None. "
            f"Received {identifier!r} of type {type(identifier).__name__}."
        )

    def serialize(self, item: Any) -> Any:
        """Return `item` as plain data: None, the name of a known function, or a dict as Keras 3 writes it.

        Raises:
            TypeError: `item` is neither a named function nor an object with `get_config`.
        """
        if item is None:
            return None
        if hasattr(item, "get_config"):
            return described(item)
        if inspect.isfunction(item) and item.__name__ != "<lambda>":
            return item.__name__ if self._knows(item) else described_function(item)
        raise TypeError(
            f"To be saved, a custom {self.kind} is a named function or an object with get_config(). "
            f"Received {item!r}. Give its class a get_config() method."
        )

    def deserialize(self, config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
        """Return the object that `serialize` described. Only names in this registry or `custom_objects` load.

        Args:
            config: None, a name, or a dict with "class_name" and "config"; "module" and "registered_name",
                as Keras writes them, are allowed and not used.
            custom_objects: further names that are allowed, each with its class or function.

        Raises:
            ValueError: an unknown name, an unknown key, or constructor arguments that do not fit.
        """
        if config is None or isinstance(config, str):
            return self.get(config, custom_objects)
        if is_function(config):
            return self._find(config["config"], custom_objects)
        name, arguments = self._checked(config)
        target = self._find(name, custom_objects)
        within = SCOPE.set({**SCOPE.get(), **(custom_objects or {})})  # for the configs that this one holds
        try:
            build = getattr(target, "from_config", None)
            return build(arguments) if build is not None else target(**arguments)
        except DAMAGE as error:
            told = repr(arguments)
            raise ValueError(
                f"The config of {self.kind} {name!r} must hold its constructor's arguments. Received "
                f"{told if len(told) < _SHOWN else f'{told[:_SHOWN]}...'}: {said(error)}."
            ) from error
        finally:
            SCOPE.reset(within)

    def _knows(self, function: Any) -> bool:
        """Whether its name stands for a function, or for one of gputrain's that computes the same."""
        known = self._classes.get(function.__name__)
        if known is function or function in self._classes.values():
            return True
        return known is not None and function.__module__.partition(".")[0] == __name__.partition(".")[0]

    def _by_name(self, name: str, custom_objects: Mapping[str, Any] | None) -> Any:
        target = self._find(name, custom_objects)
        if not inspect.isclass(target):
            return target
        try:
            return target()
        except TypeError as error:
            raise ValueError(
                f"The {self.kind} {name!r} needs its arguments ({error}). Pass an instance or a config dict."
            ) from error

    def _find(self, name: str, custom_objects: Mapping[str, Any] | None) -> type[T] | Callable[..., Any]:
        if custom_objects and name in custom_objects:
            return cast("Callable[..., Any]", custom_objects[name])
        if name not in self._classes and name in self._later:
            import_module(self._later[name])
        if name in self._classes:
            return self._classes[name]
        own = custom_object(name)
        if own is not None:
            return cast("Callable[..., Any]", own)
        room = _ROOMS.get(self.kind, f"{self.kind}s")
        of_users = (*CUSTOM, *SCOPE.get(), *(custom_objects or ()))
        known = attribute_instead(room, name).removeprefix(". ")
        known = known or did_you_mean(name, [*self.names(), *of_users], f"dir(keras.{room})")
        raise ValueError(
            f"Unknown {self.kind} {name!r}. {known} A class of your own is given "
            f"as an instance, named in custom_objects, or registered with register_keras_serializable."
        )

    def _checked(self, config: Any) -> tuple[str, dict[str, Any]]:
        if not isinstance(config, Mapping) or not isinstance(config.get("class_name"), str):
            raise ValueError(
                f"A saved {self.kind} is a dict with 'class_name' and 'config'. Received {config!r}."
            )
        for key in config:
            if key not in _ALLOWED_KEYS and key not in _OF_MODELS:
                raise ValueError(
                    f"Unknown key {key!r} in a saved {self.kind}. {did_you_mean(str(key), _ALLOWED_KEYS)}"
                )
        arguments = config.get("config", {})
        if not isinstance(arguments, Mapping):
            raise ValueError(f"'config' of a saved {self.kind} must be a dict. Received {arguments!r}.")
        own = config.get("registered_name")
        name = own if isinstance(own, str) and own in CUSTOM else config["class_name"]
        return name, dict(arguments)


def home_of(cls: type) -> Registry[Any] | None:
    """Return the registry that knows a class by its name, or None."""
    return next((registry for registry in REGISTRIES if registry.stands_for(cls.__name__, cls)), None)


def room_of(cls: Any) -> str:
    """Return Keras's name of the room that a class is in, as "keras.layers" or "keras.optimizers.schedules".

    Where Keras's room is another one, the class says so: `keras_room`; and where its name is, `keras_name`.
    """
    told = vars(cls).get("keras_room")
    if told is not None:
        return str(told)
    parts = cls.__module__.split(".")
    return ".".join(["keras", *(parts[1:3] if "schedules" in parts else parts[1:2])])


def described(item: Any) -> dict[str, Any]:
    """Return an object as Keras 3 writes it: "module", "class_name", "config", "registered_name".

    What is built is written with its "build_config", a model with its "compile_config".

    Args:
        item: an object with `get_config`.
    """
    cls = getattr(type(item), "written_as", type(item))
    own = registered_as(cls)
    is_ours = own is None and home_of(cls) is not None
    room = room_of(cls) if is_ours else cls.__module__
    is_public = is_ours and not room.startswith("keras.src.")
    plain = {
        "module": None if room in ("__main__", "builtins") else room,
        "class_name": vars(cls).get("keras_name", cls.__name__),
        "config": item.get_config(),
        "registered_name": None if is_public else own or cls.__name__,
    }
    if getattr(item, "built", False) and hasattr(item, "get_build_config"):
        shapes = item.get_build_config()
        plain |= {} if shapes is None else {"build_config": shapes}
    if hasattr(item, "get_compile_config"):
        plain["compile_config"] = item.get_compile_config()
    return plain


def described_function(function: Any) -> dict[str, Any]:
    """Return a named function as Keras 3 writes it."""
    name = registered_as(function) or function.__name__
    return {"module": "builtins", "class_name": "function", "config": name, "registered_name": "function"}


def said(error: BaseException) -> str:
    """An error in one line: what it says, with its kind where that does not stand alone."""
    return str(error) if isinstance(error, TypeError) else f"{type(error).__name__}: {error}"


def is_function(config: Any) -> bool:
    """Return whether plain data stands for a function, by its name."""
    named = isinstance(config, Mapping) and config.get("class_name") == "function"
    return named and isinstance(config.get("config"), str)


def custom_object(name: str) -> Any:
    """Return the class or function of a user's own that is registered by a name, or was defined with it."""
    known = {**CUSTOM, **SCOPE.get()}
    if name in known:
        return known[name]
    return next((item for item in SCOPE.get().values() if getattr(item, "__name__", None) == name), None)


def registered_as(item: Any) -> str | None:
    """Return the name that a class or function of a user's own is registered by, or None."""
    return next((name for name, known in CUSTOM.items() if known is item), None)


def serializer(registry: Registry[Any], module: str, argument: str = "") -> Callable[..., Any]:
    """The function serialize of a room, as Keras has it.

    Args:
        registry: whose.
        module: the room's `__name__`.
        argument: what the function calls what it is given; default the kind of the registry.
    """
    argument = argument or registry.kind

    def serialize(**given: Any) -> Any:
        return registry.serialize(given[argument])

    serialize.__doc__ = f"""Return the {registry.kind} as plain data: a dict, a function's name, or None.

    Args:
        {argument}: what is to be described.
    """
    return _of_room(serialize, module, Parameter(argument, _NAMED))


def deserializer(registry: Registry[Any], module: str, argument: str = "config") -> Callable[..., Any]:
    """The function deserialize of a room, as Keras has it.

    Args:
        registry: whose.
        module: the room's `__name__`.
        argument: what the function calls what it is given.
    """

    def deserialize(custom_objects: Any, **given: Any) -> Any:
        return registry.deserialize(given[argument], custom_objects)

    kind = registry.kind
    deserialize.__doc__ = f"""Return the {kind} that `serialize` described. Only registered names load.

    Args:
        {argument}: what `serialize` returned.
        custom_objects: classes and functions of yours by the names in `{argument}`, which load too.
    """
    taken = Parameter(argument, _NAMED), Parameter("custom_objects", _NAMED, default=None)
    return _of_room(deserialize, module, *taken)


def _of_room(function: Callable[..., Any], module: str, *taken: Parameter) -> Callable[..., Any]:
    function.__module__, function.__qualname__ = module, function.__name__
    made: Callable[..., Any] = called_with(taken, function)
    return made
