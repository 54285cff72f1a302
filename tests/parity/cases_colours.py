"""Colours and mixtures of images."""

from __future__ import annotations

from typing import Any

from tests.parity.cases_images import transformed
from tests.parity.cases_layers import layer
from tests.parity.table import Case, real, whole

IMAGE, FIRST = real(2, 6, 9, 3, low=0, high=255), real(2, 3, 6, 9, low=0, high=255)
UNIT, BYTES = real(2, 6, 9, 3, low=0, high=1), whole(2, 6, 9, 3, below=256, dtype="uint8")
FEW = real(2, 6, 9, 3, low=100, high=140)
COLUMN = [[[[0.3]]], [[[0.9]]]]  # a number for each image, (2, 1, 1, 1)


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
    layer("AutoContrast", FEW),
    layer("AutoContrast", UNIT, value_range=(0, 1)),
    layer("Equalization", IMAGE),
    layer("Equalization", FEW, bins=16),
    layer("Equalization", UNIT, value_range=(0, 1)),
    layer("Equalization", FIRST, data_format="channels_first"),
]
