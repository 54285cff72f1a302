"""A GPU that is too small: refused before the first step, with figures and what would fit."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain.ops.base import Operation, apply
from tests.backend.cupy.world import emulated

MIB = 1 << 20


def mlp() -> Any:
    model = keras.Sequential([keras.layers.Input((64,)), keras.layers.Dense(256), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def batch(size: int) -> tuple[np.ndarray, np.ndarray]:
    return np.full((size, 64), 0.01, "float32"), np.ones((size, 1), "float32")


def test_a_batch_that_does_not_fit_names_the_largest_that_does() -> None:
    with emulated(memory=48 * MIB) as world:
        model = mlp()
        with pytest.raises(keras.DeviceError, match=r"train: Steps on batches of 60000 do not fit") as caught:
            model.fit(*batch(60000), batch_size=60000, verbose=0)
        found = re.search(r"batch_size=(\d+), the largest that fits", str(caught.value))
        assert found is not None
        best = int(found[1])
        assert 1000 < best < 60000
        assert world.standin.statistics.graph_launches == 0
        model.fit(*batch(best // 4), batch_size=best // 4, verbose=0)  # the data takes room, too


class Hungry(Operation):
    """A user's operation that allocates more than there is."""

    def infer(self, x: Any) -> Any:
        return x

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        xp.empty((200 * MIB,), "uint8")
        out[...] = x


class Fills(keras.layers.Layer):
    def call(self, inputs: Any) -> Any:
        return apply(Hungry(), inputs)


def test_memory_that_runs_out_in_a_step_names_operation_layer_and_bytes() -> None:
    with emulated(memory=64 * MIB):
        model = keras.Sequential([keras.layers.Input((64,)), Fills(name="fills"), keras.layers.Dense(1)])
        said = r"no room for Hungry of .*fills.*Received: 209715200 bytes"
        with pytest.raises(keras.DeviceError, match=said):
            model.predict(np.ones((4, 64), "float32"), verbose=0)


def test_another_process_that_fills_the_gpu_sends_data_through_the_host() -> None:
    """Data that does not fit beside the plan is streamed; the model trains all the same."""
    with emulated(memory=64 * MIB) as world:
        model = mlp()
        with world.standin.statistics.record() as log:
            model.fit(*batch(100000), batch_size=2000, epochs=1, verbose=0)
        assert not [event for event in log if event.name.startswith("gather_rows")]


def test_free_memory_in_pieces_is_no_room() -> None:
    """The pool's free blocks between used ones serve small arrays, and cannot go back to the driver."""
    with emulated(memory=64 * MIB) as world:
        device = world.device
        device.empty((48 * MIB,), "uint8")  # comes back to the pool, which then cuts it into pieces
        pieces = [device.empty((8 * MIB,), "uint8") for _ in range(6)]
        del pieces[::2]
        pool = device.cupy.get_default_memory_pool()
        assert pool.free_bytes() == 24 * MIB
        device.require_room(16 * MIB, "what is left")
        with pytest.raises(keras.DeviceError, match=r"no room for too much.*16\.00 MiB free of 64\.00 MiB"):
            device.require_room(17 * MIB, "too much")
        with pytest.raises(keras.DeviceError):  # as it is
            device.empty((17 * MIB,), "uint8")


def test_whole_blocks_that_the_pool_keeps_are_room() -> None:
    with emulated(memory=64 * MIB) as world:
        device = world.device
        device.empty((40 * MIB,), "uint8")
        assert device.gpu.mem_info[0] == 24 * MIB
        device.require_room(60 * MIB, "all of it")
        device.empty((60 * MIB,), "uint8")


def test_the_limit_of_the_pool_counts_what_it_keeps_in_pieces() -> None:
    with emulated(memory=64 * MIB) as world:
        device = world.device
        pool = device.cupy.get_default_memory_pool()
        pool.set_limit(size=32 * MIB)
        device.empty((24 * MIB,), "uint8")
        kept = [device.empty((8 * MIB,), "uint8") for _ in range(3)]
        del kept[1]
        device.require_room(8 * MIB, "the rest")
        with pytest.raises(keras.DeviceError, match=r"8\.00 MiB free"):
            device.require_room(9 * MIB, "more")
