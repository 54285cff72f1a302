"""Writes the logs of each epoch as a line of JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gputrain.callbacks import arguments
from gputrain.models.training.callback import Callback, Logs
from gputrain.utils.files import append, remove_leftovers, require_folder, write_atomically
from gputrain.utils.plain import as_json
from gputrain.utils.states import check_names


class JSONLinesLogger(Callback):
    """Writes one JSON object per epoch: {"epoch": 0, "loss": 0.31, ...}.

    Each line is written at once and reaches the file before the next epoch begins, so that the file is whole
    whenever the process ends. Numbers that are not finite become null, for JSON has none.

    Args:
        filename: path of the file; its folder must exist.
        append: go on after the lines of an existing file instead of starting it anew.

    Where a training resumes, its lines follow those of the epochs before; later ones that an interrupted
    process had written are dropped.

    Raises:
        OSError: when training begins and the file cannot be written.

    Example:
        >>> model.fit(x, y, callbacks=[JSONLinesLogger("history.jsonl")])
    """

    def __init__(self, filename: str | os.PathLike[str], append: bool = False) -> None:
        super().__init__()
        self.filename = Path(filename)
        self.append = arguments.flag(self, "append", append)
        self._count = 0  # lines in the file

    def state(self) -> dict[str, Any]:
        """How many lines the file has."""
        return {"lines": self._count}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on after so many lines."""
        check_names("JSONLinesLogger", ("lines",), state)
        self._count = int(state["lines"])

    def on_train_begin(self, logs: Logs = None) -> None:
        """Start the file, unless it is to be appended to."""
        require_folder(self.filename, type(self).__name__)
        remove_leftovers(self.filename.parent, self.filename.name)
        with open(self.filename, "ab" if self.append or self.resumes else "wb"):
            pass
        lines = self.filename.read_bytes().splitlines(keepends=True)
        if self.resumes and len(lines) > self._count:
            lines = lines[: self._count]
            write_atomically(self.filename, lambda stream: stream.writelines(lines))
        self._count = len(lines)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Write the epoch's line."""
        row = as_json({"epoch": epoch, **(logs or {})})
        append(self.filename, json.dumps(row, allow_nan=False).encode() + b"\n")
        self._count += 1
