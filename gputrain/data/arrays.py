"""User arrays at the model's door: converted and checked once, then cut into batches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from gputrain import config
from gputrain.backend import current_device
from gputrain.errors import DataError, explain
from gputrain.ops.optim import AllFinite
from gputrain.runtime.eager import run_once
from gputrain.utils import philox, tree

CHECK_BLOCK = 1 << 20
_OF_OTHERS = ("to_numpy", "toarray", "detach", "mask")  # what frames.read reads has one of these


@dataclass(eq=False)
class Arrays:
    """Inputs, targets and weights of equal length; structures of arrays (`None` where absent).

    Args:
        x: inputs, (N, ...) each.
        y: targets, (N, ...) each.
        sample_weight: (N,) each.
    """

    x: Any
    y: Any = None
    sample_weight: Any = None

    def __post_init__(self) -> None:
        """Flatten once: a step reads the arrays of its batch without walking the structures."""
        self._leaves = [a for a in tree.flatten((self.x, self.y, self.sample_weight)) if a is not None]

    @property
    def leaves(self) -> list[np.ndarray]:
        """All arrays, in the order in which a step takes them."""
        return self._leaves

    @property
    def count(self) -> int:
        """Number of samples."""
        return len(self.leaves[0])

    @cached_property
    def signature(self) -> tuple[Any, ...]:
        """What a traced step depends on: shapes of a sample, dtypes, and how the parts are nested."""
        shapes = tuple((a.shape[1:], a.dtype.name) for a in self.leaves)
        return shapes, tree.skeleton((self.x, self.y, self.sample_weight))

    def copied(self) -> Arrays:
        """The same contents in memory of their own."""
        parts = (self.x, self.y, self.sample_weight)
        return Arrays(*tree.map_leaves(lambda a: None if a is None else a.copy(), parts))

    def part(self, rows: slice) -> Arrays:
        """The samples of a slice; views where possible."""
        parts = (self.x, self.y, self.sample_weight)
        return Arrays(*tree.map_leaves(lambda a: None if a is None else a[rows], parts))


def to_array(x: Any, name: str) -> np.ndarray:
    """`x` as an array a model can take: float64 and float16 become `config.floatx()`, integers stay.

    An array that lies on the device stays there.

    Raises:
        DataError: strings, objects or ragged lists.
    """
    if any(hasattr(x, attribute) for attribute in _OF_OTHERS):
        from gputrain.data import frames

        x = frames.read(x, name)
    device = current_device()
    try:
        array = device.operand(x)
    except ValueError as error:
        from gputrain.data import frames

        rule, fix = f"{name}: the rows have different lengths.", frames.PADDED
        raise DataError(explain(rule, received=str(error), fix=fix)) from None
    except TypeError as error:  # as CuPy's arrays say it when NumPy is to read them
        raise DataError(
            explain(
                f"{name}: this array cannot be read on the {device.name} device.",
                received=f"{type(x).__module__}.{type(x).__name__} ({error})",
                fix='Pass a NumPy array (array.get()), or select the GPU with GPUTRAIN_BACKEND="cupy".',
            )
        ) from None
    if array.dtype.kind == "f" and array.dtype != config.floatx():
        with np.errstate(over="ignore"):  # too large a number becomes infinite, which check_finite reports
            array = array.astype(config.floatx())
    if array.dtype.kind not in "fiub":
        from gputrain.data import frames

        raise frames.not_numbers(array, name)
    if array.ndim == 0:
        raise DataError(
            explain(f"{name} needs a first axis that counts samples.", received="a single number")
        )
    return device.asarray(array) if device.owns(array) else np.ascontiguousarray(array)


def on_host(array: Any) -> np.ndarray:
    """The contents where NumPy can read them, for checks: the array itself, or a copy of one on a device."""
    device = current_device()
    return device.download(array) if device.owns(array) else array


def make_arrays(x: Any, y: Any = None, sample_weight: Any = None, what: str = "fit") -> Arrays:
    """Convert and check the user's data.

    Args:
        x, y, sample_weight: arrays, lists of arrays or dicts of arrays.
        what: the method that was called, for errors.

    Raises:
        DataError: empty, lengths that differ, NaN or infinity, not numbers.
    """
    x = _named(x, f"{what}(x)")
    y = None if y is None else _named(y, f"{what}(y)")
    sample_weight = None if sample_weight is None else _named(sample_weight, f"{what}(sample_weight)")
    if sample_weight is not None:
        sample_weight = tree.map_leaves(_as_weights, sample_weight)
    arrays = Arrays(x, y, sample_weight)
    _check_lengths(arrays, what)
    for name, part in (("x", x), ("y", y), ("sample_weight", sample_weight)):
        for leaf in tree.flatten(part):
            if leaf is not None:
                check_finite(leaf, f"{what}({name})")
    return arrays


def _as_weights(array: Any) -> Any:
    return None if array is None else array.astype(config.floatx(), copy=False)


def _named(structure: Any, name: str) -> Any:
    """Arrays from what the user gave: a list of arrays is several inputs, a list of numbers is one array."""
    if structure is None:  # an output without weights of its own
        return None
    if isinstance(structure, dict):
        # In one order whatever the user's, so that equal data meets one traced step.
        items = sorted(structure.items(), key=lambda item: str(item[0]))
        return {key: _named(value, f"{name}[{key!r}]") for key, value in items}
    if isinstance(structure, tuple) or _is_list_of_arrays(structure):
        items = [_named(value, f"{name}[{i}]") for i, value in enumerate(structure)]
        if hasattr(structure, "_fields"):
            return type(structure)(*items)
        return tuple(items) if isinstance(structure, tuple) else items
    return to_array(structure, name)


def _is_list_of_arrays(structure: Any) -> bool:
    return (
        isinstance(structure, list)
        and bool(structure)
        and any(a is not None for a in structure)
        and all(a is None or _is_of_arrays(a) for a in structure)
    )


def _is_of_arrays(part: Any) -> bool:
    """Whether a part of a list is an array, or nested lists, tuples and dicts of arrays."""
    if isinstance(part, dict):
        return bool(part) and all(value is None or _is_of_arrays(value) for value in part.values())
    if isinstance(part, tuple):
        return _is_list_of_arrays(list(part))
    return _is_list_of_arrays(part) or (hasattr(part, "shape") and bool(np.ndim(part)))


def _check_lengths(arrays: Arrays, what: str) -> None:
    lengths = {
        name: [len(a) for a in tree.flatten(part) if a is not None]
        for name, part in (("x", arrays.x), ("y", arrays.y), ("sample_weight", arrays.sample_weight))
        if part is not None
    }
    counts = {n for found in lengths.values() for n in found}
    if len(counts) > 1:
        said = ", ".join(
            f"{name}: {found[0] if len(found) == 1 else found}" for name, found in lengths.items()
        )
        raise DataError(explain(f"{what}: all arrays must have the same number of samples.", received=said))
    if counts == {0} or not counts:
        raise DataError(explain(f"{what} needs at least one sample.", received="empty arrays"))


def check_finite(array: np.ndarray, name: str) -> None:
    """Refuse NaN and infinity, with their number and first place, unless config says "allow".

    Raises:
        DataError: the array holds NaN or infinity.
    """
    if array.dtype.kind != "f" or config.nan_inputs() == "allow":
        return
    device = current_device()
    if device.owns(array):
        (finite,) = run_once(AllFinite(), (device.asarray(array),), device)
        if device.download(finite):
            return
    array = on_host(array)
    flat = array.reshape(-1)
    bad = [
        start + np.flatnonzero(~np.isfinite(flat[start : start + CHECK_BLOCK]))
        for start in range(0, flat.size, CHECK_BLOCK)
        if not np.isfinite(flat[start : start + CHECK_BLOCK]).all()
    ]
    if not bad:
        return
    places = np.concatenate(bad)
    nan = int(np.isnan(flat[places]).sum())
    first = tuple(int(i) for i in np.unravel_index(int(places[0]), array.shape))
    infinite = len(places) - nan
    raise DataError(
        explain(
            f"{name} must hold finite numbers.",
            received=f"{nan} NaN and {infinite} infinite of {flat.size} elements, the first at index {first}",
            fix='Drop or fill them, or allow them with gputrain.config.set_nan_inputs("allow").',
        )
    )


class Batches:
    """Row numbers of the batches of each epoch.

    A shuffled epoch is the stable argsort of Philox words for (seed, "shuffle", epoch), the same everywhere.

    Args:
        count: number of rows.
        batch_size: rows of a batch; the last may have fewer.
        shuffle: whether each epoch takes them in an order of its own; "batch" draws only the order of the
            batches, of which a shorter one stays the last.
    """

    def __init__(self, count: int, batch_size: int, shuffle: bool | str) -> None:
        self.count, self.batch_size, self.shuffle = count, batch_size, shuffle

    @property
    def steps(self) -> int:
        """The batches of an epoch."""
        return -(-self.count // self.batch_size)

    def order(self, epoch: int) -> np.ndarray:
        """All rows in the order of an epoch."""
        if not self.shuffle:
            return np.arange(self.count)
        size = self.batch_size if self.shuffle == "batch" else 1
        drawn = philox.permutation(self.count // size, config.seed(), philox.stream_id("shuffle"), epoch)
        if size == 1:
            return drawn
        rows = drawn[:, None] * size + np.arange(size)
        return np.concatenate([rows.ravel(), np.arange(rows.size, self.count)])
