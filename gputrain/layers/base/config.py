"""Layers as plain data: `get_config`, `from_config`, and what constructors take in `**kwargs`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from inspect import Parameter
from typing import Any, ClassVar

from gputrain import regularizers
from gputrain.errors import explain
from gputrain.ir import Shape
from gputrain.layers.base.declared import Argument
from gputrain.layers.base.policy import policy
from gputrain.layers.base.tracking import Tracked
from gputrain.names import unknown_arguments
from gputrain.runtime import Variable
from gputrain.tree import map_shape_structure
from gputrain.utils import tree
from gputrain.utils.registry import SCOPE

_PLAIN = (str, int, float, bool, type(None))
_BASE_ARGUMENTS = frozenset(("self", "activity_regularizer", "trainable", "dtype", "autocast", "name"))


class Configured(Tracked):
    """What its constructor's arguments describe.

    Attributes:
        batch_input_shape: from the arguments input_shape, input_dim, batch_size ...; None without them.
    """

    batch_input_shape: Shape | None
    activity_regularizer: Any
    build: Callable[..., None]
    _build_shapes: Mapping[str, Any] | None
    _declared_arguments: ClassVar[Mapping[str, Argument]] = {}
    _declared_parts: ClassVar[Mapping[str, type]] = {}
    _given_arguments: dict[str, Any] | None = {}  # to the constructor of a class that does not describe it

    def check_arguments(self) -> None:
        """Check arguments against each other; called once all that the class declares are set.

        It is given those that are not kept, by name.
        """

    def made_part(self, name: str, made_by: Any, values: dict[str, Any]) -> Any:
        """The attribute `name` that is made from arguments of its own class (`declared.Part`).

        Args:
            name: of the attribute.
            made_by: its class.
            values: the arguments of the class, checked.
        """
        return made_by(**values)

    def add_declared_weight(self, of: str, shape: tuple[int, ...], **settings: Any) -> Variable:
        """A new weight whose initializer, regularizer and constraint are arguments of the layer.

        Args:
            of: as "kernel" for `kernel_initializer`, `kernel_regularizer` and `kernel_constraint`.
            shape: its shape.
            settings: further arguments of `add_weight`; its name is `of` unless it is given.
        """
        for kind in ("initializer", "regularizer", "constraint"):
            settings[kind] = getattr(self, f"{of}_{kind}", None)
        return self.add_weight(shape=shape, **{"name": of, **settings})

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain data, so that `from_config` makes an equal layer.

        A class of yours that does not define it is described by what its constructor was given.

        Raises:
            NotImplementedError: that was more than numbers, words and None, also in lists and dicts.
        """
        if is_undescribed(type(self)):
            own = _required(type(self), self._given_arguments)
            return self.plain_settings() | own
        kept = {name: item for name, item in self._declared_arguments.items() if item.kept}
        declared = {name: item for name, item in kept.items() if not item.handed_on}
        settings = self.plain_settings()
        if all(name in self._declared_arguments for name in ("name", "dtype")):
            del settings["trainable"]  # of such a class Keras's constructor takes these two alone
        return settings | {name: item.plain(getattr(self, name)) for name, item in declared.items()}

    def made_again(self, **changes: Any) -> Any:
        """A new layer from the config of this one, without its weights.

        Args:
            changes: entries of the config that are to be others.
        """
        classes = {type(layer).__name__: type(layer) for layer in self.all_layers()}
        known = SCOPE.set({**SCOPE.get(), **classes})  # classes of a user's own too, which no name stands for
        try:
            return type(self).from_config(self.get_config() | changes)
        finally:
            SCOPE.reset(known)

    def plain_settings(self) -> dict[str, Any]:
        """The arguments that all layers have, as plain data."""
        config: dict[str, Any] = {"name": self.name, "trainable": self.trainable, "dtype": policy(self.dtype)}
        if not self.autocast:
            config["autocast"] = False
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        return config

    def get_build_config(self) -> dict[str, Any] | None:
        """The shapes that the layer was built for, as plain data; None for a layer that is not built."""
        shapes = self._build_shapes
        if not shapes:
            return None
        if len(shapes) == 1:
            return {"input_shape": next(iter(shapes.values()))}
        return {"shapes_dict": dict(shapes)}

    def build_from_config(self, config: Mapping[str, Any] | None) -> None:
        """Build the layer for the shapes that `get_build_config` gave.

        Args:
            config: as JSON has it, too: lists in the places of tuples.
        """
        if not config or self.built:
            return
        if config.get("input_shape") is not None:
            self.build(map_shape_structure(tuple, config["input_shape"]))
        elif config.get("shapes_dict"):
            self.build(**{key: map_shape_structure(tuple, x) for key, x in config["shapes_dict"].items()})

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A layer from `get_config()`; unbuilt.

        Raises:
            TypeError: the constructor does not take the config's entries.
        """
        try:
            return cls(**config)
        except TypeError as error:
            raise TypeError(
                explain(
                    f"{cls.__name__}.from_config() passes the config to the constructor.",
                    received=f"{config} ({error})",
                    fix="Let __init__ hand **kwargs to super().__init__, or override from_config.",
                )
            ) from error


def is_undescribed(cls: type[Configured]) -> bool:
    """Whether a class says nothing of its constructor's own arguments."""
    return cls.get_config is Configured.get_config and not cls._declared_arguments


