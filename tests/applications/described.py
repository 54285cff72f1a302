"""What is compared with Keras: layers, weights, outputs with weights by a rule. Imports neither package.

    /tmp/keras/bin/python -m tests.applications.record

writes it anew with the Keras that is installed, on JAX; names behind it, as ResNet50, write their outputs
alone. tests/parity/README.md tells of the environment.
"""

from __future__ import annotations

import json
import lzma
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

FILE = Path(__file__).with_name("keras.json.xz")

# Settings of layers that neither their names nor the shapes of their weights tell.
SETTINGS = (
    *("strides", "padding", "groups", "activation", "use_bias", "axis", "epsilon", "momentum", "scale"),
    *("center", "offset", "rate", "noise_shape", "pool_size", "keepdims", "cropping", "target_shape"),
    *("max_value", "mean", "variance", "init_values", "kernel_initializer", "depthwise_initializer"),
    *("pointwise_initializer", "size", "data_format"),
)

# Members that differ from the defaults: the builder and its arguments.
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "MobileNet, narrow": ("MobileNet", {"alpha": 0.25, "depth_multiplier": 2, "input_shape": (96, 96, 1)}),
    "MobileNetV2, wide": ("MobileNetV2", {"alpha": 1.4, "input_shape": (97, 160, 3)}),
    "MobileNetV2, narrow": ("MobileNetV2", {"alpha": 0.35, "include_top": False, "pooling": "max"}),
    "MobileNetV3Small, minimalistic": ("MobileNetV3Small", {"minimalistic": True, "dropout_rate": 0.0}),
    "MobileNetV3Large, wide": ("MobileNetV3Large", {"alpha": 1.25, "include_preprocessing": False}),
    "EfficientNetV2B0, grey": ("EfficientNetV2B0", {"input_shape": (64, 64, 1)}),
    "EfficientNetV2S, prepared": ("EfficientNetV2S", {"include_preprocessing": False}),
    "ConvNeXtTiny, named": ("ConvNeXtTiny", {"name": "mine", "classes": 7}),
}
WITHOUT_TOP = (
    *("VGG16", "ResNet50", "ResNet50V2", "DenseNet121", "MobileNet", "MobileNetV3Small", "EfficientNetB0"),
    *("EfficientNetV2B0", "Xception", "InceptionV3", "InceptionResNetV2", "NASNetMobile", "NASNetLarge"),
    "ConvNeXtTiny",
)
VARIANTS |= {f"{title}, no top": (title, {"include_top": False}) for title in WITHOUT_TOP}
VARIANTS |= {f"{title}, pooled": (title, {"include_top": False, "pooling": "avg"}) for title in WITHOUT_TOP}

# The smallest of each family: module with its preprocess_input, size of the images, variance of kernels
# times their number of inputs. With 2, signals grow in a network of swish until rounding shows: float32 is
# then 1e-4 away from float64, in Keras as here.
SMALLEST = {
    "VGG16": ("vgg16", 32, 2.0),
    "ResNet50": ("resnet50", 32, 2.0),
    "ResNet50V2": ("resnet_v2", 40, 2.0),
    "MobileNet": ("mobilenet", 32, 2.0),
    "MobileNetV2": ("mobilenet_v2", 45, 2.0),
    "MobileNetV3Small": ("mobilenet_v3", 45, 2.0),
    "DenseNet121": ("densenet", 32, 2.0),
    "EfficientNetB0": ("efficientnet", 45, 1.0),
    "EfficientNetV2B0": ("efficientnet_v2", 32, 1.0),
    "Xception": ("xception", 71, 2.0),
    "InceptionV3": ("inception_v3", 75, 2.0),
    "InceptionResNetV2": ("inception_resnet_v2", 75, 2.0),
    "NASNetMobile": ("nasnet", 40, 2.0),
    "ConvNeXtTiny": ("convnext", 32, 2.0),
}


@cache
def committed() -> dict[str, Any]:
    """What was recorded."""
    return json.loads(lzma.decompress(FILE.read_bytes()))  # type: ignore[no-any-return]


