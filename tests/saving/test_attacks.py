"""The attacks that are known on model files, each made by the test: one documented error, and nothing done.

Those on one format alone stand with its reader: tests/saving/test_array_files.py (HDF5, safetensors),
test_hostile_models.py (memory, names of members), tests/data/io (npz, npy, IDX, images, archives, downloads).
"""

from __future__ import annotations

import copy
import json
import pickle
import zipfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

import gputrain as keras
from gputrain import config, layers
from gputrain.data.io.errors import CorruptFileError
from gputrain.data.io.idx import read_idx
from gputrain.data.io.npz import read_npz
from gputrain.saving import checkpoint
from gputrain.saving.files import hdf5, safetensors

h5py = pytest.importorskip("h5py")
pytestmark = pytest.mark.cpu_only("nothing of it depends on the device")


def network() -> keras.Sequential:
    model = keras.Sequential([keras.Input((5,)), layers.Dense(6), layers.Dense(2)])
    model.compile("sgd", "mse")
    return model


def parts_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_parts(path: Path, parts: list[tuple[str, bytes]]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts:
            archive.writestr(name, content)


def saved(
    folder: Path,
    change: Callable[[dict[str, Any]], Any] | None = None,
    model: Any = None,
    has_hdf5: bool = False,
) -> Path:
    """A model's file whose config was changed in place; HDF5 takes longer to read."""
    path = folder / "m.keras"
    with mock.patch.object(hdf5, "is_there", return_value=has_hdf5):
        (model or network()).save(path)
    parts = parts_of(path)
    described = json.loads(parts["config.json"])
    if change is not None:
        change(described)
    write_parts(path, [*{**parts, "config.json": json.dumps(described).encode()}.items()])
    return path


def refused(path: Path, words: str | None) -> None:
    with pytest.raises(ValueError, match=words):
        keras.models.load_model(path)


# --------------------------------------------------------------------------------- code and names in a config

LAMBDA = {"class_name": "__lambda__", "config": {"value": "4wEAAAAAAAAA", "defaults": None, "closure": None}}
FUNCTION = {"module": "builtins", "class_name": "function", "registered_name": "function"}


def layer(module: str | None, name: str, inner: Any = None, registered: Any = None) -> dict[str, Any]:
    inner = {} if inner is None else inner
    return {"module": module, "class_name": name, "config": inner, "registered_name": registered}


LAYERS = {  # what stands as a layer, and the error
    "CVE-2024-3660: bytecode": (layer("keras.layers", "Lambda", {"function": LAMBDA}), "Lambda|lambda"),
    "bytecode by itself": (LAMBDA, "__lambda__"),
    "a function of Python": (
        layer("keras.layers", "Lambda", {"function": {**FUNCTION, "config": "eval"}}),
        "'eval'",
    ),
    "CVE-2025-1550: a module": (layer("os", "system", {"command": "touch evil"}), "Unknown layer 'system'"),
    "a class of Python": (layer("subprocess", "Popen", {"args": ["true"]}), "Unknown layer 'Popen'"),
    "a path to a class": (layer("keras.layers", "os.system"), "Unknown layer 'os.system'"),
    "CVE-2025-8747: a function of Keras's": (
        layer("keras.src.utils.file_utils", "get_file", {"fname": "a", "origin": "http://127.0.0.1:9/a"}),
        "Unknown layer 'get_file'",
    ),
    "a loader": (
        layer("keras.saving", "load_model", {"filepath": "other.keras"}),
        "Unknown layer 'load_model'",
    ),
    "CVE-2025-9906: safety off": (
        layer("keras.config", "enable_unsafe_deserialization"),
        "Unknown layer 'enable_unsafe_deserialization'",
    ),
    "an attribute of a layer's class": (
        layer("keras.layers", "Dense.__init__"),
        r"Unknown layer 'Dense\.__init__'",
    ),
    "a registered name of another": (layer("keras.layers", "Dense", {}, "os>system"), "units"),
    "safe_mode as an argument": (
        layer("keras.layers", "Dense", {"units": 2, "safe_mode": False}),
        "safe_mode",
    ),
    "an initializer from a module": (
        layer("keras.layers", "Dense", {"units": 2, "kernel_initializer": layer("os", "getcwd")}),
        "Unknown initializer 'getcwd'",
    ),
    "an activation from a module": (
        layer("keras.layers", "Dense", {"units": 2, "activation": layer("os", "abort")}),
        "abort",
    ),
    "an activation by a path": (
        layer("keras.layers", "Dense", {"units": 2, "activation": "os.abort"}),
        "Unknown activation",
    ),
    "an array of objects": (
        {"class_name": "__numpy__", "config": {"value": [1], "dtype": "object"}},
        "Unknown layer '__numpy__'",
    ),
}


@pytest.mark.parametrize("ends", ["input_layers", "output_layers"])
@pytest.mark.parametrize("instead", [[], {}])
@pytest.mark.parametrize("nested", [False, True])
def test_a_graph_without_its_ends(ends: str, instead: Any, nested: bool, tmp_path: Path) -> None:
    x = keras.Input((5,))
    model = keras.Model(x, layers.Dense(2, name="dense")(x))
    if nested:
        outer = keras.Input((5,))
        model = keras.Model(outer, model(outer))

    def change(described: dict[str, Any]) -> None:
        graph = described["config"]
        if nested:
            graph = graph["layers"][-1]["config"]
        graph[ends] = instead

    with pytest.raises(CorruptFileError, match="describes a model"):
        keras.models.load_model(saved(tmp_path, change, model))


@pytest.mark.parametrize("ends", ["input_layers", "output_layers"])
@pytest.mark.parametrize("instead", [[["dense"]], "dense", 3, [None], [["dense", [0], 0]], ["dense", 0, 9]])
def test_ends_that_are_no_places(ends: str, instead: Any, tmp_path: Path) -> None:
    x = keras.Input((5,))
    model = keras.Model(x, layers.Dense(2, name="dense")(x))
    path = saved(tmp_path, lambda described: described["config"].update({ends: instead}), model)
    refused(path, "named by a layer|Nothing is made")


@pytest.mark.parametrize("attack", LAYERS)
@pytest.mark.parametrize("safe", [None, False])
def test_a_layer_that_is_something_else(
    attack: str, safe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    evil, words = LAYERS[attack]

    def change(described: dict[str, Any]) -> None:
        described["config"]["layers"][1] = copy.deepcopy(evil)
        if safe is False:
            described |= {"safe_mode": False}
            described["config"]["layers"][1] |= {"safe_mode": False}

    path = saved(tmp_path, change)
    refused(path, None if safe is False else words)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["m.keras"]


COMPILED = {
    "loss": ({**FUNCTION, "config": "exec"}, "Unknown .*'exec'"),
    "optimizer": (layer("os", "abort"), "Unknown name 'abort'"),
    "metrics": ([layer("turtle", "Turtle")], "Unknown name 'Turtle'"),
    "loss_weights": (layer("builtins", "open", {"file": "evil", "mode": "w"}), "Unknown name 'open'"),
}


@pytest.mark.parametrize("key", COMPILED)
def test_what_compile_was_given_is_something_else(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    evil, words = COMPILED[key]
    path = saved(tmp_path, lambda described: described["compile_config"].update({key: evil}))
    refused(path, words)
    assert keras.models.load_model(path, compile=False).built
    assert sorted(file.name for file in tmp_path.iterdir()) == ["m.keras"]


def test_safety_is_not_switched_off() -> None:
    with pytest.raises(ValueError, match="nothing unsafe is ever loaded"):
        keras.saving.deserialize_keras_object(layer("keras.layers", "Dense", {"units": 1}), safe_mode=False)


# --------------------------------------------------------------------------------- paths and URLs in a config


@pytest.mark.filterwarnings("ignore:.*saved before it is built")
@pytest.mark.parametrize("named", ["{}", "file://{}", "http://127.0.0.1:9/words.txt"])
@pytest.mark.parametrize("kind", ["IntegerLookup", "StringLookup", "TextVectorization"])
def test_a_vocabulary_that_is_a_path(kind: str, named: str, tmp_path: Path) -> None:
    """CVE-2025-12058: the words of the file would be those of the model."""
    secret = tmp_path / "secret.txt"
    secret.write_text("1\n2\n")
    model = keras.Sequential([getattr(layers, kind)(vocabulary=[7, 8] if kind[0] == "I" else ["a", "b"])])

    def change(described: dict[str, Any]) -> None:
        described["config"]["layers"][-1]["config"]["vocabulary"] = named.format(secret)

    refused(saved(tmp_path, change, model), "a config has its vocabulary in it, and opens no file")


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "a/../../evil", "..", "a/b", "a\\b", "a\0b", ""])
def test_a_layer_that_is_named_as_a_path(name: str, tmp_path: Path) -> None:
    """CVE-2026-12479: whatever a layer is called, its assets and weights stay where they are."""
    folder = tmp_path / "deep" / "er"
    folder.mkdir(parents=True)
    model = keras.Sequential([layers.IntegerLookup(vocabulary=[1, 2]), layers.CategoryEncoding(4)])
    model(np.array([[1], [2]]))

    def change(described: dict[str, Any]) -> None:
        described["config"]["layers"][-1]["config"]["name"] = name

    path = saved(folder, change, model)
    try:
        again = keras.models.load_model(path)
        again.save(folder / "again", zipped=False)
        again.save(folder / "again.keras")
    except ValueError:
        pass
    found = {file.relative_to(tmp_path).parts[:2] for file in tmp_path.rglob("*") if file.is_file()}
    assert found == {("deep", "er")}


# ------------------------------------------------------------------------------------ parts of a model's file


def _twice(parts: dict[str, bytes]) -> list[tuple[str, bytes]]:
    return [*parts.items(), ("config.json", parts["config.json"])]


def _without(name: str) -> Callable[[dict[str, bytes]], list[tuple[str, bytes]]]:
    return lambda parts: [(key, content) for key, content in parts.items() if key != name]


def _with(name: str, content: bytes) -> Callable[[dict[str, bytes]], list[tuple[str, bytes]]]:
    return lambda parts: [*{**parts, name: content}.items()]


PARTS = {
    "a name twice": (_twice, "member names must be unique"),
    "a way out": (_with("../evil.json", b"{}"), "names are relative"),
    "an absolute name": (_with("/tmp/evil.json", b"{}"), "names are relative"),
    "no config": (_without("config.json"), "a zip file|with config.json"),
    "no weights": (_without("model.weights.h5"), "one part with its weights"),
    "a pickle for weights": (
        _with("model.weights.h5", pickle.dumps([1], 4)),
        "a file that is cut off, or not one",
    ),
    "a pickle for a config": (_with("config.json", pickle.dumps({}, 4)), r"config\.json is a JSON object"),
    "weights of both kinds": (
        _with("model.weights.safetensors", b"\2" + bytes(7) + b"{}"),
        "one part with its weights",
    ),
}


@pytest.mark.parametrize("attack", PARTS)
def test_parts_that_are_not_as_they_must_be(attack: str, tmp_path: Path) -> None:
    change, words = PARTS[attack]
    path = saved(tmp_path, has_hdf5=True)
    parts = change(parts_of(path))
    with pytest.warns() if attack == "a name twice" else nullcontext():
        write_parts(path, parts)
    with pytest.raises(CorruptFileError, match=words):
        keras.models.load_model(path)


def test_an_encrypted_member(tmp_path: Path) -> None:
    path = saved(tmp_path)
    content = bytearray(path.read_bytes())
    for start, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(start) + place] |= 1
    path.write_bytes(content)
    refused(path, "must not be encrypted")


