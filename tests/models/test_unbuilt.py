"""What an unbuilt model says of shapes that it does not have yet."""

from __future__ import annotations

import pytest

import gputrain as keras

pytestmark = pytest.mark.cpu_only("words are the same on every device")


@pytest.mark.parametrize("name", ["inputs", "outputs", "input", "output", "input_shape", "output_shape"])
def test_an_unbuilt_model_has_no_shapes(name: str) -> None:
    model = keras.Sequential([keras.layers.Dense(2)], name="line")
    with pytest.raises(AttributeError, match="line has no inputs and outputs before it is built"):
        getattr(model, name)
    assert not hasattr(model, name)
    model.build((None, 3))
    assert getattr(model, name) is not None


def test_one_number_is_no_shape() -> None:
    with pytest.raises(
        ValueError, match=r"batch_shape is a tuple\. Received: 3\. Pass batch_shape=\(None, 3\)"
    ):
        keras.Sequential([keras.layers.Dense(2)]).build(3)
    with pytest.raises(ValueError, match=r"shape is a tuple\. Received: 3\. Pass shape=\(3,\)"):
        keras.Input(3)


@pytest.mark.parametrize("value", [None, {}, [None]])
def test_a_variable_begins_with_numbers(value: object) -> None:
    with pytest.raises(
        (TypeError, ValueError), match="a variable begins with numbers, or with an initializer"
    ):
        keras.Variable(value)
