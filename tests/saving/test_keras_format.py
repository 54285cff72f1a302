"""Whole models and weights in files of all formats: what is read is what was written, or one clear error."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import config, layers
from gputrain.data.io.errors import CorruptFileError
from gputrain.saving import keras_paths
from gputrain.saving.files import hdf5
from gputrain.utils import notes

pytest.importorskip("h5py")

R = np.random.default_rng(3)
X, Y = R.normal(size=(24, 5)).astype("float32"), R.normal(size=(24, 2)).astype("float32")
QUIET: dict[str, Any] = {"verbose": 0}
FORMATS = (".weights.h5", ".safetensors", ".npz")


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    config.set_seed(5)
    yield
    config.reset()


def network() -> keras.Sequential:
    inner = keras.Sequential([layers.Dense(4, activation="relu"), layers.BatchNormalization()], name="inner")
    return keras.Sequential([keras.Input((5,)), layers.Dense(6), inner, layers.Dropout(0.3), layers.Dense(2)])


@keras.saving.register_keras_serializable("tests", "Noted")
class Noted(layers.Layer):
    """A layer with a file."""

    def call(self, inputs: Any) -> Any:
        return inputs

    def save_assets(self, folder: str) -> None:
        Path(folder, "note.txt").write_text("noted")

    def load_assets(self, folder: str) -> None:
        assert Path(folder, "note.txt").read_text() == "noted"


def trained(model: Any, optimizer: Any = "adam") -> Any:
    model.compile(optimizer, "mse", metrics=["mae"])
    model.fit(X, Y, epochs=2, batch_size=8, **QUIET)
    return model


def zeroed(model: Any) -> Any:
    model.set_weights([np.zeros(weight.shape, weight.dtype) for weight in model.weights])
    return model


def same_weights(one: Any, other: Any) -> bool:
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


# ----------------------------------------------------------------------------------------------- whole models


def optimizers() -> dict[str, Callable[[], Any]]:
    made = keras.optimizers
    falling = made.schedules.ExponentialDecay(0.05, 3, 0.9)
    return {
        "sgd": made.SGD,
        "momentum": lambda: made.SGD(0.05, momentum=0.9),
        "rmsprop": lambda: made.RMSprop(0.01, momentum=0.5, centered=True),
        "amsgrad": lambda: made.Adam(0.02, amsgrad=True),
        "adamw": lambda: made.AdamW(0.01, weight_decay=0.1),
        "schedule": lambda: made.Adam(falling, clipnorm=0.5),
    }


@pytest.mark.parametrize("kind", optimizers())
def test_a_model_goes_on_training_where_it_was_saved(kind: str, tmp_path: Path) -> None:
    model = trained(network(), optimizers()[kind]())
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    assert same_weights(model, again)
    assert again.get_compile_config() == model.get_compile_config()
    assert model.evaluate(X, Y, **QUIET) == again.evaluate(X, Y, **QUIET)
    for each in (model, again):
        each.layers[2].rate = 0.0  # other draws: the step of the model is not in a model file
        for _ in range(5):
            each.train_on_batch(X, Y)
    assert same_weights(model, again)
    assert int(again.optimizer.iterations) == 11


@pytest.mark.parametrize("kind", optimizers())
def test_slots_are_saved_one_by_one(kind: str) -> None:
    """Flat slots are given and taken as the variables that Keras has, bit for bit."""
    model, other = trained(network(), optimizers()[kind]()), trained(network(), optimizers()[kind]())
    store: dict[str, Any] = {}
    model.optimizer.save_own_variables(store)
    other.optimizer.load_own_variables(store)
    for mine, theirs in zip(
        model.optimizer.slot_values().values(), other.optimizer.slot_values().values(), strict=True
    ):
        assert mine.keys() == theirs.keys()
        assert all(np.array_equal(mine[name], theirs[name]) for name in mine)
    shapes = [np.shape(store[str(i)]) for i in range(len(store))]
    counters = 1 if kind == "schedule" else 2
    assert shapes[:counters] == [()] * counters
    per_variable = (len(store) - counters) // len(model.trainable_variables)
    assert per_variable == {"sgd": 0, "momentum": 1, "rmsprop": 3, "amsgrad": 3}.get(kind, 2)


def test_slots_of_an_optimizer_of_ones_own_alternate(tmp_path: Path) -> None:
    @keras.saving.register_keras_serializable("tests", "Own")
    class Own(keras.optimizers.Optimizer):
        def build(self, variables: Any) -> None:
            super().build(variables)
            self.a, self.b = self.add_optimizer_variables(variables, ["a", "b"])

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            i = self._get_variable_index(variable)
            self.assign(self.a[i], self.a[i] * 0.5 + gradient)
            self.assign_add(self.b[i], gradient)
            self.assign_sub(variable, learning_rate * self.a[i])

    model = trained(network(), Own(0.01))
    names = [v.name for v in model.optimizer.saved_variables()[2:6]]
    assert names == ["a", "b", "a", "b"]
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    assert all(
        np.array_equal(v.numpy(), w.numpy())
        for v, w in zip(model.optimizer.saved_variables(), again.optimizer.saved_variables(), strict=True)
    )


def test_without_compiling_and_without_the_optimizer(tmp_path: Path) -> None:
    model = trained(network())
    model.save(tmp_path / "m.keras")
    assert not keras.models.load_model(tmp_path / "m.keras", compile=False).compiled
    model.save(tmp_path / "n.keras", include_optimizer=False)
    again = keras.models.load_model(tmp_path / "n.keras")
    assert not again.compiled
    assert same_weights(model, again)
    with hdf5.opened(tmp_path / "m.keras", *_place(tmp_path / "m.keras")) as file:
        assert any(name.startswith("optimizer/") for name in file.specs)
    with hdf5.opened(tmp_path / "n.keras", *_place(tmp_path / "n.keras")) as file:
        assert not any(name.startswith("optimizer/") for name in file.specs)


def _place(path: Path) -> tuple[int, int]:
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("model.weights.h5")
    data = path.read_bytes()
    return data.index(b"\x89HDF"), info.file_size


def test_a_folder_in_place_of_a_zip_file(tmp_path: Path) -> None:
    model = trained(network())
    model.save(tmp_path / "m", zipped=False)
    assert {file.name for file in (tmp_path / "m").iterdir()} == {
        "config.json",
        "metadata.json",
        "model.weights.h5",
    }
    assert same_weights(model, keras.models.load_model(tmp_path / "m"))
    other = zeroed(network())
    other.load_weights(tmp_path / "m")
    assert same_weights(model, other)


def test_a_folder_that_is_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No part of the old model is left, and files of other names are."""
    folder = tmp_path / "m"
    with_assets = keras.Sequential([Noted(), layers.Dense(2)])
    with_assets(np.ones((1, 5), "float32"))
    with_assets.save(folder, zipped=False)
    assert (folder / "assets" / "layers" / "noted" / "note.txt").is_file()
    (folder / "mine.txt").write_text("kept")
    with monkeypatch.context() as patch:
        patch.setattr(hdf5, "is_there", lambda: False)
        model = trained(network())
        model.save(folder, zipped=False)
    names = {"config.json", "metadata.json", "mine.txt"}
    assert {file.name for file in folder.iterdir()} == {*names, "model.weights.safetensors"}
    assert same_weights(model, keras.models.load_model(folder))
    zeroed(model).save(folder, zipped=False)
    assert {file.name for file in folder.iterdir()} == {*names, "model.weights.h5"}
    assert same_weights(model, keras.models.load_model(folder))
    assert list(tmp_path.iterdir()) == [folder]


