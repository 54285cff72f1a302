"""gputrain: training neural networks with the Keras API on an engine of its own."""

__version__ = "0.1.0"

from . import (
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
    utils,
)
from .compiler import gradients
from .errors import DataError, DeviceError, DTypeError, GraphError, NonFiniteError, ShapeError
from .ir import Variable
from .layers import Input, Layer
from .models import Model, Sequential

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
    "utils",
]
