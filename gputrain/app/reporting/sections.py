"""The sections of the page, made of a report; what has nothing to tell has no section."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
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


def sections_of(report: Report) -> Iterator[str]:
    """The sections that have something to tell, in the order of the page."""
    yield _advice(report)
    if has_plot() and drawn_curves(report):
        yield _curves(report)
    if isinstance(report.assessment, ClassifierAssessment):
        yield _confusion(report.assessment)
        yield _per_class(report.assessment)
    if isinstance(report.assessment, RegressionAssessment):
        yield _targets(report.assessment)
    if report.assessment is not None:
        yield _worst(report, report.assessment.worst_rows())
    if report.history:
        yield _history(report)
    if report.summary:
        yield section("model", "Model", preformatted(report.summary))
    if report.settings:
        rows = list(_flat(report.settings))
        listed = table("Every setting, defaults among them", ["Setting", "Value"], rows, "code")
        yield section("settings", "Settings", folded(f"{len(rows)} settings", listed))
    if report.metrics:
        listed = table("All figures of the run", ["Metric", "Value"], report.metrics.items(), "code")
        yield section("metrics", "All figures", folded(f"{len(report.metrics)} figures", listed))
    if report.versions:
        listed = table("Versions", ["What", "Version"], report.versions.items())
        yield section("versions", "Versions", listed)
    if report.log:
        yield _log(report.log.splitlines())


def _advice(report: Report) -> str:
    """What was noticed while training, and what to try."""
    none = [paragraph("No sign of trouble was seen while training.")]
    return section("advice", "Advice", *([_article(item) for item in report.advice] or none))


def _article(item: Mapping[str, Any]) -> str:
    tries = item.get("tries") or ()
    tries = [tries] if isinstance(tries, str) else tries
    epoch = item.get("epoch")
    when = "" if epoch is None else f" · epoch {text(number(epoch))}"
    listed = "".join(f"<li>{text(one)}</li>" for one in tries)
    what = f"<p>What to try:</p><ul>{listed}</ul>" if listed else ""
    return (
        f'<article class="advice"><p class="kind">{text(title(item.get("key", "")))}{when}</p>'
        f"<h3>{text(item.get('sign', ''))}</h3>{what}</article>"
    )


def _curves(report: Report) -> str:
    """The pictures of the history."""
    drawn = drawn_curves(report)
    left_out = len(curves_of(report.history)) - len(drawn)
    more = f"The first {MOST_CURVES} quantities; {left_out} more stand in the history." if left_out else ""
    return section("curves", "Curves", _gallery(curve_panels(drawn)), paragraph(more))


def _confusion(assessment: ClassifierAssessment) -> str:
    """How the classes were taken for one another."""
    if len(assessment.classes) <= MOST_CLASSES:
        return section("confusion", "Confusion matrix", confusion_table(assessment), kind="beside")
    drawn = _gallery([confusion_panel(assessment)], "single")
    return section("confusion", "Most confused classes", drawn, confused_pairs(assessment))


def _per_class(assessment: ClassifierAssessment) -> str:
    """The figures of each class."""
    predicted, support = assessment.confusion.sum(0), assessment.confusion.sum(1)
    wholes = {"precision": predicted, "recall": support, "f1": support + predicted}
    rows = [
        (row["name"], *(row[key] if wholes[key][place] else None for key in wholes), row["support"])
        for place, row in enumerate(assessment.per_class)
    ]
    names = ["Class", "Precision", "Recall", "F1", "Support"]
    return section("classes", "Classes", table("Figures of each class on the test data", names, rows))


def _targets(assessment: RegressionAssessment) -> str:
    """The figures of each target of a regression, and how the errors lie."""
    rows = [list(row.values()) for row in assessment.per_target]
    drawn = _gallery(drawn_residuals(assessment))
    more = f"Pictures of the first {MOST_TARGETS} targets." if drawn and len(rows) > MOST_TARGETS else ""
    figures = table("Figures of each target on the test data", ["Target", "MAE", "RMSE", "R²"], rows)
    return section("errors", "Errors", drawn, paragraph(more), figures)


def _worst(report: Report, listed: Sequence[Mapping[str, Any]]) -> str:
    """The worst samples: pictures if they are images, and rows."""
    if not listed:
        return section("worst", "Worst mistakes", paragraph("Every test sample was decided rightly."))
    is_classifier = isinstance(report.assessment, ClassifierAssessment)
    heading = "Worst mistakes" if is_classifier else "Largest errors"
    given = list(dict.fromkeys(column for sample in report.rows() for column in sample))
    samples = [*report.rows(), *({} for _ in listed)]  # there may be fewer than were judged
    rows = [
        [*row.values(), *(sample.get(column, "") for column in given)]
        for row, sample in zip(listed, samples, strict=False)
    ]
    as_table = table(heading, [*map(title, listed[0]), *given], rows)
    pictures = _worst_pictures(report, listed)
    return section("worst", heading, pictures, folded("As a table", as_table) if pictures else as_table)


def _history(report: Report) -> str:
    """The logs of each epoch; the best by loss is marked."""
    names = list(dict.fromkeys(name for logs in report.history for name in logs if name != "epoch"))
    best, words = _best_by_loss(report)
    rows = [
        [_epoch(logs, place, best), *(logs.get(name) for name in names)]
        for place, logs in enumerate(report.history)
    ]
    listed = table("Values of each epoch", ["epoch", *names], rows, "names")
    return section("history", "History", paragraph(words), listed)


def _log(lines: Sequence[str]) -> str:
    """The last lines of the log."""
    kept = lines[-_MOST_LOG_LINES:]
    more = f"The last {len(kept):,} of {len(lines):,} lines." if len(kept) < len(lines) else ""
    body = paragraph(more) + preformatted("\n".join(kept))
    return section("log", "Log", folded(f"{len(kept):,} lines", body))


def _gallery(panels: Sequence[Panel], kind: str = "") -> str:
    if not has_plot():
        return ""
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
    shown = {name: value for name, value in row.items() if name != "sample"}
    return "".join(f"<span>{text(name)} <b>{text(number(v))}</b></span>" for name, v in shown.items())


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
