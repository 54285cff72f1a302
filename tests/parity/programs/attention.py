"""Attention under masks of each sample, masks that inputs carry, axes, sizes, and in training."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.parity.means import numbers, refusal

TOKENS = np.array([[3, 1, 4, 0, 0], [1, 5, 2, 6, 0], [5, 3, 0, 0, 0]])
COUNTS = TOKENS > 0  # (3, 5)
PAIRS = numbers(3, 5, 5, key="pairs") > -0.3
PAIRS[1, 2] = False


def _with_weights(layer: Any, *shapes: tuple[int, ...]) -> Any:
    """The layer, built, with weights that both packages have."""
    layer.build(*shapes)
    layer.set_weights([numbers(*w.shape, key=f"weight {i}") for i, w in enumerate(layer.weights)])
    return layer


def _heads(keras: Any, **arguments: Any) -> Any:
    layer = keras.layers.MultiHeadAttention(**{"num_heads": 2, "key_dim": 3, **arguments})
    return _with_weights(layer, (None, 5, 4), (None, 5, 4))


def _steps(keras: Any) -> Any:
    """(3, 5, 4) and a mask that comes with it."""
    layer = keras.layers.Embedding(7, 4, mask_zero=True)
    layer.build((None, 5))
    layer.set_weights([numbers(7, 4, key="table")])
    return layer


def masks_of_each_sample(keras: Any) -> dict[str, Any]:
    layer, x = _heads(keras), numbers(3, 5, 4, key="x")
    masks = {
        "pairs": PAIRS,
        "of each head": np.stack([PAIRS, PAIRS[::-1]], 1),
        "of one head": PAIRS[:, None],
        "of keys": COUNTS[:, None],
        "as numbers": PAIRS.astype("int32"),
    }
    found = {name: layer(x, x, attention_mask=mask) for name, mask in masks.items()}
    found["of values"] = layer(x, x, value_mask=COUNTS)
    found["of keys and values"] = layer(x, x, key=x, value_mask=COUNTS, key_mask=COUNTS[::-1])
    found["of all kinds"] = layer(x, x, value_mask=COUNTS, attention_mask=PAIRS, use_causal_mask=True)
    return found


def masks_of_each_sample_and_scores(keras: Any) -> dict[str, Any]:
    layer, x, found = _heads(keras), numbers(3, 5, 4, key="x"), {}
    for name, mask in {"pairs": PAIRS, "of each head": np.stack([PAIRS, PAIRS[::-1]], 1)}.items():
        found[name], found[f"{name}: scores"] = layer(x, x, attention_mask=mask, return_attention_scores=True)
    return found


def shared_heads_under_masks_of_each_sample(keras: Any) -> dict[str, Any]:
    layer = keras.layers.GroupQueryAttention(3, 6, 2, sliding_window=3)
    layer, x = _with_weights(layer, (None, 5, 4), (None, 5, 4)), numbers(3, 5, 4, key="x")
    return {
        "pairs": layer(x, x, attention_mask=PAIRS),
        "of values": layer(x, x, value_mask=COUNTS),
        "of both": layer(x, x, query_mask=COUNTS, value_mask=COUNTS, use_causal_mask=True),
    }


def _predicted(keras: Any, attended: Any) -> Any:
    """What a model of tokens, embedded and attended, predicts; in Keras layers share no masked input."""
    inputs = keras.Input((5,), dtype="int32")
    return keras.Model(inputs, attended(_steps(keras)(inputs))).predict(TOKENS, verbose=0)


def masks_that_inputs_carry(keras: Any) -> dict[str, Any]:
    sums = _with_weights(keras.layers.AdditiveAttention(), [(None, 5, 4)] * 2)
    attended = {
        "heads": lambda x: _heads(keras)(x, x),
        "causal": lambda x: _heads(keras)(x, x, use_causal_mask=True),
        "window": lambda x: _heads(keras, sliding_window=2)(x, x),
        "that may drop": lambda x: _heads(keras, dropout=0.5)(x, x),
        "gated": lambda x: _heads(keras, use_gate=True, value_dim=2)(x, x),
        "one head": lambda x: keras.layers.Attention()([x, x]),
        "sums": lambda x: sums([x, x]),
    }
    return {name: _predicted(keras, layer) for name, layer in attended.items()}


def masks_go_on_behind_attention(keras: Any) -> dict[str, Any]:
    def pooled(x: Any) -> Any:
        return keras.layers.GlobalAveragePooling1D()(x)

    beside = keras.layers.Identity()
    return {
        "heads": _predicted(keras, lambda x: pooled(_heads(keras)(x, x))),
        "one head": _predicted(keras, lambda x: pooled(keras.layers.Attention()([x, x]))),
        "beside": _predicted(keras, lambda x: pooled(_heads(keras)(beside(x), x))),
    }


def values_of_another_size(keras: Any) -> dict[str, Any]:
    x, y = numbers(3, 5, 4, key="x"), numbers(3, 6, 2, key="y")
    found = {}
    for size in (1, 5):
        layer = keras.layers.MultiHeadAttention(2, 3, value_dim=size, use_gate=size > 1)
        found[str(size)] = _with_weights(layer, (None, 5, 4), (None, 6, 2))(x, y)
    return found


def scores_along_several_axes(keras: Any) -> dict[str, Any]:
    x, y, found = numbers(2, 3, 4, 5, key="x"), numbers(2, 2, 6, 5, key="y"), {}
    for axes, other in ((None, y), ((2, 1), y), ((2,), y[:, [0, 1, 0]]), ((-3,), y[:, :, :4])):
        layer = keras.layers.MultiHeadAttention(2, 3, attention_axes=axes)
        _with_weights(layer, x.shape, other.shape)
        found[f"{axes}"], found[f"{axes}: scores"] = layer(x, other, return_attention_scores=True)
    return found


def a_model_learns_under_masks(keras: Any) -> dict[str, Any]:
    inputs = keras.Input((5,), dtype="int32")
    x = _steps(keras)(inputs)
    x = keras.layers.Add()([x, _heads(keras)(x, x)])
    x = keras.layers.LayerNormalization()(x)
    x = keras.layers.GlobalAveragePooling1D()(x)
    model = keras.Model(inputs, keras.layers.Dense(1, kernel_initializer="ones")(x))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    history = model.fit(TOKENS, np.array([[1.0], [0.0], [-1.0]]), epochs=4, batch_size=3, verbose=0).history
    return {"losses": np.array(history["loss"]), "predicted": model.predict(TOKENS, verbose=0)}


def places_of_weights(keras: Any) -> dict[str, Any]:
    layers = {
        "heads": _heads(keras, use_gate=True, name="m"),
        "shared": _with_weights(
            keras.layers.GroupQueryAttention(2, 2, 1, name="g"), (None, 5, 4), (None, 5, 4)
        ),
        "scaled": _with_weights(keras.layers.Attention(True, "concat", name="a"), [(None, 5, 4)] * 2),
        "sums": _with_weights(keras.layers.AdditiveAttention(name="b"), [(None, 5, 4)] * 2),
    }
    return {name: " ".join(w.path for w in layer.weights) for name, layer in layers.items()}


def names_of_layers(keras: Any) -> dict[str, Any]:
    made = [
        keras.layers.MultiHeadAttention(1, 1),
        keras.layers.GroupQueryAttention(1, 1, 1),
        keras.layers.Attention(),
        keras.layers.AdditiveAttention(),
    ]
    return {type(layer).__name__: layer.name.rstrip("_0123456789") for layer in made}


def wrong_arguments_are_refused(keras: Any) -> dict[str, Any]:
    layers, x = keras.layers, numbers(3, 5, 4, key="x")
    calls = {
        "no heads": lambda: layers.MultiHeadAttention(0, 3),
        "half a head": lambda: layers.MultiHeadAttention(1.5, 3),
        "no size": lambda: layers.MultiHeadAttention(2, 0),
        "a size in words": lambda: layers.MultiHeadAttention(2, "3"),
        "no values": lambda: layers.MultiHeadAttention(2, 3, value_dim=-1),
        "no window": lambda: layers.MultiHeadAttention(2, 3, sliding_window=0),
        "heads that do not share": lambda: layers.GroupQueryAttention(2, 3, 2),
        "another score": lambda: layers.Attention(score_mode="cosine"),
        "one input": lambda: layers.Attention()(x),
        "four inputs": lambda: layers.Attention()([x, x, x, x]),
    }
    return {name: refusal(call) for name, call in calls.items()}
