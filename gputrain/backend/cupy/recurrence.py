"""Recurrent steps on the GPU: a product of cuBLAS and a kernel of `kernels/recurrence.cu` for each step.

All of it is launches with fixed arguments, so a whole sequence is recorded into one CUDA graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from gputrain.backend.base import InOrder, Kernel, Thunk
from gputrain.backend.cupy.cublas import Matrix, zeros
from gputrain.backend.cupy.reduce import KERNELS as REDUCTIONS
from gputrain.ir import Spec
from gputrain.ops.reduction import Sum

if TYPE_CHECKING:
    from gputrain.backend.cupy.device import CupyDevice

NUMBERS = " i i i i"  # batch, steps, units, this step
Launch = Callable[..., Thunk]


def _resets_before(op: Any) -> bool:
    """Whether a step has two products: a GRU whose reset gate multiplies before the second."""
    return type(op).__name__.startswith("GRU") and not op.reset_after


def _launcher(gpu: CupyDevice, dtype: str, sizes: tuple[int, int, int]) -> Launch:
    """What binds a kernel of (pointers, arrays, step, further numbers) for a batch of sequences."""
    batch, _, units = sizes

    def launch(name: str, pointers: str, arrays: Sequence[Any], t: int, *further: int) -> Thunk:
        kernel = gpu.kernel_function("recurrence", name, pointers + NUMBERS + " i" * len(further), dtype)
        return kernel.bind(*arrays, *sizes, t, *further, threads=batch * units)

    return launch


# -------------------------------------------------------------------------------------------------- forward


def _forward_scratch(op: Any, *inputs: Spec) -> tuple[Spec, ...]:
    """The product of a step; a GRU that resets before it: its second, what that is made of, and the gates."""
    projected, states, _, _ = op.parts(inputs)
    state, width = states[0], projected.dims[2]
    if not _resets_before(op):
        return (state.with_shape((state.dims[0], width)),)
    both = state.with_shape((state.dims[0], 2 * state.dims[1]))
    return both, state, state, state.with_shape((state.dims[0], 0 if op.keeps else width))


def _forward(gpu: CupyDevice, op: Any, out: Any, *inputs: Any, scratch: tuple[Any, ...]) -> Thunk:
    projected, starts, weights, mask = op.parts(inputs)
    outputs, last, kept = out[0], out[1 : 1 + op.states], out[1 + op.states :]
    launch = _launcher(gpu, projected.dtype.name, outputs.shape)
    made = [gpu.copy(state, start) for state, start in zip(last, starts, strict=True)]
    previous = -1
    for t in op.order(projected.shape[1]) if outputs.size else ():
        gates, *extras = (kept[0][t], *(extra[t] for extra in kept[2:])) if kept else (None,)
        before = kept[1] if kept else None
        if _resets_before(op):
            arrays = projected, mask, last[0], outputs, gates, before
            made += _reset_before(gpu, launch, arrays, weights[0], scratch, (t, previous))
        else:
            made.append(gpu.blas.matmul(last[0], weights[0], scratch[0]))
            name = NAMES[type(op).__name__]
            extras = extras or [None] * op.extras
            pointers = " ".join(
                ["T"] * (2 + len(weights[1:])) + ["bool"] + ["T"] * (3 + len(last) + len(extras))
            )
            arrays = scratch[0], *weights[1:], projected, mask, *last, outputs, gates, before, *extras
            made.append(launch(name, pointers, arrays, t, previous))
        previous = t
    return InOrder(made)


def _reset_before(
    gpu: CupyDevice,
    launch: Launch,
    arrays: Sequence[Any],
    kernel: Any,
    scratch: Sequence[Any],
    at: tuple[int, int],
) -> Iterator[Thunk]:
    """A step of a GRU that resets before the product."""
    (projected, mask, h, outputs, gates, before), (product, met, candidate, spare) = arrays, scratch
    gates = spare if gates is None else gates
    yield _by_part(gpu, h, kernel, product, first=0)
    yield launch("gru_reset", "T T T T T", (product, projected, h, gates, met), at[0])
    yield _by_part(gpu, met, kernel, candidate, first=product.shape[1])
    arrays = candidate, projected, mask, h, outputs, gates, before
    yield launch("gru_candidate", "T T bool T T T T", arrays, *at)


def _by_part(gpu: CupyDevice, a: Any, kernel: Any, out: Any, first: int) -> Thunk:
    """The product of `a` and the columns of the kernel from `first` on, as many as `out` has."""
    (rows, inner), columns = a.shape, out.shape[1]
    part = Matrix(kernel, inner, columns, first, ld=kernel.shape[1])
    return gpu.blas.gemm(Matrix(a, rows, inner), part, Matrix(out, rows, columns))


# ------------------------------------------------------------------------------------------------- backward


def _backward_scratch(op: Any, *inputs: Spec) -> tuple[Spec, ...]:
    """Gradients that wait, with a mask. A GRU: a gradient within a step, factors of the kernel's gradient in
    all steps, and workspaces of the sums that are the bias's gradient."""
    _, _, gates, before, _, mask = op.parts(inputs)
    (batch, steps, units), width = before.dims, gates.dims[2]
    made = [before.with_shape((0 if mask is None else batch, units))]
    if not type(op).__name__.startswith("GRU"):
        return tuple(made)
    made.append(before.with_shape((batch, units if _resets_before(op) else width)))
    made.append(before)
    if op.biases:
        made += _sums(before.with_shape((batch * steps, width)))
        made += _sums(before.with_shape((batch * steps, units)))
    return tuple(made)


