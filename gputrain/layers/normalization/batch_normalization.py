"""Normalization of activations."""

from __future__ import annotations

from typing import Any

from gputrain import ops
from gputrain.errors import ShapeError, explain
from gputrain.ir import Shape, normalize_axis
from gputrain.layers.base import arguments, declared, registry
from gputrain.layers.base.arguments import known_size
from gputrain.layers.normalization.affine import AffineLayer
from gputrain.ops.pointwise import as_float
from gputrain.ops.precision import wide_dtype
from gputrain.runtime import Variable
from gputrain.utils.dtypes import is_number


def _momentum(value: Any, where: str) -> float:
    """A number in 0..1."""
    return _in_range(value, where, 1.0)


def _epsilon(value: Any, where: str) -> float:
    """A number, 0 or more."""
    return _in_range(value, where, float("inf"))


def _in_range(value: Any, where: str, high: float) -> float:
    if not is_number(value) or not 0.0 <= value <= high:
        raise ValueError(explain(f"{where} is a number.", expected=f"0.0..{high}", received=repr(value)))
    return float(value)


@registry.add()
class BatchNormalization(AffineLayer):
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta, channel by channel.

    In training the mean and the variance (divided by the count) are the batch's, and the moving ones move
    toward them: moving = momentum * moving + (1 - momentum) * batch. Otherwise, and always where the layer
    is not `trainable`, the moving ones are used and stay. Statistics are float32 at least. A mask leaves
    positions out of the batch's statistics.

    Args:
        axis: the axis of the channels.
        momentum: share of the old moving statistics that is kept in each step, 0..1.
        epsilon: added to the variance, above 0.
        moving_mean_initializer, moving_variance_initializer: first values of the moving statistics.
        renorm, renorm_clipping, renorm_momentum: of Keras; only the defaults are taken.
        synchronized: of Keras; one process sees the whole batch, so both values come to the same.

    Shapes:
        any shape, kept; all weights (channels,).

    Raises:
        ValueError: momentum or epsilon outside its range.
        ShapeError: channels of unknown size.

    Source:
        Ioffe & Szegedy 2015, Batch Normalization.

    Example:
        >>> BatchNormalization()(numpy.ones((4, 3), "float32"), training=True).tolist()[0]
        [0.0, 0.0, 0.0]
    """

    axis: int = declared.argument(arguments.whole, -1)
    momentum: float = declared.argument(_momentum, 0.99)
    epsilon: float = declared.argument(_epsilon, 1e-3)
    moving_mean_initializer: Any = declared.initializer("zeros", after="gamma_initializer")
    moving_variance_initializer: Any = declared.initializer("ones", after="moving_mean_initializer")

    renorm: bool = declared.keras_only("renorm", after="gamma_constraint")
    renorm_clipping: None = declared.keras_only("renorm_clipping", after="renorm")
    renorm_momentum: float = declared.keras_only("renorm_momentum", after="renorm_clipping")
    synchronized: bool = declared.keras_only("synchronized", after="renorm_momentum")

    def build(self, input_shape: Shape) -> None:
        """Make gamma, beta, moving_mean and moving_variance, each (channels,)."""
        size = known_size(input_shape, self.axis, "BatchNormalization")
        self.add_gamma_and_beta((size,))
        self.moving_mean = self._statistic("moving_mean", size)
        self.moving_variance = self._statistic("moving_variance", size)

    def _statistic(self, name: str, size: int) -> Variable:
        return self.add_declared_weight(name, (size,), dtype=wide_dtype(self.variable_dtype), trainable=False)

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """The normalized inputs; moves the moving statistics where `training` and trainable."""
        inputs = as_float(inputs)
        by_batch = bool(training and self.trainable)
        if by_batch and mask is None and self._channels(inputs) == inputs.ndim - 1:
            return self._whole_batch(inputs)
        x = ops.cast(inputs, wide_dtype(inputs.dtype))
        if by_batch:
            mean, variance = self._batch_statistics(x, mask)
            self._move(self.moving_mean, mean)
            self._move(self.moving_variance, variance)
        else:
            mean, variance = self._row(self.moving_mean, x), self._row(self.moving_variance, x)
        factor = ops.rsqrt(ops.add(variance, self.epsilon))
        if self.gamma is not None:
            factor = ops.multiply(factor, self._row(self.gamma, x))
        y = ops.multiply(ops.subtract(x, mean), factor)
        if self.beta is not None:
            y = ops.add(y, self._row(self.beta, x))
        return ops.cast(y, inputs.dtype)

    def _whole_batch(self, x: Any) -> Any:
        """The batch by its own statistics, in one operation: the channels are last and nothing is masked."""
        size, dtype = self.moving_mean.shape[0], wide_dtype(x.dtype)
        gamma = ops.ones((size,), dtype) if self.gamma is None else ops.cast(self.gamma, dtype)
        beta = ops.zeros((size,), dtype) if self.beta is None else ops.cast(self.beta, dtype)
        y, mean, variance = ops.apply(ops.BatchNorm(self.epsilon), x, gamma, beta)
        self._move(self.moving_mean, mean)
        self._move(self.moving_variance, variance)
        return y

    def _channels(self, x: Any) -> int:
        """The axis of the channels, from the front."""
        return normalize_axis(self.axis, x.ndim, "BatchNormalization")

    def _batch_statistics(self, x: Any, mask: Any) -> tuple[Any, Any]:
        """Mean and variance of the batch over all axes but the channels', as axes of size 1."""
        channels = self._channels(x)
        axes = tuple(i for i in range(x.ndim) if i != channels)
        if mask is None:
            mean = ops.mean(x, axes, keepdims=True)
            return mean, ops.mean(ops.square(ops.subtract(x, mean)), axes, keepdims=True)
        counts = _counting(mask, x)
        total = ops.maximum(ops.sum(ops.cast(counts, x.dtype), axes, keepdims=True), 1.0)
        mean = ops.divide(ops.sum(ops.where(counts, x, 0.0), axes, keepdims=True), total)
        squares = ops.where(counts, ops.square(ops.subtract(x, mean)), 0.0)
        return mean, ops.divide(ops.sum(squares, axes, keepdims=True), total)

    def _move(self, moving: Variable, batch: Any) -> None:
        kept = ops.multiply(moving, self.momentum)
        moving.assign(ops.add(kept, ops.multiply(ops.reshape(batch, moving.shape), 1.0 - self.momentum)))

    def _row(self, weight: Variable, x: Any) -> Any:
        """A weight (channels,) with axes of size 1 around, so that it broadcasts along the channels of x."""
        channels = self._channels(x)
        shape = tuple(weight.shape[0] if i == channels else 1 for i in range(x.ndim))
        return ops.reshape(ops.cast(weight, x.dtype), shape)


def _counting(mask: Any, x: Any) -> Any:
    """Where the elements of x count: the mask with axes of size 1 for those that it lacks, then broadcast."""
    if mask.ndim > x.ndim or any(
        None not in (m, n) and m not in (1, n) for m, n in zip(mask.shape, x.shape, strict=False)
    ):
        raise ShapeError(
            explain(
                "BatchNormalization: mask must have the shape of the first axes of the inputs.",
                expected=f"a shape that {tuple(x.shape)} begins with",
                received=tuple(mask.shape),
            )
        )
    counts = ops.expand_dims(ops.cast(mask, "bool"), tuple(range(mask.ndim, x.ndim)))
    return ops.broadcast_to(counts, x.shape)
