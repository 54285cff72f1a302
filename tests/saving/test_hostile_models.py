"""Saved models made to do harm: each is refused with the documented error before harm is done."""

from __future__ import annotations

import json
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import config, layers
from gputrain.data.io import zips
from gputrain.data.io.errors import CorruptFileError

pytest.importorskip("h5py")


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    config.set_seed(5)
    yield
    config.reset()


def network() -> keras.Sequential:
    return keras.Sequential([keras.Input((5,)), layers.Dense(6), layers.Dense(2)])


@contextmanager
def taking_at_most(size: int) -> Iterator[None]:
    """Fail where the block makes arrays of more bytes than that."""
    tracemalloc.start()
    try:
        yield
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most <= size


def packed(
    path: Path, changed: dict[str, bytes], added: dict[str, bytes], method: int = zipfile.ZIP_STORED
) -> Path:
    """A copy of a zip file with other members and with more of them."""
    copy = path.with_name("changed_" + path.name)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(copy, "w", method) as new:
        for name in old.namelist():
            new.writestr(name, changed.get(name, old.read(name)))
        for name, content in added.items():
            new.writestr(name, content)
    return copy


def with_config(path: Path, model: Any, change: Any) -> Path:
    """The file of a model whose config is another."""
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        described = json.loads(archive.read("config.json"))
    return packed(path, {"config.json": json.dumps(change(described)).encode()}, {})


# ---------------------------------------------------------------------------------- names that lead elsewhere


@pytest.mark.parametrize(
    "inside", ["/{}", "//{}", "./../{}", "a/../../{}", "..\\{}", "C:{}", "C:/{}", "a//b"]
)
def test_assets_stay_in_their_folder(inside: str, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    model = keras.Sequential([layers.IntegerLookup(vocabulary=[1, 2])])
    model(np.array([[1], [2]]))
    model.save(tmp_path / "m.keras")
    name = "assets/layers/integer_lookup/" + inside.format(str(victim).lstrip("/"))
    path = packed(tmp_path / "m.keras", {}, {name: b"taken"})
    with pytest.raises(CorruptFileError, match="names are relative"):
        keras.models.load_model(path)
    assert not victim.exists()


@pytest.mark.parametrize("name", ["", "/a", "a//b", "a/.", "a/../b", "..", "a\\b", "C:a", "a/C:b", "a\nb"])
def test_names_of_members_that_are_refused(name: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), b"")
    with pytest.raises(CorruptFileError, match="names are relative"), zips.opened(tmp_path / "a.zip"):
        pass


