"""Fills the report of a run and writes it, with pictures where matplotlib is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gputrain import backend
from gputrain.app import reporting
from gputrain.app.recipes.data import Part
from gputrain.app.recipes.data.inputs import ArrayInputs
from gputrain.app.recipes.job import Job
from gputrain.app.recipes.run_folder import SUMMARY, RunFolder
from gputrain.app.recipes.testing import Tested
from gputrain.data.tabular import Table

MISTAKES = 16  # so many of the worst mistakes are shown


def write_report(
    job: Job,
    folder: RunFolder,
    metrics: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]],
    advice: Sequence[Mapping[str, Any]],
    tested: Tested,
) -> None:
    """Write report.html, and curves.png and the like if the extra `plot` is installed.

    Args:
        job: what was trained.
        folder: where its files are.
        metrics: what stands in metrics.json.
        history: the logs of each epoch, with its number.
        advice: what the advisor said, as plain data.
        tested: how the model did on its test part.

    Raises:
        OSError: the folder cannot be written to.
    """
    resolved = job.recipe.resolved()
    report = reporting.Report(
        name=folder.path.name,
        settings={key: value for key, value in resolved.items() if key != "versions"},
        metrics=metrics,
        history=history,
        summary=(folder.path / SUMMARY).read_text(encoding="utf-8"),
        advice=advice,
        assessment=tested.assessment,
        samples=_samples(job, tested),
        versions=resolved["versions"],
        device=backend.current_device().description,
        seconds=float(metrics["seconds"]),
        log=folder.log.read_text(encoding="utf-8"),
    )
    if reporting.has_plot():
        reporting.draw_all(folder.path, report)
    reporting.write_html(folder.report, report)


def _samples(job: Job, tested: Tested) -> dict[str, Any] | None:
    """The worst mistakes as people read them: pictures, or rows of a table."""
    if tested.assessment is None or job.dataset.test is None:
        return None
    worst = np.asarray(tested.assessment.worst[:MISTAKES], dtype=np.int64)
    part: Part = job.dataset.test.take(worst)
    raw = part.raw.x
    if isinstance(raw, Table):
        return {"rows": [{name: str(raw[name][row]) for name in raw.names} for row in range(raw.rows)]}
    inputs = job.dataset.preparation.inputs
    if isinstance(inputs, ArrayInputs) and inputs.is_image:
        return {"images": raw.astype(np.float32) / np.float32(inputs.white)}
    return None
