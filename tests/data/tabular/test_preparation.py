"""From tables to inputs: statistics by hand, kinds, missing cells, categories, refusals and configs."""

from __future__ import annotations

import copy
import json
import logging
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gputrain.data.tabular import ColumnCheck, Table, TablePreparation, TableSettings, check_columns
from gputrain.errors import DataError


def fitted(columns: dict[str, Any], **settings: Any) -> tuple[TablePreparation, np.ndarray]:
    """The preparation of a table, and the table's inputs in float64 for comparisons."""
    table = Table(columns)
    preparation = TablePreparation.fit(table, TableSettings(**settings))
    inputs = preparation.inputs(table)
    assert inputs.dtype == np.float32
    assert inputs.shape == (table.rows, len(preparation.input_names))
    assert np.isfinite(inputs).all()
    return preparation, inputs.astype(np.float64)


AGE = ["20", "", "40", "60", "NA"]


@pytest.mark.parametrize(("missing", "fill"), [("mean", 0.0), ("median", 0.0)])
def test_standard_scaling_uses_the_cells_that_are_there(missing: str, fill: float) -> None:
    preparation, inputs = fitted({"age": AGE}, missing=missing)
    assert preparation.input_names == ("age", "age is missing")
    size = np.std([20, 40, 60])
    np.testing.assert_allclose(inputs[:, 0], [-20 / size, fill, 0, 20 / size, fill], rtol=1e-6)
    assert inputs[:, 1].tolist() == [0, 1, 0, 0, 1]


def test_mean_and_median_differ_where_they_should() -> None:
    cells = [1.0, 2.0, 9.0, np.nan]
    assert fitted({"x": cells}, missing="mean", scale="none")[1][3].tolist() == [4, 1]
    assert fitted({"x": cells}, missing="median", scale="none")[1][3].tolist() == [2, 1]
    assert fitted({"x": cells}, missing_indicators=False, scale="none")[1].tolist() == [[1], [2], [9], [2]]


def test_minmax_and_none() -> None:
    _, inputs = fitted({"x": [2, 4, 6]}, scale="minmax")
    assert inputs[:, 0].tolist() == [0, 0.5, 1]
    _, inputs = fitted({"x": ["2", "4e1", "-.5"]}, scale="none")
    assert inputs[:, 0].tolist() == [2, 40, -0.5]


def test_training_statistics_serve_other_rows() -> None:
    preparation, _ = fitted({"x": [0.0, 10.0], "c": ["a", "b"]}, scale="minmax")
    other = Table({"note": ["?"], "c": ["b"], "x": ["20"]})  # another order, another column, text for numbers
    assert preparation.inputs(other).tolist() == [[2, 0, 1]]
    assert preparation.columns == ("x", "c")


def test_quantile_scores_are_normal_whatever_the_tails() -> None:
    rng = np.random.default_rng(0)
    heavy = np.exp(3 * rng.normal(size=4000))
    preparation, inputs = fitted({"x": heavy}, scale="quantile")
    score = inputs[:, 0]
    assert abs(score.mean()) < 0.01
    assert abs(score.std() - 1) < 0.02
    order = np.argsort(heavy)
    assert (np.diff(score[order]) >= 0).all(), "the order stays"
    assert len(preparation.to_config()["columns"][0]["scaler"]["knots"]) <= 255
    far = preparation.inputs(Table({"x": [0.0, 1e30]}))[:, 0]
    np.testing.assert_allclose(far, [score.min(), score.max()])


@pytest.mark.peer
def test_quantile_scores_are_those_of_scikit_learn() -> None:
    sklearn = pytest.importorskip("sklearn.preprocessing")
    values = np.random.default_rng(1).gamma(0.7, size=3000)
    peer = sklearn.QuantileTransformer(n_quantiles=255, output_distribution="normal", subsample=None)
    wanted = peer.fit_transform(values[:, None])[:, 0]
    _, inputs = fitted({"x": values}, scale="quantile")
    middle = np.abs(wanted) < 2
    assert np.abs(inputs[middle, 0] - wanted[middle]).max() < 0.03


