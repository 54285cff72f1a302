"""Features brought to mean 0 and variance 1, by statistics of the data taken before training."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gputrain import config, ops
from gputrain.data.arrays import on_host
from gputrain.errors import DataError, ShapeError, explain
from gputrain.ir import Shape, current_trace, normalize_axis
from gputrain.layers.base import Layer, registry
from gputrain.layers.base.arguments import known_size
from gputrain.layers.preprocessing.data_layer import batches
from gputrain.layers.preprocessing.moments import Moments
from gputrain.ops.precision import wide_dtype
from gputrain.runtime import Variable
from gputrain.utils.notes import note
from gputrain.utils.signatures import on_or_off

BLOCK = 1 << 20  # numbers of an array that are looked at together
SHOWN = 10  # features that a message names


@registry.add()
class Normalization(Layer):
    """(x - mean) / sqrt(variance), feature by feature, with statistics of the training data.

    They are given, or found by `adapt(data)` before training, and then are weights that no optimizer changes
    and that are saved with the model. `adapt` may be called again at any time: a compiled model uses the new
    statistics from its next step on. A feature that is constant in the data becomes 0, whatever comes in
    later, and a note names it.

    Args:
        axis: the axis or axes that have statistics of their own, such as the features' (-1); None for one
            mean and one variance of everything. The axis of the samples (0) is none of them.
        mean: a number, or an array of the sizes of those axes; needs `variance`.
        variance: likewise, 0 or more.
        invert: go back from normalized features to the data's: x * sqrt(variance) + mean.

    Attributes:
        mean, variance: what is used, once the layer is built: variables (read them with numpy.asarray or
            `.numpy()`), or arrays where they were given.
        needs_adapt: whether a call before `adapt`, or before weights come from a file, is an error; else
            mean 0 and variance 1 count until then.

    Shapes:
        any shape of numbers, kept, in the layer's dtype; the statistics have the sizes of the kept axes.

    Raises:
        ValueError: an argument that is not as above; a call before `adapt`, where nothing was given.
        ShapeError: inputs without these axes, or of another size than the statistics'.

    Source:
        T. Chan, G. Golub, R. LeVeque, "Updating formulae and a pairwise algorithm for computing sample
        variances", 1979, for putting batches together.

    Example:
        >>> layer = Normalization()
        >>> layer.adapt(numpy.array([[0.0, 5.0], [2.0, 9.0]]))
        >>> layer(numpy.array([[2.0, 5.0]])).tolist()
        [[1.0, -1.0]]
    """

    supports_masking = True
    needs_adapt = True

    def __init__(
        self, axis: Any = -1, mean: Any = None, variance: Any = None, invert: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.axis = _axes(axis)
        self.input_mean, self.input_variance = _given(mean, variance)
        self.invert = on_or_off(invert, "Normalization: invert", also=(0, 1))
        self.mean: Any = None
        self.variance: Any = None
        self.count: Variable | None = None
        self._moments: Moments | None = None
        self._adapted = False

    def build(self, input_shape: Shape) -> None:
        """Make the weights mean, variance and count, or fit the given statistics to the kept axes."""
        sizes = self._sizes(input_shape)
        if self.input_mean is not None:
            self.mean = _of_sizes(self.input_mean, sizes, "mean")
            self.variance = _of_sizes(self.input_variance, sizes, "variance")
            self._name_constant_features(self.variance)
            return
        dtype = wide_dtype(self.variable_dtype)
        self.mean = self.add_weight(sizes, "zeros", dtype, trainable=False, name="mean")
        self.variance = self.add_weight(sizes, "ones", dtype, trainable=False, name="variance")
        self.count = self.add_weight((), "zeros", "int64", trainable=False, name="count")
        self.count.changed = self._see_count

    def _see_count(self) -> None:
        """The count was set, here or with all weights: those of Keras are in use though they count none."""
        assert self.count is not None
        is_given = self.mean.numpy().any() or (self.variance.numpy() != 1).any()
        self._adapted = bool(int(self.count) > 0 or is_given)

    def load_own_variables(self, store: Any) -> None:
        """Take mean, variance and count. What was saved is in use, also where nothing was adapted."""
        super().load_own_variables(store)
        self._adapted = True

    # --------------------------------------------------------------------------------------------- statistics

    def adapt(self, data: Any) -> None:
        """Find the statistics of `data` and use them from now on; what was known before is forgotten.

        Args:
            data: inputs as the layer gets them: an array, or an iterator (or sequence) of batches of them; of
                a batch that is a tuple the first part is taken. Sums are float64, whatever the dtype.

        Raises:
            DataError: NaN or infinity, with the number in each feature; no sample; not numbers.
            ShapeError: other features than the layer was built for.
            ValueError: the layer was given its statistics.
        """
        self.reset_state()
        for batch in batches(data):
            array = self._numbers(batch)
            rows = max(1, BLOCK // max(1, math.prod(array.shape[1:])))
            for start in range(0, len(array), rows):
                self.update_state(array[start : start + rows])
        self.finalize_state()

    def reset_state(self) -> None:
        """Forget the statistics; the layer is not adapted then.

        Raises:
            ValueError: the layer was given its statistics.
        """
        self._require_own_statistics()
        self._moments = None
        if self.count is not None:
            self.count.assign(0)
        self._adapted = False

    def update_state(self, data: Any) -> None:
        """Add a batch to the statistics; `finalize_state` puts them to use.

        Args:
            data: an array as in `adapt`, held in memory a few times as float64.

        Raises:
            DataError, ShapeError, ValueError: as `adapt`.
        """
        self._require_own_statistics()
        array = self._numbers(data)
        if not self.built:
            self.build((None, *array.shape[1:]))
        sizes = self._sizes(array.shape)
        if sizes != self.mean.shape:
            raise ShapeError(
                explain(
                    f"{self.name}: the data must have the features that the layer was built for.",
                    expected=f"sizes {self.mean.shape} along axis {self._axis_text()}",
                    received=f"data of shape {array.shape}",
                )
            )
        reduced = tuple(i for i in range(array.ndim) if i not in self._kept(array.ndim))
        self._require_finite(array, reduced)
        if self._moments is None:
            self._moments = Moments(sizes)
        self._moments.add(array.astype(np.float64, copy=False), reduced)

    def finalize_state(self) -> None:
        """Use the statistics of all batches given to `update_state`; name features that are constant.

        Raises:
            DataError: there was no sample.
        """
        if self.input_mean is not None:
            return
        moments = self._moments
        if self.count is None or moments is None or moments.count == 0:
            raise DataError(
                explain(
                    f"{self.name}: adapt() needs at least one sample.", received="no data, or an empty array"
                )
            )
        self.mean.assign(moments.mean)
        self.variance.assign(moments.variance)
        self.count.assign(moments.count)
        self._name_constant_features(self.variance.numpy())

    def _numbers(self, data: Any) -> np.ndarray:
        """A batch on the host, checked to be numbers with a first axis of samples."""
        array = np.asarray(on_host(data.to_numpy() if hasattr(data, "to_numpy") else data))
        if array.dtype.kind not in "fiub" or array.ndim == 0:
            raise DataError(
                explain(
                    f"{self.name}: adapt() takes arrays of numbers whose first axis counts samples.",
                    received=f"dtype {array.dtype}, shape {array.shape}",
                )
            )
        return array

    def _require_finite(self, array: np.ndarray, reduced: tuple[int, ...]) -> None:
        if array.dtype.kind != "f" or np.isfinite(array).all():
            return
        nan, infinite = (np.asarray(test(array).sum(reduced)) for test in (np.isnan, np.isinf))
        counts = {place: (int(nan[place]), int(infinite[place])) for place in _places((nan + infinite) > 0)}
        said = [f"{a} NaN and {b} infinite in {_feature(place)}" for place, (a, b) in counts.items()]
        raise DataError(
            explain(
                f"{self.name}: statistics need finite numbers.",
                received=_listed(said, "; "),
                fix="Drop or fill them before adapt().",
            )
        )

    def _require_own_statistics(self) -> None:
        if self.input_mean is not None:
            raise ValueError(
                explain(
                    f"{self.name}: this layer was given its mean and variance and does not adapt.",
                    fix="Leave out mean= and variance= to find them with adapt(data).",
                )
            )

    def _name_constant_features(self, variance: Any) -> None:
        constant = [_feature(place) for place in _places(np.asarray(variance) == 0)]
        if constant:
            note(
                f"{self.name}: {_listed(constant)} never changed in the data (variance 0), so the output is "
                f"{'its mean' if self.invert else '0'} there. Leave out what says nothing."
            )

    # ------------------------------------------------------------------------------------------------ calling

    def call(self, inputs: Any) -> Any:
        """The normalized inputs; back from them where `invert`."""
        self._require_adapted_before_runs()
        x = ops.cast(inputs, self.compute_dtype)
        if x.dtype == "float16":
            x = ops.cast(x, "float32")
        mean, variance = self._aligned(self.mean, x), self._aligned(self.variance, x)
        deviation = ops.maximum(ops.sqrt(variance), config.epsilon())
        if self.invert:
            factor = ops.where(ops.greater(variance, 0.0), deviation, 0.0)
            result = ops.add(ops.multiply(x, _whole(factor, x)), _whole(mean, x))
        else:
            factor = ops.where(ops.greater(variance, 0.0), ops.divide(1.0, deviation), 0.0)
            result = ops.multiply(ops.subtract(x, _whole(mean, x)), _whole(factor, x))
        return ops.cast(result, self.compute_dtype)

    def _require_adapted_before_runs(self) -> None:
        """Let the program that is being traced look before each run; a model may be built before `adapt`."""
        trace = current_trace()
        if trace is None or self.input_mean is not None:
            return
        while trace.parent is not None:
            trace = trace.parent
        trace.preparations.append(self._require_adapted)

    def _require_adapted(self) -> None:
        if self.needs_adapt and not self._adapted:
            raise ValueError(
                explain(
                    f"{self.name}: the layer has no statistics yet.",
                    expected=f"{self.name}.adapt(data) before training or prediction",
                    fix="Call adapt() with the training inputs, load weights saved after it, or give "
                    "Normalization mean= and variance=.",
                )
            )

    def _aligned(self, statistic: Any, x: Any) -> Any:
        """A statistic with axes of size 1 for those of x that are not kept."""
        kept = self._kept(x.ndim)
        shape = tuple(x.shape[i] if i in kept else 1 for i in range(x.ndim))
        return ops.reshape(ops.cast(statistic, x.dtype), shape)

    def _kept(self, ndim: int) -> tuple[int, ...]:
        """The axes with statistics of their own, from the front, in order."""
        return tuple(sorted({normalize_axis(axis, ndim, "Normalization") for axis in self.axis}))

    def _sizes(self, shape: Shape) -> tuple[int, ...]:
        """Sizes of the kept axes."""
        kept = self._kept(len(shape))
        if 0 in kept:
            raise ShapeError(
                explain(
                    "Normalization: axis 0 counts the samples, which have no statistics of their own.",
                    received=f"axis {self._axis_text()}, inputs of shape {shape}",
                    fix="Give a single feature an axis, x[:, None], or pass axis=None.",
                )
            )
        return tuple(known_size(shape, axis, "Normalization") for axis in kept)

    def _axis_text(self) -> str:
        return ", ".join(map(str, self.axis)) or "None"

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data; what `adapt` found is in the weights."""
        given = self.input_mean is not None
        return {
            **super().get_config(),
            "axis": list(self.axis),
            "mean": self.input_mean.tolist() if given else None,
            "variance": self.input_variance.tolist() if given else None,
            "invert": self.invert,
        }


