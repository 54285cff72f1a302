"""Signs in the data, before training."""

from __future__ import annotations

import numpy as np
import pytest

from gputrain import Input, Model, config, layers
from gputrain import losses as losses_
from gputrain.app.advice.inputs import data_advice
from gputrain.app.advice.task import Task, task_of
from gputrain.models import Sequential
from tests.app.advice.runs import digit_rows, normal, stack


def found(x, task=None, model=None, names=None):
    """Advice on data, by key."""
    model = model or stack(x.shape[1], layers.Dense(1))
    return {advice.key: advice for advice in data_advice(x, task or Task(), model, names) if advice}


def table(**columns):
    """Five columns of normal numbers, some replaced: c2=array."""
    x = normal(200, 5)
    for name, column in columns.items():
        x[:, int(name[1:])] = column
    return x


def test_a_healthy_table_has_no_sign():
    assert found(table()) == {}
    assert found(table(c0=np.arange(200) % 2, c1=np.arange(200) == 7)) == {}  # categories, a rare one too


def test_constant_feature():
    advice = found(table(c1=3.0, c4=0.0), names=list("abcde"))["constant_feature"]
    assert advice.sign == "2 of 5 features are the same in all 200 samples and tell nothing: 'b', 'e'."
    assert advice.epoch is None
    late = np.zeros(40_000)
    late[1] = 1.0  # between the rows that are looked at first
    assert "constant_feature" not in found(np.stack([late, normal(40_000)], 1).astype("float32"))


def test_duplicate_feature():
    x = table()
    x[:, 3] = x[:, 1]
    assert found(x)["duplicate_feature"].sign == (
        "1 of 5 features repeats another: column 3 equals column 1."
    )
    x[199, 3] += 1e-3
    assert found(x) == {}
    wide = normal(40_000, 2)
    wide[:, 1] = wide[:, 0]
    wide[1, 1] += 1.0
    assert found(wide) == {}


def test_background_of_images_is_no_sign():
    x = digit_rows()[0].astype("float32")
    assert (x.min(0) == x.max(0)).any()  # so the test can fail
    assert found(x) == {}
    assert found(x.reshape(-1, 8, 8), model=Sequential([Input(shape=(8, 8)), layers.Flatten()])) == {}


def test_features_of_other_scales():
    x = table(c2=50_000 + 1000 * normal(200, seed=1))
    sign = found(x)["unscaled_input"].sign
    assert sign.startswith("Features are of different scales: column 2 is about 4.99e+04, column 1 ")
    assert found(x, model=stack(5, layers.BatchNormalization(), layers.Dense(1))) == {}
    after = stack(5, layers.Dense(4, use_bias=False), layers.BatchNormalization(), layers.Dense(1))
    assert list(found(x, model=after)) == ["unscaled_input"]


BYTES = np.random.default_rng(0).integers(0, 256, (50, 6, 6, 1)).astype("uint8")


def images(*first):
    return Sequential([Input(shape=(6, 6, 1)), *first, layers.Flatten(), layers.Dense(2)])


@pytest.mark.parametrize(
    ("first", "fires"),
    [
        ([], True),
        ([layers.Conv2D(2, 3)], True),
        ([layers.Dropout(0.1), layers.Conv2D(2, 3)], True),
        ([layers.Rescaling(1 / 255)], False),
        ([layers.BatchNormalization()], False),
        ([layers.Reshape((36, 1)), layers.Rescaling(1 / 255)], False),
        ([layers.Conv2D(2, 3), layers.BatchNormalization()], False),  # twice the input is the same output
        ([layers.Activation("tanh")], False),  # nobody knows
    ],
)
def test_images_in_bytes(first, fires):
    advice = found(BYTES, model=images(*first))
    assert list(advice) == (["unscaled_input"] if fires else [])
    if fires:
        assert "they lie in 0..255, their usual size is 1" in advice["unscaled_input"].sign
        assert "Rescaling(1 / 255) first" in advice["unscaled_input"].tries[0]


def test_scaled_images_and_tiny_ones():
    assert found(BYTES / np.float32(255), model=images()) == {}
    assert "unscaled_input" in found(BYTES / np.float32(255) * 1e-3, model=images())


def test_arithmetic_on_the_inputs_counts_as_scaling():
    inputs = Input(shape=(6, 6, 1))
    model = Model(inputs, layers.Dense(2)(layers.Flatten()(inputs / 255.0)))
    assert found(BYTES, model=model) == {}


def test_indices_have_no_scale():
    inputs = Input(shape=(4,), dtype="int32")
    model = Model(inputs, layers.Dense(2)(inputs * 1.0))
    x = np.random.default_rng(0).integers(0, 30_000, (100, 4))
    assert found(x, model=model) == {}


