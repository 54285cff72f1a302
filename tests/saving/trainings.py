"""Trainings that tests interrupt: everything in them that remembers something from step to step.

As a program it trains one of them in a folder, resuming there, and writes what came of it:

    python -m tests.saving.trainings "a plateau, arrays" FOLDER
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import gputrain as keras
from gputrain import callbacks, layers
from gputrain.utils.files import remove_leftovers, write_text

R = np.random.default_rng(7)
X = R.normal(size=(120, 8, 8, 1)).astype("float32")
Y = R.integers(0, 3, 120)
EPOCHS, BATCH = 8, 16


class Again:
    """Batches from the beginning, as often as asked."""

    def __iter__(self) -> Iterator[Any]:
        return ((X[i : i + 12], Y[i : i + 12]) for i in range(0, 120, 12))


class Numbered(keras.utils.PyDataset):
    """Batches by number."""

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> Any:
        rows = slice(15 * index, 15 * index + 15)
        return X[rows], Y[rows]


def plateau() -> tuple[Any, list[Any]]:
    """Callbacks that lower the rate and end the training early."""
    stop = callbacks.EarlyStopping("val_loss", patience=2, min_delta=0.03, restore_best_weights=True)
    lower = callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=0.02, cooldown=1)
    return keras.optimizers.Adam(0.01, clipnorm=0.5), [stop, lower]


def scheduled() -> tuple[Any, list[Any]]:
    """A schedule, and clipping of another kind."""
    rate = keras.optimizers.schedules.CosineDecay(0.02, 70, warmup_target=0.03, warmup_steps=10)
    return keras.optimizers.SGD(rate, momentum=0.9, global_clipnorm=1.0), []


SOURCES: Mapping[str, Callable[[], dict[str, Any]]] = {
    "arrays": lambda: {"x": X, "y": Y, "batch_size": BATCH},
    "arrays, steps": lambda: {"x": X, "y": Y, "batch_size": BATCH, "steps_per_epoch": 7},
    "an iterable": lambda: {"x": Again(), "steps_per_epoch": 9},
    "numbered batches": lambda: {"x": Numbered()},
}
CASES = {
    f"{name}, {source}": (parts, data)
    for name, parts in {"a plateau": plateau, "a schedule": scheduled}.items()
    for source, data in SOURCES.items()
}


def built(case: str) -> tuple[Any, list[Any]]:
    """A compiled model with augmentation, dropout and moving statistics, and callbacks."""
    keras.config.set_seed(5)
    optimizer, listeners = CASES[case][0]()
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.RandomFlip("horizontal"),
            layers.RandomTranslation(0.1, 0.1),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, listeners


def settings(case: str) -> dict[str, Any]:
    """What fit gets beside callbacks; its data begins anew."""
    return {**CASES[case][1](), "validation_data": (X[:24], Y[:24]), "epochs": EPOCHS, "verbose": 0}


def digest(tree: Any) -> str:
    """The SHA-256 of all arrays and values of a tree, in order."""
    found = hashlib.sha256()

    def walk(value: Any) -> None:
        if isinstance(value, Mapping):
            for key in sorted(value):
                found.update(key.encode())
                walk(value[key])
        else:
            found.update(np.asarray(value).tobytes())

    walk(tree)
    return found.hexdigest()


def of_step(tree: Mapping[str, Any]) -> str:
    """What steps make: weights, slots and counters."""
    counters = {name: tree["training"][name] for name in ("step", "skipped")}
    return digest({"weights": tree["weights"], "optimizers": tree["optimizers"], "counters": counters})


class Slow(callbacks.Callback):
    """Makes steps last, so that a process can be ended anywhere within them."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        time.sleep(0.01)


def main(case: str, folder: Path) -> None:
    """Train, from the last checkpoint on; write the final weights' digest and the history."""
    remove_leftovers(folder, "result.json")
    model, listeners = built(case)
    backup = callbacks.BackupAndRestore(folder / "backup", save_freq=3, double_checkpoint=True)
    print("begins", flush=True)
    log = callbacks.CSVLogger(folder / "log.csv")
    history = model.fit(**settings(case), callbacks=[*listeners, Slow(), log, backup])
    weights = {name: variable.numpy() for name, variable in model.named_variables().items()}
    found = {"weights": digest(weights), "history": history.history}
    write_text(folder / "result.json", json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
