"""How raw samples become what goes into a model: arrays (images among them) and tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gputrain import config
from gputrain.data.io import images
from gputrain.data.tabular import Table, TablePreparation
from gputrain.errors import DataError
from gputrain.utils.plain import Described

Array = NDArray[Any]
Raw = Array | Table


@dataclass(frozen=True)
class ArrayInputs(Described):
    """Samples that are arrays of numbers.

    Attributes:
        sample: the shape of one sample as it is stored.
        shape: its shape for the model.
        scale: what it is divided by.
        white: the largest value that a pixel can have, for pictures given as image files.
    """

    kind = "arrays"
    sample: tuple[int, ...]
    shape: tuple[int, ...]
    scale: float
    white: float

    @property
    def names(self) -> None:
        """The numbers of an array have no names."""
        return None

    def __call__(self, raw: Raw) -> NDArray[np.float32]:
        """Return the inputs of samples as they are stored, float32 (n, *shape).

        Raises:
            DataError: no array of numbers, another shape, or a number that is not finite (unless the setting
                nan_inputs allows it).
        """
        if isinstance(raw, Table) or raw.dtype.kind not in "buif":
            received = "a table" if isinstance(raw, Table) else f"an array of {raw.dtype}"
            raise DataError("Inputs must be numbers.", received=received)
        if math.prod(raw.shape[1:]) != math.prod(self.shape) or raw.ndim == 0:
            rule = "Samples must have the shape that the model was made for."
            expected = f"(n, {', '.join(map(str, self.sample))})"
            raise DataError(rule, expected=expected, received=f"shape {raw.shape}")
        with np.errstate(over="ignore"):  # what is too large for float32 is found below
            scaled = raw.astype(np.float32)
            scaled /= np.float32(self.scale)
        if config.nan_inputs() == "error":
            _refuse_non_finite(raw.reshape(len(raw), -1), scaled.reshape(len(raw), -1))
        return scaled.reshape(len(raw), *self.shape)

    def kept(self, raw: Raw) -> NDArray[np.bool_]:
        """Return which samples can be used: all."""
        return np.ones(len(raw), bool)

    @property
    def is_image(self) -> bool:
        """Whether a stored sample can be a picture: (H, W) or (H, W, channels)."""
        return len(self.sample) == 2 or (len(self.sample) == 3 and self.sample[2] in (1, 3, 4))

    def read_pictures(self, files: Sequence[Path]) -> Array:
        """Read image files as samples are stored, for `__call__`: scaled to their size and range.

        Raises:
            OSError, CorruptFileError: a file is not there, or no picture.
        """
        height, width, *channels = self.sample
        wanted = channels[0] if channels else 1
        pixels = np.stack([images.read_image(file, (height, width), wanted) for file in files])
        return pixels.astype(np.float32).reshape(len(files), *self.sample) * np.float32(self.white / 255)


@dataclass(frozen=True)
class TableInputs(Described):
    """Samples that are rows of a table."""

    preparation: TablePreparation

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each input."""
        return self.preparation.input_names

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample for the model."""
        return (len(self.names),)

    def __call__(self, raw: Raw) -> NDArray[np.float32]:
        """Return the inputs of rows, float32 (n, width).

        Raises:
            DataError: no table, a column is not there, or a cell is not what its column holds.
        """
        return self.preparation.inputs(_table(raw))

    def kept(self, raw: Raw) -> NDArray[np.bool_]:
        """Return which rows can be used: all, unless rows with missing cells are dropped.

        Raises:
            DataError: as for inputs.
        """
        return self.preparation.kept(_table(raw))

    def missing_cells(self, raw: Raw) -> dict[str, int]:
        """Return how many cells are missing in each column that has such cells.

        Raises:
            DataError: as for inputs.
        """
        return self.preparation.missing_cells(_table(raw))

    def to_config(self) -> dict[str, Any]:
        """Return all of it as plain data."""
        return {"kind": "table", "table": self.preparation.to_config()}


def _table(raw: Raw) -> Table:
    if isinstance(raw, Table):
        return raw
    raise DataError("Inputs must be a table.", received=f"an array of shape {raw.shape}")


Inputs = ArrayInputs | TableInputs


def inputs_from_config(config: Mapping[str, Any]) -> Inputs:
    """Return what `to_config` described.

    Raises:
        ValueError, TypeError, KeyError: it is no such description.
    """
    if config["kind"] == "table":
        return TableInputs(TablePreparation.from_config(config["table"]))
    if config["kind"] != "arrays":
        raise ValueError("kind must be 'arrays' or 'table'")
    sample, shape = (tuple(_size(size) for size in config[key]) for key in ("sample", "shape"))
    scale, white = float(config["scale"]), float(config["white"])
    if math.prod(sample) != math.prod(shape) or len(sample) > 8 or len(shape) > 8:
        raise ValueError("sample and shape of as many numbers")
    if not (math.isfinite(scale) and scale > 0 and math.isfinite(white) and white > 0):
        raise ValueError("scale and white above 0")
    return ArrayInputs(sample, shape, scale, white)


def _refuse_non_finite(raw: Array, scaled: NDArray[np.float32]) -> None:
    finite = np.isfinite(scaled)
    if finite.all():
        return
    sample, place = np.argwhere(~finite)[0].tolist()
    count = int((~finite).sum())
    rule = "Inputs must be finite numbers, as float32 too."
    received = f"{raw[sample, place]} in sample {sample} (counted from 0), {count} in all"
    raise DataError(rule, received=received, fix="Correct or remove such samples.")


def _size(size: Any) -> int:
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= 2**31:
        raise ValueError("sizes from 1 on")
    return size


def take(raw: Raw, rows: Sequence[int] | Array) -> Raw:
    """Return these samples of `raw`."""
    return raw.take(np.asarray(rows)) if isinstance(raw, Table) else raw[rows]
