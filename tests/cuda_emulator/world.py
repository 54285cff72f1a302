"""An emulated device and everything through which a program sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.cuda_emulator.cublas import Cublas, as_on_a_card
from tests.cuda_emulator.orders import Orders
from tests.cuda_emulator.races import Races, checked
from tests.cuda_emulator.standin.assemble import assemble
from tests.cuda_emulator.standin.world import World
from tests.cuda_emulator.statistics import Statistics


@dataclass(frozen=True)
class Emulated:
    """One emulated device.

    Attributes:
        cupy: looks like the module `cupy`.
        blas: looks like libcublas, loaded by ctypes.
        statistics: what the device was asked to do.
        orders: in which orders launches run.
        races: finds missing waits between streams.
        world: the state behind them.
    """

    cupy: Any
    blas: Any
    statistics: Statistics
    orders: Orders
    races: Races
    world: World


def make(
    memory: int = 8 << 30, multiprocessors: int = 4, streams: str | None = None, sums: str | None = None
) -> Emulated:
    """A new emulated device that shares nothing with others.

    Args:
        memory: its bytes.
        multiprocessors: from which programs size their grids.
        streams: "checked" raises RaceError where a wait between streams is missing, "unchecked" does not;
            None leaves it to the environment.
        sums: "as on a card" lets the order in which a matrix product adds depend on sizes and alignment,
            "plain" does not; None leaves it to the environment.
    """
    world = World(memory, multiprocessors, checked(streams))
    module = assemble(world)
    blas = Cublas(world, as_on_a_card(sums))
    return Emulated(module, blas, world.statistics, world.orders, world.races, world)
