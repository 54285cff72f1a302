"""A table: named columns of one length, each of text or of numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gputrain.data import frames
from gputrain.errors import DataError
from gputrain.names import did_you_mean

Column = NDArray[Any]


class Table:
    """Named columns of one length.

    Args:
        columns: name to a 1-D array, in order, or a DataFrame. Numbers and booleans become float64 (NaN is a
            missing cell), text becomes an object array of str; None among text becomes "". Columns of pandas
            may have any of its dtypes for these: nullable, categorical, of text.
        source: where the rows come from (a file's name), for error messages.
        lines: the line of each row in `source`, int (rows,).

    Attributes:
        names: tuple of str, the columns in order.
        rows: int, number of rows.

    Raises:
        DataError: no column, columns of one name or of different lengths, or cells that are neither text nor
            numbers.

    Example:
        >>> table = Table({"age": [31, 54], "sex": ["f", "m"]})
        >>> table.names, table.rows, table["age"].dtype
        (('age', 'sex'), 2, dtype('float64'))
    """

    def __init__(
        self, columns: Mapping[str, ArrayLike], *, source: str = "", lines: NDArray[np.int64] | None = None
    ) -> None:
        self._columns: dict[str, Column] = {}
        for name, cells in columns.items():
            if name in self._columns:  # as a DataFrame may have them
                raise DataError("A table has each name once.", received=f"{name!r} for several columns")
            self._columns[name] = _as_column(name, cells)
        self.source = source
        self.lines = lines
        if not self._columns:
            raise DataError("A table has at least one column.", received="none")
        self.names = tuple(self._columns)
        self.rows = len(self._columns[self.names[0]])
        lengths = {name: len(cells) for name, cells in self._columns.items()}
        if lines is not None:
            lengths["line numbers"] = len(lines)
        odd = {name: length for name, length in lengths.items() if length != self.rows}
        if odd:
            expected = f"{self.rows} cells each, as in {self.names[0]!r}"
            raise DataError("The columns of a table have one length.", expected=expected, received=odd)

    def __len__(self) -> int:
        return self.rows

    def __repr__(self) -> str:
        return f"<Table of {self.rows} rows: {', '.join(self.names)}>"

    def __getitem__(self, name: str) -> Column:
        """The cells of one column, float64 or object (rows,)."""
        self.require([name])
        return self._columns[name]

    def take(self, indices: ArrayLike) -> Table:
        """Return the rows at `indices` (int, or bool with one per row) as a new table."""
        chosen = np.asarray(indices)
        chosen = chosen if chosen.size else chosen.astype(np.int64)
        lines = None if self.lines is None else self.lines[chosen]
        taken = {name: cells[chosen] for name, cells in self._columns.items()}
        return Table(taken, source=self.source, lines=lines)

    def without(self, names: Iterable[str]) -> Table:
        """Return the table less the columns `names`, which must exist."""
        left_out = set(names)
        self.require(left_out)
        kept = {name: cells for name, cells in self._columns.items() if name not in left_out}
        return Table(kept, source=self.source, lines=self.lines)

    def require(self, names: Iterable[str]) -> None:
        """Raise DataError unless every one of `names` is a column."""
        absent = sorted(set(names) - set(self.names))
        if absent:
            where = f" in {self.source}" if self.source else ""
            listed = ", ".join(map(repr, absent[:20]))
            raise DataError(f"No column {listed}{where}. {did_you_mean(absent[0], self.names)}")

    def place(self, row: int) -> str:
        """Return words that say where row `row` stands: its line of the file, or its index from 0.

        Example:
            >>> Table({"a": [1, 2]}).place(1)
            'row 1 (from 0)'
        """
        where = f"row {row} (from 0)" if self.lines is None else f"line {self.lines[row]}"
        return f"{where} of {self.source}" if self.source else where


def as_table(rows: Any) -> Table:
    """Return a table of what may stand for one.

    Args:
        rows: a Table; a DataFrame, or a dict of columns; or a list of dicts, one for each row.

    Raises:
        DataError: it is none of these, or no table can be made of it.

    Example:
        >>> as_table([{"age": 31, "sex": "f"}, {"age": 54}])["sex"].tolist()
        ['f', '']
    """
    if isinstance(rows, Table):
        return rows
    if hasattr(rows, "items") and getattr(rows, "ndim", 2) == 2:  # and no Series
        return Table(rows)
    if isinstance(rows, list | tuple) and rows and all(isinstance(row, Mapping) for row in rows):
        names = dict.fromkeys(name for row in rows for name in row)
        return Table({name: [row.get(name) for row in rows] for name in names})
    rule = "A table is a Table, a DataFrame, a dict of columns or a list of dicts."
    shape = f" of shape {rows.shape}" if hasattr(rows, "shape") else ""
    fix = "Name the columns of an array: Table({'age': x[:, 0], ...}); read a CSV file with read_csv."
    raise DataError(rule, received=f"{type(rows).__name__}{shape}", fix=fix)


def concatenate(tables: Sequence[Table]) -> Table:
    """Return one table of the rows of all, which have the same columns and come from the same source."""
    first = tables[0]
    columns = {name: np.concatenate([table[name] for table in tables]) for name in first.names}
    lines = [table.lines for table in tables if table.lines is not None]
    return Table(columns, source=first.source, lines=np.concatenate(lines) if lines else None)


def _as_column(name: str, cells: ArrayLike) -> Column:
    if not isinstance(name, str) or not name:
        fix = "Name the columns of a DataFrame: frame.columns = frame.columns.astype(str)."
        raise DataError("A column's name is text.", received=repr(name), fix=fix)
    series = hasattr(cells, "to_numpy")
    array = frames.plain_column(cells) if series else np.asarray(cells)
    if array.ndim != 1:
        raise DataError(f"Column {name!r} must be 1-D.", received=f"shape {array.shape}")
    if array.dtype.kind == "O" and not series:
        array = frames.plain_cells(array.copy(), np.array(list(map(frames.is_missing, array)), bool))
    if array.dtype.kind in "biuf":
        return array.astype(np.float64)
    if array.dtype.kind == "U":
        return array.astype(object)
    if array.dtype.kind == "O":
        return _texts(name, array)
    _, todo = frames.KINDS.get(array.dtype.kind, ("", None))
    rule = f"Column {name!r} must hold text or numbers."
    raise DataError(rule, received=f"dtype {array.dtype}", fix=todo)


def _texts(name: str, array: Column) -> Column:
    """Object cells, str as they are, None and NaN as "", numbers in words."""
    cells = array.tolist()
    if all(type(cell) is str for cell in cells):
        return array
    for row, cell in enumerate(cells):
        if frames.is_missing(cell):
            cells[row] = ""
        elif isinstance(cell, Real | np.bool_):
            cells[row] = str(cell)
        elif not isinstance(cell, str):
            received = f"{type(cell).__name__} in row {row} (from 0)"
            raise DataError(f"Column {name!r} must hold text or numbers.", received=received)
    out = np.empty(len(cells), object)
    out[:] = cells
    return out
