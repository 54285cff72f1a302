"""What says where in a sequence a step stands, with the names and arguments of KerasHub."""

from __future__ import annotations

from typing import Any

import numpy as np

from gputrain import ops
from gputrain.errors import ShapeError, explain
from gputrain.ir import Shape
from gputrain.layers.base import Layer, declared, registry
from gputrain.layers.base.arguments import known_size, positive_int
from gputrain.utils.dtypes import is_number


class _Positions(Layer):
    """Base of the layers that give each step of (N, ..., steps, features) a row for its position."""

    supports_masking = True

    def _steps(self, inputs: Any) -> int | None:
        """How many steps come in; None while that is unknown."""
        if inputs.ndim < 2:
            expected = "(N, ..., steps, features)"
            rule = f"{type(self).__name__} takes sequences of features."
            raise ShapeError(explain(rule, expected=expected, received=inputs.shape))
        steps: int | None = inputs.shape[-2]
        return steps

    def _for_each_sample(self, rows: Any, inputs: Any) -> Any:
        """Rows (steps, features) for each sample; while sizes are unknown only the shape matters."""
        unknown = None in inputs.shape
        return ops.cast(inputs, self.compute_dtype) if unknown else ops.broadcast_to(rows, inputs.shape)


@registry.add()
class PositionEmbedding(_Positions):
    """A learnt row for each position of a sequence, to be added to what stands there.

    Args:
        sequence_length: the most steps.
        initializer: first values of the rows.

    Shapes:
        (N, ..., steps, features), kept: one row for each step of all samples;
        embeddings (sequence_length, features).

    Raises:
        ValueError: sequence_length is not a positive int.
        ShapeError: more steps than there are rows, or features of unknown size.

    Example:
        >>> x = numpy.ones((2, 5, 3), "float32")
        >>> (x + PositionEmbedding(sequence_length=8)(x)).shape
        (2, 5, 3)
    """

    sequence_length: int = declared.argument(positive_int)
    initializer: Any = declared.initializer("glorot_uniform")

    def build(self, input_shape: Shape) -> None:
        """Make a row for each position."""
        size = known_size(input_shape, -1, "PositionEmbedding")
        self.position_embeddings = self.add_weight(
            (self.sequence_length, size), self.initializer, name="embeddings"
        )

    def call(self, inputs: Any, start_index: int = 0) -> Any:
        """The rows from `start_index` on, for each sample."""
        steps = self._steps(inputs)
        if steps is not None and not 0 <= start_index <= self.sequence_length - steps:
            raise ShapeError(
                explain(
                    "PositionEmbedding has a row for each of sequence_length positions.",
                    expected=f"at most {self.sequence_length} steps, from 0 on",
                    received=f"{steps} steps from {start_index} on",
                )
            )
        rows = ops.getitem(self.position_embeddings, slice(start_index, start_index + (steps or 0)))
        return self._for_each_sample(rows, inputs)


def _wavelength(value: Any, where: str) -> float:
    if not is_number(value) or not value > 0:
        raise ValueError(explain(f"{where} is a number above 0.", received=repr(value)))
    return value


@registry.add()
class SinePositionEncoding(_Positions):
    """Sines and cosines of the position, in other wavelengths for each pair of features.

    Args:
        max_wavelength: the longest, as a part of which the others are counted.

    Shapes:
        (N, ..., steps, features), kept: the same rows for each sample.

    Raises:
        ValueError: max_wavelength is not a number above 0.

    Source:
        Vaswani et al. 2017, Attention Is All You Need.

    Example:
        >>> SinePositionEncoding()(numpy.zeros((1, 2, 2), "float32"))[0, 0].tolist()
        [0.0, 1.0]
    """

    max_wavelength: float = declared.argument(_wavelength, 10000)

    def call(self, inputs: Any, start_index: int = 0) -> Any:
        """The rows from `start_index` on, for each sample."""
        steps, size = self._steps(inputs) or 0, inputs.shape[-1] or 1
        positions = np.arange(start_index, start_index + steps)[:, None]
        pair = np.arange(size) // 2
        angles = positions * float(self.max_wavelength) ** (-2.0 * pair / size)  # (steps, features)
        rows = np.where(np.arange(size) % 2, np.cos(angles), np.sin(angles)).astype(self.compute_dtype)
        return self._for_each_sample(rows, inputs)
