"""TimeDistributed: a layer for each step of sequences."""

from __future__ import annotations

import inspect
from types import NoneType
from typing import Any

from gputrain import ops
from gputrain.errors import ShapeError, explain
from gputrain.ir import Shape, current_trace
from gputrain.layers.base import registry
from gputrain.layers.base.steps import with_steps, without_steps
from gputrain.layers.base.symbolic import shape_of
from gputrain.layers.wrappers.wrapper import Wrapper
from gputrain.regularizers import L1, L1L2, L2
from gputrain.utils import tree


@registry.add()
class TimeDistributed(Wrapper):
    """The same layer, with the same weights, on each step of sequences.

    The steps of all samples are one batch for the layer. One that changes its own state in training, as
    BatchNormalization its moving statistics, is called for each step in turn, as in Keras. So is one whose
    code is your own and adds to the loss: that is the sum over the steps, as are penalties on activities.

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
        steps, trace = shape_of(inputs)[1], current_trace()
        if steps and training and self._changes_state():
            return self._step_by_step(inputs, training, mask)
        mark = None if trace is None else trace.mark()
        made = self._of_rows(without_steps(inputs), training, None if mask is None else without_steps(mask))
        if steps and trace is not None and mark is not None:
            added = trace.losses[mark.losses :]
            if added and not self._adds_sums():
                trace.forget_since(mark)
                return self._step_by_step(inputs, training, mask)
            trace.losses[mark.losses :] = [(layer, ops.multiply(loss, steps)) for layer, loss in added]
        return tree.map_leaves(lambda y: with_steps(y, inputs.shape[:2]), made)

    def _step_by_step(self, inputs: Any, training: bool | None, mask: Any) -> Any:
        """What the layer makes of each step in turn."""
        steps = range(inputs.shape[1])
        made = [self._of_rows(inputs[:, t], training, None if mask is None else mask[:, t]) for t in steps]
        columns = zip(*map(tree.flatten, made), strict=True)
        return tree.pack(made[0], [ops.stack(column, 1) for column in columns])

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The steps that count: of a mask with more axes, those in which anything does."""
        if previous_mask is None or previous_mask.ndim == 2:
            return previous_mask
        return ops.any(previous_mask, axis=tuple(range(2, previous_mask.ndim)))

    def _changes_state(self) -> bool:
        """Whether the layer has weights that no optimizer would change."""
        return any(not v.made_trainable for v in self.layer.variables)

    def _adds_sums(self) -> bool:
        """Whether all that is added to the loss is sums over samples, divided by how many they are."""
        found = (type(layer.activity_regularizer) for layer in self.layer.all_layers())
        return self.layer.is_own and all(kind in (NoneType, L1, L2, L1L2) for kind in found)

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
