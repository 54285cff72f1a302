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
from gputrain.data.ahead import DEPTH, Ahead, by_threads, is_reader
from gputrain.errors import GraphError
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


class Items:
    """Gives what `make` makes of a number, and writes down which numbers were asked for."""

    def __init__(self, make: Any = lambda number: -number) -> None:
        self.make = make
        self.asked: list[int] = []

    def __getitem__(self, number: int) -> Any:
        self.asked.append(number)
        return self.make(number)


def makers() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("gputrain-batches") and t.is_alive()]


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("most", [0, 1, 30])
def test_items_of_several_threads_come_in_order(threads: int, most: int) -> None:
    items = Items(lambda number: time.sleep(0.002 * (number % 3)) or -number)
    assert list(by_threads(items, range(20), threads, most)) == [-number for number in range(20)]
    assert sorted(items.asked) == list(range(20))
    assert not makers()


def test_several_threads_make_no_more_than_is_waited_for() -> None:
    items = Items()
    coming = by_threads(items, range(100), 2, 3)
    assert [next(coming), next(coming)] == [0, -1]
    assert len(items.asked) <= 5
    coming.close()  # type: ignore[attr-defined]
    assert not makers()


def test_an_error_of_a_thread_comes_with_its_item() -> None:
    coming = by_threads(Items(lambda number: 1 // (number - 2)), range(9), 3, 4)
    assert [next(coming), next(coming)] == [-1, -1]
    with pytest.raises(ZeroDivisionError):
        next(coming)
    assert not makers()


def test_a_batch_made_by_a_thread_may_not_use_the_model_that_it_feeds() -> None:
    class Asks(keras.utils.PyDataset):
        def __len__(self) -> int:
            return 3

        def __getitem__(self, index: int) -> Any:
            return x, model.predict(x, verbose=0) if index else x

    x, model = np.ones((4, 2), "float32"), keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    with pytest.raises(GraphError, match="a generator used the model that it feeds"):
        model.fit(Asks(workers=2), shuffle=False, verbose=0)


def test_workers_change_nothing_but_who_makes_the_batches() -> None:
    names: set[str] = set()

    class Numbered(keras.utils.PyDataset):
        def __len__(self) -> int:
            return 6

        def __getitem__(self, index: int) -> Any:
            names.add(threading.current_thread().name)
            x = np.full((3, 2), index, "float32")
            return x, x

    found = []
    for workers in (1, 3):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
        model.compile("sgd", "mse")
        data = Numbered(workers=workers, max_queue_size=2)
        history = model.fit(data, epochs=2, validation_data=data, verbose=0).history
        found.append([history, model.evaluate(data, verbose=0), model.predict(data, verbose=0).tolist()])
    assert found[0] == found[1]
    assert any(name.startswith("gputrain-batches") for name in names)
    assert not makers()
