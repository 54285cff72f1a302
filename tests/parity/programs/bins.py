"""Discretization that finds its borders, which Keras does with TensorFlow alone; encodings called on data."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.parity.means import numbers, refusal

DATA = numbers(503, 2, key="data", low=-5, high=9)


def _config(layer: Any) -> dict[str, str]:
    config = layer.get_config()
    return {
        key: str(config[key]) for key in ("num_bins", "epsilon", "output_mode", "sparse") if key in config
    }


def borders_that_are_found(keras: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for bins in (1, 2, 3, 7, 49, 100):
        for epsilon in (0.5, 0.1, 0.01, 0.003):
            layer = keras.layers.Discretization(num_bins=bins, epsilon=epsilon)
            layer.adapt(DATA)
            found[f"{bins} bins, {epsilon}"] = np.array(layer.bin_boundaries, "float32")
    return found


def borders_of_little_data(keras: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for size in (1, 2, 3, 5, 99, 100, 101):
        layer = keras.layers.Discretization(num_bins=4)
        layer.adapt(numbers(size, key="few"))
        found[f"{size}"] = np.array(layer.bin_boundaries, "float32")
    return found


def borders_found_in_batches(keras: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for size in (1, 50, 200):
        for steps in (None, 2):
            layer = keras.layers.Discretization(num_bins=5, epsilon=0.05)
            layer.adapt((DATA[start : start + size] for start in range(0, 400, size)), steps=steps)
            found[f"by {size}, {steps} steps"] = np.array(layer.bin_boundaries, "float32")
    listed = keras.layers.Discretization(num_bins=3)
    listed.adapt([DATA[:100], DATA[100:150]])
    found["a list of arrays"] = np.array(listed.bin_boundaries, "float32")
    by_hand = keras.layers.Discretization(num_bins=3)
    by_hand.reset_state()
    by_hand.update_state(DATA[:70])
    by_hand.update_state(DATA[70:300])
    by_hand.finalize_state()
    found["by hand"] = np.array(by_hand.bin_boundaries, "float32")
    by_hand.adapt(np.arange(10.0))
    found["again"] = np.array(by_hand.bin_boundaries, "float32")
    return found


def bins_of_found_borders(keras: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for mode in ("int", "one_hot", "multi_hot", "count"):
        layer = keras.layers.Discretization(num_bins=4, output_mode=mode)
        layer.adapt(np.arange(1, 12, dtype="float32"))
        found[mode] = layer(np.array([[1.0, 3.0, 20.0], [6.0, -4.0, 9.0]]))
        again = keras.layers.Discretization.from_config(layer.get_config())
        found[f"{mode}, again"] = again(np.array([[1.0, 3.0, 20.0]]))
        found[f"{mode}, settings"] = _config(layer)
    return found


def bins_in_a_model(keras: Any) -> dict[str, Any]:
    layer = keras.layers.Discretization(num_bins=4, output_mode="one_hot")
    layer.adapt(DATA[:, 0])
    model = keras.Sequential(
        [keras.Input((1,)), layer, keras.layers.Dense(1, kernel_initializer="ones", use_bias=False)]
    )
    model.compile(keras.optimizers.SGD(0.5), "mse")
    history = model.fit(DATA[:, :1], DATA[:, :1], batch_size=64, epochs=3, shuffle=False, verbose=0).history
    return {
        "loss": history["loss"],
        "steps": model.predict(np.array([[-9.0], [0.0], [2.0], [8.0]]), verbose=0),
    }


def encodings_of_lists_and_scalars(keras: Any) -> dict[str, Any]:
    encoding, found = keras.layers.CategoryEncoding, {}
    shapes = {"one": 2, "a list": [0, 2, 2], "rows": [[0, 1], [3, 3]], "a column": [[1], [3]]}
    for mode in ("one_hot", "multi_hot", "count"):
        for name, indices in shapes.items():
            found[f"{mode}, {name}"] = encoding(4, output_mode=mode)(np.array(indices))
    weights = np.array([[0.1, 0.2], [0.5, 0.25]])
    found["weighted"] = encoding(4, output_mode="count")(np.array([[0, 1], [3, 3]]), count_weights=weights)
    found["weighted list"] = encoding(4, output_mode="count")(
        np.array([3, 3]), count_weights=np.array([1.0, 2.0])
    )
    found["bins of a list"] = keras.layers.Discretization([0.0, 1.0])([[0.5, 3.0], [-1.0, 1.0]])
    return found


def what_encodings_refuse(keras: Any) -> dict[str, Any]:
    encoding, bins = keras.layers.CategoryEncoding, keras.layers.Discretization
    calls = {
        "no tokens": lambda: encoding(),
        "none at all": lambda: encoding(0),
        "another mode": lambda: encoding(3, output_mode="int"),
        "weights of flags": lambda: encoding(3)(np.array([[1]]), count_weights=np.array([[1.0]])),
        "no bins": lambda: bins(),
        "both": lambda: bins([1.0], num_bins=3),
        "fewer than none": lambda: bins(num_bins=-1),
        "weights as bins": lambda: bins([1.0], output_mode="tf_idf"),
        "no borders yet": lambda: bins(num_bins=3)(np.array([1.0])),
        "adapted, though given": lambda: bins([1.0]).adapt(np.array([1.0])),
    }
    return {name: refusal(call) is not None for name, call in calls.items()}