def test_a_name_that_goes_on_after_a_nul(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.txt_b", b"")
    content = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(content.replace(b"a.txt_b", b"a.txt\0b"))
    with pytest.raises(CorruptFileError, match="names are relative"), zips.opened(tmp_path / "a.zip"):
        pass


def test_names_of_members_that_are_taken(tmp_path: Path) -> None:
    names = ["a/", "a/.b", "a/b..c", "..d", "a/...", "e f"]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    with zips.opened(tmp_path / "a.zip") as opened:
        assert list(opened.members) == names


def test_a_name_that_is_a_file_and_a_folder(tmp_path: Path) -> None:
    model = keras.Sequential([layers.IntegerLookup(vocabulary=[1, 2])])
    model(np.array([[1], [2]]))
    model.save(tmp_path / "m.keras")
    start = "assets/layers/integer_lookup/"
    path = packed(tmp_path / "m.keras", {}, {f"{start}a": b"1", f"{start}a/b": b"2"})
    with pytest.raises(CorruptFileError, match=r"a file or of a folder.*as both"):
        keras.models.load_model(path)


@pytest.mark.parametrize("name", ["model.weights.h5", "config.json", "assets", "assets/a"])
def test_links_out_of_a_folder(name: str, tmp_path: Path) -> None:
    network().save(tmp_path / "m", zipped=False)
    assert keras.models.load_model(tmp_path / "m").built
    place, secret = tmp_path / "m" / name, tmp_path / "secret"
    place.parent.mkdir(exist_ok=True)
    if place.exists():
        place.rename(secret)
    else:
        secret.mkdir()
    place.symlink_to(secret)
    for load in (keras.models.load_model, network().load_weights):
        with pytest.raises(CorruptFileError, match=f"holds no links.*'{name}'"):
            load(tmp_path / "m")


# --------------------------------------------------------------------------------------- configs of no model


@pytest.mark.parametrize("kind", ["optimizer", "loss", "layer", "metric", "nothing", "plain"])
def test_a_config_of_something_else(kind: str, tmp_path: Path) -> None:
    serialize = keras.saving.serialize_keras_object
    others: dict[str, Any] = {
        "optimizer": lambda: serialize(keras.optimizers.Adam()),
        "loss": lambda: serialize(keras.losses.MeanSquaredError()),
        "layer": lambda: serialize(layers.Dense(3)),
        "metric": lambda: serialize(keras.metrics.MeanAbsoluteError()),
        "nothing": dict,
        "plain": lambda: {"layers": [1, 2]},
    }
    path = with_config(tmp_path / "m.keras", network(), lambda _: others[kind]())
    with pytest.raises(CorruptFileError, match=r"config\.json describes a model\. Expected: "):
        keras.models.load_model(path)


@pytest.mark.parametrize("value", [[], 3, "a", None])
@pytest.mark.parametrize("key", ["class_name", "config", "build_config", "compile_config"])
def test_a_part_of_the_config_that_is_of_another_kind(key: str, value: Any, tmp_path: Path) -> None:
    if (key, value) in [("class_name", "a"), ("build_config", None), ("compile_config", None)]:
        return
    path = with_config(tmp_path / "m.keras", network(), lambda config: {**config, key: value})
    with pytest.raises(CorruptFileError, match=f"describes a model. Expected: '{key}' is"):
        keras.models.load_model(path)


# -------------------------------------------------------------------------------- memory that the file claims


def _set(described: Any, key: str, value: Any) -> Any:
    """Plain data with another value wherever a key stands."""
    if isinstance(described, dict):
        return {k: value if k == key else _set(v, key, value) for k, v in described.items()}
    return [_set(v, key, value) for v in described] if isinstance(described, list) else described


@pytest.mark.parametrize("units", [10**9, 10**13, 10**30])
@pytest.mark.parametrize("is_packed", [False, True])
def test_weights_are_compared_before_there_is_memory_for_them(
    units: int, is_packed: bool, tmp_path: Path
) -> None:
    path = with_config(tmp_path / "m.keras", network(), lambda c: _set(c, "units", units))
    if is_packed:
        path = packed(path, {}, {}, zipfile.ZIP_DEFLATED)
    with taking_at_most(1 << 27), pytest.raises(CorruptFileError) as caught:
        keras.models.load_model(path)
    words = rf"the weights that the config describes.*kernel' of shape \(5, {units}\), {20 * units} bytes"
    assert caught.match(words)


def test_metrics_are_compared_too(tmp_path: Path) -> None:
    model = network()
    model.compile("sgd", "mse", metrics=[keras.metrics.AUC(multi_label=True, num_labels=2)])
    path = with_config(tmp_path / "m.keras", model, lambda c: _set(c, "num_labels", 10**9))
    with taking_at_most(1 << 27), pytest.raises(CorruptFileError, match=r"of shape .*1000000000"):
        keras.models.load_model(path)


def test_weights_that_are_packed_too_well(tmp_path: Path) -> None:
    network().save(tmp_path / "m.keras")
    path = packed(tmp_path / "m.keras", {"model.weights.h5": bytes(40 << 20)}, {}, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 1 << 18
    for load in (keras.models.load_model, network().load_weights):
        with pytest.raises(CorruptFileError, match="unpacked is about as large as the weights"):
            load(path)


def test_an_optimizer_and_many_weights_fit_their_bounds(tmp_path: Path) -> None:
    """A file of 30 MB, most of it state of the optimizer, passes stored and packed."""
    model = keras.Sequential([keras.Input((1000,)), *(layers.Dense(1000) for _ in range(2))])
    model.compile(keras.optimizers.Adam(amsgrad=True), "mse")
    model.train_on_batch(np.ones((1, 1000), "float32"), np.ones((1, 1000), "float32"))
    model.save(tmp_path / "m.keras")
    for path in (tmp_path / "m.keras", packed(tmp_path / "m.keras", {}, {}, zipfile.ZIP_DEFLATED)):
        again = keras.models.load_model(path)
        assert np.array_equal(model.get_weights()[2], again.get_weights()[2])
        assert int(again.optimizer.iterations) == 1


@pytest.mark.parametrize(
    "content, words",
    [
        (b'{"a": "' + b"a" * (16 << 20) + b'"}', "at most 16777216 bytes"),
        (b'{"a": [' + b"[]," * 1_500_000 + b"0]}", "at most 2000000 values"),
        (b'{"a": [' + b"{}," * 1_500_000 + b"0]}", "at most 2000000 values"),
        (b"[" * 100_000 + b"]" * 100_000, "RecursionError"),
        (b'{"a":' * 700 + b"0" + b"}" * 700, "RecursionError|describes a model"),
    ],
    ids=["long", "lists", "dicts", "deep", "nested"],
)
@pytest.mark.parametrize("name", ["config.json", "metadata.json"])
def test_json_that_takes_too_much(name: str, content: bytes, words: str, tmp_path: Path) -> None:
    network().save(tmp_path / "m.keras")
    path = packed(tmp_path / "m.keras", {name: content}, {}, zipfile.ZIP_DEFLATED)
    if name == "metadata.json" and "describes" in words:
        assert keras.models.load_model(path).built
        return
    with taking_at_most(1 << 26), pytest.raises(CorruptFileError, match=words):
        keras.models.load_model(path)


def test_a_config_that_no_file_may_have_is_not_written(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((5,), name="a" * (16 << 20)), layers.Dense(2)])
    with pytest.raises(ValueError, match="the config of a model that is saved has at most 16777216 bytes"):
        model.save(tmp_path / "m.keras")
    assert not list(tmp_path.iterdir())
