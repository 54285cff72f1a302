"""Checkpoints: the state tree of a training in one file, which says what it is of.

The file is an npz file that `numpy.load` reads. Its member "checkpoint" is JSON in UTF-8: the format's
number, the version that wrote it, the tree, and what the training is of, to be compared before it resumes. In
the tree an array stands as {"$array": "7"}, the name of its member.
"""

from __future__ import annotations

import json
import math
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gputrain.data.io.errors import CorruptFileError
from gputrain.data.io.npz import read_npz
from gputrain.data.io.npz_writer import write_npz
from gputrain.errors import explain
from gputrain.release import __version__
from gputrain.utils.files import write_atomically

FORMAT = 1
_TEXT = "checkpoint"
_RULE = "A checkpoint is a file that gputrain wrote while it trained a model"
ANEW = "Training resumes from a whole one only: delete this file to begin anew."
MAX_DEPTH = 100  # of dicts and lists within each other, which other code goes through by recursion
_SCALARS = (bool, int, str, type(None))


@dataclass(frozen=True)
class Checkpoint:
    """What stands in a checkpoint.

    Attributes:
        tree: what `saving.state_tree` gave.
        about: what the training is of: its config and the fingerprint of its data.
    """

    tree: Mapping[str, Any]
    about: Mapping[str, Any]


def write(path: Path, content: Checkpoint) -> None:
    """Write a checkpoint; whatever goes wrong leaves an older one at `path` as it was.

    Raises:
        TypeError: something in the tree is neither an array nor plain data; the message says where.
        ValueError: there are more than 100 dicts and lists within each other.
        OSError: the folder cannot be written to, or the disk is full.
    """
    write_members(path, members_of(content))


def members_of(content: Checkpoint) -> dict[str, np.ndarray]:
    """The arrays that make up the file, of which only those of the tree are not new.

    Raises:
        TypeError: something in the tree is neither an array nor plain data; the message says where.
        ValueError: there are more than 100 dicts and lists within each other.
    """
    arrays: dict[str, np.ndarray] = {}
    tree = _packed(content.tree, "the state tree", arrays)
    document = {"format": FORMAT, "gputrain": __version__, "about": content.about, "tree": tree}
    _check_depth(document)
    text = json.dumps(document, allow_nan=False).encode("utf-8")
    return {_TEXT: np.frombuffer(text, np.uint8), **arrays}


def write_members(path: Path, members: Mapping[str, np.ndarray], previous: Path | None = None) -> None:
    """Write what `members_of` gave; an older checkpoint at `path` gets the name `previous`, if given.

    Raises:
        OSError: the folder cannot be written to, or the disk is full.
    """
    write_atomically(path, lambda stream: write_npz(stream, members.items()), previous)


