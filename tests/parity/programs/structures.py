"""Inputs and outputs nested in lists, tuples and dicts: in layers, in models, and in their data."""

from __future__ import annotations

import collections
from typing import Any

import numpy as np

from tests.parity.means import numbers, refusal

X, Y, Z = numbers(6, 2), numbers(6, 1, key="y"), numbers(6, 1, key="z")
OTHER = numbers(6, 2, key="other")
QUIET = {"batch_size": 4, "shuffle": False, "verbose": 0}
Pair = collections.namedtuple("Pair", "left right")


def _named(keras: Any, *names: str, **settings: Any) -> list[Any]:
    return [keras.Input((2,), name=name, **settings) for name in names]


def _ones(keras: Any, name: str, units: int = 1) -> Any:
    return keras.layers.Dense(units, kernel_initializer="ones", name=name)


def _difference(keras: Any, structure: Any) -> Any:
    """A model that takes b from a, its inputs nested as `structure(a, b)` is."""
    a, b = _named(keras, "a", "b")
    return keras.Model(structure(a, b), keras.layers.Subtract(name="difference")([a, b]))


def _fitted(keras: Any, structure: Any, data: Any) -> dict[str, Any]:
    model = _difference(keras, structure)
    model.compile("sgd", "mse")
    return {
        "inputs": [value.name for value in model.inputs],
        "called": model(data),
        "predicted": model.predict(data, **{k: v for k, v in QUIET.items() if k != "shuffle"}),
        "loss": model.evaluate(data, X, verbose=0, batch_size=4),
        "on a batch": model.predict_on_batch(data),
    }


# --------------------------------------------------------------------------------------------------- inputs


def inputs_in_a_list(keras: Any) -> dict[str, Any]:
    return _fitted(keras, lambda a, b: [a, b], [X, OTHER])


def inputs_in_a_tuple(keras: Any) -> dict[str, Any]:
    return _fitted(keras, lambda a, b: (a, b), (X, OTHER))


def inputs_in_a_list_by_name(keras: Any) -> dict[str, Any]:
    return _fitted(keras, lambda a, b: [a, b], {"b": OTHER, "a": X})


def inputs_in_a_dict(keras: Any) -> dict[str, Any]:
    return _fitted(keras, lambda a, b: {"b": b, "a": a}, {"a": X, "b": OTHER})


def inputs_in_a_namedtuple(keras: Any) -> dict[str, Any]:
    return _fitted(keras, lambda a, b: Pair(a, b), Pair(X, OTHER))


def inputs_in_lists_of_lists(keras: Any) -> dict[str, Any]:
    return _fitted(keras, lambda a, b: [[a], [[b]]], [[X], [[OTHER]]])


def inputs_in_a_dict_of_lists(keras: Any) -> dict[str, Any]:
    return _fitted(keras, lambda a, b: {"second": [b], "first": (a,)}, {"first": (X,), "second": [OTHER]})


def inputs_in_a_list_of_dicts(keras: Any) -> dict[str, Any]:
    return _fitted(keras, lambda a, b: [{"a": a}, {"b": b}], [{"a": X}, {"b": OTHER}])


def inputs_nested_are_given_flat(keras: Any) -> dict[str, Any]:
    return _fitted(keras, lambda a, b: {"p": [a], "q": (b,)}, [X, OTHER])


def one_input_in_a_list(keras: Any) -> dict[str, Any]:
    (a,) = _named(keras, "a")
    model = keras.Model([a], [a * 2.0])
    return {
        "array": model.predict(X, verbose=0),
        "list": model.predict([X], verbose=0),
        "dict": model.predict({"a": X}, verbose=0),
        "input": [v.name for v in model.inputs],
    }


def keys_that_no_input_has(keras: Any) -> dict[str, Any]:
    found = {}
    for name, structure in {"list": lambda a, b: [a, b], "dict": lambda a, b: {"a": a, "b": b}}.items():
        model = _difference(keras, structure)
        given = {"zz": X[:, :1], "a": X, "b": OTHER}
        found[name] = {"called": model(given), "predicted": model.predict(given, verbose=0)}
    return found


