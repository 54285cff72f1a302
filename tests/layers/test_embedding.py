"""Embedding, Masking and positions: values, gradients, masks, bad ids, models that train."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import layers, ops
from gputrain.errors import DataError, ShapeError
from tests.layers.harness import CALLS, run

IDS = np.array([[3, 1, 0, 0], [2, 0, 5, 4]], "int32")


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("kind", ["int32", "int64", "uint8"])
def test_rows_and_their_gradient(dtype: str, kind: str) -> None:
    """A row's gradient is the sum of what came for its id, wherever that stood."""
    layer = layers.Embedding(6, 3, dtype=dtype)
    layer.build()
    upstream = np.random.default_rng(0).normal(size=(2, 4, 3)).astype(dtype)
    with np.errstate(all="raise"):
        ids = IDS.astype(kind)
        value = keras.Input(batch_shape=(2, 4), dtype=kind)
        assert layer(value).shape == (2, 4, 3)
        np.testing.assert_array_equal(layer(ids), np.asarray(layer.embeddings)[IDS])
    expected = np.zeros((6, 3))
    for place in np.ndindex(IDS.shape):
        expected[IDS[place]] += upstream[place]
    gradient = _gradient(layer, ids, upstream)
    np.testing.assert_allclose(gradient, expected, rtol=2e-3 if dtype == "float16" else 1e-5, atol=2e-3)
    np.testing.assert_array_equal(gradient, _gradient(layer, ids, upstream))  # the same bits again


def _gradient(layer: Any, ids: np.ndarray, upstream: np.ndarray) -> np.ndarray:
    from gputrain.compiler import gradients
    from gputrain.ir import Spec, Trace, Value
    from gputrain.runtime import interpret

    value = Value(Spec(ids.shape, ids.dtype.name))
    with Trace().active() as trace:
        (found,) = gradients(ops.sum(ops.multiply(layer(value), upstream)), layer.trainable_variables)
        graph = trace.graph([value], [found])
    return interpret(graph, [ids])[0]


def test_ids_of_a_half_precision_layer_are_not_rounded() -> None:
    layer = layers.Embedding(4000, 2, dtype="float16")
    ids = np.array([[3999.0, 2049.0]], "float32")
    np.testing.assert_array_equal(layer(ids)[0], np.asarray(layer.embeddings)[[3999, 2049]])


# -------------------------------------------------------------------------------------------------- bad ids


def _plain() -> Any:
    return keras.Sequential([layers.Embedding(5, 3), layers.Flatten(), layers.Dense(1)])


def _floats() -> Any:
    inputs = keras.Input((4,))
    return keras.Model(inputs, layers.Dense(1)(layers.Flatten()(layers.Embedding(5, 3)(inputs))))


def _columns() -> Any:
    inputs = keras.Input((4,), dtype="int64")
    one, two = layers.Embedding(9, 2)(inputs[:, 0]), layers.Embedding(5, 2)(inputs[:, 1:])
    return keras.Model(inputs, layers.Dense(1)(layers.Concatenate()([one, layers.Flatten()(two)])))


