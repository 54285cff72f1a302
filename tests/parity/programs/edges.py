"""Steps of training at edges: weights of 0, errors of 0, constant batches, values at a kink."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.parity.means import numbers


def _after_a_step(keras: Any, layer: Any, x: Any, y: Any, loss: Any = "mse", optimizer: Any = None) -> Any:
    """The loss and the weights after a step of SGD with a rate of 1: they tell the gradient."""
    model = keras.Sequential([keras.Input(x.shape[1:]), layer])
    model.compile(optimizer or keras.optimizers.SGD(1.0), loss)
    found = model.train_on_batch(x, y)
    return {"loss": found, "weights": [keras.ops.convert_to_numpy(w) for w in model.weights]}


def _weighted(keras: Any, function: Any, start: Any) -> Any:
    """A layer that adds a function of its own weight to what it gets."""

    class Weighted(keras.layers.Layer):
        def build(self, input_shape: Any) -> None:
            self.w = self.add_weight(shape=np.shape(start), initializer="zeros")
            self.w.assign(np.asarray(start, "float32"))

        def call(self, inputs: Any) -> Any:
            return inputs + function(self.w)

    return Weighted()


def a_weight_to_the_power_of_0_learns_nothing(keras: Any) -> dict[str, Any]:
    x, y = numbers(4, 3), numbers(4, 3, key="y")
    start = [0.0, 1.0, -2.0]
    return {
        "float": _after_a_step(keras, _weighted(keras, lambda w: keras.ops.power(w, 0.0), start), x, y),
        "by **": _after_a_step(keras, _weighted(keras, lambda w: w**0, start), x, y),
        "1": _after_a_step(keras, _weighted(keras, lambda w: keras.ops.power(w, 1.0), start), x, y),
        "3": _after_a_step(keras, _weighted(keras, lambda w: w**3, start), x, y),
    }


def the_deviation_of_equal_weights_pulls_at_none(keras: Any) -> dict[str, Any]:
    x, y = numbers(4, 3), numbers(4, 3, key="y")
    layer = _weighted(keras, lambda w: keras.ops.std(w), [2.0, 2.0, 2.0])
    return _after_a_step(keras, layer, x, y)


def a_size_of_0_pulls_no_weight(keras: Any) -> dict[str, Any]:
    x, y = numbers(4, 3), numbers(4, 3, key="y")
    start = [0.0, 1.0, -2.0]
    return {
        "abs": _after_a_step(keras, _weighted(keras, keras.ops.abs, start), x, y),
        "relu": _after_a_step(keras, _weighted(keras, keras.ops.relu, start), x, y),
        "leaky": _after_a_step(keras, _weighted(keras, keras.activations.leaky_relu, start), x, y),
    }


def an_l1_penalty_leaves_weights_of_0_alone(keras: Any) -> dict[str, Any]:
    dense = keras.layers.Dense(2, kernel_initializer="zeros", kernel_regularizer="l1")
    return _after_a_step(keras, dense, np.zeros((4, 3), "float32"), np.zeros((4, 2), "float32"))


def an_exact_prediction_changes_no_weight(keras: Any) -> dict[str, Any]:
    x = numbers(4, 2)
    losses = ["mse", "mae", "huber", "log_cosh", "mape", "msle"]
    return {
        name: _after_a_step(keras, keras.layers.Dense(2, kernel_initializer="identity"), x, x, name)
        for name in losses
    }


def a_score_at_the_margin_is_pulled_by_half(keras: Any) -> dict[str, Any]:
    x, y = np.ones((2, 1), "float32"), np.ones((2, 1), "float32")
    return {
        name: _after_a_step(keras, keras.layers.Dense(1, kernel_initializer="ones"), x, y, name)
        for name in ("hinge", "squared_hinge")
    }


def the_larger_of_two_equal_weights(keras: Any) -> dict[str, Any]:
    x, y = numbers(4, 2), numbers(4, 2, key="y")
    ops = keras.ops
    return {
        "maximum": _after_a_step(
            keras, _weighted(keras, lambda w: ops.maximum(w, ops.flip(w)), [1.0, 1.0]), x, y
        ),
        "minimum": _after_a_step(keras, _weighted(keras, lambda w: ops.minimum(w, 1.0), [1.0, 0.0]), x, y),
        "max": _after_a_step(keras, _weighted(keras, ops.max, [1.0, 1.0]), x, y),
    }


def relu6_is_flat_at_both_ends(keras: Any) -> dict[str, Any]:
    x, y = numbers(4, 4), numbers(4, 4, key="y")
    start = [0.0, 6.0, 7.0, 1.0]
    return {
        "relu6": _after_a_step(keras, _weighted(keras, keras.activations.relu6, start), x, y),
        "layer": _after_a_step(keras, _weighted(keras, keras.layers.ReLU(6.0), start), x, y),
        "hard_sigmoid": _after_a_step(
            keras, _weighted(keras, keras.activations.hard_sigmoid, [3.0, -3.0, 1.0, 0.0]), x, y
        ),
    }


def a_constant_batch_is_normalized(keras: Any) -> dict[str, Any]:
    x, y = np.full((4, 3), 5.0, "float32"), numbers(4, 3, key="y")
    layers = keras.layers
    return {
        "batch": _after_a_step(keras, layers.BatchNormalization(), x, y),
        "layer": _after_a_step(keras, layers.LayerNormalization(), x, y),
        "after a dense layer": _after_a_step(
            keras,
            keras.Sequential([layers.Dense(3, kernel_initializer="ones"), layers.LayerNormalization()]),
            x,
            y,
        ),
    }


def dropout_of_nothing(keras: Any) -> dict[str, Any]:
    x = numbers(2, 3)
    layer = keras.layers.Dropout(0.0)
    return {"none": layer(x, training=True), "inference": keras.layers.Dropout(0.5)(x, training=False)}


def steps_without_a_gradient(keras: Any) -> dict[str, Any]:
    """Every optimizer leaves the weights as they are; also where it clips."""
    x, y = np.zeros((4, 3), "float32"), np.zeros((4, 2), "float32")
    optimizers = keras.optimizers
    made = {
        "sgd": optimizers.SGD(1.0),
        "momentum": optimizers.SGD(1.0, momentum=0.9, nesterov=True),
        "adam": optimizers.Adam(1.0),
        "amsgrad": optimizers.Adam(1.0, amsgrad=True),
        "rmsprop": optimizers.RMSprop(1.0, centered=True),
        "clipnorm": optimizers.SGD(1.0, clipnorm=1.0),
        "global_clipnorm": optimizers.SGD(1.0, global_clipnorm=1.0),
        "clipvalue": optimizers.SGD(1.0, clipvalue=1.0),
    }
    return {
        name: _after_a_step(keras, keras.layers.Dense(2, kernel_initializer="ones"), x, y, "mse", optimizer)
        for name, optimizer in made.items()
    }


def a_zero_column_keeps_to_its_norm(keras: Any) -> dict[str, Any]:
    x, y = np.zeros((4, 3), "float32"), np.zeros((4, 2), "float32")
    return {
        name: _after_a_step(
            keras, keras.layers.Dense(2, kernel_initializer="zeros", kernel_constraint=name), x, y
        )
        for name in ("max_norm", "unit_norm", "non_neg")
    }


def a_masked_softmax_has_shares_of_0(keras: Any) -> dict[str, Any]:
    mask = np.array([0.0, -np.inf, 0.0], "float32")
    x, y = numbers(4, 3), numbers(4, 3, key="y")
    layer = _weighted(keras, lambda w: keras.ops.softmax(w + mask), [1.0, 1.0, 2.0])
    return _after_a_step(keras, layer, x, y)


def relu_of_a_logarithm_of_0(keras: Any) -> dict[str, Any]:
    """What relu cuts off has no gradient, however steep it is."""
    x, y = numbers(4, 2), numbers(4, 2, key="y")
    return {
        "sqrt of clip": _after_a_step(
            keras, _weighted(keras, lambda w: keras.ops.sqrt(keras.ops.clip(w, 0.0, 1.0)), [-1.0, 0.5]), x, y
        ),
        "log of maximum": _after_a_step(
            keras,
            _weighted(keras, lambda w: keras.ops.log(keras.ops.maximum(w, 0.5)), [0.0, 2.0]),
            x,
            y,
        ),
        "a constant of infinity": _after_a_step(
            keras,
            _weighted(
                keras,
                lambda w: keras.ops.where(w > -1.0, w, keras.ops.full_like(w, float("inf"))),
                [0.0, 2.0],
            ),
            x,
            y,
        ),
    }


def a_sigmoid_of_a_far_number_has_a_logarithm(keras: Any) -> dict[str, Any]:
    x, y = numbers(4, 3), numbers(4, 3, key="y")
    layer = _weighted(keras, lambda w: keras.ops.log(keras.ops.sigmoid(w)), [-30.0, 0.0, 30.0])
    return _after_a_step(keras, layer, x, y)
