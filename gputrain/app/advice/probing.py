"""A look into the model: outputs of its relus and its predictions for a few samples."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gputrain import activations, ops
from gputrain.app.advice.record import ProbeResult, ReluUnits
from gputrain.app.advice.task import Task
from gputrain.data.arrays import on_host
from gputrain.layers.activation.activation import ReLU
from gputrain.models import Model
from gputrain.utils import tree

MOST_SAMPLES, MOST_BYTES, BATCH = 512, 2**26, 64
LEAST_SAMPLES = 16
# Moving statistics that keep the share m of the old ones per step are near the true ones (95%) after
# 3 / (1 - m) steps. Before that a model in inference is not the one that is trained, and tells nothing of it.
SETTLED = 3.0


class Probe:
    """Runs a few samples through a model's own layers, by a model of its own over them.

    Nothing of the training is touched: no weight, metric or counter is written, and the steps that were
    traced for it stay as they are.

    Args:
        model: a built functional or Sequential model.
        x: training inputs, an array or a structure of arrays, (N, ...) each.
        task: what is learned.
    """

    def __init__(self, model: Any, x: Any, task: Task) -> None:
        relus = _relu_outputs(model)
        self._layers = [name for name, _ in relus]
        self._task = task
        self._settled = steps_to_settle(model)
        output = model.outputs[0] if len(model.outputs) == 1 else None
        self._predicts = task.labels is not None and output is not None and output.ndim == 2
        outputs = [value for _, value in relus] + ([output] if self._predicts else [])
        self._model: Any = Model(model.input, outputs, name=f"{model.name}_probe") if outputs else None
        self._rows = _rows(x, task.labels)
        self._x = tree.map_leaves(lambda a: on_host(a)[self._rows], x)

    def look(self, epoch: int, steps: int) -> ProbeResult | None:
        """The model as it is after `epoch`, counted from 1, and all its `steps`.

        None where there is nothing to look at, or moving statistics are not settled yet.
        """
        if self._model is None or steps < self._settled:
            return None
        found = tree.flatten(self._model.predict(self._x, batch_size=BATCH, verbose=0))
        relus = tuple(
            ReluUnits(name, int((a.max(0) <= 0).sum()), a.shape[1])
            for name, a in zip(self._layers, found, strict=False)
        )
        return self._with_classes(epoch, relus, found[-1]) if self._predicts else ProbeResult(epoch, relus)

    def _with_classes(self, epoch: int, relus: tuple[ReluUnits, ...], output: np.ndarray) -> ProbeResult:
        assert self._task.labels is not None
        labels = self._task.labels[self._rows]
        taken = output.argmax(1) if output.shape[1] > 1 else (output[:, 0] > self._task.threshold).astype(int)
        classes = max(2, output.shape[1])
        present = np.bincount(labels, minlength=classes)
        right = np.bincount(labels[taken == labels], minlength=classes)
        accuracy = float((right[present > 0] / present[present > 0]).mean())
        return ProbeResult(epoch, relus, np.bincount(taken, minlength=classes), present, accuracy)


def is_functional(model: Any) -> bool:
    """Whether the model is given by a graph of layers, as Sequential and Model(inputs, outputs) are."""
    return getattr(model, "graph", None) is not None


def steps_to_settle(model: Any) -> float:
    """After how many steps the moving statistics of the model's layers can be believed."""
    kept = [layer.momentum for layer in model.all_layers() if layer.trainable and _has_statistics(layer)]
    return max((SETTLED / (1.0 - m) if m < 1.0 else math.inf for m in kept), default=0.0)


def _has_statistics(layer: Any) -> bool:
    return isinstance(getattr(layer, "momentum", None), int | float) and hasattr(layer, "moving_mean")


def _relu_outputs(model: Any) -> list[tuple[str, Any]]:
    """(layer, its units' largest outputs per sample, (N, units)) of each call of a relu layer."""
    first = any(getattr(layer, "data_format", None) == "channels_first" for layer in model.layers)
    found = []
    for node in model.graph.nodes:
        layer = getattr(node.op, "layer", None)
        if layer is None or not _is_relu(layer) or node.outputs[0].ndim < 2:
            continue
        value = node.outputs[0]
        channels = 1 if first and value.ndim == 4 else value.ndim - 1
        places = tuple(axis for axis in range(1, value.ndim) if axis != channels)
        found.append((layer.name, ops.max(value, axis=places) if places else value))
    return found


def _is_relu(layer: Any) -> bool:
    if isinstance(layer, ReLU):
        return layer.negative_slope == 0
    return getattr(layer, "activation", None) in (activations.relu, activations.get("relu6"))


def _rows(x: Any, labels: np.ndarray | None) -> np.ndarray:
    """Rows of the samples to look at: as many of each class as can be, else evenly spread. In order."""
    leaves = tree.flatten(x)
    count = len(leaves[0])
    size = sum(math.prod(leaf.shape[1:]) * leaf.dtype.itemsize for leaf in leaves)
    limit = min(count, MOST_SAMPLES, max(LEAST_SAMPLES, MOST_BYTES // max(1, size)))
    if labels is None or limit == count:
        return np.unique(np.linspace(0, count - 1, limit).astype(np.int64))
    counts = np.bincount(labels)
    classes = np.argsort(counts, kind="stable")
    classes = classes[counts[classes] > 0][: max(1, limit // 4)]  # the rare ones, if there are too many
    quota = max(1, limit // len(classes))
    return np.sort(np.concatenate([_spread(np.flatnonzero(labels == c), quota) for c in classes]))


def _spread(rows: np.ndarray, most: int) -> np.ndarray:
    return rows[:: -(-len(rows) // most)]
