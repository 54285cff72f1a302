"""Weights of one model in another: which layers get them by path, name or shape, and what the report says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import config, layers, saving
from gputrain.saving import keras_paths
from gputrain.saving.files import hdf5

pytest.importorskip("h5py")
pytestmark = pytest.mark.cpu_only("files on the host")
GOLDEN = Path(__file__).parent / "golden"
ENDINGS = (".keras", ".weights.h5", ".safetensors", ".npz")


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    config.set_seed(5)
    yield
    config.reset()


def stack() -> list[Any]:
    return [
        layers.Conv2D(4, 3, name="first"),
        layers.BatchNormalization(name="normal"),
        layers.Conv2D(4, 3, padding="same", name="second"),
        layers.Conv2D(4, 3, padding="same", name="third"),
        layers.GlobalAveragePooling2D(),
    ]


def trained(head: Any) -> Any:
    model = keras.Sequential([keras.Input((8, 8, 1)), *stack(), head])
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(8, 8, 8, 1)).astype("float32")
    model.fit(x, np.ones((8, *model.output_shape[1:])), verbose=0)
    return model


def saved(model: Any, path: Path) -> Path:
    (model.save if path.suffix == ".keras" else model.save_weights)(path)
    return path


def by_name(model: Any) -> dict[str, list[np.ndarray]]:
    """The weights of each layer that is no model, by its name."""
    found = {}
    for item in keras_paths.saved_objects(model).values():
        if isinstance(item, layers.Layer) and not isinstance(item, keras.Model) and item.weights:
            found[item.name] = item.get_weights()
    return found


def is_equal(first: list[np.ndarray], second: list[np.ndarray]) -> bool:
    return len(first) == len(second) and all(map(np.array_equal, first, second))


BODY = ("first", "normal", "second", "third")


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    ("match", "is_nested"),
    [("path", False), ("name", False), ("name", True), ("shape", False), ("shape", True)],
)
def test_a_backbone_with_a_new_head(tmp_path: Path, ending: str, match: str, is_nested: bool) -> None:
    source = trained(layers.Dense(3, name="old"))
    file = saved(source, tmp_path / f"m{ending}")
    body = [keras.Sequential(stack(), name="body")] if is_nested else stack()
    target = keras.Sequential([keras.Input((8, 8, 1)), *body, layers.Dense(5, name="new")])
    target.compile("adam", "mse")
    target.optimizer.build(target.trainable_variables)
    before, slots = by_name(target), [v.numpy() for v in target.optimizer.variables]
    if ending == ".npz" and match == "name":
        with pytest.raises(
            ValueError, match=r"by name\. .*Received: a file that has no names of layers\. Try match='path'"
        ):
            saving.transfer_weights(target, file, match)
        return
    report = saving.transfer_weights(target, file, match)
    old, new = by_name(source), by_name(target)
    for name in BODY:
        assert is_equal(new[name], old[name]), name
        assert not is_equal(new[name], before[name]), name
    assert is_equal(new["new"], before["new"])
    assert is_equal([v.numpy() for v in target.optimizer.variables], slots)
    below = "layers/sequential/layers" if is_nested else "layers"
    assert report.loaded == {
        f"{below}/{kind}": f"layers/{kind}"
        for kind in ("conv2d", "batch_normalization", "conv2d_1", "conv2d_2")
    }
    assert list(report.left_alone) == ["layers/dense"]
    text = str(report).splitlines()
    assert text[:2] == ["4 of 5 layers were loaded.", "Left as they were:"]
    if match == "path":
        assert text[2].startswith(
            "  layers/dense: 'new': layers/dense/vars/0 (kernel) has shape (4, 3) in the file"
        )
        assert "and (4, 5) here; layers/dense/vars/1 (bias)" in text[2]
    else:
        assert text[2] == "  layers/dense: 'new': it is not in the file"
    assert text[3:] == ["In the file only:", "  layers/dense"]
    assert report.left_over == ("layers/dense",)


def test_into_a_part_of_a_model(tmp_path: Path) -> None:
    source = keras.Sequential([keras.Input((8, 8, 1)), *stack()])
    file = saved(source, tmp_path / "body.weights.h5")
    body = keras.Sequential([keras.Input((8, 8, 1)), *stack()], name="body")
    target = keras.Sequential([body, layers.Dense(2)])
    report = saving.transfer_weights(target.get_layer("body"), file)
    assert (len(report.loaded), report.left_alone, report.left_over) == (4, {}, ())
    assert str(report) == "4 of 4 layers were loaded."
    assert all(is_equal(by_name(target)[name], by_name(source)[name]) for name in BODY)


def recurrent(name: str, more: bool) -> Any:
    first = [layers.LSTM(3, return_sequences=True, name="other")] if more else []
    both = layers.Bidirectional(layers.LSTM(4), name=name)
    return keras.Sequential([keras.Input((6, 3)), *first, both, layers.Dense(2, name="head")])


@pytest.mark.parametrize("ending", [".keras", ".weights.h5", ".safetensors"])
def test_what_is_within_a_layer_goes_by_the_name_of_the_layer(tmp_path: Path, ending: str) -> None:
    source, target = recurrent("reader", False), recurrent("reader", True)
    report = saving.transfer_weights(target, saved(source, tmp_path / f"m{ending}"), match="name")
    assert is_equal(target.get_layer("reader").get_weights(), source.get_layer("reader").get_weights())
    assert list(report.left_alone) == ["layers/lstm/cell"]
    assert "layers/bidirectional/backward_layer/cell" in report.loaded


def test_layers_of_one_shape_go_in_their_order(tmp_path: Path) -> None:
    """Also beyond nine, where the order of names is another one."""
    source = keras.Sequential([keras.Input((3,)), *(layers.Dense(3) for _ in range(12))])
    target = keras.Sequential([keras.Input((3,)), *(layers.Dense(3) for _ in range(11)), layers.Dense(4)])
    report = saving.transfer_weights(target, saved(source, tmp_path / "m.weights.h5"), match="shape")
    for mine, other in zip(target.layers[:11], source.layers, strict=False):
        assert is_equal(mine.get_weights(), other.get_weights())
    assert report.left_over == ("layers/dense_11",)
    assert list(report.left_alone) == ["layers/dense_11"]


def test_a_name_that_stands_twice_is_of_nobody(tmp_path: Path) -> None:
    def model(units: int) -> Any:
        inner = [keras.Sequential([layers.Dense(3, name="same")], name=f"inner_{i}") for i in range(2)]
        return keras.Sequential([keras.Input((3,)), *inner, layers.Dense(units, name="last")])

    source, target = model(2), model(2)
    report = saving.transfer_weights(target, saved(source, tmp_path / "m.keras"), match="name")
    assert list(report.loaded) == ["layers/dense"]
    assert len(report.left_alone) == len(report.left_over) == 2


@keras.saving.register_keras_serializable("tests", "OwnWay")
class OwnWay(layers.Layer):
    def build(self, shape: Any) -> None:
        self.w = self.add_weight(shape=shape[1:], initializer="ones", name="w")

    def call(self, inputs: Any) -> Any:
        return inputs * self.w

    def save_own_variables(self, store: Any) -> None:
        store["w"] = self.w.numpy()

    def load_own_variables(self, store: Any) -> None:
        self.w.assign(store["w"])


def test_a_class_that_keeps_its_variables_in_its_own_way(tmp_path: Path) -> None:
    def model(size: int) -> Any:
        return keras.Sequential([keras.Input((size,)), OwnWay(name="own"), layers.Dense(2)])

    source, target, other = model(2), model(2), model(3)
    source.layers[0].w.assign([3.0, 4.0])
    file = saved(source, tmp_path / "m.keras")
    assert saving.transfer_weights(target, file).left_over == ()
    assert target.layers[0].w.numpy().tolist() == [3.0, 4.0]
    other.layers[1].set_weights([np.ones((3, 2)), np.ones(2)])
    with pytest.raises(ValueError, match=r"'own': layers/own_way/vars/w \(w\) has shape \(2,\) in the file"):
        saving.transfer_weights(other, file)


def test_statistics_of_a_normalization(tmp_path: Path) -> None:
    def model() -> Any:
        return keras.Sequential([keras.Input((2,)), layers.Normalization(name="scaled"), layers.Dense(2)])

    source, target = model(), model()
    source.layers[0].adapt(np.array([[0.0, 1.0], [2.0, 5.0]]))
    saving.transfer_weights(target, saved(source, tmp_path / "m.keras"))
    x = np.ones((3, 2), "float32")
    np.testing.assert_array_equal(target.predict(x, verbose=0), source.predict(x, verbose=0))


def test_names_in_files_of_keras() -> None:
    """The file that Keras wrote says what its layers are called."""
    with hdf5.opened(GOLDEN / "keras_3_15.weights.h5", attributes=True) as file:
        names, shape = dict(file.names), file.specs["layers/dense/vars/0"].shape
        wanted = dict(file.arrays(["layers/dense/vars/0"]))
    assert names["layers/dense"] == "dense_3"
    target = keras.Sequential([keras.Input(shape[:1]), layers.Dense(shape[1], name="dense_3")])
    report = saving.transfer_weights(target, GOLDEN / "keras_3_15.weights.h5", match="name")
    assert report.loaded == {"layers/dense": "layers/dense"}
    np.testing.assert_array_equal(target.layers[0].kernel.numpy(), wanted["layers/dense/vars/0"])
    assert not any("optimizer" in path for path in report.left_over)


def test_what_is_refused(tmp_path: Path) -> None:
    file = saved(keras.Sequential([keras.Input((3,)), layers.Dense(2)]), tmp_path / "m.weights.h5")
    target = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    before = target.get_weights()
    told = (
        r"m\.weights\.h5: no layer of 'sequential\w*' is in the file, by path\. Expected: layers/dense "
        r"\('dense\w*': layers/dense/vars/0 \(kernel\) has shape \(3, 2\) in the file and \(4, 2\) here\)\. "
        r"Received: layers/dense\. Try match='name' or 'shape'"
    )
    with pytest.raises(ValueError, match=told):
        saving.transfer_weights(target, file)
    assert is_equal(target.get_weights(), before)
    with pytest.raises(
        ValueError, match=r"match says how layers are found\. Received: 'nam'\. Did you mean 'name'"
    ):
        saving.transfer_weights(target, file, "nam")
    with pytest.raises(ValueError, match="has no weights yet"):
        saving.transfer_weights(keras.Sequential([layers.Dense(2)]), file)
    np.savez(tmp_path / "x.npz", kernel=np.ones((4, 2)))
    with pytest.raises(ValueError, match="Received: no layer by a path of Keras 3, as layers/dense/vars/0"):
        saving.transfer_weights(target, tmp_path / "x.npz")

    golden = Path(__file__).with_name("golden") / "keras_3_15.h5"
    with pytest.raises(ValueError, match=r"Received: a \.h5 file of Keras 2\. Call load_weights\("):
        saving.transfer_weights(target, golden)
