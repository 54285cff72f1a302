"""Every operation, from its own samples: values, shapes, unwritten elements, inputs, memory, gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import gputrain.ops as ops
from gputrain import backend
from gputrain.backend.numpy import NumpyDevice
from gputrain.compiler import gradients
from gputrain.errors import ShapeError
from gputrain.ir import Graph, Node, Spec, Value
from gputrain.ops.base import REGISTRY, Operation, Sample, apply, evaluate, spec_of
from gputrain.runtime import interpret
from gputrain.runtime.eager import run_once
from tests.on_device import hosts, put
from tests.tolerances import GRADIENT, TABLE, assert_close

LARGEST_GRADIENT = 5000  # elements; beyond, some element of a kinked function lies within a step of the kink
STEP = 1e-6

OPERATIONS = {name: cls for name, cls in REGISTRY.items() if cls.__module__.startswith("gputrain.")}
SAMPLES = [
    pytest.param(sample, id=f"{name}-{i}")
    for name, cls in OPERATIONS.items()
    for i, sample in enumerate(cls.samples())
]
every_sample = pytest.mark.parametrize("sample", SAMPLES)
both_floats = pytest.mark.parametrize("dtype", ["float32", "float64"])


@pytest.mark.parametrize("name", OPERATIONS)
def test_has_samples_with_references(name: str) -> None:
    samples = OPERATIONS[name].samples()
    assert samples, f"{name} has no samples: add cases with odd sizes, size 0 and 1, broadcasting."
    without = [s for s in samples if s.reference is None]
    assert not without, f"{name}: {len(without)} samples have no independent reference."


def make_inputs(sample: Sample, dtype: str) -> list[np.ndarray]:
    """Random arrays for the specs; floats in `dtype`, everything read-only."""
    rng = np.random.default_rng(20240717)
    dtype = sample.dtype or dtype
    arrays = []
    for given in sample.inputs:
        if isinstance(given, Spec):
            array = np.asarray(rng.uniform(sample.low, sample.high, given.dims))
            array = array.astype(dtype if given.dtype.startswith("float") else given.dtype)
        else:
            array = np.array(given)
            if array.dtype.kind == "f":
                array = array.astype(dtype)
        array.setflags(write=False)
        arrays.append(array)
    return arrays


def poisoned(spec: Spec, other: bool = False) -> np.ndarray:
    """An array of the device full of what no operation writes."""
    if spec.dtype.startswith("float"):
        value: Any = np.nan if not other else 1.7e4
    else:
        value = other if spec.dtype == "bool" else (101 if other else 77)
    return backend.current_device().asarray(np.full(spec.dims, value, spec.dtype))


def run(op: Operation, inputs: Sequence[np.ndarray], other_poison: bool = False) -> list[np.ndarray]:
    """The operation's outputs, run as an executable does: given outputs and workspaces, both poisoned."""
    device = backend.current_device()
    specs = [spec_of(x) for x in inputs]
    if op.view:
        return hosts(run_once(op, put(inputs), device))
    outs = [poisoned(s, other_poison) for s in op.output_specs(*specs)]
    scratch = [poisoned(s, other_poison) for s in device.scratch(op, specs)]
    with device.running():
        device.prepare(op, specs, outs, put(inputs), scratch)()
    return hosts(outs)


def coarser(dtype: str, out: np.ndarray) -> str:
    """The less exact of the dtype computed in and that of the output."""
    if out.dtype.name not in TABLE:
        return out.dtype.name
    return max(dtype, out.dtype.name, key=lambda name: TABLE[name][0])


def references(sample: Sample, inputs: Sequence[np.ndarray]) -> tuple[Any, ...]:
    assert sample.reference is not None
    wide = [x.astype("float64") if x.dtype.kind == "f" else x for x in inputs]
    found = sample.reference(*wide)
    return found if isinstance(found, tuple) else (found,)


@every_sample
@both_floats
def test_agrees_with_its_reference(sample: Sample, dtype: str) -> None:
    inputs = make_inputs(sample, dtype)
    expected = references(sample, inputs)
    outs = run(sample.op, inputs)
    assert len(outs) == len(expected) == sample.op.n_outputs
    for out, reference in zip(outs, expected, strict=True):
        assert_close(out, reference, coarser(dtype, out), str(sample.op))


