"""Arguments of builders: what they do, what is refused, and what is said then."""

from __future__ import annotations

import inspect
import json
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import applications, layers, models
from gputrain.applications import MobileNet, MobileNetV2, ResNet50, convnext, mobilenet_v3
from gputrain.initializers import RandomNormal
from gputrain.initializers.drawn import without_draws
from gputrain.layers.core.of_applications import CustomScaleLayer, LayerScale, StochasticDepth
from tests.subprocesses import environment

pytestmark = pytest.mark.cpu_only("what builders make of their arguments is the same on every device")

SMALL: dict[str, Any] = {"weights": None, "alpha": 0.25, "input_shape": (32, 32, 3)}


def copy_by_pickle(item: Any) -> Any:
    return pickle.loads(pickle.dumps(item))  # noqa: S301


def small(**arguments: Any) -> keras.Model:
    """The smallest of all."""
    return MobileNet(**{**SMALL, **arguments})


# ------------------------------------------------------------------------------------------- what they build


def test_a_model_trains() -> None:
    model = small(classes=3)
    model.compile("sgd", "sparse_categorical_crossentropy")
    x, y = np.random.default_rng(0).random((4, 32, 32, 3), "float32"), np.array([0, 1, 2, 0])
    before = model.get_weights()
    model.fit(x, y, batch_size=2, verbose=0)
    assert all((a != b).any() for a, b in zip(before, model.get_weights(), strict=True) if a.ndim == 4)
    np.testing.assert_allclose(model.predict(x, verbose=0).sum(1), 1.0, rtol=1e-5)


@pytest.mark.parametrize(
    ("pooling", "last", "shape"),
    [
        (None, "ReLU", (None, 1, 1, 256)),
        ("avg", "GlobalAveragePooling2D", (None, 256)),
        ("max", "GlobalMaxPooling2D", (None, 256)),
    ],
)
def test_without_a_top(pooling: str | None, last: str, shape: tuple[int, ...]) -> None:
    model = small(include_top=False, pooling=pooling)
    assert type(model.layers[-1]).__name__ == last
    assert model.output_shape == shape


def test_without_a_top_sizes_are_unknown() -> None:
    model = small(include_top=False, input_shape=None, pooling="avg")
    assert model.input_shape == (None, None, None, 3)
    for size in (32, 65):
        assert model.predict(np.zeros((1, size, size, 3)), verbose=0).shape == (1, 256)


def test_classes_and_activation() -> None:
    x = np.random.default_rng(0).random((2, 32, 32, 3), "float32")
    model = small(classes=5)
    logits = small(classes=5, classifier_activation=None)
    logits.set_weights(model.get_weights())
    np.testing.assert_allclose(
        keras.ops.softmax(logits.predict(x, verbose=0)), model.predict(x, verbose=0), rtol=1e-5
    )


def test_input_tensor() -> None:
    start = keras.Input((40, 40, 3), name="pictures")
    scaled = layers.Rescaling(1 / 255)(start)
    model = small(input_tensor=scaled, input_shape=None)
    assert [layer.name for layer in model.layers[:2]] == ["pictures", scaled.node.op.layer.name]
    same = small(input_tensor=start, input_shape=(40, 40, 3))
    assert same.input_shape == (None, 40, 40, 3)
    with pytest.raises(
        ValueError, match=r"MobileNet: input_tensor must have the shape.*\(32, 32, 3\).*\(40, 40, 3\)"
    ):
        small(input_tensor=start)
    with pytest.raises(ValueError, match=r"input_tensor must be a symbolic value.*ndarray"):
        small(input_tensor=np.zeros((1, 32, 32, 3)))


def test_names() -> None:
    assert small().name == "mobilenet_0.25_32"
    assert small(name="mine").name == "mine"
    assert small(include_top=False, input_shape=None).name == "mobilenet_0.25_None"
    assert MobileNetV2(weights=None, alpha=0.35, input_shape=(64, 32, 3)).name == "mobilenetv2_0.35_64"


