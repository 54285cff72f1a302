"""Colours and mixtures of images."""

from __future__ import annotations

from typing import Any

from tests.parity.cases_images import transformed
from tests.parity.cases_layers import drawn, layer
from tests.parity.table import Case, copies, real, whole

IMAGE, FIRST = real(2, 6, 9, 3, low=0, high=255), real(2, 3, 6, 9, low=0, high=255)
UNIT, BYTES = real(2, 6, 9, 3, low=0, high=1), whole(2, 6, 9, 3, below=256, dtype="uint8")
FEW = real(2, 6, 9, 3, low=100, high=140)
COLUMN = [[[[0.3]]], [[[0.9]]]]  # a number for each image, (2, 1, 1, 1)
SMALL, SMALL_FIRST = real(2, 2, 3, 1, low=0, high=255), real(2, 1, 2, 3, low=0, high=255)
BOXES = [[[[True], [False], [True]], [[False], [True], [False]]], [[[False]] * 3, [[True]] * 3]]
BOXES_FIRST = [[[[True, False, True], [False, True, False]]], [[[False] * 3, [True] * 3]]]
CHANNELS_FIRST = {"data_format": "channels_first"}
MANY = 4000
SPOT = [[[50], [100], [150]], [[200], [250], [30]], [[60], [90], [120]]]
PAIR = [[[100, 140, 180], [60, 200, 120]]]


def each(name: str, key: str, values: Any, **arguments: Any) -> list[Case]:
    """A layer on both ranges, both layouts and bytes, with what it would draw given."""
    given: dict[str, Any] = {"transformation": {key: values}, **arguments}
    return [
        transformed(name, IMAGE, **given),
        transformed(name, UNIT, value_range=(0, 1), **given),
        transformed(name, FIRST, data_format="channels_first", **given),
        # Keras refuses bytes there, which the layer itself casts.
        *([] if name == "RandomSaturation" else [transformed(name, BYTES, **given)]),
    ]


CASES = [
    *each("RandomHue", "factor", [0.2, -0.45], factor=0.5),
    *each("RandomSaturation", "factor", [0.4, 2.5], factor=(0.2, 0.8)),
    *each("RandomColorDegeneration", "factor", COLUMN, factor=0.5),
    *each("RandomSharpness", "factor", [0.1, 0.9], factor=(0.1, 0.9)),
    *each("RandomPosterization", "shift_factor", [3, 6], factor=(2, 5)),
    *each("RandomInvert", "apply_inversion", [True, False], factor=0.5),
    transformed("Solarization", IMAGE, transformation={"additions": COLUMN, "thresholds": COLUMN}),
    *(
        transformed(
            "Solarization",
            inputs,
            transformation={"additions": [[[[20.0]]], [[[90.0]]]], "thresholds": [[[[128.0]]], [[[50.0]]]]},
            addition_factor=0.5,
            threshold_factor=(0.2, 0.6),
            value_range=value_range,
        )
        for inputs, value_range in ((IMAGE, (0, 255)), (UNIT, (0, 1)), (BYTES, (0, 255)))
    ),
    layer("RandomGrayscale", UNIT, training=False, factor=0.4),
    layer("RandomGrayscale", FIRST, training=True, factor=1.0, data_format="channels_first"),
    layer("AutoContrast", FEW),
    layer("AutoContrast", UNIT, value_range=(0, 1)),
    layer("Equalization", IMAGE),
    layer("Equalization", FEW, bins=16),
    layer("Equalization", UNIT, value_range=(0, 1)),
    layer("Equalization", FIRST, data_format="channels_first"),
    layer("ContrastLimitedAdaptiveHistogramEqualization", IMAGE),
    layer("ContrastLimitedAdaptiveHistogramEqualization", UNIT, value_range=(0, 1), tile_grid_size=(2, 3)),
    layer("ContrastLimitedAdaptiveHistogramEqualization", FEW, tile_grid_size=(4, 2), clip_limit=60.0),
    layer("ContrastLimitedAdaptiveHistogramEqualization", FEW, tile_grid_size=(1, 1), clip_limit=0.0),
    layer(
        "ContrastLimitedAdaptiveHistogramEqualization",
        FIRST,
        tile_grid_size=(2, 2),
        data_format="channels_first",
    ),
    *(
        transformed(
            "RandomErasing",
            inputs,
            transformation={"apply_erasing": [True, False], "batch_masks": boxes, "fill_value": COLUMN},
            factor=(0.2, 0.7),
            fill_value=0.5,
            scale=(0.3, 0.1),
            **more,
        )
        for inputs, boxes, more in ((SMALL, BOXES, {}), (SMALL_FIRST, BOXES_FIRST, CHANNELS_FIRST))
    ),
    layer("RandomErasing", IMAGE, training=True, factor=0.0, scale=0.2, fill_value=3.0),
    layer("RandomErasing", IMAGE, training=False, value_range=(0, 1), seed=4),
    *(
        transformed(
            "RandomGaussianBlur",
            inputs,
            transformation={"should_apply_blur": [True, False], "blur_factor": [0.6, 0.9]},
            kernel_size=size,
            sigma=(0.2, 0.9),
            **more,
        )
        for inputs, size, more in ((IMAGE, 3, {}), (IMAGE, (5, 3), {}), (FIRST, (1, 5), CHANNELS_FIRST))
    ),
    layer("RandomGaussianBlur", UNIT, training=True, factor=0.0, value_range=(0.2, 0.7)),
    *(
        transformed(
            "MixUp",
            inputs,
            transformation={"mix_weight": [0.3, 0.9], "permutation_order": [1, 0]},
            alpha=0.4,
            **more,
        )
        for inputs, more in ((IMAGE, {}), (FIRST, CHANNELS_FIRST), (BYTES, {}))
    ),
    *(
        transformed(
            "CutMix",
            inputs,
            transformation={"permutation_order": [1, 0], "batch_masks": boxes, "mix_weight": [0.3, 0.9]},
            factor=(0.3, 0.8),
            **more,
        )
        for inputs, boxes, more in ((SMALL, BOXES, {}), (SMALL_FIRST, BOXES_FIRST, CHANNELS_FIRST))
    ),
    layer("RandomColorJitter", IMAGE, training=True),
    layer("RandomColorJitter", IMAGE, training=True, brightness_factor=(0.2, 0.2), hue_factor=(0.0, 0.0)),
    layer(
        "RandomColorJitter",
        UNIT,
        training=True,
        value_range=(0, 1),
        contrast_factor=0.0,
        saturation_factor=(0.8, 0.8),
    ),
    layer("RandomColorJitter", IMAGE, training=False, brightness_factor=0.5, contrast_factor=0.5),
    layer("RandAugment", IMAGE, training=False, num_ops=3, factor=0.4, interpolation="nearest", seed=5),
    layer("AugMix", IMAGE, training=False, num_chains=2, chain_depth=1, alpha=0.5, all_ops=False),
    drawn("RandomErasing", copies(MANY, SPOT), factor=(0.5, 1.0), scale=(0.1, 0.6)),
    drawn("RandomErasing", copies(MANY, SPOT), scale=(0.4, 0.7), fill_value=7.0),
    drawn("RandomColorJitter", copies(MANY, PAIR), brightness_factor=0.3, saturation_factor=(0.1, 0.6)),
    drawn("MixUp", real(MANY, 1, 1, 1, low=0, high=1), alpha=0.6),
    drawn("CutMix", real(MANY, 2, 3, 1, low=0, high=1), factor=(0.8, 0.8)),
]
