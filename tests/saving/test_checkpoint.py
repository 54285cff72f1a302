"""The file of a checkpoint: what goes in comes out, and anything else is one clear error."""

from __future__ import annotations

import copy
import json
import math
import resource
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gputrain.data.io.errors import CorruptFileError
from gputrain.saving import checkpoint
from gputrain.saving.checkpoint import Checkpoint, Writer, read, write
from gputrain.utils import files

TREE: dict[str, Any] = {
    "weights": {"0/kernel": np.arange(6, dtype="float32").reshape(2, 3).T, "0/../bias": np.zeros((0, 2))},
    "counters": {"step": np.array(2**62), "healthy": np.True_, "rate": np.float32(0.1)},
    "callbacks": {
        "Mine": {"best": -math.inf, "seen": [1, (2.5, None)], "of": {3: "a", "$array": "b"}, "nan": math.nan}
    },
    "empty": {},
}
pytestmark = pytest.mark.cpu_only("files on the host")


def content(number: int = 0) -> Checkpoint:
    return Checkpoint({"number": np.full(1000, number)}, {"data": {"x": "float32 (3, 2)"}})


def nested(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = {"a": value}
    return value


def number_in(path: Path) -> int:
    return int(read(path).tree["number"][0])


def assert_equal(one: Any, two: Any) -> None:
    assert isinstance(two, np.ndarray) == isinstance(one, np.ndarray | np.generic)
    if isinstance(one, np.ndarray | np.generic):
        assert (two.dtype, two.shape, two.tobytes()) == (one.dtype, one.shape, np.asarray(one).tobytes())
    elif isinstance(one, dict):
        assert list(one) == list(two)
        for key in one:
            assert_equal(one[key], two[key])
    else:
        assert repr(one) == repr(two)


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    write(tmp_path / "a.npz", Checkpoint(TREE, {"fit": {"steps": 3}}))
    found = read(tmp_path / "a.npz")
    assert_equal(TREE, dict(found.tree))
    assert found.about == {"fit": {"steps": 3}}


def test_others_can_read_it(tmp_path: Path) -> None:
    """It is an npz file, and strict JSON."""
    write(tmp_path / "a.npz", Checkpoint(TREE, {}))
    with np.load(tmp_path / "a.npz", allow_pickle=False) as archive:
        text = archive["checkpoint"].tobytes().decode()
        document = json.loads(text, parse_constant=lambda name: pytest.fail(name))
        place = document["tree"]["weights"]["0/kernel"]["$array"]
        np.testing.assert_array_equal(archive[place], TREE["weights"]["0/kernel"])
    assert document["format"] == 1


@pytest.mark.parametrize(
    ("value", "received"),
    [({1, 2}, "a set"), (np.array([object()]), "an array of object"), (np.array(["a"]), "an array of <U1")],
)
def test_what_cannot_be_kept_is_named(tmp_path: Path, value: Any, received: str) -> None:
    rule = rf"cannot hold what stands at the state tree, 'a', 1\. .*{received}"
    with pytest.raises(TypeError, match=rule):
        write(tmp_path / "a.npz", Checkpoint({"a": [0, value]}, {}))
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_read_is_not_written(tmp_path: Path) -> None:
    write(tmp_path / "a.npz", Checkpoint({}, {"a": nested(98)}))
    assert read(tmp_path / "a.npz").about == {"a": nested(98)}
    with pytest.raises(ValueError, match="at most 100 dicts and lists within each other"):
        write(tmp_path / "b.npz", Checkpoint({}, {"a": nested(99)}))
    assert not (tmp_path / "b.npz").exists()


def test_a_cut_file_is_refused_wherever_it_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write(path, Checkpoint({"a": np.arange(3)}, {}))
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(CorruptFileError):
            read(path)


def test_a_changed_byte_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write(path, Checkpoint({"a": np.arange(300.0)}, {}))
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)
    with pytest.raises(CorruptFileError):
        read(path)


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"format": 2, "gputrain": "9.0"}, r"format 2, written by gputrain '9\.0'\. Install that version"),
        ({"format": 1, "tree": {"$array": "7"}, "about": {}}, "KeyError: '7'"),
        ({"format": 1, "tree": {}}, "KeyError: 'about'"),
        ({"format": 1, "tree": {}, "about": []}, "TypeError: tree and about must be dicts"),
        ({"format": 1, "tree": [], "about": {}}, "TypeError: tree and about must be dicts"),
        ({"format": 1, "tree": {}, "about": {"a": nested(700)}}, "ValueError: .* at most 100 dicts"),
        ({"format": 1, "tree": {"a": nested(700)}, "about": {}}, "ValueError: .* at most 100 dicts"),
        ([], "TypeError"),
    ],
)
def test_other_contents(tmp_path: Path, document: Any, told: str) -> None:
    text = np.frombuffer(json.dumps(document).encode(), np.uint8)
    np.savez(tmp_path / "a.npz", checkpoint=text)
    with pytest.raises(CorruptFileError, match=told):
        read(tmp_path / "a.npz")


