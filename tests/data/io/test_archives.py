"""Archives are unpacked whole or not at all, and never beside their folder."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from gputrain.data.io import archives
from gputrain.data.io.archives import extract, format_of
from gputrain.data.io.errors import CorruptFileError

FILES = {"a.txt": b"one", "folder/b.bin": bytes(range(256)) * 400, "folder/deep/c": b""}


def tar_bytes(files: dict[str, bytes], *more: tarfile.TarInfo, form: int = tarfile.PAX_FORMAT) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
        for name, body in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
        for info in more:
            archive.addfile(info)
    return stream.getvalue()


def zip_bytes(files: dict[str, bytes], mode: int = 0o100644, compress: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compress) as archive:
        for name, body in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr, info.compress_type = mode << 16, compress
            archive.writestr(info, body)
    return stream.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def found(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


GOOD = {
    "tar": tar_bytes(FILES),
    "tar, gnu": tar_bytes(FILES, form=tarfile.GNU_FORMAT),
    "tar, old": tar_bytes(FILES, form=tarfile.USTAR_FORMAT),
    "tar, gzip": gzip.compress(tar_bytes(FILES)),
    "tar, bzip2": bz2.compress(tar_bytes(FILES)),
    "tar, xz": lzma.compress(tar_bytes(FILES)),
    "tar, xz in two parts": lzma.compress(tar_bytes(FILES)[:5000]) + lzma.compress(tar_bytes(FILES)[5000:]),
    "tar, folders": tar_bytes(FILES, special("./", tarfile.DIRTYPE), special("folder", tarfile.DIRTYPE)),
    "tar, long names": tar_bytes({**FILES, "x" * 150 + "/" + "y" * 150: b"long"}),
    "zip": zip_bytes(FILES),
    "zip, stored": zip_bytes(FILES, compress=zipfile.ZIP_STORED),
    "zip, folders": zip_bytes({"folder/": b"", **FILES}, mode=0),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_archives(name: str, tmp_path: Path) -> None:
    path, folder = tmp_path / "archive", tmp_path / "folder"
    path.write_bytes(GOOD[name])
    kind = format_of(path)
    assert kind == name[:3]
    extract(path, folder, kind)
    expected = FILES if "long" not in name else {**FILES, "x" * 150 + "/" + "y" * 150: b"long"}
    assert found(folder) == expected
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["archive", "folder"]
    assert all(path.stat().st_mode & 0o111 == 0 for path in folder.rglob("*") if path.is_file())


def test_an_older_folder_is_replaced(tmp_path: Path) -> None:
    path, folder = tmp_path / "archive", tmp_path / "folder"
    path.write_bytes(GOOD["zip"])
    folder.mkdir()
    (folder / "old").write_bytes(b"old")
    extract(path, folder, "zip")
    assert found(folder) == FILES
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["archive", "folder"]


def _pax_bomb() -> bytes:
    """A header that says of itself that it has 3 GB."""
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, 3 << 30
    return info.tobuf(tarfile.USTAR_FORMAT) + b"30 path=a\n" * 100


def _negative() -> bytes:
    """A member of a negative size, after which a reader would go back."""
    header = bytearray(tarfile.TarInfo("a").tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\xff" * 10 + struct.pack(">h", -1024)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) * 3


def _encrypted() -> bytes:
    body = bytearray(zip_bytes({"a": b"secret"}))
    for start, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        body[body.index(start) + place] |= 1
    return bytes(body)


def _twice() -> bytes:
    return zip_bytes({"a": b"1", "b": b"2"}).replace(b"b", b"a")


def _changed(body: bytes, place: int) -> bytes:
    changed = bytearray(body)
    changed[place] ^= 1
    return bytes(changed)


def _xz(body: bytes, memory: int) -> bytes:
    return lzma.compress(
        body,
        filters=[
            {
                "id": lzma.FILTER_LZMA2,
                "dict_size": memory,
                "mode": lzma.MODE_FAST,
                "mf": lzma.MF_HC3,
                "nice_len": 64,
            }
        ],
    )


ZEROS = bytes(4 << 20)
LINK = special("a", tarfile.SYMTYPE, "/etc/passwd")
THROUGH = tar_bytes({}, special("out", tarfile.SYMTYPE, "..")) + tar_bytes({"out/evil": b"x"})
BAD: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "absolute": ("tar", lambda: tar_bytes({"/evil": b"x"}), "stay in its folder.*'/evil'"),
    "up": ("tar", lambda: tar_bytes({"a/../../evil": b"x"}), "stay in its folder"),
    "up, as a folder": (
        "tar",
        lambda: tar_bytes({}, special("../evil", tarfile.DIRTYPE)),
        "stay in its folder",
    ),
    "backslash": ("tar", lambda: tar_bytes({"..\\evil": b"x"}), "stay in its folder"),
    "drive": ("tar", lambda: tar_bytes({"C:evil": b"x"}), "stay in its folder"),
    "symbolic link": ("tar", lambda: tar_bytes({}, LINK), "plain files and folders alone.*link 'a'"),
    "link within": (
        "tar",
        lambda: tar_bytes(FILES, special("l", tarfile.SYMTYPE, "a.txt")),
        "files and folders alone",
    ),
    "hard link": (
        "tar",
        lambda: tar_bytes({}, special("a", tarfile.LNKTYPE, "/etc/passwd")),
        "Received: link",
    ),
    "through a link": ("tar", lambda: THROUGH, "link 'out'"),
    "device": ("tar", lambda: tar_bytes({}, special("a", tarfile.CHRTYPE)), "device 'a'"),
    "pipe": ("tar", lambda: tar_bytes({}, special("a", tarfile.FIFOTYPE)), "device 'a'"),
    "twice": ("tar", lambda: tar_bytes({"a": b"1", "./a": b"2"}), "each name stands once"),
    "file for a folder": ("tar", lambda: tar_bytes({"a": b"1", "a/b": b"2"}), "in the place of another"),
    "folder for a file": ("tar", lambda: tar_bytes({"a/b": b"1", "a": b"2"}), "in the place of another"),
    "bomb": ("tar", lambda: gzip.compress(tar_bytes({"a": ZEROS})), "at most 1048576 bytes unpacked"),
    "bomb of many": (
        "tar",
        lambda: gzip.compress(tar_bytes({str(i): ZEROS[: 1 << 18] for i in range(8)})),
        "at most 1048576 bytes unpacked",
    ),
    "zeros at the end": (
        "tar",
        lambda: gzip.compress(tar_bytes({"a": b"1"}) + ZEROS),
        "at most 1048576 bytes",
    ),
    "gzip, other sum": (
        "tar",
        lambda: _changed(gzip.compress(tar_bytes(FILES)), -6),
        "a whole tar file.*CRC",
    ),
    "a long name": ("tar", lambda: tar_bytes({"folder/" + "a" * 256: b"x"}), "names .* are those of files"),
    "deep folders": ("tar", lambda: tar_bytes({"a/" * 600 + "b": b"x"}), "names .* are those of files"),
    "zip, a long name": ("zip", lambda: zip_bytes({"\u00e9" * 128: b"x"}), "names .* are those of files"),
    "large header": ("tar", _pax_bomb, "a whole tar file.*a header of"),
    "negative size": ("tar", _negative, "a whole tar file"),
    "truncated": ("tar", lambda: tar_bytes(FILES)[:60_000], "a whole tar file"),
    "truncated gzip": ("tar", lambda: gzip.compress(tar_bytes(FILES))[:-300], "a whole tar file"),
    "zip, absolute": ("zip", lambda: zip_bytes({"/evil": b"x"}), "stay in its folder"),
    "zip, up": ("zip", lambda: zip_bytes({"../evil": b"x"}), "stay in its folder"),
    "zip, backslash": ("zip", lambda: zip_bytes({"..\\evil": b"x"}), "stay in its folder"),
    "zip, link": ("zip", lambda: zip_bytes({"a": b"/etc/passwd"}, stat.S_IFLNK | 0o777), "link or device"),
    "zip, device": ("zip", lambda: zip_bytes({"a": b""}, stat.S_IFCHR | 0o666), "link or device"),
    "zip, encrypted": ("zip", _encrypted, "encrypted file 'a'"),
    "zip, LZMA": (
        "zip",
        lambda: zip_bytes({"a": b"x" * 99}, compress=zipfile.ZIP_LZMA),
        "compressed by LZMA",
    ),
    "xz of much memory": ("tar", lambda: _xz(tar_bytes(FILES), 1 << 30), "Memory usage limit"),
    "truncated xz": ("tar", lambda: lzma.compress(tar_bytes(FILES))[:-30], "a whole tar file"),
    "xz, two parts, the second broken": (
        "tar",
        lambda: lzma.compress(tar_bytes(FILES)[:5000]) + b"x",
        "whole",
    ),
    "zip, twice": ("zip", _twice, "each name stands once"),
    "zip, bomb": ("zip", lambda: zip_bytes({"a": ZEROS}), "at most 1048576 bytes unpacked"),
    "zip, other sum": (
        "zip",
        lambda: zip_bytes(FILES, compress=zipfile.ZIP_STORED).replace(b"one", b"two", 1),
        "a whole zip file.*CRC",
    ),
    "zip, truncated": ("zip", lambda: zip_bytes(FILES)[:-30], "a whole zip file"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_refused_archive_leaves_everything_as_it_was(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "_FREE_BYTES", 1 << 20)
    monkeypatch.setattr(archives, "MAX_RATIO", 1)
    kind, make, message = BAD[name]
    inside = tmp_path / "inside"
    inside.mkdir()
    path, folder = inside / "archive", inside / "folder"
    path.write_bytes(make())
    folder.mkdir()
    (folder / "old").write_bytes(b"old")
    with pytest.raises(CorruptFileError, match=message):
        extract(path, folder, kind)
    assert found(folder) == {"old": b"old"}
    assert sorted(entry.name for entry in inside.iterdir()) == ["archive", "folder"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["inside"]


def test_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_FILES", 2)
    path = tmp_path / "archive"
    path.write_bytes(GOOD["zip"])
    with pytest.raises(CorruptFileError, match="number of files is limited"):
        extract(path, tmp_path / "folder", "zip")


@pytest.mark.parametrize("kind", ["tar", "tar, gzip", "zip"])
def test_truncated_anywhere(kind: str, tmp_path: Path) -> None:
    """No way to cut an archive short leads to another error, or to a folder."""
    small = {"a": b"x" * 700, "b/c": b"y"}
    whole = {"tar": tar_bytes(small), "tar, gzip": gzip.compress(tar_bytes(small)), "zip": zip_bytes(small)}[
        kind
    ]
    path, folder = tmp_path / "archive", tmp_path / "folder"
    for size in range(0, len(whole), 7 if len(whole) < 1000 else 97):
        path.write_bytes(whole[:size])
        try:
            extract(path, folder, kind[:3])
        except CorruptFileError:
            assert not folder.exists()
        else:  # a tar file may end without its empty blocks, and members are whole then
            assert kind != "zip"
            assert all(small[name] == body for name, body in found(folder).items())
            extract(path, folder, kind[:3])
            os.rename(folder, tmp_path / f"seen{size}")


@pytest.mark.parametrize("body", [b"", b"no archive", b"\x1f\x8b broken", bytes(2000), b"PK\x03\x04 broken"])
def test_what_is_no_archive(body: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(body)
    kind = format_of(path)
    assert kind in (None, "tar")
    if kind == "tar":  # of zeros: an archive without members
        extract(path, tmp_path / "folder", "tar")
        assert found(tmp_path / "folder") == {}


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CorruptFileError, match="only regular files"):
        format_of(tmp_path / "pipe")