def test_channels_first(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).random((2, 32, 32, 3), "float32")
    last = small(classes=4)
    expected = last.predict(x, verbose=0)
    keras.config.set_image_data_format("channels_first")
    try:
        first = small(classes=4, input_shape=(3, 32, 32))
        first.set_weights(last.get_weights())
        np.testing.assert_allclose(
            first.predict(x.transpose(0, 3, 1, 2), verbose=0), expected, rtol=1e-4, atol=1e-6
        )
        with pytest.raises(
            ValueError, match=r"ConvNeXtTiny: images have their channels last.*channels_first"
        ):
            convnext.ConvNeXtTiny(weights=None)
    finally:
        keras.config.set_image_data_format("channels_last")


def test_an_efficientnet_predicts_and_trains_before_statistics_are_there() -> None:
    model = applications.EfficientNetB0(
        weights=None, include_top=False, pooling="avg", input_shape=(32, 32, 3)
    )
    assert np.isfinite(model.predict(np.full((1, 32, 32, 3), 127.0), verbose=0)).all()
    plain = keras.Sequential([keras.Input((3,)), layers.Normalization()])
    with pytest.raises(ValueError, match="no statistics yet"):
        plain.predict(np.zeros((1, 3)), verbose=0)


# ------------------------------------------------------------------------------------------- wrong arguments


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pooling": "sum"}, r"MobileNet: pooling must be known. Expected: None, \"avg\" or \"max\".*'sum'"),
        ({"input_shape": (31, 32, 3)}, r"at least 32 pixels high and wide.*\(31, 32, 3\)"),
        ({"input_shape": (32, None, 3)}, "include_top=True all sizes of an image must be known"),
        ({"input_shape": (32, 32)}, r"three sizes, without the batch. Expected: as \(224, 224, 3\)"),
        ({"input_shape": 32}, "three sizes"),
        ({"input_shape": ("32", 32, 3)}, "three sizes"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(**arguments)


def test_many_channels_are_taken_with_a_warning() -> None:
    with pytest.warns(
        UserWarning, match=r"MobileNet: images usually have 1 or 3 channels.*4 channels"
    ) as caught:
        assert small(input_shape=(32, 32, 4)).input_shape == (None, 32, 32, 4)
    assert caught[0].filename == __file__


def test_unknown_arguments_are_named() -> None:
    with pytest.raises(
        TypeError, match=r"ResNet50\(\) got an unexpected keyword argument 'include_tops'.*include_top"
    ):
        ResNet50(include_tops=False)


@pytest.mark.parametrize("title", [name for name in applications.__all__ if name[0].isupper()])
def test_builders_are_told_and_found(title: str) -> None:
    builder = getattr(applications, title)
    assert builder.__name__ == title
    assert copy_by_pickle(builder) is builder
    told = re.findall(r"^    (\w+): ", builder.__doc__.partition("Args:")[2].partition("Raises:")[0], re.M)
    assert told == list(inspect.signature(builder).parameters)


# --------------------------------------------------------------------------------------------------- weights


def test_imagenet_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(ValueError, match=r"ResNet50: weights trained on ImageNet are not shipped") as caught:
        ResNet50()
    for part in ("weights=None", "path of a file", "keras.utils.get_file(origin=URL, file_hash=...)"):
        assert part in str(caught.value)


@pytest.mark.parametrize("weights", ["nowhere.weights.h5", 7, "https://example.org/w.h5", Path(".")])
def test_weights_that_are_no_file(weights: Any) -> None:
    with pytest.raises(ValueError, match="ResNet50: weights must be None or a file on this machine"):
        ResNet50(weights=weights)


def test_weights_ask_for_the_activation_they_were_trained_with(tmp_path: Path) -> None:
    (tmp_path / "w.weights.h5").write_bytes(b"")
    with pytest.raises(ValueError, match=r"classifier_activation must be what the weights.*'relu'"):
        small(weights=tmp_path / "w.weights.h5", classifier_activation="relu")


def test_weights_of_a_file_are_loaded_and_none_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file goes to `load_weights` of the model, whose weights are all zeros or ones before."""
    path = tmp_path / "w.weights.h5"
    path.write_bytes(b"")
    seen: list[Any] = []
    monkeypatch.setattr(
        models.Model,
        "load_weights",
        lambda model, given: seen.append((given, model.get_weights())),
        raising=False,
    )
    small(weights=str(path))
    [(given, weights)] = seen
    assert given == str(path)
    assert all(np.ptp(array) == 0 for array in weights)
    small()
    assert len(seen) == 1


def test_draws_that_follow_stay_the_same() -> None:
    keras.utils.set_random_seed(3)
    RandomNormal()((2,))
    expected = RandomNormal()((2,))
    keras.utils.set_random_seed(3)
    with without_draws():
        assert not RandomNormal()((2,)).any()
    np.testing.assert_array_equal(RandomNormal()((2,)), expected)


# --------------------------------------------------------------------------------------- layers of their own


def test_layers_of_their_own() -> None:
    x = np.ones((64, 2, 3), "float32")
    assert (CustomScaleLayer(0.5)([x, 2 * x]) == 2.0).all()
    assert (LayerScale(0.25, 3)(x) == 0.25).all()
    depth = StochasticDepth(0.5)
    assert (depth(x) == x).all()
    kept = np.asarray(depth(x, training=True))
    assert set(np.unique(kept)) == {0.0, 2.0}
    assert (kept == kept[:, :1, :1]).all(), "samples are dropped as a whole"


@pytest.mark.parametrize("layer", [CustomScaleLayer(0.5), LayerScale(1e-6, 4), StochasticDepth(0.1)])
def test_configs_name_them(layer: keras.Layer) -> None:
    again = layers.deserialize(layers.serialize(layer))
    assert type(again) is type(layer)
    assert again.get_config() == layer.get_config()


def test_a_model_is_made_again_from_its_json() -> None:
    model = applications.InceptionResNetV2(weights=None, include_top=False, input_shape=(75, 75, 3))
    again = models.model_from_json(model.to_json())
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    assert again.count_params() == model.count_params()


def test_modules_of_models_that_prepare_images_themselves() -> None:
    x = np.ones((1, 2, 2, 3))
    assert mobilenet_v3.preprocess_input(x) is x
    assert copy_by_pickle(mobilenet_v3.preprocess_input) is mobilenet_v3.preprocess_input


FILE_OF_KERAS = """
import json, sys
import gputrain as keras

model = keras.models.model_from_json(sys.stdin.read())
print(*(type(layer).__name__ for layer in model.layers))
assert not any(name.startswith("gputrain.applications") for name in sys.modules)
"""


def test_a_file_of_keras_names_them_without_applications() -> None:
    """As Keras 3.15 writes them, in a process that has not imported their architectures."""
    rooms = {
        "CustomScaleLayer": ("keras.src.applications.inception_resnet_v2", CustomScaleLayer(0.5)),
        "LayerScale": ("keras.src.applications.convnext", LayerScale(1e-6, 4)),
        "StochasticDepth": ("keras.src.applications.convnext", StochasticDepth(0.1)),
    }
    inputs = keras.Input((4,))
    outputs = rooms["CustomScaleLayer"][1]([inputs, inputs])
    for name in ("LayerScale", "StochasticDepth"):
        outputs = rooms[name][1](outputs)
    text = keras.Model(inputs, outputs).to_json()
    written = {layer["class_name"]: layer for layer in json.loads(text)["config"]["layers"]}
    for name, (room, _) in rooms.items():
        assert (written[name]["module"], written[name]["registered_name"]) == (room, name)
    done = subprocess.run(
        [sys.executable, "-c", FILE_OF_KERAS],
        input=text,
        text=True,
        stdout=subprocess.PIPE,
        check=True,
        env=environment(),
    )
    assert done.stdout.strip() == "InputLayer CustomScaleLayer LayerScale StochasticDepth"
