"""What a stand-in was asked to do, counted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from typing import NamedTuple


class Event(NamedTuple):
    """One thing that a device did.

    Attributes:
        kind: launch, function, gemm, host_to_device, device_to_host, device_to_device, memset, graph_launch,
            allocation or sync.
        name: of the kernel, the function, or what else it was.
        how: "run" at once, "capture" when only recorded, "replay" as a node of a launched graph.
        nbytes: of copies, memsets and allocations.
    """

    kind: str
    name: str
    how: str
    nbytes: int = 0


@dataclass
class Statistics:
    """Counters. Nodes of a replayed graph count in `replayed` alone: the host did nothing for them.

    Attributes:
        launches: kernels and matrix products that the host launched or recorded.
        functions: CuPy's own functions (each is one or more kernels there), launched or recorded.
        graph_launches: launches of captured graphs.
        captured: nodes recorded into graphs.
        replayed: nodes run by launches of graphs.
        scalars: arguments of launches that were passed by value.
        allocations: blocks of device memory handed out.
        bytes_allocated: their bytes.
        host_to_device, device_to_host, device_to_device: copies.
        memsets: fills by memset.
        syncs: waits of the host for the device.
    """

    launches: int = 0
    functions: int = 0
    graph_launches: int = 0
    captured: int = 0
    replayed: int = 0
    scalars: int = 0
    allocations: int = 0
    bytes_allocated: int = 0
    host_to_device: int = 0
    device_to_host: int = 0
    device_to_device: int = 0
    memsets: int = 0
    syncs: int = 0
    _logs: list[list[Event]] = field(default_factory=list, repr=False)

    def note(self, kind: str, name: str, how: str = "run", nbytes: int = 0) -> None:
        """Count an event and give it to those that listen."""
        if how == "replay":
            self.replayed += 1
        else:
            counter = _COUNTERS[kind]
            setattr(self, counter, getattr(self, counter) + 1)
            self.captured += how == "capture"
        if kind == "allocation":
            self.bytes_allocated += nbytes
        for log in self._logs:
            log.append(Event(kind, name, how, nbytes))

    @contextmanager
    def record(self) -> Iterator[list[Event]]:
        """Within it, the list that it gives grows by each event."""
        log: list[Event] = []
        self._logs.append(log)
        try:
            yield log
        finally:
            self._logs = [other for other in self._logs if other is not log]

    def counts(self) -> dict[str, int]:
        """All counters by name."""
        return {name: value for name, value in asdict(self).items() if not name.startswith("_")}

    def reset(self) -> None:
        """Set all counters to 0."""
        for counter in fields(self):
            if not counter.name.startswith("_"):
                setattr(self, counter.name, 0)


_COUNTERS = {
    "launch": "launches",
    "gemm": "launches",
    "function": "functions",
    "graph_launch": "graph_launches",
    "allocation": "allocations",
    "host_to_device": "host_to_device",
    "device_to_host": "device_to_host",
    "device_to_device": "device_to_device",
    "memset": "memsets",
    "sync": "syncs",
}
