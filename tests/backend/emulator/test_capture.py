"""Streams and captured graphs as CUDA and CuPy have them. A real card runs the same file."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest

from tests.backend.emulator.kernels import SCALE, kernel


@pytest.fixture
def stream(cp):
    """A stream that can be captured."""
    return cp.cuda.Stream(non_blocking=True)


@contextmanager
def capture(cp, stream, graphs):
    """What is done within it is recorded; the graph is appended to `graphs`."""
    with stream:
        stream.begin_capture(mode=cp.cuda.runtime.streamCaptureModeThreadLocal)
        try:
            yield
        finally:
            graphs.append(stream.end_capture())


def test_a_capture_does_nothing_until_it_is_launched(cp, stream):
    x, y = cp.arange(4, dtype=np.float32), cp.zeros(4, np.float32)
    f = kernel(cp, SCALE, "scale<float>")
    stream.synchronize()
    cp.cuda.Device().synchronize()
    graphs = []
    with capture(cp, stream, graphs):
        assert stream.is_capturing()
        f((1,), (4,), (y, x, np.float32(2), np.int64(4)))
        cp.add(y, 1, out=y)
        y[0] = 9
    assert not stream.is_capturing()
    assert y.tolist() == [0, 0, 0, 0]
    graphs[0].launch(stream)
    stream.synchronize()
    assert y.tolist() == [9, 3, 5, 7]
    cp.add(x, 1, out=x)
    cp.cuda.Device().synchronize()
    graphs[0].launch(stream)
    stream.synchronize()
    assert y.tolist() == [9, 5, 7, 9]


def test_numbers_are_recorded_by_value_and_arrays_by_address(cp, stream):
    x, y = cp.ones(2, np.float32), cp.zeros(2, np.float32)
    f = kernel(cp, SCALE, "scale<float>")
    f((1,), (4,), (y, x, np.float32(1), np.int64(2)))
    cp.cuda.Device().synchronize()
    rate = np.array(3, np.float32)
    graphs = []
    with capture(cp, stream, graphs):
        f((1,), (4,), (y, x, rate[()], np.int64(2)))
    rate[...] = 100  # too late: this is how a learning rate gets baked in
    x.fill(2)
    cp.cuda.Device().synchronize()
    graphs[0].launch(stream)
    stream.synchronize()
    assert y.tolist() == [6, 6]


def test_copies_and_fills_are_recorded(cp, stream):
    x, y = cp.ones(2, np.float32), cp.zeros(4, np.float32)
    cp.cuda.Device().synchronize()
    graphs = []
    with capture(cp, stream, graphs):
        y.data.memset_async(255, 16, stream)
        y.data.copy_from_device_async(x.data, 8, stream)
    assert y.tolist() == [0, 0, 0, 0]
    graphs[0].launch(stream)
    stream.synchronize()
    assert y.tolist()[:2] == [1, 1]
    assert np.isnan(y.get()[2:]).all()


def test_the_null_stream_cannot_be_captured(cp):
    with pytest.raises(RuntimeError, match="cannot capture on the default"):
        cp.cuda.Stream.null.begin_capture()


FORBIDDEN = {
    "get": lambda cp, x, stream: x.get(),
    "float": lambda cp, x, stream: float(x.sum()),
    "if": lambda cp, x, stream: bool(x[0]),
    "synchronize": lambda cp, x, stream: stream.synchronize(),
    "device": lambda cp, x, stream: cp.cuda.Device().synchronize(),
    "allocate": lambda cp, x, stream: cp.cuda.Memory(123_457),
}


@pytest.mark.parametrize("how", FORBIDDEN)
def test_a_wait_or_an_allocation_loses_the_capture(cp, stream, how):
    x = cp.ones(3, np.float32)
    x.sum(), x[0].get()
    cp.cuda.Device().synchronize()
    error = cp.cuda.runtime.CUDARuntimeError
    with stream:
        stream.begin_capture(mode=cp.cuda.runtime.streamCaptureModeThreadLocal)
        with pytest.raises(error, match="cudaErrorStreamCapture"):
            FORBIDDEN[how](cp, x, stream)
        with pytest.raises(error, match="cudaErrorStreamCaptureInvalidated"):
            stream.end_capture()
    assert not stream.is_capturing()
    assert x.tolist() == [1, 1, 1]


def test_cupys_own_matrix_products_cannot_be_captured(cp, stream):
    x, y = cp.ones((4, 4), np.float32), cp.empty((4, 4), np.float32)
    cp.matmul(x, x, out=y)
    cp.cuda.Device().synchronize()
    with stream:
        stream.begin_capture()
        try:
            with pytest.raises(NotImplementedError, match="cuBLAS"):
                cp.matmul(x, x, out=y)
        finally:
            stream.end_capture()


def test_a_second_stream_joins_through_events(cp, stream):
    x, y = cp.ones(2, np.float32), cp.zeros(2, np.float32)
    cp.add(x, 1, out=y)
    y.fill(0)
    cp.cuda.Device().synchronize()
    other, fork, join = cp.cuda.Stream(non_blocking=True), cp.cuda.Event(), cp.cuda.Event()
    graphs = []
    with capture(cp, stream, graphs):
        fork.record(stream)
        other.wait_event(fork)
        assert other.is_capturing()
        with other:
            cp.add(x, 1, out=y)
        join.record(other)
        stream.wait_event(join)
    assert not other.is_capturing()
    assert y.tolist() == [0, 0]
    graphs[0].launch(stream)
    stream.synchronize()
    assert y.tolist() == [2, 2]


def test_work_that_is_not_joined_is_an_error(cp, stream):
    x = cp.ones(2, np.float32)
    cp.add(x, 1, out=x)
    cp.cuda.Device().synchronize()
    other = cp.cuda.Stream(non_blocking=True)
    with stream:
        stream.begin_capture()
        other.wait_event(stream.record())
        with other:
            cp.add(x, 1, out=x)
        with pytest.raises(cp.cuda.runtime.CUDARuntimeError, match="cudaErrorStreamCaptureUnjoined"):
            stream.end_capture()


def test_other_streams_work_while_one_is_captured(cp, stream):
    x = cp.ones(2, np.float32)
    cp.add(x, 1, out=x)
    cp.cuda.Device().synchronize()
    free, graphs = cp.cuda.Stream(non_blocking=True), []
    with capture(cp, stream, graphs), free:
        cp.add(x, 1, out=x)
        free.synchronize()
    assert x.tolist() == [3, 3]


def test_the_null_stream_ends_the_capture_of_a_blocking_stream(cp):
    x = cp.ones(2, np.float32)
    cp.add(x, 1, out=x)
    cp.cuda.Device().synchronize()
    blocking = cp.cuda.Stream()
    error = cp.cuda.runtime.CUDARuntimeError
    blocking.begin_capture()
    with pytest.raises(error, match="cudaErrorStreamCaptureImplicit"):
        cp.cuda.runtime.memsetAsync(x.data.ptr, 0, 8, 0)
    with pytest.raises(error, match="cudaErrorStreamCaptureInvalidated"):
        blocking.end_capture()


def test_a_capture_begins_and_ends_once(cp, stream):
    error = cp.cuda.runtime.CUDARuntimeError
    with pytest.raises(error):
        stream.end_capture()
    stream.begin_capture()
    with pytest.raises(error, match="cudaErrorIllegalState"):
        stream.begin_capture()
    stream.end_capture()


def test_streams_are_told_apart(cp, stream):
    other = cp.cuda.Stream(non_blocking=True)
    assert 0 not in (stream.ptr, other.ptr)
    assert stream != other
    assert cp.cuda.get_current_stream() == cp.cuda.Stream.null
    with stream:
        assert cp.cuda.get_current_stream() == stream
        with other:
            assert cp.cuda.get_current_stream() == other
        assert cp.cuda.get_current_stream() == stream
    assert cp.cuda.get_current_stream().ptr == 0
    assert stream.done
