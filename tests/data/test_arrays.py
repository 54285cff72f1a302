"""User arrays at the model's door."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gputrain import config
from gputrain.data import Arrays, Batches, make_arrays
from gputrain.data.arrays import CHECK_BLOCK, check_finite, to_array
from gputrain.data.sources import ArraySource
from gputrain.errors import DataError


class Frame:
    """What a data frame offers."""

    def to_numpy(self) -> np.ndarray:
        return np.ones((3, 2))


DTYPES: dict[str, tuple[Any, str]] = {
    "float64": (np.ones(3), "float32"),
    "float16": (np.ones(3, "float16"), "float32"),
    "float32": (np.ones(3, "float32"), "float32"),
    "ints": (np.ones(3, "int64"), "int64"),
    "bytes": (np.ones(3, "uint8"), "uint8"),
    "booleans": (np.ones(3, "bool"), "bool"),
    "a list": ([[1.0, 2.0]], "float32"),
    "a list of ints": ([1, 2], "int64"),
    "a frame": (Frame(), "float32"),
}


@pytest.mark.parametrize(("x", "dtype"), DTYPES.values(), ids=DTYPES)
def test_floats_become_floatx_and_integers_stay(x: Any, dtype: str) -> None:
    array = to_array(x, "x")
    assert array.dtype == dtype
    assert array.flags.c_contiguous


def test_floatx_is_asked_for_each_time() -> None:
    config.set_floatx("float64")
    try:
        assert to_array([1.0], "x").dtype == "float64"
    finally:
        config.reset()


def test_structures_keep_their_form() -> None:
    one, two = np.ones((3, 1)), np.zeros((3, 2))
    arrays = make_arrays({"a": one, "b": two}, [one, two], (one[:, 0], two[:, 0]))
    assert list(arrays.x) == ["a", "b"]
    assert isinstance(arrays.y, list)
    assert isinstance(arrays.sample_weight, tuple)
    assert arrays.count == 3
    assert len(arrays.leaves) == 6
    part = arrays.part(slice(1, 3))
    assert part.count == 2
    assert part.x["b"].base is not None


def test_a_list_of_numbers_is_one_array() -> None:
    assert make_arrays([[1.0], [2.0]], [0, 1]).y.shape == (2,)
    assert make_arrays([np.float32(1), np.float32(2)]).x.shape == (2,)


def test_signature_says_what_a_step_depends_on() -> None:
    x, y = np.ones((4, 3), "float32"), np.ones(4, "int32")
    assert Arrays(x, y).signature == Arrays(x[:2], y[:2]).signature
    different = [
        Arrays(x),
        Arrays(x, x),
        Arrays(x, y, x[:, 0]),
        Arrays(x[:, :2], y),
        Arrays(x.astype("float64"), y),
    ]
    assert len({a.signature for a in different} | {Arrays(x, y).signature}) == 6


@pytest.mark.parametrize("place", [0, CHECK_BLOCK - 1, CHECK_BLOCK, 2 * CHECK_BLOCK + 2])
def test_a_bad_number_is_found_wherever_it_is(place: int) -> None:
    array = np.zeros((2 * CHECK_BLOCK + 3, 1), "float32")
    array[place] = np.inf
    with pytest.raises(DataError, match=rf"0 NaN and 1 infinite .* the first at index \({place}, 0\)"):
        check_finite(array, "x")


def test_batches_cover_each_sample_once() -> None:
    for shuffle in (False, True):
        source = ArraySource(make_arrays(np.zeros((10, 1))), 4, shuffle)
        assert source.steps == 3
        rows = [batch.rows for batch in source.epoch(0)]
        assert [len(r) for r in rows] == [4, 4, 2]
        assert sorted(np.concatenate(rows)) == list(range(10))


def test_orders_follow_from_seed_and_number_alone() -> None:
    config.set_seed(3)
    first, again, other = (Batches(50, 8, True).order(n).tolist() for n in (0, 0, 1))
    assert first == again != other
    config.set_seed(4)
    assert Batches(50, 8, True).order(0).tolist() != first
    config.reset()
