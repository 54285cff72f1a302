"""Divides samples into parts, by a seed of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gputrain.errors import DataError
from gputrain.names import listed
from gputrain.utils import philox

Array = NDArray[Any]
Indices = NDArray[np.int64]


def split(
    labels: Array | None, count: int, fraction: float, seed: int, what: str, names: Sequence[str] = ()
) -> tuple[Indices, Indices]:
    """Divide samples in two: the rest, and the share `fraction`.

    Args:
        labels: int (count,), of which each part gets its share; None does not look at classes.
        count: number of samples.
        fraction: above 0 and below 1.
        seed: the same seed gives the same division.
        what: "validation" or "test": the name of the second part, and of the stream of random numbers.
        names: what the classes are called, for errors.

    Returns:
        The indices of the first and of the second part, int64, each ascending.

    Raises:
        DataError: a class, or all of it, has too few samples to stand in both parts.
    """
    if labels is not None:
        _require_two_of_each(labels, what, names)
    elif count < 2:
        raise DataError(f"Training and {what} need a sample each.", received=f"{count} sample(s)")
    return stratified_split(_one_class(count) if labels is None else labels, fraction, seed, what)


def stratified_split(
    labels: Array, fraction: float, seed: int, what: str = "validation"
) -> tuple[Indices, Indices]:
    """Divide samples in two so that each class has the share `fraction` in the second part.

    A class gives round(share) samples, at least one if it has two, and always keeps one in the first part.

    Args:
        labels: integers, shape (n,).
        fraction: from 0 to below 1.
        seed: the same seed gives the same division.
        what: name of the stream of random numbers.

    Returns:
        The indices of the first and of the second part, int64, each ascending.

    Example:
        >>> stratified_split(np.array([0, 0, 1, 1]), 0.5, seed=1)[0].size
        2
    """
    order = philox.permutation(len(labels), seed, philox.stream_id(f"recipe/{what}"), 0)
    held = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = order[labels[order] == label]
        count = min(max(round(len(members) * fraction), 1), len(members) - 1)
        held[members[:count]] = True
    return np.flatnonzero(~held), np.flatnonzero(held)


def some(labels: Array | None, count: int, wanted: int, seed: int) -> Indices:
    """Return the indices of `wanted` of `count` samples, of each class its share, ascending.

    Raises:
        DataError: there are fewer.
    """
    if wanted > count:
        rule = "data.train_samples cannot be more than there are to train on."
        raise DataError(rule, expected=f"at most {count}", received=wanted)
    order = philox.permutation(count, seed, philox.stream_id("recipe/train_samples"), 0)
    # The k-th of a class's n samples stands at (k + 1/2) / n: taking the lowest takes shares of all classes.
    place = np.empty(count)
    labels = _one_class(count) if labels is None else labels
    for label in np.unique(labels):
        members = order[labels[order] == label]
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    return np.sort(order[np.argsort(place[order], kind="stable")[:wanted]])


def _one_class(count: int) -> Indices:
    return np.zeros(count, np.int64)


def _require_two_of_each(labels: Array, what: str, names: Sequence[str]) -> None:
    numbers, counts = np.unique(labels, return_counts=True)
    alone = [str(names[number]) if names else str(number) for number in numbers[counts < 2]]
    if alone:
        rule = f"Training and {what} need a sample of each class."
        fix = "Add samples of it, remove it, or set data.stratify = false."
        raise DataError(rule, received=f"a single one of {listed(list(map(repr, alone)), 5)}", fix=fix)
