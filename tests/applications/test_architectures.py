"""Layers, weights and outputs of all builders are those that Keras has; see described.py."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import applications, backend
from gputrain.initializers.drawn import without_draws
from gputrain.runtime import Variable
from tests.applications.described import SMALLEST, VARIANTS, committed, outputs, structure
from tests.on_device import emulated
from tests.selection import quick

TITLES = [name for name in applications.__all__ if name[0].isupper()]
CALLS: dict[str, tuple[str, dict[str, Any]]] = {title: (title, {}) for title in TITLES} | VARIANTS

# These are compared in every run; the others, which take seconds, when slow tests are asked for.
QUICK = {*SMALLEST, *(name for name in VARIANTS if VARIANTS[name][0] in ("MobileNet", "MobileNetV2"))}
QUICK -= {"VGG16", "ResNet50V2", "InceptionV3", "InceptionResNetV2", "NASNetMobile"}


@pytest.fixture
def unwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights whose memory is never touched: what a giant is made of costs none."""

    def place(variable: Variable, host: np.ndarray) -> None:
        variable.device = backend.current_device()
        variable.array = np.zeros(host.shape, host.dtype)

    monkeypatch.setattr(Variable, "_place", place)


def test_every_builder_was_recorded() -> None:
    assert len(TITLES) == 40
    assert set(committed()["structures"]) == set(CALLS)
    assert set(committed()["outputs"]) == set(SMALLEST)


@pytest.mark.cpu_only("names and shapes are the same on every device")
@pytest.mark.usefixtures("unwritten")
@pytest.mark.parametrize("name", quick(QUICK, CALLS))
def test_layers_and_weights(name: str) -> None:
    title, arguments = CALLS[name]
    expected = committed()["structures"][name]
    keras.utils.clear_session()
    with without_draws():
        found = structure(getattr(applications, title)(weights=None, **arguments))
    for part in ("layers", "weights"):
        pairs = zip(found[part], expected[part], strict=False)
        wrong = [f"{mine}\n    Keras: {theirs}" for mine, theirs in pairs if mine != theirs]
        assert not wrong, f"{len(wrong)} {part} differ, the first\n    {wrong[0]}"
    assert found == expected


@pytest.mark.parametrize("title", quick(QUICK, SMALLEST))
def test_outputs(title: str) -> None:
    """With weights by a rule, numbers on the way and logits are Keras's within 1e-5 of their norm."""
    if emulated() and title != "MobileNet":
        pytest.skip("an emulated GPU takes minutes for each; one shows that they run")
    expected = committed()["outputs"][title]
    keras.utils.clear_session()
    with without_draws():
        found = outputs(keras, title)
    assert list(found) == list(expected)
    for name, numbers in expected.items():
        reference = np.array(numbers)
        error = np.linalg.norm(np.array(found[name]) - reference) / np.linalg.norm(reference)
        print(f"{title}, {name}: {error:.1e}")
        assert error < 1e-5, f"{name}: {error:.1e}"


def test_the_comparison_can_fail() -> None:
    """A stride, a rate or a weight elsewhere is a difference."""
    structures = committed()["structures"]
    assert structures["MobileNet"]["layers"] != structures["MobileNet, no top"]["layers"]
    lines = structures["EfficientNetB0"]["layers"]
    assert sum('"rate": 0.0250000' in line for line in lines) == 1, "rates of dropout are told"
    assert any('"strides": [2, 2]' in line for line in lines)
    for numbers in (value for of in committed()["outputs"].values() for value in of.values()):
        assert math.isfinite(sum(numbers))
        assert np.std(numbers) > 0
