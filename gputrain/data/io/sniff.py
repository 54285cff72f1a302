"""What a file really is, by its content and never by its name: for errors about files of the wrong kind."""

from __future__ import annotations

import math
import os
import struct
import zlib

from gputrain.data.io.errors import FilePath
from gputrain.data.io.files import open_regular
from gputrain.data.io.idx import DTYPES as IDX_DTYPES
from gputrain.data.io.idx import MAX_DIMS as IDX_MAX_DIMS
from gputrain.data.io.npy_format import MAGIC as NPY_MAGIC

_HEAD = 4096
# The table of contents of a zip file stands at its end.
_TAIL = 1 << 16


class _Kind:
    """A kind of file.

    Args:
        words: what it is called, with its article.
        offset: where one of its signatures stands.
        signatures: bytes of which some stand there in each such file; none where it is told in another way.
    """

    def __init__(self, words: str, offset: int = 0, *signatures: bytes) -> None:
        self.words, self.offset, self.signatures = words, offset, signatures


# The first whose signature fits decides.
_KINDS = {
    "npy": _Kind("an npy file", 0, NPY_MAGIC),
    "png": _Kind("a PNG image", 0, b"\x89PNG\r\n\x1a\n"),
    "jpeg": _Kind("a JPEG image", 0, b"\xff\xd8\xff"),
    "gif": _Kind("a GIF image", 0, b"GIF87a", b"GIF89a"),
    "webp": _Kind("a WebP image", 8, b"WEBPVP8"),
    "tiff": _Kind("a TIFF image", 0, b"II*\0", b"MM\0*"),
    "heic": _Kind("a HEIC image", 4, b"ftyphei", b"ftypmif1"),
    "avif": _Kind("an AVIF image", 4, b"ftypavif"),
    "hdf5": _Kind("an HDF5 file", 0, b"\x89HDF\r\n\x1a\n"),
    "parquet": _Kind("a Parquet file", 0, b"PAR1\x15"),
    "arrow": _Kind("an Arrow (Feather) file", 0, b"ARROW1\0\0"),
    "xls": _Kind("an old Excel or Office document", 0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
    "sqlite": _Kind("an SQLite database", 0, b"SQLite format 3\0"),
    "matlab": _Kind("a MATLAB file", 0, b"MATLAB 5.0 MAT-file"),
    "pdf": _Kind("a PDF document", 0, b"%PDF-"),
    "bzip2": _Kind("a bzip2 file", 4, b"1AY&SY"),
    "xz": _Kind("an xz file", 0, b"\xfd7zXZ\0"),
    "zstd": _Kind("a Zstandard file", 0, b"\x28\xb5\x2f\xfd"),
    "7z": _Kind("a 7z archive", 0, b"7z\xbc\xaf\x27\x1c"),
    "rar": _Kind("a RAR archive", 0, b"Rar!\x1a\x07"),
    "tar": _Kind("a tar archive", 257, b"ustar"),
    "tflite": _Kind("a TensorFlow Lite model", 4, b"TFL3"),
    "git-lfs": _Kind(
        "a Git LFS pointer, not the file itself (git lfs pull fetches it)",
        0,
        b"version https://git-lfs.github.com/spec/",
    ),
    "binary": _Kind("binary data of a kind unknown here"),
    "bmp": _Kind("a BMP image"),
    "empty": _Kind("an empty file"),
    "gzip": _Kind("a gzip file"),
    "html": _Kind("a web page (HTML)"),
    "idx": _Kind("an IDX file"),
    "idx.gz": _Kind("a gzipped IDX file"),
    "keras": _Kind("a saved model (.keras)"),
    "npz": _Kind("an npz file"),
    "pickle": _Kind("a Python pickle, which is never loaded: it can run any code"),
    "safetensors": _Kind("a safetensors file"),
    "text": _Kind("a text file"),
    "torch": _Kind("a PyTorch checkpoint, which holds a Python pickle: that is never loaded"),
    "xlsx": _Kind("an Excel workbook"),
    "zip": _Kind("a zip archive"),
}
_ZIP, _EMPTY_ZIP, _GZIP = b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b\x08"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BLANKS = b"\t\n\v\f\r\x1b"
_NO_TEXT = bytes(code for code in range(32) if code not in _BLANKS) + b"\x7f"


def kind_of(path: FilePath) -> str:
    """Tell what a file is from its first bytes, of a zip file its last ones too.

    At most 68 KiB are read, nothing is parsed beyond fixed fields, and nothing is believed: the answer words
    an error or chooses a reader, which then checks everything itself.

    Args:
        path: a regular file.

    Returns:
        One of "npy", "npz", "idx", "idx.gz"; "png", "jpeg", "gif", "bmp", "webp", "tiff", "heic", "avif";
        "keras", "hdf5", "parquet", "arrow", "xlsx", "xls", "sqlite", "matlab", "pickle", "pdf"; "zip",
        "gzip", "bzip2", "xz", "zstd", "7z", "rar", "tar"; "safetensors", "torch", "tflite"; "git-lfs",
        "html", "text"; "empty"; or "binary".

    Raises:
        CorruptFileError: `path` is no regular file.
        OSError: it cannot be opened.

    >>> kind_of("picture.csv")  # doctest: +SKIP
    'png'
    """
    with open_regular(path) as file:
        head = file.read(_HEAD)
        size = os.fstat(file.fileno()).st_size
        file.seek(max(0, size - _TAIL))
        tail = file.read(_TAIL) if head.startswith(_ZIP) else b""
    return _kind(head, tail, size)


def describe(kind: str) -> str:
    """Return the words for a kind, with their article.

    Example:
        >>> describe("png")
        'a PNG image'
    """
    return _KINDS[kind].words


def _kind(head: bytes, tail: bytes, size: int) -> str:
    if not head:
        return "empty"
    for kind, known in _KINDS.items():
        if head.startswith(known.signatures, known.offset):
            return kind
    if head.startswith((_ZIP, _EMPTY_ZIP)):
        return _kind_of_zip(head, tail)
    if head.startswith(_GZIP):
        return "idx.gz" if _idx_bytes(_unzipped(head)) is not None else "gzip"
    if _idx_bytes(head) == size:
        return "idx"
    if head.startswith(b"BM") and head[6:10] == bytes(4):
        return "bmp"
    if head[0] == 0x80 and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "pickle"
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= size - 8:
        return "safetensors"
    return _kind_of_text(head)


def _kind_of_zip(head: bytes, tail: bytes) -> str:
    """Tell by the name of the first member, which follows a record of 30 bytes, or by all names."""
    (length,) = struct.unpack_from("<H", head.ljust(30, b"\0"), 26)
    first = head[30 : 30 + length]
    if first.endswith(b".npy"):
        return "npz"
    if b"xl/workbook." in tail:
        return "xlsx"
    if b"/data.pkl" in tail:
        return "torch"
    return "keras" if b"model.weights." in tail else "zip"


def _kind_of_text(head: bytes) -> str:
    if not head.startswith(_UTF16) and len(head.translate(None, _NO_TEXT)) != len(head):
        return "binary"
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:14].lower()
    return "html" if start.startswith((b"<!doctype html", b"<html")) else "text"


def _idx_bytes(head: bytes) -> int | None:
    """Return how long the IDX file that starts with `head` claims to be; None when it is no IDX file."""
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in IDX_DTYPES:
        return None
    ndim = head[3]
    if not 1 <= ndim <= IDX_MAX_DIMS or len(head) < 4 + 4 * ndim:
        return None
    sizes = struct.unpack_from(f">{ndim}I", head, 4)
    return 4 + 4 * ndim + math.prod(sizes) * IDX_DTYPES[head[2]].itemsize


def _unzipped(head: bytes) -> bytes:
    """Return the first bytes of what a gzip file holds; none when it is damaged."""
    try:
        return zlib.decompressobj(wbits=31).decompress(head, 4 + 4 * IDX_MAX_DIMS)
    except zlib.error:
        return b""
