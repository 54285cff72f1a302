"""Times one training step of the reference CNN on the CPU: gputrain beside PyTorch, in one run.

    python benchmarks/cpu_step.py [--batch 128] [--rounds 30] [--json FILE]

Both sides train the same model on the same batches with Adam (PyTorch's fused one), alternating in rounds so
that a busy moment of the machine hits both. Medians over all steps and their ratio are printed. PyTorch is
optional; without it only our side is timed. Also printed: time per step that fit adds to the bare step.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import gputrain
from gputrain import layers

STEPS_PER_ROUND = 10
PAUSE = 0.2  # seconds before a round, so that the other side's threads have stopped spinning


def make_model() -> gputrain.Sequential:
    """The reference CNN, compiled."""
    model = gputrain.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def our_step(model: gputrain.Model, x: np.ndarray, y: np.ndarray, batch: int) -> Callable[[int], None]:
    """A function that runs training step number i as fit does: batch gathered, step run, nothing fetched."""
    from gputrain.data import make_arrays
    from gputrain.data.sources import Batch
    from gputrain.models.training.loop import train_on

    arrays = make_arrays(x, y)
    count, order = len(x) // batch, np.arange(len(x))

    def step(i: int) -> None:
        first = i % count * batch
        train_on(model, Batch(arrays, order, first, first + batch))

    return step


def torch_step(x: np.ndarray, y: np.ndarray, batch: int) -> Callable[[int], None] | None:
    """The same step in PyTorch, eager, fused Adam; None where PyTorch is not installed."""
    try:
        import torch
    except ImportError:
        return None
    torch.manual_seed(0)
    nn = torch.nn
    model = nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25), nn.Flatten(),
        nn.Linear(5408, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10),
    )  # fmt: skip
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    loss_of = nn.CrossEntropyLoss()
    images = torch.from_numpy(x).permute(0, 3, 1, 2).contiguous()
    labels = torch.from_numpy(y)
    count = len(x) // batch

    def step(i: int) -> None:
        first = i % count * batch
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(model(images[first : first + batch]), labels[first : first + batch])
        loss.backward()
        optimizer.step()

    return step


def time_rounds(
    steps: dict[str, Callable[[int], None]], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Milliseconds of every step, the sides alternating by rounds; the first round warms up."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for r in range(rounds + 1):
        for name, step in steps.items():
            time.sleep(PAUSE)
            for i in range(STEPS_PER_ROUND):
                start = clock()
                step(r * STEPS_PER_ROUND + i)
                if r:
                    times[name].append((clock() - start) * 1e3)
    return times


def report(times: dict[str, list[float]]) -> dict[str, float]:
    """Print the medians and quartiles of all sides; returns the medians."""
    medians = {name: statistics.median(t) for name, t in times.items()}
    for name, t in times.items():
        quartiles = statistics.quantiles(t, n=4)
        spread = f"quartiles {quartiles[0]:.2f} .. {quartiles[2]:.2f}   best {min(t):.2f}"
        print(f"{name:<10} median {medians[name]:7.2f} ms   {spread}")
    return medians


def fit_overhead(model: gputrain.Sequential, x: np.ndarray, y: np.ndarray, batch: int, bare: float) -> float:
    """Milliseconds per step that fit needs beyond the bare step."""
    model.fit(x, y, batch_size=batch, epochs=1, verbose=0)
    start = time.perf_counter()
    epochs = 3
    model.fit(x, y, batch_size=batch, epochs=epochs, verbose=0)
    return (time.perf_counter() - start) * 1e3 / (epochs * (len(x) // batch)) - bare


def main() -> int:
    """Run the benchmark and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch", type=int, default=128, help="samples per step (default 128)")
    parser.add_argument(
        "--rounds", type=int, default=30, help=f"rounds of {STEPS_PER_ROUND} steps (default 30)"
    )
    parser.add_argument("--json", help="also write the figures to this file")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    x = rng.random((options.batch * 16, 28, 28, 1), dtype=np.float32)
    y = rng.integers(0, 10, len(x))
    model = make_model()
    steps: dict[str, Any] = {"gputrain": our_step(model, x, y, options.batch)}
    theirs = torch_step(x, y, options.batch)
    if theirs is not None:
        steps["pytorch"] = theirs
    times = time_rounds(steps, options.rounds)
    medians = report(times)
    result: dict[str, Any] = {"batch": options.batch, "median_ms": medians, "machine": platform.machine()}
    if "pytorch" in medians:
        result["ratio"] = medians["gputrain"] / medians["pytorch"]
        print(f"ratio gputrain / pytorch: {result['ratio']:.3f}")
    else:
        print("pytorch is not installed: pip install torch", file=sys.stderr)
    result["fit_overhead_ms"] = fit_overhead(model, x, y, options.batch, medians["gputrain"])
    print(f"fit adds {result['fit_overhead_ms']:.3f} ms per step to the bare step")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
