"""Files of former versions, and of Keras, are read, and training goes on from them as it did."""

from __future__ import annotations

import json

import numpy as np
import pytest

import gputrain as keras
from tests.saving import goldens

pytest.importorskip("h5py")
EXPECTED = json.loads(goldens.EXPECTED.read_text())


@pytest.mark.parametrize("name", EXPECTED)
def test_a_golden_file(name: str) -> None:
    path = goldens.FOLDER / name
    if path.suffix == ".keras" or path.suffixes == [".h5"]:
        model = keras.models.load_model(path)
    else:
        model = goldens.network(keras)
        for weight in model.weights:
            weight.assign(np.zeros(weight.shape))
        goldens.further_steps(model, 1)
        model.load_weights(path)
    assert int(model.optimizer.iterations) == 3
    for found, expected in zip(goldens.answers(model), EXPECTED[name], strict=True):
        assert np.linalg.norm(np.subtract(found, expected)) <= 1e-5 * np.linalg.norm(expected)


def test_every_format_has_its_file() -> None:
    """Where a format is added or its version goes up: `python -m tests.saving.goldens gputrain`."""
    assert set(EXPECTED) == {path.name for path in goldens.FOLDER.iterdir()} - {goldens.EXPECTED.name}
    assert set(EXPECTED) >= {*goldens.files("gputrain"), *goldens.files("keras")}
    assert sum(path.stat().st_size for path in goldens.FOLDER.iterdir()) < 200_000
