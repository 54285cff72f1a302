"""The library of compiled kernels: arguments, threads, and what happens where it does not fit."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gputrain
from gputrain.backend.numpy import NumpyDevice
from gputrain.backend.numpy.compiled import binding as module
from gputrain.backend.numpy.compiled.binding import NAME, Library, LibraryError, joined, opened, wanted
from gputrain.ops.base import spec_of
from gputrain.ops.products import MatMul
from gputrain.utils import notes
from tests.backend.compiled.running import LEVELS, device, library, needs_library, placed, run
from tests.backend.compiled.thread_counts import without_sanitizer

pytestmark = needs_library


def python(program: str, **environment: str) -> str:
    """What a program prints in a process of its own."""
    env = {**without_sanitizer(), **environment}
    done = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_arguments_are_checked() -> None:
    on = library(LEVELS[0])
    with pytest.raises(TypeError, match=r"Product_float32 takes 17 arguments, and 1 were given"):
        on.bind("Product", "float32", 1)
    arrays = [np.zeros(4, "float32")] * 4
    with pytest.raises(TypeError, match="argument 4 of Product_float32 has the letter 'i', and float"):
        on.bind("Product", "float32", *arrays, 1.5, *[1] * 12)
    with pytest.raises(TypeError, match=r"argument 0 .*'p', and ndarray"):
        on.bind("Product", "float32", np.zeros((4, 4), "float32").T, *arrays[1:], *[1] * 13)


def test_neighbours_are_one_call() -> None:
    on = device(LEVELS[0])
    a = placed(np.ones((3, 3), "float32"))
    outs = [placed(np.zeros((3, 3), "float32")) for _ in range(3)]
    kernel = on.compiled["MatMul"]

    def thunk(out: Any) -> Any:
        scratch = [placed(np.zeros(s.dims, s.dtype)) for s in kernel.scratch(MatMul(), *map(spec_of, (a, a)))]
        return kernel.prepare(MatMul(), out, a, a, scratch=tuple(scratch))

    seen: list[int] = []
    assert on.loaded is not None
    thunks = joined(on.loaded, [thunk(outs[0]), thunk(outs[1]), lambda: seen.append(1), thunk(outs[2])])
    assert len(thunks) == 3
    for each in thunks:
        each()
    assert seen == [1]
    for out in outs:
        np.testing.assert_array_equal(out, np.full((3, 3), 3.0))


def test_a_file_that_is_no_library_is_told(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(b"not a library")
    with pytest.raises(LibraryError, match="does not load on this machine"):
        Library(path)


def test_a_library_of_another_version_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "__version__", "9.9.9")
    with pytest.raises(LibraryError, match=r"was built for gputrain .*, and this is 9\.9\.9"):
        library("auto")


def test_a_library_of_other_sources_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "pool.cpp").write_text("// another one")
    monkeypatch.setattr(module, "kernels_dir", lambda: tmp_path)
    with pytest.raises(LibraryError, match=r"was built for gputrain \S+ \w{8}, and this is \S+ \w{8}$"):
        library("auto")
    (tmp_path / "cpu" / "pool.cpp").unlink()  # as where it was installed without its sources
    assert library("auto").level == LEVELS[0]
    monkeypatch.setattr(module, "__version__", module.__version__[:-1])  # no name begins another's
    with pytest.raises(LibraryError, match="was built for"):
        library("auto")


def test_an_instruction_set_that_is_not_there_is_told() -> None:
    with pytest.raises(LibraryError, match=r"kernels for neon9 were asked for, and this .*baseline"):
        library("neon9")


def test_a_missing_library_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    assert "no library of compiled kernels was built" in str(opened.__wrapped__("auto"))


def test_a_library_that_cannot_be_used_is_noted_once_and_numpy_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    notes.forget()
    (tmp_path / NAME).write_bytes(b"\x7fELF of another processor")
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    monkeypatch.setattr(module, "opened", opened.__wrapped__)
    with caplog.at_level("WARNING", logger="gputrain"):
        devices = [NumpyDevice(), NumpyDevice()]
    assert [on.compiled for on in devices] == [{}, {}]
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1
    assert told[0].startswith("The CPU runs on NumPy alone, which is slower: ")
    assert "does not load on this machine" in told[0]


def test_it_can_be_switched_off() -> None:
    gputrain.config.set_cpu_kernels(False)
    assert wanted() == "switched off (set)"
    assert "NumPy" in python(
        "import gputrain; print(gputrain.backend.current_device().description)",
        GPUTRAIN_CPU_KERNELS="0",
        GPUTRAIN_BACKEND="numpy",
    )


def test_the_instruction_set_can_be_forced() -> None:
    said = python(
        "import gputrain; print(gputrain.backend.current_device().description)",
        GPUTRAIN_CPU_INSTRUCTIONS="baseline",
        GPUTRAIN_BACKEND="numpy",
    )
    assert "compiled kernels (baseline)" in said


PRODUCT = """
import numpy as np, hashlib
from gputrain.backend import current_device
from gputrain.ops.base import spec_of
from gputrain.ops.products import MatMul
from gputrain.ops.convolution import ConvFilterGrad
from gputrain.runtime.eager import run_once
rng = np.random.default_rng(0)
on = current_device("numpy")
x, dy = rng.standard_normal((37, 9, 9, 5), "float32"), rng.standard_normal((37, 9, 9, 20), "float32")
a, b = rng.standard_normal((300, 1200), "float32"), rng.standard_normal((1200, 90), "float32")
sums = run_once(ConvFilterGrad((3, 3), (1, 1), "same"), [x, dy], on)[0]
print(hashlib.sha256(sums.tobytes() + run_once(MatMul(), [a, b], on)[0].tobytes()).hexdigest())
"""


def test_results_are_the_same_for_every_number_of_threads() -> None:
    found = {python(PRODUCT, GPUTRAIN_THREADS=str(n), GPUTRAIN_BACKEND="numpy") for n in (1, 2, 4, 7)}
    assert len(found) == 1


TRAINING = """
import hashlib
import numpy as np
import gputrain
from tests.workloads import WORKLOADS
gputrain.utils.set_random_seed(3)
found = hashlib.sha256()
for workload in WORKLOADS.values():
    model = workload.build(gputrain)
    x, y = workload.data(3)
    model.fit(x, y, batch_size=workload.batch, verbose=0)
    for weight in model.get_weights():
        found.update(np.ascontiguousarray(weight).tobytes())
