"""What the emulator raises where a real device would misbehave in silence, hang or crash."""

from __future__ import annotations


class EmulatorError(RuntimeError):
    """A launch broke a rule of CUDA, or a kernel cannot be emulated."""


class OrderError(EmulatorError):
    """The result of a launch depends on the order in which its threads and blocks ran."""


class RaceError(EmulatorError):
    """Two streams, or a stream and the host, use the same memory and nobody waits for the other."""
