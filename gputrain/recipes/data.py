"""The data section of a recipe, turned into arrays for training, validation and test."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gputrain.datasets import digits, fashion_mnist, mnist
from gputrain.random import philox
from gputrain.recipes.errors import Source

Array = NDArray[Any]
Pair = tuple[Array, Array]


@dataclass(frozen=True)
class DatasetEntry:
    """One data set that a recipe may name.

    Attributes:
        load: returns ((x_train, y_train), (x_test, y_test)).
        shape: the shape of one sample.
        scale: the largest input value.
    """

    load: Callable[[], tuple[Pair, Pair]]
    shape: tuple[int, ...]
    scale: float


DATASETS = {
    "digits": DatasetEntry(digits.load_data, (8, 8), 16.0),
    "fashion_mnist": DatasetEntry(fashion_mnist.load_data, (28, 28), 255.0),
    "mnist": DatasetEntry(mnist.load_data, (28, 28), 255.0),
}


@dataclass(frozen=True)
class Splits:
    """Inputs (float32, samples first) and integer labels of the three parts; validation may be None."""

    train: Pair
    validation: Pair | None
    test: Pair


def resolve(section: dict[str, Any], source: Source) -> dict[str, Any]:
    """Return the checked data section with the data set's own defaults filled in.

    Raises:
        RecipeError: `reshape` does not hold as many numbers as a sample has.
    """
    entry = DATASETS[section["dataset"]]
    shape = list(section.get("reshape", entry.shape))
    if math.prod(shape) != math.prod(entry.shape):
        raise source.error(
            "data.reshape",
            f"A sample of {section['dataset']} has the shape {entry.shape}.",
            expected=f"sizes whose product is {math.prod(entry.shape)}, as {[*entry.shape, 1]}",
            received=f"{shape}, product {math.prod(shape)}",
        )
    return {
        "dataset": section["dataset"],
        "scale": float(section.get("scale", entry.scale)),
        "reshape": shape,
        "validation_fraction": float(section["validation_fraction"]),
    }


def load(section: dict[str, Any], seed: int) -> Splits:
    """Load the data set of a resolved data section and prepare it.

    Args:
        section: as `resolve` returns it.
        seed: decides which training samples are held out for validation.

    Raises:
        OSError: the data set is neither on this machine nor to be had.
        ValueError: its files are damaged.
    """
    (x_train, y_train), (x_test, y_test) = DATASETS[section["dataset"]].load()
    x_train, x_test = (_prepared(x, section) for x in (x_train, x_test))
    fraction = section["validation_fraction"]
    if not fraction:
        return Splits((x_train, y_train), None, (x_test, y_test))
    kept, held = stratified_split(y_train, fraction, seed)
    return Splits((x_train[kept], y_train[kept]), (x_train[held], y_train[held]), (x_test, y_test))


def stratified_split(
    labels: Array, fraction: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Divide samples in two so that each class has the share `fraction` in the second part.

    A class gives round(share) samples, at least one if it has two, and always keeps one in the first part.

    Args:
        labels: integers, shape (n,).
        fraction: from 0 to below 1.
        seed: the same seed gives the same division.

    Returns:
        The indices of the first and of the second part, int64, each ascending.

    Example:
        >>> stratified_split(np.array([0, 0, 1, 1]), 0.5, seed=1)[0].size
        2
    """
    order = philox.permutation(len(labels), seed, philox.stream_id("recipe/validation"), 0)
    held = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = order[labels[order] == label]
        count = min(max(round(len(members) * fraction), 1), len(members) - 1)
        held[members[:count]] = True
    return np.flatnonzero(~held), np.flatnonzero(held)


def _prepared(x: Array, section: dict[str, Any]) -> Array:
    scaled = x.astype(np.float32)
    scaled /= np.float32(section["scale"])
    return scaled.reshape(len(x), *section["reshape"])
