"""Layers in front of a model, made from a recipe's plain values."""

from __future__ import annotations

import tomllib

import numpy as np

import gputrain as keras
from gputrain.app.recipes import catalog
from gputrain.app.recipes.arguments import check_arguments
from gputrain.app.recipes.errors import Source

TABLES = """
[[layers]]
type = "ZeroPadding2D"
padding = [[1, 1], [2, 2]]

[[layers]]
type = "RandomCrop"
height = 5
width = 6
seed = 3

[[layers]]
type = "RandomFlip"
mode = "horizontal"

[[layers]]
type = "RandomBrightness"
factor = [-0.1, 0.1]
value_range = [0, 1]

[[layers]]
type = "RandomContrast"
factor = 0.1
value_range = [0.0, 1.0]

[[layers]]
type = "CenterCrop"
height = 4
width = 4

[[layers]]
type = "Normalization"
axis = [-1]
mean = [0.5, 0.25]
variance = [0.25, 1]
"""


def test_plain_values_make_the_layers() -> None:
    model = keras.Sequential([keras.Input((5, 6, 2))])
    for table in tomllib.loads(TABLES)["layers"]:
        cls = catalog.find("layer", table.pop("type"))
        assert cls is not None
        model.add(cls(**check_arguments(cls, table, "layers", Source("a.toml"), beside=("type",))))
    assert model.output_shape == (None, 4, 4, 2)
    x = np.random.default_rng(0).random((3, 5, 6, 2), "float32")
    expected = (x[:, 0:4, 1:5] - [0.5, 0.25]) / [0.5, 1.0]
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-5, atol=1e-6)
    assert model(x, training=True).shape == (3, 4, 4, 2)
