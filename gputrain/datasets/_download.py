"""Fetching one file over HTTP(S): limits, a checksum, and a target that is whole or untouched."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Collection
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import BinaryIO
from urllib import request
from urllib.error import HTTPError
from urllib.parse import urlsplit

from gputrain.data.io.errors import DownloadError
from gputrain.utils.progress.lines import Counter
from gputrain.utils.terminal import shows_bars

MAX_DOWNLOAD = 64 << 20  # bytes; the largest published file has 26 MB
SOCKET_SECONDS = 30.0  # longest silence of the server
TOTAL_SECONDS = 3600.0  # longest transfer, so that a dripping server cannot hold us for ever
_CHUNK = 1 << 16


def fetch(
    url: str,
    target: Path,
    sums: Collection[str],
    *,
    max_bytes: int = MAX_DOWNLOAD,
    socket_seconds: float = SOCKET_SECONDS,
    total_seconds: float = TOTAL_SECONDS,
) -> None:
    """Download `url` to `target`, with a bar on a terminal and lines elsewhere.

    The bytes go to a temporary file beside the target, are checked and synced, and take the target's name in
    one step. Two processes that fetch the same file do not disturb each other.

    Args:
        url: http or https address.
        target: the file to make or replace; its folder is made.
        sums: accepted SHA-256 sums, hex.
        max_bytes: int, largest body to accept, in bytes.
        socket_seconds: float, longest wait for the server, in seconds.
        total_seconds: float, longest transfer, in seconds.

    Raises:
        DownloadError: anything went wrong; the target is as it was, and no temporary file is left.
    """
    partial = target.with_name(f".{target.name}.{os.getpid()}-{os.urandom(4).hex()}.part")
    try:
        scheme = urlsplit(url).scheme
        if scheme not in ("http", "https"):
            rule = "only web addresses are fetched"
            raise DownloadError(url, rule, "http:// or https://", f"scheme {scheme!r}")
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = _save(url, partial, max_bytes, socket_seconds, time.monotonic() + total_seconds)
        if digest not in sums:
            raise DownloadError(url, "the SHA-256 sum must be the published one", " or ".join(sums), digest)
        os.replace(partial, target)
    except DownloadError:
        raise
    except (OSError, HTTPException, ValueError) as error:
        received = f"{type(error).__name__}: {error}"
        rule = f"the file must arrive in {target.parent}"
        raise DownloadError(url, rule, "a download", received) from error
    finally:
        with suppress(OSError):  # it may never have come to be, or its folder not be a folder
            partial.unlink()


def _save(url: str, partial: Path, max_bytes: int, socket_seconds: float, deadline: float) -> str:
    """Write the body to a new file; returns its SHA-256 sum, hex."""
    with _open(url, socket_seconds) as response:
        declared = response.length
        if declared is not None and declared > max_bytes:
            raise DownloadError(url, "the size is limited", f"at most {max_bytes} bytes", f"{declared} bytes")
        with open(partial, "xb") as file:
            received, digest = _copy(url, response, file, max_bytes, deadline)
            file.flush()
            os.fsync(file.fileno())
    if declared is not None and received != declared:
        raise DownloadError(url, "the whole body must arrive", f"{declared} bytes", f"{received} bytes")
    return digest


def _open(url: str, seconds: float) -> HTTPResponse:
    asked = request.Request(url, headers={"User-Agent": "gputrain", "Accept-Encoding": "identity"})
    try:
        response = _opener().open(asked, timeout=seconds)
    except HTTPError as error:
        error.close()
        status = f"status {error.code} {error.reason}"
        raise DownloadError(url, "the server must have the file", "status 200", status) from error
    if not isinstance(response, HTTPResponse):
        raise DownloadError(url, "the server must answer", "an HTTP response", "none")
    return response


def _opener() -> request.OpenerDirector:
    """An opener without the file, ftp and data handlers, so that no redirect can lead there."""
    opener = request.OpenerDirector()
    for name in ("Proxy", "Unknown", "HTTP", "HTTPS", "HTTPDefaultError", "HTTPRedirect"):
        opener.add_handler(getattr(request, f"{name}Handler")())
    opener.add_handler(request.HTTPErrorProcessor())
    return opener


def _copy(
    url: str, response: HTTPResponse, file: BinaryIO, max_bytes: int, deadline: float
) -> tuple[int, str]:
    """Copy the body; returns its size in bytes and its SHA-256 sum, hex."""
    if not shows_bars(sys.stderr):  # else the bar says it
        print(f"gputrain: downloading {url}", file=sys.stderr)
    digest, received = hashlib.sha256(), 0
    name = url.rpartition("/")[2]
    with Counter(f"downloading {name}", response.length, "bytes") as counter:
        while chunk := response.read1(_CHUNK):
            received += len(chunk)
            if received > max_bytes:
                raise DownloadError(url, "the size is limited", f"at most {max_bytes} bytes", "more")
            if time.monotonic() > deadline:
                raise DownloadError(url, "the time is limited", "a faster server", f"{received} bytes so far")
            digest.update(chunk)
            file.write(chunk)
            counter.advance(len(chunk))
    return received, digest.hexdigest()
