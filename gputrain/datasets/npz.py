"""A reader of npz files from strangers: arrays of numbers, or one documented error. Nothing is unpickled.

An npz file is a zip file of npy files (NumPy Enhancement Proposal 1). Everything that a member declares about
its size is compared with what the file holds, and with a budget, before memory is taken.
"""

from __future__ import annotations

import math
import os
import re
import struct
import tokenize
import warnings
import zlib
from collections.abc import Iterable
from io import BytesIO
from os import PathLike
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gputrain.datasets._files import DEFAULT_BUDGET, MAX_DEFLATE_RATIO, fill, open_regular
from gputrain.datasets.errors import CorruptFileError

if TYPE_CHECKING:
    from zipfile import ZipFile, ZipInfo

_MAX_MEMBERS = 65_536
# Enough for 32 dimensions of 20 digits; a longer text is no plain array's header.
_MAX_HEADER = 1024
# Magic, version and length stand before the header's text: 12 bytes at most.
_MAX_PREFIX = _MAX_HEADER + 12
_MAX_DIMS = 32
_STORED, _DEFLATED = 0, 8
_ENCRYPTED = 0x1
_ITEM_BYTES = {"b": (1,), "i": (1, 2, 4, 8), "u": (1, 2, 4, 8), "f": (2, 4, 8), "c": (8, 16)}
# A member's name may hold folders, but no way out of them, no drive and no control characters.
_UNSAFE_NAME = re.compile(r"^/|\\|^[A-Za-z]:|(^|/)\.\.?(/|$)|[\x00-\x1f]")

# What NumPy's header parser is known to raise on text that is no header.
_HEADER_DAMAGE = (
    KeyError,
    MemoryError,
    RecursionError,
    SyntaxError,
    TypeError,
    ValueError,
    tokenize.TokenError,
)


class _Header(NamedTuple):
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran: bool

    @property
    def data_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def read_npz(
    path: str | PathLike[str], names: Iterable[str] | None = None, *, max_bytes: int = DEFAULT_BUDGET
) -> dict[str, NDArray[Any]]:
    """Read arrays of numbers or booleans from an npz file.

    Refused: pickled objects, records and strings; duplicate, absolute or `..` member names; encryption;
    compression other than deflate; declared shapes that do not fit the bytes that exist; bytes left over.

    Args:
        path: the file, as written by `numpy.savez` or `numpy.savez_compressed`.
        names: names wanted, without `.npy`; None means all. Only these are read; all members are checked.
        max_bytes: int, most bytes to accept for all wanted arrays together.

    Returns:
        dict of name to a new array, native byte order, in the order of `names` or else of the file.

    Raises:
        CorruptFileError: the file breaks a rule above, or lacks one of `names`.
        OSError: the file cannot be opened.

    >>> sorted(read_npz("mnist.npz", ["x_test", "y_test"]))  # doctest: +SKIP
    ['x_test', 'y_test']
    """
    with open_regular(path) as file:
        try:
            return _read_archive(path, file, names, max_bytes)
        except CorruptFileError:
            raise
        except _damage() as error:
            received = f"{type(error).__name__}: {error}"
            raise CorruptFileError(
                path, "the zip file must be whole", "a valid zip file", received
            ) from error


def _damage() -> tuple[type[Exception], ...]:
    """What broken input makes zipfile raise. The file is open by then, so OSError means a bad offset."""
    from zipfile import BadZipFile

    return (
        BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        OSError,
        ValueError,
        OverflowError,
        NotImplementedError,
        RuntimeError,
    )


def _read_archive(
    path: str | PathLike[str], file: BinaryIO, names: Iterable[str] | None, max_bytes: int
) -> dict[str, NDArray[Any]]:
    from zipfile import ZipFile

    file_bytes = os.fstat(file.fileno()).st_size
    with ZipFile(file) as archive:
        members = _check_members(path, archive.infolist(), file_bytes)
        wanted = list(members) if names is None else list(names)
        _check_wanted(path, members, wanted)
        _check_budget(path, [members[name] for name in wanted], max_bytes)
        return {name: _read_member(path, archive, members[name]) for name in wanted}


def _check_members(path: str | PathLike[str], infos: list[ZipInfo], file_bytes: int) -> dict[str, ZipInfo]:
    if len(infos) > _MAX_MEMBERS:
        raise CorruptFileError(
            path, "the number of members is limited", f"at most {_MAX_MEMBERS}", len(infos)
        )
    members: dict[str, ZipInfo] = {}
    for info in infos:
        _check_member(path, info, file_bytes)
        name = info.filename.removesuffix(".npy")
        if name in members:
            raise CorruptFileError(path, "member names must be unique", "each name once", f"{name!r} twice")
        members[name] = info
    return members


