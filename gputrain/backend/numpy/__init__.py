"""The CPU device and its kernels."""

from .device import NumpyDevice

__all__ = ["NumpyDevice"]