def test_ties_share_one_quantile_score() -> None:
    _, inputs = fitted({"x": [0.0] * 60 + list(range(1, 41))}, scale="quantile")
    assert len(set(inputs[:60, 0])) == 1
    # The middle of the lower 60 %: the mean score of shares below 0.6 is -phi(z)/0.6 with z = 0.2533.
    assert inputs[0, 0] == pytest.approx(-np.exp(-(0.2533**2) / 2) / np.sqrt(2 * np.pi) / 0.6, abs=0.02)


def test_categories_are_one_hot_and_missing_is_one_of_them() -> None:
    preparation, inputs = fitted({"c": ["red", " blue ", "", "red"]})
    assert preparation.input_names == ("c=blue", "c=red", "c is missing")
    assert inputs.tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0]]


def test_an_unknown_category_is_all_zero_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    preparation, _ = fitted({"c": ["red", "blue"], "x": [1, 2]})
    with caplog.at_level(logging.WARNING, "gputrain"):
        for _ in range(2):
            inputs = preparation.inputs(Table({"c": ["green", "red"], "x": [1, 2]}))
    assert inputs[:, :2].tolist() == [[0, 0], [0, 1]]
    assert [record.message for record in caplog.records] == [
        "Column 'c' has categories that no training row has: 'green'. "
        "All inputs of the column are 0 for them."
    ]


def test_first_missing_cells_after_training_are_filled_and_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    preparation, _ = fitted({"x": [1.0, 2.0, 6.0], "c": ["a", "b", "a"]}, scale="none")
    inputs = preparation.inputs(Table({"x": [np.nan], "c": [""]}))
    assert inputs.tolist() == [[2, 0, 0]]
    preparation.inputs(Table({"x": [np.nan], "c": ["a"]}))
    assert len(caplog.records) == 2
    assert "Column 'x' has missing cells, of which the training rows have none" in caplog.text


def test_kinds_are_found_and_may_be_declared() -> None:
    columns = {"n": ["1", "2"], "c": ["1", "x"], "zip": ["1", "2"], "f": [3.0, 4.5]}
    assert fitted(columns)[0].input_names == ("n", "c=1", "c=x", "zip", "f")
    declared, _ = fitted(columns, categorical=("zip", "f"), numeric=("n",), ignore=("c",))
    assert declared.input_names == ("n", "zip=1", "zip=2", "f=3", "f=4.5")
    # 3 as a number and "3" as text are one category.
    same = declared.inputs(Table({"n": [1], "zip": [2], "f": ["3"]}))
    assert same[0, 1:].tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize("cell", ["abc", "1,5", "nan(1)", "1_000", "inf", "1e300", "0x1f"])
def test_a_cell_that_is_no_number(cell: str) -> None:
    table = Table({"x": ["1", cell, "2", cell]}, source="t.csv", lines=np.array([2, 3, 4, 5]))
    with pytest.raises(DataError) as caught:
        TablePreparation.fit(table, TableSettings(numeric=("x",)))
    text = str(caught.value)
    assert (
        f"Column 'x' is numeric, so each cell is a finite number or missing. Received: {cell!r} in " in text
    )
    assert "line 3 of t.csv, and 1 more. Mend the cells, add the text to missing_values" in text
    assert ("Write '1.5' instead of '1,5'." in text) == (cell == "1,5")


def test_a_cell_that_is_no_number_after_training() -> None:
    preparation, _ = fitted({"x": ["1", "2"]})
    with pytest.raises(DataError, match=r"Column 'x' is numeric.*'two' in row 0 \(from 0\)\."):
        preparation.inputs(Table({"x": ["two"]}))
    with pytest.raises(DataError, match=r"Received: inf in row 1"):
        preparation.inputs(Table({"x": [1.0, np.inf]}))


def test_too_many_categories() -> None:
    cells = [f"name {n}" for n in range(30)]
    with pytest.raises(
        DataError,
        match=r"Column 'who' is neither numeric.*at most 20 different texts\. Received: 30 different texts, "
        r"as 'name 0' in row 0 .*Put it into `ignore`, raise max_categories",
    ):
        fitted({"who": cells, "x": range(30)}, max_categories=20)
    assert len(fitted({"who": cells})[0].input_names) == 30


