"""Weights, trainable switches, penalties, constraints, learning rates: what can be changed between steps."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import layers, ops
from gputrain.errors import ShapeError
from tests.models.small import LABELS, ONE_HOT, QUIET, REAL, X, classifier, regressor, same
from tests.models.test_fit import Every


def test_weights_are_copied_out_and_set_whole_or_not_at_all() -> None:
    model = regressor()
    weights = model.get_weights()
    weights[0][:] = 0
    assert model.get_weights()[0].any()
    model.set_weights(weights)
    assert not model.layers[0].kernel.numpy().any()
    before = model.get_weights()
    with pytest.raises(
        ShapeError, match=r"dense.*/bias: the array has another shape.*Expected: \(2,\). Received: \(3,\)"
    ):
        model.set_weights([*(np.ones_like(w) for w in before[:3]), np.ones(3)])
    with pytest.raises(ShapeError, match=r"one array per weight. Expected: 4 arrays .*Received: 1 arrays"):
        model.set_weights(before[:1])
    assert same(before, model.get_weights())


def test_a_variable_reads_assigns_and_has_a_path() -> None:
    model = regressor()
    layer = model.layers[0]
    kernel = layer.kernel
    assert kernel.path == f"{model.name}/{layer.name}/kernel"
    assert kernel.shape == (4, 5)
    assert kernel.dtype == "float32"
    kernel.assign(np.zeros((4, 5)))
    kernel.assign_add(np.ones((4, 5)))
    assert (kernel.numpy() == 1).all()
    assert (np.asarray(kernel) == 1).all()
    with pytest.raises(ShapeError, match=r"assign\(\) needs the variable's shape"):
        kernel.assign(np.zeros((5, 4)))


def test_changing_trainable_between_fits_takes_effect() -> None:
    model = regressor(optimizer="adam")
    first, second = model.layers
    model.fit(X, REAL, **QUIET)
    for frozen, other in ((first, second), (second, first)):
        frozen.trainable, other.trainable = False, True
        kept, moved = frozen.get_weights(), other.get_weights()
        model.fit(X, REAL, **QUIET)
        assert same(kept, frozen.get_weights())
        assert not same(moved, other.get_weights())
    model.trainable = False
    assert model.trainable_variables == []
    assert len(model.non_trainable_variables) == 4
    kept = model.get_weights()
    model.fit(X, REAL, **QUIET)
    assert same(kept, model.get_weights())


def test_a_single_variable_can_be_frozen() -> None:
    model = regressor()
    model.layers[0].bias.trainable = False
    model.fit(X, REAL, **QUIET)
    assert not model.layers[0].bias.numpy().any()
    assert model.layers[1].bias.numpy().any()


def test_a_model_without_trainable_weights_says_so(caplog: pytest.LogCaptureFixture) -> None:
    model = regressor()
    model.trainable = False
    model.fit(X, REAL, **QUIET)
    assert "has no trainable weights: training changes nothing" in caplog.text


def test_an_optimizer_keeps_its_slots_over_freezing() -> None:
    model = regressor(optimizer=keras.optimizers.SGD(0.1, momentum=0.9))
    model.train_on_batch(X, REAL)
    before = _momenta(model)
    model.layers[1].trainable = False
    model.train_on_batch(X, REAL)
    between = _momenta(model)
    assert [m.size for m in between] == [20, 5]
    model.layers[1].trainable = True
    model.optimizer.learning_rate = 0.0  # so that momentum only decays
    model.train_on_batch(X, REAL)
    for found, earlier in zip(_momenta(model), [*between, *before[2:]], strict=True):
        np.testing.assert_allclose(found, 0.9 * earlier, rtol=1e-6)


def _momenta(model: Any) -> list[np.ndarray]:
    return [slots["momentum"] for slots in model.optimizer.slot_values().values()]


def test_learning_rate_is_readable_and_assignable() -> None:
    model = regressor(optimizer=keras.optimizers.SGD(0.25))
    rate = model.optimizer.learning_rate
    assert float(rate) == 0.25
    for change in (lambda: rate.assign(0.0), lambda: setattr(model.optimizer, "learning_rate", 0.0)):
        change()
        before = model.get_weights()
        model.fit(X, REAL, **QUIET)
        assert same(before, model.get_weights())
        assert float(model.optimizer.learning_rate) == 0


def test_learning_rate_set_by_a_callback_counts_from_the_next_step() -> None:
    model = regressor()
    kept: list[Any] = []

    def stop_learning(batch: int, logs: Any) -> None:
        model.optimizer.learning_rate = 0.0
        kept.append(model.get_weights())

    model.fit(X, REAL, batch_size=10, callbacks=[Every(batch=stop_learning)], **QUIET)
    assert same(kept[0], kept[-1])


def test_a_schedule_sets_the_rate_of_each_step() -> None:
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([1, 3], [0.1, 0.0, 0.2])
    model = regressor(optimizer=keras.optimizers.SGD(schedule))
    weights: list[Any] = [model.get_weights()]
    rates: list[float] = []

    def look(batch: int, logs: Any) -> None:
        weights.append(model.get_weights())
        rates.append(model.optimizer.learning_rate)

    model.fit(X, REAL, batch_size=10, callbacks=[Every(batch=look)], **QUIET)
    moved = [not same(a, b) for a, b in pairwise(weights)]
    assert moved == [True, True, False, False, True]
    assert rates == pytest.approx([0.1, 0.0, 0.0, 0.2, 0.2])


def test_a_schedule_is_asked_ahead_and_not_at_each_step() -> None:
    """Its value at a step follows from the optimizer's counter, which a GPU would have to be waited for."""
    asked: list[float] = []

    class Fixed(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step: float) -> float:
            asked.append(step)
            return 0.1

    model = regressor(optimizer=keras.optimizers.SGD(Fixed()))
    model.fit(X, REAL, batch_size=10, **QUIET)
    asked.clear()
    model.fit(X, REAL, batch_size=10, epochs=2, **QUIET)
    assert len(asked) <= 2  # once an epoch at most, of five steps each


