"""Random and fixed changes of images."""

from gputrain.layers.augmentation.augmentation import RandomBrightness, RandomContrast, RandomFlip
from gputrain.layers.augmentation.bounding_boxes import MaxNumBoundingBoxes
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
    "CenterCrop",
    "MaxNumBoundingBoxes",
    "RandomBrightness",
    "RandomContrast",
    "RandomCrop",
    "RandomElasticTransform",
    "RandomFlip",
    "RandomPerspective",
    "RandomRotation",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
    "Resizing",
]
