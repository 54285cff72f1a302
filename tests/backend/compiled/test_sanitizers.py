"""Compiled kernels under sanitizers: nothing is found in them, and what is planted is found."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.backend.compiled import sanitized
from tests.backend.compiled.running import LEVELS, needs_library


def _has(kind: str) -> bool:
    """Whether the compiler comes with the sanitizer's runtime."""
    try:
        command = [sanitized.COMPILER, f"-print-file-name={sanitized.RUNTIMES[kind][0]}"]
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return False
    return os.path.isabs(found)


def of_kind(kind: str, *values: Any) -> Any:
    marks = pytest.mark.skipif(not _has(kind), reason=f"the compiler has no {kind} sanitizer")
    return pytest.param(kind, *values, marks=marks, id=kind)


pytestmark = [*needs_library, pytest.mark.slow]
HERE = "tests/backend/compiled"
CHOSEN = f"(float32 and {LEVELS[0]}) or threads"
PLANTED = {
    # The last columns of a tile are stored as a whole vector.
    "address": (
        "tiles.inc",
        "else if (left_over > 0)",
        "else if (left_over > 0) store(to, sums[r][v]); else if (0)",
    ),
    # Blocks of images add to the same sums.
    "thread": ("convolution.inc", "of_panel(a, dy, partial + block * size,", "of_panel(a, dy, partial,"),
}


@pytest.mark.parametrize("kind", [of_kind("address"), of_kind("thread")])
def test_nothing_is_found(kind: str, tmp_path: Path) -> None:
    sanitized.build(tmp_path, kind)
    code, text = sanitized.run(tmp_path, kind, [HERE, "-m", "not slow", "-k", CHOSEN])
    assert sanitized.reports(text) == [], text[-4000:]
    assert code == 0, text[-4000:]


@pytest.mark.parametrize(("kind", "change"), [of_kind(kind, change) for kind, change in PLANTED.items()])
def test_what_is_planted_is_found(kind: str, change: tuple[str, str, str], tmp_path: Path) -> None:
    sanitized.build(tmp_path, kind, [change])
    chosen = "test_images and float32 and channels2"
    _, text = sanitized.run(tmp_path, kind, [f"{HERE}/test_convolution.py", "-m", "", "-k", chosen])
    assert sanitized.reports(text), text[-4000:]