def inputs_that_are_missing(keras: Any) -> dict[str, Any]:
    found = {}
    structures: dict[str, Any] = {
        "list": lambda a, b: [a, b],
        "dict": lambda a, b: {"a": a, "b": b},
        "nested": lambda a, b: {"p": [a], "q": b},
    }
    for name, structure in structures.items():
        model = _difference(keras, structure)
        found[name] = {
            "one": refusal(lambda model=model: model(X)),
            "a key": refusal(lambda model=model: model({"a": X})),
            "none": refusal(lambda model=model: model([X, None])),
        }
    found["a list for a dict"] = refusal(lambda: _difference(keras, structures["dict"])([X, OTHER]))
    found["in which order"] = refusal(lambda: _difference(keras, lambda a, b: {"b": b, "a": a})([X, OTHER]))
    return found


def inputs_whose_keys_are_not_their_names(keras: Any) -> dict[str, Any]:
    model = _difference(keras, lambda a, b: {"u": a, "v": b})
    return {
        "by key": model({"v": OTHER, "u": X}),
        "by name": refusal(lambda: model({"a": X, "b": OTHER})),
    }


def a_dict_of_one_input(keras: Any) -> dict[str, Any]:
    (a,) = _named(keras, "a")
    model = keras.Model({"a": a}, {"twice": a * 2.0})
    predicted = model.predict({"a": X}, verbose=0)
    return {"predicted": predicted, "called": model({"a": X}), "keys": list(predicted)}


# -------------------------------------------------------------------------------------------------- outputs


def _outputs(keras: Any, structure: Any) -> Any:
    (a,) = _named(keras, "a")
    return keras.Model(a, structure(_ones(keras, "p")(a), _ones(keras, "q")(a)))


def _losses(keras: Any, structure: Any, **compiled: Any) -> dict[str, Any]:
    model = _outputs(keras, structure)
    model.compile("sgd", **compiled)
    y = structure(Y, Z)
    logs = model.fit(X, y, epochs=2, **QUIET).history
    return {
        "logs": dict(sorted(logs.items())),
        "evaluated": model.evaluate(X, y, verbose=0),
        "by name": dict(sorted(model.evaluate(X, y, verbose=0, return_dict=True).items())),
        "predicted": model.predict(X, verbose=0),
        "weights": model.get_weights(),
    }


def outputs_in_a_list(keras: Any) -> dict[str, Any]:
    return _losses(keras, lambda p, q: [p, q], loss=["mse", "mae"], metrics=[["mae"], "mse"])


def outputs_in_a_tuple(keras: Any) -> dict[str, Any]:
    return _losses(keras, lambda p, q: (p, q), loss=("mse", "mae"), loss_weights=(2.0, 0.5))


def outputs_in_a_dict(keras: Any) -> dict[str, Any]:
    losses = {"second": "mse", "first": "mae"}
    return _losses(keras, lambda p, q: {"second": p, "first": q}, loss=losses, metrics={"first": ["mse"]})


def outputs_in_a_namedtuple(keras: Any) -> dict[str, Any]:
    return _losses(keras, Pair, loss=Pair("mse", "mae"), loss_weights=Pair(1.0, 3.0))


def outputs_in_a_list_of_lists(keras: Any) -> dict[str, Any]:
    return _losses(keras, lambda p, q: [[p], q], loss=[["mse"], "mae"], metrics=[["mae"], ["mse"]])


def outputs_in_a_dict_of_lists(keras: Any) -> dict[str, Any]:
    structure = lambda p, q: {"v": [p], "u": (q,)}  # noqa: E731
    return _losses(keras, structure, loss={"v": ["mse"], "u": ("mae",)})


def outputs_in_a_list_of_dicts(keras: Any) -> dict[str, Any]:
    structure = lambda p, q: [{"x": p}, {"y": q}]  # noqa: E731
    return _losses(keras, structure, loss=[{"x": "mse"}, {"y": "mae"}], metrics=[["mae"], ["mse"]])


def outputs_nested_with_one_loss(keras: Any) -> dict[str, Any]:
    return _losses(keras, lambda p, q: {"v": [p], "u": (q,)}, loss="mse")


def outputs_nested_with_flat_losses(keras: Any) -> dict[str, Any]:
    return _losses(keras, lambda p, q: [[p], q], loss=["mse", "mae"], loss_weights=[2.0, 0.5])


def outputs_nested_with_losses_by_name(keras: Any) -> dict[str, Any]:
    return _losses(keras, lambda p, q: [[p], q], loss={"p": "mse", "q": "mae"})


def outputs_nested_with_weights_of_losses(keras: Any) -> dict[str, Any]:
    structure = lambda p, q: {"v": [p], "u": (q,)}  # noqa: E731
    return _losses(keras, structure, loss=structure("mse", "mae"), loss_weights=structure(2.0, 0.5))


