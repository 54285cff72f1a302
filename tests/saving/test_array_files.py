"""Files of named arrays: other libraries read what is written and write what is read; damage is one error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gputrain.data.io.errors import CorruptFileError
from gputrain.ir import Spec
from gputrain.runtime import Variable
from gputrain.saving.files import hdf5, npz, safetensors

pytestmark = pytest.mark.cpu_only("nothing of it depends on the device")

DTYPES = ("float16", "float32", "float64", "bool", "int8", "int16", "int64", "uint8", "uint64")
FORMATS = {"h5": hdf5, "safetensors": safetensors, "npz": npz}


def arrays() -> dict[str, np.ndarray]:
    """Every dtype, a scalar, an empty array, one that is not contiguous, big-endian numbers, folders."""
    rng = np.random.default_rng(0)
    found = {f"layers/{dtype}/vars/0": (rng.random((3, 4)) * 100).astype(dtype) for dtype in DTYPES}
    found["scalar"] = np.array(7, "int64")
    found["a/empty"] = np.zeros((0, 3), "float32")
    found["a/turned"] = rng.random((4, 5)).astype("float32").T
    found["a/big"] = np.arange(5, dtype=">f4")
    found["large"] = rng.random((1100, 1200)).astype("float32")
    return found


def module_of(name: str) -> Any:
    if name == "h5":
        pytest.importorskip("h5py")
    return FORMATS[name]


def same(found: Any, expected: Any) -> bool:
    native = expected.dtype.newbyteorder("=")
    return found.dtype == native and found.shape == expected.shape and np.array_equal(found, expected)


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_written_is_read(name: str, tmp_path: Path) -> None:
    module, path, given = module_of(name), tmp_path / f"a.{name}", arrays()
    given["variable"] = Variable(np.arange(6.0).reshape(2, 3), dtype="float32")  # type: ignore[assignment]
    module.write(path, given)
    found = module.read(path)
    assert set(found) == set(given)
    given["variable"] = given["variable"].numpy()  # type: ignore[attr-defined]
    assert all(same(found[key], value) for key, value in given.items())
    some = module.read(path, {"scalar": Spec((), "int64"), "a/turned": Spec((5, 4))})
    assert list(some) == ["scalar", "a/turned"]


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_wanted_is_compared_first(name: str, tmp_path: Path) -> None:
    module, path = module_of(name), tmp_path / f"a.{name}"
    module.write(path, {"a": np.ones((2, 3), "float32")})
    for wanted, words in (
        ({"b": Spec((2, 3))}, "no array of this name"),
        ({"a": Spec((3, 2))}, r"float32 of shape \(2, 3\)"),
        ({"a": Spec((2, 3), "float64")}, r"Expected: float64 of shape \(2, 3\)"),
    ):
        with pytest.raises(CorruptFileError, match=words):
            module.read(path, wanted)
    with pytest.raises(CorruptFileError, match=r"at most 23 bytes\. Received: 24 bytes"):
        module.read(path, max_bytes=23)


@pytest.mark.peer
def test_the_safetensors_package_agrees(tmp_path: Path) -> None:
    peer = pytest.importorskip("safetensors.numpy")
    given, path = arrays(), tmp_path / "a.safetensors"
    safetensors.write(path, given, {"who": "gputrain"})
    found = peer.load_file(path)
    assert set(found) == set(given)
    assert all(same(found[key], value) for key, value in given.items())
    with safetensors.opened(path) as file:
        assert file.metadata == {"who": "gputrain"}
    given = {key: np.ascontiguousarray(value) for key, value in given.items() if value.dtype.isnative}
    peer.save_file(given, path, {"format": "np"})
    mine = safetensors.read(path)
    assert all(same(mine[key], value) for key, value in given.items())


def test_numpy_agrees(tmp_path: Path) -> None:
    given, path = arrays(), tmp_path / "a.npz"
    npz.write(path, given)
    with np.load(path) as file:
        assert set(file.files) == set(given)
        assert all(np.array_equal(file[key], value) for key, value in given.items())
    np.savez_compressed(path, **given)
    mine = npz.read(path)
    assert all(same(mine[key], value) for key, value in given.items())


def test_h5py_agrees(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    given, path = arrays(), tmp_path / "a.h5"
    hdf5.write(path, given)
    with h5py.File(path) as file:
        assert all(np.array_equal(file[key][()], value) for key, value in given.items())
    with h5py.File(path, "w") as file:
        for key, value in given.items():
            packed = value.size > 1
            file.create_dataset(
                key, data=value, compression="gzip" if packed else None, shuffle=packed or None
            )
        file["layers"].attrs["names"] = ["a", "b"]
        file["layers"].attrs["backend"] = "tensorflow"
        file["text"] = "no number"
    mine = hdf5.read(path)
    assert all(same(mine[key], value) for key, value in given.items())
    assert "text" not in mine
    with hdf5.opened(path, attributes=True) as read:
        assert read.attributes == {"layers": {"names": ["a", "b"], "backend": "tensorflow"}}


def test_bfloat16_becomes_float32(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    numbers = np.array([1.0, -2.5, 0.0, 3.140625], "float32")
    raw = (numbers.view(np.uint32) >> 16).astype("<u2")
    header = json.dumps({"a": {"dtype": "BF16", "shape": [2, 2], "data_offsets": [0, 8]}}).encode()
    path = tmp_path / "a.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + raw.tobytes())
    assert same(safetensors.read(path)["a"], numbers.reshape(2, 2))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("a", data=raw.view("V2").reshape(2, 2)).attrs["dtype"] = "bfloat16"
    assert same(hdf5.read(tmp_path / "a.h5")["a"], numbers.reshape(2, 2))


# ------------------------------------------------------------------------------------------------ safetensors


def test_a_dtype_that_safetensors_has_not(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    with pytest.raises(ValueError, match=r"'b' has a dtype that safetensors.*float32.*complex64"):
        safetensors.write(path, {"a": np.ones(2), "b": np.ones(2, "complex64")})
    assert not path.exists()


def raw_safetensors(header: Any, data: bytes = bytes(8), length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def item(dtype: Any = "F32", shape: Any = (2,), offsets: Any = (0, 8)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


BAD = {
    "no header": b"\x01",
    "a header longer than the file": raw_safetensors({"a": item()}, length=2**40),
    "no JSON": raw_safetensors(b"{nothing}"),
    "nested without end": raw_safetensors(b"[" * 100_000),
    "a list": raw_safetensors([1]),
    "a name twice": raw_safetensors(b'{"a":%s,"a":%s}' % ((json.dumps(item()).encode(),) * 2)),
    "an unknown dtype": raw_safetensors({"a": item("O")}),
    "a dtype that is a list": raw_safetensors({"a": item(["F32"])}),
    "petabytes": raw_safetensors({"a": item(shape=[2**50], offsets=[0, 2**52])}),
    "sizes beyond memory, no data": raw_safetensors({"a": item(shape=[0, 2**62], offsets=[0, 0])}, b""),
    "a negative size": raw_safetensors({"a": item(shape=[-2])}),
    "sizes that are no integers": raw_safetensors({"a": item(shape=[2.0])}),
    "another size than its place": raw_safetensors({"a": item(shape=[3])}),
    "a gap": raw_safetensors({"a": item(shape=[1], offsets=[4, 8])}),
    "an overlap": raw_safetensors({"a": item(), "b": item()}),
    "bytes left over": raw_safetensors({"a": item()}, bytes(9)),
    "metadata of numbers": raw_safetensors({"__metadata__": {"a": 1}, "b": item()}),
    "an entry too much": raw_safetensors({"a": {**item(), "more": 1}}),
    "no truth values": raw_safetensors({"a": item("BOOL", [8])}, b"\x02" * 8),
}


@pytest.mark.parametrize("what", BAD)
def test_a_safetensors_file_that_breaks_a_rule(what: str, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(BAD[what])
    with pytest.raises(CorruptFileError):
        safetensors.read(path)


# ------------------------------------------------------------------------------------------------------- HDF5


@pytest.mark.parametrize(
    "what", ["soft", "external", "storage", "virtual", "cycle", "filter", "memory", "depth"]
)
def test_an_hdf5_file_that_leads_elsewhere_or_takes_too_much(what: str, tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path, other = tmp_path / "a.h5", tmp_path / "secret.h5"
    with h5py.File(other, "w") as file:
        file["a"] = np.ones(3)
    with h5py.File(path, "w") as file:
        if what == "soft":
            file["a"] = h5py.SoftLink("/b")
        elif what == "external":
            file["a"] = h5py.ExternalLink(str(other), "/a")
        elif what == "storage":
            file.create_dataset("a", (3,), "float64", external=[(str(other), 0, 24)])
        elif what == "virtual":
            layout = h5py.VirtualLayout((3,), "float64")
            layout[:] = h5py.VirtualSource(str(other), "a", (3,))
            file.create_virtual_dataset("a", layout)
        elif what == "cycle":
            file.create_group("a")["b"] = file["/"]
        elif what == "filter":
            file.create_dataset("a", data=np.arange(9), chunks=(9,), scaleoffset=0)
        elif what == "memory":
            shape = (1 << 27,)  # a chunk of 1 GB that is packed into a thousandth
            file.create_dataset("a", shape, "float64", chunks=(1 << 27,), compression="gzip", fillvalue=0)[
                0
            ] = 1
        else:
            file.create_group("/".join("a" * 100))
    words = {"memory": "memory|ended by|OSError", "cycle": "deep", "depth": "deep", "filter": "filter"}
    with pytest.raises(CorruptFileError, match=words.get(what, "link|other files")):
        hdf5.read(path, max_bytes=1 << 40)


@pytest.mark.parametrize(
    "program, words", [("while True: pass", "SIGXCPU"), ("import time; time.sleep(99)", "in time")]
)
def test_a_reader_that_hangs_is_ended(
    program: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("h5py")
    pytest.importorskip("resource")
    hdf5.write(tmp_path / "a.h5", {"a": np.ones(3)})
    text = hdf5._CHILD.read_text().replace("budget = [MOST", f"{program}\n        budget = [MOST")
    (tmp_path / "child.py").write_text(text)
    monkeypatch.setattr(hdf5, "_CHILD", tmp_path / "child.py")
    monkeypatch.setattr(hdf5, "SECONDS", 1)
    if words == "in time":
        monkeypatch.setattr(hdf5, "_PATIENCE", 2)
    with pytest.raises(CorruptFileError, match=words):
        hdf5.read(tmp_path / "a.h5")


def test_a_flipped_byte_is_no_crash(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    path = tmp_path / "a.h5"
    hdf5.write(path, {"layers/dense/vars/0": np.ones((3, 2), "float32"), "b": np.arange(4)})
    content = path.read_bytes()
    for place in range(0, 1200, 97):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            found = hdf5.read(path)
        except CorruptFileError:
            continue
        assert all(isinstance(array, np.ndarray) for array in found.values())


@pytest.mark.parametrize("what", ["unwritten", "part", "packed", "shared", "empty"])
def test_an_hdf5_file_that_claims_more_than_it_has(what: str, tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        if what == "unwritten":
            file.create_dataset("a", (1 << 40, 1 << 10), "float64", chunks=(1, 8))
        elif what == "part":
            file.create_dataset("a", (1 << 40,), "float32", chunks=(8,))[:8] = 1
        elif what == "packed":
            file.create_dataset("a", (1 << 40,), "float32", chunks=(8,), compression="gzip")[:8] = 1
        elif what == "empty":
            file.create_dataset("a", (0, 1 << 61), "float32", chunks=(1, 8), maxshape=(None, 1 << 61))
        else:
            file["a"] = np.ones(10_000)
            for i in range(100):
                file[f"b{i}"] = file["a"]
    words = {"shared": "all datasets lie in the file", "empty": "'a' has a shape that memory can address"}
    match = words.get(what, r"'a' of shape .* fits the \d+ bytes")
    with pytest.raises(CorruptFileError, match=match), hdf5.opened(path):
        pass


@pytest.mark.parametrize("size", [9, 3 << 20])
def test_a_part_that_cannot_be_unpacked(size: int, tmp_path: Path) -> None:
    """What the reading process says of it is never taken for the numbers."""
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        chunks = (min(size, 1 << 20),)
        data = file.create_dataset("a", data=np.arange(float(size)), chunks=chunks, compression="gzip")
        last = data.id.get_chunk_info(data.id.get_num_chunks() - 1)
    content = bytearray(path.read_bytes())
    content[last.byte_offset + 2 : last.byte_offset + 12] = b"\xff" * 10
    path.write_bytes(content)
    with pytest.raises(CorruptFileError, match=r"cut off, or not one \(OSError: .*filter"):
        hdf5.read(path)


def test_hdf5_files_that_are_packed_are_read(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    expected = {
        "a": np.zeros(1 << 22),
        "b": np.arange(12.0).reshape(3, 4),
        "none": np.ones((0, 3)),
        "scalar": np.array(3.0),
    }
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("a", data=expected["a"], chunks=(1 << 22,), compression="gzip")
        file.create_dataset("b", data=expected["b"], compression="lzf", shuffle=True, fletcher32=True)
        for name in ("none", "scalar"):
            file[name] = expected[name]
    found = hdf5.read(tmp_path / "a.h5")
    assert all(np.array_equal(found[name], array) for name, array in expected.items())
