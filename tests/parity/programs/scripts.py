"""Whole scripts, as they are published, and the habits that they have in common."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.parity.means import numbers, refusal


def _kind(outputs: Any) -> str:
    return type(outputs).__name__ if isinstance(outputs, list | tuple | dict) else "one"


def _dense(keras: Any, units: int, name: str | None = None, **more: Any) -> Any:
    return keras.layers.Dense(units, kernel_initializer=keras.initializers.Constant(0.1), name=name, **more)


def _kinds(keras: Any, outputs_of: Any) -> list[Any]:
    x = numbers(4, 3)
    inputs = keras.Input((3,))
    model = keras.Model([inputs], outputs_of(_dense(keras, 2)(inputs)))
    model.compile("sgd", "mse")
    return [
        _kind(model.output),
        _kind(model(keras.Input((3,)))),
        _kind(model(x)),
        _kind(model.predict(x, verbose=0)),
        _kind(model.predict_on_batch(x)),
        model.output_shape,
        model.compute_output_shape((None, 3)),
    ]


def a_list_of_one_output(keras: Any) -> dict[str, Any]:
    return {
        "list": _kinds(keras, lambda value: [value]),
        "tuple": _kinds(keras, lambda value: (value,)),
        "dict": _kinds(keras, lambda value: {"a": value}),
        "bare": _kinds(keras, lambda value: value),
        "nested": _kinds(keras, lambda value: [{"a": value}])[1:5],
    }


def a_u_net_of_lists(keras: Any) -> dict[str, Any]:
    layers, ops = keras.layers, keras.ops

    def block(x: Any, filters: int) -> Any:
        x = layers.Conv2D(filters, 3, padding="same", kernel_initializer=keras.initializers.Constant(0.05))(x)
        return layers.Activation("relu")(layers.BatchNormalization()(x))

    def dice(y_true: Any, y_pred: Any) -> Any:
        true, made = ops.reshape(y_true, (-1,)), ops.reshape(y_pred, [-1])
        return (2.0 * ops.sum(true * made) + 1) / (ops.sum(true) + ops.sum(made) + 1)

    inputs = keras.Input((8, 8, 1))
    first = block(inputs, 2)
    second = block(layers.MaxPooling2D((2, 2))(first), 4)
    up = layers.concatenate([layers.UpSampling2D(size=(2, 2))(second), first])
    outputs = layers.Conv2D(1, (1, 1), activation="sigmoid", kernel_initializer="ones")(block(up, 2))
    model = keras.Model(inputs=[inputs], outputs=[outputs])
    model.compile(keras.optimizers.SGD(1e-2), loss=lambda t, p: 1 - dice(t, p), metrics=[dice, "accuracy"])
    x = numbers(6, 8, 8, 1, low=0)
    y = (x > 0.5).astype("uint8")
    history = model.fit(x, y, batch_size=2, epochs=2, validation_split=0.3, shuffle=False, verbose=0).history
    masks = model.predict(x, verbose=0) > 0.5
    return {"history": {name: history[name] for name in sorted(history)}, "masks": [masks.shape, masks.sum()]}


def a_model_with_a_list_of_one_within_others(keras: Any) -> dict[str, Any]:
    x, y = numbers(4, 3), numbers(4, 1, key="y")
    inputs = keras.Input((3,))
    inner = keras.Model([inputs], [_dense(keras, 2)(inputs)])
    other = keras.Input((3,))

    class Around(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.head = inner, _dense(keras, 1)

        def call(self, x: Any) -> Any:
            return self.head(self.inner(x))

    around = Around()
    around.compile("sgd", "mse")
    return {
        "subclass": around.fit(x, y, verbose=0, shuffle=False).history["loss"],
        "element": keras.Model(other, _dense(keras, 1)(inner(other)[0])).predict(x, verbose=0),
        "list": refusal(lambda: keras.Model(other, _dense(keras, 1)(inner(other)))),
        "sequential": refusal(lambda: keras.Sequential([keras.Input((3,)), inner, _dense(keras, 1)])),
        "again": _kind(keras.Model(inner.input, inner.output).predict(x, verbose=0)),
        "flat": _kind(keras.Model(inner.inputs, inner.outputs).predict(x, verbose=0)),
        "clone": _kind(keras.models.clone_model(inner).predict(x, verbose=0)),
        "configured": _kind(keras.Model.from_config(inner.get_config()).predict(x, verbose=0)),
    }


def _names(model: Any) -> list[str]:
    return [layer.name for layer in model.layers]


def layers_of_a_block_with_a_shortcut(keras: Any) -> dict[str, Any]:
    layers = keras.layers
    inputs = keras.Input((4, 4, 3), name="image")
    x = layers.Conv2D(2, 1, name="first")(inputs)
    shortcut = layers.BatchNormalization(name="shortcut_bn")(layers.Conv2D(2, 1, name="shortcut")(x))
    y = layers.BatchNormalization(name="bn1")(layers.Conv2D(2, 3, padding="same", name="conv1")(x))
    y = layers.Conv2D(2, 3, padding="same", name="conv2")(layers.ReLU(name="relu1")(y))
    added = layers.Add(name="add")([shortcut, layers.BatchNormalization(name="bn2")(y)])
    outputs = layers.GlobalAveragePooling2D(name="pool")(layers.ReLU(name="relu2")(added))
    model = keras.Model(inputs, outputs)
    for layer in model.layers[:-6]:
        layer.trainable = False
    return {
        "layers": _names(model),
        "weights": [list(weight.shape) for weight in model.get_weights()],
        "paths": [weight.path for weight in model.weights],
        "trained": [weight.path for weight in model.trainable_weights],
        "cut": _names(keras.Model(model.input, model.get_layer("add").output)),
        "clone": _names(keras.models.clone_model(model)),
        "configured": _names(keras.Model.from_config(model.get_config())),
        "third": model.get_layer(index=3).name,
    }


def layers_of_branches(keras: Any) -> dict[str, Any]:
    a, b = keras.Input((3,), name="a"), keras.Input((4,), name="b")
    of_a, of_b = _dense(keras, 2, "of_a")(a), _dense(keras, 2, "of_b")(b)
    joined = keras.layers.concatenate([_dense(keras, 2, "deeper")(of_b), of_a], name="joined")
    p, q = _dense(keras, 1, "p")(joined), _dense(keras, 1, "q")(of_b)
    shared = _dense(keras, 2, "shared")
    left, right = keras.Input((3,), name="left"), keras.Input((3,), name="right")
    apart = keras.layers.subtract([shared(left), shared(right)], name="apart")
    twice = shared(_dense(keras, 3, "between")(shared(left)))
    return {
        "two": _names(keras.Model([a, b], [p, q])),
        "reversed": _names(keras.Model([b, a], [q, p])),
        "weights": [list(w.shape) for w in keras.Model([b, a], [q, p]).get_weights()],
        "dict": _names(keras.Model({"x": a, "y": b}, {"p": p, "q": q})),
        "shared": _names(keras.Model([left, right], _dense(keras, 1, "head")(apart))),
        "twice": _names(keras.Model([left, right], [twice, apart])),
        "unread": _names(keras.Model([a, left], of_a)),
        "operations": _names(keras.Model([a, b], of_a * 2 + keras.ops.relu(of_b))),
    }


def assigning_returns_the_new_value(keras: Any) -> dict[str, Any]:
    variable = keras.Variable(np.array([1.0, 2.0], "float32"))
    given = np.array([3.0, 4.0], "float32")
    assigned = variable.assign(given)
    added = variable.assign_add([1.0, 1.0])
    taken = variable.assign_sub(given)
    made = [np.array(keras.ops.convert_to_numpy(value)) for value in (assigned, added, taken)]
    return {
        "returned": made,
        "variables": [isinstance(value, keras.Variable) for value in (assigned, added, taken)],
        "sum": keras.ops.convert_to_numpy(variable.assign([5.0, 6.0]) + variable),
    }
