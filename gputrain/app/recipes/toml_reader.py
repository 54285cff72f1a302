"""Reads TOML text from strangers: `tomllib`, and a limit of its own on keys of many parts."""

from __future__ import annotations

import re
import tomllib
from typing import Any

MAX_PARTS = 16  # of a key; tomllib takes memory that grows with their square
# Strings and comments, in which dots mean nothing; one that is not closed ends with its line or the text.
_QUOTED = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*+"{0,5}|\'\'\'(?:[^\']|\'(?!\'\'))*+\'{0,5}'
    r'|"(?:[^"\\\n]|\\.)*+"?|\'[^\'\n]*+\'?|#[^\n]*+',
    re.DOTALL,
)
_BETWEEN_KEYS = re.compile(r"[=,\[\]{}\n]")


def loads(text: str) -> dict[str, Any]:
    """Return the table that TOML text describes.

    Raises:
        ValueError: a key has more than 16 parts.
        tomllib.TOMLDecodeError: it is not TOML.
        RecursionError: its arrays or inline tables are nested too deep.

    Example:
        >>> loads("a.b = 1")
        {'a': {'b': 1}}
    """
    bare = _QUOTED.sub("", text)
    parts = 1 + max(piece.count(".") for piece in _BETWEEN_KEYS.split(bare))
    if parts > MAX_PARTS:
        raise ValueError(f"a key of {parts} parts, of which there may be {MAX_PARTS}")
    return tomllib.loads(text)
