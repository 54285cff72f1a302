"""The committed reference outputs: a file for each group of cases, the same bytes for the same contents."""

from __future__ import annotations

import io
import json
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tests.parity.runners import Result

FOLDER = Path(__file__).resolve().parent / "references"
MOST = 1024  # elements kept of an array; of a larger one as many, spread over it, and its norm


def kept(result: Result) -> Result:
    """The result as a file keeps it."""
    arrays: dict[str, np.ndarray] = {}
    for name, array in result.arrays.items():
        if array.size <= MOST:
            arrays[name] = array
            continue
        spread = np.arange(MOST) * array.size // MOST
        arrays[f"{name}, {MOST} of {'x'.join(map(str, array.shape))}"] = array.ravel()[spread]
        arrays[f"{name}, norm"] = np.linalg.norm(array.ravel().astype("float64"))
    return Result(arrays, json.loads(json.dumps(result.facts)))


def write(group: str, results: dict[str, Result]) -> Path:
    """Write a group's references. Arrays lie byte by byte, all first bytes first, which packs better."""
    index: dict[str, Any] = {}
    parts: list[bytes] = []
    for name, result in results.items():
        entries = [[key, a.dtype.name, list(a.shape)] for key, a in result.arrays.items()]
        index[name] = {"arrays": entries, "facts": result.facts}
        for array in result.arrays.values():
            units = np.frombuffer(np.ascontiguousarray(array).tobytes(), np.uint8)
            parts.append(units.reshape(-1, array.itemsize).T.tobytes())
    path = FOLDER / f"{group}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for member, content in (("index", json.dumps(index).encode()), ("data", b"".join(parts))):
            buffer = io.BytesIO()
            np.save(buffer, np.frombuffer(content, np.uint8), allow_pickle=False)
            file.writestr(_entry(member), buffer.getvalue())
    return path


def _entry(member: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(f"{member}.npy", (1980, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


@cache
def read(group: str) -> dict[str, Result]:
    """A group's references by the names of their cases; empty where there is no file yet."""
    path = FOLDER / f"{group}.npz"
    if not path.exists():
        return {}
    with np.load(path, allow_pickle=False) as file:
        index, data, results = json.loads(file["index"].tobytes()), file["data"], {}
    start = 0
    for name, entry in index.items():
        arrays = {}
        for key, dtype, shape in entry["arrays"]:
            count, size = int(np.prod(shape, dtype=np.int64)), np.dtype(dtype).itemsize
            units = data[start : start + count * size].reshape(size, count).T
            arrays[key] = np.frombuffer(units.tobytes(), dtype).reshape(shape)
            start += count * size
        results[name] = Result(arrays, entry["facts"])
    return results
