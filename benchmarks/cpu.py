"""Times training steps on the CPU: gputrain with and without compiled kernels, beside other packages.

    PYTHONPATH=. python benchmarks/cpu.py [--only NAME ...] [--rounds 9] [--quick] [--json FILE]
    PYTHONPATH=. python benchmarks/cpu.py --python KERAS/bin/python     # where else packages are installed

All sides train the same network on the same data with Adam, each in a process of its own with as many threads
as it takes by itself. Their rounds take turns, so that a busy moment of the machine hits all. PyTorch and
Keras (on JAX and on TensorFlow) are measured where they are installed, in this environment or in that of
`--python`. A step is the gather of a batch, forward, loss, backward and update; Keras's is one of `fit`.

A ratio is ours, with compiled kernels, over that of the fastest peer. It is void, and said to be, unless the
machine was idle when its rounds began (load below 0.3) and repeats spread by at most 10%; a repeat is the
median of a third of the rounds. A floor is the arithmetic at the rate of the run's best product of 2,048
rows, plus the bytes of parameters, gradients, slots, inputs and stored activations, each once, at the rate of
its best copy.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:  # a plain checkout, nothing installed
    sys.path.insert(0, str(ROOT))

from benchmarks.on_cpu.worker import SIDES  # noqa: E402
from tests.networks import NETWORKS  # noqa: E402

OURS, NUMPY = "gputrain", "gputrain on NumPy"
SETTINGS = {
    OURS: {"GPUTRAIN_BACKEND": "numpy", "GPUTRAIN_CPU_KERNELS": "1"},
    NUMPY: {"GPUTRAIN_BACKEND": "numpy", "GPUTRAIN_CPU_KERNELS": "0"},
    "keras jax": {"KERAS_BACKEND": "jax"},
    "keras tensorflow": {"KERAS_BACKEND": "tensorflow"},
}
GOALS = {
    "reference CNN": 0.4,
    "ResNet-8": 0.55,
    "MLP": 0.8,
    "autoencoder": 0.85,
    "LSTM": 0.6,
    "Transformer": 0.7,
    "ResNet-18": 0.9,
}
NEAR_THE_FLOOR = 1.25  # a goal is also met at so many floors
IDLE = 0.3  # cores that other programs may keep busy
SPREAD = 0.1
REPEATS = 3
PAUSE = 0.2  # seconds before a round, so that the other sides' threads have stopped spinning
ROUND, QUICK_ROUND = 0.25, 0.05  # seconds
MOST_STEPS = 40  # of a round, and batches of data
PRODUCT, COPIED = 2048, 1 << 28  # rows, bytes
SHOWN = 15  # operations


# -------------------------------------------------------------------------------------------------- processes


class SideError(Exception):
    """A side that cannot be measured, and why."""


class Side:
    """One of those that are compared, in a process of its own.

    Args:
        name: of SIDES.
        pythons: interpreters to try in turn.

    Raises:
        SideError: none of them has the package.
    """

    def __init__(self, name: str, pythons: Sequence[str]) -> None:
        self.name, why = name, ""
        for python in pythons:
            self.process = self._start(python)
            hello = self._read()
            if "version" in hello:
                self.version, self.words = hello["version"], hello["words"]
                return
            self.close()
            why = why or hello.get("missing", "its process ended")
        raise SideError(why)

    def _start(self, python: str) -> subprocess.Popen[str]:
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        environment = {**os.environ, **SETTINGS.get(self.name, {}), "PYTHONPATH": path}
        command = [python, "-m", "benchmarks.on_cpu.worker", self.name]
        pipe = subprocess.PIPE
        # What libraries print as they load is no news here; failures are answered.
        return subprocess.Popen(
            command, env=environment, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
        )

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found: dict[str, Any] = json.loads(line) if line else {"failed": "its process ended"}
        return found

    def ask(self, what: str, *given: Any) -> Any:
        """The answer to a request."""
        assert self.process.stdin is not None
        try:
            print(json.dumps([what, *given]), file=self.process.stdin, flush=True)
        except BrokenPipeError:
            raise SideError("its process ended") from None
        reply = self._read()
        if "failed" in reply:
            raise SideError(reply["failed"])
        return reply["found"]

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


@contextmanager
def started(names: Sequence[str], pythons: Sequence[str]) -> Iterator[list[Side]]:
    """The sides that are installed; those that are not are named."""
    with ExitStack() as stack:
        sides = []
        for name in names:
            try:
                side = Side(name, pythons)
            except SideError as error:
                print(f"{name}: left out: {error}")
                continue
            stack.callback(side.close)
            sides.append(side)
            print(f"{name}: {side.version}, {side.words}")
        yield sides


def busy_cores(seconds: float) -> float:
    """How many cores were busy over a while, on average; where Linux does not tell, the load of a minute."""
    try:
        before = _ticks()
        time.sleep(seconds)
        busy, total = (b - a for a, b in zip(before, _ticks(), strict=True))
    except OSError:
        return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return (os.cpu_count() or 1) * busy / max(total, 1)


def _ticks() -> tuple[int, int]:
    """Of all cores: those that were busy, and all."""
    numbers = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return sum(numbers) - numbers[3] - numbers[4], sum(numbers)


# ------------------------------------------------------------------------------------------------ measurement


def measure(network: str, sides: Sequence[Side], rounds: int, seconds: float) -> dict[str, Any]:
    """Times of one network on all sides, in turn."""
    steps: dict[str, int] = {}
    failed: dict[str, str] = {}

    def ask(side: Side, what: str, *given: Any) -> Any:
        """The answer, or None from a side that failed; without ours there is nothing to compare."""
        if side.name in failed:
            return None
        try:
            return side.ask(what, *given)
        except SideError as error:
            if side.name == OURS:
                raise
            failed[side.name] = str(error)
            return None

    for side in sides:
        steps[side.name] = ask(side, "prepare", network, seconds, MOST_STEPS)
    time.sleep(PAUSE)
    load = busy_cores(1.0)
    rounds_of: dict[str, list[float]] = {side.name: [] for side in sides}
    for _ in range(rounds):
        for side in sides:
            time.sleep(PAUSE)
            taken = ask(side, "round", steps[side.name])
            if taken is not None:
                rounds_of[side.name].append(taken * 1e3 / steps[side.name])
    times = {name: each for name, each in rounds_of.items() if name not in failed}
    return {
        "load": load,
        "steps_of_a_round": steps,
        "failed": failed,
        "rounds_ms": times,
        "median_ms": {name: statistics.median(each) for name, each in times.items()},
        "spread": {name: spread(each) for name, each in times.items()},
    }


def spread(rounds: Sequence[float]) -> float:
    """How far the medians of thirds of the rounds are apart, as a part of the least."""
    ends = [len(rounds) * i // REPEATS for i in range(REPEATS + 1)]
    parts = [rounds[a:b] for a, b in pairwise(ends) if a < b]
    medians = [statistics.median(part) for part in parts]
    return max(medians) / min(medians) - 1


def rates(sides: Sequence[Side], quick: bool) -> dict[str, float]:
    """The best product and the best copy of all sides: flops and bytes, read or written, a second."""
    repeats = 3 if quick else 10
    alive = [side for side in sides if side.process.poll() is None]
    products = [side.ask("best", "product", PRODUCT, repeats) for side in alive]
    copies = [side.ask("best", "copy", COPIED, repeats) for side in alive]
    return {
        "flops_a_second": 2 * PRODUCT**3 / min(filter(None, products)),
        "bytes_a_second": 2 * COPIED / min(filter(None, copies)),
    }


def judge(network: str, found: dict[str, Any], rate: dict[str, float]) -> None:
    """Add the ratio, the floor, and what both say of the goal: nothing where they are void."""
    medians = found["median_ms"]
    work = found["work"]
    floor = work["flops"] / rate["flops_a_second"] + work["nbytes"] / rate["bytes_a_second"]
    found["floor_ms"], found["goal"] = floor * 1e3, GOALS[network]
    near = medians[OURS] <= NEAR_THE_FLOOR * found["floor_ms"]
    peers = [name for name in medians if name not in (OURS, NUMPY)]
    compared = [OURS]
    if peers:
        best = min(peers, key=lambda name: medians[name])
        found["best_peer"], found["ratio"] = best, medians[OURS] / medians[best]
        near = near or found["ratio"] <= found["goal"]
        compared.append(best)
    found["void"] = why_void(found, compared)
    found["met"] = None if found["void"] else near


def why_void(found: dict[str, Any], compared: Sequence[str]) -> str | None:
    """Why the ratio of these sides says nothing, or None."""
    reasons = [f"load {found['load']:.2f}"] if found["load"] >= IDLE else []
    for name in compared:
        if found["spread"][name] > SPREAD:
            reasons.append(f"{name} spread by {found['spread'][name]:.0%}")
    return ", ".join(reasons) or None


# ----------------------------------------------------------------------------------------------------- output


def show(results: dict[str, dict[str, Any]], names: Sequence[str]) -> None:
    """The table: milliseconds of a step, the ratio to the best peer, the floor."""
    print(f"\n{'ms a step':<15}" + "".join(f"{name:>18}" for name in names), end="")
    print(f"{'ratio':>8}{'goal':>6}{'floor':>8}{'/ floor':>9}  met")
    for network, found in results.items():
        medians = found["median_ms"]
        cells = [f"{medians[n]:.2f} +{found['spread'][n]:.0%}" if n in medians else "-" for n in names]
        ratio = f"{found['ratio']:.3f}" if "ratio" in found else "-"
        print(f"{network:<15}" + "".join(f"{cell:>18}" for cell in cells), end="")
        print(f"{ratio:>8}{found['goal']:>6}{found['floor_ms']:>8.2f}", end="")
        told = f"VOID: {found['void']}" if found["void"] else "yes" if found["met"] else "no"
        print(f"{medians[OURS] / found['floor_ms']:>9.2f}  {told}")
        for name, why in found["failed"].items():
            print(f"    {name} failed: {why}")
    added = ", ".join(f"{network} {found['fit_adds_ms']:.2f}" for network, found in results.items())
    print(f"ms that fit adds to a step: {added}")
    print("behind +: how far repeats spread; ratio: gputrain with compiled kernels / the fastest peer")


def show_operations(network: str, rows: Sequence[Sequence[Any]]) -> None:
    """Where a step's time goes."""
    total = sum(row[2] for row in rows)
    print(f"\n{network}: {total:.2f} ms in operations, each timed alone")
    for op, path, milliseconds in rows[:SHOWN]:
        print(f"{milliseconds:>9.3f} ms {milliseconds / total:>5.0%}  {op:<26}{path}")
    rest = sum(row[2] for row in rows[SHOWN:])
    print(f"{rest:>9.3f} ms {rest / total:>5.0%}  the other {max(0, len(rows) - SHOWN)}")


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure everything, and print it."""
    rounds = options.rounds or (3 if options.quick else 9)
    seconds = QUICK_ROUND if options.quick else ROUND
    pythons = [sys.executable, *options.python]
    with started([n for n in SIDES if n in (OURS, NUMPY) or not options.no_peers], pythons) as sides:
        ours = next((side for side in sides if side.name == OURS), None)
        if ours is None:
            raise SideError("it does not start")
        networks: dict[str, dict[str, Any]] = {}
        for network in options.only:
            found = networks[network] = measure(network, sides, rounds, seconds)
            medians = ", ".join(f"{name} {ms:.2f}" for name, ms in found["median_ms"].items())
            print(f"{network}: load {found['load']:.2f}; ms a step: {medians}", flush=True)
            found["work"] = ours.ask("work")
            fit = ours.ask("fit_adds", found["steps_of_a_round"][OURS], 2 if options.quick else 3)
            found["fit_adds_ms"] = fit * 1e3
            if options.operations:
                found["operations"] = ours.ask("operations", 3 if options.quick else 20)
        rate = rates(sides, options.quick)
        for network, found in networks.items():
            judge(network, found, rate)
        print(f"best product {rate['flops_a_second'] / 1e9:.0f} GFLOP/s", end=", ")
        print(f"best copy {rate['bytes_a_second'] / 1e9:.1f} GB/s")
        show(networks, [side.name for side in sides])
        for network, found in networks.items():
            if options.operations:
                show_operations(network, found["operations"])
        return {
            "machine": platform.machine(),
            "cores": os.cpu_count(),
            "versions": {side.name: f"{side.version}, {side.words}" for side in sides},
            "rates": rate,
            "networks": networks,
        }


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options."""
    as_is = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_is)
    add, names = parser.add_argument, list(NETWORKS)
    add("--only", nargs="+", choices=names, default=names, metavar="NAME", help=f"of {names}; default: all")
    add("--rounds", type=int, help="of each side (default 9; 3 with --quick)")
    add("--quick", action="store_true", help="fewer and shorter rounds: a first look")
    add("--no-peers", action="store_true", help="gputrain alone")
    add("--python", action="append", default=[], metavar="FILE", help="another interpreter with peers")
    add("--operations", action="store_true", help="also show where the time of our step goes")
    add("--json", help="also write the figures to this file")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print the table."""
    options = parse(arguments)
    try:
        result = run(options)
    except SideError as error:
        print(f"gputrain failed: {error}", file=sys.stderr)
        return 1
    if options.json:
        Path(options.json).write_text(json.dumps(result, indent=2), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
