"""Attention on the inputs as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gputrain import initializers, ops
from gputrain.errors import ShapeError, explain
from gputrain.layers.base import Layer, arguments, declared, registry
from gputrain.layers.base.arguments import known_size
from gputrain.ops.attending import attend

_INPUTS = "[query, value] or [query, value, key]"


def _score_mode(value: Any, where: str) -> str:
    return arguments.one_of(value, ("dot", "concat"), where)


class _Scored(Layer):
    """Base: values weighed by how a query scores their keys.

    Args:
        dropout: share of the attention weights to drop in training.
        seed: of the dropout, an int; None means the configured seed.

    Shapes:
        [query (N, T, C), value (N, S, E), key (N, S, C)], the value being the key where there is none, to
        (N, T, E); with return_attention_scores also the weights (N, T, S), before any are dropped.

    Raises:
        ShapeError: inputs that are no list of two or three, or do not fit together.
    """

    supports_masking = True
    dropout: float = declared.argument(arguments.share, 0.0)
    seed: Any = declared.argument(arguments.seed, None, plain=arguments.plain_seed)

    def build(self, input_shape: Any) -> None:
        """Check that there are two or three inputs that fit together."""
        name = type(self).__name__
        several = isinstance(input_shape, list | tuple) and all(isinstance(s, tuple) for s in input_shape)
        if not several or len(input_shape) not in (2, 3):
            received = f"{len(input_shape)} inputs" if several else f"an input of shape {input_shape}"
            raise ShapeError(explain(f"{name} takes a list of inputs.", expected=_INPUTS, received=received))
        query, value, key = (*input_shape, input_shape[1])[:3]
        if {len(shape) for shape in input_shape} != {3} or not _fit(query, value, key):
            rule = f"{name}: queries and keys have one size, and there is a value for each key."
            expected = "query (N, T, C), value (N, S, E), key (N, S, C)"
            received = f"query {query}, value {value}, key {key}"
            raise ShapeError(explain(rule, expected=expected, received=received))

    def scores(self, query: Any, key: Any) -> Any:
        """(N, T, S): how queries score keys."""
        raise NotImplementedError

    def call(
        self,
        inputs: Sequence[Any],
        mask: Any = None,
        training: bool | None = None,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        """What the queries find, with the weights where they are asked for.

        Args:
            inputs: [query, value] or [query, value, key].
            mask: [query_mask (N, T), value_mask (N, S)], True where a place counts; what the inputs carry,
                unless given.
            training: whether to drop weights.
            return_attention_scores: whether to return the weights too.
            use_causal_mask: whether a query may look at keys up to its own place only.
        """
        query, value, key = (*inputs, inputs[1])[:3]
        query_mask, value_mask = self._masks(mask)
        rate = self.dropout if training else 0.0
        weights = None
        if return_attention_scores or not self._is_product:
            weights = self._weights(query, key, value_mask, use_causal_mask)
            found = ops.matmul(ops.dropout(weights, rate, seed=self.seed), value)
        else:
            seen = [] if value_mask is None else [_of_scores(value_mask)[:, None]]
            one_head = (ops.expand_dims(x, 2) for x in (self._scaled(query), key, value))
            found = attend(
                *one_head, masks=seen, scale=1.0, causal=bool(use_causal_mask), rate=rate, seed=self.seed
            )
            found = ops.squeeze(found, 2)
        if query_mask is not None:
            found = ops.where(ops.expand_dims(query_mask, -1), found, 0.0)
        return (found, weights) if return_attention_scores else found

    _is_product = False

    def _scaled(self, query: Any) -> Any:
        """Queries whose products with keys are the scores, where they are products."""
        return query

    def _weights(self, query: Any, key: Any, value_mask: Any, causal: bool) -> Any:
        """All weights, (N, T, S)."""
        scores = self.scores(query, key)
        seen = None if value_mask is None else _of_scores(value_mask)
        if causal and None not in scores.shape[1:]:  # only shapes matter while sizes are unknown
            places = np.tri(*scores.shape[1:], dtype=bool)
            seen = places if seen is None else ops.logical_and(seen, places)
        if seen is not None:
            far = 65504.0 if scores.dtype == "float16" else 1e9
            scores = ops.where(seen, scores, ops.subtract(scores, far))
        return ops.softmax(scores)

    def _masks(self, mask: Any) -> list[Any]:
        """Masks of query and value."""
        if mask is None:
            return [None, None]
        if not isinstance(mask, list | tuple) or len(mask) not in (2, 3):
            rule = f"{type(self).__name__}: mask is a list."
            raise ShapeError(explain(rule, expected="[query_mask, value_mask]", received=type(mask).__name__))
        return [one if one is None else ops.cast(one, "bool") for one in mask[:2]]

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """That of the query."""
        return None if previous_mask is None else previous_mask[0]


def _fit(query: Any, value: Any, key: Any) -> bool:
    """Whether shapes of three axes fit together."""
    pairs = ((query[2], key[2]), (value[1], key[1]))
    return all(a == b or a is None or b is None for a, b in pairs)


def _of_scores(mask: Any) -> Any:
    """A mask of values, (N, S) or (N, T, S), as one of scores (N, 1 or T, S)."""
    return ops.expand_dims(mask, 1) if mask.ndim == 2 else mask


@registry.add()
class Attention(_Scored):
    """Attention with products, or with sums that a tanh bounds (Luong et al. 2015).

    Args:
        use_scale: whether the scores are multiplied by a weight; under "concat", the sums within.
        score_mode: "dot" scores query . key, "concat" sum(tanh(query + key)) times a weight.

    Raises:
        ValueError: another score_mode, or a dropout outside 0..1.

    Example:
        >>> query, value = numpy.ones((1, 3, 4), "float32"), numpy.ones((1, 5, 4), "float32")
        >>> Attention()([query, value]).shape
        (1, 3, 4)
    """

    use_scale: bool = declared.flag(False)
    score_mode: str = declared.argument(_score_mode, "dot")

    def build(self, input_shape: Any) -> None:
        """Make the weights that are asked for, single numbers."""
        super().build(input_shape)
        self.scale = self.add_weight((), initializers.Ones(), name="scale") if self.use_scale else None
        self.concat_score_weight = None
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight((), initializers.Ones(), name="concat_score_weight")

    @property
    def _is_product(self) -> bool:  # type: ignore[override]
        return self.score_mode == "dot"

    def _scaled(self, query: Any) -> Any:
        return query if self.scale is None else ops.multiply(query, self.scale)

    def scores(self, query: Any, key: Any) -> Any:
        """(N, T, S): how queries score keys."""
        if self.score_mode == "dot":
            return ops.matmul(self._scaled(query), ops.transpose(key, (0, 2, 1)))
        sums = _sums(query, key)
        sums = sums if self.scale is None else ops.multiply(sums, self.scale)
        return ops.multiply(ops.sum(ops.tanh(sums), -1), self.concat_score_weight)


@registry.add()
class AdditiveAttention(_Scored):
    """Attention with sums that a tanh bounds, each feature with a weight (Bahdanau et al. 2014).

    Args:
        use_scale: whether features have weights.

    Raises:
        ValueError: a dropout outside 0..1.

    Example:
        >>> query, value = numpy.ones((1, 3, 4), "float32"), numpy.ones((1, 5, 4), "float32")
        >>> AdditiveAttention()([query, value]).shape
        (1, 3, 4)
    """

    use_scale: bool = declared.flag(True)

    def build(self, input_shape: Any) -> None:
        """Make the scale (C,), where it is asked for."""
        super().build(input_shape)
        self.scale = None
        if self.use_scale:
            size = known_size(input_shape[0], -1, "AdditiveAttention")
            self.scale = self.add_weight((size,), "glorot_uniform", name="scale")

    def scores(self, query: Any, key: Any) -> Any:
        """(N, T, S): how queries score keys."""
        bounded = ops.tanh(_sums(query, key))
        return ops.sum(bounded if self.scale is None else ops.multiply(bounded, self.scale), -1)


def _sums(query: Any, key: Any) -> Any:
    """(N, T, S, C): the sum of each query and each key."""
    return ops.add(ops.expand_dims(query, 2), ops.expand_dims(key, 1))
