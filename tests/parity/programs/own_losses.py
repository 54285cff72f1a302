"""Casts, and losses written by hand with operations: their values and gradients at edges."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from tests.parity.means import numbers, refusal

FLAGS = np.array([[True, False], [False, True]])


def _seen(keras: Any, value: Any) -> Any:
    array = keras.ops.convert_to_numpy(value)
    return {"dtype": str(array.dtype), "value": np.asarray(array, "float64")}


def booleans_in_arithmetic(keras: Any) -> dict[str, Any]:
    ops = keras.ops
    return {
        "sign": _seen(keras, ops.sign(FLAGS)),
        "abs": _seen(keras, ops.abs(FLAGS)),
        "sum": _seen(keras, ops.sum(FLAGS)),
        "mean": _seen(keras, ops.mean(FLAGS)),
        "plus": _seen(keras, ops.add(FLAGS, FLAGS)),
        "times": _seen(keras, ops.multiply(FLAGS, 2.5)),
        "negative": refusal(lambda: ops.negative(FLAGS)) is None,
        "minus": refusal(lambda: ops.subtract(FLAGS, FLAGS)) is None,
        "one minus": refusal(lambda: ops.subtract(True, FLAGS)) is None,
        "1 minus": _seen(keras, ops.subtract(1, ops.cast(FLAGS, "int32"))),
    }


def numbers_of_python_alone(keras: Any) -> dict[str, Any]:
    ops = keras.ops
    return {
        "flags": _seen(keras, ops.add(True, True)),
        "product of flags": _seen(keras, ops.multiply(True, False)),
        "larger flag": _seen(keras, ops.maximum(True, False)),
        "choice of flags": _seen(keras, ops.where(FLAGS, True, False)),
        "whole": _seen(keras, ops.add(1, True)),
        "float": _seen(keras, ops.add(1.5, True)),
        "quotient": _seen(keras, ops.divide(3, 2)),
        "remainder": _seen(keras, ops.mod(True, True)),
    }


def whole_numbers_stay_whole(keras: Any) -> dict[str, Any]:
    ops = keras.ops
    found = {}
    for dtype in ("int32", "int8", "bool"):
        x = np.array([1, 0, 3, 2], dtype)
        found[dtype] = {
            name: _seen(keras, getattr(ops, name)(x))
            for name in ("trunc", "abs", "sign", "square", "sum", "max", "prod", "cumsum", "nan_to_num")
        }
    found["list"] = _seen(keras, ops.trunc([1, 2]))
    found["half"] = _seen(keras, ops.trunc(np.array([-1.5, 1.5], "float16")))
    return found


def scores_at_the_threshold(keras: Any) -> dict[str, Any]:
    y = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1], [1, 1, 0]])
    p = np.array([[0.2, 0.6, 0.2], [0.5, 0.3, 0.2], [0.1, 0.3, 0.6], [0.7, 0.9, 0.4]], "float32")
    found = {}
    for name in ("F1Score", "FBetaScore"):
        for average in (None, "micro", "macro", "weighted"):
            score = getattr(keras.metrics, name)(average=average, threshold=0.4)
            score.update_state(y, p)
            found[f"{name} {average}"] = keras.ops.convert_to_numpy(score.result())
    for name in ("Precision", "Recall", "BinaryAccuracy"):
        kind = getattr(keras.metrics, name)
        score = kind(threshold=0.4) if name == "BinaryAccuracy" else kind(thresholds=[0.2, 0.4, 0.6])
        score.update_state(y, p)
        found[name] = keras.ops.convert_to_numpy(score.result())
    return found


# ---------------------------------------------------------------------------------------- losses by hand


def _learned(keras: Any, loss: Callable[[Any], Any], start: Any) -> dict[str, Any]:
    """A loss of a weight, and its gradient by a step of SGD with a rate of 1."""
    start = np.asarray(start, "float32")

    class Held(keras.layers.Layer):
        def build(self, input_shape: Any) -> None:
            self.w = self.add_weight(shape=start.shape, initializer="zeros")

        def call(self, inputs: Any) -> Any:
            return keras.ops.sum(inputs) * 0.0 + self.w

    held = Held()
    model = keras.Sequential([keras.Input((1,)), held])
    held.set_weights([start])

    class Whole(keras.losses.Loss):
        def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
            return loss(y_pred)

    model.compile(keras.optimizers.SGD(1.0), Whole())
    value = model.train_on_batch(np.zeros((1, 1), "float32"), np.zeros((1, 1), "float32"))
    return {"loss": value, "gradient": start - held.get_weights()[0]}


def _all_learned(keras: Any, start: Any, **losses: Callable[[Any], Any]) -> dict[str, Any]:
    return {name: _learned(keras, loss, start) for name, loss in losses.items()}


ROW = [0.0, -1.0, 2.0, 0.5]
TABLE = [[1.0, 2.0, 0.0], [0.0, 0.5, 0.0], [-1.0, 0.5, 2.0]]
TARGETS = np.array([0.0, 1.0, 1.0, 0.0], "float32")


def regressions_by_hand(keras: Any) -> dict[str, Any]:
    ops = keras.ops
    return _all_learned(
        keras,
        ROW,
        huber=lambda w: ops.sum(ops.where(ops.abs(w) <= 1.0, 0.5 * ops.square(w), ops.abs(w) - 0.5)),
        quantile=lambda w: ops.sum(ops.maximum(0.9 * w, -0.1 * w)),
        pinball=lambda w: ops.sum(ops.where(w >= 0, 0.9 * w, -0.1 * w)),
        rmse=lambda w: ops.sqrt(ops.mean(ops.square(w))),
        charbonnier=lambda w: ops.sum(ops.sqrt(ops.square(w) + 1e-3)),
        log_cosh=lambda w: ops.sum(w + ops.softplus(-2.0 * w) - np.float32(np.log(2.0))),
        smape=lambda w: ops.mean(2.0 * ops.abs(w - 1.0) / (ops.abs(w) + 1.0)),
        variation=lambda w: ops.sum(ops.abs(w[1:] - w[:-1])),
    )


def likelihoods_by_hand(keras: Any) -> dict[str, Any]:
    ops = keras.ops

    def gaussian(w: Any) -> Any:
        scale = ops.softplus(w) + 1e-6
        return ops.sum(0.5 * ops.log(scale) + 0.5 * ops.square(w - 1.0) / scale)

    def crps(w: Any) -> Any:
        area = ops.sum(w * ops.erf(w / np.float32(np.sqrt(2.0))))
        height = ops.sum(2.0 * ops.exp(-0.5 * ops.square(w)) / np.float32(np.sqrt(2.0 * np.pi)))
        return area + height

    return _all_learned(
        keras,
        ROW,
        gaussian=gaussian,
        log_variance=lambda w: ops.sum(0.5 * ops.exp(-w) * ops.square(w - 1.0) + 0.5 * w),
        divergence=lambda w: -0.5 * ops.sum(1.0 + w - ops.square(w) - ops.exp(w)),
        crps=crps,
        tweedie=lambda w: ops.sum(ops.power(ops.exp(w), 0.5) * 2.0 + 2.0 * ops.power(ops.exp(w), -0.5)),
        far=lambda w: ops.sum(ops.softplus(w * 1000.0) - w),
        capped=lambda w: ops.sum(ops.logaddexp(w, 0.0)),
    )


def classifications_by_hand(keras: Any) -> dict[str, Any]:
    ops = keras.ops
    targets = ops.convert_to_tensor(TARGETS)

    def focal(w: Any, scale: float) -> Any:
        p = ops.clip(ops.sigmoid(w * scale), 1e-7, 1.0 - 1e-7)
        right = ops.where(targets == 1.0, p, 1.0 - p)
        return ops.sum(-0.25 * ops.power(1.0 - right, 2.0) * ops.log(right))

    def logits(w: Any) -> Any:
        return ops.sum(ops.maximum(w, 0.0) - w * targets + ops.log1p(ops.exp(-ops.abs(w))))

    def dice(w: Any) -> Any:
        p = ops.sigmoid(w)
        return 1.0 - (2.0 * ops.sum(p * targets) + 1.0) / (ops.sum(p) + ops.sum(targets) + 1.0)

    def tversky(w: Any) -> Any:
        p = ops.sigmoid(w)
        hits, missed, wrong = ops.sum(p * targets), ops.sum((1 - p) * targets), ops.sum(p * (1 - targets))
        return ops.power(1.0 - hits / (hits + 0.7 * missed + 0.3 * wrong), 0.75)

    def overlap(w: Any) -> Any:
        p = ops.sigmoid(w)
        return 1.0 - ops.sum(ops.minimum(p, targets)) / ops.sum(ops.maximum(p, targets))

    return _all_learned(
        keras,
        ROW,
        focal=partial(focal, scale=1.0),
        focal_at_the_ends=partial(focal, scale=50.0),
        logits=logits,
        dice=dice,
        tversky=tversky,
        overlap=overlap,
        hinge=lambda w: ops.sum(ops.square(ops.maximum(1.0 - w * (2.0 * targets - 1.0), 0.0))),
        entropy=lambda w: -ops.sum(ops.softmax(w) * ops.log(ops.softmax(w) + 1e-9)),
    )


def masked_attention_by_hand(keras: Any) -> dict[str, Any]:
    ops = keras.ops
    kept = ops.convert_to_tensor(np.tril(np.ones((3, 3), bool)))
    values = ops.convert_to_tensor(np.asarray(TABLE, "float32"))
    hidden = ops.convert_to_tensor(np.array([[0, -np.inf, -np.inf], [0, 0, -np.inf], [0, 0, 0]], "float32"))
    return _all_learned(
        keras,
        TABLE,
        where=lambda w: ops.sum(ops.softmax(ops.where(kept, w, -np.inf)) * values),
        large=lambda w: ops.sum(ops.softmax(ops.where(kept, w, -1e9)) * values),
        added=lambda w: ops.sum(ops.softmax(w + hidden) * values),
        log_sum=lambda w: ops.sum(ops.logsumexp(w + hidden, axis=-1)),
        product=lambda w: ops.sum(
            ops.matmul(ops.softmax(ops.matmul(w, ops.transpose(w)) + hidden), w) * values
        ),
    )


def distances_by_hand(keras: Any) -> dict[str, Any]:
    ops = keras.ops
    values = ops.convert_to_tensor(np.asarray(TABLE, "float32"))
    diagonal = ops.convert_to_tensor(np.eye(3, dtype="float32"))

    def pairs(w: Any) -> Any:
        between = ops.sum(ops.square(w[:, None] - w[None]), axis=-1)
        return ops.sum(ops.sqrt(ops.maximum(between, 1e-12)))

    def contrast(w: Any) -> Any:
        unit = ops.normalize(w, axis=-1)
        likeness = ops.matmul(unit, ops.transpose(unit)) / 0.5 - 1e9 * diagonal
        return ops.mean(ops.logsumexp(likeness, axis=1))

    def triplet(w: Any) -> Any:
        near, far = ops.sum(ops.square(w[0] - w[1])), ops.sum(ops.square(w[0] - w[2]))
        return ops.maximum(near - far + 9.0, 0.0)

    return _all_learned(
        keras,
        TABLE,
        pairs=pairs,
        contrast=contrast,
        triplet=triplet,
        cosine=lambda w: -ops.sum(ops.normalize(w, axis=-1) * ops.normalize(values + 1.0, axis=-1)),
        norms=lambda w: ops.sum(ops.norm(w, axis=-1)),
        frobenius=lambda w: ops.norm(w, ord="fro"),
        spread=lambda w: ops.sum(ops.maximum(0.0, 1.0 - ops.sqrt(ops.var(w, axis=0) + 1e-4))),
        largest=lambda w: ops.sum(ops.max(w, axis=1)) - ops.min(w),
    )


def whole_and_half_data_in_a_loss(keras: Any) -> dict[str, Any]:
    x = numbers(6, 2)
    y = np.array([0, 1, 1, 0, 1, 0])
    found = {}
    for dtype in ("int8", "uint8", "bool", "float16", "float64"):
        for loss in ("mse", "binary_crossentropy", "huber", "poisson", "squared_hinge"):
            layer = keras.layers.Dense(1, activation="sigmoid", kernel_initializer="ones")
            model = keras.Sequential([keras.Input((2,)), layer])
            model.compile(keras.optimizers.SGD(0.1), loss, metrics=["mae"])
            history = model.fit(x, y.astype(dtype), batch_size=4, shuffle=False, verbose=0).history
            found[f"{loss} {dtype}"] = [history["loss"], history["mae"], layer.get_weights()[0]]
    return found


def losses_and_metrics_of_single_numbers(keras: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in (
        "MeanSquaredError",
        "MeanAbsoluteError",
        "BinaryCrossentropy",
        "Huber",
        "Poisson",
        "LogCosh",
    ):
        loss = getattr(keras.losses, name)()
        found[name] = [
            loss(1.0, 0.5),
            loss(np.float32(1.0), keras.ops.convert_to_tensor(0.5)),
            loss(1, 0.5, sample_weight=2.0),
        ]
    for name in ("mean_squared_error", "mean_absolute_error", "binary_crossentropy", "huber", "hinge"):
        found[name] = getattr(keras.losses, name)(1.0, 0.5)
    for name in ("MeanSquaredError", "BinaryAccuracy", "AUC", "Accuracy", "BinaryCrossentropy"):
        metric = getattr(keras.metrics, name)()
        found[f"metric {name}"] = [float(metric(1.0, 0.7)), float(metric(0, 0.9)), float(metric(1.0, 0.7))]
    return found


def data_is_cast_to_the_dtype_of_an_input(keras: Any) -> dict[str, Any]:
    ops = keras.ops
    x = np.array([[1.7, 2.2], [0.5, 3.9]], "float32")
    found: dict[str, Any] = {}
    for dtype in ("int32", "uint8", "bool", "float16", "float32"):
        inputs = keras.Input((2,), dtype=dtype)
        model = keras.Model(inputs, ops.cast(inputs, "float32") * 2.0)
        for name, data in {"float": x, "double": x.astype("float64"), "whole": x.astype("int32")}.items():
            found[f"{dtype} of {name}"] = [
                model.predict(data, verbose=0),
                model.predict_on_batch(data),
                keras.ops.convert_to_numpy(model(data)),
            ]
        stack = keras.Sequential([keras.Input((2,), dtype=dtype), keras.layers.Rescaling(2.0)])
        found[f"stack {dtype}"] = stack.predict(x, verbose=0)
    return found


def training_on_data_cast_to_the_dtype_of_an_input(keras: Any) -> dict[str, Any]:
    x = np.array([[1.7, 2.2], [0.5, 3.9]], "float32")
    found = {}
    for dtype in ("int32", "bool", "float32"):
        layer = keras.layers.Dense(1, kernel_initializer="ones")
        model = keras.Sequential([keras.Input((2,), dtype=dtype), layer])
        model.compile(keras.optimizers.SGD(0.1), "mse")
        history = model.fit(x, np.ones((2, 1), "float32"), verbose=0).history
        found[dtype] = [history["loss"], layer.get_weights()[0]]
    return found


def a_model_within_casts_to_its_input(keras: Any) -> dict[str, Any]:
    x = np.array([[1.7, 2.2], [0.5, 3.9]], "float32")
    inner_input = keras.Input((2,), dtype="int32")
    inner = keras.Model(inner_input, keras.ops.one_hot(inner_input, 4))
    inputs = keras.Input((2,))
    model = keras.Model(inputs, inner(inputs))
    return {"predict": model.predict(x, verbose=0), "call": keras.ops.convert_to_numpy(model(x))}
