"""What pandas, SciPy and PyTorch hold, as data of a model: taken, or refused with its column and row."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import config
from gputrain.data import make_arrays
from gputrain.data.arrays import to_array
from gputrain.errors import DataError
from tests.subprocesses import environment

pd = pytest.importorskip("pandas", reason="pandas is not installed")
FLOATS = np.array([[0.5, 1.5, 2.5], [3.5, 4.5, 5.5], [6.5, 7.5, 8.5]], "float32")
FRAME = pd.DataFrame(FLOATS, columns=list("abc"))
WHOLE = pd.DataFrame(np.arange(9).reshape(3, 3), columns=list("abc"))
NA = pd.NA


@pytest.fixture
def allowed() -> Any:
    config.set_nan_inputs("allow")
    yield
    config.set_nan_inputs("error")


# name, a table, the array it stands for
TAKEN: list[tuple[str, Any, Any]] = [
    ("Float64", FRAME.astype("Float64"), FLOATS),
    ("Float32", FRAME.astype("Float32"), FLOATS),
    ("Int64", WHOLE.astype("Int64"), np.arange(9).reshape(3, 3)),
    ("UInt8", WHOLE.astype("UInt8"), np.arange(9, dtype="uint8").reshape(3, 3)),
    ("boolean", (FRAME > 3).astype("boolean"), FLOATS > 3),
    (
        "flags and numbers",
        pd.DataFrame({"a": [True, False], "b": [1, 2], "c": [0.5, 1.5]}),
        [[1, 1, 0.5], [0, 2, 1.5]],
    ),
    ("nullable beside others", FRAME.astype({"a": "Float64", "b": "float64"}), FLOATS),
    ("numbers as objects", FRAME.astype(object), FLOATS),
    ("decimals", pd.DataFrame({"a": [Decimal("0.5"), Decimal(2)]}), [[0.5], [2.0]]),
    ("categories that are numbers", pd.DataFrame({"a": pd.Categorical([3, 5, 3])}), [[3], [5], [3]]),
    ("sparse", FRAME.astype(pd.SparseDtype("float32", 0.0)), FLOATS),
    ("convert_dtypes", FRAME.convert_dtypes(), FLOATS),
    ("equal names", pd.DataFrame(FLOATS, columns=["a", "a", "b"]).astype("Float64"), FLOATS),
    ("a series", pd.Series([1, 2, 3], dtype="Int64"), [1, 2, 3]),
    ("a series of flags", pd.Series([True, False], dtype="boolean"), [True, False]),
    ("a series of objects", pd.Series([1, 2.5], dtype=object), [1, 2.5]),
    ("an index", pd.Index([1, 2, 3]), [1, 2, 3]),
    ("an array of pandas", pd.array([1, 2, 3], dtype="Int64"), [1, 2, 3]),
]


@pytest.mark.parametrize(("table", "array"), [case[1:] for case in TAKEN], ids=[case[0] for case in TAKEN])
def test_taken(table: Any, array: Any) -> None:
    found, expected = to_array(table, "x"), to_array(np.asarray(array), "x")
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def missing(frame: Any, dtype: Any, column: str, row: int, cell: Any) -> Any:
    frame = frame.astype(dtype)
    frame.loc[row, column] = cell
    return frame


GAPS: list[tuple[str, Any, str]] = [
    ("Float64", missing(FRAME, "Float64", "b", 1, NA), r"column 'b' .*in row 1 \(from 0, index 1\)"),
    ("Int64", missing(WHOLE, "Int64", "c", 2, NA), r"column 'c' .*in row 2"),
    ("boolean", missing(FRAME > 3, "boolean", "a", 0, NA), r"column 'a' .*in row 0"),
    ("float", missing(FRAME, "float32", "b", 1, np.nan), r"column 'b' .*in row 1"),
    ("None", missing(FRAME, object, "b", 1, None), r"column 'b' .*in row 1"),
    ("an index", missing(FRAME, float, "b", 1, np.nan).set_axis(list("xyz")), r"row 1 \(from 0, index 'y'\)"),
    ("several", missing(FRAME, float, "b", 1, np.nan).replace(0.5, np.nan), r"'a' .*row 0 .*, and 1 more"),
    ("a series", pd.Series([1, NA], dtype="Int64", name="age"), r"column 'age' has a missing cell.*in row 1"),
    ("no name", pd.Series([1.0, None]), r"^x has a missing cell.*in row 1"),
    ("categories", pd.DataFrame({"a": pd.Categorical([3, None])}), r"column 'a' .*in row 1"),
]


@pytest.mark.parametrize(("table", "words"), [case[1:] for case in GAPS], ids=[case[0] for case in GAPS])
def test_missing_cells_are_named(table: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        to_array(table, "x")


@pytest.mark.parametrize("table", [case[1] for case in GAPS], ids=[case[0] for case in GAPS])
def test_missing_cells_are_nan_where_that_is_allowed(table: Any, allowed: None) -> None:
    np.testing.assert_array_equal(np.isnan(to_array(table, "x")), np.asarray(table.isna()))


OTHERS: list[tuple[str, Any, str]] = [
    ("text", FRAME.assign(b=["u", "v", "w"]), r"column 'b' must hold numbers.*'u' of type str at row 0"),
    ("a text", missing(FRAME, object, "b", 2, "?"), r"column 'b' .*'\?' of type str at row 2"),
    ("string", FRAME.assign(b=pd.array(["u", NA, "w"], dtype="string")), r"column 'b' .*to_numeric"),
    ("categories", FRAME.assign(b=pd.Categorical(["u", "v", "u"])), r"column 'b' .*get_dummies"),
    ("dates", FRAME.assign(b=pd.date_range("2020", periods=3)), r"column 'b' .*dates .*dayofyear"),
    ("durations", FRAME.assign(b=pd.to_timedelta([1, 2, 3])), r"column 'b' .*durations .*total_seconds"),
    ("periods", FRAME.assign(b=pd.period_range("2020", periods=3)), r"column 'b' .*type Period"),
    ("complex", FRAME.astype(complex), r"column 'a' .*complex"),
    ("no column", FRAME[[]], r"needs a column"),
    ("a series of text", pd.Series(["u"], name="sex"), r"column 'sex' must hold numbers"),
    ("arrays", pd.Series([np.ones(2), np.ones(2)]), r"of type ndarray at row 0"),
    ("objects", np.array([[1, None]], object), r"'None' of type NoneType at index \(0, 1\)"),
    ("numbers as objects", np.array([[1, 2.5]], object), r"objects of Python.*astype"),
    ("words", np.full((2, 2), "a"), r"'a' of type str at index \(0, 0\)"),
    ("bytes", np.full(2, b"a"), r"of type bytes at row 0"),
    ("records", np.zeros(2, [("a", "f4"), ("b", "f4")]), r"records .*structured_to_unstructured"),
    ("moments", np.zeros(2, "M8[s]"), r"dates"),
    ("masked", np.ma.masked_array(FLOATS, mask=FLOATS > 8), r"no masked elements. Received: 1 of 9.*filled"),
]


@pytest.mark.parametrize(("table", "words"), [case[1:] for case in OTHERS], ids=[case[0] for case in OTHERS])
def test_what_is_no_number_is_named(table: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        to_array(table, "x")


def fitted(x: Any, y: Any, **arguments: Any) -> list[Any]:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse")
    model.fit(x, y, verbose=0, shuffle=False, **arguments)
    return model.get_weights()


def test_nullable_tables_are_trained_on_as_their_numbers() -> None:
    """Wherever data is given: inputs, targets, weights, validation, evaluation, prediction, batches."""
    y, weights = pd.Series([0, 1, 1], dtype="Int64"), pd.Series([1, 2, 0], dtype="Float64", index=[7, 8, 9])
    frame = FRAME.convert_dtypes()
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse")
    history = model.fit(frame, y, sample_weight=weights, validation_data=(frame, y), verbose=0).history
    assert history.keys() == {"loss", "val_loss"}
    plain = model.predict(FLOATS, verbose=0)
    np.testing.assert_array_equal(model.predict(frame, verbose=0), plain)
    assert model.evaluate(frame, y, verbose=0) == model.evaluate(FLOATS, y.to_numpy("float32"), verbose=0)
    model.train_on_batch(frame, y, sample_weight=weights)
    expected = fitted(FLOATS, np.array([0, 1, 1]), sample_weight=np.array([1.0, 2.0, 0.0]))
    np.testing.assert_array_equal(fitted(frame, y, sample_weight=weights)[0], expected[0])

    def batches() -> Any:
        yield frame, y

    np.testing.assert_array_equal(fitted(batches(), None)[0], fitted(FLOATS, np.array([0, 1, 1]))[0])


def test_errors_say_where_the_table_was_given() -> None:
    gap = pd.Series([0, NA, 1], dtype="Int64", name="label")
    for call, words in (
        (lambda: fitted(FRAME, gap), r"fit\(y\): column 'label' has a missing cell"),
        (lambda: fitted(FRAME, [0, 1, 1], sample_weight=gap), r"fit\(sample_weight\): column 'label'"),
        (
            lambda: fitted(FRAME, [0, 1, 1], validation_data=(FRAME, gap)),
            r"validation_data\(y\): column 'label'",
        ),
        (lambda: make_arrays({"age": pd.Series(["x"])}), r"fit\(x\)\['age'\] must hold numbers"),
    ):
        with pytest.raises(DataError, match=words):
            call()


def test_class_weight_of_a_series() -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    y = pd.Series([0, 1, 1])
    model.fit(FRAME, y, class_weight=1 / y.value_counts(), verbose=0)


def test_arrow() -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    frame = FRAME.assign(n=[1, 2, 3], f=[True, False, True]).convert_dtypes(dtype_backend="pyarrow")
    expected = np.column_stack([FLOATS, [1, 2, 3], [1, 0, 1]]).astype("float32")
    np.testing.assert_array_equal(to_array(frame, "x"), expected)
    frame.loc[1, "n"] = NA
    with pytest.raises(DataError, match=r"column 'n' .*in row 1"):
        to_array(frame, "x")
    with pytest.raises(DataError, match=r"column 't' must hold numbers"):
        to_array(frame[["n"]].assign(t=pd.array(["u", "v", "w"], "string[pyarrow]")).iloc[[0]], "x")


@pytest.mark.parametrize("kind", ["csr_matrix", "coo_matrix", "csc_array"])
def test_sparse_matrices(kind: str) -> None:
    sparse = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")
    np.testing.assert_array_equal(to_array(getattr(sparse, kind)(FLOATS), "x"), FLOATS)
    with pytest.raises(DataError, match=r"sparse matrix has no room.*Received: shape .*generator"):
        to_array(sparse.coo_matrix((2**20, 2**28)), "x")


def test_tensors_of_pytorch() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    tensor = torch.tensor(FLOATS)
    makers: list[Callable[[], Any]] = [
        lambda: tensor,
        lambda: torch.tensor(FLOATS, requires_grad=True),
        lambda: torch.tensor(FLOATS.T.copy()).T,
        lambda: tensor.double(),
    ]
    for make in makers:
        np.testing.assert_array_equal(to_array(make(), "x"), FLOATS)


def test_pandas_is_not_imported() -> None:
    """Neither for arrays, nor for tables that are not its own."""
    program = (
        "import sys, numpy as np, gputrain as keras\n"
        "from gputrain.tabular import TablePreparation\n"
        "model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])\n"
        "model.compile('sgd', 'mse')\n"
        "model.fit(np.ones((4, 2)), np.ones(4), verbose=0)\n"
        "TablePreparation.fit([{'a': 1, 'b': 'x'}, {'a': 2, 'b': 'y'}])\n"
        "assert not {'pandas', 'scipy', 'torch', 'pyarrow'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env=environment())
