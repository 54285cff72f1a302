"""Variables, and what operations and layers give outside of a model, in Python and in NumPy."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from tests.parity.means import numbers, refusal


def _weight(keras: Any) -> Any:
    layer = keras.layers.Dense(2, name="dense")
    layer.build((None, 3))
    layer.kernel.assign(numbers(3, 2, key="w"))
    return layer.kernel


def _array(value: Any) -> np.ndarray:
    return np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)


def how_a_variable_is_printed(keras: Any) -> dict[str, Any]:
    variable = keras.Variable(np.arange(6, dtype="float32").reshape(3, 2), name="grid", trainable=False)
    count = keras.Variable(3, dtype="int32", name="count", trainable=False)
    large = keras.Variable(np.zeros((40, 40), "float32"), name="large")
    return {
        "repr": [repr(variable), str(variable), repr(count), f"{count}"],
        "large": repr(large),
        "bias": repr(keras.Variable(np.ones(2, "float32"), name="bias")),
    }


def the_dtype_of_a_variable(keras: Any) -> dict[str, Any]:
    firsts = [
        3.0,
        2,
        True,
        [1, 2],
        [1.0, 2.0],
        [[1, 2.5]],
        np.float32(1),
        np.int8(3),
        np.arange(3, dtype="int64"),
    ]
    made = [keras.Variable(first, trainable=False) for first in firsts]
    cast = keras.Variable([1.7, 2.2], dtype="int32", trainable=False)
    return {
        "dtypes": [variable.dtype for variable in made],
        "shapes": [list(variable.shape) for variable in made],
        "cast": [cast.dtype, cast.numpy().tolist()],
    }


def a_variable_begins_with_an_initializer(keras: Any) -> dict[str, Any]:
    named = keras.Variable("ones", shape=(2, 2))
    made = keras.Variable(keras.initializers.Constant(2.5), shape=(3,), dtype="float32")
    called = keras.Variable(lambda shape, dtype: keras.ops.full(shape, 4.0, dtype), shape=(2,), name="four")
    return {
        "values": [named.numpy(), made.numpy(), called.numpy()],
        "dtypes": [named.dtype, made.dtype, called.dtype],
        "shapeless": refusal(lambda: keras.Variable("ones")),
    }


def a_variable_in_numpy_s_arithmetic(keras: Any) -> dict[str, Any]:
    w, array = _weight(keras), numbers(3, 2, key="a")
    found = [w + array, w - array, w * array, (w + 3) / 2, 2 * w, w**2, -w, abs(w)]
    products = [w @ array.T]
    return {"operators": list(map(_array, found)), "products": list(map(_array, products))}


def numpy_s_functions_of_a_variable(keras: Any) -> dict[str, Any]:
    w = _weight(keras)
    return {
        "numbers": [np.mean(w), np.sum(w), np.max(w), np.std(w), np.linalg.norm(w)],
        "arrays": [
            np.sqrt(np.abs(w)),
            np.concatenate([w, w]),
            np.zeros_like(w),
            np.array(w),
            np.clip(w, 0, 1),
        ],
        "dtypes": [str(np.array(w).dtype), str(np.asarray(w, "float64").dtype)],
        "same": [bool(np.allclose(w, w)), bool(np.array_equal(w, w.numpy()))],
        "shape": [list(np.shape(w)), int(np.prod(w.shape)), np.isnan(w).sum()],
    }


def parts_of_a_variable(keras: Any) -> dict[str, Any]:
    w = _weight(keras)
    rows = list(w)
    return {
        "parts": [_array(w[0]), _array(w[:, 1]), _array(w[1:, None]), _array(w[-1, 0]), _array(w[..., 0])],
        "rows": [_array(row) for row in rows],
        "total": float(sum(float(row[0]) for row in w)),
        "facts": [list(w.shape), w.ndim, w.dtype, w.shape == (3, 2), len(w.shape)],
    }


def assigning_to_a_variable(keras: Any) -> dict[str, Any]:
    w, seen = _weight(keras), []
    for call in (
        lambda: w.assign(np.ones((3, 2))),
        lambda: w.assign_add(np.full((3, 2), 0.5)),
        lambda: w.assign_sub(0.25),
        lambda: w.assign([[1, 2], [3, 4], [5, 6]]),
        lambda: w.assign(w * 2),
        lambda: w.assign(keras.ops.ones((3, 2), dtype="float64")),
    ):
        call()
        seen.append(w.numpy())
    return {
        "seen": seen,
        "dtype": w.dtype,
        "refused": [refusal(lambda: w.assign(np.ones((2, 3)))), refusal(lambda: w.assign(np.ones(3)))],
        "left": w.numpy(),
    }


def what_a_variable_returned_before_is_not_changed(keras: Any) -> dict[str, Any]:
    w = _weight(keras)
    before, copied = w.numpy().copy(), np.array(w)
    weights = [np.array(each) for each in [w.numpy()]]
    w.assign_add(np.ones((3, 2)))
    return {"before": before, "array": copied, "weights": weights, "now": w.numpy()}


def numbers_in_variables(keras: Any) -> dict[str, Any]:
    s, n = keras.Variable(2.5), keras.Variable(7, dtype="int32", trainable=False)
    return {
        "python": [float(s), int(s), int(n), float(n), round(float(s), 1), s.numpy().item()],
        "text": [f"{float(s):.2f}", json.dumps({"value": float(s), "count": int(n)})],
        "operators": [_array(n // 2), _array(n % 4), _array(s + 1), _array(2 - s), _array(2**s)],
        "kinds": [type(float(s)).__name__, type(int(n)).__name__],
    }


def weights_are_read_and_set(keras: Any) -> dict[str, Any]:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.Dense(1)])
    model.set_weights([numbers(*w.shape, key=str(i)) for i, w in enumerate(model.get_weights())])
    w = model.get_weights()
    model.layers[0].kernel.assign(w[0] * 2)
    averaged = [(a + b) / 2 for a, b in zip(w, model.get_weights(), strict=True)]
    model.set_weights(averaged)
    model.layers[1].set_weights([np.ones((2, 1)), np.array([0.5])])
    return {
        "weights": model.get_weights(),
        "kinds": sorted({type(each).__name__ for each in model.get_weights()}),
        "counts": [int(np.sum([np.prod(v.shape) for v in model.trainable_weights])), model.count_params()],
        "norms": [float(np.linalg.norm(v)) for v in model.trainable_variables],
        "refused": refusal(lambda: model.set_weights(w[:1])),
    }


def rates_of_an_optimizer_are_read_and_set(keras: Any) -> dict[str, Any]:
    optimizer = keras.optimizers.Adam(0.125)
    seen = [float(optimizer.learning_rate), float(optimizer.learning_rate.numpy())]
    optimizer.learning_rate = float(optimizer.learning_rate) * 0.5
    seen.append(float(optimizer.learning_rate))
    optimizer.learning_rate.assign(0.25)
    seen.append(float(keras.ops.convert_to_numpy(optimizer.learning_rate)))
    optimizer.learning_rate = np.float64(0.75)
    seen.append(float(np.asarray(optimizer.learning_rate)))
    return {"rates": seen, "steps": [int(optimizer.iterations), int(optimizer.iterations.numpy())]}


def results_outside_of_a_model(keras: Any) -> dict[str, Any]:
    ops = keras.ops
    t = ops.convert_to_tensor(numbers(2, 3))
    mean = ops.mean(t)
    return {
        "arrays": [
            t.numpy(),
            np.asarray(t),
            np.array(t * 2),
            ops.convert_to_numpy(t),
            t[0].numpy(),
            t[1, 2].numpy(),
        ],
        "numbers": [float(mean), mean.numpy(), float(t[0, 0]), int(ops.argmax(t)), ops.sum(t).item()],
        "bools": [bool(ops.all(t > -2)), bool(mean > 5)],
        "text": [
            f"{float(mean):.3f}",
            f"{mean:.3f}",
            json.dumps(t.tolist()) == json.dumps(t.numpy().tolist()),
        ],
        "length": [len(t), [list(row.shape) for row in t], list(t.shape), t.shape == (2, 3), t.ndim],
        "kinds": [
            type(t.numpy()).__name__,
            type(ops.convert_to_numpy(mean)).__name__,
            type(float(mean)).__name__,
        ],
    }


def results_in_numpy(keras: Any) -> dict[str, Any]:
    t = keras.ops.relu(numbers(4, 3))
    label = keras.ops.argmax(t, axis=1)
    found = np.unique(label)
    return {
        "functions": [
            np.mean(np.asarray(t)),
            np.max(np.asarray(t), axis=0),
            np.sort(np.asarray(t), axis=1),
            np.round(np.asarray(t), 1),
        ],
        "unique": sorted(set(found.tolist())),
        "counts": np.bincount(label),
        "stacked": np.stack([t, t]),
        "picked": numbers(4, 3)[np.arange(4), label],
        "where": np.where(np.asarray(t) > 0.1, 1.0, 0.0),
        "kinds": [type(np.concatenate([t, t])).__name__],
    }


def a_model_and_a_layer_are_called_on_arrays(keras: Any) -> dict[str, Any]:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, kernel_initializer="ones")])
    x = numbers(4, 3)
    out = model(x)
    return {
        "called": [
            keras.ops.convert_to_numpy(y) for y in (out, model(x, training=False), model.layers[0](x)[0])
        ],
        "predicted": model.predict(x, verbose=0),
        "kinds": [type(model.predict(x, verbose=0)).__name__, type(model.predict_on_batch(x)).__name__],
        "batch": [list(out.shape), list(model(x[:1]).shape), float(out[0, 0])],
        "classes": np.argmax(keras.ops.convert_to_numpy(out), axis=1),
    }


def losses_and_metrics_outside_of_a_model(keras: Any) -> dict[str, Any]:
    x, y = numbers(4, 3), numbers(4, 3, key="y")
    loss = keras.losses.MeanSquaredError()(y, x)
    each = keras.losses.mean_squared_error(y, x)
    metric = keras.metrics.MeanAbsoluteError()
    metric.update_state(y, x)
    accuracy = keras.metrics.SparseCategoricalAccuracy()
    accuracy.update_state([0, 1, 2, 0], np.abs(x))
    return {
        "loss": [loss.numpy(), float(loss), f"{float(loss):.3f}"],
        "each": [each.numpy(), list(each.shape)],
        "metric": [metric.result().numpy(), float(metric.result()), float(accuracy.result())],
        "total": float(sum(float(keras.losses.MeanSquaredError()(y[i], x[i])) for i in range(4))),
    }


def logs_are_numbers_of_python(keras: Any) -> dict[str, Any]:
    seen: list[str] = []
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse", metrics=["mae"])
    x, y = numbers(8, 3), numbers(8, 1, key="y")
    note = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(json.dumps(sorted(logs))),
    )
    history = model.fit(x, y, validation_data=(x, y), epochs=2, callbacks=[note], verbose=0)
    results = model.evaluate(x, y, verbose=0, return_dict=True)
    return {
        "history": json.loads(json.dumps(history.history)),
        "kinds": [sorted({type(v).__name__ for vs in history.history.values() for v in vs})],
        "seen": seen,
        "results": json.loads(json.dumps({name: float(value) for name, value in results.items()})),
        "best": [int(np.argmin(history.history["val_loss"])), min(history.history["loss"])],
    }
