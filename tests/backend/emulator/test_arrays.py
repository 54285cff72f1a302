"""Arrays, functions and memory as CuPy has them. A real card runs the same file."""

from __future__ import annotations

import numpy as np
import pytest


def test_an_array_is_no_numpy_array_and_does_not_become_one_by_accident(cp):
    x = cp.zeros((2, 3), np.float32)
    assert not isinstance(x, np.ndarray)
    assert isinstance(x, cp.ndarray)
    with pytest.raises(TypeError, match="Implicit conversion to a NumPy array is not allowed"):
        np.asarray(x)
    assert type(x.get()) is np.ndarray
    assert type(cp.asnumpy(x)) is np.ndarray


def test_properties(cp):
    x = cp.empty((4, 3, 2), np.float32)
    assert (x.shape, x.dtype, x.ndim, x.size, x.nbytes, x.itemsize) == ((4, 3, 2), np.float32, 3, 24, 96, 4)
    assert x.strides == (24, 8, 4)
    assert x.flags.c_contiguous
    assert not x.flags.f_contiguous
    assert x.base is None
    assert x.T.shape == (2, 3, 4)
    assert not x.T.flags.c_contiguous
    assert x.data.ptr % 256 == 0
    assert x[1].data.ptr == x.data.ptr + 24
    assert len(x) == 4
    interface = x.__cuda_array_interface__
    assert interface["shape"] == (4, 3, 2)
    assert interface["data"][0] == x.data.ptr
    assert x.__dlpack_device__()[0] == 2


def test_views_share_memory(cp):
    x = cp.arange(12, dtype=np.float32)
    for view in (x.reshape(3, 4), x[2:5], x.reshape(3, 4).T, x.ravel(), x.view(np.int32), x[::-1], x[3]):
        assert cp.may_share_memory(x, view)
    x.reshape(3, 4)[1] = 0
    assert x.get().tolist() == [0, 1, 2, 3, 0, 0, 0, 0, 8, 9, 10, 11]
    assert not cp.may_share_memory(x, x.copy())
    assert x[2:].base is x
    assert x[5].shape == ()


def test_memory_pointers_make_arrays(cp):
    memory = cp.cuda.alloc(1024)
    x = cp.ndarray((4, 2), np.float32, memory + 256)
    y = cp.ndarray((8,), np.float32, memory + 256)
    x[...] = 3
    assert y.get().tolist() == [3] * 8
    x.data.memset(0, 8)
    assert y.get().tolist() == [0, 0] + [3] * 6
    assert cp.ndarray((2, 4), np.float32, memory, strides=(4, 8)).strides == (4, 8)


def test_numpy_arrays_and_device_arrays_do_not_mix(cp):
    x, host = cp.ones(3, np.float32), np.ones(3, np.float32)
    for mixed in (lambda: x + host, lambda: cp.add(x, host), lambda: cp.maximum(host, x)):
        with pytest.raises(TypeError, match=r"Unsupported type <class 'numpy.ndarray'>"):
            mixed()
    with pytest.raises(TypeError, match="Unsupported type <class 'list'>"):
        cp.add(x, [1, 2, 3])


def test_reductions_stay_on_the_device(cp):
    x = cp.arange(6, dtype=np.float32).reshape(2, 3)
    total = cp.sum(x)
    assert isinstance(total, cp.ndarray)
    assert total.shape == ()
    assert (float(total), int(total), total.item(), bool(total)) == (15.0, 15, 15.0, True)
    assert x.sum(axis=0).tolist() == [3, 5, 7]
    assert x.max(axis=1).get().tolist() == [2, 5]
    assert x.mean().item() == 2.5
    assert int(x.argmax()) == 5
    assert isinstance((x > 2).all(), cp.ndarray)


def test_results_go_where_they_are_asked_to(cp):
    x, out = cp.arange(4, dtype=np.float32), cp.empty(4, np.float32)
    assert cp.multiply(x, 2, out=out) is out
    assert out.tolist() == [0, 2, 4, 6]
    cp.add(x, x, out)
    assert out.tolist() == [0, 2, 4, 6]
    total = cp.empty((), np.float32)
    cp.sum(x, out=total)
    assert float(total) == 6
    cp.copyto(out, 7)
    cp.copyto(out, x, where=x > 1)
    assert out.tolist() == [7, 7, 2, 3]
    with pytest.raises(TypeError):
        cp.add(x, x, out=np.empty(4, np.float32))