def targets_given_flat(keras: Any) -> dict[str, Any]:
    found = {}
    structures: dict[str, Any] = {
        "lists": lambda p, q: [[p], q],
        "dict of lists": lambda p, q: {"v": [p], "u": (q,)},
        "dicts": lambda p, q: [{"x": p}, {"y": q}],
    }
    for name, structure in structures.items():
        model = _outputs(keras, structure)
        model.compile("sgd", structure("mse", "mae"))
        found[name] = model.evaluate(X, [Y, Z], verbose=0)
    return found


def weights_of_samples_for_nested_outputs(keras: Any) -> dict[str, Any]:
    found = {}
    weights = np.arange(6, dtype="float32")
    structures: dict[str, Any] = {"list": lambda p, q: [p, q], "dict": lambda p, q: {"v": p, "u": q}}
    for name, structure in structures.items():
        model = _outputs(keras, structure)
        model.compile("sgd", structure("mse", "mae"), weighted_metrics=structure(["mae"], ["mse"]))
        given = structure(Y, Z)
        found[name] = [
            sorted(model.evaluate(X, given, sample_weight=w, verbose=0, return_dict=True).items())
            for w in (weights, structure(weights, weights[::-1].copy()))
        ]
    nested = _outputs(keras, lambda p, q: [[p], q])
    nested.compile("sgd", ["mse", "mae"])
    found["nested"] = nested.evaluate(X, [[Y], Z], sample_weight=weights, verbose=0)
    return found


def an_output_twice(keras: Any) -> dict[str, Any]:
    (a,) = _named(keras, "a")
    p = _ones(keras, "p")(a)
    model = keras.Model(a, [p, p])
    return {"predicted": model.predict(X, verbose=0), "shapes": [list(v.shape) for v in model.outputs]}


def an_input_that_is_an_output(keras: Any) -> dict[str, Any]:
    a, b = _named(keras, "a", "b")
    model = keras.Model([a, b], {"same": a, "sum": a + b})
    again = keras.Model.from_config(model.get_config())
    return {"predicted": model.predict([X, OTHER], verbose=0), "again": again.predict([X, OTHER], verbose=0)}


def structures_in_configs(keras: Any) -> dict[str, Any]:
    a, b = _named(keras, "a", "b")
    found = {}
    for name, inputs, outputs in (
        ("one", a, a * 1.0),
        ("lists", [a], [a * 1.0]),
        ("nested", {"z": [a], "y": (b,)}, [[a * 1.0], {"s": a + b}]),
    ):
        config = keras.Model(inputs, outputs, name="m").get_config()
        found[name] = str([config["input_layers"], type(config["output_layers"]).__name__])
    return found


# --------------------------------------------------------------------------------------- arguments of layers


def several_tensors_in_a_call(keras: Any) -> dict[str, Any]:
    class Mix(keras.layers.Layer):
        def build(self, x_shape: Any, y_shape: Any) -> None:
            self.scale = self.add_weight(shape=(x_shape[-1], y_shape[-1]), initializer="ones", name="scale")

        def call(self, x: Any, y: Any, shift: float = 0.0) -> Any:
            return keras.ops.matmul(x, self.scale) * y + shift

    a, b = _named(keras, "a", "b")
    layer = Mix()
    model = keras.Model([a, b], layer(a, y=b, shift=0.5))
    return {
        "predicted": model.predict([X, OTHER], verbose=0),
        "shapes": {key: list(shape) for key, shape in layer.get_build_config()["shapes_dict"].items()},
    }


def nested_arguments_of_a_call(keras: Any) -> dict[str, Any]:
    class Gather(keras.layers.Layer):
        def call(self, inputs: Any, state: Any = None, scale: float = 1.0) -> Any:
            first, rest = inputs["first"], inputs["rest"]
            total = first + rest[0] * 2.0 + rest[1]["deep"] * 3.0
            total = total if state is None else total + state[0] - state[1]
            return {"total": total * scale, "parts": [first, (rest[0],)]}

    a, b = _named(keras, "a", "b")
    gather = Gather(name="gather")
    made = gather({"first": a, "rest": [b, {"deep": a}]}, state=(a, b), scale=0.5)
    plain = gather({"first": b, "rest": [b, {"deep": b}]})
    model = keras.Model([a, b], [made["total"], made["parts"][1][0], plain["total"]])
    return {
        "structure": sorted(made),
        "predicted": model.predict([X, OTHER], verbose=0),
        "called": gather({"first": X, "rest": [OTHER, {"deep": X}]})["total"],
    }


