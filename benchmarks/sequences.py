"""Times training steps of models of sequences on the CPU, beside PyTorch, and shows what attention plans.

    python benchmarks/sequences.py [--models lstm transformer] [--rounds 15] [--clock wall] [--json FILE]

Both sides train the same model on the same tokens with Adam (PyTorch's fused one), alternating in rounds so
that a busy moment of the machine hits both: an LSTM over 80 steps, and two blocks of a Transformer over 64
tokens. Medians over all steps, lower quartiles and their ratios are printed. PyTorch is optional; without it
only our side is timed.

Each side uses as many threads as it does by itself. Where other programs use the cores, threads wait for one
another, and the figures say more of that than of the work. There, set OMP_NUM_THREADS, OPENBLAS_NUM_THREADS
and GPUTRAIN_THREADS to 1, and measure the time of the process with `--clock cpu`.

Then the memory that the training step of one attention plans, for sequences of several lengths.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import gputrain
from benchmarks.cpu_step import our_step, report, time_rounds
from gputrain import layers

BATCH = 64
WORDS = 10_000
WIDTH = 64
HEADS = 4
LENGTHS = (256, 512, 1024)  # tokens of the attention whose memory is shown
BATCHES = 8  # of different data
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


@dataclass(frozen=True)
class Task:
    """A model on both sides.

    Attributes:
        tokens: of a sequence.
        limit: the largest ratio that is aimed at.
        ours, theirs: make the model; theirs is given the module torch.nn.
    """

    tokens: int
    limit: float
    ours: Callable[[], gputrain.Model]
    theirs: Callable[[Any], Any]


# ----------------------------------------------------------------------------------------------------- models


def lstm() -> gputrain.Model:
    """Words to an LSTM of 128 units to one probability."""
    return gputrain.Sequential(
        [
            layers.Input((80,), dtype="int32"),
            layers.Embedding(WORDS, WIDTH),
            layers.LSTM(128),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def torch_lstm(nn: Any) -> Any:
    """The same; the loss is that of the logits."""

    class Model(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(WORDS, WIDTH)
            self.lstm = nn.LSTM(WIDTH, 128, batch_first=True)
            self.last = nn.Linear(128, 1)

        def forward(self, x: Any) -> Any:
            return self.last(self.lstm(self.words(x))[0][:, -1])

    return Model()


def transformer() -> gputrain.Model:
    """Words to two blocks (attention, then two layers; each added and normalized) to one probability."""
    words = layers.Input((64,), dtype="int32")
    x = layers.Embedding(WORDS, WIDTH)(words)
    for _ in range(2):
        x = layers.LayerNormalization()(x + layers.MultiHeadAttention(HEADS, WIDTH // HEADS)(x, x))
        inner = layers.Dense(4 * WIDTH, activation="relu")(x)
        x = layers.LayerNormalization()(x + layers.Dense(WIDTH)(inner))
    output = layers.Dense(1, activation="sigmoid")(layers.GlobalAveragePooling1D()(x))
    return gputrain.Model(words, output)


def torch_transformer(nn: Any) -> Any:
    """The same; the loss is that of the logits."""

    class Model(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(WORDS, WIDTH)
            block = nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, dropout=0.0, batch_first=True)
            self.blocks = nn.TransformerEncoder(block, 2, enable_nested_tensor=False)
            self.last = nn.Linear(WIDTH, 1)

        def forward(self, x: Any) -> Any:
            return self.last(self.blocks(self.words(x)).mean(1))

    return Model()


TASKS = {
    "lstm": Task(80, 1.5, lstm, torch_lstm),
    "transformer": Task(64, 1.2, transformer, torch_transformer),
}


# ------------------------------------------------------------------------------------------------------ steps


def torch_step(task: Task, x: np.ndarray, y: np.ndarray, batch: int) -> Callable[[int], None] | None:
    """A function that runs step number i in PyTorch, eager; None where it is not installed."""
    try:
        import torch
    except ImportError:
        return None
    torch.manual_seed(0)
    model = task.theirs(torch.nn)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    loss_of = torch.nn.BCEWithLogitsLoss()
    words, labels = torch.from_numpy(x), torch.from_numpy(y)
    count = len(x) // batch

    def step(i: int) -> None:
        first = i % count * batch
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(model(words[first : first + batch]), labels[first : first + batch])
        loss.backward()
        optimizer.step()

    return step


def measure(name: str, batch: int, rounds: int, clock: str) -> dict[str, Any]:
    """Time a model on both sides and print what came of it."""
    task, rng = TASKS[name], np.random.default_rng(0)
    x = rng.integers(0, WORDS, (BATCHES * batch, task.tokens), dtype=np.int32)
    y = rng.integers(0, 2, (len(x), 1)).astype(np.float32)
    model = task.ours()
    model.compile("adam", "binary_crossentropy")
    steps: dict[str, Any] = {"gputrain": our_step(model, x, y, batch)}
    theirs = torch_step(task, x, y, batch)
    if theirs is not None:
        steps["pytorch"] = theirs
    print(f"{name}: batch {batch}, {task.tokens} tokens, {clock} time")
    times = time_rounds(steps, rounds, CLOCKS[clock])
    result: dict[str, Any] = {
        "batch": batch,
        "tokens": task.tokens,
        "clock": clock,
        "median_ms": report(times),
    }
    quartiles = {side: statistics.quantiles(t, n=4)[0] for side, t in times.items()}
    result["lower_quartile_ms"] = quartiles
    if theirs is not None:
        for kind in ("median", "lower_quartile"):
            result[f"{kind}_ratio"] = result[f"{kind}_ms"]["gputrain"] / result[f"{kind}_ms"]["pytorch"]
        ratios = f"{result['median_ratio']:.3f} of medians, {result['lower_quartile_ratio']:.3f} of quartiles"
        print(f"ratio gputrain / pytorch: {ratios}; wanted: {task.limit} at most")
    else:
        print("pytorch is not installed: pip install torch", file=sys.stderr)
    print()
    return result


# ----------------------------------------------------------------------------------------------------- memory


def attention_bytes(tokens: int, batch: int) -> dict[str, int]:
    """What the training step of one attention plans, and what its scores would take."""
    x = layers.Input((tokens, WIDTH))
    model = gputrain.Model(x, layers.MultiHeadAttention(HEADS, WIDTH // HEADS)(x, x))
    model.compile("adam", "mse")
    planned = model.memory_plan(batch, "train").arena
    return {"tokens": tokens, "planned": planned, "scores": 4 * batch * HEADS * tokens * tokens}


def show_attention(batch: int) -> list[dict[str, int]]:
    """Print and return the planned bytes for each length."""
    rows = [attention_bytes(tokens, batch) for tokens in LENGTHS]
    print(f"attention: batch {batch}, width {WIDTH}, {HEADS} heads")
    print(f"{'tokens':>8}{'planned':>16}{'the scores alone':>20}{'planned per token':>20}")
    for row in rows:
        each = row["planned"] // (batch * row["tokens"])
        print(f"{row['tokens']:>8}{row['planned']:>16,}{row['scores']:>20,}{each:>20,}")
    return rows


def main() -> int:
    """Run the benchmark and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="*", choices=TASKS, default=list(TASKS), help="which to time")
    parser.add_argument("--batch", type=int, default=BATCH, help=f"sequences per step (default {BATCH})")
    parser.add_argument("--rounds", type=int, default=15, help="rounds of 10 steps (default 15)")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="what is measured (default wall)")
    parser.add_argument("--json", help="also write the figures to this file")
    options = parser.parse_args()
    result: dict[str, Any] = {"machine": platform.machine()}
    for name in options.models:
        result[name] = measure(name, options.batch, options.rounds, options.clock)
    result["attention"] = show_attention(options.batch)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
