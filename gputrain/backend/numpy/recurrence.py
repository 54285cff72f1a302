"""Recurrent steps on the CPU: sequences are shared out among threads, each goes through time by itself.

A step is a product and some passes over (sequences, units) that stay in cache. Nothing waits for another
thread before the last step, and a step allocates nothing. float16 is computed in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from gputrain.backend.base import Kernel, Thunk
from gputrain.backend.numpy.threads import one_blas_thread, shares, together
from gputrain.ir.spec import Spec
from gputrain.ops.precision import wide_dtype

Array = Any
WORTH = (
    1 << 14
)  # elements of a thread's gates: with fewer, threads wait for the interpreter more than they compute
LARGE = 1 << 24  # multiplications of a step's product that BLAS may share out among threads of its own

add, subtract, multiply, tanh, copyto, dot = np.add, np.subtract, np.multiply, np.tanh, np.copyto, np.dot


def _parts(batch: int, width: int) -> list[slice]:
    """The sequences of each thread; `width` is that of the gates."""
    parts = shares(range(batch)) if batch * width >= 2 * WORTH else [range(batch)]
    return [slice(part[0], part[-1] + 1) for part in parts]


def _at_once(tasks: Sequence[Callable[[], None]], product: int) -> Callable[[], None]:
    """The tasks of all threads, in each of which a step multiplies so often."""
    both, by_blas = together(tasks), len(tasks) == 1 and product >= LARGE

    def run() -> None:
        with nullcontext() if by_blas else one_blas_thread:
            both()

    return run


def _gates(x: Array, count: int) -> list[Array]:
    """Views of the gates along the last axis."""
    units = x.shape[-1] // count
    return [x[..., k * units : (k + 1) * units] for k in range(count)]


def _moved(pairs: Iterable[tuple[Array, Array]]) -> None:
    """Copies of (target, source), whatever their dtypes."""
    for target, source in pairs:
        copyto(target, source, casting="unsafe")


def _widened(array: Array, buffer: Array) -> tuple[Array, list[tuple[Array, Array]]]:
    """What to compute with, and the copy that fills it: none where the array has the dtype itself."""
    return (array, []) if array.dtype == buffer.dtype else (buffer, [(buffer, array)])


# -------------------------------------------------------------------------------------------------- forward

Step = Callable[[Array, Array, Sequence[Array]], None]  # of x, the gates and their parts


def _lstm_step(op: Any, states: Any, new: Any, weights: Any, work: Any) -> Step:
    (h, c), (h_new, c_new), (kernel,), (a, b) = states, new, weights, work[:2]
    slope = np.repeat(op.slope, h.shape[1]).astype(h.dtype)

    def step(x: Array, gates: Array, parts: Sequence[Array]) -> None:
        i, f, g, o = parts
        dot(h, kernel, gates)
        add(gates, x, gates)
        multiply(gates, slope, gates)
        tanh(gates, gates)
        add(f, 1, a)
        multiply(a, c, a)
        add(i, 1, b)
        multiply(b, g, b)
        add(a, b, a)
        multiply(a, 0.5, c_new)
        tanh(c_new, a)
        add(o, 1, b)
        multiply(a, b, a)
        multiply(a, 0.5, h_new)

    return step


def _gru_step(op: Any, states: Any, new: Any, weights: Any, work: Any) -> Step:
    (h,), (h_new,), (kernel, *bias), (a, b, inner, product) = states, new, weights, work
    both = 2 * h.shape[1]
    early, late = (kernel if op.reset_after else kernel[:, :both]), kernel[:, both:]

    def step(x: Array, gates: Array, parts: Sequence[Array]) -> None:
        z, r, g = parts
        squashed = gates[:, :both]
        dot(h, early, product)
        if bias:
            add(product, bias[0], product)
        add(product[:, :both], x[:, :both], squashed)
        multiply(squashed, 0.5, squashed)
        tanh(squashed, squashed)
        add(r, 1, a)
        multiply(a, 0.5, a)
        if bias:
            copyto(inner, product[:, both:])
            multiply(a, inner, a)
        else:
            multiply(a, h, b)
            dot(b, late, a)
        add(a, x[:, both:], g)
        tanh(g, g)
        subtract(h, g, a)
        add(z, 1, b)
        multiply(a, b, a)
        multiply(a, 0.5, a)
        add(a, g, h_new)

    return step


def _simple_step(op: Any, states: Any, new: Any, weights: Any, work: Any) -> Step:
    (h,), (h_new,), (kernel,) = states, new, weights

    def step(x: Array, gates: Array, parts: Sequence[Array]) -> None:
        dot(h, kernel, gates)
        add(gates, x, gates)
        tanh(gates, gates)
        copyto(h_new, gates)

    return step


STEPS = {"LSTMSteps": _lstm_step, "GRUSteps": _gru_step, "SimpleSteps": _simple_step}


def _product_width(op: Any, units: int) -> int:
    """Columns of the product that is not made in the place of the gates, as a GRU's."""
    return (3 if op.reset_after else 2) * units if type(op).__name__.startswith("GRU") else 0


