"""Saved models made to do harm: each is refused with the documented error, and nothing is written or taken."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
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


def packed(
    path: Path, changed: dict[str, bytes], added: dict[str, bytes], method: int = zipfile.ZIP_STORED
) -> Path:
    """A copy of a zip file with other members and with more of them."""
    copy = path.with_name("hostile.keras")
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


# ------------------------------------------------------------------------------------- names that lead elsewhere


@pytest.mark.parametrize("inside", ["/{}", "//{}", "./../{}", "a/../../{}", "..\\{}", "C:{}", "C:/{}", "a//b"])
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
    with pytest.raises(CorruptFileError, match="a file or of a folder.*as both"):
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


# ------------------------------------------------------------------------------------------ configs of no model


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
    with pytest.raises(CorruptFileError, match=r"config\.json describes a model\. Expected: one\."):
        keras.models.load_model(path)