def test_other_files(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", kernel=np.zeros(3))
    with pytest.raises(CorruptFileError, match=r"a member 'checkpoint'\. Received: kernel"):
        read(tmp_path / "a.npz")
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "b.npz")
    with pytest.raises(IsADirectoryError, match=r"a checkpoint is a file\..*Name the file in it"):
        read(tmp_path)


def test_a_writer_writes_while_others_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on, done = threading.Event(), []

    write_members = checkpoint.write_members

    def slow(path: Path, *given: Any) -> None:
        assert goes_on.wait(20)
        write_members(path, *given)
        done.append(number_in(path))

    monkeypatch.setattr(checkpoint, "write_members", slow)
    writer = Writer(tmp_path / "a.npz")
    writer.write(content(1))
    assert writer.busy
    goes_on.set()
    writer.write(content(2))  # waits for the first
    assert done[:1] == [1]
    writer.wait()
    assert not writer.busy
    assert (done, number_in(tmp_path / "a.npz")) == ([1, 2], 2)


def test_the_last_good_one_stays(tmp_path: Path) -> None:
    path, previous = tmp_path / "a.npz", tmp_path / "b.npz"
    writer = Writer(path, previous)
    for number in (1, 2):
        writer.write(content(number))
    writer.wait()
    assert (number_in(path), number_in(previous)) == (2, 1)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, before[1]))  # as on a disk that is full then
    try:
        writer.write(content(3))
        with pytest.raises(OSError, match="File too large"):
            writer.wait()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert number_in(path) == 2
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.npz", "b.npz"]
    writer.write(content(4))
    writer.wait()
    assert (number_in(path), number_in(previous)) == (4, 2)


def test_a_damaged_newest_does_not_replace_the_one_before(tmp_path: Path) -> None:
    path, previous = tmp_path / "a.npz", tmp_path / "b.npz"
    write(previous, content(1))
    path.write_bytes(b"damaged")
    writer = Writer(path, previous, replaces=True)
    for number, kept in ((2, 1), (3, 2)):
        writer.write(content(number))
        writer.wait()
        assert (number_in(path), number_in(previous)) == (number, kept)


def test_a_writer_packs_before_it_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a callback's `state()` gave may change, or cease to be plain data, while the thread writes."""
    goes_on, write_members = threading.Event(), checkpoint.write_members

    def slow(path: Path, *given: Any) -> None:
        assert goes_on.wait(20)
        write_members(path, *given)

    monkeypatch.setattr(checkpoint, "write_members", slow)
    seen: list[Any] = [1]
    writer = Writer(tmp_path / "a.npz")
    writer.write(Checkpoint({"seen": seen}, {}))
    seen.append({2})
    goes_on.set()
    writer.wait()
    assert read(tmp_path / "a.npz").tree["seen"] == [1]


def test_leftovers_are_removed_and_nothing_else(tmp_path: Path) -> None:
    stays = [".a.npz.part", "a.npz.0123abcd.part", ".b.npz.0123abcd.part", ".a.npz.0123abcg.part"]
    for name in [*stays, ".a.npz.0123abcd.part"]:
        (tmp_path / name).write_text("")
    files.remove_leftovers(tmp_path, "a.npz")
    assert {file.name for file in tmp_path.iterdir()} == set(stays)
    files.remove_leftovers(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {*stays} - {".b.npz.0123abcd.part"}


@pytest.mark.slow
def test_training_stops_for_one_copy_at_most() -> None:
    """The state of a model of 100 MB is copied once; what else is done in that time is little beside it."""
    import gputrain as keras
    from gputrain.saving import state_tree

    model = keras.Sequential([keras.Input((2048,)), *(keras.layers.Dense(2048) for _ in range(2))])
    model.compile("adam", "mse")
    rows = np.zeros((4, 2048), "float32")
    model.fit(rows, rows, epochs=1, verbose=0)

    ratios = []
    for _ in range(7):
        start = time.thread_time()
        tree = state_tree(model)
        middle = time.thread_time()
        copied = copy.deepcopy(tree)  # as much memory, as new
        ratios.append((middle - start) / (time.thread_time() - middle))
        del tree, copied
    print(f"a state tree takes {np.median(ratios):.2f} of the time of one copy of its arrays")
    assert np.median(ratios) < 1.5
