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
from gputrain.layers.base import Layer, registry
from gputrain.layers.convolution import *
from gputrain.layers.core import *
from gputrain.layers.merging import *
from gputrain.layers.normalization import *
from gputrain.layers.pooling import *
from gputrain.layers.regularization import *
from gputrain.layers.reshaping import *
from gputrain.names import public, stands_above
from gputrain.utils.registry import deserializer, serializer

# Families that are imported when one of their names is asked for: what each has.
_LATER = {
    "attention": "",
    "augmentation": "CenterCrop RandomBrightness RandomContrast RandomCrop RandomFlip",
    "preprocessing": "CategoryEncoding Discretization HashedCrossing Hashing IntegerLookup MelSpectrogram "
    "Normalization Rescaling STFTSpectrogram StringLookup TextVectorization",
    "recurrent": "",
    "wrappers": "",
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
deserialize = deserializer(registry, __name__)

__all__ = ["Layer", "deserialize", "get", "registry", "serialize"]
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

if TYPE_CHECKING:
    from gputrain.layers.attention import *
    from gputrain.layers.augmentation import *
    from gputrain.layers.preprocessing import *
    from gputrain.layers.recurrent import *
    from gputrain.layers.wrappers import *
else:  # for a type checker a name that is not there is an error
    __getattr__, __dir__ = public("layer", __name__, __all__)
