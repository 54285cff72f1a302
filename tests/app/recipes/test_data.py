"""The data section: dividing, preparing and balancing."""

import numpy as np
import pytest

from gputrain import losses
from gputrain.app.recipes import data
from gputrain.app.recipes.data.splitting import some, split, stratified_split
from gputrain.app.recipes.errors import Source
from gputrain.data.tabular import Table
from gputrain.errors import DataError
from tests.app.recipes.material import flowers, houses, pictures, write_csv

CLASSES, NUMBERS = losses.SparseCategoricalCrossentropy, losses.MeanSquaredError


def resolved(loss=CLASSES, **section):
    return data.resolve(section, loss, Source("a.toml"))


def digits(**changes):
    return resolved(**{"dataset": "digits", "validation_fraction": 0.0, **changes})


def loaded(path, columns, loss=CLASSES, logits=False, **section):
    """Write a CSV file and load it."""
    write_csv(path, columns)
    return data.load(resolved(loss, file=str(path), **section), logits)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "table.csv"


def test_inputs_are_scaled_and_shaped():
    found = data.load(digits(reshape=[8, 8, 1]))
    x, y = found.train.x, found.train.y
    assert (x.shape, x.dtype, y.shape) == ((1437, 8, 8, 1), np.float32, (1437,))
    assert (x.min(), x.max()) == (0.0, 1.0)
    assert found.test.x.shape == (360, 8, 8, 1)
    assert found.validation is None


# ------------------------------------------------------------------------------------------------- dividing


def test_validation_takes_its_share_of_each_class():
    found = data.load(digits(validation_fraction=0.1))
    assert found.validation is not None
    kept, held = found.train.y, found.validation.y
    assert len(kept) + len(held) == 1437
    for label in range(10):
        total = np.sum(kept == label) + np.sum(held == label)
        assert np.sum(held == label) == round(0.1 * total)


def test_split_follows_the_seed_and_keeps_each_sample_once():
    labels = np.arange(100) % 3
    first, second = stratified_split(labels, 0.3, 1), stratified_split(labels, 0.3, 1)
    np.testing.assert_array_equal(first[1], second[1])
    assert not np.array_equal(first[1], stratified_split(labels, 0.3, 2)[1])
    np.testing.assert_array_equal(np.sort(np.concatenate(first)), np.arange(100))


@pytest.mark.parametrize(("members", "held"), [(1, 0), (2, 1), (3, 1)])
def test_small_classes_are_found_on_both_sides_when_they_can_be(members, held):
    labels = np.array([0] * members + [1] * 50)
    assert np.sum(labels[stratified_split(labels, 0.1, 1)[1]] == 0) == held


def test_a_high_share_leaves_one_sample_for_training():
    labels = np.zeros(4, int)
    assert stratified_split(labels, 0.99, 1)[0].size == 1


def numbered(rows):
    """A table whose column "row" tells which row a sample was."""
    return {"row": list(range(rows)), "species": ["ab"[row % 2] for row in range(rows)]}


def rows_of(part):
    return [int(cell) for cell in part.raw.x["row"]]