def none_among_the_arguments(keras: Any) -> dict[str, Any]:
    class Sum(keras.layers.Layer):
        def call(self, inputs: Any) -> Any:
            found = [x for x in inputs if x is not None]
            return found[0] if len(found) == 1 else found[0] + found[1]

    a, b = _named(keras, "a", "b")
    total = Sum()
    model = keras.Model([a, b], [total([a, None]), total([None, b]), total([a, b])])
    return {"predicted": model.predict([X, OTHER], verbose=0), "called": total([X, None])}


def a_namedtuple_through_a_layer(keras: Any) -> dict[str, Any]:
    class Swap(keras.layers.Layer):
        def call(self, pair: Any) -> Any:
            return Pair(pair.right * 1.0, pair.left * 1.0)

    a, b = _named(keras, "a", "b")
    swapped = Swap()(Pair(a, b))
    model = keras.Model([a, b], Pair(swapped.left, swapped.right))
    predicted = model.predict([X, OTHER], verbose=0)
    return {"kind": type(swapped).__name__, "left": predicted[0], "right": predicted[1]}


def outputs_of_a_subclassed_model(keras: Any) -> dict[str, Any]:
    class Own(keras.Model):
        def call(self, inputs: Any) -> Any:
            return {"sum": inputs["a"] + inputs["b"][0], "pair": [inputs["a"], (inputs["b"][0] * 2.0,)]}

    return {"predicted": Own().predict({"a": X, "b": [OTHER]}, batch_size=4, verbose=0)}


# ------------------------------------------------------------------------------------------ optional inputs


def _taking_none(keras: Any) -> Any:
    class Take(keras.layers.Layer):
        def call(self, x: Any, y: Any = None) -> Any:
            return x * 2.0 if y is None else x - y

    return Take(name="take")


def an_optional_input(keras: Any) -> dict[str, Any]:
    (a,) = _named(keras, "a")
    (o,) = _named(keras, "o", optional=True)
    model = keras.Model([a, o], _taking_none(keras)(a, o))
    return {
        "with": model.predict([X, OTHER], verbose=0),
        "without": model.predict([X, None], verbose=0),
        "called": model([X, None]),
        "by name": model.predict({"a": X, "o": None}, verbose=0),
        "optional": model.get_config()["layers"][1]["config"]["optional"],
        "left out": refusal(lambda: model({"a": X})),
        "the other": refusal(lambda: model([None, X])),
        "again": keras.Model.from_config(
            model.get_config(), custom_objects={"Take": type(model.get_layer("take"))}
        )([X, None]),
    }


def an_optional_input_is_trained_without(keras: Any) -> dict[str, Any]:
    (a,) = _named(keras, "a")
    (o,) = _named(keras, "o", optional=True)
    taken = _taking_none(keras)(_ones(keras, "d", 2)(a), o)
    model = keras.Model({"a": a, "o": o}, _ones(keras, "out")(taken))
    model.compile("sgd", "mse")
    first = model.fit({"a": X, "o": None}, Y, **QUIET).history["loss"]
    second = model.fit({"a": X, "o": OTHER}, Y, **QUIET).history["loss"]
    return {"losses": [first, second], "weights": model.get_weights()}


# ------------------------------------------------------------------------------------------ operations alone


def _operations(keras: Any, make: Any, *shape: int) -> dict[str, Any]:
    keras.utils.clear_session()
    x = keras.Input(shape, name="x")
    model = keras.Model(x, make(x, keras.ops), name="m")
    config = model.get_config()
    again = keras.Model.from_config(model.get_config())
    data = numbers(3, *shape, low=0.1, high=0.9)
    return {
        "operations": [[item["class_name"], item["name"]] for item in config["layers"]],
        "settings": [str(sorted(item["config"])) for item in config["layers"][1:]],
        "shape": str(model.output_shape),
        "predicted": model.predict(data, verbose=0),
        "again": again.predict(data, verbose=0),
        "names again": [item["name"] for item in again.get_config()["layers"]],
        "layers": [layer.name for layer in model.layers],
    }


