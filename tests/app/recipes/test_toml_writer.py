"""What the writer writes, tomllib reads back equal."""

import math
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gputrain.app.recipes import toml_writer

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SCALARS = st.one_of(
    TEXT,
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False),
    st.sampled_from([0.0, 1e-07, 1e16]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4)),
    max_leaves=12,
)


@given(st.dictionaries(TEXT, VALUES, max_size=6))
def test_round_trip(table):
    assert tomllib.loads(toml_writer.dumps(table)) == table


def test_layout_of_a_recipe():
    table = {
        "name": "a",
        "data": {"reshape": (8, 8, 1)},
        "model": {
            "layers": [
                {"type": "Dense", "units": 3, "kernel_regularizer": {"name": "L2", "l2": 0.1}},
                {"type": "ReLU"},
            ]
        },
        "loss": "mse",
    }
    assert toml_writer.dumps(table) == (
        'name = "a"\nloss = "mse"\n\n[data]\nreshape = [8, 8, 1]\n\n[[model.layers]]\ntype = "Dense"\n'
        'units = 3\nkernel_regularizer = { name = "L2", l2 = 0.1 }\n\n[[model.layers]]\ntype = "ReLU"\n'
    )


def test_order_of_keys_does_not_move_a_value_into_a_table():
    table = {"training": {"epochs": 1}, "seed": 3}
    assert tomllib.loads(toml_writer.dumps(table)) == table


@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_infinity(value):
    assert tomllib.loads(toml_writer.dumps({"x": value})) == {"x": value}


def test_nan():
    assert math.isnan(tomllib.loads(toml_writer.dumps({"x": math.nan}))["x"])


def test_none_is_refused():
    with pytest.raises(TypeError, match=r"A TOML value must be text, .*Received: None of type NoneType"):
        toml_writer.dumps({"x": None})


def test_key_must_be_text():
    with pytest.raises(TypeError, match=r"A TOML key must be text\. Received: 3 of type int"):
        toml_writer.dumps({3: "x"})


def test_lone_surrogate_is_refused():
    with pytest.raises(ValueError, match="lone surrogate"):
        toml_writer.dumps({"x": "\ud800"})
