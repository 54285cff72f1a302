"""Resampling, cost matrices and labels, against counts and loops."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from gputrain.data.tabular import Labels, check_cost_matrix, decide, resample
from gputrain.errors import DataError

SAMPLES = np.array([0] * 50 + [1] * 7 + [2] * 20)


def test_oversampling_keeps_every_sample_and_repeats_evenly() -> None:
    chosen = resample(SAMPLES, "oversample", 3)
    assert np.bincount(SAMPLES[chosen]).tolist() == [50, 50, 50]
    times = np.bincount(chosen, minlength=len(SAMPLES))
    for label, least in ((0, 1), (1, 7), (2, 2)):
        of_class = times[label == SAMPLES]
        assert of_class.min() == least
        assert of_class.max() <= least + 1


def test_undersampling_repeats_nothing() -> None:
    chosen = resample(SAMPLES, "undersample", 3)
    assert np.bincount(SAMPLES[chosen]).tolist() == [7, 7, 7]
    assert len(set(chosen.tolist())) == 21


@pytest.mark.parametrize("method", ["oversample", "undersample"])
def test_the_seed_decides_choice_and_order(method: str) -> None:
    first, again, other = (resample(SAMPLES, method, seed) for seed in (1, 1, 2))  # type: ignore[arg-type]
    assert first.dtype == np.int64
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    runs = len(list(itertools.groupby(SAMPLES[first].tolist())))
    assert runs > len(first) / 3, "the classes are mixed"


@pytest.mark.parametrize(
    ("labels", "method", "words"),
    [
        (SAMPLES, "oversmaple", r"no method 'oversmaple'\. Did you mean 'oversample'\?"),
        (
            SAMPLES / 2,
            "oversample",
            r"labels are integers, shape \(n,\), n >= 1\. Received: float64 of shape \(77,\)",
        ),
        (SAMPLES[:0], "oversample", r"Received: int64 of shape \(0,\)"),
        (SAMPLES[:, None], "undersample", r"Received: int64 of shape \(77, 1\)"),
    ],
)
def test_what_cannot_be_resampled(labels: np.ndarray, method: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        resample(labels, method, 1)  # type: ignore[arg-type]


def test_decisions_have_the_least_expected_cost() -> None:
    rng = np.random.default_rng(5)
    shares = rng.dirichlet(np.ones(4), 200)
    costs = rng.uniform(0, 9, (4, 4))
    np.fill_diagonal(costs, 0)
    wanted = []
    for p in shares:
        expected = [sum(p[i] * costs[i, j] for i in range(4)) for j in range(4)]
        wanted.append(expected.index(min(expected)))
    found = decide(shares, costs)
    assert found.dtype == np.int64
    assert found.tolist() == wanted
    assert (found != shares.argmax(1)).any(), "the costs matter"


def test_equal_costs_decide_for_the_most_probable() -> None:
    shares = np.random.default_rng(1).dirichlet(np.ones(3), 100).astype(np.float32)
    np.testing.assert_array_equal(decide(shares, 1 - np.eye(3)), shares.argmax(1))


def test_elkans_threshold_for_one_sigmoid_unit() -> None:
    # Class 1 pays from p >= c01 / (c01 + c10): Elkan 2001, equation 2.
    shares = np.array([[0.19], [0.21], [0.9]])
    assert decide(shares, [[0, 1], [4, 0]]).tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ([0.5, 0.5], r"shape \(n, classes\)\. Received: \(2,\)"),
        ([[2.0, -1.0]], r"lie in 0\.\.1\. Received: numbers from -1 to 2\. Put softmax or sigmoid"),
        ([[np.nan, 0.5]], r"lie in 0\.\.1"),
        ([[0.2, 0.3, 0.5]], r"Expected: shape \(3, 3\)\. Received: shape \(2, 2\)"),
    ],
)
def test_what_are_no_probabilities(shares: list, words: str) -> None:
    with pytest.raises(DataError, match=words):
        decide(shares, [[0, 1], [1, 0]])


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        ([[0, 1], [2, 0], [3, 3]], r"Expected: shape \(2, 2\)\. Received: shape \(3, 2\)"),
        ([[0, 1]], r"Received: shape \(1, 2\)"),
        ([[0, 1], [0]], "A cost matrix holds numbers"),
        ([["x", 1], [1, 0]], "A cost matrix holds numbers"),
        ([[0, -1], [1, 0]], r"finite and not negative\. Received: -1 in row 0, column 1"),
        ([[0, 1], [np.inf, 0]], r"finite and not negative\. Received: inf in row 1, column 0"),
        ([[0, 1], [1, np.nan]], r"Received: nan in row 1, column 1"),
        (
            [[0, 1], [1, 0.5]],
            r"A right decision costs nothing\. Expected: zeros\. .*\[0\.0, 0\.5\]\. Subtract",
        ),
    ],
)
def test_what_is_no_cost_matrix(matrix: list, words: str) -> None:
    with pytest.raises(DataError, match=words):
        check_cost_matrix(matrix, 2)


@pytest.mark.parametrize(
    ("column", "classes"),
    [
        (["10", "9", "-1", "9"], ("-1", "9", "10")),
        (["10", "9", "x"], ("10", "9", "x")),
        ([1.0, 0.0, 1.0], ("0", "1")),
        ([0.5, 2.0], ("0.5", "2")),
        ([True, False], ("0", "1")),
        ([" yes", "no", "yes "], ("no", "yes")),
    ],
)
def test_classes_are_sorted(column: list, classes: tuple[str, ...]) -> None:
    labels = Labels.fit(np.array(column))
    assert labels.classes == classes
    encoded = labels.encode(np.array(column))
    assert encoded.dtype == np.int64
    as_text = [str(cell).strip() for cell in labels.decode(encoded)]
    assert [classes.index(text) for text in as_text] == encoded.tolist()


def test_labels_round_trip() -> None:
    column = np.array(["b", "a", "c", "a"], object)
    labels = Labels.fit(column)
    np.testing.assert_array_equal(labels.decode(labels.encode(column)), column)
    assert labels.decode([[0], [2]]).tolist() == [["a"], ["c"]]
    assert Labels.from_config(json.loads(json.dumps(labels.to_config()))) == labels


def test_unknown_labels_are_named_with_their_lines() -> None:
    labels = Labels.fit(["a", "b"])
    with pytest.raises(
        DataError,
        match=r"none of the classes\. Expected: a, b\. Received: 'c', '' in line 3, line 9\. Leave such rows",
    ):
        labels.encode(["a", "c", ""], lines=np.array([2, 3, 9]))
    with pytest.raises(DataError, match=r"'c' in row 1 \(from 0\), .*row 5 \(from 0\) and 2 more"):
        labels.encode(["a", *"ccccccc"])


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (["a", "", "NA"], r"A row has no label\. Received: '', 'NA' in row 1 \(from 0\), row 2"),
        ([1.0, np.nan], r"A row has no label\."),
        (["a", "a"], r"several of them\. Expected: 2 to 1000\. Received: 1 different values: a"),
        ([], r"several of them\. .*Received: 0 different"),
        (
            np.arange(1001) / 7,
            r"Received: 1001 different values.*For numbers to predict use a regression loss",
        ),
    ],
)
def test_what_is_no_target_of_classes(column: list, words: str) -> None:
    with pytest.raises(DataError, match=words):
        Labels.fit(np.array(column))


@pytest.mark.parametrize("indices", [[0, 2], [-1], [0.5], ["a"]])
def test_what_is_no_class_index(indices: list) -> None:
    with pytest.raises(DataError, match=r"Class indices name classes\. Expected: integers from 0 to 1"):
        Labels.fit(["a", "b"]).decode(indices)


@pytest.mark.parametrize(
    "config", [None, {}, {"classes": "ab"}, {"classes": ["a"]}, {"classes": ["a", "a"]},
               {"classes": ["a", 1]}, {"classes": ["a", "b"], "more": 1}]
)  # fmt: skip
def test_labels_from_a_damaged_config(config: object) -> None:
    with pytest.raises(DataError, match="A table's config is damaged at labels"):
        Labels.from_config(config)
