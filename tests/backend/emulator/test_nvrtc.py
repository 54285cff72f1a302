"""NVRTC compiles without a driver."""

from __future__ import annotations

import pytest

from tests.backend.emulator.kernels import BLOCK_SUM, COMMON, SCALE
from tests.cuda_emulator import nvrtc

pytestmark = pytest.mark.skipif(not nvrtc.available(), reason=f"not installed: {nvrtc.missing()}")


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


@pytest.mark.parametrize("major", nvrtc.WHEELS)
def test_the_environment_chooses_the_version(major, monkeypatch):
    monkeypatch.setenv(nvrtc.MAJOR, str(major))
    if not nvrtc.available():
        pytest.skip(f"not installed: {nvrtc.missing()}")
    assert nvrtc.version()[0] == major
    text = "#define GPUTRAIN_HALF\n" + COMMON + SCALE  # with cuda_fp16.h, of the same version
    assert nvrtc.compile(text, ["scale<float>"]).binary[:4] == b"\x7fELF"


def test_a_version_that_is_not_installed_names_its_wheels(monkeypatch):
    monkeypatch.setenv(nvrtc.MAJOR, "13")
    monkeypatch.setattr(nvrtc, "_file", lambda package, name, of: None)
    assert not nvrtc.available()
    with pytest.raises(nvrtc.NvrtcError, match=r"pip install nvidia-cuda-nvrtc nvidia-cuda-runtime$"):
        nvrtc.compile(COMMON)


def test_a_version_that_there_is_not(monkeypatch):
    monkeypatch.setenv(nvrtc.MAJOR, "11")
    with pytest.raises(ValueError, match="GPUTRAIN_NVRTC_MAJOR is one of 12, 13, not '11'"):
        nvrtc.available()
