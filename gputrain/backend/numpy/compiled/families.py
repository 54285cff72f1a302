"""All families of compiled kernels."""

from __future__ import annotations

from gputrain.backend.base import Kernel
from gputrain.backend.numpy.compiled import (
    chains,
    convolution,
    crossentropy,
    dropout,
    layer_norm,
    normalization,
    optim,
    pointwise,
    pooling,
    products,
)
from gputrain.backend.numpy.compiled.binding import Library

FAMILIES = (
    chains,
    convolution,
    crossentropy,
    dropout,
    layer_norm,
    normalization,
    optim,
    pointwise,
    pooling,
    products,
)


def kernels(library: Library) -> dict[str, Kernel]:
    """The kernels of all families, by the operation's name."""
    return {name: kernel for family in FAMILIES for name, kernel in family.kernels(library).items()}
