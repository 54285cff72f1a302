"""Files that are cut, changed at a place, or damaged by a plan: each is read or ends in a worded error."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import pytest

from tests.selection import quick
from tests.subprocesses import environment

pytest.importorskip("h5py")
pytest.importorskip("PIL")
pytest.importorskip("resource")
if not Path("/proc/self/clear_refs").exists():
    pytest.skip("memory is measured where Linux tells it", allow_module_level=True)

from tests.saving.fuzz_guard import undocumented
from tests.saving.fuzz_parsers import PARSERS, Parser

pytestmark = pytest.mark.cpu_only("nothing of it depends on the device")
ROOT = Path(__file__).resolve().parents[2]
SLOW_TO_READ = ("h5", "model", "image", "toml")
MOST_PLACES = {"h5": (4, 20), "model": (60, 400), "image": (60, 400), "toml": (60, 400)}  # in a file


def cut(content: bytes, place: int) -> bytes:
    return content[:place]


def largest(content: bytes, place: int) -> bytes:
    return content[:place] + b"\xff\xff\xff\xff" + content[place + 4 :]


def large(content: bytes, place: int) -> bytes:
    return content[:place] + b"\xff\xff\xff\x7f" + content[place + 4 :]


def nothing(content: bytes, place: int) -> bytes:
    return content[:place] + b"\0\0\0\0" + content[place + 4 :]


@lru_cache
def good_files(name: str) -> list[bytes]:
    """Of a parser; a model may be saved with a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return PARSERS[name].seeds()


def places(name: str, size: int, is_whole: bool) -> Iterator[int]:
    """Places in a file, another choice for each size; of small files `is_whole` means each."""
    most = MOST_PLACES.get(name, (60, 1000))[is_whole]
    step = max(1, -(-size // most))
    return iter(range(size % step, size, step))


def what_was_raised(parser: Parser, path: Path) -> str | None:
    """The traceback of an error that nobody worded, or None."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parser.read(path)
    except Exception as error:  # noqa: BLE001  (which may be raised is what is tested)
        return undocumented(error)
    return None


@pytest.mark.parametrize(
    "is_whole", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["some places", "more places"]
)
@pytest.mark.parametrize("damage", quick([cut, largest], [cut, largest, large, nothing]))
@pytest.mark.parametrize("name", PARSERS)
def test_files_that_are_damaged_at_a_place(
    name: str, damage: Callable[[bytes, int], bytes], is_whole: bool, tmp_path: Path
) -> None:
    parser = PARSERS[name]
    path = tmp_path / f"a{parser.suffix}"
    for content in good_files(name)[: 3 if name in SLOW_TO_READ else 9]:
        for place in places(name, len(content), is_whole):
            path.write_bytes(damage(content, place))
            told = what_was_raised(parser, path)
            assert told is None, f"{damage.__name__} at {place} of {len(content)}"


def run_fuzz(*options: str) -> None:
    command = [sys.executable, "-m", "tests.saving.fuzz", "--here", *options]
    done = subprocess.run(command, env=environment(), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]


def test_the_fuzzer_finds_nothing_in_a_few_cases() -> None:
    run_fuzz("--minutes", "5", "--cases", "6", "--seed", "1")


@pytest.mark.slow
@pytest.mark.parametrize("name", PARSERS)
def test_the_fuzzer_finds_nothing_in_many_cases(name: str) -> None:
    run_fuzz("--minutes", "0.1", "--parser", name, "--seed", "2")


GUARDED = """
import pathlib, pickle, socket, subprocess, sys, tempfile
import numpy as np
from tests.saving import fuzz_guard
from tests.saving.test_fuzz import DONE

folder = pathlib.Path(tempfile.mkdtemp())
path = folder / "a"
path.write_bytes(b"x")
guard = fuzz_guard.Guard(folder)

def hidden():
    try:
        open("/etc/hostname")
    except Exception:
        pass

def busy():
    start = fuzz_guard.processor_time()
    while fuzz_guard.processor_time() < start + 1:
        pass

for what, (program, told) in DONE.items():
    fuzz_guard.SECONDS = 0.5 if program == "busy()" else 30
    done = eval("lambda path: " + program)
    found = guard.check(done, path, 192 << 20) or "nothing"
    if told not in found:
        print(what, "is told as", found)
"""
DONE = {
    "opening another file": ("open('/etc/hostname')", "open of '/etc/hostname'"),
    "writing another file": ("open('/var/evil', 'w')", "open of '/var/evil'"),
    "removing another file": ("pathlib.Path('/var/evil').unlink()", "os.remove of '/var/evil'"),
    "hiding it": ("hidden()", "open of '/etc/hostname'"),
    "importing by name": ("__import__('turtle')", "import of 'turtle'"),
    "running code": ("eval('1 + 1')", "exec of"),
    "starting a program": ("subprocess.Popen(['true'])", "the program ['true']"),
    "connecting": ("socket.create_connection(('127.0.0.1', 9))", "socket."),
    "unpickling": ("pickle.loads(b'cos\\nsystem\\n.')", "pickle."),
    "an error that nobody worded": ("{}['a']", "KeyError"),
    "an error of NumPy's": ("np.zeros(3).reshape(2)", "ValueError"),
    "taking memory": ("np.ones(1 << 26).sum()", "it took 5"),
    "asking for memory": ("np.ones(1 << 40)", "MemoryError"),
    "taking long": ("busy()", "it took 1"),
    "reading its file": ("path.read_bytes()", "nothing"),
}


def test_the_guard_sees_all_of_it() -> None:
    command = [sys.executable, "-c", GUARDED]
    ran = subprocess.run(command, env=environment(), cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, ""), ran.stderr[-2000:]