def _check_member(path: str | PathLike[str], info: ZipInfo, file_bytes: int) -> None:
    name = info.filename
    if _UNSAFE_NAME.search(info.orig_filename) or not name.endswith(".npy"):
        raise CorruptFileError(
            path, "members are npy files with plain relative names", "name.npy", repr(info.orig_filename)
        )
    if info.flag_bits & _ENCRYPTED:
        raise CorruptFileError(path, f"member {name!r} must not be encrypted", "plain data", "encrypted data")
    if info.compress_type not in (_STORED, _DEFLATED):
        method = f"method {info.compress_type}"
        raise CorruptFileError(path, f"member {name!r} is stored or deflated", "method 0 or 8", method)
    if info.compress_size > file_bytes:
        raise CorruptFileError(
            path,
            f"member {name!r} must lie inside the file",
            f"at most {file_bytes} bytes",
            f"{info.compress_size} bytes",
        )
    ratio = 1 if info.compress_type == _STORED else MAX_DEFLATE_RATIO
    if info.file_size > info.compress_size * ratio:
        raise CorruptFileError(
            path,
            f"member {name!r} must fit its {info.compress_size} bytes in the file",
            f"at most {info.compress_size * ratio} bytes",
            f"{info.file_size} bytes",
        )


def _check_wanted(path: str | PathLike[str], members: dict[str, ZipInfo], wanted: list[str]) -> None:
    missing = [name for name in wanted if name not in members]
    if missing:
        raise CorruptFileError(
            path, f"the arrays {wanted} must be there", f"{missing} too", f"{list(members)[:20]}"
        )


def _check_budget(path: str | PathLike[str], infos: list[ZipInfo], max_bytes: int) -> None:
    total = sum(info.file_size for info in infos)
    if total > max_bytes:
        raise CorruptFileError(
            path, "the arrays must fit the memory allowed", f"at most {max_bytes} bytes", f"{total} bytes"
        )


def _read_member(path: str | PathLike[str], archive: ZipFile, info: ZipInfo) -> NDArray[Any]:
    with archive.open(info) as stream:
        header, header_bytes = _read_header(path, info.filename, stream.read(_MAX_PREFIX))
    declared = header_bytes + header.data_bytes
    if declared != info.file_size:
        raise CorruptFileError(
            path,
            f"member {info.filename!r} declares {header.dtype} of shape {header.shape}",
            f"{declared} bytes",
            f"{info.file_size} bytes",
        )
    with archive.open(info) as stream:
        stream.read(header_bytes)
        raw, filled = fill(stream, header.data_bytes)
        rest = len(stream.read(1))
    if filled + rest != header.data_bytes:
        raise CorruptFileError(
            path,
            f"member {info.filename!r} must fill the shape {header.shape}",
            f"{header.data_bytes} bytes",
            f"{filled + rest} bytes",
        )
    return _as_array(path, info.filename, raw, header)


def _read_header(path: str | PathLike[str], name: str, prefix: bytes) -> tuple[_Header, int]:
    """Parse the npy header at the start of `prefix`; returns it and how many bytes it takes."""
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    head = BytesIO(prefix)
    try:
        read_header = readers[np.lib.format.read_magic(head)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            shape, fortran, dtype = read_header(head, max_header_size=_MAX_HEADER)
    except _HEADER_DAMAGE as error:
        received = f"{type(error).__name__}: {error}"
        raise CorruptFileError(
            path, f"member {name!r} starts with an npy header of version 1.0 or 2.0", "one", received
        ) from error
    _check_dtype(path, name, dtype)
    _check_shape(path, name, shape)
    return _Header(dtype, shape, fortran), head.tell()


def _check_dtype(path: str | PathLike[str], name: str, dtype: np.dtype[Any]) -> None:
    if dtype.itemsize not in _ITEM_BYTES.get(dtype.kind, ()):
        raise CorruptFileError(
            path,
            f"member {name!r} holds plain numbers or booleans",
            "bool, int, uint, float or complex",
            dtype,
        )


def _check_shape(path: str | PathLike[str], name: str, shape: tuple[int, ...]) -> None:
    if len(shape) > _MAX_DIMS:
        raise CorruptFileError(
            path, f"member {name!r} has few dimensions", f"at most {_MAX_DIMS}", len(shape)
        )
    if any(isinstance(size, bool) or size < 0 for size in shape):
        raise CorruptFileError(path, f"member {name!r} has a shape of counts", "integers >= 0", shape)


def _as_array(path: str | PathLike[str], name: str, raw: NDArray[np.uint8], header: _Header) -> NDArray[Any]:
    """View the bytes, uint8 (data_bytes,), as the declared array in native byte order."""
    if header.dtype.kind == "b" and raw.size and raw.max() > 1:
        raise CorruptFileError(path, f"member {name!r} holds booleans", "bytes 0 and 1", f"byte {raw.max()}")
    order: Literal["F", "C"] = "F" if header.fortran else "C"
    array = raw.view(header.dtype).reshape(header.shape, order=order)
    return array.astype(header.dtype.newbyteorder("="), copy=False)
