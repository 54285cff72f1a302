"""The tables that come with scikit-learn: complete, split once, and said clearly where it is missing."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pytest

from gputrain.datasets import DatasetUnavailableError, breast_cancer, diabetes, wine
from gputrain.errors import DataError

SETS = [(breast_cancer, 569, 30), (wine, 178, 13), (diabetes, 442, 10)]


@pytest.mark.parametrize(("module", "rows", "width"), SETS)
def test_the_split_is_disjoint_complete_and_repeatable(module: ModuleType, rows: int, width: int) -> None:
    bunch = pytest.importorskip("sklearn.datasets")
    options = {"scaled": False} if module is diabetes else {}
    whole = getattr(bunch, f"load_{module.__name__.rpartition('.')[2]}")(**options)
    (x_train, y_train), (x_test, y_test) = module.load_data()
    assert x_train.shape == (int(rows * 0.8), width)
    assert x_test.shape == (rows - int(rows * 0.8), width)
    both = np.column_stack([np.concatenate([x_train, x_test]), np.concatenate([y_train, y_test])])
    assert sorted(map(tuple, both)) == sorted(map(tuple, np.column_stack([whole.data, whole.target])))
    assert not np.array_equal(both[:, 0], whole.data[:, 0]), "shuffled"
    np.testing.assert_array_equal(module.load_data()[0][0], x_train)
    (other, _), (held, _) = module.load_data(test_split=0.5, seed=7)
    assert len(held) == rows - rows // 2
    assert not np.array_equal(other, x_train[: len(other)])


def test_tables_have_names_and_targets() -> None:
    pytest.importorskip("sklearn")
    table = breast_cancer.load_table()
    assert (table.rows, len(table.names)) == (569, 31)
    assert (table.names[0], table.names[-1]) == ("mean radius", "target")
    assert (table["target"] == "malignant").sum() == 212
    assert set(wine.load_table()["target"]) == {"class_0", "class_1", "class_2"}
    target = diabetes.load_table()["target"]
    assert (target.dtype, target.min(), target.max()) == (np.float64, 25, 346)


@pytest.mark.parametrize("share", [0.0, 1.0, -1, 2, 0.9999])
def test_a_split_that_leaves_a_part_empty(share: float) -> None:
    pytest.importorskip("sklearn")
    with pytest.raises(
        DataError, match=r"test_split is a share that leaves samples in both parts\. Expected: a number"
    ):
        wine.load_data(test_split=share)


@pytest.mark.parametrize("module", [breast_cancer, wine, diabetes])
def test_without_scikit_learn(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    for load in (module.load_data, module.load_table):
        with pytest.raises(
            DatasetUnavailableError,
            match=r"comes with scikit-learn, which cannot.*pip install \"gputrain\[tabular\]\"",
        ):
            load()
