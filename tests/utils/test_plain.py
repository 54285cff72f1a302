"""Values as plain data, and as JSON can say them."""

import json
from pathlib import Path

import numpy as np
import pytest

from gputrain.utils.plain import as_json, plain


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.5), 0.5),
        (np.array(3), 3),
        (np.inf, None),
        (np.float64("nan"), None),
        ((1, np.nan, "a"), [1, None, "a"]),
        (np.arange(3), [0, 1, 2]),
        ({1: True, "b": {"c": None}}, {"1": True, "b": {"c": None}}),
        (Path("runs") / "a-1", "runs/a-1"),
    ],
)
def test_what_json_can_say(value, expected):
    assert as_json(value) == expected
    assert json.loads(json.dumps(as_json(value), allow_nan=False)) == expected


def test_only_scalars_are_made_plain():
    array = np.ones(2)
    assert plain(array) is array
    assert type(plain(np.int64(2))) is int
