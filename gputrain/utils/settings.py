"""What a setting may be, in one place: its rule, help and default stand with the dataclass that has it.

    @dataclass(frozen=True)
    @with_keys
    class Check:
        least: float | None = number("The least number.")

From `keys_of(Check)` come the schema of a recipe, its documentation and its defaults; `check_fields` holds
the same rules where the dataclass is made in Python.
"""

from __future__ import annotations

import dataclasses
import reprlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from gputrain.errors import DataError
from gputrain.names import did_you_mean


class Required:
    """Stands where a default would, for a key that has none."""


@dataclass(frozen=True)
class Key:
    """One setting.

    Attributes:
        rule: what a value must be, in words, as it stands in errors.
        holds: says whether a value is allowed.
        help: what the setting does.
        default: the value when none is given; None leaves it out; Required demands one.
        names: the values, where they are some names.
        called: what it is called in a file, where that is not the name of its field.
    """

    rule: str
    holds: Callable[[Any], bool]
    help: str
    default: Any = None
    names: Sequence[str] = ()
    called: str = ""

    @property
    def required(self) -> bool:
        """Whether this key must be given."""
        return self.default is Required


def is_integer(value: object) -> bool:
    """Return whether `value` is an integer and not a boolean."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Return whether `value` is an integer or float that a float can hold, and finite."""
    return (is_integer(value) or isinstance(value, float)) and abs(value) <= sys.float_info.max


def is_text(value: object) -> bool:
    """Return whether `value` is text that is not empty, without NUL."""
    return isinstance(value, str) and bool(value) and "\0" not in value


def is_table(value: object) -> bool:
    """Return whether `value` is a mapping."""
    return isinstance(value, Mapping)


def is_list_of(holds: Callable[[Any], bool], low: int = 0, high: int = sys.maxsize) -> Callable[[Any], bool]:
    """Return a function that says whether a value is a list of `low` to `high` items that all hold."""
    return lambda value: isinstance(value, list) and low <= len(value) <= high and all(map(holds, value))


is_texts = is_list_of(lambda item: isinstance(item, str))


# What follows returns a Key, which may stand as the default of a field of any type: see `with_keys`.


def integer(low: int, high: int, help: str, default: int | None = None) -> Any:
    """Return a key for an integer from `low` to `high`."""
    rule = f"an integer from {low} to {high}"
    return Key(rule, lambda value: is_integer(value) and low <= value <= high, help, default)


def number(help: str) -> Any:
    """Return a key for a finite number."""
    return Key("a finite number", is_number, help)


def choice(names: Sequence[str], help: str, default: str | None = None, called: str = "") -> Any:
    """Return a key for one of `names`."""
    rule = f"one of {', '.join(map(repr, names))}"
    return Key(rule, lambda value: isinstance(value, str) and value in names, help, default, names, called)


def flag(help: str, default: bool | None = None) -> Any:
    """Return a key for true or false."""
    return Key("true or false", lambda value: isinstance(value, bool), help, default)


def text(help: str) -> Any:
    """Return a key for text that is not empty."""
    return Key("text", is_text, help)


def texts(help: str, default: Sequence[str] = ()) -> Any:
    """Return a key for a list of texts."""
    return Key("a list of texts", is_texts, help, list(default))


def table(help: str, default: Any = None) -> Any:
    """Return a key for a table."""
    return Key("a table", is_table, help, default)


def tables(help: str) -> Any:
    """Return a key for a table of tables, or of the dataclasses that these become."""

    def holds(value: object) -> bool:
        items = value.values() if isinstance(value, Mapping) else [None]
        return all(is_table(item) or dataclasses.is_dataclass(item) for item in items)

    return Key("a table of tables", holds, help, {})


T = TypeVar("T", bound=type)


def with_keys(cls: T) -> T:
    """Turn keys that stand as defaults in a class into fields, for `dataclass`, with the keys' defaults."""
    for name, key in list(vars(cls).items()):
        if isinstance(key, Key):
            is_dict = isinstance(key.default, dict)
            default: dict[str, Any] = (
                {"default_factory": dict} if is_dict else {"default": _frozen(key.default)}
            )
            setattr(cls, name, dataclasses.field(**default, metadata={"key": key}))
    return cls


def keys_of(cls: Any) -> dict[str, Key]:
    """Return the keys of a dataclass made `with_keys`, by what they are called in a file."""
    keys = {field.name: field.metadata["key"] for field in dataclasses.fields(cls)}
    return {key.called or name: key for name, key in keys.items()}


def check_fields(made: Any) -> None:
    """Raise DataError unless all fields of a dataclass are what their keys say; lists in it become tuples."""
    for field in dataclasses.fields(made):
        key, value = field.metadata["key"], getattr(made, field.name)
        given = list(value) if isinstance(value, tuple) else value
        if given != key.default and not key.holds(given):
            rule = f"{type(made).__name__}: {field.name}"
            if key.names:
                raise DataError(f"{rule} cannot be {value!r}. {did_you_mean(str(value)[:50], key.names)}")
            raise DataError(f"{rule} is {key.rule}.", received=reprlib.repr(value))
        object.__setattr__(made, field.name, _frozen(value))


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
