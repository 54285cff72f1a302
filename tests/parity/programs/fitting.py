"""What `fit` and its kin do with data, logs and states over time."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.parity.means import numbers


def _line(keras: Any) -> Any:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse", metrics=["mae"])
    return model


def each_train_on_batch_is_alone(keras: Any) -> dict[str, Any]:
    model, x, y = _line(keras), numbers(8, 3), numbers(8, 1, key="y")
    model.evaluate(x, y, verbose=0)
    return {"calls": [model.train_on_batch(x * i, y) for i in (1, 2, 3)], "test": model.test_on_batch(x, y)}


def each_test_on_batch_is_alone(keras: Any) -> dict[str, Any]:
    model, x, y = _line(keras), numbers(8, 3), numbers(8, 1, key="y")
    model.fit(x, y, verbose=0)
    tests = [model.test_on_batch(x * i, y * i) for i in (1, 2, 3)]
    return {"tests": tests, "evaluated": model.evaluate(x, y, verbose=0)}


def single_batches_by_name(keras: Any) -> dict[str, Any]:
    model, x, y = _line(keras), numbers(8, 3), numbers(8, 1, key="y")
    weights = numbers(8, key="w", low=0.5)
    calls = [
        model.train_on_batch(x, y, return_dict=True),
        model.train_on_batch(x, y, sample_weight=weights, return_dict=True),
        model.test_on_batch(x, y, sample_weight=weights, return_dict=True),
        model.test_on_batch(x, y, return_dict=True),
    ]
    return {"calls": calls, "names": model.metrics_names, "predicted": model.predict_on_batch(x)}


def single_batches_without_metrics(keras: Any) -> dict[str, Any]:
    """A number each; other sizes and other kinds of steps between them."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse")
    x, y = numbers(8, 3), numbers(8, 1, key="y")
    calls = []
    for size in (8, 3, 8):
        calls += [model.train_on_batch(x[:size], y[:size]), model.test_on_batch(x[:size], y[:size])]
        model.predict_on_batch(x[:size])
        model.fit(x, y, verbose=0)
    return {"calls": calls, "weights": model.get_weights()}


def single_batches_of_weighted_classes(keras: Any) -> dict[str, Any]:
    layer = keras.layers.Dense(3, activation="softmax", kernel_initializer="ones", bias_initializer="ones")
    model = keras.Sequential([keras.Input((3,)), layer])
    metrics, weighted = ["sparse_categorical_accuracy"], ["sparse_categorical_crossentropy"]
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=metrics, weighted_metrics=weighted)
    x, y = numbers(6, 3), np.array([0, 1, 2, 2, 1, 0])
    classes = {0: 1.0, 1: 2.0, 2: 0.5}
    return {"calls": [model.train_on_batch(x * i, y, class_weight=classes) for i in (1, 2, 3)]}


def single_batches_of_several_outputs(keras: Any) -> dict[str, Any]:
    inputs = keras.Input((3,))
    dense = [keras.layers.Dense(n, kernel_initializer="ones", name=f"d{n}")(inputs) for n in (2, 1)]
    model = keras.Model(inputs, dense)
    model.compile("sgd", ["mse", "mae"], metrics=[["mae"], ["mse", "mae"]], loss_weights=[0.5, 2.0])
    x, y = numbers(8, 3), [numbers(8, 2, key="y"), numbers(8, 1, key="z")]
    calls = [model.train_on_batch(x * i, y) for i in (1, 2)]
    tests = [model.test_on_batch(x, y), model.test_on_batch(x, y, return_dict=True)]
    return {"calls": calls, "tests": tests, "predicted": model.predict_on_batch(x)}


def a_gan_trained_by_single_batches(keras: Any) -> dict[str, Any]:
    """The discriminator by itself, then the whole with the discriminator frozen."""
    ones = {"kernel_initializer": "ones", "bias_initializer": "zeros"}
    judge = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, activation="sigmoid", **ones)])
    judge.compile(keras.optimizers.SGD(0.1), "binary_crossentropy", metrics=["accuracy"])
    judge.trainable = False
    maker = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, **ones)])
    inputs = keras.Input((3,))
    both = keras.Model(inputs, judge(maker(inputs)))
    both.compile(keras.optimizers.SGD(0.1), "binary_crossentropy")
    judge.trainable = True
    judge.compile(keras.optimizers.SGD(0.1), "binary_crossentropy", metrics=["accuracy"])
    noise, real, told = numbers(4, 3), numbers(4, 2, key="real"), []
    for _ in range(3):
        judge.trainable = True
        told.append(judge.train_on_batch(real, np.ones((4, 1), "float32")))
        told.append(judge.train_on_batch(maker.predict(noise, verbose=0), np.zeros((4, 1), "float32")))
        judge.trainable = False
        told.append(both.train_on_batch(noise, np.ones((4, 1), "float32")))
    return {"told": told}


def a_loop_of_epochs_by_single_batches(keras: Any) -> dict[str, Any]:
    """Metrics of one's own over an epoch of single batches."""
    model, x, y = _line(keras), numbers(8, 3), numbers(8, 1, key="y")
    mean, told = keras.metrics.Mean(), []
    for _ in range(2):
        mean.reset_state()
        for start in (0, 4):
            loss, _ = model.train_on_batch(x[start : start + 4], y[start : start + 4])
            mean.update_state(loss)
        told.append(float(mean.result()))
    return {"told": told, "tested": model.evaluate(x, y, verbose=0)}
