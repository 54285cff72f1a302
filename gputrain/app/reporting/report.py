"""All that a report tells of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gputrain.app.reporting.classification import ClassifierAssessment
from gputrain.app.reporting.regression import RegressionAssessment
from gputrain.errors import DataError
from gputrain.names import did_you_mean

_CHANNELS = (1, 3, 4)
_LARGEST_SIDE = 256  # of a shown image; larger ones are thinned out


@dataclass(frozen=True)
class Report:
    """What is known of a run, as plain data.

    Attributes:
        name: of the run.
        settings: the resolved config, nested.
        metrics: what stands in metrics.json; `parameters` and `interrupted` are looked for.
        history: one mapping an epoch: "epoch", counted from 0 as in history.csv, and the logs. Page and
            pictures count from 1, as the lines of fit do.
        summary: text of `model.summary()`.
        advice: one mapping for each sign: key, epoch (counted from 1, or None), sign, tries.
        assessment: on the test data; None when there were none.
        samples: the worst samples, in the order of `assessment.worst` and as many or fewer:
            {"images": (k, H, W) or (k, H, W, C) with C of 1, 3 or 4}, floats or uint8, or
            {"rows": [{column: text}, ...]}.
        versions: of what took part.
        device: where it ran, in words.
        seconds: how long it took.
        log: its lines.

    Raises:
        DataError: `samples` is neither of both.

    Example:
        >>> Report("digits-1", settings={"seed": 1}, metrics={"test_accuracy": 0.99}).name
        'digits-1'
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    history: Sequence[Mapping[str, Any]] = ()
    summary: str = ""
    advice: Sequence[Mapping[str, Any]] = ()
    assessment: ClassifierAssessment | RegressionAssessment | None = None
    samples: Mapping[str, Any] | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    device: str = ""
    seconds: float = 0.0
    log: str = ""

    def __post_init__(self) -> None:
        for kind in self.samples or ():
            if kind not in ("images", "rows"):
                raise DataError(f"samples: unknown kind {kind!r}. {did_you_mean(kind, ['images', 'rows'])}")
        if self.samples and "images" in self.samples:
            _check_images(np.asarray(self.samples["images"]))

    def images(self) -> NDArray[np.uint8] | None:
        """Return the worst samples as pictures, (k, H, W) or (k, H, W, 3 or 4); None when they are none.

        Floats in 0..1 are taken as they are; others are stretched from the least to the greatest of all.
        """
        if not self.samples or "images" not in self.samples:
            return None
        given = np.asarray(self.samples["images"])
        step = -(-max(given.shape[1:3]) // _LARGEST_SIDE) if given.size else 1
        given = given[:, ::step, ::step]
        if given.ndim == 4 and given.shape[3] == 1:
            given = given[..., 0]
        return given if given.dtype == np.uint8 else _as_bytes(given.astype(np.float64))

    def rows(self) -> Sequence[Mapping[str, Any]]:
        """Return the worst samples as rows of text; none when they are images or not given."""
        rows: Sequence[Mapping[str, Any]] = (self.samples or {}).get("rows", ())
        return rows


def _check_images(images: NDArray[Any]) -> None:
    channels = images.shape[3] if images.ndim == 4 else 1
    if images.ndim not in (3, 4) or channels not in _CHANNELS or images.dtype.kind not in "biuf":
        raise DataError(
            "samples: images must be numbers that a picture can be made of.",
            expected="(k, H, W) or (k, H, W, C) with C of 1, 3 or 4",
            received=f"{images.dtype} {images.shape}",
            fix="Pass other samples as rows.",
        )


def _as_bytes(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    finite = np.where(np.isfinite(values), values, 0.0)
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
    if low < 0 or high > 1:
        finite = (finite - low) / (high - low) if high > low else np.zeros_like(finite)
    return np.rint(finite * 255).astype(np.uint8)
