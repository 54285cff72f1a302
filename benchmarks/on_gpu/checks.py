"""Before anything is timed: every side must compute the same, and learn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.on_gpu.ours import Ours, using
from benchmarks.on_gpu.tasks import Data, Task
from benchmarks.on_gpu.timing import Side

COMPARED = 3  # steps
TOLERANCE = 2e-3  # of losses, relative: sums of another order, and three steps on them
TF32_TOLERANCE = 5e-2
ENDS = 5  # losses at the beginning and at the end that are averaged


def close(found: Sequence[float], expected: Sequence[float], tolerance: float) -> bool:
    """Whether all losses are finite and agree; NaN never does."""
    return all(
        math.isfinite(a) and abs(a - b) <= tolerance * max(1.0, abs(b))
        for a, b in zip(found, expected, strict=True)
    )


def falls(losses: Sequence[float]) -> bool:
    """Whether all losses are finite and the last ones lie below the first ones."""
    ends = min(ENDS, len(losses) // 2)
    finite = all(math.isfinite(loss) for loss in losses)
    return finite and float(np.mean(losses[-ends:])) < float(np.mean(losses[:ends]))


def reference(task: Task, data: Data) -> dict[str, Any]:
    """What the NumPy device computes: losses of the first steps, and of the first batch before them."""
    rows = data.batches(task.batch, COMPARED)
    with using("numpy"):
        side = Ours(task, data)
        inference = side.inference_loss(rows[0])
        return {"inference": inference, "training": side.losses(rows)}


def check_ours(
    backend: str, task: Task, data: Data, expected: dict[str, Any], tf32: bool, steps: int
) -> tuple[dict[str, Any], list[str]]:
    """(losses, what is wrong) of gputrain on the device, its memory poisoned before each compared step.

    Args:
        expected: see `reference`.
        steps: of the training that must make the loss fall.
    """
    rows = data.batches(task.batch, COMPARED)
    with using(backend):
        side = Ours(task, data)
        inference = side.inference_loss(rows[0])
        training = side.losses(rows)
        trained = side.losses(data.batches(task.batch, steps), poison=False)
    tolerance = TF32_TOLERANCE if tf32 else TOLERANCE
    wrong = []
    if not close([inference, *training], [expected["inference"], *expected["training"]], tolerance):
        wrong.append(f"losses {[inference, *training]} are not those of the NumPy device, {expected}")
    if not falls(trained):
        wrong.append(f"the loss does not fall in {steps} steps: {trained[:ENDS]} to {trained[-ENDS:]}")
    figures = {"inference": inference, "training": training, "first": trained[0], "last": trained[-1]}
    return figures, wrong


def check_peer(
    side: Side, task: Task, data: Data, expected: dict[str, Any], tf32: bool, steps: int
) -> list[str]:
    """What is wrong with a peer that starts from our weights.

    Losses of training are compared where nothing is drawn at random.

    Args:
        side: not trained yet.
        steps: of the training that must make the loss fall; 0 leaves that out.
    """
    rows = data.batches(task.batch, COMPARED)
    tolerance = TF32_TOLERANCE if tf32 else TOLERANCE
    wrong = []
    inference = side.inference_loss(rows[0])
    if not close([inference], [expected["inference"]], tolerance):
        wrong.append(f"{side.name}: inference loss {inference}, not {expected['inference']}")
    training = side.losses(rows)
    if not task.draws and not close(training, expected["training"], tolerance):
        wrong.append(f"{side.name}: losses {training}, not {expected['training']}")
    if steps:
        trained = side.losses(data.batches(task.batch, steps))
        if not falls(trained):
            wrong.append(f"{side.name}: the loss does not fall: {trained[:ENDS]} to {trained[-ENDS:]}")
    return wrong
