"""Recurrent layers: both ways through a loop, masks, states, cells of a user's own, errors."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import layers, ops
from gputrain.errors import GraphError, ShapeError
from gputrain.models import clone_model, model_from_json
from tests.layers.harness import run

RNG = np.random.default_rng(3)
X = RNG.normal(size=(3, 6, 4)).astype("float32")
MASK = np.array([[1, 1, 0, 1, 0, 0], [0, 0, 1, 1, 0, 1], [0] * 6], bool)
KINDS = {"SimpleRNN": 1, "LSTM": 2, "GRU": 1}


def made(name: str, units: int = 5, **arguments: Any) -> Any:
    return getattr(layers, name)(units, **arguments)


def step_by_step(name: str, units: int = 5, **arguments: Any) -> Any:
    """The same layer, without the operation for a whole loop."""
    if name != "SimpleRNN":
        return made(name, units, use_cudnn=False, **arguments)
    loop = {k: arguments.pop(k) for k in list(arguments) if k.startswith(("return", "go", "zero"))}
    layer = layers.RNN(layers.SimpleRNNCell(units, **arguments), dtype=arguments.get("dtype"), **loop)
    layer.use_cudnn = False
    return layer


WAYS = [
    dict(zip(("go_backwards", "return_sequences", "zero_output_for_mask"), flags, strict=True))
    for flags in ((False, False, False), (True, True, False), (False, True, True), (True, False, True))
]


@pytest.mark.parametrize("extra", [{}, {"use_bias": False}, {"reset_after": False}], ids=str)
@pytest.mark.parametrize("name", KINDS)
def test_one_operation_for_a_loop_is_the_loop(name: str, extra: dict[str, Any]) -> None:
    if "reset_after" in extra and name != "GRU":
        pytest.skip("of GRU alone")
    for way in WAYS:
        layer = made(name, return_state=True, bias_initializer="uniform", **way, **extra)
        slow = step_by_step(name, return_state=True, bias_initializer="uniform", **way, **extra)
        for mask, begun in itertools.product((None, MASK), (False, True)):
            states = [RNG.normal(size=(3, 5)).astype("float32")] * KINDS[name] if begun else None
            found = layer(X, initial_state=states, mask=mask)
            slow.build(X.shape)
            slow.set_weights(layer.get_weights())
            for one, other in zip(found, slow(X, initial_state=states, mask=mask), strict=True):
                np.testing.assert_allclose(one, other, atol=1e-6, err_msg=f"{way} {mask is None} {begun}")


@pytest.mark.parametrize("name", KINDS)
def test_gradients_of_both_ways_agree(name: str) -> None:
    x = X.astype("float64")
    for way in ({}, {"return_sequences": True}, {"return_sequences": True, "go_backwards": True}):
        layer, slow = made(name, dtype="float64", **way), step_by_step(name, dtype="float64", **way)
        upstream = RNG.normal(size=layer(x).shape)
        slow.build(x.shape)
        slow.set_weights(layer.get_weights())
        one, other = run(layer, [x], upstream), run(slow, [x], upstream)
        for a, b in zip([*one.inputs, *one.weights], [*other.inputs, *other.weights], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", KINDS)
def test_the_loop_is_that_of_numpy(name: str) -> None:
    layer = made(name, 3, return_sequences=True, bias_initializer="uniform")
    found = np.asarray(layer(X))
    kernel, recurrent, bias = layer.get_weights()
    h, c = np.zeros((3, 3)), np.zeros((3, 3))
    sigmoid = lambda z: 1 / (1 + np.exp(-z))  # noqa: E731
    for t in range(6):
        x = X[:, t] @ kernel
        if name == "SimpleRNN":
            h = np.tanh(x + h @ recurrent + bias)
        elif name == "LSTM":
            i, f, g, o = np.split(x + h @ recurrent + bias, 4, -1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        else:
            (xz, xr, xg), (hz, hr, hg) = (
                np.split(x + bias[0], 3, -1),
                np.split(h @ recurrent + bias[1], 3, -1),
            )
            z, r = sigmoid(xz + hz), sigmoid(xr + hr)
            h = z * h + (1 - z) * np.tanh(xg + r * hg)
        np.testing.assert_allclose(found[:, t], h, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
@pytest.mark.parametrize("name", KINDS)
def test_other_dtypes(name: str, dtype: str) -> None:
    layer = made(name, dtype=dtype, return_state=True, recurrent_initializer="uniform")
    exact = made(name, recurrent_initializer="uniform")
    exact.build(X.shape)
    output, *states = layer(X)
    layer.set_weights(exact.get_weights())
    output, *states = layer(X)
    assert {str(a.dtype) for a in (output, *states, *layer.get_weights())} == {dtype}
    np.testing.assert_allclose(output, exact(X), atol=1e-2 if dtype == "float16" else 1e-6)


# ---------------------------------------------------------------------------------------------------- padding


def padded(x: np.ndarray, to: int, left: bool) -> tuple[np.ndarray, np.ndarray]:
    """Sequences with noise before or after them, and the mask that leaves it out."""
    noise = RNG.normal(size=(len(x), to - x.shape[1], x.shape[2])).astype("float32")
    real, none = np.ones(x.shape[:2], bool), np.zeros(noise.shape[:2], bool)
    pieces = [(noise, none), (x, real)] if left else [(x, real), (noise, none)]
    return tuple(np.concatenate(parts, 1) for parts in zip(*pieces, strict=True))  # type: ignore[return-value]


@pytest.mark.parametrize("left", [False, True], ids=["right", "left"])
@pytest.mark.parametrize("name", [*KINDS, "Bidirectional", "ConvLSTM1D"])
def test_padding_changes_nothing(name: str, left: bool) -> None:
    if name == "ConvLSTM1D":
        layer = layers.ConvLSTM1D(3, 2)
        short, long = (padded(X.reshape(3, 6, 4), n, left) for n in (20, 60))
        results = [layer(x[..., None], mask=m) for x, m in (short, long)]
    else:
        layer = layers.Bidirectional(layers.LSTM(5)) if name == "Bidirectional" else made(name)
        results = [layer(x, mask=m) for x, m in (padded(X, n, left) for n in (20, 60))]
        np.testing.assert_allclose(results[0], layer(X), atol=1e-6)
    assert np.linalg.norm(results[0] - results[1]) <= 1e-5 * np.linalg.norm(results[0])


@pytest.mark.parametrize("name", KINDS)
def test_what_is_masked_has_no_gradient(name: str) -> None:
    x = layers.Masking(mask_value=9.0)
    model = keras.Sequential([x, made(name, return_sequences=True), made(name, 2)])
    given = np.where(MASK[..., None], X, np.float32(9.0))
    found = run(model, [given], RNG.normal(size=(3, 2)).astype("float32")).inputs[0]
    assert np.all(found[~MASK] == 0)
    assert np.all(np.any(found[MASK] != 0, axis=-1))


def test_masks_are_handed_on() -> None:
    inputs = keras.Input((6, 4))
    masked = layers.Masking()(inputs)
    outputs, h, c = layers.LSTM(2, return_sequences=True, return_state=True)(masked)
    assert outputs.mask is masked.mask or outputs.mask.shape == (None, 6)
    assert [h.mask, c.mask] == [None, None]
    assert layers.GRU(2)(outputs).mask is None
    both = layers.Bidirectional(layers.GRU(2, return_sequences=True), merge_mode=None)(masked)
    assert [y.mask.shape for y in both] == [(None, 6), (None, 6)]
    assert layers.TimeDistributed(layers.Dense(3))(outputs).mask.shape == (None, 6)


# ------------------------------------------------------------------------------------------ dropout and noise


@pytest.mark.parametrize("name", KINDS)
def test_dropout_leaves_the_same_out_in_all_steps(name: str) -> None:
    layer = made(name, 2, dropout=0.5, return_sequences=True, seed=1)
    layer.build((None, 6, 4))
    layer.set_weights([np.ones_like(w) if i == 0 else np.zeros_like(w) for i, w in enumerate(layer.weights)])
    found = np.asarray(layer(np.ones((50, 6, 4), "float32") / 8, training=True))
    settled = np.asarray(layer(np.ones((50, 6, 4), "float32") / 8))
    assert len(np.unique(np.round(found[:, 0, 0], 5))) > 3  # samples differ
    same = made(name, 2, return_sequences=True)
    same.build((None, 6, 4))
    same.set_weights(layer.get_weights())
    np.testing.assert_allclose(settled, same(np.ones((50, 6, 4), "float32") / 8), atol=1e-6)
    # With one draw for all steps a sample is that of an input that stays the same.
    totals = np.interp(found[:, 0, 0], *_first_outputs(same)).astype("float32")
    expected = same(np.broadcast_to(totals[:, None, None] / 4, (50, 6, 4)))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def _first_outputs(layer: Any) -> tuple[np.ndarray, np.ndarray]:
    """First outputs by the sums of constant inputs, in rising order."""
    sums = np.array([0, 0.25, 0.5, 0.75, 1.0], "float32")
    x = np.repeat(sums[:, None, None], 4, 2) / 4
    first = np.asarray(layer(np.repeat(x, 6, 1)))[:, 0, 0]
    return first, sums


@pytest.mark.parametrize("name", KINDS)
def test_recurrent_dropout_is_drawn_once_for_all_steps(name: str) -> None:
    layer = made(name, recurrent_dropout=0.5, seed=2)
    first, second = (np.asarray(layer(X, training=True)) for _ in range(2))
    assert not np.allclose(first, second)  # each call draws anew
    np.testing.assert_array_equal(layer(X), layer(X, training=False))
    model = keras.Sequential([keras.Input((6, 4)), layer])
    model.compile("sgd", "mse")
    assert np.isfinite(model.fit(X, np.zeros((3, 5)), epochs=3, verbose=0).history["loss"]).all()


def test_one_draw_holds_for_all_steps() -> None:
    layer = layers.SimpleRNN(40, activation=None, recurrent_dropout=0.5, return_sequences=True, seed=3)
    layer.build((1, 4, 1))
    layer.set_weights([np.ones((1, 40)), np.eye(40), np.zeros(40)])
    found = np.asarray(layer(np.ones((1, 4, 1), "float32"), training=True))[0]
    factors = (found[1:] - 1) / found[:-1]  # what each unit's state was multiplied by, step by step
    np.testing.assert_allclose(factors, np.repeat(factors[:1], 3, 0), rtol=1e-5)
    assert set(np.round(factors[0], 3)) == {0.0, 2.0}


def test_dropout_of_stacked_cells() -> None:
    stack = [layers.LSTMCell(4, dropout=0.5, recurrent_dropout=0.3), layers.GRUCell(3, dropout=0.5)]
    layer = layers.RNN(stack)
    assert not np.allclose(layer(X, training=True), layer(X, training=True))
    np.testing.assert_array_equal(layer(X), layer(X))


# ----------------------------------------------------------------------------------------- cells of one's own


class Sums(layers.Layer):
    """Adds inputs up, in two nested states; one counts the steps."""

    state_size = [[4, 1], 4]
    output_size = 4

    def call(self, inputs: Any, states: Any) -> Any:
        (total, count), _ = states
        return total + inputs, [[total + inputs, count + 1.0], inputs]


class Plain:
    """A cell that is no layer."""

    state_size = 4

    def call(self, inputs: Any, states: Any) -> Any:
        return states[0] + inputs, [states[0] + inputs]


class Noisy(layers.Layer):
    """Draws in each step."""

    state_size = 4

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        total = states[0] + (ops.dropout(inputs, 0.5) if training else inputs)
        return total, [total]


class Scaled(layers.LSTMCell):
    """A subclass with a `call` of its own."""

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        output, states = super().call(2.0 * inputs, states, training)
        return output, states


def test_nested_states() -> None:
    layer = layers.RNN(Sums(), return_sequences=True, return_state=True)
    outputs, (total, count), last = layer(X, mask=MASK)
    np.testing.assert_allclose(total, (X * MASK[..., None]).sum(1), atol=1e-5)
    np.testing.assert_array_equal(count[:, 0], MASK.sum(1))
    np.testing.assert_array_equal(last, [X[0, 3], X[1, 5], np.zeros(4)])
    np.testing.assert_allclose(outputs, np.cumsum(X * MASK[..., None], 1), atol=1e-5)
    inputs = keras.Input((None, 4))
    assert layer(inputs)[0].shape == (None, None, 4)


@pytest.mark.parametrize("cell", [Plain(), [Plain(), Plain()]], ids=["one", "two"])
def test_a_cell_that_is_no_layer(cell: Any) -> None:
    layer = layers.RNN(cell, return_sequences=True)
    expected = np.cumsum(X, 1) if isinstance(cell, Plain) else np.cumsum(np.cumsum(X, 1), 1)
    np.testing.assert_allclose(layer(X), expected, rtol=1e-4, atol=1e-5)
    assert layer(keras.Input((None, 4))).shape == (None, None, 4)
    assert layers.Bidirectional(layers.RNN(layers.GRUCell(2)))(keras.Input((None, 4))).shape == (None, 4)


def test_a_cell_that_draws() -> None:
    with pytest.raises(GraphError, match=r"cannot be drawn.*For a cell write RNN\(cell, unroll=True\)"):
        layers.RNN(Noisy())(X, training=True)
    layer = layers.RNN(Noisy(), unroll=True, return_sequences=True)
    drawn = np.asarray(layer(X, training=True))
    kept = np.diff(drawn, axis=1, prepend=0) / X
    assert set(np.round(kept.ravel(), 3)) == {0.0, 2.0}
    assert len({tuple(np.round(kept[0, t], 1)) for t in range(6)}) > 1  # each step draws anew
    np.testing.assert_allclose(layer(X), np.cumsum(X, 1), atol=1e-5)


def test_a_subclass_of_a_cell_keeps_its_call() -> None:
    layer, plain = layers.RNN(Scaled(3)), layers.LSTM(3)
    plain.build(X.shape)
    layer.build(X.shape)
    layer.set_weights(plain.get_weights())
    np.testing.assert_allclose(layer(X), plain(2 * X), atol=1e-6)


def test_models_with_cells_of_ones_own_are_copied() -> None:
    model = keras.Sequential(
        [keras.Input((6, 4)), layers.Bidirectional(layers.RNN([Scaled(3), layers.GRUCell(2)]))]
    )
    clone = clone_model(model)
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(model.predict(X, verbose=0), clone.predict(X, verbose=0))
    made_again = model_from_json(model.to_json(), {"Scaled": Scaled})
    made_again.set_weights(model.get_weights())
    np.testing.assert_array_equal(model.predict(X, verbose=0), made_again.predict(X, verbose=0))


# ----------------------------------------------------------------------------------------------------- states


@pytest.mark.parametrize("name", KINDS)
def test_states_are_carried_from_batch_to_batch(name: str) -> None:
    layer, whole = made(name, stateful=True), made(name)
    parts = [np.asarray(layer(X[:, t : t + 2])) for t in (0, 2, 4)]
    whole.build(X.shape)
    whole.set_weights(layer.get_weights())
    np.testing.assert_allclose(parts[-1], whole(X), atol=1e-6)
    assert (len(layer.states), len(layer.weights)) == (KINDS[name], 3)
    layer.reset_state()
    np.testing.assert_allclose(layer(X[:, :2]), parts[0], atol=1e-6)


def test_states_are_carried_in_training_and_prediction() -> None:
    model = keras.Sequential([keras.Input(batch_shape=(3, None, 4)), layers.GRU(2, stateful=True)])
    model.compile("sgd", "mse")
    first = model.predict(X, batch_size=3, verbose=0)
    assert not np.allclose(first, model.predict(X, batch_size=3, verbose=0))
    before = [v.numpy() for v in model.layers[-1].states]
    model.fit(X, np.zeros((3, 2)), batch_size=3, verbose=0)
    assert not np.allclose(before, [v.numpy() for v in model.layers[-1].states])
    assert all(v.name == "rnn_state" for v in model.layers[-1].states)


def test_a_training_is_resumed_with_its_states() -> None:
    def training() -> Any:
        model = keras.Sequential([keras.Input(batch_shape=(3, None, 4)), layers.LSTM(2, stateful=True)])
        model.compile("adam", "mse")
        return model

    whole, parts, later = training(), training(), training()
    parts.set_weights(whole.get_weights())
    for t in range(6):
        whole.train_on_batch(X[:, t : t + 1], np.zeros((3, 2)))
        if t < 3:
            parts.train_on_batch(X[:, t : t + 1], np.zeros((3, 2)))
    tree = keras.saving.state_tree(parts)
    assert list(tree["states"]) == ["0/states/0", "0/states/1"]
    later.train_on_batch(X[:, :1], np.zeros((3, 2)))  # makes the optimizer's slots
    keras.saving.set_state_tree(later, tree)
    for t in range(3, 6):
        later.train_on_batch(X[:, t : t + 1], np.zeros((3, 2)))
    for one, other in zip(whole.get_weights(), later.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    del tree["states"]
    with pytest.raises(ValueError, match="the state tree: the state lacks 'states'"):
        keras.saving.set_state_tree(later, tree)


def test_a_copy_has_states_of_its_own() -> None:
    layer = layers.LSTM(2, stateful=True)
    layer(X)
    other = keras.models.clone_model(keras.Sequential([keras.Input(batch_shape=X.shape), layer])).layers[-1]
    assert np.all(other.states[0].numpy() == 0)


def test_initial_states_have_gradients() -> None:
    inputs, h = keras.Input((6, 4)), keras.Input((5,))
    model = keras.Model([inputs, h], layers.GRU(5)(inputs, initial_state=h))
    start = RNG.normal(size=(3, 5)).astype("float32")
    found = run(model, [X, start], RNG.normal(size=(3, 5)).astype("float32"))
    assert np.any(found.inputs[1] != 0)
    np.testing.assert_allclose(found.output, model.layers[-1](X, initial_state=[start]), atol=1e-6)


@pytest.mark.parametrize("name", KINDS)
def test_no_steps_leave_the_states_as_they_are(name: str) -> None:
    states = [np.full((3, 5), i + 1, "float32") for i in range(KINDS[name])]
    for make, mask in itertools.product((made, step_by_step), (None, MASK[:, :0])):
        found = make(name, return_state=True)(X[:, :0], initial_state=states, mask=mask)
        np.testing.assert_array_equal(found, [states[0], *states])


# ------------------------------------------------------------------------------------------ arguments, errors


def test_layers_have_what_their_cells_have() -> None:
    layer = layers.LSTM(3, activation="relu", dropout=0.25, kernel_regularizer="l2", dtype="float16")
    assert (layer.units, layer.cell.units, layer.cell.dropout) == (3, 3, 0.25)
    assert layer.kernel_regularizer is layer.cell.kernel_regularizer
    assert (layer.cell.name, layer.cell.dtype) == ("lstm_cell", layer.dtype)
    with pytest.raises(AttributeError):
        layer.units = 4
    assert layers.GRU(3, implementation=1).units == layers.GRUCell(3, implementation=2).units
    assert layers.LSTM.from_config(layer.get_config()).get_config() == layer.get_config()
    frozen = layers.GRU(3, trainable=False)
    frozen.build((None, 6, 4))
    assert (len(frozen.trainable_weights), len(frozen.weights)) == (0, 3)


def test_first_weights() -> None:
    layer = layers.LSTM(4)
    layer.build((None, 6, 3))
    _, recurrent, bias = layer.get_weights()
    np.testing.assert_array_equal(bias, [0] * 4 + [1] * 4 + [0] * 8)
    np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(4), atol=1e-5)
    for word in ("units: size", "recurrent_activation: of", "activity_regularizer: a", "stateful: whether"):
        assert word in (layers.LSTM.__doc__ or "")


H = np.zeros((3, 5), "float32")


def _again(layer: Any) -> None:
    """Call a layer on inputs of a width, and then of another."""
    layer(X)
    layer(np.zeros((3, 6, 7), "float32"))


class _Grows(layers.Layer):
    """A cell whose states come out larger than it says."""

    state_size = 3

    def call(self, inputs: Any, states: Any) -> tuple[Any, list[Any]]:
        return inputs, [inputs]


class _Sized:
    """A cell that counts the features up, with a state of the given size."""

    def __init__(self, state_size: Any) -> None:
        self.state_size = state_size

    def call(self, inputs: Any, states: Any) -> tuple[Any, list[Any]]:
        total = ops.add(states[0], inputs)
        return total, [total]


def test_sizes_of_states_may_be_numbers_of_numpy() -> None:
    np.testing.assert_allclose(layers.RNN(_Sized(np.int64(4)))(X), X.sum(1), atol=1e-5)


def _fixed(batch: int) -> Any:
    model = keras.Sequential([keras.Input(batch_shape=(batch, 6, 4)), layers.LSTM(2, stateful=True)])
    model.compile("sgd", "mse")
    return model


REFUSED: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: layers.LSTM(0), ValueError, r"LSTM: units must be a positive int\. Received: 0"),
    (lambda: layers.GRUCell("4"), ValueError, r"GRUCell: units must be a positive int"),
    (lambda: layers.LSTM(), TypeError, r"LSTM\.__init__\(\) missing a required argument: 'units'"),
    (lambda: layers.LSTM(3, unit=4), TypeError, r"LSTM: unknown argument.*Did you mean 'units'"),
    (lambda: layers.LSTM(3, cell=4), TypeError, r"Received: cell\. (?!Did you mean 'cell')(?!.*\bcell,)"),
    (
        lambda: layers.GRU(3, dropout=1.5),
        ValueError,
        r"GRU: dropout is a share\. Expected: 0 <= dropout <= 1",
    ),
    (lambda: layers.GRU(3, stateful="no"), ValueError, r"GRU: stateful must be True or False"),
    (lambda: layers.LSTM(3, implementation=3), ValueError, r"LSTM: implementation must be 2.*Received: 3"),
    (lambda: layers.LSTM(3, use_cudnn="no"), ValueError, r"LSTM: use_cudnn must be True or False"),
    (lambda: layers.LSTM(3, activation="tan"), ValueError, r"LSTM: activation: .*tan"),
    (
        lambda: layers.LSTM(3)(X[0]),
        ShapeError,
        r"LSTM takes sequences.*Expected: \(N, T, features\)\. Received: \(6, 4\)\. .*and a single feature",
    ),
    (lambda: layers.GRU(2)(layers.LSTM(4)(X)), ShapeError, r"layer before it needs return_sequences=True"),
    (
        lambda: layers.Dense(1)(layers.LSTM(4, return_state=True)(X)),
        ShapeError,
        r"Dense takes one tensor\. Received: 3 tensors\. .*take one of them.*leave its return_state out",
    ),
    (
        lambda: keras.Sequential([keras.Input((6, 4)), layers.GRU(4, return_state=True), layers.Dense(1)]),
        ShapeError,
        r"Dense takes one tensor\. Received: 2 tensors\.",
    ),
    *(
        (lambda one=one: _again(one), ShapeError, r"Cell\w* was built for inputs of 4 features\. Received: 7")
        for one in (
            layers.LSTM(3),
            layers.GRU(3),
            layers.Bidirectional(layers.SimpleRNN(3)),
            layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)]),
        )
    ),
    (
        lambda: layers.RNN(_Grows())(keras.Input((6, 4))),
        ShapeError,
        r"_Grows: call\(\) returns states of .*Expected: state_size 3, a state \(N, 3\)\. Received: \(N, 4\)",
    ),
    (
        lambda: layers.Bidirectional(layers.LSTM(5))(X, initial_state=[H, H]),
        ShapeError,
        r"Expected: 4 states, 2 for each direction\. Received: 2",
    ),
    (
        lambda: layers.GRU(3)(keras.Input((6, None))),
        ShapeError,
        r"GRUCell makes its weights for a known size",
    ),
    (
        lambda: layers.LSTM(3)([X, H, H]),
        ShapeError,
        r"LSTM takes one tensor, and states by name\. Received: 3 tensors\. Call it as layer\(x, initial",
    ),
    (
        lambda: layers.LSTM(5)(X, initial_state=[H]),
        ShapeError,
        r"initial_state has one tensor for each state.*Expected: \[\(3, 5\), \(3, 5\)\]\. Received: 1",
    ),
    (
        lambda: layers.LSTM(4)(X, initial_state=[H, H]),
        ShapeError,
        r"initial_state has another shape than the state\. Expected: \(3, 4\)\. Received: \(3, 5\)",
    ),
    (lambda: layers.LSTM(3)(X, mask=MASK[:, :2]), ShapeError, r"the mask has one value for each step"),
    (
        lambda: layers.LSTM(3, stateful=True)(keras.Input((6, 4))),
        ValueError,
        r"stateful=True needs a fixed size of the batch.*Input\(batch_shape=\(32, 10, 8\)\)",
    ),
    (
        lambda: _fixed(2).predict(X, batch_size=3, verbose=0),
        ShapeError,
        r"keeps a state for each row of the batch\. Expected: batches of 2\. Received: 3\. Pass batch_size=2",
    ),
    (
        lambda: layers.GRU(3, unroll=True)(keras.Input((None, 4))),
        ValueError,
        r"unroll=True needs a known number",
    ),
    (lambda: layers.RNN(layers.Dense(3)), ValueError, r"RNN: cell must be a cell.*without state_size"),
    (
        lambda: layers.RNN(layers.LSTM(3)),
        ValueError,
        r"RNN: cell must be a cell.*goes through sequences itself",
    ),
    (lambda: layers.RNN(3), ValueError, r"RNN: cell must be a cell.*3 without call"),
    (lambda: layers.RNN([layers.LSTMCell(3), 3]), ValueError, r"StackedRNNCells: cells must be a cell"),
    (lambda: layers.RNN(_Sized({"a": 2})), ValueError, r"RNN: cell: state_size is an int, or a list.*'a': 2"),
    (lambda: layers.RNN([]), ValueError, r"StackedRNNCells: cells needs at least one cell. Received: \[\]"),
    (
        lambda: layers.Bidirectional(layers.Dense(3)),
        ValueError,
        r"must be a recurrent layer.*Received: Dense",
    ),
    (lambda: layers.Bidirectional("LSTM"), ValueError, r"Bidirectional: layer must be a layer"),
    (
        lambda: layers.Bidirectional(layers.LSTM(3), "avg"),
        ValueError,
        r"merge_mode must be one of concat, sum, ave, mul\. Received: 'avg'\. Did you mean 'ave'",
    ),
    (
        lambda: layers.Bidirectional(layers.LSTM(3), backward_layer=layers.LSTM(3)),
        ValueError,
        r"one of the layers goes forward.*go_backwards=False of both",
    ),
    (
        lambda: layers.Bidirectional(
            layers.LSTM(3), backward_layer=layers.GRU(3, go_backwards=True, return_state=True)
        ),
        ValueError,
        r"both layers have the same return_state\. Received: False and True",
    ),
    (
        lambda: layers.Bidirectional(layers.GRU(5))(X, initial_state=[H]),
        ShapeError,
        r"the states of the forward layer, then the other's\. Expected: 2 states, 1 for each.*Received: 1",
    ),
    (lambda: layers.Bidirectional(layers.GRU(5)).reset_state(), AttributeError, r"only a stateful layer"),
    (
        lambda: layers.TimeDistributed(layers.Dense),
        ValueError,
        r"TimeDistributed: layer must be a layer.*Make it",
    ),
    (
        lambda: layers.TimeDistributed(layers.Dense(3))(X[0]),
        ShapeError,
        r"TimeDistributed takes sequences.*Received: \(6, 4\)\. Give a single feature",
    ),
    (
        lambda: layers.TimeDistributed(layers.Dense(3))(X, mask=MASK[:, :2]),
        ShapeError,
        r"the mask has a value for each step of each sample, or more axes",
    ),
    (
        lambda: layers.ConvLSTM1D(3, 2, strides=2, dilation_rate=2),
        ValueError,
        r"ConvLSTM1D: strides and dilation_rate cannot both be above 1",
    ),
    (lambda: layers.ConvLSTM2D(3, 2)(X), ShapeError, r"ConvLSTM2D takes sequences.*Expected: 5 dimensions"),
    (
        lambda: layers.ConvLSTM1D(3, 2)(keras.Input((3, None, 2))),
        ShapeError,
        r"ConvLSTM1D makes its weights for a known size of axis 1",
    ),
]


def test_a_stateful_layer_and_another_batch_get_one_advice() -> None:
    with pytest.raises(ShapeError, match=r"Pass batch_size=2 and a number of samples") as caught:
        _fixed(2).predict(X, batch_size=3, verbose=0)
    assert str(caught.value).count("atch_size=") == 1
    assert "without batch_size" not in str(caught.value)


def test_the_states_of_two_kinds_in_two_directions() -> None:
    layer = layers.Bidirectional(layers.LSTM(5), backward_layer=layers.GRU(5, go_backwards=True))
    assert layer(X, initial_state=[H, H, H]).shape == (3, 10)
    with pytest.raises(ShapeError, match=r"Expected: 3 states, 2 and 1\. Received: 2"):
        layer(X, initial_state=[H, H])


@pytest.mark.parametrize("call, kind, words", REFUSED, ids=[f"{i}" for i in range(len(REFUSED))])
def test_what_is_refused(call: Callable[[], Any], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        call()


class Wrong(layers.Layer):
    """Returns its output alone."""

    state_size = 4

    def call(self, inputs: Any, states: Any) -> Any:
        return inputs


class Fewer(Wrong):
    """Forgets one of its states."""

    state_size = [4, 4]

    def call(self, inputs: Any, states: Any) -> Any:
        return inputs, [inputs]


class Floats(Wrong):
    """Says no sizes."""

    state_size = 2.5  # type: ignore[assignment]


def test_cells_that_do_not_keep_the_rules() -> None:
    with pytest.raises(ValueError, match=r"Wrong: call\(inputs, states\) returns \(output, new states\)"):
        layers.RNN(Wrong())(X)
    with pytest.raises(ValueError, match=r"Fewer: call\(\) returns as many states as it gets\. Expected: 2"):
        layers.RNN(Fewer())(X)
    with pytest.raises(ValueError, match=r"RNN: cell: state_size is an int, or a list"):
        layers.RNN(Floats())


# --------------------------------------------------------------------------------------------------- wrappers


def test_first_weights_of_both_directions() -> None:
    plain = layers.Bidirectional(layers.LSTM(3))
    plain.build(X.shape)
    layer = layers.Bidirectional(layers.LSTM(3), weights=plain.get_weights())
    np.testing.assert_array_equal(layer(X), plain(X))
    with pytest.raises(ShapeError, match="needs one array per weight"):
        layers.Bidirectional(layers.LSTM(3), weights=plain.get_weights()[:2])(X)


def test_both_directions_are_those_of_their_layers() -> None:
    layer = layers.Bidirectional(layers.GRU(3, return_sequences=True), merge_mode=None)
    forward, backward = (np.asarray(y) for y in layer(X))
    np.testing.assert_allclose(forward, layer.forward_layer(X), atol=1e-6)
    np.testing.assert_allclose(backward[:, ::-1], layer.backward_layer(X), atol=1e-6)
    mirrored = layers.Bidirectional(layers.GRU(3, return_sequences=True), merge_mode=None)
    mirrored.build(X.shape)
    mirrored.set_weights([*layer.get_weights()[3:], *layer.get_weights()[:3]])
    np.testing.assert_allclose(np.asarray(mirrored(X[:, ::-1])[0])[:, ::-1], backward, atol=1e-6)


def test_the_layer_inside_stays_as_it_is() -> None:
    inner = layers.LSTM(3, name="inner")
    layer = layers.Bidirectional(inner)
    layer(X)
    assert (inner.built, inner.name, inner.go_backwards) == (False, "inner", False)
    assert [one.name for one in layer.sublayers()] == ["forward_inner", "backward_inner"]


def test_steps_of_a_model() -> None:
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="relu"), layers.Dropout(0.5)])
    layer = layers.TimeDistributed(inner)
    expected = np.stack([np.asarray(inner(X[:, t])) for t in range(6)], 1)
    np.testing.assert_allclose(layer(X), expected, atol=1e-6)
    other = layers.TimeDistributed.from_config(layer.get_config())
    assert other.layer.count_params() == inner.count_params()
    model = keras.Sequential([keras.Input((None, 4)), layer, layers.LSTM(2)])
    model.compile("sgd", "mse")
    for steps in (6, 4):  # traced for each length
        assert np.isfinite(model.fit(X[:, :steps], np.zeros((3, 2)), verbose=0).history["loss"][0])
    assert np.shape(model_from_json(model.to_json()).predict(X, verbose=0)) == (3, 2)


def test_unknown_sizes_pass_through_steps() -> None:
    images = keras.Input((None, 8, 8, 2))
    assert layers.TimeDistributed(layers.Conv2D(3, 3))(images).shape == (None, None, 6, 6, 3)
    assert layers.TimeDistributed(layers.GlobalAveragePooling2D())(
        keras.Input((None, None, None, 2))
    ).shape == (
        None,
        None,
        2,
    )
    fixed = keras.Input(batch_shape=(4, None, 5, 2))
    assert layers.TimeDistributed(layers.LSTM(3))(fixed).shape == (4, None, 3)
    assert layers.ConvLSTM2D(3, 3, return_sequences=True)(images).shape == (None, None, 6, 6, 3)


def test_masks_of_steps_within_steps() -> None:
    words = RNG.normal(size=(2, 3, 4, 5)).astype("float32")
    mask = np.array(
        [[[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]], [[1, 1, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]]], bool
    )
    inner = layers.LSTM(3)
    layer = layers.TimeDistributed(inner)
    found = np.asarray(layer(words, mask=mask))
    for i, t in itertools.product(range(2), range(3)):
        np.testing.assert_allclose(found[i, t], inner(words[i, t][None], mask=mask[i, t][None])[0], atol=1e-6)
    inputs = keras.Input((3, 4, 5))
    masked = layers.Masking(mask_value=0.0)(inputs)
    outputs = layer(masked)
    assert outputs.mask.shape == (None, 3)
    model = keras.Model(inputs, layers.GRU(2)(outputs))
    given = words * mask[..., None]
    cut = keras.Model(inputs, layers.GRU(2)(layer(masked)))
    assert model.predict(given, verbose=0).shape == cut.predict(given, verbose=0).shape == (2, 2)


def test_models_read_sequences_of_any_length() -> None:
    model = keras.Sequential(
        [keras.Input((None, 4)), layers.LSTM(5, return_sequences=True), layers.Bidirectional(layers.GRU(3))]
    )
    model.compile("adam", "mse")
    for steps in (1, 3, 6, 3):
        loss = model.fit(X[:, :steps], np.ones((3, 6)), epochs=2, verbose=0).history["loss"]
        assert loss[1] < loss[0]
    assert model.predict(X, verbose=0).shape == (3, 6)
    assert model.output_shape == (None, 6)


def test_functions_of_a_user_see_known_sizes() -> None:
    def halves(x: Any) -> Any:
        assert None not in x.shape, "the function computes with sizes"
        return x[:, : x.shape[1] // 2]

    inputs = keras.Input((None, 4))
    assert layers.TimeDistributed(layers.Lambda(halves))(inputs).shape == (None, None, 2)


# ---------------------------------------------------------------------- what layers within add to the loss


def added_to_loss(layer: Any, x: np.ndarray) -> float:
    """What a call adds to the loss."""
    layer(x)
    return float(sum(map(float, layer.losses)))


@pytest.mark.parametrize("kind", ["l1", "l2", keras.regularizers.L1L2(0.1, 0.2), lambda y: ops.mean(y) ** 2])
@pytest.mark.parametrize("depth", [1, 2])
def test_penalties_on_activities_are_summed_over_steps(kind: Any, depth: int) -> None:
    """Keras leaves them out where the layer itself is wrapped, and not a model that holds it: so as there."""
    inner = layers.Dense(3, activity_regularizer=kind)
    inner(X[:, 0])
    layer: Any = inner
    for _ in range(depth):
        layer = layers.TimeDistributed(layer)
    x = X.reshape(3, 3, 2, 4) if depth == 2 else X
    steps = np.moveaxis(x.reshape(3, -1, 4), 1, 0)
    expected = sum(added_to_loss(inner, step) for step in steps)
    assert added_to_loss(layer, x) == pytest.approx(expected, rel=1e-5)
    model = keras.Sequential([keras.Input((None, *x.shape[2:])), layer])
    model.compile("sgd", "mse")
    y = model.predict(x, verbose=0)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(added_to_loss(layer, x), rel=1e-5)


class Notes(layers.Layer):
    """Adds the mean of its inputs to the loss, prints, counts its calls in a variable."""

    def build(self, input_shape: Any) -> None:
        self.calls = self.add_weight((), "zeros", trainable=False)

    def call(self, inputs: Any) -> Any:
        self.add_loss(ops.mean(inputs))
        self.calls.assign(self.calls + 1)
        return ops.print(inputs[:1, :1], "step: ") * inputs


def test_code_of_a_user_that_adds_to_the_loss_is_called_for_each_step(capsys: Any) -> None:
    layer = layers.TimeDistributed(Notes())
    layer.build(X.shape)
    added = added_to_loss(layer, X)
    assert added == pytest.approx(X.mean((0, 2)).sum(), rel=1e-5)
    assert int(layer.layer.calls) == len(capsys.readouterr().out.split("step: ")) - 1 == X.shape[1]


@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize("name", KINDS)
def test_penalties_on_cells_are_summed_over_steps(name: str, stacked: bool) -> None:
    """Against the cell called by itself, also where there is no unrolling, which Keras needs."""
    cell = getattr(layers, f"{name}Cell")(3, activity_regularizer="l2")
    states = [np.zeros((3, 3), "float32")] * KINDS[name]
    expected = 0.0
    for t in range(X.shape[1]):
        _, states = cell(X[:, t], states)
        expected += sum(map(float, cell.losses))
    layer = layers.RNN([cell, layers.GRUCell(2)] if stacked else cell)
    assert added_to_loss(layer, X) == pytest.approx(expected, rel=1e-5)


def test_sequences_without_a_step_have_no_statistics() -> None:
    layer = layers.TimeDistributed(layers.BatchNormalization(activity_regularizer="l2"))
    assert added_to_loss(layer, X[:, :0]) == 0
    assert np.shape(layer(X[:, :0])) == (3, 0, 4)
    with pytest.raises(ShapeError, match=r"In layer time_distributed.*normalization of no elements"):
        layer(X[:, :0], training=True)
