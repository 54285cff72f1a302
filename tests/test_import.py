"""`import gputrain` is quick and brings in nothing heavy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# CPU time of NumPy and gputrain. The promise is 0.2 s; machines differ.
MOST_SECONDS = 0.35
MOST_TIMES_NUMPY = 2.5

MEASURE = """
import json, sys, time
start = time.process_time()
import numpy
middle = time.process_time()
before = set(sys.modules)
import gputrain
print(json.dumps([middle - start, time.process_time() - middle, sorted(set(sys.modules) - before)]))
"""
HEAVY = {
    "cupy",
    "cupyx",
    "tqdm",
    "tomllib",
    "ssl",
    "socket",
    "http",
    "urllib.request",
    "email",
    "sklearn",
    "scipy",
    "matplotlib",
    "torch",
    "multiprocessing",
    "asyncio",
    "unittest",
    "pytest",
}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[float, float, list[str]]]:
    """(seconds of numpy, seconds of gputrain, modules that came with gputrain) of several processes."""
    environment = {key: text for key, text in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(tmp_path_factory.mktemp("bytecode"))
    command = [sys.executable, "-c", MEASURE]
    runs = [
        subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        for _ in range(6)
    ]
    return [json.loads(run.stdout) for run in runs[1:]]  # the first compiles


def test_nothing_heavy_is_imported(measured: list[tuple[float, float, list[str]]]) -> None:
    modules = measured[0][2]
    assert not HEAVY & {*modules, *(m.split(".")[0] for m in modules)}


def test_the_import_is_quick(measured: list[tuple[float, float, list[str]]]) -> None:
    numpy, own, _ = min(measured, key=lambda run: run[0] + run[1])
    print(f"import gputrain: {numpy + own:.3f} s of CPU time, {numpy:.3f} s of it for numpy")
    assert numpy + own < MOST_SECONDS
    assert own < MOST_TIMES_NUMPY * numpy
