"""How long a model of 100 MB takes to be saved, and what loading it takes in memory.

In Keras's environment (tests/parity/README.md), so that both packages save in one run, in turns:

    python -m benchmarks.files

Without Keras, only gputrain's own figures are printed. Memory is measured where Linux tells it.
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

LAYERS, UNITS = 10, 1600  # 10 kernels of 10 MB: no variable takes more than a tenth
TURNS = 7


def network(package: Any) -> Any:
    """A stack of Dense layers, 103 MB of weights."""
    stack = [package.layers.Dense(UNITS, activation="relu") for _ in range(LAYERS)]
    return package.Sequential([package.Input((UNITS,)), *stack])


def seconds(action: Callable[[], object]) -> float:
    """How long an action takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def in_turns(actions: dict[str, Callable[[], object]]) -> dict[str, float]:
    """The median time of each action; they take turns, so that a busy machine slows all of them."""
    taken: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(TURNS):
        for name, action in actions.items():
            taken[name].append(seconds(action))
    return {name: statistics.median(times) for name, times in taken.items()}


def write_and_sync(path: Path, content: bytes) -> None:
    """The least that a safe write takes."""
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def saving(folder: Path) -> None:
    """Print times of saving, and their ratios."""
    import gputrain

    model = network(gputrain)
    content = np.random.default_rng(0).bytes(sum(w.numpy().nbytes for w in model.weights))
    actions: dict[str, Callable[[], object]] = {
        "gputrain, .keras": lambda: model.save(folder / "g.keras"),
        "gputrain, .safetensors": lambda: model.save_weights(folder / "g.safetensors"),
        "write and sync as many bytes": lambda: write_and_sync(folder / "raw", content),
    }
    if importlib.util.find_spec("keras") is not None:
        os.environ.update(KERAS_BACKEND="jax", JAX_PLATFORMS="cpu")
        import keras

        other = network(keras)
        actions["Keras, .keras"] = lambda: other.save(folder / "k.keras")
    times = in_turns(actions)
    for name, taken in times.items():
        print(f"{taken:7.3f} s  {name}")
    if "Keras, .keras" in times:
        print(f"{times['gputrain, .keras'] / times['Keras, .keras']:7.2f}    .keras, of Keras's time")
    ratio = times["gputrain, .safetensors"] / times["write and sync as many bytes"]
    print(f"{ratio:7.2f}    .safetensors, of the time of writing and syncing")


# ----------------------------------------------------------------------------------------------------- memory


def _memory(key: str, process: int | str = "self") -> int:
    """A figure of /proc/PID/status in bytes."""
    text = Path(f"/proc/{process}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith(key))


def load(path: str) -> None:
    """Load a model in this process, and print what it took in memory: here, and in the process that reads."""
    import gputrain
    from gputrain.saving.files import hdf5

    small = gputrain.Sequential([gputrain.Input((3,)), gputrain.layers.Dense(2)])
    with tempfile.TemporaryDirectory() as name:  # imports what loading needs
        small.save(Path(name) / "small.keras")
        gputrain.models.load_model(Path(name) / "small.keras")
    children: list[int] = []
    close = hdf5.Hdf5File.close

    def closing(file: Any) -> None:
        children.append(_memory("RssAnon", file._child.pid))
        close(file)

    hdf5.Hdf5File.close = closing  # type: ignore[method-assign, assignment]
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here on
    before = _memory("VmRSS")
    taken = seconds(lambda: setattr(load, "model", gputrain.models.load_model(path)))
    here, own = _memory("VmHWM") - before, sum(children)
    weights = sum(w.spec.nbytes for w in load.model.weights)  # type: ignore[attr-defined]
    print(
        f"{Path(path).name}: {taken:.2f} s; {here / weights:.2f} x the weights here, and "
        f"{(here + own) / weights:.2f} with the {own >> 20} MB of the process that reads, "
        "without the files of libraries"
    )


def main() -> None:
    """Measure in a folder of its own."""
    if len(sys.argv) > 1:
        load(sys.argv[1])
        return
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name)
        saving(folder)
        if Path("/proc/self/clear_refs").exists():
            for file in sorted(folder.glob("*.keras")):
                subprocess.run([sys.executable, "-m", "benchmarks.files", str(file)], check=True)


if __name__ == "__main__":
    main()
