"""Nested structures: lists, tuples and dicts of leaves, as models take and return them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

_NESTED = (list, tuple, dict)


def flatten(structure: Any) -> list[Any]:
    """Leaves of nested lists, tuples and dicts, in order (dicts in insertion order). None is a leaf.

    >>> flatten([1, (2, {"a": 3})])
    [1, 2, 3]
    """
    if not isinstance(structure, _NESTED):
        return [structure]
    leaves: list[Any] = []
    for item in structure.values() if isinstance(structure, dict) else structure:
        if isinstance(item, _NESTED):
            leaves += flatten(item)
        else:
            leaves.append(item)
    return leaves


def pack(structure: Any, leaves: Iterable[Any]) -> Any:
    """A structure like `structure` with its leaves replaced, in order.

    >>> pack([0, {"a": 0}], [1, 2])
    [1, {'a': 2}]
    """
    return _pack(structure, iter(leaves))


def skeleton(structure: Any) -> Any:
    """The structure without its leaves, hashable: nesting, dict keys in order, and where None stands.

    >>> skeleton({"a": [1, None]})
    (<class 'dict'>, (('a', (<class 'list'>, ('*', None))),))
    """
    if isinstance(structure, list | tuple):
        return type(structure), tuple(skeleton(item) for item in structure)
    if isinstance(structure, dict):
        return dict, tuple((key, skeleton(item)) for key, item in structure.items())
    return None if structure is None else "*"


def map_leaves(function: Callable[[Any], Any], structure: Any) -> Any:
    """`structure` with `function` applied to every leaf."""
    return pack(structure, [function(leaf) for leaf in flatten(structure)])


def _pack(structure: Any, leaves: Iterator[Any]) -> Any:
    if isinstance(structure, list):
        return [_pack(item, leaves) for item in structure]
    if isinstance(structure, tuple):
        items = [_pack(item, leaves) for item in structure]
        return type(structure)(*items) if hasattr(structure, "_fields") else tuple(items)
    if isinstance(structure, dict):
        return {key: _pack(item, leaves) for key, item in structure.items()}
    return next(leaves)
