"""Tables: columns of one length, rows with a place."""

from __future__ import annotations

import numpy as np
import pytest

from gputrain.data.tabular import Table
from gputrain.errors import DataError


def test_numbers_become_float64_and_text_objects() -> None:
    table = Table({"n": np.array([1, 2], np.int16), "b": [True, False], "t": ["x", "yy"], "o": ["a", None]})
    assert [table[name].dtype for name in table.names] == [np.float64, np.float64, object, object]
    assert table["b"].tolist() == [1.0, 0.0]
    assert table["o"].tolist() == ["a", ""]
    assert (table.rows, len(table)) == (2, 2)
    assert repr(table) == "<Table of 2 rows: n, b, t, o>"


def test_mixed_objects_become_text() -> None:
    cells = np.array(["a", 3, 2.5, float("nan"), None, True], object)
    assert Table({"m": cells})["m"].tolist() == ["a", "3", "2.5", "", "", "True"]
    assert cells[1] == 3, "the given array is as it was"


def test_take_keeps_the_lines() -> None:
    table = Table({"a": [1.0, 2.0, 3.0]}, source="f.csv", lines=np.array([2, 5, 6]))
    taken = table.take([2, 0])
    assert taken["a"].tolist() == [3.0, 1.0]
    assert taken.place(0) == "line 6 of f.csv"
    masked = table.take(np.array([False, True, False]))
    assert (masked["a"].tolist(), masked.place(0)) == ([2.0], "line 5 of f.csv")
    assert table.take([]).rows == 0
    assert Table({"a": [1.0]}, source="f.npz").place(0) == "row 0 (from 0) of f.npz"


def test_without() -> None:
    table = Table({"a": [1], "b": [2], "c": [3]}, source="f.csv")
    assert table.without(["b"]).names == ("a", "c")
    assert table.without(["b"]).source == "f.csv"
    with pytest.raises(
        DataError, match=r"No column 'bb' in f\.csv\. Did you mean 'b'\? Known names: a, b, c\."
    ):
        table.without(["bb"])
    with pytest.raises(DataError, match="A table has at least one column"):
        table.without("abc")


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({}, "at least one column"),
        ({"a": [1, 2], "b": [1]}, r"one length\. Expected: 2 cells each, as in 'a'\. Received: \{'b': 1\}"),
        ({"a": [[1]]}, r"Column 'a' must be 1-D\. Received: shape \(1, 1\)"),
        ({"a": np.array([1j])}, r"Column 'a' must hold text or numbers\. Received: dtype complex128"),
        ({"a": np.array([{}, 1], object)}, r"text or numbers\. Received: dict in row 0"),
        ({1: [2]}, r"A column's name is text\. Received: 1"),
    ],
)
def test_what_is_no_table(columns: dict, words: str) -> None:
    with pytest.raises(DataError, match=words):
        Table(columns)


def test_a_name_that_is_misspelt() -> None:
    with pytest.raises(DataError, match=r"No column 'agge'\. Did you mean 'age'\?"):
        Table({"age": [1]})["agge"]


def test_lines_of_another_length() -> None:
    with pytest.raises(DataError, match=r"\{'line numbers': 1\}"):
        Table({"a": [1, 2]}, lines=np.array([2]))
