"""Layers against Keras: signatures, config keys, outputs of the same weights."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

from gputrain import layers
from tests.layers.harness import run
from tests.layers.peers import assert_same_signature, needs_keras
from tests.layers.test_layers import CASES, Case

pytestmark = needs_keras

# Low-rank and quantized training, renormalization and several devices are not offered.
MISSING = {
    "Dense": frozenset({"lora_rank", "lora_alpha", "quantization_config"}),
    "BatchNormalization": frozenset({"renorm", "renorm_clipping", "renorm_momentum", "synchronized"}),
}
NAMES = sorted({case.make.__name__ for case in CASES})
FUNCTIONS = ["add", "average", "concatenate", "dot", "maximum", "minimum", "multiply", "subtract"]
# What these draw is compared with nothing of Keras's.
DRAWING = (layers.Dropout, layers.GaussianDropout, layers.GaussianNoise, layers.SpatialDropout2D)


@pytest.mark.parametrize("name", [*NAMES, *FUNCTIONS])
def test_signature(name: str) -> None:
    keras = pytest.importorskip("keras")
    theirs, ours = getattr(keras.layers, name), getattr(layers, name)
    if inspect.isclass(theirs):
        theirs, ours = theirs.__init__, ours.__init__
        if theirs is keras.layers.Layer.__init__:
            pytest.skip("no arguments of its own")
    assert_same_signature(ours, theirs, MISSING.get(name, frozenset()))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_outputs_and_config(case: Case) -> None:
    keras = pytest.importorskip("keras")
    rng = np.random.default_rng(17)
    arrays = [rng.uniform(-2, 2, shape).astype("float32") for shape in case.inputs]
    ours, theirs = case.layer(name="x"), getattr(keras.layers, case.make.__name__)(**_theirs(case), name="x")
    # Keras runs channels_first convolutions and pooling on the GPU only.
    first = case.arguments.get("data_format") == "channels_first" and case.make is not layers.Flatten
    given: Any = arrays[0] if len(arrays) == 1 else arrays
    known = set(theirs.get_config()) - MISSING.get(case.make.__name__, frozenset())
    assert known <= set(ours.get_config())
    if first:
        return
    training = case.training and not issubclass(case.make, DRAWING)  # type: ignore[arg-type]
    theirs(given)
    run(ours, arrays)
    weights = [rng.uniform(0.5, 1.5, w.shape) for w in theirs.weights]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    expected = np.asarray(theirs(given, training=training) if case.training else theirs(given))
    found = run(ours, arrays, training=training).output
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)
    for mine, other in zip(ours.weights, theirs.weights, strict=True):
        assert mine.name == other.name
        np.testing.assert_allclose(mine.numpy(), np.asarray(other), rtol=1e-5, atol=1e-6)


def _theirs(case: Case) -> dict[str, Any]:
    """The case's arguments but for the regularizers: a dict without "module" is ours alone."""
    return {key: value for key, value in case.arguments.items() if not key.endswith("_regularizer")}
