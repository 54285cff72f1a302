"""Cases of the recurrent steps, with references in loops over sequences and steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from gputrain.ir import Spec
from gputrain.ops.base import Sample
from gputrain.ops.recurrent_cells import LSTMCell, SimpleCell

# Masks of 3 sequences of 5 steps: padding behind, before, holes and none at all; one that counts nothing.
_MASKS = {
    "right and none": [[1, 1, 1, 0, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]],
    "left and holes": [[0, 0, 1, 1, 1], [1, 0, 1, 0, 1], [0, 1, 0, 0, 1]],
}
_SIZES = [(3, 5, 4), (1, 1, 1), (2, 0, 3), (0, 2, 3), (33, 2, 37)]  # batch, steps, units


def _cases() -> Iterator[tuple[tuple[int, int, int], bool, np.ndarray | None, str]]:
    """(sizes, reverse, mask, label)."""
    for sizes in _SIZES:
        yield sizes, False, None, f"{sizes}"
    yield (3, 5, 4), True, None, "reverse"
    for reverse, (label, rows) in enumerate(_MASKS.items()):
        yield (3, 5, 4), bool(reverse), np.array(rows, bool), f"{label}{', reverse' * reverse}"


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _one_step(op: Any, x: np.ndarray, states: list[np.ndarray], weights: Sequence[np.ndarray]) -> Any:
    """One sequence's step by the formulas of the papers: (states, gates, extras)."""
    h, u, w = states[0], len(states[0]), weights[0]
    if isinstance(op, SimpleCell):
        h = np.tanh(x + h @ w)
        return [h], [h], []
    if isinstance(op, LSTMCell):
        i, f, o = (_sigmoid(x[k * u : (k + 1) * u] + h @ w[:, k * u : (k + 1) * u]) for k in (0, 1, 3))
        g = np.tanh(x[2 * u : 3 * u] + h @ w[:, 2 * u : 3 * u])
        c = f * states[1] + i * g
        return [o * np.tanh(c), c], [2 * i - 1, 2 * f - 1, g, 2 * o - 1], [states[1]]
    bias = weights[1] if op.reset_after else np.zeros(3 * u)
    z, r = (
        _sigmoid(x[k * u : (k + 1) * u] + h @ w[:, k * u : (k + 1) * u] + bias[k * u : (k + 1) * u])
        for k in (0, 1)
    )
    inner = h @ w[:, 2 * u :] + bias[2 * u :]
    g = np.tanh(x[2 * u :] + (r * inner if op.reset_after else (r * h) @ w[:, 2 * u :]))
    return [z * h + (1 - z) * g], [2 * z - 1, 2 * r - 1, g], [inner] if op.reset_after else []


