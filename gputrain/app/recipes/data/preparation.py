"""What a run must keep beside its weights: how inputs are made and what outputs mean."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gputrain.app.recipes.data.inputs import Inputs, inputs_from_config
from gputrain.app.recipes.data.targets import ClassTargets, Targets, targets_from_config
from gputrain.app.recipes.json_files import read_json
from gputrain.data.tabular import check_cost_matrix, decide
from gputrain.utils.plain import Described

MAX_BYTES = 64 << 20
_VERSION = 1


@dataclass(frozen=True)
class Preparation(Described):
    """How raw samples become inputs and a model's outputs become answers.

    Attributes:
        inputs: makes the inputs.
        targets: the classes or numbers to predict.
        logits: whether a classifier's outputs are scores that are no probabilities yet.
        cost_matrix: (classes, classes), what it costs to take class i for class j; None counts mistakes.
    """

    inputs: Inputs
    targets: Targets
    logits: bool = False
    cost_matrix: NDArray[np.float64] | None = None

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """What the classes are called; None where numbers are predicted."""
        return self.targets.names if isinstance(self.targets, ClassTargets) else None

    def probabilities(self, outputs: NDArray[Any]) -> NDArray[np.float64]:
        """Return class probabilities, float64 (n, classes), from a classifier's outputs.

        One output is the probability of the second class. Several that do not add up to 1, as those of one
        classifier for each class against the rest, are scaled to it.
        """
        scores = outputs.reshape(len(outputs), -1).astype(np.float64)
        if scores.shape[1] == 1:
            second = 1 / (1 + np.exp(-scores[:, 0])) if self.logits else scores[:, 0]
            return np.stack([1 - second, second], axis=1)
        if self.logits:
            scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        total = scores.sum(axis=1, keepdims=True)
        return np.divide(scores, total, out=np.full_like(scores, 1 / scores.shape[1]), where=total > 0)

    def decided(self, probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the class of each row, int64 (n,): the most probable, or that of least expected cost."""
        if self.cost_matrix is not None:
            return decide(probabilities, self.cost_matrix)
        return probabilities.argmax(axis=1)

    def to_json(self) -> str:
        """Return all of it as JSON."""
        table = {"version": _VERSION, **self.to_config()}
        return json.dumps(table, indent=1, ensure_ascii=False) + "\n"


def read_preparation(path: Path) -> Preparation:
    """Return the preparation that a run keeps in the file at `path`.

    Raises:
        OSError: it cannot be read.
        CorruptFileError: it is not what `Preparation.to_json` writes.
    """
    return read_json(path, "A preparation must be what a training run wrote", _from_config, MAX_BYTES)


def _from_config(table: Mapping[str, Any]) -> Preparation:
    if table["version"] != _VERSION:
        raise ValueError(f"version {table['version']!r}, not {_VERSION}")
    inputs, targets = inputs_from_config(table["inputs"]), targets_from_config(table["targets"])
    logits = bool(table["logits"])
    if table["cost_matrix"] is None:
        return Preparation(inputs, targets, logits)
    if not isinstance(targets, ClassTargets):
        raise ValueError("a cost matrix is for classes")
    return Preparation(inputs, targets, logits, check_cost_matrix(table["cost_matrix"], targets.outputs))
