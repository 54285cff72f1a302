"""Softmax layers under masks of all ranks that broadcast."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.parity.means import numbers, refusal

LOWER = np.tril(np.ones((3, 3), bool))


def masks_broadcast_to_the_scores(keras: Any) -> dict[str, Any]:
    layer, scores = keras.layers.Softmax(), numbers(2, 3, 3, key="scores")
    some = np.array([True, False, True])
    masks = {"square": LOWER, "row": some, "column": some[:, None], "each": np.stack([LOWER, LOWER.T])}
    return {name: layer(scores, mask=mask) for name, mask in masks.items()}


def masks_that_do_not_broadcast_are_refused(keras: Any) -> dict[str, Any]:
    layer = keras.layers.Softmax()
    return {
        "samples and columns": refusal(lambda: layer(numbers(2, 3, 4), mask=np.ones((2, 4), bool))) is None,
        "a longer row": refusal(lambda: layer(numbers(2, 3), mask=np.ones(4, bool))) is None,
        "more axes": refusal(lambda: layer(numbers(3), mask=np.ones((1, 3), bool))) is None,
    }


def a_layer_of_ones_own_masks_what_is_to_come(keras: Any) -> dict[str, Any]:
    class Causal(keras.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.softmax = keras.layers.Softmax()

        def call(self, inputs: Any) -> Any:
            scores = keras.ops.matmul(inputs, keras.ops.transpose(inputs, (0, 2, 1)))
            return keras.ops.matmul(self.softmax(scores, mask=LOWER), inputs)

    x = numbers(2, 3, 4, key="steps")
    inputs = keras.Input((3, 4))
    model = keras.Model(inputs, Causal()(inputs))
    return {"eager": Causal()(x), "model": model.predict(x, verbose=0)}


def rows_without_a_position_give_nothing(keras: Any) -> dict[str, Any]:
    mask = np.array([[True, True, False], [False, False, False]])
    return {"output": keras.layers.Softmax()(numbers(2, 3, key="rows"), mask=mask)}
