"""SpectralNormalization in training; Keras's backends differ in it, and these are as on PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.parity.means import numbers, refusal


def _given(layer: Any, shape: tuple[int, ...]) -> Any:
    layer.build(shape)
    for i, weight in enumerate(layer.weights):
        weight.assign(numbers(*weight.shape, key=f"weight {i}"))
    return layer


def kernels_in_calls(keras: Any) -> dict[str, Any]:
    layers, found = keras.layers, {}
    cases = {
        "dense": (layers.Dense(3), numbers(4, 5, key="x"), 1),
        "more": (layers.Dense(3), numbers(4, 5, key="x"), 4),
        "conv": (layers.Conv2D(3, 2), numbers(2, 4, 4, 2, key="x"), 2),
    }
    for name, (inner, x, count) in cases.items():
        layer = _given(layers.SpectralNormalization(inner, power_iterations=count), x.shape)
        still = layer(x)
        kept = np.array(keras.ops.convert_to_numpy(layer.layer.kernel))
        outputs = [layer(x, training=True) for _ in range(3)]
        found[name] = {
            "without": still,
            "kept": kept,
            "outputs": outputs,
            "kernel": layer.layer.kernel,
            "u": layer.vector_u,
            "names": [weight.path.split("/")[-1] for weight in layer.weights],
            "trained": [weight.trainable for weight in layer.weights],
            "keys": sorted(set(layer.get_config()) & {"layer", "power_iterations"}),
        }
    return found


def a_kernel_of_zeros_stays(keras: Any) -> dict[str, Any]:
    layer = keras.layers.SpectralNormalization(keras.layers.Dense(3, kernel_initializer="zeros"))
    output = layer(numbers(2, 4), training=True)
    return {"output": output, "kernel": layer.layer.kernel}


def a_layer_without_a_kernel_is_refused(keras: Any) -> dict[str, Any]:
    layer = keras.layers.SpectralNormalization
    return {
        "no kernel": refusal(lambda: layer(keras.layers.Flatten())(numbers(2, 3))),
        "none": refusal(lambda: layer(keras.layers.Dense(2), power_iterations=0)),
    }
