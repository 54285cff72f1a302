"""Writes the logs of each epoch to a CSV file."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gputrain.callbacks import arguments
from gputrain.errors import explain
from gputrain.models.training.callback import Callback, Logs
from gputrain.utils.files import append, remove_leftovers, require_folder, write_text
from gputrain.utils.plain import plain
from gputrain.utils.states import check_names

_MISSING = "NA"


class CSVLogger(Callback):
    """Writes one row per epoch: its number and its logs, sorted by name.

    The file is opened for each row only, so that a run which ends early leaves it whole. A value that first
    comes in a later epoch (with validation_freq) gets a column, filled with "NA" above.

    Args:
        filename: path of the file; its folder must exist.
        separator: between the fields of a row.
        append: go on after the rows of an existing file instead of starting it anew.

    Where a training resumes, its rows follow those of the epochs before; later ones that an interrupted
    process had written are dropped.

    Raises:
        ValueError: a separator that is not one character; when training begins, a file to append to whose
            first row is not that of a log.
        OSError: when training begins and the file cannot be written.

    Example:
        >>> model.fit(x, y, callbacks=[CSVLogger("history.csv")])
    """

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        super().__init__()
        self.filename = Path(filename)
        self.separator = _checked_separator(separator)
        self.append = arguments.flag(self, "append", append)
        self._columns: list[str] = []
        self._count = 0  # rows in the file

    def state(self) -> dict[str, Any]:
        """How many rows the file has."""
        return {"rows": self._count}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on after so many rows."""
        check_names("CSVLogger", ("rows",), state)
        self._count = int(state["rows"])

    def on_train_begin(self, logs: Logs = None) -> None:
        """Start the file, or read the header of the one to append to."""
        require_folder(self.filename, type(self).__name__)
        remove_leftovers(self.filename.parent, self.filename.name)
        goes_on = self.append or self.resumes
        with open(self.filename, "a" if goes_on else "w", encoding="utf-8"):
            pass
        self._columns = self._header() if goes_on else []
        rows = self._rows()
        if self.resumes and len(rows) - 1 > self._count:
            rows = rows[: 1 + self._count]
            write_text(self.filename, self._text(rows))
        self._count = max(len(rows) - 1, 0)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Write the epoch's row."""
        values = {name: _field(value) for name, value in (logs or {}).items()}
        new = [name for name in ["epoch", *sorted(values)] if name not in self._columns]
        if new:
            self._add_columns(new)
        row = {"epoch": epoch, **values}
        line = self._text([[row.get(name, _MISSING) for name in self._columns]])
        append(self.filename, line.encode("utf-8"))
        self._count += 1

    def _add_columns(self, names: list[str]) -> None:
        """Write the file again with further columns, beside the old one until it is whole."""
        old = self._rows()[1:]
        self._columns = self._columns + names
        filled = [row + [_MISSING] * (len(self._columns) - len(row)) for row in old]
        write_text(self.filename, self._text([self._columns, *filled]))

    def _header(self) -> list[str]:
        """The columns of the file to append to; none if it is empty."""
        columns = next(iter(self._rows()), [])
        if columns and "epoch" not in columns:
            raise ValueError(
                explain(
                    f"CSVLogger: {str(self.filename)!r} is no file to append to.",
                    expected=f"a first row of names with 'epoch', separated by {self.separator!r}",
                    received=", ".join(map(repr, columns[:8])),
                    fix="Pass append=False to start it anew, or the separator it was written with.",
                )
            )
        return columns

    def _rows(self) -> list[list[str]]:
        with open(self.filename, newline="", encoding="utf-8") as file:
            return list(csv.reader(file, delimiter=self.separator))

    def _text(self, rows: Iterable[list[Any]]) -> str:
        text = io.StringIO()
        csv.writer(text, delimiter=self.separator, lineterminator="\n").writerows(rows)
        return text.getvalue()


def _checked_separator(separator: Any) -> str:
    if not isinstance(separator, str) or len(separator) != 1 or separator in '\r\n"':
        rule = "CSVLogger: separator must be one character, and no quote or line end."
        raise ValueError(explain(rule, received=repr(separator)))
    return separator


def _field(value: Any) -> Any:
    value = plain(value)
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        return value
    return f"[{', '.join(map(str, value))}]"
