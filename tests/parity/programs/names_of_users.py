"""Attributes, hooks and steps that users name and write as they like."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.parity.means import numbers, refusal

X, Y = numbers(8, 3, key="named x"), numbers(8, 1, key="named y")


def _fitted(keras: Any, layer: Any, callbacks: Any = ()) -> dict[str, Any]:
    model = keras.Sequential([keras.Input((3,)), layer])
    model.compile("sgd", "mse")
    history = model.fit(X, Y, epochs=2, batch_size=4, verbose=0, shuffle=False, callbacks=list(callbacks))
    return dict(history.history)


def a_step_reads_weights_before_its_first_call(keras: Any) -> dict[str, Any]:
    class Model(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(1, kernel_initializer="ones")

        def call(self, inputs: Any) -> Any:
            return self.dense(inputs)

        def train_step(self, data: Any) -> Any:
            weights = len(self.trainable_variables)
            size = keras.ops.sum(keras.ops.square(self.dense.kernel))
            return {**super().train_step(data), "size": size, "weights": weights}

    model = Model()
    model.compile("sgd", "mse")
    return dict(model.fit(X, Y, batch_size=8, epochs=2, verbose=0).history)


def a_test_step_reads_weights_before_its_first_call(keras: Any) -> dict[str, Any]:
    class Model(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(1, kernel_initializer="ones")

        def call(self, inputs: Any) -> Any:
            return self.dense(inputs)

        def test_step(self, data: Any) -> Any:
            return {**super().test_step(data), "size": keras.ops.sum(self.dense.kernel)}

    model = Model()
    model.compile("sgd", "mse")
    return dict(model.evaluate(X, Y, verbose=0, return_dict=True))


def a_layer_counts_its_calls(keras: Any) -> dict[str, Any]:
    class Counting(keras.layers.Dense):
        def __init__(self, units: int) -> None:
            super().__init__(units, kernel_initializer="ones")
            self.calls = 0

        def call(self, inputs: Any) -> Any:
            self.calls += 1
            return super().call(inputs)

    layer = Counting(1)
    return {"history": _fitted(keras, layer), "counted": layer.calls > 0}


def a_callback_counts_its_samples(keras: Any) -> dict[str, Any]:
    class Samples(keras.callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.count_samples = 0

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.count_samples += 4

    samples = Samples()
    _fitted(keras, keras.layers.Dense(1), [samples])
    return {"counted": samples.count_samples}


def batch_hooks_may_take_their_logs_by_name_alone(keras: Any) -> dict[str, Any]:
    seen: list[Any] = []

    class ByName(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, *, logs: Any = None) -> None:
            seen.append(("begin", batch, sorted(logs)))

        def on_train_batch_end(self, batch: int, **more: Any) -> None:
            seen.append(("end", batch, sorted(more["logs"])))

    heard = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(sorted(logs)))
    _fitted(keras, keras.layers.Dense(1), [ByName(), heard])
    return {"seen": seen[:4]}


def the_shape_of_the_data_is_an_argument_of_layers(keras: Any) -> dict[str, Any]:
    dense = keras.layers.Dense
    return {
        "shape": refusal(lambda: dense(1, input_shape=(3,))) is None,
        "width": refusal(lambda: dense(1, input_dim=3)) is None,
        "batch alone": refusal(lambda: dense(1, batch_size=3)) is None,
        "other": refusal(lambda: dense(1, input_length=3)) is None,
    }


def numbers_of_outputs_are_rounded(keras: Any) -> dict[str, Any]:
    output = keras.ops.convert_to_tensor(np.array([[1.26, 2.0]], "float32"))
    return {"rounded": round(float(output[0, 0]), 1), "whole": round(float(output[0, 1]))}