def _forward_scratch(op: Any, *inputs: Spec) -> tuple[Spec, ...]:
    """Gates, a product, states, new states, last output, three workspaces; weights that are widened."""
    projected, states, weights, _ = op.parts(inputs)
    dtype = wide_dtype(projected.dtype)
    state = states[0].with_dtype(dtype)
    batch, units = state.dims
    wide = [weight.with_dtype(dtype) for weight in weights] if projected.dtype != dtype else []
    return (
        Spec((batch, projected.dims[2]), dtype),
        Spec((batch, _product_width(op, units)), dtype),
        *[state] * (2 * op.states + 4),
        *wide,
    )


def _forward(op: Any, out: Any, *inputs: Array, scratch: Any) -> Thunk:
    projected, starts, weights, mask = op.parts(inputs)
    count = op.states
    outputs, last, kept = out[0], out[1 : 1 + count], out[1 + count :]
    gates, product, *others = scratch[: 6 + 2 * count]
    widened = scratch[6 + 2 * count :]
    order = op.order(projected.shape[1])

    def of_rows(rows: slice) -> Callable[[], None]:
        states, new = ([s[rows] for s in part] for part in (others[:count], others[count : 2 * count]))
        y, a, b, inner = (buffer[rows] for buffer in others[2 * count :])
        new = states if mask is None else new
        step = STEPS[type(op).__name__](op, states, new, widened or weights, (a, b, inner, product[rows]))
        extras = (
            states[1:] if count > 1 else [inner]
        )  # what is kept is the cell state before, or made in the step
        steps = []
        for t in order:
            place, before, after = gates[rows], [], [(outputs[rows, t], states[0] if mask is None else y)]
            if kept:
                before = [(kept[1][rows, t], states[0])]
                (before if count > 1 else after).extend(
                    (k[t, rows], e) for k, e in zip(kept[2:], extras, strict=False)
                )
                if kept[0].dtype == place.dtype:
                    place = kept[0][t, rows]
                else:
                    after.append((kept[0][t, rows], place))
            counts = None if mask is None else mask[rows, t, None]
            steps.append((projected[rows, t], place, _gates(place, len(op.squashed)), before, after, counts))

        def run() -> None:
            for state, start in zip(states, starts, strict=True):
                copyto(state, start[rows])
            y[...] = 0
            for x, place, parts, before, after, counts in steps:
                _moved(before)
                step(x, place, parts)
                if counts is not None:
                    for state, value in zip(states, new, strict=True):
                        copyto(state, value, where=counts)
                    copyto(y, new[0], where=counts)
                _moved(after)
            _moved((place[rows], state) for place, state in zip(last, states, strict=True))

        return run

    tasks = [of_rows(rows) for rows in _parts(len(projected), projected.shape[2])]
    all_rows = _at_once(tasks, projected[:, 0].size * starts[0].shape[1])

    def run() -> None:
        _moved(zip(widened, weights, strict=False))
        all_rows()

    return run if widened else all_rows


# ------------------------------------------------------------------------------------------------- backward

# Of (gates and their parts, state before, extras): the gradients of the gates and of the states before.
Back = Callable[[Array, Sequence[Array], Array, Sequence[Array]], None]


def _lstm_back(op: Any, d_states: Any, new: Any, kernel: Array, d_gates: Array, work: Any) -> Back:
    (dh, dc), (dh_new, dc_new), (a, b, e) = d_states, new, work
    d_i, d_f, d_g, d_o = _gates(d_gates, 4)

    def back(gates: Array, parts: Sequence[Array], before: Array, extras: Sequence[Array]) -> None:
        (i, f, g, o), (c,) = parts, extras
        multiply(gates, gates, d_gates)
        subtract(1, d_gates, d_gates)
        # a = tanh of the new cell state
        add(f, 1, e)
        multiply(e, c, a)
        add(i, 1, b)
        multiply(b, g, b)
        add(a, b, a)
        multiply(a, 0.5, a)
        tanh(a, a)
        # The output gate, and dc_new = the whole gradient of the new cell state, halved.
        multiply(a, dh, b)
        multiply(b, 0.25, b)
        multiply(d_o, b, d_o)
        multiply(a, a, a)
        subtract(1, a, a)
        add(o, 1, b)
        multiply(a, b, a)
        multiply(a, dh, a)
        multiply(a, 0.5, a)
        add(a, dc, a)
        multiply(a, 0.5, a)
        multiply(a, e, dc_new)
        add(i, 1, b)
        multiply(b, a, b)
        multiply(d_g, b, d_g)
        multiply(a, 0.5, a)
        multiply(a, g, b)
        multiply(d_i, b, d_i)
        multiply(a, c, b)
        multiply(d_f, b, d_f)
        dot(d_gates, kernel, dh_new)

    return back


