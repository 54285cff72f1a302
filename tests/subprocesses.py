"""Starting `gputrain` as a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import gputrain
from tests.on_device import child_environment

COMMAND = [sys.executable, "-m", "gputrain"]


def environment() -> dict[str, str]:
    """An environment in which a new Python finds the gputrain that is under test."""
    return {**child_environment(), "PYTHONPATH": str(Path(gputrain.__file__).parents[1])}
