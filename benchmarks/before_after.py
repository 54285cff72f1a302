"""Compares two checkouts of gputrain in one run: training steps of two models, and the time of an import.

    python benchmarks/before_after.py BEFORE AFTER [--pairs 30] [--steps 20] [--threads 1] [--json FILE]

Each measurement is a process of its own, and the two checkouts take turns (before after, after before ...),
so that a busy moment of the machine hits both. A process builds the model, warms it up, and times each step
of a fit, or imports gputrain where NumPy is loaded. Wall time and CPU time are both shown: where other
programs run, CPU time says more. Quartiles are those over the processes; a process counts by the lower
quartile of its steps.

Below them stand the counters of both sides: functions of gputrain that a step of fit enters, calls that the
plan of a step holds, bytes of its memory, and modules that an import loads.

The exit code is 1 where a ratio of lower quartiles of CPU time is above --limit, or a counter rose.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

SIDES = ("before", "after")
CLOCKS = {"cpu": time.process_time, "wall": time.perf_counter}
WARM_UP = 3  # steps of the fit that are timed but not counted
BATCH = 128
MODELS = ("reference CNN", "MLP")
WORKLOADS = (*MODELS, "import")

# A program of its own, which loads nothing that gputrain may load.
IMPORT = """
import sys, time
import numpy
known = set(sys.modules)
start = time.process_time(), time.perf_counter()
import gputrain
end = time.process_time(), time.perf_counter()
modules = len(set(sys.modules) - known)
import json
cpu, wall = ((e - s) * 1e3 for s, e in zip(start, end))
print(json.dumps({"cpu": cpu, "wall": wall, "counters": {"modules": modules}}))
"""


# ---------------------------------------------------------------------------- in the process that is measured


def measure_model(workload: str, steps: int) -> dict[str, Any]:
    """The lower quartile over the steps of a warm fit by each clock, in milliseconds, and the counters."""
    import numpy as np

    import gputrain

    gputrain.utils.set_random_seed(0)
    model = make_model(workload, gputrain)
    count = BATCH * (steps + WARM_UP)
    x = np.random.default_rng(0).random((count, *model.input_shape[1:]), dtype="float32")
    y = np.arange(count) % 10
    model.fit(x[: 2 * BATCH], y[: 2 * BATCH], batch_size=BATCH, verbose=0)
    marks: list[dict[str, float]] = []
    watch = gputrain.callbacks.LambdaCallback(on_train_batch_begin=lambda batch, logs: marks.append(_now()))
    model.fit(x, y, batch_size=BATCH, verbose=0, callbacks=[watch])
    times = [_milliseconds(*pair) for pair in zip(marks[WARM_UP:], marks[WARM_UP + 1 :], strict=False)]
    found = {clock: _lower_quartile(time[clock] for time in times) for clock in CLOCKS}
    return {**found, "counters": count_step(model, lambda n: (x[: n * BATCH], y[: n * BATCH]))}


def make_model(workload: str, keras: Any) -> Any:
    """One of the models, by public names alone."""
    layers = keras.layers
    bodies = {
        "reference CNN": lambda: [
            layers.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.5),
        ],
        "MLP": lambda: [layers.Input((784,)), *(layers.Dense(512, activation="relu") for _ in range(2))],
    }
    model = keras.Sequential([*bodies[workload](), layers.Dense(10, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def count_step(model: Any, data: Callable[[int], tuple[Any, Any]]) -> dict[str, int]:
    """Numbers that are the same in each run: what a step of fit calls, and what its plan holds."""
    few, many = (
        count_functions(lambda n=n: model.fit(*data(n), batch_size=BATCH, verbose=0)) for n in (2, 4)
    )
    return {
        "functions per step": (many - few) // 2,
        "planned calls": len(_training_thunks(model)),
        "arena bytes": model.memory_plan(BATCH, "train").arena,
    }


def count_functions(run: Callable[[], Any]) -> int:
    """How many functions of gputrain are entered while `run` runs."""
    import gputrain

    package = str(Path(gputrain.__file__).parent)
    entered = 0

    def profile(frame: Any, event: str, argument: Any) -> None:
        nonlocal entered
        entered += event == "call" and frame.f_code.co_filename.startswith(package)

    sys.setprofile(profile)
    try:
        run()
    finally:
        sys.setprofile(None)
    return entered


def _training_thunks(model: Any) -> list[Any]:
    """The planned calls of the training step that ran last: the one place that reaches into gputrain."""
    cache = getattr(model, "_traced_programs", None) or model._programs  # as it was called before
    return next(p for p in reversed(cache._programs.values()) if p.kind == "train").executable.thunks


def _now() -> dict[str, float]:
    return {name: clock() for name, clock in CLOCKS.items()}


def _milliseconds(start: dict[str, float], end: dict[str, float]) -> dict[str, float]:
    return {clock: (end[clock] - start[clock]) * 1e3 for clock in CLOCKS}


# ---------------------------------------------------------------------------------- in the one that compares


def run_pairs(
    checkouts: dict[str, Path],
    workload: str,
    pairs: int,
    steps: int,
    threads: int,
    keep: Callable[[Any], None],
) -> dict[str, list[Any]]:
    """What each side's processes found. The sides take turns, and take turns at being first.

    Args:
        checkouts: the folder of each side.
        pairs: processes of each side that count; one more of each, which compiles the bytecode, does not.
        keep: is given each finding at once.
    """
    found: dict[str, list[Any]] = {side: [] for side in SIDES}
    with tempfile.TemporaryDirectory() as bytecode:
        for pair in range(pairs + 1):
            for side in SIDES if pair % 2 else reversed(SIDES):
                result = run_one(checkouts[side], workload, steps, threads, bytecode)
                if pair:
                    found[side].append(result)
                    keep({"workload": workload, "pair": pair, "side": side, **result})
    return found


def run_one(checkout: Path, workload: str, steps: int, threads: int, bytecode: str) -> Any:
    """What a fresh process finds, with the gputrain of a checkout.

    Args:
        bytecode: folder for Python's compiled modules, so that none is written into the checkout.

    Raises:
        SystemExit: it failed; its last words are shown.
    """
    ignored = ("GPUTRAIN_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: text for name, text in os.environ.items() if not name.startswith(ignored)}
    limits = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    ours = {"PYTHONPATH": str(checkout), "GPUTRAIN_BACKEND": "numpy", "GPUTRAIN_THREADS": str(threads)}
    ours["PYTHONPYCACHEPREFIX"] = bytecode
    model = [str(Path(__file__).resolve()), "--measure", workload, "--steps", str(steps)]
    command = [sys.executable, *(["-c", IMPORT] if workload == "import" else model)]
    environment = {**kept, **limits, **ours}
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{workload} failed in {checkout}:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def summarize(found: dict[str, list[Any]]) -> dict[str, Any]:
    """Minimum, lower quartile and median of each side by each clock, their ratios, and the counters."""
    summary: dict[str, Any] = {clock: {} for clock in CLOCKS}
    for clock in CLOCKS:
        times = {side: [result[clock] for result in found[side]] for side in SIDES}
        for name, of in (
            ("minimum", min),
            ("lower quartile", _lower_quartile),
            ("median", statistics.median),
        ):
            before, after = of(times["before"]), of(times["after"])
            summary[clock][name] = {"before": before, "after": after, "ratio": after / before}
    counters = {side: found[side][-1]["counters"] for side in SIDES}
    summary["counters"] = {
        name: {"before": number, "after": counters["after"][name]}
        for name, number in counters["before"].items()
    }
    return summary


def _lower_quartile(values: Iterable[float]) -> float:
    ordered = list(values)
    return statistics.quantiles(ordered, n=4, method="inclusive")[0] if len(ordered) > 1 else ordered[0]


def table(workload: str, summary: dict[str, Any]) -> str:
    """The summary as text."""
    lines = [f"{workload:<24}{'before':>14}{'after':>14}{'ratio':>8}"]
    for clock in CLOCKS:
        for name, row in summary[clock].items():
            label = f"  {clock} ms, {name}"
            lines.append(f"{label:<24}{row['before']:>14.3f}{row['after']:>14.3f}{row['ratio']:>8.3f}")
    for name, row in summary["counters"].items():
        label = f"  {name}"
        lines.append(f"{label:<24}{row['before']:>14,}{row['after']:>14,}")
    return "\n".join(lines)


def faults(workload: str, summary: dict[str, Any], limit: float) -> list[str]:
    """What got worse: a line each."""
    ratio = summary["cpu"]["lower quartile"]["ratio"]
    slower = [f"{workload}: CPU time is {ratio:.3f} times what it was"] if ratio > limit else []
    return slower + [
        f"{workload}: {name} rose from {row['before']:,} to {row['after']:,}"
        for name, row in summary["counters"].items()
        if row["after"] > row["before"]
    ]


def main(arguments: list[str] | None = None) -> int:
    """Measure both sides, print the tables, and return the exit code."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    if options.measure:
        print(json.dumps(measure_model(options.measure, options.steps)))
        return 0
    if len(options.checkouts) != len(SIDES):
        parser.error(f"give the folders of two checkouts. Received: {len(options.checkouts)}")
    checkouts = dict(zip(SIDES, (Path(path).resolve() for path in options.checkouts), strict=True))
    found_faults: list[str] = []
    for workload in options.workloads:
        found = run_pairs(
            checkouts, workload, options.pairs, options.steps, options.threads, _writer(options.json)
        )
        summary = summarize(found)
        print(table(workload, summary), end="\n\n", flush=True)
        _writer(options.json)({"workload": workload, "pairs": options.pairs, "summary": summary})
        found_faults += faults(workload, summary, options.limit)
    print("\n".join(found_faults) or f"No ratio of CPU time is above {options.limit}, and no counter rose.")
    return int(bool(found_faults))


def _writer(path: str | None) -> Callable[[Any], None]:
    """A function that adds a line to a file; where none is named, it does nothing."""

    def write(record: Any) -> None:
        if path is not None:
            with open(path, "a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")

    return write


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkouts", nargs="*", metavar="CHECKOUT", help="folders: before, after")
    parser.add_argument("--pairs", type=int, default=30, help="processes of each side (default 30)")
    parser.add_argument("--steps", type=int, default=20, help="steps that a process times (default 20)")
    parser.add_argument("--threads", type=int, default=1, help="threads of BLAS and gputrain (default 1)")
    parser.add_argument(
        "--limit", type=float, default=1.05, help="highest ratio that is allowed (default 1.05)"
    )
    parser.add_argument(
        "--workloads", nargs="+", choices=WORKLOADS, default=WORKLOADS, help="what to measure"
    )
    parser.add_argument("--json", metavar="FILE", help="add each finding to this file, a line of JSON each")
    parser.add_argument("--measure", choices=MODELS, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