def test_each_of_several_inputs_is_looked_at():
    first, second = Input(shape=(3,)), Input(shape=(2,))
    model = Model([first, second], layers.Dense(1)(layers.Concatenate()([first, second])))
    x = [normal(50, 3), 100.0 * normal(50, 2)]
    advice = [a for a in data_advice(x, Task(), model, None) if a is not None]
    assert [a.key for a in advice] == ["unscaled_input"]


def test_missing_values():
    config.set_nan_inputs("allow")
    hole = normal(200, seed=1)
    hole[:20] = np.nan
    advice = found(table(c3=hole))["missing_values"]
    assert advice.sign == "Values are missing (NaN) in column 3 (10.0%)."
    assert "median" in advice.tries[0]


def test_zeros_for_missing():
    weights = 70 + 10 * normal(200, seed=1)
    weights[:10] = 0
    advice = found(table(c3=weights / 70), names=["a", "b", "c", "weight", "d"])["zeros_for_missing"]
    assert "'weight' (5.0%)" in advice.sign
    assert "zero_is_missing" in advice.tries[0]
    counts = np.random.default_rng(0).poisson(3.0, 200)
    half_normal = np.maximum(0, normal(200, seed=2))
    assert found(table(c0=counts, c1=half_normal, c2=5 * (np.arange(200) % 3 == 0))) == {}


def classes(*counts):
    y = np.repeat(np.arange(len(counts)), counts)
    return task_of(losses_.SparseCategoricalCrossentropy(), y, ["rose", "lily", "iris"])


def test_imbalance():
    advice = found(table(), classes(4, 100, 96))["class_imbalance"]
    assert advice.sign == ("Classes are imbalanced: 4 samples of 'rose', 25 times as many (100) of 'lily'.")
    assert advice.tries[0].startswith("class_weight=")
    assert found(table(), classes(10, 100, 90)) == {}


def test_a_class_with_one_sample():
    advice = found(table(), classes(1, 100, 99))
    assert list(advice) == ["rare_class", "class_imbalance"]
    assert advice["rare_class"].sign == "There is one sample only of class 'rose'."


def test_unscaled_target():
    mse = losses_.MeanSquaredError()
    prices = 200_000 + 50_000 * normal(200)
    assert "usual size is 2" in found(table(), task_of(mse, prices))["unscaled_target"].sign
    assert found(table(), task_of(mse, normal(200))) == {}


def test_few_samples():
    wide = stack(5, layers.Dense(40_000))
    advice = found(table(), model=wide)["few_samples"]
    assert "200 for 240000 trainable weights, 1200 weights each" in advice.sign
    wide.layers[0].trainable = False
    assert found(table(), model=wide) == {}


@pytest.mark.parametrize(
    ("loss", "y", "baseline"),
    [
        (losses_.MeanSquaredError(), [0.0, 2.0, 4.0], 8 / 3),
        (losses_.MeanAbsoluteError(), [0.0, 1.0, 8.0], 8 / 3),
        (losses_.MeanSquaredError(), [[0.0, 0.0], [2.0, 4.0]], 2.5),
        (losses_.BinaryCrossentropy(), [0, 0, 0, 1], -0.75 * np.log(0.75) - 0.25 * np.log(0.25)),
        (losses_.BinaryCrossentropy(), [[0, 1], [1, 1]], np.log(2) / 2),
        (losses_.SparseCategoricalCrossentropy(), [[0], [1], [2], [3]], np.log(4)),
        (losses_.CategoricalCrossentropy(), [[1, 0], [0, 1]], np.log(2)),
        (losses_.CategoricalCrossentropy(), [0, 1], np.log(2)),
        (losses_.MeanSquaredError(reduction="sum"), [0.0, 2.0], None),
        (losses_.MeanSquaredError(), [1.0, 1.0], None),
        (losses_.LossFunctionWrapper(losses_.mean_squared_error), [0.0, 2.0], None),
        (None, [0.0, 2.0], None),
    ],
)
def test_loss_of_a_constant_prediction(loss, y, baseline):
    assert task_of(loss, np.array(y)).baseline == (None if baseline is None else pytest.approx(baseline))


def test_what_is_no_class_has_no_classes():
    sparse = losses_.SparseCategoricalCrossentropy()
    assert task_of(sparse, np.array([0.5, 1.0])).labels is None
    assert task_of(sparse, np.zeros((4, 3, 3), int)).labels is None
    assert task_of(losses_.BinaryCrossentropy(), np.array([0.0, 0.3])).counts is None
    assert task_of(sparse, None) == Task()
    assert task_of(losses_.BinaryCrossentropy(from_logits=True), np.array([0, 1])).threshold == 0.0
