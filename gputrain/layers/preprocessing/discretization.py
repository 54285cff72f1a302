"""Numbers as the bins that they fall into."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gputrain import ops
from gputrain.data.arrays import on_host
from gputrain.errors import DataError, explain
from gputrain.layers.base import arguments, declared, registry
from gputrain.layers.preprocessing.data_layer import DataLayer, as_numbers, batches, encoded, no_sparse
from gputrain.layers.preprocessing.quantiles import QuantileSummary
from gputrain.ops.derived_sums import digitize

_MODES = ("int", "one_hot", "multi_hot", "count")


def _borders(value: Any, where: str) -> list[float] | None:
    """Check None, or rising numbers."""
    if value is None:
        return None
    array = np.asarray(value)
    numbers = array.ndim == 1 and array.dtype.kind in "iuf" and array.size > 0
    if not numbers or not (np.diff(array) > 0).all() or np.isnan(array).any():
        rule = f"{where} must be numbers, each larger than the one before."
        raise ValueError(explain(rule, received=repr(value), fix="Pass sorted(set(numbers))."))
    return list(array.tolist())


def _bins(value: Any, where: str) -> int | None:
    return None if value is None else arguments.positive_int(value, where)


def _share(value: Any, where: str) -> float:
    number = arguments.number(value, where)
    if not 0 < number < 1:
        raise ValueError(explain(f"{where} must be above 0 and below 1.", received=value))
    return number


@registry.add()
class Discretization(DataLayer):
    """The bin of each number, by borders that are given or found by `adapt`.

    A bin has its lower border in it. `adapt` finds borders between which there are equally many numbers of
    the data, up to a share of `epsilon`.

    Args:
        bin_boundaries: rising numbers; there is one bin more than borders.
        num_bins: how many bins `adapt` makes.
        epsilon: how exact the borders are, as a share of the data: smaller takes more memory.
        output_mode: "int": the number of each bin. "one_hot", "multi_hot", "count": as CategoryEncoding.
        sparse: of Keras; there are no sparse tensors.

    Shapes:
        any shape, kept, int32, for "int"; otherwise as CategoryEncoding.

    Raises:
        ValueError: an argument that is not as above; both or none of the first two; a call before there are
            borders.
        DataError: NaN or infinity in `adapt`.

    Example:
        >>> Discretization(bin_boundaries=[0.0, 1.0, 2.0])([[-1.5, 1.0, 3.4, 0.5], [0.0, 3.0, 1.3, 0.0]])
        array([[0, 2, 3, 1],
               [1, 3, 2, 1]], dtype=int32)
        >>> layer = Discretization(num_bins=4)
        >>> layer.adapt(numpy.arange(100.0))
        >>> numpy.round(layer.bin_boundaries).tolist()
        [24.0, 49.0, 74.0]
    """

    bin_boundaries: Any = declared.argument(_borders, None)
    num_bins: int | None = declared.argument(_bins, None)
    epsilon: float = declared.argument(_share, 0.01)
    output_mode: str = declared.argument(lambda value, where: arguments.one_of(value, _MODES, where), "int")
    sparse: bool = declared.argument(no_sparse, False)
    dtype: Any = declared.handed_on()
    name: Any = declared.handed_on()

    def check_arguments(self) -> None:
        """Take either borders or a number of bins."""
        if (self.bin_boundaries is None) == (self.num_bins is None):
            raise ValueError(
                explain(
                    "Discretization takes bin_boundaries or num_bins, one of them.",
                    received=f"bin_boundaries={self.bin_boundaries}, num_bins={self.num_bins}",
                )
            )
        self._summary = QuantileSummary(self.epsilon)

    # --------------------------------------------------------------------------------------------- statistics

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Find the borders between the bins from data; what was known before is forgotten.

        Args:
            data: an array of any shape, or an iterable of batches (also a list of arrays); of a batch that is
                a tuple the first part is taken.
            steps: batches that are read at most.

        Raises:
            ValueError: the layer was given its borders.
            DataError: NaN or infinity, or no number.
        """
        self.reset_state()
        several = isinstance(data, list | tuple)
        for batch in batches(iter(data) if several else data, steps):
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Add a batch to what is known of the data; `finalize_state` puts it to use."""
        self._require_own()
        array = np.asarray(on_host(as_numbers(data, self.name)))
        if not np.isfinite(array).all():
            wrong = np.flatnonzero(~np.isfinite(array))
            raise DataError(
                explain(
                    f"{self.name}: borders are found in finite numbers.",
                    received=f"{len(wrong)} NaN or infinite, the first at element {wrong[0]}",
                    fix="Drop or fill them before adapt().",
                )
            )
        self._summary.add(array.astype(np.float32).ravel())

    def finalize_state(self) -> None:
        """Use the borders that follow from all batches given to `update_state`."""
        if self.num_bins is None:
            return
        if not len(self._summary.values):
            raise DataError(explain(f"{self.name}: adapt() needs at least one number.", received="no data"))
        self._use(self._summary.borders(self.num_bins))

    def reset_state(self) -> None:
        """Forget what is known of the data."""
        self._require_own()
        self._summary = QuantileSummary(self.epsilon)

    def _require_own(self) -> None:
        if self.num_bins is None:
            rule = f"{self.name}: this layer was given its borders and does not adapt."
            raise ValueError(explain(rule, fix="Pass num_bins= in place of bin_boundaries=."))

    def _use(self, borders: Sequence[float]) -> None:
        self.bin_boundaries = list(borders)
        self._revision += 1

    # ------------------------------------------------------------------------------------------------ calling

    def call(self, inputs: Any) -> Any:
        """The bins of numbers."""
        if self.bin_boundaries is None:
            rule = f"{self.name}: the layer has no borders between bins yet."
            raise ValueError(explain(rule, fix="Call adapt(data) first, or give bin_boundaries=."))
        bins = digitize(inputs, np.array(self.bin_boundaries, self.compute_dtype))
        if self.output_mode == "int":
            return ops.cast(bins, "int32")
        return encoded(bins, self.output_mode, len(self.bin_boundaries) + 1, self.compute_dtype)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A layer from `get_config()`, with the borders that `adapt` found."""
        if config.get("bin_boundaries") is None or config.get("num_bins") is None:
            return super().from_config(config)
        layer = super().from_config({**config, "bin_boundaries": None})
        layer._use(_borders_found(config["bin_boundaries"]))
        return layer


def _borders_found(borders: Any) -> list[float]:
    return [float(border) for border in borders]
