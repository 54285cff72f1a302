"""The benchmarks are in the checkout only; where the tests run without it, there is nothing to test."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).resolve().parent
PROGRAMS = [
    "test_before_after.py",
    "test_cpu_benchmark.py",
    "test_gpu_benchmark.py",
    "test_tabular_benchmark.py",
]
collect_ignore = [] if (HERE.parents[1] / "benchmarks" / "gpu.py").exists() else PROGRAMS
