"""Reading ahead: same items, same errors, no threads left, and no waiting for oneself."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import config
from gputrain.data.ahead import DEPTH, Ahead, is_reader
from tests.backend.cupy.world import emulated


def readers() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "gputrain-read-ahead" and t.is_alive()]


def test_items_come_in_order_and_the_thread_ends() -> None:
    assert list(Ahead(iter(range(50)))) == list(range(50))
    assert not readers()


def test_it_reads_while_its_user_works() -> None:
    read: list[int] = []

    def numbers() -> Iterator[int]:
        for i in range(20):
            read.append(i)
            yield i

    items = iter(Ahead(numbers()))
    next(items)
    deadline = time.monotonic() + 5
    while len(read) < DEPTH + 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert DEPTH + 1 <= len(read) <= DEPTH + 2
    items.close()  # type: ignore[attr-defined]
    assert not readers()
    assert len(read) <= DEPTH + 2


def test_an_error_is_raised_where_its_item_was_asked_for() -> None:
    def numbers() -> Iterator[int]:
        yield 1
        raise OSError("the disk is gone")

    found: list[int] = []
    with pytest.raises(OSError, match="the disk is gone"):
        found.extend(Ahead(numbers()))
    assert not readers()


def model() -> Any:
    made = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
    made.compile("sgd", "mse")
    return made


def test_fit_reads_no_more_batches_than_it_was_promised() -> None:
    with emulated():
        taken = []

        def batches() -> Iterator[Any]:
            for i in range(100):
                taken.append((i, is_reader()))
                yield np.ones((4, 3)), np.ones((4, 1))

        source = batches()
        model().fit(source, steps_per_epoch=3, epochs=2, verbose=0)
        assert [i for i, _ in taken] == list(range(6))
        assert [ahead for _, ahead in taken] == [False] + [True] * 5  # the first one is looked at beforehand
        assert not readers()


def test_a_generator_that_uses_its_model_is_told() -> None:
    with emulated():
        made = model()

        def batches() -> Iterator[Any]:
            while True:
                x = np.ones((4, 3))
                yield x, made.predict(x, verbose=0)

        with pytest.raises(
            keras.GraphError, match=r"a generator used the model that it feeds.*set_read_ahead"
        ):
            made.fit(batches(), steps_per_epoch=3, verbose=0)
        config.set_read_ahead(False)
        try:
            made.fit(batches(), steps_per_epoch=3, verbose=0)
        finally:
            config.put("read_ahead", None)
        assert not readers()


def test_training_that_stops_does_not_wait_for_a_batch_that_never_comes() -> None:
    with emulated():
        never = threading.Event()

        def batches() -> Iterator[Any]:
            yield np.ones((4, 3)), np.ones((4, 1))
            never.wait(30)

        made = model()
        stop = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: setattr(made, "stop_training", True)
        )
        start = time.monotonic()
        made.fit(batches(), steps_per_epoch=5, callbacks=[stop], verbose=0)
        assert time.monotonic() - start < 15
        never.set()
