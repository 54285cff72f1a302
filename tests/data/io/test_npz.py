"""The npz reader: what NumPy writes, and a table of files made by somebody with other intentions."""

from __future__ import annotations

import functools
import io
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gputrain.data.io.errors import CorruptFileError
from gputrain.data.io.npz import iter_member, names_and_shapes, read_npz

LOCAL, CENTRAL = b"PK\x03\x04", b"PK\x01\x02"


def npy(descr: str, shape: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    """An npy file as text says, true or not."""
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    size = struct.pack("<H" if version[0] == 1 else "<I", len(text))
    return b"\x93NUMPY" + version + size + text + data


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return out.getvalue()


def one(data: bytes, method: int = zipfile.ZIP_STORED) -> bytes:
    return zipped(("a.npy", data), method=method)


def saved(**arrays: Any) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def patched(data: bytes, signature: bytes, offset: int, value: bytes) -> bytes:
    """Overwrite a field of the first zip record with that signature."""
    start = data.index(signature) + offset
    return data[:start] + value + data[start + len(value) :]


def twice() -> bytes:
    data = zipped(("a.npy", npy("'|u1'", "(1,)", b"1")), ("b.npy", npy("'|u1'", "(1,)", b"2")))
    return data.replace(b"b.npy", b"a.npy")


def encrypted() -> bytes:
    data = one(npy("'|u1'", "(1,)", b"1"))
    return patched(patched(data, LOCAL, 6, b"\x01\x00"), CENTRAL, 8, b"\x01\x00")


def lying(size: int, method: int = zipfile.ZIP_STORED) -> bytes:
    """Both the central directory and the array's header declare more than the 160 bytes that are there."""
    count = size - len(npy("'|u1'", f"({size:9},)"))
    member = npy("'|u1'", f"({count:9},)").ljust(160, b"\0")
    return patched(one(member, method), CENTRAL, 24, struct.pack("<I", size))


def objects() -> bytes:
    return saved(a=np.array([{"not": "a number"}], dtype=object))


@functools.cache
def bomb() -> bytes:
    return one(npy("'|u1'", "(99999999,)", bytes(99_999_999)), zipfile.ZIP_DEFLATED)


ONE_BYTE = npy("'|u1'", "(1,)", b"1")
HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty file": (lambda: b"", "zip file must be whole"),
    "no zip": (lambda: b"hello" * 100, "zip file must be whole"),
    "cut": (lambda: saved(a=np.arange(9))[:-30], "zip file must be whole"),
    "one byte changed": (lambda: one(npy("'|u1'", "(2,)", b"xy")).replace(b"xy", b"xz"), "zip file.*CRC"),
    "pickled objects": (objects, "plain numbers or booleans.*Received: object"),
    "pickled object in a header": (lambda: one(npy("'|O'", "(1,)", bytes(8))), "Received: object"),
    "records": (lambda: saved(a=np.zeros(2, [("x", "i4")])), "plain numbers or booleans"),
    "strings": (lambda: saved(a=np.array(["x"])), "plain numbers or booleans"),
    "bytes": (lambda: saved(a=np.array([b"x"])), "plain numbers or booleans"),
    "dates": (lambda: saved(a=np.zeros(2, "M8[s]")), "plain numbers or booleans"),
    "long double": (lambda: one(npy("'<f16'", "(1,)", bytes(16))), "plain numbers or booleans"),
    "unknown dtype": (lambda: one(npy("'<q9'", "(1,)", b"1")), "npy header"),
    "dtype with code": (lambda: one(npy("__import__('os').getpid()", "(1,)", b"1")), "npy header"),
    "too few bytes": (lambda: one(npy("'<f4'", "(3,)", bytes(8))), r"float32 of shape \(3,\)"),
    "too many bytes": (lambda: one(npy("'<f4'", "(3,)", bytes(13))), r"float32 of shape \(3,\)"),
    "petabytes": (lambda: one(npy("'<f8'", "(1000000, 1000000, 1000)", b"")), "Expected: 8000000000000"),
    "negative size": (lambda: one(npy("'|u1'", "(-1, -1)", b"1")), "shape of counts"),
    "size that is a truth": (lambda: one(npy("'|u1'", "(True,)", b"1")), "shape of counts"),
    "size that is no integer": (lambda: one(npy("'|u1'", "(1.0,)", b"1")), "npy header"),
    "many dimensions": (lambda: one(npy("'|u1'", f"({'1,' * 40})", b"1")), "at most 32. Received: 40"),
    "truth of 2": (lambda: one(npy("'|b1'", "(2,)", b"\x01\x02")), "bytes 0 and 1. Received: byte 2"),
    "header without keys": (lambda: one(npy("'|u1', 'x': 1", "(1,)", b"1")), "npy header"),
    "nested header": (lambda: one(npy("(" * 800 + ")" * 800, "(1,)")), "npy header"),
    "header of minus signs": (lambda: one(npy("'|u1'", "(" + "-" * 900 + "1,)")), "npy header"),
    "long header": (lambda: one(npy("'|u1'", f"(1,){' ' * 2000}", b"1")), "npy header"),
    "version 3": (lambda: one(npy("'|u1'", "(1,)", b"1", version=b"\x03\x00")), "version 1.0 or 2.0"),
    "version 9": (lambda: one(npy("'|u1'", "(1,)", b"1", version=b"\x09\x00")), "version 1.0 or 2.0"),
    "4 GB header": (lambda: one(b"\x93NUMPY\x02\x00\xff\xff\xff\xff{"), "npy header"),
    "empty member": (lambda: one(b""), "npy header"),
    "no npy inside": (lambda: one(b"just text"), "npy header"),
    "two of a name": (twice, "names must be unique. Expected: each name once. Received: 'a' twice"),
    "encrypted": (encrypted, "must not be encrypted"),
    "bzip2": (lambda: one(ONE_BYTE, zipfile.ZIP_BZIP2), "stored or deflated.*Received: method 12"),
    "lzma": (lambda: one(ONE_BYTE, zipfile.ZIP_LZMA), "stored or deflated.*Received: method 14"),
    "parent folder": (lambda: zipped(("../a.npy", ONE_BYTE)), "plain relative names.*'../a.npy'"),
    "parent folder inside": (lambda: zipped(("b/../../a.npy", ONE_BYTE)), "plain relative names"),
    "absolute name": (lambda: zipped(("/a.npy", ONE_BYTE)), "plain relative names"),
    "drive": (lambda: zipped(("C:a.npy", ONE_BYTE)), "plain relative names"),
    "backslash": (lambda: zipped(("..\\a.npy", ONE_BYTE)), "plain relative names"),
    "zero byte in the name": (lambda: one(ONE_BYTE).replace(b"a.npy", b"\0.npy"), "plain relative names"),
    "other member": (lambda: zipped(("a.pkl", b"cos\nsystem\n")), "plain relative names"),
    "folder": (lambda: zipped(("a/", b"")), "plain relative names"),
    "stored size lies": (lambda: lying(10_000), "fit its 160 bytes in the file. Expected: at most 160 bytes"),
    "deflated size lies": (
        lambda: lying(10_000, zipfile.ZIP_DEFLATED),
        r"fill the shape \(9924,\). Expected: 9924 bytes. Received: 84",
    ),
    "deflated size lies far": (
        lambda: lying(1 << 29, zipfile.ZIP_DEFLATED),
        "must fit its .* bytes in the file",
    ),
    "bomb": (bomb, "memory allowed. Expected: at most"),
    "long table of contents": (
        lambda: zipped(*((f"{n:060000}.npy", ONE_BYTE) for n in range(150))),
        "zip file must be whole.*ValueError: a table of contents of 90",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_raise_the_documented_error(name: str, tmp_path: Path) -> None:
    make, message = HOSTILE[name]
    path = tmp_path / "bad.npz"
    path.write_bytes(make())
    with pytest.raises(CorruptFileError, match=message) as caught:
        read_npz(path, max_bytes=1 << 26)
    assert caught.value.path == str(path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_reads_what_numpy_writes(save: Callable[..., None], tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    arrays = {
        f"folder/{dtype}": rng.normal(0, 9, (3, 4)).astype(dtype)
        for dtype in ("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16")
    }
    arrays |= {
        "swapped": np.arange(5, dtype=">i4"),
        "fortran": np.asfortranarray(rng.normal(size=(3, 4, 2))),
        "scalar": np.array(3.5),
        "nothing": np.zeros((0, 3), np.float32),
    }
    save(tmp_path / "good.npz", **arrays)
    loaded = read_npz(tmp_path / "good.npz")
    assert list(loaded) == list(arrays)
    for name, expected in arrays.items():
        np.testing.assert_array_equal(loaded[name], expected)
        assert loaded[name].dtype == expected.dtype.newbyteorder("=")
        assert loaded[name].shape == expected.shape
        assert loaded[name].flags.writeable


def test_only_the_wanted_arrays_are_read_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "good.npz"
    np.savez(path, big=np.zeros(10_000), small=np.arange(3), other=np.ones(1))
    assert list(read_npz(path, ["other", "small"], max_bytes=1000)) == ["other", "small"]
    with pytest.raises(CorruptFileError, match="at most 1000 bytes"):
        read_npz(path, max_bytes=1000)
    with pytest.raises(CorruptFileError, match=r"must be there. Expected: \['absent'\] too"):
        read_npz(path, ["small", "absent"])


@pytest.mark.parametrize("name", ["petabytes", "stored size lies", "deflated size lies far", "4 GB header"])
def test_a_lying_file_takes_no_memory(name: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    path.write_bytes(HOSTILE[name][0]())
    tracemalloc.start()
    with pytest.raises(CorruptFileError, match=str(path)):
        read_npz(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_random_damage_gives_arrays_or_the_documented_error(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    data = saved(a=np.arange(4, dtype=np.uint8), b=np.ones((2, 2), np.float32))
    path = tmp_path / "file.npz"
    for _ in range(300):
        damaged = bytearray(data)
        damaged[rng.integers(len(data))] = rng.integers(256)
        path.write_bytes(damaged[: rng.integers(len(data) + 1)] if rng.random() < 0.2 else damaged)
        try:
            arrays = read_npz(path, max_bytes=1 << 16)
        except CorruptFileError:
            continue
        assert sum(array.nbytes for array in arrays.values()) <= 1 << 16


def test_names_and_shapes_are_told_from_the_headers(tmp_path: Path) -> None:
    path = tmp_path / "good.npz"
    np.savez_compressed(path, x=np.zeros((7, 2, 3)), y=np.zeros(7, int), scalar=np.array(1.0))
    assert names_and_shapes(path) == {"x": (7, 2, 3), "y": (7,), "scalar": ()}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("rows", [1, 3, 7, 100])
def test_portions_of_a_member_are_the_member(save: Callable[..., None], rows: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    arrays = {
        "c": rng.normal(size=(7, 3, 2)),
        "fortran": np.asfortranarray(rng.normal(size=(7, 3))),
        "swapped": np.arange(7, dtype=">u2"),
        "truths": rng.random((7, 2)) < 0.5,
        "none": np.zeros((0, 4), np.int16),
    }
    save(tmp_path / "good.npz", **arrays)
    for name, expected in arrays.items():
        found = list(iter_member(tmp_path / "good.npz", name, rows))
        assert [len(portion) for portion in found] == [
            min(rows, len(expected) - start) for start in range(0, len(expected), rows)
        ]
        for index, portion in enumerate(found):
            np.testing.assert_array_equal(portion, expected[index * rows : (index + 1) * rows])
            assert portion.dtype == expected.dtype.newbyteorder("=")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_streaming_takes_the_memory_of_a_portion(save: Callable[..., None], tmp_path: Path) -> None:
    path = tmp_path / "big.npz"
    array = (np.arange(2_000_000) % 1000).astype(np.float32).reshape(20_000, 100)
    save(path, x=array, other=np.zeros(1_000_000))
    sums = array.sum(axis=1, dtype=np.float64)
    next(iter_member(path, "x"))  # imports
    tracemalloc.start()
    seen = np.concatenate([part.sum(axis=1, dtype=np.float64) for part in iter_member(path, "x", 500)])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(seen, sums)
    assert peak < 2_500_000  # of 8,000,000 bytes in the member


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_stream_into_the_documented_error(name: str, tmp_path: Path) -> None:
    make, message = HOSTILE[name]
    path = tmp_path / "bad.npz"
    path.write_bytes(make())
    if name == "bomb":
        message = "rows of member 'a.npy' must fit the memory allowed"
    with pytest.raises(CorruptFileError, match=message):
        list(iter_member(path, "a", rows=1 << 30, max_bytes=1 << 26))


def test_a_damaged_end_is_found_after_the_portions(tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    path.write_bytes(one(npy("'|u1'", "(9000,)", b"abc" * 2999 + b"xyz")).replace(b"xyz", b"xyy"))
    reader = iter_member(path, "a", rows=3)
    assert bytes(next(reader)) == b"abc"
    with pytest.raises(CorruptFileError, match=r"zip file.*CRC"):
        list(reader)


def test_a_bomb_is_streamed_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    path.write_bytes(one(npy("'|u1'", "(30000000, 1)", bytes(30_000_000)), 8))
    assert path.stat().st_size < 100_000
    tracemalloc.start()
    total = sum(len(portion) for portion in iter_member(path, "a", rows=1 << 16, max_bytes=1 << 17))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == 30_000_000
    assert peak < 2_500_000


@pytest.mark.parametrize("shape", ["()", "(3, 0)", f"({10**18}, 0)"])
def test_members_without_rows_of_numbers_do_not_stream(shape: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    path.write_bytes(one(npy("'|u1'", shape, b"1" if shape == "()" else b"")))
    with pytest.raises(CorruptFileError, match=r"rows of numbers. Expected: a shape \(rows, ...\)"):
        next(iter_member(path, "a"))


def test_what_cannot_be_streamed(tmp_path: Path) -> None:
    path = tmp_path / "good.npz"
    np.savez(path, x=np.zeros((4, 5)), f=np.asfortranarray(np.zeros((4, 5))))
    with pytest.raises(ValueError, match=r"integer >= 1\. Received: 0") as caught:
        next(iter_member(path, "x", rows=0))
    assert not isinstance(caught.value, CorruptFileError)
    with pytest.raises(CorruptFileError, match=r"must be there.*Received: \['x', 'f'\]"):
        next(iter_member(path, "y"))
    with pytest.raises(
        CorruptFileError, match=r"2 rows of member 'x.npy' must fit.*at most 79 bytes.*80 bytes"
    ):
        next(iter_member(path, "x", rows=2, max_bytes=79))
    with pytest.raises(CorruptFileError, match="arrays must fit the memory allowed"):
        next(iter_member(path, "f", rows=2, max_bytes=79))
    reader = iter_member(path, "x", rows=1)
    next(reader)
    reader.close()  # closes the file: an open one would be a warning and so an error
