"""The GPU on which kernels are tested: a real one where the suite runs on one, otherwise the emulated one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gputrain import backend
from gputrain.backend.cupy import CupyDevice
from tests.cuda_emulator import make


@pytest.fixture(scope="session")
def gpu(request: pytest.FixtureRequest) -> Iterator[CupyDevice]:
    """The device. The emulator runs every launch in several orders of threads and blocks; they must agree."""
    if request.config.getoption("--backend") == "cupy":
        device = backend.current_device("cupy")
        assert isinstance(device, CupyDevice)
        yield device
        return
    emulated = make()
    with emulated.orders.check_all():
        yield CupyDevice(emulated.cupy, emulated.blas, name="emulated")
