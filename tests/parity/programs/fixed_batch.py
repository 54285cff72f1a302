"""Inputs that tell layers the size of a batch, and data that comes in batches of other sizes."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.parity.means import numbers, refusal


def _sums(keras: Any) -> Any:
    """A layer of one output: the sum of the features."""
    return keras.layers.Dense(1, kernel_initializer="ones")


def _compiled(model: Any) -> Any:
    model.compile("sgd", "mse", metrics=["mae"])
    return model


def _made(keras: Any, **fixed: Any) -> Any:
    return _compiled(keras.Sequential([keras.Input(**fixed), _sums(keras)]))


def _summing(keras: Any) -> Any:
    """A layer that keeps a sum for each row of a batch, so that the size of the batch matters."""

    class Running(keras.layers.Layer):
        def build(self, input_shape: Any) -> None:
            self.total = self.add_weight(
                shape=(input_shape[0], input_shape[-1]), initializer="zeros", trainable=False
            )

        def call(self, inputs: Any) -> Any:
            self.total.assign(self.total + keras.ops.sum(inputs, axis=1))
            return self.total + 0.0

    return Running()


def fewer_rows_are_predicted(keras: Any) -> dict[str, Any]:
    model = _made(keras, shape=(3,), batch_size=4)
    return {"two": model.predict(numbers(2, 3), verbose=0), "shapes": [model.input_shape, model.output_shape]}


def a_last_short_batch(keras: Any) -> dict[str, Any]:
    x, y = numbers(10, 3), numbers(10, 1, key="y")
    model = _made(keras, batch_shape=(4, 3))
    predicted = model.predict(x, batch_size=4, verbose=0)
    history = model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0).history
    return {
        "predicted": predicted,
        "history": history,
        "after": model.evaluate(x, y, batch_size=4, verbose=0),
    }


def another_batch_size_than_the_fixed_one(keras: Any) -> dict[str, Any]:
    x, y = numbers(10, 3), numbers(10, 1, key="y")
    model = _made(keras, shape=(3,), batch_size=4)
    history = model.fit(x, y, batch_size=5, epochs=2, shuffle=False, verbose=0).history
    return {"history": history, "default": model.predict(x, verbose=0)}


def an_input_layer_with_a_batch(keras: Any) -> dict[str, Any]:
    layer = keras.layers.InputLayer(batch_shape=(4, 3))
    model = _compiled(keras.Sequential([layer, _sums(keras)]))
    return {"predicted": model.predict(numbers(6, 3), batch_size=4, verbose=0), "shape": layer.batch_shape}


def the_older_names_of_an_input_layer(keras: Any) -> dict[str, Any]:
    layers = keras.layers
    made = [layers.InputLayer(input_shape=(3,)), layers.InputLayer(batch_input_shape=(4, 3))]
    return {"shapes": [layer.batch_shape for layer in made]}


def a_functional_model_on_batches_and_by_hand(keras: Any) -> dict[str, Any]:
    inputs = keras.Input(batch_shape=(4, 3))
    model = _compiled(keras.Model(inputs, _sums(keras)(inputs)))
    x, y = numbers(2, 3), numbers(2, 1, key="y")
    return {
        "called": keras.ops.convert_to_numpy(model(x)),
        "on a batch": model.predict_on_batch(x),
        "tested": model.test_on_batch(x, y),
        "trained": model.train_on_batch(x, y),
    }


def a_model_with_a_fixed_batch_as_a_layer(keras: Any) -> dict[str, Any]:
    inner = keras.Sequential([keras.Input((3,), batch_size=4), _sums(keras)])
    free, other = keras.Input((3,)), keras.Input((3,), batch_size=6)
    outer = keras.Model(free, inner(free))
    return {
        "shapes": [outer.output_shape, inner(other).shape, inner.output_shape],
        "predicted": outer.predict(numbers(5, 3), verbose=0),
    }


def one_of_several_inputs_is_fixed(keras: Any) -> dict[str, Any]:
    fixed, free = keras.Input(batch_shape=(4, 3)), keras.Input((3,))
    model = keras.Model([fixed, free], keras.layers.Add()([fixed, free]))
    x, y = numbers(6, 3), numbers(6, 3, key="y")
    return {"shape": model.output_shape, "sum": model.predict([x, y], batch_size=4, verbose=0)}


def two_fixed_sizes_do_not_go_together(keras: Any) -> dict[str, Any]:
    four, two = keras.Input((3,), batch_size=4), keras.Input((3,), batch_size=2)
    return {
        "added": refusal(lambda: keras.layers.Add()([four, two])) is not None,
        "joined": keras.layers.Concatenate(axis=0)([four, two]).shape,
    }


def a_generator_of_batches_of_several_sizes(keras: Any) -> dict[str, Any]:
    x, y = numbers(10, 3), numbers(10, 1, key="y")

    def batches() -> Any:
        for start, stop in ((0, 4), (4, 8), (8, 10)):
            yield x[start:stop], y[start:stop]

    model = _made(keras, shape=(3,), batch_size=4)
    history = model.fit(batches(), steps_per_epoch=3, verbose=0).history
    return {"history": history, "after": model.evaluate(batches(), verbose=0)}


def a_part_held_out_is_shorter(keras: Any) -> dict[str, Any]:
    x, y = numbers(10, 3), numbers(10, 1, key="y")
    model = _made(keras, shape=(3,), batch_size=4)
    fitted = model.fit(x, y, batch_size=4, validation_split=0.3, shuffle=False, verbose=0)
    return {"history": fitted.history}


def images_in_a_fixed_batch(keras: Any) -> dict[str, Any]:
    layers, inputs = keras.layers, keras.Input(batch_shape=(4, 6, 6, 1))
    x = layers.MaxPooling2D()(layers.Conv2D(2, 3, kernel_initializer="ones")(inputs))
    flat = layers.Flatten()(x)
    again = layers.Reshape((2, -1))(flat)
    model = keras.Model(inputs, again)
    return {
        "shapes": [x.shape, flat.shape, again.shape],
        "predicted": model.predict(numbers(3, 6, 6, 1), verbose=0),
    }


def a_reshape_to_a_size_of_the_batch(keras: Any) -> dict[str, Any]:
    inputs = keras.Input(batch_shape=(4, 3))
    model = keras.Model(inputs, keras.ops.reshape(inputs, (12,)))
    x = numbers(8, 3)
    return {
        "shape": model.output_shape,
        "whole batches": model.predict(x, batch_size=4, verbose=0),
        "the default size": refusal(lambda: model.predict(x, verbose=0)) is not None,
        "a short one": refusal(lambda: model.predict(x[:6], batch_size=4, verbose=0)) is not None,
    }


def an_array_of_the_size_of_the_batch(keras: Any) -> dict[str, Any]:
    inputs = keras.Input(batch_shape=(4, 3))
    model = keras.Model(inputs, inputs * np.arange(4, dtype="float32")[:, None])
    x = numbers(8, 3)
    return {
        "whole batches": model.predict(x, batch_size=4, verbose=0),
        "a short one": refusal(lambda: model.predict(x[:6], batch_size=4, verbose=0)) is not None,
    }


def a_sum_for_each_row_of_a_batch(keras: Any) -> dict[str, Any]:
    inputs = keras.Input((5, 2), batch_size=3)
    model = keras.Model(inputs, _summing(keras)(inputs))
    x = numbers(7, 5, 2)
    return {
        "first": model.predict(x[:6], batch_size=3, verbose=0),
        "then": model.predict(x[:3], batch_size=3, verbose=0),
        "a short one": refusal(lambda: model.predict(x[:2], verbose=0)) is not None,
    }


def other_features_are_refused_whatever_the_batch(keras: Any) -> dict[str, Any]:
    model = _made(keras, batch_shape=(4, 3))
    return {
        "features": refusal(lambda: model.predict(numbers(4, 5), verbose=0)) is not None,
        "dimensions": refusal(lambda: model(numbers(4, 2, 3))) is not None,
    }


def a_build_with_a_batch(keras: Any) -> dict[str, Any]:
    model = keras.Sequential([_sums(keras)])
    model.build((4, 3))
    return {
        "shapes": [model.input_shape, model.output_shape],
        "predicted": model.predict(numbers(2, 3), verbose=0),
    }


def a_model_built_on_its_first_batch(keras: Any) -> dict[str, Any]:
    model = _compiled(keras.Sequential([_sums(keras)]))
    model.fit(numbers(10, 3), numbers(10, 1), batch_size=4, verbose=0)
    return {
        "shapes": [model.input_shape, model.output_shape],
        "more": model.predict(numbers(7, 3), verbose=0).shape,
    }


def a_config_keeps_the_batch(keras: Any) -> dict[str, Any]:
    inputs = keras.Input((3,), batch_size=4)
    model = keras.Model(inputs, _sums(keras)(inputs))
    other = keras.Model.from_config(model.get_config())
    layer = keras.layers.InputLayer((3,), batch_size=4, name="data")
    return {
        "shape": other.input_shape,
        "predicted": other.predict(numbers(2, 3), verbose=0),
        "settings": [layer.get_config()[key] for key in ("dtype", "sparse", "ragged", "optional", "name")],
        "batch": list(layer.get_config()["batch_shape"]),
    }


def which_sizes_of_a_batch_there_are(keras: Any) -> dict[str, Any]:
    wrong = [-1, 4.0, "4"]
    return {
        "wrong": [refusal(lambda size=size: keras.Input((3,), batch_size=size)) for size in wrong],
        "of NumPy": keras.Input((np.int64(3),), batch_size=np.int32(4)).shape,
        "none at all": keras.Input((3,), batch_size=0).shape,
        "twice": refusal(lambda: keras.Input(batch_size=4, batch_shape=(4, 3))),
        "two shapes": refusal(lambda: keras.Input((3,), batch_shape=(4, 3))),
    }


def a_layer_is_built_for_unknown_sizes(keras: Any) -> dict[str, Any]:
    seen = []

    class Told(keras.layers.Layer):
        def build(self, input_shape: Any) -> None:
            seen.append(input_shape)

        def call(self, inputs: Any) -> Any:
            return inputs * 2.0

    Told()(keras.Input((3,)))
    Told()(keras.Input((None, 3)))
    Told()(keras.Input((3,), batch_size=4))
    return {"shapes": seen}
