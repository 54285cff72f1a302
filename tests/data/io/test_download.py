"""Fetching over HTTP from a loopback server: what goes well, and everything that can go wrong."""

from __future__ import annotations

import hashlib
import io
import re
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from gputrain.data.io.download import fetch
from gputrain.data.io.errors import DownloadError

BODY = bytes(range(256)) * 1000
SUM = hashlib.sha256(BODY).hexdigest()


def status(code: int) -> Callable[[BaseHTTPRequestHandler], None]:
    return lambda handler: handler.send_error(code)


def redirect(address: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", address)
        handler.end_headers()

    return answer


def undeclared(body: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    """A body that ends where the connection ends, as in HTTP/1.0."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def silent(seconds: float) -> Callable[[BaseHTTPRequestHandler], None]:
    return lambda handler: time.sleep(seconds)


def dripping(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    try:
        for _ in range(100):
            handler.wfile.write(b"x")
            time.sleep(0.02)
    except OSError:
        pass  # the client gave up, as it should


def dripping_headers(handler: BaseHTTPRequestHandler) -> None:
    """An answer that never gets to its body: a byte of a header every now and then."""
    try:
        handler.wfile.write(b"HTTP/1.0 200 OK\r\nX-Slow: ")
        for _ in range(200):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.02)
    except OSError:
        pass  # the client gave up, as it should


def no_http(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"220 mail.example ESMTP\r\n")


def test_a_good_download(server: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server.serve("/file.bin", BODY)
    target = tmp_path / "new" / "folder" / "file.bin"
    fetch(f"{server.url}/file.bin", target, [SUM])
    assert target.read_bytes() == BODY
    assert [path.name for path in target.parent.iterdir()] == ["file.bin"]
    first, last = capsys.readouterr().err.splitlines()
    assert first == f"gputrain: downloading {server.url}/file.bin"
    assert last.startswith("downloading file.bin: 256k/256k bytes in ")


def test_redirects_and_undeclared_lengths_are_followed(server: Any, tmp_path: Path) -> None:
    server.answers |= {"/old": redirect("/new"), "/new": undeclared(BODY)}
    fetch(f"{server.url}/old", tmp_path / "file", [SUM])
    assert (tmp_path / "file").read_bytes() == BODY


FAILURES: dict[str, tuple[Callable[[BaseHTTPRequestHandler], None], str]] = {
    "not found": (status(404), "must have the file. Expected: status 200. Received: status 404"),
    "server error": (status(500), "Expected: status 200. Received: status 500"),
    "wrong sum": (
        undeclared(BODY[:-1] + b"!"),
        f"SHA-256 sum must be the published one. Expected: {SUM}. Received",
    ),
    "undeclared and truncated": (undeclared(BODY[:-1]), "SHA-256 sum"),
    "too long": (undeclared(BODY * 2), "size is limited. Expected: at most 300000 bytes. Received: more"),
    "redirect to a file": (redirect("file:///etc/passwd"), "Received"),
    "redirect to ftp": (redirect("ftp://127.0.0.1/file"), "Received"),
    "redirect in a circle": (redirect("/file"), "redirect"),
    "silence": (silent(0.6), "timed out|TimeoutError"),
    "no HTTP": (no_http, "BadStatusLine"),
}


@pytest.mark.parametrize("existing", [None, b"a good old file"], ids=["new", "over an old file"])
@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_leaves_everything_as_it_was(
    name: str, existing: bytes | None, server: Any, tmp_path: Path
) -> None:
    answer, message = FAILURES[name]
    server.answers["/file"] = answer
    target = tmp_path / "folder" / "file"
    target.parent.mkdir()
    if existing is not None:
        target.write_bytes(existing)
    with pytest.raises(DownloadError, match=message) as caught:
        fetch(f"{server.url}/file", target, [SUM], max_bytes=300_000, socket_seconds=0.3)
    assert caught.value.url == f"{server.url}/file"
    left = {path.name: path.read_bytes() for path in target.parent.iterdir()}
    assert left == ({} if existing is None else {"file": existing})


def test_a_truncated_body_is_noticed_by_its_length(server: Any, tmp_path: Path) -> None:
    server.serve("/file", BODY[:1000], length=len(BODY))
    with pytest.raises(DownloadError, match=r"256000|IncompleteRead"):
        fetch(f"{server.url}/file", tmp_path / "file", [SUM])
    assert list(tmp_path.iterdir()) == []


def test_a_declared_size_over_the_limit_is_refused_before_reading(server: Any, tmp_path: Path) -> None:
    server.serve("/file", b"", length=1 << 40)
    with pytest.raises(
        DownloadError, match=r"Expected: at most 67108864 bytes. Received: 1099511627776 bytes"
    ):
        fetch(f"{server.url}/file", tmp_path / "file", [SUM])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("answer", [dripping, dripping_headers], ids=["body", "headers"])
def test_a_dripping_server_is_given_up(
    answer: Callable[[BaseHTTPRequestHandler], None], server: Any, tmp_path: Path
) -> None:
    server.answers["/file"] = answer
    started = time.monotonic()
    with pytest.raises(DownloadError, match=r"time is limited|timed out"):
        fetch(f"{server.url}/file", tmp_path / "file", [SUM], total_seconds=0.2)
    assert time.monotonic() - started < 2.0
    assert list(tmp_path.iterdir()) == []


def test_a_redirect_does_not_begin_the_time_anew(server: Any, tmp_path: Path) -> None:
    def slow(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(0.15)
        redirect("/next" if handler.path == "/file" else "/last")(handler)

    server.answers |= {"/file": slow, "/next": slow, "/last": undeclared(BODY)}
    with pytest.raises(DownloadError, match=r"time is limited|timed out"):
        fetch(f"{server.url}/file", tmp_path / "file", [SUM], total_seconds=0.2)


def test_other_sums_and_none(server: Any, tmp_path: Path) -> None:
    server.serve("/file", BODY)
    md5 = hashlib.md5(BODY, usedforsecurity=False).hexdigest()
    fetch(f"{server.url}/file", tmp_path / "a", [md5], algorithm="md5")
    fetch(f"{server.url}/file", tmp_path / "b", [])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == BODY
    with pytest.raises(DownloadError, match=f"MD5 sum must be the published one.*Received: {md5}"):
        fetch(f"{server.url}/file", tmp_path / "a", ["0" * 32], algorithm="md5")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x", "/etc/passwd", ""])
def test_only_web_addresses(url: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"only web addresses are fetched. Expected: http:// or https://"):
        fetch(url, tmp_path / "file", [SUM])


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/x", "http:///x", "http://[::1/x", "http://127.0.0.1:99999/x"]
)
def test_unreachable_and_impossible_addresses(url: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="Received"):
        fetch(url, tmp_path / "file", [SUM])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(server: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"in the way")
    server.serve("/x", BODY)
    with pytest.raises(DownloadError, match=r"must arrive in .*Received: (FileExists|NotADirectory)Error"):
        fetch(f"{server.url}/x", tmp_path / "file" / "x", [SUM])


def test_an_interrupt_leaves_no_partial_file(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(source: object, target: object) -> None:
        raise KeyboardInterrupt

    server.serve("/file", BODY)
    monkeypatch.setattr("os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch(f"{server.url}/file", tmp_path / "file", [SUM])
    assert list(tmp_path.iterdir()) == []


def test_concurrent_downloads_of_one_file_are_harmless(server: Any, tmp_path: Path) -> None:
    server.serve("/file", BODY)
    target = tmp_path / "file"
    failures: list[BaseException] = []

    def work() -> None:
        try:
            fetch(f"{server.url}/file", target, [SUM])
            assert target.read_bytes() == BODY
        except (DownloadError, AssertionError) as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


class Terminal(io.StringIO):
    """A standard error that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_bar_on_a_terminal(server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.serve("/file.bin", BODY)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("CI", raising=False)
    fetch(f"{server.url}/file.bin", tmp_path / "file.bin", [SUM])
    shown = terminal.getvalue()
    assert "downloading file.bin: 0/256k |" in shown
    assert re.search(r"downloading file\.bin: 256k/256k bytes in [\d.]+ s\n$", shown)
    assert "http" not in shown
