"""Losses and their gradients against PyTorch's, in float64."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest

from gputrain import losses
from gputrain.compiler import gradients, interpret
from gputrain.ir import Graph, Spec, Value
from tests.tolerances import assert_close

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed"),
]

RNG = np.random.default_rng(31)
Z, Y = RNG.normal(size=(7, 5)), RNG.normal(size=(7, 5))
LABELS = RNG.integers(0, 5, 7)
SOFT = RNG.dirichlet(np.ones(5), 7)
SHARES = RNG.random((7, 5))

# our loss, its targets, PyTorch's function of (F, outputs, targets)
CASES: list[tuple[losses.Loss, np.ndarray, Any]] = [
    (losses.MeanSquaredError(dtype="float64"), Y, lambda f, z, t: f.mse_loss(z, t)),
    (losses.MeanAbsoluteError(dtype="float64"), Y, lambda f, z, t: f.l1_loss(z, t)),
    (
        losses.BinaryCrossentropy(from_logits=True, dtype="float64"),
        SHARES,
        lambda f, z, t: f.binary_cross_entropy_with_logits(z, t),
    ),
    (
        losses.CategoricalCrossentropy(from_logits=True, dtype="float64"),
        SOFT,
        lambda f, z, t: f.cross_entropy(z, t),
    ),
    (
        losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1, dtype="float64"),
        SOFT,
        lambda f, z, t: f.cross_entropy(z, t, label_smoothing=0.1),
    ),
    (
        losses.SparseCategoricalCrossentropy(from_logits=True, dtype="float64"),
        LABELS,
        lambda f, z, t: f.cross_entropy(z, t),
    ),
    (
        losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=2, dtype="float64"),
        LABELS,
        lambda f, z, t: f.cross_entropy(z, t, ignore_index=2),
    ),
]


@pytest.mark.parametrize("loss, y_true, theirs", CASES, ids=[f"{c[0].name} {i}" for i, c in enumerate(CASES)])
def test_value_and_gradient(loss: Any, y_true: np.ndarray, theirs: Any) -> None:
    torch = pytest.importorskip("torch")
    z = torch.tensor(Z, requires_grad=True)
    expected = theirs(torch.nn.functional, z, torch.tensor(y_true))
    expected.backward()
    output, target = Value(Spec(Z.shape, "float64")), Value(Spec(y_true.shape, y_true.dtype.name))
    value = loss(target, output)
    (gradient,) = gradients(value, [output])
    assert gradient is not None
    found, slope = interpret(Graph([output, target], [value, gradient]), [Z, y_true])
    assert_close(found, expected.detach().numpy(), "float64", loss.name)
    assert_close(slope, z.grad.numpy(), "float64", loss.name)
