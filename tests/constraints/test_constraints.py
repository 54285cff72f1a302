"""Constraints against plain NumPy."""

import numpy as np
import pytest

from gputrain import constraints

W = np.array([[3.0, -0.3], [-4.0, 0.4]], np.float32)  # columns of length 5 and 0.5
K = np.linspace(-2, 2, 3 * 3 * 2 * 4).reshape(3, 3, 2, 4).astype(np.float32)


def test_non_neg():
    np.testing.assert_array_equal(np.asarray(constraints.NonNeg()(W)), np.maximum(W, 0))


def test_max_norm():
    expected = W * np.array([2.0 / 5.0, 1.0])
    np.testing.assert_allclose(np.asarray(constraints.MaxNorm()(W)), expected, rtol=1e-5)
    found = np.asarray(constraints.MaxNorm(1.0, axis=(0, 1, 2))(K))
    lengths = np.sqrt((K.astype(float) ** 2).sum(axis=(0, 1, 2)))
    np.testing.assert_allclose(found, K / np.maximum(lengths, 1.0), rtol=1e-5)


def test_unit_norm():
    np.testing.assert_allclose(np.asarray(constraints.UnitNorm()(W)), W / [5.0, 0.5], rtol=1e-5)
    np.testing.assert_allclose(
        np.linalg.norm(np.asarray(constraints.UnitNorm(axis=[0, 1, 2])(K))[..., 1]), 1.0
    )
    assert not np.isnan(np.asarray(constraints.UnitNorm()(np.zeros((2, 2), np.float32)))).any()


@pytest.mark.parametrize("name", ["max_norm", "MaxNorm", "non_neg", "NonNeg", "unit_norm", "UnitNorm"])
def test_names_and_configs(name):
    one = constraints.get(name)
    other = constraints.deserialize(constraints.serialize(one))
    assert type(other) is type(one)
    assert other.get_config() == one.get_config()


def test_defaults_and_errors():
    assert constraints.MaxNorm().get_config() == {"max_value": 2, "axis": 0}
    assert constraints.get(None) is None
    with pytest.raises(ValueError, match=r"Unknown constraint 'maxnrom'\. Did you mean 'max_norm'\?"):
        constraints.get("maxnrom")
    with pytest.raises(NotImplementedError, match=r"Constraint must define __call__\(self, w\)"):
        constraints.Constraint()(W)
