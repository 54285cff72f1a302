"""The npy readers: what NumPy writes, in memory, mapped and in portions, and files with other intentions."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gputrain.data.io.errors import CorruptFileError
from gputrain.data.io.npy import open_npy, portions, read_npy

READERS = {"read": read_npy, "open": open_npy}


def npy(
    descr: str, shape: str, data: bytes = b"", version: bytes = b"\x01\x00", order: str = "False"
) -> bytes:
    """An npy file as text says, true or not."""
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    size = struct.pack("<H" if version[0] == 1 else "<I", len(text))
    return b"\x93NUMPY" + version + size + text + data


def saved(array: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


BIGGEST = "9223372036854775807"
HOSTILE: dict[str, tuple[bytes, str]] = {
    "empty file": (b"", "npy header"),
    "text": (b"a,b\n1,2\n" * 100, "npy header"),
    "cut in the magic": (b"\x93NUM", "npy header"),
    "cut in the header": (saved(np.arange(3))[:40], "npy header"),
    "cut in the data": (saved(np.arange(3))[:-1], "152 bytes. Received: 151 bytes"),
    "a byte to spare": (saved(np.arange(3)) + b"\0", "152 bytes. Received: 153 bytes"),
    "pickled objects": (
        saved(np.array([{"not": "a number"}], dtype=object)),
        "plain numbers.*Received: object",
    ),
    "objects in a header": (npy("'|O'", "(1,)", bytes(8)), "plain numbers or booleans"),
    "records": (saved(np.zeros(2, [("x", "i4")])), "plain numbers or booleans"),
    "records of objects": (npy("[('x', '|O')]", "(1,)", bytes(8)), "plain numbers or booleans"),
    "subarrays": (
        npy("('<f4', (2,))", "(1,)", bytes(8)),
        "the file (starts with|holds|has|declares)|npy header",
    ),
    "strings": (saved(np.array(["x"])), "plain numbers or booleans"),
    "dates": (saved(np.zeros(2, "M8[s]")), "plain numbers or booleans"),
    "long double": (npy("'<f16'", "(1,)", bytes(16)), "plain numbers or booleans"),
    "dtype with code": (npy("__import__('os').getpid()", "(1,)", b"1"), "npy header"),
    "negative size": (npy("'|u1'", "(-1,)", b"1"), "shape of counts"),
    "negative sizes": (npy("'|u1'", "(-1, -1)", b"1"), "shape of counts"),
    "a truth": (npy("'|u1'", "(True,)", b"1"), "shape of counts"),
    "petabytes": (
        npy("'<f8'", "(1000000, 1000000, 1000)"),
        "declares float64 of shape.*Expected: 8000000000",
    ),
    "more than memory has addresses": (npy("'<f8'", f"({BIGGEST}, {BIGGEST})"), "memory can address"),
    "the same without data": (npy("'<f8'", f"(0, {BIGGEST}, {BIGGEST})"), "memory can address"),
    "sizes of 60 digits": (npy("'|u1'", f"({'9' * 60}, 0)"), "memory can address"),
    "many dimensions": (npy("'|u1'", f"({'1,' * 40})", b"1"), "at most 32. Received: 40"),
    "order that is no truth": (npy("'|u1'", "(1,)", b"1", order="7"), "npy header"),
    "truth of 2": (npy("'|b1'", "(2,)", b"\x01\x02"), "bytes 0 and 1. Received: byte 2"),
    "long header": (npy("'|u1'", f"(1,){' ' * 2000}", b"1"), "npy header"),
    "nested header": (npy("(" * 800 + ")" * 800, "(1,)"), "npy header"),
    "4 GB header": (b"\x93NUMPY\x02\x00\xff\xff\xff\xff{", "npy header"),
    "version 3": (npy("'|u1'", "(1,)", b"1", version=b"\x03\x00"), "version 1.0 or 2.0"),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_raise_the_documented_error(name: str, reader: str, tmp_path: Path) -> None:
    data, message = HOSTILE[name]
    path = tmp_path / "bad.npy"
    path.write_bytes(data)
    tracemalloc.start()
    with pytest.raises(CorruptFileError, match=message) as caught:
        READERS[reader](path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.path == str(path)
    assert peak < 1 << 20


ARRAYS = {
    **{
        dtype: np.random.default_rng(1).normal(0, 9, (5, 3)).astype(dtype)
        for dtype in ("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16")
    },
    "swapped": np.arange(5, dtype=">i4"),
    "fortran": np.asfortranarray(np.random.default_rng(2).normal(size=(5, 4, 2))),
    "scalar": np.array(3.5),
    "nothing": np.zeros((0, 3), np.float32),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", ARRAYS)
def test_reads_what_numpy_writes(name: str, reader: str, tmp_path: Path) -> None:
    expected = ARRAYS[name]
    np.save(tmp_path / "good.npy", expected)
    array = READERS[reader](tmp_path / "good.npy")
    np.testing.assert_array_equal(array, expected)
    assert array.shape == expected.shape
    assert type(array) is np.ndarray
    assert array.dtype == (expected.dtype.newbyteorder("=") if reader == "read" else expected.dtype)
    assert array.flags.writeable is (reader == "read")


@pytest.mark.parametrize("name", [name for name in ARRAYS if name != "scalar"])
def test_portions_of_a_mapped_array_are_the_array(name: str, tmp_path: Path) -> None:
    expected = ARRAYS[name]
    np.save(tmp_path / "good.npy", expected)
    found = list(portions(open_npy(tmp_path / "good.npy"), rows=2))
    assert [len(portion) for portion in found] == [2, 2, 1][: (len(expected) + 1) // 2]
    for start, portion in zip((0, 2, 4), found, strict=False):
        np.testing.assert_array_equal(portion, expected[start : start + 2])
        assert portion.dtype == expected.dtype.newbyteorder("=")
        assert portion.dtype.isnative
        assert portion.flags.c_contiguous
        assert portion.flags.owndata


def test_a_file_larger_than_the_portion_takes_the_memory_of_a_portion(tmp_path: Path) -> None:
    path = tmp_path / "big.npy"
    array = np.arange(4_000_000, dtype=np.float32).reshape(40_000, 100)
    np.save(path, array)
    sums = array.sum(axis=1, dtype=np.float64)
    tracemalloc.start()
    seen = np.concatenate([part.sum(axis=1, dtype=np.float64) for part in portions(open_npy(path), 500)])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(seen, sums)
    assert peak < 2_000_000  # of 16,000,000 bytes in the file


def test_a_mapped_file_outlives_its_name(tmp_path: Path) -> None:
    path = tmp_path / "good.npy"
    np.save(path, np.arange(9))
    array = open_npy(path)
    os.unlink(path)
    assert array.sum() == 36
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1


def test_the_budget_bounds_what_is_read_and_not_what_is_mapped(tmp_path: Path) -> None:
    path = tmp_path / "good.npy"
    np.save(path, np.zeros(1000))
    with pytest.raises(CorruptFileError, match=r"at most 7999 bytes\. Received: 8000 bytes"):
        read_npy(path, max_bytes=7999)
    assert read_npy(path, max_bytes=8000).size == open_npy(path).size == 1000


@pytest.mark.parametrize("rows", [0, -1, 2.0, True, "2"])
def test_rows_is_a_count(rows: Any) -> None:
    with pytest.raises(ValueError, match=f"rows counts the samples.*integer >= 1. Received: {rows!r}"):
        next(portions(np.arange(3), rows))


@pytest.mark.parametrize("shape", [(), (3, 0), (10**18, 0)])
def test_rows_without_numbers_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"rows of numbers is read.*Expected: a shape \(rows, ...\)"):
        next(portions(np.empty(shape, np.uint8)))


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_what_is_no_file(read: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(CorruptFileError, match="only regular files"):
        read(tmp_path)
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "absent.npy")


def test_random_damage_gives_arrays_or_the_documented_error(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    data = saved(np.ones((2, 3), np.float32))
    path = tmp_path / "file.npy"
    for _ in range(300):
        damaged = bytearray(data)
        damaged[rng.integers(len(data))] = rng.integers(256)
        path.write_bytes(damaged[: rng.integers(len(data) + 1)] if rng.random() < 0.2 else damaged)
        for read in READERS.values():
            try:
                array = read(path)
            except CorruptFileError:
                continue
            assert array.nbytes <= len(data)
