"""Arguments of layer classes, declared once each: signature, checks, config and help are made from them.

A class declares its arguments as `units: int = argument(positive_int)`. They become the constructor's: those
of the class first, in their order, then those of its bases. Each is checked and set as the attribute of its
name.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from functools import partial
from inspect import Parameter
from operator import attrgetter
from typing import Any

from gputrain import activations, constraints, initializers, regularizers
from gputrain.utils.signatures import KERAS_ONLY, called_with, on_or_off, only_taken

REQUIRED = Parameter.empty
_NAMED = Parameter.POSITIONAL_OR_KEYWORD
_SHARED = ("Args", "Shapes", "Raises")  # sections of a docstring that a class takes from its bases
_ORDER = ("Args", "Attributes", "Shapes", "Raises", "Source", "Example")


class Argument:
    """One argument of a layer's constructor.

    Args:
        check: makes the attribute from what was given and from where it was, as "Dense: units".
        default: as in the signature; REQUIRED for none.
        plain: makes plain data of the attribute, for configs.
        after: the inherited argument that it follows; None places it before all of them.
        per_axis: whether `check` takes the class's `rank` too, and the default stands once for each axis.
        shown: whether the signature names it; others are taken by keyword only.
        handed_on: whether it is one of the base layer's, named for its place in the signature.
        kept: whether it becomes an attribute and part of the config; others go to `check_arguments`.
        part: the attribute whose argument it is (see `Part`); "" for the layer's own.
    """

    part = ""
    asks_nothing = False  # of an argument of Keras that nothing is done for here

    def __init__(
        self,
        check: Callable[..., Any],
        default: Any = REQUIRED,
        plain: Callable[[Any], Any] = lambda value: value,
        *,
        after: str | None = None,
        per_axis: bool = False,
        shown: bool = True,
        handed_on: bool = False,
        kept: bool = True,
    ) -> None:
        self.check, self.default, self.plain = check, default, plain
        self.after, self.per_axis, self.shown, self.handed_on = after, per_axis, shown, handed_on
        self.kept = kept
        self.hint = "Any"

    def of(self, rank: int | None) -> Argument:
        """The argument in a class whose layers work over `rank` axes."""
        if not self.per_axis or rank is None:
            return self
        found = copy(self)
        found.check = partial(self.check, rank=rank)
        if isinstance(self.default, int) and rank > 1:
            found.default = (self.default,) * rank
        return found

    @property
    def parameter_hint(self) -> str:
        """What may be given for an attribute of its type: None too, where that is the default."""
        known = self.hint == "Any" or "None" in self.hint
        return self.hint if known or self.default is not None else f"{self.hint} | None"


class Part:
    """An attribute of a layer that is made from arguments of its own class, as the cell of a loop.

    Those become arguments of the layer, in front of those of its bases, and properties that read them from
    the attribute. The attribute is no argument itself.

    Args:
        made_by: the class of the attribute, with declared arguments.
        after: for some of its arguments, the one that each follows in the layer's signature.
    """

    def __init__(self, made_by: Any, after: Mapping[str, str]) -> None:
        self.made_by, self.after = made_by, after

    def arguments(self, attribute: str) -> dict[str, Argument]:
        """The class's arguments as those of a layer that has it as `attribute`."""
        rank = getattr(self.made_by, "rank", None)
        found = {}
        for name, item in self.made_by._declared_arguments.items():
            if not item.handed_on:
                found[name] = one = copy(item.of(rank))
                one.default = item.default  # one number may stand for all axes
                one.part, one.after = attribute, self.after.get(name)
        return found


def part(made_by: Any, **after: str) -> Any:
    """An attribute that is made from arguments of its class; see `Part`."""
    return Part(made_by, after)


def as_given(value: Any, where: str) -> Any:
    """`value` itself."""
    return value


def argument(check: Callable[..., Any] = as_given, default: Any = REQUIRED, **settings: Any) -> Any:
    """An argument of a layer class; see `Argument`.

    Args:
        check: called with the value and "Dense: units"; returns what becomes the attribute, or raises.
        default: what the argument is when it is left out.
        settings: further attributes of `Argument`.
    """
    return Argument(check, default, **settings)


