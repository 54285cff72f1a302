"""Regularizers against plain NumPy."""

import numpy as np
import pytest

from gputrain import regularizers
from gputrain.regularizers import L1, L1L2, L2

X = np.array([[1.0, -2.0], [3.0, 0.5]], np.float32)  # sum of magnitudes 6.5, of squares 14.25


@pytest.mark.parametrize(
    ("regularizer", "expected"),
    [
        (L1(), 0.065),
        (L1(0.5), 3.25),
        (L2(), 0.1425),
        (L2(2), 28.5),
        (L1L2(), 0.0),
        (L1L2(l1=0.5), 3.25),
        (L1L2(l2=2.0), 28.5),
        (L1L2(0.5, 2.0), 31.75),
        (regularizers.get("l1"), 0.065),
        (regularizers.get("L2"), 0.1425),
        (regularizers.get("l1_l2"), 0.2075),
    ],
)
def test_penalty(regularizer, expected):
    found = np.asarray(regularizer(X))
    assert found.shape == ()
    assert found.dtype == np.float32
    assert float(found) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("regularizer", [L1(0.1), L2(0.2), L1L2(0.1, 0.2)])
def test_config_round_trip(regularizer):
    other = regularizers.deserialize(regularizers.serialize(regularizer))
    assert type(other) is type(regularizer)
    assert other.get_config() == regularizer.get_config()


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf"), True, "0.1", [0.1]])
def test_wrong_factors(value):
    for cls in (L1, L2, L1L2):
        with pytest.raises(
            ValueError, match=rf"{cls.__name__}: l. must be a finite number, 0 or more\. Received"
        ):
            cls(value)


def test_get():
    assert regularizers.get(None) is None
    with pytest.raises(ValueError, match=r"Unknown regularizer 'l1_l3'\. Did you mean 'l1_l2'"):
        regularizers.get("l1_l3")
    with pytest.raises(NotImplementedError, match=r"Regularizer must define __call__\(self, x\)"):
        regularizers.Regularizer()(X)
