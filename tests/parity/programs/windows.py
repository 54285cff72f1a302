"""Convolutions, pooling and reshaping beyond single calls: masks, unknown sizes, defaults, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.parity.means import numbers, refusal

MASK = np.array([[True, True, True, True], [True, False, True, False], [False, False, False, True]])


def _weights(model: Any, most: float = 0.5) -> Any:
    """The model with other weights, of its own places."""
    model.set_weights(
        [numbers(*w.shape, key=f"weight {i}", low=-most, high=most) for i, w in enumerate(model.weights)]
    )
    return model


def means_of_masked_sequences(keras: Any) -> dict[str, Any]:
    make, x = keras.layers.GlobalAveragePooling1D, numbers(3, 4, 2, key="steps")
    return {
        "mean": make()(x, mask=MASK),
        "kept": make(keepdims=True)(x, mask=MASK),
        "first": make(data_format="channels_first")(x.transpose(0, 2, 1), mask=MASK),
        "numbers as a mask": make()(x, mask=MASK.astype("float32")),
        "mask behind it": make().compute_mask(x, MASK),
    }


def a_model_learns_from_means_of_masked_sequences(keras: Any) -> dict[str, Any]:
    class Filled(keras.layers.Layer):
        """Steps that are all 0 do not count."""

        def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
            return keras.ops.any(keras.ops.not_equal(inputs, 0.0), axis=-1)

        def call(self, inputs: Any) -> Any:
            return inputs

    layers = keras.layers
    inputs = keras.Input((None, 3))
    x = layers.Dense(4, activation="tanh")(Filled()(inputs))
    x = layers.GlobalAveragePooling1D()(layers.SpatialDropout1D(0.0)(x))
    model = _weights(keras.Model(inputs, layers.Dense(1)(x)))
    data = numbers(8, 5, 3, key="data")
    data[::2, 3:] = 0
    model.compile(keras.optimizers.SGD(0.1), "mse")
    history = model.fit(data, numbers(8, 1, key="targets"), batch_size=4, epochs=3, shuffle=False, verbose=0)
    longer = np.concatenate([data, np.zeros((8, 2, 3), "float32")], axis=1)
    return {
        "losses": history.history["loss"],
        "weights": model.get_weights(),
        "predicted": model.predict(data, verbose=0),
        "padded": model.predict(longer, verbose=0),
    }


def images_of_any_size(keras: Any) -> dict[str, Any]:
    layers = keras.layers
    inputs = keras.Input((None, None, 3))
    x = layers.ZeroPadding2D(1)(inputs)
    x = layers.SeparableConv2D(4, 3, activation="relu")(x)
    x = layers.MaxPooling2D(2, padding="same")(layers.DepthwiseConv2D(3, padding="same")(x))
    whole = layers.Conv2DTranspose(2, 3, strides=2, padding="same")(x)
    few = layers.AveragePooling2D(2)(x)
    flat = layers.GlobalMaxPooling2D()(few)
    cut = layers.Cropping2D(1)(whole)
    model = _weights(keras.Model(inputs, [whole, cut, flat]))
    seen = {"shapes": [list(output.shape) for output in model.outputs]}
    for height, width in ((8, 6), (5, 9)):
        images = numbers(2, height, width, 3, key=f"images {height}")
        seen[f"{height} rows"] = model.predict(images, verbose=0)
    return seen


def sequences_of_any_length(keras: Any) -> dict[str, Any]:
    layers = keras.layers
    inputs = keras.Input((None, 3))
    x = layers.Conv1D(4, 3, padding="causal", dilation_rate=2, activation="tanh")(inputs)
    x = layers.Conv1DTranspose(3, 2, strides=2)(layers.MaxPooling1D(2)(x))
    x = layers.UpSampling1D(2)(layers.Cropping1D((1, 0))(layers.ZeroPadding1D((0, 2))(x)))
    outputs = [x, layers.AveragePooling1D(3, padding="same")(x), layers.GlobalAveragePooling1D()(x)]
    model = _weights(keras.Model(inputs, outputs))
    seen = {"shapes": [list(output.shape) for output in model.outputs]}
    for length in (9, 4):
        seen[f"{length} steps"] = model.predict(numbers(2, length, 3, key=f"{length}"), verbose=0)
    return seen


def other_shapes_of_unknown_sizes(keras: Any) -> dict[str, Any]:
    layers, data = keras.layers, numbers(2, 6, 4, key="data")
    made = {
        "flat": layers.Flatten(),
        "flat, channels first": layers.Flatten("channels_first"),
        "one row": layers.Reshape((-1,)),
        "pairs": layers.Reshape((-1, 2)),
        "pairs by None": layers.Reshape((None, 2)),
        "halves": layers.Reshape((2, -1)),
        "known": layers.Reshape((3, 8)),
        "swapped": layers.Permute((2, 1)),
    }
    seen: dict[str, Any] = {}
    for shape in ((None, 4), (6, None), (6, 4)):
        for name, layer in made.items():
            inputs = keras.Input(shape)
            output = layer(inputs)
            model = keras.Model(inputs, output)
            where = f"{name} of {shape}"
            seen[where] = model.predict(data, verbose=0)
            if name != "pairs by None":  # Keras does not work it out
                seen[f"shape of {where}"] = list(output.shape)
                seen[f"computed shape of {where}"] = list(layer.compute_output_shape((None, *shape)))
    inputs = keras.Input((None,))
    repeated = keras.Model(inputs, layers.RepeatVector(3)(inputs))
    seen["repeated"] = repeated.predict(data[:, 0], verbose=0)
    seen["shape of repeated"] = list(repeated.output_shape)
    return seen


def the_layout_of_the_process(keras: Any) -> dict[str, Any]:
    layers, volume = keras.layers, numbers(2, 2, 4, 6, 4, key="volume")
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_first")
    try:
        made = [
            _weights_of(layers.Conv3D(3, 2), volume),
            _weights_of(layers.Conv3DTranspose(3, 2, strides=2), volume),
            layers.MaxPooling3D(2),
            layers.AdaptiveAveragePooling3D((1, 2, 3)),
            layers.GlobalMaxPooling3D(),
            layers.UpSampling3D(2),
            layers.ZeroPadding3D(1),
            layers.Cropping3D(1),
            layers.Flatten(),
        ]
        seen = {type(layer).__name__: layer(volume) for layer in made}
        steps = [layers.UpSampling1D(2), layers.Cropping1D(1), layers.ZeroPadding1D(2), layers.MaxPool1D(2)]
        seen |= {type(layer).__name__: layer(volume[:, :, :, 0, 0]) for layer in steps[2:]}
        seen |= {type(layer).__name__: layer(volume[:, :, :, 0, 0].swapaxes(1, 2)) for layer in steps[:2]}
        seen["layouts"] = [layer.get_config().get("data_format") for layer in (*made, *steps)]
    finally:
        keras.config.set_image_data_format(before)
    return seen


def _weights_of(layer: Any, x: Any) -> Any:
    layer.build(x.shape)
    return _weights(layer)


def what_all_refuse(keras: Any) -> dict[str, Any]:
    layers, steps, image = keras.layers, numbers(2, 9, 4), numbers(2, 6, 5, 4)
    calls = {
        "filters": lambda: layers.Conv1D(0, 3),
        "kernel_size": lambda: layers.Conv1D(2, (3, 3)),
        "strides": lambda: layers.Conv3D(2, 3, strides=(1, 2)),
        "padding": lambda: layers.Conv2D(2, 3, padding="causal"),
        "transposed padding": lambda: layers.Conv1DTranspose(2, 3, padding="causal"),
        "groups": lambda: layers.Conv1D(3, 3, groups=2),
        "groups of channels": lambda: layers.Conv1D(3, 3, groups=3)(steps),
        "output_padding": lambda: layers.Conv2DTranspose(2, 3, strides=2, output_padding=2)(image),
        "output_padding below 0": lambda: layers.Conv2DTranspose(2, 3, strides=2, output_padding=-1)(image),
        "depth_multiplier": lambda: layers.DepthwiseConv2D(3, depth_multiplier=0),
        "a large filter": lambda: layers.Conv1D(2, 10)(steps),
        "too few axes": lambda: layers.Conv2D(2, 3)(steps),
        "too many axes": lambda: layers.Conv1D(2, 3)(image),
        "pooling of too few axes": lambda: layers.MaxPooling2D(2)(steps),
        "global pooling of too many axes": lambda: layers.GlobalMaxPooling1D()(image),
        "cropping": lambda: layers.Cropping1D(-1),
        "cropping all": lambda: layers.Cropping1D((5, 4))(steps),
        "cropping of pairs": lambda: layers.Cropping3D((1, 2)),
        "padding of pairs": lambda: layers.ZeroPadding3D(((1, 2), (0, 1))),
        "padding below 0": lambda: layers.ZeroPadding1D(-1),
        "size": lambda: layers.UpSampling3D((1, 2)),
        "output_size": lambda: layers.AdaptiveMaxPooling2D((1, 2, 3)),
        "dims": lambda: layers.Permute((1, 3)),
        "elements": lambda: layers.Reshape((5, 7))(steps),
    }
    return {name: refusal(call) is not None for name, call in calls.items()}
