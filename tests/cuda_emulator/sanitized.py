"""Runs pytest once more with kernels that the address and undefined-behaviour sanitizers watch.

    python -m tests.cuda_emulator.sanitized tests/backend

An access outside a buffer, to freed memory or outside shared memory ends the run with the sanitizer's report.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from tests.cuda_emulator.build import SANITIZE

# Python itself leaks at its end; the limit makes an absurd allocation fail as it does without the sanitizer.
ASAN = (
    "detect_leaks=0:allocator_may_return_null=1:detect_stack_use_after_return=0:abort_on_error=0:exitcode=99"
)
UBSAN = "print_stacktrace=1:halt_on_error=1"


@cache
def runtime() -> str | None:
    """The sanitizer's library, which must be loaded first of all; None where the compiler has none."""
    command = [os.environ.get("CXX", "g++"), "-print-file-name=libasan.so"]
    try:
        path = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
    return os.path.realpath(path) if os.path.isabs(path) else None


def environment() -> dict[str, str]:
    """The environment of a sanitized process."""
    found = runtime()
    if found is None:
        raise RuntimeError("the compiler has no address sanitizer (libasan)")
    return {
        **os.environ,
        "LD_PRELOAD": found,
        "ASAN_OPTIONS": ASAN,
        "UBSAN_OPTIONS": UBSAN,
        SANITIZE: "1",
        "PYTHONMALLOC": "malloc",  # Python's own arenas would hide overruns of small host buffers
        "OPENBLAS_NUM_THREADS": os.environ.get("OPENBLAS_NUM_THREADS", "1"),
    }


def run(
    arguments: Sequence[str], *, capture: bool = False, reports: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments in a sanitized process.

    Args:
        reports: a folder for the sanitizers' reports, instead of stderr.
    """
    command, variables = [sys.executable, *arguments], environment()
    if reports is not None:
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            variables[name] += f":log_path={reports / name}"
    return subprocess.run(command, env=variables, text=True, capture_output=capture, check=False)


def main() -> int:
    """Run pytest with the arguments of the command line; what pytest would keep for itself is shown."""
    with tempfile.TemporaryDirectory() as folder:
        done = run(["-m", "pytest", "-p", "no:cacheprovider", *sys.argv[1:]], reports=Path(folder))
        found = [path.read_text(errors="replace") for path in sorted(Path(folder).iterdir())]
    print(f"\nreports of the sanitizers: {len(found)}", *found, sep="\n")
    return done.returncode or (99 if found else 0)


if __name__ == "__main__":
    sys.exit(main())
