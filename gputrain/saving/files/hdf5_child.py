"""Reads one HDF5 file for another process: run as a program of its own, with limits, and never imported.

libhdf5 can hang, crash or take any memory inside a damaged file. So it is only used here, where the operating
system ends what goes too far. The parent writes lines of JSON to stdin; answers are lines of JSON on stdout,
each array followed by its bytes in the machine's own order.

1. {"paths": sys.path, "file", "offset", "size", "memory", "seconds", "attributes"} is answered by
   {"datasets": {name: [shape, dtype, bytes in the file, number of filters]}, "attributes": {group: {name:
   value}}} or by {"error": words}.
2. Then each name of a dataset, as a line, is answered by {"bytes": count} and the bytes.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterator
from typing import Any

PIECE = 1 << 18  # bytes that are read at once: more takes more memory and is no faster
PIECE_OF_CHUNKS = 1 << 22  # likewise, where each piece unpacks its chunks anew
MOST_OBJECTS = 200_000
MOST_DEPTH = 64
MOST_TEXT = 1 << 24  # bytes of all attributes together, as much as a config may have; of these
NUMBER = 40  # for each number, which takes more memory than JSON shows
FILTERS = {1: "deflate", 2: "shuffle", 3: "fletcher32", 32000: "lzf"}
KINDS = "fiub"


class Refused(Exception):
    """What the file holds is not read."""


class Part:
    """A part of a file, as a file."""

    def __init__(self, stream: Any, offset: int, size: int) -> None:
        self.stream, self.offset, self.size, self.at = stream, offset, size, 0

    def seek(self, place: int, whence: int = 0) -> int:
        self.at = place + (0, self.at, self.size)[whence]
        return self.at

    def tell(self) -> int:
        return self.at

    def readinto(self, buffer: Any) -> int:
        count = max(0, min(len(buffer), self.size - self.at))
        self.stream.seek(self.offset + self.at)
        done = int(self.stream.readinto(memoryview(buffer)[:count]))
        self.at += done
        return done

    def read(self, count: int = -1) -> bytes:
        count = self.size - self.at if count < 0 else count
        buffer = bytearray(max(0, min(count, self.size - self.at)))
        return bytes(buffer[: self.readinto(buffer)])

    def write(self, data: Any) -> int:
        raise OSError("the file is only read")

    def flush(self) -> None:
        """There is nothing to write."""


def limit(memory: int, seconds: int) -> None:
    """Have the system end this process where it takes more memory than now and `memory`, or more time."""
    try:
        import resource
    except ImportError:  # Windows
        return
    try:
        with open("/proc/self/statm") as file:
            now = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (now + memory, now + memory))
    except OSError:  # no Linux
        pass
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def walk(h5py: Any, group: Any, prefix: str, found: Any, depth: int, budget: list[int]) -> None:
    """All datasets below a group by name, and the groups; links that lead elsewhere are refused."""
    if depth > MOST_DEPTH:
        raise Refused(f"groups within groups, more than {MOST_DEPTH} deep")
    for name in group:
        budget[0] -= 1
        if budget[0] < 0:
            raise Refused(f"more than {MOST_OBJECTS} objects")
        path = prefix + name
        link = group.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise Refused(f"{path!r} is a link to another place ({type(link).__name__})")
        item = group[name]
        if isinstance(item, h5py.Group):
            found[1][path] = item
            walk(h5py, item, path + "/", found, depth + 1, budget)
        elif isinstance(item, h5py.Dataset):
            found[0][path] = item
        else:
            raise Refused(f"{path!r} is a {type(item).__name__}")


def described(dataset: Any, path: str) -> list[Any]:
    """Shape, dtype, bytes in the file and number of filters of a dataset that holds numbers in this file."""
    creation = dataset.id.get_create_plist()
    if dataset.is_virtual or dataset.external or creation.get_external_count():
        raise Refused(f"{path!r} lies in other files")
    for i in range(creation.get_nfilters()):
        code = creation.get_filter(i)[0]
        if code not in FILTERS:
            raise Refused(f"{path!r} is packed by a filter of number {code}")
    if dataset.shape is None:
        raise Refused(f"{path!r} has no shape")
    dtype = dataset.dtype.newbyteorder("=").name if dataset.dtype.kind in KINDS else "other"
    if dataset.attrs.get("dtype") in ("bfloat16", b"bfloat16") and dataset.dtype.itemsize == 2:
        dtype = "bfloat16"
    return [list(dataset.shape), dtype, dataset.id.get_storage_size(), creation.get_nfilters()]


def plain(value: Any, budget: list[int]) -> Any:
    """An attribute as JSON has it; what is no text and no number is left out."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, list):
        return [plain(each, budget) for each in value]
    budget[1] -= len(json.dumps(value)) if isinstance(value, str) else NUMBER
    if budget[1] < 0:
        raise Refused(f"more than {MOST_TEXT} bytes of attributes")
    return value if isinstance(value, (str, int, float, bool)) else None


