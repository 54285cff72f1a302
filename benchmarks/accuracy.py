"""Trains the reference CNN on Fashion-MNIST with several seeds and prints every test accuracy.

    python benchmarks/accuracy.py [--seeds 1 2 3] [--epochs 10] [--json FILE]

The program is the reference tutorial's: images over 255, integer labels under categorical_crossentropy,
Adam, batch size 128. Accuracy is taken after 5 epochs and at the end.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from typing import Any

import gputrain
from gputrain.callbacks import Callback
from gputrain.datasets import fashion_mnist
from gputrain.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D

HALFWAY = 5  # epochs after which accuracy is also taken


class Halfway(Callback):
    """Evaluates once in the middle of the training."""

    def __init__(self, x: Any, y: Any) -> None:
        super().__init__()
        self.data = (x, y)
        self.accuracy: float | None = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Evaluate after epoch number 5."""
        if epoch + 1 == HALFWAY:
            self.accuracy = self.model.evaluate(*self.data, batch_size=1000, verbose=0)[1]


def train(seed: int, epochs: int, data: Any) -> dict[str, float]:
    """One run; accuracies after 5 epochs and at the end, and seconds of training."""
    (x_train, y_train), (x_test, y_test) = data
    gputrain.config.set_seed(seed)
    model = gputrain.Sequential()
    model.add(Conv2D(32, kernel_size=(3, 3), activation="relu", input_shape=(28, 28, 1)))
    model.add(MaxPooling2D(pool_size=(2, 2)))
    model.add(Dropout(0.25))
    model.add(Flatten())
    model.add(Dense(128, activation="relu"))
    model.add(Dropout(0.5))
    model.add(Dense(10, activation="softmax"))
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    halfway = Halfway(x_test, y_test)
    start = time.perf_counter()
    model.fit(x_train, y_train, epochs=epochs, batch_size=128, verbose=0, callbacks=[halfway])
    seconds = time.perf_counter() - start
    final = model.evaluate(x_test, y_test, batch_size=1000, verbose=0)[1]
    found = {"seed": seed, f"after_{epochs}": final, "seconds": seconds}
    if halfway.accuracy is not None:
        found[f"after_{HALFWAY}"] = halfway.accuracy
    return found


def main() -> int:
    """Run all seeds and print each and the means."""
    as_is = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_is)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="default 1 2 3")
    parser.add_argument("--epochs", type=int, default=10, help="default 10")
    parser.add_argument("--json", help="also write the figures to this file")
    options = parser.parse_args()
    (x_train, y_train), (x_test, y_test) = fashion_mnist.load_data()
    data = (
        (x_train.reshape(-1, 28, 28, 1) / 255.0, y_train),
        (x_test.reshape(-1, 28, 28, 1) / 255.0, y_test),
    )
    runs = []
    for seed in options.seeds:
        runs.append(train(seed, options.epochs, data))
        print(", ".join(f"{key} {value:.4g}" for key, value in runs[-1].items()), flush=True)
    for key in (f"after_{HALFWAY}", f"after_{options.epochs}"):
        if all(key in run for run in runs):
            print(f"mean {key}: {statistics.mean(run[key] for run in runs):.4f}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(runs, file, indent=2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
