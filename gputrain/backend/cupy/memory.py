"""GPU memory that runs out: the error that says how much was asked for, and the largest batch that fits."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from gputrain.errors import DeviceError, DeviceMemoryError, explain

if TYPE_CHECKING:
    from gputrain.backend.cupy.device import CupyDevice

OUT_OF_MEMORY = ("cudaErrorMemoryAllocation", "CUDA_ERROR_OUT_OF_MEMORY")
REMEDY = (
    "Use a smaller batch_size, or end other programs that use this GPU (nvidia-smi lists them)"
    " or take another with GPUTRAIN_DEVICE=cuda:1."
)


def in_words(nbytes: int) -> str:
    """Bytes for people.

    >>> in_words(3 << 30), in_words(1000)
    ('3.00 GiB', '1000 bytes')
    """
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if nbytes >= unit:
            return f"{nbytes / unit:.2f} {name}"
    return f"{nbytes} bytes"


def ran_out(error: BaseException) -> bool:
    """Whether an error of CuPy means that the GPU's memory is full."""
    return isinstance(error, MemoryError) or str(error).startswith(OUT_OF_MEMORY)


def room(cupy: Any, gpu: Any) -> int:
    """Bytes that CuPy's pool can still take from the driver.

    Args:
        cupy: the module `cupy`, or what stands in for it.
        gpu: the `cupy.cuda.Device`.
    """
    with gpu:
        pool = cupy.get_default_memory_pool()
        free, limit = int(gpu.mem_info[0]), int(pool.get_limit())
        return min(free, limit - int(pool.total_bytes())) if limit else free


def released_room(cupy: Any, gpu: Any) -> int:
    """The same, after the pool has given back what it keeps.

    It cannot give back blocks of which a part is in use. Those are no room: what is free of them lies in
    pieces, and nobody tells how large they are.
    """
    with gpu:
        cupy.get_default_memory_pool().free_all_blocks()
    return room(cupy, gpu)


def memory_error(device: CupyDevice, what: str, nbytes: int) -> DeviceMemoryError:
    """The error for an allocation that failed.

    Args:
        device: where.
        what: what the memory was for.
        nbytes: how much.
    """
    with device.gpu:
        total = int(device.gpu.mem_info[1])
    room = f"{in_words(device.free_memory())} free of {in_words(total)}"
    return DeviceMemoryError(
        explain(
            f"GPU {int(device.gpu)} has no room for {what}.",
            expected=f"at most what is free, {room}",
            received=f"{nbytes} bytes ({in_words(nbytes)})",
            fix=REMEDY,
        )
    )


@contextmanager
def explain_memory(device: CupyDevice, shape: Sequence[int], dtype: str) -> Iterator[None]:
    """Within it, memory that runs out is a DeviceError with the figures.

    Args:
        device: where an array is made.
        shape, dtype: of the array.

    Example:
        >>> with explain_memory(device, shape, dtype):  # doctest: +SKIP
        ...     array = device.cupy.empty(shape, dtype)
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, DeviceError) or not ran_out(error):
            raise
        dims = ", ".join(map(str, shape))
        nbytes = math.prod(shape) * np.dtype(dtype).itemsize
        raise memory_error(device, f"an array {dtype}[{dims}]", nbytes) from error


def largest_batch(plan_of: Callable[[int], int], free: int, batch: int) -> int:
    """The largest batch size up to `batch` whose plan fits; 0 where not even one sample does.

    Args:
        plan_of: bytes of the plan for a batch size; more samples never take less.
        free: bytes that may be taken.
        batch: the batch size that was asked for.

    Example:
        >>> largest_batch(lambda n: 100 + 10 * n, free=500, batch=128)
        40
    """
    fits, fails = 0, batch + 1
    while fails - fits > 1:
        middle = batch if fails > batch else (fits + fails) // 2
        if plan_of(middle) <= free:
            fits = middle
        else:
            fails = middle
    return fits


def batch_error(batch: int, needed: int, free: int, best: int) -> DeviceMemoryError:
    """The error for a batch that does not fit.

    Args:
        batch: the batch size that was asked for.
        needed: bytes of its plan.
        free: bytes that may be taken.
        best: the largest batch that fits, see `largest_batch`.
    """
    smaller = f"Use batch_size={best}, the largest that fits, or less"
    fix = smaller if best else "Not even one sample fits: make the model smaller"
    return DeviceMemoryError(
        explain(
            f"Steps on batches of {batch} do not fit the GPU's memory.",
            expected=f"at most {in_words(free)}, which is free",
            received=in_words(needed),
            fix=f"{fix}; or end other programs that use this GPU (nvidia-smi lists them).",
        )
    )
