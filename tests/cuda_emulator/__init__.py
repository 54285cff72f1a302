"""CUDA without a GPU: kernels on the host, a stand-in for CuPy on them, a stand-in for cuBLAS, and NVRTC.

emulated = make()
cp = emulated.cupy                     # looks like the module cupy
device = CupyDevice(cupy=cp, blas=emulated.blas)
with emulated.orders.check_all():      # every launch in four orders of threads and blocks
    ...
with emulated.statistics.record() as log:
    ...
"""

from __future__ import annotations

from functools import cache

from tests.cuda_emulator.errors import EmulatorError, OrderError, RaceError
from tests.cuda_emulator.orders import ALL, ASCENDING, DESCENDING, Order, in_all_orders
from tests.cuda_emulator.statistics import Event, Statistics
from tests.cuda_emulator.world import Emulated, make

__all__ = [
    "ALL",
    "ASCENDING",
    "DESCENDING",
    "Emulated",
    "EmulatorError",
    "Event",
    "Order",
    "OrderError",
    "RaceError",
    "Statistics",
    "default",
    "in_all_orders",
    "make",
]


@cache
def default() -> Emulated:
    """The stand-in of this process, for those that need no fresh one."""
    return make()
