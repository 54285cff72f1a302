"""Missing numbers predicted from the other inputs, by chained ridge regressions.

Source: S. van Buuren, K. Groothuis-Oudshoorn, "mice: Multivariate Imputation by Chained Equations in R",
Journal of Statistical Software 45(3), 2011; here one deterministic imputation by the regressions' means.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gputrain.data.tabular import configs
from gputrain.utils.plain import Described

ROUNDS = 10
RIDGE = 1e-3
# The most correlated inputs say nearly all there is to say; more of them cost time and add noise.
MAX_PREDICTORS = 50
MAX_ROWS = 20_000

Numbers = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ChainedRegressions(Described):
    """A regression for each numeric input, over standardized inputs.

    Attributes:
        targets: which inputs are predicted, int64 (t,), in the order of prediction.
        centre: mean of each input, float64 (width,).
        size: standard deviation of each input, float64 (width,).
        predictors: inputs that each regression uses, int64 (t, k).
        weights: their coefficients, float64 (t, k).
        intercepts: float64 (t,).
        lowest, highest: bounds of each prediction, float64 (t,).
    """

    targets: Indices
    centre: Numbers
    size: Numbers
    predictors: Indices
    weights: Numbers
    intercepts: Numbers
    lowest: Numbers
    highest: Numbers

    def fill(self, values: Numbers) -> Numbers:
        """Return `values`, float64 (n, width), with predictions where a target is NaN; other NaN stay."""
        gaps = np.isnan(values)
        rows = np.flatnonzero(gaps[:, self.targets].any(axis=1))
        gaps = gaps[rows]
        part = np.where(gaps, 0.0, (values[rows] - self.centre) / self.size)
        for _ in range(ROUNDS):
            for number in range(len(self.targets)):
                self._predict(number, part, gaps)
        filled = values.copy()
        back = part[:, self.targets] * self.size[self.targets] + self.centre[self.targets]
        filled[np.ix_(rows, self.targets)] = np.where(
            gaps[:, self.targets], back, values[np.ix_(rows, self.targets)]
        )
        return filled

    def _predict(self, number: int, part: Numbers, gaps: NDArray[np.bool_]) -> None:
        target = self.targets[number]
        rows = np.flatnonzero(gaps[:, target])
        if rows.size:
            known = part[np.ix_(rows, self.predictors[number])]
            predicted = known @ self.weights[number] + self.intercepts[number]
            part[rows, target] = np.clip(predicted, self.lowest[number], self.highest[number])


def fit_chain(values: Numbers, targets: Indices) -> ChainedRegressions:
    """Learn the regressions.

    Args:
        values: inputs of the training rows, float64 (n, width), NaN where missing. At most 20,000 rows,
            evenly spread, are used.
        targets: the inputs to predict.
    """
    if len(values) > MAX_ROWS:
        values = values[np.linspace(0, len(values) - 1, MAX_ROWS).astype(np.int64)]
    gaps = np.isnan(values)
    centre, size = _moments(values, gaps)
    part = np.where(gaps, 0.0, (values - centre) / size)
    targets = targets[np.argsort(gaps[:, targets].sum(axis=0), kind="stable")]
    predictors = _predictors(part, targets)
    chain = ChainedRegressions(
        targets, centre, size, predictors,
        np.zeros(predictors.shape), np.zeros(len(targets)),
        part[:, targets].min(axis=0), part[:, targets].max(axis=0),
    )  # fmt: skip
    with_gaps = gaps[:, targets].any(axis=0)
    for _ in range(ROUNDS):
        for number in np.flatnonzero(with_gaps).tolist():
            _regress(chain, number, part, gaps)
            chain._predict(number, part, gaps)
    for number in np.flatnonzero(~with_gaps).tolist():
        _regress(chain, number, part, gaps)
    return chain


def _moments(values: Numbers, gaps: NDArray[np.bool_]) -> tuple[Numbers, Numbers]:
    """Mean and standard deviation of what is there; 0 and 1 where there is nothing, 1 for a constant."""
    counts = np.maximum((~gaps).sum(axis=0), 1)
    centre = np.where(gaps, 0.0, values).sum(axis=0) / counts
    size = np.sqrt((np.where(gaps, 0.0, values - centre) ** 2).sum(axis=0) / counts)
    return centre, np.where(size > 1e-12 * np.abs(centre), size, 1.0)


def _predictors(part: Numbers, targets: Indices) -> Indices:
    """For each target the inputs that are most correlated with it, itself left out, int64 (t, k)."""
    strength = np.abs(part[:, targets].T @ part)
    strength[np.arange(len(targets)), targets] = -1.0
    count = min(MAX_PREDICTORS, part.shape[1] - 1)
    return np.argsort(-strength, axis=1, kind="stable")[:, :count].astype(np.int64, copy=False)


def _regress(chain: ChainedRegressions, number: int, part: Numbers, gaps: NDArray[np.bool_]) -> None:
    """Set the coefficients of one regression from the rows in which its target is known."""
    target = chain.targets[number]
    rows = np.flatnonzero(~gaps[:, target])
    if not rows.size:
        return
    known, wanted = part[np.ix_(rows, chain.predictors[number])], part[rows, target]
    means, mean = known.mean(axis=0), wanted.mean()
    known -= means
    gram = known.T @ known
    gram[np.diag_indices_from(gram)] += RIDGE * len(rows) + 1.0
    weights = np.linalg.solve(gram, known.T @ (wanted - mean))
    chain.weights[number] = weights
    chain.intercepts[number] = mean - means @ weights


def chain_from_config(config: Any, where: str, width: int) -> ChainedRegressions:
    """Return the regressions over `width` inputs that `to_config` described, or raise DataError."""
    found = configs.fields(config, where, ChainedRegressions.__dataclass_fields__)
    count = len(configs.items(found["targets"], f"{where}.targets"))
    used = min(MAX_PREDICTORS, width - 1)
    shapes = {
        "centre": (width,), "size": (width,), "weights": (count, used),
        "intercepts": (count,), "lowest": (count,), "highest": (count,),
    }  # fmt: skip
    arrays = {name: configs.numbers(found[name], f"{where}.{name}", shape) for name, shape in shapes.items()}
    if (arrays["size"] <= 0).any():
        raise configs.broken(f"{where}.size", "numbers above 0", found["size"])
    if (arrays["lowest"] > arrays["highest"]).any():
        raise configs.broken(f"{where}.lowest", "at most `highest`", found["lowest"])
    targets = configs.indices(found["targets"], f"{where}.targets", (count,), width)
    predictors = configs.indices(found["predictors"], f"{where}.predictors", (count, used), width)
    return ChainedRegressions(targets=targets, predictors=predictors, **arrays)
