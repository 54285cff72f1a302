"""Batches from arrays and from iterators."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from gputrain.backend import current_device
from gputrain.data import make_arrays
from gputrain.data.sources import ArraySource, Batch, is_iterator, make_source
from gputrain.errors import DataError
from gputrain.utils.notes import forget
from tests.on_device import fill, host

X = np.arange(10, dtype="float32")[:, None]


def _rows(batches: Iterator[Batch]) -> list[list[int]]:
    found = []
    for batch in batches:
        x = batch.arrays.x if batch.rows is None else batch.arrays.x[batch.rows]
        found.append(x[:, 0].astype(int).tolist())
    return found


def _stream() -> Iterator[Any]:
    for start in range(0, 10, 4):
        yield X[start : start + 4]


class Again:
    """An iterable that begins again."""

    def __iter__(self) -> Iterator[Any]:
        return _stream()


class Indexed:
    """A sequence of batches by number."""

    def __init__(self, count: int = 3) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Any:
        return X[4 * index : 4 * index + 4]


ONCE = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_arrays_once_through_and_pass_after_pass() -> None:
    source = ArraySource(make_arrays(X), 4)
    assert source.steps == 3
    assert _rows(source.epoch(0)) == _rows(source.epoch(7)) == ONCE
    endless = ArraySource(make_arrays(X), 4, steps=2, repeat=True)
    assert _rows(endless.epoch(0)) == ONCE[:2]
    assert _rows(endless.epoch(1)) == [ONCE[2], ONCE[0]]


def test_a_batch_is_copied_into_buffers() -> None:
    """At once, or by what the feeder returns, as part of the step."""
    device = current_device()
    buffer = fill(device.empty((3, 1), "float32"), 0xFF)
    batch = Batch(make_arrays(X), np.array([7, 0, 2]), 0, 3)
    load = batch.load(device.feeder(), [buffer], [(1.0, 0.0)])
    if load is not None:
        with device.running():
            load()
    assert host(buffer)[:, 0].tolist() == [7, 0, 2]


SOURCES: dict[str, tuple[Callable[[], Any], int | None, list[list[list[int]]]]] = {
    "a generator": (_stream, None, [ONCE]),
    "a generator by steps": (_stream, 2, [ONCE[:2], ONCE[2:]]),
    "an iterable": (Again, None, [ONCE, ONCE]),
    "an iterable by steps": (Again, 2, [ONCE[:2], [ONCE[2], ONCE[0]], ONCE[1:]]),
    "a sequence": (Indexed, None, [ONCE, ONCE]),
    "a sequence by steps": (Indexed, 2, [ONCE[:2], [ONCE[2], ONCE[0]], ONCE[1:]]),
    "a sequence by more steps than it has": (Indexed, 4, [[*ONCE, ONCE[0]], [*ONCE[1:], *ONCE[:2]]]),
}


@pytest.mark.parametrize(("make", "steps", "epochs"), SOURCES.values(), ids=SOURCES)
@pytest.mark.parametrize("peek", [False, True])
def test_epochs_of_iterators(make: Any, steps: int | None, epochs: list[Any], peek: bool) -> None:
    source = make_source(make(), 4, False, steps, "fit", repeat=True)
    if peek:
        assert _rows(iter([source.first()])) == ONCE[:1]
    assert [_rows(source.epoch(n)) for n in range(len(epochs))] == epochs


@pytest.mark.parametrize("make", [lambda: X, Again, Indexed], ids=["arrays", "an iterable", "a sequence"])
def test_steps_of_an_evaluation_begin_with_the_first_batch_and_end_with_the_data(
    make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def source(steps: int) -> Any:
        data = make()
        return make_source(make_arrays(data) if data is X else data, 4, False, steps, "evaluate")

    forget()
    some = source(2)
    some.first()
    assert [_rows(some.epoch(0)) for _ in range(3)] == [ONCE[:2]] * 3
    assert not caplog.records
    many = source(5)
    assert [_rows(many.epoch(0)) for _ in range(2)] == [ONCE, ONCE]
    assert [r.getMessage() for r in caplog.records] == [
        "evaluate: the data ended after 3 of 5 steps; the results are those of 3."
    ]


def test_a_shuffled_sequence_is_read_in_another_order() -> None:
    source = make_source(Indexed(), 4, True, None, "fit")
    orders = [_rows(source.epoch(n)) for n in range(6)]
    assert all(sorted(order) == ONCE for order in orders)
    assert len({str(order) for order in orders}) > 1


def test_an_ended_generator_has_no_further_epoch() -> None:
    source = make_source(_stream(), 4, False, 2, "fit", repeat=True)
    assert [_rows(source.epoch(n)) for n in range(3)] == [ONCE[:2], ONCE[2:], []]


def test_each_batch_is_checked() -> None:
    seen: list[Any] = []
    source = make_source(((X, X + n) for n in range(3)), 4, False, None, "fit")
    source.first()
    source.check_with(lambda arrays: seen.append(float(arrays.y[0, 0])))
    list(source.epoch(0))
    assert seen == [0, 1, 2]


KINDS: dict[str, tuple[Any, bool]] = {
    "an array": (X, False),
    "a list": ([1, 2], False),
    "a tuple": ((1, 2), False),
    "a dict": ({"a": X}, False),
    "text": ("text", False),
    "a number": (3.0, False),
    "a generator": (_stream(), True),
    "an iterator": (iter([X]), True),
    "an iterable": (Again(), True),
    "a sequence of batches": (Indexed(), True),
}


@pytest.mark.parametrize(("x", "expected"), KINDS.values(), ids=KINDS)
def test_what_counts_as_an_iterator(x: Any, expected: bool) -> None:
    assert is_iterator(x) is expected


def test_an_empty_sequence() -> None:
    with pytest.raises(DataError, match=r"needs at least one batch. Received: an empty sequence"):
        make_source(Indexed(0), 4, False, None, "fit").first()
