"""Kernels for the tests of the emulator and the stand-in. They are CUDA: a real card runs them too."""

from __future__ import annotations

from typing import Any

import numpy as np

from gputrain.utils.resources import kernels_dir

COMMON = (kernels_dir() / "common.cuh").read_text(encoding="utf-8")

SCALE = """
template <typename T> __global__ void scale(T* y, const T* x, T a, long long n) {
    long long step = (long long)gridDim.x * blockDim.x;
    for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < n; i += step)
        y[i] = a * x[i];
}
"""
BLOCK_SUM = """
#ifndef GPUTRAIN_EMULATOR
#define GPUTRAIN_SHARED(T, name, count) __shared__ T name[count]
#endif
template <typename T> __global__ void block_sum(T* y, const T* x, long long n) {
    GPUTRAIN_SHARED(T, part, 256);
    T sum = 0;
    long long step = (long long)gridDim.x * blockDim.x;
    for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < n; i += step)
        sum += x[i];
    part[threadIdx.x] = sum;
    __syncthreads();
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
        __syncthreads();
    }
    if (threadIdx.x == 0) y[blockIdx.x] = part[0];
}
"""


def kernel(cp: Any, text: str, expression: str) -> Any:
    """One kernel of a text."""
    module = cp.RawModule(code=text, options=("-std=c++17",), name_expressions=(expression,))
    return module.get_function(expression)


def scale(cp: Any, y: Any, x: Any, factor: float) -> None:
    """y = factor * x in float32."""
    kernel(cp, SCALE, "scale<float>")((4,), (64,), (y, x, np.float32(factor), np.int64(x.size)))
