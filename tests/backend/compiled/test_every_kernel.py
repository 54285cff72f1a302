"""Every operation that has a compiled kernel, for each instruction set of this processor.

Its samples against their float64 references, from starts that no vector is aligned to, and with results in
the places of inputs where the plan may put them. Families have files of their own for odd sizes and for what
is special about them.
"""

from __future__ import annotations

import numpy as np
import pytest

from gputrain.ops.base import REGISTRY, spec_of
from tests.backend.compiled.running import FLOATS, LEVELS, agree, device, needs_library, plain, run
from tests.ops.test_operations import make_inputs
from tests.selection import quick

pytestmark = needs_library

EVERY = sorted(device(LEVELS[0]).compiled) if LEVELS != ("none",) else ["none"]


@pytest.mark.parametrize("dtype", quick(FLOATS[:1], FLOATS))
@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
@pytest.mark.parametrize("name", EVERY)
def test_samples_agree_with_their_references(name: str, level: str, dtype: str) -> None:
    samples = [sample for sample in REGISTRY[name].samples() if sample.dtype in (None, dtype)]
    taken = [agree(device(level), sample, dtype, skipped=1) for sample in samples]
    assert any(taken) or not samples, f"the kernel takes none of the samples of {name}"


@pytest.mark.parametrize("level", quick(LEVELS[:1], LEVELS))
@pytest.mark.parametrize("name", EVERY)
def test_results_may_lie_where_inputs_do(name: str, level: str) -> None:
    on = device(level)
    for sample in REGISTRY[name].samples():
        inputs = make_inputs(sample, "float32")
        inputs = [x.astype("float32") if x.dtype.kind == "f" else x for x in inputs]
        specs = [spec_of(x) for x in inputs]
        kernel = on.compiled[name]
        if not kernel.accepts(sample.op, *specs):
            continue
        pairs = sample.op.overwrites if kernel.overwrites is None else kernel.overwrites
        outs = sample.op.output_specs(*specs)
        for out, source in pairs:
            if specs[source] == outs[out]:
                apart, together = run(on, sample.op, inputs), run(on, sample.op, inputs, 0, [(out, source)])
                for a, b in zip(apart, together, strict=True):
                    np.testing.assert_array_equal(a, b, err_msg=str(sample.op))


def test_without_the_library_there_are_no_compiled_kernels() -> None:
    assert plain().compiled == {}
    assert "compiled" not in plain().description
