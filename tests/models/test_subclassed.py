"""Subclassed layers and models: what a user writes in `call`, `build` and the constructor."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import layers, ops
from gputrain.errors import GraphError, ShapeError
from tests.models.small import LABELS, ONE_HOT, QUIET, REAL, X, same


class Scale(layers.Layer):
    """Multiplies by a weight for each feature, made in build."""

    def __init__(self, start: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.start = start

    def build(self, input_shape: Any) -> None:
        first = keras.initializers.Constant(self.start)
        self.factor = self.add_weight(shape=(input_shape[-1],), initializer=first, name="factor")

    def call(self, inputs: Any) -> Any:
        return inputs * self.factor

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "start": self.start}


class Branching(keras.Model):
    """Branches on `training` in Python."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = [layers.Dense(8, activation="tanh"), Scale()]
        self.dropout = layers.Dropout(0.5)
        self.top = {"classes": layers.Dense(3, activation="softmax")}

    def call(self, inputs: Any, training: bool = False) -> Any:
        for block in self.blocks:
            inputs = block(inputs)
        if training:
            inputs = self.dropout(inputs, training)
        return self.top["classes"](inputs)


def test_a_subclassed_model_trains_and_branches_on_training() -> None:
    model = Branching()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(X, LABELS, epochs=20, batch_size=16, **QUIET).history
    assert history["loss"][-1] < history["loss"][0]
    assert len(model.layers) == 4
    assert [w.path.split("/")[-1] for w in model.weights] == ["kernel", "bias", "factor", "kernel", "bias"]
    np.testing.assert_array_equal(model.predict(X, **QUIET), model.predict(X, **QUIET))
    assert not np.allclose(model(X, training=True), model(X, training=True))
    np.testing.assert_allclose(model(X), model.predict(X, **QUIET), rtol=1e-5)


def test_build_makes_the_weights_of_a_subclassed_model() -> None:
    model = Branching()
    assert not model.built
    model.build((None, 4))
    assert model.count_params() == 4 * 8 + 8 + 8 + 8 * 3 + 3
    before = model.get_weights()
    model.predict(X, **QUIET)
    assert same(before, model.get_weights())


def test_several_outputs_get_names() -> None:
    class Two(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = layers.Dense(3), layers.Dense(2)

        def call(self, inputs: Any) -> Any:
            return {"a": self.a(inputs["x"]), "b": self.b(inputs["x"])}

    model = Two()
    model.compile("sgd", {"a": "mse", "b": "mae"})
    history = model.fit({"x": X}, {"b": REAL, "a": ONE_HOT}, **QUIET).history
    assert set(history) == {"loss", "a_loss", "b_loss"}
    assert model.predict({"x": X}, **QUIET)["b"].shape == (50, 2)


def test_build_by_hand_is_not_repeated() -> None:
    layer = Scale()
    layer.build((None, 4))
    factor = layer.factor
    assert layer.built
    layer(X)
    assert layer.factor is factor
    assert len(layer.weights) == 1


def test_first_weights_from_random_functions_are_drawn_once() -> None:
    class Noisy(layers.Layer):
        def build(self, input_shape: Any) -> None:
            self.shift = self.add_weight(
                shape=(4,), initializer=lambda shape, dtype: keras.random.normal(shape)
            )

        def call(self, inputs: Any) -> Any:
            return inputs + self.shift

    model = keras.Sequential([Noisy()])
    first = model.predict(np.zeros((1, 4)), **QUIET)
    assert np.std(first) > 0
    np.testing.assert_array_equal(first, model.predict(np.zeros((1, 4)), **QUIET))


def test_a_custom_layer_in_a_functional_model_leaves_the_batch_open() -> None:
    class Pairs(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return ops.reshape(inputs, (inputs.shape[0] * 2, 2))

    x = keras.Input((4,))
    model = keras.Model(x, Pairs()(x))
    assert model.output_shape == (None, 2)
    assert model.predict_on_batch(X[:6]).shape == (12, 2)


def test_state_in_a_layer_counts_training_batches_only() -> None:
    class Counting(layers.Layer):
        def build(self, input_shape: Any) -> None:
            self.seen = self.add_weight(shape=(), initializer="zeros", trainable=False, name="seen")

        def call(self, inputs: Any, training: bool = False) -> Any:
            if training:
                self.seen.assign_add(1.0)
            return inputs

    counting = Counting()
    model = keras.Sequential([keras.Input((4,)), counting, layers.Dense(2)])
    model.compile("sgd", "mse")
    model.fit(X, REAL, batch_size=20, epochs=2, validation_data=(X, REAL), **QUIET)
    assert float(counting.seen.numpy()) == 6
    assert [v.path for v in model.non_trainable_variables] == [counting.seen.path]


def test_a_layer_that_points_back_at_its_model() -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    model.layers[0].owner = model
    assert len(model.weights) == 2
    assert len(model.all_layers()) == 3


def test_masks_made_by_a_layer_reach_the_loss() -> None:
    class Masking(layers.Layer):
        def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
            return ops.any(ops.not_equal(inputs, 0.0), axis=-1)

        def call(self, inputs: Any) -> Any:
            return inputs

    x = np.ones((2, 3, 4), "float32")
    x[0, 1:] = 0
    y = np.zeros((2, 3, 1), "float32")
    model = keras.Sequential([keras.Input((3, 4)), Masking(), layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse")
    assert model.evaluate(x, y, **QUIET) == pytest.approx(16.0)


def test_a_mask_that_a_layer_drops_is_named() -> None:
    class Masking(layers.Layer):
        supports_masking = True

        def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
            return ops.any(ops.not_equal(inputs, 0.0), axis=-1)

        def call(self, inputs: Any) -> Any:
            return inputs

    class Dropping(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return ops.sum(inputs, axis=1)

    model = keras.Sequential([Masking(), Dropping(name="dropping")], name="outer")
    with pytest.warns(
        UserWarning, match="dropping: Dropping does not support masks; its input's mask stops here"
    ):
        model.predict(np.ones((2, 3, 4)), **QUIET)


def test_branching_on_a_value_names_the_remedy() -> None:
    class Bad(keras.Model):
        def call(self, inputs: Any) -> Any:
            return inputs if ops.sum(inputs) > 0 else -inputs

    with pytest.raises(GraphError, match=r"Python cannot branch on it.*ops\.where"):
        Bad().predict(X, **QUIET)


def test_a_shape_error_names_layer_rule_and_sizes() -> None:
    with pytest.raises(ShapeError, match=r"In layer wide.*Expected.*Received"):
        keras.Sequential([keras.Input((4,)), layers.Reshape((3, 2), name="wide")])


def test_a_model_without_a_call() -> None:
    with pytest.raises(NotImplementedError, match=r"Empty must define call\(inputs\)"):
        type("Empty", (keras.Model,), {})().predict(X, **QUIET)


def test_call_must_return_values() -> None:
    class Text(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return "text"

    with pytest.raises(GraphError, match=r"call\(\) must return values.*Received: str"):
        Text()(keras.Input((4,)))