def attributes(groups: dict[str, Any], budget: list[int]) -> dict[str, Any]:
    """The attributes of all groups that have any."""
    return {
        path: {name: plain(group.attrs[name], budget) for name in group.attrs}
        for path, group in groups.items()
        if len(group.attrs)
    }


def pieces(shape: Any, itemsize: int, most: int, place: Any = ()) -> Iterator[Any]:
    """Places of parts of an array of about `most` bytes, in order."""
    size = math.prod(shape) * itemsize
    if size <= most or not shape:
        yield place
        return
    row = size // shape[0]
    if row > most:
        for i in range(shape[0]):
            yield from pieces(shape[1:], itemsize, most, (*place, i))
    else:
        step = most // row
        for start in range(0, shape[0], step):
            yield (*place, slice(start, start + step))


def send(numpy: Any, dataset: Any, out: Any) -> None:
    """The bytes of a dataset, a line before each piece of them: reading the next one may fail."""
    dtype = dataset.dtype.newbyteorder("=")
    left = math.prod(dataset.shape) * dtype.itemsize
    say({"bytes": left}, out)
    most = PIECE if dataset.chunks is None else PIECE_OF_CHUNKS
    for place in pieces(dataset.shape, dtype.itemsize, most) if left else ():
        piece = numpy.ascontiguousarray(dataset[place], dtype)
        left -= piece.nbytes
        if left < 0:
            break
        say({"piece": piece.nbytes}, out)
        out.write(piece.reshape(-1).view(numpy.uint8).data)
    if left:
        raise Refused(f"{dataset.name!r} has more or fewer bytes than its shape says")
    out.flush()


def say(answer: Any, out: Any) -> None:
    """One line."""
    out.write(json.dumps(answer).encode() + b"\n")
    out.flush()


def serve(asked: Any, out: Any) -> None:
    """Answer the requests of the parent until it ends."""
    request = json.loads(asked.readline())
    sys.path[:] = request["paths"]
    import h5py
    import numpy

    while h5py.h5pl.size():
        h5py.h5pl.remove(0)  # no filters out of folders
    with open(request["file"], "rb", buffering=0) as stream:
        limit(request["memory"], request["seconds"])
        budget = [MOST_OBJECTS, MOST_TEXT]
        with h5py.File(Part(stream, request["offset"], request["size"]), "r") as file:
            found: Any = ({}, {"": file})
            walk(h5py, file, "", found, 0, budget)
            listing = {"datasets": {path: described(item, path) for path, item in found[0].items()}}
            if request["attributes"]:
                listing["attributes"] = attributes(found[1], budget)
            say(listing, out)
            for line in asked:
                send(numpy, found[0][json.loads(line)], out)


def main() -> None:
    """Serve, and tell what went wrong."""
    out = sys.stdout.buffer
    try:
        serve(sys.stdin.buffer, out)
    except MemoryError:
        say({"error": "it takes more memory than allowed"}, out)
    except Refused as error:
        say({"error": str(error)}, out)
    except ImportError as error:
        say({"missing": str(error)}, out)
    except Exception as error:  # noqa: BLE001  (of a damaged file anything may be raised)
        say({"error": f"{type(error).__name__}: {error}"}, out)


if __name__ == "__main__":
    main()
