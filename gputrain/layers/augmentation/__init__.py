"""Random and fixed changes of images."""

from gputrain.layers.augmentation.augmentation import RandomBrightness, RandomContrast, RandomFlip
from gputrain.layers.augmentation.bounding_boxes import MaxNumBoundingBoxes
from gputrain.layers.augmentation.cropping import CenterCrop, RandomCrop

__all__ = [
    "CenterCrop",
    "MaxNumBoundingBoxes",
    "RandomBrightness",
    "RandomContrast",
    "RandomCrop",
    "RandomFlip",
]
