"""What a file really is, told from content alone."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gputrain.data.io import sniff
from gputrain.data.io.errors import CorruptFileError
from gputrain.data.io.sniff import describe, kind_of

IDX = struct.pack(">HBBII", 0, 8, 2, 2, 3) + bytes(6)


def written(save: Callable[..., None], *args: Any, **arrays: Any) -> bytes:
    out = io.BytesIO()
    save(out, *args, **arrays)
    return out.getvalue()


def zipped(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, b"content")
    return out.getvalue()


FILES = {
    "empty": ("empty", b""),
    "npy": ("npy", written(np.save, np.arange(3))),
    "npz": ("npz", written(np.savez, x=np.arange(3))),
    "npz, deflated": ("npz", written(np.savez_compressed, x=np.arange(3))),
    "workbook": ("xlsx", zipped("[Content_Types].xml", "_rels/.rels", "xl/workbook.xml")),
    "saved model": ("keras", zipped("metadata.json", "config.json", "model.weights.h5")),
    "other zip": ("zip", zipped("a.txt")),
    "zip of nothing": ("zip", zipped()),
    "zip cut after its first bytes": ("zip", b"PK\x03\x04"),
    "idx": ("idx", IDX),
    "idx with a byte to spare": ("binary", IDX + b"\0"),
    "idx cut in the header": ("binary", IDX[:9]),
    "idx that declares 2**96 bytes": ("binary", b"\0\0\x08\x03" + b"\xff" * 12),
    "idx of no dimensions": ("binary", b"\0\0\x08\0"),
    "gzipped idx": ("idx.gz", gzip.compress(IDX)),
    "gzip": ("gzip", gzip.compress(b"hello")),
    "gzip, damaged": ("gzip", gzip.compress(IDX)[:10] + b"\xff" * 20),
    "gzip bomb": ("gzip", gzip.compress(bytes(1 << 24))),
    "png": ("png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
    "jpeg": ("jpeg", b"\xff\xd8\xff\xe0\0\x10JFIF\0"),
    "gif": ("gif", b"GIF89a\1\0\1\0"),
    "bmp": ("bmp", b"BM" + struct.pack("<IHHI", 100, 0, 0, 54) + bytes(50)),
    "text that starts as a bitmap": ("text", b"BMI,age\n21.5,40\n"),
    "webp": ("webp", b"RIFF\x24\0\0\0WEBPVP8 "),
    "sound": ("binary", b"RIFF\x24\0\0\0WAVEfmt "),
    "tiff": ("tiff", b"II*\0\x08\0\0\0"),
    "tiff, big-endian": ("tiff", b"MM\0*\0\0\0\x08"),
    "heic": ("heic", b"\0\0\0\x18ftypheic"),
    "avif": ("avif", b"\0\0\0\x18ftypavif"),
    "hdf5": ("hdf5", b"\x89HDF\r\n\x1a\n\0"),
    "parquet": ("parquet", b"PAR1\x15\x04"),
    "column PAR1": ("text", b"PAR1,PAR2\n1,2\n"),
    "arrow": ("arrow", b"ARROW1\0\0\xff"),
    "old workbook": ("xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
    "sqlite": ("sqlite", b"SQLite format 3\0\x10"),
    "matlab": ("matlab", b"MATLAB 5.0 MAT-file, Platform"),
    "pdf": ("pdf", b"%PDF-1.7\n"),
    "bzip2": ("bzip2", b"BZh91AY&SY\0"),
    "xz": ("xz", b"\xfd7zXZ\0\0"),
    "zstd": ("zstd", b"\x28\xb5\x2f\xfd\x24"),
    "7z": ("7z", b"7z\xbc\xaf\x27\x1c\0"),
    "rar": ("rar", b"Rar!\x1a\x07\0"),
    "tar": ("tar", b"a.txt".ljust(257, b"\0") + b"ustar\x0000"),
    "tflite": ("tflite", b"\x1c\0\0\0TFL3\x14\0"),
    "checkpoint of PyTorch": ("torch", zipped("model/data.pkl", "model/version")),
    "safetensors": ("safetensors", struct.pack("<Q", 2) + b"{}"),
    "safetensors, cut in the header": ("binary", struct.pack("<Q", 200) + b'{"x": '),
    "lfs pointer": ("git-lfs", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
    **{f"pickle {v}": ("pickle", pickle.dumps({"a": 1}, protocol=v)) for v in (2, 3, 4, 5)},
    "csv": ("text", "größe,label\r\n1.5,katze\r\n".encode()),
    "csv in Latin-1": ("text", "größe\n1\n".encode("latin-1")),
    "csv in UTF-16": ("text", "a,b\n1,2\n".encode("utf-16")),
    "web page": ("html", b"\n\n<!DOCTYPE html><title>404</title>"),
    "web page with a mark": ("html", b"\xef\xbb\xbf<HTML lang=en>"),
    "a zero byte in text": ("binary", b"a,b\n1,\0\n"),
    "one byte": ("binary", b"\x01"),
}


@pytest.mark.parametrize("name", FILES)
def test_content_decides(name: str, tmp_path: Path) -> None:
    kind, data = FILES[name]
    path = tmp_path / "data.csv"
    path.write_bytes(data)
    assert kind_of(path) == kind
    assert describe(kind)


def test_every_kind_has_words_and_a_file() -> None:
    assert {kind for kind, _ in FILES.values()} == set(sniff._KINDS)
    assert describe("png") == "a PNG image"
    assert "never loaded" in describe("pickle")


def test_a_folder_and_a_missing_file_are_errors(tmp_path: Path) -> None:
    with pytest.raises(CorruptFileError, match=r"only regular files are read.*Received: d"):
        kind_of(tmp_path)
    with pytest.raises(FileNotFoundError):
        kind_of(tmp_path / "absent")


def test_random_bytes_have_a_kind(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    path = tmp_path / "file"
    starts = [data[:60] for _, data in FILES.values()]
    for index in range(200):
        damaged = bytearray(starts[index % len(starts)] + rng.bytes(8))
        damaged[rng.integers(len(damaged))] = rng.integers(256)
        path.write_bytes(damaged[: rng.integers(len(damaged) + 1)])
        assert kind_of(path) in sniff._KINDS
