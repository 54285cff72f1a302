"""Files from the web that are kept on this machine, and unpacked if they are archives."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from os import PathLike, fspath
from pathlib import Path
from urllib.parse import unquote, urlsplit

from gputrain.data.io import archives
from gputrain.data.io.archives import FORMATS
from gputrain.data.io.download import fetch, file_sum
from gputrain.data.io.errors import CorruptFileError
from gputrain.errors import explain

MAX_DOWNLOAD = 16 << 30  # bytes
TOTAL_SECONDS = 6 * 3600.0
_DIGITS = {32: "md5", 64: "sha256"}  # hex digits of a sum


def cache_folder() -> Path:
    """The folder of cached files: `KERAS_HOME`, or else `~/.keras`, where Keras has them, too."""
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser()


def get_file(
    fname: str | PathLike[str] | None = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: str | Sequence[str] | None = "auto",
    cache_dir: str | PathLike[str] | None = None,
    force_download: bool = False,
) -> str:
    """Return the path of a file from the web, downloaded unless it is in the cache.

    A download, and an unpacked folder, is there whole or not at all. What is there is not fetched, or
    unpacked, again, unless it has another sum than `file_hash`. An archive is refused if it holds links or
    devices, names that lead out of its folder, or far more bytes than it has itself. Downloads are limited to
    16 GiB and six hours, each silence of the server to 30 seconds.

    Args:
        fname: name of the file, without folders; default that in `origin`.
        origin: http or https address of the file.
        untar: as `extract`, for tar files alone; of older versions of Keras.
        md5_hash: MD5 sum, hex; of older versions of Keras.
        file_hash: SHA-256 or MD5 sum, hex; without it, whatever comes is taken.
        cache_subdir: folder within the cache; an absolute path stands for itself.
        hash_algorithm: "sha256", "md5", or "auto": by the number of digits.
        extract: whether to unpack a tar or zip file.
        archive_format: "tar" (also compressed by gzip, bzip2 or xz), "zip", a list of them, or "auto": both.
        cache_dir: the cache; default `KERAS_HOME`, or else `~/.keras`.
        force_download: whether to download what is in the cache already.

    Returns:
        path of the file; with `extract`, that of the folder: `fname`, or `fname` up to its first dot and
        "_extracted".

    Raises:
        ValueError: an argument that is not as above.
        DownloadError: the file could not be fetched, or has another sum; one in the cache stays as it was.
        CorruptFileError: the archive is damaged or refused, or none of these formats.
        OSError: the cache cannot be written to.

    Example:
        >>> path = get_file(origin="https://example.org/flowers.tgz", extract=True)  # doctest: +SKIP
    """
    if not isinstance(origin, str) or not origin:
        raise ValueError(explain("get_file: origin must be the address of the file.", received=repr(origin)))
    if md5_hash is not None and file_hash is None:
        file_hash, hash_algorithm = md5_hash, "md5"
    algorithm = _algorithm(hash_algorithm, file_hash)
    name = _file_name(fname, origin)
    formats = _formats("tar" if untar else archive_format)
    folder = (cache_folder() if cache_dir is None else Path(cache_dir).expanduser()) / cache_subdir
    unpacks = extract or untar
    target, unpacked = _places(folder, name, given=fname is not None, unpacks=unpacks)
    fresh = force_download or not _is_there(target, file_hash, algorithm)
    if fresh:
        sums = [] if file_hash is None else [file_hash.lower()]
        limits = {"max_bytes": MAX_DOWNLOAD, "total_seconds": TOTAL_SECONDS}
        fetch(origin, target, sums, algorithm=algorithm, **limits)  # type: ignore[arg-type]
    if not unpacks:
        return str(target)
    if fresh or not unpacked.is_dir():
        _unpack(target, unpacked, formats)
    return str(unpacked)


def _algorithm(name: str, file_hash: str | None) -> str:
    known = ("auto", *_DIGITS.values())
    if name not in known:
        rule = "get_file: hash_algorithm must be known."
        raise ValueError(explain(rule, expected=", ".join(map(repr, known)), received=repr(name)))
    if file_hash is None:
        return "sha256"
    found = _DIGITS.get(len(file_hash)) if set(file_hash.lower()) <= set("0123456789abcdef") else None
    if found is None or name not in ("auto", found):
        expected = {"auto": "64 hex digits (SHA-256) or 32 (MD5)", "sha256": "64 hex digits"}
        rule = "get_file: file_hash must be a sum."
        raise ValueError(
            explain(rule, expected=expected.get(name, "32 hex digits"), received=repr(file_hash))
        )
    return found


def _file_name(fname: str | PathLike[str] | None, origin: str) -> str:
    name = fspath(fname) if fname else unquote(urlsplit(origin).path).rpartition("/")[2]
    if not name or name in (".", "..") or set(name) & set("/\\\0:") or os.path.basename(name) != name:
        where = "fname must be a name without folders" if fname else "origin must end in the name of a file"
        fix = "Pass cache_dir= or cache_subdir= for the folder." if fname else "Pass fname=."
        raise ValueError(explain(f"get_file: {where}.", received=repr(fname or origin), fix=fix))
    return name


def _formats(archive_format: str | Sequence[str] | None) -> Sequence[str]:
    if archive_format is None:
        return ()
    named = FORMATS if archive_format == "auto" else archive_format
    found = (named,) if isinstance(named, str) else tuple(named)
    if not set(found) <= set(FORMATS):
        rule = "get_file: archive_format must be known."
        expected = '"auto", "tar", "zip", a list of them, or None'
        raise ValueError(explain(rule, expected=expected, received=repr(archive_format)))
    return found


def _places(folder: Path, name: str, *, given: bool, unpacks: bool) -> tuple[Path, Path]:
    """The file, and the folder that it is unpacked to, as Keras calls them."""
    if not unpacks:
        return folder / name, folder
    if given and "." in name:
        return folder / name, folder / f"{name.partition('.')[0]}_extracted"
    return folder / f"{name}_archive", folder / name


def _is_there(target: Path, file_hash: str | None, algorithm: str) -> bool:
    if not target.exists() or file_hash is None:
        return target.exists()
    found = file_sum(target, algorithm)
    if found != file_hash.lower():
        print(
            f"gputrain: {target} has the sum {found}, not {file_hash}: it is downloaded again.",
            file=sys.stderr,
        )
    return found == file_hash.lower()


def _unpack(archive: Path, folder: Path, formats: Sequence[str]) -> None:
    kind = archives.format_of(archive)
    if kind is None or kind not in formats:
        expected = " or ".join(f"a {name} file" for name in formats) or "a format: archive_format is None"
        received = "neither tar nor zip" if kind is None else f"a {kind} file"
        raise CorruptFileError(archive, "what is unpacked must be an archive", expected, received)
    archives.extract(archive, folder, kind)
