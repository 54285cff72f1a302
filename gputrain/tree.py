"""Nested lists, tuples and dicts, as `keras.tree` has them: dicts in the order of their sorted keys."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from gputrain.errors import explain
from gputrain.names import public

__all__ = [
    "MAP_TO_NONE",
    "assert_same_paths",
    "assert_same_structure",
    "flatten",
    "flatten_with_path",
    "is_nested",
    "lists_to_tuples",
    "map_shape_structure",
    "map_structure",
    "map_structure_up_to",
    "pack_sequence_as",
    "traverse",
]


class MAP_TO_NONE:
    """What the function of `traverse` returns where None shall stand."""


def is_nested(structure: Any) -> bool:
    """Return whether `structure` is a list, tuple or dict.

    Args:
        structure: anything.
    """
    return isinstance(structure, list | tuple | dict)


def flatten_with_path(structure: Any) -> list[tuple[tuple[Any, ...], Any]]:
    """Return (path, leaf) of all leaves; a path is the keys and positions that lead to the leaf.

    Args:
        structure: nested lists, tuples and dicts; anything else is a leaf, also None.

    Example:
        >>> flatten_with_path({"b": 1, "a": [2]})
        [(('a', 0), 2), (('b',), 1)]
    """
    return list(_leaves(structure, ()))


def flatten(structure: Any) -> list[Any]:
    """Return the leaves, in order.

    Args:
        structure: nested lists, tuples and dicts; anything else is a leaf, also None.

    Example:
        >>> flatten({"b": 1, "a": [2, (3, None)]})
        [2, 3, None, 1]
    """
    return [leaf for _, leaf in _leaves(structure, ())]


def map_structure(func: Callable[..., Any], *structures: Any, none_is_leaf: bool = True) -> Any:
    """Return the structure of what `func` returns for each leaf, or for the leaves at one place of several.

    Args:
        func: takes a leaf of each structure.
        structures: nested alike.
        none_is_leaf: whether `func` is called for None; if not, None stays.

    Raises:
        ValueError: structures that are not nested alike.

    Example:
        >>> map_structure(lambda a, b: a + b, [1, {"x": 2}], [3, {"x": 4}])
        [4, {'x': 6}]
    """
    if not structures:
        raise ValueError("map_structure needs at least one structure.")
    first, *others = structures
    for other in others:
        assert_same_structure(first, other)
    return _mapped(func, first, others, none_is_leaf)


def map_structure_up_to(shallow_structure: Any, func: Callable[..., Any], *structures: Any) -> Any:
    """As `map_structure`, but only as deep as `shallow_structure` goes; below, `func` gets what is there.

    Args:
        shallow_structure: nested as the others are at their top.
        func: takes a part of each structure.
        structures: what it is called on.

    Raises:
        ValueError: a structure that is not nested so.

    Example:
        >>> map_structure_up_to([1, 2], lambda part: len(part), [[3], [4, 5]])
        [1, 2]
    """
    for structure in structures:
        _require_prefix(shallow_structure, structure, ())
    return _mapped(lambda _, *parts: func(*parts), shallow_structure, structures, True)


def map_shape_structure(func: Callable[[Any], Any], structure: Any) -> Any:
    """As `map_structure`, where shapes, lists and tuples of integers and None, are the leaves.

    Args:
        func: takes a shape.
        structure: nested lists, tuples and dicts of shapes.

    Example:
        >>> map_shape_structure(len, [(None, 3), (2,)])
        [2, 1]
    """
    if not is_nested(structure):
        return func(structure)
    if isinstance(structure, list | tuple) and all(d is None or isinstance(d, int) for d in structure):
        return func(tuple(structure))
    return _rebuilt(structure, lambda part, _: map_shape_structure(func, part))


def pack_sequence_as(structure: Any, flat_sequence: Iterable[Any]) -> Any:
    """Return a structure like `structure` with other leaves.

    Args:
        structure: nested lists, tuples and dicts.
        flat_sequence: its leaves in the order of `flatten`.

    Raises:
        ValueError: more or fewer than the structure has.

    Example:
        >>> pack_sequence_as({"b": 0, "a": [0]}, [1, 2])
        {'a': [1], 'b': 2}
    """
    leaves, count = list(flat_sequence), len(flatten(structure))
    if len(leaves) != count:
        rule = "pack_sequence_as needs a value for each leaf."
        raise ValueError(explain(rule, expected=count, received=len(leaves)))
    return _packed(structure, iter(leaves))


def assert_same_structure(a: Any, b: Any) -> None:
    """Raise where two structures are not nested alike.

    Args:
        a, b: nested lists, tuples and dicts.

    Raises:
        ValueError: another type, number of items or key at a place.
    """
    _require_prefix(a, b, ())
    _require_prefix(b, a, ())


def assert_same_paths(a: Any, b: Any) -> None:
    """Raise where the leaves of two structures stand at other paths; lists and tuples count as the same.

    Args:
        a, b: nested lists, tuples and dicts.

    Raises:
        ValueError: a path that one of them lacks.
    """
    here, there = ({path for path, _ in _leaves(structure, ())} for structure in (a, b))
    if here != there:
        raise ValueError(
            explain(
                "The leaves must stand at the same paths.",
                expected=f"also {sorted(here - there, key=str)}" if here - there else None,
                received=f"also {sorted(there - here, key=str)}" if there - here else "fewer",
            )
        )


def lists_to_tuples(structure: Any) -> Any:
    """Return the structure with tuples in place of lists.

    Args:
        structure: nested lists, tuples and dicts.
    """
    return traverse(lambda x: tuple(x) if isinstance(x, list) else None, structure, top_down=False)


def traverse(func: Callable[[Any], Any], structure: Any, top_down: bool = True) -> Any:
    """Return the structure with parts replaced, leaves and whole lists, tuples and dicts.

    Args:
        func: takes a part; returns what to put in its place, None to leave it, `MAP_TO_NONE` to put None.
        structure: nested lists, tuples and dicts.
        top_down: whether a part is asked for before those in it, and these only where it is left.

    Example:
        >>> traverse(lambda x: -x if isinstance(x, int) else None, [1, (2, "a")])
        [-1, (-2, 'a')]
    """
    if top_down:
        found = func(structure)
        if found is not None:
            return None if found is MAP_TO_NONE else found
    if is_nested(structure):
        structure = _rebuilt(structure, lambda part, _: traverse(func, part, top_down))
    if not top_down:
        found = func(structure)
        if found is not None:
            return None if found is MAP_TO_NONE else found
    return structure


def _items(structure: Any) -> Iterator[tuple[Any, Any]]:
    """(key or position, part) of a list, tuple or dict, in order; an OrderedDict has one of its own."""
    if isinstance(structure, dict):
        keys = structure if isinstance(structure, OrderedDict) else sorted(structure)
        return ((key, structure[key]) for key in keys)
    return iter(enumerate(structure))


def _leaves(structure: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if not is_nested(structure):
        yield path, structure
        return
    for key, part in _items(structure):
        yield from _leaves(part, (*path, key))


def _rebuilt(structure: Any, change: Callable[[Any, Any], Any]) -> Any:
    """A list, tuple or dict of `change(part, key)`, changed in order."""
    made = {key: change(part, key) for key, part in _items(structure)}
    if isinstance(structure, dict):
        return {key: made[key] for key in structure}
    parts = list(made.values())
    return type(structure)(*parts) if hasattr(structure, "_fields") else type(structure)(parts)


def _mapped(func: Callable[..., Any], first: Any, others: Sequence[Any], none_is_leaf: bool) -> Any:
    if is_nested(first):
        return _rebuilt(
            first, lambda part, key: _mapped(func, part, [other[key] for other in others], none_is_leaf)
        )
    return None if first is None and not none_is_leaf else func(first, *others)


def _packed(structure: Any, leaves: Iterator[Any]) -> Any:
    if isinstance(structure, dict):
        return {key: _packed(part, leaves) for key, part in _items(structure)}
    return (
        _rebuilt(structure, lambda part, _: _packed(part, leaves)) if is_nested(structure) else next(leaves)
    )


def _require_prefix(shallow: Any, structure: Any, path: tuple[Any, ...]) -> None:
    """Refuse a structure that is not nested as `shallow` is, as far as that goes."""
    if not is_nested(shallow):
        return
    keys = [key for key, _ in _items(shallow)]
    if type(structure) is not type(shallow) or keys != [key for key, _ in _items(structure)]:
        where = "".join(f"[{key!r}]" for key in path) or "the top"
        raise ValueError(
            explain(
                f"The structures must be nested alike; at {where} they are not.",
                expected=f"{type(shallow).__name__} with {keys}",
                received=repr(structure),
            )
        )
    for key, part in _items(shallow):
        _require_prefix(part, structure[key], (*path, key))


if not TYPE_CHECKING:  # for a type checker a name that is not there is an error
    __getattr__, __dir__ = public("function of keras.tree", __name__, __all__)
