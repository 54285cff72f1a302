"""The first values of weights, with Keras's names; drawn on the host, the same for every device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gputrain.initializers.base import Initializer, registry
from gputrain.initializers.drawn import (
    Orthogonal,
    RandomInitializer,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
)
from gputrain.initializers.fixed import Constant, Identity, Ones, Zeros
from gputrain.initializers.scaling import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    VarianceScaling,
)
from gputrain.initializers.short_transforms import STFT
from gputrain.names import public
from gputrain.runtime import Variable
from gputrain.utils.registry import deserializer, serializer

__all__ = [
    "STFT",
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "RandomInitializer",
    "RandomNormal",
    "RandomUniform",
    "STFTInitializer",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "constant",
    "deserialize",
    "get",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "lecun_normal",
    "lecun_uniform",
    "ones",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "registry",
    "serialize",
    "stft",
    "truncated_normal",
    "variance_scaling",
    "zeros",
]

# Keras has each class under a second name.
zeros = Zeros
ones = Ones
constant = Constant
identity = Identity
random_normal = RandomNormal
random_uniform = RandomUniform
truncated_normal = TruncatedNormal
variance_scaling = VarianceScaling
glorot_uniform = GlorotUniform
glorot_normal = GlorotNormal
he_uniform = HeUniform
he_normal = HeNormal
lecun_uniform = LecunUniform
lecun_normal = LecunNormal
orthogonal = Orthogonal
STFTInitializer = stft = STFT


def get(identifier: Any) -> Any:
    """Return the initializer that `identifier` stands for.

    Args:
        identifier: a name ("he_normal", "HeNormal"), a dict as `serialize` gives, a class, an instance,
            a callable (shape, dtype) -> array, an array, or None.

    Returns:
        An initializer or callable; None for None.

    Raises:
        ValueError: an unknown name, with the nearest one.
        TypeError: anything else.

    Example:
        >>> get("he_normal")((3, 4)).shape
        (3, 4)
    """
    return Constant(identifier) if isinstance(identifier, np.ndarray) else registry.get(identifier)


Variable.operators["initializer"] = get  # for variables that are given a name

serialize = serializer(registry, __name__)
deserialize = deserializer(registry, __name__)


if not TYPE_CHECKING:  # for a type checker a name that is not there is an error
    __getattr__, __dir__ = public("initializer", __name__, __all__)