def flag(default: bool, **settings: Any) -> Any:
    """An argument that is on or off; 0 and 1 will do."""
    return Argument(lambda value, where: on_or_off(value, where, also=(0, 1)), default, **settings)


def activation(default: Any = None, **settings: Any) -> Any:
    """An argument that is an activation: a name, a function or None."""
    return Argument(lambda value, where: activations.get(value), default, activations.serialize, **settings)


def initializer(default: Any, **settings: Any) -> Any:
    """An argument that says what a weight begins with."""
    return Argument(lambda value, where: initializers.get(value), default, initializers.serialize, **settings)


def regularizer(**settings: Any) -> Any:
    """An argument that is a penalty; none by default."""
    return Argument(lambda value, where: regularizers.get(value), None, regularizers.serialize, **settings)


def constraint(**settings: Any) -> Any:
    """An argument that says what a weight keeps to after each update; nothing by default."""
    return Argument(lambda value, where: constraints.get(value), None, constraints.serialize, **settings)


def handed_on(**settings: Any) -> Any:
    """An argument of every layer (`name`, `dtype`) that Keras names among those of the class."""
    return Argument(as_given, None, handed_on=True, **settings)


def keras_only(name: str, **settings: Any) -> Any:
    """An argument of Keras that nothing is done for here: see `KERAS_ONLY`."""

    def check(value: Any, where: str) -> Any:
        only_taken(name, value, where.partition(":")[0])
        return value

    found = Argument(check, KERAS_ONLY[name].taken[0], **settings)
    found.asks_nothing = True
    return found


class fixed(property):  # a decorator, as property is
    """What is an argument of a base but follows from the others in this class, as a property."""


def complete(cls: Any, root: type) -> None:
    """Give a new class the constructor and the help that follow from its arguments and those of its bases.

    Args:
        cls: the class, as its `__init_subclass__` gets it.
        root: the class of all layers, whose constructor takes what is left.
    """
    own = {name: item for name, item in vars(cls).items() if isinstance(item, Argument)}
    bases = [base._declared_arguments for base in cls.__bases__ if getattr(base, "_declared_arguments", None)]
    inherited = {name: item for arguments in reversed(bases) for name, item in arguments.items()}
    kept = dict.fromkeys(name for arguments in bases for name in arguments)
    before = {name: inherited[name] for name in kept if not isinstance(vars(cls).get(name), fixed | Part)}
    hints = inspect.get_annotations(cls) if own else {}
    for name, item in own.items():
        item.hint = str(hints.get(name, "Any"))
        delattr(cls, name)
    own = _of_parts(cls) | own
    cls._declared_arguments = _merged(own, before)
    differs = own or len(before) < len(kept) or len(bases) > 1 or "rank" in vars(cls)
    if not _is_made(cls.__init__, root):
        return
    if differs:
        cls.__init__ = _constructor(cls, root)
    if cls.__doc__ and next(_between(cls.__base__, root), None):
        cls.__doc__ = _Help(cls.__doc__, root)


def _of_parts(cls: Any) -> dict[str, Argument]:
    """The arguments of the parts that a class declares, each a property of the class from now on."""
    parts = {name: item for name, item in vars(cls).items() if isinstance(item, Part)}
    cls._declared_parts = getattr(cls, "_declared_parts", {}) | {n: p.made_by for n, p in parts.items()}
    found = {}
    for attribute, item in parts.items():
        delattr(cls, attribute)
        for name, argument in item.arguments(attribute).items():
            found[name] = argument
            if argument.kept:
                setattr(cls, name, property(attrgetter(f"{attribute}.{name}")))
    return found


def _is_made(constructor: Any, root: Any) -> bool:
    """Whether nobody wrote a constructor between the class and the root."""
    return constructor is root.__init__ or hasattr(constructor, "__signature__")


def _merged(own: Mapping[str, Argument], inherited: Mapping[str, Argument]) -> dict[str, Argument]:
    """The arguments of a class in the order of its signature."""
    first = [name for name in own if own[name].after is None]
    order = [*first, *(name for name in inherited if name not in own)]
    for name, item in own.items():
        if item.after is not None:
            order.insert(order.index(item.after) + 1, name)
    return {name: own.get(name) or inherited[name] for name in order}


