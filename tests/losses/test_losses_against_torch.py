"""Losses and their gradients against PyTorch's, in float64."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest

from gputrain import losses
from gputrain.compiler import gradients
from gputrain.ir import Graph, Spec, Value
from gputrain.runtime import interpret
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
COUNTS, RATES = RNG.poisson(2.0, (7, 5)).astype("float64"), RNG.uniform(0.5, 4, (7, 5))

# our loss, its targets, PyTorch's function of (F, outputs, targets), the outputs where not Z
CASES: list[tuple[Any, ...]] = [
    (losses.Huber(dtype="float64"), Y, lambda f, z, t: f.huber_loss(z, t)),
    (losses.Huber(delta=0.4, dtype="float64"), Y, lambda f, z, t: f.huber_loss(z, t, delta=0.4)),
    (
        losses.CosineSimilarity(dtype="float64"),
        Y,
        lambda f, z, t: -f.cosine_similarity(z, t, dim=-1).mean(),
    ),
    (
        losses.KLDivergence(dtype="float64"),
        SOFT,
        lambda f, z, t: f.kl_div(z.log(), t, reduction="batchmean"),
        RNG.dirichlet(np.ones(5), 7),
    ),
    (
        losses.Poisson(dtype="float64"),
        COUNTS,
        lambda f, z, t: f.poisson_nll_loss(z, t, log_input=False, eps=1e-7),
        RATES,
    ),
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


@pytest.mark.parametrize("case", CASES, ids=[f"{c[0].name} {i}" for i, c in enumerate(CASES)])
def test_value_and_gradient(case: tuple[Any, ...]) -> None:
    torch = pytest.importorskip("torch")
    loss, y_true, theirs, *own = case
    outputs = own[0] if own else Z
    z = torch.tensor(outputs, requires_grad=True)
    expected = theirs(torch.nn.functional, z, torch.tensor(y_true))
    expected.backward()
    output, target = Value(Spec(outputs.shape, "float64")), Value(Spec(y_true.shape, y_true.dtype.name))
    value = loss(target, output)
    (gradient,) = gradients(value, [output])
    assert gradient is not None
    found, slope = interpret(Graph([output, target], [value, gradient]), [outputs, y_true])
    assert_close(found, expected.detach().numpy(), "float64", loss.name)
    assert_close(slope, z.grad.numpy(), "float64", loss.name)
