"""Small Transformers learn what a lost mask, a wrong gradient or a wrong place would keep them from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gputrain import layers, models, ops, optimizers
from gputrain.losses import SparseCategoricalCrossentropy
from gputrain.utils import set_random_seed
from tests.tolerances import assert_close

pytestmark = pytest.mark.cpu_only("what a layer computes is compared on every device by tests/parity")

WIDTH, HEADS = 32, 4


def block(x: Any, causal: bool = False, memory: Any = None, dropout: float = 0.0) -> Any:
    """Attention on itself, and on a memory if there is one, and two dense layers; each added to its input."""
    attend = layers.MultiHeadAttention(HEADS, WIDTH // HEADS, dropout=dropout)
    x = layers.LayerNormalization()(layers.Add()([x, attend(x, x, use_causal_mask=causal)]))
    if memory is not None:
        seen = layers.MultiHeadAttention(HEADS, WIDTH // HEADS)(x, memory)
        x = layers.LayerNormalization()(layers.Add()([x, seen]))
    wide = layers.Dense(2 * WIDTH, activation="relu")(x)
    return layers.LayerNormalization()(layers.Add()([x, layers.Dense(WIDTH)(wide)]))


def embedded(tokens: Any, count: int, length: int | None) -> Any:
    """Tokens and their places; 0 is padding."""
    x = layers.Embedding(count, WIDTH, mask_zero=True)(tokens)
    return x if length is None else layers.PositionEmbedding(length)(x) + x


def padded(rng: np.random.Generator, count: int, shortest: int, longest: int, tokens: int) -> np.ndarray:
    """Rows of tokens from 1 on, of any length, with zeros behind."""
    rows = rng.integers(1, tokens, (count, longest))
    return np.where(np.arange(longest) < rng.integers(shortest, longest + 1, count)[:, None], rows, 0)


def classifier(length: int | None, dropout: float = 0.0) -> models.Model:
    """Whether token 1 stands more often than token 2: each token has to ask all others, but for padding."""
    tokens = layers.Input((length,), dtype="int32")
    x = block(embedded(tokens, 4, None), dropout=dropout)
    x = layers.GlobalAveragePooling1D()(x)
    return models.Model(tokens, layers.Dense(2)(x))


def counted(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Tokens 1 to 3, 5 to 20 of them, and whether there are more ones than twos."""
    tokens = padded(rng, count, 5, 20, 4)
    more = (tokens == 1).sum(1) - (tokens == 2).sum(1)
    kept = more != 0
    return tokens[kept], (more > 0)[kept].astype("int32")


@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_a_classifier_counts_tokens_whatever_the_padding(dropout: float) -> None:
    set_random_seed(1)
    rng = np.random.default_rng(0)
    x, y = counted(rng, 1000)
    model = classifier(None, dropout)
    model.compile(
        optimizers.Adam(3e-3), SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
    )
    model.fit(x, y, epochs=6, batch_size=32, verbose=0)
    x, y = counted(rng, 500)
    short = model.predict(x, verbose=0)
    assert (short.argmax(1) == y).mean() > 0.97
    long = model.predict(np.pad(x, ((0, 0), (0, 40))), verbose=0)
    assert np.linalg.norm(long - short) < 1e-5 * np.linalg.norm(short)


@pytest.mark.slow
def test_a_decoder_learns_to_copy_backwards() -> None:
    """Each token of the answer asks for another place of the question; the future is not to be seen."""
    set_random_seed(2)
    rng = np.random.default_rng(1)
    length, count = 6, 9
    questions, words = layers.Input((length,), dtype="int32"), layers.Input((length,), dtype="int32")
    memory = block(embedded(questions, count, length))
    answers = block(embedded(words, count + 1, length), causal=True, memory=memory)
    model = models.Model([questions, words], layers.Dense(count)(answers))
    model.compile(optimizers.Adam(3e-3), SparseCategoricalCrossentropy(from_logits=True))

    def drawn(samples: int) -> tuple[list[np.ndarray], np.ndarray]:
        asked = rng.integers(1, count, (samples, length))
        target = asked[:, ::-1]
        begun = np.concatenate([np.full((samples, 1), count), target[:, :-1]], 1)
        return [asked, begun], target

    x, y = drawn(1500)
    model.fit(x, y, epochs=12, batch_size=32, verbose=0)
    x, y = drawn(200)
    assert (model.predict(x, verbose=0).argmax(-1) == y).mean() > 0.97
    told = np.full((200, length), count)
    for place in range(length):  # word by word, from what it has said itself
        said = model.predict([x[0], told], verbose=0).argmax(-1)
        if place + 1 < length:
            told[:, place + 1] = said[:, place]
    assert (said == y).all(1).mean() > 0.9
    changed = told.copy()
    changed[:, 3:] = 1
    before = model.predict([x[0], told], verbose=0)[:, :3]
    assert_close(model.predict([x[0], changed], verbose=0)[:, :3], before, "float32")


def test_one_head_learns_to_look_up() -> None:
    """The value that stands beside the key that is asked for: a gradient must reach queries and keys."""
    set_random_seed(3)
    rng = np.random.default_rng(2)
    keys = np.stack([rng.permutation(6)[:4] for _ in range(1500)])
    values = rng.integers(0, 5, keys.shape)
    place = rng.integers(0, 4, len(keys))
    rows = np.arange(len(keys))
    asked, answer = keys[rows, place][:, None], values[rows, place]
    inputs = [layers.Input((n,), dtype="int32") for n in (1, 4, 4)]
    names = layers.Embedding(6, 16)
    query, key = layers.Dense(16)(names(inputs[0])), layers.Dense(16)(names(inputs[1]))
    value = layers.Embedding(5, 16)(inputs[2])
    found = layers.Attention(use_scale=True)([query, value, key])
    model = models.Model(inputs, layers.Dense(5)(layers.Flatten()(found)))
    model.compile(optimizers.Adam(0.01), SparseCategoricalCrossentropy(from_logits=True))
    model.fit([asked, keys, values], answer, epochs=8, batch_size=32, verbose=0)
    assert (model.predict([asked, keys, values], verbose=0).argmax(1) == answer).mean() > 0.98


def test_a_bias_of_places_is_learnt() -> None:
    """Scores that depend on the distance alone: the gradient of a bias, summed over samples and heads."""

    class Shifted(layers.Layer):
        def build(self, input_shape: Any) -> None:
            self.bias = self.add_weight((1, 1, 5, 5), "zeros", name="bias")

        def call(self, inputs: Any) -> Any:
            x = ops.expand_dims(inputs, 2)
            return ops.squeeze(ops.dot_product_attention(x * 0.0, x, x, bias=self.bias), 2)

    set_random_seed(4)
    x = np.random.default_rng(3).standard_normal((200, 5, 3)).astype("float32")
    model = models.Sequential([layers.Input((5, 3)), Shifted()])
    model.compile(optimizers.Adam(0.3), "mse")
    losses = model.fit(x, np.roll(x, 1, 1), epochs=12, batch_size=50, verbose=0).history["loss"]
    assert losses[-1] < 0.01 * losses[0]
    assert (model.layers[0].get_weights()[0][0, 0].argmax(1) == [4, 0, 1, 2, 3]).all()
