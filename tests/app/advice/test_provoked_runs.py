"""Every sign of a run, provoked in a real fit; digits and numbers made here, no run longer than a moment."""

from __future__ import annotations

import numpy as np
import pytest

from gputrain import layers, optimizers
from gputrain.callbacks import Advisor, Callback, ReduceLROnPlateau, TerminateOnNaN
from gputrain.errors import NonFiniteError
from tests.app.advice.runs import (
    BINARY,
    SPARSE,
    classifier,
    digit_rows,
    found,
    keys,
    minus_ten,
    normal,
    stack,
    trained,
)

X, Y, X_TEST, Y_TEST = (array[:128] for array in digit_rows())
RANDOM_LABELS = np.random.default_rng(5).integers(0, 10, 256)
TABLE = normal(200, 4)


def test_loss_not_falling():
    advisor = trained(classifier(), X, Y, SPARSE, optimizers.SGD(1e-5), epochs=5)
    assert "loss_not_falling" in keys(advisor)
    advice = found(advisor, "loss_not_falling")
    assert advice.epoch == 5  # 4 steps an epoch: fewer than 20 say nothing
    assert advice.tries[0] == "a learning rate of 0.0001 (now 1e-05): learning_rate in the optimizer"
    assert "a batch_size of 8 (now 32)" in advice.tries


def test_exploding_loss():
    advisor = trained(stack(4, layers.Dense(1)), TABLE, TABLE[:, 0], "mse", optimizers.SGD(1.5), epochs=4)
    assert keys(advisor)[0] == "exploding_loss"
    assert advisor.advice[0].epoch == 2


def test_oscillating_loss():
    """Each step of absolute error on +-1 is as large as the rate, so the weight jumps over its target."""
    x = np.tile([[1.0], [-1.0]], (8, 1)).astype("float32")
    model = stack(1, layers.Dense(1, use_bias=False, kernel_initializer="zeros"))
    advisor = trained(model, x, 2 * x[:, 0], "mae", optimizers.SGD(3.0), epochs=8, batch_size=16)
    assert keys(advisor) == ["oscillating_loss"]
    assert advisor.advice[0].epoch == 7
    assert "between 1 and 2" in advisor.advice[0].sign


def test_an_error_of_nan_leaves_advice():
    advisor = Advisor(X, Y, verbose=0)
    model = classifier()
    model.compile(optimizers.SGD(1e30), SPARSE)
    with pytest.raises(NonFiniteError, match="epoch 1, step 2"):
        model.fit(X, Y, verbose=0, callbacks=[advisor])
    assert keys(advisor) == ["non_finite"]
    assert "in step 2 of the run, at a learning rate of 1e+30" in advisor.advice[0].sign
    assert advisor.advice[0].epoch == 1


def test_terminate_on_nan_leaves_advice(capsys):
    advisor = trained(classifier(), X, Y, SPARSE, optimizers.SGD(1e30), callbacks=[TerminateOnNaN()])
    assert keys(advisor) == ["non_finite"]
    advisor = Advisor(X, Y, verbose=0)
    model = classifier()
    model.compile(optimizers.SGD(1e30), SPARSE)
    with pytest.raises(RuntimeError, match="the loss is nan"):
        model.fit(X, Y, verbose=0, callbacks=[advisor, TerminateOnNaN(raise_error=True)])
    assert keys(advisor) == ["non_finite"]


