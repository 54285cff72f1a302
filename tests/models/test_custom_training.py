"""What users write themselves: a GAN in one traced step, metrics with state, random draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import layers, ops
from gputrain.errors import GraphError
from tests.models.small import LABELS, QUIET, REAL, X, classifier, regressor, same

NOISE = np.random.default_rng(2).normal(size=(16, 3)).astype("float32")
SAMPLES = np.random.default_rng(4).normal(size=(16, 2)).astype("float32") + 2
RATE = 0.1
BCE = keras.losses.BinaryCrossentropy(from_logits=True)


class Gan(keras.Model):
    """Two networks that share an embedding layer, two optimizers, one step for both."""

    def __init__(self, rate: Any = RATE) -> None:
        super().__init__()
        self.shared = layers.Dense(2, use_bias=False)
        self.generator = keras.Sequential(
            [keras.Input((3,)), layers.Dense(2, activation="tanh"), self.shared]
        )
        self.discriminator = keras.Sequential([keras.Input((2,)), self.shared, layers.Dense(1)])
        self.d_optimizer = keras.optimizers.SGD(rate, momentum=0.5)
        self.g_optimizer = keras.optimizers.SGD(rate)
        self.d_loss, self.g_loss = keras.metrics.Mean(name="d"), keras.metrics.Mean(name="g")

    @property
    def metrics(self) -> list[Any]:
        return [self.d_loss, self.g_loss]

    def train_step(self, data: Any) -> dict[str, Any]:
        real, noise = data
        ones, zeros = ops.ones((real.shape[0], 1)), ops.zeros((real.shape[0], 1))
        fake = self.generator(noise, training=True)
        d_loss = BCE(ones, self.discriminator(real)) + BCE(zeros, self.discriminator(ops.stop_gradient(fake)))
        weights = self.discriminator.trainable_variables
        self.d_optimizer.apply(keras.gradients(d_loss, weights), weights)
        g_loss = BCE(ones, self.discriminator(self.generator(noise, training=True)))
        weights = self.generator.trainable_variables
        self.g_optimizer.apply(keras.gradients(g_loss, weights), weights)
        self.d_loss.update_state(d_loss)
        self.g_loss.update_state(g_loss)
        return self.get_metrics_result()


def _softplus(z: Any) -> Any:
    return np.logaddexp(0, z)


def _sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def _gan_by_hand(weights: list[Any], steps: int) -> tuple[list[float], list[float], list[Any]]:
    """The same five steps in float64, gradients written out."""
    w1, b1, shared, w2, b2 = (w.astype("float64") for w in weights)
    slots = [np.zeros_like(shared), np.zeros_like(w2), np.zeros_like(b2)]
    d_losses, g_losses, n = [], [], len(NOISE)
    for _ in range(steps):
        hidden = np.tanh(NOISE @ w1 + b1)
        fake = hidden @ shared
        gradients = [0.0, 0.0, 0.0]
        loss = 0.0
        for batch, sign in ((SAMPLES.astype("float64"), -1), (fake, 1)):
            logits = batch @ shared @ w2 + b2
            loss += _softplus(sign * logits).mean()
            outer = sign * _sigmoid(sign * logits) / n
            found = [batch.T @ (outer @ w2.T), (batch @ shared).T @ outer, outer.sum(0)]
            gradients = [a + b for a, b in zip(gradients, found, strict=True)]
        d_losses.append(loss)
        for slot, gradient in zip(slots, gradients, strict=True):
            slot *= 0.5
            slot -= RATE * gradient
        shared, w2, b2 = shared + slots[0], w2 + slots[1], b2 + slots[2]
        fake = hidden @ shared
        logits = fake @ shared @ w2 + b2
        g_losses.append(_softplus(-logits).mean())
        outer = -_sigmoid(-logits) / n
        to_embedded = outer @ w2.T
        to_fake = to_embedded @ shared.T
        to_hidden = to_fake @ shared.T * (1 - hidden**2)
        g_shared = fake.T @ to_embedded + hidden.T @ to_fake
        w1, b1 = w1 - RATE * NOISE.T @ to_hidden, b1 - RATE * to_hidden.sum(0)
        shared = shared - RATE * g_shared
    return d_losses, g_losses, [w1, b1, shared, w2, b2]


def _gan_weights(gan: Gan) -> list[Any]:
    first, last = gan.generator.layers[0], gan.discriminator.layers[1]
    return [v.numpy() for v in (first.kernel, first.bias, gan.shared.kernel, last.kernel, last.bias)]


def test_a_gan_in_one_traced_step_against_a_loop_by_hand() -> None:
    gan = Gan()
    gan.compile()
    d_expected, g_expected, weights = _gan_by_hand(_gan_weights(gan), 5)
    history = gan.fit(SAMPLES, NOISE, batch_size=16, epochs=5, shuffle=False, **QUIET).history
    np.testing.assert_allclose(history["d"], d_expected, rtol=1e-5)
    np.testing.assert_allclose(history["g"], g_expected, rtol=1e-5)
    for ours, theirs in zip(_gan_weights(gan), weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    assert int(gan.d_optimizer.iterations) == int(gan.g_optimizer.iterations) == 5


def test_schedules_of_further_optimizers_are_followed() -> None:
    number, schedule = Gan(), Gan(keras.optimizers.schedules.ExponentialDecay(RATE, 1000, 1.0))
    for gan in (number, schedule):
        gan.compile()
    schedule.set_weights(number.get_weights())
    for gan in (number, schedule):
        gan.fit(SAMPLES, NOISE, epochs=3, shuffle=False, **QUIET)
    for a, b in zip(number.get_weights(), schedule.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_a_bad_step_of_the_second_optimizer_undoes_the_first() -> None:
    class Broken(Gan):
        def train_step(self, data: Any) -> dict[str, Any]:
            weights = self.discriminator.trainable_variables
            loss = BCE(ops.ones((16, 1)), self.discriminator(data[0]))
            self.d_optimizer.apply(keras.gradients(loss, weights), weights)
            weights = self.generator.trainable_variables
            bad = ops.sum(ops.sqrt(-ops.square(self.generator(data[1]))))
            self.g_optimizer.apply(keras.gradients(bad, weights), weights)
            return {"loss": loss}

    gan = Broken()
    gan.compile()
    before = gan.get_weights()
    with pytest.raises(keras.NonFiniteError, match="Sqrt of"):
        gan.fit(SAMPLES, NOISE, batch_size=16, **QUIET)
    assert same(before, gan.get_weights())


def test_one_optimizer_for_two_lists_of_weights_is_refused() -> None:
    gan = Gan()
    gan.g_optimizer = gan.d_optimizer
    gan.compile()
    with pytest.raises(ValueError, match=r"one list of variables in a step.*Make an optimizer for each list"):
        gan.fit(SAMPLES, NOISE, **QUIET)


class Largest(keras.metrics.Metric):
    """The largest error so far, and how many samples were seen."""

    def __init__(self, name: str = "largest", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.top = self.add_variable((), "zeros", name="top")
        self.seen = self.add_variable((), "zeros", name="seen")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self.top.assign(ops.maximum(self.top, ops.max(ops.absolute(y_true - y_pred))))
        self.seen.assign_add(float(y_pred.shape[0]))

    def result(self) -> dict[str, Any]:
        return {"largest": self.top.value, "seen": self.seen.value}


def test_a_metric_with_state_agrees_traced_and_at_once() -> None:
    model = regressor(metrics=[Largest()], optimizer=keras.optimizers.SGD(0.0))
    logs = model.evaluate(X, REAL, batch_size=7, return_dict=True, **QUIET)
    by_itself = Largest()
    predicted = model.predict(X, **QUIET)
    for start in range(0, 50, 7):
        by_itself.update_state(REAL[start : start + 7], predicted[start : start + 7])
    expected = {name: float(value) for name, value in by_itself.result().items()}
    assert {name: logs[name] for name in ("largest", "seen")} == pytest.approx(expected, rel=1e-6)
    assert expected["seen"] == 50
    history = model.fit(X, REAL, epochs=2, **QUIET).history
    assert history["seen"] == [50, 50]


def test_metrics_of_a_custom_step_follow_their_attributes() -> None:
    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(2)
            self.error = keras.metrics.MeanAbsoluteError(name="error")

        def call(self, inputs: Any) -> Any:
            return self.dense(inputs)

        def train_step(self, data: Any) -> dict[str, Any]:
            x, y = data
            y_pred = self(x, training=True)
            loss = self.compute_loss(y=y, y_pred=y_pred)
            gradients = keras.gradients(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
            self.error.update_state(y, y_pred)
            return {metric.name: metric.result() for metric in self.metrics}

    model = Own()
    model.compile("sgd", "mse")
    history = model.fit(X, REAL, epochs=3, **QUIET).history
    assert history["error"][2] < history["error"][0]


# --------------------------------------------------------------------------------------------------- random


class Draws(keras.Model):
    """Logs what random functions give in a step."""

    def __init__(self, draw: Any) -> None:
        super().__init__()
        self.draw = draw

    def train_step(self, data: Any) -> dict[str, Any]:
        return {"a": ops.sum(self.draw()), "b": ops.sum(self.draw())}


DRAWS = {
    "normal": lambda: keras.random.normal((5,)),
    "uniform": lambda: keras.random.uniform((5,), 1.0, 2.0),
    "a generator": lambda: keras.random.normal((5,), seed=keras.random.SeedGenerator(3)),
    "ops": lambda: ops.random_normal((5,)),
}


def _logs(draw: Any, seed: int = 1) -> list[float]:
    keras.config.set_seed(seed)
    model = Draws(draw)
    model.compile()
    return [value for _ in range(3) for value in model.train_on_batch(X)]


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_a_traced_draw_is_new_at_each_step_and_each_place(draw: Any) -> None:
    first = _logs(draw)
    assert len(set(first)) == 6
    assert _logs(draw) == first
    if draw is not DRAWS["a generator"]:
        assert _logs(draw, seed=2) != first


def test_an_int_seed_names_one_draw_for_good() -> None:
    values = _logs(lambda: keras.random.normal((5,), seed=3))
    assert len(set(values)) == 1
    assert values[0] == pytest.approx(float(keras.random.normal((5,), seed=3).sum()), rel=1e-6)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: keras.random.truncated_normal((5,)),
        lambda: keras.random.randint((5,), 0, 3),
        lambda: keras.random.shuffle(np.arange(5.0)),
        lambda: keras.random.categorical(np.zeros((1, 3)), 5),
    ],
)
def test_draws_that_only_the_host_can_make_are_refused(draw: Any) -> None:
    with pytest.raises(
        GraphError, match=r"draws on the host, so a traced function would repeat one draw.*random\.normal"
    ):
        _logs(draw)


def test_dropout_differs_between_steps_and_layers_and_is_off_in_inference() -> None:
    model = keras.Sequential([keras.Input((40,)), layers.Dropout(0.5), layers.Dropout(0.5)])
    first, second = (keras.Model(model.input, layer.output) for layer in model.layers)

    class Masks(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.inner = keras.Model(model.input, [layer.output for layer in model.layers])

        def train_step(self, data: Any) -> dict[str, Any]:
            one, both = self.inner(data, training=True)
            bits = ops.convert(2.0 ** np.arange(20, dtype="float32"))
            return {
                "one": ops.sum(ops.cast(ops.not_equal(one[0, :20], 0.0), "float32") * bits),
                "both": ops.sum(ops.cast(ops.not_equal(both[0, :20], 0.0), "float32") * bits),
            }

    masks = Masks()
    masks.compile()
    seen = [masks.train_on_batch(np.ones((1, 40))) for _ in range(3)]
    assert len({tuple(pair) for pair in seen}) == 3
    assert all(one != both for one, both in seen)
    for part in (first, second):
        np.testing.assert_array_equal(part.predict(np.ones((1, 40)), **QUIET), np.ones((1, 40)))


def test_two_runs_with_one_seed_are_bit_equal_and_another_seed_differs() -> None:
    runs = []
    for seed in (3, 3, 4):
        keras.utils.set_random_seed(seed)
        model = classifier(metrics=["accuracy"])
        model.add(layers.Dropout(0.2))
        model.fit(X, LABELS, epochs=3, batch_size=16, validation_split=0.2, **QUIET)
        runs.append((model.get_weights(), model.history.history))
    assert same(runs[0][0], runs[1][0])
    assert runs[0][1] == runs[1][1]
    assert not same(runs[0][0], runs[2][0])
    assert runs[0][1] != runs[2][1]


def test_a_metric_that_takes_the_place_of_another_is_reported() -> None:
    class Measured(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense, self.seen = layers.Dense(2), keras.metrics.Mean(name="mean")

        def call(self, x: Any) -> Any:
            self.seen.update_state(x)
            return self.dense(x)

    model = Measured()
    model.compile("sgd", "mse")
    ones = np.ones((5, 2), "float32")
    assert model.evaluate(ones, ones, return_dict=True, **QUIET)["mean"] == 1.0
    model.seen = keras.metrics.Sum(name="sum")
    for _ in range(2):
        found = model.evaluate(ones, ones, return_dict=True, **QUIET)
        assert (sorted(found), found["sum"]) == (["loss", "sum"], 10.0)


def test_metrics_made_by_compile_are_not_asked_for_before() -> None:
    class Late(keras.Sequential):
        @property
        def metrics(self) -> Any:
            return [self.tracker]

        def compile(self, **arguments: Any) -> None:
            super().compile(**arguments)
            self.tracker = keras.metrics.Mean(name="tracked")

    model = Late([keras.Input((2,)), layers.Dense(2)])
    ones = np.ones((5, 2), "float32")
    assert model.predict(ones, **QUIET).shape == (5, 2)
    model.compile(optimizer="sgd", loss="mse")
    assert model.fit(ones, ones, **QUIET).history == {"tracked": [0.0]}
