"""The GPU device and its kernels. CuPy itself is imported only when the device is opened."""

from .device import CupyDevice

__all__ = ["CupyDevice"]