def remembering(init: Callable[..., None]) -> Callable[..., None]:
    """The constructor of a class that does not describe it: plain arguments are kept for `get_config`."""
    signature = inspect.signature(init)

    @wraps(init)
    def wrapped(self: Configured, *args: Any, **kwargs: Any) -> None:
        if "_given_arguments" not in vars(self):  # a subclass was given other arguments
            self._given_arguments = _plain_arguments(signature, args, kwargs)
        init(self, *args, **kwargs)

    return wrapped


def _plain_arguments(
    signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any] | None:
    """What a constructor is given, defaults too, but for what all layers take; None where it is not plain."""
    try:
        bound = signature.bind(None, *args, **kwargs)
    except TypeError:
        return None  # as the call of the constructor is about to say
    bound.apply_defaults()
    found: dict[str, Any] = {}
    for name, value in list(bound.arguments.items())[1:]:
        kind = signature.parameters[name].kind
        if kind is Parameter.VAR_KEYWORD:
            found |= value
        elif kind is Parameter.VAR_POSITIONAL:
            if value:
                return None
        else:
            found[name] = value
    found = {name: value for name, value in found.items() if name not in _BASE_ARGUMENTS}
    return found if all(isinstance(leaf, _PLAIN) for leaf in tree.flatten(found)) else None


def _required(cls: type, given: dict[str, Any] | None) -> dict[str, Any]:
    """The plain arguments of a constructor, where it was given no others."""
    if given is not None:
        return given
    own = [name for name in inspect.signature(cls.__init__).parameters if name not in _BASE_ARGUMENTS]  # type: ignore[misc]
    raise NotImplementedError(
        explain(
            f"{cls.__name__}.get_config() must hold the constructor's arguments.",
            expected=", ".join(own),
            received="no get_config() in the class, and arguments other than numbers, words and None",
            fix='Define it: return {**super().get_config(), "argument": self.argument, ...}.',
        )
    )


def input_shape_argument(cls: Any, kwargs: dict[str, Any]) -> Shape | None:
    """(None, ...) from the arguments input_shape, input_dim, batch_input_shape and batch_size.

    Raises:
        TypeError: there are others, with the nearest name that the class takes; batch_size alone is one.
    """
    full = shape = batch = None
    if cls.begins_models:
        full = kwargs.pop("batch_input_shape", None) or kwargs.pop("batch_shape", None)
        shape = kwargs.pop("input_shape", None)
        if "input_dim" in kwargs:
            shape = (kwargs.pop("input_dim"),)
        if shape is not None:
            batch = kwargs.pop("batch_size", None)
    if kwargs:
        raise TypeError(
            explain(
                f"{cls.__name__}: unknown argument.",
                received=", ".join(sorted(kwargs)),
                fix=unknown_arguments(kwargs, _argument_names(cls)),
            )
        )
    if full is not None:
        return tuple(full)
    if shape is None:
        return None
    return (batch, *((shape,) if isinstance(shape, int) else tuple(shape)))


def _argument_names(cls: Any) -> list[str]:
    """Names that the constructors of a layer class and its bases take."""
    written = [base.__init__ for base in cls.__mro__ if not hasattr(base.__init__, "__signature__")]
    found = [n for constructor in written for n in inspect.signature(constructor).parameters]
    found += [name for name, item in cls._declared_arguments.items() if item.shown]
    shapes = ("input_shape", "input_dim") if cls.begins_models else ()
    return sorted({*found, *shapes, *cls._taken_beside} - {"self", "args", "kwargs"})
