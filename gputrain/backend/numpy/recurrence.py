"""Recurrent steps on the CPU: sequences are shared out among threads, each goes through time by itself.

A step is a product and some passes over (sequences, units) that stay in cache. Nothing waits for another
thread before the last step, and a step allocates nothing. float16 is computed in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np

from gputrain.backend.base import Kernel, Thunk
from gputrain.backend.numpy.threads import one_blas_thread, shares, together
from gputrain.ir.spec import Spec
from gputrain.ops.precision import wide_dtype

Array = Any
WORTH = 1 << 14  # elements of a thread's gates: with fewer, threads wait for the interpreter too long
LARGE = 1 << 24  # multiplications of a step's product that BLAS may share out among threads of its own
BUFFER = 1024  # elements
PREPARED = 1 << 16  # elements of gates whose factors are made at once: they stay in a core's L2 cache

add, subtract, multiply, tanh, copyto, dot = np.add, np.subtract, np.multiply, np.tanh, np.copyto, np.dot


def _parts(batch: int, width: int) -> list[slice]:
    """The sequences of each thread; `width` is that of the gates."""
    parts = shares(range(batch)) if batch * width >= 2 * WORTH else [range(batch)]
    return [slice(part[0], part[-1] + 1) for part in parts]


def _at_once(tasks: Sequence[Callable[[], None]], product: int) -> Callable[[], None]:
    """The tasks of all threads, in each of which a step multiplies so often."""
    all_tasks = together([partial(_in_small_buffers, task) for task in tasks])
    by_blas = len(tasks) == 1 and product >= LARGE

    def run() -> None:
        with nullcontext() if by_blas else one_blas_thread:
            all_tasks()

    return run


def _in_small_buffers(task: Callable[[], None]) -> None:
    """NumPy copies operands with gaps, as gates are, into buffers: that is cheaper where they are small."""
    before = np.setbufsize(BUFFER)
    try:
        task()
    finally:
        np.setbufsize(before)


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


def _lstm_step(op: Any, states: Any, new: Any, weights: Any, sums: Array, work: Any) -> Step:
    (h, c), (h_new, c_new), (kernel,), (a, b) = states, new, weights, work[:2]
    slope = np.repeat(op.slope, h.shape[1]).astype(h.dtype)

    def step(x: Array, gates: Array, parts: Sequence[Array]) -> None:
        i, f, g, o = parts
        dot(h, kernel, sums)
        add(sums, x, sums)
        multiply(sums, slope, sums)
        tanh(sums, gates)
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


def _gru_step(op: Any, states: Any, new: Any, weights: Any, sums: Array, work: Any) -> Step:
    (h,), (h_new,), (kernel, *bias), (a, b, inner) = states, new, weights, work
    both = 2 * h.shape[1]
    early, late = (kernel if op.reset_after else kernel[:, :both]), kernel[:, both:]
    squashed = sums[:, :both]

    def step(x: Array, gates: Array, parts: Sequence[Array]) -> None:
        z, r, g = parts
        dot(h, early, sums)
        if bias:
            add(sums, bias[0], sums)
        add(squashed, x[:, :both], squashed)
        multiply(squashed, 0.5, squashed)
        tanh(squashed, gates[:, :both])
        add(r, 1, a)
        multiply(a, 0.5, a)
        if bias:
            copyto(inner, sums[:, both:])
            multiply(a, inner, a)
        else:
            multiply(a, h, b)
            dot(b, late, a)
        add(a, x[:, both:], a)
        tanh(a, g)
        subtract(h, g, a)
        add(z, 1, b)
        multiply(a, b, a)
        multiply(a, 0.5, a)
        add(a, g, h_new)

    return step


def _simple_step(op: Any, states: Any, new: Any, weights: Any, sums: Array, work: Any) -> Step:
    (h,), (h_new,), (kernel,) = states, new, weights

    def step(x: Array, gates: Array, parts: Sequence[Array]) -> None:
        dot(h, kernel, sums)
        add(sums, x, sums)
        tanh(sums, gates)
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
        sums = product[rows] if product.size else gates[rows]
        step = STEPS[type(op).__name__](op, states, new, widened or weights, sums, (a, b, inner))
        extras = states[1:] or [inner]
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
#
# What a step back multiplies the gradients of its states by does not depend on them. So these factors are
# made for several steps at once, in a few calls, and a step is left with a product and some multiplications.


class _Back:
    """Some steps back, for some of the sequences.

    Args:
        op: the gradient's operation.
        d_states: gradients of the states after a step; `new`: places of those before it.
        kernel: transposed.
        d_gates: place of a step's gradients of the gates, `other` of the other factors of the kernel's.
        factors: of the gates, and three arrays of factors of the states; of several steps.
        work: (sequences, units).
    """

    def __init__(
        self,
        op: Any,
        d_states: Any,
        new: Any,
        kernel: Array,
        d_gates: Array,
        other: Array,
        factors: Sequence[Array],
        work: Array,
    ) -> None:
        self.op, self.d_states, self.new, self.kernel = op, d_states, new, kernel
        self.d_gates, self.other, self.factors, self.work = d_gates, other, factors, work
        self.d_parts = _gates(d_gates, len(op.squashed))
        self.of_steps = [self.step_factors(k) for k in range(len(factors[0]))]  # views cost time in a step

    def prepare(self, gates: Array, before: Array, extras: Sequence[Array]) -> None:
        """The factors of the steps of these gates (steps, sequences, gates * units)."""
        raise NotImplementedError

    def step_factors(self, k: int) -> tuple[Array, ...]:
        """What step k of those prepared reads."""
        return (self.factors[0][k],)

    def step(self, k: int) -> None:
        """Step k of those prepared: gradients of the gates, of the states before, and the other factors."""
        raise NotImplementedError

    def slopes(self, gates: Array) -> list[Array]:
        """1 - gate * gate, the factors to begin with, as a list of gates."""
        slopes = self.factors[0][: len(gates)]
        multiply(gates, gates, slopes)
        subtract(1, slopes, slopes)
        return _gates(slopes, len(self.op.squashed))


def _opened(gate: Array, out: Array) -> Array:
    """The sigmoid that was kept as tanh of half its argument."""
    add(gate, 1, out)
    return multiply(out, 0.5, out)


class _LSTMBack(_Back):
    def prepare(self, gates: Array, before: Array, extras: Sequence[Array]) -> None:
        i, f, g, o = _gates(gates, 4)
        (cell,), (leaving, reaching, bent) = extras, (factor[: len(gates)] for factor in self.factors[1:])
        d_i, d_f, d_g, d_o = self.slopes(gates)
        _opened(f, leaving)
        entering = _opened(i, reaching)
        multiply(d_g, entering, d_g)
        multiply(entering, g, bent)
        multiply(leaving, cell, reaching)
        add(bent, reaching, bent)
        tanh(bent, bent)
        multiply(d_i, g, d_i)
        multiply(d_i, 0.25, d_i)
        multiply(d_f, cell, d_f)
        multiply(d_f, 0.25, d_f)
        multiply(d_o, bent, d_o)
        multiply(d_o, 0.25, d_o)
        multiply(bent, bent, bent)
        subtract(1, bent, bent)
        _opened(o, reaching)
        multiply(reaching, bent, reaching)

    def step_factors(self, k: int) -> tuple[Array, ...]:
        gates, leaving, reaching, _ = (factor[k] for factor in self.factors)
        return (*_gates(gates, 4), leaving, reaching)

    def step(self, k: int) -> None:
        (dh, dc), (dh_new, dc_new), d_cell = self.d_states, self.new, self.work
        d_i, d_f, d_g, d_o = self.d_parts
        by_i, by_f, by_g, by_o, leaving, reaching = self.of_steps[k]
        multiply(dh, reaching, d_cell)
        add(dc, d_cell, d_cell)
        multiply(d_cell, by_i, d_i)
        multiply(d_cell, by_f, d_f)
        multiply(d_cell, by_g, d_g)
        multiply(dh, by_o, d_o)
        multiply(d_cell, leaving, dc_new)
        dot(self.d_gates, self.kernel, dh_new)


class _GRUBack(_Back):
    def prepare(self, gates: Array, before: Array, extras: Sequence[Array]) -> None:
        z, r, g = _gates(gates, 3)
        through, candidate, work = (factor[: len(gates)] for factor in self.factors[1:])
        d_z, d_r, last = self.slopes(gates)
        subtract(before, g, work)
        multiply(work, 0.25, work)
        multiply(d_z, work, d_z)
        subtract(1, z, work)
        multiply(work, 0.5, work)
        multiply(last, work, last)
        _opened(z, through)
        multiply(d_r, 0.25, d_r)
        if self.op.reset_after:
            copyto(candidate, last)
            multiply(d_r, candidate, d_r)
            multiply(d_r, extras[0], d_r)
            multiply(last, _opened(r, work), last)
        else:
            multiply(d_r, before, d_r)
            _opened(r, candidate)
            multiply(candidate, before, work)

    def step_factors(self, k: int) -> tuple[Array, ...]:
        gates, through, candidate, work = (factor[k] for factor in self.factors)
        return (*_gates(gates, 3), through, candidate, work)

    def step(self, k: int) -> None:
        (dh,), (dh_new,), held = self.d_states, self.new, self.work
        (d_z, d_r, last), both = self.d_parts, 2 * dh.shape[1]
        by_z, by_r, by_last, through, candidate, work = self.of_steps[k]
        multiply(dh, through, held)
        multiply(dh, by_z, d_z)
        multiply(dh, by_last, last)
        if self.op.reset_after:
            multiply(dh, by_r, d_r)
            multiply(dh, candidate, self.other)
            dot(self.d_gates, self.kernel, dh_new)
        else:
            dot(last, self.kernel[both:], dh_new)
            multiply(dh_new, by_r, d_r)
            multiply(dh_new, candidate, dh_new)
            add(held, dh_new, held)
            copyto(self.other, work)
            dot(self.d_gates[:, :both], self.kernel[:both], dh_new)
        add(dh_new, held, dh_new)


class _SimpleBack(_Back):
    def prepare(self, gates: Array, before: Array, extras: Sequence[Array]) -> None:
        self.slopes(gates)

    def step(self, k: int) -> None:
        (dh,), (dh_new,) = self.d_states, self.new
        multiply(dh, self.of_steps[k][0], self.d_gates)
        dot(self.d_gates, self.kernel, dh_new)


BACKS: dict[str, type[_Back]] = {
    "LSTMStepsGrad": _LSTMBack,
    "GRUStepsGrad": _GRUBack,
    "SimpleStepsGrad": _SimpleBack,
}


def _has_others(op: Any) -> bool:
    """Whether the kernel's gradient has other factors than the states and the gradients of `projected`."""
    return type(op).__name__.startswith("GRU")


