"""Recurrent layers' steps through time: LSTM, GRU and the simple one, each with its gradient.

A sequence is one operation. What the inputs contribute to the gates of all steps comes in as one product
(`projected`); a step adds what the state before it contributes. The gradient goes back through time with the
gates that the forward pass kept; the gradient of the recurrent kernel is one product over all steps after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from gputrain.errors import DTypeError, ShapeError, explain
from gputrain.ir import Spec, Value
from gputrain.ops.base import Operation, Sample, apply, cast, convert, require_float, spec_of
from gputrain.ops.creation import zeros
from gputrain.ops.pointwise import Gradients, as_floats
from gputrain.ops.recurrent_cells import Cell, GRUCell, LSTMCell, SimpleCell

__all__ = [
    "GRUSteps",
    "GRUStepsGrad",
    "LSTMSteps",
    "LSTMStepsGrad",
    "SimpleSteps",
    "SimpleStepsGrad",
    "gru",
    "lstm",
    "simple_rnn",
]

Size = int | None


class _Steps(Cell, Operation):
    """All steps: (projected, states, recurrent kernel, biases, mask) to (outputs, states after the last).

    Where the mask is False, a step hands on the states it got, and gives the output of the step before
    it, or zeros where there is none.

    Attributes:
        reverse: whether to go from the last step to the first; outputs stand at the places of their steps.
        keeps: whether it also gives what the gradient needs: the gates (T, N, K * U), the output states
            before each step (N, T, U), and the cell's extras (T, N, U).
    """

    reverse: bool = False
    keeps: bool = False

    @property
    def n_outputs(self) -> int:
        return 1 + self.states + ((2 + self.extras) if self.keeps else 0)

    def order(self, steps: int) -> range:
        """The numbers of the steps, in the order in which they are gone through."""
        return range(steps - 1, -1, -1) if self.reverse else range(steps)

    def parts(self, inputs: Sequence[Any]) -> tuple[Any, Sequence[Any], Sequence[Any], Any]:
        """(projected, states, weights, mask or None) of the inputs."""
        states, end = 1 + self.states, 2 + self.states + self.biases
        mask = inputs[end] if len(inputs) > end else None
        return inputs[0], inputs[1:states], inputs[states:end], mask

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        projected, states, weights, mask = self.parts(inputs)
        what = type(self).__name__.removesuffix("Steps")
        batch, steps, units = self._sizes(what, projected, states)
        self._check_weights(what, projected, weights, units)
        if mask is not None and (mask.dtype != "bool" or not _fits(mask.shape, (batch, steps))):
            raise ShapeError(
                explain(
                    f"{what}: the mask says which steps count.",
                    expected=f"bool of shape {(batch, steps)}",
                    received=mask,
                )
            )
        made = [
            Spec((batch, steps, units), projected.dtype),
            *[Spec((batch, units), projected.dtype)] * len(states),
        ]
        if self.keeps:
            width = len(self.squashed) * units
            made += [
                Spec((steps, batch, width), projected.dtype),
                Spec((batch, steps, units), projected.dtype),
            ]
            made += [Spec((steps, batch, units), projected.dtype)] * self.extras
        return tuple(made)

    def _sizes(self, what: str, projected: Spec, states: Sequence[Spec]) -> tuple[Size, Size, int]:
        """(batch, steps, units); every other spec follows from them."""
        require_float(projected, what)
        gates = len(self.squashed)
        for state in states:
            if state.dtype != projected.dtype:
                raise DTypeError(
                    explain(f"{what} needs inputs of one dtype.", received=f"{projected} and {state}")
                )
        units = states[0].shape[-1] if states[0].ndim == 2 else None
        if projected.ndim != 3 or units is None or not _fits(projected.shape[2:], (gates * units,)):
            raise ShapeError(
                explain(
                    f"{what} takes what the inputs contribute to its {gates} gates at each step, and states.",
                    expected=f"(batch, steps, {gates} * units) and (batch, units)",
                    received=f"{projected.shape} and {states[0].shape}",
                )
            )
        batch = states[0].shape[0] if projected.shape[0] is None else projected.shape[0]
        for state in states:
            if not _fits(state.shape, (batch, units)):
                raise ShapeError(
                    explain(
                        f"{what}: a state has a row for each sequence.",
                        expected=(batch, units),
                        received=state.shape,
                    )
                )
        return batch, projected.shape[1], units

    def _check_weights(self, what: str, projected: Spec, weights: Sequence[Spec], units: int) -> None:
        width = len(self.squashed) * units
        names = ("the recurrent kernel", "the recurrent bias")
        for name, weight, shape in zip(names, weights, ((units, width), (width,)), strict=False):
            if weight.shape != shape or weight.dtype != projected.dtype:
                expected = Spec(shape, projected.dtype)
                raise ShapeError(
                    explain(f"{what}: {name} has another shape.", expected=expected, received=weight)
                )

    def backward(self, given: tuple[bool, ...]) -> Operation:
        """The gradient; `given` says which of outputs and last states have a cotangent."""
        raise NotImplementedError

    def vjp(self, ct: Gradients, out: Sequence[Value], *inputs: Value) -> Gradients:
        _, _, weights, mask = self.parts(inputs)
        cts = ct[: 1 + self.states]
        op = self.backward(tuple(one is not None for one in cts))
        given = [one for one in cts if one is not None]
        kept = _kept(out[0].node)
        made = apply(op, *given, weights[0], *kept, *(() if mask is None else (mask,)))
        return *made, *(() if mask is None else (None,))

    def compute(self, xp: Any, out: Any, *inputs: Any, scratch: tuple[Any, ...] = ()) -> None:
        projected, states, weights, mask = self.parts(inputs)
        outputs, last = out[0], out[1 : 1 + self.states]
        kept, y = out[1 + self.states :], xp.zeros_like(states[0])
        for t in self.order(projected.shape[1]):
            new, *saved = self.step(xp, projected[:, t], states, weights)
            if kept:
                kept[0][t], kept[1][:, t] = saved[0], states[0]
                for place, value in zip(kept[2:], saved[1], strict=True):
                    place[t] = value
            counts = None if mask is None else mask[:, t, None]
            states = [_chosen(xp, counts, a, b) for a, b in zip(new, states, strict=True)]
            y = _chosen(xp, counts, new[0], y)
            outputs[:, t] = y
        for place, value in zip(last, states, strict=True):
            place[...] = value


class _StepsGrad(Cell, Operation):
    """Gradients of projected, states, recurrent kernel and biases, back through time.

    Inputs: the cotangents that there are (of outputs and last states), the recurrent kernel, what the forward
    steps kept, the mask.

    Attributes:
        given: for outputs and each state, whether there is a cotangent.
        reverse: as in the forward steps.
    """

    given: tuple[bool, ...]
    reverse: bool = False

    @property
    def n_outputs(self) -> int:
        return 2 + self.states + self.biases

    def order(self, steps: int) -> range:
        """The numbers of the steps, in the order in which they are gone through: back."""
        return range(steps) if self.reverse else range(steps - 1, -1, -1)

    def parts(self, inputs: Sequence[Any]) -> tuple[list[Any], Any, Any, Any, Sequence[Any], Any]:
        """(cotangents or None, kernel, gates, states before, extras, mask or None) of the inputs."""
        rest: Iterator[Any] = iter(inputs)
        cts = [next(rest) if there else None for there in self.given]
        kernel, gates, before = next(rest), next(rest), next(rest)
        extras = [next(rest) for _ in range(self.extras)]
        return cts, kernel, gates, before, extras, next(rest, None)

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        _, kernel, gates, before, _, _ = self.parts(inputs)
        steps, batch, width = gates.shape
        state = before.with_shape((batch, before.shape[-1]))
        return (
            before.with_shape((batch, steps, width)),
            *[state] * self.states,
            kernel,
            *[kernel.with_shape((width,))] * self.biases,
        )

    def vjp(self, *args: Any) -> Gradients:
        what = type(self).__name__.removesuffix("StepsGrad")
        raise NotImplementedError(
            explain(
                f"The gradient of {what} cannot be differentiated again.",
                fix="Write the steps with ops.scan, which can: it takes a step as a function.",
            )
        )

    def compute(self, xp: Any, out: Any, *inputs: Any, scratch: tuple[Any, ...] = ()) -> None:
        cts, kernel, gates, before, extras, mask = self.parts(inputs)
        d_projected, others = out[0], xp.zeros_like(before)
        d_states = [
            xp.zeros_like(place) if ct is None else ct for ct, place in zip(cts[1:], out[1:], strict=False)
        ]
        dy = xp.zeros_like(out[1])
        for t in self.order(len(gates)):
            dy = dy if cts[0] is None else dy + cts[0][:, t]
            reached = [d_states[0] + dy, *d_states[1:]]
            kept = [extra[t] for extra in extras]
            d_gates, d_before, met = self.back(xp, reached, kernel, gates[t], before[:, t], kept)
            counts = None if mask is None else mask[:, t, None]
            d_projected[:, t] = _chosen(xp, counts, d_gates, xp.zeros_like(d_gates))
            if met is not None:
                others[:, t] = _chosen(xp, counts, met, xp.zeros_like(met))
            d_states = [_chosen(xp, counts, a, b) for a, b in zip(d_before, d_states, strict=True)]
            dy = xp.zeros_like(dy) if counts is None else xp.where(counts, xp.zeros_like(dy), dy)
        for place, value in zip(out[1:], d_states, strict=False):
            place[...] = value
        rows, before_rows, other_rows = (a.reshape(-1, a.shape[-1]) for a in (d_projected, before, others))
        self.d_weights(xp, rows, before_rows, other_rows, out[1 + self.states :])


def _kept(node: Any) -> tuple[Value, ...]:
    """What the steps keep for their gradient; from now on they do."""
    op = node.op
    if not op.keeps:
        node.op = op.replace(keeps=True)
        first, specs = op.n_outputs, node.op.output_specs(*(v.spec for v in node.inputs))
        node.outputs += tuple(Value(s, node, first + i) for i, s in enumerate(specs[first:]))
    return tuple(node.outputs[1 + op.states :])


def _fits(shape: Sequence[Size], expected: Sequence[Size]) -> bool:
    return len(shape) == len(expected) and all(
        a == b or a is None or b is None for a, b in zip(shape, expected, strict=True)
    )


def _chosen(xp: Any, counts: Any, new: Any, old: Any) -> Any:
    """`new` where the step counts."""
    return new if counts is None else xp.where(counts, new, old)


class LSTMSteps(LSTMCell, _Steps):
    """Steps of long short-term memory; gates input, forget, cell, output.

    Source: Hochreiter & Schmidhuber 1997, Long Short-Term Memory; Gers, Schmidhuber & Cummins 2000.
    """

    def backward(self, given: tuple[bool, ...]) -> Operation:
        return LSTMStepsGrad(given, self.reverse)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        from gputrain.ops.recurrent_samples import step_samples

        return step_samples(cls)


class LSTMStepsGrad(LSTMCell, _StepsGrad):
    """Gradient of LSTMSteps."""

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        from gputrain.ops.recurrent_samples import gradient_samples

        return gradient_samples(cls)


class GRUSteps(GRUCell, _Steps):
    """Steps of gated recurrent units; gates update, reset, candidate.

    Attributes:
        reset_after: whether the reset gate multiplies the state after its product with the kernel, or before.

    Source: Cho et al. 2014, Learning Phrase Representations using RNN Encoder-Decoder.
    """

    reset_after: bool = True

    def backward(self, given: tuple[bool, ...]) -> Operation:
        return GRUStepsGrad(given, self.reverse, self.reset_after)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        from gputrain.ops.recurrent_samples import step_samples

        return [*step_samples(cls, reset_after=True), *step_samples(cls, reset_after=False)]


class GRUStepsGrad(GRUCell, _StepsGrad):
    """Gradient of GRUSteps."""

    reset_after: bool = True

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        from gputrain.ops.recurrent_samples import gradient_samples

        return [*gradient_samples(cls, reset_after=True), *gradient_samples(cls, reset_after=False)]


class SimpleSteps(SimpleCell, _Steps):
    """Steps of the simple recurrent network: tanh of inputs and state."""

    def backward(self, given: tuple[bool, ...]) -> Operation:
        return SimpleStepsGrad(given, self.reverse)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        from gputrain.ops.recurrent_samples import step_samples

        return step_samples(cls)


class SimpleStepsGrad(SimpleCell, _StepsGrad):
    """Gradient of SimpleSteps."""

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        from gputrain.ops.recurrent_samples import gradient_samples

        return gradient_samples(cls)


# ------------------------------------------------------------------------------------------- public functions


def lstm(
    projected: Any, h: Any, c: Any, recurrent_kernel: Any, mask: Any = None, reverse: bool = False
) -> tuple[Any, Any, Any]:
    """All steps of an LSTM: at each, gates i, f, g, o = projected + h @ recurrent_kernel, and then
    c = sigmoid(f) * c + sigmoid(i) * tanh(g), h = sigmoid(o) * tanh(c).

    Args:
        projected: (batch, steps, 4 * units), what the inputs and biases contribute to the gates.
        h, c: (batch, units), the states before the first step.
        recurrent_kernel: (units, 4 * units).
        mask: (batch, steps) of booleans, or None. Where it is False, states are handed on as they are, and
            the output is that of the step before, zeros where there is none.
        reverse: whether to go from the last step to the first. Outputs stand at the places of their steps.

    Returns:
        outputs (batch, steps, units), and h and c after the last step. Gradients cannot be differentiated
        again.

    Source: Hochreiter & Schmidhuber 1997, Long Short-Term Memory; Gers, Schmidhuber & Cummins 2000.

    Example:
        >>> outputs, h, c = lstm(np.ones((2, 5, 12)), np.zeros((2, 3)), np.zeros((2, 3)), np.ones((3, 12)))
        >>> outputs.shape, h.shape, c.shape
        ((2, 5, 3), (2, 3), (2, 3))
    """
    inputs = as_floats(projected, h, c, recurrent_kernel)
    outputs, h, c = apply(LSTMSteps(bool(reverse)), *inputs, *_mask(mask))
    return outputs, h, c


def gru(
    projected: Any,
    h: Any,
    recurrent_kernel: Any,
    recurrent_bias: Any = None,
    mask: Any = None,
    reverse: bool = False,
    reset_after: bool = True,
) -> tuple[Any, Any]:
    """All steps of a GRU, whose gates are z (update), r (reset) and g (candidate).

    At each step z and r are sigmoids of projected + m, where m = h @ recurrent_kernel + recurrent_bias; then
    g = tanh(projected + r * m), and h = z * h + (1 - z) * g. Without `reset_after`, g's part of m is
    (r * h) @ recurrent_kernel and is not multiplied by r.

    Args:
        projected: (batch, steps, 3 * units), what the inputs and their biases contribute to the gates.
        h: (batch, units), the state before the first step.
        recurrent_kernel: (units, 3 * units).
        recurrent_bias: (3 * units,), only with `reset_after`; None means zeros.
        mask, reverse: as in `lstm`.
        reset_after: whether the reset gate multiplies after the product with the kernel.

    Returns:
        outputs (batch, steps, units), and h after the last step. Gradients cannot be differentiated again.

    Source: Cho et al. 2014, Learning Phrase Representations using RNN Encoder-Decoder.

    Example:
        >>> outputs, h = gru(np.ones((2, 5, 9)), np.zeros((2, 3)), np.ones((3, 9)))
        >>> outputs.shape, h.shape
        ((2, 5, 3), (2, 3))
    """
    if recurrent_bias is not None and not reset_after:
        raise ValueError(
            explain(
                "gru: a recurrent bias belongs to reset_after=True.",
                received="recurrent_bias with reset_after=False",
                fix="Add the bias to `projected`.",
            )
        )
    projected, h, kernel = as_floats(projected, h, recurrent_kernel)
    op = GRUSteps(bool(reverse), reset_after=bool(reset_after))
    bias: tuple[Any, ...] = ()
    if reset_after:
        dtype = spec_of(projected).dtype
        given = zeros((spec_of(kernel).dims[-1],)) if recurrent_bias is None else convert(recurrent_bias)
        bias = (cast(given, dtype),)
    outputs, h = apply(op, projected, h, kernel, *bias, *_mask(mask))
    return outputs, h


def simple_rnn(
    projected: Any, h: Any, recurrent_kernel: Any, mask: Any = None, reverse: bool = False
) -> tuple[Any, Any]:
    """All steps of a simple recurrent network: h = tanh(projected + h @ recurrent_kernel).

    Args:
        projected: (batch, steps, units), what the inputs and the bias contribute.
        h: (batch, units), the state before the first step.
        recurrent_kernel: (units, units).
        mask, reverse: as in `lstm`.

    Returns:
        outputs (batch, steps, units), and h after the last step. Gradients cannot be differentiated again.

    Source: Elman 1990, Finding Structure in Time.

    Example:
        >>> outputs, h = simple_rnn(np.ones((2, 5, 3)), np.zeros((2, 3)), np.ones((3, 3)))
        >>> outputs.shape, h.shape
        ((2, 5, 3), (2, 3))
    """
    inputs = as_floats(projected, h, recurrent_kernel)
    outputs, h = apply(SimpleSteps(bool(reverse)), *inputs, *_mask(mask))
    return outputs, h


def _mask(mask: Any) -> tuple[Any, ...]:
    """The mask as an input, where there is one."""
    return () if mask is None else (cast(convert(mask), "bool"),)
