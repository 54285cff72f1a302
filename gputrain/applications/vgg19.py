"""VGG with 19 layers of weights."""

from __future__ import annotations

from typing import Any

from gputrain.applications import imagenet_utils
from gputrain.applications.imagenet_utils import decode_predictions
from gputrain.applications.vgg import VGG
from gputrain.names import public

__all__ = ["VGG19", "decode_predictions", "preprocess_input"]

VGG19 = VGG.member("VGG19", __name__, "vgg19", counts=(2, 2, 4, 4, 4))


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Turn RGB into BGR and take ImageNet's mean off; see `imagenet_utils.preprocess_input`."""
    return imagenet_utils.preprocess_input(x, data_format, mode="caffe")


__getattr__, __dir__ = public("application", __name__, __all__)
