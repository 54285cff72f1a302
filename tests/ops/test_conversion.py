"""Arrays that go in and out of operations by name."""

from __future__ import annotations

import numpy as np
import pytest

from gputrain import Variable, ops
from gputrain.errors import GraphError
from gputrain.ir import Spec, Value
from tests.on_device import host


@pytest.mark.parametrize(
    "x, dtype, expected",
    [
        ([1.0, 2.0], None, "float32"),
        ([1, 2], None, "int32"),
        (True, None, "bool"),
        (2.5, None, "float32"),
        (np.arange(3.0), None, "float64"),
        (np.arange(3), "float16", "float16"),
    ],
)
def test_dtypes_are_kerass(x, dtype, expected):
    for convert in (ops.convert_to_tensor, ops.array):
        found = host(convert(x, dtype))
        assert found.dtype == expected
        np.testing.assert_array_equal(found, np.asarray(x))


def test_to_numpy():
    for x in ([1.0, 2.0], np.array([1.0, 2.0]), ops.add([0.0, 1.0], 1.0), Variable([1.0, 2.0])):
        found = ops.convert_to_numpy(x)
        assert type(found) is np.ndarray
        np.testing.assert_array_equal(found, [1.0, 2.0])


def test_a_value_has_no_contents():
    with pytest.raises(GraphError, match="a value has none while its model is traced"):
        ops.convert_to_numpy(Value(Spec((2,), "float32")))
    value = Value(Spec((2,), "float32"))
    assert ops.convert_to_tensor(value) is value


def test_an_unknown_dtype():
    with pytest.raises((TypeError, ValueError), match="dtype"):
        ops.convert_to_tensor([1.0], "text")
