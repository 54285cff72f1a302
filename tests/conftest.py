"""What all tests share: the device they run on."""

from __future__ import annotations

import os

# The matrices of tests are small; a second BLAS thread only waits, most of all on a busy machine.
# Set before NumPy is first imported; a value from outside wins.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest

BACKENDS = ("numpy", "cupy", "emulated")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--backend",
        choices=BACKENDS,
        default="numpy",
        help="the device the suite runs on: the CPU, a GPU, or the GPU device on the emulator",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the chosen device the one that everything runs on, unless a test sets another."""
    name = config.getoption("--backend")
    os.environ["GPUTRAIN_BACKEND"] = name
    if name == "emulated":
        from gputrain import backend
        from gputrain.backend.cupy import CupyDevice
        from tests.cuda_emulator import default

        world = default()
        backend.register_device(name, lambda number: CupyDevice(world.cupy, world.blas, number, name))
