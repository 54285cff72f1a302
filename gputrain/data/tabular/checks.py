"""Whether the cells of a table are what the user says they must be."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gputrain.data.tabular.cells import factorize, hint, is_missing, numbers
from gputrain.data.tabular.settings import MISSING_VALUES, ColumnCheck
from gputrain.data.tabular.table import Table, as_table
from gputrain.errors import DataError


def check_columns(
    table: Any, checks: Mapping[str, ColumnCheck], missing_values: Collection[str] = MISSING_VALUES
) -> None:
    """Raise unless every checked column of `table` is as its check says.

    Args:
        table: a Table, a DataFrame, a dict of columns or a list of dicts; it must have all columns that
            `checks` names.
        checks: name of a column to what its cells must be.
        missing_values: texts that mean that a cell is missing.

    Raises:
        DataError: the first rule that is broken, with the line, the column, the cell, and how many more.

    Example:
        >>> check_columns(Table({"age": ["31", "-4"]}), {"age": ColumnCheck(min=0)})
        Traceback (most recent call last):
        gputrain.errors.DataError: Column 'age' holds numbers >= 0. Received: '-4' in row 1 (from 0).
    """
    table = as_table(table)
    table.require(checks)
    for name, check in checks.items():
        missing = is_missing(table[name], missing_values)
        if check.required:
            refuse_cells(table, name, missing, "holds no missing cells")
        if check.min is not None or check.max is not None or check.integer:
            _check_numbers(table, name, check, missing_values)
        if check.values:
            texts, codes = factorize(table[name])
            outside = np.array([text not in check.values for text in texts], np.bool_)[codes]
            refuse_cells(table, name, outside & ~missing, f"holds one of {', '.join(check.values[:20])}")
        if check.unique:
            _check_unique(table, name, missing)


def _check_numbers(table: Table, name: str, check: ColumnCheck, missing_values: Collection[str]) -> None:
    values, bad = numbers(table[name], missing_values)
    refuse_cells(table, name, bad, "holds numbers")
    if check.integer:
        refuse_cells(table, name, np.floor(values) < values, "holds whole numbers")
    if check.min is not None:
        refuse_cells(table, name, values < check.min, f"holds numbers >= {check.min:.9g}")
    if check.max is not None:
        refuse_cells(table, name, values > check.max, f"holds numbers <= {check.max:.9g}")


def _check_unique(table: Table, name: str, missing: NDArray[np.bool_]) -> None:
    texts, codes = factorize(table[name])
    place = {text: number for number, text in enumerate(texts)}
    merged = np.array([place[text] for text in texts], np.int64)[codes]
    _, first = np.unique(merged, return_index=True)
    repeated = ~missing
    repeated[first] = False
    refuse_cells(table, name, repeated, "holds no value twice")


def refuse_cells(table: Table, name: str, wrong: NDArray[np.bool_], rule: str, fix: str = "") -> None:
    """Raise DataError if any cell is `wrong`, bool (rows,): the first, where it stands, and how many more."""
    rows = np.flatnonzero(wrong)
    if not rows.size:
        return
    cell = table[name][rows[0]]
    text = str(cell)
    shown = repr(text[:60]) if isinstance(cell, str) else f"{cell:.9g}"
    more = f", and {rows.size - 1} more" if rows.size > 1 else ""
    received = f"{shown} in {table.place(int(rows[0]))}{more}"
    raise DataError(f"Column {name!r} {rule}.", received=received, fix=(fix + hint(text)).strip() or None)
