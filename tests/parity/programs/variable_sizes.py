"""None among the sizes of inputs: sequences and images of differing sizes in one model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.parity.means import numbers

LENGTHS = (3, 6, 4, 3, 7)


def _weighed(model: Any) -> Any:
    model.set_weights(
        [numbers(*w.shape, key=f"weight {i}", low=-0.4, high=0.4) for i, w in enumerate(model.weights)]
    )
    return model


def _words(rows: int, length: int) -> Any:
    return numbers(rows, length, key=f"words {length}", low=1, high=9).astype("int32")


def _batches(of: Any) -> Iterator[Any]:
    while True:
        for i, length in enumerate(LENGTHS):
            yield of(4, length), numbers(4, 1, key=f"y {i}")


def _trained(model: Any, of: Any) -> dict[str, Any]:
    model.compile("sgd", "mse", metrics=["mae"])
    logs = model.fit(_batches(of), steps_per_epoch=len(LENGTHS), epochs=2, verbose=0).history
    return {
        "logs": logs,
        "evaluated": model.evaluate(_batches(of), steps=len(LENGTHS), verbose=0),
        "predicted": [model.predict(of(2, length), verbose=0) for length in LENGTHS[:3]],
        "shapes": [str(model.input_shape), str(model.output_shape)],
        "weights": model.get_weights(),
    }


def sequences_averaged(keras: Any) -> dict[str, Any]:
    layers = keras.layers
    inputs = keras.Input((None,), dtype="int32")
    x = layers.GlobalAveragePooling1D()(layers.Embedding(9, 4)(inputs))
    return _trained(_weighed(keras.Model(inputs, layers.Dense(1)(x))), _words)


def sequences_read_with_masks(keras: Any) -> dict[str, Any]:
    layers = keras.layers
    inputs = keras.Input((None,), dtype="int32")
    x = layers.LSTM(3)(layers.Embedding(9, 4, mask_zero=True)(inputs))
    model = _weighed(keras.Model(inputs, layers.Dense(1)(x)))

    def padded(rows: int, length: int) -> Any:
        words = _words(rows, length)
        words[0, 2:] = 0
        return words

    return _trained(model, padded)


def series_through_convolutions(keras: Any) -> dict[str, Any]:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((None, 2)),
            layers.Conv1D(4, 3, padding="causal", activation="relu"),
            layers.GRU(3, return_sequences=True),
            layers.GlobalMaxPooling1D(),
            layers.Dense(1),
        ]
    )
    return _trained(_weighed(model), lambda rows, length: numbers(rows, length, 2, key=f"series {length}"))


def operations_on_unknown_lengths(keras: Any) -> dict[str, Any]:
    ops = keras.ops
    inputs = keras.Input((None, 2))
    last, mean = inputs[:, -1], ops.mean(inputs, axis=1)
    steps = ops.reshape(inputs * 2.0, (-1, 2))
    x = ops.concatenate([last, mean, ops.max(inputs[:, 1:], axis=1)], axis=-1)
    model = _weighed(keras.Model(inputs, keras.layers.Dense(1)(x)))
    found = _trained(model, lambda rows, length: numbers(rows, length, 2, key=f"series {length}"))
    flat = keras.Model(inputs, steps)
    return {**found, "steps": flat(numbers(2, 3, 2)), "unknown": str(flat.output_shape)}


def images_of_any_size(keras: Any) -> dict[str, Any]:
    layers = keras.layers
    inputs = keras.Input((None, None, 3))
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    x = layers.MaxPooling2D(2)(x)
    x = layers.BatchNormalization()(x)
    x = layers.GlobalAveragePooling2D()(x)
    model = _weighed(keras.Model(inputs, layers.Dense(1)(x)))
    for variable in model.non_trainable_weights:
        variable.assign(numbers(*variable.shape, low=0.5, high=1.0))

    def images(rows: int, size: int) -> Any:
        return numbers(rows, size + 2, 2 * size, 3, key=f"images {size}")

    return _trained(model, images)


def an_image_for_each_image(keras: Any) -> dict[str, Any]:
    layers = keras.layers
    inputs = keras.Input((None, None, 1))
    x = layers.Conv2D(3, 3, strides=2, padding="same", activation="relu")(inputs)
    x = layers.UpSampling2D(2)(x)
    model = _weighed(keras.Model(inputs, layers.Conv2D(1, 1)(layers.Concatenate()([x, inputs]))))
    model.compile("sgd", "mse")
    losses = []
    for size in (4, 6, 8):
        images = numbers(2, size, size + 2, 1, key=f"images {size}")
        losses.append(model.train_on_batch(images, images))
    return {
        "shape": str(model.output_shape),
        "losses": [float(loss) for loss in losses],
        "predicted": [model.predict(numbers(1, 4, size, 1), verbose=0) for size in (4, 6)],
    }


def a_data_set_of_differing_lengths(keras: Any) -> dict[str, Any]:
    class Buckets(keras.utils.PyDataset):
        def __len__(self) -> int:
            return len(LENGTHS)

        def __getitem__(self, index: int) -> Any:
            length = LENGTHS[index]
            return numbers(3, length, 2, key=f"series {length}"), numbers(3, 1, key=f"y {index}")

    layers = keras.layers
    inputs = keras.Input((None, 2))
    model = _weighed(keras.Model(inputs, layers.Dense(1)(layers.SimpleRNN(3)(inputs))))
    model.compile("sgd", "mse")
    logs = model.fit(Buckets(), epochs=2, shuffle=False, verbose=0).history
    return {
        "logs": logs,
        "evaluated": model.evaluate(Buckets(), verbose=0),
        "predicted": model.predict(Buckets(), verbose=0),
    }


def a_batch_of_unknown_size_within(keras: Any) -> dict[str, Any]:
    """A model for a fixed batch reads one for any."""
    inner = keras.Sequential([keras.Input((None, 2)), keras.layers.Dense(2, kernel_initializer="ones")])
    inputs = keras.Input(batch_shape=(4, 5, 2))
    model = keras.Model(inputs, inner(inputs))
    return {
        "shape": str(model.output_shape),
        "predicted": model.predict(numbers(8, 5, 2), batch_size=4, verbose=0),
    }