def test_a_folder_whose_writing_fails_is_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = trained(network())
    model.save(tmp_path / "m", zipped=False)
    before = {file.name: file.read_bytes() for file in (tmp_path / "m").iterdir()}

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(hdf5, "write_into", full)
    with pytest.raises(OSError, match="No space left"):
        zeroed(model).save(tmp_path / "m", zipped=False)
    assert {file.name: file.read_bytes() for file in (tmp_path / "m").iterdir()} == before
    assert list(tmp_path.iterdir()) == [tmp_path / "m"]


def test_a_folder_that_is_left_half_replaced_is_no_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = trained(network())
    model.save(tmp_path / "m", zipped=False)
    replace = os.replace

    def killed(source: Any, target: Any) -> None:
        if Path(target) == tmp_path / "m" / "model.weights.h5":
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        model.save(tmp_path / "m", zipped=False)
    with pytest.raises(CorruptFileError, match=r"config\.json"):
        keras.models.load_model(tmp_path / "m")
    monkeypatch.undo()
    model.save(tmp_path / "m", zipped=False)
    assert same_weights(model, keras.models.load_model(tmp_path / "m"))


def test_assets_of_somebody_else_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "m" / "assets").mkdir(parents=True)
    with pytest.raises(FileExistsError, match="holds 'assets', and is no saved model"):
        network().save(tmp_path / "m", zipped=False)
    assert [file.name for file in (tmp_path / "m").iterdir()] == ["assets"]