class Own(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.table, self.out = layers.Embedding(5, 2), layers.Dense(1)

    def call(self, inputs: Any) -> Any:
        return self.out(ops.mean(self.table(inputs), 1))


@pytest.mark.parametrize("make", [_plain, _floats, _columns, Own], ids=lambda make: make.__name__)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("bad", [5, -1])
def test_an_id_outside_is_told_before_any_step(make: Any, call: str, bad: int) -> None:
    model = make()
    model.compile("sgd", "mse")
    good = np.arange(32).reshape(8, 4) % 5
    model.predict(good, verbose=0)
    before = model.get_weights()
    x = good.copy()
    x[2, 3] = bad
    rule = rf"embedding(_\d+)?: ids must lie in 0\.\.4, rows of its table.*the first outside is {bad} at samp"
    with pytest.raises(DataError, match=rule):
        CALLS[call](model, x)
    if call != "validation":
        assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


class _Places(layers.Layer):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.table = layers.Embedding(size, 3)

    def call(self, x: Any) -> Any:
        return x + self.table(ops.arange(ops.shape(x)[1]))


@pytest.mark.parametrize("steps", [9, None])
def test_places_beyond_the_table_are_told(steps: int | None) -> None:
    model = keras.Sequential([keras.Input((steps, 3)), _Places(5)])
    model.compile("sgd", "mse")
    x = np.zeros((2, 9, 3), "float32")
    rule = r"_places.*embedding(_\d+)?: ids must lie in 0\.\.4.*ids from 0 to 8; the first outside is 5"
    for call in (lambda: model.fit(x, x, verbose=0), lambda: model.predict(x, verbose=0), lambda: model(x)):
        with pytest.raises(DataError, match=rule):
            call()
    if steps is None:
        assert model.predict(x[:, :5], verbose=0).shape == (2, 5, 3)


def test_an_id_that_is_no_number_is_told() -> None:
    model = _floats()
    with pytest.raises(DataError, match=r"ids must lie in 0\.\.4.*ids from nan to nan|NaN"):
        model.predict(np.array([[1.0, np.nan, 2.0, 3.0]], "float32"), verbose=0)


def test_computed_ids_are_the_models_own_matter() -> None:
    inputs = keras.Input((4,), dtype="int32")
    model = keras.Model(inputs, layers.Embedding(5, 3)(inputs % 5))
    assert model.predict(np.full((2, 4), 7), verbose=0).shape == (2, 4, 3)


# ---------------------------------------------------------------------------------------------- the reverse


@pytest.mark.parametrize("tied", [True, False])
def test_scores_in_reverse(tied: bool) -> None:
    layer = layers.ReversibleEmbedding(6, 3, tie_weights=tied, logit_soft_cap=2.0, reverse_dtype="float64")
    rows = np.asarray(layer(IDS))
    table = np.asarray(layer.embeddings if tied else np.asarray(layer.reverse_embeddings).T)
    scores = np.asarray(layer(rows, reverse=True))
    assert scores.dtype == "float64"
    np.testing.assert_allclose(scores, 2 * np.tanh(rows @ table.T / 2), rtol=1e-6, atol=1e-9)


def test_a_reversible_embedding_is_made_again() -> None:
    layer = layers.ReversibleEmbedding(6, 3, False, reverse_dtype="float64", logit_soft_cap=2, name="r")
    again = layers.deserialize(layers.serialize(layer))
    assert again.get_config() == layer.get_config()
    assert (again.tie_weights, again.logit_soft_cap) == (False, 2)


def test_tied_scores_copy_no_table() -> None:
    layer = layers.ReversibleEmbedding(6, 3)
    layer.build()
    from gputrain.ir import Spec, Trace, Value

    value = Value(Spec((2, 4, 3)))
    with Trace().active() as trace:
        graph = trace.graph([value], [layer(value, reverse=True)])
    assert [type(node.op).__name__ for node in graph.nodes] == ["Reshape", "MatMul", "Reshape"]


# ---------------------------------------------------------------------------------------------- what trains


def test_a_model_of_masked_ids_ignores_what_padding_holds() -> None:
    """More padding changes no loss, no weight and no prediction of steps that count."""
    y = np.random.default_rng(1).normal(size=(2, 6, 2)).astype("float32")
    weights = []
    for steps in (4, 6):
        inputs = keras.Input((steps,), dtype="int32")
        rows = layers.Embedding(6, 3, mask_zero=True, embeddings_initializer=_ramp)(inputs)
        model = keras.Model(inputs, layers.Dense(2, kernel_initializer=_ramp)(rows))
        model.compile(keras.optimizers.SGD(0.1), "mse")
        ids = np.pad(IDS, ((0, 0), (0, steps - 4)))
        for _ in range(3):
            model.train_on_batch(ids, y[:, :steps])
        weights.append(model.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


def _ramp(shape: Any, dtype: Any = None) -> np.ndarray:
    return np.linspace(-1, 1, int(np.prod(shape)), dtype="float32").reshape(shape)


def test_words_are_told_apart() -> None:
    """The mean of learnt rows says whether a sentence has more of the first words than of the others."""
    keras.utils.set_random_seed(0)
    ids = np.random.default_rng(0).integers(1, 41, (400, 12))
    y = (ids <= 20).sum(1) > 6
    model = keras.Sequential(
        [layers.Embedding(41, 8), layers.Flatten(), layers.Dense(1, activation="sigmoid")]
    )
    model.compile(keras.optimizers.Adam(0.02), "binary_crossentropy", metrics=["accuracy"])
    model.fit(ids[:300], y[:300], epochs=15, verbose=0)
    assert model.evaluate(ids[300:], y[300:], verbose=0)[1] > 0.85
    again = keras.models.model_from_json(model.to_json())
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again.predict(ids, verbose=0), model.predict(ids, verbose=0))


# ------------------------------------------------------------------------------------------------- positions


def test_rows_for_positions() -> None:
    x = np.ones((2, 5, 3), "float32")
    layer = layers.PositionEmbedding(8)
    made = np.asarray(layer(x))
    table = np.asarray(layer.position_embeddings)
    assert [w.shape for w in layer.weights] == [(8, 3)]
    np.testing.assert_array_equal(made, np.broadcast_to(table[:5], (2, 5, 3)))
    np.testing.assert_array_equal(layer(x, start_index=3)[0], table[3:])
    upstream = np.random.default_rng(0).normal(size=x.shape).astype("float32")
    learnt = layers.Add()
    inputs = keras.Input((None, 3))
    model = keras.Model(inputs, learnt([inputs, layer(inputs)]))
    assert model.output_shape == (None, None, 3)
    gradient = run(model, [x], upstream).weights[0]
    np.testing.assert_allclose(gradient, np.pad(upstream.sum(0), ((0, 3), (0, 0))), rtol=1e-6)


def test_sines_of_positions_against_a_loop() -> None:
    layer = layers.SinePositionEncoding(max_wavelength=100)
    made = np.asarray(layer(np.zeros((1, 4, 5), "float32"), start_index=2))
    for position in range(4):
        for feature in range(5):
            angle = (position + 2) / 100 ** (2 * (feature // 2) / 5)
            expected = np.cos(angle) if feature % 2 else np.sin(angle)
            assert made[0, position, feature] == pytest.approx(expected, abs=1e-6)
    assert layers.deserialize(layers.serialize(layer)).max_wavelength == 100


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Embedding(0, 3), r"Embedding: input_dim must be a positive int\. Received: 0"),
        (lambda: layers.Embedding(3, 2.5), r"Embedding: output_dim must be a positive int\. Received: 2\.5"),
        (lambda: layers.Embedding(3, 2, mask_zero="no"), r"Embedding: mask_zero must be True or False"),
        (lambda: layers.Embedding(3, 2, weights=np.ones((2, 3))), r"the array has another shape.*\(3, 2\)"),
        (lambda: layers.Embedding(3, 2, lora_rank=4), r"Embedding: lora_rank must be None"),
        (lambda: layers.ReversibleEmbedding(3, 2, logit_soft_cap=0), r"logit_soft_cap is a number above 0"),
        (lambda: layers.ReversibleEmbedding(3, 2, reverse_dtype="int32"), r"reverse_dtype is a floating dty"),
        (lambda: layers.Masking("0"), r"Masking: mask_value"),
        (lambda: layers.PositionEmbedding(0), r"PositionEmbedding: sequence_length must be a positive int"),
        (lambda: layers.SinePositionEncoding(0), r"SinePositionEncoding: max_wavelength is a number above 0"),
        (lambda: layers.PositionEmbedding(3)(np.ones((2, 4, 2))), r"at most 3 steps.* Received: 4 steps"),
        (
            lambda: layers.PositionEmbedding(5)(np.ones((2, 2, 2)), start_index=-5),
            r"at most 5 steps, from 0 on\. Received: 2 steps from -5 on",
        ),
        (lambda: layers.PositionEmbedding(3)(np.ones(2)), r"PositionEmbedding.*features"),
        (lambda: layers.SinePositionEncoding()(np.ones(2)), r"SinePositionEncoding takes sequences of feat"),
    ],
)
def test_what_does_not_fit_is_told(make: Callable[[], Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError, ShapeError), match=message):
        make()


def test_the_length_of_older_scripts_is_left_out_with_a_note() -> None:
    with pytest.warns(UserWarning, match="Embedding: input_length is not needed"):
        layer = layers.Embedding(10, 4, input_length=5)
    assert "input_length" not in layer.get_config()