NOTES: dict[str, tuple[dict[str, Any], str]] = {
    "constant": ({"x": ["3"] * 9}, "Column 'x' has one value or none in the training rows"),
    "constant text": ({"x": ["a"] * 9}, "Column 'x' has one value or none in the training rows"),
    "empty": ({"x": [""] * 9, "y": range(9)}, "Column 'x' has one value or none in the training rows"),
    "numbers of rows": (
        {"id": np.random.default_rng(0).permutation(90)[:40]},
        "looks like the number of a row",
    ),
    "names of rows": ({"id": list("abcdefgh")}, "Column 'id' has another text in every row"),
    "one typo": (
        {"x": [*map(str, range(20)), *map(str, range(20)), "1,5"]},
        "Column 'x' is taken as categorical, for '1,5' in row 40 (from 0) is no number (1 such cells). Mend "
        "them, or add their text to missing_values. Write '1.5' instead of '1,5'.",
    ),
}


@pytest.mark.parametrize("case", NOTES)
def test_columns_that_tell_nothing(case: str, caplog: pytest.LogCaptureFixture) -> None:
    columns, words = NOTES[case]
    fitted(columns)
    assert words in caplog.text
    assert len(caplog.records) == 1


def test_nothing_is_said_of_healthy_columns(caplog: pytest.LogCaptureFixture) -> None:
    rng = np.random.default_rng(0)
    fitted(
        {
            "x": rng.normal(size=90),
            "k": rng.integers(0, 9, 90),
            "price": rng.integers(0, 10**6, 90),
            "c": ["a", "b", ""] * 30,
        }
    )
    assert not caplog.records


def test_an_empty_column_gives_zeros() -> None:
    preparation, inputs = fitted({"x": ["", "NA"], "y": ["1", "3"]}, missing="predicted")
    assert preparation.input_names == ("x", "y", "x is missing")
    assert inputs.tolist() == [[0, -1, 1], [0, 1, 1]]


def test_missing_codes() -> None:
    cells = ["1", "-999", "0", "?", "3"]
    settings = {"missing_values": ("", "?", "-999"), "zero_is_missing": ("x",), "scale": "none"}
    for column in (cells, [1.0, -999.0, 0.0, np.nan, 3.0]):
        _, inputs = fitted({"x": column}, **settings)
        assert inputs.tolist() == [[1, 0], [2, 1], [2, 1], [2, 1], [3, 0]]


def test_rows_are_dropped() -> None:
    columns = {"x": ["1", "", "3", "5"], "c": ["a", "b", "", "b"]}
    table = Table(columns, source="t.csv", lines=np.arange(2, 6))
    preparation = TablePreparation.fit(table, TableSettings(missing="drop", scale="none"))
    assert preparation.input_names == ("x", "c=a", "c=b")
    kept = preparation.kept(table)
    assert kept.tolist() == [True, False, False, True]
    assert preparation.inputs(table.take(kept)).tolist() == [[1, 1, 0], [5, 0, 1]]
    with pytest.raises(
        DataError,
        match=r"missing=\"drop\": a row with a missing cell has no inputs\. Received: column 'x' in line 3 "
        r"of t\.csv, and 1 rows more\. Take the rows where kept\(table\) is True",
    ):
        preparation.inputs(table)
    with pytest.raises(DataError, match=r"leaves no row: each has a missing cell"):
        fitted({"x": ["1", ""], "y": ["", "2"]}, missing="drop")


def test_kept_is_all_but_under_drop() -> None:
    preparation, _ = fitted({"x": ["1", ""]})
    assert preparation.kept(Table({"x": ["", "2", ""]})).all()


def test_columns_that_are_not_there() -> None:
    preparation, _ = fitted({"a": [1], "b": [2], "c": [3]})
    with pytest.raises(
        DataError,
        match=r"^new\.csv: every column that the model was trained on must be there\. Expected: also 'a', "
        r"'c'\. Received: the columns 'b', 'd'\. Name the columns as",
    ):
        preparation.inputs(Table({"b": [1], "d": [2]}, source="new.csv"))


