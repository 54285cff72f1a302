"""benchmarks/gpu.py on the emulated device, its peers on the CPU. Nothing here says how fast anything is."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import gpu as program
from benchmarks.on_gpu import (
    checks,
    jax_peer,
    kernel_cases,
    kernels,
    ours,
    peers,
    report,
    tasks,
    timing,
    torch_peer,
)
from gputrain import backend, config
from gputrain.backend.cupy import CupyDevice
from gputrain.errors import DeviceError
from tests.cuda_emulator import make

SMALL = ["--backend", "emulated", "--quick", "--models", "mlp-128", "--tf32", "off", "--families", "gather"]


@pytest.fixture(autouse=True)
def _settings() -> Iterator[None]:
    """What the program sets for its process is gone after it."""
    yield
    config.reset()


@pytest.fixture
def torch() -> Iterator[Any]:
    """PyTorch on one thread: others wait longer for each other than they work."""
    module = pytest.importorskip("torch")
    threads = module.get_num_threads()
    module.set_num_threads(1)
    yield module
    module.set_num_threads(threads)


@pytest.fixture
def emulated() -> CupyDevice:
    standin = make()
    return CupyDevice(standin.cupy, standin.blas, name="emulated")


def small(name: str) -> tuple[tasks.Task, tasks.Data]:
    task = tasks.shrunk(tasks.TASKS[name])
    return task, tasks.make_data(task, 5 * task.batch)


def side(name: str) -> tuple[tasks.Task, tasks.Data, Any, dict[str, Any]]:
    """A task with its data, weights and expected losses."""
    task, data = small(name)
    expected = checks.reference(task, data)
    with ours.using("numpy"):
        weights = ours.Ours(task, data).weights()
    return task, data, weights, expected


# ------------------------------------------------------------------------------------------ the whole program


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, dict[str, Any], str]:
    """(exit code, the JSON file, stdout) of a small run without peers."""
    folder, before = tmp_path_factory.mktemp("out"), set(program.RESULTS.iterdir())
    with pytest.MonkeyPatch.context() as patch:
        shown: list[str] = []
        patch.setattr("builtins.print", lambda *parts, **options: shown.append(" ".join(map(str, parts))))
        code = program.main([*SMALL, "--no-peers", "--output", str(folder)])
    assert set(program.RESULTS.iterdir()) == before, "an emulated run left something in benchmarks/results"
    (file,) = folder.iterdir()
    assert file.name.startswith("emulated-")
    return code, json.loads(file.read_text()), "\n".join(shown)


def test_the_report_has_all_parts(whole: Any) -> None:
    code, result, _ = whole
    assert code == 0
    assert result["problems"] == []
    assert result["warning"].startswith("EMULATED")
    assert {"gpu", "driver", "clocks", "cupy", "numpy", "python", "commit"} <= set(result["machine"])
    assert result["options"]["models"] == ["mlp-128"]
    (model,) = result["models"]
    assert (model["task"], model["tf32"], model["rounds"]) == ("mlp-128", False, program.EMULATED.rounds)
    assert len(model["samples"]["gputrain"]) == program.EMULATED.rounds
    assert 0 < model["times"]["gputrain"]["first_quartile"] <= model["times"]["gputrain"]["median"]
    assert model["losses"]["last"] < model["losses"]["first"]
    assert len(result["epoch"]["samples"]) == program.EMULATED.epochs
    assert result["ceilings"]["bandwidth"] > 0
    assert {row["family"] for row in result["kernels"]} == {"gather"}
    assert all(row["percent_of_ceiling"] > 0 and row["limited_by"] == "bytes" for row in result["kernels"])


def test_the_launches_of_the_reference_step(whole: Any) -> None:
    """By name, the gather of the batch first and the optimizer last, as one graph."""
    _, result, shown = whole
    found = result["launches"]
    assert found["model"] == "reference CNN, batch 128"
    assert found["names"][0].startswith("gather_rows")
    assert any(name.startswith("adam") for name in found["names"][-3:])
    assert found["launches"] + found["copies"] == len(found["names"])
    assert found["launches"] <= found["limit"] == 24
    assert (found["graphs_and_parts"], found["on_the_host"]) == (1, [])
    assert all(f"{i}. `{name}`" in shown for i, name in enumerate(found["names"], 1))


def test_the_tables(whole: Any) -> None:
    _, result, shown = whole
    assert "timings mean nothing" in shown
    assert "| model | TF32 | gputrain | pytorch eager |" in shown
    assert "pytorch eager / gputrain (aim 5)" in shown
    assert "torch.compile / gputrain (aim 1.5)" in shown
    assert "aim: at most 60 ms" in shown
    assert f"Not timed: {', '.join(result['not_timed'])}." in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--models", "alexnet"], "invalid choice"),
        (["--rounds", "0"], "not above 0"),
        (["--tf32", "maybe"], "invalid choice"),
        (["--backend", "emulated", "--output", str(program.RESULTS)], "not kept in benchmarks/results"),
        (["--output", __file__], "File exists"),
    ],
)
def test_wrong_usage(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        program.main(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_a_gpu_that_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def refuse(name: str) -> None:
        raise DeviceError("There is no driver. Install one.")

    monkeypatch.setattr(backend, "current_device", refuse)
    assert program.main(["--output", str(tmp_path)]) == 1
    assert "There is no driver. Install one." in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        program.main(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    for option in (
        "quick",
        "models",
        "rounds",
        "steps",
        "no-kernels",
        "no-peers",
        "tf32",
        "backend",
        "output",
    ):
        assert f"--{option}" in shown


def test_a_part_that_fails_is_named_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also wrong losses: such a model is not timed, and the exit code says so."""
    monkeypatch.setattr(checks, "reference", lambda task, data: {"inference": 1.0, "training": [1.0] * 3})

    def fail(self: Any) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr(program.Run, "epoch", fail)
    monkeypatch.setattr(program.Run, "launches", lambda self: None)
    assert program.main([*SMALL, "--no-peers", "--no-kernels"]) == 3
    shown = capsys.readouterr().out
    assert "are not those of the NumPy device" in shown
    assert "one epoch: MemoryError: no room" in shown
    assert "MLP 784-512-512-10, batch 8 | off" not in shown