@pytest.mark.parametrize("attack", ["external", "storage", "virtual", "soft", "petabytes"])
def test_weights_that_lie_elsewhere(attack: str, tmp_path: Path) -> None:
    """CVE-2026-1669 and CVE-2026-0897: the numbers of another file would be those of the model."""
    secret, inner = tmp_path / "secret.h5", tmp_path / "inner.h5"
    with h5py.File(secret, "w") as file:
        file["a"] = np.ones((5, 6), "float32")
    name = "layers/dense/vars/0"
    with h5py.File(inner, "w") as file:
        if attack == "external":
            file[name] = h5py.ExternalLink(str(secret), "/a")
        elif attack == "soft":
            file["b"] = np.ones((5, 6), "float32")
            file[name] = h5py.SoftLink("/b")
        elif attack == "storage":
            file.create_dataset(name, (5, 6), "float32", external=[(str(secret), 0, 120)])
        elif attack == "virtual":
            layout = h5py.VirtualLayout((5, 6), "float32")
            layout[:] = h5py.VirtualSource(str(secret), "a", (5, 6))
            file.create_virtual_dataset(name, layout)
        else:
            file.create_dataset(name, (1 << 30, 1 << 20), "float32", chunks=(1, 8))
    path = saved(tmp_path, has_hdf5=True)
    write_parts(path, [*{**parts_of(path), "model.weights.h5": inner.read_bytes()}.items()])
    words = {"petabytes": "fits the 0 bytes"}.get(attack, "link to another place|lies in other files")
    for read in (keras.models.load_model, network().load_weights):
        with pytest.raises(CorruptFileError, match=words):
            read(path)


