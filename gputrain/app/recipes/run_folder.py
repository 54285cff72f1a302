"""The folder of one run: `runs/<name>-<n>/`, never one that was there before."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from gputrain.app.recipes.reading import CONFIG
from gputrain.callbacks.backup import NEWEST
from gputrain.data.io.errors import CorruptFileError
from gputrain.data.io.npz_writer import write_npz
from gputrain.errors import explain
from gputrain.runtime import Variable
from gputrain.utils.files import Reserved, locked, remove_leftovers, write_atomically, write_text
from gputrain.utils.plain import as_json

PREPARATION, WEIGHTS, METRICS = "preparation.json", "weights.npz", "metrics.json"
REPORT, SUMMARY = "report.html", "summary.txt"
PLAN = "sweep.json"  # in the folder of a sweep
_WEIGHT_PATH = re.compile(r"[^/\\\0]+(/[^/\\\0]+)*")


class RunFolder:
    """A new folder for one run and the files in it, each of which is written whole or not at all.

    Args:
        parent: the folder of all runs; made if it is not there.
        name: the name of the run, already checked to hold no separators.

    Attributes:
        path: the folder.
        history, history_lines, log, report: history.csv, history.jsonl, log.txt and report.html in it.

    Raises:
        OSError: the folder cannot be made; the message says which and why.

    Example:
        >>> RunFolder(Path("runs"), "digits_cnn").path.name  # the next time digits_cnn-2
        'digits_cnn-1'
    """

    def __init__(self, parent: Path, name: str) -> None:
        self._name_files(new_folder(parent, name))

    @classmethod
    def reopened(cls, path: Path) -> RunFolder:
        """The folder of a run that was begun before, without what a killed process left half written.

        Raises:
            CorruptFileError: it holds something other than files and folders: a link would lead elsewhere.
        """
        for file in path.iterdir():
            if file.is_symlink() or not (file.is_file() or file.is_dir()):
                kind = stat.filemode(file.lstat().st_mode)
                raise CorruptFileError(file, "a run that resumes has plain files", "a file", kind)
        remove_leftovers(path)
        folder = cls.__new__(cls)
        folder._name_files(path)
        return folder

    def _name_files(self, path: Path) -> None:
        self.path = path
        self.history = self.path / "history.csv"
        self.history_lines = self.path / "history.jsonl"
        self.log = self.path / "log.txt"
        self.report = self.path / REPORT
        self._kept: list[str] = []
        self._reserved: Reserved | None = None

    def write(self, name: str, text: str) -> None:
        """Write a file of text."""
        write_text(self.path / name, text)

    def keep(self, file: Path) -> None:
        """Keep a copy of `file`, under its name."""
        write_atomically(self.path / file.name, lambda stream: stream.write(file.read_bytes()))
        self._kept.append(file.name)

    def write_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Write metrics.json. A number that is not finite becomes null, as JSON has no word for it."""
        write_text(self.path / METRICS, json.dumps(as_json(metrics), indent=2, allow_nan=False) + "\n")

    def write_weights(self, weights: Iterable[Variable], model: str = "") -> None:
        """Write weights.npz: one array for each variable, named by its path within the model of this name.

        Raises:
            ValueError: two variables have one path, or a path could leave the archive when it is unpacked.
        """
        write = _writing(weights, model)
        reserved, self._reserved = self._reserved, None
        if reserved is None:
            write_atomically(self.path / WEIGHTS, write)
        else:
            reserved.write(write)

    def reserve_weights(self, weights: Iterable[Variable], model: str = "") -> None:
        """Take the space that `write_weights` will need, so that a disk which fills up loses no training.

        Raises:
            OSError: there is not so much.
        """
        self._reserved = Reserved(self.path / WEIGHTS, _writing(weights, model))

    def release(self) -> None:
        """Give back the space that was taken and not used."""
        if self._reserved is not None:
            self._reserved.release()
            self._reserved = None

    def epochs_recorded(self) -> int:
        """Return for how many epochs history.csv has a line."""
        if not self.history.exists():
            return 0
        return max(0, len(self.history.read_bytes().splitlines()) - 1)

    def discard(self) -> None:
        """Remove what was written so far and then the folder, unless something else stands in it."""
        self.release()
        own = (CONFIG, PREPARATION, SUMMARY, self.log.name, self.history.name, self.history_lines.name)
        remove(self.path, (*own, *self._kept, NEWEST))


@contextmanager
def held(folder: Path, what: str) -> Iterator[None]:
    """Within it nobody else goes on with the run or the sweep in `folder`.

    Raises:
        BlockingIOError: somebody does.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(folder))
        except BlockingIOError as error:
            rule = f"{folder}: The {what} is still going on."
            fix = "Wait for its end, or end the process that runs it, and try again."
            raise BlockingIOError(explain(rule, fix=fix)) from error
        yield


def new_folder(parent: Path, name: str) -> Path:
    """Make and return the folder <name>-<n> in `parent`, with the number after the highest one there.

    Raises:
        OSError: it cannot be made; the message says which and why.
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        return _numbered_folder(parent, name)
    except OSError as error:
        rule = f"A run needs a folder to write to. {parent} cannot hold it."
        received = error.strerror or error
        raise OSError(explain(rule, received=received, fix="Name another folder with --out.")) from error


def remove(folder: Path, names: Iterable[str]) -> None:
    """Remove files of these names and then the folder, unless something else stands in it."""
    for name in names:
        (folder / name).unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()


def _numbered_folder(parent: Path, name: str) -> Path:
    number = 1 + max(_numbers(parent, name), default=0)
    while True:
        path = parent / f"{name}-{number}"
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
        else:
            return path


def _numbers(parent: Path, name: str) -> list[int]:
    pattern = re.compile(re.escape(name) + r"-([1-9][0-9]{0,8})")
    matches = (pattern.fullmatch(path.name) for path in parent.iterdir())
    return [int(match[1]) for match in matches if match]


def name_within(weight: Variable, model: str) -> str:
    """The path of a weight without the name of the model around it, which is the recipe's."""
    return weight.path.removeprefix(f"{model}/") if model else weight.path


def _writing(weights: Iterable[Variable], model: str) -> Callable[[BinaryIO], None]:
    """What writes the weights into a stream; in reading order, as they are now."""
    arrays: dict[str, NDArray[Any]] = {}
    for weight in weights:
        name = name_within(weight, model)
        _check_weight_path(name, arrays)
        arrays[name] = np.asarray(weight.numpy())
    return lambda stream: write_npz(stream, arrays.items())


def _check_weight_path(path: str, taken: Mapping[str, object]) -> None:
    if not _WEIGHT_PATH.fullmatch(path) or ".." in path.split("/"):
        raise ValueError(explain("A variable's path must be names joined by '/'.", received=repr(path)))
    if path in taken:
        rule = "Each variable needs a path of its own to be saved."
        raise ValueError(explain(rule, received=f"{path!r} twice", fix="Give the layers different names."))
