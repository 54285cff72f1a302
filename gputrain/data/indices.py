"""Indices in the data: what layers look up must be there, on every device, before the first step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gputrain.data.arrays import on_host
from gputrain.data.labels import first_in
from gputrain.errors import DataError
from gputrain.ir import Stored, Value
from gputrain.ops import GetItem, Transpose
from gputrain.ops.base import Cast, Constant
from gputrain.ops.indexing import Key, indexer


@dataclass(frozen=True)
class IndexRange:
    """What one of the arrays of a step may hold.

    Attributes:
        array: its number among them.
        keys: the part of it that is meant, by a key after another.
        size: indices lie in 0..size-1.
        path: of the layer that looks them up.
    """

    array: int
    keys: tuple[Key, ...]
    size: int
    path: str


def ranges_in(inputs: Sequence[Value], looked_up: Iterable[tuple[Value, int, str]]) -> list[IndexRange]:
    """The ranges of those indices that are inputs of a step, or parts of them; others are computed.

    Args:
        inputs: of the step.
        looked_up: (indices, size, path of the layer), as a trace has them.

    Raises:
        DataError: indices that are the same in all steps lie outside their range.
    """
    found = []
    for value, size, path in looked_up:
        fixed = _fixed(value)
        if fixed is not None:
            check_indices([fixed], [IndexRange(0, (), size, path)])
            continue
        keys: list[Key] = []
        while value.node is not None and _is_the_same(value.node.op, bool(keys)):
            keys += [value.node.op.key] if isinstance(value.node.op, GetItem) else []
            value = value.node.inputs[0]
        place = next((i for i, one in enumerate(inputs) if one is value), None)
        if value.node is None and place is not None:
            found.append(IndexRange(place, tuple(reversed(keys)), size, path))
    return list(dict.fromkeys(found))


def _fixed(indices: Any) -> Any:
    """Indices that a model has as an array, as those of places; None for values of a step."""
    if not isinstance(indices, Value):
        return indices if hasattr(indices, "shape") and not isinstance(indices, Stored) else None
    op = None if indices.node is None else indices.node.op
    return op.array() if isinstance(op, Constant) else None


def _is_the_same(op: Any, of_a_part: bool) -> bool:
    """Whether an operation hands on numbers of all samples; what is cut from a new shape is not followed."""
    if isinstance(op, GetItem):
        return op.key[:1] == ((None, None, None),)
    return isinstance(op, Cast) or (not of_a_part and (op.view or isinstance(op, Transpose)))


def check_indices(arrays: Sequence[Any], ranges: Iterable[IndexRange]) -> None:
    """Refuse indices outside their range.

    Args:
        arrays: of a step.
        ranges: what they may hold.

    Raises:
        DataError: with the smallest, the largest, and the first bad one's place.
    """
    for limit in ranges:
        given = on_host(arrays[limit.array])
        for key in limit.keys:
            given = given[indexer(key)]
        if given.size == 0:
            continue
        low, high = (int(number) if np.isfinite(number) else number for number in (given.min(), given.max()))
        if not (low >= 0 and high < limit.size):
            outside = ~((given > -1) & (given < limit.size))
            raise DataError(
                f"In layer {limit.path}: ids must lie in 0..{limit.size - 1}, rows of its table.",
                received=f"ids from {low} to {high}; the first outside is {first_in(given, outside)}",
                fix="Renumber the ids from 0, or make input_dim one more than the largest.",
            )
