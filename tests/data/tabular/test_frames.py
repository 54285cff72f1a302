"""Tables of pandas, dicts and lists of rows, prepared as a Table is."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from gputrain.data.tabular import (
    ColumnCheck,
    Labels,
    Table,
    TablePreparation,
    TableSettings,
    as_table,
    check_columns,
)
from gputrain.errors import DataError

ROWS: list[dict[str, Any]] = [
    {"age": 31, "sex": "f", "grade": 2},
    {"age": None, "sex": "m", "grade": 1},
    {"age": 54, "sex": None, "grade": 3},
    {"age": 40, "sex": "f", "grade": 2},
]
CELLS = Table({"age": ["31", "", "54", "40"], "sex": ["f", "m", "", "f"], "grade": [2.0, 1.0, 3.0, 2.0]})


def same_inputs(rows: Any) -> TablePreparation:
    """The preparation, which gives the inputs of `CELLS`."""
    found, expected = TablePreparation.fit(rows), TablePreparation.fit(CELLS, TableSettings())
    assert found.input_names == expected.input_names
    np.testing.assert_array_equal(found.inputs(rows), expected.inputs(CELLS))
    np.testing.assert_array_equal(found.inputs(CELLS), expected.inputs(rows))
    assert found.missing_cells(rows) == {"age": 1, "sex": 1}
    return found


def test_rows_and_columns_of_python() -> None:
    same_inputs(ROWS)
    same_inputs({name: [row[name] for row in ROWS] for name in ROWS[0]})
    short = [{key: value for key, value in row.items() if value is not None} for row in ROWS]
    same_inputs(short)


@pytest.mark.parametrize(
    "dtypes", [{}, {"age": "Int64"}, {"age": "Float64", "sex": "string"}, {"age": object}]
)
def test_a_frame(dtypes: dict[str, Any]) -> None:
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pd.DataFrame(ROWS).astype(dtypes)
    preparation = same_inputs(frame)
    same_inputs(frame.set_index(pd.Index([7, 7, 3, 1])))
    same_inputs(frame.to_dict("list"))
    same_inputs(frame.to_dict("records"))
    np.testing.assert_array_equal(
        preparation.inputs(frame[["grade", "age", "sex"]].head(2)), preparation.inputs(CELLS)[:2]
    )


def test_an_arrow_frame() -> None:
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    same_inputs(pd.DataFrame(ROWS).convert_dtypes(dtype_backend="pyarrow"))


def test_columns_that_say_that_they_are_categories() -> None:
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pd.DataFrame(ROWS).astype({"grade": "category", "sex": "category"})
    preparation = TablePreparation.fit(frame[["grade", "sex"]])
    assert preparation.input_names == ("grade=1", "grade=2", "grade=3", "sex=f", "sex=m", "sex is missing")
    assert preparation.settings.categorical == ("grade", "sex")
    again = TablePreparation.from_config(preparation.to_config())
    np.testing.assert_array_equal(again.inputs(frame), preparation.inputs(CELLS))
    numeric = TablePreparation.fit(frame[["grade"]], TableSettings(numeric=("grade",)))
    assert numeric.input_names == ("grade",)
    assert TablePreparation.fit(frame, TableSettings(ignore=("grade",))).columns == ("age", "sex")


def test_flags_are_numbers() -> None:
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pd.DataFrame({"paid": pd.array([True, False, pd.NA, True], dtype="boolean")})
    assert TablePreparation.fit(frame, TableSettings(scale="none")).inputs(frame)[:, 0].tolist() == [
        1.0,
        0.0,
        1.0,
        1.0,
    ]
    assert TablePreparation.fit(frame.dropna().astype(bool)).input_names == ("paid",)


def test_dropped_rows() -> None:
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pd.DataFrame(ROWS).astype({"age": "Int64"})
    preparation = TablePreparation.fit(frame, TableSettings(missing="drop"))
    assert preparation.kept(frame).tolist() == [True, False, False, True]
    with pytest.raises(DataError, match=r"column 'age' in row 1"):
        preparation.inputs(frame)


def test_labels_and_checks_of_a_series() -> None:
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    for series in (pd.Series(["no", "yes", "no"]), pd.Series(["no", "yes", "no"], dtype="category")):
        labels = Labels.fit(series)
        assert labels.encode(series).tolist() == [0, 1, 0]
    whole = pd.Series([2, 1, 2], dtype="Int64")
    assert Labels.fit(whole).classes == ("1", "2")
    with pytest.raises(DataError, match=r"no label.*row 1"):
        Labels.fit(pd.Series([2, pd.NA, 1], dtype="Int64"))
    with pytest.raises(DataError, match=r"Column 'age' holds numbers >= 40.*'?31.* in row 0"):
        check_columns(pd.DataFrame(ROWS), {"age": ColumnCheck(min=40)})


def test_what_is_no_table() -> None:
    for rows, words in (
        (np.ones((2, 2)), r"Received: ndarray of shape \(2, 2\)\. Name the columns"),
        ("train.csv", r"Received: str.*read_csv"),
        ([[1, 2]], "a list of dicts"),
        ([], "a list of dicts"),
        (None, "NoneType"),
    ):
        with pytest.raises(DataError, match=words):
            TablePreparation.fit(rows)


def test_what_a_column_may_not_hold() -> None:
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    for frame, words in (
        (
            pd.DataFrame({"when": pd.date_range("2020", periods=2)}),
            r"'when' must hold text or numbers.*dayofyear",
        ),
        (pd.DataFrame({"a": [1, 2], "b": [[1], [2]]}), r"'b' must hold text or numbers.*list in row 0"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), r"each name once\. Received: 'a' for several columns"),
        (pd.Series([1, 2], name="a"), r"a list of dicts\. Received: Series of shape \(2,\)"),
        (pd.DataFrame([[1, 2]]), r"name is text\. Received: 0\. .*columns\.astype\(str\)"),
        (pd.DataFrame({"z": [1j]}), r"'z' must hold text or numbers.*complex"),
    ):
        with pytest.raises(DataError, match=words):
            as_table(frame)


def test_a_preparation_is_copied_and_pickled() -> None:
    preparation = TablePreparation.fit(ROWS, TableSettings(missing="predicted"))
    for other in (copy.deepcopy(preparation), pickle.loads(pickle.dumps(preparation))):  # noqa: S301
        np.testing.assert_array_equal(other.inputs(ROWS), preparation.inputs(ROWS))
        assert other.to_config() == preparation.to_config()
