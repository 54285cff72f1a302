"""Nearest names and snake_case."""

import pytest

from gputrain.utils.names import did_you_mean, nearest, snake_case


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("GlorotUniform", "glorot_uniform"),
        ("Conv2D", "conv2d"),
        ("MaxPooling2D", "max_pooling2d"),
        ("L1L2", "l1l2"),
        ("CSVLogger", "csv_logger"),
        ("zeros", "zeros"),
    ],
)
def test_snake_case(name, expected):
    assert snake_case(name) == expected


def test_nearest():
    names = ["glorot_uniform", "zeros", "Ones"]
    assert nearest("GlorotUniform", names) == "glorot_uniform"
    assert nearest("zero", names) == "zeros"
    assert nearest("ONES", names) == "Ones"
    assert nearest("xyz", names) is None
    assert nearest("x", []) is None


def test_did_you_mean():
    assert did_you_mean("one", ["zeros", "ones"]) == "Did you mean 'ones'? Known names: ones, zeros."
    assert did_you_mean("qqqq", ["zeros"]) == "Known names: zeros."
    assert did_you_mean("x", []) == "There are no known names."