def structure(model: Any) -> dict[str, Any]:
    """Layers and weights of a model of either package, in order, as lines of text."""
    return {
        "name": model.name,
        "output": [*model.output_shape],
        "count": model.count_params(),
        "trainable": [i for i, weight in enumerate(model.weights) if weight.trainable],
        "layers": [_line(layer) for layer in model.layers],
        "weights": [f"{_name(weight.path)} {tuple(weight.shape)}" for weight in model.weights],
    }


def _name(path: str) -> str:
    """The layer and the variable; Keras may name scopes before, and it counts variables without names."""
    return re.sub(r"/variable_\d+$", "/variable", "/".join(path.split("/")[-2:]))


def _line(layer: Any) -> str:
    config = layer.get_config()
    told = {key: _plain(config[key]) for key in SETTINGS if config.get(key) is not None}
    if told.get("axis") in (3, [3]):  # the last one, as -1
        told["axis"] = -1 if told["axis"] == 3 else [-1]
    return f"{type(layer).__name__} {layer.name} {json.dumps(told, sort_keys=True)}"


def _plain(value: Any) -> Any:
    """A setting as JSON has it; of an initializer its class and numbers."""
    if isinstance(value, dict):
        inner = value.get("config", {})
        return [
            value["class_name"],
            *(inner[key] for key in ("scale", "mode", "distribution") if key in inner),
        ]
    if isinstance(value, np.ndarray | list | tuple):
        return [_plain(item) for item in np.ravel(np.asarray(value, dtype=object))]
    if isinstance(value, np.generic | float):
        return float(np.float32(value))
    return value


def weights_by_rule(shapes: list[tuple[int, ...]], gain: float) -> list[np.ndarray]:
    """Weights that follow from place and shape: kernels are normal, all else is 0.5 to 1.5."""
    return [_weight(index, shape, gain) for index, shape in enumerate(shapes)]


def _weight(index: int, shape: tuple[int, ...], gain: float) -> np.ndarray:
    random = np.random.Generator(np.random.PCG64(index))
    if len(shape) < 2:
        return random.uniform(0.5, 1.5, shape).astype("float32")
    fan_in = np.prod(shape[:-1]) if shape[-1] > 1 else np.prod(shape[:2])
    return (random.standard_normal(shape) * np.sqrt(gain / fan_in)).astype("float32")


def images(size: int) -> np.ndarray:
    """Two images, pixels 0..255: (2, size, size, 3)."""
    return np.random.Generator(np.random.PCG64(7)).uniform(0, 255, (2, size, size, 3)).astype("float32")


def outputs(keras: Any, title: str) -> dict[str, list[float]]:
    """Logits, and what stands at a few places on the way, of a model with weights by the rule."""
    module, size, gain = SMALLEST[title]
    applications = keras.applications
    model = getattr(applications, title)(
        weights=None, classes=10, classifier_activation=None, input_shape=(size, size, 3)
    )
    model.set_weights(weights_by_rule([tuple(weight.shape) for weight in model.weights], gain))
    for layer in model.layers:
        if hasattr(layer, "adapt_mean"):  # in Keras, statistics count once they are finished
            layer.finalize_state()
    places = _places(model)
    prepared = getattr(applications, module).preprocess_input(images(size))
    seen = keras.Model(model.inputs, [model.layers[i].output for i in places]).predict(prepared, verbose=0)
    return {model.layers[i].name: _sample(array) for i, array in zip(places, seen, strict=True)}


def _places(model: Any) -> list[int]:
    """Numbers of the layers at a quarter, a half and three quarters of the way, and of the last one."""
    count = len(model.layers)
    return [count // 4, count // 2, 3 * count // 4, count - 1]


def _sample(array: np.ndarray) -> list[float]:
    """At most 200 numbers, spread over the array."""
    flat = np.ravel(array).astype("float64")
    return [float(f"{number:.9g}") for number in flat[:: max(1, len(flat) // 200)]]
