"""gputrain: training neural networks with the Keras API on an engine of its own."""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from gputrain import (
    activations,
    backend,
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
from gputrain.absent import advise_on_imports as _advise_on_imports
from gputrain.backend import device
from gputrain.compiler import gradients
from gputrain.errors import DataError, DeviceError, DTypeError, GraphError, NonFiniteError, ShapeError
from gputrain.initializers import Initializer
from gputrain.layers import Input, InputSpec, Layer
from gputrain.losses import Loss
from gputrain.metrics import Metric
from gputrain.models import Model, Sequential
from gputrain.names import public as _public
from gputrain.names import stands_above as _stands_above
from gputrain.optimizers import Optimizer
from gputrain.regularizers import Regularizer
from gputrain.release import __version__ as __version__
from gputrain.release import version
from gputrain.runtime import Variable

if _TYPE_CHECKING:
    from gputrain import applications, callbacks, datasets, preprocessing, saving, tree
    from gputrain.backend.symbols import KerasTensor

# The advisor is a callback that uses models, so it stands above the room in which users look for it.
_stands_above("gputrain.callbacks", ("Advice", "Advisor"), "gputrain.app.advice")

__all__ = [
    "DTypeError",
    "DataError",
    "DeviceError",
    "GraphError",
    "Initializer",
    "Input",
    "InputSpec",
    "KerasTensor",
    "Layer",
    "Loss",
    "Metric",
    "Model",
    "NonFiniteError",
    "Optimizer",
    "Regularizer",
    "Sequential",
    "ShapeError",
    "Variable",
    "activations",
    "applications",
    "backend",
    "callbacks",
    "config",
    "constraints",
    "datasets",
    "device",
    "gradients",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "preprocessing",
    "random",
    "regularizers",
    "saving",
    "tree",
    "utils",
    "version",
]

# Rooms that many programs do without: imported when they are first asked for.
_LATER = (
    *("applications", "callbacks", "datasets", "preprocessing", "recipes", "reporting"),
    *("saving", "scripts", "tabular", "tree"),
)
_stands_above(__name__, ("KerasTensor",), "gputrain.backend.symbols")
_advise_on_imports()

if not _TYPE_CHECKING:  # for a type checker a name that is not there is an error
    __getattr__, __dir__ = _public("name", __name__, __all__, rooms=[f"{__name__}.{room}" for room in _LATER])
