"""Array devices. `current_device()` is the one the configuration names."""

from __future__ import annotations

from collections.abc import Callable

from gputrain import config
from gputrain.backend.base import (
    Device,
    Feeder,
    InOrder,
    Kernel,
    Loop,
    Named,
    OnHost,
    Thunk,
    leaves,
)
from gputrain.errors import DeviceError, explain

__all__ = [
    "Device",
    "Feeder",
    "InOrder",
    "Kernel",
    "Loop",
    "Named",
    "OnHost",
    "Thunk",
    "current_device",
    "leaves",
    "register_device",
]

_devices: dict[tuple[str, int], Device] = {}


def _numpy(number: int) -> Device:
    from gputrain.backend.numpy import NumpyDevice

    return NumpyDevice()


def _cupy(number: int) -> Device:
    from gputrain.backend.cupy.opening import open_device

    return open_device(number)


def _automatic(number: int) -> Device:
    from gputrain.backend.cupy.opening import usable

    return current_device("cupy" if usable(number) else "numpy")


def _emulated(number: int) -> Device:
    raise DeviceError(
        explain(
            'backend="emulated" runs the GPU device on the host, for tests of gputrain itself.',
            expected='"numpy", "cupy" or "auto"',
            fix="It is there in the test suite: python -m pytest --backend emulated.",
        )
    )


_openers: dict[str, Callable[[int], Device]] = {
    "numpy": _numpy,
    "cupy": _cupy,
    "auto": _automatic,
    "emulated": _emulated,
}


def current_device(name: str | None = None) -> Device:
    """The device that new variables and executables use, opened on first call.

    Args:
        name: the backend; None means the configured one.

    Raises:
        DeviceError: the backend cannot be used here.
    """
    chosen = name or config.backend()
    key = (chosen, 0 if chosen == "numpy" else config.device_number())
    if key not in _devices:
        _devices[key] = _openers[key[0]](key[1])
    return _devices[key]


def register_device(name: str, opener: Callable[[int], Device]) -> None:
    """Let `config.set_backend(name)` mean another device.

    Args:
        name: one of the backends that the configuration knows.
        opener: makes the device, given the number of the GPU; called when the device is first asked for.
    """
    _openers[name] = opener
    for key in [key for key in _devices if key[0] in (name, "auto")]:
        del _devices[key]