def test_the_parts_divide_the_samples(path):
    found = loaded(path, numbered(100), target="species", test_fraction=0.3, validation_fraction=0.2)
    parts = [rows_of(part) for part in (found.train, found.validation, found.test)]
    assert [len(part) for part in parts] == [56, 14, 30]
    assert sorted(row for part in parts for row in part) == list(range(100))
    for part in (found.validation, found.test):
        assert np.bincount(part.truth).tolist() == [len(part) // 2] * 2


def test_which_sample_is_where_follows_the_split_seed_alone(path):
    first = loaded(path, numbered(50), target="species")
    second = loaded(path, numbered(50), target="species")
    other = loaded(path, numbered(50), target="species", split_seed=1)
    assert rows_of(first.test) == rows_of(second.test) != rows_of(other.test)


def test_a_fifth_is_tested_on_unless_the_recipe_says_otherwise(path):
    assert len(loaded(path, numbered(50), target="species").test) == 10
    without = loaded(path, numbered(50), target="species", test_fraction=0.0)
    assert without.test is None
    assert len(without.train) == 50


def test_without_stratify_classes_do_not_count(path):
    columns = {"x": list(range(10)), "species": ["a"] * 9 + ["b"]}
    with pytest.raises(
        DataError, match=r"test need a sample of each class\. Received: a single one of 'b'\..*strat"
    ):
        loaded(path, columns, target="species")
    found = loaded(path, columns, target="species", stratify=False)
    assert len(found.train) == 8


def test_one_sample_cannot_be_divided():
    with pytest.raises(DataError, match=r"Training and test need a sample each\. Received: 1 sample"):
        split(None, 1, 0.5, 0, "test")


def test_train_samples_takes_some_of_each_class(path):
    found = loaded(path, numbered(100), target="species", train_samples=10)
    assert np.bincount(found.train.truth).tolist() == [5, 5]
    assert len(found.test) == 20
    more = loaded(path, numbered(100), target="species", train_samples=20)
    assert set(rows_of(found.train)) < set(rows_of(more.train))


def test_train_samples_of_numbers(path):
    found = loaded(path, houses(), NUMBERS, target="price", train_samples=7)
    assert len(found.train) == 7


def test_more_train_samples_than_there_are():
    with pytest.raises(DataError, match=r"data\.train_samples cannot .*Expected: at most 5\. Received: 6"):
        some(None, 5, 6, 0)


def test_a_part_is_prepared_with_what_the_training_samples_show(path):
    columns = {"x": [0.0] * 40 + [100.0] * 10, "species": ["a", "b"] * 25}
    found = loaded(path, columns, target="species", table={"scaling": "minmax"})
    cells = np.array([float(cell) for cell in found.train.raw.x["x"]])
    low, high = cells.min(), cells.max()
    held = np.array([float(cell) for cell in found.test.raw.x["x"]])
    np.testing.assert_allclose(found.test.x[:, 0], (held - low) / (high - low), rtol=1e-6)


# -------------------------------------------------------------------------------------------------- targets


@pytest.mark.parametrize(
    ("loss", "one_hot"),
    [
        (losses.SparseCategoricalCrossentropy, False),
        (losses.CategoricalCrossentropy, True),
        (losses.CategoricalHinge, True),
        (losses.BinaryCrossentropy, False),
    ],
)
def test_classes_are_told_as_the_loss_takes_them(loss, one_hot):
    assert resolved(loss, file="a.csv")["one_hot"] is one_hot
    assert resolved(loss, file="a.csv", one_hot=not one_hot)["one_hot"] is not one_hot


def test_one_hot_rows(path):
    found = loaded(path, flowers(), target="species", one_hot=True)
    assert found.train.y.shape == (48, 3)
    assert found.train.y.dtype == np.float32
    np.testing.assert_array_equal(found.train.y.argmax(axis=1), found.train.truth)
    np.testing.assert_array_equal(found.train.y.sum(axis=1), 1)


def test_classes_are_numbered_in_their_order(path):
    found = loaded(path, {"x": [1, 2, 3, 4, 5, 6], "n": [10, 9, 10, 9, 10, 9]}, target="n", test_fraction=0.0)
    assert found.preparation.class_names == ("9", "10")
    assert found.train.truth.tolist() == [1, 0, 1, 0, 1, 0]


def test_numbers_to_predict_are_scaled_for_the_loss_alone(path):
    found = loaded(path, houses(), NUMBERS, target="price")
    truth = np.array([float(cell) for cell in found.train.raw.y])
    np.testing.assert_array_equal(found.train.truth[:, 0], truth)
    expected = (truth - truth.mean()) / truth.std()
    np.testing.assert_allclose(found.train.y[:, 0], expected, rtol=1e-5, atol=1e-6)
    back = found.preparation.targets.decode(found.train.y)
    np.testing.assert_allclose(back[:, 0], truth, rtol=1e-5)


def test_numbers_to_predict_as_they_are(path):
    found = loaded(path, houses(), NUMBERS, target="price", scale_targets=False)
    np.testing.assert_allclose(found.train.y, found.train.truth, rtol=1e-6)


def test_several_targets(path):
    found = loaded(path, houses(), NUMBERS, target=["price", "rent"])
    assert found.train.y.shape == (64, 2)
    assert found.outputs == 2
    assert found.preparation.targets.names == ("price", "rent")
    assert found.train.raw.x.names == ("area", "rooms")
    np.testing.assert_allclose(found.train.y.std(axis=0), 1, rtol=1e-5)


def test_a_constant_target_is_only_centred(path):
    found = loaded(path, {"x": list(range(10)), "target": [7.0] * 10}, NUMBERS)
    np.testing.assert_array_equal(found.train.y, 0)


BAD_TARGETS = [
    (NUMBERS, [1, 2, "many", 4, 5, 6], r"must be a finite number\. Received: 'many' in 'target', sample 2"),
    (NUMBERS, [1, 2, "inf", 4, 5, 6], r"must be a finite number\. Received: 'inf' in 'target', sample 2"),
    (CLASSES, ["a"] * 6, r"several of them\.|at least two classes"),
    (CLASSES, [None] * 6, r"no row has a target\. Received: 6 row\(s\) without one"),
    (NUMBERS, [None] * 6, r"no row has a target"),
]


@pytest.mark.parametrize(("loss", "target", "message"), BAD_TARGETS)
def test_targets_that_cannot_be_used(path, loss, target, message):
    with pytest.raises(DataError, match=message):
        loaded(path, {"x": list(range(6)), "target": target}, loss, test_fraction=0.0)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1.5])
