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
from dataclasses import replace
from typing import Any

import numpy as np

import gputrain
from benchmarks.on_cpu import torch_peer
from benchmarks.on_cpu.ours import our_step
from gputrain import layers
from tests.networks import HEADS, NETWORKS, WIDTH, Network

TASKS = {"lstm": "LSTM", "transformer": "Transformer"}
BATCH = 64
STEPS_PER_ROUND = 10
PAUSE = 0.2  # seconds before a round, so that the other side's threads have stopped spinning
LENGTHS = (256, 512, 1024)  # tokens of the attention whose memory is shown
BATCHES = 8  # of different data
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


# ------------------------------------------------------------------------------------------------------ steps


def their_step(network: Network, x: np.ndarray, y: np.ndarray, batch: int) -> Callable[[int], None] | None:
    """A function that runs step number i in PyTorch, eager; None where it is not installed."""
    try:
        import torch
    except ImportError:
        return None
    torch.manual_seed(0)
    model = torch_peer.MODELS[network.make.__name__](torch.nn)
    return torch_peer.torch_step(network, model, x, y, batch)


def time_rounds(
    steps: dict[str, Callable[[int], None]], rounds: int, clock: Callable[[], float]
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


def measure(name: str, batch: int, rounds: int, clock: str) -> dict[str, Any]:
    """Time a model on both sides and print what came of it."""
    network = replace(NETWORKS[TASKS[name]], batch=batch)
    (tokens,) = network.shape
    x, y = network.data(BATCHES)
    steps: dict[str, Any] = {"gputrain": our_step(network.build(gputrain), x, y, batch)}
    theirs = their_step(network, x, y, batch)
    if theirs is not None:
        steps["pytorch"] = theirs
    print(f"{name}: batch {batch}, {tokens} tokens, {clock} time")
    times = time_rounds(steps, rounds, CLOCKS[clock])
    result: dict[str, Any] = {
        "batch": batch,
        "tokens": tokens,
        "clock": clock,
        "median_ms": report(times),
    }
    quartiles = {side: statistics.quantiles(t, n=4)[0] for side, t in times.items()}
    result["lower_quartile_ms"] = quartiles
    if theirs is not None:
        for kind in ("median", "lower_quartile"):
            result[f"{kind}_ratio"] = result[f"{kind}_ms"]["gputrain"] / result[f"{kind}_ms"]["pytorch"]
        ratios = f"{result['median_ratio']:.3f} of medians, {result['lower_quartile_ratio']:.3f} of quartiles"
        print(f"ratio gputrain / pytorch: {ratios}")
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
