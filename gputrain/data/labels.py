"""Class labels: ranges, class weights, and held-out validation samples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gputrain import config
from gputrain.data.arrays import Arrays, on_host
from gputrain.errors import DataError, explain
from gputrain.utils import tree
from gputrain.utils.notes import note


@dataclass(frozen=True)
class LabelRange:
    """What the targets of one output may be.

    Attributes:
        output: name of the output.
        index: its place among the outputs.
        classes: class indices lie in 0..classes-1; None means numbers from 0 to 1.
        ignored: a class index that may come beside them.
    """

    output: str
    index: int
    classes: int | None
    ignored: int | None = None


def check_labels(targets: Sequence[Any], ranges: Sequence[LabelRange]) -> None:
    """Refuse targets outside their range, the same on every device, before the first step.

    Args:
        targets: the target array of each output, None where there is none.
        ranges: what they may be.

    Raises:
        DataError: with the smallest, the largest, and the first bad one's place.
    """
    for limit in ranges:
        y = targets[limit.index]
        if y is None or y.size == 0:
            continue
        y = on_host(y)
        if limit.classes is None:
            _check_shares(y, limit)
        else:
            _check_indices(y, limit, limit.classes)


def _check_shares(y: np.ndarray, limit: LabelRange) -> None:
    low, high = y.min(), y.max()
    if low >= 0 and high <= 1:
        return
    raise DataError(
        explain(
            f"Output {limit.output!r}: targets of binary_crossentropy must lie in 0..1.",
            received=f"targets from {low} to {high}; the first outside is {first_in(y, (y < 0) | (y > 1))}",
            fix="Renumber two classes to 0 and 1; for more classes use sparse_categorical_crossentropy.",
        )
    )


def _check_indices(y: np.ndarray, limit: LabelRange, classes: int) -> None:
    counted = y if limit.ignored is None else y[y != limit.ignored]
    if counted.size == 0:
        return
    if y.dtype.kind == "f" and not np.array_equal(counted, np.floor(counted)):
        raise DataError(
            explain(
                f"Output {limit.output!r}: class indices must be whole numbers.",
                received=f"{y.dtype} labels, the first that is not whole is {first_in(y, y != np.floor(y))}",
                fix="Convert labels to integers; for numbers to predict use a regression loss such as mse.",
            )
        )
    low, high = counted.min(), counted.max()
    if low >= 0 and high < classes:
        return
    outside = ((y < 0) | (y >= classes)) & (y != limit.ignored if limit.ignored is not None else True)
    raise DataError(
        explain(
            f"Output {limit.output!r} has {classes} class{'es' * (classes != 1)}, so labels must lie in "
            f"0..{classes - 1}.",
            received=f"labels from {low} to {high}; the first outside is {first_in(y, outside)}",
            fix="Give the last layer one unit per class, or renumber the labels from 0.",
        )
    )


def first_in(y: np.ndarray, where: np.ndarray) -> str:
    """The first element where a condition holds, and its sample."""
    index = np.unravel_index(int(np.flatnonzero(where)[0]), y.shape)
    return f"{y[index]} at sample {int(index[0])}"


def class_weights(arrays: Arrays, given: Any, classes: int | None = None) -> Arrays:
    """The arrays with a weight per sample that follows from its class.

    Args:
        given: {class: weight}, where a class left out weighs 1, or "balanced": samples / (classes * count).
        classes: number of classes of the model's output, where it is known.

    Raises:
        DataError: several outputs, targets that are not classes, a class that does not exist.
    """
    if isinstance(given, Mapping) and not given:
        return arrays
    if isinstance(arrays.y, dict | list | tuple) or arrays.y is None:
        raise DataError(
            explain(
                "class_weight works for models with one target.",
                received=f"{len(tree.flatten(arrays.y))} targets" if arrays.y is not None else "no y",
                fix="Pass sample_weight instead, one array per output.",
            )
        )
    labels = _labels(on_host(arrays.y))
    known = max(int(labels.max()) + 1, classes or 0, arrays.y.shape[-1] if arrays.y.ndim == 2 else 0)
    present, counts = np.unique(labels, return_counts=True)
    is_balanced = isinstance(given, str) and given == "balanced"
    table = _balanced(present, counts) if is_balanced else _checked_table(given, present, known)
    weights = np.ones(known, config.floatx())
    weights[list(table)] = list(table.values())
    per_sample = weights[labels]
    if arrays.sample_weight is not None:
        per_sample = per_sample * on_host(arrays.sample_weight).reshape(per_sample.shape)
    return Arrays(arrays.x, arrays.y, per_sample)


def _labels(y: np.ndarray) -> np.ndarray:
    """Class of each sample: integers as they are, one-hot rows by their maximum."""
    if y.ndim > 1 and y.shape[-1] > 1:
        if y.ndim > 2:
            raise DataError(
                explain("class_weight needs one class per sample.", received=f"y of shape {y.shape}")
            )
        return y.argmax(-1)
    flat = y.reshape(len(y), -1)
    if flat.shape[1] != 1 or (flat != np.floor(flat)).any() or (flat < 0).any():
        raise DataError(
            explain(
                "class_weight needs class indices or one-hot rows.",
                received=f"{y.dtype} y of shape {y.shape}",
            )
        )
    return flat[:, 0].astype(np.int64)


def _balanced(present: np.ndarray, counts: np.ndarray) -> dict[int, float]:
    table = {int(c): float(counts.sum() / (len(present) * n)) for c, n in zip(present, counts, strict=True)}
    said = ", ".join(f"{c}: {w:.4g}" for c, w in list(table.items())[:10])
    note(f'class_weight="balanced": weight = samples / (classes * samples of the class): {said}.')
    return table


def _checked_table(given: Any, present: np.ndarray, known: int) -> dict[int, float]:
    if not hasattr(given, "items"):
        raise DataError(explain('class_weight is {class: weight} or "balanced".', received=repr(given)))
    table: dict[int, float] = {}
    for key, value in given.items():
        number = isinstance(key, int | float | np.number) and not isinstance(key, bool)
        whole = number and float(key).is_integer()
        if not whole or not 0 <= key < known:
            rule = "class_weight names a class that does not exist."
            raise DataError(explain(rule, expected=f"integers in 0..{known - 1}", received=repr(key)))
        if isinstance(value, str) or not np.isfinite(value) or value < 0:
            raise DataError(explain("A class weight is a non-negative number.", received=f"{key}: {value!r}"))
        table[int(key)] = float(value)
    missing = sorted({int(c) for c in present} - set(table))
    if missing:
        note(f"class_weight does not name classes {missing[:10]}, which occur in y; they weigh 1.")
    return table


def split_validation(arrays: Arrays, share: float) -> tuple[Arrays, Arrays]:
    """Hold out the last `share` of the samples, unshuffled, as Keras does.

    Says so if a class is missing from the held-out samples, as happens with sorted data.

    Raises:
        DataError: one part would be empty.
    """
    kept = math.floor(arrays.count * (1.0 - share))
    if kept in (0, arrays.count):
        raise DataError(
            explain(
                f"validation_split={share} of {arrays.count} samples leaves one part empty.",
                fix="Pass validation_data instead.",
            )
        )
    train, held_out = arrays.part(slice(0, kept)), arrays.part(slice(kept, None))
    _note_missing_classes(train.y, held_out.y)
    return train, held_out


def _note_missing_classes(train: Any, held_out: Any) -> None:
    if not hasattr(train, "dtype"):
        return
    seen, held = _classes(on_host(train)), _classes(on_host(held_out))
    if seen is None or held is None:
        return
    missing = sorted(seen - held)
    if missing:
        note(
            f"validation_split takes the last samples unshuffled; classes {missing[:10]} do not occur among "
            "them. Shuffle the data first, or pass a stratified validation_data."
        )


def _classes(y: np.ndarray) -> set[int] | None:
    """The classes that occur, given as indices or as one-hot rows; None for other targets."""
    if y.dtype.kind in "iub" and y.size == len(y):
        found = np.unique(y)
    elif y.ndim == 2 and y.shape[1] > 1 and ((y == 0) | (y == 1)).all() and (y.sum(1) == 1).all():
        found = np.unique(y.argmax(1))
    else:
        return None
    return {int(c) for c in found} if len(found) <= 1000 else None
