"""benchmarks/first_contact.sh: it comes to its end whatever happens to a part, and leaves what it found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.on_gpu import contact

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "first_contact.sh"
PARTS = ["doctor", "kernels", "the reference step", "the filters' gradient", "beside PyTorch"]


def run(*options: str, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHON": python}
    environment.pop("PYTHONPATH", None)
    return subprocess.run([str(SCRIPT), *options], env=environment, capture_output=True, text=True)


def written(folder: Path) -> list[dict[str, Any]]:
    """The lines of the one run that left its results there."""
    (file,) = folder.glob("first-contact-*.jsonl")
    return contact.lines(file)


def states(folder: Path) -> dict[str, str]:
    """How each part ended."""
    return {line["part"]: line["state"] for line in written(folder) if "part" in line}


@pytest.mark.slow
def test_it_runs_to_its_end_on_the_emulated_device(tmp_path: Path) -> None:
    done = run("--dry", "--output", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert states(tmp_path) == dict.fromkeys(PARTS, "done"), done.stdout
    ends = {line["part"]: line for line in written(tmp_path) if "reports" in line}
    steps, gradient, peers = (ends[part]["figures"] for part in PARTS[2:])
    assert [text for text in steps if "TF32 off: gputrain" in text]
    assert [text for text in steps if "TF32 on: gputrain" in text]
    assert len(gradient) == 1
    assert gradient[0].startswith("MatMul 1352x9 1352x32: ")
    assert [text for text in peers if text.startswith("a step of MLP")]
    assert [len(ends[part]["reports"]) for part in PARTS] == [0, 0, 1, 1, 1]
    assert "| beside PyTorch | done |" in done.stdout
    (log,) = tmp_path.glob("*.log")
    assert "## Kernels" in log.read_text()


def test_without_time_every_part_is_skipped_and_said_so(tmp_path: Path) -> None:
    done = run("--dry", "--budget", "0", "--output", str(tmp_path))
    assert done.returncode == 0
    assert states(tmp_path) == dict.fromkeys(PARTS, "skipped: no time was left")


def test_parts_that_fail_stop_nothing(tmp_path: Path) -> None:
    """A Python without any package, where none can be installed."""
    bare = tmp_path / "python"
    bare.write_text(
        f'#!/bin/sh\ncase "$1" in */contact.py) exec {sys.executable} "$@" ;; *) exit 1 ;; esac\n'
    )
    bare.chmod(0o755)
    done = run("--output", str(tmp_path / "out"), python=str(bare))
    assert done.returncode == 0
    found = states(tmp_path / "out")
    assert list(found)[:2] == ["install for CUDA 12", "doctor"]
    assert set(PARTS) < set(found)
    assert set(found.values()) == {"failed with exit code 1"}


@pytest.mark.parametrize(
    ("options", "said"), [(["--dry"], "--dry needs --output"), (["--fast"], "no option --fast")]
)
def test_wrong_usage(options: list[str], said: str) -> None:
    done = run(*options)
    assert done.returncode == 2
    assert said in done.stderr


def test_what_was_cut_short_stands_in_the_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    contact.main(["new", str(tmp_path)])
    file = Path(capsys.readouterr().out.strip())
    said = tmp_path / "said"
    said.write_text("one\ntwo\n")
    (tmp_path / "a-card.json").write_text("{ cut sho")
    contact.main(["begin", str(file), "first"])
    end = ["--code", "124", "--began", "0", "--seconds", "7", "--limit", "7", "--said", str(said)]
    contact.main(["end", str(file), "first", *end])
    contact.main(["begin", str(file), "second"])
    assert [line.get("state") for line in contact.lines(file)] == [None, "begun", "out of time", "begun"]
    assert contact.lines(file)[2]["said"] == ["one", "two"]
    shown = contact.summary(file)
    assert "| first | out of time | 7 |" in shown
    assert "| second | begun |  |" in shown
    assert "a-card.json cannot be read" in shown


def test_a_second_run_of_a_day_has_a_file_of_its_own(tmp_path: Path) -> None:
    first = contact.new_file(tmp_path)
    first.write_text(json.dumps({}) + "\n")
    assert contact.new_file(tmp_path) == first.with_name(f"{first.stem}-2.jsonl")
