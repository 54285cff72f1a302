"""benchmarks/sequences.py runs: it reaches into the training loop, which changes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import sequences

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_it_runs_and_writes_its_figures(tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    options = ["--batch", "2", "--rounds", "1", "--json", str(result)]
    program = [sys.executable, "benchmarks/sequences.py", *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "GPUTRAIN_BACKEND": "numpy"}
    done = subprocess.run(program, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    figures = json.loads(result.read_text())
    assert figures["lstm"]["median_ms"]["gputrain"] > 0
    assert figures["transformer"]["median_ms"]["gputrain"] > 0


def test_what_attention_plans_grows_with_the_tokens_and_not_with_their_square() -> None:
    short, long = (sequences.attention_bytes(tokens, 4) for tokens in (256, 1024))
    assert long["planned"] < 4.2 * short["planned"]
    assert long["scores"] == 16 * short["scores"]
