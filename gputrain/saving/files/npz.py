"""npz files of named arrays: zip files of npy files, as numpy.savez writes them. Nothing is pickled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from gputrain.data.io.errors import FilePath
from gputrain.data.io.npz import NpzFile, opened_npz
from gputrain.data.io.npz_writer import write_npz
from gputrain.saving.files.arrays import Stored, on_host, read_all
from gputrain.utils.files import write_atomically


def write(path: FilePath, arrays: Mapping[str, Any], names: Mapping[str, str] | None = None) -> None:
    """Write arrays into a file, whole or not at all.

    Args:
        path: the file.
        arrays: arrays or variables by name.
        names: of layers, for which there is no room.

    Raises:
        OSError: the file cannot be written.

    Example:
        >>> write("weights.npz", {"kernel": numpy.ones((3, 2))})
    """
    write_atomically(Path(path), lambda stream: write_into(stream, arrays))


def write_into(stream: Any, arrays: Mapping[str, Any]) -> None:
    """Write arrays into a stream."""
    write_npz(stream, ((name, on_host(value)) for name, value in arrays.items()))


def read(
    path: FilePath, wanted: Mapping[str, Any] | None = None, max_bytes: int | None = None
) -> dict[str, np.ndarray]:
    """Read arrays from a file.

    Args:
        path: the file.
        wanted: names, and what has the shape and the dtype of each; None for all.
        max_bytes: most bytes for all of them together; None: the setting `file_memory`.

    Raises:
        CorruptFileError: the file breaks a rule of the format, or does not hold what is wanted.
        OSError: it cannot be opened.
    """
    return read_all(opened(path), path, wanted, max_bytes)


@contextmanager
def opened(path: FilePath) -> Iterator[_File]:
    """Open a file; all headers are checked.

    Raises:
        CorruptFileError: the file breaks a rule of the format.
        OSError: it cannot be opened.
    """
    with opened_npz(path) as file:
        yield _File(file)


class _File:
    """An open file, which has no room for the names of layers."""

    names: Mapping[str, str] = {}

    def __init__(self, file: NpzFile) -> None:
        self._file = file
        headers = {name: file.header(name) for name in file.names}
        self.specs = {name: Stored(header.shape, header.dtype.name) for name, header in headers.items()}

    def arrays(
        self, names: Iterable[str], places: Mapping[str, np.ndarray] | None = None
    ) -> Iterator[tuple[str, np.ndarray]]:
        """See `ArrayFile`."""
        for name in names:
            yield name, self._file.read(name)
