"""What the stand-in adds to CuPy: counters, poison, limits, several devices."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

from tests.backend.emulator.kernels import SCALE, kernel
from tests.cuda_emulator import build, make
from tests.cuda_emulator.heap import FREED


def captured(emulated, work):
    """A graph of what `work()` does."""
    cp = emulated.cupy
    with cp.cuda.Stream(non_blocking=True) as stream:
        stream.begin_capture(mode=cp.cuda.runtime.streamCaptureModeThreadLocal)
        work()
        return stream.end_capture()


def test_a_replay_does_nothing_but_its_nodes(emulated):
    cp, statistics = emulated.cupy, emulated.statistics
    x, y = cp.ones(4, np.float32), cp.zeros(4, np.float32)
    f = kernel(cp, SCALE, "scale<float>")

    def work():
        f((1,), (4,), (y, x, np.float32(2), np.int64(4)))
        cp.add(y, 1, out=y)

    graph = captured(emulated, work)
    statistics.reset()
    with statistics.record() as log:
        graph.launch()
    counts = {name: n for name, n in statistics.counts().items() if n}
    assert counts == {"graph_launches": 1, "replayed": 2}
    assert [(e.kind, e.name, e.how) for e in log] == [
        ("graph_launch", "graph of 2 nodes", "run"),
        ("launch", "scale<float>", "replay"),
        ("function", "add", "replay"),
    ]


def test_copies_allocations_scalars_and_waits_are_counted(emulated):
    cp, statistics = emulated.cupy, emulated.statistics
    x = cp.asarray(np.ones(4, np.float32))
    y = cp.empty(4, np.float32)
    assert (statistics.allocations, statistics.bytes_allocated, statistics.host_to_device) == (2, 32, 1)
    statistics.reset()
    kernel(cp, SCALE, "scale<float>")((1,), (4,), (y, x, np.float32(2), np.int64(4)))
    y.data.copy_from_device(x.data, 16)
    y.data.memset(0, 16)
    y.get()
    expected = {
        "launches": 1,
        "scalars": 2,
        "device_to_device": 1,
        "memsets": 1,
        "device_to_host": 1,
        "syncs": 1,
    }
    assert {name: n for name, n in statistics.counts().items() if n} == expected


def test_new_memory_is_nan(emulated):
    assert np.isnan(emulated.cupy.empty((3, 3), np.float16).get()).all()


@pytest.mark.skipif(build.sanitized(), reason="the sanitizer writes into freed memory itself")
def test_a_replay_that_uses_a_freed_temporary_meets_poison(emulated):
    cp = emulated.cupy
    x, y = cp.ones(4, np.float32), cp.empty(4, np.float32)
    temporaries = [cp.ones(4, np.float32)]
    graph = captured(emulated, lambda: cp.add(x, temporaries[0], out=y))
    graph.launch()
    assert y.tolist() == [2, 2, 2, 2]
    temporaries.clear()  # a graph keeps no array alive
    graph.launch()
    poison = np.frombuffer(bytes([FREED] * 4), np.float32)[0]
    assert y.tolist() == [poison] * 4


def test_a_pool_that_holds_enough_allocates_within_a_capture(emulated):
    cp = emulated.cupy
    x = cp.ones(4, np.float32)
    pool = cp.cuda.MemoryPool()
    cp.cuda.Device().synchronize()
    with cp.cuda.using_allocator(pool.malloc), cp.cuda.Stream(non_blocking=True) as stream:
        stream.begin_capture(mode=cp.cuda.runtime.streamCaptureModeThreadLocal)
        with pytest.raises(cp.cuda.runtime.CUDARuntimeError, match="cudaErrorStreamCaptureUnsupported"):
            cp.add(x, 1)
        with pytest.raises(cp.cuda.runtime.CUDARuntimeError, match="cudaErrorStreamCaptureInvalidated"):
            stream.end_capture()
        pool.malloc(16)  # and gives it back
        stream.begin_capture(mode=cp.cuda.runtime.streamCaptureModeThreadLocal)
        result = cp.add(x, 1)
        stream.end_capture().launch()
        stream.synchronize()
    assert result.tolist() == [2, 2, 2, 2]


def test_memory_runs_out(emulated):
    small = make(memory=1 << 20)
    cp = small.cupy
    kept = cp.empty(1 << 17, np.float32)
    error = cp.cuda.memory.OutOfMemoryError
    with pytest.raises(
        error, match=r"Out of memory allocating 1,048,576 bytes \(allocated so far: 524,288 bytes\)"
    ):
        cp.empty(1 << 18, np.float32)
    assert cp.cuda.Device().mem_info == ((1 << 20) - kept.nbytes, 1 << 20)
    del kept
    assert cp.empty(1 << 18, np.float32).nbytes == 1 << 20  # free blocks are given back before it gives up


def test_an_allocator_of_ones_own_is_asked(emulated):
    cp = emulated.cupy

    def refuse(size):
        raise RuntimeError(f"{size} bytes during a capture")

    cp.cuda.set_allocator(refuse)
    with pytest.raises(RuntimeError, match="16 bytes during a capture"):
        cp.empty(4, np.float32)
    cp.cuda.set_allocator(cp.get_default_memory_pool().malloc)
    assert cp.empty(4, np.float32).shape == (4,)


def test_devices_are_independent():
    a, b = make(), make(multiprocessors=2)
    a.cupy.ones(3)
    assert b.statistics.allocations == 0
    assert b.cupy.cuda.Device().attributes["MultiProcessorCount"] == 2
    assert a.cupy.ndarray is not b.cupy.ndarray


def test_a_device_that_nobody_uses_is_gone():
    device = make()
    x = device.cupy.ones(1000)
    with device.cupy.cuda.Stream() as stream:
        stream.begin_capture()
        device.cupy.add(x, 1, out=x)
        graph = stream.end_capture()
    world = weakref.ref(device.world)
    del device, x, stream, graph
    gc.collect()
    assert world() is None


def test_an_array_of_another_library_is_taken_in_place(emulated):
    other = make().cupy.arange(4, dtype=np.float32)
    mine = emulated.cupy.asarray(
        type("Foreign", (), {"__cuda_array_interface__": other.__cuda_array_interface__})()
    )
    mine[0] = 7
    assert other.tolist() == [7, 1, 2, 3]


def test_a_copy_past_the_end_of_a_block_is_refused(emulated):
    cp = emulated.cupy
    x, y = cp.zeros(4, np.float32), cp.zeros(400, np.float32)
    with pytest.raises(cp.cuda.runtime.CUDARuntimeError, match="cudaErrorInvalidValue"):
        x.data.copy_from_device(y.data, 17)
