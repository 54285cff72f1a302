"""Training that goes on where it stopped: the order of the data follows from the step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import layers
from tests.models.small import LABELS, QUIET, X, same


class Numbered:
    """A sequence of five batches that writes down which it gave."""

    def __init__(self) -> None:
        self.given: list[int] = []
        self.ended: list[int] = []

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> Any:
        self.given.append(index)
        return X[10 * index : 10 * index + 10], LABELS[10 * index : 10 * index + 10]

    def on_epoch_end(self) -> None:
        self.ended.append(len(self.given))


class Again:
    """An iterable of five batches that can begin again."""

    def __iter__(self) -> Iterator[Any]:
        return (Numbered()[i] for i in range(5))


class Known(Again):
    """One that knows how many it has."""

    def __len__(self) -> int:
        return 5


def model() -> keras.Sequential:
    """Everything that a step draws and keeps: dropout, moving statistics, slots."""
    keras.config.set_seed(3)
    drawn = [layers.Dense(6), layers.BatchNormalization(), layers.Dropout(0.3)]
    made = keras.Sequential([keras.Input((4,)), *drawn, layers.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    made.compile("adam", loss, metrics=["accuracy"])
    return made


def arrays(**given: Any) -> Callable[[], dict[str, Any]]:
    return lambda: {"x": X, "y": LABELS, **given}


CASES: dict[str, tuple[Callable[[], dict[str, Any]], int | None]] = {
    "arrays, within a pass": (arrays(batch_size=8), 5),
    "arrays, over several passes": (arrays(batch_size=16), 5),
    "arrays, a pass an epoch": (arrays(batch_size=10), 5),
    "arrays, no steps": (arrays(batch_size=8), None),
    "arrays in order": (arrays(batch_size=8, shuffle=False), 5),
    "a sequence, more steps than it has": (lambda: {"x": Numbered()}, 7),
    "a sequence, fewer": (lambda: {"x": Numbered()}, 3),
    "a sequence, no steps": (lambda: {"x": Numbered()}, None),
    "an iterable": (lambda: {"x": Again()}, 3),
    "an iterable, more steps than it has": (lambda: {"x": Again()}, 7),
    "an iterable of known length": (lambda: {"x": Known()}, 8),
}


@pytest.mark.parametrize(("data", "steps"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("pause", [1, 2])
def test_a_pause_changes_nothing(data: Callable[[], Any], steps: int | None, pause: int) -> None:
    """fit(epochs=4) is fit(epochs=pause), then fit(initial_epoch=pause, epochs=4), bit for bit."""
    through, paused = model(), model()
    keras.config.set_seed(3)
    whole = through.fit(**data(), epochs=4, steps_per_epoch=steps, **QUIET).history
    first = paused.fit(**data(), epochs=pause, steps_per_epoch=steps, **QUIET).history
    rest = paused.fit(**data(), initial_epoch=pause, epochs=4, steps_per_epoch=steps, **QUIET).history
    assert {name: first[name] + rest[name] for name in first} == whole
    assert same(through.get_weights(), paused.get_weights())


def test_weights_of_another_process_go_on_with_the_data_of_that_epoch() -> None:
    """A new model whose counter is at 0 begins where the epochs before would have ended."""
    sequence = Numbered()
    model().fit(sequence, shuffle=False, initial_epoch=1, epochs=2, steps_per_epoch=3, **QUIET)
    assert sequence.given[-3:] == [3, 4, 0]


def test_a_sequence_goes_on_from_epoch_to_epoch_and_hears_of_the_end_of_each_epoch_and_pass() -> None:
    sequence = Numbered()
    model().fit(sequence, shuffle=False, epochs=3, steps_per_epoch=3, **QUIET)
    assert sequence.given[1:] == [0, 1, 2, 3, 4, 0, 1, 2, 3]  # the first was read to trace the step
    assert sequence.ended == [4, 6, 7, 10]
    sequence = Numbered()
    model().fit(sequence, shuffle=True, epochs=1, steps_per_epoch=10, **QUIET)
    assert [sorted(sequence.given[1:6]), sorted(sequence.given[6:])] == [[0, 1, 2, 3, 4]] * 2
    assert sequence.given[1:6] != sequence.given[6:]
    assert sequence.ended == [6, 11]


def test_passes_have_orders_of_their_own_and_a_short_last_batch() -> None:
    sizes: list[int] = []
    rows: list[float] = []

    class Sees(keras.callbacks.Callback):
        def samples_ahead(self, size: int) -> None:
            sizes.append(size)

    class Takes(keras.Model):
        def train_step(self, data: Any) -> Any:
            return {"first": data[0, 0]}

    class Reads(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            rows.append(float(logs["first"]))

    taker = Takes()
    taker.compile()
    x = np.arange(50.0)[:, None]
    taker.fit(x, batch_size=16, epochs=2, steps_per_epoch=6, callbacks=[Sees(), Reads()], **QUIET)
    assert sizes == [16, 16, 16, 2] * 3
    assert len(set(rows)) > 6
