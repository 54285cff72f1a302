"""What layers look up in the data: it must be there, on every device, before the first step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gputrain.data.arrays import on_host
from gputrain.ir import Stored, Value, current_trace
from gputrain.ops import GetItem, Transpose
from gputrain.ops.base import Cast, Constant
from gputrain.ops.indexing import Key, indexer

Check = Callable[[np.ndarray, str], None]  # (what is looked up, "In layer x"): raises DataError


@dataclass(frozen=True)
class LookUp:
    """What a layer looks up in one of the arrays of a step.

    Attributes:
        array: its number among them.
        keys: the part of it that is meant, by a key after another.
        check: of the layer.
        path: of the layer.
    """

    array: int
    keys: tuple[Key, ...]
    check: Check
    path: str


def look_up(values: Any, check: Check) -> None:
    """Have `check` see what a layer looks up in the call that is being traced, before anything is computed.

    Args:
        values: that the call was given. What a model computes from data is not seen.
        check: a method of the layer, called with an array and the words for the layer's place. It raises
            DataError where something is not there.
    """
    trace = current_trace()
    if trace is not None:
        trace.looked_up.append((values, check, trace.whole_path))


def lookups_in(inputs: Sequence[Value], looked_up: Iterable[tuple[Value, Check, str]]) -> list[LookUp]:
    """What is looked up in inputs of a step, or in parts of them; other values are computed.

    Args:
        inputs: of the step.
        looked_up: (values, check, path of the layer), as a trace has them.

    Raises:
        DataError: values that are the same in all steps are not there.
    """
    found = []
    for value, check, path in looked_up:
        fixed = _fixed(value)
        if fixed is not None:
            check_lookups([fixed], [LookUp(0, (), check, path)])
            continue
        keys: list[Key] = []
        while value.node is not None and _is_the_same(value.node.op, bool(keys)):
            keys += [value.node.op.key] if isinstance(value.node.op, GetItem) else []
            value = value.node.inputs[0]
        place = next((i for i, one in enumerate(inputs) if one is value), None)
        if value.node is None and place is not None:
            found.append(LookUp(place, tuple(reversed(keys)), check, path))
    return list(dict.fromkeys(found))


def _fixed(values: Any) -> Any:
    """What a model has as an array, as indices of places; None for values of a step."""
    if not isinstance(values, Value):
        return values if hasattr(values, "shape") and not isinstance(values, Stored) else None
    op = None if values.node is None else values.node.op
    return op.array() if isinstance(op, Constant) else None


def _is_the_same(op: Any, of_a_part: bool) -> bool:
    """Whether an operation hands on numbers of all samples; what is cut from a new shape is not followed."""
    if isinstance(op, GetItem):
        return op.key[:1] == ((None, None, None),)
    return isinstance(op, Cast) or (not of_a_part and (op.view or isinstance(op, Transpose)))


def check_lookups(arrays: Sequence[Any], lookups: Iterable[LookUp]) -> None:
    """Refuse data in which layers would look for what is not there.

    Args:
        arrays: of a step.
        lookups: in them.

    Raises:
        DataError: that of the layer.
    """
    for lookup in lookups:
        given = on_host(arrays[lookup.array])
        for key in lookup.keys:
            given = given[indexer(key)]
        if given.size:
            lookup.check(given, f"In layer {lookup.path}")