print(found.hexdigest())
"""


@pytest.mark.slow
def test_trainings_are_the_same_for_every_number_of_threads() -> None:
    found = {
        python(TRAINING, GPUTRAIN_THREADS=ours, OPENBLAS_NUM_THREADS=of_blas, GPUTRAIN_BACKEND="numpy")
        for ours, of_blas in (("1", "1"), ("2", "2"), ("4", "1"))
    }
    assert len(found) == 1


FORK = """
import os
import numpy as np
from gputrain.backend import current_device
from gputrain.ops.products import MatMul
from gputrain.runtime.eager import run_once
a, b = np.random.default_rng(0).standard_normal((2, 400, 400))
on = current_device("numpy")
before = run_once(MatMul(), [a, b], on)[0].copy()
child = os.fork()
same = np.array_equal(run_once(MatMul(), [a, b], on)[0], before)
if child == 0:
    os._exit(not same)
print(same, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_process_has_threads_of_its_own() -> None:
    assert python(FORK, GPUTRAIN_THREADS="4", GPUTRAIN_BACKEND="numpy", PYTHONWARNINGS="ignore") == "True 0\n"


def test_several_threads_of_python_at_once() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((200, 300)), rng.standard_normal((300, 100))
    on, wrong = device(LEVELS[0]), []
    expected = run(on, MatMul(), [a, b])[0]

    def work() -> None:
        for _ in range(20):
            if not np.array_equal(run(on, MatMul(), [a, b])[0], expected):
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert not wrong
