"""Writes npz files: a stored zip of npy members, as `numpy.load` and `read_npz` read them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

PORTION = 1 << 22  # bytes that are written at a time; other threads run between them


def write_npz(stream: BinaryIO, arrays: Iterable[tuple[str, NDArray[Any]]]) -> None:
    """Write arrays to a stream, each as the member of its name, uncompressed.

    The members are dated 1980, so that equal arrays give equal files.

    Args:
        stream: where to; it can seek.
        arrays: names and arrays of numbers or booleans; one is asked for when the one before is written.

    Raises:
        OSError: the stream cannot be written to.
    """
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays:
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                array = np.asarray(array, order="C")
                member.write(_header(array))
                contents = array.reshape(-1).view(np.uint8).data
                for start in range(0, len(contents), PORTION):
                    member.write(contents[start : start + PORTION])


def _header(array: NDArray[Any]) -> bytes:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(array))
    return header.getvalue()
