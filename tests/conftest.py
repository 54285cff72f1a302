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
    config.addinivalue_line("markers", "cpu_only(reason): only the CPU device has what the test looks at")
    config.addinivalue_line("markers", "gpu_only(reason): only a GPU device has what the test looks at")
    name = config.getoption("--backend")
    os.environ["GPUTRAIN_BACKEND"] = name
    if name == "emulated":
        from gputrain import backend
        from gputrain.backend.cupy import CupyDevice
        from tests.cuda_emulator import default

        world = default()
        backend.register_device(name, lambda number: CupyDevice(world.cupy, world.blas, number, name))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what the chosen device does not have."""
    other = "gpu_only" if config.getoption("--backend") == "numpy" else "cpu_only"
    for item in items:
        mark = item.get_closest_marker(other)
        if mark is not None:
            item.add_marker(pytest.mark.skip(reason=f"{other.replace('_', ' ')}: {mark.args[0]}"))