def _sums(rows: Spec) -> tuple[Spec, ...]:
    return REDUCTIONS["Sum"].scratch(Sum((0,), False), rows)


def _backward(gpu: CupyDevice, op: Any, out: Any, *inputs: Any, scratch: tuple[Any, ...]) -> Thunk:
    cts, kernel, gates, before, extras, mask = op.parts(inputs)
    d_projected, d_states, d_weights = out[0], out[1 : 1 + op.states], out[1 + op.states :]
    waiting, *work = scratch
    given = None if mask is None else waiting
    launch = _launcher(gpu, gates.dtype.name, before.shape)
    made = [
        zeros(gpu, state) if ct is None else gpu.copy(state, ct)
        for state, ct in zip(d_states, cts[1:], strict=True)
    ]
    if not before.size:
        return InOrder([*made, *(zeros(gpu, array) for array in d_weights)])
    made += [] if mask is None else [zeros(gpu, waiting)]
    for t in op.order(len(gates)):
        name = NAMES[type(op).__name__]
        kept = [extra[t] for extra in extras]
        if type(op).__name__.startswith("GRU"):
            arrays = cts[0], gates[t], before, *(kept or [None]), mask, given, d_states[0], d_projected
            made += _gru_back(gpu, op, launch, arrays, kernel, work, t)
            continue
        pointers = " ".join(["T"] * (2 + len(kept)) + ["bool"] + ["T"] * (2 + len(d_states)))
        arrays = cts[0], gates[t], *kept, mask, given, *d_states, d_projected
        made.append(launch(name, pointers, arrays, t))
        made.append(_back_by(gpu, _step_of(d_projected, t), kernel, d_states[0], beta=1.0))
    return InOrder([*made, *_d_weights(gpu, op, d_projected, before, d_weights, work)])


def _gru_back(
    gpu: CupyDevice, op: Any, launch: Launch, arrays: Sequence[Any], kernel: Any, work: Sequence[Any], t: int
) -> Iterator[Thunk]:
    """A step of a GRU back."""
    _, gates, before, _, mask, _, dh, d_projected = arrays
    step, met = work[0], work[1]
    pointers = "T T T T bool T T T T T"
    if op.reset_after:
        yield launch("gru_back", pointers, (*arrays, step, met), t)
        yield _back_by(gpu, Matrix(step, *step.shape), kernel, dh, beta=1.0)
        return
    yield launch("gru_back", pointers, (*arrays, None, None), t)
    both = 2 * dh.shape[1]
    yield _back_by(gpu, _step_of(d_projected, t, both), kernel, step, beta=0.0, first=both)
    yield launch("gru_reset_back", "T T T bool T T T", (step, gates, before, mask, dh, d_projected, met), t)
    yield _back_by(gpu, _step_of(d_projected, t, 0, both), kernel, dh, beta=1.0)


def _step_of(rows: Any, t: int, first: int = 0, stop: int | None = None) -> Matrix:
    """Columns of step t in (N, T, columns), a row for each sequence."""
    batch, steps, width = rows.shape
    columns = (width if stop is None else stop) - first
    return Matrix(rows, batch, columns, t * width + first, ld=steps * width)


def _back_by(gpu: CupyDevice, d: Matrix, kernel: Any, out: Any, beta: float, first: int = 0) -> Thunk:
    """The product of `d` and the transposed kernel, of its columns from `first` on as many as `d` has."""
    part = Matrix(kernel, kernel.shape[0], d.columns, first, ld=kernel.shape[1])
    return gpu.blas.gemm(d, part, Matrix(out, *out.shape), transpose_b=True, beta=beta)


def _d_weights(
    gpu: CupyDevice, op: Any, d_projected: Any, before: Any, outs: Sequence[Any], work: Sequence[Any]
) -> Iterator[Thunk]:
    """The gradients of kernel and biases: products and sums over the rows of all sequences and steps."""
    units, width = before.shape[2], d_projected.shape[2]
    rows = before.shape[0] * before.shape[1]

    def product(left: Any, right: Matrix, first: int) -> Thunk:
        target = Matrix(outs[0], units, right.columns, first, ld=width)
        return gpu.blas.gemm(Matrix(left, rows, units), right, target, transpose_a=True)

    if not type(op).__name__.startswith("GRU"):
        yield product(before, Matrix(d_projected, rows, width), 0)
        return
    met, both = work[1], 2 * units
    yield product(before, Matrix(d_projected, rows, both, ld=width), 0)
    if not op.reset_after:
        yield product(met, Matrix(d_projected, rows, units, both, ld=width), both)
        return
    yield product(before, Matrix(met, rows, units), both)
    of_all = len(_sums(Spec((rows, width), before.dtype.name)))
    table, last = d_projected.reshape(rows, width), met.reshape(rows, units)
    total, d_bias = REDUCTIONS["Sum"].prepare, outs[1]
    yield total(gpu, Sum((0,), False), d_bias, table, work[2 : 2 + of_all])
    yield total(gpu, Sum((0,), False), d_bias[both:], last, work[2 + of_all :])


NAMES = {
    "LSTMSteps": "lstm_step",
    "LSTMStepsGrad": "lstm_back",
    "GRUSteps": "gru_step",
    "GRUStepsGrad": "gru_back",
    "SimpleSteps": "simple_step",
    "SimpleStepsGrad": "simple_back",
}

KERNELS = {
    name: Kernel(_backward, _backward_scratch)
    if name.endswith("Grad")
    else Kernel(_forward, _forward_scratch)
    for name in NAMES
}
