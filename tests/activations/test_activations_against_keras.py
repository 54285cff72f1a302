"""Activations against Keras: signatures and values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gputrain import activations
from tests.activations.test_activations import CASES, _sample
from tests.layers.peers import assert_same_signature, needs_keras

pytestmark = needs_keras


@pytest.mark.parametrize("name, arguments, reference", CASES, ids=[f"{c[0]} {c[1]}" for c in CASES])
def test_signature_and_values(name: str, arguments: dict[str, Any], reference: Any) -> None:
    keras = pytest.importorskip("keras")
    ours, theirs = getattr(activations, name), getattr(keras.activations, name)
    assert_same_signature(ours, theirs)
    x = _sample().astype("float32")
    np.testing.assert_allclose(ours(x, **arguments), np.asarray(theirs(x, **arguments)), rtol=1e-5, atol=1e-6)
    assert activations.serialize(ours) == keras.activations.serialize(theirs)
