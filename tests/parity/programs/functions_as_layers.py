"""Lambda, Pipeline, InputSpec: what people write around layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.parity.means import numbers, refusal


def a_lambda_in_a_model(keras: Any) -> dict[str, Any]:
    ops = keras.ops
    inputs = keras.Input((None, 3))
    squares = keras.layers.Lambda(lambda x: ops.square(x) - 1.0, output_shape=(None, 3))(inputs)
    pooled = keras.layers.Lambda(lambda x: ops.mean(x, 1), output_shape=lambda shape: (shape[0], shape[2]))
    model = keras.Model(inputs, keras.layers.Dense(2, kernel_initializer="ones")(pooled(squares)))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    x, y = numbers(4, 5, 3, key="x"), numbers(4, 2, key="y")
    losses = [float(model.train_on_batch(x, y)) for _ in range(3)]
    return {"shape": list(squares.shape), "losses": losses, "predicted": model.predict(x, verbose=0)}


def a_lambda_of_several_inputs(keras: Any) -> dict[str, Any]:
    ops = keras.ops
    inputs = [keras.Input((3,)), keras.Input((3,))]
    far = keras.layers.Lambda(lambda pair: ops.sum(ops.abs(pair[0] - pair[1]), -1, keepdims=True))
    both = keras.layers.Lambda(lambda pair: [pair[1], pair[0]])
    model = keras.Model(inputs, [far(inputs), *both(inputs)])
    found = model.predict([numbers(4, 3, key="a"), numbers(4, 3, key="b")], verbose=0)
    return {"outputs": list(found), "shapes": [list(value.shape) for value in model.outputs]}


def a_lambda_is_given_arguments_training_and_mask(keras: Any) -> dict[str, Any]:
    def scaled(x: Any, factor: float = 1.0, shift: float = 0.0) -> Any:
        return x * factor + shift

    def by_mode(x: Any, training: bool = False) -> Any:
        return x + 1.0 if training else x

    def by_mask(x: Any, mask: Any = None) -> Any:
        return x if mask is None else x * keras.ops.expand_dims(keras.ops.cast(mask, "float32"), -1)

    x, mode = numbers(2, 3, 2, key="x"), keras.layers.Lambda(by_mode)
    return {
        "arguments": keras.layers.Lambda(scaled, arguments={"factor": 2.0, "shift": 0.5})(x),
        "training": mode(x, training=True),
        "not": mode(x, training=False),
        "mask": keras.layers.Lambda(by_mask)(x, mask=np.array([[1, 0, 1], [0, 0, 1]], bool)),
        "no mask": keras.layers.Lambda(by_mask)(x),
    }


def masks_of_a_lambda(keras: Any) -> dict[str, Any]:
    ids = np.array([[3, 1, 0], [2, 0, 0]], "int32")
    x = numbers(2, 3, 2, key="x")

    def turned(inputs: Any, mask: Any) -> Any:
        return keras.ops.logical_not(mask)

    layer = keras.layers.Lambda(lambda x: x, mask=turned)
    plain = keras.layers.Lambda(lambda x: x)
    return {
        "turned": layer.compute_mask(x, keras.ops.convert_to_tensor(ids != 0)),
        "none": plain.compute_mask(x, None),
        "supports": [layer.supports_masking, plain.supports_masking],
    }


def a_registered_function_is_found_again(keras: Any) -> dict[str, Any]:
    @keras.saving.register_keras_serializable(package="functions_as_layers")
    def doubled(x: Any) -> Any:
        return 2.0 * x

    layer = keras.layers.Lambda(doubled, output_shape=(3,), arguments={}, name="double")
    config = layer.get_config()
    again = keras.layers.Lambda.from_config(dict(config))
    x = numbers(2, 3)
    return {
        "function": config["function"]["config"],
        "output_shape": list(config["output_shape"]),
        "the same": again(x),
        "name": again.name,
    }


def code_in_a_config_is_refused(keras: Any) -> dict[str, Any]:
    code = {"class_name": "__lambda__", "config": {"code": "", "defaults": None, "closure": None}}
    config = {"name": "evil", "function": code, "arguments": {}}
    described = {"class_name": "Lambda", "config": dict(config)}
    return {
        "from_config": refusal(lambda: keras.layers.Lambda.from_config(dict(config))),
        "deserialize": refusal(lambda: keras.layers.deserialize(described)) is not None,
    }


def a_pipeline_is_one_layer(keras: Any) -> dict[str, Any]:
    layers = keras.layers
    steps = [layers.Rescaling(0.5), layers.Dense(3, kernel_initializer="ones"), layers.Activation("relu")]
    pipeline = layers.Pipeline(steps, name="steps")
    x = numbers(4, 2, key="x")
    inputs = keras.Input((2,))
    model = keras.Model(inputs, layers.Dense(1, kernel_initializer="ones")(pipeline(inputs)))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    losses = [float(model.train_on_batch(x, numbers(4, 1, key="y"))) for _ in range(3)]
    again = layers.Pipeline.from_config(pipeline.get_config())
    return {
        "losses": losses,
        "output": pipeline(x),
        "layers": [type(layer).__name__ for layer in pipeline.layers],
        "again": [type(layer).__name__ for layer in again.layers],
        "weights": [list(weight.shape) for weight in model.weights],
        "names": sorted(set(pipeline.get_config()) & {"layers", "name"}),
    }


def a_pipeline_trains_unless_told(keras: Any) -> dict[str, Any]:
    class Told(keras.layers.Layer):
        def call(self, inputs: Any, training: Any = False) -> Any:
            return inputs + 1.0 if training else inputs

    pipeline, x = keras.layers.Pipeline([Told(), Told()]), numbers(2, 2)
    return {"by itself": pipeline(x), "not": pipeline(x, training=False), "yes": pipeline(x, training=True)}


def an_input_spec_is_checked(keras: Any) -> dict[str, Any]:
    class Picky(keras.layers.Layer):
        def __init__(self, spec: Any) -> None:
            super().__init__()
            self.input_spec = spec

        def call(self, inputs: Any) -> Any:
            return inputs

    spec = keras.InputSpec
    specs = {
        "ndim": spec(ndim=2),
        "least": spec(min_ndim=3),
        "most": spec(max_ndim=2),
        "axes": spec(axes={-1: 3}),
        "shape": spec(shape=(None, 5, 3)),
        "squeezed": spec(shape=(None, 5, 1), allow_last_axis_squeeze=True),
        "dtype": spec(dtype="int32"),
        "of several": [spec(ndim=2), spec(ndim=3)],
    }
    inputs = {"rows": (4,), "threes": (3,), "steps": (5, 3), "row": (5,), "column": (5, 1), "cube": (5, 1, 3)}
    found: dict[str, Any] = {}
    for name, one in specs.items():
        layer = Picky(one)
        given = {key: s for key, s in inputs.items() if name != "squeezed" or key not in ("steps", "cube")}
        found[name] = [refusal(lambda s=s, p=layer: p(keras.Input(s))) is None for s in given.values()]
    found["two"] = refusal(lambda: Picky(specs["of several"])([keras.Input((4,)), keras.Input((5, 3))]))
    found["named"] = [
        refusal(lambda d=d: Picky([spec(ndim=2, name="a"), spec(ndim=3, name="b")])(d)) is None
        for d in ({"a": keras.Input((4,)), "b": keras.Input((5, 3))}, {"a": keras.Input((4,))})
    ]
    return found


def an_input_spec_describes_itself(keras: Any) -> dict[str, Any]:
    spec = keras.layers.InputSpec(shape=(None, 3), dtype="float32", axes={-1: 3})
    again = keras.InputSpec.from_config(spec.get_config())
    return {
        "entries": {key: str(value) for key, value in again.get_config().items()},
        "text": repr(keras.InputSpec(ndim=2, axes={1: 3})),
        "ndim": spec.ndim,
        "wrong axes": refusal(lambda: keras.InputSpec(axes={"a": 2})),
        "an axis too far": refusal(lambda: keras.InputSpec(ndim=2, axes={2: 3})),
    }


def boxes_are_cut_or_added(keras: Any) -> dict[str, Any]:
    layer = keras.layers.MaxNumBoundingBoxes(3, bounding_box_format="xywh")
    found: dict[str, Any] = {"number": layer.get_config()["max_number"]}
    for count in (2, 3, 5):
        boxes = {
            "boxes": numbers(1, count, 4, low=0, high=2),
            "labels": np.arange(count, dtype="int32")[None],
        }
        made = layer({"images": np.ones((1, 4, 4, 3), "float32"), "bounding_boxes": boxes})
        found[f"of {count}"] = {name: made["bounding_boxes"][name] for name in ("boxes", "labels")}
    boxes = {"boxes": numbers(2, 4, low=0, high=2), "labels": np.array([3, 4], "int32")}
    made = layer({"images": np.ones((4, 4, 3), "float32"), "bounding_boxes": boxes})["bounding_boxes"]
    return {**found, "of one image": made["labels"], "images": layer(numbers(1, 2, 2, 3))}
