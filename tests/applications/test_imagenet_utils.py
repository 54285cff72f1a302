"""Preparing images and naming classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain.applications import imagenet_utils, vgg16
from gputrain.data.io.errors import CorruptFileError
from gputrain.errors import ShapeError

# Of the pixel (0, 127.5, 255), red first: computed by hand from the published numbers.
PREPARED = {
    "tf": (-1.0, 0.0, 1.0),
    "torch": ((0 - 0.485) / 0.229, (0.5 - 0.456) / 0.224, (1 - 0.406) / 0.225),
    "caffe": (255 - 103.939, 127.5 - 116.779, 0 - 123.68),
}
PIXEL = (0.0, 127.5, 255.0)


@pytest.mark.parametrize("mode", PREPARED)
@pytest.mark.parametrize("order", ["channels_last", "channels_first"])
@pytest.mark.parametrize(
    ("batch", "symbolic"), [((), False), ((2,), False), ((2,), True)], ids=["image", "batch", "model"]
)
def test_pixels(mode: str, order: str, batch: tuple[int, ...], symbolic: bool) -> None:
    axis = -1 if order == "channels_last" else len(batch)
    shape = [1] * (len(batch) + 3)
    shape[axis] = 3
    x = np.broadcast_to(
        np.reshape(PIXEL, shape), [*batch, *(3 if n == 3 else 2 for n in shape[len(batch) :])]
    )
    x = x.astype("float32")
    before = x.copy()
    if symbolic:
        value = keras.Input(x.shape[1:])
        found = keras.Model(value, imagenet_utils.preprocess_input(value, order, mode)).predict(x, verbose=0)
    else:
        found = imagenet_utils.preprocess_input(x, order, mode)
    assert found.dtype == "float32"
    expected = np.broadcast_to(np.reshape(PREPARED[mode], shape), x.shape)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [("uint8", "float32"), ("float64", "float64"), ("float16", "float16"), ("int64", "float32")],
)
def test_dtypes(dtype: str, expected: str) -> None:
    for mode in PREPARED:
        assert imagenet_utils.preprocess_input(np.ones((2, 2, 3), dtype), mode=mode).dtype == expected


def test_each_module_knows_its_mode() -> None:
    x = np.full((1, 1, 1, 3), 128.0)
    by_mode = {mode: imagenet_utils.preprocess_input(x, mode=mode) for mode in PREPARED}
    modules = {
        "caffe": "resnet resnet50 vgg16 vgg19",
        "tf": "inception_resnet_v2 inception_v3 mobilenet mobilenet_v2 nasnet resnet_v2 xception",
        "torch": "densenet",
    }
    for mode, names in modules.items():
        for name in names.split():
            found = getattr(keras.applications, name).preprocess_input(x)
            np.testing.assert_array_equal(found, by_mode[mode], err_msg=name)
    for name in ("convnext", "efficientnet", "efficientnet_v2", "mobilenet_v3"):
        assert getattr(keras.applications, name).preprocess_input(x) is x


def test_wrong_images() -> None:
    with pytest.raises(ValueError, match=r"mode must be known.*'keras'"):
        imagenet_utils.preprocess_input(np.ones((2, 2, 3)), mode="keras")
    with pytest.raises(ValueError, match=r"data_format must be known.*'NHWC'"):
        imagenet_utils.preprocess_input(np.ones((2, 2, 3)), "NHWC")
    for shape in ((2, 2, 1), (2, 3), (1, 1, 2, 2, 3)):
        with pytest.raises(ShapeError, match="must have 3 channels"):
            imagenet_utils.preprocess_input(np.ones(shape))


# --------------------------------------------------------------------------------------------------- classes


def index(**changes: Any) -> dict[str, Any]:
    return {**{str(i): [f"n{i:08}", f"class {i}"] for i in range(1000)}, **changes}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    return tmp_path / "models" / "imagenet_class_index.json"


def test_predictions_are_named(home: Path) -> None:
    home.write_text(json.dumps(index()))
    scores = np.zeros((2, 1000), "float32")
    scores[0, [3, 999, 0]] = 0.5, 0.3, 0.2
    scores[1, 7] = 1.0
    named = vgg16.decode_predictions(scores, top=2)
    assert [[entry[:2] for entry in row] for row in named] == [
        [("n00000003", "class 3"), ("n00000999", "class 999")],
        [("n00000007", "class 7"), ("n00000000", "class 0")],
    ]
    assert named[0][0][2] == np.float32(0.5)
    assert len(vgg16.decode_predictions(scores)[0]) == 5


def test_a_file_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "index.json"
    path.write_text(json.dumps(index()))
    scores = np.eye(1000)[:1]
    assert imagenet_utils.decode_predictions(scores, 1, class_index=path) == [[("n00000000", "class 0", 1.0)]]


def test_no_file(home: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"are not shipped. Expected: the file .*get_file") as caught:
        imagenet_utils.decode_predictions(np.zeros((1, 1000)))
    assert str(home) in str(caught.value)


@pytest.mark.parametrize("shape", [(1000,), (1, 999), (1, 1, 1000)])
def test_other_predictions(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"Expected: \(N, 1000\)"):
        imagenet_utils.decode_predictions(np.zeros(shape))


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "7", '{"0": ["n", "a"]}', "<html>", "[" * 100_000, "x" * (2 << 20),
        *(json.dumps(index(**{"5": entry})) for entry in ("ab", [1, 2], None)),
    ],
    ids=["empty", "list", "number", "short", "page", "deep", "large", "text", "numbers", "null"],
)  # fmt: skip
def test_a_file_that_is_no_index(text: str, home: Path) -> None:
    home.write_text(text)
    with pytest.raises(CorruptFileError, match="an index of classes gives a WordNet id and a name"):
        imagenet_utils.decode_predictions(np.zeros((1, 1000)))