@pytest.mark.parametrize("name", ["ignore", "numeric", "categorical", "zero_is_missing"])
def test_settings_that_name_no_column(name: str) -> None:
    with pytest.raises(DataError, match=r"No column 'agee'\. Did you mean 'age'\?"):
        fitted({"age": [1, 2]}, **{name: ("agee",)})


def test_nothing_to_learn_from() -> None:
    with pytest.raises(DataError, match="at least one column and one row"):
        fitted({"a": [1]}, ignore=("a",))
    with pytest.raises(DataError, match="at least one column and one row"):
        fitted({"a": np.zeros(0)})
    with pytest.raises(DataError, match="at least one input"):
        fitted({"a": ["", ""]}, categorical=("a",))


def test_large_numbers_and_overflow_stay_finite() -> None:
    preparation, _ = fitted({"x": [1e-30, 3e-30], "y": [3e38, -3e38]})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        inputs = preparation.inputs(Table({"x": [3e38], "y": [0.0]}))
    assert inputs.tolist() == [[np.finfo(np.float32).max, 0]]


@pytest.mark.parametrize("scale", ["standard", "minmax", "quantile", "none"])
def test_a_spread_too_small_for_float32_is_none(scale: str) -> None:
    _, inputs = fitted({"x": [0.0, 1e-200, np.nan], "y": [0.1, 0.1, 0.1]}, scale=scale, missing="predicted")
    np.testing.assert_allclose(inputs[:, 0], 0, atol=1e-30)


@pytest.mark.parametrize(
    ("check", "cells", "words"),
    [
        (
            ColumnCheck(min=0),
            ["3", "-4", "-5"],
            r"holds numbers >= 0\. Received: '-4' in row 1 \(from 0\), and 1 more",
        ),
        (ColumnCheck(max=100), [3.0, 101.5], r"holds numbers <= 100\. Received: 101\.5 in row 1"),
        (ColumnCheck(integer=True), ["3", "", "3.5"], r"holds whole numbers\. Received: '3\.5' in row 2"),
        (ColumnCheck(integer=True), ["3", "x"], r"holds numbers\. Received: 'x' in row 1"),
        (ColumnCheck(values=("f", "m")), ["f", "NA", "w"], r"holds one of f, m\. Received: 'w' in row 2"),
        (ColumnCheck(required=True), ["f", "NA"], r"holds no missing cells\. Received: 'NA' in row 1"),
        (ColumnCheck(unique=True), ["a", "b", " a", ""], r"holds no value twice\. Received: ' a' in row 2"),
    ],
)
def test_checks(check: ColumnCheck, cells: list, words: str) -> None:
    with pytest.raises(DataError, match=rf"Column 'x' {words}"):
        check_columns(Table({"x": cells}), {"x": check})
    with pytest.raises(DataError, match=rf"Column 'x' {words}"):
        fitted({"x": cells}, checks={"x": check})