def _whole(statistic: Any, x: Any) -> Any:
    """A statistic repeated to the shape of a sample: along long rows the CPU is several times faster."""
    shape = (1, *x.shape[1:])
    return statistic if None in shape else ops.broadcast_to(statistic, shape)


def _axes(axis: Any) -> tuple[int, ...]:
    """The kept axes as a tuple."""
    given = () if axis is None else axis if isinstance(axis, tuple | list) else (axis,)
    if not all(isinstance(i, int | np.integer) and not isinstance(i, bool) for i in given):
        raise ValueError(
            explain(
                "Normalization: axis is an int, several, or None.", received=repr(axis), fix="Use axis=-1."
            )
        )
    return tuple(int(i) for i in given)


def _given(mean: Any, variance: Any) -> tuple[Any, Any]:
    """The statistics as arrays, or None twice."""
    if mean is None and variance is None:
        return None, None
    if mean is None or variance is None:
        raise ValueError(
            explain(
                "Normalization: mean and variance are given together or not at all.",
                received=f"mean={mean!r}, variance={variance!r}",
            )
        )
    arrays = np.asarray(mean, np.float64), np.asarray(variance, np.float64)
    if not all(np.isfinite(a).all() for a in arrays) or (arrays[1] < 0).any():
        raise ValueError(
            explain(
                "Normalization: mean and variance are finite numbers, the variance not negative.",
                received=f"mean={mean!r}, variance={variance!r}",
            )
        )
    return arrays


def _of_sizes(array: np.ndarray, sizes: tuple[int, ...], name: str) -> np.ndarray:
    """A given statistic in the sizes of the kept axes."""
    if array.size == math.prod(sizes):
        return array.reshape(sizes)
    if array.size == 1:
        return np.full(sizes, array.reshape(()))
    raise ShapeError(
        explain(
            f"Normalization: {name} needs a number for each feature, or one for all.",
            expected=f"shape {sizes}",
            received=f"shape {array.shape}",
        )
    )


def _places(flags: np.ndarray) -> list[tuple[int, ...]]:
    """Where `flags` holds, in order."""
    return [tuple(int(i) for i in place) for place in np.argwhere(flags)]


def _feature(place: tuple[int, ...]) -> str:
    """How a message names a feature."""
    if not place:
        return "the data"
    return f"feature {place[0] if len(place) == 1 else place}"


def _listed(parts: list[str], between: str = ", ") -> str:
    """The first few parts, and how many there are beyond them."""
    more = f" and {len(parts) - SHOWN} more" if len(parts) > SHOWN else ""
    return between.join(parts[:SHOWN]) + more