# ------------------------------------------------------------------------------------------------------ peers


def test_peers_that_are_missing_are_skipped_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("torch", "jax"):
        monkeypatch.setitem(sys.modules, name, None)
    task, data, weights, expected = side("mlp-128")
    setting = peers.Setting(task, data, data, weights, expected, False, "cpu", 1, 5)
    said: list[str] = []
    found, skipped = peers.all_ready(peers.PEERS, setting, said.append)
    assert found == {}
    assert set(skipped) == set(peers.NAMES)
    assert "pip install torch" in skipped["torch.compile"]
    assert f"  skipped: torch.compile: {skipped['torch.compile']}" in said
    assert "pip install jax" in skipped["jax jit"]


@pytest.mark.peer
@pytest.mark.parametrize("name", ["cnn-128", "resnet8-128"])
def test_pytorch_computes_the_same(torch: Any, name: str) -> None:
    task, data, weights, expected = side(name)
    torch_peer.set_tf32(torch, False)
    found = torch_peer.TorchSide(torch, task, data, weights, "cpu", exact=True)
    assert checks.check_peer(found, task, data, expected, tf32=False, steps=15) == []
    natural = torch_peer.TorchSide(torch, task, data, weights, "cpu")
    assert timing.warm_up(natural) is None
    assert timing.time_round(natural) > 0


@pytest.mark.peer
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's own modules
def test_pytorch_compiles(torch: Any) -> None:
    task, data, weights, expected = side("mlp-128")
    found = torch_peer.TorchSide(torch, task, data, weights, "cpu", torch_peer.TRACED_ONLY)
    assert found.name == "torch.compile"
    assert checks.check_peer(found, task, data, expected, tf32=False, steps=15) == []


@pytest.mark.peer
@pytest.mark.parametrize("name", ["cnn-128", "resnet8-128"])
def test_jax_computes_the_same(name: str) -> None:
    jax = pytest.importorskip("jax")
    task, data, weights, expected = side(name)
    jax_peer.set_tf32(jax, False)
    found = jax_peer.JaxSide(jax, task, data, weights)
    assert checks.check_peer(found, task, data, expected, tf32=False, steps=15) == []
    assert timing.warm_up(found) is None


@pytest.mark.peer
def test_a_peer_that_computes_something_else_is_not_timed(torch: Any) -> None:
    task, data, weights, expected = side("mlp-128")
    other = {**expected, "inference": expected["inference"] + 0.1}
    setting = peers.Setting(task, data, data, weights, other, False, "cpu", 1, 0)
    found, reason = peers.ready(peers.PEERS[0], setting)
    assert found is None
    assert "inference loss" in reason


# ----------------------------------------------------------------------------------------------------- checks


@pytest.mark.parametrize(
    ("found", "good"), [([1.0, 2.0], True), ([1.0, 2.1], False), ([1.0, float("nan")], False)]
)
def test_losses_are_compared(found: list[float], good: bool) -> None:
    assert checks.close(found, [1.0, 2.001], checks.TOLERANCE) is good


@pytest.mark.parametrize(
    ("losses", "good"), [([3.0, 2.0, 1.0], True), ([1.0, 2.0, 3.0], False), ([3.0, float("inf"), 1.0], False)]
)
def test_losses_must_fall(losses: list[float], good: bool) -> None:
    assert checks.falls(losses) is good


def test_rounds_take_turns() -> None:
    log: list[str] = []

    class Recorder:
        def __init__(self, name: str) -> None:
            self.name = name

        def round(self) -> None:
            log.append(self.name)

        def wait(self) -> None: ...

    times = timing.alternate({n: Recorder(n) for n in "ab"}, iter(range(3)), 10)  # type: ignore[misc, arg-type]
    assert log == list("abbaab")
    assert {name: len(found) for name, found in times.items()} == {"a": 3, "b": 3}


