"""Cells into numbers and categories, a whole column at a time."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from gputrain.data.tabular.table import Column

# Larger numbers have no float32.
_MAX_NUMBER = float(np.finfo(np.float32).max)
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")


def factorize(column: Column) -> tuple[list[str], NDArray[np.int64]]:
    """Return the different cells of a column as text without outer spaces, and which of them each row has.

    Two texts that differ in outer spaces alone stay two entries. Numbers are written as "3" or "2.5", NaN
    as "".

    Example:
        >>> factorize(np.array(["b", "a", "b"], object))
        (['b', 'a'], array([0, 1, 0]))
    """
    if column.dtype != object:
        different, codes = np.unique(column, return_inverse=True)
        return [number_text(value) for value in different.tolist()], codes.astype(np.int64, copy=False)
    places: defaultdict[str, int] = defaultdict()
    places.default_factory = places.__len__  # a new cell has the next number
    codes = np.fromiter(map(places.__getitem__, column.tolist()), np.int64, len(column))
    return list(map(str.strip, places)), codes


def number_text(value: float) -> str:
    """Return a number as text: "3" for 3.0, "" for NaN."""
    if value != value:
        return ""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def numbers(column: Column, missing_values: Collection[str]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the numbers of a column, NaN for missing and bad cells, and which cells are bad.

    A cell is bad if it is neither missing nor a finite number within the range of float32.
    """
    if column.dtype != object:
        codes = [float(text) for text in missing_values if math.isfinite(parse(text))]
        values = np.where(np.isin(column, codes), np.nan, column)
    else:
        values = _text_numbers(column, {"", *missing_values})
    bad = np.abs(values) > _MAX_NUMBER
    values[bad] = np.nan
    return values, bad


def is_missing(column: Column, missing_values: Collection[str]) -> NDArray[np.bool_]:
    """Return which cells are missing, bool (rows,): those without text, too."""
    texts, places = factorize(column)
    missing = {"", *missing_values}
    return np.array([text in missing for text in texts], np.bool_)[places]


def _text_numbers(column: Column, missing: Collection[str]) -> NDArray[np.float64]:
    """The numbers of text cells, NaN for missing and infinity for bad ones; quick where none is bad."""
    texts = list(map(str.strip, column.tolist()))
    is_there = np.array([text not in missing for text in texts], np.bool_)
    known = np.array(texts, object)[is_there]
    try:
        numbers = known.astype(np.float64)
    except ValueError:
        return _mixed_numbers(column, missing)
    if np.isnan(numbers).any() or "_" in "".join(known.tolist()):
        return _mixed_numbers(column, missing)
    values = np.full(len(texts), np.nan)
    values[is_there] = numbers
    return values


def _mixed_numbers(column: Column, missing: Collection[str]) -> NDArray[np.float64]:
    texts, places = factorize(column)
    return np.array([np.nan if text in missing else parse(text) for text in texts], np.float64)[places]


def parse(text: str) -> float:
    """Return the number that `text` writes, or infinity where it is none ("nan" and "1_000" are none)."""
    try:
        value = float(text)
    except ValueError:
        return math.inf
    return math.inf if value != value or "_" in text else value


def hint(text: str) -> str:
    """Return what else to do about a cell that is no number, or ""."""
    return f" Write {text.replace(',', '.')!r} instead of {text!r}." if _DECIMAL_COMMA.fullmatch(text) else ""
