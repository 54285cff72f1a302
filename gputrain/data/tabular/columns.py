"""What was learned of each column: kind, scale, filling value, categories."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gputrain.data.tabular import configs
from gputrain.data.tabular.cells import factorize, hint, numbers
from gputrain.data.tabular.checks import refuse_cells
from gputrain.data.tabular.scaling import Scaler, fit_scaler, scaler_from_config
from gputrain.data.tabular.settings import TableSettings
from gputrain.data.tabular.table import Column, Table
from gputrain.errors import DataError
from gputrain.utils.notes import note
from gputrain.utils.plain import Described

Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class NumericColumn(Described):
    """A column of numbers: one input.

    Attributes:
        name: str.
        had_missing: bool, whether a training row has no value.
        fill: float, stands for a missing value, before scaling.
        scaler: map of values to inputs.
    """

    kind = "numeric"
    name: str
    had_missing: bool
    fill: float
    scaler: Scaler

    @property
    def input_names(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def filled(self) -> Numbers:
        """What the inputs are where the cell is missing, float64 (1,)."""
        return self.scaler(np.array([self.fill]))

    def values(self, cells: Column, settings: TableSettings) -> Numbers:
        """The scaled numbers of parsed cells, float64 (rows, 1), NaN where missing."""
        return self.scaler(cells)[:, None]


@dataclass(frozen=True, eq=False)
class CategoricalColumn(Described):
    """A column of categories: one input for each, 1 for the cell's and 0 for the others.

    Attributes:
        name: str.
        had_missing: bool, whether a training row has no value.
        categories: tuple of str, sorted.
    """

    kind = "categorical"
    name: str
    had_missing: bool
    categories: tuple[str, ...]

    @property
    def input_names(self) -> tuple[str, ...]:
        return tuple(f"{self.name}={category}" for category in self.categories)

    @property
    def filled(self) -> Numbers:
        """What the inputs are where the cell is missing, float64 (categories,)."""
        return np.zeros(len(self.categories))

    def values(self, cells: Column, settings: TableSettings) -> Numbers:
        """The one-hot rows, float64 (rows, categories); NaN where missing, 0 for an unknown category."""
        texts, codes = factorize(cells)
        place_of = {category: place for place, category in enumerate(self.categories)}
        one_hot = np.zeros((len(texts), len(self.categories)))
        unknown = []
        for row, text in zip(one_hot, texts, strict=True):
            if not text or text in settings.missing_values:
                row[:] = np.nan
            elif text in place_of:
                row[place_of[text]] = 1.0
            else:
                unknown.append(text)
        self._note_unknown(unknown)
        return one_hot[codes]

    def _note_unknown(self, unknown: list[str]) -> None:
        if unknown:
            shown = ", ".join(repr(text[:40]) for text in unknown[:5])
            note(
                f"Column {self.name!r} has categories that no training row has: {shown}. "
                "All inputs of the column are 0 for them.",
                f"tabular/unknown/{self.name}",
            )


PreparedColumn = NumericColumn | CategoricalColumn


def parsed(table: Table, kinds: Mapping[str, bool | None], settings: TableSettings) -> tuple[Table, set[str]]:
    """Return the columns in `kinds`, those of numbers parsed (NaN where missing), and the names of these.

    Args:
        table: cells as they came.
        kinds: name of a column to whether it is numeric; None lets its cells decide.
        settings: what is missing.

    Raises:
        DataError: a cell of a numeric column is neither missing nor a finite number.
    """
    columns = {name: table[name] for name in kinds}
    numeric = set()
    for name, is_numeric in kinds.items():
        if is_numeric is False:
            continue
        values, bad = numbers(table[name], settings.missing_values)
        if is_numeric is None and table[name].dtype == object and bad.any():
            _note_nearly_numeric(table, name, values, bad)
            continue
        fix = "Mend the cells, add the text to missing_values, or make the column categorical."
        refuse_cells(table, name, bad, "is numeric, so each cell is a finite number or missing", fix)
        if name in settings.zero_is_missing:
            values[values == 0.0] = np.nan
        columns[name] = values
        numeric.add(name)
    return Table(columns, source=table.source, lines=table.lines), numeric


def declared_kind(name: str, settings: TableSettings) -> bool | None:
    """Return whether the settings make a column numeric; None where they leave it to the cells."""
    if name in settings.categorical:
        return False
    return True if name in settings.numeric or name in settings.zero_is_missing else None


def fit_numeric(name: str, values: Numbers, settings: TableSettings) -> NumericColumn:
    """Learn a numeric column from its parsed cells in the training rows."""
    known = values[~np.isnan(values)]
    _note_useless(name, known)
    fill = 0.0
    if known.size:
        fill = float(np.median(known) if settings.missing == "median" else known.mean())
    return NumericColumn(name, known.size < values.size, fill, fit_scaler(known, settings.scale))


def fit_categorical(table: Table, name: str, settings: TableSettings) -> CategoricalColumn:
    """Learn a categorical column from its cells in the training rows.

    Raises:
        DataError: more different values than `max_categories`.
    """
    texts, _ = factorize(table[name])
    found = {text for text in texts if text and text not in settings.missing_values}
    had_missing = len(found) < len(set(texts))
    if len(found) > settings.max_categories:
        raise _too_many(table, name, found, settings)
    if len(found) == table.rows > 2:
        note(
            f"Column {name!r} has another text in every row, which tells a model nothing. "
            "Put it into `ignore` if it names the rows."
        )
    if len(found) < 2 and not had_missing:
        _note_constant(name)
    return CategoricalColumn(name, had_missing, tuple(sorted(found)))


def _too_many(table: Table, name: str, found: set[str], settings: TableSettings) -> DataError:
    _, bad = numbers(table[name], settings.missing_values)
    first = int(np.flatnonzero(bad)[0]) if bad.any() else 0
    text = str(table[name][first]).strip()
    return DataError(
        f"Column {name!r} is neither numeric nor has it few enough different values for categories.",
        expected=f"numbers, or at most {settings.max_categories} different texts",
        received=f"{len(found)} different texts, as {text[:60]!r} in {table.place(first)}",
        fix="Put it into `ignore`, raise max_categories, or mend the cells that should be "
        f"numbers.{hint(text)}",
    )


def _note_nearly_numeric(table: Table, name: str, values: Numbers, bad: NDArray[np.bool_]) -> None:
    """Say that few cells make a column categorical, if they are fewer than a tenth."""
    if bad.sum() * 10 < np.count_nonzero(~np.isnan(values)):
        row = int(np.flatnonzero(bad)[0])
        text = str(table[name][row]).strip()
        note(
            f"Column {name!r} is taken as categorical, for {text[:60]!r} in {table.place(row)} is no number "
            f"({int(bad.sum())} such cells). Mend them, or add their text to missing_values.{hint(text)}"
        )


def _note_useless(name: str, known: Numbers) -> None:
    """Say that a column is constant, or that it looks like the numbers of the rows."""
    if not known.size or known.min() == known.max():
        _note_constant(name)
        return
    whole = known.size >= 20 and (np.floor(known) == known).all()
    if whole and np.ptp(known) <= 4 * known.size and np.unique(known).size == known.size:
        note(
            f"Column {name!r} holds whole numbers, each once, close together: it looks like the number of a "
            "row, which a model can only learn by heart. Put it into `ignore` if it is one."
        )


def _note_constant(name: str) -> None:
    note(
        f"Column {name!r} has one value or none in the training rows, which tells a model nothing. "
        "Put it into `ignore` if that is no mistake."
    )


def column_from_config(config: Any, where: str) -> PreparedColumn:
    """Return the column that `to_config` described, or raise DataError."""
    kind = configs.mapping(config, where).get("kind")
    if kind not in _READERS:
        raise configs.broken(f"{where}.kind", "'numeric' or 'categorical'", kind)
    cls, readers = _READERS[kind]
    found = configs.fields(config, where, ("kind", *readers))
    return cls(**{name: read(found[name], f"{where}.{name}") for name, read in readers.items()})


_COMMON = {"name": configs.text, "had_missing": configs.flag}
# The class of each kind of column, and what checks the value of each of its fields.
_READERS: dict[str, tuple[type[PreparedColumn], dict[str, Callable[[Any, str], Any]]]] = {
    "numeric": (NumericColumn, {**_COMMON, "fill": configs.number, "scaler": scaler_from_config}),
    "categorical": (CategoricalColumn, {**_COMMON, "categories": configs.distinct_texts}),
}