def test_a_schedule_in_place_of_a_number_takes_effect_at_once() -> None:
    model = regressor()
    kept: list[Any] = []

    def schedule(batch: int, logs: Any) -> None:
        if batch == 0:
            model.optimizer.learning_rate = keras.optimizers.schedules.ExponentialDecay(0.0, 10, 0.9)
        kept.append(model.get_weights())

    model.fit(X, REAL, batch_size=10, callbacks=[Every(batch=schedule)], **QUIET)
    assert same(kept[0], kept[-1])
    with pytest.raises(TypeError, match="follows a schedule, which sets the rate at each step"):
        model.optimizer.learning_rate = 0.1


def test_a_counter_set_by_hand_moves_the_schedule() -> None:
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([999], [0.1, 0.0])
    model = regressor(optimizer=keras.optimizers.SGD(schedule))
    model.train_on_batch(X, REAL)
    model.optimizer.iterations.assign(2000)
    before = model.get_weights()
    model.train_on_batch(X, REAL)
    assert same(before, model.get_weights())


def test_regularizers_count_in_training_and_evaluation() -> None:
    dense = layers.Dense(2, use_bias=False, kernel_regularizer=keras.regularizers.L1L2(0.1, 0.2))
    model = keras.Sequential([keras.Input((4,)), dense])
    model.compile(keras.optimizers.SGD(0.5), keras.losses.MeanSquaredError())
    kernel = dense.kernel.numpy()
    penalty = 0.1 * np.abs(kernel).sum() + 0.2 * (kernel**2).sum()
    residual = X @ kernel - REAL
    assert model.evaluate(X, REAL, **QUIET) == pytest.approx((residual**2).mean() + penalty, rel=1e-5)
    assert float(sum(model.losses)) == pytest.approx(penalty, rel=1e-5)
    model.fit(X, REAL, batch_size=50, **QUIET)
    gradient = X.T @ (2 * residual / residual.size) + 0.1 * np.sign(kernel) + 0.4 * kernel
    np.testing.assert_allclose(dense.kernel.numpy(), kernel - 0.5 * gradient, rtol=1e-4, atol=1e-6)


def test_a_frozen_layer_pays_no_penalty() -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2, kernel_regularizer="l2")])
    model.layers[0].trainable = False
    assert model.losses == []


