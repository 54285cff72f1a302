"""Counts what a workload costs: numbers that are the same on every machine and in every run.

    python -m tests.counting            the table
    python -m tests.counting --json     the same for programs

All that tests of counters know about the inside of gputrain stands in this module.

A GPU's launches are counted on the GPU device itself, on a stand-in of CuPy that launches nothing: no kernel
is compiled or run, so that it needs no compiler and real batch sizes cost nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

import gputrain
from gputrain import backend, config
from gputrain.backend.base import Loop, leaves
from gputrain.backend.cupy import CupyDevice
from gputrain.backend.cupy.cublas import SIGNATURES
from gputrain.backend.cupy.launch import launches
from gputrain.data import make_arrays
from tests.networks import Network
from tests.workloads import WORKLOADS

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = str(Path(gputrain.__file__).resolve().parent)
GPU = "emulated"  # the name under which the counting GPU is configured
COPIES = ("copy", "memory_set")  # what the driver does without a kernel
KINDS = {"train": "train", "evaluate": "test", "predict": "predict"}

Counters = dict[str, dict[str, int]]

IMPORT = """
import sys
import numpy
before = set(sys.modules)
import gputrain
new = set(sys.modules) - before
own = {name for name in new if name.partition(".")[0] == "gputrain"}
others = {name.partition(".")[0] for name in new - own}
print(len(own), len({name for name in others if not name.startswith("_")}))
"""


# --------------------------------------------------------------------------------------- one workload, inside


def train_step(model: gputrain.Model, workload: Network) -> Any:
    """The executable of the model's training step, as fit runs it."""
    program = model._traced_programs.get("train", make_arrays(*workload.data(1)), workload.batch)
    program.executable.bind()
    return program.executable


def calls_of_step(executable: Any) -> list[Any]:
    """What one step runs, one after the other, loops unrolled."""
    return [leaf for thunk in executable.thunks for leaf in _unrolled(thunk)]


def launches_of_step(executable: Any) -> list[str]:
    """Names of what one recorded step launches on a GPU, with the gather of its batch."""
    recorded = next(iter(executable._programs.values()))
    return [name for thunk in recorded.thunks for leaf in _unrolled(thunk) for name in _names(leaf)]


def planned_calls(executable: Any) -> int:
    """How many calls the plan of a step holds: a loop is one, whatever its length."""
    return sum(1 for thunk in executable.thunks for _ in leaves(thunk))


def _unrolled(thunk: Any) -> Iterator[Any]:
    for leaf in leaves(thunk):
        if isinstance(leaf, Loop):
            for part in leaf.unrolled():
                yield from _unrolled(part)
        else:
            yield leaf


def _names(leaf: Any) -> Iterator[str]:
    """A row that a step of a loop reads or writes is copied."""
    return iter([COPIES[0]]) if isinstance(leaf, partial) else launches(leaf)


def counting_gpu() -> CupyDevice:
    """A GPU device whose kernels and products do nothing."""
    from tests.cuda_emulator import make

    module = make().cupy
    nothing = SimpleNamespace(get_function=lambda name: lambda grid, block, args: None)
    module.RawModule = lambda **given: nothing
    blas = SimpleNamespace(**{name: _succeed() for name in SIGNATURES})
    return CupyDevice(module, blas, 0, GPU)


def _succeed() -> Any:
    return lambda *args: 0


# ----------------------------------------------------------------------------------------------- all counters


def count_all() -> Counters:
    """All counters of all workloads, and of `import gputrain`."""
    backend.register_device(GPU, lambda number: counting_gpu())
    counted = {name: {**_on_cpu(work), **_on_gpu(work)} for name, work in WORKLOADS.items()}
    return {"import gputrain": count_modules(), **counted}


def _on_cpu(workload: Network) -> dict[str, int]:
    with _using("numpy"):
        model = workload.build(gputrain)
        functions = _functions_per_step(model, workload)
        executable = train_step(model, workload)
        return {
            "planned calls": planned_calls(executable),
            "calls per step": len(calls_of_step(executable)),
            "nodes": len(executable.graph.nodes),
            "functions per step of fit": functions,
            **_bytes(model, workload.batch),
        }


def _on_gpu(workload: Network) -> dict[str, int]:
    with _using(GPU):
        model = workload.build(gputrain)
        model.fit(*workload.data(3), batch_size=workload.batch, verbose=0)
        names = launches_of_step(train_step(model, workload))
        copies = sum(name in COPIES for name in names)
        found = {
            "launches": len(names) - copies,
            "cuBLAS calls": sum(name.startswith("cublas") for name in names),
            "copies": copies,
            **_bytes(model, workload.batch),
        }
    return {f"GPU: {name}": number for name, number in found.items()}


def _bytes(model: gputrain.Model, batch: int) -> dict[str, int]:
    """Sizes of the memory plans of all kinds of steps."""
    found = {}
    for name, kind in KINDS.items():
        plan = model.memory_plan(batch, kind)
        found |= {f"{name} arena": plan.arena, f"{name} unshared": plan.unshared}
    return found


def _functions_per_step(model: gputrain.Model, workload: Network) -> int:
    """How many functions of gputrain a step of fit enters, once the model is warm."""
    model.fit(*workload.data(2), batch_size=workload.batch, verbose=0)
    few, many = (_functions_of_fit(model, workload, steps) for steps in (2, 4))
    return (many - few) // 2


def _functions_of_fit(model: gputrain.Model, workload: Network, steps: int) -> int:
    x, y = workload.data(steps)
    entered = 0

    def profile(frame: FrameType, event: str, arg: Any) -> None:
        nonlocal entered
        entered += event == "call" and frame.f_code.co_filename.startswith(PACKAGE)

    sys.setprofile(profile)
    try:
        model.fit(x, y, batch_size=workload.batch, verbose=0)
    finally:
        sys.setprofile(None)
    return entered


def count_modules() -> dict[str, int]:
    """What `import gputrain` imports beyond NumPy: modules of its own, and packages of others."""
    command = [sys.executable, "-c", IMPORT]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    own, others = map(int, run.stdout.split())
    return {"modules of gputrain": own, "packages of others": others}


@contextmanager
def _using(name: str) -> Iterator[None]:
    config.set_backend(name)
    config.set_seed(0)
    try:
        yield
    finally:
        config.put("backend", None)


# -------------------------------------------------------------------------------------------- a fresh process


def counted_afresh() -> Counters:
    """All counters, counted by a process of their own: nothing that ran before changes them."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("GPUTRAIN_")}
    environment |= {"GPUTRAIN_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    environment["GPUTRAIN_CPU_KERNELS"] = "0"  # they are not built everywhere
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    command = [sys.executable, "-m", "tests.counting", "--json"]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def table(counters: Counters) -> str:
    """The counters as text, a workload after the other."""
    lines = []
    for name, found in counters.items():
        lines += ["", name, *(f"  {counter:<28}{number:>12,}" for counter, number in found.items())]
    return "\n".join(lines[1:])


if __name__ == "__main__":
    if "--json" in sys.argv:
        print(json.dumps(count_all()))
    else:
        print(table(counted_afresh()))
