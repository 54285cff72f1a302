"""Figures of merit of a regression on test data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gputrain.app.reporting.classification import WORST
from gputrain.errors import DataError
from gputrain.metrics.counting import Floats


@dataclass(frozen=True)
class RegressionAssessment:
    """How near predicted numbers come to the true ones; `assess_regression` makes it.

    Attributes:
        names: names of the k targets.
        predictions: (n, k) float64.
        targets: (n, k) float64.
        per_target: for each target its name, mae, rmse and r2.
        mae: mean absolute error, the mean over the targets; so are the next two.
        rmse: root of the mean squared error.
        r2: coefficient of determination. For a target that is constant: 1 when met exactly, otherwise 0.
        worst: indices of the samples with the largest errors, worst first, at most 24. Of several targets
            counts the one with the largest error in units of its standard deviation.
    """

    names: tuple[str, ...]
    predictions: Floats
    targets: Floats
    per_target: list[dict[str, Any]]
    mae: float
    rmse: float
    r2: float
    worst: NDArray[np.int64]

    def metrics(self) -> dict[str, float]:
        """Return the figures for metrics.json: mae, rmse, r2, and for several targets mae_<name> ... too."""
        figures = {"mae": self.mae, "rmse": self.rmse, "r2": self.r2}
        targets = self.per_target if len(self.names) > 1 else []
        return figures | {f"{key}_{row['name']}": row[key] for row in targets for key in figures}

    def worst_rows(self) -> list[dict[str, Any]]:
        """Return the worst samples in numbers: sample, true, predicted and error.

        For several targets each column carries the target's name.
        """
        return [{"sample": int(i), **self._compared(int(i))} for i in self.worst]

    def _compared(self, index: int) -> dict[str, float]:
        row: dict[str, float] = {}
        for name, true, predicted in zip(
            self.names, self.targets[index], self.predictions[index], strict=True
        ):
            figures = {"true": true, "predicted": predicted, "error": predicted - true}
            label = f" {name}" if len(self.names) > 1 else ""
            row |= {f"{key}{label}": float(value) for key, value in figures.items()}
        return row


def assess_regression(
    predictions: ArrayLike, targets: ArrayLike, names: Sequence[str]
) -> RegressionAssessment:
    """Compare predicted numbers with the true ones.

    Args:
        predictions: floats (n,) or (n, k). NaN makes the figures NaN, and its samples the worst.
        targets: the true numbers, (n,) or (n, k).
        names: the names of the k targets.

    Returns:
        The figures; r2 is 1 - sum((t - p)^2) / sum((t - mean(t))^2).

    Raises:
        DataError: shapes or dtypes that do not belong together.

    Example:
        >>> assess_regression([1.0, 2.0, 4.0], [1.0, 2.0, 3.0], ["price"]).metrics()["r2"]
        0.5
    """
    given, truth = _columns(predictions, "predictions", names), _columns(targets, "targets", names)
    if given.shape != truth.shape:
        rule = "predictions and targets must be of the same samples."
        raise DataError(rule, expected=f"{len(truth)} predictions", received=len(given))
    errors = given - truth
    rmse = np.sqrt(np.square(errors).mean(0))
    figures = {"mae": np.abs(errors).mean(0), "rmse": rmse, "r2": _r2(errors, truth)}
    return RegressionAssessment(
        names=tuple(str(name) for name in names),
        predictions=given,
        targets=truth,
        per_target=[
            {"name": str(name), **{key: float(values[i]) for key, values in figures.items()}}
            for i, name in enumerate(names)
        ],
        **{key: float(values.mean()) for key, values in figures.items()},
        worst=_worst(errors, truth),
    )


def _columns(values: ArrayLike, what: str, names: Sequence[str]) -> Floats:
    given = np.asarray(values)
    columns = given[:, None] if given.ndim == 1 else given
    if columns.ndim != 2 or columns.shape[1] != len(names) or not given.size or given.dtype.kind not in "fiu":
        raise DataError(
            f"{what} must hold a number for each sample and each of the {len(names)} named target(s).",
            expected=f"numbers (n, {len(names)})" + (" or (n,)" if len(names) == 1 else ""),
            received=f"{given.dtype} {given.shape}",
        )
    return columns.astype(np.float64)


def _r2(errors: Floats, truth: Floats) -> Floats:
    residual = np.square(errors).sum(0)
    total = np.square(truth - truth.mean(0)).sum(0)
    constant = np.where(residual == 0, 1.0, 0.0)
    return np.where(total == 0, constant, 1 - residual / np.where(total == 0, 1.0, total))


def _worst(errors: Floats, truth: Floats) -> NDArray[np.int64]:
    spread = truth.std(0)
    scaled = np.abs(errors) / np.where(spread > 0, spread, 1.0)
    largest = np.where(np.isnan(scaled), np.inf, scaled).max(1)
    return np.argsort(-largest, kind="stable")[:WORST]
