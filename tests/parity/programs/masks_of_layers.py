"""Layers that make masks, layers that read them, and what models learn of what is masked."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.parity.means import numbers

IDS = np.array([[3, 1, 0, 0], [2, 0, 5, 4], [0, 0, 0, 0]], "int32")


def _model(keras: Any, inputs: Any, outputs: Any) -> Any:
    model = keras.Model(inputs, outputs)
    for i, weight in enumerate(model.weights):
        weight.assign(numbers(*weight.shape, key=f"weight {i}"))
    model.compile(keras.optimizers.SGD(0.1, momentum=0.5), "mse")
    return model


def an_embedding_tells_which_ids_are_padding(keras: Any) -> dict[str, Any]:
    layer = keras.layers.Embedding(6, 3, mask_zero=True)
    plain = keras.layers.Embedding(6, 3)
    return {
        "mask": layer.compute_mask(IDS),
        "none": plain.compute_mask(IDS),
        "supports": [layer.supports_masking, plain.supports_masking],
    }


def an_embedding_begins_with_weights_and_has_no_bounds_in_its_config(keras: Any) -> dict[str, Any]:
    table = numbers(6, 3, key="table")
    layer, listed = keras.layers.Embedding(6, 3, weights=table), keras.layers.Embedding(6, 3, weights=[table])
    return {
        "built": layer.built,
        "rows": layer(IDS),
        "rows of a list": listed(IDS),
        "keys": sorted(
            set(layer.get_config()) - {"quantization_config", "lora_rank", "lora_alpha", "autocast"}
        ),
    }


def floats_are_ids(keras: Any) -> dict[str, Any]:
    layer = keras.layers.Embedding(6, 3, weights=numbers(6, 3, key="table"))
    return {"rows": layer(np.array([[1.0, 2.9], [0.2, 5.0]], "float32"))}


def a_reversible_embedding_both_ways(keras: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for tied in (True, False):
        inputs = keras.Input((4,), dtype="int32")
        layer = keras.layers.ReversibleEmbedding(6, 3, tie_weights=tied, mask_zero=True, logit_soft_cap=0.5)
        scores = layer(layer(inputs), reverse=True)
        model = _model(keras, inputs, scores)
        y = numbers(3, 4, 6, key="targets")
        losses = [model.train_on_batch(IDS, y) for _ in range(3)]
        found[f"tied {tied}"] = {
            "losses": [float(loss) for loss in losses],
            "names": [weight.path.split("/")[-1] for weight in model.weights],
            "weights": list(model.get_weights()),
            "shape": list(scores.shape),
            "dtype": str(scores.dtype),
        }
    return found


def masking_marks_steps(keras: Any) -> dict[str, Any]:
    x = numbers(2, 4, 3, key="x")
    x[0, 1:] = 0
    x[1, 2] = [0, 0, 0.5]
    layer = keras.layers.Masking()
    return {"mask": layer.compute_mask(x), "output": layer(x), "other": keras.layers.Masking(0.5)(x)}


def masked_steps_count_in_no_loss(keras: Any) -> dict[str, Any]:
    x, y = numbers(3, 4, 2, key="x"), numbers(3, 4, 2, key="y")
    x[0, 2:] = x[2, 0] = 0
    inputs = keras.Input((4, 2))
    model = _model(keras, inputs, keras.layers.Dense(2)(keras.layers.Masking()(inputs)))
    losses = [float(model.train_on_batch(x, y)) for _ in range(3)]
    return {"losses": losses, "weights": list(model.get_weights())}


def masked_ids_count_in_no_loss(keras: Any) -> dict[str, Any]:
    inputs = keras.Input((4,), dtype="int32")
    rows = keras.layers.Embedding(6, 3, mask_zero=True)(inputs)
    model = _model(keras, inputs, keras.layers.Dense(2)(keras.layers.Activation("tanh")(rows)))
    losses = [float(model.train_on_batch(IDS, numbers(3, 4, 2, key="y"))) for _ in range(3)]
    return {"losses": losses, "weights": list(model.get_weights())}


def masked_steps_count_in_no_statistic(keras: Any) -> dict[str, Any]:
    x, y = numbers(3, 4, 2, key="x"), numbers(3, 4, 2, key="y")
    x[0, 2:] = x[2, 0] = 0
    inputs = keras.Input((4, 2))
    rows = keras.layers.BatchNormalization(momentum=0.5)(keras.layers.Masking()(inputs))
    model = _model(keras, inputs, keras.layers.Dense(2)(rows))
    model.layers[2].moving_variance.assign([1.0, 2.0])
    losses = [float(model.train_on_batch(x, y)) for _ in range(3)]
    return {"losses": losses, "weights": list(model.get_weights()), "predicted": model.predict(x, verbose=0)}


def a_mask_given_to_a_batch_normalization(keras: Any) -> dict[str, Any]:
    layer = keras.layers.BatchNormalization(momentum=0.9, epsilon=0.01)
    mask = np.array([[1, 0, 1, 1], [0, 0, 0, 1]], bool)
    found = {"output": layer(numbers(2, 4, 3, key="x", high=5), training=True, mask=mask)}
    mean, variance = layer.moving_mean, layer.moving_variance
    return {**found, "mean": mean, "variance": variance, "after": layer(numbers(2, 4, 3), mask=mask)}


def a_sequential_of_ids(keras: Any) -> dict[str, Any]:
    layers = keras.layers
    model = keras.Sequential([layers.Embedding(6, 3), layers.Flatten(), layers.Dense(1)])
    model.build((None, 4))
    for i, weight in enumerate(model.weights):
        weight.assign(numbers(*weight.shape, key=f"weight {i}"))
    return {"predicted": model.predict(IDS, verbose=0), "shape": list(model.output_shape)}


def masks_that_broadcast_count_in_losses(keras: Any) -> dict[str, Any]:
    layers, losses, found = keras.layers, keras.losses, {}
    mask = np.array([[True, False, True, True]])

    class Marks(layers.Layer):
        def __init__(self, shape):
            super().__init__()
            self.shape = shape

        def call(self, x):
            return 1.0 * x

        def compute_mask(self, inputs, previous_mask=None):
            return keras.ops.convert_to_tensor(np.resize(mask, self.shape))

    x, y, weights = numbers(3, 4, 2), numbers(3, 4, 2, key="y"), numbers(3, 4, key="w", low=0.1)
    for shape in ((1, 4), (3, 1), (1, 1), (1,), (), (1, 4, 1), (3, 4)):
        for reduction in ("sum_over_batch_size", "sum", "mean_with_sample_weight"):
            inputs = keras.Input((4, 2))
            dense = layers.Dense(2, kernel_initializer="ones")
            model = keras.Model(inputs, Marks(shape)(dense(inputs)))
            loss = losses.MeanAbsoluteError(reduction=reduction)
            model.compile("sgd", loss, metrics=["mse"], weighted_metrics=["mae"])
            found[f"{shape} {reduction}"] = {
                "plain": model.evaluate(x, y, verbose=0),
                "weighted": model.evaluate(x, y, sample_weight=weights, verbose=0),
                "trained": model.train_on_batch(x, y),
                "weights": model.get_weights(),
            }
        inputs = keras.Input((4, 1))
        model = keras.Model(inputs, Marks(shape)(inputs))
        model.compile(loss="mse", weighted_metrics=["binary_accuracy"])
        found[f"{shape} counts"] = model.evaluate(np.abs(x[..., :1]), 1.0 * (y[..., :1] > 0), verbose=0)
    return found
