"""gputrain: training neural networks with the Keras API on an engine of its own."""

from importlib import import_module as _import_module
from types import ModuleType as _ModuleType
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
from gputrain.names import did_you_mean as _did_you_mean
from gputrain.names import stands_above as _stands_above
from gputrain.runtime import Variable
from gputrain.version import __version__ as __version__

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

# Rooms that many programs do without.
_LATER = ("callbacks", "datasets", "recipes", "reporting", "saving", "scripts", "tabular")


def __getattr__(name: str) -> _ModuleType:
    """A room, imported when it is first asked for."""
    if name in _LATER:
        return _import_module(f"gputrain.{name}")
    message = f"module 'gputrain' has no attribute {name!r}. {_did_you_mean(name, __all__)}"
    raise AttributeError(message, name=name)
