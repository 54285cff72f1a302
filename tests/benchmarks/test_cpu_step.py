"""benchmarks/cpu_step.py runs: it reaches into the training loop, which changes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_it_runs_and_writes_its_figures(tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    options = ["--batch", "4", "--rounds", "1", "--json", str(result)]
    program = [sys.executable, "benchmarks/cpu_step.py", *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "GPUTRAIN_BACKEND": "numpy"}
    done = subprocess.run(program, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "gputrain   median" in done.stdout
    assert json.loads(result.read_text())["median_ms"]["gputrain"] > 0