def _reference(op: Any) -> Any:
    """The steps in loops over sequences and steps."""

    def run(*inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        projected, states, weights, mask = op.parts(inputs)
        (n, steps, _), u = projected.shape, states[0].shape[1]
        gates = np.zeros((steps, n, projected.shape[2]))
        before, outputs = np.zeros((n, steps, u)), np.zeros((n, steps, u))
        extras = np.zeros((op.extras, steps, n, u))
        last = [state.copy() for state in states]
        for row in range(n):
            y = np.zeros(u)
            for t in op.order(steps):
                now = [state[row].copy() for state in last]
                new, kept, more = _one_step(op, projected[row, t], now, weights)
                gates[t, row], before[row, t], extras[:, t, row] = np.concatenate(kept), now[0], more or 0
                if mask is None or mask[row, t]:
                    y = new[0]
                    for state, value in zip(last, new, strict=True):
                        state[row] = value
                outputs[row, t] = y
        return (outputs, *last, *((gates, before, *extras) if op.keeps else ()))

    return run


def step_samples(cls: Any, **settings: Any) -> list[Sample]:
    """Cases of the steps, with what is kept for the gradient in every second one."""
    found = []
    for index, ((n, steps, units), reverse, mask, label) in enumerate(_cases()):
        op = cls(reverse, **settings)
        width = len(op.squashed) * units
        specs: list[Any] = [Spec((n, steps, width)), *[Spec((n, units))] * op.states, Spec((units, width))]
        specs += [Spec((width,))] * op.biases
        specs += [] if mask is None else [mask]
        made = op.replace(keeps=bool(index % 2))
        differentiable = () if made.keeps else None
        name = f"{label} {settings or ''}"
        found.append(Sample(made, tuple(specs), _reference(made), -0.5, 0.5, differentiable, name))
    return found


def _gradient_reference(op: Any) -> Any:
    """The chain rule in loops over sequences and steps, from what the forward steps kept."""

    def run(*inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        cts, kernel, gates, before, extras, mask = op.parts(inputs)
        (steps, n, width), u = gates.shape, before.shape[2]
        d_projected, d_states = np.zeros((n, steps, width)), np.zeros((op.states, n, u))
        d_kernel, d_bias = np.zeros(kernel.shape), np.zeros((op.biases, width))
        for row in range(n):
            d = [np.zeros(u) if ct is None else ct[row].copy() for ct in cts[1:]]
            waiting = np.zeros(u)
            for t in op.order(steps):
                waiting = waiting + (0 if cts[0] is None else cts[0][row, t])
                if mask is not None and not mask[row, t]:
                    continue
                d[0], waiting = d[0] + waiting, np.zeros(u)
                extra = [x[t, row] for x in extras]
                d_x, by_state, left, d = _one_step_back(op, d, kernel, gates[t, row], before[row, t], extra)
                d_projected[row, t] = d_x
                d_bias += by_state
                for k in range(width // u):
                    d_kernel[:, k * u : (k + 1) * u] += np.outer(left[k], by_state[k * u : (k + 1) * u])
            d_states[:, row] = d
        return (d_projected, *d_states, d_kernel, *d_bias)

    return run


def _one_step_back(op: Any, d: Any, w: Any, kept: Any, h: Any, extras: Any) -> Any:
    """(gradient of projected, of the product's columns, their left factors, of the states before)."""
    u = len(h)
    parts = [kept[k * u : (k + 1) * u] for k in range(len(op.squashed))]
    gates = [(1 + p) / 2 if s else p for p, s in zip(parts, op.squashed, strict=True)]
    if isinstance(op, SimpleCell):
        d_x = d[0] * (1 - gates[0] ** 2)
        return d_x, d_x, [h], [d_x @ w.T]
    if isinstance(op, LSTMCell):
        (i, f, g, o), c_before = gates, extras[0]
        c = f * c_before + i * g
        dc = d[1] + d[0] * o * (1 - np.tanh(c) ** 2)
        pieces = [dc * g * i * (1 - i), dc * c_before * f * (1 - f), dc * i * (1 - g**2)]
        d_x = np.concatenate([*pieces, d[0] * np.tanh(c) * o * (1 - o)])
        return d_x, d_x, [h] * 4, [d_x @ w.T, dc * f]
    z, r, g = gates
    d_z, d_g = d[0] * (h - g) * z * (1 - z), d[0] * (1 - z) * (1 - g**2)
    if op.reset_after:
        d_r = d_g * extras[0] * r * (1 - r)
        by_state = np.concatenate([d_z, d_r, d_g * r])
        return np.concatenate([d_z, d_r, d_g]), by_state, [h] * 3, [d[0] * z + by_state @ w.T]
    d_rh = w[:, 2 * u :] @ d_g
    d_r = d_rh * h * r * (1 - r)
    d_x = np.concatenate([d_z, d_r, d_g])
    return d_x, d_x, [h, h, r * h], [d[0] * z + d_rh * r + w[:, : 2 * u] @ d_x[: 2 * u]]


def gradient_samples(cls: Any, **settings: Any) -> list[Sample]:
    """Cases of the gradient, with all cotangents, and in every third one with some."""
    found = []
    for index, ((n, steps, units), reverse, mask, label) in enumerate(_cases()):
        states = cls.states
        given = (True,) * (1 + states) if index % 3 else (index % 2 == 0, *[index % 2 == 1] * states)
        op = cls(given, reverse, **settings)
        width = len(op.squashed) * units
        state = Spec((n, units))
        cts = [
            s for s, there in zip([Spec((n, steps, units)), *[state] * states], given, strict=True) if there
        ]
        kept = [Spec((steps, n, width)), Spec((n, steps, units)), *[Spec((steps, n, units))] * op.extras]
        specs = [*cts, Spec((units, width)), *kept, *([] if mask is None else [mask])]
        name = f"{label} {given} {settings or ''}"
        found.append(Sample(op, tuple(specs), _gradient_reference(op), -0.5, 0.5, (), name))
    return found