def test_labels_that_are_no_whole_numbers(tmp_path, value):
    y = np.array([0.0, 1.0, value, 1.0])
    np.savez(tmp_path / "a.npz", x=np.ones((4, 2)), y=y)
    with pytest.raises(DataError, match=rf"text or whole numbers\. Received: {value} as target 2"):
        data.load(resolved(file=str(tmp_path / "a.npz")))


def test_rows_without_a_target_are_left_out(path, caplog):
    columns = flowers()
    columns["species"][:2] = [None, "NA"]
    found = loaded(path, columns, target="species")
    assert len(found.train) + len(found.test) == 58
    assert "2 of 60 rows have no target and are left out" in caplog.text


# ------------------------------------------------------------------------------------------------ balancing

RARE = {"x": list(range(60)), "species": ["a"] * 50 + ["b"] * 10}


@pytest.mark.parametrize(("balance", "count"), [("oversample", 32), ("undersample", 6)])
def test_only_the_training_part_is_balanced(path, balance, count):
    section = {"target": "species", "validation_fraction": 0.2, "test_fraction": 0.2}
    plain = loaded(path, RARE, **section)
    found = loaded(path, RARE, balance=balance, **section)
    assert np.bincount(plain.train.truth).tolist() == [32, 6]
    assert np.bincount(found.train.truth).tolist() == [count, count]
    for name in ("validation", "test"):
        np.testing.assert_array_equal(getattr(found, name).x, getattr(plain, name).x)
    cells = {cell for part in (found.validation, found.test) for cell in part.raw.x["x"]}
    assert not cells & set(found.train.raw.x["x"])


def test_decisions_of_least_expected_cost(path):
    # p(b) = 0.1: saying "a" costs 0.1 * 20 = 2, saying "b" costs 0.9 * 1 = 0.9.
    found = loaded(path, RARE, target="species", cost_matrix=[[0, 1], [20, 0]])
    outputs = np.array([[0.9, 0.1], [0.99, 0.01]], np.float32)
    assert found.preparation.decided(found.preparation.probabilities(outputs)).tolist() == [1, 0]
    plain = loaded(path, RARE, target="species").preparation
    assert plain.decided(plain.probabilities(outputs)).tolist() == [0, 0]