def read(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint. It takes as much memory as the file has bytes; nothing in it is run.

    Raises:
        FileNotFoundError: there is none.
        CorruptFileError: it is damaged, no checkpoint, or one of a newer version.
        OSError: it cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(
            explain(f"{path}: a checkpoint is a file.", received="a folder", fix="Name the file in it.")
        )
    try:
        arrays = read_npz(path, max_bytes=path.stat().st_size)
    except CorruptFileError as error:
        raise CorruptFileError(path, error.rule, error.expected, error.received, ANEW) from error
    if _TEXT not in arrays:
        received = ", ".join(list(arrays)[:5]) or "none"
        raise CorruptFileError(path, _RULE, f"a member {_TEXT!r}", received, ANEW)
    try:
        document = json.loads(arrays.pop(_TEXT).tobytes())
        number = document["format"]
        if number == FORMAT:
            tree, about = document["tree"], document["about"]
            if not (isinstance(tree, dict) and isinstance(about, dict)):
                raise TypeError("tree and about must be dicts")
            _check_depth(document)
            return Checkpoint(_unpacked(tree, arrays), about)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise CorruptFileError(path, _RULE, "whole contents", reason, ANEW) from error
    rule = "The format of a checkpoint must be known"
    written = f"format {number!r}, written by gputrain {document.get('gputrain')!r}"
    fix = f"Install that version or a later one; this is gputrain {__version__}."
    raise CorruptFileError(path, rule, f"format {FORMAT}", written, fix)


class Writer:
    """Writes checkpoints to one path, each in a thread of its own while training goes on.

    Args:
        path: the file; its folder exists.
        previous: where the file before the newest one is kept; None keeps none.
        replaces: do not keep what is at `path` now, as it is damaged.
    """

    def __init__(self, path: Path, previous: Path | None = None, replaces: bool = False) -> None:
        self.path, self.previous = path, previous
        self._replaces = replaces
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    @property
    def busy(self) -> bool:
        """Whether a checkpoint is being written."""
        return self._thread is not None and self._thread.is_alive()

    def write(self, content: Checkpoint) -> None:
        """Begin to write, once what is being written is done. The arrays of `content` must not change after.

        Raises:
            TypeError: `content` cannot be written; the message says what in it.
            OSError: of the write before; its file is the one before that.
        """
        self.wait()
        members = members_of(content)
        self._thread = threading.Thread(target=self._run, args=(members,), name="gputrain-checkpoint")
        self._thread.start()

    def wait(self) -> None:
        """Wait until all is written.

        Raises:
            OSError: it could not be.
        """
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _run(self, members: Mapping[str, np.ndarray]) -> None:
        try:
            write_members(self.path, members, None if self._replaces else self.previous)
            self._replaces = False
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that trains
            self._error = error


def _packed(value: Any, where: str, arrays: dict[str, np.ndarray]) -> Any:
    """What JSON can say of a tree; its arrays go to `arrays`, numbered."""
    if isinstance(value, np.ndarray | np.generic):
        return _packed_array(np.asarray(value), where, arrays)
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": repr(value)}
    if isinstance(value, _SCALARS):
        return value
    if isinstance(value, list):
        return [_packed(item, f"{where}, {i}", arrays) for i, item in enumerate(value)]
    if isinstance(value, tuple):
        return {"$tuple": _packed(list(value), where, arrays)}
    if isinstance(value, Mapping):
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return {key: _packed(item, f"{where}, {key!r}", arrays) for key, item in value.items()}
        pairs = [[key, item] for key, item in value.items()]
        return {"$dict": _packed(pairs, where, arrays)}
    raise _refusal(where, f"a {type(value).__name__}")


def _check_depth(document: Mapping[str, Any]) -> None:
    layer: list[Any] = [document]
    depth = 0
    while layer:
        depth += 1
        if depth > MAX_DEPTH:
            raise ValueError(f"A checkpoint has at most {MAX_DEPTH} dicts and lists within each other.")
        items = (item for each in layer for item in (each.values() if isinstance(each, Mapping) else each))
        layer = [item for item in items if isinstance(item, Mapping | list | tuple)]


def _packed_array(array: np.ndarray, where: str, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    if array.dtype.kind not in "biufc":
        raise _refusal(where, f"an array of {array.dtype}")
    name = str(len(arrays))
    arrays[name] = array
    return {"$array": name}


def _refusal(where: str, received: str) -> TypeError:
    return TypeError(
        explain(
            f"A checkpoint cannot hold what stands at {where}.",
            expected="arrays of numbers, and numbers, text, None, lists, tuples and dicts of them",
            received=received,
            fix="Let state() give its contents as such.",
        )
    )


_KINDS: Mapping[str, Callable[[Any], Any]] = {
    "$float": float,
    "$tuple": tuple,
    "$dict": dict,
}


def _unpacked(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """The tree of which `_packed` gave `value`."""
    if isinstance(value, list):
        return [_unpacked(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    kind = next(iter(value), "")
    if kind == "$array":
        return arrays[value[kind]]
    if kind in _KINDS:
        return _KINDS[kind](_unpacked(value[kind], arrays))
    return {key: _unpacked(item, arrays) for key, item in value.items()}
