"""Damage with a plan: strategies of hypothesis that change plain data, bytes, zip files and HDF5 files."""

from __future__ import annotations

import copy
import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

from tests.saving.fuzz_guard import STRANGE_MODULES

Draw = Callable[[st.SearchStrategy[Any]], Any]

INTEGERS = (
    0,
    1,
    -1,
    2,
    7,
    127,
    128,
    255,
    256,
    65535,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**53,
    2**63 - 1,
    2**63,
    10**30,
)
NAMES = (
    *(
        "",
        ".",
        "..",
        "/",
        "../../evil",
        "/etc/passwd",
        "C:\\evil",
        "a/b",
        "a\0b",
        "a" * 300,
        "\ud800",
        "{}",
        "%s",
        "$",
    ),
    *(
        "http://127.0.0.1:9/evil",
        "file:///etc/passwd",
        "{val_loss.__class__}",
        "__class__",
        "__init__",
        "__import__",
    ),
    *(
        "os.system",
        "builtins",
        "eval",
        "exec",
        "open",
        "Lambda",
        "function",
        "__lambda__",
        "__numpy__",
        "__keras_tensor__",
    ),
    *(
        "float16",
        "int64",
        "object",
        "S1000000000",
        "same",
        "relu",
        "Dense",
        "Sequential",
        "Functional",
        "kernel",
        "NaN",
    ),
    *STRANGE_MODULES,
)
STRANGE = (
    None,
    True,
    False,
    0.5,
    -0.0,
    float("nan"),
    float("inf"),
    1e308,
    [],
    {},
    [[]],
    [None],
    {"class_name": "Dense"},
)
OBJECTS = (
    {"class_name": "__lambda__", "config": {"value": "4wEAAAA="}},
    {"class_name": "function", "config": "eval", "module": "builtins", "registered_name": "function"},
    {"module": "os", "class_name": "system", "config": {"command": "true"}, "registered_name": None},
    {"module": "turtle", "class_name": "Turtle", "config": {}, "registered_name": "turtle.Turtle"},
    {
        "module": "keras.layers",
        "class_name": "Lambda",
        "config": {"function": "eval"},
        "registered_name": None,
    },
    {"class_name": "__numpy__", "config": {"value": [1], "dtype": "S1000000000"}},
    {"class_name": "__numpy__", "config": {"value": [[1], 2], "dtype": "object"}},
    {"class_name": "__slice__", "config": {"start": "a", "stop": {}, "step": 0}},
    {"class_name": "__keras_tensor__", "config": {"shape": [2**40], "keras_history": ["a", 0, 0]}},
)


# ------------------------------------------------------------------------------------------------- plain data


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values below the top."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


