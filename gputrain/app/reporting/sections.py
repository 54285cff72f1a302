"""The sections of the page, each made of a report; a section with nothing to tell is empty text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from gputrain.app.reporting.classification import ClassifierAssessment
from gputrain.app.reporting.confusion import MOST_CLASSES, confused_pairs, confusion_table
from gputrain.app.reporting.curves import curves_of, epoch_of
from gputrain.app.reporting.markup import folded, paragraph, picture, preformatted, section, table, text
from gputrain.app.reporting.panels import confusion_panel, curve_panels
from gputrain.app.reporting.pictures import MOST_CURVES, MOST_TARGETS, drawn_curves, drawn_residuals
from gputrain.app.reporting.plotting import Panel, as_png, has_plot, image_png
from gputrain.app.reporting.regression import RegressionAssessment
from gputrain.app.reporting.report import Report
from gputrain.app.reporting.wording import number, title

_MOST_LOG_LINES = 2000


def advice(report: Report) -> str:
    """Return what was noticed while training, and what to try."""
    none = [paragraph("No sign of trouble was seen while training.")]
    return section("advice", "Advice", *([_advice(item) for item in report.advice] or none))


def curves(report: Report) -> str:
    """Return the pictures of the history."""
    drawn = drawn_curves(report)
    if not drawn or not has_plot():
        return ""
    left_out = len(curves_of(report.history)) - len(drawn)
    more = f"The first {MOST_CURVES} quantities; {left_out} more stand in the history." if left_out else ""
    return section("curves", "Curves", _gallery(curve_panels(drawn)), paragraph(more))


def confusion(report: Report) -> str:
    """Return how the classes were taken for one another."""
    assessment = report.assessment
    if not isinstance(assessment, ClassifierAssessment):
        return ""
    if len(assessment.classes) <= MOST_CLASSES:
        return section("confusion", "Confusion matrix", confusion_table(assessment), kind="beside")
    drawn = _gallery([confusion_panel(assessment)], "single") if has_plot() else ""
    return section("confusion", "Most confused classes", drawn, confused_pairs(assessment))


def per_class(report: Report) -> str:
    """Return the figures of each class."""
    assessment = report.assessment
    if not isinstance(assessment, ClassifierAssessment):
        return ""
    predicted, support = assessment.confusion.sum(0), assessment.confusion.sum(1)
    wholes = {"precision": predicted, "recall": support, "f1": support + predicted}
    rows = [
        (row["name"], *(row[key] if wholes[key][place] else None for key in wholes), row["support"])
        for place, row in enumerate(assessment.per_class)
    ]
    names = ["Class", "Precision", "Recall", "F1", "Support"]
    return section("classes", "Classes", table("Figures of each class on the test data", names, rows))


def targets(report: Report) -> str:
    """Return the figures of each target of a regression, and how the errors lie."""
    assessment = report.assessment
    if not isinstance(assessment, RegressionAssessment):
        return ""
    rows = [(row["name"], row["mae"], row["rmse"], row["r2"]) for row in assessment.per_target]
    drawn = _gallery(drawn_residuals(assessment)) if has_plot() else ""
    more = f"Pictures of the first {MOST_TARGETS} targets." if drawn and len(rows) > MOST_TARGETS else ""
    figures = table("Figures of each target on the test data", ["Target", "MAE", "RMSE", "R²"], rows)
    return section("errors", "Errors", drawn, paragraph(more), figures)


def worst(report: Report) -> str:
    """Return the worst samples: pictures if they are images, and rows."""
    assessment = report.assessment
    if assessment is None:
        return ""
    listed = assessment.worst_rows()
    if not listed:
        return section("worst", "Worst mistakes", paragraph("Every test sample was decided rightly."))
    heading = "Worst mistakes" if isinstance(assessment, ClassifierAssessment) else "Largest errors"
    judged = list(listed[0])
    given = list(dict.fromkeys(column for sample in report.rows() for column in sample))
    none: Mapping[str, Any] = {}
    rows = [
        [*row.values(), *(sample.get(column, "") for column in given)]
        for row, sample in zip_longest(listed, report.rows()[: len(listed)], fillvalue=none)
    ]
    as_table = table(heading, [*map(title, judged), *given], rows)
    pictures = _worst_pictures(report, listed)
    return section("worst", heading, pictures, folded("As a table", as_table) if pictures else as_table)


def history(report: Report) -> str:
    """Return the logs of each epoch; the best by loss is marked."""
    if not report.history:
        return ""
    names = list(dict.fromkeys(name for logs in report.history for name in logs if name != "epoch"))
    best, words = _best_by_loss(report)
    rows = [
        [_epoch(logs, place, best), *(logs.get(name) for name in names)]
        for place, logs in enumerate(report.history)
    ]
    listed = table("Values of each epoch", ["epoch", *names], rows, "names")
    return section("history", "History", paragraph(words), listed)


def model(report: Report) -> str:
    """Return the table of the layers."""
    return section("model", "Model", preformatted(report.summary)) if report.summary else ""


def settings(report: Report) -> str:
    """Return every setting by its path, as `--set` takes it."""
    if not report.settings:
        return ""
    rows = list(_flat(report.settings))
    listed = table("Every setting, defaults among them", ["Setting", "Value"], rows, "code")
    return section("settings", "Settings", folded(f"{len(rows)} settings", listed))


def metrics(report: Report) -> str:
    """Return all of metrics.json."""
    if not report.metrics:
        return ""
    rows = [(name, value) for name, value in report.metrics.items()]
    listed = table("All figures of the run", ["Metric", "Value"], rows, "code")
    return section("metrics", "All figures", folded(f"{len(rows)} figures", listed))


def versions(report: Report) -> str:
    """Return what took part in which version."""
    if not report.versions:
        return ""
    return section("versions", "Versions", table("Versions", ["What", "Version"], report.versions.items()))


def log(report: Report) -> str:
    """Return the last lines of the log."""
    lines = report.log.splitlines()
    if not lines:
        return ""
    kept = lines[-_MOST_LOG_LINES:]
    left_out = len(lines) - len(kept)
    more = paragraph(f"The last {len(kept):,} of {len(lines):,} lines.") if left_out else ""
    return section("log", "Log", folded(f"{len(kept):,} lines", more + preformatted("\n".join(kept))))


def _advice(item: Mapping[str, Any]) -> str:
    tries = item.get("tries") or ()
    tries = [tries] if isinstance(tries, str) else tries
    epoch = item.get("epoch")
    when = "" if epoch is None else f" · epoch {text(number(epoch))}"
    listed = "".join(f"<li>{text(one)}</li>" for one in tries)
    return (
        f'<article class="advice"><p class="kind">{text(title(item.get("key", "")))}{when}</p>'
        f"<h3>{text(item.get('sign', ''))}</h3>"
        + (f"<p>What to try:</p><ul>{listed}</ul>" if listed else "")
        + "</article>"
    )


def _gallery(panels: Sequence[Panel], kind: str = "") -> str:
    drawn = "\n".join(picture(as_png([panel]), panel.alt, kind="chart") for panel in panels)
    return f'<div class="gallery {kind}">{drawn}</div>'


def _worst_pictures(report: Report, listed: Sequence[Mapping[str, Any]]) -> str:
    images = report.images()
    if images is None or not has_plot():
        return ""
    drawn = "\n".join(
        picture(image_png(image), f"Sample {row['sample']}", _caption(row), "sample")
        for row, image in zip(listed, images, strict=False)
    )
    return f'<div class="samples">{drawn}</div>'


def _caption(row: Mapping[str, Any]) -> str:
    return "".join(
        f"<span>{text(name)} <b>{text(number(value))}</b></span>"
        for name, value in row.items()
        if name != "sample"
    )


def _best_by_loss(report: Report) -> tuple[int | None, str]:
    """The place of the epoch with the least loss, and what is said of it."""
    loss = next((curve for curve in curves_of(report.history) if curve.name == "loss"), None)
    if loss is None or loss.best is None:
        return None, ""
    name = "loss" if loss.validation is None else "val_loss"
    least = f"{name} is lowest in epoch {epoch_of(report.history[loss.best], loss.best)}"
    return loss.best, f"{least}: {number(float(loss.judged[loss.best]))}."


def _epoch(logs: Mapping[str, Any], place: int, best: int | None) -> str:
    return number(epoch_of(logs, place)) + (" (best)" if place == best else "")


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The settings by their paths: model.layers[0].filters."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
        for place, inner in enumerate(value):
            yield from _flat(inner, f"{path}[{place}]")
    else:
        yield path, json.dumps(value, ensure_ascii=False, default=str)
