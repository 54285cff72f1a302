"""Writes the plain data of a recipe as TOML 1.0 (`tomllib` only reads).

Only what a recipe holds is written: tables with text keys, arrays, text, booleans, integers and floats. A
table inside an array of tables, or inside any array, is written inline, so that a layer stays one block of
lines.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b", "\f": "\\f"}


def dumps(table: Mapping[str, Any]) -> str:
    """Return `table` as TOML text; `tomllib.loads` gives it back equal (tuples come back as lists).

    Args:
        table: plain data: mappings with text keys, lists or tuples, str, bool, int, float.

    Raises:
        TypeError: a value of another type (None too: TOML has no word for it) or a key that is not text.
        ValueError: text that is not valid Unicode (a lone surrogate).

    Example:
        >>> print(dumps({"name": "a", "training": {"epochs": 3}}), end="")
        name = "a"
        <BLANKLINE>
        [training]
        epochs = 3
    """
    blocks = _blocks(table, ())
    return "\n".join("\n".join(block) + "\n" for block in blocks if block)


def _blocks(table: Mapping[str, Any], path: tuple[str, ...], header: str = "") -> list[list[str]]:
    """Return the table's own block of lines (header first) and then one block per table below it."""
    own = [header] if header else []
    below: list[list[str]] = []
    for key, value in table.items():
        inner = (*path, key)
        if isinstance(value, Mapping):
            below += _blocks(value, inner, f"[{_dotted(inner)}]")
        elif _is_array_of_tables(value):
            below += [[f"[[{_dotted(inner)}]]", *_lines(item)] for item in value]
        else:
            own.append(f"{_key(key)} = {_value(value)}")
    is_bare_header = len(own) == 1 and bool(header) and bool(below)
    return below if is_bare_header else [own, *below]


def _lines(table: Mapping[str, Any]) -> list[str]:
    return [f"{_key(key)} = {_value(value)}" for key, value in table.items()]


def _is_array_of_tables(value: object) -> bool:
    return (
        isinstance(value, list | tuple) and bool(value) and all(isinstance(item, Mapping) for item in value)
    )


def _dotted(path: Sequence[str]) -> str:
    return ".".join(_key(part) for part in path)


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"A TOML key must be text. Received: {key!r} of type {type(key).__name__}.")
    return key if _BARE_KEY.fullmatch(key) else _text(key)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        inner = ", ".join(_lines(value))
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(item) for item in value)}]"
    raise TypeError(
        f"A TOML value must be text, a boolean, a number, an array or a table. "
        f"Received: {value!r} of type {type(value).__name__}."
    )


def _text(text: str) -> str:
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError(f"TOML text must be valid Unicode. Received a lone surrogate in {text!r}.")
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(letter: str) -> str:
    is_control = letter < " " or letter == "\x7f"
    return _ESCAPES.get(letter, f"\\u{ord(letter):04x}" if is_control else letter)
