"""SimpleRNN: the state is the output of the step before."""

from __future__ import annotations

from typing import Any

from gputrain import ops
from gputrain.layers.base import arguments, declared, registry
from gputrain.layers.recurrent.cell import Cell, masked
from gputrain.layers.recurrent.sequences import UnitsRNN


@registry.add()
class SimpleRNNCell(Cell):
    """One step of `SimpleRNN`: activation(inputs @ kernel + state @ recurrent_kernel + bias).

    Args:
        units: size of the output and of each state.

    Shapes:
        (N, features) and states [(N, units)] to (N, units) and [(N, units)].

    Source:
        Elman 1990, Finding Structure in Time.

    Example:
        >>> cell = SimpleRNNCell(4)
        >>> output, states = cell(numpy.ones((2, 3), "float32"), cell.get_initial_state(2))
        >>> output.shape
        (2, 4)
    """

    units: int = declared.argument(arguments.positive_int)
    has_all_steps = True

    def all_steps(self, projected: Any, states: list[Any], mask: Any, reverse: bool) -> tuple[Any, ...]:
        return ops.simple_rnn(projected, states[0], self.recurrent_kernel, mask, reverse)

    def step(self, projected: Any, states: list[Any], kept: Any) -> tuple[Any, list[Any]]:
        (h,) = states
        h = self.activation(ops.add(projected, ops.matmul(masked(h, kept), self.recurrent_kernel)))
        return h, [h]


@registry.add()
class SimpleRNN(UnitsRNN):
    """A recurrent layer whose state is its last output.

    The whole loop is one operation where the activation is tanh and `recurrent_dropout` is off.

    Args:
        activity_regularizer: a penalty on the outputs, added to the loss.

    Shapes:
        (N, T, features) to (N, units), or (N, T, units) with `return_sequences`; kernel (features, units),
        recurrent_kernel (units, units), bias (units,).

    Example:
        >>> SimpleRNN(4)(numpy.ones((2, 5, 3), "float32")).shape
        (2, 4)
    """

    cell: SimpleRNNCell = declared.part(SimpleRNNCell, seed="unroll")
    activity_regularizer: Any = declared.regularizer(after="bias_regularizer")
