"""Attention whose scores need not be stored, and its gradients."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from gputrain.errors import DTypeError, ShapeError, explain
from gputrain.ir import Shape, Spec, Value
from gputrain.ops.base import (
    Operation,
    Sample,
    apply,
    cast,
    constant,
    convert,
    require_float,
    spec_of,
)
from gputrain.ops.comparison import as_boolean, equal, logical_and
from gputrain.ops.creation import zeros_like
from gputrain.ops.crossentropy import softmax
from gputrain.ops.elementwise import add, exp, multiply, negative, subtract, where
from gputrain.ops.indexing import getitem
from gputrain.ops.movement import broadcast_to, expand_dims, repeat, reshape, transpose
from gputrain.ops.pointwise import Gradients, as_floats
from gputrain.ops.precision import wide_dtype
from gputrain.ops.products import matmul
from gputrain.ops.random import Dropout, draw_source
from gputrain.ops.reduction import sum
from gputrain.utils import philox

__all__ = ["DotProductAttention", "DotProductAttentionGrad"]

LANES = 16  # of a block of Philox words: each row of weights begins with a new one
# The score of a key that is not seen, and so the log-sum-exp of a row that sees none.
LEAST = float(np.float32(0.7) * np.finfo(np.float32).min)


def lanes_of_a_row(keys: int) -> int:
    """16-bit lanes of a draw that belong to one row of weights."""
    return -(-keys // LANES) * LANES


class _Attending(Operation):
    """What attention and its gradients have in common.

    Attributes:
        scale: of the products of queries and keys.
        causal: whether a query sees keys up to its own place only.
        window: a query sees keys that are nearer than this; 0 for all.
        biased: whether there is an input that is added to the scores.
        masks: how many inputs say which keys are seen; one is seen where all of them say so.
        rate, seed, stream: dropout of the weights, by 16-bit lanes of the draw of an input `step`; row r
            of S weights, counted over (N, H, T), begins at lane r * S, with S rounded up to whole blocks.
    """

    scale: float
    causal: bool = False
    window: int = 0
    biased: bool = False
    masks: int = 0
    rate: float = 0.0
    seed: int = 0
    stream: int = 0

    def split(self, further: Sequence[Any]) -> tuple[Any, Sequence[Any], Any]:
        """(bias, masks, step) of the inputs behind the value; None for what is not there."""
        rest = list(further)
        bias = rest.pop(0) if self.biased else None
        step = rest.pop() if self.rate else None
        return bias, rest, step

    def band(self, queries: int, keys: int) -> np.ndarray | None:
        """(T + S - 1,): whether a key at the distance i - (T - 1) from a query is seen; None if all are."""
        if not self.causal and not self.window:
            return None
        distance = np.arange(queries + keys - 1) - (queries - 1)
        seen = distance <= 0 if self.causal else np.ones(distance.shape, bool)
        return seen & (abs(distance) < self.window) if self.window else seen

    def places(self, queries: int, keys: int) -> np.ndarray | None:
        """(T, S): which keys are seen by their places; None if all are. A view of a few bytes."""
        band = self.band(queries, keys)
        if band is None:
            return None
        return np.lib.stride_tricks.sliding_window_view(band, keys)[::-1] if queries else band[None, :0]

    # ------------------------------------------------------------------------------------------ checks

    def sizes(self, q: Spec, k: Spec, v: Spec, *further: Spec) -> tuple[Any, ...]:
        """(N, T, H, S, E) of inputs that fit together.

        Raises:
            DTypeError: inputs of several dtypes or of whole numbers.
            ShapeError: ranks other than 4, or sizes that do not fit.
        """
        require_float(q, "Attention")
        for spec, what in ((q, "query"), (k, "key"), (v, "value")):
            if spec.ndim != 4:
                rule = f"Attention: the {what} has four dimensions."
                raise ShapeError(explain(rule, expected="(N, length, heads, size)", received=spec.shape))
            if spec.dtype != q.dtype:
                raise DTypeError(
                    explain("Attention needs inputs of one dtype.", received=f"{q}, {k} and {v}")
                )
        (n, t, heads, size), (m, s, groups, key_size) = q.shape, k.shape
        if not _same(size, key_size):
            raise _unfit("queries and keys have one size", f"query {q.shape}, key {k.shape}")
        if not (_same(s, v.shape[1]) and _same(groups, v.shape[2])):
            rule = "there is a value for each key of each head"
            raise _unfit(rule, f"key {k.shape}, value {v.shape}")
        if not (_same(n, m) and _same(n, v.shape[0])):
            rule = "query, key and value have one batch size"
            raise _unfit(rule, f"query {q.shape}, key {k.shape}, value {v.shape}")
        if heads is not None and groups is not None and (groups == 0 or heads % groups):
            rule = "the heads of the query are a multiple of those of key and value"
            raise _unfit(rule, f"query {q.shape}, key {k.shape}")
        if s == 0:
            raise _unfit("there must be a key to look at", f"key {k.shape}")
        n = next((one for one in (n, m, v.shape[0]) if one is not None), None)
        s = v.shape[1] if s is None else s
        self._check_further((n, heads, t, s), q.dtype, further)
        return n, t, heads, s, v.shape[3]

    def _check_further(self, scores: Shape, dtype: str, further: Sequence[Spec]) -> None:
        bias, masks, _ = self.split(further)
        for spec, what in ((bias, "bias"), *((mask, "mask") for mask in masks)):
            if spec is None:
                continue
            fits = spec.ndim == 4 and all(
                one == 1 or _same(one, n) for one, n in zip(spec.shape, scores, strict=True)
            )
            if not fits:
                rule = f"Attention: the {what} must broadcast to the scores."
                raise ShapeError(explain(rule, expected=f"(N, heads, T, S) = {scores}", received=spec.shape))
            wanted = dtype if what == "bias" else "bool"
            if spec.dtype != wanted:
                rule = f"Attention: dtype of the {what}."
                raise DTypeError(explain(rule, expected=wanted, received=spec, fix="Convert with ops.cast."))

    # --------------------------------------------------------------------------------- plain reference

    def scores(self, xp: Any, q: Any, k: Any, bias: Any, masks: Sequence[Any]) -> tuple[Any, Any]:
        """(N, H, T, S) wide scores, and which of them count (None: all). Allocates."""
        dtype = wide_dtype(q.dtype)
        q, k = (x.astype(dtype, copy=False).transpose(0, 2, 1, 3) for x in (q, self.repeated(xp, k, q)))
        scores = xp.matmul(q, k.swapaxes(-1, -2)) * xp.asarray(self.scale, dtype)
        if bias is not None:
            scores = scores + bias.astype(dtype, copy=False)
        seen = self.places(q.shape[2], k.shape[2])
        seen = None if seen is None else xp.asarray(np.array(seen))
        for mask in masks:
            seen = mask if seen is None else seen & mask
        if seen is None:
            return scores, None
        return xp.where(seen, scores, xp.asarray(LEAST, dtype)), seen

    def repeated(self, xp: Any, x: Any, q: Any) -> Any:
        """Key or value heads as often as query heads share them."""
        shares = q.shape[2] // max(1, x.shape[2])
        return x if shares == 1 else xp.repeat(x, shares, axis=2)

    def kept(self, xp: Any, scores: Any, step: Any) -> Any:
        """What dropout multiplies the weights (N, H, T, S) by."""
        if step is None:
            return None
        threshold, scale = philox.keep_threshold(self.rate)
        *rows, keys = scores.shape
        lanes = np.empty((*rows, lanes_of_a_row(keys)), np.uint16)
        philox.fill_lanes(lanes.reshape(-1), self.seed, self.stream, int(step))
        return xp.asarray((lanes[..., :keys] < threshold) * scale, scores.dtype)

    # ------------------------------------------------------------------------------------- composition

    def recomputed(self, lse: Value, q: Value, k: Value, bias: Any, masks: Any) -> tuple[Value, Any]:
        """Weights (N, H, T, S), and which of them depend on the scores (None: all), in operations."""
        dtype = lse.dtype
        heads, others = (
            transpose(cast(x, dtype), (0, 2, 1, 3)) for x in (q, shared_heads(k, q.spec.dims[2]))
        )
        scores = multiply(matmul(heads, transpose(others, (0, 1, 3, 2))), self.scale)
        if bias is not None:
            scores = add(scores, cast(bias, dtype))
        queries, keys = scores.spec.dims[2:]
        places = self.places(queries, keys)
        seen = None if places is None else constant(np.array(places))
        for mask in masks:
            seen = mask if seen is None else logical_and(seen, mask)
        rows = expand_dims(transpose(lse, (0, 2, 1)), -1)
        if seen is None:
            return exp(subtract(scores, rows)), None
        # A row of which no key is seen has equal weights.
        blind = equal(broadcast_to(rows, scores.spec.dims), LEAST)
        even = where(blind, 1.0 / keys, 0.0)
        seen = broadcast_to(seen, scores.spec.dims)
        return where(seen, exp(subtract(where(seen, scores, LEAST), rows)), even), seen

    def factors(self, weights: Value, step: Any) -> Any:
        """What dropout multiplies the weights by, in operations."""
        if step is None:
            return None
        *rows, keys = weights.spec.dims
        ones = constant(np.ones((*rows, lanes_of_a_row(keys)), weights.dtype))
        drawn = apply(Dropout(self.rate, self.seed, self.stream), ones, step)[0]
        return getitem(drawn, (..., slice(0, keys)))


def _same(one: int | None, other: int | None) -> bool:
    return one is None or other is None or one == other


def _unfit(rule: str, received: str) -> ShapeError:
    return ShapeError(explain(f"Attention: {rule}.", received=received))


def shared_heads(x: Any, heads: int) -> Any:
    """(N, S, G, size) with each head as often as query heads share it."""
    n, length, groups, size = x.spec.dims
    if groups == heads:
        return x
    wide = broadcast_to(expand_dims(x, 3), (n, length, groups, heads // groups, size))
    return reshape(wide, (n, length, heads, size))


class DotProductAttention(_Attending):
    """softmax(query . key * scale + bias) . value where keys are seen, and the log-sum-exp of each row.

    Query (N, T, H, D), key (N, S, G, D), value (N, S, G, E), where each of the G heads serves H / G heads of
    the query; then bias, masks (both broadcast to (N, H, T, S)) and step, where the parameters say so. A
    query that sees no key takes the mean of all values. The log-sum-exp (N, T, H) is float32 for float16.

    Source: Vaswani et al. 2017; Dao et al. 2022, FlashAttention.
    """

    n_outputs = 2

    def infer(self, q: Spec, k: Spec, v: Spec, *further: Spec) -> tuple[Spec, Spec]:
        n, t, heads, _, size = self.sizes(q, k, v, *further)
        return Spec((n, t, heads, size), q.dtype), Spec((n, t, heads), wide_dtype(q.dtype))

    def vjp(self, ct: Gradients, out: Sequence[Value], *inputs: Value) -> Gradients:
        (q, k, v, *further), (y, lse) = inputs, out
        given = ct[0] if ct[0] is not None else zeros_like(y)
        delta = sum(multiply(cast(given, lse.dtype), cast(y, lse.dtype)), axis=-1)
        if ct[1] is not None:
            delta = subtract(delta, ct[1])
        backward = DotProductAttentionGrad(*(getattr(self, name) for name in self._fields))
        whole = (given, q, k, v, *further, lse, delta)
        found = [*apply(backward, *whole), *(None for _ in further)]
        if self.biased:
            found[3] = cast(backward.by_scores(*whole)[0], further[0].dtype)
        return found

    def compute(self, xp: Any, out: Any, *inputs: Any, scratch: Any = ()) -> None:
        (q, k, v, *further), (y, lse) = inputs, out
        bias, masks, step = self.split(further)
        scores, _ = self.scores(xp, q, k, bias, masks)
        if scores.size == 0:
            y[...] = 0
            lse[...] = LEAST
            return
        top = xp.max(scores, axis=-1, keepdims=True)
        weights = xp.exp(scores - top)
        total = xp.sum(weights, axis=-1, keepdims=True)
        weights = weights / total
        lse[...] = (top + xp.log(total))[..., 0].transpose(0, 2, 1)
        kept = self.kept(xp, scores, step)
        values = self.repeated(xp, v, q).astype(scores.dtype, copy=False).transpose(0, 2, 1, 3)
        y[...] = xp.matmul(weights if kept is None else weights * kept, values).transpose(0, 2, 1, 3)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        return [
            Sample(cls(0.4, **settings), inputs, _Loops(settings), label=label)
            for label, settings, inputs in _cases()
        ]


class DotProductAttentionGrad(_Attending):
    """Gradients of DotProductAttention with respect to query, key and value.

    Inputs are the gradient of the result, those of the forward pass, the log-sum-exp of each row, and the sum
    of gradient times result of each row, less the gradient of the log-sum-exp. The weights follow from the
    scores and the log-sum-exp.
    """

    n_outputs = 3

    def infer(self, ct: Spec, q: Spec, k: Spec, v: Spec, *rest: Spec) -> tuple[Spec, Spec, Spec]:
        self.sizes(q, k, v, *rest[:-2])
        for row in rest[-2:]:
            if row.dtype != wide_dtype(q.dtype):
                rule = "DotProductAttentionGrad: sums of rows have the dtype of sums."
                raise DTypeError(explain(rule, expected=wide_dtype(q.dtype), received=row))
        return q, k, v

    def by_scores(self, ct: Value, q: Value, k: Value, v: Value, *rest: Value) -> tuple[Any, ...]:
        """In operations, all (N, H, T, S): the gradient of the scores, the weights, that of the weights
        less its mean, what dropout makes of the weights, and how it does so."""
        *further, lse, delta = rest
        bias, masks, step = self.split(further)
        weights, seen = self.recomputed(lse, q, k, bias, masks)
        g, values = (
            transpose(cast(x, lse.dtype), (0, 2, 1, 3)) for x in (ct, shared_heads(v, q.spec.dims[2]))
        )
        d_weights = matmul(g, transpose(values, (0, 1, 3, 2)))
        factors = self.factors(weights, step)
        if factors is not None:
            d_weights = multiply(d_weights, factors)
        apart = subtract(d_weights, expand_dims(transpose(delta, (0, 2, 1)), -1))
        d_scores = multiply(weights, apart)
        if seen is not None:
            d_scores = where(seen, d_scores, 0.0)
        dropped = weights if factors is None else multiply(weights, factors)
        return d_scores, weights, apart, dropped, factors, seen

    def vjp(self, ct: Gradients, out: Sequence[Value], *inputs: Value) -> Gradients:
        # With P the weights, A what dropout makes of them, M how, and dS = P (M (g v^T) - delta):
        # dq = scale dS k, dk = scale dS^T q, dv = A^T g.
        g, q, k, v, *further, lse, _ = inputs
        dtype, heads = lse.dtype, q.spec.dims[2]
        d_scores, weights, apart, dropped, factors, seen = self.by_scores(*inputs)

        def by_heads(x: Value) -> Any:
            return transpose(cast(shared_heads(x, heads), dtype), (0, 2, 1, 3))

        def turned(x: Value) -> Any:
            return transpose(x, (0, 1, 3, 2))

        def back(x: Value, like: Value) -> Any:
            """(N, H, L, size) as `like`: shared heads are summed."""
            n, length, groups, size = like.spec.dims
            x = transpose(x, (0, 2, 1, 3))
            if groups != heads:
                x = sum(reshape(x, (n, length, groups, heads // groups, size)), axis=3)
            return cast(x, like.dtype)

        a, b, c = (None if one is None else by_heads(one) for one in ct)
        wide_g, wide_q, wide_k, wide_v = (by_heads(x) for x in (g, q, k, v))
        by_ds = [] if a is None else [matmul(a, turned(wide_k))]
        by_ds += [] if b is None else [matmul(wide_q, turned(b))]
        u = zeros_like(weights)
        for part in by_ds:
            u = add(u, multiply(part, self.scale))
        u = u if seen is None else where(seen, u, 0.0)
        by_weights, d_g, d_v = multiply(u, apart), [], []
        if c is not None:
            by_dropped = matmul(wide_g, turned(c))
            if factors is not None:
                by_dropped = multiply(by_dropped, factors)
            by_weights = add(by_weights, by_dropped)
            d_g.append(matmul(dropped, c))
        inner = multiply(u, weights)
        by_product = inner if factors is None else multiply(inner, factors)
        d_g.append(matmul(by_product, wide_v))
        d_v = matmul(turned(by_product), wide_g)
        y = multiply(by_weights, weights)
        y = y if seen is None else where(seen, y, 0.0)
        d_q, d_k = matmul(y, wide_k), matmul(turned(y), wide_q)
        if b is not None:
            d_q = add(d_q, matmul(d_scores, b))
        if a is not None:
            d_k = add(d_k, matmul(turned(d_scores), a))
        d_g_total = d_g[0] if len(d_g) == 1 else add(*d_g)
        return (
            back(d_g_total, g),
            back(multiply(d_q, self.scale), q),
            back(multiply(d_k, self.scale), k),
            back(d_v, v),
            *(cast(y, one.dtype) if i == 0 and self.biased else None for i, one in enumerate(further)),
            negative(transpose(sum(y, axis=-1), (0, 2, 1))),
            negative(transpose(sum(inner, axis=-1), (0, 2, 1))),
        )

    def compute(self, xp: Any, out: Any, *inputs: Any, scratch: Any = ()) -> None:
        (g, q, k, v, *further, lse, delta), (dq, dk, dv) = inputs, out
        bias, masks, step = self.split(further)
        scores, seen = self.scores(xp, q, k, bias, masks)
        if scores.size == 0:
            for one in out:
                one[...] = 0
            return
        rows = lse.transpose(0, 2, 1)[..., None]
        blind = rows == xp.asarray(LEAST, rows.dtype)
        weights = xp.exp(scores - rows) * xp.where(blind, 1.0 / scores.shape[-1], 1.0).astype(rows.dtype)
        kept = self.kept(xp, scores, step)
        wide = [x.astype(rows.dtype, copy=False) for x in (g, q, self.repeated(xp, k, q))]
        wide_g, wide_q, wide_k = (x.transpose(0, 2, 1, 3) for x in wide)
        values = self.repeated(xp, v, q).astype(rows.dtype, copy=False).transpose(0, 2, 3, 1)
        d_weights = xp.matmul(wide_g, values)
        if kept is not None:
            d_weights = d_weights * kept
        d_scores = weights * (d_weights - delta.transpose(0, 2, 1)[..., None])
        if seen is not None:
            d_scores = xp.where(seen, d_scores, xp.asarray(0, d_scores.dtype))
        d_scores = d_scores * xp.asarray(self.scale, d_scores.dtype)
        dropped = weights if kept is None else weights * kept
        dq[...] = xp.matmul(d_scores, wide_k).transpose(0, 2, 1, 3)
        for made, target in (
            (xp.matmul(d_scores.swapaxes(-1, -2), wide_q), dk),
            (xp.matmul(dropped.swapaxes(-1, -2), wide_g), dv),
        ):
            n, length, groups, size = target.shape
            by_group = made.transpose(0, 2, 1, 3).reshape(n, length, groups, -1, size)
            target[...] = xp.sum(by_group, axis=3)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        made = []
        for label, settings, (q, k, v, *further) in _cases():
            y = Spec((*q.shape[:3], v.shape[3]), q.dtype)
            row = Spec(q.shape[:3], q.dtype)
            # Rows of which no key is seen are known by their log-sum-exp alone.
            differentiable = None if "blind" not in label else (0,)
            inputs = (y, q, k, v, *further, row, row)
            if "blind" in label:
                inputs = (y, q, k, v, *further, _rows_with_blind_ones(settings, q, k, further), row)
            made.append(
                Sample(
                    cls(0.4, **settings), inputs, _LoopsBack(settings), differentiable=differentiable,
                    low=-1.0, high=1.0, label=label,
                )
            )  # fmt: skip
        return made


# --------------------------------------------------------------------------------------- how it is called


def attend(
    query: Any,
    key: Any,
    value: Any,
    *,
    bias: Any = None,
    masks: Sequence[Any] = (),
    scale: float | None = None,
    causal: bool = False,
    window: int | None = None,
    rate: float = 0.0,
    seed: Any = None,
    blank: bool = False,
) -> Any:
    """Attention of (N, T, H, D) on keys (N, S, G, D) with values (N, S, G, E): (N, T, H, E).

    Args:
        query, key, value: arrays or values; H is a multiple of G.
        bias: added to the scores, what broadcasts to (N, H, T, S).
        masks: True where a key is seen, each what broadcasts to (N, H, T, S).
        scale: of the products; None for 1 / sqrt(D).
        causal: whether a query sees keys up to its own place only.
        window: a query sees keys nearer than this; None for all.
        rate: share of the weights to drop.
        seed: of the dropout, as of `dropout`.
        blank: whether a query that sees no key gets 0, and not the mean of all values.
    """
    q, k, v = as_floats(query, key, value)
    size = spec_of(q).shape[-1] if spec_of(q).ndim else None
    if scale is None and size is None:
        raise _unfit("its scale needs a known size of the heads", f"query {spec_of(q).shape}")
    further = [] if bias is None else [_to_four(cast(convert(bias), spec_of(q).dtype))]
    further += [_to_four(as_boolean(mask)) for mask in masks]
    draw: dict[str, Any] = {}
    if rate:
        draw["rate"] = rate
        draw["seed"], draw["stream"], step = draw_source(seed, "dropout")
        further.append(step)
    op = DotProductAttention(
        1.0 / math.sqrt(size or 1) if scale is None else float(scale),
        causal,
        window or 0,
        bias is not None,
        len(masks),
        **draw,
    )
    found, lse = apply(op, q, k, v, *further)
    if not blank or not (masks or causal or window):
        return found
    return where(expand_dims(equal(lse, LEAST), -1), 0.0, found)


def weights_of(
    query: Any,
    key: Any,
    *,
    masks: Sequence[Any] = (),
    scale: float = 1.0,
    causal: bool = False,
    window: int | None = None,
) -> Any:
    """Weights (N, H, T, S) of attention, all of them; 0 for a query that sees no key. See `attend`."""
    q, k = as_floats(query, key)
    groups, heads = spec_of(k).shape[2], spec_of(q).shape[2]
    if groups and heads and groups != heads:
        k = repeat(k, heads // groups, axis=2)
    scores = matmul(multiply(transpose(q, (0, 2, 1, 3)), scale), transpose(k, (0, 2, 3, 1)))
    op = _Attending(scale, causal, window or 0)
    length, keys = spec_of(scores).shape[2:]
    if (causal or window) and length is not None and keys is not None:
        masks = (*masks, np.array(op.places(length, keys)))
    if not masks:
        return softmax(scores)
    seen = reduce(logical_and, [as_boolean(mask) for mask in masks])
    lowest = LEAST if spec_of(scores).dtype != "float16" else -3e4
    return multiply(softmax(where(seen, scores, lowest)), cast(seen, spec_of(scores).dtype))


def _to_four(x: Any) -> Any:
    """x with axes of size 1 before its own, four in all."""
    missing = tuple(range(4 - spec_of(x).ndim))
    return expand_dims(x, missing) if missing else x


# ------------------------------------------------------------------------------------------------- samples

_STEP = np.array(3, np.int64)


def _cases() -> list[tuple[str, dict[str, Any], tuple[Any, ...]]]:
    """(label, parameters, inputs) of samples."""

    def arrays(n: int, t: int, s: int, h: int, d: int, e: int, groups: int = 0) -> tuple[Spec, ...]:
        g = groups or h
        return Spec((n, t, h, d)), Spec((n, s, g, d)), Spec((n, s, g, e))

    mask = np.arange(2 * 5 * 7).reshape(2, 1, 5, 7) % 3 > 0
    keys = np.arange(7)[None] < np.array([4, 7])[:, None]  # padding
    queries = np.arange(5)[None] < np.array([3, 5])[:, None]
    fifths = np.arange(1100)[None, None, None] % 5 > 0
    mid = arrays(2, 5, 7, 3, 4, 6)
    dropping = {"rate": 0.25, "seed": 7, "stream": 11}
    return [
        ("plain", {}, mid),
        ("one", {}, arrays(1, 1, 1, 1, 1, 1)),
        ("empty", {}, arrays(0, 3, 4, 2, 3, 3)),
        ("no queries", {}, arrays(2, 0, 4, 2, 3, 3)),
        ("causal", {"causal": True}, arrays(1, 6, 6, 2, 5, 3)),
        ("causal, more keys", {"causal": True}, arrays(1, 3, 6, 1, 2, 2)),
        ("window", {"window": 2}, arrays(2, 6, 5, 1, 3, 3)),
        ("causal window", {"window": 3, "causal": True}, arrays(1, 9, 9, 2, 3, 3)),
        ("mask", {"masks": 1}, (*mid, mask)),
        ("padding", {"masks": 1}, (*mid, keys[:, None, None, :])),
        ("padding, blind", {"masks": 2}, (*mid, keys[:, None, None, :], queries[:, None, :, None])),
        ("blind by place", {"window": 1}, arrays(1, 5, 3, 2, 2, 3)),
        ("bias", {"biased": True}, (*mid, Spec((1, 3, 5, 7)))),
        ("bias, mask, blind", {"biased": True, "masks": 1, "causal": True}, (*mid, Spec((2, 1, 1, 7)), mask)),
        ("shared heads", {"causal": True}, arrays(2, 5, 7, 6, 4, 3, groups=2)),
        ("one head for all", {"masks": 1}, (*arrays(2, 5, 7, 3, 4, 3, groups=1), mask)),
        ("dropout", dropping, (*mid, _STEP)),
        ("dropout, shared", {**dropping, "masks": 1}, (*arrays(2, 5, 7, 4, 3, 3, groups=2), mask, _STEP)),
        ("long", {"causal": True}, arrays(1, 70, 150, 2, 8, 8)),
        ("long rows", {"masks": 1}, (*arrays(1, 3, 1100, 1, 4, 4), fifths)),
        ("wide heads", {}, arrays(1, 40, 33, 1, 72, 130)),
        ("many", {}, arrays(3, 64, 64, 4, 16, 16)),
        ("long window", {"window": 9}, arrays(1, 70, 1000, 1, 4, 3)),
        ("several blocks", {"causal": True}, arrays(1, 260, 260, 1, 4, 4)),
    ]  # fmt: skip


class _Loops:
    """The operation row by row, from its definition."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.op = DotProductAttention(0.4, **settings)

    def __call__(self, q: np.ndarray, k: np.ndarray, v: np.ndarray, *further: Any) -> tuple[Any, ...]:
        y = np.zeros((*q.shape[:3], v.shape[3]))
        lse = np.zeros(q.shape[:3])
        for at, weights, dropped, _ in self.rows(q, k, further):
            n, t, h, g = at
            y[n, t, h], lse[n, t, h] = dropped @ v[n, :, g], weights[1]
        return y, lse

    def rows(self, q: np.ndarray, k: np.ndarray, further: Sequence[Any]) -> Any:
        """((n, t, h, g), (weights, log-sum-exp), weights after dropout, which keys are seen) of each row."""
        (count, length, heads, _), keys = q.shape, k.shape[1]
        bias, masks, step = self.op.split(further)
        scores = (count, heads, length, keys)
        masks = [np.broadcast_to(mask, scores) for mask in masks]
        bias = None if bias is None else np.broadcast_to(bias, scores)
        lanes = _reference_lanes(self.op, scores, step)
        for n, t, h in itertools.product(range(count), range(length), range(heads)):
            g = h // (heads // k.shape[2])
            s = k[n, :, g] @ q[n, t, h] * 0.4
            s = s if bias is None else s + bias[n, h, t]
            seen, away = np.ones(keys, bool), np.arange(keys) - t
            seen &= away <= 0 if self.op.causal else True
            seen &= abs(away) < self.op.window if self.op.window else True
            for mask in masks:
                seen &= mask[n, h, t]
            if seen.any():
                top = s[seen].max()
                powers = np.where(seen, np.exp(np.minimum(s - top, 0)), 0)
                weights, lse = powers / powers.sum(), top + math.log(powers.sum())
            else:
                weights, lse = np.full(keys, 1 / keys), None
            kept = 1.0 if lanes is None else (lanes[n, h, t] < 49152) * 65536 / 49152
            lse = LEAST if lse is None else lse
            yield (n, t, h, g), (weights, lse), weights * kept, seen


