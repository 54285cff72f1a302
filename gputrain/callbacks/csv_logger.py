"""Writes the logs of each epoch to a CSV file."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gputrain.callbacks.base import Callback, Logs, plain
from gputrain.errors import explain

_MISSING = "NA"


class CSVLogger(Callback):
    """Writes one row per epoch: its number and its logs, sorted by name.

    The file is opened for each row only, so that a run which ends early leaves it whole. A value that first
    comes in a later epoch (with validation_freq) gets a column, filled with "NA" above.

    Args:
        filename: path of the file; its folder must exist.
        separator: between the fields of a row.
        append: go on after the rows of an existing file instead of starting it anew.

    Raises:
        OSError: at the beginning of training, when the file cannot be written.

    Example:
        >>> model.fit(x, y, callbacks=[CSVLogger("history.csv")])
    """

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        super().__init__()
        self.filename = Path(filename)
        self.separator = separator
        self.append = append
        self._columns: list[str] = []

    def on_train_begin(self, logs: Logs = None) -> None:
        """Start the file, or read the header of the one to append to."""
        folder = self.filename.parent
        if not folder.is_dir():
            rule = f"CSVLogger: {str(self.filename)!r} needs a folder that is there."
            raise FileNotFoundError(
                explain(rule, received=f"no folder {str(folder)!r}", fix="Make it first.")
            )
        with open(self.filename, "a" if self.append else "w", encoding="utf-8"):
            pass
        self._columns = next(iter(self._rows()), []) if self.append else []

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Write the epoch's row."""
        values = {name: _field(value) for name, value in (logs or {}).items()}
        new = [name for name in ["epoch", *sorted(values)] if name not in self._columns]
        if new:
            self._add_columns(new)
        row = {"epoch": epoch, **values}
        self._write("a", [[row.get(name, _MISSING) for name in self._columns]])

    def _add_columns(self, names: list[str]) -> None:
        """Write the file again with further columns, beside the old one until it is whole."""
        old = self._rows()[1:]
        self._columns = self._columns + names
        spare = self.filename.with_name(self.filename.name + ".tmp")
        filled = [row + [_MISSING] * (len(self._columns) - len(row)) for row in old]
        self._write("w", [self._columns, *filled], spare)
        os.replace(spare, self.filename)

    def _rows(self) -> list[list[str]]:
        with open(self.filename, newline="", encoding="utf-8") as file:
            return list(csv.reader(file, delimiter=self.separator))

    def _write(self, mode: str, rows: Iterable[list[Any]], path: Path | None = None) -> None:
        with open(path or self.filename, mode, newline="", encoding="utf-8") as file:
            csv.writer(file, delimiter=self.separator, lineterminator="\n").writerows(rows)


def _field(value: Any) -> Any:
    value = plain(value)
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        return value
    return f"[{', '.join(map(str, value))}]"
