"""How names, numbers and times are written in pictures and on the page."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_ABBREVIATIONS = {word.lower(): word for word in ("ROC", "AUC", "F1", "MAE", "MSE", "RMSE")} | {"r2": "R²"}


def clean(text: object) -> str:
    """Return `text` without what cannot be shown.

    Terminal colours go; other control characters and lone surrogates, which stand in the names of some
    files, become U+FFFD; newlines and tabs stay.
    """
    return _CONTROL.sub("\ufffd", _COLOUR.sub("", str(text)))


def short(text: object, length: int) -> str:
    """Return `text` on one line of at most `length` characters; what tells names apart is often at the end.

    Example:
        >>> short("a very long name", 9)
        'a ve…name'
    """
    line = " ".join(clean(text).split())
    if len(line) <= length:
        return line
    tail = (length - 1) // 2
    return f"{line[: length - 1 - tail]}…{line[-tail:]}"


def title(name: object) -> str:
    """Return the name of a metric as people write it: "roc_auc" is "ROC AUC".

    Example:
        >>> title("balanced_accuracy")
        'Balanced accuracy'
    """
    words = clean(name).replace("_", " ").split()
    text = " ".join(_ABBREVIATIONS.get(word, word) for word in words)
    return text[:1].upper() + text[1:]


def number(value: Any) -> str:
    """Return a number with the digits that count, an integer with all; other things as they are.

    Example:
        >>> number(0.98333), number(0.5), number(12345.678), number(1797), number(None)
        ('0.9833', '0.5000', '12,345.7', '1,797', '–')
    """
    if value is None:
        return "–"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return f"{int(value):,}"
    return _decimal(float(value)) if isinstance(value, float | np.floating) else clean(value)


def _decimal(value: float) -> str:
    """Four digits, so that the numbers of a column stand under one another; whole parts are kept whole."""
    size = abs(value)
    if size == 0 or not math.isfinite(value) or size < 1e-4 or size >= 1e7:
        return f"{value:.4g}"
    return f"{value:,.1f}" if size >= 1000 else f"{value:#.4g}"


def duration(seconds: float) -> str:
    """Return a time as people say it.

    Example:
        >>> duration(4.26), duration(83), duration(7384)
        ('4.3 s', '1 min 23 s', '2 h 3 min')
    """
    if not math.isfinite(seconds) or seconds < 0:
        return "–"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
