"""Small files of every format and version, written once and read ever after.

`python -m tests.saving.goldens gputrain` writes those of the formats that gputrain writes now, and in Keras's
environment `python -m tests.saving.goldens keras` those of Keras. A file that is there stays: where a format
changes, its version does, and files of the new one are added.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).with_name("golden")
EXPECTED = FOLDER / "expected.json"
X = ((np.arange(18) * 7 % 11).reshape(6, 3) / 5 - 1).astype("float32")
Y = ((np.arange(12) * 5 % 7).reshape(6, 2) / 3 - 1).astype("float32")
STEPS = 5


def network(keras: Any) -> Any:
    """Layers with moving statistics, shared and within a model; trained for three steps."""
    layers = keras.layers
    x = keras.Input((3,))
    shared = layers.Dense(3, activation="tanh")
    inner = keras.Sequential([layers.Dense(4), layers.BatchNormalization()])
    model = keras.Model(x, layers.Dense(2)(inner(shared(shared(x)))))
    for i, weight in enumerate(model.trainable_weights):
        numbers = np.sin(np.arange(int(np.prod(weight.shape))) * 0.7 + i).reshape(weight.shape)
        weight.assign(numbers.astype("float32"))
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), "mse", metrics=["mae"])
    further_steps(model, 3)
    return model


def further_steps(model: Any, count: int = STEPS) -> None:
    """Train on the whole data."""
    for _ in range(count):
        model.train_on_batch(X, Y)


def answers(model: Any) -> list[Any]:
    """What it predicts now, and after further steps."""
    before = np.asarray(model.predict(X, verbose=0)).tolist()
    further_steps(model)
    return [before, np.asarray(model.predict(X, verbose=0)).tolist()]


def files(package: str) -> dict[str, Any]:
    """The files of a package, and how each is written from a model."""
    if package == "keras":
        return {
            "keras_3_15.keras": lambda model, path: model.save(path),
            "keras_3_15.h5": lambda model, path: model.save(path),
            "keras_3_15.weights.h5": lambda model, path: model.save_weights(path),
        }
    return {
        "gputrain_1.keras": lambda model, path: model.save(path),
        "gputrain_1_without_h5py.keras": _without_h5py,
        "gputrain_1.weights.h5": lambda model, path: model.save_weights(path),
        "gputrain_1.safetensors": lambda model, path: model.save_weights(path),
        "gputrain_1.npz": lambda model, path: model.save_weights(path),
    }


def _without_h5py(model: Any, path: Path) -> None:
    from gputrain.saving.files import hdf5

    known = hdf5.is_there
    hdf5.is_there = lambda: False
    try:
        model.save(path)
    finally:
        hdf5.is_there = known


def main() -> None:
    """Write what is not there."""
    package = sys.argv[1]
    expected = json.loads(EXPECTED.read_text()) if EXPECTED.exists() else {}
    for name, write in files(package).items():
        if (FOLDER / name).exists():
            continue
        model = network(importlib.import_module(package))
        write(model, FOLDER / name)
        expected[name] = answers(model)
    EXPECTED.write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