@pytest.mark.parametrize("zipped", [True, False])
def test_two_parts_with_weights_are_refused(zipped: bool, tmp_path: Path) -> None:
    path = tmp_path / ("m.keras" if zipped else "m")
    network().save(path, zipped=zipped)
    if zipped:
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("model.weights.safetensors", b"")
    else:
        (path / "model.weights.safetensors").touch()
    for load in (keras.models.load_model, network().load_weights):
        with pytest.raises(CorruptFileError, match="one part with its weights"):
            load(path)


def test_without_h5py_the_same_file_has_other_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model = trained(network())
    model.save(tmp_path / "m.keras")
    assert "h5py" not in caplog.text
    notes.forget()
    monkeypatch.setattr(hdf5, "is_there", lambda: False)
    model.save(tmp_path / "m.keras")
    assert "gputrain reads that, Keras does not" in caplog.text
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        assert "model.weights.safetensors" in archive.namelist()
    assert same_weights(model, keras.models.load_model(tmp_path / "m.keras"))
    with pytest.raises(ImportError, match=r"needs the package h5py, .* pip install 'gputrain\[files\]'"):
        model.save_weights(tmp_path / "m.weights.h5")


def test_a_packed_file_is_read_too(tmp_path: Path) -> None:
    model = trained(network())
    model.save(tmp_path / "m.keras")
    packed = tmp_path / "packed.keras"
    with (
        zipfile.ZipFile(tmp_path / "m.keras") as old,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name))
    assert same_weights(model, keras.models.load_model(packed))


def test_states_and_seeds_of_gputrain(tmp_path: Path) -> None:
    @keras.saving.register_keras_serializable("tests", "Drawing")
    class Drawing(keras.layers.Layer):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.seeds = keras.random.SeedGenerator(7)

        def call(self, x: Any) -> Any:
            return x

    def made() -> Any:
        lstm = layers.LSTM(3, stateful=True)
        return keras.Sequential([keras.Input(batch_shape=(4, 6, 5)), Drawing(), lstm])

    model = made()
    x = R.normal(size=(4, 6, 5)).astype("float32")
    model.predict(x, batch_size=4, **QUIET)
    model.layers[0].seeds.next()
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    assert np.array_equal(again.layers[0].seeds.state, model.layers[0].seeds.state)
    assert np.array_equal(*(m.predict(x, batch_size=4, **QUIET) for m in (model, again)))
    fresh = made()
    fresh.set_weights(model.get_weights())
    assert not np.array_equal(*(m.predict(x, batch_size=4, **QUIET) for m in (model, fresh)))


def test_assets_and_variables_of_ones_own(tmp_path: Path) -> None:
    @keras.saving.register_keras_serializable("tests", "Keeping")
    class Keeping(keras.layers.Layer):
        words: list[str] = []
        table: Any = None

        def call(self, x: Any) -> Any:
            return x

        def save_own_variables(self, store: Any) -> None:
            store["table"] = self.table

        def load_own_variables(self, store: Any) -> None:
            self.table = store["table"]

        def save_assets(self, dir_path: str) -> None:
            Path(dir_path, "sub").mkdir()
            Path(dir_path, "sub", "words.txt").write_text("\n".join(self.words))

        def load_assets(self, dir_path: str) -> None:
            self.words = Path(dir_path, "sub", "words.txt").read_text().split("\n")

    model = keras.Sequential([keras.Input((5,)), Keeping(), layers.Dense(2)])
    model.layers[0].words, model.layers[0].table = ["a", "b"], np.arange(3)
    for name, zipped in (("m.keras", True), ("m", False)):
        model.save(tmp_path / name, zipped=zipped)
        again = keras.models.load_model(tmp_path / name)
        assert again.layers[0].words == ["a", "b"]
        assert again.layers[0].table.tolist() == [0, 1, 2]
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        assert "assets/layers/keeping/sub/words.txt" in archive.namelist()


