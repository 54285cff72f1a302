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
from gputrain.layers.augmentation.equalizing import ContrastLimitedAdaptiveHistogramEqualization
from gputrain.layers.augmentation.geometry import (
    RandomElasticTransform,
    RandomPerspective,
    RandomRotation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
)
from gputrain.layers.augmentation.mixing import CutMix, MixUp, RandomErasing, RandomGaussianBlur
from gputrain.layers.augmentation.policies import AugMix, RandAugment, RandomColorJitter
from gputrain.layers.augmentation.scaling import Resizing

__all__ = [
    "AugMix",
    "AutoContrast",
    "CenterCrop",
    "ContrastLimitedAdaptiveHistogramEqualization",
    "CutMix",
    "Equalization",
    "MaxNumBoundingBoxes",
    "MixUp",
    "RandAugment",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomCrop",
    "RandomElasticTransform",
    "RandomErasing",
    "RandomFlip",
    "RandomGaussianBlur",
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