def test_operators(cp):
    host = np.arange(1, 5, dtype=np.float32)
    x = cp.asarray(host)
    pairs = [
        (x + 1, host + 1), (2 - x, 2 - host), (x * x, host * host), (1 / x, 1 / host), (x**2, host**2),
        (-x, -host), (x % 3, host % 3), (x // 2, host // 2), (x == 2, host == 2), (x <= 3, host <= 3),
        (x @ x, host @ host), (abs(-x), host), (np.float32(2) * x, 2 * host), (x != x, host != host),
    ]  # fmt: skip
    for received, expected in pairs:
        np.testing.assert_allclose(received.get(), expected, rtol=1e-6)
        assert received.dtype == expected.dtype
    x += 1
    x[1:3] = x[2:4]
    assert x.tolist() == [2, 4, 5, 5]


def test_promotion_is_numpys(cp):
    x = cp.ones(2, np.float32)
    assert (x + 1.5).dtype == np.float32
    assert (x + cp.ones(2, np.float64)).dtype == np.float64
    assert (x.astype(np.float16) * 2).dtype == np.float16
    assert cp.sum(cp.ones(2, np.int32)).dtype == np.int64
    assert (x > 0).dtype == np.bool_
    with pytest.raises(TypeError, match="cast"):
        cp.add(x, cp.ones(2, np.float64), out=cp.empty(2, np.int32))


def test_shapes_and_joins(cp):
    x = cp.arange(6, dtype=np.int64)
    assert cp.concatenate([x, x]).shape == (12,)
    assert cp.stack((x, x), axis=1).shape == (6, 2)
    assert [part.tolist() for part in cp.split(x, 3)] == [[0, 1], [2, 3], [4, 5]]
    assert cp.broadcast_to(x, (2, 6)).shape == (2, 6)
    assert cp.expand_dims(x, 0).shape == (1, 6)
    assert cp.take(x, cp.asarray([1, 1, 5])).tolist() == [1, 1, 5]
    assert cp.where(x > 3, x, 0).tolist() == [0, 0, 0, 0, 4, 5]
    assert cp.clip(x, 1, 4).tolist() == [1, 1, 2, 3, 4, 4]
    assert x[x > 3].tolist() == [4, 5]
    y = cp.zeros(3)
    cp.add.at(y, cp.asarray([0, 0, 2]), 1.0)
    assert y.tolist() == [2, 0, 1]
    assert cp.add.reduce(cp.arange(4)).item() == 6


def test_names_that_cupy_lacks_are_missing(cp):
    for name in ("nditer", "longdouble", "einsum_path", "errstate", "memmap"):
        assert not hasattr(cp, name), name
    with pytest.raises(TypeError, match=r"unexpected keyword|[Ww]rong arguments|initial"):
        cp.sum(cp.ones(3), initial=1)
    with pytest.raises(TypeError, match=r"[Ww]rong arguments|unexpected keyword"):
        cp.add(cp.ones(3), 1, subok=True)


def test_set_and_get_are_strict(cp):
    x = cp.zeros(3, np.float32)
    x.set(np.array([1, 2, 3], np.float32))
    out = np.empty(3, np.float32)
    assert x.get(out=out) is out
    assert out.tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match="hape"):
        x.set(np.zeros(4, np.float32))
    with pytest.raises(TypeError, match=r"dtype|array"):
        x.set(np.zeros(3, np.float64))
    with pytest.raises(TypeError, match="Unsupported type"):
        x[:] = np.zeros(3, np.float32)


def test_dlpack_shares_memory(cp):
    x = cp.arange(3, dtype=np.float32)
    y = cp.from_dlpack(x)
    y[0] = 9
    assert x.tolist() == [9, 1, 2]


def test_raw_copies(cp):
    runtime, stream = cp.cuda.runtime, cp.cuda.Stream(non_blocking=True)
    host, back = np.arange(8, dtype=np.float32), np.zeros(8, np.float32)
    x, y = cp.empty(8, np.float32), cp.empty(8, np.float32)
    runtime.memcpyAsync(x.data.ptr, host.ctypes.data, 32, runtime.memcpyHostToDevice, stream.ptr)
    runtime.memcpyAsync(y.data.ptr, x.data.ptr, 32, runtime.memcpyDeviceToDevice, stream.ptr)
    runtime.memsetAsync(y.data.ptr, 0, 4, stream.ptr)
    runtime.memcpyAsync(back.ctypes.data, y.data.ptr, 32, runtime.memcpyDeviceToHost, stream.ptr)
    stream.synchronize()
    assert back.tolist() == list(range(8))
    with pytest.raises(runtime.CUDARuntimeError, match="cudaErrorInvalidValue"):
        runtime.memcpy(x.data.ptr, y.data.ptr, 1 << 40, runtime.memcpyDeviceToDevice)


def test_pinned_memory_is_a_buffer(cp):
    memory = cp.cuda.alloc_pinned_memory(64)
    host = np.frombuffer(memory, np.float32, 16)
    assert host.ctypes.data == memory.ptr
    host[...] = 5
    x = cp.empty(16, np.float32)
    x.data.copy_from_host(memory.ptr, 64)
    assert x.tolist() == [5] * 16


def test_pools_count(cp):
    pool = cp.cuda.MemoryPool()
    with cp.cuda.using_allocator(pool.malloc):
        x = cp.empty(1000, np.float32)
        assert pool.used_bytes() == 4096
        del x
        assert (pool.used_bytes(), pool.total_bytes(), pool.n_free_blocks()) == (0, 4096, 1)
        x = cp.empty(900, np.float32)
        assert pool.total_bytes() == 4096
        del x
    pool.free_all_blocks()
    assert pool.total_bytes() == 0
    pool.set_limit(size=10000)
    with pytest.raises(
        cp.cuda.memory.OutOfMemoryError, match=r"Out of memory allocating 20,480 bytes .*limit set to"
    ):
        pool.malloc(20000)


def test_device(cp):
    device = cp.cuda.Device(0)
    with device:
        assert device.id == 0
        free, total = device.mem_info
        assert 0 < free <= total
    assert int(device.compute_capability) >= 75
    attributes = device.attributes
    for name in (
        "MultiProcessorCount",
        "MaxThreadsPerBlock",
        "MaxGridDimX",
        "MaxSharedMemoryPerBlock",
        "WarpSize",
    ):
        assert attributes[name] > 0
    assert isinstance(cp.cuda.runtime.getDeviceProperties(0)["name"], bytes)
    assert cp.cuda.runtime.getDeviceCount() >= 1
    assert cp.cuda.runtime.driverGetVersion() >= 12000
    device.synchronize()


def test_events_measure_time(cp):
    start, end = cp.cuda.Event(), cp.cuda.Event()
    start.record()
    end.record()
    end.synchronize()
    assert end.done
    assert cp.cuda.get_elapsed_time(start, end) >= 0


def test_the_module_of_arrays(cp):
    assert cp.get_array_module(cp.ones(1)) is cp
    assert cp.get_array_module(np.ones(1)) is np
    assert cp.__version__.startswith("14.")
