"""Maps of one numeric column to inputs of a common size, learned from the training rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gputrain.data.tabular import configs
from gputrain.data.tabular.settings import Scale
from gputrain.utils.plain import Described

MAX_QUANTILES = 255
# Of less spread, float32 has no numbers; the column counts as constant.
_LEAST_SPREAD = float(np.finfo(np.float32).tiny)
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Linear(Described):
    """(value - centre) / size."""

    centre: float
    size: float

    def __call__(self, values: Numbers) -> Numbers:
        return (values - self.centre) / self.size


@dataclass(frozen=True, eq=False)
class Quantiles(Described):
    """Values to the scores of a normal distribution, linear between the known quantiles, level beyond them.

    Attributes:
        knots: values, float64 (k,), ascending, each once.
        scores: float64 (k,), ascending.
    """

    knots: Numbers
    scores: Numbers

    def __call__(self, values: Numbers) -> Numbers:
        return np.interp(values, self.knots, self.scores)


Scaler = Linear | Quantiles


def fit_scaler(values: Numbers, scale: Scale) -> Scaler:
    """Return the map for a column.

    Args:
        values: float64 (n,), the numbers that are not missing; a constant or empty column is only centred.
        scale: as in `TableSettings`.
    """
    if scale == "none":
        return Linear(0.0, 1.0)
    if not values.size or np.ptp(values) < _LEAST_SPREAD:
        return Linear(float(values[0]) if values.size else 0.0, 1.0)
    if scale == "minmax":
        return Linear(float(values.min()), float(np.ptp(values)))
    if scale == "standard":
        return Linear(float(values.mean()), float(values.std()))
    return _fit_quantiles(values)


def _fit_quantiles(values: Numbers) -> Quantiles:
    """Knots at the middle of k equal shares; equal knots become one with the mean of their scores."""
    from statistics import NormalDist

    count = min(MAX_QUANTILES, len(values))
    shares = (np.arange(count) + 0.5) / count
    scores = np.array([NormalDist().inv_cdf(share) for share in shares.tolist()])
    # Outside the range of the samples there is no quantile: share p stands at place p * n - 0.5.
    places = np.clip(shares * len(values) - 0.5, 0, len(values) - 1)
    knots, which = np.unique(np.interp(places, np.arange(len(values)), np.sort(values)), return_inverse=True)
    return Quantiles(knots, np.bincount(which, scores) / np.bincount(which))


def scaler_from_config(config: Any, where: str) -> Scaler:
    """Return the map that `to_config` described, or raise DataError."""
    found = configs.mapping(config, where)
    if "knots" not in found:
        found = configs.fields(found, where, ("centre", "size"))
        size = configs.number(found["size"], f"{where}.size")
        if size <= 0:
            raise configs.broken(f"{where}.size", "a number above 0", size)
        return Linear(configs.number(found["centre"], f"{where}.centre"), size)
    found = configs.fields(found, where, ("knots", "scores"))
    count = len(configs.items(found["knots"], f"{where}.knots"))
    knots = configs.numbers(found["knots"], f"{where}.knots", (count,))
    scores = configs.numbers(found["scores"], f"{where}.scores", (count,))
    if not 1 <= count <= MAX_QUANTILES or (np.diff(knots) <= 0).any() or (np.diff(scores) <= 0).any():
        raise configs.broken(where, f"1 to {MAX_QUANTILES} ascending knots and scores", found)
    return Quantiles(knots, scores)
