"""Architectures as people write them: their JSON, the models that it makes, and what these predict.

The text that Keras wrote is kept word for word. `tests/models/test_keras_json.py` reads it without Keras.
"""

from __future__ import annotations

import json
from typing import Any

from tests.parity.means import as_data, numbers, weigh


def _seen(keras: Any, model: Any, x: Any, **custom_objects: Any) -> dict[str, Any]:
    weigh(model)
    text = model.to_json()
    again = keras.models.model_from_json(text, custom_objects=custom_objects)
    again.set_weights(model.get_weights())
    return {
        "json": text,
        "as data": json.dumps(as_data(json.loads(text))),
        "the same again": as_data(json.loads(again.to_json())) == as_data(json.loads(text)),
        "layers": [layer.name for layer in again.layers],
        "weights": [list(w.shape) for w in again.weights],
        "predicted": model.predict(x, verbose=0),
        "predicted again": again.predict(x, verbose=0),
    }


def _words(*shape: int, below: int = 7) -> Any:
    return numbers(*shape, key="words", low=1, high=below).astype("int32")


def a_perceptron(keras: Any) -> dict[str, Any]:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((5,), name="features"),
            layers.Dense(
                8, activation="relu", kernel_regularizer=keras.regularizers.L1L2(1e-4, 1e-3), name="first"
            ),
            layers.Dropout(0.3, name="dropped"),
            layers.Dense(
                4,
                activation="gelu",
                kernel_initializer="he_normal",
                kernel_constraint=keras.constraints.MaxNorm(2.0),
                name="second",
            ),
            layers.Dense(3, activation="softmax", activity_regularizer="l2", name="classes"),
        ],
        name="perceptron",
    )
    return _seen(keras, model, numbers(6, 5))


def an_unbuilt_perceptron(keras: Any) -> dict[str, Any]:
    model = keras.Sequential([keras.layers.Dense(3, name="first")], name="later")
    text = model.to_json()
    again = keras.models.model_from_json(text)
    return {
        "json": text,
        "as data": json.dumps(as_data(json.loads(text))),
        "built": again.built,
    }


def a_convolutional_network(keras: Any) -> dict[str, Any]:
    layers = keras.layers
    inputs = keras.Input((8, 8, 3), name="image")
    x = layers.Rescaling(1 / 255.0, name="scaled")(inputs)
    for i, filters in enumerate((4, 6)):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"convolution_{i}")(x)
        x = layers.BatchNormalization(name=f"normal_{i}")(x)
        x = layers.Activation("relu", name=f"active_{i}")(x)
        x = layers.MaxPooling2D(2, name=f"pool_{i}")(x)
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    model = keras.Model(inputs, layers.Dense(2, name="classes")(x), name="cnn")
    return _seen(keras, model, numbers(3, 8, 8, 3, high=255.0))


def a_residual_network(keras: Any) -> dict[str, Any]:
    layers = keras.layers
    inputs = keras.Input((6, 6, 2), name="image")
    x = layers.Conv2D(4, 3, padding="same", name="stem")(inputs)
    for i in range(2):
        y = layers.Conv2D(4, 3, padding="same", activation="relu", name=f"a{i}")(x)
        y = layers.Conv2D(4, 3, padding="same", name=f"b{i}")(y)
        x = layers.ReLU(name=f"relu{i}")(layers.Add(name=f"sum{i}")([x, y]))
    x = layers.Flatten(name="flat")(x)
    return _seen(
        keras, keras.Model(inputs, layers.Dense(1, name="out")(x), name="resnet"), numbers(3, 6, 6, 2)
    )


def branches_that_are_joined(keras: Any) -> dict[str, Any]:
    layers = keras.layers
    inputs = keras.Input((6, 6, 2), name="image")
    small = layers.Conv2D(3, 1, activation="relu", name="one")(inputs)
    large = layers.Conv2D(3, 3, padding="same", activation="relu", name="three")(inputs)
    pooled = layers.AveragePooling2D(3, strides=1, padding="same", name="pooled")(inputs)
    joined = layers.Concatenate(name="joined")([small, large, pooled])
    model = keras.Model(inputs, layers.GlobalMaxPooling2D(name="largest")(joined), name="inception")
    return _seen(keras, model, numbers(3, 6, 6, 2))


