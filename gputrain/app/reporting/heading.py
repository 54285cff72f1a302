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
    facts = "".join(
        f"<li>{name} <b>{text(value)}</b></li>" for name, value in _facts(report).items() if value
    )
    banners = "".join(f'<p class="banner">{words}</p>\n' for words in _banners(report))
    return (
        f'<header><p class="kind">Training report</p><h1>{text(report.name)}</h1>\n'
        f'<ul class="facts">{facts}</ul>\n{banners}</header>\n'
        + (section("results", words, f'<dl class="tiles">{tiles}</dl>') if tiles else "")
    )


def _results(report: Report) -> tuple[str, dict[str, Any]]:
    """A heading and the figures that count: on the test data, or else of the last epoch."""
    assessed = {} if report.assessment is None else report.assessment.metrics()
    tested = {name: value for name, value in report.metrics.items() if name.startswith("test_")}
    figures = {**assessed, **{name.removeprefix("test_"): value for name, value in tested.items()}}
    if isinstance(report.assessment, RegressionAssessment):
        of_one_target = assessed.keys() - {"mae", "rmse", "r2"}  # the table of the targets has them
        figures = {name: value for name, value in figures.items() if name not in of_one_target}
    if figures:
        return "Results on the test data", figures
    last = {name: value for name, value in report.metrics.items() if name not in _OF_THE_RUN}
    return "Results of the last epoch", last


def _facts(report: Report) -> dict[str, str]:
    """What the run was; "" where that is not known."""
    metrics, settings = report.metrics, report.settings
    return {
        "Device": report.device,
        "Time": duration(report.seconds) if report.seconds else "",
        "Epochs": number(len(report.history)) if report.history else "",
        "Parameters": number(metrics["parameters"]) if "parameters" in metrics else "",
        "Seed": str(settings["seed"]) if "seed" in settings else "",
    }


def _banners(report: Report) -> Iterator[str]:
    if report.metrics.get("interrupted"):
        yield "The run was interrupted; what is here is as of then."
    if not has_plot():
        yield f"To have pictures here: <code>{text(INSTALL)}</code>"