def test_ratios_are_those_of_medians() -> None:
    times = {"gputrain": timing.summary([1, 2, 3]), "other": timing.summary([9, 10, 90])}
    assert timing.ratios(times, "gputrain") == {"other": 5.0}


# ---------------------------------------------------------------------------------------------------- kernels


class Broken:
    """Something that writes 1 to the first elements of an array only."""

    def __init__(self, gpu: CupyDevice, written: int) -> None:
        self.out = gpu.empty((8,), "float32")
        ones = gpu.asarray(np.ones(written, np.float32))
        self.thunk = gpu.copy(self.out[:written], ones)

    def prepared(self) -> kernels.Prepared:
        return kernels.Prepared(self.thunk, [self.out], [], [np.ones(8, np.float32)])


def test_unwritten_outputs_are_found(emulated: CupyDevice) -> None:
    assert kernels.check(emulated, Broken(emulated, 8).prepared()) is None
    assert "not written everywhere" in str(kernels.check(emulated, Broken(emulated, 7).prepared()))


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        (np.array([1, 2], np.float32), None),
        (np.array([1, 2.1], np.float32), "of its norm away"),
        (np.array([1, np.nan], np.float32), "inf"),
        (np.array([1, 2], np.float64), "instead of"),
    ],
)
def test_wrong_outputs_are_found(found: np.ndarray, wrong: str | None) -> None:
    said = kernels.difference(found, np.array([1, 2], np.float32))
    assert said is None if wrong is None else wrong in str(said)


def test_limits_are_the_larger_of_two_times() -> None:
    ceilings = kernels.Ceilings(bandwidth=1e9, rate=1e12, nothing=0)
    assert ceilings.floor(10**9, 10**9) == (1000.0, "bytes")
    assert ceilings.floor(10**6, 10**12) == (1000.0, "flops")


def test_every_registered_kernel_has_a_case(emulated: CupyDevice) -> None:
    """Except for OwnGradient, which copies. A new kernel is named until it gets one in kernel_cases.py."""
    cases = kernel_cases.all_cases(kernel_cases.TINY)
    assert kernels.not_timed(emulated, cases) == ["OwnGradient"]


def test_a_kernel_without_a_case_is_named(emulated: CupyDevice) -> None:
    emulated.kernels["Novel"] = emulated.kernels["Take"]
    assert "Novel" in kernels.not_timed(emulated, kernel_cases.all_cases(kernel_cases.TINY))


def test_an_operation_without_a_kernel_is_said_so(emulated: CupyDevice) -> None:
    del emulated.kernels["BatchNorm"]
    (case,) = (c for c in kernel_cases.all_cases(kernel_cases.TINY) if c.name == "BatchNorm")
    stopwatch = kernels.Stopwatch(emulated, 2, 16)
    row = kernels.time_case(emulated, case, stopwatch, kernels.Ceilings(1.0, 1.0, 0.0))
    assert row["no_kernel"] == "BatchNorm"


@pytest.mark.slow
def test_every_case_is_right_and_has_a_time(emulated: CupyDevice) -> None:
    stopwatch = kernels.Stopwatch(emulated, 2, 1 << 12)
    ceilings = kernels.measure_ceilings(emulated, stopwatch, 1 << 12, 32)
    for case in kernel_cases.all_cases(kernel_cases.TINY):
        row = kernels.time_case(emulated, case, stopwatch, ceilings)
        assert "milliseconds" in row, row


def test_cases_know_their_bytes() -> None:
    """Sizes on a real device: every case moves enough to be timed."""
    for case in kernel_cases.all_cases(kernel_cases.FULL):
        assert case.nbytes is None or case.nbytes > 1 << 20, case.name


# ----------------------------------------------------------------------------------------------------- report


def test_files_are_named_after_the_gpu_and_never_overwritten(tmp_path: Path) -> None:
    first = report.new_file(tmp_path, "NVIDIA H100 80GB HBM3", "2026-01-02")
    assert first.name == "nvidia-h100-80gb-hbm3-2026-01-02.json"
    first.write_text("{}")
    assert report.new_file(tmp_path, "NVIDIA H100 80GB HBM3", "2026-01-02").stem.endswith("-2026-01-02-2")


def test_losses_that_are_no_numbers_can_be_stored(tmp_path: Path) -> None:
    report.write(tmp_path / "a.json", {"losses": [1.0, float("nan")], "last": float("inf")})
    assert json.loads((tmp_path / "a.json").read_text()) == {"losses": [1.0, "nan"], "last": "inf"}


def test_an_interrupted_run_shows_what_it_had(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def interrupt(self: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(program.Run, "launches", lambda self: None)
    monkeypatch.setattr(program.Run, "epoch", interrupt)
    assert program.main([*SMALL, "--no-peers", "--output", str(tmp_path)]) == 130
    assert "MLP 784-512-512-10, batch 8 | off" in capsys.readouterr().out
    (file,) = tmp_path.iterdir()
    assert len(json.loads(file.read_text())["models"]) == 1