def _gru_back(op: Any, d_states: Any, new: Any, kernel: Array, d_gates: Array, work: Any) -> Back:
    (dh,), (dh_new,), (a, b, other) = d_states, new, work
    both = 2 * dh.shape[1]
    d_z, d_r, last = _gates(d_gates, 3)
    early, late = kernel[:both], kernel[both:]

    def back(gates: Array, parts: Sequence[Array], before: Array, extras: Sequence[Array]) -> None:
        z, r, g = parts
        multiply(gates, gates, d_gates)
        subtract(1, d_gates, d_gates)
        multiply(dh, 0.5, a)
        subtract(1, z, b)
        multiply(b, a, b)
        multiply(last, b, last)
        subtract(before, g, b)
        multiply(b, a, b)
        multiply(b, 0.5, b)
        multiply(d_z, b, d_z)
        add(z, 1, b)
        multiply(a, b, a)  # what the state hands on itself
        add(r, 1, b)
        multiply(b, 0.5, b)
        if op.reset_after:
            copyto(other, last)
            multiply(last, b, last)
            multiply(other, extras[0], b)
            multiply(b, 0.25, b)
            multiply(d_r, b, d_r)
            dot(d_gates, kernel, dh_new)
        else:
            multiply(b, before, other)
            dot(last, late, dh_new)
            multiply(b, dh_new, b)
            add(a, b, a)
            multiply(dh_new, before, b)
            multiply(b, 0.25, b)
            multiply(d_r, b, d_r)
            dot(d_gates[:, :both], early, dh_new)
        add(dh_new, a, dh_new)

    return back


def _simple_back(op: Any, d_states: Any, new: Any, kernel: Array, d_gates: Array, work: Any) -> Back:
    (dh,), (dh_new,) = d_states, new

    def back(gates: Array, parts: Sequence[Array], before: Array, extras: Sequence[Array]) -> None:
        multiply(gates, gates, d_gates)
        subtract(1, d_gates, d_gates)
        multiply(d_gates, dh, d_gates)
        dot(d_gates, kernel, dh_new)

    return back


BACKS = {"LSTMStepsGrad": _lstm_back, "GRUStepsGrad": _gru_back, "SimpleStepsGrad": _simple_back}


def _has_others(op: Any) -> bool:
    """Whether the kernel's gradient has other factors than the states and the gradients of `projected`."""
    return type(op).__name__.startswith("GRU")


def _backward_scratch(op: Any, *inputs: Spec) -> tuple[Spec, ...]:
    """Kernel transposed; gates and their gradients; two arrays for each state, five workspaces, states and
    extras; steps that do not count; what the gradients of kernel and biases are made of."""
    _, _, gates, before, extras, mask = op.parts(inputs)
    dtype = wide_dtype(gates.dtype)
    (batch, steps, units), width = before.dims, gates.dims[2]
    rows, threads = batch * steps, len(_parts(batch, width))
    widened = rows if gates.dtype != dtype else 0
    return (
        Spec((width, units), dtype),
        *[Spec((batch, width), dtype)] * 2,
        *[Spec((batch, units), dtype)] * (2 * op.states + 6 + len(extras)),
        Spec((0, steps) if mask is None else (batch, steps), "bool"),
        Spec((rows, units if _has_others(op) else 0), dtype),
        Spec((widened, units), dtype),
        Spec((widened, width), dtype),
        Spec((rows * op.biases,), dtype),
        Spec((threads, units, width), dtype),
        Spec((threads * op.biases, width), dtype),
    )


