"""Checks that constructors of layers share. Each error names the layer and the argument."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gputrain import config
from gputrain.errors import ShapeError, explain
from gputrain.ir import Shape, normalize_axis
from gputrain.names import did_you_mean
from gputrain.random.seeds import SeedGenerator, check_seed
from gputrain.utils.dtypes import as_number, is_number

_OR_MORE = {1: "", 2: " or two of them", 3: " or three of them"}
_SIDES = {
    1: ("a number of steps", "an int, or (before, after)"),
    2: ("a number of rows and columns", "an int, (rows, columns), or ((top, bottom), (left, right))"),
    3: ("a number of elements of each axis", "an int, three of them, or three pairs (before, after)"),
}


def positive_int(value: Any, where: str) -> int:
    """Return `value` as an int of at least 1.

    Args:
        value: what the user gave.
        where: layer and argument, as "Dense: units".

    Raises:
        ValueError: anything else.
    """
    if not is_int(value) or value < 1:
        raise ValueError(explain(f"{where} must be a positive int.", received=repr(value)))
    return int(value)


def positive_sizes(value: Any, where: str, rank: int = 2) -> tuple[int, ...]:
    """Return one positive int, or `rank` of them, as a tuple with one for each axis.

    Raises:
        ValueError: anything else.
    """
    given = tuple(value) if _is_sequence(value) else (value,) * rank
    if len(given) != rank:
        raise ValueError(explain(f"{where} must be a positive int{_OR_MORE[rank]}.", received=repr(value)))
    return tuple(positive_int(size, where) for size in given)


def whole(value: Any, where: str) -> int:
    """Return an int.

    Raises:
        ValueError: anything else.
    """
    if not is_int(value):
        raise ValueError(explain(f"{where} must be an int.", received=repr(value)))
    return int(value)


def noise_shape(value: Any, where: str) -> tuple[int | None, ...] | None:
    """Return None, or the shape of a mask: ints, and None for sizes of the inputs.

    Raises:
        ValueError: anything else.
    """
    if value is None:
        return None
    if not _is_sequence(value) or not all(size is None or is_int(size) for size in value):
        raise ValueError(explain(f"{where} is a tuple of ints and None.", received=repr(value)))
    return tuple(size if size is None else int(size) for size in value)


def number(value: Any, where: str) -> float:
    """Return a finite number as a float.

    Raises:
        ValueError: anything else.
    """
    return as_number(value, where)


def share(value: Any, where: str) -> float:
    """Return a number in 0..1 as a float.

    Raises:
        ValueError: anything else.
    """
    if not is_number(value) or not 0 <= value <= 1:
        expected = f"0 <= {where.rpartition(' ')[2]} <= 1"
        raise ValueError(explain(f"{where} is a share.", expected=expected, received=repr(value)))
    return float(value)


def not_negative(value: Any, where: str) -> float:
    """Return a finite number of at least 0 as a float.

    Raises:
        ValueError: anything else.
    """
    if not is_number(value) or not 0.0 <= value < float("inf"):
        raise ValueError(explain(f"{where} is a number, 0 or more.", received=repr(value)))
    return float(value)


def positive(value: Any, where: str) -> float:
    """Return a finite number above 0 as a float.

    Raises:
        ValueError: anything else.
    """
    if not is_number(value) or not 0.0 < value < float("inf"):
        raise ValueError(explain(f"{where} is a number above 0.", received=repr(value)))
    return float(value)


def one_of(value: Any, allowed: Sequence[str], where: str) -> str:
    """Return `value` in lower case when it is one of the names in `allowed`.

    Raises:
        ValueError: it is not; the nearest name is said.
    """
    if isinstance(value, str) and value.lower() in allowed:
        return value.lower()
    hint = did_you_mean(value, allowed) if isinstance(value, str) else None
    raise ValueError(explain(f"{where} must be one of {', '.join(allowed)}.", received=repr(value), fix=hint))


def axis_or_axes(value: Any, where: str) -> int | list[int]:
    """Return an axis as an int, or several as a list of them.

    Raises:
        ValueError: anything else.
    """
    given = list(value) if _is_sequence(value) else [value]
    if not given or not all(map(is_int, given)):
        raise ValueError(explain(f"{where} must be an int, or several.", received=repr(value)))
    axes = [int(axis) for axis in given]
    return axes if _is_sequence(value) else axes[0]


def sorted_axes(value: Any, where: str) -> list[int]:
    """Return an axis or several in a list, those from the back first, as Keras keeps them.

    Raises:
        ValueError: anything else.
    """
    axes = axis_or_axes(value, where)
    return sorted(axes) if isinstance(axes, list) else [axes]


def side_pairs(value: Any, where: str, rank: int = 2) -> tuple[Any, ...]:
    """Return what is added or left out (before, after) each of `rank` axes; the pair itself for one axis.

    Args:
        value: one number for all sides, one for each axis, or a pair for each axis.
        where: layer and argument, as "Cropping2D: cropping".
        rank: number of axes.

    Raises:
        ValueError: anything else, or a number below 0.
    """
    each = [value] if rank == 1 else value if _is_sequence(value) else [value] * rank
    pairs = [_twice(side) for side in each]
    numbers = [number for pair in pairs for number in pair]
    is_count = all(is_int(number) and number >= 0 for number in numbers)
    if len(pairs) != rank or any(len(pair) != 2 for pair in pairs) or not is_count:
        rule, expected = _SIDES[rank]
        raise ValueError(explain(f"{where} is {rule}, 0 or more.", expected=expected, received=repr(value)))
    found = tuple((int(before), int(after)) for before, after in pairs)
    return found[0] if rank == 1 else found


def padding(value: Any, where: str) -> str:
    """Return "valid" or "same"."""
    return one_of(value, ("valid", "same"), where)


def data_format(value: Any, where: str) -> str:
    """Return "channels_last" or "channels_first"; None means `config.image_data_format()`."""
    name = config.image_data_format() if value is None else value
    return one_of(name, ("channels_last", "channels_first"), where)


def seed(value: Any, where: str) -> Any:
    """Return None, a SeedGenerator, or an int as a seed may be.

    Raises:
        ValueError: anything else.
    """
    plain = value is None or isinstance(value, SeedGenerator)
    return value if plain else check_seed(value, where.partition(":")[0])


def plain_seed(seed: Any) -> Any:
    """Return the number of a SeedGenerator, as configs hold it; anything else as it is."""
    return seed.seed if isinstance(seed, SeedGenerator) else seed


def known_size(shape: Shape, axis: int, where: str) -> int:
    """Return the size of `axis`, which weights are made for.

    Raises:
        ShapeError: it is unknown (None), there is no such axis, or there are several shapes.
    """
    if any(isinstance(size, list | tuple) for size in shape):
        raise ShapeError(
            explain(
                f"{where} takes one tensor.",
                received=f"{len(shape)} tensors",
                fix="The layer before returned several outputs: take one of them, as y, *states = layer(x), "
                "or leave its return_state out.",
            )
        )
    size = shape[normalize_axis(axis, len(shape), where)]
    if size is None:
        raise ShapeError(
            explain(
                f"{where} makes its weights for a known size of axis {axis}.",
                received=f"input shape {shape}",
                fix="Give the input layer this size instead of None.",
            )
        )
    return size


def is_int(value: Any) -> bool:
    """Whether a value is an int of Python or NumPy, and no bool."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence | np.ndarray) and not isinstance(value, str)


def _twice(value: Any) -> tuple[Any, ...]:
    """A sequence as a tuple, anything else twice."""
    return tuple(value) if _is_sequence(value) else (value, value)
