"""The confusion matrix as a table, and its largest cells when it has too many."""

from __future__ import annotations

import numpy as np

from gputrain.app.reporting.classification import ClassifierAssessment
from gputrain.app.reporting.markup import scrolling, table, text

MOST_CLASSES = 30
_MOST_PAIRS = 20
_LONG_NAME, _MANY_CLASSES = 6, 12


def confusion_table(assessment: ClassifierAssessment) -> str:
    """Return the matrix with shaded cells: right decisions in one colour, wrong ones in another."""
    names = [text(name) for name in assessment.classes]
    tall = " tall" if max(map(len, assessment.classes)) > _LONG_NAME else ""
    many = " many" if len(names) > _MANY_CLASSES else ""
    head = "".join(f'<th scope="col"><span title="{name}">{name}</span></th>' for name in names)
    body = "\n".join(
        f'<tr><th scope="row" title="{name}">{name}</th>{_cells(row, true)}</tr>'
        for true, (name, row) in enumerate(zip(names, assessment.confusion, strict=True))
    )
    caption = "Confusion matrix: a row for each true class, a column for each predicted class"
    return scrolling(
        caption,
        f'<table class="confusion{tall}{many}"><caption>{caption}</caption>\n'
        f'<thead><tr><td class="corner">predicted →<br>true ↓</td>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table>",
    )


def confused_pairs(assessment: ClassifierAssessment) -> str:
    """Return a table of the pairs of classes that were taken for one another most often."""
    wrong = assessment.confusion - np.diag(np.diag(assessment.confusion))
    largest = np.argsort(-wrong, axis=None, kind="stable")[:_MOST_PAIRS]
    support = assessment.confusion.sum(1)
    names, pairs = assessment.classes, zip(*np.unravel_index(largest, wrong.shape), strict=True)
    rows = [
        (names[true], names[predicted], wrong[true, predicted], wrong[true, predicted] / support[true])
        for true, predicted in pairs
        if wrong[true, predicted]
    ]
    header = ["True", "Predicted", "Samples", "Share of the true class"]
    return table("Most confused pairs of classes", header, rows)


def _cells(row: np.ndarray, true: int) -> str:
    kinds = ["hit" if predicted == true else "miss" for predicted in range(len(row))]
    return "".join(
        f'<td class="{kind}" style="--part:{samples / row.sum():.3f}">{samples:,}</td>'
        if samples
        else '<td class="zero">0</td>'
        for kind, samples in zip(kinds, row, strict=True)
    )
