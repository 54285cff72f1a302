"""What arguments of constructors and methods change, which values are taken, and which are refused."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.parity.means import numbers, refusal


def _refused(make: Any, *wrong: dict[str, Any]) -> list[bool]:
    """Whether each set of arguments is refused."""
    return [refusal(lambda arguments=arguments: make(**arguments)) is not None for arguments in wrong]


def _taken(make: Any, *right: dict[str, Any]) -> list[str | None]:
    """How each set of arguments ends, which is well."""
    return [refusal(lambda arguments=arguments: make(**arguments)) for arguments in right]


def _dtype(thing: Any) -> str:
    return str(thing.dtype).replace("torch.", "")


def _line(keras: Any) -> Any:
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="ones")])


# ---------------------------------------------------------------------------------------------------- models


def a_model_that_is_not_trainable(keras: Any) -> dict[str, Any]:
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(2)(inputs), trainable=False)
    stack = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)], trainable=False)
    return {
        "functional": [model.trainable, len(model.trainable_weights), model.layers[-1].trainable],
        "sequential": [stack.trainable, len(stack.trainable_weights), stack.layers[-1].trainable],
    }


def a_functional_class_hands_on_its_name_and_trainable(keras: Any) -> dict[str, Any]:
    class Own(keras.Model):
        def __init__(self, **settings: Any) -> None:
            inputs = keras.Input((3,))
            outputs = keras.layers.Dense(2)(inputs)
            super().__init__(inputs=inputs, outputs=outputs, **settings)

    model = Own(name="own", trainable=False)
    return {
        "name": model.name,
        "trainable": [model.trainable, len(model.trainable_weights)],
        "layers": model.layers[-1].trainable,
    }


def a_subclass_computes_in_its_dtype(keras: Any) -> dict[str, Any]:
    class Own(keras.Model):
        def call(self, inputs: Any) -> Any:
            return inputs + inputs

    model = Own(dtype="float64")
    exact = Own(autocast=False)
    return {
        "dtypes": [model.dtype, model.compute_dtype, model.variable_dtype],
        "result": _dtype(model(numbers(2, 3))),
        "as it came": _dtype(exact(numbers(2, 3).astype("float64"))),
        "cast": _dtype(Own()(numbers(2, 3).astype("float64"))),
    }


def layers_are_added_without_making_weights(keras: Any) -> dict[str, Any]:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, kernel_initializer="ones")])
    model.add(keras.layers.Dense(1, kernel_initializer="ones"), rebuild=False)
    before = model.built
    model.build((None, 3))
    predicted = model.predict(numbers(2, 3), verbose=0)
    model.pop(rebuild=False)
    popped = model.built
    model.build((None, 3))
    return {
        "built": [before, popped],
        "predicted": predicted,
        "without the last": model.predict(numbers(2, 3), verbose=0),
        "after": [model.built, len(model.layers), len(model.weights)],
        "for another shape": refusal(lambda: model.build((None, 4))) is not None,
    }


def what_compile_takes(keras: Any) -> dict[str, Any]:
    def make(**settings: Any) -> Any:
        model = _line(keras)
        model.compile("sgd", "mse", **settings)
        history = model.fit(numbers(8, 3), numbers(8, 1), shuffle=False, verbose=0).history
        return history["loss"]

    return {
        "jit_compile": [make(jit_compile=value) for value in ("auto", True, False)],
        "auto_scale_loss": [make(auto_scale_loss=value) for value in (True, False)],
        "run_eagerly": [make(run_eagerly=value) for value in (True, False, None)],
        "loss_weights": [make(loss_weights=value) for value in (2.0, [0.5], None)],
        "wrong": _refused(make, {"loss_weights": "a"}, {"loss_weights": [1.0, 2.0]}, {"optimiser": "sgd"}),
    }


def what_fit_takes(keras: Any) -> dict[str, Any]:
    def make(**settings: Any) -> Any:
        model = _line(keras)
        model.compile("sgd", "mse")
        given = {"shuffle": False, "verbose": 0, "batch_size": 4, **settings}
        return model.fit(numbers(8, 3), numbers(8, 1), **given).history["loss"]

    return {
        "shuffle": make(shuffle=None),
        "validation_split": make(validation_split=None),
        "callbacks": make(callbacks=[]),
        "wrong": _refused(
            make, {"workers": 2}, {"epochs": 1.5}, {"batch_size": -1}, {"validation_split": 1.0}
        ),
    }


def shuffled_batches_keep_their_rows(keras: Any) -> dict[str, Any]:
    seen: list[Any] = []

    class Rows(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            seen.append(float(logs["mae"]))

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    model.compile(keras.optimizers.SGD(0.0), "mse", metrics=["mae"])
    x = np.repeat(np.arange(4, dtype="float32"), 2)[:, None]
    model.fit(x, x, batch_size=2, shuffle="batch", verbose=0, callbacks=[Rows()])
    alone = np.diff([0.0, *(mean * count for count, mean in enumerate(seen, 1))])
    return {"the mean of each batch, sorted": sorted(np.round(alone, 3).tolist())}


# ---------------------------------------------------------------------------------------- layers and weights


def a_layer_in_each_dtype(keras: Any) -> dict[str, Any]:
    policy = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float64"}}
    found = {}
    for name, dtype in {
        "half": "float16",
        "double": "float64",
        "of NumPy": np.float64,
        "of Python": float,
        "a policy": {**policy, "registered_name": None},
        "none": None,
    }.items():
        layer = keras.layers.Dense(2, dtype=dtype)
        found[name] = [layer.dtype, layer.compute_dtype, _dtype(layer(numbers(2, 3))), _dtype(layer.kernel)]
    return {
        "dtypes": found,
        "wrong": _refused(keras.layers.ReLU, {"dtype": "float31"}, {"dtype": "float"}, {"dtype": "double"}),
    }


def what_python_calls_numbers(keras: Any) -> dict[str, Any]:
    ops = keras.ops
    return {
        "cast": [_dtype(ops.cast(numbers(2), kind)) for kind in (float, int, bool, "int", np.float16)],
        "zeros": [_dtype(ops.zeros((2,), dtype=kind)) for kind in (float, int, bool)],
        "input": [keras.Input((2,), dtype=kind).dtype for kind in (float, int)],
        "loss": keras.losses.MeanSquaredError(dtype=float).dtype,
        "metric": keras.metrics.Mean(dtype=float).dtype,
        "initializer": _dtype(keras.initializers.Ones()((2,), dtype=float)),
    }


def inputs_are_cast_unless_autocast_is_off(keras: Any) -> dict[str, Any]:
    class Same(keras.layers.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs

    wide, whole = numbers(2, 2).astype("float64"), np.ones((2, 2), "int32")
    return {
        "off": [_dtype(Same(autocast=False)(wide)), _dtype(Same(autocast=False, dtype="float16")(wide))],
        "on": [_dtype(Same()(wide)), _dtype(Same(dtype="float16")(wide)), _dtype(Same()(whole))],
    }


def a_config_keeps_autocast(keras: Any) -> dict[str, Any]:
    class Same(keras.layers.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs

    made = [Same.from_config(Same(autocast=value).get_config()) for value in (False, True)]
    return {"autocast": [layer.autocast for layer in made]}


def weights_of_another_dtype_than_the_layer(keras: Any) -> dict[str, Any]:
    class Own(keras.layers.Layer):
        def __init__(self, cast: bool, kind: str, **settings: Any) -> None:
            super().__init__(**settings)
            self.cast, self.kind = cast, kind

        def build(self, input_shape: Any) -> None:
            size = (input_shape[-1],)
            self.factor = self.add_weight(shape=size, initializer="ones", dtype=self.kind, autocast=self.cast)

        def call(self, inputs: Any) -> Any:
            return inputs * self.factor

    cases = [("float32", "float64"), ("float16", "float32")]
    return {
        f"{dtype}, autocast {cast}": _dtype(Own(cast, kind, dtype=dtype)(numbers(2, 3)))
        for dtype, kind in cases
        for cast in (True, False)
    }


def what_add_weight_takes(keras: Any) -> dict[str, Any]:
    layer = keras.layers.Layer()
    rows = [
        {"shape": (2,), "aggregation": value} for value in ("none", "mean", "sum", "only_first_replica", None)
    ]
    wrong = [
        {"shape": (None, 2)},
        {"shape": (-1,)},
        {"shape": 3},
        {"shape": (2,), "aggregation": "foo"},
        {"shape": (2,), "initializer": "foo"},
        {"shape": (2,), "name": "a/b"},
        {"shape": (2,), "dtype": "foo"},
        {"shape": (2,), "lr_multiplier": 2.0},
    ]
    return {
        "taken": _taken(layer.add_weight, *rows, {"shape": [2]}, {"overwrite_with_gradient": False}, {}),
        "of NumPy": tuple(layer.add_weight(shape=(np.int64(2),)).shape),
        "wrong": _refused(layer.add_weight, *wrong),
    }


def names_and_switches_of_layers(keras: Any) -> dict[str, Any]:
    wrong = [{"name": 3}, {"name": "a/b"}, {"trainable": "no"}, {"trainable": None}, {"input_shap": (3,)}]
    return {
        "layer": _refused(keras.layers.ReLU, *wrong),
        "input": _refused(keras.Input, {"shape": (2,), "name": 3}, {"shape": (2,), "name": "a/b"}),
        "model": _refused(keras.Sequential, {"name": "a/b"}),
        "optimizer": _refused(keras.optimizers.SGD, {"name": 3}, {"name": "a/b"}),
        "frozen": len(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, trainable=False)]).weights),
    }


def units_and_sizes_of_layers(keras: Any) -> dict[str, Any]:
    layers = keras.layers
    return {
        "Dense": _refused(layers.Dense, *({"units": value} for value in (0, -1, 2.0, "2", None))),
        "Conv2D": _refused(
            lambda **more: layers.Conv2D(**{"filters": 2, "kernel_size": 2, **more}),
            {"filters": 2.5},
            {"kernel_size": 0},
            {"kernel_size": (2, 2, 2)},
            {"padding": "full"},
            {"strides": 0},
            {"groups": 0},
            {"data_format": "foo"},
            {"activation": "rleu"},
        ),
        "Dropout": _refused(layers.Dropout, *({"rate": value} for value in (-1, 1.5, "a", None))),
        "Reshape": _refused(
            lambda **more: layers.Reshape(**more)(numbers(2, 6)),
            {"target_shape": (-1, -1)},
            {"target_shape": (4, 2)},
        ),
    }


def sizes_of_numpy(keras: Any) -> dict[str, Any]:
    images = numbers(10, 4, 4, 2)
    inputs = keras.Input(shape=(np.prod(images.shape[1:]),))
    flat = keras.layers.Flatten()(keras.Input(shape=np.array(images.shape[1:])))
    return {"flat": [inputs.shape, flat.shape], "list": keras.Input([np.int32(4), 2]).shape}


def a_size_that_is_worked_out(keras: Any) -> dict[str, Any]:
    reshape = keras.layers.Reshape
    return {
        "minus one": keras.ops.convert_to_numpy(reshape((-1, 2))(numbers(2, 6))),
        "none": keras.ops.convert_to_numpy(reshape((None, 2))(numbers(2, 6))),
    }


# -------------------------------------------------------------- arguments that are taken with their defaults


def defaults_that_are_written_out(keras: Any) -> dict[str, Any]:
    layers = keras.layers
    rows = [
        (layers.Dense, {"units": 2, "lora_rank": None, "lora_alpha": None, "quantization_config": None}),
        (layers.BatchNormalization, {"synchronized": False, "renorm": False}),
        (layers.BatchNormalization, {"renorm_clipping": None, "renorm_momentum": 0.99}),
        (layers.InputLayer, {"shape": (2,), "sparse": False, "ragged": False, "optional": False}),
        (keras.Input, {"shape": (2,), "sparse": False, "ragged": None, "tensor": None, "optional": False}),
        (keras.optimizers.SGD, {"use_ema": False, "ema_momentum": 0.99, "ema_overwrite_frequency": None}),
        (keras.optimizers.Adam, {"loss_scale_factor": None, "gradient_accumulation_steps": None}),
        (keras.metrics.SparseTopKCategoricalAccuracy, {"k": 2, "from_sorted_ids": False}),
        (keras.metrics.Mean().add_variable, {"shape": (), "initializer": "zeros", "aggregation": "sum"}),
        (keras.ops.convert_to_tensor, {"x": [1.0], "sparse": False, "ragged": False}),
        (keras.Variable, {"initializer": [1.0], "layout": None, "autocast": True, "synchronization": "auto"}),
    ]
    return {"taken": [refusal(lambda make=make, more=more: make(**more)) for make, more in rows]}


def ragged_and_sparse_are_refused(keras: Any) -> dict[str, Any]:
    return {
        "Input": _refused(keras.Input, {"shape": (2,), "ragged": True}, {"shape": (2,), "sparse": True}),
        "tensor": _refused(
            keras.ops.convert_to_tensor, {"x": [1.0], "sparse": True}, {"x": [1.0], "ragged": True}
        ),
    }


def configs_hold_what_keras_writes(keras: Any) -> dict[str, Any]:
    layers, keys = keras.layers, ("use_ema", "ema_momentum", "ema_overwrite_frequency", "loss_scale_factor")
    optimizer = keras.optimizers.SGD().get_config()
    normalization = layers.BatchNormalization().get_config()

    def built(axis: Any) -> Any:
        layer = layers.LayerNormalization(axis=axis)
        layer.build((None, 3, 4))
        return layer

    return {
        "SGD": {key: optimizer[key] for key in (*keys, "gradient_accumulation_steps")},
        "BatchNormalization": {key: normalization[key] for key in ("renorm", "synchronized")},
        "LayerNormalization": layers.LayerNormalization().get_config()["rms_scaling"],
        "axis": [built(axis).get_config()["axis"] for axis in (-1, [1, -1], (2, 1))],
        "none": list(layers.Normalization(axis=None, mean=0.0, variance=1.0).get_config()["axis"]),
    }


def a_config_written_by_keras(keras: Any) -> dict[str, Any]:
    policy = {
        "module": "keras",
        "class_name": "DTypePolicy",
        "config": {"name": "float32"},
        "registered_name": None,
    }
    initializer = {
        "module": "keras.initializers",
        "class_name": "Ones",
        "config": {},
        "registered_name": None,
    }
    dense = {
        "name": "d",
        "trainable": True,
        "dtype": policy,
        "units": 2,
        "activation": "linear",
        "use_bias": True,
        "kernel_initializer": initializer,
        "bias_initializer": initializer,
        "kernel_regularizer": None,
        "bias_regularizer": None,
        "kernel_constraint": None,
        "bias_constraint": None,
        "quantization_config": None,
    }
    data = {
        "batch_shape": [None, 3],
        "dtype": "float32",
        "sparse": False,
        "ragged": False,
        "name": "data",
        "optional": False,
    }
    layer = keras.layers.Dense.from_config(dense)
    return {
        "result": keras.ops.convert_to_numpy(layer(numbers(2, 3))),
        "input": keras.layers.InputLayer.from_config(data).batch_shape,
        "normalized": keras.layers.LayerNormalization.from_config(
            {"dtype": policy, "axis": [-1], "rms_scaling": False}
        )(numbers(2, 3)).shape,
    }


# ------------------------------------------------------------------------------------------------- variables


def what_a_variable_takes(keras: Any) -> dict[str, Any]:
    def make(**settings: Any) -> Any:
        return keras.Variable(numbers(2), **settings)

    right = [
        {"autocast": False},
        *({"aggregation": value} for value in ("none", "mean", "sum", "only_first_replica", None)),
        *({"synchronization": value} for value in ("auto", "none", "on_read", "on_write")),
        {"layout": None},
        {"name": "own"},
    ]
    wrong = [
        {"aggregation": "foo"},
        {"synchronization": "foo"},
        {"name": "a/b"},
        {"name": 3},
        {"dtype": "foo"},
    ]
    return {
        "taken": _taken(make, *right),
        "wrong": _refused(make, *wrong),
        "kept": [make(aggregation="sum").aggregation, make().aggregation, make(name="own").name],
    }


def the_dtype_of_a_variable(keras: Any) -> dict[str, Any]:
    values = [[1.0, 2.0], 2.5, [1, 2], 3, True, numbers(2), np.ones(2, "float64"), np.ones(2, "int64")]
    return {
        "dtypes": [_dtype(keras.Variable(value, trainable=False)) for value in values],
        "told": [_dtype(keras.Variable(numbers(2), dtype=kind)) for kind in ("float16", float, np.float64)],
    }


def a_variable_from_an_initializer(keras: Any) -> dict[str, Any]:
    makers = ["ones", keras.initializers.Ones(), lambda shape, dtype: np.ones(shape, dtype)]
    made = [keras.Variable(maker, shape=(2,)) for maker in makers]
    return {
        "values": [keras.ops.convert_to_numpy(variable) for variable in made],
        "without a shape": refusal(lambda: keras.Variable("ones")) is not None,
        "unknown": refusal(lambda: keras.Variable("onse", shape=(2,))) is not None,
    }


# ------------------------------------------------------------------------------------------------ optimizers


def what_optimizers_take(keras: Any) -> dict[str, Any]:
    names = [getattr(keras.optimizers, n)().get_config()["name"] for n in ("SGD", "AdamW", "RMSprop")]
    wrong = [
        {"learning_rate": "fast"},
        {"learning_rate": None},
        {"learning_rate": True},
        {"momentum": -0.1},
        {"momentum": 1.5},
        {"momentum": None},
        {"clipnorm": 1.0, "clipvalue": 1.0},
        {"gradient_accumulation_steps": 1},
        {"lr": 0.1},
    ]
    return {
        "wrong": _refused(keras.optimizers.SGD, *wrong),
        "names": names,
        "given": keras.optimizers.SGD(name="own").get_config()["name"],
        "config": keras.optimizers.Adam(clipnorm=1.0, weight_decay=0.1).get_config()["clipnorm"],
    }


def an_optimizer_with_custom_objects(keras: Any) -> dict[str, Any]:
    class Halving(keras.optimizers.schedules.LearningRateSchedule):
        def __init__(self, start: float) -> None:
            self.start = start

        def __call__(self, step: Any) -> Any:
            return self.start / 2.0

        def get_config(self) -> dict[str, Any]:
            return {"start": self.start}

    config = keras.optimizers.SGD(Halving(0.5)).get_config()
    made = keras.optimizers.SGD.from_config(config, custom_objects={"Halving": Halving})
    return {"rate": float(made.learning_rate)}


# -------------------------------------------------------------------------------------------------- functions


def softmax_over_several_axes(keras: Any) -> dict[str, Any]:
    ops, x = keras.ops, numbers(2, 3, 4, low=-2.0, high=2.0)
    return {
        "softmax": [ops.convert_to_numpy(ops.softmax(x, axis=axis)) for axis in ((1, 2), (0, 2), None, 1)],
        "log": [ops.convert_to_numpy(ops.log_softmax(x, axis=axis)) for axis in ((1, 2), None)],
    }


def norms_of_several_orders(keras: Any) -> dict[str, Any]:
    ops, x = keras.ops, numbers(3, 4)
    return {
        "normalized": [ops.convert_to_numpy(ops.normalize(x, order=order)) for order in (1, 2, 3)],
        "axis": ops.convert_to_numpy(ops.normalize(x, axis=0, order=1)),
        "wrong": [
            refusal(lambda order=order: ops.normalize(x, order=order)) is not None for order in (0, "a")
        ],
    }


def borders_that_continue_an_array(keras: Any) -> dict[str, Any]:
    ops, x = keras.ops, numbers(2, 3, 4)
    widths = ((0, 0), (1, 2), (3, 0))
    return {
        "reflect": ops.convert_to_numpy(ops.pad(x, widths, mode="reflect")),
        "symmetric": ops.convert_to_numpy(ops.pad(x, ((0, 0), (1, 1), (1, 0)), mode="symmetric")),
        "constant": ops.convert_to_numpy(ops.pad(x, widths, constant_values=2.0)),
        "wrong": refusal(lambda: ops.pad(x, widths, mode="reflect", constant_values=1.0)) is not None,
    }


def reductions_from_an_initial_value(keras: Any) -> dict[str, Any]:
    ops, x = keras.ops, numbers(3, 4)
    return {
        "max": [
            ops.convert_to_numpy(ops.max(x, axis=axis, initial=start))
            for axis, start in ((0, 0.5), (None, 9.0))
        ],
        "min": ops.convert_to_numpy(ops.min(x, axis=1, initial=-0.5)),
        "axes": ops.convert_to_numpy(ops.sum(x, axis=(0, 1), keepdims=True)),
        "wrong": [refusal(lambda axis=axis: ops.sum(x, axis=axis)) is not None for axis in (5, "a", 1.5)],
    }


def numbers_of_initializers(keras: Any) -> dict[str, Any]:
    make = keras.initializers
    return {
        "wrong": [
            refusal(lambda: make.RandomNormal(stddev=-1.0)((2, 2))) is not None,
            refusal(lambda: make.RandomNormal(stddev="a")((2, 2))) is not None,
            refusal(lambda: make.VarianceScaling(scale=0.0)) is not None,
            refusal(lambda: make.VarianceScaling(mode="fan")) is not None,
            refusal(lambda: make.VarianceScaling(distribution="even")) is not None,
            refusal(lambda: make.Constant("a")((2,))) is not None,
            refusal(lambda: make.GlorotUniform(seeds=1)) is not None,
            refusal(lambda: keras.random.normal((2,), stddev=-1.0, seed=1)) is not None,
            refusal(lambda: keras.random.normal((2,), seed=1.5)) is not None,
            refusal(lambda: keras.random.normal((2,), dtype="int32", seed=1)) is not None,
        ],
        "dtypes": [_dtype(keras.random.uniform((2,), dtype=kind, seed=1)) for kind in ("float16", "float64")],
        "the same again": [
            bool(np.array_equal(*(keras.ops.convert_to_numpy(make.HeNormal(seed=3)((2, 3))) for _ in "ab")))
        ],
    }


def a_normalization_over_several_axes(keras: Any) -> dict[str, Any]:
    found = {}
    for axes in ([1, 2], [-1, 1], [1, -1], (2, 1)):
        layer = keras.layers.LayerNormalization(axis=axes)
        layer.build((None, 3, 4))
        shape = tuple(layer.gamma.shape)
        layer.set_weights([np.arange(12, dtype="float32").reshape(shape), np.ones(shape, "float32")])
        found[str(axes)] = [list(shape), keras.ops.convert_to_numpy(layer(numbers(2, 3, 4)))]
    return found


def layers_of_one_seed_draw_alike(keras: Any) -> dict[str, Any]:
    x = np.ones((8, 32), "float32")

    def draws(make: Any, **settings: Any) -> list[bool]:
        one, other = make(**settings), make(**settings)
        first, second, third = (
            keras.ops.convert_to_numpy(layer(x, training=True)) for layer in (one, other, one)
        )
        return [bool(np.array_equal(first, second)), bool(np.array_equal(first, third))]

    layers = keras.layers
    return {
        "Dropout": draws(layers.Dropout, rate=0.5, seed=3),
        "GaussianNoise": draws(layers.GaussianNoise, stddev=0.5, seed=3),
        "without a seed": draws(layers.Dropout, rate=0.5),
        "initializers": [
            bool(np.array_equal(*(keras.ops.convert_to_numpy(make((3, 3))) for make in pair)))
            for pair in (
                [keras.initializers.HeNormal(seed=3) for _ in "ab"],
                [keras.initializers.HeNormal() for _ in "ab"],
            )
        ],
    }


def numbers_of_numpy(keras: Any) -> dict[str, Any]:
    layers, tenth, x = keras.layers, np.float32(0.1), numbers(4, 3)
    rows = [
        (layers.Dropout, {"rate": tenth}),
        (layers.BatchNormalization, {"axis": np.int64(-1), "momentum": tenth, "epsilon": tenth}),
        (layers.LayerNormalization, {"epsilon": tenth}),
        (layers.LeakyReLU, {"negative_slope": tenth}),
        (layers.ReLU, {"max_value": tenth, "threshold": np.float64(0.05)}),
        (layers.GaussianNoise, {"stddev": np.float64(0.1)}),
        (layers.Rescaling, {"scale": tenth, "offset": np.arange(3.0)}),
        (layers.Reshape, {"target_shape": np.array([3, 1])}),
        (layers.Dense, {"units": 2, "kernel_initializer": np.ones((3, 2), "float32")}),
    ]
    return {
        "outputs": [
            keras.ops.convert_to_numpy(make(**settings)(x, **({"training": False} if i in (0, 1, 5) else {})))
            for i, (make, settings) in enumerate(rows)
        ],
    }


def steps_decide_the_size_of_a_batch(keras: Any) -> dict[str, Any]:
    x, y = numbers(10, 3), numbers(10, 1, key="y")

    def made() -> Any:
        model = _line(keras)
        model.compile("sgd", "mse")
        return model

    def losses(**settings: Any) -> Any:
        return made().fit(x, y, epochs=2, shuffle=False, verbose=0, **settings).history["loss"]

    return {
        "by steps": [losses(steps_per_epoch=steps) for steps in (1, 2, 3, 4)],
        "evaluated": [made().evaluate(x, y, steps=steps, verbose=0) for steps in (1, 3)],
        "predicted": [made().predict(x, steps=steps, verbose=0).shape for steps in (1, 3)],
        "some": made().predict(x, steps=2, batch_size=3, verbose=0).shape,
    }