def _backward(op: Any, out: Any, *inputs: Array, scratch: Any) -> Thunk:
    cts, kernel, gates, before, extras, mask = op.parts(inputs)
    (batch, steps, _), count, d_projected = before.shape, op.states, out[0]
    (turned, wide_gates, d_gates), others, (skipped, *factors) = scratch[:3], scratch[3:-7], scratch[-7:]
    states, work, wide_kept = others[: 2 * count], others[2 * count : 2 * count + 5], others[2 * count + 5 :]
    met, ones, totals = factors[0], factors[3], factors[4:]
    met_at = met.reshape(batch, steps, met.shape[1])

    def of_rows(thread: int, rows: slice) -> Callable[[], None]:
        d_states, new = ([s[rows] for s in part] for part in (states[:count], states[count:]))
        a, b, other, total, dy = (buffer[rows] for buffer in work)
        reached = d_states if mask is None else [total, *d_states[1:]]
        new, d_rows = d_states if mask is None else new, d_gates[rows]
        back = BACKS[type(op).__name__](op, reached, new, turned, d_rows, (a, b, other))
        walk = []
        for t in op.order(steps):
            place, fills = _widened(gates[t, rows], wide_gates[rows])
            kept = []
            for array, buffer in zip(
                (before[rows, t], *(x[t, rows] for x in extras)), wide_kept, strict=True
            ):
                array, fill = _widened(array, buffer[rows])
                kept.append(array)
                fills += fill
            stores = _stores(op, d_projected[rows, t], met_at[rows, t], d_rows, other)
            given = None if cts[0] is None else cts[0][rows, t]
            counts = None if mask is None else (mask[rows, t, None], skipped[rows, t, None])
            walk.append((fills, place, _gates(place, len(op.squashed)), kept, stores, given, counts))
        of_all = slice(rows.start * steps, rows.stop * steps)
        d_weights = _d_weights(
            op,
            before[rows],
            d_projected[rows],
            [f[of_all] for f in factors[:4]],
            [t[thread] for t in totals if len(t)],
        )

        def run() -> None:
            for state, ct in zip(d_states, cts[1:], strict=True):
                copyto(state, 0 if ct is None else ct[rows])
            dy[...] = 0
            for fills, place, parts, kept, stores, given, counts in walk:
                _moved(fills)
                if counts is None:
                    if given is not None:
                        add(d_states[0], given, d_states[0])
                    back(place, parts, kept[0], kept[1:])
                else:
                    if given is not None:
                        add(dy, given, dy)
                    add(d_states[0], dy, total)
                    back(place, parts, kept[0], kept[1:])
                    for state, value in zip(d_states, new, strict=True):
                        copyto(state, value, where=counts[0])
                    copyto(dy, 0, where=counts[0])
                    copyto(d_rows, 0, where=counts[1])
                    copyto(other, 0, where=counts[1])
                _moved(stores)
            _moved((place[rows], state) for place, state in zip(out[1:], d_states, strict=False))
            d_weights()

        return run

    tasks = [of_rows(thread, rows) for thread, rows in enumerate(_parts(batch, d_projected.shape[2]))]
    all_rows = _at_once(tasks, batch * kernel.size)

    def run() -> None:
        copyto(turned, kernel.T)
        ones[...] = 1
        if mask is not None:
            np.logical_not(mask, skipped)
        all_rows()
        for place, total in zip(out[1 + count :], totals, strict=False):
            for other in total[1:]:
                add(total[0], other, total[0])
            copyto(place, total[0], casting="unsafe")

    return run


def _stores(op: Any, d_x: Array, met: Array, d_gates: Array, other: Array) -> list[tuple[Array, Array]]:
    """The results of a step: (place, value) of the gradient of `projected` and of the other factors."""
    if not _has_others(op):
        return [(d_x, d_gates)]
    if not op.reset_after:
        return [(d_x, d_gates), (met, other)]
    both = 2 * met.shape[1]
    return [(d_x[:, :both], d_gates[:, :both]), (d_x[:, both:], other), (met, d_gates[:, both:])]


def _d_weights(op: Any, before: Array, d_projected: Array, factors: Any, totals: Any) -> Thunk:
    """What some sequences add to the gradients of the kernel and the bias: products over all their steps."""
    (met, wide_before, wide_rows, ones), (d_kernel, *d_bias), units = factors, totals, before.shape[2]
    states, fills = _widened(before.reshape(-1, units), wide_before)
    rows, more = _widened(d_projected.reshape(-1, d_kernel.shape[1]), wide_rows)
    both = 2 * units
    products = [(states.T, rows, d_kernel)]
    if _has_others(op):
        late = (states.T, met) if op.reset_after else (met.T, rows[:, both:])
        products = [(states.T, rows[:, :both], d_kernel[:, :both]), (*late, d_kernel[:, both:])]
    if d_bias:
        products += [(ones, rows[:, :both], d_bias[0][:both]), (ones, met, d_bias[0][both:])]

    def run() -> None:
        _moved([*fills, *more])
        for left, right, product in products:
            np.matmul(left, right, out=product)

    return run


def _some(op: Any, *specs: Spec) -> bool:
    """Whether there are sequences, units and steps."""
    return all(s.static and s.size > 0 for s in specs)


KERNELS = {
    **dict.fromkeys(STEPS, Kernel(_forward, _forward_scratch, accepts=_some)),
    **dict.fromkeys(BACKS, Kernel(_backward, _backward_scratch, accepts=_some)),
}
