"""benchmarks/before_after.py runs on two checkouts, and what got worse is told."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import gputrain

pytestmark = pytest.mark.cpu_only("it measures the NumPy device, in processes of its own")

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "benchmarks" / "before_after.py"
CHECKOUT = str(Path(gputrain.__file__).resolve().parents[1])
NAMES = runpy.run_path(str(PROGRAM))


def run(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PROGRAM), *options]
    environment = {**os.environ, "GPUTRAIN_BACKEND": "no such device"}  # which it does not hand on
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def found(*times: float, counter: int = 1) -> list[dict[str, Any]]:
    return [{"cpu": time, "wall": 2 * time, "counters": {"calls": counter}} for time in times]


@pytest.mark.slow
def test_it_compares_two_checkouts_and_keeps_what_it_found(tmp_path: Path) -> None:
    kept = tmp_path / "found.jsonl"
    options = ["--pairs", "2", "--steps", "2", "--limit", "1000", "--json", str(kept)]
    done = run(CHECKOUT, CHECKOUT, *options, "--workloads", "MLP", "import")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No ratio of CPU time is above 1000.0, and no counter rose." in done.stdout
    lines = [json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines()]
    turns = [(line["workload"], line["pair"], line["side"]) for line in lines if "side" in line]
    assert turns == [
        (workload, *turn)
        for workload in ("MLP", "import")
        for turn in [(1, "before"), (1, "after"), (2, "after"), (2, "before")]
    ]
    summaries = {line["workload"]: line["summary"] for line in lines if "summary" in line}
    for workload, names in {
        "MLP": {"functions per step", "planned calls", "arena bytes"},
        "import": {"modules"},
    }.items():
        counters = summaries[workload]["counters"]
        assert set(counters) == names
        assert all(row["before"] == row["after"] > 10 for row in counters.values())
        assert summaries[workload]["cpu"]["lower quartile"]["before"] > 0


def test_quartiles_and_ratios_are_those_of_the_processes() -> None:
    summary = NAMES["summarize"]({"before": found(1, 2, 3, 4, 5), "after": found(10, 1, 4, 3, 3)})
    assert summary["cpu"]["minimum"] == {"before": 1, "after": 1, "ratio": 1}
    assert summary["cpu"]["lower quartile"] == {"before": 2, "after": 3, "ratio": 1.5}
    assert summary["wall"]["median"] == {"before": 6, "after": 6, "ratio": 1}


def test_what_got_worse_is_told() -> None:
    faults = NAMES["faults"]
    same = NAMES["summarize"]({"before": found(1.0), "after": found(1.05)})
    assert faults("MLP", same, 1.05) == []
    worse = NAMES["summarize"]({"before": found(1.0), "after": found(1.06, counter=1200)})
    assert faults("MLP", worse, 1.05) == [
        "MLP: CPU time is 1.060 times what it was",
        "MLP: calls rose from 1 to 1,200",
    ]


def test_a_checkout_that_does_not_run_is_named(tmp_path: Path) -> None:
    (tmp_path / "gputrain").mkdir()
    (tmp_path / "gputrain" / "__init__.py").write_text("raise OSError('planted')\n", encoding="utf-8")
    done = run(str(tmp_path), str(tmp_path), "--pairs", "1", "--workloads", "import")
    assert done.returncode == 1
    assert f"import failed in {tmp_path}" in done.stderr
    assert "planted" in done.stderr


def test_one_checkout_is_refused() -> None:
    done = run(CHECKOUT)
    assert done.returncode == 2
    assert "give the folders of two checkouts. Received: 1" in done.stderr
