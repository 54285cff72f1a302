"""Each kernel against what limits it: bytes over the speed of a copy, or operations over that of a product.

Both ceilings are measured, not looked up. Before a kernel is timed, its results are compared with the NumPy
device's, its outputs poisoned in two ways, so that an element that is not written shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.on_gpu.kernel_cases import Case, Launched
from benchmarks.on_gpu.timing import in_a_line, summary
from gputrain import backend
from gputrain.compiler.rewrite import optimize
from gputrain.ir import Graph, Spec, Trace, Value
from gputrain.ops.base import Operation, spec_of
from gputrain.runtime import Executable
from gputrain.runtime.eager import run_once

POISONS = (0xFF, 0x3C)
LARGEST_ERROR = 1e-3  # ||found - expected|| / ||expected||, float32
MOST_OTHERS = 1e-4  # share of integers that differ, as winners of a pool do where rounding decides
WARM = 3
CEILING_COPY, CEILING_SIDE = 1 << 30, 8192


class Stopwatch:
    """Times launches by events on the device's stream, with its cache flushed before each.

    The flush takes the device longer than a launch takes the host, so that the launch is ready when the
    device comes to it and no gap is timed.

    Args:
        gpu: the device.
        repetitions: of each launch.
        flush: bytes that are overwritten before each.
    """

    def __init__(self, gpu: Any, repetitions: int, flush: int) -> None:
        self.gpu, self.repetitions = gpu, repetitions
        self.flushed = gpu.empty((flush,), "uint8")
        event = gpu.cupy.cuda.Event
        self.events = [(event(), event()) for _ in range(repetitions)]

    def milliseconds(self, thunk: Callable[[], None]) -> dict[str, float]:
        """Median and quartiles."""
        for _ in range(WARM):
            self._run(thunk)
        with self.gpu.running():
            for start, end in self.events:
                self.flushed.data.memset_async(0, self.flushed.nbytes, self.gpu.stream)
                start.record(self.gpu.stream)
                thunk()
                end.record(self.gpu.stream)
            self.gpu.stream.synchronize()
        elapsed = self.gpu.cupy.cuda.get_elapsed_time
        return summary([float(elapsed(start, end)) for start, end in self.events])

    def _run(self, thunk: Callable[[], None]) -> None:
        with self.gpu.running():
            thunk()


@dataclass(frozen=True)
class Ceilings:
    """What the device reaches at best.

    Attributes:
        bandwidth: bytes per second of a large copy, read plus written.
        rate: operations per second of a large float32 product by our cuBLAS, without TF32.
        nothing: milliseconds between two events with nothing in between; it is part of every time.
    """

    bandwidth: float
    rate: float
    nothing: float

    def floor(self, nbytes: int, flops: int) -> tuple[float, str]:
        """(milliseconds that nothing can beat, what limits: "bytes" or "flops")."""
        times = {"bytes": nbytes / self.bandwidth * 1e3, "flops": flops / self.rate * 1e3}
        limit = max(times, key=lambda name: times[name])
        return times[limit], limit


def measure_ceilings(gpu: Any, stopwatch: Stopwatch, copied: int, side: int) -> Ceilings:
    """A copy of `copied` bytes and a product of square matrices."""
    source, target = gpu.empty((copied,), "uint8"), gpu.empty((copied,), "uint8")
    gpu.upload(np.random.default_rng(0).integers(0, 256, copied, dtype=np.uint8), source)
    copy = stopwatch.milliseconds(gpu.copy(target, source))["median"]
    rng = np.random.default_rng(1)
    a, b = (gpu.asarray(rng.random((side, side), np.float32)) for _ in range(2))
    product = stopwatch.milliseconds(gpu.blas.matmul(a, b, gpu.empty((side, side), "float32")))["median"]
    nothing = stopwatch.milliseconds(lambda: None)["median"]
    return Ceilings(2 * copied / copy * 1e3, 2 * side**3 / product * 1e3, nothing)


# ---------------------------------------------------------------------------------------------- preparation


@dataclass
class Prepared:
    """A case ready to run.

    Attributes:
        thunk: runs it.
        outs: what it writes.
        ins: what it reads.
        expected: what it should write, by the NumPy device.
    """

    thunk: Callable[[], None]
    outs: Sequence[Any]
    ins: Sequence[Any]
    expected: Sequence[np.ndarray]

    @property
    def nbytes(self) -> int:
        """Every array once."""
        return sum(a.nbytes for a in (*self.ins, *self.outs))


class NoKernelError(Exception):
    """The device has no kernel of its own for a case."""


def prepare(gpu: Any, case: Case | Launched, rng: np.random.Generator) -> Prepared:
    """Draw the inputs and bind the case to them.

    Raises:
        NoKernelError: the operation has no kernel.
    """
    if isinstance(case, Launched):
        return Prepared(*case.build(gpu, rng))
    hosts = [given if isinstance(given, np.ndarray) else given.make(rng) for given in case.inputs]
    ins = [gpu.asarray(host) for host in hosts]
    if isinstance(case.what, Operation):
        return _operation(gpu, case.what, hosts, ins)
    return _chain(gpu, case.what, hosts, ins)


def _operation(gpu: Any, op: Operation, hosts: Sequence[np.ndarray], ins: Sequence[Any]) -> Prepared:
    specs = [spec_of(x) for x in hosts]
    if gpu.kernel(op, specs) is None:
        raise NoKernelError(type(op).__name__)
    outs = [gpu.empty(s.dims, s.dtype) for s in op.output_specs(*specs)]
    scratch = [gpu.empty(s.dims, s.dtype) for s in gpu.scratch(op, specs)]
    thunk = gpu.prepare(op, specs, outs, ins, scratch)
    return Prepared(thunk, outs, ins, run_once(op, hosts, backend.current_device("numpy")))


def _chain(gpu: Any, f: Callable[..., Any], hosts: Sequence[np.ndarray], ins: Sequence[Any]) -> Prepared:
    graph = _trace(f, hosts)
    executable = Executable(graph, gpu, given=dict(zip(graph.inputs, ins, strict=True)))
    executable.bind()
    if len(executable.thunks) != 1:
        raise NoKernelError(f"{f.__name__} became {len(executable.thunks)} launches")
    on_host = backend.current_device("numpy")
    other = _trace(f, hosts)
    twin = Executable(other, on_host, given=dict(zip(other.inputs, hosts, strict=True)))
    twin.bind()
    twin.step()
    return Prepared(executable.thunks[0], executable.outputs, ins, twin.fetch())


def _trace(f: Callable[..., Any], hosts: Sequence[np.ndarray]) -> Graph:
    values = [Value(Spec(host.shape, host.dtype.name)) for host in hosts]
    trace = Trace()
    with trace.active():
        found = f(*values)
    return optimize(trace.graph(values, list(found) if isinstance(found, tuple) else [found]))


# --------------------------------------------------------------------------------------------------- checks


def run_poisoned(gpu: Any, prepared: Prepared, poison: int) -> list[np.ndarray]:
    """Outputs after all their bytes were overwritten first."""
    with gpu.running():
        for out in prepared.outs:
            if out.nbytes:
                out.data.memset_async(poison, out.nbytes, gpu.stream)
        prepared.thunk()
    return [gpu.download(out) for out in prepared.outs]


def relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    """||found - expected|| / ||expected||; infinite where one is NaN or infinite and the other is not."""
    a, b = found.astype(np.float64), expected.astype(np.float64)
    finite = np.isfinite(b)
    if not np.array_equal(finite, np.isfinite(a)):
        return float("inf")
    distance = float(np.linalg.norm(a[finite] - b[finite]))
    return distance / max(float(np.linalg.norm(b[finite])), 1e-30)


def difference(found: np.ndarray, expected: np.ndarray) -> str | None:
    """How an output differs from what it should be, or None where it does not."""
    if found.shape != expected.shape or found.dtype != expected.dtype:
        return f"{found.dtype}{found.shape} instead of {expected.dtype}{expected.shape}"
    if found.dtype.kind != "f":
        others = float(np.mean(found != expected)) if found.size else 0.0
        return f"{others:.2g} of the elements are others" if others > MOST_OTHERS else None
    error = relative_error(found, expected)
    return None if error <= LARGEST_ERROR else f"{error:.2g} of its norm away"


def check(gpu: Any, prepared: Prepared) -> str | None:
    """What is wrong with the results, or None."""
    first, second = (run_poisoned(gpu, prepared, poison) for poison in POISONS)
    for i, (a, b, expected) in enumerate(zip(first, second, prepared.expected, strict=True)):
        if a.tobytes() != b.tobytes():
            return f"output {i} is not written everywhere, or changes from run to run"
        wrong = difference(a, expected)
        if wrong is not None:
            return f"output {i} is not the NumPy device's: {wrong}"
    return None


# --------------------------------------------------------------------------------------------------- timing


def time_case(gpu: Any, case: Case | Launched, stopwatch: Stopwatch, ceilings: Ceilings) -> dict[str, Any]:
    """Time one case; the row says "failed" or "no_kernel" where that is not possible."""
    row: dict[str, Any] = {"family": case.family, "name": case.name, "shapes": case.shapes}
    try:
        prepared = prepare(gpu, case, np.random.default_rng(3))
        wrong = check(gpu, prepared)
        if wrong is not None:
            return {**row, "failed": wrong}
        times = stopwatch.milliseconds(prepared.thunk)
    except NoKernelError as error:
        return {**row, "no_kernel": str(error)}
    except Exception as error:  # noqa: BLE001 - one kernel that fails must not take the others with it
        return {**row, "failed": in_a_line(error)}
    nbytes = prepared.nbytes if case.nbytes is None else case.nbytes
    floor, limit = ceilings.floor(nbytes, case.flops)
    seconds = times["median"] / 1e3
    return {
        **row,
        "milliseconds": times,
        "bytes": nbytes,
        "flops": case.flops,
        "gigabytes_per_second": nbytes / seconds / 1e9,
        "teraflops": case.flops / seconds / 1e12,
        "limited_by": limit,
        "percent_of_ceiling": 100 * floor / times["median"],
    }


def not_timed(gpu: Any, cases: Iterable[Case | Launched]) -> list[str]:
    """Registered kernels that no case covers."""
    covered = {name for case in cases for name in case.covers}
    return sorted(set(gpu.kernels) - covered)


def chosen(cases: Iterable[Case | Launched], families: Sequence[str] | None) -> list[Case | Launched]:
    """The cases of these families; None means all."""
    return [case for case in cases if families is None or case.family in families]
