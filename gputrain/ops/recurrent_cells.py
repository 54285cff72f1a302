"""What one step of each recurrent cell computes, forward and back.

Gates are kept as tanh: a sigmoid gate s as tanh(x / 2), so that s = (tanh(x / 2) + 1) / 2, and one call of
tanh makes all gates of a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np


class Cell:
    """What distinguishes the recurrent cells.

    Attributes:
        states: how many arrays (N, U) a step hands to the next; the first is its output.
        squashed: the gates that are sigmoid; the others are tanh.
    """

    states: ClassVar[int] = 1
    squashed: ClassVar[tuple[bool, ...]]

    @property
    def biases(self) -> int:
        """How many vectors are added to the product of state and recurrent kernel."""
        return 0

    @property
    def extras(self) -> int:
        """How many arrays (T, N, U) the gradient needs beside the gates and the states before each step."""
        return 0

    @property
    def slope(self) -> np.ndarray:
        """The factor of what goes into tanh, for each gate."""
        return np.where(self.squashed, 0.5, 1.0)

    def split(self, x: Any, *, gates: int | None = None) -> list[Any]:
        """The gates along the last axis."""
        count = len(self.squashed) if gates is None else gates
        units = x.shape[-1] // count
        return [x[..., k * units : (k + 1) * units] for k in range(count)]

    def step(self, xp: Any, x: Any, states: Sequence[Any], weights: Sequence[Any]) -> tuple[Any, ...]:
        """(states after the step, gates as tanh, extras)."""
        raise NotImplementedError

    def back(
        self, xp: Any, d_states: Sequence[Any], kernel: Any, gates: Any, before: Any, extras: Sequence[Any]
    ) -> tuple[Any, ...]:
        """(gradient of the gates, gradients of the states before, what the products of weights need)."""
        raise NotImplementedError

    def d_weights(self, xp: Any, d_gates: Any, before: Any, others: Any, out: Sequence[Any]) -> None:
        """Gradients of kernel and biases into `out`, from rows of all sequences and steps."""
        xp.matmul(before.T, d_gates, out=out[0])


def _opened(gate: Any) -> Any:
    """The sigmoid that was kept as tanh of half its argument."""
    return gate * 0.5 + 0.5


class LSTMCell(Cell):
    """Long short-term memory; gates input, forget, cell, output; states h and c."""

    states = 2
    squashed = (True, True, False, True)

    @property
    def extras(self) -> int:
        return 1  # the cell state before each step

    def step(self, xp: Any, x: Any, states: Sequence[Any], weights: Sequence[Any]) -> tuple[Any, ...]:
        (h, c), (kernel,) = states, weights
        i, f, g, o = self.split(x + xp.matmul(h, kernel))
        i, f, g, o = xp.tanh(i * 0.5), xp.tanh(f * 0.5), xp.tanh(g), xp.tanh(o * 0.5)
        new = _opened(f) * c + _opened(i) * g
        return (_opened(o) * xp.tanh(new), new), xp.concatenate([i, f, g, o], -1), (c,)

    def back(
        self, xp: Any, d_states: Sequence[Any], kernel: Any, gates: Any, before: Any, extras: Sequence[Any]
    ) -> tuple[Any, ...]:
        (dh, dc), (c,) = d_states, extras
        i, f, g, o = self.split(gates)
        bent = xp.tanh(_opened(f) * c + _opened(i) * g)
        dc = dc + dh * _opened(o) * (1 - bent * bent)
        d_gates = xp.concatenate(
            [
                dc * g * (1 - i * i) * 0.25,
                dc * c * (1 - f * f) * 0.25,
                dc * _opened(i) * (1 - g * g),
                dh * bent * (1 - o * o) * 0.25,
            ],
            -1,
        )
        return d_gates, (xp.matmul(d_gates, kernel.T), dc * _opened(f)), None


class SimpleCell(Cell):
    """The simple recurrent network: its one gate is the state."""

    squashed = (False,)

    def step(self, xp: Any, x: Any, states: Sequence[Any], weights: Sequence[Any]) -> tuple[Any, ...]:
        new = xp.tanh(x + xp.matmul(states[0], weights[0]))
        return (new,), new, ()

    def back(
        self, xp: Any, d_states: Sequence[Any], kernel: Any, gates: Any, before: Any, extras: Sequence[Any]
    ) -> tuple[Any, ...]:
        d_gates = d_states[0] * (1 - gates * gates)
        return d_gates, (xp.matmul(d_gates, kernel.T),), None


class GRUCell(Cell):
    """Gated recurrent units; gates update, reset, candidate.

    Attributes:
        reset_after: whether the reset gate multiplies the state after its product with the kernel, or before.
    """

    squashed = (True, True, False)
    reset_after: bool

    @property
    def biases(self) -> int:
        return int(self.reset_after)

    @property
    def extras(self) -> int:
        return int(self.reset_after)  # what the reset gate multiplies

    def step(self, xp: Any, x: Any, states: Sequence[Any], weights: Sequence[Any]) -> tuple[Any, ...]:
        (h,), kernel, units = states, weights[0], states[0].shape[-1]
        x_z, x_r, x_g = self.split(x)
        if self.reset_after:
            m_z, m_r, inner = self.split(xp.matmul(h, kernel) + weights[1])
        else:
            m_z, m_r = self.split(xp.matmul(h, kernel[:, : 2 * units]), gates=2)
        z, r = xp.tanh((x_z + m_z) * 0.5), xp.tanh((x_r + m_r) * 0.5)
        if self.reset_after:
            g = xp.tanh(x_g + _opened(r) * inner)
        else:
            g = xp.tanh(x_g + xp.matmul(_opened(r) * h, kernel[:, 2 * units :]))
        new = g + _opened(z) * (h - g)
        return (new,), xp.concatenate([z, r, g], -1), (inner,) if self.reset_after else ()

    def back(
        self, xp: Any, d_states: Sequence[Any], kernel: Any, gates: Any, before: Any, extras: Sequence[Any]
    ) -> tuple[Any, ...]:
        (dh,), units = d_states, before.shape[-1]
        z, r, g = self.split(gates)
        d_z = dh * (before - g) * (1 - z * z) * 0.25
        d_g = dh * (1 - _opened(z)) * (1 - g * g)
        through = dh * _opened(z)
        if self.reset_after:
            met = d_g * _opened(r)
            d_r = d_g * extras[0] * (1 - r * r) * 0.25
            d_before = xp.matmul(xp.concatenate([d_z, d_r, met], -1), kernel.T)
        else:
            met = _opened(r) * before
            d_met = xp.matmul(d_g, kernel[:, 2 * units :].T)
            d_r = d_met * before * (1 - r * r) * 0.25
            d_before = d_met * _opened(r)
            d_before = d_before + xp.matmul(xp.concatenate([d_z, d_r], -1), kernel[:, : 2 * units].T)
        return xp.concatenate([d_z, d_r, d_g], -1), (through + d_before,), met

    def d_weights(self, xp: Any, d_gates: Any, before: Any, others: Any, out: Sequence[Any]) -> None:
        both, units = 2 * before.shape[-1], before.shape[-1]
        d_kernel = out[0]
        d_kernel[:, :both] = xp.matmul(before.T, d_gates[:, :both])
        if not self.reset_after:
            d_kernel[:, both:] = xp.matmul(others.T, d_gates[:, both:])
            return
        d_kernel[:, both:] = xp.matmul(before.T, others)
        out[1][:both] = xp.sum(d_gates[:, :both], axis=0)
        out[1][both : both + units] = xp.sum(others, axis=0)
