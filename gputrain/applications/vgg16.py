"""VGG with 16 layers of weights."""

from __future__ import annotations

from typing import Any

from gputrain.applications import imagenet_utils
from gputrain.applications.imagenet_utils import decode_predictions
from gputrain.applications.vgg import VGG
from gputrain.names import public

__all__ = ["VGG16", "decode_predictions", "preprocess_input"]

VGG16 = VGG.member("VGG16", __name__, "vgg16", counts=(2, 2, 3, 3, 3))


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Turn RGB into BGR and take ImageNet's mean off; see `imagenet_utils.preprocess_input`."""
    return imagenet_utils.preprocess_input(x, data_format, mode="caffe")


__getattr__, __dir__ = public("application", __name__, __all__)
