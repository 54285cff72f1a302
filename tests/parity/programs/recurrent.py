"""Recurrent layers in models: masks of padding, states kept over batches, cells of one's own, translation."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.parity.means import numbers, refusal


def _set(layer: Any, low: float = -0.7, high: float = 0.7) -> Any:
    """Weights that follow from their place and shape."""
    layer.set_weights(
        [numbers(*w.shape, key=f"w{i}", low=low, high=high) for i, w in enumerate(layer.weights)]
    )
    return layer


def _trained(
    keras: Any, model: Any, x: Any, y: Any, batch_size: int = 3, shuffle: bool = False
) -> dict[str, Any]:
    """What a model predicts before and after some training, its losses and its weights."""
    _set(model)
    before = model.predict(x, batch_size=batch_size, verbose=0)
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), "mse")
    history = model.fit(x, y, batch_size=batch_size, epochs=3, shuffle=shuffle, verbose=0).history["loss"]
    after = model.predict(x, batch_size=batch_size, verbose=0)
    return {"before": before, "losses": history, "after": after, "weights": model.get_weights()}


def _padded(side: str) -> np.ndarray:
    """Six sequences of one to seven steps, zeros before or after."""
    x = numbers(6, 7, 3)
    for i in range(6):
        x[i, slice(0, 6 - i) if side == "left" else slice(i + 1, 7)] = 0.0
    return x


def _over_padding(keras: Any, side: str, **arguments: Any) -> dict[str, Any]:
    y, found = numbers(6, 2, key="y"), {}
    for name in ("SimpleRNN", "LSTM", "GRU"):
        make = getattr(keras.layers, name)
        model = keras.Sequential(
            [
                keras.Input((None, 3)),
                keras.layers.Masking(),
                make(4, return_sequences=True, **arguments),
                make(3, **arguments),
                keras.layers.Dense(2),
            ]
        )
        found[name] = _trained(keras, model, _padded(side), y)
    return found


def padding_on_the_left(keras: Any) -> dict[str, Any]:
    return _over_padding(keras, "left")


def padding_on_the_right(keras: Any) -> dict[str, Any]:
    return _over_padding(keras, "right")


def padding_on_the_right_going_back(keras: Any) -> dict[str, Any]:
    """One layer: Keras does not turn the mask of the outputs around."""
    y, found = numbers(6, 3, key="y"), {}
    for name in ("SimpleRNN", "LSTM", "GRU"):
        layer = getattr(keras.layers, name)(3, go_backwards=True)
        model = keras.Sequential([keras.Input((7, 3)), keras.layers.Masking(), layer])
        found[name] = _trained(keras, model, _padded("right"), y)
    return found


def padding_in_both_directions(keras: Any) -> dict[str, Any]:
    found, layers = {}, keras.layers
    for side in ("left", "right"):
        for mode in ("concat", "sum", "mul", "ave"):
            model = keras.Sequential(
                [
                    keras.Input((None, 3)),
                    layers.Masking(),
                    layers.Bidirectional(layers.LSTM(3, return_sequences=True), merge_mode=mode),
                    layers.Bidirectional(layers.GRU(2), merge_mode=mode),
                    layers.Dense(2),
                ]
            )
            found[f"{side} {mode}"] = _trained(keras, model, _padded(side), numbers(6, 2, key="y"))
    return found


def words_with_zeros_masked(keras: Any) -> dict[str, Any]:
    words = np.array([[1, 2, 3, 0], [4, 0, 0, 0], [5, 1, 0, 0], [2, 2, 2, 2], [0, 0, 0, 0], [3, 0, 1, 0]])
    model = keras.Sequential(
        [
            keras.Input((4,), dtype="int32"),
            keras.layers.Embedding(6, 3, mask_zero=True),
            keras.layers.Bidirectional(keras.layers.SimpleRNN(3, return_sequences=True)),
            keras.layers.TimeDistributed(keras.layers.Dense(2)),
            keras.layers.LSTM(2),
        ]
    )
    return _trained(keras, model, words, numbers(6, 2, key="y"))


def masks_that_come_out(keras: Any) -> dict[str, Any]:
    x = keras.layers.Masking()(_padded("right"))
    found: dict[str, Any] = {}
    for name in ("SimpleRNN", "LSTM", "GRU"):
        for sequences in (False, True):
            layer = getattr(keras.layers, name)(2, return_sequences=sequences)
            mask = layer.compute_mask(x, keras.ops.convert_to_tensor(_padded("right").any(-1)))
            found[f"{name} {sequences}"] = None if mask is None else keras.ops.cast(mask, "float32")
            layer = getattr(keras.layers, name)(2, return_sequences=sequences, return_state=True)
            found[f"{name} {sequences} with states"] = [m is None for m in layer.compute_mask(x, None)]
    return found


def states_over_batches(keras: Any) -> dict[str, Any]:
    x, found = numbers(4, 6, 3), {}
    for name in ("SimpleRNN", "LSTM", "GRU"):
        layer = getattr(keras.layers, name)(2, stateful=True)
        model = keras.Sequential([keras.Input(batch_shape=(2, None, 3)), layer])
        _set(model)
        whole = _set(keras.Sequential([keras.Input((None, 3)), getattr(keras.layers, name)(2)]))
        parts = [model.predict(x[:2, start : start + 2], verbose=0) for start in (0, 2, 4)]
        states = [keras.ops.convert_to_numpy(s) for s in layer.states]
        layer.reset_states()
        again = model.predict(x[:2, :2], verbose=0)
        layer.reset_state()
        found[name] = {
            "parts": parts,
            "whole": whole.predict(x[:2], verbose=0),
            "states": states,
            "again": again,
            "pass": model.predict(x, batch_size=2, verbose=0),
            "weights": len(model.weights),
        }
    return found


def stateful_in_both_directions(keras: Any) -> dict[str, Any]:
    layer = keras.layers.Bidirectional(keras.layers.GRU(2, stateful=True, return_sequences=True))
    model = keras.Sequential([keras.Input(batch_shape=(2, 3, 2)), layer])
    _set(model)
    x = numbers(2, 3, 2)
    first, second = (model.predict(x, verbose=0) for _ in range(2))
    layer.reset_states()
    return {
        "first": first,
        "second": second,
        "reset": model.predict(x, verbose=0),
        "states": len(layer.states),
    }


def what_is_refused_of_states(keras: Any) -> dict[str, Any]:
    layers = keras.layers
    fixed = keras.Sequential([keras.Input(batch_shape=(2, 3, 2)), layers.LSTM(2, stateful=True)])
    return {
        "unknown batch": refusal(lambda: layers.LSTM(2, stateful=True)(keras.Input((3, 2)))),
        "another batch": refusal(lambda: fixed(numbers(3, 3, 2))),
        "not stateful": refusal(lambda: layers.Bidirectional(layers.LSTM(2)).reset_states()),
        "nothing to reset": refusal(lambda: layers.LSTM(2).reset_states()),
        "no cell": refusal(lambda: layers.RNN(layers.Dense(2))),
        "no cells": refusal(lambda: layers.StackedRNNCells([layers.Dense(2)])),
        "no layer": refusal(lambda: layers.TimeDistributed(3)),
        "merged otherwise": refusal(lambda: layers.Bidirectional(layers.LSTM(2), merge_mode="max")),
        "no layer in both directions": refusal(lambda: layers.Bidirectional(3)),
        "two forward": refusal(lambda: layers.Bidirectional(layers.LSTM(2), backward_layer=layers.LSTM(2))),
        "units": refusal(lambda: layers.GRU(0)),
        "no steps": refusal(lambda: layers.GRU(2)(numbers(3, 4))),
    }


def translating(keras: Any) -> dict[str, Any]:
    """An encoder whose states a decoder begins with, and the decoder alone, step by step."""
    layers, found = keras.layers, {}
    for name, count in (("LSTM", 2), ("GRU", 1)):
        make = getattr(layers, name)
        source, target = keras.Input((None, 3)), keras.Input((None, 2))
        _, *states = make(4, return_state=True)(source)
        decoder = make(4, return_sequences=True, return_state=True)
        outputs, *_ = decoder(target, initial_state=states)
        model = keras.Model([source, target], layers.Dense(2)(outputs))
        x, y = [numbers(3, 5, 3), numbers(3, 4, 2, key="t")], numbers(3, 4, 2, key="y")
        found[name] = _trained(keras, model, x, y)
        given = [keras.Input((4,)) for _ in range(count)]
        one = keras.Model([target, *given], decoder(target, initial_state=given))
        steps, now = [], [numbers(3, 4, key=f"s{i}") for i in range(count)]
        for t in range(4):
            output, *now = one.predict([x[1][:, t : t + 1], *now], verbose=0)
            steps.append(output)
        found[f"{name} by steps"] = [steps, now]
    return found


def _minimal(keras: Any, **attributes: Any) -> Any:
    """A cell as people write it."""

    class Minimal(keras.layers.Layer):
        def __init__(self, units: int, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.units = self.state_size = units

        def build(self, input_shape: Any) -> None:
            self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")
            self.recurrent_kernel = self.add_weight(shape=(self.units, self.units), name="recurrent_kernel")

        def call(self, inputs: Any, states: Any) -> Any:
            product = keras.ops.matmul(inputs, self.kernel)
            output = product + keras.ops.matmul(states[0], self.recurrent_kernel)
            return output, [output]

    for name, value in attributes.items():
        setattr(Minimal, name, value)
    return Minimal


def a_cell_of_ones_own(keras: Any) -> dict[str, Any]:
    found, cell = {}, _minimal(keras)
    for name, make in (
        ("one", lambda: keras.layers.RNN(cell(3), return_sequences=True)),
        ("two", lambda: keras.layers.RNN([cell(3), cell(2)], return_sequences=True)),
        ("mixed", lambda: keras.layers.RNN([keras.layers.LSTMCell(3), cell(2)], return_sequences=True)),
        ("back", lambda: keras.layers.RNN(cell(3), go_backwards=True, return_sequences=True)),
        ("unrolled", lambda: keras.layers.RNN(cell(3), unroll=True, return_sequences=True)),
    ):
        model = keras.Sequential([keras.Input((7, 3)), keras.layers.Masking(), make()])
        y = numbers(6, 7, 2 if name in ("two", "mixed") else 3, key="y")
        found[name] = _trained(keras, model, _padded("left"), y)
    return found


def a_cell_with_three_states(keras: Any) -> dict[str, Any]:
    """A counter, a total and the largest value; the output has a size of its own."""

    class Three(keras.layers.Layer):
        state_size = [1, 2, 2]
        output_size = 5

        def call(self, inputs: Any, states: Any) -> Any:
            count, total, most = states
            count, total = count + 1.0, total + inputs
            most = keras.ops.maximum(most, inputs)
            return keras.ops.concatenate([count, total / count, most], axis=-1), [count, total, most]

        def get_initial_state(self, batch_size: Any = None) -> Any:
            zeros = keras.ops.zeros
            return [zeros((batch_size, 1)), zeros((batch_size, 2)), zeros((batch_size, 2)) - 1.0]

    x, mask = numbers(3, 4, 2), np.array([[1, 0, 1, 1], [0, 0, 1, 0], [0, 0, 0, 0]], bool)
    found = {}
    for masked in (False, True):
        for zero in (False, True):
            layer = keras.layers.RNN(
                Three(), return_sequences=True, return_state=True, zero_output_for_mask=zero
            )
            found[f"{masked} {zero}"] = list(layer(x, mask=mask if masked else None))
    found["last"] = keras.layers.RNN(Three())(x, mask=mask)
    return found


def names_of_weights(keras: Any) -> dict[str, Any]:
    keras.utils.clear_session()
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((4, 3)),
            layers.LSTM(2, return_sequences=True),
            layers.Bidirectional(layers.GRU(2, return_sequences=True)),
            layers.TimeDistributed(layers.Dense(2)),
            layers.RNN([layers.LSTMCell(2), layers.SimpleRNNCell(2)], return_sequences=True),
            layers.SimpleRNN(2),
        ]
    )
    return {
        "paths": [w.path for w in model.weights],
        "names": [w.name for w in model.weights],
        "shapes": [list(w.shape) for w in model.weights],
        "layers": [layer.name for layer in model.layers],
    }


def attributes(keras: Any) -> dict[str, Any]:
    layers, found = keras.layers, {}
    for name in ("SimpleRNN", "LSTM", "GRU"):
        layer = getattr(layers, name)(3, dropout=0.1, go_backwards=True, use_bias=False)
        layer.build((2, 4, 3))
        keys = ("units", "dropout", "recurrent_dropout", "go_backwards", "stateful", "use_bias")
        found[name] = {key: getattr(layer, key) for key in keys}
        found[f"{name} cell"] = [layer.cell.units, layer.cell.name, layer.cell.output_size, layer.states]
        found[f"{name} state size"] = list(layer.state_size)
        found[f"{name} first"] = layer.get_initial_state(2)
        found[f"{name} cell first"] = layer.cell.get_initial_state(2)
    both = layers.Bidirectional(layers.LSTM(3, name="inner"), name="both")
    found["both"] = [both.forward_layer.name, both.backward_layer.name, both.merge_mode, both.states]
    return found


def _nesting(value: Any) -> Any:
    """The shapes of tensors in their lists and tuples, as text."""
    if isinstance(value, list | tuple):
        return f"{type(value).__name__}[{', '.join(map(_nesting, value))}]"
    return str(tuple(value.shape))


def states_of_stacks(keras: Any) -> dict[str, Any]:
    """A state in a list where a layer is called on data; by itself in functional models."""
    layers, x = keras.layers, numbers(2, 4, 3)
    kinds = {"S": layers.SimpleRNNCell, "G": layers.GRUCell, "L": layers.LSTMCell}
    found: dict[str, Any] = {}
    for stack in ("S", "G", "L", "SS", "GG", "LL", "SL", "LG", "GLS"):
        for wrap in (lambda one: one, layers.Bidirectional, lambda one: layers.Bidirectional(one, None)):
            cells = [kinds[kind](2 + i) for i, kind in enumerate(stack)]
            layer = wrap(layers.RNN(layers.StackedRNNCells(cells), return_state=True))
            inputs = keras.Input((4, 3))
            outputs = layer(inputs)
            _set(layer)
            model = keras.Model(inputs, outputs)
            seen = {"data": layer(x), "inputs": outputs, "model": model(x)}
            if isinstance(layer, layers.RNN):
                seen["again"] = layer(inputs, initial_state=outputs[1:])
            predicted = model.predict(x, verbose=0)
            found[f"{stack} {len(found)}"] = {
                **{name: _nesting(value) for name, value in seen.items()},
                "shapes": str(layer.compute_output_shape((2, 4, 3))),
                "predicted": [_nesting(predicted), *keras.tree.flatten(predicted)],
            }
    return found


def shapes_of_outputs(keras: Any) -> dict[str, Any]:
    layers, found = keras.layers, {}
    for state in (False, True):
        for sequences in (False, True):
            told = {"return_sequences": sequences, "return_state": state}
            for name in ("SimpleRNN", "LSTM", "GRU"):
                found[f"{name} {told}"] = str(
                    getattr(layers, name)(3, **told).compute_output_shape((None, None, 2))
                )
            both = layers.Bidirectional(layers.GRU(3, **told))
            found[f"both {told}"] = [
                list(s) if isinstance(s, tuple) else s for s in both.compute_output_shape((None, 4, 2))
            ]
    found["steps"] = list(layers.TimeDistributed(layers.Dense(3)).compute_output_shape((None, 4, 2)))
    return found


def a_model_for_each_step(keras: Any) -> dict[str, Any]:
    layers = keras.layers
    inner = keras.Sequential(
        [keras.Input((5, 4, 1)), layers.Conv2D(2, 2, activation="relu"), layers.Flatten(), layers.Dense(3)]
    )
    model = keras.Sequential([keras.Input((3, 5, 4, 1)), layers.TimeDistributed(inner), layers.LSTM(2)])
    return _trained(keras, model, numbers(6, 3, 5, 4, 1), numbers(6, 2, key="y"))


def statistics_of_each_step(keras: Any) -> dict[str, Any]:
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((3, 4)), layers.TimeDistributed(layers.BatchNormalization(momentum=0.7)), layers.LSTM(2)]
    )
    _set(model, 0.2, 1.0)
    model.compile(keras.optimizers.SGD(0.05), "mse")
    x, y = numbers(6, 3, 4), numbers(6, 2, key="y")
    history = model.fit(x, y, batch_size=3, epochs=2, shuffle=False, verbose=0).history["loss"]
    return {"losses": history, "weights": model.get_weights(), "after": model.predict(x, verbose=0)}


def loops_by_hand(keras: Any) -> dict[str, Any]:
    """Cells called step by step."""
    x, found = numbers(3, 4, 2), {}
    for name in ("SimpleRNNCell", "LSTMCell", "GRUCell"):
        cell = getattr(keras.layers, name)(3)
        cell.build((3, 2))
        _set(cell)
        states, outputs = cell.get_initial_state(3), []
        for t in range(4):
            output, states = cell(x[:, t], states)
            outputs.append(output)
        found[name] = [outputs, list(states)]
    return found