@pytest.mark.parametrize("matrix", [[[0, 1, 1], [1, 0, 1], [1, 1, 0]], [[1, 1], [1, 0]], [[0, 1], [1]]])
def test_cost_matrices_that_do_not_fit(path, matrix):
    with pytest.raises(DataError, match=r"cost matrix|right decision costs nothing"):
        loaded(path, RARE, target="species", cost_matrix=matrix)


def test_outputs_become_probabilities(path):
    made = loaded(path, RARE, target="species", logits=True).preparation
    np.testing.assert_allclose(made.probabilities(np.array([[0.0]])), [[0.5, 0.5]])
    np.testing.assert_allclose(made.probabilities(np.array([[1.0, 1.0 + np.log(3)]])), [[0.25, 0.75]])
    made = loaded(path, RARE, target="species").preparation
    np.testing.assert_allclose(made.probabilities(np.array([[0.25]])), [[0.75, 0.25]])
    np.testing.assert_allclose(made.probabilities(np.array([[0.2, 0.6]])), [[0.25, 0.75]])
    np.testing.assert_allclose(made.probabilities(np.zeros((1, 2))), [[0.5, 0.5]])


# --------------------------------------------------------------------------------------------------- tables


def test_zeros_that_mean_missing(path):
    columns = {"x": [0, 2, 4, 0, 6, 8], "target": ["a", "b"] * 3}
    section = {
        "test_fraction": 0.0,
        "table": {"missing": "mean", "scaling": "none", "zero_is_missing": ["x"]},
    }
    found = loaded(path, columns, **section)
    np.testing.assert_array_equal(found.train.x[:, 0], [5, 2, 4, 5, 6, 8])
    np.testing.assert_array_equal(found.train.x[:, 1], [1, 0, 0, 1, 0, 0])


def test_rows_with_missing_cells_are_dropped_from_every_part(path):
    columns = flowers()
    columns["length"][::10] = [None] * 6
    found = loaded(path, columns, target="species", validation_fraction=0.2, table={"missing": "drop"})
    parts = (found.train, found.validation, found.test)
    assert sum(map(len, parts)) == 54
    for part in parts:
        assert len(part.x) == len(part.y) == len(part.truth) == len(part.raw)
        assert "" not in part.raw.x["length"].tolist()


def test_all_rows_dropped(path):
    with pytest.raises(DataError, match="leaves no row: each has a missing cell"):
        loaded(path, {"x": [None] * 6, "z": [1] * 6, "target": ["a", "b"] * 3}, table={"missing": "drop"})


CHECKS = [
    ({"min": 0}, r"Column 'x' holds numbers >= 0\. Received: '-1' in line 3 of "),
    ({"max": 2}, r"Column 'x' holds numbers <= 2\. Received: '3' in line 5"),
    ({"integer": True}, r"Column 'x' holds whole numbers\. Received: '1.5' in line 4"),
    ({"values": ["-1", "3"]}, r"Column 'x' holds one of -1, 3\. Received: '0' in line 2"),
    ({"required": True}, r"Column 'x' holds no missing cells\. Received: '' in line 6"),
    ({"unique": True}, r"Column 'x' holds no value twice\. Received: '3' in line 7"),
]


@pytest.mark.parametrize(("check", "message"), CHECKS)
def test_checks_of_columns(path, check, message):
    columns = {"x": [0, -1, 1.5, 3, None, 3], "target": ["a", "b"] * 3}
    with pytest.raises(DataError, match=message):
        loaded(path, columns, test_fraction=0.0, stratify=False, table={"checks": {"x": check}})


