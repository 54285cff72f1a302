"""Array devices. `current_device()` is the one the configuration names."""

from __future__ import annotations

from .. import config
from ..errors import DeviceError, explain
from .base import ALIGNMENT, Device, InOrder, Kernel, OnHost, Thunk, leaves

__all__ = ["ALIGNMENT", "Device", "InOrder", "Kernel", "OnHost", "Thunk", "current_device", "leaves"]

_devices: dict[str, Device] = {}


def current_device() -> Device:
    """The device that new variables and executables use, made on first call.

    Raises:
        DeviceError: the configured backend cannot be used here.
    """
    name = config.backend()
    if name == "auto":
        name = "numpy"
    if name not in _devices:
        _devices[name] = _open(name)
    return _devices[name]


def _open(name: str) -> Device:
    if name == "numpy":
        from .numpy import NumpyDevice

        return NumpyDevice()
    raise DeviceError(
        explain(
            f'backend="{name}" is not available in this version.',
            expected='"numpy" or "auto"',
            fix='Set GPUTRAIN_BACKEND=numpy or call gputrain.config.set_backend("numpy").',
        )
    )
