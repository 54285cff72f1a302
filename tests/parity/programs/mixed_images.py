"""Layers that mix images or make several changes of them, with all that they would draw given."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.parity.means import numbers

IMAGES = numbers(3, 6, 9, 3, low=0.0, high=255.0)
MASKS = np.floor(numbers(3, 6, 9, 1, key="masks", low=0.0, high=3.0))
LABELS = np.eye(3, dtype="float32")
BOXES = (np.arange(54).reshape(1, 6, 9, 1) % 4 == np.arange(3).reshape(3, 1, 1, 1)).repeat(3, 3)
PLACES = np.array([2, 0, 1], "int32")
WEIGHTS = np.array([0.25, 0.5, 0.875], "float32")


def _each(*values: float) -> np.ndarray:
    """A number for each image, (3, 1, 1, 1)."""
    return np.array(values, "float32").reshape(3, 1, 1, 1)


def _drawn() -> dict[str, Any]:
    """What each change would draw."""
    turned = [[0.8, -0.6, 1.0, 0.6, 0.8, -2.0, 0.0, 0.0]] * 3
    return {
        "random_shear": {"shear_factor": np.array([[0.3, -0.2], [-0.45, 0.1], [0.0, 0.2]], "float32")},
        "random_translation": {"translations": np.array([[1.25, -2.5], [0, 3], [-4, 0.5]], "float32")},
        "random_rotation": {"rotation_matrix": np.array(turned, "float32")},
        "random_brightness": {"rgb_delta": _each(30, -50, 5)},
        "random_color_degeneration": {"factor": _each(0.2, 0.7, 1)},
        "random_contrast": {"contrast_factor": _each(0.7, 1.4, 1)},
        "random_sharpness": {"factor": np.array([0.1, 0.4, 0.9], "float32")},
        "random_posterization": {"shift_factor": np.array([4, 5, 6], "int32")},
        "solarization": {"additions": _each(20, 0, 90), "thresholds": _each(128, 50, 200)},
        "auto_contrast": None,
        "equalization": None,
    }


def _tensors(keras: Any, value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _tensors(keras, each) for name, each in value.items()}
    if isinstance(value, list):
        return [_tensors(keras, each) for each in value]
    return keras.ops.convert_to_tensor(value) if isinstance(value, np.ndarray) else value


def _images(keras: Any, layer: Any, given: Any) -> Any:
    return layer.transform_images(keras.ops.convert_to_tensor(IMAGES), _tensors(keras, given))


def labels_are_mixed(keras: Any) -> dict[str, Any]:
    given = {"mix_weight": WEIGHTS, "permutation_order": PLACES}
    layers = {"MixUp": keras.layers.MixUp(0.3), "CutMix": keras.layers.CutMix()}
    labels = keras.ops.convert_to_tensor(LABELS)
    return {
        name: layer.transform_labels(labels, _tensors(keras, {**given, "batch_masks": BOXES}))
        for name, layer in layers.items()
    }


def masks_are_cut_with_their_images(keras: Any) -> dict[str, Any]:
    given = {"mix_weight": WEIGHTS, "permutation_order": PLACES, "batch_masks": BOXES[..., :1]}
    masks = keras.ops.convert_to_tensor(MASKS)
    return {"masks": keras.layers.CutMix().transform_segmentation_masks(masks, _tensors(keras, given))}


def boxes_are_filled(keras: Any) -> dict[str, Any]:
    given = {
        "apply_erasing": np.array([True, False, True]),
        "batch_masks": BOXES,
        "fill_value": np.array([20.0, 30.0, 250.0], "float32"),
    }
    return {"images": _images(keras, keras.layers.RandomErasing(), given)}


def rand_augment_by_what_is_drawn(keras: Any) -> dict[str, Any]:
    layer = keras.layers.RandAugment(num_ops=2, factor=0.4)
    pairs = [(first, (first + 4) % 11) for first in range(11)]
    masks = keras.ops.convert_to_tensor(MASKS)
    found = {}
    for pair in pairs:
        given = {"layer_idxes": np.array(pair, "int32"), "transforms": _drawn()}
        found[f"images {pair}"] = _images(keras, layer, given)
        found[f"masks {pair}"] = layer.transform_segmentation_masks(masks, _tensors(keras, given))
    return found


def aug_mix_by_what_is_drawn(keras: Any) -> dict[str, Any]:
    drawn = _drawn()
    chains = [
        ["random_rotation", "solarization", "auto_contrast"],
        [],
        ["random_translation", "random_sharpness"],
    ]
    given = {
        "chain_mixing_weights": np.array([0.5, 0.2, 0.3], "float32"),
        "weight_sample": np.array(0.35, "float32"),
        "chain_transforms": [
            [{"layer_name": name, "transformation": drawn[name]} for name in chain] for chain in chains
        ],
    }
    layer = keras.layers.AugMix(factor=0.4)
    masks = layer.transform_segmentation_masks(keras.ops.convert_to_tensor(MASKS), _tensors(keras, given))
    return {"images": _images(keras, layer, given), "masks": masks}