def test_a_vocabulary_that_keras_found(tmp_path: Path) -> None:
    """Keras keeps what `adapt` found in a file, and the weights of "tf_idf" with the variables."""
    first, second = layers.StringLookup(output_mode="tf_idf"), layers.StringLookup(output_mode="tf_idf")
    first.adapt([["cat", "dog"], ["cat", "cow"]])
    store: dict[str, Any] = {}
    first.save_own_variables(store)
    assert store["idf_weights"].shape == (4,)
    Path(tmp_path, "vocabulary.txt").write_text("\n".join(first.get_vocabulary()))
    second.load_own_variables(store)
    second.load_assets(str(tmp_path))
    assert second.get_vocabulary() == first.get_vocabulary()
    words = [["cat", "cow"], ["emu", "dog"]]
    assert np.allclose(np.asarray(second(words)), np.asarray(first(words)))
    whole = layers.IntegerLookup()
    Path(tmp_path, "vocabulary.txt").write_text("-1\n12\n7")
    whole.load_assets(str(tmp_path))
    assert np.asarray(whole([[7, 12, 3]])).tolist() == [[2, 1, 0]]


# --------------------------------------------------------------------------------------------- custom classes


def test_a_class_of_ones_own_must_be_registered(tmp_path: Path) -> None:
    class Scaling(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return 2.0 * x

    model = keras.Sequential([keras.Input((5,)), Scaling()])
    model.save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match=r"'Scaling'.*register_keras_serializable"):
        keras.models.load_model(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras", {"Scaling": Scaling})
    assert np.array_equal(again.predict(X, **QUIET), 2 * X)
    with keras.saving.custom_object_scope({"Scaling": Scaling}):
        assert type(keras.models.load_model(tmp_path / "m.keras").layers[0]) is Scaling
    with (
        keras.saving.custom_object_scope({"Scalings": layers.Dense}),
        pytest.raises(ValueError, match=r"'Scaling'.*'Scalings'"),
    ):
        keras.models.load_model(tmp_path / "m.keras", {})


def _of_ones_own() -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """What compile is given and custom_objects, by the kind of object."""

    def twofold(y_true: Any, y_pred: Any) -> Any:
        return 2 * keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)

    class Twofold(keras.losses.Loss):
        def call(self, y_true: Any, y_pred: Any) -> Any:
            return twofold(y_true, y_pred)

    class Largest(keras.metrics.MeanSquaredError):
        pass

    return {
        "a function as loss": ({"loss": twofold}, {"twofold": twofold}),
        "a function as metric": ({"loss": "mse", "metrics": [twofold]}, {"twofold": twofold}),
        "a Loss": ({"loss": Twofold()}, {"Twofold": Twofold}),
        "a Metric": ({"loss": "mse", "metrics": [Largest()]}, {"Largest": Largest}),
    }


@pytest.mark.parametrize("kind", _of_ones_own())
def test_custom_objects_are_those_of_compile_too(kind: str, tmp_path: Path) -> None:
    given, objects = _of_ones_own()[kind]
    model = network()
    model.compile("adam", **given)
    model.fit(X, Y, batch_size=8, **QUIET)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", custom_objects=objects)
    assert again.evaluate(X, Y, **QUIET) == model.evaluate(X, Y, **QUIET)
    with pytest.raises(
        ValueError,
        match=r"what compile was given .*A class or function of your own .*compile=False\) loads",
    ):
        keras.models.load_model(tmp_path / "model.keras")
    assert same_weights(keras.models.load_model(tmp_path / "model.keras", compile=False), model)


def test_nothing_unsafe_is_loaded(tmp_path: Path) -> None:
    trained(network()).save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match="nothing unsafe is ever loaded"):
        keras.models.load_model(tmp_path / "m.keras", safe_mode=False)


# ---------------------------------------------------------------------------------------------- weights alone


@pytest.mark.parametrize("ending", FORMATS)
def test_weights_in_each_format(ending: str, tmp_path: Path) -> None:
    model = trained(network())
    path = tmp_path / f"m{ending}"
    model.save_weights(path)
    other = zeroed(network())
    other.load_weights(path)
    assert same_weights(model, other)
    compiled = network()
    compiled.compile("adam", "mse")
    compiled.load_weights(path)
    assert int(compiled.optimizer.iterations) == 6
    assert compiled.optimizer.slot_values().keys() == set(compiled.trainable_variables)


