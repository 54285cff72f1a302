"""Numbers of other dtypes than those that are computed with: indices, targets, outputs, images, operands."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.parity.means import numbers, refusal

X = numbers(4, 3)
WHOLE = np.array([[1, 2, 3], [4, 5, 6]])
FLOATS = (WHOLE / 7).astype("float32")
FLAGS = WHOLE > 3

INDICES: dict[str, Any] = {
    "float64": np.array([0.0, 2.0, 1.0]),
    "float32": np.array([0, 2, 1], "float32"),
    "fractions": np.array([0.9, 1.2, 2.7]),
    "booleans": np.array([True, False, True]),
    "uint8": np.array([0, 2, 1], "uint8"),
    "int64": np.array([0, 2, 1]),
    "a list": [0, 2, 1],
    "a list of floats": [0.0, 1.0],
    "nested": [[0.0, 1.0], [2.0, 0.0]],
    "a number": 1,
    "a float": 1.0,
}


def _with_dtype(keras: Any, x: Any) -> list[Any]:
    """Contents and dtype."""
    array = keras.ops.convert_to_numpy(x)
    return [str(array.dtype), array]


def one_hot_of_any_indices(keras: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, indices in INDICES.items():
        found[name] = _with_dtype(keras, keras.ops.one_hot(indices, 3))
        found[f"{name}, along 0"] = keras.ops.one_hot(indices, 3, axis=0)
        found[f"{name}, whole"] = _with_dtype(keras, keras.ops.one_hot(indices, 3, dtype="int32"))
        found[f"{name}, flags"] = _with_dtype(keras, keras.ops.one_hot(indices, 3, dtype="bool"))
    return found


def take_at_any_indices(keras: Any) -> dict[str, Any]:
    ops = keras.ops
    found: dict[str, Any] = {}
    for name, indices in INDICES.items():
        found[name] = [ops.take(X, indices, axis=1), ops.take(X, indices), ops.take(WHOLE, indices, axis=1)]
        if np.shape(indices) == (3,):
            found[f"{name}, along an axis"] = ops.take_along_axis(X[:3], np.asarray(indices)[:, None], axis=1)
    return found


def float_indices_inside_a_model(keras: Any) -> dict[str, Any]:
    class Rows(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            rows = keras.ops.one_hot(x, 4)
            return keras.ops.concatenate(
                [rows, keras.ops.take(np.eye(4, dtype="float32"), x, axis=0)], axis=-1
            )

    model = keras.Sequential([keras.Input((2,)), Rows(), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse")
    x, y = np.array([[0.0, 3.0], [1.0, 2.0], [2.0, 2.0]], "float32"), numbers(3, 2, 1)
    before = model.predict(x, verbose=0)
    return {"before": before, "loss": model.train_on_batch(x, y), "after": model.predict(x, verbose=0)}


def labels_of_any_dtype(keras: Any) -> dict[str, Any]:
    labels, logits = np.array([0, 1, 2, 1, 0, 2]), numbers(6, 3)
    losses, metrics, found = keras.losses, keras.metrics, {}
    for dtype in ("float32", "float64", "int8", "uint8", "int16", "uint32", "int64"):
        y = labels.astype(dtype)
        found[dtype] = [
            losses.SparseCategoricalCrossentropy(from_logits=True)(y, logits),
            losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=1)(y[:, None], logits),
            losses.sparse_categorical_crossentropy(y, logits, from_logits=True),
            metrics.SparseCategoricalAccuracy()(y, logits),
            metrics.SparseTopKCategoricalAccuracy(k=2)(y[:, None], logits),
            metrics.SparseCategoricalCrossentropy(from_logits=True)(y, logits),
        ]
    found["booleans"] = losses.SparseCategoricalCrossentropy(from_logits=True)(labels > 1, logits)
    return found


def rows_made_of_any_labels(keras: Any) -> dict[str, Any]:
    kinds = ("float64", "float32", "booleans", "uint8", "a list", "a list of floats", "nested", "a number")
    return {
        kind: [np.asarray(keras.utils.to_categorical(INDICES[kind], n), "float32") for n in (None, 5)]
        for kind in kinds
    }


TARGETS: dict[str, Any] = {
    "booleans": numbers(6, 3, key="y") > 0,
    "whole": (numbers(6, 3, key="y") > 0).astype("int64"),
    "uint8": (numbers(6, 3, key="y") > 0).astype("uint8"),
    "float64": (numbers(6, 3, key="y") > 0).astype("float64"),
}
OUTPUTS = numbers(6, 3, key="p", low=0.1, high=0.9)
LOSSES = ("MeanSquaredError", "MeanAbsoluteError", "BinaryCrossentropy", "CategoricalCrossentropy", "Hinge")
LOSSES += ("Huber", "LogCosh", "Poisson", "KLDivergence", "CosineSimilarity", "CategoricalHinge")
LOSSES += ("MeanSquaredLogarithmicError", "BinaryFocalCrossentropy", "CategoricalFocalCrossentropy")


def losses_of_targets_of_any_dtype(keras: Any) -> dict[str, Any]:
    return {
        f"{name}, {kind}": getattr(keras.losses, name)()(y, OUTPUTS)
        for name in LOSSES
        for kind, y in TARGETS.items()
    }


def losses_of_outputs_of_any_dtype(keras: Any) -> dict[str, Any]:
    y = TARGETS["whole"]
    outputs = {"whole": (OUTPUTS > 0.5).astype("int64"), "booleans": OUTPUTS > 0.5}
    outputs["float64"] = OUTPUTS.astype("float64")
    names = ("MeanSquaredError", "MeanAbsoluteError", "Huber", "LogCosh", "Hinge", "CategoricalHinge")
    return {
        f"{name}, {kind}": getattr(keras.losses, name)()(y, p)
        for name in names
        for kind, p in outputs.items()
    }


def metrics_of_any_dtype(keras: Any) -> dict[str, Any]:
    names = ("MeanSquaredError", "BinaryAccuracy", "CategoricalAccuracy", "Precision", "Recall", "AUC")
    names += ("F1Score", "R2Score", "TopKCategoricalAccuracy", "CosineSimilarity")
    found = {}
    for name in names:
        more = {"k": 2} if name.startswith("Top") else {}
        for kind, y in TARGETS.items():
            found[f"{name}, {kind}"] = getattr(keras.metrics, name)(**more)(
                y, OUTPUTS, sample_weight=[1, 2, 0, 1, 3, 1]
            )
        decided = (OUTPUTS > 0.5).astype("int64")
        found[f"{name}, decisions"] = getattr(keras.metrics, name)(**more)(TARGETS["whole"], decided)
    return found


def means_of_whole_numbers(keras: Any) -> dict[str, Any]:
    metrics = keras.metrics
    return {
        "whole": metrics.Mean()([1, 2, 4]),
        "flags": metrics.Mean()([True, False]),
        "a number": metrics.Mean()(3),
        "a NumPy number": metrics.Mean()(np.float64(2.5)),
        "weighted": metrics.Mean()([[1, 2], [3, 4]], sample_weight=[1, 0]),
        "sum": metrics.Sum()(np.int64(3)),
    }


# ------------------------------------------------------------------------------------------------------- fit


def _line(keras: Any, units: int = 1, activation: str | None = None) -> Any:
    start = keras.initializers.Constant(0.3)
    layer = keras.layers.Dense(units, activation=activation, kernel_initializer=start)
    return keras.Sequential([keras.Input((3,)), layer])


def _used(model: Any, x: Any, y: Any) -> dict[str, Any]:
    history = model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0).history
    return {
        "history": {name: history[name] for name in sorted(history)},
        "evaluate": model.evaluate(x, y, verbose=0),
        "predict": _plain(model.predict(x, verbose=0)),
    }


def _plain(array: Any) -> list[Any]:
    return [str(array.dtype), array]


def inputs_of_any_dtype_in_fit(keras: Any) -> dict[str, Any]:
    x, found = numbers(6, 3), {}
    kinds = {
        "float64": x.astype("float64"),
        "float16": (x * 8).round().astype("float16"),
        "int64": (x * 5).astype("int64"),
        "uint8": np.abs(x * 5).astype("uint8"),
        "booleans": x > 0,
        "columns first": np.asfortranarray(x),
        "every second": numbers(12, 3)[::2],
    }
    for name, given in kinds.items():
        model = _line(keras)
        model.compile("sgd", "mse", metrics=["mae"])
        found[name] = _used(model, given, numbers(6, 1, key="y"))
    return found


def targets_of_any_dtype_in_fit(keras: Any) -> dict[str, Any]:
    y, found = numbers(6, 1, key="y"), {}
    kinds = {"float64": y.astype("float64"), "whole": (y * 5).astype("int64"), "int8": (y * 5).astype("int8")}
    for name, target in kinds.items():
        model = _line(keras)
        model.compile("sgd", "mse", metrics=["mae"])
        found[name] = _used(model, numbers(6, 3), target)
    for name, target in {"booleans": y > 0, "uint8": (y > 0).astype("uint8"), "flat": y[:, 0] > 0}.items():
        model = _line(keras, 1, "sigmoid")
        model.compile("sgd", "bce", metrics=["accuracy", "mse", keras.metrics.Precision(name="precision")])
        found[f"{name} of two classes"] = _used(model, numbers(6, 3), target)
    return found


def labels_of_any_dtype_in_fit(keras: Any) -> dict[str, Any]:
    labels, found = np.array([0, 1, 2, 1, 0, 2]), {}
    kinds = {"float32": labels.astype("float32"), "uint8": labels.astype("uint8"), "booleans": labels > 1}
    kinds["a column of floats"] = labels[:, None].astype("float64")
    for name, y in kinds.items():
        model = _line(keras, 3, "softmax")
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
        found[name] = _used(model, numbers(6, 3), y)
    for dtype in ("int64", "bool"):
        model = _line(keras, 3, "softmax")
        model.compile(
            "sgd", "categorical_crossentropy", metrics=["accuracy", keras.metrics.F1Score("macro", name="f")]
        )
        found[f"rows of {dtype}"] = _used(model, numbers(6, 3), np.eye(3, dtype=dtype)[labels])
    return found


def a_model_called_on_whole_numbers(keras: Any) -> dict[str, Any]:
    model = _line(keras, 2)
    return {
        "whole": _with_dtype(keras, model(np.array([[1, 2, 3]]))),
        "float64": _with_dtype(keras, model(np.array([[1.0, 2.0, 3.0]]))),
        "uint8": _with_dtype(keras, model(np.array([[1, 2, 3]], "uint8"))),
        "booleans": _with_dtype(keras, model(np.array([[True, False, True]]))),
    }


# ---------------------------------------------------------------------------------------------------- images

IMAGES = (np.arange(2 * 4 * 4 * 3) * 7 % 251).reshape(2, 4, 4, 3).astype("uint8")


def images_of_bytes_through_layers(keras: Any) -> dict[str, Any]:
    layers = keras.layers
    kinds = {
        "rescaled": layers.Rescaling(1 / 255.0),
        "rescaled and moved": layers.Rescaling(1 / 127.5, offset=-1),
        "means": layers.GlobalAveragePooling2D(),
        "dense": layers.Dense(2, kernel_initializer="ones"),
        "normalized": layers.Normalization(mean=100.0, variance=4.0),
        "in inference": layers.BatchNormalization(),
        "the largest": layers.MaxPooling2D(),
        "the largest of all": layers.GlobalMaxPooling2D(),
        "flat": layers.Flatten(),
        "cut": layers.CenterCrop(2, 2),
        "cropped": layers.Cropping2D(1),
        "padded": layers.ZeroPadding2D(1),
        "enlarged": layers.UpSampling2D(2),
        "turned": layers.Permute((2, 1, 3)),
        "activated": layers.Activation("relu"),
        "dropped": layers.Dropout(0.5),
    }
    return {name: keras.ops.cast(layer(IMAGES), "float32") for name, layer in kinds.items()}


def images_of_bytes_through_models(keras: Any) -> dict[str, Any]:
    layers, found = keras.layers, {}
    kinds = {
        "rescaled": [layers.Rescaling(1 / 255.0), layers.Conv2D(2, 2, kernel_initializer="ones")],
        "pooled": [layers.MaxPooling2D(), layers.Flatten(), layers.Dense(2, kernel_initializer="ones")],
        "normalized": [layers.BatchNormalization(), layers.GlobalAveragePooling2D()],
    }
    for name, stack in kinds.items():
        for dtype in ("uint8", "float32"):
            model = keras.Sequential([keras.Input((4, 4, 3), dtype=dtype), *stack])
            found[f"{name} {dtype}"] = model.predict(IMAGES, verbose=0)
    return found


def whole_images_are_normalized_as_floats(keras: Any) -> dict[str, Any]:
    found = {}
    for dtype in ("uint8", "int32", "int64"):
        layer = keras.layers.BatchNormalization()
        found[dtype] = [
            layer(IMAGES.astype(dtype)),
            layer.moving_mean,
            layer(IMAGES.astype(dtype), training=True),
        ]
        found[f"{dtype}, moved"] = layer.moving_mean
    return found


# -------------------------------------------------------------------------------------------------- operands

UNARY = ("sqrt", "exp", "log", "sin", "cos", "tanh", "sigmoid", "mean", "std", "abs", "square", "negative")
UNARY += (
    "rsqrt",
    "log1p",
    "expm1",
    "sign",
    "argmax",
    "any",
    "all",
    "zeros_like",
    "ones_like",
    "relu",
    "min",
    "max",
)


def functions_of_whole_numbers(keras: Any) -> dict[str, Any]:
    given = {
        "int32": WHOLE.astype("int32"),
        "a list": [[1, 2, 3], [4, 5, 6]],
        "a list of floats": [[1.0, 2.5]],
    }
    given |= {"uint8": WHOLE.astype("uint8"), "a number": 3, "a float": 0.5}
    return {
        f"{name}, {kind}": _with_dtype(keras, getattr(keras.ops, name)(x))
        for name in UNARY
        for kind, x in given.items()
        if not (name == "negative" and kind == "uint8")
    }


def whole_numbers_stay_whole(keras: Any) -> dict[str, Any]:
    ops, x = keras.ops, WHOLE.astype("int32")
    return {
        "rounded": _with_dtype(keras, ops.round(x)),
        "clipped": _with_dtype(keras, ops.clip(x, 2, 4)),
        "clipped at a fraction": _with_dtype(keras, ops.clip(x, 1.5, 4)),
        "flags clipped": _with_dtype(keras, ops.clip(FLAGS, 0, 1)),
        "squared flags": _with_dtype(keras, ops.square(FLAGS)),
        "squared": _with_dtype(keras, ops.power(x, 2)),
        "a root": _with_dtype(keras, ops.power(x, 0.5)),
        "summed flags": _with_dtype(keras, ops.sum(FLAGS)),
        "the mean of flags": _with_dtype(keras, ops.mean(FLAGS)),
    }


BINARY = ("add", "subtract", "multiply", "divide", "power", "equal", "less", "greater_equal", "not_equal")
OPERANDS: dict[str, Any] = {
    "int32": WHOLE.astype("int32"),
    "uint8": WHOLE.astype("uint8"),
    "float32": FLOATS,
    "float16": FLOATS.astype("float16"),
    "a list": [[1, 2, 3], [4, 5, 6]],
    "a list of floats": [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]],
    "a number": 2,
    "a float": 0.5,
}


def whole_numbers_beside_floats(keras: Any) -> dict[str, Any]:
    return {
        f"{name} of {a} and {b}": _with_dtype(keras, getattr(keras.ops, name)(OPERANDS[a], OPERANDS[b]))
        for name in BINARY
        for a in OPERANDS
        for b in OPERANDS
        if not (name in ("subtract", "power") and "uint8" in (a, b))
    }


def numbers_beside_flags(keras: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in ("add", "subtract", "multiply", "divide", "equal", "less", "greater", "maximum", "minimum"):
        for kind, number in (("whole", 2), ("a fraction", 0.5)):
            function = getattr(keras.ops, name)
            found[f"{name}, {kind}"] = [function(FLAGS, number), function(number, FLAGS)]
    found["power"] = [keras.ops.power(FLAGS, 2), keras.ops.power(FLAGS, 3), keras.ops.power(3, FLAGS)]
    found["mod"] = keras.ops.mod(FLAGS, 2)
    return found


def choices_between_dtypes(keras: Any) -> dict[str, Any]:
    ops, whole = keras.ops, WHOLE.astype("int32")
    return {
        "numbers": _with_dtype(keras, ops.where(FLAGS, 1, 0)),
        "a float and a number": _with_dtype(keras, ops.where(FLAGS, 1.0, 0)),
        "whole and floats": _with_dtype(keras, ops.where(FLAGS, whole, FLOATS)),
        "whole and a fraction": _with_dtype(keras, ops.where(FLAGS, whole, 0.5)),
        "a condition of numbers": _with_dtype(keras, ops.where(whole - 1, FLOATS, 0.0)),
        "lists": _with_dtype(keras, ops.where([True, False], [1, 2], [3, 4])),
        "stacked": _with_dtype(keras, ops.stack([whole, FLOATS])),
        "joined": _with_dtype(keras, ops.concatenate([whole, FLOATS])),
    }


def conversions(keras: Any) -> dict[str, Any]:
    given = {
        "a number": 1,
        "a float": 1.0,
        "a flag": True,
        "whole": [1, 2],
        "floats": [1.0, 2.0],
        "mixed": [1, 2.5],
    }
    given |= {"a tuple": (1, 2), "bytes": np.array([1], "uint8"), "flags": [True], "int32": np.int32(1)}
    wanted = {"to float": (1, "float32"), "to whole": ([1.7, -2.2], "int32"), "to flags": ([0, 0.5], "bool")}
    found = {name: _with_dtype(keras, keras.ops.convert_to_tensor(x)) for name, x in given.items()}
    found |= {name: _with_dtype(keras, keras.ops.convert_to_tensor(*x)) for name, x in wanted.items()}
    found |= {
        f"cast to {d}": _with_dtype(keras, keras.ops.cast([0.0, 1.7], d))
        for d in ("bool", "uint8", "float16")
    }
    return found


def what_no_dtype_makes_right(keras: Any) -> dict[str, Any]:
    logits = numbers(3, 3)
    return {
        "text": refusal(lambda: keras.ops.one_hot(["a", "b"], 3)) is not None,
        "a label too large": refusal(lambda: keras.losses.SparseCategoricalCrossentropy()([0, 1, 3], logits))
        is not None,
        "objects": refusal(lambda: _line(keras).predict(np.array([["a", "b", "c"]], object), verbose=0))
        is not None,
    }
