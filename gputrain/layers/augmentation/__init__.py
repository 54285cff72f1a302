"""Random and fixed changes of images."""

from gputrain.layers.augmentation.augmentation import RandomBrightness, RandomContrast, RandomFlip
from gputrain.layers.augmentation.bounding_boxes import MaxNumBoundingBoxes
from gputrain.layers.augmentation.colours import (
    AutoContrast,
    Equalization,
    RandomColorDegeneration,
    RandomGrayscale,
    RandomHue,
    RandomInvert,
    RandomPosterization,
    RandomSaturation,
    RandomSharpness,
    Solarization,
)
from gputrain.layers.augmentation.cropping import CenterCrop, RandomCrop
from gputrain.layers.augmentation.geometry import (
    RandomElasticTransform,
    RandomPerspective,
    RandomRotation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
)
from gputrain.layers.augmentation.scaling import Resizing

__all__ = [
    "AutoContrast",
    "CenterCrop",
    "Equalization",
    "MaxNumBoundingBoxes",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomContrast",
    "RandomCrop",
    "RandomElasticTransform",
    "RandomFlip",
    "RandomGrayscale",
    "RandomHue",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomRotation",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
    "Resizing",
    "Solarization",
]
