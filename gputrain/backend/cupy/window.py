"""Windows as the kernels take them: numbers for three axes, the first left alone by sequences and images.

And how many neighbouring channels a thread of such a kernel moves at a time.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gputrain.ops.window import Ints, Window

AXES = 3
WINDOW = " i" * (2 + 8 * AXES)  # the scalars of WINDOW_PARAMS in kernels/window.cuh
VECTOR_BYTES = 16  # of one load or store


def axes(window: Window) -> str:
    """R of kernels/window.cuh, as it stands in a kernel's name."""
    return str(max(2, window.rank))


def scalars(window: Window, images: int, channels: int) -> Ints:
    """WINDOW_PARAMS of kernels/window.cuh for so many images."""
    steps = list(zip(window.strides, window.dilation, strict=True))
    every = tuple(stride // math.gcd(stride, dilation) for stride, dilation in steps)
    back = tuple(dilation // math.gcd(stride, dilation) for stride, dilation in steps)
    before = tuple(pair[0] for pair in window.pads)
    sizes = (window.size, window.out, window.kernel, window.strides, window.dilation, every, back)
    return images, channels, *(n for size in sizes for n in _three(size, 1)), *_three(before, 0)


def _three(numbers: Ints, leading: int) -> Ints:
    return (leading,) * (AXES - len(numbers)) + numbers


def vector_elements(dtype: str, run: int, *arrays: Any) -> int:
    """Elements that move in one load: VECTOR_BYTES of them where runs and addresses allow it, else 1."""
    elements = VECTOR_BYTES // np.dtype(dtype).itemsize
    aligned = all(array.data.ptr % VECTOR_BYTES == 0 for array in arrays)
    return elements if aligned and run % elements == 0 else 1
