"""LSTM: a state that is only added to, and gates that say what enters, stays and leaves."""

from __future__ import annotations

from typing import Any

import numpy as np

from gputrain import ops
from gputrain.layers.base import arguments, declared, registry
from gputrain.layers.recurrent.cell import Cell, masked
from gputrain.layers.recurrent.sequences import GatedRNN


class ForgettingCell(Cell):
    """Base of the cells with the gates of an LSTM: input, forget, candidate, output.

    Args:
        recurrent_activation: of the gates; a name, a function or None.
        unit_forget_bias: whether the bias of the forget gate begins with 1.
    """

    recurrent_activation: Any = declared.activation("sigmoid", after="activation")
    unit_forget_bias: bool = declared.flag(True, after="bias_initializer")
    gates = 4

    @property
    def state_size(self) -> Any:
        """The sizes of the two states."""
        return [self.output_size, self.output_size]

    def first_bias(self, shape: Any, dtype: Any = None) -> Any:
        """What the bias begins with: 1 for the forget gate, so that nothing is forgotten at first."""
        if not self.unit_forget_bias:
            return super().first_bias(shape, dtype)
        size = shape[0] // self.gates
        before, after = super().first_bias((size,), dtype), super().first_bias((2 * size,), dtype)
        return np.concatenate([before, np.ones((size,), dtype), after])

    def gated(self, z: Any, c: Any, axis: int = -1) -> tuple[Any, list[Any]]:
        """(output, new states) from the sums of the four gates, side by side along `axis`, and the old c."""
        i, f, candidate, o = ops.split(z, 4, axis=axis)
        added = ops.multiply(self.recurrent_activation(i), self.activation(candidate))
        c = ops.add(ops.multiply(self.recurrent_activation(f), c), added)
        h = ops.multiply(self.recurrent_activation(o), self.activation(c))
        return h, [h, c]


@registry.add()
class LSTMCell(ForgettingCell):
    """One step of `LSTM`.

    Args:
        units: size of the output and of each state.
        implementation: of Keras, 0, 1 or 2; the results are the same.

    Shapes:
        (N, features) and states [h (N, units), c (N, units)] to (N, units) and two states.

    Source:
        Hochreiter & Schmidhuber 1997, Long Short-Term Memory; the forget gate: Gers et al. 2000.

    Example:
        >>> cell = LSTMCell(4)
        >>> output, [h, c] = cell(numpy.ones((2, 3), "float32"), cell.get_initial_state(2))
        >>> output.shape
        (2, 4)
    """

    units: int = declared.argument(arguments.positive_int)
    implementation: int = declared.keras_only("implementation", shown=False, kept=False, after="seed")
    has_all_steps = True

    def all_steps(self, projected: Any, states: list[Any], mask: Any, reverse: bool) -> tuple[Any, ...]:
        h, c = states
        return ops.lstm(projected, h, c, self.recurrent_kernel, mask, reverse)

    def step(self, projected: Any, states: list[Any], kept: Any) -> tuple[Any, list[Any]]:
        h, c = states
        return self.gated(ops.add(projected, ops.matmul(masked(h, kept), self.recurrent_kernel)), c)


@registry.add()
class LSTM(GatedRNN):
    """A recurrent layer with a memory that gates protect (long short-term memory).

    The whole loop is one operation where activations are tanh and sigmoid and `recurrent_dropout` is off.

    Args:
        activity_regularizer: a penalty on the outputs, added to the loss.

    Shapes:
        (N, T, features) to (N, units), or (N, T, units) with `return_sequences`; kernel
        (features, 4 * units), recurrent_kernel (units, 4 * units), bias (4 * units,).

    Source:
        Hochreiter & Schmidhuber 1997, Long Short-Term Memory; the forget gate: Gers et al. 2000.

    Example:
        >>> x = numpy.ones((2, 5, 3), "float32")
        >>> LSTM(4)(x).shape
        (2, 4)
        >>> outputs, h, c = LSTM(4, return_sequences=True, return_state=True)(x)
        >>> outputs.shape, c.shape
        ((2, 5, 4), (2, 4))
    """

    cell: LSTMCell = declared.part(LSTMCell)
    activity_regularizer: Any = declared.regularizer(after="bias_regularizer")
