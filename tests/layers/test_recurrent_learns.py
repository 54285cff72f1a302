"""Recurrent layers learn what takes memory: a text by heart, and a series some steps ahead."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import layers

pytestmark = [
    pytest.mark.slow,
    pytest.mark.cpu_only("what a layer computes is compared on every device by tests/parity"),
]

# Who comes first says what comes last: between the two all lines have the same thirteen letters.
WHO = ["Ann", "Bob", "Cleo", "Dan", "Eve", "Finn", "Greta", "Hugo", "Ida", "Jon", "Kim", "Lou"]
WHAT = ["lamp", "kite", "jar", "inkpot", "harp", "grape", "fan", "eel", "drum", "candle", "boat", "apple"]
LINES = [f"{who} brought the {what}.\n" for who, what in zip(WHO, WHAT, strict=True)]
LETTERS = sorted(set("".join(LINES)))
LONGEST = max(map(len, LINES))


def _numbers() -> np.ndarray:
    """The lines as numbers of letters from 1, with zeros behind."""
    found = np.zeros((len(LINES), LONGEST), "int32")
    for row, line in zip(found, LINES, strict=True):
        row[: len(line)] = [1 + LETTERS.index(letter) for letter in line]
    return found


def _reader(kind: str, batch: int | None = None) -> Any:
    """A model that gives logits of the next letter; with a fixed batch it keeps its states."""
    make = getattr(layers, kind)
    return keras.Sequential(
        [
            keras.Input(batch_shape=(batch, None), dtype="int32"),
            layers.Embedding(len(LETTERS) + 1, 16, mask_zero=True),
            make(64, return_sequences=True, stateful=batch is not None),
            layers.Dense(len(LETTERS) + 1),
        ]
    )


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_a_text_by_heart(kind: str) -> None:
    """Each letter follows from the first of its line, so a perplexity of 1 is possible.

    Trained in the same way, a GRU whose gradient stops after one step stays at 1.09: it guesses the thing.
    """
    keras.utils.set_random_seed(3)
    text = _numbers()
    x, y = text[:, :-1], text[:, 1:]
    counts = (y > 0).astype("float32")
    model = _reader(kind)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss)
    model.fit(x, y, sample_weight=counts, batch_size=len(x), epochs=360, verbose=0)
    logits = model.predict(x, verbose=0).astype("float64")
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    perplexity = np.exp(-np.take_along_axis(logs, y[..., None], -1)[..., 0][y > 0].mean())
    assert perplexity < 1.02

    writer = _reader(kind, batch=1)
    writer.set_weights(model.get_weights())
    for line in LINES:
        writer.layers[1].reset_state()
        written = line[0]
        while written[-1] != "\n" and len(written) < LONGEST:  # one letter at a time: the states are kept
            last = np.array([[1 + LETTERS.index(written[-1])]])
            written += LETTERS[writer.predict(last, batch_size=1, verbose=0)[0, -1].argmax() - 1]
        assert written == line


def _series(length: int) -> np.ndarray:
    """Two hidden waves whose speeds change slowly, seen through three noisy variables."""
    rng = np.random.default_rng(8)
    speed = 0.25 + 0.1 * np.sin(np.arange(length) / 90.0)
    phase = np.cumsum(speed)
    seen = [np.sin(phase), np.cos(0.6 * phase) * np.sin(phase / 3), np.sin(phase) * np.cos(1.7 * phase)]
    return (np.stack(seen, 1) + 0.05 * rng.normal(size=(length, 3))).astype("float32")


@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU"])
def test_a_series_is_foreseen(kind: str) -> None:
    """Four steps ahead, in a part not seen before; a linear model has 0.19 of persistence's error."""
    keras.utils.set_random_seed(2)
    series, steps, ahead = _series(2200), 24, 4
    starts = np.arange(len(series) - steps - ahead)
    x = np.stack([series[s : s + steps] for s in starts])
    y = series[starts + steps + ahead - 1]
    seen, later = slice(0, 1600), slice(1650, None)
    model = keras.Sequential([keras.Input((steps, 3)), getattr(layers, kind)(32), layers.Dense(3)])
    model.compile(keras.optimizers.Adam(0.005), "mse")
    model.fit(x[seen], y[seen], batch_size=64, epochs=30, verbose=0)
    error = model.evaluate(x[later], y[later], verbose=0)
    persistence = float(np.mean((x[later][:, -1] - y[later]) ** 2))
    assert error < 0.13 * persistence
