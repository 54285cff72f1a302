"""The emulated GPU as the configured backend, whatever device the suite runs on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from gputrain import backend, config
from gputrain.backend.cupy import CupyDevice
from tests.cuda_emulator import Emulated, make


@dataclass
class World:
    """A stand-in of its own and the device on it."""

    standin: Emulated
    device: CupyDevice


@contextmanager
def emulated(**limits: Any) -> Iterator[World]:
    """Within it, the configured backend is a fresh emulated GPU with these limits (memory=bytes)."""
    standin = make(**limits)
    device = CupyDevice(standin.cupy, standin.blas, name="emulated")
    before, opened = backend._openers["emulated"], dict(backend._devices)
    backend.register_device("emulated", lambda number: device)
    config.set_backend("emulated")
    try:
        yield World(standin, device)
        standin.races.check()
    finally:
        config.put("backend", None)
        backend.register_device("emulated", before)
        backend._devices.update(opened)  # what was made on them may be used again
