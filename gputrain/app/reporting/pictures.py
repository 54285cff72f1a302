"""The pictures in a run folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from gputrain.app.reporting import panels
from gputrain.app.reporting.classification import ClassifierAssessment
from gputrain.app.reporting.curves import Curve, curves_of
from gputrain.app.reporting.plotting import Panel, as_png, require_plot
from gputrain.app.reporting.regression import RegressionAssessment
from gputrain.app.reporting.report import Report
from gputrain.utils.files import write_atomically

MOST_CURVES = 48
MOST_TARGETS = 12


def draw_all(folder: Path, report: Report) -> list[Path]:
    """Draw what there is to draw of a run.

    curves.png has a panel for each quantity in the history. For a classifier come confusion.png, and
    mistakes.png if the samples are images; for a regression, residuals.png. Each file is written whole or not
    at all, and equal reports give equal bytes.

    Args:
        folder: must exist.
        report: what is known of the run.

    Returns:
        The files written; curves.png only if an epoch was completed.

    Raises:
        MissingExtraError: matplotlib is not installed (an ImportError); the message has the line for pip.
        OSError: the folder cannot be written to.

    Example:
        >>> [path.name for path in draw_all(run_folder, report)]
        ['curves.png', 'confusion.png', 'mistakes.png']
    """
    require_plot()
    written = []
    for name, drawn, columns in _pictures(report):
        if drawn:
            path = Path(folder) / name
            _write(path, as_png(drawn, columns))
            written.append(path)
    return written


def draw_range_test(
    path: Path,
    rates: Sequence[float],
    losses: Sequence[float],
    smoothed: Sequence[float],
    suggestion: float | None = None,
) -> None:
    """Draw a learning-rate range test as a PNG: the loss of each step over the rate it was trained with.

    Args:
        path: the file; it is written whole or not at all.
        rates: the learning rate of each step, growing.
        losses, smoothed: the loss of each step, and its running mean.
        suggestion: a rate to mark.

    Raises:
        MissingExtraError: matplotlib is not installed (an ImportError).
        OSError: the folder cannot be written to.
    """
    require_plot()
    _write(Path(path), as_png([panels.range_test_panel(rates, losses, smoothed, suggestion)]))


def _write(path: Path, content: bytes) -> None:
    write_atomically(path, lambda stream: stream.write(content))


def drawn_curves(report: Report) -> list[Curve]:
    """Return the curves that are drawn: all, unless there are more than fit on a page."""
    return curves_of(report.history)[:MOST_CURVES]


def drawn_residuals(assessment: RegressionAssessment) -> list[Panel]:
    """Return the panels of the first targets, two for each."""
    return panels.residual_panels(assessment)[: 2 * MOST_TARGETS]


def _pictures(report: Report) -> Iterator[tuple[str, Sequence[Panel], int]]:
    """File name, panels, and panels in a row."""
    curves = drawn_curves(report)
    yield "curves.png", panels.curve_panels(curves), 2 if len(curves) <= 8 else 3
    if isinstance(report.assessment, ClassifierAssessment):
        yield "confusion.png", [panels.confusion_panel(report.assessment)], 1
        images = report.images()
        if images is not None:
            yield "mistakes.png", panels.mistake_panels(report.assessment, images), 6
    elif report.assessment is not None:
        yield "residuals.png", drawn_residuals(report.assessment), 2
