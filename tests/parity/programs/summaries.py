"""What `summary()` tells of models: columns, rows and totals, whatever lines the two packages draw."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any
from unittest import mock

from tests.parity.means import numbers


def _told(model: Any, **options: Any) -> list[list[str]]:
    """The cells of each line of a summary, without the lines and spaces between them."""
    shown: list[str] = []
    with mock.patch.dict(os.environ, COLUMNS="200"):  # Keras breaks cells where a terminal is narrow
        model.summary(line_length=190, print_fn=shown.append, **options)
    lines = [re.split(r"[│┃]|\s{3,}", line) for line in shown[0].splitlines()]
    cells = [[cell.removeprefix("└").strip() for cell in line] for line in lines]
    kept = [
        [cell for cell in line if cell and not re.fullmatch(r"[━┏┓┳└┘┴├┤┼╇┡┩─-]{2,}", cell)] for line in cells
    ]
    return [line for line in kept if line]


def _inputs(keras: Any, *names: str, size: int = 8) -> list[Any]:
    keras.utils.clear_session()  # operations are named by their numbers
    return [keras.Input((size,), name=name) for name in names]


def _dense(keras: Any, units: int, name: str) -> Any:
    return keras.layers.Dense(units, name=name)


def _branching(keras: Any) -> Any:
    (x,) = _inputs(keras, "x")
    left, right = _dense(keras, 4, "left")(x), _dense(keras, 4, "right")(x)
    both = keras.layers.Add(name="both")([left, right])
    return keras.Model(x, [keras.layers.Identity(name="same")(both), left], name="branching")


def branches(keras: Any) -> dict[str, Any]:
    return {"told": _told(_branching(keras))}


def what_is_trained(keras: Any) -> dict[str, Any]:
    model = _branching(keras)
    model.get_layer("left").trainable = False
    return {"told": _told(model, show_trainable=True)}


def parts_of_a_model(keras: Any) -> dict[str, Any]:
    model = _branching(keras)
    pairs = [("left", "both"), ("both", "left"), ("^.e", "bo"), ("x", "x")]
    return {f"from {first} to {last}": _told(model, layer_range=[first, last]) for first, last in pairs}


def a_chain(keras: Any) -> dict[str, Any]:
    (x,) = _inputs(keras, "x")
    middle = _dense(keras, 4, "middle")(x)
    end = _dense(keras, 2, "end")(middle)
    return {"told": _told(keras.Model(x, [end, middle], name="chain"))}


def operations_in_a_chain(keras: Any) -> dict[str, Any]:
    (x,) = _inputs(keras, "x")
    y = keras.ops.relu(_dense(keras, 4, "first")(x) * 2.0 + 1)
    return {"told": _told(keras.Model(x, -y[:, :2], name="chain"))}


def operations_between_branches(keras: Any) -> dict[str, Any]:
    (x,) = _inputs(keras, "x")
    y = _dense(keras, 8, "first")(x)
    z = keras.ops.concatenate([x + y, y * y], axis=-1)
    parts = keras.ops.split(z, 2, axis=1)
    return {"told": _told(keras.Model(x, keras.ops.maximum(parts[1], parts[0]), name="bare"))}


def a_shared_layer(keras: Any) -> dict[str, Any]:
    a, b = _inputs(keras, "a", "b")
    shared = _dense(keras, 8, "shared")
    joined = keras.layers.Concatenate(name="joined")([shared(a), shared(b)])
    return {
        "two inputs": _told(keras.Model([a, b], joined, name="siamese")),
        "after itself": _told(keras.Model(a, shared(shared(a)), name="again"))[:2],
    }


def an_input_that_is_not_read(keras: Any) -> dict[str, Any]:
    a, b = _inputs(keras, "a", "b")
    return {"told": _told(keras.Model([a, b], _dense(keras, 2, "only")(a), name="unread"))}


def one_value_twice(keras: Any) -> dict[str, Any]:
    (x,) = _inputs(keras, "x")
    y = _dense(keras, 4, "first")(x)
    return {"told": _told(keras.Model(x, keras.layers.Multiply(name="square")([y, y]), name="twice"))}


def _inner(keras: Any) -> Any:
    inner, outer = _inputs(keras, "inside", "outside")
    pair = keras.Model(
        inner, [_dense(keras, 3, "left")(inner), _dense(keras, 5, "right")(inner)], name="pair"
    )
    stack = keras.Sequential(
        [keras.Input((8,)), _dense(keras, 4, "low"), keras.layers.Dropout(0.5, name="high")], name="stack"
    )
    left, right = pair(outer)
    again = pair(keras.layers.Concatenate(name="joined")([left, right]))
    return keras.Model(outer, [stack(outer), again[1]], name="nested")


def models_in_a_model(keras: Any) -> dict[str, Any]:
    return {"told": _told(_inner(keras))}


def models_in_a_model_with_their_layers(keras: Any) -> dict[str, Any]:
    return {"told": _told(_inner(keras), expand_nested=True, show_trainable=True)}


def outputs_by_name(keras: Any) -> dict[str, Any]:
    (x,) = _inputs(keras, "x")
    made = {"a": _dense(keras, 3, "left")(x), "b": _dense(keras, 5, "right")(x)}
    pair = keras.Model(x, made, name="pair")
    (y,) = _inputs(keras, "y")
    return {"told": _told(keras.Model(y, pair(y)["b"], name="nested"))}


def stacks(keras: Any) -> dict[str, Any]:
    def stack(*first: Any) -> Any:
        return keras.Sequential([*first, _dense(keras, 4, "low"), _dense(keras, 2, "high")], name="stack")

    later = stack()
    told = {"with an input": _told(stack(keras.Input((8,)))), "without": _told(later)}
    later.build((None, 3))
    return {**told, "built": _told(later, show_trainable=True)}


def a_model_with_its_own_call(keras: Any) -> dict[str, Any]:
    (x,) = _inputs(keras, "x", size=6)
    layers = keras.layers

    class Own(layers.Layer):
        def __init__(self) -> None:
            super().__init__(name="own")
            self.dense = _dense(keras, 2, "inner")

        def build(self, input_shape: Any) -> None:
            self.dense.build(input_shape)

        def call(self, inputs: Any) -> Any:
            return self.dense(inputs)

    class Told(Own):
        def compute_output_shape(self, input_shape: Any) -> Any:
            return (*input_shape[:-1], 2)

    class Written(keras.Model):
        def __init__(self, own: Callable[[], Any]) -> None:
            super().__init__(name="written")
            self.first = _dense(keras, 4, "first")
            self.norm = layers.BatchNormalization(name="norm")
            self.own = own()
            self.sum = layers.Add(name="sum")
            self.unused = _dense(keras, 4, "unused")

        def call(self, inputs: Any) -> Any:
            y = self.norm(self.first(inputs))
            return self.own(self.sum([y, y]))

    found = {"before": _told(Written(Own))}
    for own in (Own, Told):
        model = Written(own)
        model(x)
        found[f"{own.__name__} on an input"] = _told(model)
        model = Written(own)
        model(numbers(3, 6))
        found[f"{own.__name__} on numbers"] = _told(model)
    return found


def a_trained_model(keras: Any) -> dict[str, Any]:
    (x,) = _inputs(keras, "x")
    model = keras.Model(x, _dense(keras, 4, "only")(x), name="trained")
    model.compile(keras.optimizers.Adam(), "mse")
    before = _told(model)
    model.fit(numbers(4, 8), numbers(4, 4), verbose=0)
    counts = [line[0].partition(" (")[0] for line in _told(model)[-4:]]  # counters have more bytes here
    return {"compiled": before, "trained": counts}