# --------------------------------------------------------------------------------------- what is no such file

FOREIGN: dict[str, tuple[bytes, str]] = {
    "pickle": (pickle.dumps({"a": 1}, 4), "a Python pickle, which is never loaded"),
    "HTML": (b"<!DOCTYPE html><html>404</html>", "a web page"),
    "Git LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "a Git LFS pointer"),
    "nothing": (b"", "an empty file|File is not a zip file|0 bytes"),
}
READERS: dict[str, Callable[[Path], object]] = {
    "model": keras.models.load_model,
    "weights": lambda path: network().load_weights(path),
    "checkpoint": checkpoint.read,
    "npz": read_npz,
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", FOREIGN)
def test_a_foreign_file_is_called_what_it_is(kind: str, reader: str, tmp_path: Path) -> None:
    content, words = FOREIGN[kind]
    path = tmp_path / "a"
    path.write_bytes(content)
    with pytest.raises(CorruptFileError, match=words):
        READERS[reader](path)


# ---------------------------------------------------------------------------------------------------- budgets


def test_the_setting_of_what_a_file_may_take(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.ones(100))
    (tmp_path / "a.idx").write_bytes(b"\0\0\x08\x01\0\0\x03\x20" + bytes(800))
    hdf5.write(tmp_path / "a.h5", {"a": np.ones(100)})
    safetensors.write(tmp_path / "a.safetensors", {"a": np.ones(100)})
    readers = {"npz": read_npz, "idx": read_idx, "h5": hdf5.read, "safetensors": safetensors.read}
    try:
        for ending, read in readers.items():
            needed = 928 if ending == "npz" else 800  # there with its header
            config.set_file_memory(needed - 1)
            words = rf"at most {needed - 1} bytes.*config\.set_file_memory\({needed}\)"
            with pytest.raises(CorruptFileError, match=words):
                read(tmp_path / f"a.{ending}")
            config.set_file_memory(needed)
            read(tmp_path / f"a.{ending}")
    finally:
        config.reset()


def test_the_setting_of_what_a_model_may_take(tmp_path: Path) -> None:
    model = network()
    model.compile("sgd", "mse", metrics=[keras.metrics.AUC(num_thresholds=100_000)])
    path = saved(tmp_path, None, model)
    try:
        config.set_model_memory(0)
        with pytest.raises(CorruptFileError, match=r"config\.set_model_memory\((\d+)\)") as caught:
            keras.models.load_model(path)
        config.set_model_memory(64 << 20)
        assert keras.models.load_model(path).built
        assert "at most" in str(caught.value)
    finally:
        config.reset()


def test_states_and_thresholds_count_too(tmp_path: Path) -> None:
    """Neither is a weight of a layer; both are made while the model is."""
    x = keras.Input(batch_shape=(2, 4, 3))
    model = keras.Model(x, layers.GRU(3, stateful=True)(x))
    path = saved(tmp_path, None, model)
    parts = parts_of(path)
    text = parts["config.json"].replace(b"[2, 4, 3]", b"[1000000000, 4, 3]")
    write_parts(path, [*{**parts, "config.json": text}.items()])
    refused(path, r"the weights that the config describes.*1000000000")

    def many(described: dict[str, Any]) -> None:
        described["compile_config"]["metrics"][0]["config"]["num_thresholds"] = 10**12

    model = network()
    model.compile("sgd", "mse", metrics=[keras.metrics.AUC()])
    refused(saved(tmp_path, many, model), r"AUC: num_thresholds' of shape \(1000000000000,\)")
