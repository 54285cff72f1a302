"""Attention layers: masks, memory, dropout, dtypes, unknown sizes, refusals; numbers beside PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from gputrain import layers, models, ops
from gputrain.errors import ShapeError
from tests.tolerances import assert_close

RNG = np.random.default_rng(5)
X, Y = RNG.standard_normal((2, 5, 4)), RNG.standard_normal((2, 7, 4))
SEEN = RNG.random((2, 5, 7)) < 0.6
SEEN[:, :, 2] = True
MANY: list[Callable[..., Any]] = [
    lambda **more: layers.MultiHeadAttention(2, 3, **more),
    lambda **more: layers.GroupQueryAttention(3, 4, 2, **more),
]


def numbers(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype("float32")


# ------------------------------------------------------------------------------------------------- numbers


def test_heads_are_those_of_torch() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    theirs = torch.nn.MultiheadAttention(6, 2, batch_first=True, dtype=torch.float64)
    ours = layers.MultiHeadAttention(2, 3, dtype="float64")
    x, y = RNG.standard_normal((2, 5, 6)), RNG.standard_normal((2, 7, 6))
    seen = RNG.random((5, 7)) < 0.7
    seen[:, 0] = True
    ours(x, y)
    split = [(p, p.detach().numpy()) for p in (theirs.in_proj_weight, theirs.in_proj_bias)]
    kernels, biases = (np.split(array, 3) for _, array in split)
    weights = []
    for kernel, bias in zip(kernels, biases, strict=True):
        weights += [kernel.T.reshape(6, 2, 3), bias.reshape(2, 3)]
    out = theirs.out_proj
    weights += [out.weight.detach().numpy().T.reshape(2, 3, 6), out.bias.detach().numpy()]
    ours.set_weights(weights)
    there = theirs(*(torch.tensor(a) for a in (x, y, y)), attn_mask=torch.tensor(~seen))
    found, scores = ours(x, y, attention_mask=seen, return_attention_scores=True)
    assert_close(found, there[0].detach().numpy(), "float64")
    assert_close(scores.mean(1), there[1].detach().numpy(), "float64")
    assert_close(ours(x, y, attention_mask=seen), found, "float64")


@pytest.mark.parametrize("make", MANY)
@pytest.mark.parametrize("arguments", [{}, {"use_causal_mask": True}, {"attention_mask": SEEN}])
def test_without_scores_the_same_is_found(make: Any, arguments: dict[str, Any]) -> None:
    layer = make(dtype="float64", use_gate=True)
    with_scores, scores = layer(X, Y, return_attention_scores=True, **arguments)
    assert_close(layer(X, Y, **arguments), with_scores, "float64")
    assert_close(scores.sum(-1), np.ones(scores.shape[:-1]), "float64")


def test_shared_heads_are_heads_with_the_same_weights() -> None:
    shared = layers.GroupQueryAttention(3, 4, 2, dtype="float64")
    found = shared(X, Y)
    own = layers.MultiHeadAttention(4, 3, dtype="float64")
    own(X, Y)
    wide = [
        np.repeat(w, 2, axis=-2) if "key" in v.path or "value" in v.path else w
        for v, w in zip(shared.weights, shared.get_weights(), strict=True)
    ]
    own.set_weights(wide)
    assert_close(own(X, Y), found, "float64")


def test_a_window_is_a_mask() -> None:
    x, near = RNG.standard_normal((2, 9, 4)), abs(np.subtract.outer(np.arange(9), np.arange(9))) < 3
    layer = layers.MultiHeadAttention(2, 3, sliding_window=3, dtype="float64")
    found, causal = layer(x, x), layer(x, x, use_causal_mask=True)
    layer.sliding_window = None
    assert_close(found, layer(x, x, attention_mask=near), "float64")
    assert_close(causal, layer(x, x, attention_mask=np.tril(near)), "float64")


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("make", [*MANY, lambda **more: _ListTaker(layers.Attention(True, **more))])
def test_narrower_floats(make: Any, dtype: str) -> None:
    narrow, exact = make(dtype=dtype), make(dtype="float64")
    found, expected = narrow(X, Y, value_mask=SEEN[:, 0]), exact(X, Y)
    assert found.dtype == dtype
    exact.set_weights([w.astype("float64") for w in narrow.get_weights()])
    expected = exact(X, Y, value_mask=SEEN[:, 0])
    assert_close(found, expected, dtype)


class _ListTaker:
    """A layer of a list of inputs, called with each."""

    def __init__(self, layer: Any) -> None:
        self.layer = layer
        self.get_weights, self.set_weights = layer.get_weights, layer.set_weights

    def __call__(self, x: Any, y: Any, value_mask: Any = None) -> Any:
        return self.layer([x, y], mask=[None, value_mask])


def test_large_scores_are_no_trouble() -> None:
    """Beyond what exp takes, also in rows that lie far from each other."""
    q, v = 40 * numbers(1, 6, 2, 8), numbers(1, 9, 2, 8)
    k = 40 * numbers(1, 9, 2, 8)
    scores = np.einsum("nthd,nshd->nhts", q.astype("float64"), k)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    expected = np.einsum("nhts,nshd->nthd", weights / weights.sum(-1, keepdims=True), v)
    assert abs(scores).max() > 1000
    assert_close(ops.dot_product_attention(q, k, v, scale=1.0), expected, "float32")


# --------------------------------------------------------------------------------------------------- masks


@pytest.mark.parametrize("make", MANY)
@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_padding_changes_nothing(make: Any, dropout: float) -> None:
    layer = make(dropout=dropout)
    counts = np.arange(9) < np.array([[5], [7]])
    x = numbers(2, 9, 4)
    found = layer(x, x, query_mask=counts, value_mask=counts)
    assert np.isfinite(found).all()
    x[~counts] = 1e4
    assert_close(layer(x, x, query_mask=counts, value_mask=counts)[counts], found[counts], "float32")
    x = x[:, :8]
    alone = layer(x[:1, :5], x[:1, :5])
    assert_close(found[:1, :5], alone, "float32")


def test_the_mask_of_the_query_goes_on() -> None:
    tokens = layers.Input((5,), dtype="int32")
    x = layers.Embedding(7, 4, mask_zero=True)(tokens)
    for y in (
        layers.MultiHeadAttention(2, 3)(x, x),
        layers.GroupQueryAttention(3, 4, 2)(x, x, use_causal_mask=True),
        layers.Attention()([x, x]),
        layers.AdditiveAttention()([x, x]),
        layers.MultiHeadAttention(2, 3)(x, x, return_attention_scores=True)[0],
    ):
        assert y.mask is not None
    assert x.mask is not None, "as other layers need it"


def test_a_mask_of_the_query_is_honoured_where_it_is_given() -> None:
    layer, counts = layers.MultiHeadAttention(1, 3), np.array([[True, False, True, False, False]] * 2)
    _, scores = layer(X, X, query_mask=counts, return_attention_scores=True)
    assert (scores[:, 0, ~counts[0]] == 0).all()
    assert_close(scores[:, 0, counts[0]].sum(-1), np.ones((2, 2)), "float32")


# ------------------------------------------------------------------------------------------------- dropout


def test_dropout_keeps_the_mean_and_acts_in_training_only() -> None:
    layer = layers.MultiHeadAttention(1, 3, dropout=0.4, use_bias=False)
    x = np.repeat(numbers(1, 6, 4), 3000, 0)
    quiet, drawn = layer(x, x, training=False), layer(x, x, training=True)
    assert_close(quiet, np.repeat(quiet[:1], 3000, 0), "float32")
    assert abs(drawn - quiet).max() > 0.1
    assert np.linalg.norm(drawn.mean(0) - quiet[0]) < 0.05 * np.linalg.norm(quiet[0])
    with_scores = layer(x, x, training=True, return_attention_scores=True)
    assert np.linalg.norm(with_scores[0].mean(0) - quiet[0]) < 0.05 * np.linalg.norm(quiet[0])
    assert_close(with_scores[1].sum(-1), np.ones((3000, 1, 6)), "float32")


def test_dropout_is_drawn_anew_in_each_step_and_again_in_the_same() -> None:
    def losses() -> list[float]:
        inputs = layers.Input((5, 4))
        attended = layers.MultiHeadAttention(2, 3, dropout=0.5, seed=3)
        model = models.Model(inputs, attended(inputs, inputs))
        attended.set_weights([np.full(w.shape, 0.1, "float32") for w in attended.weights])
        model.compile("sgd", "mse")
        model.optimizer.learning_rate = 0.0
        return [float(model.train_on_batch(X, X)) for _ in range(3)]

    first = losses()
    assert len(set(first)) == 3
    assert losses() == first


# -------------------------------------------------------------------------------------------------- memory


def planned_bytes(length: int, **arguments: Any) -> int:
    inputs = layers.Input((length,), dtype="int32")
    x = layers.Embedding(50, 32, mask_zero=True)(inputs)
    x = layers.MultiHeadAttention(4, 8, **arguments)(x, x, use_causal_mask=True)
    model = models.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling1D()(x)))
    model.compile("adam", "mse")
    return int(model.memory_plan(batch_size=4).total)


@pytest.mark.parametrize("arguments", [{}, {"dropout": 0.1}])
def test_memory_of_a_training_step_grows_linearly(arguments: dict[str, Any]) -> None:
    sizes = [planned_bytes(length, **arguments) for length in (512, 1024, 2048, 4096)]
    assert all(longer < 2.1 * shorter for shorter, longer in pairwise(sizes)), sizes
    scores = 4 * 4 * 4096**2 * 4
    assert sizes[-1] < scores / 4, "all scores are never there at once"


# ----------------------------------------------------------------------------------- unknown sizes, configs


@pytest.mark.parametrize(
    "attend",
    [
        layers.MultiHeadAttention(2, 3, output_shape=6),
        layers.GroupQueryAttention(3, 4, 2),
        lambda x, y: layers.Attention(use_scale=True)([x, y]),
        lambda x, y: layers.AdditiveAttention()([x, y]),
    ],
)
def test_models_of_unknown_lengths(attend: Any) -> None:
    x, y = layers.Input((None, 4)), layers.Input((None, 4))
    found = attend(x, y)
    assert found.shape[:2] == (None, None)
    model = models.Model([x, y], found)
    model.compile("adam", "mse")
    for length in (3, 6):
        data = [numbers(4, length, 4), numbers(4, 5, 4)]
        target = numbers(4, length, found.shape[-1])
        assert np.isfinite(model.fit(data, target, batch_size=2, verbose=0).history["loss"]).all()


def test_models_are_made_again_from_json() -> None:
    x = layers.Input((5, 4))
    y = layers.MultiHeadAttention(2, 3, value_dim=2, output_shape=4, dropout=0.1, sliding_window=3)(x, x)
    y = layers.GroupQueryAttention(3, 4, 2, use_gate=True, use_bias=False)(y, x)
    y = layers.Attention(score_mode="concat", use_scale=True)([y, x])
    y = layers.AdditiveAttention(use_scale=False)([y, x])
    model = models.Model(x, y)
    again = models.model_from_json(model.to_json())
    again.set_weights(model.get_weights())
    assert_close(again.predict(X, verbose=0), model.predict(X, verbose=0), "float32")


# -------------------------------------------------------------------------------------------------- errors

ARGUMENTS: list[tuple[Callable[[], Any], str]] = [
    (lambda: layers.MultiHeadAttention(0, 3), r"MultiHeadAttention: num_heads must be a positive int.*: 0"),
    (lambda: layers.MultiHeadAttention(2, 2.5), r"MultiHeadAttention: key_dim must be a positive int"),
    (lambda: layers.MultiHeadAttention(2, 3, value_dim=0), r"value_dim must be a positive int"),
    (lambda: layers.MultiHeadAttention(2, 3, dropout=2), r"dropout is a share.*0 <= dropout <= 1"),
    (lambda: layers.MultiHeadAttention(2, 3, output_shape="a"), r"output_shape must be a positive int"),
    (lambda: layers.MultiHeadAttention(2, 3, attention_axes="a"), r"attention_axes must be an int"),
    (lambda: layers.MultiHeadAttention(2, 3, sliding_window=-1), r"sliding_window must be a positive int"),
    (lambda: layers.MultiHeadAttention(2, 3, flash_attention="no"), r"flash_attention must be None"),
    (lambda: layers.GroupQueryAttention(3, 5, 2), r"num_query_heads is a multiple.*Received: 5 and 2"),
    (lambda: layers.GroupQueryAttention(3, 4, 0), r"num_key_value_heads must be a positive int"),
    (lambda: layers.Attention(score_mode="dots"), r"score_mode must be one of dot, concat.*'dot'\?"),
    (lambda: layers.AdditiveAttention(score_mode="dot"), r"score_mode"),
    (lambda: ops.dot_product_attention(X, X, X, attn_logits_soft_cap=2.0), r"soft_cap is not offered"),
]


@pytest.mark.parametrize("make, message", ARGUMENTS, ids=[m for _, m in ARGUMENTS])
def test_wrong_arguments(make: Callable[[], Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def heads(*inputs: Any, axes: Any = None, **more: Any) -> Any:
    return layers.MultiHeadAttention(2, 3, attention_axes=axes)(*inputs, **more)


FOUR = np.ones((2, 5, 2, 4))
CALLS: list[tuple[Callable[[], Any], str]] = [
    (lambda: heads(X[0], X[0]), r"inputs of one rank of at least 3.*query \(5, 4\)"),
    (lambda: heads(X, FOUR), r"inputs of one rank"),
    (lambda: heads(X, Y, Y[:, :5]), r"a value for each key"),
    (lambda: heads(X, Y[:1]), r"one batch size.*\(2, 5, 2, 3\)"),
    (lambda: heads(X, X, axes=2), r"attention_axes lie between samples and features.*1\.\.1.*\(2,\)"),
    (lambda: heads(X, X, axes=-1), r"attention_axes lie between samples and features.*1\.\.1.*\(2,\)"),
    (lambda: heads(FOUR, FOUR, axes=(1, -3)), r"attention_axes lie between .* each once.*1\.\.2.*\(1, 1\)"),
    (lambda: heads(X, X, axes=3), r"axis must name a dimension.*Received: 3"),
    (lambda: heads(X, Y, attention_mask=SEEN[:, :4]), r"mask must broadcast.*\(2, 2, 5, 7\).*\(2, 1, 4, 7\)"),
    (lambda: heads(X, Y, value_mask=SEEN[:, 0, :5]), r"mask must broadcast to the scores"),
    (lambda: heads(X, Y, attention_mask=np.ones(7, bool)), r"a mask of scores has their axes"),
    (lambda: heads(X, Y, attention_mask=np.ones((1, 2, 1, 5, 7), bool)), r"a mask of scores has their axes"),
    (
        lambda: heads(FOUR, FOUR, use_causal_mask=True),
        r"causal mask or a window needs attention along one axis",
    ),
    (lambda: layers.GroupQueryAttention(3, 4, 2)(FOUR, FOUR), r"GroupQueryAttention takes inputs of three"),
    (lambda: layers.Attention()(X), r"Attention takes a list of inputs.*\[query, value\].*shape \(2, 5, 4\)"),
    (lambda: layers.Attention()([X]), r"Attention takes a list of inputs.*1 inputs"),
    (lambda: layers.AdditiveAttention()([X] * 4), r"AdditiveAttention takes a list of inputs.*4 inputs"),
    (lambda: layers.Attention()([X, Y[..., :3]]), r"queries and keys have one size.*query \(2, 5, 4\)"),
    (lambda: layers.Attention()([X, Y, Y[:, :5]]), r"a value for each key"),
    (lambda: layers.Attention()([X, Y], mask=SEEN[:, 0]), r"mask is a list.*\[query_mask, value_mask\]"),
    (lambda: ops.dot_product_attention(X, X, X), r"the query has four dimensions.*\(2, 5, 4\)"),
    (lambda: ops.dot_product_attention(FOUR, FOUR[..., :3], FOUR), r"queries and keys have one size"),
    (lambda: ops.dot_product_attention(FOUR, FOUR, FOUR[:, :3]), r"there is a value for each key"),
    (lambda: ops.dot_product_attention(FOUR, FOUR[:, :0], FOUR[:, :0]), r"there must be a key"),
    (
        lambda: ops.dot_product_attention(np.ones((2, 5, 3, 4)), FOUR, FOUR),
        r"the heads of the query are a multiple of those of key and value",
    ),
    (
        lambda: ops.dot_product_attention(FOUR, FOUR, FOUR, bias=np.ones((5, 4))),
        r"the bias must broadcast to the scores.*\(2, 2, 5, 5\).*\(1, 1, 5, 4\)",
    ),
]


@pytest.mark.parametrize("call, message", CALLS, ids=[m for _, m in CALLS])
def test_inputs_that_do_not_fit(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        call()


def test_a_missing_value_is_told() -> None:
    words = r"MultiHeadAttention is called with query, value; value is missing\..*layer\(query, value\)"
    with pytest.raises(TypeError, match=words):
        layers.MultiHeadAttention(2, 4)(X)
    with pytest.raises(TypeError, match=words):
        models.Sequential([layers.Input((5, 4)), layers.MultiHeadAttention(2, 4)])
