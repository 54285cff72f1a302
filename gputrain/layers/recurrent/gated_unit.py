"""GRU: one state, and gates that mix the old one with a candidate."""

from __future__ import annotations

from typing import Any

from gputrain import ops
from gputrain.layers.base import arguments, declared, registry
from gputrain.layers.recurrent.cell import Cell, masked
from gputrain.layers.recurrent.sequences import GatedRNN


@registry.add()
class GRUCell(Cell):
    """One step of `GRU`: h = z * h + (1 - z) * candidate.

    Args:
        units: size of the output and of each state.
        implementation: of Keras, 0, 1 or 2; the results are the same.
        recurrent_activation: of the gates; a name, a function or None.
        reset_after: whether the reset gate acts on the product of the state, which then has a bias of its
            own, or on the state before the product.

    Shapes:
        (N, features) and states [(N, units)] to (N, units) and [(N, units)].

    Source:
        Cho et al. 2014, Learning Phrase Representations using RNN Encoder-Decoder.

    Example:
        >>> cell = GRUCell(4)
        >>> output, states = cell(numpy.ones((2, 3), "float32"), cell.get_initial_state(2))
        >>> output.shape
        (2, 4)
    """

    units: int = declared.argument(arguments.positive_int)
    implementation: int = declared.keras_only("implementation", shown=False, kept=False, after="seed")
    recurrent_activation: Any = declared.activation("sigmoid", after="activation")
    reset_after: bool = declared.flag(True, after="recurrent_dropout")
    gates = 3
    has_all_steps = True

    def all_steps(self, projected: Any, states: list[Any], mask: Any, reverse: bool) -> tuple[Any, ...]:
        bias = self.biases[1]
        return ops.gru(projected, states[0], self.recurrent_kernel, bias, mask, reverse, self.reset_after)

    @property
    def bias_shape(self) -> tuple[int, ...]:
        """(3 * units,), or (2, 3 * units) where the product of the state has a bias, too."""
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    @property
    def biases(self) -> tuple[Any, Any]:
        """The bias of the inputs' product and that of the state's; None where there is none."""
        if self.bias is None or not self.reset_after:
            return self.bias, None
        return self.bias[0], self.bias[1]

    def project(self, inputs: Any) -> Any:
        self.require_features(inputs)
        product, (bias, _) = ops.matmul(inputs, self.kernel), self.biases
        return product if bias is None else ops.add(product, bias)

    def step(self, projected: Any, states: list[Any], kept: Any) -> tuple[Any, list[Any]]:
        (h,) = states
        units, seen = self.units, masked(h, kept)
        x_gates, x_candidate = ops.split(projected, [2 * units], axis=-1)
        if self.reset_after:
            product, (_, bias) = ops.matmul(seen, self.recurrent_kernel), self.biases
            product = product if bias is None else ops.add(product, bias)
            h_gates, h_candidate = ops.split(product, [2 * units], axis=-1)
        else:
            h_gates = ops.matmul(seen, self.recurrent_kernel[:, : 2 * units])
        z, r = ops.split(self.recurrent_activation(ops.add(x_gates, h_gates)), 2, axis=-1)
        if self.reset_after:
            reset = ops.multiply(r, h_candidate)
        else:
            reset = ops.matmul(ops.multiply(r, seen), self.recurrent_kernel[:, 2 * units :])
        candidate = self.activation(ops.add(x_candidate, reset))
        h = ops.add(ops.multiply(z, h), ops.multiply(ops.subtract(1.0, z), candidate))
        return h, [h]


@registry.add()
class GRU(GatedRNN):
    """A recurrent layer with one state and two gates (gated recurrent unit).

    The whole loop is one operation where activations are tanh and sigmoid and `recurrent_dropout` is off.

    Args:
        activity_regularizer: a penalty on the outputs, added to the loss.

    Shapes:
        (N, T, features) to (N, units), or (N, T, units) with `return_sequences`; kernel
        (features, 3 * units), recurrent_kernel (units, 3 * units), bias (2, 3 * units), or (3 * units,)
        without `reset_after`.

    Source:
        Cho et al. 2014, Learning Phrase Representations using RNN Encoder-Decoder.

    Example:
        >>> GRU(4, return_sequences=True)(numpy.ones((2, 5, 3), "float32")).shape
        (2, 5, 4)
    """

    cell: GRUCell = declared.part(GRUCell, reset_after="unroll")
    activity_regularizer: Any = declared.regularizer(after="bias_regularizer")
