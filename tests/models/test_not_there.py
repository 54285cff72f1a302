"""What Keras's models have and ours do not yet: the error says so, and what there is instead."""

import pytest

import gputrain
from gputrain import layers


@pytest.mark.parametrize("name", ["save", "save_weights", "load_weights", "export"])
def test_saving_is_told_to_be_missing(name):
    model = gputrain.Sequential([layers.Input((2,)), layers.Dense(1)])
    assert not hasattr(model, name)
    with pytest.raises(AttributeError, match=rf"no attribute {name!r}\. Keep the weights: "):
        getattr(model, name)


def test_another_missing_attribute_is_python_s_own_error():
    with pytest.raises(AttributeError, match="'Sequential' object has no attribute 'sve'"):
        gputrain.Sequential().sve  # noqa: B018
