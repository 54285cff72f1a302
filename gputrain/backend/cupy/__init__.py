"""The GPU device and its kernels. CuPy itself is imported only when the device is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gputrain.backend.cupy.device import CupyDevice

__all__ = ["CupyDevice"]


def __getattr__(name: str) -> Any:
    """The device, imported when it is asked for: whether a GPU is there is found out without it."""
    if name != "CupyDevice":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from gputrain.backend.cupy.device import CupyDevice

    return CupyDevice
