"""Random and fixed changes of images."""

from gputrain.layers.augmentation.augmentation import RandomBrightness, RandomContrast, RandomFlip
from gputrain.layers.augmentation.cropping import CenterCrop, RandomCrop

__all__ = [
    "CenterCrop",
    "RandomBrightness",
    "RandomContrast",
    "RandomCrop",
    "RandomFlip",
]
