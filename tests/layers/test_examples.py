"""The examples in the docstrings of activations, layers, losses and metrics run as they stand."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import numpy
import pytest

from gputrain import layers, losses, models, ops

ROOMS = ("activations", "layers", "losses", "metrics")
# Its example is lines of a class body, shown without output.
LEFT_OUT = {"gputrain.layers.base.layer"}


def modules() -> list[str]:
    found = []
    for room in ROOMS:
        package = importlib.import_module(f"gputrain.{room}")
        inside = [m.name for m in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
        found += [package.__name__, *(name for name in inside if name not in LEFT_OUT)]
    return found


@pytest.mark.parametrize("name", modules())
def test_examples(name: str) -> None:
    known = {"numpy": numpy, "ops": ops, "losses": losses, "mean_squared_error": losses.mean_squared_error}
    known |= {"Sequential": models.Sequential, "Input": layers.Input, "Dense": layers.Dense}
    known |= {name: getattr(layers, name) for name in ("GRUCell", "LSTM", "LSTMCell", "RNN")}
    result = doctest.testmod(importlib.import_module(name), extraglobs=known)
    assert result.failed == 0
