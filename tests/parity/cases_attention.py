"""Attention, embeddings and products of tensors."""

from __future__ import annotations

from typing import Any

from tests.parity.table import Case, of, real

QUERY, VALUE, KEY = real(2, 5, 4), real(2, 6, 3), real(2, 6, 7)
SAME = real(2, 6, 4)  # as many features as the query
GRID, SPACE = real(2, 3, 4, 5), real(2, 2, 3, 2, 4)
# With any dropout, Keras computes attention in another way. So little of it drops nothing in five steps.
LITTLE = 1e-6
L2 = of("regularizers.L2", l2=0.01)
T, F = True, False
# Masks of one sample, for all: those of each are in programs/attention.py, since they say what the batch is.
KEYS = [[T, F, T, T, T, F]]  # (1, 6)
QUERIES = [[T, T, T, F, F]]  # (1, 5)
PAIRS = [
    [[T, F, T, F, T, F], [F, T, T, T, F, F], [T, T, T, T, T, T], [F, F, F, F, F, T], [T, F, F, F, F, F]]
]  # (1, 5, 6)
BLIND = [[[T, F, T, F, T, F], [F] * 6, [T] * 6, [F] * 6, [T, F, F, F, F, F]]]  # (1, 5, 6)
PAIRS_OF_SPACE = [[[[T, F, T, F, T], [T] * 5], [[F, T, T, T, F], [F, F, T, T, T]]]] * 2  # (2, 2, 2, 5)
EVEN, EVEN_BLIND = ([[row[:5] for row in mask[0]]] for mask in (PAIRS, BLIND))


def called(name: str, *inputs: Any, call: dict[str, Any] | None = None, **arguments: Any) -> Case:
    """A layer called on its inputs and further arguments."""
    return Case("layer", f"layers.{name}", inputs, arguments, {} if call is None else {"call": call})


def heads(*inputs: Any, call: dict[str, Any] | None = None, **arguments: Any) -> Case:
    """MultiHeadAttention, of two heads of three numbers."""
    return called("MultiHeadAttention", *inputs, call=call, **{"num_heads": 2, "key_dim": 3, **arguments})


def groups(*inputs: Any, call: dict[str, Any] | None = None, **arguments: Any) -> Case:
    """GroupQueryAttention, of four heads that share two of keys and values."""
    sizes = {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}
    return called("GroupQueryAttention", *inputs, call=call, **{**sizes, **arguments})


