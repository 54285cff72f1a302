"""Signs in a table of features, (N, features): constant, duplicate, missing, of other scales."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from gputrain.app.advice.advice import Advice
from gputrain.app.advice.tries import advise, listed

# For scales, and to find candidates that all rows then confirm; fewer rows where they are long.
SAMPLED_ROWS, FEWEST_ROWS, SAMPLED_NUMBERS = 10_000, 100, 2**24
# A table of pixels or counts: many columns, most of which share their smallest value, which is common there.
PIXEL_COLUMNS, PIXEL_SHARE = 32, 0.5
# Two orders of magnitude: the curvature of the loss goes with the square of an input's scale, so the steepest
# direction is 10,000 times the flattest (LeCun et al. 1998, Efficient BackProp, section 4.3).
APART = 100.0
# Initial weights are made for inputs of about 1 (Glorot & Bengio 2010): at 20 the first outputs are far off,
# below 0.01 nothing gets through. 0..255 is about 100; ages or 0..16 pass.
LARGE, SMALL = 20.0, 0.01
# Zeros that stand for "missing": not rare, not most, and a deviation away from all else.
ZERO_SHARES, DISTINCT = (0.01, 0.5), 10


def constant(x: np.ndarray, names: Sequence[str]) -> Advice | None:
    """Columns with one value. The background of pixels and counts is no sign."""
    rows = sampled(x)
    low, high = rows.min(0), rows.max(0)
    background = (rows.min(), rows.max()) if is_pixels(x) else ()
    candidates = [c for c in np.flatnonzero(low == high).tolist() if low[c] not in background]
    found = [names[c] for c in candidates if (x[:, c] == x[0, c]).all()]
    same = f"{_count(found, x, 'is', 'are')} the same in all {len(x)} samples and tell nothing"
    return advise("constant_feature", f"{same}: {listed(found)}.") if found and len(x) > 1 else None


def duplicate(x: np.ndarray, names: Sequence[str]) -> Advice | None:
    """Columns equal to another one, element by element; pixels and counts may be."""
    if is_pixels(x) or len(x) < 2:
        return None
    rows = sampled(x)
    alike: dict[bytes, list[int]] = defaultdict(list)
    for column in np.flatnonzero(rows.min(0) != rows.max(0)):
        alike[np.ascontiguousarray(rows[:, column]).tobytes()].append(int(column))
    found = [
        f"{names[other]} equals {names[first]}"
        for first, *others in alike.values()
        for other in others
        if np.array_equal(x[:, first], x[:, other])
    ]
    sign = f"{_count(found, x, 'repeats', 'repeat')} another: {listed(found)}."
    return advise("duplicate_feature", sign) if found else None


def missing(x: np.ndarray, names: Sequence[str]) -> Advice | None:
    """NaN among the inputs, which fit takes where `config.nan_inputs` allows it."""
    if x.dtype.kind != "f":
        return None
    shares = np.isnan(x).mean(0)
    most_first = np.argsort(-shares, kind="stable")
    found = [f"{names[c]} ({shares[c]:.1%})" for c in most_first if shares[c] > 0]
    return advise("missing_values", f"Values are missing (NaN) in {listed(found)}.") if found else None


def zeros(x: np.ndarray, names: Sequence[str]) -> Advice | None:
    """Zeros that lie apart from all other values of a column, as a weight of 0 kg does."""
    if is_pixels(x):
        return None
    rows = sampled(x)
    shares = (rows == 0).mean(0)
    candidates = np.flatnonzero((shares >= ZERO_SHARES[0]) & (shares <= ZERO_SHARES[1])).tolist()
    apart = [c for c in candidates if _zeros_stand_apart(rows[:, c])]
    found = [f"{names[c]} ({(x[:, c] == 0).mean():.1%})" for c in apart]
    sign = f"Zeros stand apart from all other values, as if they meant missing: {listed(found)}."
    return advise("zeros_for_missing", sign) if found else None


def unscaled(x: np.ndarray, names: Sequence[str]) -> Advice | None:
    """Columns whose sizes are orders of magnitude apart."""
    rows = sampled(x).astype(np.float64)
    varied = np.flatnonzero(rows.min(0) != rows.max(0))
    if varied.size < 2:
        return None
    usual = np.sqrt((rows[:, varied] ** 2).mean(0))
    largest = np.abs(rows[:, varied]).max(0)  # of a rare 1 among zeros the usual size is small, but not this
    big, small = int(usual.argmax()), int(largest.argmin())
    if usual[big] < APART * largest[small]:
        return None
    said = (
        f"{names[varied[big]]} is about {usual[big]:.3g}, {names[varied[small]]} at most {largest[small]:.3g}"
    )
    return advise("unscaled_input", f"Features are of different scales: {said}.")


def out_of_scale(x: np.ndarray) -> Advice | None:
    """Inputs that as a whole, of whatever shape, are far from 1."""
    usual = float(np.sqrt(np.mean(sampled(x).astype(np.float64) ** 2)))
    if not (usual > LARGE or 0 < usual < SMALL):
        return None
    low, high = x.min(), x.max()
    sign = f"Inputs are not scaled: they lie in {low:.4g}..{high:.4g}, their usual size is {usual:.3g}."
    tip = f"inputs divided by {high:.4g}: data.scale in a recipe, Rescaling(1 / {high:.4g}) first"
    return advise("unscaled_input", sign, first=(tip,) if high > 0 else ())


def sampled(x: np.ndarray) -> np.ndarray:
    """Some of the rows, evenly spread."""
    rows = max(FEWEST_ROWS, SAMPLED_NUMBERS // math.prod(x.shape[1:]))
    return x[:: -(-len(x) // min(SAMPLED_ROWS, rows))]


def is_pixels(x: np.ndarray) -> bool:
    """Whether a table holds flat images, counts of words or the like."""
    low = sampled(x).min(0)
    return x.shape[1] >= PIXEL_COLUMNS and float((low == low.min()).mean()) >= PIXEL_SHARE


def _zeros_stand_apart(column: np.ndarray) -> bool:
    others = np.abs(column[column != 0]).astype(np.float64)
    one_sided = column.min() >= 0 or column.max() <= 0
    enough = len(column) - others.size >= 2 and len(np.unique(others)) > DISTINCT
    return one_sided and enough and bool(others.min() >= others.std())


def _count(found: Sequence[object], x: np.ndarray, one: str, many: str) -> str:
    return f"{len(found)} of {x.shape[1]} features {one if len(found) == 1 else many}"
