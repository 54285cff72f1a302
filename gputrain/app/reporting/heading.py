"""The top of the page: what the run was, and its results in large figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gputrain.app.reporting.markup import section, text
from gputrain.app.reporting.plotting import INSTALL, has_plot
from gputrain.app.reporting.regression import RegressionAssessment
from gputrain.app.reporting.report import Report
from gputrain.app.reporting.wording import duration, number, title

_MOST_TILES = 8
_OF_THE_RUN = ("epochs", "seconds", "parameters", "steps", "interrupted")


def heading(report: Report) -> str:
    """Return the name, what the run was, and the results in large figures."""
    words, figures = _results(report)
    tiles = "".join(
        f"<div><dt>{text(title(name))}</dt><dd>{text(number(value))}</dd></div>"
        for name, value in list(figures.items())[:_MOST_TILES]
    )
    facts = "".join(f"<li>{text(name)} <b>{text(value)}</b></li>" for name, value in _facts(report))
    return (
        f'<header><p class="kind">Training report</p><h1>{text(report.name)}</h1>\n'
        f'<ul class="facts">{facts}</ul>\n{_interrupted(report)}{_no_pictures()}</header>\n'
        + (section("results", words, f'<dl class="tiles">{tiles}</dl>') if tiles else "")
    )


def _results(report: Report) -> tuple[str, dict[str, Any]]:
    """A heading and the figures that count: on the test data, or else of the last epoch."""
    figures: dict[str, Any] = dict(report.assessment.metrics()) if report.assessment is not None else {}
    for name, value in report.metrics.items():
        if name.startswith("test_"):
            figures[name.removeprefix("test_")] = value
    if isinstance(report.assessment, RegressionAssessment):
        figures = {name: value for name, value in figures.items() if name not in _of_one_target(report)}
    if figures:
        return "Results on the test data", figures
    return "Results of the last epoch", {
        name: value for name, value in report.metrics.items() if name not in _OF_THE_RUN
    }


def _of_one_target(report: Report) -> set[str]:
    """Names of the figures that the table of the targets has."""
    assert report.assessment is not None
    return set(report.assessment.metrics()) - {"mae", "rmse", "r2"}


def _facts(report: Report) -> Iterator[tuple[str, str]]:
    if report.device:
        yield "Device", report.device
    if report.seconds:
        yield "Time", duration(report.seconds)
    if report.history:
        yield "Epochs", number(len(report.history))
    if "parameters" in report.metrics:
        yield "Parameters", number(report.metrics["parameters"])
    if "seed" in report.settings:
        yield "Seed", str(report.settings["seed"])


def _interrupted(report: Report) -> str:
    if not report.metrics.get("interrupted"):
        return ""
    return '<p class="banner">The run was interrupted; what is here is as of then.</p>\n'


def _no_pictures() -> str:
    if has_plot():
        return ""
    return f'<p class="banner">To have pictures here: <code>{text(INSTALL)}</code></p>\n'
