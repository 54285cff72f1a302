"""Calls as older versions of Keras had them: each works as in Keras 3, or is refused."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.parity.means import numbers, refusal


def arguments_by_their_places(keras: Any) -> dict[str, Any]:
    layers = keras.layers
    made = {
        "dense": layers.Dense(10, "relu", False).get_config(),
        "conv": layers.Conv2D(4, 3, 3).get_config(),
        "conv padded": layers.Conv2D(4, (3, 3), (1, 2), "same", "channels_last").get_config(),
        "pool": layers.MaxPooling2D(2, 1, "same").get_config(),
        "dropout": layers.Dropout(0.5, None, 3).get_config(),
        "flatten": layers.Flatten("channels_last").get_config(),
        "norm": layers.BatchNormalization(1, 0.9, 0.01, False).get_config(),
        "relu": layers.ReLU(6.0, 0.1, 0.5).get_config(),
        "leaky": layers.LeakyReLU(0.2).get_config(),
        "concatenate": layers.Concatenate(1).get_config(),
        "reshape": layers.Reshape((2, 3)).get_config(),
        "noise": layers.GaussianNoise(0.3, 5).get_config(),
        "rescaling": layers.Rescaling(0.5, 1.0).get_config(),
    }
    wanted = {
        "dense": ("units", "activation", "use_bias"),
        "conv": ("filters", "kernel_size", "strides"),
        "conv padded": ("kernel_size", "strides", "padding", "data_format"),
        "pool": ("pool_size", "strides", "padding"),
        "dropout": ("rate", "noise_shape", "seed"),
        "flatten": ("data_format",),
        "norm": ("axis", "momentum", "epsilon", "center"),
        "relu": ("max_value", "negative_slope", "threshold"),
        "leaky": ("negative_slope",),
        "concatenate": ("axis",),
        "reshape": ("target_shape",),
        "noise": ("stddev", "seed"),
        "rescaling": ("scale", "offset"),
    }
    return {name: [made[name][key] for key in keys] for name, keys in wanted.items()}


def first_layers_that_say_their_input(keras: Any) -> dict[str, Any]:
    layers = keras.layers
    firsts = {
        "input_dim": layers.Dense(3, input_dim=4),
        "input_shape": layers.Dense(3, input_shape=(4,)),
        "images": layers.Conv2D(2, 3, input_shape=(8, 8, 1)),
        "flatten": layers.Flatten(input_shape=(2, 3)),
        "dropout": layers.Dropout(0.5, input_shape=(4,)),
        "embedded": keras.layers.InputLayer(input_shape=(4,)),
        "batch": keras.layers.InputLayer(batch_input_shape=(2, 4)),
    }
    return {
        name: list(keras.Sequential([first, layers.Activation("relu")]).output_shape)
        for name, first in firsts.items()
    }


def _line(keras: Any) -> Any:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse", metrics=["mae"])
    return model


def fit_and_evaluate_by_place(keras: Any) -> dict[str, Any]:
    x, y = numbers(8, 3), numbers(8, 1, key="y")
    model = _line(keras)
    history = model.fit(x, y, 4, 2, 0, shuffle=False)
    tested = model.evaluate(x, y, 4, 0)
    return {"history": history.history, "tested": tested, "predicted": model.predict(x, 4, 0)}


def compile_in_the_order_of_keras_2(keras: Any) -> dict[str, Any]:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation="softmax")])
    x, y = numbers(8, 3), np.eye(2, dtype="float32")[np.arange(8) % 2]

    def run(metrics: Any) -> Any:
        model.compile("adam", "categorical_crossentropy", metrics)
        return model.fit(x, y, verbose=0)

    return {"refused": [refusal(lambda m=m: run(m)) is not None for m in (["accuracy"], ["mse", "mae"])]}


def _refused(keras: Any, calls: dict[str, Any]) -> dict[str, Any]:
    return {name: refusal(call) is not None for name, call in calls.items()}


def arguments_of_layers_in_keras_1(keras: Any) -> dict[str, Any]:
    layers = keras.layers
    return _refused(
        keras,
        {
            "output_dim": lambda: layers.Dense(output_dim=3),
            "init": lambda: layers.Dense(3, init="uniform"),
            "W_regularizer": lambda: layers.Dense(3, W_regularizer="l2"),
            "bias": lambda: layers.Dense(3, bias=False),
            "weights": lambda: layers.Dense(3, weights=[np.ones((3, 3))]),
            "p": lambda: layers.Dropout(p=0.5),
            "sigma": lambda: layers.GaussianNoise(sigma=0.1),
            "border_mode": lambda: layers.Conv2D(4, 3, border_mode="same"),
            "subsample": lambda: layers.Conv2D(4, 3, subsample=(2, 2)),
            "dim_ordering": lambda: layers.MaxPooling2D(dim_ordering="tf"),
            "nb_filter": lambda: layers.Conv2D(nb_filter=3, nb_row=3, nb_col=3),
            "mode": lambda: layers.BatchNormalization(mode=0),
        },
    )


def arguments_of_training_in_keras_1_and_2(keras: Any) -> dict[str, Any]:
    x, y, model = numbers(8, 3), numbers(8, 1, key="y"), _line(keras)
    return _refused(
        keras,
        {
            "nb_epoch": lambda: model.fit(x, y, nb_epoch=1, verbose=0),
            "workers": lambda: model.fit(x, y, workers=2, verbose=0),
            "show_accuracy": lambda: model.fit(x, y, show_accuracy=True, verbose=0),
            "nb_val_samples": lambda: model.evaluate(x, y, nb_val_samples=3, verbose=0),
            "sample_weight_mode": lambda: model.compile("sgd", "mse", sample_weight_mode="temporal"),
            "lr": lambda: keras.optimizers.SGD(lr=0.1),
            "schedule_decay": lambda: keras.optimizers.Adam(schedule_decay=0.1),
            "nb_classes": lambda: keras.utils.to_categorical([0, 1], nb_classes=3),
            "input": lambda: keras.Model(input=model.inputs, output=model.outputs),
        },
    )


def methods_of_older_models(keras: Any) -> dict[str, Any]:
    model = _line(keras)
    names = (
        "fit_generator",
        "evaluate_generator",
        "predict_generator",
        "predict_classes",
        "predict_proba",
        "to_yaml",
    )
    return {"there": [hasattr(model, name) for name in names], "lr": hasattr(model.optimizer, "lr")}


def functions_of_the_old_backend(keras: Any) -> dict[str, Any]:
    names = (
        "mean",
        "sum",
        "square",
        "dot",
        "variable",
        "placeholder",
        "get_value",
        "set_value",
        "function",
        "tf",
    )
    return {"there": [hasattr(keras.backend, name) for name in names]}