def _reference_lanes(op: Any, scores: tuple[int, ...], step: Any) -> Any:
    if step is None:
        return None
    width = -(-scores[-1] // 16) * 16
    raw = philox.words(7, 11, int(step), math.prod(scores[:-1]) * width // 4)
    lanes = [int(w) >> shift & 0xFFFF for w in raw for shift in (0, 16, 32, 48)]
    return np.array(lanes).reshape(*scores[:-1], width)[..., : scores[-1]]


def _rows_with_blind_ones(settings: dict[str, Any], q: Spec, k: Spec, further: Sequence[Any]) -> np.ndarray:
    """A log-sum-exp (N, T, H) for each row: of no key seen where that is so."""
    found = np.linspace(-1, 1, math.prod(q.dims[:3])).reshape(q.dims[:3])
    arrays = [np.zeros(x.dims) if isinstance(x, Spec) else x for x in (q, k, *further)]
    for (n, t, h, _), _, _, seen in _Loops(settings).rows(arrays[0], arrays[1], arrays[2:]):
        found[n, t, h] = found[n, t, h] if seen.any() else LEAST
    return found


class _LoopsBack(_Loops):
    """The gradients row by row; the log-sum-exp and the sums of rows are what is given."""

    def __call__(self, *inputs: Any) -> tuple[Any, ...]:
        g, q, k, v, *further, lse, delta = inputs
        dq, dk, dv = np.zeros(q.shape), np.zeros(k.shape), np.zeros(v.shape)
        for (n, t, h, group), (weights, own), dropped, seen in self.rows(q, k, further):
            # exp(score - lse) with the lse that is given, not the row's own.
            moved = math.exp(own - lse[n, t, h]) if seen.any() else 1.0
            factor = np.divide(dropped, weights, out=np.zeros(len(weights)), where=weights > 0)
            by_weight = v[n, :, group] @ g[n, t, h] * factor
            ds = np.where(seen, weights * moved * (by_weight - delta[n, t, h]), 0) * 0.4
            dq[n, t, h] += ds @ k[n, :, group]
            dk[n, :, group] += np.outer(ds, q[n, t, h])
            dv[n, :, group] += np.outer(dropped, g[n, t, h]) * moved
        return dq, dk, dv
