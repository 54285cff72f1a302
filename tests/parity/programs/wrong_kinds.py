"""Arguments of a wrong kind, and of unusual right ones: each is refused where it is given, or counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.parity.means import numbers, refusal

X = numbers(3, 4, key="wrong kinds", low=0.1, high=1.0)


def _refused(calls: dict[str, Callable[[], Any]]) -> dict[str, bool]:
    return {name: refusal(call) is not None for name, call in calls.items()}


def axes_that_are_no_ints(keras: Any) -> dict[str, bool]:
    ops = keras.ops
    return _refused(
        {
            "sum": lambda: ops.sum(X, axis=1.0),
            "text": lambda: ops.mean(X, axis="rows"),
            "several": lambda: ops.max(X, axis=(0, 1.5)),
            "argmax": lambda: ops.argmax(X, axis=1.5),
            "softmax": lambda: ops.softmax(X, axis="a"),
            "logsumexp": lambda: ops.logsumexp(X, axis=1.5),
            "concatenate": lambda: ops.concatenate([X, X], axis=1.5),
            "stack": lambda: ops.stack([X, X], axis="a"),
            "cumsum": lambda: ops.cumsum(X, axis=0.5),
            "flip": lambda: ops.flip(X, axis=0.5),
            "expand_dims": lambda: ops.expand_dims(X, axis=1.5),
            "transpose": lambda: ops.transpose(X, axes=(1.5, 0)),
            "swapaxes": lambda: ops.swapaxes(X, 0.5, 1),
            "norm": lambda: ops.norm(X, axis="a"),
        }
    )


def sizes_that_are_no_ints(keras: Any) -> dict[str, bool]:
    ops = keras.ops
    return _refused(
        {
            "zeros": lambda: ops.zeros(2.5),
            "reshape": lambda: ops.reshape(X, (2.5, 6)),
            "broadcast_to": lambda: ops.broadcast_to(X, "a"),
            "split": lambda: ops.split(X, 1.5),
            "tile": lambda: ops.tile(X, 1.5),
            "eye": lambda: ops.eye(2.5),
            "linspace": lambda: ops.linspace(0, 1, 2.5),
            "one_hot": lambda: ops.one_hot(np.array([0, 1]), "a"),
            "one_hot of a float": lambda: ops.one_hot(np.array([0, 1]), 2.0),
            "diff": lambda: ops.diff(X, n="a"),
            "tril": lambda: ops.tril(X, "a"),
            "tensordot": lambda: ops.tensordot(X, X, axes="a"),
            "max_pool": lambda: ops.max_pool(X[None, ..., None], "a"),
        }
    )


def ints_in_every_form(keras: Any) -> dict[str, Any]:
    ops = keras.ops
    return {
        "sum": ops.sum(X, axis=-1),
        "several": ops.sum(X, axis=[0, 1]),
        "expand_dims": list(ops.expand_dims(X, (0, 2)).shape),
        "reshape": list(ops.reshape(X, [2, -1]).shape),
        "tile": list(ops.tile(X, [1, 2]).shape),
        "roll": ops.roll(X, 2),
        "roll two axes": ops.roll(X, (1, 2), axis=(0, 1)),
        "roll one axis": ops.roll(X, 1, axis=1),
        "split": [list(part.shape) for part in ops.split(X, [1, 3], axis=1)],
        "tensordot": ops.tensordot(X, X, axes=[[1], [1]]),
        "tensordot by one": ops.tensordot(X, np.ascontiguousarray(X.T), axes=1),
        "eye": ops.eye(3, 2, k=-1),
        "round": ops.round(X, 2),
    }


def lengths_of_all_weights(keras: Any) -> dict[str, Any]:
    constraints = keras.constraints
    return {
        "max": constraints.MaxNorm(0.5, axis=None)(X),
        "unit": constraints.UnitNorm(axis=None)(X),
        "several": constraints.MaxNorm(0.5, axis=[0, 1])(X),
        "one": constraints.UnitNorm(axis=1)(X),
    }


def names_of_optimizers_in_capitals(keras: Any) -> dict[str, Any]:
    names = ("ADAM", "Adam", "adam", "SGD", "sgd", "Sgd", "RMSPROP", "RMSprop", "AdamW", "ADAMW")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("ADAM", "mse")
    return {
        **{name: type(keras.optimizers.get(name)).__name__ for name in names},
        "compiled": type(model.optimizer).__name__,
        "none such": refusal(lambda: keras.optimizers.get("ADAMM")),
    }


def no_class_has_a_weight(keras: Any) -> dict[str, Any]:
    found = {}
    for name, weights in {"none": None, "empty": {}, "one": {0: 2.0}}.items():
        layer = keras.layers.Dense(1, activation="sigmoid", kernel_initializer="ones")
        model = keras.Sequential([keras.Input((4,)), layer])
        model.compile(keras.optimizers.SGD(0.1), "binary_crossentropy")
        y = np.array([[0.0], [1.0], [0.0]], "float32")
        found[name] = model.fit(X, y, class_weight=weights, shuffle=False, verbose=0).history["loss"]
        if not weights:  # then targets need not be classes
            share = np.array([[0.25], [0.5], [1.0]], "float32")
            found[f"{name}, shares"] = model.evaluate(X, share, verbose=0)
            found[f"{name}, batch"] = model.train_on_batch(X, share, class_weight=weights)
    return found


def weights_that_begin_with_an_array(keras: Any) -> dict[str, Any]:
    first = numbers(4, 2, key="first weights")
    layer = keras.layers.Layer()
    dense = keras.layers.Dense(2, kernel_initializer=first)
    return {
        "a weight": layer.add_weight(shape=(4, 2), initializer=first),
        "a kernel": dense(X),
        "nothing": refusal(lambda: keras.Variable(None)) is not None,
        "a dict": refusal(lambda: keras.Variable({})) is not None,
    }


def shapes_before_a_model_is_built(keras: Any) -> dict[str, Any]:
    model = keras.Sequential([keras.layers.Dense(2)])
    before = {
        name: refusal(lambda name=name: getattr(model, name)) for name in ("input_shape", "output_shape")
    }
    found = {"before": before, "there": hasattr(model, "input_shape")}
    model.build((None, 4))
    return {**found, "after": [list(model.input_shape), list(model.output_shape)]}
