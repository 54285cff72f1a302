"""A table's rows as model inputs, with what was learned from the training rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gputrain.data import frames
from gputrain.data.tabular import configs
from gputrain.data.tabular.cells import is_missing
from gputrain.data.tabular.chained import ChainedRegressions, chain_from_config, fit_chain
from gputrain.data.tabular.checks import check_columns
from gputrain.data.tabular.columns import (
    NumericColumn,
    PreparedColumn,
    column_from_config,
    declared_kind,
    fit_categorical,
    fit_numeric,
    parsed,
)
from gputrain.data.tabular.settings import TableSettings
from gputrain.data.tabular.table import Table, as_table
from gputrain.errors import DataError
from gputrain.names import listed
from gputrain.utils.notes import note

_FORMAT = "gputrain table 1"
_MAX_INPUT = float(np.finfo(np.float32).max)


@dataclass(frozen=True, eq=False)
class TablePreparation:
    """Turns tables into inputs; made by `fit` or `from_config`.

    Each numeric column is one input, each category of a categorical column is one, and each column with
    missing cells in the training rows has one more, at the end, that is 1 where the cell is missing.

    Attributes:
        settings: as they were given.
        prepared: what was learned of each column.
        chain: the regressions that predict missing numbers, under missing="predicted".

    Example:
        >>> train = Table({"age": [20.0, 40.0], "sex": ["f", "m"]})
        >>> preparation = TablePreparation.fit(train, TableSettings())
        >>> preparation.inputs(Table({"sex": ["m"], "age": [50.0]})).tolist()
        [[2.0, 0.0, 1.0]]
    """

    settings: TableSettings
    prepared: tuple[PreparedColumn, ...]
    chain: ChainedRegressions | None

    @classmethod
    def fit(cls, table: Any, settings: TableSettings | None = None) -> TablePreparation:
        """Learn kinds, statistics and categories from the training rows.

        Args:
            table: the training rows, without the target column: a Table, a DataFrame, a dict of columns or a
                list of dicts. Columns of pandas's dtype "category" are categorical.
            settings: how the table becomes inputs; default as `TableSettings()` says.

        Raises:
            DataError: a setting names a column that does not exist, a cell breaks a rule, or nothing is left.
        """
        settings = _with_categories(settings or TableSettings(), frames.categorical_columns(table))
        table = as_table(table)
        for name in ("ignore", "numeric", "categorical", "zero_is_missing"):
            table.require(getattr(settings, name))
        check_columns(table, settings.checks, settings.missing_values)
        kinds = {name: declared_kind(name, settings) for name in table.names if name not in settings.ignore}
        if not kinds or not table.rows:
            rule = "A model needs at least one column and one row to learn from."
            raise DataError(rule, received=table)
        cells, numeric = parsed(table, kinds, settings)
        if settings.missing == "drop":
            cells = cells.take(_complete(cells, numeric, settings))
            if not cells.rows:
                fix = 'Ignore the emptiest columns, or fill the cells: missing="median".'
                raise DataError('missing="drop" leaves no row: each has a missing cell.', fix=fix)
        prepared = tuple(
            fit_numeric(name, cells[name], settings)
            if name in numeric
            else fit_categorical(cells, name, settings)
            for name in kinds
        )
        made = cls(settings, prepared, None)
        if not made.input_names:
            raise DataError("A model needs at least one input.", received=f"no cell in {table}")
        if settings.missing != "predicted" or not numeric:
            return made
        return cls(settings, prepared, fit_chain(made._values(cells), made._numeric_inputs()))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a table must have, in the order of the training table."""
        return tuple(column.name for column in self.prepared)

    @property
    def input_names(self) -> tuple[str, ...]:
        """One name for each input, as "age", "colour=red", "age is missing"."""
        values = [name for column in self.prepared for name in column.input_names]
        return (*values, *(f"{column.name} is missing" for column, _ in self._indicated()))

    def inputs(self, table: Any) -> NDArray[np.float32]:
        """Return the inputs of every row.

        Args:
            table: as for `fit`; columns are found by name, others than `columns` are not looked at.

        Returns:
            float32 (rows, len(input_names)), finite.

        Raises:
            DataError: a column is not there, a cell breaks a rule, or, under missing="drop", is missing.
        """
        table = as_table(table)
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is clipped
            values = self._values(self._cells(table)[0])
            gaps = np.isnan(values)
            self._refuse_dropped(table, gaps)
            if self.chain is not None:
                values = self.chain.fill(values)
            filled = np.concatenate([column.filled for column in self.prepared])
        np.copyto(values, filled, where=np.isnan(values))
        np.clip(values, -_MAX_INPUT, _MAX_INPUT, out=values)
        return np.hstack([values.astype(np.float32), gaps[:, [start for _, start in self._indicated()]]])

    def missing_cells(self, table: Any) -> dict[str, int]:
        """Return how many cells are missing in each column that has such cells.

        Raises:
            DataError: a column is not there, or a cell breaks a rule.
        """
        gaps = np.isnan(self._values(self._cells(as_table(table))[0]))
        counts = {column.name: int(gaps[:, start].sum()) for column, start in self._starts()}
        return {name: count for name, count in counts.items() if count}

    def kept(self, table: Any) -> NDArray[np.bool_]:
        """Return which rows are used, bool (rows,): under missing="drop" those without gaps, else all."""
        table = as_table(table)
        if self.settings.missing != "drop":
            return np.ones(table.rows, np.bool_)
        return _complete(*self._cells(table), self.settings)

    def to_config(self) -> dict[str, Any]:
        """Return a dict of plain values, as JSON has them, from which `from_config` makes an equal one."""
        return {
            "format": _FORMAT,
            "settings": self.settings.to_config(),
            "columns": [column.to_config() for column in self.prepared],
            "chain": None if self.chain is None else self.chain.to_config(),
        }

    @classmethod
    def from_config(cls, config: Any) -> TablePreparation:
        """Return the preparation that `to_config` described.

        Raises:
            DataError: `config` is not such a description; it says where.
        """
        found = configs.fields(config, "the top", ("format", "settings", "columns", "chain"))
        if found["format"] != _FORMAT:
            raise configs.broken("format", repr(_FORMAT), found["format"])
        settings = TableSettings.from_config(found["settings"])
        columns = configs.items(found["columns"], "columns")
        prepared = tuple(
            column_from_config(column, f"columns[{number}]") for number, column in enumerate(columns)
        )
        configs.distinct_texts([column.name for column in prepared], "columns")
        made = cls(settings, prepared, None)
        if not made.input_names:
            raise configs.broken("columns", "at least one input", columns)
        has_chain = settings.missing == "predicted" and bool(made._numeric_inputs().size)
        if has_chain == (found["chain"] is None):
            raise configs.broken("chain", "regressions" if has_chain else "null", found["chain"])
        if not has_chain:
            return made
        width = sum(len(column.input_names) for column in prepared)
        return cls(settings, prepared, chain_from_config(found["chain"], "chain", width))

    def _cells(self, table: Table) -> tuple[Table, set[str]]:
        """The columns that the model was trained on, checked and parsed, and which of them are numeric."""
        absent = [name for name in self.columns if name not in table.names]
        if absent:
            raise _without_columns(table, absent)
        present = {name: check for name, check in self.settings.checks.items() if name in table.names}
        check_columns(table, present, self.settings.missing_values)
        kinds: dict[str, bool | None] = {
            column.name: isinstance(column, NumericColumn) for column in self.prepared
        }
        return parsed(table, kinds, self.settings)

    def _values(self, cells: Table) -> NDArray[np.float64]:
        """Scaled numbers and one-hot rows, float64 (rows, inputs less indicators), NaN where missing."""
        return np.hstack([column.values(cells[column.name], self.settings) for column in self.prepared])

    def _starts(self) -> list[tuple[PreparedColumn, int]]:
        """Each column that has inputs, and the first of them."""
        ends = accumulate(len(column.input_names) for column in self.prepared)
        starts = zip(self.prepared, (0, *ends), strict=False)
        return [(column, start) for column, start in starts if column.input_names]

    def _numeric_inputs(self) -> NDArray[np.int64]:
        return np.array(
            [start for column, start in self._starts() if isinstance(column, NumericColumn)], np.int64
        )

    def _indicated(self) -> list[tuple[PreparedColumn, int]]:
        """Of `_starts` the columns with an input that says that the cell is missing."""
        if not self.settings.missing_indicators or self.settings.missing == "drop":
            return []
        return [(column, start) for column, start in self._starts() if column.had_missing]

    def _refuse_dropped(self, table: Table, gaps: NDArray[np.bool_]) -> None:
        """Under missing="drop" refuse rows with gaps; else say which columns have their first ones now."""
        rows = np.flatnonzero(gaps.any(axis=1))
        if not rows.size:
            return
        if self.settings.missing != "drop":
            self._note_first_gaps(gaps)
            return
        name = next(column.name for column, start in self._starts() if gaps[rows[0], start])
        more = f", and {rows.size - 1} rows more" if rows.size > 1 else ""
        rule = 'missing="drop": a row with a missing cell has no inputs.'
        fix = 'Take the rows where kept(table) is True, or train with missing="median".'
        raise DataError(rule, received=f"column {name!r} in {table.place(int(rows[0]))}{more}", fix=fix)

    def _note_first_gaps(self, gaps: NDArray[np.bool_]) -> None:
        for column, start in self._starts():
            if not column.had_missing and gaps[:, start].any():
                note(
                    f"Column {column.name!r} has missing cells, of which the training rows have none; they "
                    "are filled like the others.",
                    f"tabular/missing/{column.name}",
                )


def _with_categories(settings: TableSettings, names: list[str]) -> TableSettings:
    """The settings, with columns that call themselves categorical, unless the settings say otherwise."""
    said = {*settings.ignore, *settings.numeric, *settings.zero_is_missing, *settings.categorical}
    new = tuple(name for name in names if name not in said)
    return replace(settings, categorical=(*settings.categorical, *new)) if new else settings


def _complete(cells: Table, numeric: set[str], settings: TableSettings) -> NDArray[np.bool_]:
    """Which rows have no missing cell in any of the parsed columns."""
    complete = np.ones(cells.rows, np.bool_)
    for name in cells.names:
        gaps = np.isnan(cells[name]) if name in numeric else is_missing(cells[name], settings.missing_values)
        complete &= ~gaps
    return complete


def _without_columns(table: Table, absent: list[str]) -> DataError:
    rule = f"{table.source or 'The table'}: every column that the model was trained on must be there."
    expected = f"also {listed(list(map(repr, absent)))}"
    received = f"the columns {', '.join(map(repr, table.names[:20]))}"
    fix = "Name the columns as in the training table."
    return DataError(rule, expected=expected, received=received, fix=fix)
