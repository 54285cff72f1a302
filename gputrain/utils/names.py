"""Help for errors about names: the nearest known name to a misspelt one."""

from __future__ import annotations

import re
from collections.abc import Iterable


def snake_case(name: str) -> str:
    """Return `name` in snake_case: "GlorotUniform" gives "glorot_uniform", "Conv2D" gives "conv2d".

    Args:
        name: a class name or a name already in snake_case.

    Example:
        >>> snake_case("HeNormal")
        'he_normal'
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z0-9])(?=[A-Z][a-z])", "_", name)
    return spaced.lower()


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the member of `names` that is spelt most like `name`, or None when none is close.

    Case, underscores and hyphens do not count.

    Example:
        >>> nearest("glorot-unifrom", ["zeros", "glorot_uniform"])
        'glorot_uniform'
    """
    import difflib  # only needed where an error is worded

    by_key: dict[str, list[str]] = {}
    for known in names:
        by_key.setdefault(_key(known), []).append(known)
    close = difflib.get_close_matches(_key(name), by_key, n=1, cutoff=0.6)
    return difflib.get_close_matches(name, by_key[close[0]], n=1, cutoff=0.0)[0] if close else None


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return the closing words of an error about an unknown name: the nearest name and all known ones.

    Example:
        >>> did_you_mean("ones_", ["ones", "zeros"])
        "Did you mean 'ones'? Known names: ones, zeros."
    """
    known = sorted(set(names))
    if not known:
        return "There are no known names."
    close = nearest(name, known)
    hint = f"Did you mean {close!r}? " if close is not None else ""
    return f"{hint}Known names: {', '.join(known)}."


def _key(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