def test_activity_regularizer_is_a_mean_over_samples() -> None:
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(2, activity_regularizer=keras.regularizers.L2(0.1))]
    )
    model.compile("sgd", "mse")
    y = model.predict(X, **QUIET)
    expected = ((y - REAL) ** 2).mean() + 0.1 * (y**2).sum() / 50
    for size in (50, 10):
        assert model.evaluate(X, REAL, batch_size=size, **QUIET) == pytest.approx(expected, rel=1e-5)


class Penalty(layers.Layer):
    """Adds the mean square of its inputs to the loss."""

    def call(self, inputs: Any) -> Any:
        self.add_loss(ops.mean(ops.square(inputs)))
        return inputs


def test_add_loss_joins_the_compiled_loss_or_stands_alone() -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2), Penalty()])
    y = model.predict(X, **QUIET)
    model.compile("sgd", "mse")
    expected = ((y - REAL) ** 2).mean() + (y**2).mean()
    assert model.evaluate(X, REAL, batch_size=50, **QUIET) == pytest.approx(expected, rel=1e-5)
    model.compile("sgd")
    assert model.evaluate(X, batch_size=50, **QUIET) == pytest.approx((y**2).mean(), rel=1e-5)
    model.fit(X, epochs=5, **QUIET)
    assert (model.predict(X, **QUIET) ** 2).mean() < (y**2).mean()


def test_a_model_without_any_loss() -> None:
    with pytest.raises(ValueError, match=r"there is nothing to minimise. Pass loss= to compile\(\)"):
        regressor(loss=None).fit(X, **QUIET)


def test_constraints_hold_after_each_step() -> None:
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(2, kernel_constraint="non_neg", bias_constraint="max_norm")]
    )
    model.compile(keras.optimizers.SGD(0.5), "mse")

    def look(batch: int, logs: Any) -> None:
        assert (model.layers[0].kernel.numpy() >= 0).all()

    model.fit(X, REAL, batch_size=10, epochs=3, callbacks=[Every(batch=look)], **QUIET)


def test_batch_normalization_frozen_is_in_inference_mode() -> None:
    norm = layers.BatchNormalization()
    model = keras.Sequential([keras.Input((4,)), norm, layers.Dense(2)])
    model.compile("sgd", "mse")
    x = 5 * X + 3
    model.fit(x, REAL, **QUIET)
    assert norm.moving_mean.numpy().any()
    norm.trainable = False
    before = norm.get_weights()
    model.fit(x, REAL, epochs=2, **QUIET)
    assert same(before, norm.get_weights())
    np.testing.assert_array_equal(norm(x, training=True), norm(x, training=False))
    norm.trainable = True
    model.fit(x, REAL, **QUIET)
    assert not same(before, norm.get_weights())


def test_every_weight_slot_and_result_is_float32() -> None:
    model = classifier(loss="categorical_crossentropy", metrics=["accuracy"])
    model.fit(X.astype("float64"), ONE_HOT.astype("float64"), sample_weight=np.ones(50), **QUIET)
    assert {w.dtype for w in model.weights} == {"float32"}
    assert {slot.dtype for slot in model.optimizer.slots} == {"float32"}
    assert model.predict(X.astype("float64"), **QUIET).dtype == np.float32
    assert model(X.astype("float64")).dtype == np.float32
    totals = {v for metric in model.metrics for v in metric.variables}
    wide = _float64_values(model)
    assert totals
    assert all(name.split("/")[-1] in ("total", "count") for name in wide), wide


def _float64_values(model: keras.Model) -> set[str]:
    """Variables of float64 in the traced training step, and large values of that dtype."""
    program = next(iter(model._traced_programs._programs.values()))
    large = [
        v for node in program.graph.nodes for v in node.outputs if v.dtype == "float64" and v.spec.size > 64
    ]
    assert large == []
    return {s.variable.path for s in program.graph.states if s.variable.dtype == "float64"}


def test_labels_stay_integers() -> None:
    model = classifier()
    for labels in (LABELS, LABELS[:, None], LABELS.astype("uint8"), LABELS.astype("float32")):
        assert model.evaluate(X, labels, **QUIET) == pytest.approx(model.evaluate(X, LABELS, **QUIET))
