"""The safetensors format: the length of a header, the header as JSON, and the bytes of all arrays.

Source: https://huggingface.co/docs/safetensors, "Format". No package is needed for it.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from gputrain.data.io import files
from gputrain.data.io.errors import CorruptFileError, FilePath
from gputrain.errors import explain
from gputrain.saving.files.arrays import BFLOAT16, Stored, from_bfloat16, on_host, read_all
from gputrain.utils.files import write_atomically

_DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": BFLOAT16,
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
}
_CODES = {dtype: code for code, dtype in _DTYPES.items()}
_METADATA = "__metadata__"
_LENGTH = 8  # bytes of the header's length; the header is filled up to a multiple of it
_MAX_HEADER = 100_000_000  # as the safetensors package has it
_MAX_ITEMS = 1_000_000


def write(path: FilePath, arrays: Mapping[str, Any], metadata: Mapping[str, str] | None = None) -> None:
    """Write arrays into a file, whole or not at all.

    Args:
        path: the file.
        arrays: arrays or variables by name.
        metadata: text by name; of a model, what its layers are called, by their paths.

    Raises:
        OSError: the file cannot be written.

    Example:
        >>> write("weights.safetensors", {"kernel": numpy.ones((3, 2))})
    """
    write_atomically(Path(path), lambda stream: write_into(stream, arrays, metadata))


def write_into(stream: Any, arrays: Mapping[str, Any], metadata: Mapping[str, str] | None = None) -> None:
    """Write arrays into a stream."""
    header: dict[str, Any] = {} if not metadata else {_METADATA: dict(metadata)}
    end = 0
    for name, value in arrays.items():
        dtype = np.dtype(value.dtype).name
        if dtype not in _CODES:
            rule = f"{name!r} has a dtype that safetensors files can hold."
            raise ValueError(explain(rule, expected=", ".join(_CODES), received=dtype))
        start, end = end, end + math.prod(value.shape) * np.dtype(dtype).itemsize
        header[name] = {"dtype": _CODES[dtype], "shape": list(value.shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _LENGTH)
    stream.write(len(text).to_bytes(_LENGTH, "little") + text)
    for value in arrays.values():
        array = on_host(value)
        stream.write(array.astype(array.dtype.newbyteorder("<"), copy=False).reshape(-1).view(np.uint8).data)


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
def opened(path: FilePath, offset: int = 0, size: int | None = None) -> Iterator[SafetensorsFile]:
    """Open a file whose header is checked: all its parts lie side by side, and inside of the file.

    Args:
        path: the file.
        offset: where the format begins in it.
        size: of the format, in bytes; default the rest of the file.

    Raises:
        CorruptFileError: the file breaks a rule of the format.
        OSError: it cannot be opened.
    """
    with files.open_regular(path) as stream:
        rest = os.fstat(stream.fileno()).st_size - offset
        yield SafetensorsFile(path, stream, offset, rest if size is None else size)


class SafetensorsFile:
    """An open file.

    Attributes:
        specs: what it holds.
        metadata: text by name.
    """

    def __init__(self, path: FilePath, stream: BinaryIO, offset: int, size: int) -> None:
        self.path, self._stream = path, stream
        stream.seek(offset)
        length = int.from_bytes(self._exactly(min(_LENGTH, size)).tobytes(), "little")
        most = min(_MAX_HEADER, size - _LENGTH)
        files.require_at_most(path, "the header must lie inside the file", max(most, 0), length)
        header = _parsed(path, self._exactly(length).tobytes())
        self.metadata = _checked_metadata(path, header.pop(_METADATA, {}))
        self._start = offset + _LENGTH + length
        self._places: dict[str, tuple[int, int]] = {}
        self.specs: dict[str, Stored] = {}
        for name, item in header.items():
            self.specs[name], self._places[name] = _checked(path, name, item)
        self._require_side_by_side(size - _LENGTH - length)

    @property
    def names(self) -> Mapping[str, str]:
        """What layers are called, by their paths: the metadata, of which a file of others has other texts."""
        return self.metadata

    def _exactly(self, size: int) -> np.ndarray:
        return files.read_exactly(self.path, self._stream, size, "the file must be whole")

    def _require_side_by_side(self, size: int) -> None:
        """Refuse parts that overlap, gaps, and another end than the file's."""
        end = 0
        for name, (start, stop) in sorted(self._places.items(), key=lambda pair: pair[1]):
            if start != end:
                rule = f"the bytes of {name!r} follow those before them"
                raise CorruptFileError(self.path, rule, f"an offset of {end}", start)
            end = stop
        files.require_bytes(self.path, "the arrays must fill the file", end, size)

    def arrays(
        self, names: Iterable[str], places: Mapping[str, np.ndarray] | None = None
    ) -> Iterator[tuple[str, np.ndarray]]:
        """See `ArrayFile`."""
        for name in names:
            (start, stop), (shape, dtype) = self._places[name], self.specs[name]
            self._stream.seek(self._start + start)
            raw = self._exactly(stop - start)
            if dtype == BFLOAT16:
                yield name, from_bfloat16(raw.view("<u2")).reshape(shape)
                continue
            if dtype == "bool" and raw.size and raw.max() > 1:
                rule = f"{name!r} holds booleans"
                raise CorruptFileError(self.path, rule, "bytes 0 and 1", f"byte {raw.max()}")
            array = raw.view(np.dtype(dtype).newbyteorder("<")).reshape(shape)
            yield name, array.astype(dtype, copy=False)


def _parsed(path: FilePath, text: bytes) -> dict[str, Any]:
    """The header, a dict in which no name stands twice."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a name twice")
        return found

    rule = "the header is a JSON object"
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise CorruptFileError(path, rule, "one", f"{type(error).__name__}: {error}") from None
    if not isinstance(header, dict) or len(header) > _MAX_ITEMS:
        raise CorruptFileError(path, rule, f"one of at most {_MAX_ITEMS} entries", type(header).__name__)
    return header


def _checked_metadata(path: FilePath, metadata: Any) -> dict[str, str]:
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise CorruptFileError(path, f"{_METADATA} holds text by name", "texts", type(metadata).__name__)
    return metadata


def _checked(path: FilePath, name: str, item: Any) -> tuple[Stored, tuple[int, int]]:
    """What an entry of the header says, where it says what it must."""
    rule = f"the header says dtype, shape and data_offsets of {name!r}"
    if not isinstance(item, dict) or item.keys() != {"dtype", "shape", "data_offsets"}:
        raise CorruptFileError(path, rule, "these three", repr(item)[:200])
    code, shape, offsets = item["dtype"], item["shape"], item["data_offsets"]
    if not isinstance(code, str) or code not in _DTYPES:
        raise CorruptFileError(
            path, f"{name!r} has a dtype that is known", ", ".join(_DTYPES), repr(code)[:40]
        )
    if not _counts(shape) or not _counts(offsets) or len(offsets) != 2 or len(shape) > 32:
        raise CorruptFileError(path, rule, "lists of integers from 0 on", repr((shape, offsets))[:200])
    stored = Stored(tuple(shape), _DTYPES[code])
    files.require_addressable(path, repr(name), stored.shape, stored.itemsize)
    taken = math.prod(shape) * (2 if stored.dtype == BFLOAT16 else stored.itemsize)
    rule = f"{name!r} of shape {shape} fills its place"
    files.require_bytes(path, rule, taken, offsets[1] - offsets[0])
    return stored, (offsets[0], offsets[1])


def _counts(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 2**63 for value in values)