CASES: list[Case] = [
    # ----------------------------------------------------------------------------------------- many heads
    heads(QUERY, VALUE),
    heads(QUERY, VALUE, KEY),
    heads(QUERY, QUERY, num_heads=4, key_dim=1),
    heads(real(1, 1, 3), real(1, 1, 3), num_heads=1, key_dim=1),
    heads(QUERY, VALUE, value_dim=5, dropout=LITTLE),
    heads(QUERY, VALUE, use_bias=False),
    heads(QUERY, VALUE, output_shape=7),
    heads(QUERY, VALUE, output_shape=(2, 3)),
    heads(QUERY, VALUE, attention_axes=1, flash_attention=False),
    heads(GRID, GRID),
    heads(GRID, real(2, 3, 6, 5), attention_axes=2),
    heads(GRID, real(2, 2, 4, 5), attention_axes=(1,)),
    heads(GRID, real(2, 2, 6, 5), attention_axes=(2, 1)),
    heads(GRID, GRID, attention_axes=-2, output_shape=3),
    heads(QUERY, VALUE, attention_axes=-2),
    heads(GRID, GRID, attention_axes=(-2, 1)),
    heads(SPACE, SPACE, attention_axes=-3),
    heads(SPACE, real(2, 2, 3, 5, 4), attention_axes=(-2, -4)),
    heads(SPACE, real(2, 2, 3, 5, 4), attention_axes=(1, -2), call={"attention_mask": PAIRS_OF_SPACE}),
    heads(QUERY, VALUE, kernel_regularizer=L2, bias_regularizer=L2),
    heads(QUERY, VALUE, activity_regularizer=L2),
    heads(QUERY, VALUE, kernel_constraint="non_neg", bias_constraint="unit_norm"),
    heads(QUERY, VALUE, kernel_initializer="he_normal", bias_initializer="ones", seed=3),
    heads(QUERY, VALUE, use_gate=True),
    heads(QUERY, VALUE, KEY, use_gate=True, value_dim=4, use_bias=False, dropout=LITTLE),
    heads(QUERY, SAME, sliding_window=2),
    heads(QUERY, QUERY, sliding_window=3, call={"use_causal_mask": True}),
    heads(QUERY, QUERY, call={"use_causal_mask": True}),
    heads(QUERY, VALUE, call={"use_causal_mask": True}),
    heads(QUERY, VALUE, call={"attention_mask": PAIRS}),
    heads(QUERY, VALUE, call={"attention_mask": PAIRS[0]}),
    heads(QUERY, VALUE, call={"attention_mask": [[one] for one in PAIRS]}),
    heads(QUERY, VALUE, call={"attention_mask": BLIND}),
    heads(QUERY, VALUE, call={"attention_mask": PAIRS, "use_causal_mask": True}),
    heads(QUERY, VALUE, call={"value_mask": KEYS}),
    heads(QUERY, VALUE, KEY, call={"key_mask": KEYS, "value_mask": [[T, T, T, T, F, F]]}),
    heads(QUERY, VALUE, sliding_window=4, call={"value_mask": KEYS, "attention_mask": PAIRS}),
    heads(QUERY, real(2, 5, 3), call={"return_attention_scores": True}),
    heads(QUERY, real(2, 5, 3), call={"return_attention_scores": True, "attention_mask": EVEN}),
    heads(QUERY, real(2, 5, 3), call={"return_attention_scores": True, "use_causal_mask": True}),
    heads(QUERY, real(2, 5, 3), call={"return_attention_scores": True, "attention_mask": EVEN_BLIND}),
    heads(QUERY, VALUE, dropout=LITTLE),
    heads(QUERY, VALUE, dropout=LITTLE, call={"attention_mask": BLIND}),
    heads(QUERY, VALUE, dropout=LITTLE, call={"use_causal_mask": True, "training": False}),
    heads(GRID, real(2, 3, 6, 5), attention_axes=2, call={"attention_mask": [[T, F, T, T, F, T]] * 4}),
    # --------------------------------------------------------------------------------------- shared heads
    groups(QUERY, SAME),
    groups(QUERY, SAME, SAME),
    groups(QUERY, SAME, num_key_value_heads=1),
    groups(QUERY, SAME, num_key_value_heads=4, use_bias=False),
    groups(QUERY, SAME, use_gate=True, kernel_regularizer=L2),
    groups(QUERY, QUERY, sliding_window=2, call={"use_causal_mask": True}),
    groups(QUERY, SAME, call={"use_causal_mask": True}),
    groups(QUERY, SAME, call={"attention_mask": PAIRS}),
    groups(QUERY, SAME, call={"attention_mask": BLIND}),
    groups(QUERY, SAME, call={"value_mask": KEYS, "query_mask": QUERIES}),
    groups(QUERY, SAME, call={"return_attention_scores": True, "attention_mask": PAIRS}),
    groups(QUERY, SAME, dropout=LITTLE, kernel_constraint="max_norm"),
    groups(QUERY, SAME, activity_regularizer=L2, bias_regularizer=L2),
    # ------------------------------------------------------------------------------------------- one head
    called("Attention", [QUERY, SAME]),
    called("Attention", [QUERY, real(2, 6, 3), SAME]),
    called("Attention", [QUERY, SAME], use_scale=True),
    called("Attention", [QUERY, SAME], score_mode="concat"),
    called("Attention", [QUERY, SAME], score_mode="concat", use_scale=True),
    called("Attention", [QUERY, SAME], dropout=LITTLE, seed=1),
    called("Attention", [QUERY, SAME], call={"use_causal_mask": True}),
    called("Attention", [QUERY, SAME], call={"return_attention_scores": True}, use_scale=True),
    called("Attention", [QUERY, SAME], call={"mask": (QUERIES, KEYS)}),
    called("Attention", [QUERY, SAME], call={"mask": (None, KEYS), "use_causal_mask": True}),
    called("Attention", [QUERY, SAME], call={"mask": (QUERIES, None)}),
    called(
        "Attention", [QUERY, SAME], call={"mask": (QUERIES, KEYS), "return_attention_scores": True}
    ),
    called("Attention", [QUERY, SAME], call={"mask": (None, [[F] * 6])}),
    called("AdditiveAttention", [QUERY, SAME]),
    called("AdditiveAttention", [QUERY, real(2, 6, 3), SAME], use_scale=False),
    called("AdditiveAttention", [QUERY, SAME], call={"mask": (QUERIES, KEYS)}, use_scale=False),
    called("AdditiveAttention", [QUERY, SAME], call={"use_causal_mask": True}),
    called("AdditiveAttention", [QUERY, SAME], call={"return_attention_scores": True}, dropout=LITTLE),
]  # fmt: skip
