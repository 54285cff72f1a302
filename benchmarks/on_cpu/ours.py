"""gputrain's side: the training step as fit runs it, its floor, and where its time goes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np

import gputrain
from benchmarks.on_cpu.floors import Work, work_of
from gputrain.data import make_arrays
from gputrain.data.sources import Batch
from gputrain.models.training.loop import train_on
from tests.networks import Network


def our_step(model: gputrain.Model, x: np.ndarray, y: np.ndarray, batch: int) -> Callable[[int], None]:
    """A function that runs training step number i as fit does: batch gathered, step run, nothing fetched."""
    arrays = make_arrays(x, y)
    count, order = len(x) // batch, np.arange(len(x))

    def step(i: int) -> None:
        first = i % count * batch
        train_on(model, Batch(arrays, order, first, first + batch))

    return step


class Ours:
    """gputrain in a process of its own; whether with compiled kernels, the configuration says."""

    def __init__(self) -> None:
        self.version = gputrain.__version__
        self.words = gputrain.backend.current_device().description

    def prepare(self, network: Network, steps: int) -> None:
        """Build the model, and data for so many steps."""
        gputrain.config.set_seed(0)
        self.network = network
        self.model = network.build(gputrain)
        self.x, self.y = network.data(steps)
        self.step = our_step(self.model, self.x, self.y, network.batch)

    def round(self, steps: int) -> float:
        """Seconds of so many steps."""
        start = time.perf_counter()
        for i in range(steps):
            self.step(i)
        return time.perf_counter() - start

    def fit_adds(self, steps: int, repeats: int) -> float:
        """Seconds that a step of fit takes beyond the bare step, over two epochs of so many steps."""
        bare = min(self.round(2 * steps) for _ in range(repeats))
        fit = min(self._fit(steps) for _ in range(repeats))
        return (fit - bare) / (2 * steps)

    def _fit(self, steps: int) -> float:
        batch = self.network.batch
        x, y = self.x[: steps * batch], self.y[: steps * batch]
        start = time.perf_counter()
        self.model.fit(x, y, batch_size=batch, epochs=2, shuffle=False, verbose=0)
        return time.perf_counter() - start

    def _executable(self) -> Any:
        arrays = make_arrays(self.x, self.y)
        return self.model._traced_programs.get("train", arrays, self.network.batch).executable

    def work(self) -> Work:
        """What a step must do at least."""
        return work_of(self.model, self._executable().plan, self.network.batch)

    def operations(self, steps: int) -> list[tuple[str, str, float]]:
        """Operation, layer and milliseconds of a step for each; the longest first."""
        executable = self._executable()
        nodes = [node for node in executable.graph.nodes if executable._runs(node)]
        seconds: dict[tuple[str, str], float] = defaultdict(float)
        with executable.device.running():
            for _ in range(steps):
                for node, thunk in zip(nodes, executable.thunks, strict=False):
                    start = time.perf_counter()
                    thunk()
                    seconds[type(node.op).__name__, node.path] += time.perf_counter() - start
        rows = [(op, path, total / steps * 1e3) for (op, path), total in seconds.items()]
        return sorted(rows, key=lambda row: -row[2])

    def product(self, rows: int) -> float:
        """Seconds of a product of two square matrices."""
        a = np.ones((rows, rows), np.float32)
        start = time.perf_counter()
        a @ a
        return time.perf_counter() - start

    def copy(self, nbytes: int) -> float:
        """Seconds of a copy, into memory that was written before."""
        if getattr(self, "_source", None) is None:
            self._source, self._target = np.ones(nbytes, np.uint8), np.ones(nbytes, np.uint8)
        start = time.perf_counter()
        np.copyto(self._target, self._source)
        return time.perf_counter() - start