def _at_a_time(batch: int, steps: int, width: int) -> int:
    """How many steps are prepared at once: with their factors they stay in cache."""
    rows = -(-batch // len(_parts(batch, width)))
    return max(1, min(steps, PREPARED // (rows * width)))


def _backward_scratch(op: Any, *inputs: Spec) -> tuple[Spec, ...]:
    """Kernel transposed; gradients of gates; two arrays for each state, four workspaces; steps that do not
    count; factors, and what is widened, of several steps; what the gradients of weights are made of."""
    _, _, gates, before, extras, mask = op.parts(inputs)
    dtype = wide_dtype(gates.dtype)
    (batch, steps, units), width = before.dims, gates.dims[2]
    rows, threads, several = batch * steps, len(_parts(batch, width)), _at_a_time(batch, steps, width)
    widened = gates.dtype != dtype
    return (
        Spec((width, units), dtype),
        Spec((batch, width), dtype),
        *[Spec((batch, units), dtype)] * (2 * op.states + 4),
        Spec((0, steps) if mask is None else (batch, steps), "bool"),
        Spec((several, batch, width), dtype),
        *[Spec((several, batch, units), dtype)] * 3,
        Spec((several * widened, batch, width), dtype),
        *[Spec((several * widened, batch, units), dtype)] * (1 + len(extras)),
        Spec((rows, units if _has_others(op) else 0), dtype),
        Spec((rows * widened, units), dtype),
        Spec((rows * widened, width), dtype),
        Spec((rows * op.biases,), dtype),
        Spec((threads, units, width), dtype),
        Spec((threads * op.biases, width), dtype),
    )


def _backward(op: Any, out: Any, *inputs: Array, scratch: Any) -> Thunk:
    cts, kernel, gates, before, extras, mask = op.parts(inputs)
    (batch, steps, _), count, d_projected = before.shape, op.states, out[0]
    (turned, d_gates), (states, others) = scratch[:2], (scratch[2 : 2 + 2 * count], scratch[2 + 2 * count :])
    work, skipped, factors, wide, weights = others[:4], others[4], others[5:9], others[9:-6], others[-6:]
    met, ones, totals = weights[0], weights[3], weights[4:]
    met_at = met.reshape(batch, steps, met.shape[1])
    order, several = op.order(steps), len(factors[0])
    by_step = (gates, before.swapaxes(0, 1), *extras)

    def of_rows(thread: int, rows: slice) -> Callable[[], None]:
        d_states, new = ([s[rows] for s in part] for part in (states[:count], states[count:]))
        held, other, total, dy = (buffer[rows] for buffer in work)
        reached = d_states if mask is None else [total, *d_states[1:]]
        new, d_rows = d_states if mask is None else new, d_gates[rows]
        own = [factor[:, rows] for factor in factors]
        back = BACKS[type(op).__name__](op, reached, new, turned, d_rows, other, own, held)
        chunks = []
        for start in range(0, steps, several):
            places = order[start : start + several]
            first, chunk = min(places), slice(min(places), max(places) + 1)
            kept, fills = [], []
            for array, buffer in zip(by_step, wide, strict=True):
                array, fill = _widened(array[chunk, rows], buffer[: len(places), rows])
                kept.append(array)
                fills += fill
            walk = []
            for t in places:
                stores = _stores(op, d_projected[rows, t], met_at[rows, t], d_rows, other)
                given = None if cts[0] is None else cts[0][rows, t]
                counts = None if mask is None else (mask[rows, t, None], skipped[rows, t, None])
                walk.append((t - first, stores, given, counts))
            chunks.append((fills, kept, walk))
        of_all = slice(rows.start * steps, rows.stop * steps)
        own_weights = [w[of_all] for w in weights[:4]]
        own_totals = [total[thread] for total in totals if len(total)]
        d_weights = _d_weights(op, before[rows], d_projected[rows], own_weights, own_totals)

        def run() -> None:
            for state, ct in zip(d_states, cts[1:], strict=True):
                copyto(state, 0 if ct is None else ct[rows])
            dy[...] = 0
            for fills, kept, walk in chunks:
                _moved(fills)
                back.prepare(kept[0], kept[1], kept[2:])
                for k, stores, given, counts in walk:
                    if given is not None:
                        reaches = d_states[0] if counts is None else dy
                        add(reaches, given, reaches)
                    if counts is None:
                        back.step(k)
                    else:
                        add(d_states[0], dy, total)
                        back.step(k)
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
