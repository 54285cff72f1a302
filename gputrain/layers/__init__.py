"""Layers, with Keras's names and arguments. Each family exports its own; here they are together."""

# ruff: noqa: F403

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gputrain.layers import (
    activation,
    convolution,
    core,
    merging,
    normalization,
    pooling,
    regularization,
    reshaping,
)
from gputrain.layers.activation import *
from gputrain.layers.base import InputSpec, Layer, registry
from gputrain.layers.convolution import *
from gputrain.layers.core import *
from gputrain.layers.merging import *
from gputrain.layers.normalization import *
from gputrain.layers.pooling import *
from gputrain.layers.regularization import *
from gputrain.layers.reshaping import *
from gputrain.names import public, stands_above
from gputrain.utils.custom_objects import finished
from gputrain.utils.registry import serializer

# Families that are imported when one of their names is asked for: what each has.
_LATER = {
    "attention": "AdditiveAttention Attention GroupQueryAttention MultiHeadAttention",
    "augmentation": (
        "AugMix AutoContrast CenterCrop ContrastLimitedAdaptiveHistogramEqualization CutMix "
        "Equalization MaxNumBoundingBoxes MixUp RandAugment RandomBrightness RandomColorDegeneration "
        "RandomColorJitter RandomContrast RandomCrop RandomElasticTransform RandomErasing RandomFlip "
        "RandomGaussianBlur RandomGrayscale RandomHue RandomInvert RandomPerspective "
        "RandomPosterization RandomRotation RandomSaturation RandomSharpness RandomShear "
        "RandomTranslation RandomZoom Resizing Solarization"
    ),
    "preprocessing": (
        "CategoryEncoding Discretization HashedCrossing Hashing IntegerLookup MelSpectrogram "
        "Normalization Rescaling STFTSpectrogram StringLookup TextVectorization"
    ),
    "recurrent": (
        "ConvLSTM1D ConvLSTM2D ConvLSTM3D GRU GRUCell LSTM LSTMCell RNN SimpleRNN SimpleRNNCell "
        "StackedRNNCells"
    ),
    "wrappers": "Bidirectional Pipeline SpectralNormalization TimeDistributed Wrapper",
}


def get(identifier: Any) -> Any:
    """Return the layer that `identifier` stands for: a config dict, a class name, a layer, or None.

    Args:
        identifier: as above.

    Raises:
        ValueError: an unknown name, with the nearest one.
        TypeError: anything else.
    """
    return registry.get(identifier)


serialize = serializer(registry, __name__)


def deserialize(config: Any, custom_objects: Any = None) -> Any:
    """Return the layer that `serialize` described, built if it was. Only registered names load.

    Args:
        config: what `serialize` returned.
        custom_objects: classes and functions of yours by the names in `config`, which load too.
    """
    return finished(registry.deserialize(config, custom_objects), config, custom_objects)


__all__ = ["InputSpec", "Layer", "deserialize", "get", "registry", "serialize"]
__all__ += activation.__all__
__all__ += convolution.__all__
__all__ += core.__all__
__all__ += merging.__all__
__all__ += normalization.__all__
__all__ += pooling.__all__
__all__ += regularization.__all__
__all__ += reshaping.__all__

for _family, _names in _LATER.items():
    stands_above(__name__, _names.split(), f"{__name__}.{_family}")
    registry.add_later(f"{__name__}.{_family}", _names.split())
    __all__ += _names.split()
registry.add_later(f"{__name__}.attention", ["GroupedQueryAttention"])  # as Keras's configs have it
registry.add_later(
    f"{__name__}.core.of_applications", ["CustomScaleLayer", "LayerScale", "StochasticDepth"]
)

if TYPE_CHECKING:
    from gputrain.layers.attention import *
    from gputrain.layers.augmentation import *
    from gputrain.layers.preprocessing import *
    from gputrain.layers.recurrent import *
    from gputrain.layers.wrappers import *
else:  # for a type checker a name that is not there is an error
    __getattr__, __dir__ = public("layer", __name__, __all__)
