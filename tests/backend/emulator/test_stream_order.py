"""Waits between streams that were left out: each must be found. And right programs, which must pass.

These need the emulator: a real card would compute something, now and then wrong.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest

from tests.backend.emulator.kernels import SCALE, kernel
from tests.cuda_emulator import RaceError, make
from tests.cuda_emulator.races import STREAMS

N = 64


class Setup(SimpleNamespace):
    """A device with two streams that wait for nobody, two arrays and pinned memory."""

    def __init__(self, emulated):
        cp = emulated.cupy
        super().__init__(emulated=emulated, cp=cp, runtime=cp.cuda.runtime)
        self.work, self.copies = (cp.cuda.Stream(non_blocking=True) for _ in range(2))
        self.x, self.y = cp.ones(N, np.float32), cp.zeros(N, np.float32)
        self.pinned = cp.cuda.alloc_pinned_memory(4 * N)
        self.host = np.frombuffer(self.pinned, np.float32)
        self.host[...] = 3
        self.function = kernel(cp, SCALE, "scale<float>")
        cp.cuda.Device().synchronize()

    def launch(self, y=None, x=None, stream=None):
        """y = 2 x, in the working stream."""
        target, source = self.y if y is None else y, self.x if x is None else x
        with self.work if stream is None else stream:
            self.function((1,), (N,), (target, source, np.float32(2), np.int64(N)))

    def upload(self, target=None, stream=None, pinned=None):
        """Copy pinned memory into an array, in the stream for copies."""
        target, pinned = self.x if target is None else target, pinned or self.pinned
        stream = self.copies if stream is None else stream
        kind = self.runtime.memcpyHostToDevice
        self.runtime.memcpyAsync(target.data.ptr, pinned.ptr, 4 * N, kind, stream.ptr)


@pytest.fixture
def at(emulated):
    return Setup(emulated)


def missing(*words):
    """A race is found, and its report has these words, in this order."""
    return pytest.raises(RaceError, match="(?s)" + ".*".join(words))


# ----------------------------------------------------------------------------------------- device memory


def test_a_kernel_after_a_copy_in_another_stream(at):
    at.upload()
    work, copies = f"{at.work.ptr:x}", f"{at.copies.ptr:x}"
    report = (
        f"scale<float> in stream 0x{work}", "test_stream_order.py:", "reads 256 bytes",
        f"memcpy in stream 0x{copies}", "writes", "first 0 pieces", "number 1", "Missing: stream 0x",
    )  # fmt: skip
    with missing(*report):
        at.launch()


def test_a_copy_into_what_a_kernel_still_reads(at):
    at.launch()
    with missing("memcpy", "writes", "scale<float>", "reads"):
        at.upload()


def test_two_kernels_that_write_one_array(at):
    at.launch()
    with missing("writes", "writes"):
        at.launch(stream=at.copies)


def test_two_kernels_that_read_one_array_and_parts_of_one_block(at):
    both = at.cp.zeros(2 * N, np.float32)
    at.cp.cuda.Device().synchronize()
    at.launch(both[:N])
    at.launch(both[N:], stream=at.copies)
    with missing("writes 4 bytes"):
        at.launch(both[1 : N + 1])


@pytest.mark.parametrize("how", ["event", "host", "device", "event on the host", "done", "through a third"])
def test_waits_that_suffice(at, how):
    at.upload()
    event = at.copies.record()
    if how == "event":
        at.work.wait_event(event)
    elif how == "host":
        at.copies.synchronize()
    elif how == "device":
        at.cp.cuda.Device().synchronize()
    elif how == "event on the host":
        event.synchronize()
    elif how == "done":
        assert event.done
    else:
        third = at.cp.cuda.Stream(non_blocking=True)
        third.wait_event(event)
        at.work.wait_event(third.record())
    at.launch()
    at.work.synchronize()
    assert at.y.tolist() == [6] * N


def test_an_event_that_is_recorded_too_early(at):
    event = at.copies.record()
    at.upload()
    at.work.wait_event(event)
    with missing("scale<float>", "memcpy"):
        at.launch()


def test_an_event_that_was_never_recorded(at):
    at.upload()
    at.work.wait_event(at.cp.cuda.Event())
    with missing("scale<float>", "memcpy"):
        at.launch()


def test_a_wait_in_the_wrong_direction(at):
    at.upload()
    at.copies.wait_event(at.work.record())
    with missing("scale<float>", "memcpy"):
        at.launch()


HOST_READS = {
    "get": lambda array: array.get(),
    "float": lambda array: float(array[0]),
    "bool": lambda array: bool(array[0]),
    "repr": repr,
    "mask": lambda array: array[array > 1],
}


@pytest.mark.parametrize("how", HOST_READS)
def test_the_host_reads_in_a_stream_that_did_not_wait(at, how):
    at.launch()
    with missing("in the null stream", "reads", "scale<float>"):
        HOST_READS[how](at.y)
    with at.work:
        HOST_READS[how](at.y)


def test_what_is_read_is_over_for_all(at):
    """A read that the host waited for: another stream may write at once."""
    with at.work:
        at.y.get()
    at.cp.asnumpy(at.x, stream=at.work)
    at.launch(stream=at.copies)
    at.upload(stream=at.copies)


def test_an_upload_of_cupy_is_waited_for_by_nobody(at):
    x = at.cp.asarray(np.ones(N, np.float32))
    with missing("scale<float>", "asarray in the null stream"):
        at.launch(x=x)
    at.launch(x=at.cp.asarray(np.ones(N, np.float32), blocking=True))


# ------------------------------------------------------------------------------------------------ null stream


def test_blocking_streams_and_the_null_stream_wait_for_each_other(at):
    blocking, other = at.cp.cuda.Stream(), at.cp.cuda.Stream()
    at.upload(stream=blocking)
    at.launch(stream=at.cp.cuda.Stream.null)
    at.upload(stream=other)
    at.y.get()
    at.launch(stream=at.cp.cuda.Stream.null)
    at.launch(stream=blocking)


def test_two_blocking_streams_do_not_wait_for_each_other(at):
    at.upload(stream=at.cp.cuda.Stream())
    with missing("scale<float>", "memcpy"):
        at.launch(stream=at.cp.cuda.Stream())


def test_the_null_stream_between_two_blocking_streams_orders_them(at):
    at.upload(stream=at.cp.cuda.Stream())
    at.cp.zeros(1)
    at.launch(stream=at.cp.cuda.Stream())


def test_a_non_blocking_stream_does_not_wait_for_the_null_stream(at):
    at.upload(stream=at.cp.cuda.Stream.null)
    with missing("scale<float>", "memcpy in the null stream"):
        at.launch()


# ---------------------------------------------------------------------------------------------- pinned memory


def test_pinned_memory_that_is_filled_again_while_it_is_copied(at):
    at.upload()
    at.host[...] = 4
    with missing("host wrote into 256 bytes of pinned memory", "memcpy"):
        at.copies.synchronize()


def test_pinned_memory_that_is_filled_again_is_found_at_the_next_copy(at):
    at.upload()
    at.host[7] = 4
    with missing("host wrote into 256 bytes of pinned memory"):
        at.upload()


@pytest.mark.parametrize(
    "wait", [lambda at: at.copies.synchronize(), lambda at: at.copies.record().synchronize()]
)
def test_pinned_memory_may_be_filled_after_a_wait(at, wait):
    for value in range(3):
        at.host[...] = value
        at.upload()
        wait(at)


def test_pinned_memory_that_is_freed_while_it_is_copied(at):
    pinned = at.cp.cuda.alloc_pinned_memory(4 * N)
    at.upload(pinned=pinned)
    del pinned
    with missing("Pinned memory was freed while memcpy"):
        at.cp.cuda.Device().synchronize()


def test_pinned_memory_may_be_freed_after_a_wait(at):
    pinned = at.cp.cuda.alloc_pinned_memory(4 * N)
    at.upload(pinned=pinned)
    at.copies.synchronize()
    del pinned
    at.cp.cuda.Device().synchronize()
    at.emulated.races.check()


def test_pageable_memory_may_be_filled_at_once(at):
    host = np.ones(N, np.float32)
    at.x.set(host, stream=at.copies)
    host[...] = 2
    at.x.set(host, stream=at.copies)
    at.copies.synchronize()


@pytest.mark.parametrize("forgotten", [None, "copied", "read", "host"])
def test_two_buffers_in_turn(at, forgotten):
    """As batches are fed: fill, copy, let the work wait for the copy and the next copy for the work."""
    cp = at.cp
    pinned = [cp.cuda.alloc_pinned_memory(4 * N) for _ in range(2)]
    staged = [cp.zeros(N, np.float32) for _ in range(2)]
    copied, read = ([cp.cuda.Event() for _ in range(2)] for _ in range(2))
    cp.cuda.Device().synchronize()

    def feed(i):
        turn = i % 2
        if forgotten != "host":
            copied[turn].synchronize()
        np.frombuffer(pinned[turn], np.float32)[...] = i
        if forgotten != "read":
            at.copies.wait_event(read[turn])
        at.upload(staged[turn], pinned=pinned[turn])
        copied[turn].record(at.copies)
        if forgotten != "copied":
            at.work.wait_event(copied[turn])
        at.launch(x=staged[turn])
        read[turn].record(at.work)

    if forgotten is None:
        for i in range(6):
            feed(i)
        at.work.synchronize()
        assert at.y.tolist() == [10] * N
    else:
        with missing("Missing"):
            for i in range(6):
                feed(i)


# ----------------------------------------------------------------------------------------------- freed memory


def test_memory_that_is_freed_while_another_stream_uses_it(at):
    with at.work:
        staged = at.cp.empty(N, np.float32)
    at.upload(staged)
    del staged
    with at.work, missing("memcpy", "used before they were freed and handed out again"):
        at.cp.zeros(N, np.float32)


def test_memory_that_is_freed_after_a_wait(at):
    with at.work:
        staged = at.cp.empty(N, np.float32)
    at.upload(staged)
    at.work.wait_event(at.copies.record())
    del staged
    with at.work:
        at.cp.zeros(N, np.float32)


def test_the_first_use_of_memory_by_another_stream(at):
    """What the memory held before may still be in use in the stream that it was allocated in."""
    with at.work:
        temporary = at.cp.zeros(N, np.float32)
        del temporary
        staged = at.cp.empty(N, np.float32)
    with missing("memcpy", "zeros", "used before they were freed"):
        at.upload(staged)
    at.copies.wait_event(at.work.record())
    at.upload(staged)


def test_memory_that_the_pool_takes_from_the_device_has_no_history(at):
    with at.work:
        staged = at.cp.empty(N, np.float32)
    at.upload(staged)


# ------------------------------------------------------------------------------ graphs, tables, threads


@contextmanager
def captured(at, graphs):
    with at.work:
        at.work.begin_capture(mode=at.runtime.streamCaptureModeThreadLocal)
        yield
        graphs.append(at.work.end_capture())


def test_a_graph_is_ordered_where_it_is_launched(at):
    graphs = []
    with captured(at, graphs):
        at.launch()
        at.cp.add(at.y, 1, out=at.y)
    at.upload()  # what was recorded is not done yet
    with missing("scale<float>", "memcpy"):
        graphs[0].launch(at.work)
    at.work.wait_event(at.copies.record())
    graphs[0].launch(at.work)
    with missing("get", "add"):
        at.y.get(stream=at.copies)


def test_arrays_that_are_found_by_a_table_of_pointers(at):
    text = 'extern "C" __global__ void table(const unsigned long long* t) { *(float*)t[1] = *(float*)t[0]; }'
    table = at.cp.asarray(np.array([at.x.data.ptr, at.y.data.ptr], np.uint64), blocking=True)
    launch = at.cp.RawKernel(text, "table")
    at.upload()
    with at.work, missing("table in", "memcpy"):
        launch((1,), (1,), (table,))
    at.copies.synchronize()
    with at.work:
        launch((1,), (1,), (table,))
    with missing("get", "table in"):
        at.y.get()


def test_addresses_that_are_passed_as_numbers(at):
    at.upload()
    with at.work, missing("scale<float>", "memcpy"):
        arguments = at.y, np.uint64(at.x.data.ptr), np.float32(2), np.int64(N)
        at.function((1,), (N,), arguments)


def test_a_fault_in_a_function_of_cupy(at):
    at.upload()
    with at.work, missing("add", "memcpy"):
        at.cp.add(at.x, at.x, out=at.y)
    with at.work, missing("getitem|take|astype", "memcpy"):
        at.x.astype(np.float64)


def test_threads_that_wait_for_each_others_work(at):
    """The host's knowledge is shared: what one thread has waited for is over for all."""
    failures, ready = [], threading.Event()

    def reader():
        try:
            ready.wait(10)
            at.launch(stream=at.copies)
            assert at.y.get(stream=at.copies).tolist() == [6] * N
        except Exception as error:  # noqa: BLE001 - shown by the other thread
            failures.append(error)

    thread = threading.Thread(target=reader)
    thread.start()
    at.upload(stream=at.work)
    at.work.synchronize()
    ready.set()
    thread.join()
    assert not failures


def test_each_thread_reads_in_its_own_current_stream(at):
    at.launch()
    failures = []

    def reader():
        try:
            at.y.get()
        except RaceError as error:
            failures.append(str(error))

    with at.work:
        thread = threading.Thread(target=reader)
        thread.start()
        thread.join()
    assert "get in the null stream" in failures[0]


# ------------------------------------------------------------------------------------------------- on and off


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_it_can_be_left_out(monkeypatch, how):
    if how == "environment":
        monkeypatch.setenv(STREAMS, "unchecked")
    at = Setup(make(streams="unchecked" if how == "argument" else None))
    at.upload()
    at.launch()
    assert at.y.tolist() == [6] * N


def test_other_words_are_refused():
    with pytest.raises(ValueError, match='"checked" or "unchecked", not "all"'):
        make(streams="all")
