"""gputrain: training neural networks with the Keras API on an engine of its own."""

from gputrain import (
    activations,
    callbacks,
    config,
    constraints,
    datasets,
    initializers,
    layers,
    losses,
    metrics,
    models,
    ops,
    optimizers,
    random,
    regularizers,
    saving,
    utils,
)
from gputrain.app import advice as _advice
from gputrain.compiler import gradients
from gputrain.errors import DataError, DeviceError, DTypeError, GraphError, NonFiniteError, ShapeError
from gputrain.layers import Input, Layer
from gputrain.models import Model, Sequential
from gputrain.runtime import Variable
from gputrain.version import __version__ as __version__

# The advisor is a callback that uses models, so it stands above the room in which users look for it.
callbacks.Advice, callbacks.Advisor = _advice.Advice, _advice.Advisor

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
