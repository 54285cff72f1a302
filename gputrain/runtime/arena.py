"""Arena: the memory that the executables of one model share."""

from __future__ import annotations

import weakref
from typing import Any, Protocol

from gputrain.backend import Device


class User(Protocol):
    """What has arrays in an arena."""

    def unbind(self) -> None:
        """Let go of them, as the memory is about to move."""


class Arena:
    """The memory that all executables of one model share; only one of them runs at a time.

    Args:
        device: where it lies.
        memory: bytes to begin with; None means none yet.
    """

    def __init__(self, device: Device, memory: Any = None) -> None:
        self.device = device
        self.users: weakref.WeakSet[User] = weakref.WeakSet()
        self.generation = 0
        self.memory = memory if memory is not None else device.empty((0,), "uint8")

    def reserve(self, nbytes: int) -> None:
        """Make room for a plan. Growing moves the memory, so executables bind anew before they run again."""
        if nbytes <= self.memory.size:
            return
        self.device.require_room(nbytes - self.memory.size, "the memory plan of a step")
        for user in list(self.users):
            user.unbind()
        self.memory = None  # so that the old memory is gone before the new one is asked for
        self.memory = self.device.empty((nbytes,), "uint8")
        self.generation += 1
