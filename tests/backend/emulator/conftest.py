"""The stand-in, or the real CuPy where the tests run on a card (`--backend cupy`)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cuda_emulator import Emulated, make


@pytest.fixture
def emulated() -> Emulated:
    """A fresh emulated device that runs in one order until it is told otherwise."""
    device = make()
    device.orders.checking = False
    return device


@pytest.fixture
def cp(request: pytest.FixtureRequest) -> Any:
    """The module `cupy`: the real one with `--backend cupy`, else a fresh stand-in."""
    if request.config.getoption("--backend", default="numpy") != "cupy":
        return make().cupy
    cupy = pytest.importorskip("cupy")
    if not cupy.cuda.is_available():
        pytest.skip("no CUDA device")
    return cupy
