"""Names of Keras where scripts look for them: at the top, in backend and utils, in groups of operations."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from tests.parity.means import numbers, refusal


def the_shape_of_an_array(keras: Any) -> dict[str, Any]:
    x = numbers(2, 3)
    return {"shape": list(keras.ops.shape(x)), "ndim": int(keras.ops.ndim(x)), "size": int(keras.ops.size(x))}


def the_shape_of_a_value_with_an_unknown_batch(keras: Any) -> dict[str, Any]:
    x = keras.Input((5, 3))
    return {"shape": list(keras.ops.shape(x)), "dtype": keras.ops.dtype(x)}


def a_layer_that_asks_for_shapes(keras: Any) -> dict[str, Any]:
    class Rows(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return keras.ops.reshape(x, (keras.ops.shape(x)[0], -1)) * keras.ops.cast(
                keras.ops.ndim(x), "float32"
            )

    return {"out": Rows()(numbers(4, 2, 3))}


def operations_by_group(keras: Any) -> dict[str, Any]:
    x, ops = numbers(3, 4), keras.ops
    return {
        "relu": ops.nn.relu(x),
        "softmax": ops.nn.softmax(x),
        "leaky": ops.nn.leaky_relu(x, negative_slope=0.3),
        "one_hot": ops.nn.one_hot([0, 2], 3),
        "mean": ops.numpy.mean(x, axis=1),
        "hstack": ops.numpy.hstack([x, x]),
        "norm": ops.linalg.norm(x, axis=1),
        "same": [ops.nn.relu is ops.relu, ops.numpy.mean is ops.mean],
    }


def classes_at_the_top(keras: Any) -> dict[str, Any]:
    pairs = {
        "metric": keras.Metric is keras.metrics.Metric,
        "loss": keras.Loss is keras.losses.Loss,
        "optimizer": keras.Optimizer is keras.optimizers.Optimizer,
        "initializer": keras.Initializer is keras.initializers.Initializer,
        "regularizer": keras.Regularizer is keras.regularizers.Regularizer,
        "model": keras.Model is keras.models.Model,
        "input": keras.Input is keras.layers.Input,
        "version": isinstance(keras.version(), str) and keras.version().startswith("3."),
    }
    return pairs


def a_symbolic_value_is_a_keras_tensor(keras: Any) -> dict[str, Any]:
    x = keras.Input((3,))
    return {
        "input": isinstance(x, keras.KerasTensor),
        "output": isinstance(keras.layers.Dense(2)(x), keras.KerasTensor),
        "array": isinstance(numbers(2, 3), keras.KerasTensor),
        "asked": [keras.utils.is_keras_tensor(x), keras.backend.is_keras_tensor(numbers(2))],
        "made": list(keras.KerasTensor((None, 3), "int32").shape),
    }


def a_class_derived_from_the_top(keras: Any) -> dict[str, Any]:
    class Twice(keras.Loss):
        def call(self, y_true: Any, y_pred: Any) -> Any:
            return 2.0 * keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)

    class Count(keras.Metric):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.n = self.add_weight(initializer="zeros", name="n")

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
            self.n.assign(self.n + keras.ops.cast(keras.ops.size(y_true), "float32"))

        def result(self) -> Any:
            return self.n

    class Half(keras.Initializer):
        def __call__(self, shape: Any, dtype: Any = None) -> Any:
            return keras.ops.full(shape, 0.5, dtype=dtype)

    dense = keras.layers.Dense(1, kernel_initializer=Half())
    model = keras.Sequential([keras.Input((3,)), dense])
    model.compile(keras.optimizers.SGD(0.1), Twice(), metrics=[Count(name="count")])
    history = model.fit(
        numbers(8, 3), numbers(8, 1, key="y"), batch_size=4, epochs=2, shuffle=False, verbose=0
    )
    return {"history": history.history}


def settings_of_backend_and_config(keras: Any) -> dict[str, Any]:
    backend, config = keras.backend, keras.config
    before = backend.epsilon(), backend.floatx(), backend.image_data_format()
    backend.set_epsilon(1e-5)
    config.set_floatx("float64")
    seen = (
        config.epsilon(),
        backend.floatx(),
        keras.ops.ones(2).dtype == keras.ops.ones(2, dtype="float64").dtype,
    )
    backend.set_epsilon(before[0])
    backend.set_floatx(before[1])
    backend.set_image_data_format(before[2])
    return {"before": list(before), "seen": list(seen), "after": [config.epsilon(), config.floatx()]}


def dtypes_by_their_names(keras: Any) -> dict[str, Any]:
    backend = keras.backend
    return {
        "float": [backend.is_float_dtype("float16"), backend.is_float_dtype("int32")],
        "int": [backend.is_int_dtype("uint8"), backend.is_int_dtype("float32")],
        "names": [backend.standardize_dtype(d) for d in (None, "int", int, float, np.float32, "bool", bool)],
        "refused": refusal(lambda: backend.standardize_dtype("foo")),
    }


def names_begin_again_after_clear_session(keras: Any) -> dict[str, Any]:
    names = []
    for clear in (keras.utils.clear_session, keras.backend.clear_session):
        keras.layers.Dense(1)
        clear()
        names += [keras.layers.Dense(1).name, keras.layers.Dense(1).name, keras.layers.Conv2D(1, 1).name]
    return {"names": names}


def a_device_that_computes_already(keras: Any) -> dict[str, Any]:
    with keras.device("cpu:0"):
        out = keras.layers.Dense(2, kernel_initializer="ones")(numbers(2, 3))
    with keras.device("CPU"):
        more = keras.ops.ones(2)
    return {"out": out, "more": more}


def second_names_of_layers(keras: Any) -> dict[str, Any]:
    layers = keras.layers
    pairs = (
        ("MaxPool2D", "MaxPooling2D"),
        ("AvgPool2D", "AveragePooling2D"),
        ("GlobalAvgPool2D", "GlobalAveragePooling2D"),
        ("GlobalMaxPool2D", "GlobalMaxPooling2D"),
        ("Convolution2D", "Conv2D"),
    )
    found = {short: getattr(layers, short).__name__ for short, _ in pairs}
    return {**found, "same": [getattr(layers, a) is getattr(layers, b) for a, b in pairs]}


def second_names_in_compile(keras: Any) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    for loss, metrics in (("mse", ["MAE", "mape"]), ("MSE", ["msle"]), ("mae", ["MSE", "cosine_similarity"])):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="ones")])
        model.compile("SGD", loss, metrics=metrics)
        seen[loss] = model.evaluate(numbers(6, 3), numbers(6, 1, key="y"), verbose=0, return_dict=True)
    return seen


def initializers_by_both_names(keras: Any) -> dict[str, Any]:
    names = ("zeros", "ones", "identity", "constant")
    made = {name: getattr(keras.initializers, name)()((2, 2)) for name in names}
    return {**made, "same": keras.initializers.zeros is keras.initializers.Zeros}


def sequences_of_one_length(keras: Any) -> dict[str, Any]:
    pad = keras.utils.pad_sequences
    rows = [[1, 2, 3], [4], []]
    return {
        "plain": pad(rows),
        "short": pad(rows, maxlen=2),
        "post": pad(rows, maxlen=2, padding="post", truncating="post", value=-1),
        "long": pad(rows, maxlen=5, padding="post"),
        "floats": pad([[1.5], [2.0, 3.5]], dtype="float32", value=0.5),
        "pairs": pad([[[1, 2]], [[1, 2], [3, 4]]]),
        "refused": [refusal(lambda: pad([1, 2])), refusal(lambda: pad(rows, padding="middle"))],
    }


def parts_of_a_batch(keras: Any) -> dict[str, Any]:
    pack, unpack = keras.utils.pack_x_y_sample_weight, keras.utils.unpack_x_y_sample_weight
    return {
        "packed": [pack(1), list(pack([1, 2])), list(pack(1, 2)), list(pack(1, 2, 3))],
        "unpacked": [list(unpack(d)) for d in (1, (1,), (1, 2), [1, 2], (1, 2, 3))],
        "refused": refusal(lambda: unpack((1, 2, 3, 4))),
    }


def a_step_that_unpacks_its_batch(keras: Any) -> dict[str, Any]:
    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(1, kernel_initializer="ones")

        def call(self, x: Any) -> Any:
            return self.dense(x)

        def test_step(self, data: Any) -> Any:
            x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
            loss = self.compute_loss(x, y, self(x, training=False), sample_weight)
            return {"own": loss}

    model = Own()
    model.compile("sgd", "mse")
    x, y = numbers(6, 3), numbers(6, 1, key="y")
    plain = model.evaluate(x, y, batch_size=6, verbose=0, return_dict=True)
    weighted = model.evaluate(x, y, batch_size=6, sample_weight=np.arange(6.0), verbose=0, return_dict=True)
    return {"plain": plain, "weighted": weighted}


def _batches(keras: Any, base: str) -> Any:
    class Batches(getattr(keras.utils, base)):  # type: ignore[misc]
        def __len__(self) -> int:
            return 3

        def __getitem__(self, i: int) -> Any:
            return numbers(4, 3, key=f"x{i}"), numbers(4, 1, key=f"y{i}")

    return Batches()


def _trained_on(keras: Any, batches: Any) -> dict[str, Any]:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    history = model.fit(batches, epochs=2, shuffle=False, verbose=0)
    return {
        "history": history.history,
        "evaluated": model.evaluate(batches, verbose=0),
    }


def a_dataset_of_ones_own(keras: Any) -> dict[str, Any]:
    return _trained_on(keras, _batches(keras, "PyDataset"))


def a_sequence_of_ones_own(keras: Any) -> dict[str, Any]:
    found = _trained_on(keras, _batches(keras, "Sequence"))
    return {**found, "same": keras.utils.Sequence is keras.utils.PyDataset}


def a_registered_layer(keras: Any) -> dict[str, Any]:
    @keras.saving.register_keras_serializable(package="names")
    class Scale(keras.layers.Layer):
        def __init__(self, factor: float = 2.0, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.factor = factor

        def call(self, x: Any) -> Any:
            return x * self.factor

        def get_config(self) -> Any:
            return {**super().get_config(), "factor": self.factor}

    plain = keras.layers.serialize(Scale(3.0, name="s"))
    again = keras.layers.deserialize(plain)
    return {
        "name": keras.saving.get_registered_name(Scale),
        "found": keras.saving.get_registered_object("names>Scale") is Scale,
        "missing": keras.saving.get_registered_object("names>Other") is None,
        "in plain": plain["registered_name"],
        "factor": again.factor,
        "in a model": _remade(keras, keras.Sequential([keras.Input((3,)), Scale(0.5)]), numbers(2, 3)),
        "utils": keras.utils.register_keras_serializable is keras.saving.register_keras_serializable,
        "refused": refusal(lambda: keras.saving.register_keras_serializable()(type("Bare", (), {}))),
    }


def a_scope_of_custom_objects(keras: Any) -> dict[str, Any]:
    class Shift(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return x + 1.0

    plain = keras.layers.serialize(Shift(name="shift"))
    with keras.saving.custom_object_scope({"Shift": Shift}):
        within = keras.layers.deserialize(plain)
    named = keras.layers.deserialize(plain, custom_objects={"Shift": Shift})
    return {
        "within": within(numbers(2, 3)),
        "named": named(numbers(2, 3)),
        "names": [within.name, named.name],
    }


def _remade(keras: Any, model: Any, x: Any) -> dict[str, Any]:
    text = model.to_json()
    again = keras.models.model_from_json(text)
    again.set_weights(model.get_weights())
    return {
        "class": json.loads(text)["class_name"],
        "layers": [layer.name for layer in again.layers],
        "same": bool(np.allclose(again.predict(x, verbose=0), model.predict(x, verbose=0))),
    }


def a_sequential_model_by_json(keras: Any) -> dict[str, Any]:
    layers = [
        keras.Input((3,)),
        keras.layers.Dense(4, activation="relu", name="a"),
        keras.layers.Dense(2, name="b"),
    ]
    return _remade(keras, keras.Sequential(layers), numbers(5, 3))


def a_functional_model_by_json(keras: Any) -> dict[str, Any]:
    a, b = keras.Input((3,), name="a"), keras.Input((2,), name="b")
    joined = keras.layers.Concatenate(name="join")([keras.layers.Dense(2, name="d")(a), b])
    model = keras.Model([a, b], keras.layers.Dense(1, name="out")(joined))
    text = model.to_json()
    again = keras.models.model_from_json(text)
    again.set_weights(model.get_weights())
    x = [numbers(4, 3), numbers(4, 2, key="b")]
    same = bool(np.allclose(again.predict(x, verbose=0), model.predict(x, verbose=0)))
    return {"class": json.loads(text)["class_name"], "same": same}


def _is_new(clone: Any, model: Any) -> dict[str, Any]:
    shapes = [list(w.shape) for w in clone.get_weights()]
    apart = all(mine is not theirs for mine, theirs in zip(clone.layers, model.layers, strict=True))
    return {
        "shapes": shapes,
        "apart": apart,
        "names": [layer.name for layer in clone.layers if layer.weights],
    }


def a_clone_of_a_sequential_model(keras: Any) -> dict[str, Any]:
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(4, name="a"), keras.layers.Dense(2, name="b")]
    )
    model.set_weights([np.full(w.shape, 9.0) for w in model.get_weights()])
    clone = keras.models.clone_model(model)
    return {
        **_is_new(clone, model),
        "new": float(np.abs(clone.get_weights()[0]).max()) < 9,
        "name": clone.name == model.name,
    }


def a_clone_of_a_functional_model(keras: Any) -> dict[str, Any]:
    x = keras.Input((3,), name="x")
    shared = keras.layers.Dense(3, name="shared")
    model = keras.Model(x, keras.layers.Add(name="add")([shared(shared(x)), x]), name="m")
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    rows = numbers(4, 3)
    same = bool(np.allclose(clone.predict(rows, verbose=0), model.predict(rows, verbose=0)))
    return {**_is_new(clone, model), "same": same, "name": clone.name}


def a_clone_by_a_function(keras: Any) -> dict[str, Any]:
    seen = []

    def narrower(layer: Any) -> Any:
        seen.append(layer.name)
        config = layer.get_config()
        if "units" in config:
            config["units"] = 1
        return type(layer).from_config(config)

    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="inside")], name="inner")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, name="a")])
    clone = keras.models.clone_model(model, clone_function=narrower)
    both = keras.Sequential([keras.Input((4,)), inner])
    keras.models.clone_model(both, clone_function=narrower)
    keras.models.clone_model(both, clone_function=narrower, recursive=True)
    return {"seen": seen, "shapes": [list(w.shape) for w in clone.get_weights()]}


def structures_of_values(keras: Any) -> dict[str, Any]:
    tree, nested = keras.tree, {"b": 1, "a": [2, (3, None)]}
    return {
        "flat": tree.flatten(nested),
        "paths": [[list(map(str, path)), leaf] for path, leaf in tree.flatten_with_path(nested)],
        "one": [tree.flatten(5), tree.flatten([])],
        "nested": [tree.is_nested(x) for x in ([], (), {}, "ab", 3, None)],
        "mapped": tree.map_structure(lambda a, b: a + b, {"x": [1, 2]}, {"x": [3, 4]}),
        "packed": tree.pack_sequence_as({"b": 0, "a": [0]}, [1, 2]),
        "tuples": repr(tree.lists_to_tuples([1, [2, {"a": [3]}]])),
        "shapes": tree.map_shape_structure(lambda s: len(s), [(None, 3), (2,)]),
        "shapes beside other leaves": tree.map_shape_structure(str, {"a": "ab", "b": [2.5], "c": (1, 2)}),
        "up to": repr(tree.map_structure_up_to([1, 2], lambda a, b: (a, b), [1, 2], [[3], 4])),
        "traversed": tree.traverse(lambda x: x * 2 if isinstance(x, int) else None, [1, [2]]),
        "refused": [
            refusal(lambda: tree.assert_same_structure([1, 2], (1, 2))),
            refusal(lambda: tree.assert_same_structure([1, 2], [1])),
            refusal(lambda: tree.pack_sequence_as([1], [1, 2])),
            refusal(lambda: tree.map_structure(lambda a, b: a, [1], (1,))),
            refusal(lambda: tree.assert_same_paths({"a": 1}, {"b": 2})),
            refusal(lambda: tree.assert_same_paths({"a": 1}, {"a": 2})),
        ],
    }


def a_block_that_is_replaced(keras: Any) -> dict[str, Any]:
    x, ops = numbers(3, 4), keras.ops
    return {
        "block": ops.slice_update(x, (1, 2), np.ones((2, 2), "float32")),
        "item": ops.get_item(x, (slice(None), 1)),
        "tensor": [ops.is_tensor(ops.ones(2)), ops.is_tensor("a")],
    }


def loops_and_choices(keras: Any) -> dict[str, Any]:
    ops = keras.ops
    return {
        "map": ops.map(lambda row: ops.sum(row) * row, numbers(3, 2)),
        "vectorized": ops.vectorized_map(lambda row: row * 2.0, ops.convert_to_tensor(numbers(3, 2))),
        "loop": ops.fori_loop(0, 4, lambda i, total: total + ops.cast(i, "float32"), ops.zeros(())),
        "switch": [ops.switch(i, [lambda x: x + 1.0, lambda x: x * 5.0], 2.0) for i in (0, 1)],
    }


def operations_on_the_way_of_a_model(keras: Any) -> dict[str, Any]:
    ops = keras.ops

    class Attention(keras.layers.Layer):
        def build(self, shape: Any) -> None:
            self.w = self.add_weight(shape=(shape[-1], shape[-1]), initializer="ones", name="w")

        def call(self, x: Any) -> Any:
            q = ops.einsum("btd,de->bte", x, self.w)
            scores = ops.einsum("bqd,bkd->bqk", q, x) / ops.sqrt(ops.cast(ops.shape(x)[-1], "float32"))
            steps = ops.shape(x)[1]
            scores = ops.where(ops.tril(ops.ones((steps, steps))) > 0, scores, -1e9)
            return ops.cumsum(ops.einsum("bqk,bkd->bqd", ops.softmax(scores), x), axis=1)

    model = keras.Sequential([keras.Input((4, 3)), Attention(), keras.layers.Flatten()])
    model.compile(keras.optimizers.SGD(0.05), "mse")
    x, y = numbers(6, 4, 3), numbers(6, 12, key="y")
    history = model.fit(x, y, batch_size=3, epochs=2, shuffle=False, verbose=0)
    return {"history": history.history, "weights": model.get_weights(), "out": model.predict(x, verbose=0)}


def objects_as_plain_data(keras: Any) -> dict[str, Any]:
    plain, again = keras.saving.serialize_keras_object, keras.saving.deserialize_keras_object
    things = {
        "layer": keras.layers.Dense(3, name="d"),
        "penalty": keras.regularizers.L2(0.25),
        "metric": keras.metrics.MeanSquaredError(),
        "schedule": keras.optimizers.schedules.CosineDecay(0.1, 10),
        "model": keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]),
        "function": keras.activations.relu,
    }
    made = {name: plain(thing) for name, thing in things.items()}
    back = again(made)
    return {
        "modules": [made[name]["module"] for name in ("layer", "penalty", "metric", "schedule", "function")],
        "names": [made[name]["class_name"] for name in things],
        "back": [type(back[name]).__name__ for name in things],
        "units": back["layer"].units,
        "rate": float(back["schedule"](5)),
        "function": back["function"] is keras.activations.relu,
        "values": [plain(x) for x in (None, 3, 0.5, "a", True, [1, 2], {"a": 1}, np.float32(3))],
        "array": again(plain(np.arange(3.0))),
        "refused": [
            refusal(lambda: plain(object())),
            refusal(lambda: again({"module": "os", "class_name": "system", "config": {}})) is not None,
        ],
    }


def a_layer_that_describes_its_layers(keras: Any) -> dict[str, Any]:
    saving = keras.saving

    @saving.register_keras_serializable(package="names")
    class Around(keras.layers.Layer):
        def __init__(self, inner: Any, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.inner = inner

        def call(self, x: Any) -> Any:
            return self.inner(x) + x

        def get_config(self) -> Any:
            return {**super().get_config(), "inner": saving.serialize_keras_object(self.inner)}

        @classmethod
        def from_config(cls, config: Any) -> Any:
            return cls(saving.deserialize_keras_object(config.pop("inner")), **config)

    layer = Around(keras.layers.Dense(3, kernel_initializer="ones", name="inner"), name="around")
    model = keras.Sequential([keras.Input((3,)), layer])
    return _remade(keras, model, numbers(2, 3))
