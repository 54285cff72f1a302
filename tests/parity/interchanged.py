"""Models that go from Keras to gputrain and back, beside those of the table: how models are put together."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.parity.table import uniform


def _numbers(*shape: int) -> np.ndarray:
    return uniform(f"interchanged {shape}", shape, -1, 1).astype("float32")


def shared_layers(keras: Any) -> Any:
    """A layer called twice, a list of layers of one class."""
    dense = keras.layers.Dense(4, activation="tanh")
    x = keras.Input((4,))
    return keras.Model(x, keras.layers.Dense(3)(dense(dense(x)) + x))


def nested(keras: Any) -> Any:
    """A Sequential in a functional model in a Sequential; the inner one called twice."""
    layers = keras.layers
    block = keras.Sequential([layers.Dense(4, activation="relu"), layers.BatchNormalization()], name="block")
    x = keras.Input((4,))
    inner = keras.Model(x, block(block(x)), name="inner")
    return keras.Sequential([keras.Input((4,)), layers.Dense(4), inner, layers.Dense(3)])


def several_inputs_and_outputs(keras: Any) -> Any:
    """Dicts in, a list out."""
    layers = keras.layers
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    joined = layers.Concatenate()([layers.Dense(3, name="of_a")(a), layers.Dense(2, name="of_b")(b)])
    return keras.Model(
        {"a": a, "b": b}, [layers.Dense(2, name="one")(joined), layers.Dense(1, name="two")(joined)]
    )


def operations(keras: Any) -> Any:
    """Operations between layers."""
    ops = keras.ops
    x = keras.Input((4,))
    y = ops.concatenate([keras.layers.Dense(3)(x), ops.sin(x) * 2.0], axis=-1)
    return keras.Model(x, keras.layers.Dense(2)(ops.relu(y)))


def recurrent(keras: Any) -> Any:
    """All recurrent layers, wrapped, with cells of their own, and initial states."""
    layers = keras.layers
    x = keras.Input((5, 4))
    y = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(x)
    y = layers.RNN([layers.GRUCell(4), layers.SimpleRNNCell(3)], return_sequences=True)(y)
    y = layers.TimeDistributed(layers.Dense(3))(y)
    y, state = layers.GRU(3, return_sequences=True, return_state=True)(y)
    y = layers.SimpleRNN(3)(y, initial_state=state)
    return keras.Model(x, layers.Dense(2)(y))


def transformer(keras: Any) -> Any:
    """Attention over embedded words."""
    layers = keras.layers
    x = keras.Input((6,), dtype="int32")
    y = layers.Embedding(11, 8)(x)
    y = layers.Add()([y, layers.MultiHeadAttention(2, 4)(y, y)])
    y = layers.LayerNormalization()(y)
    y = layers.GlobalAveragePooling1D()(layers.Dense(8, activation="gelu")(y))
    return keras.Model(x, layers.Dense(2)(y))


def subclassed(keras: Any) -> Any:
    """A model and a layer of one's own: attributes, lists, private ones, names before and after "layers"."""

    @keras.saving.register_keras_serializable("interchanged", "Block")
    class Block(keras.layers.Layer):
        def __init__(self, units: int, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.units = units
            self.dense = keras.layers.Dense(units, activation="tanh")
            self.others = [keras.layers.Dense(units), keras.layers.Dense(units)]

        def build(self, input_shape: Any) -> None:
            self.scale = self.add_weight(shape=(self.units,), initializer="ones", name="scale")
            self.dense.build(input_shape)
            for other in self.others:
                other.build((*input_shape[:-1], self.units))
            self.built = True

        def call(self, x: Any) -> Any:
            y = self.dense(x) * self.scale
            for other in self.others:
                y = other(y)
            return y

        def get_config(self) -> Any:
            return {**super().get_config(), "units": self.units}

    @keras.saving.register_keras_serializable("interchanged", "Whole")
    class Whole(keras.Model):
        def __init__(self, units: int = 3, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.units = units
            self.zuletzt = keras.layers.Dense(2)
            self.block = Block(units)
            self._hidden = keras.layers.Dense(units)
            self.by_name = {"b": keras.layers.Dense(units), "a": keras.layers.Dense(units)}

        def call(self, x: Any) -> Any:
            y = self._hidden(self.block(x))
            return self.zuletzt(self.by_name["a"](self.by_name["b"](y)))

        def get_config(self) -> Any:
            return {**super().get_config(), "units": self.units}

    model = Whole()
    model(keras.ops.convert_to_tensor(_numbers(2, 4)))
    return model


def functional_subclass(keras: Any) -> Any:
    """A functional model of a class of one's own."""

    @keras.saving.register_keras_serializable("interchanged", "Twice")
    class Twice(keras.Model):
        def extra(self) -> int:
            return 2

    x = keras.Input((4,))
    return Twice(x, keras.layers.Dense(2)(x))


def frozen(keras: Any) -> Any:
    """Layers that are not trained."""
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(4), layers.BatchNormalization(), layers.Dense(2)]
    )
    model.layers[0].trainable = False
    return model


def normalized(keras: Any) -> Any:
    """Statistics that were found in data."""
    normalization = keras.layers.Normalization()
    normalization.adapt(_numbers(50, 4) * 3 + 1)
    return keras.Sequential([keras.Input((4,)), normalization, keras.layers.Dense(2)])


def _rows(rows: int, *shape: int) -> Any:
    return lambda: _numbers(rows, *shape)


def _words() -> np.ndarray:
    return (uniform("words", (7, 6), 0, 11)).astype("int32")


MODELS = {
    "shared layers": (shared_layers, _rows(8, 4), _rows(8, 3)),
    "nested models": (nested, _rows(8, 4), _rows(8, 3)),
    "several inputs and outputs": (
        several_inputs_and_outputs,
        lambda: {"a": _numbers(8, 4), "b": _numbers(8, 4)},
        lambda: [_numbers(8, 2), _numbers(8, 1)],
    ),
    "operations": (operations, _rows(8, 4), _rows(8, 2)),
    "recurrent": (recurrent, _rows(6, 5, 4), _rows(6, 2)),
    "transformer": (transformer, _words, _rows(7, 2)),
    "subclassed": (subclassed, _rows(8, 4), _rows(8, 2)),
    "functional subclass": (functional_subclass, _rows(8, 4), _rows(8, 2)),
    "frozen layers": (frozen, _rows(8, 4), _rows(8, 2)),
    "adapted statistics": (normalized, _rows(8, 4), _rows(8, 2)),
}
