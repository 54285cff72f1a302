"""Sample weights of all shapes, targets with one axis more or less than the outputs, and losses and metrics
named for each output."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from tests.parity.means import numbers, refusal

N, T, D = 4, 3, 2

# --------------------------------------------------------------------------------------------------- weights

WEIGHTS: dict[str, Any] = {
    "a number": 2.5,
    "a whole number": 3,
    "true": True,
    "a NumPy number": np.float64(0.5),
    "an array without axes": np.array(2.0),
    "one": np.array([2.5]),
    "one row and column": np.array([[2.0]]),
    "samples": numbers(N, key="w", low=0.1, high=2.0),
    "whole samples": np.array([1, 0, 2, 1]),
    "a mask": np.array([True, False, True, True]),
    "a list": [1, 2, 0, 1],
    "a column": numbers(N, 1, key="w", low=0.1, high=2.0),
    "a column of a mask": np.array([[True], [False], [True], [True]]),
}
OF_STEPS: dict[str, Any] = {
    "a column": numbers(N, 1, key="w", low=0.1, high=2.0),
    "steps": numbers(N, T, key="w", low=0.1, high=2.0),
    "steps with an axis more": numbers(N, T, 1, key="w", low=0.1, high=2.0),
    "a row": numbers(1, T, key="w", low=0.1, high=2.0),
}
REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", None)


def weights_of_any_shape_in_a_loss(keras: Any) -> dict[str, Any]:
    y, p = numbers(N, D), numbers(N, D, key="p")
    return {
        name: [keras.losses.MeanSquaredError(reduction=how)(y, p, sample_weight=w) for how in REDUCTIONS]
        for name, w in WEIGHTS.items()
    }


def weights_of_steps_in_a_loss(keras: Any) -> dict[str, Any]:
    y, p = numbers(N, T, D), numbers(N, T, D, key="p")
    given = {**OF_STEPS, "the last axis": numbers(T, key="w", low=0.1, high=2.0), "a number": 2}
    return {
        name: [keras.losses.MeanAbsoluteError(reduction=how)(y, p, sample_weight=w) for how in REDUCTIONS]
        for name, w in given.items()
    }


def weights_in_every_kind_of_loss(keras: Any) -> dict[str, Any]:
    y, p = numbers(N, D, low=0.0), numbers(N, D, key="p", low=0.1, high=0.9)
    labels, column = np.array([0, 1, 1, 0]), WEIGHTS["a column"]
    losses = keras.losses
    return {
        "binary": [losses.BinaryCrossentropy(reduction=how)(y, p, 0.5) for how in REDUCTIONS],
        "categorical": [losses.CategoricalCrossentropy(reduction=how)(y, p, column) for how in REDUCTIONS],
        "sparse": [losses.SparseCategoricalCrossentropy(reduction=h)(labels, p, column) for h in REDUCTIONS],
        "sparse, a number": losses.SparseCategoricalCrossentropy()(labels, p, 3),
        "hinge": losses.Hinge(reduction=None)(y, p, column),
        "huber": losses.Huber(reduction=None)(y, p, np.array([2.0])),
    }


def _over_two_batches(metric: Any, y: Any, p: Any, weights: Any) -> list[float]:
    found = []
    for shift in (0.0, 0.1):
        metric.update_state(y, p + shift, sample_weight=weights)
        found.append(float(metric.result()))
    return found


def weights_of_any_shape_in_metrics(keras: Any) -> dict[str, Any]:
    y, p = numbers(N, D), numbers(N, D, key="p", low=0.0)
    metrics = keras.metrics
    return {
        name: {
            "mse": _over_two_batches(metrics.MeanSquaredError(), y, p, w),
            "accuracy": _over_two_batches(metrics.BinaryAccuracy(), y > 0, p, w),
            "precision": _over_two_batches(metrics.Precision(), y > 0, p, w),
            "auc": _over_two_batches(metrics.AUC(), y > 0, p, w),
            "mean": float(metrics.Mean()(y, sample_weight=w)),
            "sum": float(metrics.Sum()(y, sample_weight=w)),
        }
        for name, w in WEIGHTS.items()
    }


def weights_of_steps_in_metrics(keras: Any) -> dict[str, Any]:
    y, p = numbers(N, T, D), numbers(N, T, D, key="p", low=0.0)
    metrics = keras.metrics
    return {
        name: {
            "mse": _over_two_batches(metrics.MeanSquaredError(), y, p, w),
            "accuracy": _over_two_batches(metrics.BinaryAccuracy(), y > 0, p, w),
            "recall": _over_two_batches(metrics.Recall(), y > 0, p, w),
        }
        for name, w in OF_STEPS.items()
    }


def _line(keras: Any, units: int = 1, activation: str | None = None) -> Any:
    ones = keras.initializers.Constant(0.3)
    layer = keras.layers.Dense(units, activation=activation, kernel_initializer=ones, name="out")
    return keras.Sequential([keras.Input((3,)), layer])


def _sorted(logs: dict[str, Any]) -> dict[str, Any]:
    return {name: logs[name] for name in sorted(logs)}


def _trained(model: Any, y: Any, **given: Any) -> dict[str, Any]:
    x = numbers(6, 3)
    return _sorted(model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0, **given).history)


def columns_of_weights_in_fit_and_evaluate(keras: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, y in (("flat", numbers(6, key="y")), ("column", numbers(6, 1, key="y"))):
        for shape in ((6,), (6, 1)):
            w, model = numbers(*shape, key="w", low=0.1), _line(keras)
            model.compile("sgd", "mse", metrics=["mae"], weighted_metrics=["mae", "mse"])
            found[f"{name} {shape}"] = {
                "history": _trained(model, y, sample_weight=w),
                "evaluate": _sorted(
                    model.evaluate(numbers(6, 3), y, sample_weight=w, verbose=0, return_dict=True)
                ),
                "on batch": _line_on_batch(keras, y, w),
            }
    return found


def _line_on_batch(keras: Any, y: Any, weights: Any) -> Any:
    model = _line(keras)
    model.compile("sgd", "mse", weighted_metrics=["mae"])
    return model.train_on_batch(numbers(6, 3), y, sample_weight=weights)


def whole_and_boolean_weights_in_fit(keras: Any) -> dict[str, Any]:
    found = {}
    for name, w in (("whole", np.arange(6)), ("mask", np.arange(6) > 2), ("float64", np.arange(6.0))):
        model = _line(keras)
        model.compile("sgd", "mse", weighted_metrics=["mae"])
        found[name] = _trained(model, numbers(6, 1, key="y"), sample_weight=w)
    return found


def weights_of_each_output(keras: Any) -> dict[str, Any]:
    y, w = [numbers(6, 1, key="a"), numbers(6, 1, key="b")], numbers(6, key="w", low=0.1)
    found = {}
    for name, given in (("a list", [w, 2 * w * w]), ("none for one", [w, None]), ("one for all", w)):
        model = _two(keras)
        model.compile("sgd", "mse", weighted_metrics=[["mae"], ["mae"]])
        found[name] = _trained(model, y, sample_weight=given)
    return found


def a_loss_of_one_number_is_scaled_by_its_weights(keras: Any) -> dict[str, Any]:
    def squares(y_true: Any, y_pred: Any) -> Any:
        return keras.ops.mean(keras.ops.square(y_true - y_pred))

    model = _line(keras)
    model.compile("sgd", squares)
    return _trained(model, numbers(6, 1, key="y"), sample_weight=numbers(6, key="w", low=0.1))


def class_weights_of_all_kinds(keras: Any) -> dict[str, Any]:
    labels = np.array([0, 1, 2, 1, 0, 2])
    kinds: dict[str, Any] = {
        "whole": {0: 1, 1: 2, 2: 3},
        "floats as keys": {0.0: 1.0, 1.0: 2.0, 2.0: 0.5},
        "NumPy keys": {np.int64(0): 1.0, np.int64(1): np.float32(2.0), np.int64(2): 0.5},
        "NumPy floats as keys": dict(zip(np.unique(labels.astype("float32")), [1.0, 2.0, 0.5], strict=True)),
        "a class left out": {0: 1.0, 2: 2.0},
    }
    forms: dict[str, Any] = {
        "indices": ("sparse_categorical_crossentropy", labels),
        "a column": ("sparse_categorical_crossentropy", labels[:, None]),
        "floats": ("sparse_categorical_crossentropy", labels.astype("float32")),
        "rows": ("categorical_crossentropy", np.eye(3)[labels]),
    }
    found = {}
    for kind, form in [*((kind, "indices") for kind in kinds), *(("whole", form) for form in forms)]:
        loss, y = forms[form]
        model = _line(keras, 3, "softmax")
        model.compile("sgd", loss, metrics=["accuracy"], weighted_metrics=["accuracy"])
        found[f"{kind}, {form}"] = _trained(model, y, class_weight=kinds[kind])
    return found


# ----------------------------------------------------------------------------------------------------- ranks

PAIRS = {
    "images without the last axis": ((2, 3, 4), (2, 3, 4, 1)),
    "images with one axis more": ((2, 3, 4, 1), (2, 3, 4)),
    "steps without the last axis": ((4, 3), (4, 3, 1)),
    "steps with one axis more": ((4, 3, 1), (4, 3)),
    "volumes": ((2, 2, 3, 2), (2, 2, 3, 2, 1)),
    "samples against a column": ((4,), (4, 1)),
    "a column against samples": ((4, 1), (4,)),
}


def _pair(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> tuple[Any, Any]:
    y, p = shapes
    return numbers(*y, low=0.0), numbers(*p, key="p", low=0.1, high=0.9)


def losses_of_ranks_that_differ_by_one(keras: Any) -> dict[str, Any]:
    names = (
        "MeanSquaredError",
        "MeanAbsoluteError",
        "BinaryCrossentropy",
        "BinaryFocalCrossentropy",
        "Huber",
    )
    names += (
        "Hinge",
        "LogCosh",
        "Poisson",
        "CosineSimilarity",
        "KLDivergence",
        "MeanSquaredLogarithmicError",
    )
    return {
        f"{name}, {pair}": getattr(keras.losses, name)()(*_pair(shapes))
        for name in names
        for pair, shapes in PAIRS.items()
    }


def functions_of_ranks_that_differ_by_one(keras: Any) -> dict[str, Any]:
    y, p = _pair(PAIRS["images without the last axis"])
    names = ("mean_squared_error", "mean_absolute_error", "mean_absolute_percentage_error", "log_cosh")
    found = {name: getattr(keras.losses, name)(y, p) for name in names}
    return {**found, "accuracy": keras.metrics.binary_accuracy(y > 0.5, p)}


def metrics_of_ranks_that_differ_by_one(keras: Any) -> dict[str, Any]:
    names = ("MeanSquaredError", "RootMeanSquaredError", "MeanAbsoluteError", "BinaryAccuracy", "Precision")
    names += ("Recall", "AUC", "TruePositives", "FalseNegatives")
    found = {}
    for pair, shapes in PAIRS.items():
        y, p = _pair(shapes)
        for name in names:
            found[f"{name}, {pair}"] = getattr(keras.metrics, name)()((y > 0.4).astype("float32"), p)
    return found


def _masks(keras: Any, channels: int = 1, flat: bool = False) -> Any:
    activation = "sigmoid" if channels == 1 else "softmax"
    start = keras.initializers.Constant(0.4)
    layers = [keras.layers.Conv2D(channels, 1, activation=activation, kernel_initializer=start)]
    layers += [keras.layers.Reshape((4, 4))] if flat else []
    return keras.Sequential([keras.Input((4, 4, 2)), *layers])


def _segmented(model: Any, y: Any, **weights: Any) -> dict[str, Any]:
    x = numbers(6, 4, 4, 2)
    history = model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0, **weights).history
    return {
        "history": _sorted(history),
        "evaluate": model.evaluate(x, y, verbose=0),
        "predict": model.predict(x, verbose=0),
    }


def masks_without_the_last_axis_are_learned(keras: Any) -> dict[str, Any]:
    y, found = numbers(6, 4, 4, key="y") > 0, {}
    for loss, dtype in (
        ("binary_crossentropy", "bool"),
        ("binary_crossentropy", "uint8"),
        ("mse", "float32"),
        ("huber", "int64"),
        ("hinge", "bool"),
    ):
        model = _masks(keras)
        model.compile("sgd", loss, metrics=["accuracy", "mae", "binary_accuracy"])
        found[f"{loss} {dtype}"] = _segmented(model, y.astype(dtype))
    return found


def masks_with_the_last_axis_against_flat_outputs(keras: Any) -> dict[str, Any]:
    model = _masks(keras, flat=True)
    model.compile("sgd", "binary_crossentropy", metrics=["mae", keras.metrics.Recall(name="recall")])
    return _segmented(model, (numbers(6, 4, 4, 1, key="y") > 0).astype("int32"))


def masks_of_several_classes(keras: Any) -> dict[str, Any]:
    y, found = (numbers(6, 4, 4, key="y", low=0, high=3)).astype("uint8"), {}
    for name, target in (("flat", y), ("with an axis", y[..., None]), ("floats", y.astype("float32"))):
        model = _masks(keras, 3)
        model.compile(
            "sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], weighted_metrics=["acc"]
        )
        found[name] = model.evaluate(numbers(6, 4, 4, 2), target, verbose=0)
    return found


def weights_beside_masks(keras: Any) -> dict[str, Any]:
    y, found = numbers(6, 4, 4, key="y") > 0, {}
    for name, w in (("of images", numbers(6, 1, low=0.1)), ("of rows", numbers(6, 4, low=0.1))):
        model = _masks(keras)
        model.compile("sgd", "binary_crossentropy", weighted_metrics=["mae", "binary_accuracy"])
        found[name] = _segmented(model, y, sample_weight=w)
    return found


def masks_among_several_outputs(keras: Any) -> dict[str, Any]:
    x = keras.Input((4, 4, 2))
    start = keras.initializers.Constant(0.4)
    mask = keras.layers.Conv2D(1, 1, activation="sigmoid", kernel_initializer=start, name="mask")(x)
    pooled = keras.layers.GlobalAveragePooling2D()(x)
    level = keras.layers.Dense(1, kernel_initializer=start, name="level")(pooled)
    model = keras.Model(x, {"mask": mask, "level": level})
    losses = {"mask": "binary_crossentropy", "level": "mse"}
    model.compile("sgd", losses, metrics={"mask": ["accuracy"], "level": ["mae"]})
    y = {"mask": numbers(6, 4, 4, key="y") > 0, "level": numbers(6, key="l")}
    history = model.fit(numbers(6, 4, 4, 2), y, batch_size=4, shuffle=False, verbose=0).history
    return _sorted(history)


def a_loss_class_gets_targets_as_they_are(keras: Any) -> dict[str, Any]:
    class Squares(keras.losses.Loss):
        def call(self, y_true: Any, y_pred: Any) -> Any:
            rows = keras.ops.expand_dims(y_true, -1)
            return keras.ops.mean(keras.ops.square(rows - y_pred), axis=-1)

    def distance(y_true: Any, y_pred: Any) -> Any:
        return keras.ops.abs(y_true - keras.ops.squeeze(y_pred, -1))

    def aligned(y_true: Any, y_pred: Any) -> Any:
        return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)

    found = {}
    for name, loss in (("a class", Squares()), ("a function", aligned)):
        model = _line(keras)
        model.compile("sgd", loss, metrics=[distance])
        found[name] = _trained(model, numbers(6, key="y"))
    return found


def class_indices_with_an_axis_more(keras: Any) -> dict[str, Any]:
    p, labels = numbers(2, 3, 4, low=0.1), np.array([[0, 1, 3], [2, 2, 1]])
    losses, metrics = keras.losses, keras.metrics
    return {
        "flat": losses.SparseCategoricalCrossentropy()(labels, p),
        "with an axis": losses.SparseCategoricalCrossentropy(reduction=None)(labels[..., None], p),
        "accuracy": metrics.SparseCategoricalAccuracy()(labels[..., None], p),
        "top": metrics.SparseTopKCategoricalAccuracy(k=2)(labels, p),
    }


# ------------------------------------------------------------------------- losses and metrics of each output


def _two(keras: Any, names: tuple[str, ...] = ("a", "b")) -> Any:
    x, start = keras.Input((3,)), keras.initializers.Constant(0.3)
    return keras.Model(x, [keras.layers.Dense(1, name=name, kernel_initializer=start)(x) for name in names])


def _by_name(keras: Any, names: tuple[str, ...] = ("a", "b")) -> Any:
    x, start = keras.Input((3,)), keras.initializers.Constant(0.3)
    outputs = {n: keras.layers.Dense(1, name=f"to_{n}", kernel_initializer=start)(x) for n in names}
    return keras.Model(x, outputs)


FORMS: dict[str, Any] = {
    "one loss": ("mse", {}),
    "lists": (["mse", "mae"], {"metrics": [["mae"], ["mse", "mae"]]}),
    "dicts": ({"a": "mse", "b": "mae"}, {"metrics": {"a": "mae", "b": ["mse", "mae"]}}),
    "no loss of the second": (["mse", None], {"metrics": [["mae"], None]}),
    "no loss of the first": ([None, "mse"], {"metrics": [None, ["mae"]]}),
    "none in a dict": ({"a": "mse", "b": None}, {"metrics": {"a": "mae"}}),
    "metrics of one output": ("mse", {"metrics": {"b": ["mae"]}}),
    "a metric each": ("mse", {"metrics": ["mae", "mse"]}),
    "a tuple": ("mse", {"metrics": ("mae", "mse")}),
    "the same twice": ("mse", {"metrics": [["mae", "mae"], ["mae"]]}),
    "loss weights": (["mse", "mae"], {"loss_weights": [0.5, 2.0]}),
    "loss weights by name": ({"a": "mse", "b": "mae"}, {"loss_weights": {"a": 0.5, "b": 2.0}}),
    "weights of named losses": ({"a": "mse", "b": "mae"}, {"loss_weights": [0.5, 2.0]}),
    "a weight of no loss": (["mse", None], {"loss_weights": [0.5, 1.0]}),
    "weighted": ("mse", {"metrics": [["mae"], ["mae"]], "weighted_metrics": [["mae"], ["mae", "mse"]]}),
    "weighted by name": ("mse", {"weighted_metrics": {"a": "mae"}}),
}


def _history(model: Any, y: Any, loss: Any, given: dict[str, Any]) -> dict[str, Any]:
    model.compile("sgd", loss, **given)
    return _trained(model, y)


def _logs(model: Any, y: Any, loss: Any, given: dict[str, Any]) -> dict[str, Any]:
    model.compile("sgd", loss, **given)
    history = _trained(model, y)
    x = numbers(6, 3)
    return {"history": history, "evaluate": model.evaluate(x, y, verbose=0)}


def forms_of_losses_and_metrics_for_a_list_of_outputs(keras: Any) -> dict[str, Any]:
    y = [numbers(6, 1, key="a"), numbers(6, 1, key="b")]
    return {name: _history(_two(keras), y, *form) for name, form in FORMS.items()}


def forms_of_losses_and_metrics_for_a_dict_of_outputs(keras: Any) -> dict[str, Any]:
    y = {"a": numbers(6, 1, key="a"), "b": numbers(6, 1, key="b")}
    names = ("lists", "dicts", "none in a dict", "metrics of one output", "loss weights by name", "weighted")
    return {name: _history(_by_name(keras), y, *FORMS[name]) for name in names}


def targets_by_name_for_a_list_of_outputs(keras: Any) -> dict[str, Any]:
    y = {"a": numbers(6, 1, key="a"), "b": numbers(6, 1, key="b")}
    return {name: _logs(_two(keras), y, *FORMS[name]) for name in ("one loss", "lists", "dicts", "weighted")}


def names_that_are_not_in_order(keras: Any) -> dict[str, Any]:
    y, names = [numbers(6, 1, key="a"), numbers(6, 1, key="b")], ("z", "c")
    by_name = dict(zip(names, y, strict=True))
    losses, metrics = {"z": "mse", "c": "mae"}, {"c": ["mae"], "z": ["mse"]}
    listed = {"metrics": [["mse"], ["mae"]]}
    return {
        "a list": _logs(_two(keras, names), y, ["mse", "mae"], listed),
        "a list, by name": _logs(_two(keras, names), y, losses, {"metrics": metrics}),
        "a dict": _logs(_by_name(keras, names), by_name, losses, {"metrics": metrics}),
        "a dict, lists": _logs(_by_name(keras, names), by_name, ["mse", "mae"], listed),
    }


def targets_of_the_outputs_that_have_a_loss(keras: Any) -> dict[str, Any]:
    return _logs(_two(keras), [numbers(6, 1, key="a")], ["mse", None], {})


def forms_of_a_single_loss_and_its_metrics(keras: Any) -> dict[str, Any]:
    losses, metrics = keras.losses, keras.metrics

    def distance(y_true: Any, y_pred: Any) -> Any:
        return keras.ops.mean(keras.ops.abs(y_true - y_pred), axis=-1)

    class Squares:
        def __call__(self, y_true: Any, y_pred: Any) -> Any:
            return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)

    forms: dict[str, Any] = {
        "names": ("mse", ["mae"]),
        "names of classes": ("MeanSquaredError", ["MeanAbsoluteError", "MSE"]),
        "in lists": (["mse"], [["mae", "mse"]]),
        "by name": ({"out": "mse"}, {"out": ["mae", "mse"]}),
        "functions": (losses.mean_squared_error, [losses.mean_absolute_error, metrics.mean_squared_error]),
        "classes": (losses.MeanSquaredError, [metrics.MeanAbsoluteError]),
        "objects": (losses.MeanSquaredError(name="own"), [metrics.MeanAbsoluteError(name="error")]),
        "losses as metrics": ("mse", [losses.MeanSquaredError(), losses.Huber(name="h")]),
        "own functions": (distance, [distance]),
        "lambdas": (lambda t, p: keras.ops.square(t - p), [lambda t, p: keras.ops.abs(t - p)]),
        "own callables": (Squares(), [Squares()]),
        "partial functions": (functools.partial(distance), [functools.partial(distance)]),
        "no metrics": ("mse", []),
    }
    x, start = keras.Input((3,)), keras.initializers.Constant(0.3)
    found = {}
    for name, (loss, wanted) in forms.items():
        model = keras.Model(x, keras.layers.Dense(1, name="out", kernel_initializer=start)(x))
        found[name] = _logs(model, numbers(6, 1, key="y"), loss, {"metrics": wanted})
    return found


def accuracy_and_crossentropy_follow_the_shapes(keras: Any) -> dict[str, Any]:
    labels, rows = np.array([0, 1, 2, 1, 0, 2]), np.eye(3)[[0, 1, 2, 1, 0, 2]]
    bits = (numbers(6, 3, key="y") > 0).astype("int32")
    forms: dict[str, Any] = {
        "a sigmoid": (1, "sigmoid", bits[:, :1], "bce"),
        "a sigmoid, flat": (1, "sigmoid", bits[:, 0], "bce"),
        "rows": (3, "softmax", rows, "categorical_crossentropy"),
        "rows, mse": (3, "softmax", rows, "mse"),
        "indices": (3, "softmax", labels, "sparse_categorical_crossentropy"),
        "a column of indices": (3, "softmax", labels[:, None], "sparse_categorical_crossentropy"),
        "two classes": (2, "softmax", bits[:, 0], "sparse_categorical_crossentropy"),
        "a number": (1, None, numbers(6, 1, key="y"), "mse"),
        "signs": (1, "tanh", 2 * bits[:, :1] - 1, "hinge"),
        "several signs": (3, "tanh", 2 * bits - 1, "hinge"),
        "crossentropy of a sigmoid": (1, "sigmoid", bits[:, :1], "crossentropy"),
        "crossentropy, flat": (1, "sigmoid", bits[:, 0], "ce"),
        "crossentropy of rows": (3, "softmax", rows, "CrossEntropy"),
        "crossentropy of indices": (3, "softmax", labels, "crossentropy"),
        "crossentropy of a column": (3, "softmax", labels[:, None], "CE"),
    }
    found = {}
    for name, (units, activation, y, loss) in forms.items():
        model = _line(keras, units, activation)
        model.compile("sgd", loss, metrics=["accuracy", "acc", "Accuracy"])
        found[name] = _trained(model, y)
    return found


def what_cannot_be_meant_is_refused(keras: Any) -> dict[str, Any]:
    y = [numbers(6, 1, key="a"), numbers(6, 1, key="b")]

    def refused(loss: Any, **given: Any) -> bool:
        return refusal(lambda: _history(_two(keras), y, loss, given)) is not None

    return {
        "too many losses": refused(["mse", "mse", "mse"]),
        "an unknown output": refused({"a": "mse", "c": "mse"}),
        "metrics of an unknown output": refused("mse", metrics={"c": ["mae"]}),
        "one metric of two outputs": refused("mse", metrics=["mae"]),
        "too few loss weights": refused(["mse", "mae"], loss_weights=[0.5]),
        "an unknown loss": refused("mean_sqared_error"),
    }


def losses_of_nested_outputs(keras: Any) -> dict[str, Any]:
    """Their sum; Keras names them by the way to the output."""
    y, found = [[numbers(6, 1, key="a"), numbers(6, 1, key="b")], numbers(6, 1, key="c")], {}
    forms: dict[str, Any] = {
        "one": ("mse", None),
        "nested": ([["mse", "mae"], "huber"], None),
        "in a row": (["mse", "mae", "huber"], [1.0, 0.5, 2.0]),
        "none of one": ([["mse", None], "huber"], [[1.0, 0.5], 2.0]),
    }
    for name, (loss, factors) in forms.items():
        x, start = keras.Input((3,)), keras.initializers.Constant(0.3)
        a, b, c = (keras.layers.Dense(1, name=n, kernel_initializer=start)(x) for n in "abc")
        model = keras.Model(x, [[a, b], c])
        model.compile("sgd", loss, loss_weights=factors)
        found[name] = model.fit(numbers(6, 3), y, batch_size=4, shuffle=False, verbose=0).history["loss"]
    return found


def losses_of_outputs_in_a_dict_in_order(keras: Any) -> dict[str, Any]:
    class Two(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.first = keras.layers.Dense(1, kernel_initializer="ones")
            self.second = keras.layers.Dense(1, kernel_initializer="zeros")

        def call(self, x: Any) -> Any:
            return {"z": self.first(x), "c": self.second(x)}

    model, y = Two(), {"c": numbers(6, 1, key="c"), "z": numbers(6, 1, key="z")}
    model.compile("sgd", "mse", metrics={"c": ["mae"]})
    return {"evaluate": model.evaluate(numbers(6, 3), y, verbose=0)}


def a_number_weighs_the_mean_of_a_batch(keras: Any) -> dict[str, Any]:
    metrics = keras.metrics
    mean, error, total = metrics.Mean(), metrics.MeanAbsoluteError(), metrics.Sum()
    accuracy = metrics.BinaryAccuracy()
    for size in (4, 2):
        values = numbers(size, key=f"batch of {size}")
        mean.update_state(values, sample_weight=size)
        total.update_state(values, sample_weight=0.5)
        error.update_state(values[:, None], values[:, None] ** 2, sample_weight=2.0)
        accuracy.update_state(values[:, None] > 0, values[:, None] + 0.6, sample_weight=np.float32(size))
    return {metric.name: float(metric.result()) for metric in (mean, total, error, accuracy)}


def weights_inside_a_test_step(keras: Any) -> dict[str, Any]:
    class Watched(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.layer = keras.layers.Dense(1, kernel_initializer="ones")
            self.error = keras.metrics.MeanAbsoluteError(name="error")
            self.area = keras.metrics.AUC(name="area", num_thresholds=10)

        def call(self, x: Any) -> Any:
            return self.layer(x)

        def test_step(self, data: Any) -> Any:
            x, y, w = data
            p = self(x, training=False)
            self.error.update_state(y, p, sample_weight=2.0)
            self.area.update_state(y > 0, keras.ops.sigmoid(p), sample_weight=w)
            return {"error": self.error.result(), "area": self.area.result()}

    model, y, w = Watched(), numbers(6, 1, key="y"), numbers(6, 1, key="w", low=0.1)
    model.compile("sgd")
    return model.evaluate(numbers(6, 3), y, sample_weight=w, batch_size=4, verbose=0, return_dict=True)


def masks_of_outputs_may_end_in_an_axis_of_one(keras: Any) -> dict[str, Any]:
    class Masked(keras.layers.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs

        def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
            return keras.ops.any(keras.ops.greater(inputs, 0.0), axis=-1, keepdims=True)

    inputs = keras.Input((5, 3))
    model = keras.Model(inputs, keras.layers.Dense(2, kernel_initializer="ones")(Masked()(inputs)))
    model.compile("sgd", "mse", metrics=["mae"])
    x, y = numbers(6, 5, 3, key="masked x"), numbers(6, 5, 2, key="masked y")
    return {"evaluated": model.evaluate(x, y, verbose=0)}
