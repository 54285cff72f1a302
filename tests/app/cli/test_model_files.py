"""`gputrain summary` and `gputrain convert` of files: what they say, what they write, what they refuse."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import gputrain as keras
from gputrain import layers
from gputrain.utils.registry import CUSTOM
from tests.saving import keras2

pytest.importorskip("h5py")
pytestmark = pytest.mark.cpu_only("what is computed is shown elsewhere")
X = np.linspace(-1, 1, 12).reshape(4, 3).astype("float32")
ENDINGS = (".weights.h5", ".safetensors", ".npz")


class Scale(layers.Layer):
    """A class of a user's own."""

    def build(self, input_shape):
        self.factor = self.add_weight(shape=(input_shape[-1],), name="factor", initializer="ones")

    def call(self, inputs):
        return inputs * self.factor


@pytest.fixture
def model():
    first, last = layers.Dense(4, name="first"), layers.Dense(2, name="last")
    made = keras.Sequential([keras.Input((3,)), first, layers.Dropout(0.5, name="drop"), last])
    made.compile("adam", "mse")
    made.train_on_batch(X, X[:, :2])
    return made


@pytest.fixture
def custom():
    """A file with a layer whose class is known no more."""
    CUSTOM["Mine>Scale"] = Scale
    try:
        made = keras.Sequential([keras.Input((3,)), Scale(name="scale"), layers.Dense(2, name="last")])
        made.save("custom.keras")
    finally:
        del CUSTOM["Mine>Scale"]
    return Path("custom.keras")


def old_file(name="old.h5", kind="Dense", layer="last"):
    """A file of Keras 2 with one Dense layer."""
    described = keras2.dense(layer, 2, batch_input_shape=[None, 3]) | {"class_name": kind}
    weights = {layer: {"kernel:0": np.ones((3, 2), "float32"), "bias:0": np.zeros(2, "float32")}}
    return keras2.write(Path(name), weights, keras2.sequential(described))


def rows(text):
    return [re.split(r"  +", line.strip()) for line in text.splitlines()]


def as_json(done):
    assert done.code == 0
    return json.loads(done.out)


# --------------------------------------------------------------------------------------------------- summary


def test_summary_of_a_model(gputrain, model):
    model.save("m.keras")
    done = gputrain("summary", "m.keras")
    assert (done.code, done.err) == (0, "")
    assert rows(done.out) == [
        ["layer", "type", "weights", "parameters"],
        [model.inputs[0].name, "InputLayer", "0"],
        ["first", "Dense", "(3, 4) (4)", "16"],
        ["drop", "Dropout", "0"],
        ["last", "Dense", "(4, 2) (2)", "10"],
        [""],
        ["model", f"Sequential '{model.name}'"],
        ["parameters", "26"],
        ["optimizer", f"Adam, {2 + 2 * 26} numbers"],
    ]
    found = as_json(gputrain("summary", "m.keras", "--json"))
    assert found["parameters"] == 26
    assert found["layers"][1] == {
        "name": "first",
        "type": "Dense",
        "known": True,
        "weights": [[3, 4], [4]],
        "parameters": 16,
    }
    model.save("folder", zipped=False)
    assert as_json(gputrain("summary", "folder", "--json")) == found


def test_summary_agrees_with_the_model(gputrain):
    """Layers of one class, in branches and shared: the weights of a file go to the layers they are of."""
    x = keras.Input((6, 3))
    shared = layers.Dense(3, name="shared")
    inner = keras.Sequential([layers.LSTM(2), layers.BatchNormalization()], name="inner")
    both = layers.Concatenate()([inner(shared(x)), layers.Bidirectional(layers.GRU(4), name="bi")(shared(x))])
    made = keras.Model(x, layers.Dense(5, name="last")(both))
    made.save("m.keras")
    found = as_json(gputrain("summary", "m.keras", "--json"))["layers"]
    expected = {layer.name: layer.count_params() for layer in made.layers}
    assert {layer["name"]: layer["parameters"] for layer in found} == expected
    made.save_weights("w.weights.h5")
    assert as_json(gputrain("summary", "w.weights.h5", "--json"))["parameters"] == made.count_params()


def test_summary_of_classes_that_are_not_known(gputrain, custom):
    found = rows(gputrain("summary", custom).out)
    assert ["scale", "Scale*", "(3)", "3"] in found
    assert found[-1] == ["*", "not known here: Scale"]
    layer = as_json(gputrain("summary", custom, "--json"))["layers"][1]
    assert (layer["type"], layer["known"], layer["parameters"]) == ("Scale", False, 3)


