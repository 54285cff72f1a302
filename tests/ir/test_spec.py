"""Specs: arithmetic of shapes with unknown sizes, and of dtypes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from gputrain.errors import DTypeError, ShapeError
from gputrain.ir import (
    DTYPES,
    FLOATS,
    Spec,
    broadcast,
    dtype_name,
    is_float,
    normalize_axes,
    normalize_axis,
    promote,
)


def test_sizes_of_a_known_shape() -> None:
    spec = Spec((2, 3, 4), "float16")
    assert (spec.ndim, spec.size, spec.itemsize, spec.nbytes, spec.static) == (3, 24, 2, 48, True)
    assert spec.dims == (2, 3, 4)
    assert str(spec) == "float16[2, 3, 4]"
    assert (Spec(()).size, Spec((0, 3)).size, Spec((0, 3)).nbytes) == (1, 0, 0)


def test_an_unknown_size_has_no_number() -> None:
    spec = Spec((None, 4))
    assert not spec.static
    assert str(spec) == "float32[None, 4]"
    with pytest.raises(ShapeError, match=r"without unknown dimensions.*float32\[None, 4\]"):
        _ = spec.nbytes


def test_specs_are_compared_and_hashed_by_contents() -> None:
    assert Spec((2, None)) == Spec((2,)).with_shape([2, None]) != Spec((2, 3))
    assert len({Spec((2,)), Spec((2,), "float32"), Spec((2,), "int32")}) == 2
    assert Spec((2,)).with_dtype("bool") == Spec((2,), "bool")


KNOWN = [(), (1,), (3,), (1, 3), (4, 1), (4, 3), (2, 1, 3), (0,), (0, 3), (1, 0)]


@pytest.mark.parametrize("a, b", list(itertools.product(KNOWN, KNOWN)))
def test_broadcast_is_numpys(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    try:
        expected = np.broadcast_shapes(a, b)
    except ValueError:
        with pytest.raises(ShapeError, match=r"add: shapes must be equal or broadcast.*ops\.expand_dims"):
            broadcast(Spec(a), Spec(b), "add")
        return
    assert broadcast(Spec(a), Spec(b), "add") == expected


@pytest.mark.parametrize(
    "a, b, expected",
    [
        ((None, 3), (3,), (None, 3)),
        ((None, 3), (1, 3), (None, 3)),
        ((None, 3), (None, 1), (None, 3)),
        ((None,), (5,), (5,)),
        ((5,), (None,), (5,)),
        ((None,), (None,), (None,)),
        ((None,), (), (None,)),
    ],
)
def test_an_unknown_size_meets_any(a: tuple[int, ...], b: tuple[int, ...], expected: tuple[int, ...]) -> None:
    assert broadcast(Spec(a), Spec(b), "add") == expected


def test_the_error_has_both_shapes() -> None:
    with pytest.raises(ShapeError, match=r"Received: \(128, 10\) and \(64, 10\)\."):
        broadcast(Spec((128, 10)), Spec((64, 10)), "subtract")


@pytest.mark.parametrize(
    "a, b, expected",
    [
        ("float32", "float32", "float32"),
        ("float32", "int64", "float32"),
        ("int64", "float16", "float16"),
        ("float16", "float64", "float64"),
        ("bool", "float32", "float32"),
        ("bool", "int8", "int8"),
        ("int8", "uint8", "int16"),
        ("int32", "int64", "int64"),
    ],
)
def test_promotion(a: str, b: str, expected: str) -> None:
    assert promote(a, b) == promote(b, a) == expected


@pytest.mark.parametrize("a, b", list(itertools.product(DTYPES, DTYPES)))
def test_promotion_gives_a_dtype_and_never_widens_a_float_for_integers(a: str, b: str) -> None:
    if {a, b} & {"uint64"} and {a, b} & {"int8", "int16", "int32", "int64"}:
        return
    found = promote(a, b)
    assert found in DTYPES
    if is_float(a) or is_float(b):
        assert found in (a, b)
        assert is_float(found)


def test_dtype_names() -> None:
    assert [dtype_name(d) for d in ("float32", np.float64, np.dtype("int8"), bool)] == [
        "float32",
        "float64",
        "int8",
        "bool",
    ]
    assert [d for d in DTYPES if is_float(d)] == list(FLOATS)
    for wrong in ("complex64", "object", "<U3", "nonsense", object()):
        with pytest.raises(DTypeError, match=r"Not a dtype.*Expected: float16, float32.*Received: "):
            dtype_name(wrong)


def test_axes() -> None:
    assert [normalize_axis(a, 3, "sum") for a in (0, 2, -1, -3)] == [0, 2, 2, 0]
    assert normalize_axes(None, 3, "sum") == (0, 1, 2)
    assert normalize_axes((-1, 0), 3, "sum") == (0, 2)
    assert normalize_axes(np.int64(1), 3, "sum") == (1,)
    with pytest.raises(
        ShapeError, match=r"sum: axis must name a dimension\. Expected: -3\.\.2\. Received: 3"
    ):
        normalize_axis(3, 3, "sum")
    with pytest.raises(ShapeError, match=r"sum: an axis may be named once\. Received: \(0, -3\)"):
        normalize_axes((0, -3), 3, "sum")
