"""What a device must be able to do. The rooms above know no other device interface."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from gputrain.compiler.target import ChainLimits
from gputrain.ir import Spec
from gputrain.ops.base import Operation

Thunk = Callable[[], None]
Prepare = Callable[..., Thunk]
ForStep = Callable[[int], None]  # of the number of a step


class InOrder:
    """Several thunks as one. A device may look into it: what it holds is run in order, nothing else."""

    __slots__ = ("parts",)

    def __init__(self, parts: Iterable[Thunk]) -> None:
        self.parts = tuple(parts)

    def __call__(self) -> None:
        for part in self.parts:
            part()


class Named:
    """A thunk with the name of what it runs."""

    __slots__ = ("name", "run")

    def __init__(self, run: Thunk, name: str) -> None:
        self.run, self.name = run, name

    def __call__(self) -> None:
        self.run()


class OnHost(Named):
    """A thunk that needs the host while it runs, so that it is no part of what a device records.

    Attributes:
        reason: why, for people.
    """

    __slots__ = ("reason",)

    def __init__(self, run: Thunk, name: str, reason: str) -> None:
        super().__init__(run, name)
        self.reason = reason


class Loop:
    """The same thunks again and again; what differs from step to step is told the number of the step.

    Args:
        name: what it runs, for people.
        order: numbers of the steps.
        reads: called with the number before the body.
        body: run in each step.
        writes: called with the number after the body.
        after: run at the end of each step.
    """

    __slots__ = ("after", "body", "name", "order", "reads", "writes")

    def __init__(
        self,
        name: str,
        order: Sequence[int],
        reads: Sequence[ForStep],
        body: Sequence[Thunk],
        writes: Sequence[ForStep],
        after: Sequence[Thunk],
    ) -> None:
        self.name, self.order = name, order
        self.reads, self.body, self.writes, self.after = reads, body, writes, after

    def __call__(self) -> None:
        for t in self.order:
            for read in self.reads:
                read(t)
            for thunk in self.body:
                thunk()
            for write in self.writes:
                write(t)
            for thunk in self.after:
                thunk()

    @property
    def needs_host(self) -> bool:
        """Whether a part of it needs the host while it runs."""
        return any(isinstance(leaf, OnHost) for thunk in self.body for leaf in leaves(thunk))

    def unrolled(self) -> Iterator[Thunk]:
        """All that it runs, one after the other."""
        for t in self.order:
            yield from (partial(read, t) for read in self.reads)
            yield from self.body
            yield from (partial(write, t) for write in self.writes)
            yield from self.after


def leaves(thunk: Thunk) -> Iterator[Thunk]:
    """What a thunk runs, one after the other. A loop is one, unless the host is needed within it."""
    if isinstance(thunk, Loop) and not thunk.needs_host:
        yield thunk
    elif isinstance(thunk, InOrder | Loop):
        for part in thunk.parts if isinstance(thunk, InOrder) else thunk.unrolled():
            yield from leaves(part)
    else:
        yield thunk


@dataclass(frozen=True, slots=True)
class Kernel:
    """A device's own way to run an operation, beside the operation's reference `compute`.

    Attributes:
        prepare: `f(op, out, *inputs, scratch) -> thunk`, called once when buffers are bound.
        scratch: `f(op, *specs) -> specs` of the workspaces it needs.
        overwrites: pairs (output, input) that may share memory when the input dies there; None means those
            of the operation.
        accepts: `f(op, *specs) -> bool`: the cases it serves; others fall back to `compute`.
    """

    prepare: Prepare
    scratch: Callable[..., tuple[Spec, ...]] = lambda op, *specs: ()
    overwrites: tuple[tuple[int, int], ...] | None = None
    accepts: Callable[..., bool] = lambda op, *specs: True


class Feeder:
    """Brings batches into the input buffers of a model's steps.

    Args:
        device: where the buffers are.
    """

    def __init__(self, device: Device) -> None:
        self.device = device

    def load(
        self,
        owner: object,
        arrays: Sequence[Any],
        order: np.ndarray | None,
        start: int,
        stop: int,
        buffers: Sequence[Any],
        scales: Sequence[tuple[float, float]],
    ) -> Thunk | None:
        """Fill the buffers now, or return a thunk that fills them when the step runs.

        Args:
            owner: stands for the arrays as long as they do not change.
            arrays: where the rows are, one array for each buffer.
            order: row numbers of a whole pass; None means that the batch is all of the arrays.
            start, stop: which of them to take.
            buffers: the step's inputs.
            scales: (scale, offset) of each input; other than (1, 0) only where the graph was lowered so.
        """
        for source, buffer in zip(arrays, buffers, strict=True):
            if order is None:
                self.device.upload(source, buffer)
            else:
                self.device.gather(source, order[start:stop], buffer)
        return None

    def moved(self) -> None:
        """The input buffers of some step lie elsewhere now."""
        return


class Device(ABC):
    """An array device: memory, copies, and the choice of implementation for an operation."""

    name: str
    description: str  # in words, for people: as a card's name
    xp: Any
    chain_limits: ChainLimits | None = None  # what elementwise chains run as one; None: none do
    # Whether work goes on after a call returns, so that to read a result is to wait for it.
    asynchronous = False

    def __init__(self) -> None:
        self.kernels: dict[str, Kernel] = {}  # by the operation's class name

    @abstractmethod
    def empty(self, shape: tuple[int, ...], dtype: str) -> Any:
        """A new 256-byte aligned array with undefined contents."""

    def require_room(self, nbytes: int, what: str) -> None:
        """Refuse what will not fit, before anything is lost.

        Raises:
            DeviceMemoryError: so many bytes cannot be had.
        """
        return

    def no_room_for(self, batch: int, plan_of: Callable[[int], int]) -> str:
        """What to say when a step on batches of this size does not fit; `plan_of` gives a size's bytes."""
        return f"a step on batches of {batch} does not fit the memory of the {self.name} device."

    @abstractmethod
    def upload(self, host: np.ndarray, out: Any) -> None:
        """Copy a host array into the device array `out`."""

    @abstractmethod
    def download(self, array: Any) -> np.ndarray:
        """A host copy of a device array; host arrays and numbers are copied too."""

    @abstractmethod
    def asarray(self, array: Any, dtype: str | None = None) -> Any:
        """`array` on this device, without a copy where it already is there."""

    @abstractmethod
    def view(self, arena: Any, offset: int, spec: Spec) -> Any:
        """The part of a byte array that starts at `offset`, as an array of `spec`."""

    def gather(self, source: Any, rows: Any, out: Any) -> None:
        """`out[i] = source[rows[i]]`, with rows checked by the caller."""
        self.upload(np.take(source, rows, axis=0), out)

    def running(self) -> AbstractContextManager[object]:
        """Within it, thunks run on this device. NaN and infinity arise without a word: the engine's own
        flag watches for them."""
        return nullcontext()

    def carried(self) -> AbstractContextManager[object]:
        """Within it, another thread finds what is current in this one."""
        return nullcontext()

    def bind_kernel(
        self, op: Operation, kernel: Any, outs: Sequence[Any], ins: Sequence[Any]
    ) -> Thunk | None:
        """A user's CUDA kernel on these buffers; None where it cannot run."""
        return None

    def owns(self, array: Any) -> bool:
        """Whether `array` lies in memory that the host cannot read."""
        return False

    def operand(self, array: Any, dtype: str | None = None) -> Any:
        """`array` as an operand outside of a traced model: host arrays stay there until they are used."""
        return self.asarray(array, dtype)

    def returned(self, outs: Sequence[Any], inputs: Sequence[Any]) -> tuple[Any, ...]:
        """Results as their user gets them: on the device only where an input was given there."""
        return tuple(outs)

    def shown(self, array: Any) -> Any:
        """The contents of a variable outside of a traced model, for reading."""
        return array

    @abstractmethod
    def copy(self, target: Any, source: Any) -> Thunk:
        """A thunk that copies contiguous memory of one shape and dtype."""

    def read_row(self, stack: Any, one: Any) -> ForStep:
        """What copies row t of `stack` into `one`."""
        copies = [self.copy(one, stack[t : t + 1].reshape(one.shape)) for t in range(len(stack))]
        return lambda t: copies[t]()

    def write_row(self, stack: Any, one: Any) -> ForStep:
        """What copies `one` into row t of `stack`."""
        copies = [self.copy(stack[t : t + 1].reshape(one.shape), one) for t in range(len(stack))]
        return lambda t: copies[t]()

    def feeder(self) -> Feeder:
        """What brings a model's data to this device."""
        return Feeder(self)

    def program(self, thunks: Sequence[Thunk]) -> Thunk:
        """The thunks as one, called again and again."""
        return InOrder(thunks)

    def kernel(self, op: Operation, specs: Sequence[Spec]) -> Kernel | None:
        """This device's own kernel for the operation, or None for the reference."""
        kernel = self.kernels.get(type(op).__name__)
        return kernel if kernel is not None and kernel.accepts(op, *specs) else None

    def scratch(self, op: Operation, specs: Sequence[Spec]) -> tuple[Spec, ...]:
        """Workspaces that running `op` on this device needs."""
        kernel = self.kernel(op, specs)
        return kernel.scratch(op, *specs) if kernel is not None else op.scratch(*specs)

    def overwrites(self, op: Operation, specs: Sequence[Spec]) -> tuple[tuple[int, int], ...]:
        """Pairs (output, input) of `op` that may share memory on this device."""
        kernel = self.kernel(op, specs)
        return op.overwrites if kernel is None or kernel.overwrites is None else kernel.overwrites

    def prepare(
        self,
        op: Operation,
        specs: Sequence[Spec],
        outs: Sequence[Any],
        ins: Sequence[Any],
        scratch: Sequence[Any],
    ) -> Thunk:
        """Bind `op` to its buffers; calling the result runs it. The one place that chooses."""
        kernel = self.kernel(op, specs)
        out = outs[0] if op.n_outputs == 1 else tuple(outs)
        if kernel is not None:
            return kernel.prepare(op, out, *ins, scratch=tuple(scratch))
        own = vars(type(op)).get("cuda")
        launch = self.bind_kernel(op, own, outs, ins) if own is not None else None
        return launch if launch is not None else self.reference(op, out, tuple(ins), tuple(scratch))

    def reference(self, op: Operation, out: Any, ins: tuple[Any, ...], scratch: tuple[Any, ...]) -> Thunk:
        """The operation's `compute` on these buffers."""
        xp, compute, name = self.xp, op.compute, type(op).__name__
        options = {"scratch": scratch} if scratch else {}

        def run() -> None:
            compute(xp, out, *ins, **options)

        return Named(run, name) if op.on_host is None else OnHost(run, name, op.on_host)
