"""Starting `gputrain` as a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import gputrain
from tests.on_device import child_environment

COMMAND = [sys.executable, "-m", "gputrain"]


def environment() -> dict[str, str]:
    """An environment in which a new Python finds the gputrain that is under test."""
    return {**child_environment(), "PYTHONPATH": str(Path(gputrain.__file__).parents[1])}


def started(*arguments: str) -> subprocess.Popen[str]:
    """A running `gputrain` whose output is kept, and which Ctrl-C reaches.

    A shell starts what runs in the background with SIGINT ignored, and that is passed on to its children.
    """
    return subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
