"""TimeDistributed: a layer for each step of sequences."""

from __future__ import annotations

import inspect
from typing import Any

from gputrain import ops
from gputrain.errors import ShapeError, explain
from gputrain.ir import Shape
from gputrain.layers.base import registry
from gputrain.layers.base.steps import with_steps, without_steps
from gputrain.layers.wrappers.wrapper import Wrapper
from gputrain.utils import tree


@registry.add()
class TimeDistributed(Wrapper):
    """The same layer, with the same weights, on each step of sequences.

    The steps of all samples are one batch for the layer. One that changes its own state in training, as
    BatchNormalization its moving statistics, is called for each step in turn, as in Keras.

    Args:
        layer: the layer, or a model; its inputs are steps of samples.

    Shapes:
        (N, T, ...) to (N, T, ...), where the layer takes (N, ...) to (N, ...).

    Raises:
        ValueError: something that is no layer.
        ShapeError: inputs of fewer than three dimensions, or a mask that does not begin with (N, T).

    Example:
        >>> TimeDistributed(Dense(4))(numpy.ones((2, 5, 3), "float32")).shape
        (2, 5, 4)
    """

    supports_masking = True

    def build(self, input_shape: Any = None) -> None:
        """Build the layer for the inputs of one step."""
        super().build(_of_a_step(input_shape))

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """(N, T, ...) to (N, T, ...)."""
        _of_a_step(inputs.shape)
        if mask is not None:
            _require_fitting(mask.shape, inputs.shape)
        steps = inputs.shape[1]
        if training and steps is not None and self._changes_state():
            made = [self._of_rows(inputs[:, t], training, _row(mask, t)) for t in range(steps)]
            columns = zip(*map(tree.flatten, made), strict=True)
            return tree.pack(made[0], [ops.stack(column, 1) for column in columns])
        rows = without_steps(inputs)
        made = self._of_rows(rows, training, None if mask is None else without_steps(mask))
        return tree.map_leaves(lambda y: with_steps(y, inputs.shape[:2]), made)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The steps that count: of a mask with more axes, those in which anything does."""
        if previous_mask is None or previous_mask.ndim == 2:
            return previous_mask
        return ops.any(previous_mask, axis=tuple(range(2, previous_mask.ndim)))

    def _changes_state(self) -> bool:
        """Whether the layer has weights that no optimizer would change."""
        return any(not v.made_trainable for v in self.layer.variables)

    def _of_rows(self, rows: Any, training: bool | None, mask: Any) -> Any:
        """The layer on (N, ...)."""
        told: dict[str, Any] = {}
        names = inspect.signature(self.layer.call).parameters
        if training is not None and "training" in names:
            told["training"] = training
        if mask is not None and "mask" in names:
            told["mask"] = mask
        return self.layer(rows, **told)


def _of_a_step(shape: Shape) -> Shape:
    """The shape of one step of sequences.

    Raises:
        ShapeError: they are none.
    """
    if len(shape) < 3:
        raise ShapeError(
            explain(
                "TimeDistributed takes sequences, samples by steps by what a step holds.",
                expected="(N, T, ...), three dimensions at least",
                received=tuple(shape),
                fix="Give a single feature an axis of its own: x[..., None]." if len(shape) == 2 else None,
            )
        )
    return (shape[0], *shape[2:])


def _require_fitting(mask: Shape, inputs: Shape) -> None:
    """Refuse a mask that does not begin with the samples and the steps of the inputs."""
    pairs = zip(mask[:2], inputs[:2], strict=False)
    if len(mask) < 2 or any(None not in (m, n) and m != n for m, n in pairs):
        rule = "TimeDistributed: the mask has a value for each step of each sample, or more axes."
        raise ShapeError(explain(rule, expected=f"{inputs[:2]}, or more", received=tuple(mask)))


def _row(mask: Any, t: int) -> Any:
    return None if mask is None else mask[:, t]