def test_checks_that_pass() -> None:
    checks = {
        "age": ColumnCheck(min=0, max=120, integer=True),
        "sex": ColumnCheck(values=("f", "m")),
        "id": ColumnCheck(required=True, unique=True),
    }
    columns = {"age": ["0", "120", ""], "sex": ["f", "?", " m"], "id": ["1", "2", "3"]}
    preparation, _ = fitted(columns, checks=checks, ignore=("id",))
    preparation.inputs(Table({"age": [4], "sex": ["f"]}))  # an ignored column may be missing
    with pytest.raises(DataError, match="'130'"):
        preparation.inputs(Table({"age": ["130"], "sex": ["f"]}))
    with pytest.raises(DataError, match=r"No column 'agee'\. Did you mean 'age'"):
        fitted(columns, checks={"agee": ColumnCheck()})


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ColumnCheck(min=2, max=1), r"min is at most max\. Received: min=2, max=1"),
        (lambda: ColumnCheck(max=float("nan")), r"max is a finite number\. Received: nan"),
        (lambda: ColumnCheck(max=10**400), r"max is a finite number\. Received: 1000"),
        (lambda: ColumnCheck(min="3"), r"min is a finite number\. Received: '3'"),  # type: ignore[arg-type]
        (lambda: ColumnCheck(unique=1), r"unique is true or false\. Received: 1"),  # type: ignore[arg-type]
        (lambda: ColumnCheck(values="ab"), r"values is a list of texts\. Received: 'ab'"),  # type: ignore[arg-type]
        (lambda: TableSettings(missing="medain"), r"missing cannot be 'medain'\. Did you mean 'median'"),  # type: ignore[arg-type]
        (lambda: TableSettings(scale=3), r"scale cannot be 3"),  # type: ignore[arg-type]
        (
            lambda: TableSettings(max_categories=1),
            r"max_categories is an integer from 2 to 10000\. Received: 1",
        ),
        (lambda: TableSettings(missing_indicators=0), r"missing_indicators is true or false"),  # type: ignore[arg-type]
        (
            lambda: TableSettings(ignore=("a",), numeric=("b", "a")),
            r"both ignore and numeric\. Received: 'a'",
        ),
        (
            lambda: TableSettings(zero_is_missing=("a",), categorical=("a",)),
            r"both zero_is_missing and categorical",
        ),
        (lambda: TableSettings(ignore="ab"), r"ignore is a list of texts"),  # type: ignore[arg-type]
    ],
)
def test_settings_with_wrong_values(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        make()


# ------------------------------------------------------------------------------------------ predicted values


def correlated(rows: int, seed: int) -> np.ndarray:
    """Eight columns that three hidden ones make, of very different sizes."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(rows, 3))
    mixed = hidden @ rng.normal(size=(3, 8)) + 0.3 * rng.normal(size=(rows, 8))
    return mixed * np.logspace(-3, 4, 8) + np.arange(8) * 100


def blanked(values: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    gaps = np.random.default_rng(seed).random(values.shape) < 0.15
    return np.where(gaps, np.nan, values), gaps


def as_table(values: np.ndarray) -> Table:
    return Table({f"x{number}": values[:, number] for number in range(values.shape[1])})


def error(found: np.ndarray, truth: np.ndarray, gaps: np.ndarray) -> float:
    """Root mean square error of the filled cells, in standard deviations of their columns."""
    return float(np.sqrt((((found - truth) / truth.std(0))[gaps] ** 2).mean()))


@pytest.mark.peer
def test_predicted_values_are_as_good_as_those_of_scikit_learn() -> None:
    pytest.importorskip("sklearn.experimental.enable_iterative_imputer")
    from sklearn.impute import IterativeImputer

    truth = correlated(600, 1)
    values, gaps = blanked(truth, 2)
    train, test = slice(0, 400), slice(400, 600)
    settings = TableSettings(scale="none", missing="predicted", missing_indicators=False)
    own = TablePreparation.fit(as_table(values[train]), settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ten rounds of theirs may not converge
        peer = IterativeImputer(random_state=0).fit(values[train])
        for part in (train, test):
            found = error(own.inputs(as_table(values[part])), truth[part], gaps[part])
            theirs = error(peer.transform(values[part]), truth[part], gaps[part])
            by_means = error(
                np.where(gaps, np.nanmean(values[train], 0), truth)[part], truth[part], gaps[part]
            )
            assert found < 0.6 * by_means
            assert found < 1.05 * theirs


def test_predicted_values_use_categories_and_leave_known_cells_alone() -> None:
    rng = np.random.default_rng(0)
    group = rng.integers(0, 3, 300)
    size = np.array([10.0, 50.0, 90.0])[group] + rng.normal(size=300)
    known = rng.random(300) > 0.3
    columns = {"kind": np.array(["a", "b", "c"])[group], "size": np.where(known, size, np.nan)}
    _, inputs = fitted(columns, missing="predicted", scale="none")
    np.testing.assert_allclose(inputs[known, 3], size[known], rtol=1e-6)
    assert np.abs(inputs[~known, 3] - size[~known]).mean() < 2


def test_predicted_values_stay_within_the_training_range() -> None:
    x = np.linspace(0, 1, 50)
    preparation, _ = fitted({"x": x, "y": 2 * x}, missing="predicted", scale="none")
    inputs = preparation.inputs(Table({"x": [1e6, 0.25], "y": [np.nan, np.nan]}))
    assert inputs[:, 1] == pytest.approx([2, 0.5], abs=0.02)


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    values, _ = blanked(correlated(80, 3), 4)
    preparation = TablePreparation.fit(as_table(values), TableSettings(missing="predicted"))
    whole = preparation.inputs(as_table(values))
    alone = np.vstack([preparation.inputs(as_table(values[[row]])) for row in range(80)])
    np.testing.assert_allclose(alone, whole, rtol=1e-5, atol=1e-6)


def test_many_columns_and_rows_use_the_most_correlated_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    from gputrain.data.tabular import chained

    monkeypatch.setattr(chained, "MAX_PREDICTORS", 2)
    monkeypatch.setattr(chained, "MAX_ROWS", 100)
    truth = correlated(300, 5)
    values, gaps = blanked(truth, 6)
    settings = TableSettings(scale="none", missing="predicted", missing_indicators=False)
    preparation = TablePreparation.fit(as_table(values), settings)
    assert preparation.chain is not None
    assert preparation.chain.predictors.shape == (8, 2)
    by_means = error(np.where(gaps, np.nanmean(values, 0), truth), truth, gaps)
    assert error(preparation.inputs(as_table(values)), truth, gaps) < 0.8 * by_means


# --------------------------------------------------------------------------------------------------- configs

ROWS = Table(
    {
        "age": ["20", "", "40", "0", "33", "51"],
        "income": [1e3, 5e6, np.nan, 2e3, 900.0, 12345.0],
        "job": ["nurse", "", "clerk", "nurse", "cook", "clerk"],
        "id": ["a", "b", "c", "d", "e", "f"],
    }
)
SETTINGS = TableSettings(
    ignore=("id",), zero_is_missing=("age",), checks={"age": ColumnCheck(max=120, values=())}
)


@pytest.mark.parametrize("missing", ["mean", "median", "predicted", "drop"])
@pytest.mark.parametrize("scale", ["standard", "minmax", "quantile", "none"])
def test_a_config_makes_an_equal_preparation(missing: Any, scale: Any) -> None:
    made = TablePreparation.fit(ROWS, replace(SETTINGS, missing=missing, scale=scale))
    config = json.loads(json.dumps(made.to_config(), allow_nan=False))
    again = TablePreparation.from_config(config)
    assert again.settings == made.settings
    assert again.input_names == made.input_names
    rows = ROWS.take(made.kept(ROWS))
    np.testing.assert_array_equal(again.inputs(rows), made.inputs(rows))
    assert again.to_config() == config


def edited(*path: Any, value: Any) -> Any:
    """The config of a preparation with one value changed, or taken away."""
    config = copy.deepcopy(VALID)
    place = config
    for key in path[:-1]:
        place = place[key]
    if value is DELETED:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return config


DELETED = object()
VALID = TablePreparation.fit(ROWS, replace(SETTINGS, missing="predicted", scale="quantile")).to_config()
LINEAR = {"centre": 0.0, "size": 1.0}

DAMAGED: list[tuple[tuple[Any, ...], Any, str]] = [
    (("format",), "gputrain table 9", "format"),
    (("chain",), DELETED, "the top"),
    (("more",), 1, "the top"),
    (("settings",), [], "settings"),
    (("settings", "more"), 1, "settings"),
    (("settings", "checks"), {"age": {"min": 1, "code": "x"}}, "settings.checks.age"),
    (("columns",), {}, "columns"),
    (("columns",), [], "columns"),
    (("columns", 0), 3, r"columns\[0\]"),
    (("columns", 0, "kind"), "pickle", r"columns\[0\].kind"),
    (("columns", 0, "name"), 3, r"columns\[0\].name"),
    (("columns", 0, "name"), "job", "columns"),
    (("columns", 0, "had_missing"), 1, r"columns\[0\].had_missing"),
    (("columns", 0, "fill"), float("nan"), r"columns\[0\].fill"),
    (("columns", 0, "fill"), True, r"columns\[0\].fill"),
    (("columns", 0, "fill"), DELETED, r"columns\[0\]"),
    (("columns", 0, "scaler"), {**LINEAR, "size": 0}, r"columns\[0\].scaler.size"),
    (("columns", 0, "scaler"), {**LINEAR, "size": "1"}, r"columns\[0\].scaler.size"),
    (("columns", 0, "scaler"), {"centre": 1}, r"columns\[0\].scaler"),
    (("columns", 0, "scaler", "knots"), [1.0], r"columns\[0\].scaler.scores"),
    (("columns", 0, "scaler"), {"knots": [], "scores": []}, r"columns\[0\].scaler"),
    (("columns", 0, "scaler"), {"knots": [2, 1], "scores": [0, 1]}, r"columns\[0\].scaler"),
    (("columns", 0, "scaler"), {"knots": [[1]], "scores": [1]}, r"columns\[0\].scaler.knots"),
    (
        ("columns", 0, "scaler"),
        {"knots": list(range(256)), "scores": list(range(256))},
        r"columns\[0\].scaler",
    ),
    (("columns", 2, "categories"), ["a", "a"], r"columns\[2\].categories"),
    (("columns", 2, "categories"), ["a", 1], r"columns\[2\].categories"),
    (("columns", 2, "categories"), "abc", r"columns\[2\].categories"),
    (("chain",), None, "chain"),
    (("chain", "targets"), [0, 99], "chain.targets"),
    (("chain", "targets"), [0, 0.5], "chain.targets"),
    (("chain", "predictors"), [[0] * 4, [-1] * 4], "chain.predictors"),
    (("chain", "weights"), [[1.0], [1.0]], "chain.weights"),
    (("chain", "weights"), [[1.0, 2.0], [1.0]], "chain.weights"),
    (("chain", "centre"), [1.0], "chain.centre"),
    (("chain", "size"), [0.0] * 5, "chain.size"),
    (("chain", "lowest"), [9.0, 9.0], "chain.lowest"),
    (("chain", "intercepts"), [10**400, 1], "chain.intercepts"),
]


@pytest.mark.parametrize(("path", "value", "where"), DAMAGED)
def test_damaged_configs(path: tuple[Any, ...], value: Any, where: str) -> None:
    with pytest.raises(
        DataError, match=rf"A table's config is damaged at {where}\. Expected: .*Take it from the run"
    ):
        TablePreparation.from_config(edited(*path, value=value))


@pytest.mark.parametrize("config", [None, [], "x", {1: 2}, {}])
def test_what_is_no_config(config: Any) -> None:
    with pytest.raises(DataError, match="A table's config is damaged at the top"):
        TablePreparation.from_config(config)


@pytest.mark.parametrize(
    ("key", "value"),
    [("missing", "x"), ("scale", []), ("ignore", "id"), ("max_categories", 1e9), ("numeric", [1])],
)
def test_configs_with_wrong_settings(key: str, value: Any) -> None:
    with pytest.raises(DataError, match=f"TableSettings: {key}"):
        TablePreparation.from_config(edited("settings", key, value=value))


def test_a_hostile_config_gives_finite_inputs() -> None:
    config = edited("columns", 1, "scaler", value={"centre": -1e308, "size": 1e-300})
    config["chain"]["weights"] = [[1e308] * 4, [-1e308] * 4]
    config["chain"]["highest"] = [1e308, 1e308]
    config["columns"][0]["fill"] = 1e308
    assert np.isfinite(TablePreparation.from_config(config).inputs(ROWS)).all()


@pytest.mark.parametrize("path", [("columns",), ("settings", "ignore"), ("settings", "checks")])
def test_a_config_nested_without_end_gives_the_documented_error(path: tuple[str, ...]) -> None:
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]
    with pytest.raises(DataError):
        TablePreparation.from_config(edited(*path, value=deep))


def test_missing_cells_are_counted_by_column():
    table = Table({"age": ["31", "", "54", "NA"], "sex": ["f", "m", "", "m"], "size": ["1", "2", "3", "5"]})
    preparation = TablePreparation.fit(table, TableSettings())
    assert preparation.missing_cells(table) == {"age": 2, "sex": 1}
    assert preparation.missing_cells(table.take(np.array([0]))) == {}