def operators_of_python(keras: Any) -> dict[str, Any]:
    return _operations(keras, lambda x, ops: (2 - x) * x / 3 + x**2 - (-x) % 0.3 + x // 0.2 + abs(x), 4)


def comparisons(keras: Any) -> dict[str, Any]:
    make = lambda x, ops: ops.where((x > 0.5) & (x < 0.8) | (x >= 0.85) & (x <= 0.9), x, 1 - x)  # noqa: E731
    return _operations(keras, make, 4)


def slices(keras: Any) -> dict[str, Any]:
    return _operations(
        keras, lambda x, ops: [x[:, 1:, ::2], x[..., None, 0], x[:, -1], x[:, ::2, 1:3]], 3, 4
    )


def elementwise_functions(keras: Any) -> dict[str, Any]:
    return _operations(
        keras, lambda x, ops: ops.exp(ops.sqrt(ops.abs(ops.log1p(x)))) + ops.clip(ops.tan(x), 0.2, 0.8), 4
    )


def reductions(keras: Any) -> dict[str, Any]:
    return _operations(
        keras,
        lambda x, ops: [
            ops.sum(x, axis=1),
            ops.max(x, axis=(1, 2), keepdims=True),
            ops.std(x, axis=-1),
            ops.argmax(x, axis=-1),
            ops.logsumexp(x, axis=[1, 2]),
        ],
        3,
        4,
    )


def shapes_changed(keras: Any) -> dict[str, Any]:
    return _operations(
        keras,
        lambda x, ops: [
            ops.reshape(x, (-1, 12)),
            ops.transpose(x, (0, 2, 1)),
            ops.expand_dims(x, -1),
            ops.squeeze(ops.expand_dims(x, 1), 1),
            ops.moveaxis(x, 1, 2),
            ops.repeat(x, 2, axis=1),
            ops.flip(x, axis=2),
            ops.pad(x, [[0, 0], [1, 0], [0, 2]], constant_values=1.5),
        ],
        3,
        4,
    )


def parts_joined(keras: Any) -> dict[str, Any]:
    def make(x: Any, ops: Any) -> Any:
        first, second = ops.split(x, 2, axis=-1)
        one, two, three = ops.unstack(x, 3, axis=1)
        return [
            ops.concatenate([second, first], axis=1),
            ops.stack([one, three], axis=1),
            ops.hstack([two, one]),
        ]

    return _operations(keras, make, 3, 4)


def products(keras: Any) -> dict[str, Any]:
    return _operations(
        keras,
        lambda x, ops: [
            x @ ops.transpose(x, (0, 2, 1)),
            ops.einsum("bij,bkj->bik", x, x),
            ops.matmul(x, np.ones((4, 2), "float32")),
            ops.tensordot(x, np.ones((4, 2), "float32"), axes=1),
        ],
        3,
        4,
    )


def activations_as_functions(keras: Any) -> dict[str, Any]:
    return _operations(
        keras,
        lambda x, ops: [
            ops.softmax(x, axis=1),
            keras.activations.gelu(x, approximate=True),
            ops.leaky_relu(x, 0.3),
            keras.activations.selu(x),
            ops.elu(x, alpha=0.5),
            ops.silu(x),
            ops.relu6(x),
        ],
        3,
        4,
    )


def choices(keras: Any) -> dict[str, Any]:
    return _operations(
        keras,
        lambda x, ops: [
            ops.take(x, [2, 0], axis=1),
            ops.one_hot(ops.cast(x * 3, "int32"), 4),
            ops.cumsum(x, axis=1),
            ops.maximum(x, 0.5),
            ops.isclose(x, 0.5, atol=0.1),
        ],
        3,
    )


def an_operation_on_two_inputs(keras: Any) -> dict[str, Any]:
    keras.utils.clear_session()
    a, b = _named(keras, "a", "b")
    model = keras.Model({"a": a, "b": b}, a * b - keras.ops.minimum(a, b), name="m")
    again = keras.models.clone_model(model)
    data = {"a": X, "b": OTHER}
    return {
        "predicted": model.predict(data, verbose=0),
        "again": again.predict(data, verbose=0),
        "names": [item["name"] for item in again.get_config()["layers"]],
    }


def names_of_operations_and_layers(keras: Any) -> dict[str, Any]:
    keras.utils.clear_session()
    (a,) = _named(keras, "a")
    x = keras.layers.Add()([a, a]) + 1.0
    y = keras.layers.ReLU()(keras.ops.relu(x + 1.0))
    model = keras.Model(a, [y, y * 2.0, y * 3.0])
    return {"names": [item["name"] for item in model.get_config()["layers"]]}