@pytest.mark.cpu_only("the reference is the same on every device")
@every_sample
@both_floats
def test_plain_reference_behind_a_kernel_agrees(sample: Sample, dtype: str) -> None:
    """`compute`, which nothing else runs where the device has a kernel for it."""
    inputs = make_inputs(sample, dtype)
    if sample.op.view or NumpyDevice().kernel(sample.op, [spec_of(x) for x in inputs]) is None:
        return
    with np.errstate(all="ignore"):
        outs = evaluate(sample.op, np, inputs)
    for out, reference in zip(outs, references(sample, inputs), strict=True):
        assert_close(out, reference, coarser(dtype, out), str(sample.op))


@every_sample
def test_writes_every_element_and_only_its_outputs(sample: Sample) -> None:
    inputs = make_inputs(sample, "float32")
    given = put(inputs)
    copies = [x.copy() for x in inputs]
    first, second = run(sample.op, given), run(sample.op, given, other_poison=True)
    for a, b in zip(first, second, strict=True):
        assert a.tobytes() == b.tobytes(), f"{sample.op} leaves elements unwritten or reads its workspace"
    for x, copy in zip(hosts(given), copies, strict=True):
        assert x.tobytes() == copy.tobytes(), f"{sample.op} changes its input"


@every_sample
@both_floats
def test_infers_what_it_makes(sample: Sample, dtype: str) -> None:
    inputs = make_inputs(sample, dtype)
    specs = sample.op.output_specs(*(spec_of(x) for x in inputs))
    device = backend.current_device()
    results = run_once(sample.op, put(inputs), device)
    expected = references(sample, inputs)
    for spec, result, reference in zip(specs, results, expected, strict=True):
        assert spec == spec_of(result)
        assert spec.dims == np.shape(reference)


def compatible(vague: Spec, exact: Spec) -> bool:
    return (
        vague.dtype == exact.dtype
        and vague.ndim == exact.ndim
        and all(m in (None, n) for m, n in zip(vague.shape, exact.shape, strict=True))
    )


# Made by autodiff and optimizers, which work on known sizes.
NEED_KNOWN_SIZES = {"Cond", "ConvFilterGrad", "ConvMaxPoolFilterGrad", "Pack", "Scan"}


@every_sample
def test_infers_with_unknown_sizes(sample: Sample) -> None:
    """With each size of the first input unknown in turn: no less than the truth, or a ShapeError.

    The batch, its first axis, may always be unknown.
    """
    specs = [spec_of(x) for x in make_inputs(sample, "float32")]
    exact = sample.op.output_specs(*specs)
    for axis in range(specs[0].ndim if specs else 0):
        unknown = specs[0].with_shape(None if k == axis else n for k, n in enumerate(specs[0].shape))
        try:
            vague = sample.op.output_specs(unknown, *specs[1:])
        except ShapeError:
            if axis == 0 and type(sample.op).__name__ not in NEED_KNOWN_SIZES:
                raise
            continue
        for a, b in zip(vague, exact, strict=True):
            assert compatible(a, b), f"{sample.op}: {unknown} gives {a}, {specs[0]} gives {b}"


@every_sample
def test_works_in_place_where_it_says_so(sample: Sample) -> None:
    device = backend.current_device()
    inputs = make_inputs(sample, "float32")
    specs = [spec_of(x) for x in inputs]
    separate = run(sample.op, inputs)
    if sample.op.view:
        return
    for o, i in device.overwrites(sample.op, specs):
        out_specs = sample.op.output_specs(*specs)
        if out_specs[o].nbytes != specs[i].nbytes:
            continue
        ins = put(x.copy() for x in inputs)
        outs = [poisoned(s) for s in out_specs]
        outs[o] = ins[i].reshape(-1).view(out_specs[o].dtype).reshape(out_specs[o].dims)
        scratch = [poisoned(s) for s in device.scratch(sample.op, specs)]
        with device.running():
            device.prepare(sample.op, specs, outs, ins, scratch)()
        for a, b in zip(hosts(outs), separate, strict=True):
            assert a.tobytes() == b.tobytes(), f"{sample.op} in place of input {i} differs"


