"""benchmarks/cpu.py runs: it reaches into the training loop and the plan, which change."""

from __future__ import annotations

import io
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import gputrain
from benchmarks import cpu
from benchmarks.on_cpu import torch_peer, worker
from benchmarks.on_cpu.ours import Ours
from tests.networks import NETWORKS

ROOT = Path(__file__).resolve().parents[2]
RATE = {"flops_a_second": 1e9, "bytes_a_second": 1e9}


@pytest.mark.slow
def test_it_runs_and_writes_its_figures(tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    options = ["--only", "MLP", "--quick", "--rounds", "3", "--operations", "--json", str(result)]
    program = [sys.executable, "benchmarks/cpu.py", *options]
    done = subprocess.run(program, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "ratio: gputrain with compiled kernels / the fastest peer" in done.stdout
    assert "ms in operations, each timed alone" in done.stdout
    found = json.loads(result.read_text())["networks"]["MLP"]
    assert found["failed"] == {}
    assert len(found["rounds_ms"]["gputrain"]) == len(found["rounds_ms"]["gputrain on NumPy"]) == 3
    assert found["floor_ms"] > 0
    assert found["median_ms"]["gputrain"] > 0


@pytest.mark.cpu_only("the floor is that of the plan of the CPU")
def test_the_work_of_the_mlp_is_that_of_its_products() -> None:
    side = Ours()
    side.prepare(NETWORKS["MLP"], 1)
    work = side.work()
    # The first layer has no gradient for its input.
    assert work.flops == 2 * 128 * (2 * 784 * 512 + 3 * 512 * 512 + 3 * 512 * 10)
    weights = side.model.count_params()
    least = 4 * (4 * weights + 128 * (784 + 512 + 512))
    assert least <= work.nbytes < 1.1 * least


@pytest.mark.cpu_only("the floor is that of the plan of the CPU")
def test_the_work_of_the_reference_cnn_is_that_of_its_convolution_and_products() -> None:
    side = Ours()
    side.prepare(NETWORKS["reference CNN"], 1)
    window, products = 9 * 32, 3 * (5408 * 128 + 128 * 10)
    # Only a place in four has a gradient behind the pooling.
    assert side.work().flops == 2 * 128 * (26 * 26 * window + 13 * 13 * window + products)


@pytest.mark.parametrize("name", NETWORKS)
def test_both_sides_train_as_many_numbers(name: str) -> None:
    nn = pytest.importorskip("torch").nn
    network = NETWORKS[name]
    ours = sum(math.prod(v.shape) for v in network.make(gputrain).trainable_variables)
    theirs = sum(p.numel() for p in torch_peer.MODELS[network.make.__name__](nn).parameters())
    # PyTorch's LSTM has a second bias.
    assert theirs - ours == (512 if name == "LSTM" else 0)


def judged(**changed: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "load": 0.1,
        "median_ms": {"gputrain": 4.0, "gputrain on NumPy": 9.0, "pytorch": 8.0, "keras jax": 5.0},
        "spread": {"gputrain": 0.05, "gputrain on NumPy": 0.5, "pytorch": 0.5, "keras jax": 0.05},
        "work": {"flops": 1e6, "nbytes": 1e6},
    }
    found.update(changed)
    cpu.judge("MLP", found, RATE)
    return found


def test_a_ratio_is_that_to_the_fastest_peer_and_only_their_spread_counts() -> None:
    found = judged()
    assert (found["best_peer"], found["ratio"], found["met"], found["void"]) == ("keras jax", 0.8, True, None)


def test_a_ratio_on_a_busy_machine_or_of_repeats_far_apart_is_void() -> None:
    spread = {"gputrain": 0.2, "pytorch": 0.0, "keras jax": 0.0}
    found = judged(load=0.5, spread=spread)
    assert (found["void"], found["met"]) == ("load 0.50, gputrain spread by 20%", None)


def test_a_goal_is_met_near_the_floor_too() -> None:
    slow: dict[str, Any] = {
        "median_ms": {"gputrain": 4.0, "pytorch": 4.0},
        "spread": {"gputrain": 0.0, "pytorch": 0.0},
    }
    assert judged(**slow)["met"] is False
    assert judged(**slow, work={"flops": 3e6, "nbytes": 0.5e6})["met"] is True


def test_repeats_are_thirds_of_the_rounds() -> None:
    assert cpu.spread([2.0, 9.0, 2.0, 2.2, 2.2, 2.2, 2.1, 2.1, 2.1]) == pytest.approx(0.1)
    assert cpu.spread([3.0]) == 0


def test_a_worker_says_what_is_missing_and_what_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(worker.SIDES, "absent", ("no_such_module", "Absent"))
    assert "no_such_module" in answers("absent")[0]["missing"]
    hello, failed = answers("gputrain", ["no_such_request"])
    assert hello["version"] == gputrain.__version__
    assert "no_such_request" in failed["failed"]


def answers(side: str, *requests: list[Any]) -> list[dict[str, Any]]:
    written = io.StringIO()
    worker.serve(side, io.StringIO("\n".join(map(json.dumps, requests))), written)
    return [json.loads(line) for line in written.getvalue().splitlines()]
