"""Fetching one file over HTTP(S): limits, a checksum, and a target that is whole or untouched."""

from __future__ import annotations

import hashlib
import io
import os
import sys
import time
from collections.abc import Collection
from contextlib import suppress
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any, BinaryIO
from urllib import request
from urllib.error import HTTPError
from urllib.parse import urlsplit

from gputrain.data.io.errors import DownloadError
from gputrain.utils.progress.lines import Counter
from gputrain.utils.terminal import shows_bars

MAX_DOWNLOAD = 64 << 20  # bytes; the largest published data set has 26 MB
SOCKET_SECONDS = 30.0  # longest silence of the server
TOTAL_SECONDS = 3600.0  # longest transfer, headers too, so that a dripping server cannot hold us for ever
_CHUNK = 1 << 16
_NAMES = {"md5": "MD5", "sha256": "SHA-256"}


def fetch(
    url: str,
    target: Path,
    sums: Collection[str],
    *,
    algorithm: str = "sha256",
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
        sums: accepted sums, hex; with none, whatever comes is taken.
        algorithm: of the sums: "sha256" or "md5".
        max_bytes: int, largest body to accept, in bytes.
        socket_seconds: float, longest wait for the server, in seconds.
        total_seconds: float, longest transfer from the first answer on, in seconds.

    Raises:
        DownloadError: anything went wrong; the target is as it was, and no temporary file is left.
    """
    partial_file = target.with_name(f".{target.name}.{os.getpid()}-{os.urandom(4).hex()}.part")
    patience = _Patience(socket_seconds, time.monotonic() + total_seconds)
    try:
        scheme = urlsplit(url).scheme
        if scheme not in ("http", "https"):
            rule = "only web addresses are fetched"
            raise DownloadError(url, rule, "http:// or https://", f"scheme {scheme!r}")
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = _save(url, partial_file, max_bytes, patience, algorithm)
        if sums and digest not in sums:
            rule = f"the {_NAMES[algorithm]} sum must be the published one"
            raise DownloadError(url, rule, " or ".join(sums), digest)
        os.replace(partial_file, target)
    except DownloadError:
        raise
    except (OSError, HTTPException, ValueError) as error:
        received = f"{type(error).__name__}: {error}"
        rule = f"the file must arrive in {target.parent}"
        raise DownloadError(url, rule, "a download", received) from error
    finally:
        with suppress(OSError):  # it may never have come to be, or its folder not be a folder
            partial_file.unlink()


def file_sum(path: Path, algorithm: str) -> str:
    """The sum of a file, hex.

    Args:
        path: the file.
        algorithm: "sha256" or "md5".
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: _hasher(algorithm)).hexdigest()


def _hasher(algorithm: str) -> Any:
    return hashlib.new(algorithm, usedforsecurity=False)


class _Patience:
    """How long a server may still take: for its next byte, and in all."""

    def __init__(self, socket_seconds: float, deadline: float) -> None:
        self.socket_seconds, self.deadline = socket_seconds, deadline

    def left(self) -> float:
        """Seconds until the next byte must be there.

        Raises:
            TimeoutError: there are none.
        """
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time is limited: a faster server is needed")
        return min(self.socket_seconds, left)


class _Watched(io.RawIOBase):
    """The bytes from a socket, each read with what is left of the patience: headers may drip, too."""

    def __init__(self, socket: Any, patience: _Patience) -> None:
        self._socket, self._patience = socket, patience
        self._raw = socket.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._socket.settimeout(self._patience.left())
        got: int | None = self._raw.readinto(buffer)
        return got

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    """A response that reads through `_Watched`."""

    def __init__(self, socket: Any, *args: Any, patience: _Patience, **kwargs: Any) -> None:
        super().__init__(socket, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_Watched(socket, patience))


class _Handler(request.HTTPHandler, request.HTTPSHandler):
    """Opens both kinds of addresses, with responses that are watched."""

    def __init__(self, patience: _Patience) -> None:
        request.HTTPHandler.__init__(self)
        request.HTTPSHandler.__init__(self)
        self._response = partial(_Response, patience=patience)

    def http_open(self, req: request.Request) -> HTTPResponse:
        return self.do_open(self._connection(HTTPConnection), req)

    def https_open(self, req: request.Request) -> HTTPResponse:
        return self.do_open(self._connection(HTTPSConnection), req)

    def _connection(self, kind: type[HTTPConnection]) -> Any:
        def connect(*args: Any, **kwargs: Any) -> HTTPConnection:
            connection: Any = kind(*args, **kwargs)
            connection.response_class = self._response
            return connection

        return connect


def _save(url: str, target: Path, max_bytes: int, patience: _Patience, algorithm: str) -> str:
    """Write the body to a new file; returns its sum, hex."""
    with _open(url, patience) as response:
        declared = response.length
        if declared is not None and declared > max_bytes:
            raise DownloadError(url, "the size is limited", f"at most {max_bytes} bytes", f"{declared} bytes")
        with open(target, "xb") as file:
            received, digest = _copy(url, response, file, max_bytes, algorithm)
            file.flush()
            os.fsync(file.fileno())
    if declared is not None and received != declared:
        raise DownloadError(url, "the whole body must arrive", f"{declared} bytes", f"{received} bytes")
    return digest


def _open(url: str, patience: _Patience) -> HTTPResponse:
    asked = request.Request(url, headers={"User-Agent": "gputrain", "Accept-Encoding": "identity"})
    try:
        response = _opener(patience).open(asked, timeout=patience.left())
    except HTTPError as error:
        error.close()
        status = f"status {error.code} {error.reason}"
        raise DownloadError(url, "the server must have the file", "status 200", status) from error
    if not isinstance(response, HTTPResponse):
        raise DownloadError(url, "the server must answer", "an HTTP response", "none")
    return response


def _opener(patience: _Patience) -> request.OpenerDirector:
    """An opener without the file, ftp and data handlers, so that no redirect can lead there."""
    opener = request.OpenerDirector()
    for name in ("Proxy", "Unknown", "HTTPDefaultError", "HTTPRedirect"):
        opener.add_handler(getattr(request, f"{name}Handler")())
    opener.add_handler(_Handler(patience))
    opener.add_handler(request.HTTPErrorProcessor())
    return opener


def _copy(
    url: str, response: HTTPResponse, file: BinaryIO, max_bytes: int, algorithm: str
) -> tuple[int, str]:
    """Copy the body; returns its size in bytes and its sum, hex."""
    if not shows_bars(sys.stderr):  # else the bar says it
        print(f"gputrain: downloading {url}", file=sys.stderr)
    digest, received = _hasher(algorithm), 0
    name = url.rpartition("/")[2]
    with Counter(f"downloading {name}", response.length, "bytes") as counter:
        while chunk := response.read1(_CHUNK):
            received += len(chunk)
            if received > max_bytes:
                raise DownloadError(url, "the size is limited", f"at most {max_bytes} bytes", "more")
            digest.update(chunk)
            file.write(chunk)
            counter.advance(len(chunk))
    return received, digest.hexdigest()