def _checked(item: Argument, value: Any, where: str) -> Any:
    """What an argument's check makes of a value; an error of it names the argument."""
    try:
        return item.check(value, where)
    except (TypeError, ValueError) as error:
        if where in str(error):
            raise
        raise type(error)(f"{where}: {error}") from error


def _constructor(cls: Any, root: Any) -> Callable[..., None]:
    """The `__init__` that takes a class's arguments, checks each and sets it."""
    rank = getattr(cls, "rank", None)
    arguments = {name: item.of(rank) for name, item in cls._declared_arguments.items()}
    shown = {name: item for name, item in arguments.items() if item.shown}

    def __init__(self: Any, kwargs: dict[str, Any], **given: Any) -> None:
        given |= {name: kwargs.pop(name) for name in arguments if name not in shown and name in kwargs}
        named = {name: given[name] for name, item in arguments.items() if item.handed_on}
        root.__init__(self, **named, **kwargs)
        of_parts: dict[str, dict[str, Any]] = {name: {} for name in cls._declared_parts}
        passing: dict[str, Any] = {}
        for name, item in arguments.items():
            if not item.handed_on:
                value = given.get(name, item.default)
                value = _checked(item, value, f"{type(self).__name__}: {name}")
                if item.part:
                    of_parts[item.part][name] = value
                elif item.kept:
                    setattr(self, name, value)
                else:
                    passing[name] = value
        for name, values in of_parts.items():
            setattr(self, name, self.made_part(name, cls._declared_parts[name], values))
        self.check_arguments(**passing)

    __init__.__module__, __init__.__qualname__ = cls.__module__, f"{cls.__qualname__}.__init__"
    named = [
        Parameter(name, _NAMED, default=item.default, annotation=item.parameter_hint)
        for name, item in shown.items()
    ]
    return called_with(
        [Parameter("self", _NAMED), *named, Parameter("kwargs", Parameter.VAR_KEYWORD)], __init__
    )


# ------------------------------------------------------------------------------------------------------- help


class _Help:
    """The docstring of a class, completed when it is read; most are read by nobody."""

    def __init__(self, own: str, root: type) -> None:
        self.own, self.root = own, root

    def __get__(self, instance: Any, cls: type) -> str:
        return _with_shared_sections(cls, self.own, self.root)


def _with_shared_sections(cls: Any, doc: str, root: type) -> str:
    """A docstring with what the bases of a class say of the arguments and sections that it leaves out."""
    docs = [_sections(doc), *(_sections(base.__doc__) for base in _between(cls, root) if base is not cls)]
    of_parts = [base for made_by in cls._declared_parts.values() for base in _between(made_by, root)]
    docs += [_sections(base.__doc__) for base in of_parts]
    about, own = docs[0]
    found = {name: next((s[name] for _, s in docs if name in s), "") for name in _SHARED} | own
    entries = [dict(_entries(sections.get("Args", ""))) for _, sections in docs]
    said = (next((known[name] for known in entries if name in known), "") for name in cls._declared_arguments)
    if cls._declared_arguments:
        found["Args"] = "\n".join(entry for entry in dict.fromkeys(said) if entry)
    if all(found.get(name, "") == own.get(name, "") for name in _SHARED):
        return doc
    parts = [f"{name}:\n{found[name]}" for name in _ORDER if found.get(name)]
    return "\n\n".join([about, *parts]) + "\n"


def _between(cls: type, root: type) -> Iterator[type]:
    """`cls` and its bases below `root`."""
    return (base for base in cls.__mro__ if issubclass(base, root) and base is not root)


def _sections(doc: str | None) -> tuple[str, dict[str, str]]:
    """What stands before the first section of a docstring, and the sections by name, indented."""
    parts = re.split(rf"^({'|'.join(_ORDER)}):\n", inspect.cleandoc(doc or ""), flags=re.MULTILINE)
    sections = {name: text.rstrip() for name, text in zip(parts[1::2], parts[2::2], strict=True)}
    return parts[0].rstrip(), sections


def _entries(text: str) -> Iterator[tuple[str, str]]:
    """Each argument that a section "Args" describes, with the lines that do; several may share them."""
    for entry in re.split(r"\n(?=    \S)", text):
        names = entry.partition(":")[0]
        yield from ((name.strip(), entry) for name in names.split(",") if entry)
