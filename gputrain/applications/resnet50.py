"""ResNet50 under the name of its own module, as in Keras."""

from gputrain.applications.resnet import ResNet50, decode_predictions, preprocess_input
from gputrain.names import public

__all__ = ["ResNet50", "decode_predictions", "preprocess_input"]

__getattr__, __dir__ = public("application", __name__, __all__)