def an_image_to_an_image(keras: Any) -> dict[str, Any]:
    layers = keras.layers
    inputs = keras.Input((8, 8, 1), name="image")
    kept = layers.Conv2D(3, 3, padding="same", activation="relu", name="down_0")(inputs)
    x = layers.MaxPooling2D(name="halved")(kept)
    x = layers.Conv2D(5, 3, padding="same", activation="relu", name="down_1")(x)
    x = layers.UpSampling2D(2, name="doubled")(x)
    x = layers.Concatenate(name="skip")([x, kept])
    outputs = layers.Conv2D(1, 1, activation="sigmoid", name="mask")(x)
    return _seen(keras, keras.Model(inputs, outputs, name="unet"), numbers(2, 8, 8, 1))


def towers_that_share_a_layer(keras: Any) -> dict[str, Any]:
    layers = keras.layers
    left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    encode = layers.Dense(3, activation="tanh", name="encode")
    likeness = layers.Dot(axes=1, normalize=True, name="likeness")([encode(left), encode(right)])
    model = keras.Model([left, right], likeness, name="siamese")
    return _seen(keras, model, [numbers(5, 4), numbers(5, 4, key="right")])


def a_layer_on_its_own_output(keras: Any) -> dict[str, Any]:
    inputs = keras.Input((4,), name="x")
    again = keras.layers.Dense(4, activation="tanh", name="again")
    x = again(inputs)
    y = again(again(x))
    return _seen(keras, keras.Model(inputs, [y, x], name="loop"), numbers(3, 4))


def models_in_models(keras: Any) -> dict[str, Any]:
    keras.utils.clear_session()
    layers = keras.layers
    line = keras.Sequential(
        [keras.Input((4,), name="in_line"), layers.Dense(3, activation="relu", name="dense")], name="line"
    )
    inner = keras.Input((3,), name="inner")
    block = keras.Model(inner, layers.Dense(3, name="inside")(inner) + inner, name="block")
    inputs = keras.Input((4,), name="outer")
    outputs = block(block(line(inputs)))
    return _seen(keras, keras.Model(inputs, outputs, name="nested"), numbers(5, 4))


def wide_and_deep(keras: Any) -> dict[str, Any]:
    layers = keras.layers
    numeric = keras.Input((3,), name="numeric")
    kind = keras.Input((1,), dtype="int32", name="kind")
    embedded = layers.Flatten(name="flat")(layers.Embedding(7, 2, name="embedded")(kind))
    deep = layers.Concatenate(name="all")([numeric, embedded])
    for i in range(2):
        deep = layers.Dense(4, activation="relu", name=f"deep_{i}")(deep)
    wide = layers.Dense(1, use_bias=False, name="wide")(numeric)
    price = layers.Add(name="price")([wide, layers.Dense(1, name="height")(deep)])
    chance = layers.Dense(1, activation="sigmoid", name="chance")(deep)
    model = keras.Model(
        {"numeric": numeric, "kind": kind}, {"price": price, "chance": chance}, name="wide_and_deep"
    )
    return _seen(keras, model, {"numeric": numbers(5, 3), "kind": _words(5, 1)})


def operations_alone(keras: Any) -> dict[str, Any]:
    keras.utils.clear_session()
    ops = keras.ops
    inputs = keras.Input((4, 6), name="x")
    gate, value = ops.split(inputs, 2, axis=-1)
    x = ops.sigmoid(gate) * ops.tanh(value)
    x = 1.0 - x[:, 1:, ::2] / 2
    x = ops.concatenate([x, -x, ops.relu(x - 0.5) ** 2], axis=1)
    x = ops.transpose(x, (0, 2, 1))
    return _seen(keras, keras.Model(inputs, ops.softmax(ops.mean(x, axis=-1)), name="bare"), numbers(3, 4, 6))


def operations_between_layers(keras: Any) -> dict[str, Any]:
    keras.utils.clear_session()
    layers, ops = keras.layers, keras.ops
    inputs = keras.Input((5,), name="x")
    h = layers.Dense(6, name="h")(inputs)
    h = ops.expand_dims(h, 1) @ ops.reshape(h, (-1, 6, 1))
    h = ops.squeeze(h, axis=1) + ops.sum(inputs, axis=1, keepdims=True)
    pair = ops.stack([h, ops.leaky_relu(h, negative_slope=0.1)], axis=1)
    outputs = layers.Dense(2, name="out")(ops.max(pair, axis=1))
    return _seen(keras, keras.Model(inputs, outputs, name="between"), numbers(4, 5))


