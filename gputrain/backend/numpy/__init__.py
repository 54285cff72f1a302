"""The CPU device and its kernels."""

from gputrain.backend.numpy.device import NumpyDevice

__all__ = ["NumpyDevice"]