def test_summary_of_a_file_of_keras_2(gputrain):
    assert ["last", "Dense", "(3, 2) (2)", "8"] in rows(gputrain("summary", old_file()).out)
    assert ["last", "Mine*", "(3, 2) (2)", "8"] in rows(gputrain("summary", old_file(kind="Mine")).out)


def test_names_do_not_write_to_the_terminal(gputrain):
    done = gputrain("summary", old_file(layer="a\x1b[2Jb" + "c" * 100))
    assert "a?[2Jbc" in done.out
    assert "\x1b" not in done.out
    assert max(map(len, done.out.splitlines())) < 110


@pytest.mark.parametrize("ending", ENDINGS)
def test_summary_of_weights_alone(gputrain, model, ending):
    model.save_weights(f"w{ending}")
    found = rows(gputrain("summary", f"w{ending}").out)
    assert [row[-1] for row in found[1:3]] == ["16", "10"]
    assert ["model", "weights alone"] in found
    assert ["parameters", "26"] in found


def test_summary_of_weights_of_keras_2(gputrain):
    keras2.write(Path("w.hdf5"), {"first": {"kernel:0": np.ones((3, 2), "float32")}, "dropout": {}})
    assert rows(gputrain("summary", "w.hdf5").out)[1] == ["first", "(3, 2)", "6"]


def test_summary_refuses(refused, model):
    model.save("m.keras")
    told = refused(2, "summary", "m.keras", "--epochs", 3)
    assert told.startswith("gputrain: m.keras is a file of a model, which has no settings. Leave out what")
    Path("cut.keras").write_bytes(Path("m.keras").read_bytes()[:900])
    assert "cut.keras" in refused(1, "summary", "cut.keras")
    assert refused(1, "summary", "absent.keras").endswith("absent.keras: No such file or directory")


# --------------------------------------------------------------------------------------------------- convert


def test_convert_a_file_of_keras_2(gputrain):
    done = gputrain("convert", old_file(), "new.keras")
    assert done.code == 0
    assert done.out.startswith("new.keras: sequential")
    assert done.out.endswith(", 8 parameters\n")
    assert np.allclose(keras.models.load_model("new.keras").predict(X, verbose=0), X @ np.ones((3, 2)))


@pytest.mark.parametrize("ending", [".keras", *ENDINGS])
def test_convert_to_each_kind(gputrain, model, ending):
    model.save("m.keras")
    assert gputrain("convert", "m.keras", f"other{ending}").code == 0
    if ending == ".keras":
        other = keras.models.load_model("other.keras")
        assert int(other.optimizer.iterations) == 1
    else:
        other = keras.models.clone_model(model)
        other.load_weights(f"other{ending}")
    assert np.array_equal(other.predict(X, verbose=0), model.predict(X, verbose=0))


def test_convert_without_what_compile_was_given(gputrain, model):
    model.save("m.keras")
    assert gputrain("convert", "--no-compile", "m.keras", "other.keras").code == 0
    assert not keras.models.load_model("other.keras").compiled


def test_convert_refuses(refused, gputrain, model, custom):
    model.save("m.keras")
    model.save_weights("w.weights.h5")
    before = Path("w.weights.h5").read_bytes()
    refusals = {
        (2, "m.keras", "m.h5"): r"The ending of TARGET says .* Received: 'm\.h5'\. Write 'm\.keras'\.",
        (2, "m.keras", "m"): r"Expected: \.keras, \.weights\.h5, \.safetensors, \.npz",
        (2, "w.weights.h5", "m2.keras"): r"w\.weights\.h5 holds weights alone, .* model\.load_weights\(\)",
        (1, "m.keras", "w.weights.h5"): r"w\.weights\.h5 is there already\. Add --overwrite",
        (1, "absent.h5", "m2.keras"): r"absent\.h5: No such file or directory",
        (1, custom, "m2.keras"): r"Unknown layer 'Scale'.* register_keras_serializable",
        (1, "small.toml", "m2.keras"): r"small\.toml: a model, or its weights, are in a file of one of",
    }
    for (code, source, target), told in refusals.items():
        assert re.search(told, refused(code, "convert", source, target)), told
    assert not Path("m2.keras").exists()
    assert Path("w.weights.h5").read_bytes() == before
    assert gputrain("convert", "--overwrite", "m.keras", "w.weights.h5").code == 0
