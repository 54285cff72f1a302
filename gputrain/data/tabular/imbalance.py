"""Rare classes: as many samples as of the others, or decisions that weigh what a mistake costs."""

from __future__ import annotations

import reprlib
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gputrain.errors import DataError
from gputrain.names import did_you_mean
from gputrain.utils import philox

Method = Literal["oversample", "undersample"]


def resample(labels: ArrayLike, method: Method, seed: int) -> NDArray[np.int64]:
    """Choose samples so that every class has equally many.

    Args:
        labels: class indices (n,).
        method: "oversample" keeps every sample and repeats those of rarer classes, each equally often but
            for one, until all have as many as the largest; "undersample" leaves samples out until all have as
            many as the smallest.
        seed: the same seed gives the same choice and order.

    Returns:
        Indices of samples, int64, in shuffled order.

    Raises:
        DataError: an unknown method, or labels that are not integers (n,).

    Example:
        >>> sorted(resample(np.array([0, 0, 0, 1]), "oversample", seed=1).tolist())
        [0, 1, 2, 3, 3, 3]
    """
    if method not in get_args(Method):
        raise DataError(f"resample: no method {method!r}. {did_you_mean(str(method), get_args(Method))}")
    classes = np.asarray(labels)
    if classes.ndim != 1 or classes.dtype.kind not in "iu" or not classes.size:
        received = f"{classes.dtype} of shape {classes.shape}"
        raise DataError("resample: labels are integers, shape (n,), n >= 1.", received=received)
    stream = philox.stream_id("tabular/resample")
    order = philox.permutation(len(classes), seed, stream, 0)
    counts = np.unique(classes, return_counts=True)[1]
    wanted = int(counts.max() if method == "oversample" else counts.min())
    chosen = [np.resize(order[classes[order] == label], wanted) for label in np.unique(classes)]
    return np.concatenate(chosen)[philox.permutation(wanted * len(counts), seed, stream, 1)]


def check_cost_matrix(matrix: ArrayLike, classes: int) -> NDArray[np.float64]:
    """Return a cost matrix as float64 (classes, classes).

    Args:
        matrix: row i, column j holds what it costs to say class j where class i is right.
        classes: number of classes.

    Raises:
        DataError: another shape, a cost that is negative or not finite, or a right answer that costs.

    Example:
        >>> check_cost_matrix([[0, 1], [20, 0]], 2).shape
        (2, 2)
    """
    try:
        costs = np.asarray(matrix, np.float64)
    except (TypeError, ValueError) as error:
        raise DataError("A cost matrix holds numbers.", received=reprlib.repr(matrix)) from error
    if costs.shape != (classes, classes):
        rule = "A cost matrix has a row for each true class and a column for each decision."
        raise DataError(rule, expected=f"shape {(classes, classes)}", received=f"shape {costs.shape}")
    wrong = np.argwhere(~np.isfinite(costs) | (costs < 0.0))
    if wrong.size:
        row, column = (int(place) for place in wrong[0])
        received = f"{costs[row, column]:g} in row {row}, column {column} (from 0)"
        raise DataError("Costs are finite and not negative.", received=received)
    if costs.diagonal().any():
        received = f"a diagonal of {costs.diagonal().tolist()[:20]}"
        fix = "Subtract from each row its diagonal value: that changes no decision."
        raise DataError("A right decision costs nothing.", expected="zeros", received=received, fix=fix)
    return costs


def decide(probabilities: ArrayLike, cost_matrix: ArrayLike) -> NDArray[np.int64]:
    """Decide for the class with the least expected cost: argmin over j of sum over i of p_i C[i, j].

    Source: C. Elkan, "The foundations of cost-sensitive learning", IJCAI 2001.

    Args:
        probabilities: (n, classes), or the probability of class 1, (n, 1), of a model with one sigmoid unit.
        cost_matrix: as in `check_cost_matrix`.

    Returns:
        Class indices, int64 (n,); the lowest of equals.

    Raises:
        DataError: shapes that do not fit, probabilities that are not from 0 to 1, or a bad cost matrix.

    Example:
        >>> decide([[0.9, 0.1]], [[0, 1], [20, 0]]).tolist()
        [1]
    """
    shares = np.asarray(probabilities, np.float64)
    if shares.ndim != 2 or not shares.shape[1]:
        raise DataError("decide: probabilities have the shape (n, classes).", received=shares.shape)
    if not ((shares >= 0.0) & (shares <= 1.0 + 1e-5)).all():
        received = f"numbers from {shares.min():g} to {shares.max():g}"
        fix = "Put softmax or sigmoid behind the logits."
        raise DataError("decide: probabilities lie in 0..1.", received=received, fix=fix)
    if shares.shape[1] == 1:
        shares = np.hstack([1.0 - shares, shares])
    costs = check_cost_matrix(cost_matrix, shares.shape[1])
    return (shares @ costs).argmin(axis=1).astype(np.int64, copy=False)
