"""The digits that are shipped: complete, real, and split as their text file says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gputrain.data.io.npz import read_npz
from gputrain.datasets import digits, locate


def stored(name: str) -> np.ndarray:
    path = locate("digits")
    assert path is not None
    return read_npz(path, [name])[name]


def test_shapes_dtypes_and_values() -> None:
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    assert (x_train.shape, y_train.shape) == ((1437, 8, 8), (1437,))
    assert (x_test.shape, y_test.shape) == ((360, 8, 8), (360,))
    assert {array.dtype for array in (x_train, y_train, x_test, y_test)} == {np.dtype(np.uint8)}
    assert (x_train.min(), x_train.max()) == (0, 16)
    assert set(y_train) == set(y_test) == set(range(10))


def test_the_split_is_disjoint_and_complete() -> None:
    rows = np.concatenate([stored("train_index"), stored("test_index")])
    assert sorted(rows.tolist()) == list(range(1797))


def test_the_split_is_stratified() -> None:
    (_, y_train), (_, y_test) = digits.load_data()
    share = np.bincount(np.concatenate([y_train, y_test])) * 360 / 1797
    assert np.abs(np.bincount(y_test) - share).max() < 1


def test_two_calls_agree_and_share_nothing() -> None:
    (first, _), _ = digits.load_data()
    (second, _), _ = digits.load_data()
    np.testing.assert_array_equal(first, second)
    first[:] = 0
    assert second.any()


@pytest.mark.peer
def test_the_values_are_those_of_scikit_learn() -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    bunch = datasets.load_digits()
    np.testing.assert_array_equal(stored("images"), bunch.images)
    np.testing.assert_array_equal(stored("labels"), bunch.target)


def test_source_and_licence_stand_beside_the_file() -> None:
    path = locate("digits")
    assert path is not None
    text = path.with_name("digits.txt").read_text(encoding="utf-8")
    for words in ("Alpaydin", "Kaynak", "UCI Machine Learning Repository", "CC BY 4.0", "10.24432/C50P49"):
        assert words in text


def test_importing_the_room_loads_no_network_or_archive_modules() -> None:
    heavy = ["ssl", "urllib.request", "http.client", "gzip", "zipfile", "tqdm", "difflib"]
    code = (
        "import sys, numpy; before = set(sys.modules); import gputrain.datasets; "
        f"print([name for name in {heavy} if name in set(sys.modules) - before])"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
