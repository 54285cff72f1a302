"""Every kernel that gputrain can ask for, compiled by NVRTC for generations of GPUs.

CUDA 12 compiles for two generations and CUDA 13 for two others. CI takes one of each by the date: both
compilers are seen each time, and all four generations within two days.
`GPUTRAIN_ARCHITECTURES="sm_75 sm_80 sm_90 sm_120"` chooses which.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

import pytest

from gputrain.backend.cupy.launch import CUDA_TYPES
from tests.cuda_emulator import build, nvrtc
from tests.cuda_emulator.catalog import FLOATS, INTEGERS, Wanted, catalog, written

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not nvrtc.available(), reason=f"not installed: {nvrtc.missing()}"),
    pytest.mark.skipif(not build.available(), reason="the CUDA emulator needs g++"),
]

OF_COMPILER = {12: "sm_75 sm_90", 13: "sm_80 sm_120"}
ARCHITECTURES = os.environ.get("GPUTRAIN_ARCHITECTURES", OF_COMPILER[nvrtc.major()]).split()
SHARES = 6  # into which the programs of an architecture are divided, for several processes
MOST_NAMES = 60  # kernels of one program

# The first argument of each template that is not a float: what it must have been compiled for.
_ANY, _WORDS = tuple(CUDA_TYPES), ("uint8", "uint16", "uint32", "uint64")
TAKES = {
    **dict.fromkeys(["add_along", "add_heavy_rows", "add_rows", "take", "take_along"], _ANY),
    **dict.fromkeys(["one_hot", "zeros", "gather_rows"], _ANY),
    **dict.fromkeys(["reduce_blocks", "reduce_columns", "reduce_rows"], _ANY),
    **dict.fromkeys(["fill", "padded", "strided_copy", "tiled_transpose"], _WORDS),
    **dict.fromkeys(["merge_moments", "merge_products"], FLOATS[1:]),
    **dict.fromkeys(["always_finite", "copy_chunks", "merge_runs", "row_starts"], ()),
    "matmul_tiled": INTEGERS,
    "sort_tiles": tuple(dtype for dtype in INTEGERS if dtype != "bool"),
}


@dataclass
class Program:
    """Kernels that are compiled together.

    Attributes:
        text: source of them all.
        kernels: by the name expression within it.
    """

    text: str
    kernels: dict[str, Wanted]


def programs(wanted: Iterable[Wanted]) -> Iterator[Program]:
    """Kernels of one text together; generated ones, each in a namespace, behind the text that they share."""
    groups: dict[str, list[Wanted]] = {}
    for kernel in wanted:
        shared = kernel.text.rpartition("__global__ ")[0] if kernel.generated else kernel.text
        groups.setdefault(shared, []).append(kernel)
    for shared, members in groups.items():
        for start in range(0, len(members), MOST_NAMES):
            yield _program(shared, members[start : start + MOST_NAMES])


def _program(shared: str, members: list[Wanted]) -> Program:
    made = Program(shared, {})
    for i, kernel in enumerate(members):
        if kernel.generated:
            made.text += f"namespace k{i} {{\n{kernel.text[len(shared) :]}}}\n"
            made.kernels[f"k{i}::{kernel.name}"] = kernel
        else:
            made.kernels[kernel.name] = kernel
    return made


def faults(program: Program, arch: str) -> list[str]:
    """Errors and warnings, each with the name of its kernel."""
    if not _said(program.text, program.kernels, arch):
        return []
    found = [
        f"{w.name} for {arch}: {said}"
        for w in program.kernels.values()
        if (said := _said(w.text, [w.name], arch))
    ]
    return found or [
        f"{', '.join(program.kernels)}, together, for {arch}: {_said(program.text, program.kernels, arch)}"
    ]


def _said(text: str, names: Iterable[str], arch: str) -> str:
    try:
        return nvrtc.compile(text, list(names), arch).log
    except nvrtc.NvrtcError as error:
        return str(error)


@cache
def _shares() -> list[list[Program]]:
    """The programs, the longest first, dealt out to `SHARES` lists."""
    made = sorted(programs(catalog()), key=lambda program: -len(program.kernels))
    return [made[share::SHARES] for share in range(SHARES)]


@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_compiles_without_a_word(arch: str, share: int) -> None:
    found = [fault for program in _shares()[share] for fault in faults(program, arch)]
    assert not found, "\n".join(found[:20])


def test_the_compiler_knows_every_architecture() -> None:
    assert nvrtc.version() >= (12, 8), "sm_120 came with CUDA 12.8"
    assert nvrtc.version()[0] == nvrtc.major()
    used = {option.lstrip("-") for option in nvrtc.OPTIONS}
    assert {option.lstrip("-") for kernel in catalog() for option in kernel.options} <= used


def missing(found: Iterable[Wanted], names: Iterable[str]) -> list[str]:
    """Kernels of `kernels/` that nobody asks for, and dtypes for which nobody does."""
    asked: dict[str, set[str]] = {}
    for kernel in found:
        asked.setdefault(kernel.template, set()).update(kernel.arguments[:1])
    gaps = []
    for name in names:
        expected = {CUDA_TYPES[dtype] for dtype in TAKES.get(name, FLOATS)}
        if name not in asked:
            gaps.append(f"{name}: no operation uses it")
        elif expected - asked[name]:
            gaps.append(f"{name}: never for {', '.join(sorted(expected - asked[name]))}")
    return gaps


def test_every_kernel_is_asked_for_in_every_dtype() -> None:
    files = written()
    gaps = missing(catalog(), files)
    assert not gaps, "Add cases to tests/cuda_emulator/cases.py, or remove the kernels:\n" + "\n".join(gaps)
    assert not set(TAKES) - set(files), "the table TAKES names kernels that are gone"


# ----------------------------------------------------------------------------------- the checks themselves


def test_a_kernel_that_nobody_uses_is_named() -> None:
    only = [kernel for kernel in catalog() if kernel.name != "zeros<__half>"]
    assert missing(only, [*written(), "forgotten"]) == [
        "zeros: never for __half",
        "forgotten: no operation uses it",
    ]


@pytest.mark.parametrize(
    "wrong, words", [("no_such_name", "no_such_name"), ("n; int unused", "unused")], ids=["error", "warning"]
)
def test_a_planted_fault_is_reported_with_its_kernel(wrong: str, words: str) -> None:
    shared = "typedef long long i64;\n"
    good = "__global__ void fused_good(i64* y, i64 n) { y[0] = n; }\n"
    bad = good.replace("good", "bad").replace("= n", f"= {wrong}")
    kernels = [Wanted(shared + text, name, ()) for text, name in ((good, "fused_good"), (bad, "fused_bad"))]
    (program,) = programs(kernels)
    (fault,) = faults(program, "sm_90")
    assert fault.startswith("fused_bad for sm_90: ")
    assert words in fault


def test_a_fault_of_one_instance_of_a_template_is_reported_with_its_name() -> None:
    text = "template <typename T> __global__ void at(T* y) { y[0] = y[0] % 2; }"
    (program,) = programs([Wanted(text, f"at<{t}>", ()) for t in ("int", "float")])
    (fault,) = faults(program, "sm_75")
    assert fault.startswith("at<float> for sm_75: ")