def test_weights_out_of_a_whole_model(tmp_path: Path) -> None:
    model = trained(network())
    model.save(tmp_path / "m.keras")
    other = zeroed(network())
    other.load_weights(tmp_path / "m.keras")
    assert same_weights(model, other)


@pytest.mark.parametrize("ending", FORMATS)
def test_what_does_not_fit_is_told_and_changes_nothing(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"m{ending}"
    keras.Sequential([keras.Input((5,)), layers.Dense(3), layers.Dense(2)]).save_weights(path)
    other = zeroed(keras.Sequential([keras.Input((5,)), layers.Dense(4), layers.Dense(2, use_bias=False)]))
    with pytest.raises(ValueError, match=r"2 layers of .* do not fit") as caught:
        other.load_weights(path)
    text = str(caught.value)
    assert "layers/dense/vars/0 (kernel) has shape (5, 3) in the file and (5, 4) here" in text
    assert "layers/dense_1/vars/1 of shape (2,) is in the file only" in text
    assert "skip_mismatch=True" in text
    assert not any(weight.any() for weight in other.get_weights())


def test_skip_mismatch_takes_what_fits(tmp_path: Path) -> None:
    path = tmp_path / "m.weights.h5"
    model = keras.Sequential([keras.Input((5,)), layers.Dense(4), layers.Dense(3)])
    model.save_weights(path)
    other = zeroed(keras.Sequential([keras.Input((5,)), layers.Dense(4), layers.Dense(2)]))
    with pytest.warns(UserWarning, match=r"1 layer of .* is left as it is"):
        other.load_weights(path, skip_mismatch=True)
    assert np.array_equal(other.layers[0].get_weights()[0], model.layers[0].get_weights()[0])
    assert not other.layers[1].get_weights()[0].any()


def test_more_and_fewer_layers(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    three = keras.Sequential([keras.Input((5,)), layers.Dense(5), layers.Dense(5), layers.Dense(5)])
    two = keras.Sequential([keras.Input((5,)), layers.Dense(5), layers.Dense(5)])
    three.save_weights(path)
    with pytest.raises(ValueError, match="layers/dense_2/vars/0: the model has no such layer"):
        two.load_weights(path)
    two.save_weights(path)
    with pytest.raises(ValueError, match=r"layers/dense_2/vars/0 \(kernel of shape \(5, 5\)\) is missing"):
        three.load_weights(path)


def test_objects_to_skip(tmp_path: Path) -> None:
    path = tmp_path / "m.weights.h5"
    model = network()
    model.save_weights(path)
    other = zeroed(network())
    other.load_weights(path, objects_to_skip=[other.layers[0], other.layers[1]])
    assert not other.layers[0].get_weights()[0].any()
    assert np.array_equal(other.layers[3].get_weights()[0], model.layers[3].get_weights()[0])
    model.save_weights(path, objects_to_skip=[model.layers[0]])
    other.load_weights(path, objects_to_skip=[other.layers[0]])
    with pytest.raises(ValueError, match=r"layers/dense/vars/0 \(kernel of shape \(5, 6\)\) is missing"):
        other.load_weights(path)


def test_the_state_of_another_optimizer_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "m.weights.h5"
    trained(network(), "adam").save_weights(path)
    other = network()
    other.compile(keras.optimizers.SGD(momentum=0.9), "mse")
    with pytest.warns(UserWarning, match="'sgd' is not that of the file and is left as it is"):
        other.load_weights(path)
    assert int(other.optimizer.iterations) == 0


def test_an_optimizer_that_does_not_fit_is_left_alone(tmp_path: Path) -> None:
    """A file with counters and no slots, as Keras writes it of an optimizer that has not trained."""
    path = tmp_path / "m.weights.h5"
    fresh = network()
    fresh.compile(keras.optimizers.Adam(0.5), "mse")
    fresh.save_weights(path)
    model = trained(network(), "adam")
    before = [v.numpy() for v in model.optimizer.saved_variables()]
    with pytest.warns(UserWarning, match=r"'adam' is not that of the file and is left as it is\.\n.*missing"):
        model.load_weights(path)
    assert same_weights(model, fresh)
    after = [v.numpy() for v in model.optimizer.saved_variables()]
    assert int(after[0]) == 6
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


# ---------------------------------------------------------------------------------------------- the arguments


def test_arguments_that_are_refused(tmp_path: Path) -> None:
    model = network()
    for call, words in {
        lambda: model.save(tmp_path / "m.h6"): r"ending in \.keras.*/m\.keras'\.$",
        lambda: model.save(tmp_path / "m.keras", zipped=False): "Give the folder another name",
        lambda: model.save(tmp_path / "m.keras", wrong=1): "no such argument.*wrong",
        lambda: model.save("x.keras.zip"): r"Write 'x\.keras'\.$",
        lambda: model.save("/tmp/nu"): r"Write '/tmp/nu\.keras'\.$",
        lambda: model.save("a/b-0.95.h5"): r"Write 'a/b-0\.95\.keras'\.$",
        lambda: model.save_weights("a/m.h5"): r"an ending of .* Write 'a/m\.weights\.h5'\.$",
        lambda: model.save_weights(tmp_path / "m.pt"): r"an ending of \.weights\.h5, \.safetensors, \.npz",
        lambda: model.save_weights(tmp_path / "m.weights.h5", max_shard_size=1): "writes one file",
        lambda: model.load_weights(tmp_path / "m.weights.h5", wrong=1): "no such argument.*wrong",
        lambda: keras.Sequential([layers.Dense(1)]).load_weights(tmp_path / "m.npz"): "has no weights yet",
        lambda: keras.Sequential([layers.Dense(1)]).save_weights(tmp_path / "m.npz"): "once they exist",
    }.items():
        with pytest.raises(ValueError, match=words):
            call()
    for save, name in ((model.save, "m.keras"), (model.save_weights, "m.npz")):
        with pytest.raises(FileNotFoundError, match=r"no folder '.*/none'\. Make it first\."):
            save(tmp_path / "none" / name)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_kept(tmp_path: Path) -> None:
    model, path = network(), tmp_path / "m.keras"
    path.write_text("precious")
    with pytest.raises(FileExistsError, match="is there already"):
        model.save(path, overwrite=False)
    weights = tmp_path / "m.npz"
    weights.write_text("precious")
    with pytest.raises(FileExistsError, match="is there already"):
        model.save_weights(weights, overwrite=False)
    assert path.read_text() == weights.read_text() == "precious"
    model.save(path)
    assert zipfile.is_zipfile(path)


def test_a_failing_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, path = network(), tmp_path / "m.keras"
    model.save(path)
    before = path.read_bytes()

    def fail(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(hdf5, "write_into", fail)
    with pytest.raises(OSError, match="No space left on device"):
        model.save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["m.keras"]


def test_a_model_without_weights_says_so(tmp_path: Path) -> None:
    model = keras.Sequential([layers.Dense(3)])
    with pytest.warns(UserWarning, match="saved before it is built"):
        model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    assert not again.built
    assert again.layers[0].units == 3


# ---------------------------------------------------------------------------------------------- foreign files


def _foreign() -> dict[str, tuple[bytes, str]]:
    return {
        "pickle": (pickle.dumps({"a": np.ones(3)}, protocol=4), "a Python pickle, which is never loaded"),
        "html": (b"<!DOCTYPE html><html>404</html>", "a web page.*download the file itself"),
        "lfs": (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0",
            "a Git LFS pointer.*git lfs pull",
        ),
        "empty": (b"", "an empty file"),
        "text": (b"just words", "a text file"),
        "tflite": (b"\x1c\0\0\0TFL3" + bytes(99), "a TensorFlow Lite model"),
    }


@pytest.mark.parametrize("kind", _foreign())
@pytest.mark.parametrize("load", ["model", "weights"])
def test_a_foreign_file_is_named(kind: str, load: str, tmp_path: Path) -> None:
    content, words = _foreign()[kind]
    path = tmp_path / "m.keras"
    path.write_bytes(content)
    with pytest.raises(CorruptFileError, match=words):
        keras.models.load_model(path) if load == "model" else network().load_weights(path)


def test_files_of_other_libraries(tmp_path: Path) -> None:
    torch = tmp_path / "model.pt"
    with zipfile.ZipFile(torch, "w") as archive:
        archive.writestr("archive/data.pkl", b"x")
    with pytest.raises(CorruptFileError, match=r"a PyTorch checkpoint.*safetensors\.torch\.save_file"):
        network().load_weights(torch)
    saved = tmp_path / "saved"
    saved.mkdir()
    (saved / "saved_model.pb").write_bytes(b"x")
    with pytest.raises(CorruptFileError, match=r"a TensorFlow SavedModel.*model\.save"):
        keras.models.load_model(saved)
    (tmp_path / "ckpt.index").write_bytes(b"x")
    with pytest.raises(CorruptFileError, match="a checkpoint of TensorFlow"):
        network().load_weights(tmp_path / "ckpt")
    with pytest.raises(FileNotFoundError):
        keras.models.load_model(tmp_path / "none.keras")
    model = network()
    model.save_weights(tmp_path / "m.weights.h5")
    with pytest.raises(CorruptFileError, match=r"an HDF5 file.*load_weights"):
        keras.models.load_model(tmp_path / "m.weights.h5")


def edited(path: Path, name: str, change: Callable[[Any], Any]) -> None:
    """Change a JSON part of a saved model."""
    with zipfile.ZipFile(path) as archive:
        parts = {each: archive.read(each) for each in archive.namelist()}
    parts[name] = json.dumps(change(json.loads(parts[name]))).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for each, content in parts.items():
            archive.writestr(each, content)


def test_errors_of_layers_are_no_damage(tmp_path: Path) -> None:
    """What a class raises about its config is told as it is."""
    path = tmp_path / "m.keras"
    network().save(path)
    with zipfile.ZipFile(path) as archive:
        text = archive.read("config.json").decode()
    edited(path, "config.json", lambda _: json.loads(text.replace('"units": 6', '"units": -6')))
    with pytest.raises(ValueError, match="units") as caught:
        keras.models.load_model(path)
    assert "damaged" not in str(caught.value)


@pytest.mark.parametrize(
    "key, value, words",
    [("gputrain_format", 2, "newer gputrain"), ("keras_version", "4.1.0", "newer Keras.*Keras 4.1.0")],
)
def test_a_newer_file_is_named(key: str, value: Any, words: str, tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    network().save(path)
    edited(path, "metadata.json", lambda metadata: {**metadata, key: value})
    with pytest.raises(CorruptFileError, match=rf"{words}.*Install a newer gputrain"):
        keras.models.load_model(path)


def test_a_config_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    for change in (lambda c: [c], lambda c: 3):
        network().save(path)
        edited(path, "config.json", change)
        with pytest.raises(CorruptFileError, match=r"config\.json is a JSON object"):
            keras.models.load_model(path)


def test_every_truncated_file_is_an_error(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    paths = [tmp_path / "m.keras", *(tmp_path / f"m{ending}" for ending in FORMATS)]
    model.save(paths[0])
    for path in paths[1:]:
        model.save_weights(path)
    for path in paths:
        content = path.read_bytes()
        step = 1 if path.suffix in (".npz", ".safetensors") else len(content) // 12
        for size in range(0, len(content), step):
            path.write_bytes(content[:size])
            with pytest.raises(CorruptFileError):
                model.load_weights(path)


@pytest.mark.parametrize("ending", [".keras", ".weights.h5", ".safetensors"])
def test_the_beginning_of_a_file_is_told_as_cut_off(ending: str, tmp_path: Path) -> None:
    model, path = network(), tmp_path / f"m{ending}"
    (model.save if ending == ".keras" else model.save_weights)(path)
    path.write_bytes(path.read_bytes()[:90])
    with pytest.raises(CorruptFileError, match="Received: a file that is cut off, or not one"):
        model.load_weights(path)


# ------------------------------------------------------------------------------------------------------ paths


def test_paths_are_those_of_keras() -> None:
    """Read off a file of Keras 3.15."""
    x = keras.Input((5, 4))
    y = layers.Bidirectional(layers.LSTM(2, return_sequences=True))(x)
    y = keras.Sequential([layers.Dense(4), layers.Dense(4)])(y)
    y = layers.MultiHeadAttention(2, 3)(y, y)
    y = layers.RNN([layers.GRUCell(3), layers.GRUCell(2)])(y)
    model = keras.Model(x, y)
    paths = keras_paths.saved_arrays(keras_paths.saved_objects(model))
    for path in (
        "layers/bidirectional/forward_layer/cell/vars/2",
        "layers/bidirectional/backward_layer/cell/vars/0",
        "layers/sequential/layers/dense_1/vars/1",
        "layers/multi_head_attention/query_dense/vars/0",
        "layers/multi_head_attention/output_dense/vars/1",
        "layers/rnn/cell/cells/gru_cell_1/vars/2",
    ):
        assert path in paths