def test_an_error_of_another_kind_is_no_sign():
    class Broken(Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise ValueError("broken")

    advisor = Advisor(X, Y, verbose=0)
    model = classifier()
    model.compile("adam", SPARSE)
    with pytest.raises(ValueError, match="broken"):
        model.fit(X, Y, verbose=0, callbacks=[advisor, Broken()])
    assert advisor.advice == []


def test_slow_convergence():
    advisor = trained(classifier(), X, Y, SPARSE, optimizers.SGD(0.02), epochs=6)
    assert keys(advisor) == ["slow_convergence"]
    assert advisor.advice[0].epoch == 6
    assert "more epochs: 12 (now 6)" in advisor.advice[0].tries


def test_overfitting():
    """Labels without a rule can only be learned by heart."""
    y, y_val = RANDOM_LABELS[:128], RANDOM_LABELS[128:]
    model = classifier(hidden=64)
    held_out = (X_TEST, y_val)
    advisor = trained(
        model, X, y, SPARSE, optimizers.Adam(0.02), epochs=12, batch_size=16, validation_data=held_out
    )
    assert found(advisor, "overfitting").tries[0] == "EarlyStopping(patience=3, restore_best_weights=True)"


def test_generalization_gap():
    """Targets of validation that lie higher than those of training."""
    y = TABLE[:, 0]
    advisor = trained(
        stack(4, layers.Dense(1)),
        TABLE,
        y,
        "mse",
        optimizers.SGD(0.1),
        epochs=10,
        validation_data=(TABLE, y + 2.0),
    )
    assert keys(advisor) == ["generalization_gap"]


def test_underfitting():
    """A straight line through what is hardly one."""
    y = TABLE[:, 0] + 3 * np.cos(3 * TABLE[:, 1])
    model = stack(4, layers.Dense(1))
    advisor = trained(model, TABLE, y, "mse", optimizers.SGD(0.02), epochs=14)
    assert keys(advisor) == ["underfitting"]


def test_dead_relus():
    model = stack(
        64,
        layers.Dense(16, activation="relu", name="hidden", bias_initializer=minus_ten),
        layers.Dense(10, activation="softmax"),
    )
    advisor = trained(model, X, Y, SPARSE, "adam", epochs=2)
    assert keys(advisor) == ["dead_relus"]
    assert "16 of 16 units of 'hidden' gave 0 for every probe sample after epochs 1 and 2" in (
        advisor.advice[0].sign
    )


def test_update_ratio_high():
    """As with the oscillating loss, with a weight of 32 numbers."""
    x = np.repeat(np.tile([[1.0], [-1.0]], (8, 1)), 32, axis=1).astype("float32")
    model = stack(32, layers.Dense(1, use_bias=False, name="line"))
    advisor = trained(model, x, x[:, 0], "mae", optimizers.SGD(1.0), epochs=4, batch_size=8)
    assert "line/kernel by" in found(advisor, "update_ratio_high").sign


def test_update_ratio_low():
    advisor = trained(classifier(), X, Y, SPARSE, optimizers.SGD(1e-7), epochs=2)
    assert keys(advisor) == ["update_ratio_low"]


def test_learning_rate_spent():
    decay = optimizers.schedules.CosineDecay(0.01, decay_steps=8)
    advisor = trained(classifier(), X, Y, SPARSE, optimizers.Adam(decay), epochs=6)
    assert found(advisor, "learning_rate_spent").tries[0].endswith("decay_steps=24")


def test_learning_rate_at_bound():
    plateau = ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=100.0, min_lr=0.01)
    advisor = trained(classifier(), X, Y, SPARSE, optimizers.Adam(0.04), epochs=8, callbacks=[plateau])
    advice = found(advisor, "learning_rate_at_bound")
    assert advice.epoch == 5  # lowered after epochs 2 and 3, and two epochs at the bound
    assert "a lower bound: min_lr=0.0001" in advice.tries


def test_class_never_predicted():
    x, y = normal(200, 4), (np.arange(200) % 20 == 0).astype(int)
    model = stack(4, layers.Dense(1, activation="sigmoid", kernel_initializer="zeros"))
    names = {"class_names": ["common", "rare"]}
    advisor = trained(model, x, y, BINARY, optimizers.Adam(0.05), epochs=5, advisor=names)
    sign = found(advisor, "class_never_predicted").sign
    assert "Class 'rare' came out for none" in sign
    assert "5.0% of all samples are, 95.0% of the most frequent class" in sign
