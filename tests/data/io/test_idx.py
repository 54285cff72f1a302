"""The IDX reader: good files of every type, and a table of broken ones."""

from __future__ import annotations

import gzip
import os
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from gputrain.data.io.errors import CorruptFileError
from gputrain.data.io.idx import read_idx

CODES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def idx_bytes(code: int, shape: tuple[int, ...], data: bytes) -> bytes:
    return bytes([0, 0, code, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + data


GOOD = idx_bytes(0x08, (2, 3), bytes(range(6)))
PACKED = gzip.compress(GOOD)

HOSTILE = {
    "empty": (b"", "magic number. Expected: 4 bytes. Received: 0 bytes"),
    "short magic": (b"\0\0\x08", "Expected: 4 bytes. Received: 3 bytes"),
    "other file": (b"PK\x03\x04" + bytes(20), "starts with two zero bytes. Expected: 00 00. Received: 50 4b"),
    "unknown type": (
        idx_bytes(0x0A, (1,), b"1"),
        "type code. Expected: one of 08, 09, 0b, 0c, 0d, 0e. Received: 0a",
    ),
    "no dimension": (bytes([0, 0, 8, 0]), "counts dimensions. Expected: 1 to 32. Received: 0"),
    "255 dimensions": (bytes([0, 0, 8, 255]) + bytes(1020), "Expected: 1 to 32. Received: 255"),
    "cut in the sizes": (GOOD[:9], "header holds 2 dimensions. Expected: 8 bytes. Received: 5 bytes"),
    "cut in the data": (GOOD[:-1], r"declares the shape \(2, 3\). Expected: 18 bytes. Received: 17 bytes"),
    "bytes to spare": (GOOD + b"x", "Expected: 18 bytes. Received: 19 bytes"),
    "over the budget": (
        idx_bytes(8, (2**32 - 1,) * 3, b""),
        "allowed for one file. Expected: at most 1073741824",
    ),
    "beyond memory without data": (idx_bytes(13, (0, *(2**32 - 1,) * 3), b""), "that memory can address"),
    "declared 1 GB": (idx_bytes(8, (1 << 30,), b"x"), "Expected: 1073741832 bytes. Received: 9 bytes"),
    "gz cut": (PACKED[:-9], "gzip stream must be whole"),
    "gz wrong sum": (PACKED[:-8] + bytes(4) + PACKED[-4:], "gzip stream must be whole.*CRC"),
    "gz header only": (PACKED[:10], "gzip stream must be whole"),
    "gz broken deflate": (PACKED[:10] + b"\xff" * 20, "gzip stream must be whole"),
    "gz cut inside": (
        gzip.compress(GOOD[:-2]),
        r"fill the shape \(2, 3\). Expected: 6 bytes. Received: 4 bytes",
    ),
    "gz bytes to spare": (gzip.compress(GOOD + b"x"), "nothing may follow the data"),
    "gz two in one": (PACKED + PACKED, "nothing may follow the data"),
    "gz declares 1 GB": (gzip.compress(idx_bytes(8, (1 << 30,), b"x")), "compressed bytes can hold"),
    "gz no IDX": (gzip.compress(b"hello, world"), "starts with two zero bytes"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_raise_the_documented_error(name: str, tmp_path: Path) -> None:
    data, message = HOSTILE[name]
    path = tmp_path / "bad-idx3-ubyte"
    path.write_bytes(data)
    with pytest.raises(CorruptFileError, match=message) as caught:
        read_idx(path)
    assert caught.value.path == str(path)
    assert str(path) in str(caught.value)
    assert "replace it with a good copy" in str(caught.value)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("shape", [(5,), (2, 3), (1, 2, 3, 2), (0, 4)])
def test_reads_every_type(code: int, shape: tuple[int, ...], packed: bool, tmp_path: Path) -> None:
    expected = np.random.default_rng(code).normal(0, 50, shape).astype(CODES[code])
    data = idx_bytes(code, shape, expected.tobytes())
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(data) if packed else data)
    array = read_idx(path)
    assert array.dtype == expected.dtype.newbyteorder("=")
    assert array.dtype.isnative
    assert array.flags.writeable
    assert array.flags.c_contiguous
    np.testing.assert_array_equal(array, expected)


def test_the_budget_can_be_set(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(GOOD)
    assert read_idx(path, max_bytes=6).shape == (2, 3)
    with pytest.raises(CorruptFileError, match=r"Expected: at most 5 bytes. Received: 6 bytes"):
        read_idx(path, max_bytes=5)


def test_a_lying_header_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(idx_bytes(8, (1 << 30,), b"x")))
    tracemalloc.start()
    with pytest.raises(CorruptFileError, match="can hold"):
        read_idx(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CorruptFileError, match="only regular files"):
        read_idx(tmp_path / "pipe")


def test_a_missing_file_is_an_ordinary_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_idx(tmp_path / "nowhere")


@pytest.mark.parametrize("data", [GOOD, PACKED], ids=["raw", "gz"])
def test_random_damage_gives_an_array_or_the_documented_error(data: bytes, tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    path = tmp_path / "file"
    for _ in range(300):
        damaged = bytearray(data)
        damaged[rng.integers(len(data))] = rng.integers(256)
        path.write_bytes(damaged[: rng.integers(len(data) + 1)] if rng.random() < 0.3 else damaged)
        try:
            array = read_idx(path, max_bytes=1 << 16)
        except CorruptFileError:
            continue
        assert array.nbytes <= 1 << 16
