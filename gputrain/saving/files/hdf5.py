"""HDF5 files of named arrays, by h5py: written here, read in a process of its own with limits."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from gputrain.data.io import files
from gputrain.data.io.errors import CorruptFileError, FilePath
from gputrain.errors import explain
from gputrain.saving.files.arrays import BFLOAT16, Stored, from_bfloat16, on_host, read_all
from gputrain.utils.files import write_atomically

MEMORY = 256 << 20  # bytes that the reading process may take beside its libraries
SECONDS = 5  # of processor time, and one more for each so many bytes:
_BYTES_A_SECOND = 50 << 20
_PATIENCE = 60  # seconds that it may take beside that, when the machine is busy
_VARIABLES, _NAME = "vars", "name"  # the group of a layer's variables, and its attribute
_CHILD = Path(__file__).with_name("hdf5_child.py")


def is_there() -> bool:
    """Whether h5py is installed."""
    from importlib.util import find_spec

    return find_spec("h5py") is not None


def require_h5py() -> None:
    """Refuse to go on without h5py.

    Raises:
        ImportError: it is not installed.
    """
    if not is_there():
        raise ImportError(
            explain(
                "An HDF5 file needs the package h5py, which is not installed.",
                fix="Install it: pip install 'gputrain[files]'. Files in .safetensors or .npz need none.",
            )
        )


def write(path: FilePath, arrays: Mapping[str, Any], names: Mapping[str, str] | None = None) -> None:
    """Write arrays into a file, whole or not at all.

    Args:
        path: the file.
        arrays: arrays or variables by name; "/" divides the names of groups.
        names: what layers are called, by their paths.

    Raises:
        ImportError: h5py is not installed.
        OSError: the file cannot be written.

    Example:
        >>> write("model.weights.h5", {"layers/dense/vars/0": numpy.ones((3, 2))})
    """
    require_h5py()
    write_atomically(Path(path), lambda stream: write_into(stream, arrays, names))


def write_into(stream: Any, arrays: Mapping[str, Any], names: Mapping[str, str] | None = None) -> None:
    """Write arrays into a stream that can be sought and read."""
    import h5py

    with h5py.File(stream, "w") as file:
        for name, value in arrays.items():
            file.create_dataset(name, data=on_host(value))
        for path, name in (names or {}).items():
            file.require_group(f"{path}/{_VARIABLES}" if path else _VARIABLES).attrs[_NAME] = name


def read(
    path: FilePath, wanted: Mapping[str, Any] | None = None, max_bytes: int | None = None
) -> dict[str, np.ndarray]:
    """Read arrays from a file.

    Args:
        path: the file.
        wanted: names, and what has the shape and the dtype of each; None for all.
        max_bytes: most bytes for all of them together; None: the setting `file_memory`.

    Raises:
        CorruptFileError: the file is damaged, leads to other files, takes too much time or memory, or does
            not hold what is wanted.
        ImportError: h5py is not installed.
        OSError: it cannot be opened.
    """
    return read_all(opened(path), path, wanted, max_bytes)


@contextmanager
def opened(
    path: FilePath, offset: int = 0, size: int | None = None, *, attributes: bool = False
) -> Iterator[Hdf5File]:
    """Open a file in a process of its own.

    Args:
        path: the file.
        offset: where the format begins in it.
        size: of the format, in bytes; default the rest of the file.
        attributes: whether to read those of the groups, too.

    Raises:
        CorruptFileError: the file is damaged, leads to other files, or takes too much time or memory.
        ImportError: h5py is not installed.
        OSError: it cannot be opened.
    """
    require_h5py()
    with files.open_regular(path) as stream:
        rest = os.fstat(stream.fileno()).st_size - offset
    file = Hdf5File(path, offset, rest if size is None else size, attributes)
    try:
        yield file
    finally:
        file.close()


class Hdf5File:
    """An open file.

    Attributes:
        specs: what it holds of numbers.
        attributes: text and numbers of each group by name, where they were asked for.
        names: what layers are called, by their paths, likewise.
    """

    def __init__(self, path: FilePath, offset: int, size: int, attributes: bool) -> None:
        self.path = path
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("HDF5_", "PYTHON"))}
        self._child = subprocess.Popen(
            [sys.executable, "-I", str(_CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**kept, "HDF5_PLUGIN_PRELOAD": "::", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )
        self._late = False
        seconds = SECONDS + size // _BYTES_A_SECOND
        self._watch = threading.Timer(seconds + _PATIENCE, self._give_up)
        self._watch.daemon = True
        self._watch.start()
        try:
            self._ask(
                {
                    "paths": [os.path.abspath(place) for place in sys.path],
                    "file": os.path.abspath(path),
                    "offset": offset,
                    "size": size,
                    "memory": MEMORY,
                    "seconds": seconds,
                    "attributes": attributes,
                }
            )
            answer = self._answer()
            self.specs = self._held_specs(answer["datasets"], size)
            self.attributes: dict[str, dict[str, Any]] = answer.get("attributes", {})
            self.names = {
                path.removesuffix(_VARIABLES).removesuffix("/"): str(own[_NAME])
                for path, own in self.attributes.items()
                if path.rpartition("/")[2] == _VARIABLES and _NAME in own
            }
        except BaseException:
            self.close()
            raise

    def _held_specs(self, datasets: Mapping[str, Any], size: int) -> dict[str, Stored]:
        """What the file holds, where all of it has its bytes in the file: no claims, none counted twice."""
        files.require_at_most(
            self.path, "all datasets lie in the file", size, sum(each[2] for each in datasets.values())
        )
        specs = {}
        for name, (shape, dtype, stored, filters) in datasets.items():
            if dtype != "other":
                specs[name] = spec = Stored(tuple(shape), dtype)
                files.require_addressable(self.path, repr(name), spec.shape, spec.itemsize)
                itemsize = 2 if dtype == BFLOAT16 else spec.itemsize
                rule = f"{name!r} of shape {tuple(shape)} fits the {stored} bytes that it has in the file"
                most = stored * (files.MAX_DEFLATE_RATIO if filters else 1)
                files.require_at_most(self.path, rule, most, math.prod(shape) * itemsize)
        return specs

    def arrays(
        self, names: Iterable[str], places: Mapping[str, np.ndarray] | None = None
    ) -> Iterator[tuple[str, np.ndarray]]:
        """See `ArrayFile`."""
        for name in names:
            shape, dtype = self.specs[name]
            self._ask(name)
            size, raw = self._answer()["bytes"], np.uint16 if dtype == BFLOAT16 else np.dtype(dtype)
            array = (places or {}).get(name) if dtype != BFLOAT16 else None
            if array is None:
                array = np.empty(shape, raw)
            files.require_bytes(self.path, f"{name!r} fills its shape {shape}", array.nbytes, size)
            self._fill(array)
            yield name, from_bfloat16(array) if dtype == BFLOAT16 else array

    def close(self) -> None:
        """End the process."""
        self._watch.cancel()
        self._child.kill()
        for pipe in (self._child.stdin, self._child.stdout):
            assert pipe is not None
            with suppress(OSError):  # what it was not told any more
                pipe.close()
        self._child.wait()

    def _give_up(self) -> None:
        self._late = True
        self._child.kill()

    def _ask(self, request: Any) -> None:
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(json.dumps(request).encode() + b"\n")
            self._child.stdin.flush()
        except OSError:
            raise self._ended() from None

    def _answer(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line.endswith(b"\n"):
            raise self._ended()
        try:
            answer: dict[str, Any] = json.loads(line)
        except ValueError:  # a library may have said something
            raise self._unread(repr(line[:80])) from None
        if "missing" in answer:
            raise ImportError(answer["missing"])
        if "error" in answer:
            raise self._unread(answer["error"])
        return answer

    def _unread(self, why: str) -> CorruptFileError:
        received = f"a file that is cut off, or not one ({why})"
        return CorruptFileError(self.path, "the variables are in an HDF5 file", "a whole one", received)

    def _fill(self, array: np.ndarray) -> None:
        """Fill an array with the bytes that come."""
        assert self._child.stdout is not None
        view = array.reshape(-1).view(np.uint8).data
        while len(view):
            piece, view = self._piece(view)
            while len(piece):
                done = self._child.stdout.readinto(piece)  # type: ignore[attr-defined]
                if not done:
                    raise self._ended()
                piece = piece[done:]

    def _piece(self, view: memoryview) -> tuple[memoryview, memoryview]:
        """What the next piece fills, and the rest."""
        size = self._answer().get("piece")
        if not isinstance(size, int) or not 0 < size <= len(view):
            raise self._unread(f"a piece of {size} bytes, where {len(view)} are left")
        return view[:size], view[size:]

    def _ended(self) -> CorruptFileError:
        """The error where the process came to an end."""
        code = self._child.wait()
        why = "it did not end in time" if self._late else f"the process that read it ended by {_signal(code)}"
        rule = "the file can be read within limits of time and memory"
        return CorruptFileError(self.path, rule, "a whole HDF5 file", why)


def _signal(code: int) -> str:
    """What a return code says."""
    import signal

    if code >= 0:
        return f"itself ({code})"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
