"""Class labels: ranges, class weights, and held-out validation samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import config
from ..errors import DataError, explain
from ..utils import tree
from ..utils.notes import note
from .arrays import Arrays


@dataclass(frozen=True)
class LabelRange:
    """Class indices one output takes: its name, its place among the targets, the number of classes."""

    output: str
    index: int
    classes: int


def check_labels(arrays: Arrays, ranges: Sequence[LabelRange]) -> None:
    """Refuse class indices outside 0..classes-1, the same on every device, before the first step.

    Raises:
        DataError: with the smallest, the largest, and the first bad label's place.
    """
    targets = tree.flatten(arrays.y)
    for limit in ranges:
        y = arrays.y[limit.output] if isinstance(arrays.y, dict) else targets[limit.index]
        if y is None or y.dtype.kind not in "iuf" or y.size == 0:
            continue
        low, high = y.min(), y.max()
        if low >= 0 and high < limit.classes:
            continue
        first = int(np.flatnonzero((y < 0) | (y >= limit.classes))[0])
        raise DataError(
            explain(
                f"Output {limit.output!r} has {limit.classes} classes, so labels must lie in 0..{limit.classes - 1}.",
                received=f"labels from {low} to {high}; the first outside is {y.reshape(-1)[first]} at sample {first}",
                fix="Give the last layer one unit per class, or renumber the labels from 0.",
            )
        )


def class_weights(arrays: Arrays, given: Any) -> Arrays:
    """The arrays with a weight per sample that follows from its class.

    Args:
        given: {class: weight} for every class that occurs, or "balanced": samples / (classes * count).

    Raises:
        DataError: several outputs, targets that are not classes, unknown or missing classes.
    """
    if isinstance(arrays.y, dict | list | tuple) or arrays.y is None:
        raise DataError(
            explain(
                "class_weight works for models with one target.",
                received=f"{len(tree.flatten(arrays.y))} targets" if arrays.y is not None else "no y",
                fix="Pass sample_weight instead, one array per output.",
            )
        )
    labels = _labels(arrays.y)
    present, counts = np.unique(labels, return_counts=True)
    table = _balanced(present, counts) if given == "balanced" else _checked_table(given, present)
    weights = np.zeros(int(present.max()) + 1, config.floatx())
    for key, value in table.items():
        if key <= present.max():
            weights[key] = value
    per_sample = weights[labels]
    if arrays.sample_weight is not None:
        per_sample = per_sample * arrays.sample_weight.reshape(per_sample.shape)
    return Arrays(arrays.x, arrays.y, per_sample)


def _labels(y: np.ndarray) -> np.ndarray:
    """Class of each sample: integers as they are, one-hot rows by their maximum."""
    if y.ndim > 1 and y.shape[-1] > 1:
        if y.ndim > 2:
            raise DataError(explain("class_weight needs one class per sample.", received=f"y of shape {y.shape}"))
        return y.argmax(-1)
    flat = y.reshape(len(y), -1)
    if flat.shape[1] != 1 or (flat != np.floor(flat)).any() or (flat < 0).any():
        raise DataError(
            explain("class_weight needs class indices or one-hot rows.", received=f"{y.dtype} y of shape {y.shape}")
        )
    return flat[:, 0].astype(np.int64)


def _balanced(present: np.ndarray, counts: np.ndarray) -> dict[int, float]:
    table = {int(c): float(counts.sum() / (len(present) * n)) for c, n in zip(present, counts, strict=True)}
    said = ", ".join(f"{c}: {w:.4g}" for c, w in list(table.items())[:10])
    note(f'class_weight="balanced": weight = samples / (classes * samples of the class): {said}.')
    return table


def _checked_table(given: Any, present: np.ndarray) -> dict[int, float]:
    if not isinstance(given, dict):
        raise DataError(explain('class_weight is {class: weight} or "balanced".', received=repr(given)))
    classes = {int(c) for c in present}
    table: dict[int, float] = {}
    for key, value in given.items():
        if isinstance(key, bool) or not isinstance(key, int | np.integer) or int(key) not in classes:
            raise DataError(
                explain("class_weight names a class that does not occur in y.", expected=sorted(classes), received=repr(key))
            )
        if not np.isfinite(value) or value < 0:
            raise DataError(explain("A class weight is a non-negative number.", received=f"{key}: {value}"))
        table[int(key)] = float(value)
    missing = sorted(classes - set(table))
    if missing:
        raise DataError(
            explain("class_weight must name every class that occurs in y.", expected=sorted(classes), received=sorted(table))
        )
    return table


def split_validation(x: Any, y: Any, sample_weight: Any, share: float) -> tuple[tuple[Any, Any, Any], tuple[Any, Any, Any]]:
    """Hold out the last `share` of the samples, unshuffled, as Keras does.

    Says so if a class is missing from the held-out samples, as happens with sorted data.

    Raises:
        DataError: not arrays, or one part would be empty.
    """
    leaves = [a for a in tree.flatten((x, y, sample_weight)) if a is not None]
    if not all(hasattr(a, "__len__") for a in leaves) or not leaves:
        raise DataError(explain("validation_split needs arrays.", fix="Pass validation_data instead."))
    is_list_of_numbers = isinstance(x, list) and not hasattr(x[0], "__len__")
    x = np.asarray(x) if is_list_of_numbers else x
    count = len(tree.flatten(x)[0])
    kept = int(count * (1.0 - share))
    if kept in (0, count):
        raise DataError(
            explain(f"validation_split={share} of {count} samples leaves one part empty.", fix="Pass validation_data instead.")
        )

    def part(rows: slice) -> tuple[Any, Any, Any]:
        return tuple(  # type: ignore[return-value]
            tree.map_leaves(lambda a: None if a is None else np.asarray(a)[rows], s) for s in (x, y, sample_weight)
        )

    train, held_out = part(slice(0, kept)), part(slice(kept, None))
    _note_missing_classes(train[1], held_out[1])
    return train, held_out


def _note_missing_classes(train: Any, held_out: Any) -> None:
    if not isinstance(train, np.ndarray) or train.dtype.kind not in "iu" or train.size != len(train):
        return
    classes = np.unique(train)
    if len(classes) > 1000:
        return
    missing = sorted(set(classes.tolist()) - set(np.unique(held_out).tolist()))
    if missing:
        note(
            f"validation_split takes the last samples unshuffled; classes {missing[:10]} do not occur among them. "
            "Shuffle the data first, or pass a stratified validation_data."
        )
