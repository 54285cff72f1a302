"""The emulated GPU, on which kernels are tested where there is no real one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gputrain.backend.cupy import CupyDevice
from tests.cuda_emulator import make


@pytest.fixture(scope="session")
def gpu() -> Iterator[CupyDevice]:
    """The device on CUDA's emulator, which runs every launch in several orders of threads and blocks."""
    emulated = make()
    with emulated.orders.check_all():
        yield CupyDevice(emulated.cupy, emulated.blas, name="emulated")
