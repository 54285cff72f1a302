"""Layers of users that compute constants of sizes which are not known yet: only shapes are asked for then."""

import tracemalloc

import numpy as np
import pytest

import gputrain as keras
from gputrain import ops


def _ones(b, n):
    return ops.tile(ops.ones((1, n, n)), (b, 1, 1))


def _causal(b, n):
    mask = ops.cast(ops.expand_dims(ops.arange(n), 1) >= ops.arange(n), "int32")
    times = ops.concatenate([ops.expand_dims(b, -1), ops.convert_to_tensor([1, 1])])
    return ops.cast(ops.tile(ops.reshape(mask, (1, n, n)), times), "float32")


def _by_operators(b, n):
    return (ops.zeros((b, n, n)) * 2 + ops.eye(n)) / 3 - ops.full((b, n, n), 2.0)


def _in_a_loop(b, n):
    _, sums = ops.scan(lambda carry, row: (carry, ops.zeros((b, n, n)) + row), ops.ones(()), ops.ones((3,)))
    return sums[0]


@pytest.mark.parametrize("make", [_ones, _causal, _by_operators, _in_a_loop])
def test_constants_of_unknown_sizes_are_not_made(make):
    class Masked(keras.layers.Layer):
        def call(self, x):
            return x + make(ops.shape(x)[0], ops.shape(x)[1])[..., :1]

    tracemalloc.start()
    try:
        made = Masked()(keras.Input((None, 4)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert made.shape == (None, None, 4)
    assert peak < 8_000_000  # one array of the second sizes would be 4 GB
    x = np.ones((2, 3, 4), "float32")
    np.testing.assert_allclose(Masked()(x), x + np.asarray(make(2, 3))[..., :1], rtol=1e-6)


class _Decoder(keras.layers.Layer):
    def __init__(self, width, **kwargs):
        super().__init__(**kwargs)
        self.attention = keras.layers.MultiHeadAttention(2, width)
        self.norm = keras.layers.LayerNormalization()
        self.supports_masking = True

    def call(self, x, mask=None):
        size = ops.shape(x)
        i, j = ops.arange(size[1])[:, None], ops.arange(size[1])
        causal = ops.tile(ops.reshape(ops.cast(i >= j, "int32"), (1, size[1], size[1])), (size[0], 1, 1))
        if mask is not None:
            causal = ops.minimum(ops.cast(mask[:, None, :], "int32"), causal)
        return self.norm(x + self.attention(query=x, value=x, key=x, attention_mask=causal))


def test_a_decoder_with_its_causal_mask_is_built_and_fits():
    ids = keras.Input((None,), dtype="int64")
    x = keras.layers.Embedding(20, 8, mask_zero=True)(ids)
    model = keras.Model(ids, keras.layers.Dense(20, activation="softmax")(_Decoder(4)(x)))
    assert model.output_shape == (None, None, 20)
    model.compile("adam", "sparse_categorical_crossentropy")
    data = np.random.default_rng(0).integers(1, 20, (16, 7))
    history = model.fit(data, data, epochs=2, batch_size=8, verbose=0)
    assert history.history["loss"][1] < history.history["loss"][0]
