"""NVRTC compiles without a driver."""

from __future__ import annotations

import pytest

from tests.backend.emulator.kernels import BLOCK_SUM, COMMON, SCALE
from tests.cuda_emulator import nvrtc

pytestmark = pytest.mark.skipif(not nvrtc.available(), reason="nvidia-cuda-nvrtc-cu12 is not installed")


@pytest.mark.parametrize("arch", ["sm_75", "sm_80", "sm_90", "sm_120"])
def test_kernels_compile_for_every_generation(arch):
    compiled = nvrtc.compile(COMMON + SCALE, ["scale<float>", "scale<double>"], arch)
    assert compiled.binary[:4] == b"\x7fELF"
    assert compiled.lowered["scale<float>"].startswith("_Z5scaleIfE")


def test_half_and_shared_memory():
    text = "#define GPUTRAIN_HALF\n" + COMMON + BLOCK_SUM.replace("#ifndef GPUTRAIN_EMULATOR", "#if 0")
    assert nvrtc.compile(text, ["block_sum<float>"], "compute_80").binary.startswith(b"//")


def test_an_error_has_the_compilers_words():
    with pytest.raises(nvrtc.NvrtcError, match=r"nothing_of_this_name"):
        nvrtc.compile('extern "C" __global__ void f(float* y) { y[0] = nothing_of_this_name; }')


def test_warnings_are_given_back():
    compiled = nvrtc.compile('extern "C" __global__ void f(float* y) { int unused; y[0] = 1; }')
    assert "unused" in compiled.log