def sequences_without_masks(keras: Any) -> dict[str, Any]:
    layers = keras.layers
    inputs = keras.Input((6,), dtype="int32", name="words")
    x = layers.Embedding(7, 3, name="embedded")(inputs)
    x = layers.LSTM(4, return_sequences=True, name="read")(x)
    x = layers.GRU(3, name="read_again")(x)
    return _seen(keras, keras.Model(inputs, layers.Dense(1, name="out")(x), name="text"), _words(4, 6))


def sequences_with_masks(keras: Any) -> dict[str, Any]:
    layers = keras.layers
    inputs = keras.Input((None,), dtype="int32", name="words")
    x = layers.Embedding(7, 3, mask_zero=True, name="embedded")(inputs)
    x = layers.LSTM(4, name="read")(x)
    words = _words(4, 6)
    words[0, 2:] = words[2, 4:] = 0
    seen = _seen(keras, keras.Model(inputs, layers.Dense(1, name="out")(x), name="masked"), words)
    del seen["as data"]  # Keras keeps the computation of the mask as an operation of the model
    return seen


def normalized_and_noisy(keras: Any) -> dict[str, Any]:
    layers = keras.layers
    inputs = keras.Input((6,), name="x")
    x = layers.GaussianNoise(0.1, name="noisy")(inputs)
    x = layers.Dense(6, name="dense")(x)
    x = layers.LayerNormalization(epsilon=1e-5, name="normal")(x)
    x = layers.PReLU(alpha_initializer="ones", name="prelu")(x)
    x = layers.UnitNormalization(name="unit")(x)
    return _seen(keras, keras.Model(inputs, x, name="normalized"), numbers(3, 6))


def a_compiled_model(keras: Any) -> dict[str, Any]:
    inputs = keras.Input((4,), name="x")
    outputs = keras.layers.Dense(2, name="y")(inputs)
    model = keras.Model(inputs, outputs, name="compiled")
    model.compile(
        keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 5, 0.5), momentum=0.9),
        loss="huber",
        metrics=["mae", keras.metrics.MeanSquaredError(name="squares")],
        loss_weights=[2.0],
    )
    again = keras.models.model_from_json(model.to_json())
    weigh(model)
    weigh(again)
    x, y = numbers(8, 4), numbers(8, 2, key="y")
    return {
        **_seen(keras, model, x),
        "compiled": again.compiled,
        "logs": [m.fit(x, y, epochs=2, shuffle=False, verbose=0).history for m in (model, again)],
        "weights after": again.get_weights(),
    }


def a_layer_of_the_users(keras: Any) -> dict[str, Any]:
    @keras.saving.register_keras_serializable("shop", name="Scaled")
    class Scale(keras.layers.Layer):
        def __init__(self, factor: float = 2.0, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.factor = factor

        def call(self, inputs: Any, offset: Any = None) -> Any:
            return inputs * self.factor if offset is None else inputs * self.factor + offset

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "factor": self.factor}

    inputs = keras.Input((3,), name="x")
    x = Scale(3.0, name="three")(inputs, offset=keras.layers.Dense(3, name="offset")(inputs))
    return _seen(keras, keras.Model(inputs, Scale(name="two")(x), name="own"), numbers(3, 3))


def a_frozen_part(keras: Any) -> dict[str, Any]:
    inputs = keras.Input((3,), batch_size=4, name="x")
    base = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, name="kept")], name="base")
    base.trainable = False
    model = keras.Model(inputs, keras.layers.Dense(1, name="head")(base(inputs)), name="tuned")
    again = keras.models.model_from_json(model.to_json())
    seen = _seen(keras, model, numbers(4, 3))
    return {
        **{key: seen[key] for key in ("json", "predicted", "predicted again")},
        "trainable": [v.path.rpartition("/")[2] for v in again.trainable_weights],
        "input": [list(v.shape) for v in again.inputs],
    }