def at(tree: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        tree = tree[key]
    return tree


def value(draw: Draw, found: list[tuple[Any, ...]], tree: Any) -> Any:
    """A value that a place of the tree may get."""
    kind = draw(st.sampled_from(["integer", "integer", "name", "strange", "object", "other", "list", "deep"]))
    if kind == "integer":
        return draw(st.sampled_from(INTEGERS))
    if kind == "name":
        return draw(st.sampled_from(NAMES))
    if kind == "strange":
        return copy.deepcopy(draw(st.sampled_from(STRANGE)))
    if kind == "object":
        return copy.deepcopy(draw(st.sampled_from(OBJECTS)))
    if kind == "other":
        return copy.deepcopy(at(tree, draw(st.sampled_from(found)))) if found else None
    if kind == "list":
        return draw(st.lists(st.sampled_from(INTEGERS), max_size=5))
    deep: Any = 1
    for _ in range(draw(st.sampled_from([3, 90, 400]))):
        deep = [deep]
    return deep


def data(draw: Draw, tree: Any) -> Any:
    """Plain data with one to three places changed, emptied or moved."""
    tree = copy.deepcopy(tree)
    for _ in range(draw(st.integers(1, 3))):
        found = list(places(tree))
        if not found:
            return value(draw, found, tree)
        path = draw(st.sampled_from(found))
        parent, key = at(tree, path[:-1]), path[-1]
        action = draw(st.sampled_from(["set", "set", "set", "number", "delete", "rename", "add", "twice"]))
        old = parent[key]
        if action == "number" and isinstance(old, int | float):
            parent[key] = draw(
                st.sampled_from([old + 1, old - 1, -old, old * 1000, float(old), str(old), [old]])
            )
        elif action == "delete":
            del parent[key]
        elif action == "rename" and isinstance(parent, dict):
            parent[draw(st.sampled_from(NAMES))] = parent.pop(key)
        elif action == "add" and isinstance(old, dict):
            old[draw(st.sampled_from(NAMES))] = value(draw, found, tree)
        elif action == "twice" and isinstance(parent, list):
            parent.insert(key, copy.deepcopy(old))
        else:
            parent[key] = value(draw, found, tree)
    return tree


# ------------------------------------------------------------------------------------------------------ bytes


def raw(draw: Draw, content: bytes, marks: tuple[bytes, ...] = ()) -> bytes:
    """Bytes of which some are flipped, cut off, doubled or, near a mark of the format, set to a number."""
    changed = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        if not changed:
            break
        action = draw(st.sampled_from(["byte", "number", "near", "near", "cut", "double", "insert"]))
        place = draw(st.integers(0, len(changed) - 1))
        if action == "near" and marks:
            starts = [i for mark in marks for i in _all(changed, mark)]
            if starts:
                place = min(draw(st.sampled_from(starts)) + draw(st.integers(0, 48)), len(changed) - 1)
        if action == "byte":
            changed[place] = draw(st.integers(0, 255))
        elif action == "cut":
            del changed[place:]
        elif action == "double":
            size = draw(st.sampled_from([1, 4, 16, 64]))
            changed[place:place] = changed[place : place + size]
        elif action == "insert":
            changed[place:place] = draw(st.binary(min_size=1, max_size=8))
        else:
            form = draw(st.sampled_from(["<B", "<H", ">H", "<I", ">I", "<Q", ">Q"]))
            size = struct.calcsize(form)
            number = draw(st.sampled_from(INTEGERS)) % (1 << 8 * size)
            changed[place : place + size] = struct.pack(form, number)
    return bytes(changed)


def _all(content: bytearray, mark: bytes) -> Iterator[int]:
    place = content.find(mark)
    while place >= 0:
        yield place
        place = content.find(mark, place + 1)


# -------------------------------------------------------------------------------------------------- zip files

ZIP_MARKS = (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06")
Member = Callable[[Draw, bytes], bytes]


def zipped(draw: Draw, content: bytes, change: Callable[[Draw, str, bytes], bytes]) -> bytes:
    """A zip file with a member changed, renamed, doubled or left out, or with its own bytes changed."""
    if draw(st.integers(0, 5)) == 0:
        return raw(draw, content, ZIP_MARKS)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [[name, archive.read(name)] for name in archive.namelist()]
    heavy = ("config.json", "checkpoint")
    weights = [6 if name.startswith(heavy) else 1 for name, _ in members]
    chosen = draw(st.sampled_from([i for i, weight in enumerate(weights) for _ in range(weight)]))
    name = draw(st.sampled_from(NAMES)).encode("utf-8", "replace").decode()
    action = draw(st.sampled_from(["change"] * 8 + ["rename", "twice", "delete", "add"]))
    if action == "change":
        members[chosen][1] = change(draw, *members[chosen])
    elif action == "rename":
        members[chosen][0] = name or "x"
    elif action == "twice":
        members.append(list(members[chosen]))
    elif action == "delete":
        del members[chosen]
    else:
        members.append([(draw(st.sampled_from(["", "assets/", "a/"])) + name) or "x", b"x"])
    stream = io.BytesIO()
    method = draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, body in members:
            archive.writestr(zipfile.ZipInfo(name), body, method)
    packed = stream.getvalue()
    return raw(draw, packed, ZIP_MARKS) if draw(st.integers(0, 9)) == 0 else packed


def as_json(tree: Any) -> bytes:
    """JSON as files have it."""
    return json.dumps(tree).encode("utf-8", "surrogatepass")


def changed_json(draw: Draw, content: bytes) -> bytes:
    """JSON with changed data, or as changed bytes."""
    if draw(st.integers(0, 9)) == 0:
        return raw(draw, content)
    return as_json(data(draw, json.loads(content)))


# ------------------------------------------------------------------------------------------- small strategies

integers = st.sampled_from(INTEGERS)
texts = st.one_of(
    st.sampled_from([name.encode("utf-8", "surrogatepass") for name in NAMES]),
    st.sampled_from(INTEGERS).map(lambda number: b"%o" % abs(number)),
    st.binary(max_size=12),
    st.sampled_from([bytes([code]) for code in b"0123456789LKxgSV"]),
)


def one_in(draw: Draw, count: int) -> bool:
    """True once in so many draws."""
    return bool(draw(st.integers(1, count)) == 1)


def one_of(choices: Any) -> st.SearchStrategy[Any]:
    """One of some values."""
    return st.sampled_from(choices)
