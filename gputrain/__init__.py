"""gputrain: training neural networks with the Keras API on an engine of its own."""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from gputrain import (
    activations,
    config,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    models,
    ops,
    optimizers,
    random,
    regularizers,
    utils,
)
from gputrain.compiler import gradients
from gputrain.errors import DataError, DeviceError, DTypeError, GraphError, NonFiniteError, ShapeError
from gputrain.layers import Input, Layer
from gputrain.models import Model, Sequential
from gputrain.names import missing_name as _missing_name
from gputrain.names import stands_above as _stands_above
from gputrain.release import __version__ as __version__
from gputrain.runtime import Variable

if _TYPE_CHECKING:
    from gputrain import callbacks, datasets, saving

# The advisor is a callback that uses models, so it stands above the room in which users look for it.
_stands_above("gputrain.callbacks", ("Advice", "Advisor"), "gputrain.app.advice")

__all__ = [
    "DTypeError",
    "DataError",
    "DeviceError",
    "GraphError",
    "Input",
    "Layer",
    "Model",
    "NonFiniteError",
    "Sequential",
    "ShapeError",
    "Variable",
    "activations",
    "callbacks",
    "config",
    "constraints",
    "datasets",
    "gradients",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "random",
    "regularizers",
    "saving",
    "utils",
]

# Rooms that many programs do without: imported when they are first asked for.
_LATER = ("callbacks", "datasets", "recipes", "reporting", "saving", "scripts", "tabular")

if not _TYPE_CHECKING:  # for a type checker a name that is not there is an error
    __getattr__ = _missing_name("name", __name__, __all__, rooms=_LATER)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
