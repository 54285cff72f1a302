"""Layers that change images, given dicts, single images and transformations."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.parity.means import numbers


def _images() -> Any:
    return numbers(2, 6, 9, 3)


def _masks() -> Any:
    return np.floor(numbers(2, 6, 9, 1) * 2 + 4)


def _beside(keras: Any, layer: Any, **told: Any) -> dict[str, Any]:
    """What comes out for images with labels and masks, for all of them and for the first."""
    data = {"images": _images(), "labels": np.array([3, 5]), "segmentation_masks": _masks()}
    outputs = {}
    for name, given in (("all", data), ("first", {key: value[0] for key, value in data.items()})):
        found = layer(dict(given), **told)
        outputs[name] = {key: keras.ops.convert_to_numpy(found[key]).astype("float32") for key in data}
    return outputs


def labels_and_masks_beside_images(keras: Any) -> dict[str, Any]:
    layers = keras.layers
    fixed = {"height_factor": (0.22, 0.22), "width_factor": (-0.32, -0.32)}
    return {
        "moved": _beside(keras, layers.RandomTranslation(**fixed, fill_mode="nearest"), training=True),
        "left": _beside(keras, layers.RandomTranslation(**fixed), training=False),
        "zoomed": _beside(keras, layers.RandomZoom((0.4, 0.4), fill_mode="constant"), training=True),
        "resized": _beside(keras, layers.Resizing(3, 7)),
        "cut": _beside(keras, layers.CenterCrop(4, 5)),
    }


def one_image_alone(keras: Any) -> dict[str, Any]:
    layers, image = keras.layers, _images()[0]
    return {
        "resized": layers.Resizing(4, 4, crop_to_aspect_ratio=True)(image),
        "cut": layers.CenterCrop(3, 3)(image),
        "enlarged": layers.CenterCrop(8, 12)(image),
        "zoomed": layers.RandomZoom((0.3, 0.3), (0.1, 0.1), fill_mode="nearest")(image, training=True),
        "left": layers.RandomPerspective()(image, training=False),
    }


def transformations_are_given_out(keras: Any) -> dict[str, Any]:
    """A layer with fixed factors has one transformation, of the shapes that it says."""
    layers, images = keras.layers, _images()
    rotation = layers.RandomRotation((0.1, 0.1)).get_random_transformation(images)
    zoom = layers.RandomZoom((0.2, 0.2), (0.3, 0.3)).get_random_transformation(images)
    translation = layers.RandomTranslation((0.2, 0.2), (0.1, 0.1)).get_random_transformation(images)
    perspective = layers.RandomPerspective((1, 1), 0.0).get_random_transformation(images)
    return {
        "angle": rotation["angle"],
        "rotation_matrix": rotation["rotation_matrix"],
        "zooms": [zoom["height_zoom"], zoom["width_zoom"]],
        "translations": translation["translations"],
        "points": [perspective["start_points"], perspective["end_points"]],
        "outside of training": layers.RandomRotation(0.1).get_random_transformation(images, training=False),
    }


def all_in_a_model(keras: Any) -> dict[str, Any]:
    """What is left of a stack of them outside of training, and shapes of unknown sizes."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((None, None, 3)),
            layers.Resizing(8, 10),
            layers.RandomFlip(),
            layers.RandomRotation(0.2),
            layers.RandomZoom(0.2),
            layers.RandomTranslation(0.1, 0.2),
            layers.RandomShear(0.1, 0.1),
            layers.RandomPerspective(),
            layers.CenterCrop(6, 4),
            layers.UpSampling2D(2, interpolation="bilinear"),
        ]
    )
    return {"shape": list(model.output_shape), "predicted": model.predict(_images(), verbose=0)}
