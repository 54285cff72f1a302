"""What Keras's models have and ours do not yet: the error says so, and what there is instead."""

import pytest

import gputrain
from gputrain import layers


def test_export_is_told_to_be_missing():
    model = gputrain.Sequential([layers.Input((2,)), layers.Dense(1)])
    assert not hasattr(model, "export")
    with pytest.raises(AttributeError, match=r"no attribute 'export'\. model\.save\("):
        model.export  # noqa: B018


def test_another_missing_attribute_is_python_s_own_error():
    with pytest.raises(AttributeError, match="'Sequential' object has no attribute 'sve'"):
        gputrain.Sequential().sve  # noqa: B018