def strided(x: np.ndarray) -> np.ndarray:
    """The same values with gaps between them, in another order of axes."""
    if x.ndim == 0:
        return x
    wide = np.full([2 * n for n in x.shape[::-1]], 55).astype(x.dtype)
    view = wide[tuple(slice(None, None, 2) for _ in x.shape)].transpose()
    view[...] = x
    return view


@every_sample
def test_takes_strided_arrays(sample: Sample) -> None:
    inputs = make_inputs(sample, "float32")
    if not any(x.ndim and x.size > 1 for x in inputs):
        return
    outs = apply(sample.op, *(strided(x) for x in inputs))
    outs = outs if sample.op.n_outputs > 1 else (outs,)
    for out, reference in zip(outs, references(sample, inputs), strict=True):
        assert_close(out, reference, coarser("float32", out), str(sample.op))


# ------------------------------------------------------------------------------------------------ gradients


def differentiable_inputs(sample: Sample, inputs: Sequence[np.ndarray]) -> list[int]:
    floats = [i for i, x in enumerate(inputs) if x.dtype == np.float64]
    return floats if sample.differentiable is None else [i for i in sample.differentiable if i in floats]


def gradient_graph(
    op: Operation, inputs: Sequence[np.ndarray], checked: Sequence[int]
) -> tuple[Graph, list[Value]]:
    """Graph from inputs and one cotangent for each float output to the gradients, or zeros."""
    values = [Value(spec_of(x)) for x in inputs]
    node = Node(op, tuple(values), op.output_specs(*(v.spec for v in values)))
    floats = [v for v in node.outputs if v.dtype == "float64"]
    cotangents = [Value(v.spec) for v in floats]
    sources = [values[i] for i in checked]
    if len(node.outputs) == 1:
        found = gradients(node.outputs[0], sources, cotangents[0])
    else:
        parts = [ops.sum(ops.multiply(v, ct)) for v, ct in zip(floats, cotangents, strict=True)]
        total = parts[0]
        for part in parts[1:]:
            total = ops.add(total, part)
        found = gradients(total, sources)
    made = [ops.zeros_like(s) if g is None else g for g, s in zip(found, sources, strict=True)]
    graph = Graph([*values, *cotangents], made)
    graph.verify()
    return graph, cotangents


@every_sample
def test_gradient_agrees_with_central_differences(sample: Sample) -> None:
    inputs = make_inputs(sample, "float64")
    checked = differentiable_inputs(sample, inputs)
    out_specs = sample.op.output_specs(*(spec_of(x) for x in inputs))
    floats = [i for i, s in enumerate(out_specs) if s.dtype == "float64"]
    size = sum(x.size for x in inputs) + sum(s.size for s in out_specs)
    if not checked or not floats or size > LARGEST_GRADIENT:
        return
    rng = np.random.default_rng(7)
    cotangents = [rng.standard_normal(out_specs[i].dims) for i in floats]
    directions = [rng.standard_normal(inputs[i].shape) for i in checked]
    graph, _ = gradient_graph(sample.op, inputs, checked)
    found = interpret(graph, [*inputs, *cotangents])
    analytic = sum(float(np.sum(g * d)) for g, d in zip(found, directions, strict=True))
    numeric = slope(sample.op, inputs, checked, directions, floats, cotangents)
    scale = max(1.0, sum(float(np.abs(g * d).sum()) for g, d in zip(found, directions, strict=True)))
    for g, i in zip(found, checked, strict=True):
        assert g.shape == inputs[i].shape
        assert np.isfinite(g).all()
    assert abs(analytic - numeric) <= GRADIENT * scale, f"{sample.op}: analytic {analytic}, numeric {numeric}"


def slope(
    op: Operation,
    inputs: Sequence[np.ndarray],
    checked: Sequence[int],
    directions: Sequence[np.ndarray],
    floats: Sequence[int],
    cotangents: Sequence[np.ndarray],
) -> float:
    """d/dt of sum(cotangent * output(inputs + t * direction)) at 0, by central differences."""

    def moved(step: float) -> list[np.ndarray]:
        there = list(inputs)
        for i, direction in zip(checked, directions, strict=True):
            there[i] = inputs[i] + step * direction
        return run(op, there)

    ahead, behind = moved(STEP), moved(-STEP)
    differences = [(ahead[i] - behind[i]) / (2 * STEP) for i in floats]
    return sum(float(np.sum(d * ct)) for d, ct in zip(differences, cotangents, strict=True))
