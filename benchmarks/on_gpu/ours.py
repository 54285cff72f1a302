"""gputrain's side: the training step as fit runs it, on data that lies on the device."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

import gputrain
from benchmarks.on_gpu.tasks import (
    ADAM_EPSILON,
    LEARNING_RATE,
    NORM_EPSILON,
    NORM_MOMENTUM,
    SEED,
    Data,
    Part,
    Task,
)
from gputrain import callbacks, config, layers, ops
from gputrain.backend.base import OnHost, leaves
from gputrain.backend.cupy.launch import launches
from gputrain.data import make_arrays
from gputrain.data.sources import ArraySource, Batch
from gputrain.models.program import Program
from gputrain.models.training.loop import train_on

NO_KERNELS = ("copy", "memory_set")  # what the driver does by itself


@contextmanager
def using(backend: str) -> Iterator[None]:
    """Within it, models are made on this backend, the first of them with the same weights each time."""
    before = config.get("backend")
    config.set_backend(backend)
    config.set_seed(SEED)
    try:
        yield
    finally:
        config.put("backend", before[0] if before[1] == "set" else None)


class GlobalMean(layers.Layer):
    """The mean over the places of an image."""

    def call(self, x: Any) -> Any:
        """(N, H, W, C) to (N, C)."""
        return ops.mean(x, axis=(1, 2))


def _conv(part: Part, x: Any, kernel: int = 3) -> Any:
    padding = "same" if part.same or kernel == 1 else "valid"
    layer = layers.Conv2D(part.size, kernel, part.stride, padding, use_bias=part.bias, name=part.name)
    return layer(x)


def _norm(name: str, x: Any) -> Any:
    return layers.BatchNormalization(momentum=NORM_MOMENTUM, epsilon=NORM_EPSILON, name=name)(x)


APPLIED: dict[str, Callable[[Part, Any], Any]] = {
    "conv": _conv,
    "norm": lambda part, x: _norm(part.name, x),
    "relu": lambda part, x: layers.ReLU()(x),
    "pool": lambda part, x: layers.MaxPooling2D(part.size)(x),
    "dropout": lambda part, x: layers.Dropout(part.rate, name=part.name)(x),
    "flatten": lambda part, x: layers.Flatten()(x),
    "dense": lambda part, x: layers.Dense(part.size, name=part.name)(x),
    "mean": lambda part, x: GlobalMean()(x),
}


def _project(part: Part, x: Any) -> Any:
    bare = Part("conv", f"{part.name}_conv", part.size, part.stride, bias=False)
    return _norm(f"{part.name}_norm", _conv(bare, x, kernel=1))


def build(task: Task) -> gputrain.Model:
    """The compiled model of a task, on the configured backend."""
    inputs = layers.Input(task.shape)
    x = kept = inputs
    for part in task.parts:
        if part.kind == "save":
            kept = x
        elif part.kind == "project":
            kept = _project(part, kept)
        elif part.kind == "add":
            x = layers.Add()([x, kept])
        else:
            x = APPLIED[part.kind](part, x)
    model = gputrain.Model(inputs, layers.Softmax()(x), name=task.name.replace("-", "_"))
    optimizer = gputrain.optimizers.Adam(LEARNING_RATE, epsilon=ADAM_EPSILON)
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class Ours:
    """A model in training.

    Args:
        task, data: what is trained on what.
        epochs: of one round.
    """

    name = "gputrain"

    def __init__(self, task: Task, data: Data, epochs: int = 1) -> None:
        self.task, self.data, self.epochs = task, data, epochs
        self.model = build(task)
        self.arrays = make_arrays(data.x, data.y)
        self.source = ArraySource(self.arrays, task.batch, shuffle=True)
        self.device = self.model.step_counter.device
        self._number = 0
        self.model._traced_programs.refresh()

    def weights(self) -> dict[str, list[np.ndarray]]:
        """Weights by layer, those without any left out."""
        found = {layer.name: layer.get_weights() for layer in self.model.layers}
        return {name: arrays for name, arrays in found.items() if arrays}

    def round(self) -> None:
        """Train for some epochs, each with an order of its own; the device may still be at work after it."""
        for _ in range(self.epochs):
            for batch in self.source.epoch(self._number):
                train_on(self.model, batch)
            self._number += 1

    def wait(self) -> None:
        """Let the device finish."""
        stream = getattr(self.device, "stream", None)
        if stream is not None:
            stream.synchronize()

    def losses(self, batches: Sequence[np.ndarray], poison: bool = True) -> list[float]:
        """The loss of each training step on these rows.

        Args:
            batches: row numbers of each.
            poison: overwrite the step's memory before it, so that what is read before it is written shows.
        """
        return [self._loss(Batch(self.arrays, rows, 0, len(rows)), poison) for rows in batches]

    def _loss(self, batch: Batch, poison: bool) -> float:
        self.model.reset_metrics()
        program = self.program()
        if poison:
            with self.device.running():
                program.executable.poison()
        program.run(batch)
        return program.logs()["loss"]

    def inference_loss(self, rows: np.ndarray) -> float:
        """The loss without dropout, with the moving statistics."""
        found = self.model.evaluate(self.data.x[rows], self.data.y[rows], batch_size=len(rows), verbose=0)
        return float(found[0])

    def program(self) -> Program:
        """The traced training step."""
        return self.model._traced_programs.get("train", self.arrays, self.task.batch)


def list_launches(task: Task, data: Data) -> dict[str, Any]:
    """All that one training step launches, by name, after it was recorded."""
    side = Ours(task, data)
    order = np.arange(3 * task.batch) % len(data.x)
    for start in range(0, len(order), task.batch):
        program = train_on(side.model, Batch(side.arrays, order, start, start + task.batch))
    recorded: Any = next(iter(program.executable._programs.values()))
    names = [name for thunk in recorded.thunks for name in launches(thunk)]
    hosted = [leaf.name for thunk in recorded.thunks for leaf in leaves(thunk) if isinstance(leaf, OnHost)]
    copies = [name for name in names if name in NO_KERNELS]
    parts = recorded.parts
    return {
        "model": task.title,
        "names": names,
        "launches": len(names) - len(copies),
        "copies": len(copies),
        "on_the_host": hosted,
        "graphs_and_parts": None if parts is None else len(parts),
    }


class EpochTimes(callbacks.Callback):
    """Wall clock of each epoch of fit; at its end the metrics have been fetched, so the device is done."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self.clock, self.milliseconds = clock, list[float]()
        self._began = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Take the time."""
        self._began = self.clock()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Take the time again."""
        self.milliseconds.append((self.clock() - self._began) * 1e3)


def time_epochs(task: Task, data: Data, epochs: int, clock: Callable[[], float]) -> list[float]:
    """Milliseconds of each epoch of fit; the first ones compile and record."""
    times = EpochTimes(clock)
    model = build(task)
    model.fit(data.x, data.y, batch_size=task.batch, epochs=epochs, verbose=0, callbacks=[times])
    return times.milliseconds
