"""The tests of the compiled kernels under a sanitizer.

python -m tests.backend.compiled.sanitized KIND [PYTEST ARGUMENTS]

address   addresses beyond an array, and undefined behaviour
thread    two threads at one place, one of which writes

The library is built anew with the sanitizer in it, and Python starts with its runtime.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from gputrain.backend.numpy.compiled.binding import NAME, version_of
from gputrain.utils.resources import kernels_dir
from tests.backend.compiled.running import ELSEWHERE

FLAGS = {"address": "address,undefined", "thread": "thread"}
RUNTIMES = {"address": ("libasan.so", "libubsan.so"), "thread": ("libtsan.so",)}
REPORTS = ("runtime error:", "ERROR: AddressSanitizer", "WARNING: ThreadSanitizer")
COMPILER = os.environ.get("CXX", "g++")


def build(folder: Path, kind: str, changes: Sequence[tuple[str, str, str]] = ()) -> None:
    """Build the library with a sanitizer.

    Args:
        folder: where to.
        kind: "address" or "thread".
        changes: (file, text, other text) to be replaced in copies of the sources.
    """
    sources = folder / "cpu"
    sources.mkdir(parents=True)
    for path in (kernels_dir() / "cpu").iterdir():
        (sources / path.name).write_bytes(path.read_bytes())
    for name, text, other in changes:
        before = (sources / name).read_text(encoding="utf-8")
        assert before.count(text) == 1, f"{name} has {before.count(text)} times: {text}"
        (sources / name).write_text(before.replace(text, other), encoding="utf-8")
    flags = [
        "-O1", "-g", "-std=c++17", "-fPIC", "-fno-exceptions", "-fno-rtti", "-fno-math-errno", "-fwrapv",
        "-Wno-psabi", "-Wno-ignored-attributes",
        f"-fsanitize={FLAGS[kind]}", f'-DGPUTRAIN_VERSION="{version_of(kernels_dir() / "cpu")}"',
    ]  # fmt: skip
    objects = []
    running = []
    for path in sorted(sources.glob("*.cpp")):
        objects.append(path.with_suffix(".o"))
        running.append(subprocess.Popen([COMPILER, *flags, "-c", str(path), "-o", str(objects[-1])]))
    assert [process.wait() for process in running] == [0] * len(running)
    command = [COMPILER, "-shared", "-pthread", f"-fsanitize={FLAGS[kind]}", *map(str, objects)]
    subprocess.run([*command, "-o", str(folder / NAME)], check=True)


def _runtime(kind: str) -> str:
    """Files that Python must start with."""
    found = [
        subprocess.run(
            [COMPILER, f"-print-file-name={name}"], capture_output=True, text=True, check=True
        ).stdout.strip()
        for name in RUNTIMES[kind]
    ]
    return " ".join(found)


def run(folder: Path, kind: str, arguments: Sequence[str]) -> tuple[int, str]:
    """Run pytest with the library in a folder; (its exit code, all that was printed)."""
    environment = {
        **os.environ,
        ELSEWHERE: str(folder),
        "LD_PRELOAD": _runtime(kind),
        "ASAN_OPTIONS": "detect_leaks=0:halt_on_error=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "TSAN_OPTIONS": "halt_on_error=0:report_signal_unsafe=0",
        "GPUTRAIN_THREADS": "4",
        "OPENBLAS_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-n", "0", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def reports(text: str) -> list[str]:
    """Lines in which a sanitizer begins to tell of something."""
    return [line for line in text.splitlines() if any(words in line for words in REPORTS)]


def main() -> int:
    """Build, run, and print what was found."""
    kind, *arguments = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "library"
        build(folder, kind)
        code, text = run(folder, kind, arguments or ["tests/backend/compiled", "-m", "not slow"])
    print(text)
    print(f"reports of the {kind} sanitizer: {len(reports(text))}")
    return code or bool(reports(text))


if __name__ == "__main__":
    sys.exit(main())
