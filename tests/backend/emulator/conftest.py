"""The stand-in, or the real CuPy where the tests run on a card (`--backend cupy`)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cuda_emulator import Emulated, build, make


def fresh() -> Emulated:
    """A new emulated device."""
    if not build.available():
        pytest.skip("the CUDA emulator needs g++")
    return make()


@pytest.fixture
def emulated() -> Emulated:
    """A fresh emulated device that runs in one order until it is told otherwise."""
    device = fresh()
    device.orders.checking = False
    return device


@pytest.fixture
def cp(request: pytest.FixtureRequest) -> Any:
    """The module `cupy`: the real one with `--backend cupy`, else a fresh stand-in."""
    if request.config.getoption("--backend", default="numpy") != "cupy":
        return fresh().cupy
    cupy = pytest.importorskip("cupy")
    if not cupy.cuda.is_available():
        pytest.skip("no CUDA device")
    return cupy
