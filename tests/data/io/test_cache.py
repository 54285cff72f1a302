"""`get_file` against a server on the loopback: names, sums, the cache, archives."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import Any

import pytest

from gputrain import utils
from gputrain.data.io import cache
from gputrain.data.io.cache import get_file
from gputrain.data.io.errors import CorruptFileError, DownloadError
from tests.data.io.test_archives import FILES, found, tar_bytes, zip_bytes

BODY = b"weights" * 1000
SHA256 = hashlib.sha256(BODY).hexdigest()
MD5 = hashlib.md5(BODY, usedforsecurity=False).hexdigest()


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))


def test_it_is_the_tool_of_keras() -> None:
    assert utils.get_file is get_file


def test_a_file_is_downloaded_once(server: Any, tmp_path: Path) -> None:
    server.serve("/m.h5?version=2", BODY)
    first = get_file(origin=f"{server.url}/m.h5?version=2")
    assert first == str(tmp_path / "home" / "datasets" / "m.h5")
    assert Path(first).read_bytes() == BODY
    assert get_file(origin=f"{server.url}/m.h5?version=2") == first
    assert len(server.requests) == 1
    get_file(origin=f"{server.url}/m.h5?version=2", force_download=True)
    assert len(server.requests) == 2


def test_places(server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.serve("/x", BODY)
    origin = f"{server.url}/x"
    assert get_file("y", origin, cache_subdir="models") == str(tmp_path / "home/models/y")
    assert get_file("y", origin, cache_dir=tmp_path / "c") == str(tmp_path / "c/datasets/y")
    assert get_file("y", origin, cache_subdir=str(tmp_path / "own")) == str(tmp_path / "own/y")
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert get_file("y", origin) == str(tmp_path / "me/.keras/datasets/y")


@pytest.mark.parametrize(
    ("given", "algorithm"), [(SHA256, "auto"), (SHA256.upper(), "sha256"), (MD5, "auto"), (MD5, "md5")]
)
def test_sums(given: str, algorithm: str, server: Any) -> None:
    server.serve("/x", BODY)
    path = get_file(origin=f"{server.url}/x", file_hash=given, hash_algorithm=algorithm)
    assert Path(path).read_bytes() == BODY


def test_the_older_argument_for_md5(server: Any) -> None:
    server.serve("/x", BODY)
    assert Path(get_file(origin=f"{server.url}/x", md5_hash=MD5)).read_bytes() == BODY
    with pytest.raises(DownloadError, match="MD5"):
        get_file(origin=f"{server.url}/x", md5_hash="0" * 32)


def test_another_sum_leaves_the_old_file(server: Any, tmp_path: Path) -> None:
    server.serve("/x", b"something else")
    old = tmp_path / "home/datasets/x"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"old")
    with pytest.raises(DownloadError, match=f"SHA-256 sum must be the published one. Expected: {SHA256}"):
        get_file(origin=f"{server.url}/x", file_hash=SHA256)
    assert old.read_bytes() == b"old"
    assert [path.name for path in old.parent.iterdir()] == ["x"]


def test_a_damaged_file_in_the_cache_is_downloaded_again(
    server: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.serve("/x", BODY)
    old = tmp_path / "home/datasets/x"
    old.parent.mkdir(parents=True)
    old.write_bytes(BODY[:-1])
    assert get_file(origin=f"{server.url}/x", file_hash=SHA256) == str(old)
    assert old.read_bytes() == BODY
    assert "is downloaded again" in capsys.readouterr().err


def test_the_progress_is_shown(server: Any, capsys: pytest.CaptureFixture[str]) -> None:
    server.serve("/x", BODY)
    get_file(origin=f"{server.url}/x")
    first, last = capsys.readouterr().err.splitlines()
    assert first == f"gputrain: downloading {server.url}/x"
    assert last.startswith("downloading x: 7000/7000 bytes in ")


def test_limits(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server.serve("/x", BODY)
    monkeypatch.setattr(cache, "MAX_DOWNLOAD", 100)
    with pytest.raises(DownloadError, match=r"at most 100 bytes. Received: 7000 bytes"):
        get_file(origin=f"{server.url}/x")


# -------------------------------------------------------------------------------------------------- archives

ARCHIVES = {"x.tar.gz": gzip.compress(tar_bytes(FILES)), "x.zip": zip_bytes(FILES), "x.tar": tar_bytes(FILES)}


@pytest.mark.parametrize("name", ARCHIVES)
@pytest.mark.parametrize(
    ("fname", "folder", "archive"),
    [
        (None, "{}", "{}_archive"),
        ("flowers", "flowers", "flowers_archive"),
        ("flowers.tar.gz", "flowers_extracted", "flowers.tar.gz"),
    ],
)
def test_archives_lie_where_keras_puts_them(
    name: str, fname: str | None, folder: str, archive: str, server: Any, tmp_path: Path
) -> None:
    server.serve(f"/{name}", ARCHIVES[name])
    made = get_file(fname, f"{server.url}/{name}", extract=True)
    home = tmp_path / "home/datasets"
    assert made == str(home / folder.format(name))
    assert found(Path(made)) == FILES
    assert {path.name for path in home.iterdir()} == {folder.format(name), archive.format(name)}
    (Path(made) / "a.txt").write_bytes(b"changed")
    assert get_file(fname, f"{server.url}/{name}", extract=True) == made
    assert (Path(made) / "a.txt").read_bytes() == b"changed", "what is unpacked stays"
    get_file(fname, f"{server.url}/{name}", extract=True, force_download=True)
    assert found(Path(made)) == FILES


def test_untar_takes_tar_files_alone(server: Any) -> None:
    server.serve("/x.tar.gz", ARCHIVES["x.tar.gz"])
    server.serve("/x.zip", ARCHIVES["x.zip"])
    assert found(Path(get_file(origin=f"{server.url}/x.tar.gz", untar=True))) == FILES
    with pytest.raises(CorruptFileError, match=r"Expected: a tar file. Received: a zip file"):
        get_file(origin=f"{server.url}/x.zip", untar=True)


@pytest.mark.parametrize(
    ("archive_format", "expected"),
    [("auto", "a tar file or a zip file"), (["zip"], "a zip file"), (None, "a format")],
)
def test_what_is_no_archive(archive_format: Any, expected: str, server: Any, tmp_path: Path) -> None:
    server.serve("/x", BODY)
    with pytest.raises(CorruptFileError, match=f"must be an archive. Expected: {expected}"):
        get_file(origin=f"{server.url}/x", extract=True, archive_format=archive_format)
    assert not (tmp_path / "home/datasets/x").exists()


def test_a_hostile_archive(server: Any, tmp_path: Path) -> None:
    server.serve("/x", tar_bytes({"../../evil": b"x"}))
    with pytest.raises(CorruptFileError, match="stay in its folder"):
        get_file(origin=f"{server.url}/x", extract=True)
    assert [path.name for path in tmp_path.rglob("*")] == ["home", "datasets", "x_archive"]


# ------------------------------------------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "origin must be the address"),
        ({"origin": "http://127.0.0.1:1/"}, "origin must end in the name of a file"),
        ({"origin": "http://127.0.0.1:1/.."}, "origin must end in the name of a file"),
        ({"origin": "http://127.0.0.1:1/a%2F..%2Fb/%2e%2e"}, "origin must end in the name of a file"),
        ({"origin": "http://127.0.0.1:1/a", "fname": "../b"}, "a name without folders.*'../b'"),
        ({"origin": "http://127.0.0.1:1/a", "fname": "/b"}, "a name without folders"),
        ({"origin": "http://127.0.0.1:1/a", "fname": ".."}, "a name without folders"),
        ({"origin": "http://127.0.0.1:1/a", "file_hash": "abc"}, "file_hash must be a sum.*64 hex digits"),
        ({"origin": "http://127.0.0.1:1/a", "file_hash": "g" * 64}, "file_hash must be a sum"),
        (
            {"origin": "http://127.0.0.1:1/a", "file_hash": MD5, "hash_algorithm": "sha256"},
            "Expected: 64 hex digits",
        ),
        ({"origin": "http://127.0.0.1:1/a", "hash_algorithm": "sha1"}, "hash_algorithm must be known"),
        ({"origin": "http://127.0.0.1:1/a", "archive_format": "rar"}, "archive_format must be known"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        get_file(**arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("origin", ["file:///etc/passwd", "ftp://127.0.0.1/x", "/etc/passwd"])
def test_only_web_addresses(origin: str) -> None:
    with pytest.raises(DownloadError, match="only web addresses"):
        get_file(origin=origin)


def test_a_cache_that_cannot_be_written_to(server: Any, tmp_path: Path) -> None:
    server.serve("/x", BODY)
    (tmp_path / "home").write_bytes(b"in the way")
    with pytest.raises(DownloadError, match="must arrive in"):
        get_file(origin=f"{server.url}/x")