def test_a_check_of_a_column_that_is_not_there(path):
    with pytest.raises(DataError, match=r"No column 'lenght' in .*table\.csv\. Did you mean 'length'"):
        loaded(path, flowers(), target="species", table={"checks": {"lenght": {"min": 0}}})


def test_columns_that_tell_nothing_are_told(path, caplog):
    columns = {**flowers(), "always": [1] * 60}
    loaded(path, columns, target="species")
    assert "Column 'always' has one value or none" in caplog.text


def test_a_column_without_any_cell(path, caplog):
    found = loaded(path, {**flowers(), "empty": [None] * 60}, target="species")
    assert np.isfinite(found.train.x).all()
    assert "Column 'empty'" in caplog.text


def test_a_cell_that_is_no_number_in_a_column_of_numbers(path):
    columns = flowers()
    columns["length"][3] = "long"
    with pytest.raises(DataError, match=r"'length'.*'long' in line 5 of"):
        loaded(path, columns, target="species", table={"numeric": ["length"]})


def test_columns_of_one_name(path):
    path.write_text("x,x,target\n1,2,a\n3,4,b\n")
    with pytest.raises(DataError, match=r"Column names are unique\. Received: 'x' more than once"):
        data.load(resolved(file=str(path)))


def test_a_target_column_that_is_not_there(path):
    with pytest.raises(
        DataError, match=r"no column 'specie' to predict\..*Did you mean 'species'.*data\.target"
    ):
        loaded(path, flowers(), target="specie")


def test_a_table_of_its_target_alone(path):
    with pytest.raises(DataError, match="a table needs a column beside its target"):
        loaded(path, {"target": ["a", "b"] * 3})


# ----------------------------------------------------------------------------------------------- other data


def test_the_preparation_survives_its_file(path, tmp_path):
    columns = flowers()
    columns["length"][0] = None
    for section in ({"missing": "median"}, {"missing": "predicted"}, {"scaling": "quantile"}):
        found = loaded(path, columns, target="species", table=section)
        (tmp_path / "p.json").write_text(found.preparation.to_json(), encoding="utf-8")
        again = data.read_preparation(tmp_path / "p.json")
        assert again.to_json() == found.preparation.to_json()
        np.testing.assert_array_equal(again.inputs(found.test.raw.x), found.test.x)
        assert again.class_names == ("iris", "setosa", "virginica")


def test_other_samples_are_prepared_the_same_way(path):
    found = loaded(path, flowers(), target="species")
    part = data.prepared(found.test.raw, found.preparation)
    np.testing.assert_array_equal(part.x, found.test.x)
    np.testing.assert_array_equal(part.y, found.test.y)


def test_columns_that_lack(path):
    found = loaded(path, flowers(), target="species")
    with pytest.raises(
        DataError, match=r"every column that the model was trained on.*also 'colour', 'width'|'width'"
    ):
        found.preparation.inputs(Table({"length": [1.0]}))


def test_samples_of_another_shape(tmp_path):
    x, y = pictures()
    np.savez(tmp_path / "a.npz", x=x, y=y)
    inputs = data.load(resolved(file=str(tmp_path / "a.npz"))).preparation.inputs
    assert inputs(x[:2].reshape(2, 16)).shape == (2, 4, 4)
    with pytest.raises(
        DataError, match=r"the shape that the model was made for\. Expected: \(n, 4, 4\)\. Received: sh"
    ):
        inputs(x[:, :3])
    with pytest.raises(DataError, match=r"Inputs must be numbers\. Received: an array of <U1"):
        inputs(np.array([["a"] * 16]))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_inputs_that_are_not_finite(tmp_path, value):
    x = np.ones((6, 3))
    x[4, 1] = value
    np.savez(tmp_path / "a.npz", x=x, y=[0, 1] * 3)
    with pytest.raises(
        DataError, match=r"must be finite numbers.* Received: .* in sample \d \(counted from 0\), 1 in"
    ):
        data.load(resolved(file=str(tmp_path / "a.npz"), test_fraction=0.0))
