"""The data section: preparing and dividing."""

import numpy as np
import pytest

from gputrain.recipes import data
from gputrain.recipes.data.splitting import stratified_split
from gputrain.recipes.errors import Source

SECTION = {"dataset": "digits", "validation_fraction": 0.0}


def resolved(**changes):
    return data.resolve({**SECTION, **changes}, "SparseCategoricalCrossentropy", Source("a.toml"))


def test_inputs_are_scaled_and_shaped():
    loaded = data.load(resolved(reshape=[8, 8, 1]))
    x, y = loaded.train.x, loaded.train.y
    assert (x.shape, x.dtype, y.shape) == ((1437, 8, 8, 1), np.float32, (1437,))
    assert (x.min(), x.max()) == (0.0, 1.0)
    assert loaded.test.x.shape == (360, 8, 8, 1)
    assert loaded.validation is None


def test_validation_takes_its_share_of_each_class():
    loaded = data.load(resolved(validation_fraction=0.1))
    assert loaded.validation is not None
    kept, held = loaded.train.y, loaded.validation.y
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
