"""Array devices, and what is left of `keras.backend` in Keras 3.

`current_device()` is the device that the configuration names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

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
from gputrain.config import (
    backend,
    epsilon,
    floatx,
    image_data_format,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)
from gputrain.errors import DeviceError, explain
from gputrain.names import clear_session, public, stands_above

if TYPE_CHECKING:
    from gputrain.backend.symbols import (
        is_float_dtype,
        is_int_dtype,
        is_keras_tensor,
        standardize_dtype,
    )


__all__ = [
    "Device",
    "Feeder",
    "InOrder",
    "Kernel",
    "Loop",
    "Named",
    "OnHost",
    "Thunk",
    "backend",
    "clear_session",
    "current_device",
    "device",
    "epsilon",
    "floatx",
    "image_data_format",
    "is_float_dtype",
    "is_int_dtype",
    "is_keras_tensor",
    "leaves",
    "register_device",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "standardize_dtype",
]

_SYMBOLS = ("is_float_dtype", "is_int_dtype", "is_keras_tensor", "standardize_dtype")
stands_above(__name__, _SYMBOLS, "gputrain.backend.symbols")

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


@contextmanager
def device(device_name: str) -> Iterator[None]:
    """Within a `with` block, compute on a device, which must be the one that computes already.

    Args:
        device_name: as "cpu:0", "gpu:0", "cuda:1".

    Raises:
        DeviceError: another device computes, or there is none of the name.

    Example:
        >>> with device("cpu:0"):
        ...     model = Sequential([Input((3,)), layers.Dense(2)])
    """
    running = current_device()
    if _asked(device_name) != _place(running):
        kind, _, number = _asked(device_name).partition(":")
        gpu = f'set_backend("cupy") and set_device("cuda:{number}")'
        chosen = 'set_backend("numpy")' if kind == "cpu" else gpu
        raise DeviceError(
            explain(
                "device: one device computes all of a process.",
                expected=repr(_place(running)),
                received=repr(device_name),
                fix=f"Choose it before the first model is made: keras.config.{chosen}.",
            )
        )
    yield


def _place(running: Device) -> str:
    """Where a device computes, in the words of Keras."""
    return "cpu:0" if running.name == "numpy" else f"gpu:{config.device_number()}"


def _asked(name: Any) -> str:
    """A device in the words of Keras: "gpu:0" for "GPU", "cuda:0" and "/device:GPU:0"."""
    plain = str(name).lower().removeprefix("/").removeprefix("device:")
    kind, _, number = plain.partition(":")
    kind = {"cuda": "gpu"}.get(kind, kind)
    if not isinstance(name, str) or kind not in ("cpu", "gpu") or not (number or "0").isdecimal():
        raise DeviceError(
            explain("device takes the name of a device.", expected='"cpu:0" or "gpu:0"', received=repr(name))
        )
    return f"{kind}:{int(number or 0)}"


if not TYPE_CHECKING:  # for a type checker a name that is not there is an error
    __getattr__, __dir__ = public("", __name__, __all__)
