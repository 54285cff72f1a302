"""Attention on the CPU: heads and queries in blocks whose scores stay in cache, shared out among threads.

A row of scores is worked on whole. Keys and values of a block of heads are copied to transposed, contiguous
places, where products are twice as fast. In the backward pass the log-sum-exp and the sum of a row are one
more column of the queries and of the gradient, against a row of ones: no pass is needed to subtract them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from gputrain.backend.base import Kernel, Thunk
from gputrain.backend.numpy.threads import one_blas_thread, shares, together, workers
from gputrain.ir.spec import Spec
from gputrain.ops.attending import LANES, LEAST, lanes_of_a_row
from gputrain.ops.precision import wide_dtype
from gputrain.utils import philox

BLOCK = 1 << 17  # scores worked on at a time: 512 KiB, and as much again in the backward pass
FEWEST_ROWS = 32  # of a block, however long they are: products of fewer are slow
ALONE = 1 << 17  # scores in all, for which a second thread is not worth waking
SAFE = 60.0  # scores up to here in size need no subtraction of their row's largest before exp

Array = Any
Cut = tuple[slice, slice, slice, slice]  # of samples, heads, queries and keys


class _Part(NamedTuple):
    """Samples and heads of key and value whose keys are prepared together."""

    samples: slice
    groups: slice


class _Room:
    """Places of given sizes, cut out of one workspace after the other."""

    def __init__(self, flat: Array) -> None:
        self.flat, self.used = flat, 0

    def __call__(self, *shape: int) -> Array:
        start, self.used = self.used, self.used + math.prod(shape)
        return self.flat[start : self.used].reshape(shape)


class _Loops:
    """How an attention of these sizes is cut into blocks, and the arrays it works on."""

    def __init__(self, op: Any, q: Any, k: Any, v: Any) -> None:
        self.op = op
        (self.n, self.t, self.heads, self.d), (_, self.s, self.groups, _) = q.shape, k.shape
        self.e = v.shape[3]
        self.sharing = self.heads // self.groups
        self.dtype = np.dtype(wide_dtype(str(q.dtype)))
        self.narrow = str(q.dtype) != self.dtype.name
        pairs = max(1, BLOCK // (self.t * self.s))
        pairs = min(pairs, -(-self.n * self.groups // 2))
        self.of_samples, self.of_groups = max(1, pairs // self.groups), min(pairs, self.groups)
        self.pairs = self.of_samples * self.of_groups
        self.rows = min(self.t, max(FEWEST_ROWS, BLOCK // self.s)) if self.pairs == 1 else self.t
        self.threads = workers() if self.n * self.heads * self.t * self.s > ALONE else 1

    def parts(self) -> list[_Part]:
        """All samples and heads, in the order of memory."""
        return [
            _Part(samples, groups)
            for samples in _cut(self.n, self.of_samples)
            for groups in _cut(self.groups, self.of_groups)
        ]

    def blocks(self, part: _Part) -> Iterator[Cut]:
        """(samples, heads of the query, rows, keys) of a part; heads that share a key follow each other."""
        first, last = part.groups.start * self.sharing, part.groups.stop * self.sharing
        for number in range(self.sharing):
            for rows in _cut(self.t, self.rows):
                yield part.samples, slice(first + number, last, self.sharing), rows, self.near(rows)

    def near(self, rows: slice) -> slice:
        """Keys outside of which these rows see none by their places; all, where a row may see none at all."""
        op = self.op
        if op.masks or self.t > self.s:
            return slice(0, self.s)
        start = max(0, rows.start - op.window + 1) if op.window else 0
        stop = rows.stop if op.causal else rows.stop + op.window - 1 if op.window else self.s
        return slice(start, min(stop, self.s))

    # ---------------------------------------------------------------------------------------- workspaces

    def scratch(self, counts: Sequence[int]) -> tuple[Spec, ...]:
        """A workspace of floats for each thread, and one of flags."""
        flags = max(_most_flags(self), self.pairs * self.rows)
        return (
            Spec((self.threads, sum(counts)), self.dtype.name),
            Spec((self.threads, flags), "bool"),
        )

    def caps(self) -> Array | None:
        """(T, S): infinity where a place may be seen, else the least score; a view of T + S numbers."""
        band = self.op.band(self.t, self.s)
        if band is None:
            return None
        caps = np.where(band, np.inf, LEAST).astype(self.dtype)
        return np.lib.stride_tricks.sliding_window_view(caps, self.s)[::-1]

    def shared_out(self, work: Callable[[_Part, int], None]) -> Callable[[], None]:
        """A function that does the work of all parts; `work` is told the number of its thread."""

        def task(number: int, parts: Sequence[_Part]) -> Callable[[], None]:
            def run() -> None:
                for part in parts:
                    work(part, number)

            return run

        parts = self.parts()
        mine = shares(parts) if self.threads > 1 else [parts]
        tasks = together([task(number, part) for number, part in enumerate(mine)])

        def run() -> None:
            with one_blas_thread:
                tasks()

        return run


class _Block:
    """What both passes do with a block of scores.

    Args:
        loops: how the whole is cut.
        room: workspace of floats.
        flags: workspace of flags.
        further: bias, masks and step.
    """

    def __init__(self, loops: _Loops, room: _Room, flags: Array, further: Sequence[Any]) -> None:
        self.loops, self.flags = loops, flags
        self.bias, self.masks, self.step = loops.op.split(further)
        self.caps = loops.caps()
        self.cap = room(_most_flags(loops))
        self.threshold, self.factor = philox.keep_threshold(loops.op.rate)

    def restrict(self, scores: Array, block: Cut) -> None:
        """Give keys that are not seen the least score."""
        if self.caps is not None:
            np.minimum(scores, self.caps[block[2:]], out=scores)
        for mask in self.masks:
            seen = _met(mask, block)
            flags, cap = _front(self.flags, seen.shape), _front(self.cap, seen.shape)
            np.logical_not(seen, out=flags)
            cap.fill(np.inf)
            np.copyto(cap, LEAST, where=flags)
            np.minimum(scores, cap, out=scores)

    def add_bias(self, scores: Array, block: Cut) -> None:
        if self.bias is not None:
            np.add(scores, _met(self.bias, block), out=scores)

    def draw(self, shape: tuple[int, ...], block: Cut) -> Array:
        """1 where dropout keeps a weight of the block, else 0."""
        loops, (samples, heads, rows, keys) = self.loops, block
        width, kept = lanes_of_a_row(loops.s), _front(self.flags, shape)
        whole = heads.step == 1 and shape[2] == loops.t  # of each head; and of each sample
        count = shape[2] * (shape[1] * (shape[0] if shape[1] == loops.heads else 1) if whole else 1)
        flat = kept.reshape(-1, count, kept.shape[-1])
        firsts = [
            (n * loops.heads + head) * loops.t + rows.start
            for n in range(samples.start, samples.stop)
            for head in range(heads.start, heads.stop, heads.step)
        ]
        for row, flags in zip(firsts[:: count // shape[2]], flat, strict=True):
            block_of_words = row * (width // LANES)
            source = philox.bit_stream(loops.op.seed, loops.op.stream, int(self.step), block=block_of_words)
            lanes = source.random_raw(count * width // philox.LANES_PER_WORD).view(np.uint16)
            np.less(lanes.reshape(count, width)[:, keys], self.threshold, out=flags)
        factors = _front(self.cap, shape)
        np.copyto(factors, kept)
        return factors


def _most_flags(loops: _Loops) -> int:
    """Numbers for the caps of a mask, or for what dropout keeps."""
    return loops.pairs * loops.rows * loops.s if loops.op.masks or loops.op.rate else 0


def _cut(count: int, step: int) -> list[slice]:
    return [slice(i, min(i + step, count)) for i in range(0, count, step)]


def _front(buffer: Array, shape: tuple[int, ...]) -> Array:
    """The first elements of a buffer under another shape."""
    return buffer.reshape(-1)[: math.prod(shape)].reshape(shape)


def _met(given: Array, block: Cut) -> Array:
    """The part of a bias or mask that belongs to a block; axes of size 1 stay."""
    return given[tuple(part if n > 1 else slice(None) for part, n in zip(block, given.shape, strict=True))]


def _by_heads(x: Array, block: Sequence[slice]) -> Array:
    """(samples, heads, rows, size) of (N, L, heads, size)."""
    samples, heads, *rows = block
    return x[samples, rows[0] if rows else slice(None), heads].transpose(0, 2, 1, 3)


def _rows_of(x: Array, block: Sequence[slice]) -> Array:
    """(samples, heads, rows, 1) of (N, T, heads)."""
    samples, heads, rows, _ = block
    return x[samples, rows, heads].transpose(0, 2, 1)[..., None]


def _scaled(x: Array, scale: float, out: Array) -> None:
    """x * scale; numbers of a narrower dtype are widened first."""
    if x.dtype == out.dtype:
        np.multiply(x, scale, out=out)
    else:
        np.copyto(out, x)
        np.multiply(out, scale, out=out)


# -------------------------------------------------------------------------------------------------- forward


def _forward_counts(loops: _Loops) -> list[int]:
    keys, rows = loops.pairs * loops.s, loops.pairs * loops.rows
    return [
        _most_flags(loops),
        keys * loops.d,
        keys * loops.e if loops.narrow else 0,
        rows * loops.s,
        rows * loops.d,
        rows * loops.e,
        rows,
        loops.s,
    ]


def _forward_scratch(op: Any, q: Spec, k: Spec, v: Spec, *further: Spec) -> tuple[Spec, ...]:
    loops = _Loops(op, q, k, v)
    return loops.scratch(_forward_counts(loops))


def _forward(op: Any, out: Any, q: Array, k: Array, v: Array, *further: Array, scratch: Any) -> Thunk:
    loops = _Loops(op, q, k, v)
    passes = [
        _Forward(loops, flat, flags, out, (q, k, v), further) for flat, flags in zip(*scratch, strict=True)
    ]
    return loops.shared_out(lambda part, number: passes[number].run(part))


class _Forward(_Block):
    """The forward pass of one thread."""

    def __init__(
        self, loops: _Loops, flat: Array, flags: Array, out: Any, arrays: Any, further: Sequence[Any]
    ) -> None:
        room = _Room(flat)
        super().__init__(loops, room, flags, further)
        (self.y, self.lse), (self.q, self.k, self.v) = out, arrays
        self.keys, self.values, *self.spaces, self.ones = (
            room(count) for count in _forward_counts(loops)[1:]
        )

    def run(self, part: _Part) -> None:
        """Results of a part."""
        loops = self.loops
        key, value = (_by_heads(x, part) for x in (self.k, self.v))
        keys = _front(self.keys, (*key.shape[:2], loops.d, loops.s))
        np.copyto(keys, key.swapaxes(-1, -2))
        if loops.narrow:
            wide = _front(self.values, value.shape)
            np.copyto(wide, value)
            value = wide
        self.ones.fill(1)
        for block in loops.blocks(part):
            self.attend(block, keys, value)

    def attend(self, block: Cut, keys: Array, values: Array) -> None:
        """Results of a block of rows."""
        loops, query = self.loops, _by_heads(self.q, block)
        shape, near = query.shape[:3], block[3]
        sizes = (near.stop - near.start, loops.d, loops.e, 1)
        scores, scaled, sums, total = (
            _front(space, (*shape, size)) for space, size in zip(self.spaces, sizes, strict=True)
        )
        _scaled(query, loops.op.scale, scaled)
        ones = self.ones[near, None]
        np.matmul(scaled, keys[..., near], out=scores)
        self.add_bias(scores, block)
        safe = scores.min() > -SAFE and scores.max() < SAFE
        self.restrict(scores, block)
        result, lse = _by_heads(self.y, block), _rows_of(self.lse, block)
        if safe:
            np.exp(scores, out=scores)
            np.matmul(scores, ones, out=total)
            blind = total.min() == 0
            np.log(total, out=lse)
        else:
            blind = False
            np.max(scores, axis=-1, keepdims=True, out=lse)
            np.subtract(scores, lse, out=scores)
            np.exp(scores, out=scores)
            np.matmul(scores, ones, out=total)
            np.copyto(sums[..., :1], lse)  # a place for the logarithms, for a moment
            np.log(total, out=lse)
            np.add(lse, sums[..., :1], out=lse)
        if blind:  # take the mean of all values
            flags = _front(self.flags, total.shape)
            np.equal(total, 0, out=flags)
            np.add(scores, flags, out=scores)
            np.copyto(total, loops.s, where=flags)
            np.copyto(lse, LEAST, where=flags)
        if self.step is not None:
            np.multiply(scores, self.draw(scores.shape, block), out=scores)
            np.divide(total, self.factor, out=total)
        np.matmul(scores, values[..., near, :], out=sums)
        np.divide(sums, total, out=result, casting="unsafe")


# ------------------------------------------------------------------------------------------------- backward


def _backward_counts(loops: _Loops) -> list[int]:
    """Keys, values and their gradients, of a part; what a block of rows needs."""
    keys, rows = loops.pairs * loops.s, loops.pairs * loops.rows
    return [
        _most_flags(loops),
        keys * (loops.d + 1),
        keys * (loops.e + 1),
        keys * loops.d if loops.narrow else 0,
        keys * loops.d,
        keys * loops.e,
        keys * max(loops.d, loops.e),
        rows * loops.s,
        rows * loops.s,
        rows * (loops.d + 1),
        rows * (loops.e + 1),
        rows * loops.d,
    ]


def _backward_scratch(op: Any, ct: Spec, q: Spec, k: Spec, v: Spec, *rest: Spec) -> tuple[Spec, ...]:
    loops = _Loops(op, q, k, v)
    return loops.scratch(_backward_counts(loops))


def _backward(
    op: Any, out: Any, ct: Array, q: Array, k: Array, v: Array, *rest: Array, scratch: Any
) -> Thunk:
    loops, (*further, lse, delta) = _Loops(op, q, k, v), rest
    arrays = (ct, q, k, v, lse, delta)
    passes = [
        _Backward(loops, flat, flags, out, arrays, further) for flat, flags in zip(*scratch, strict=True)
    ]
    return loops.shared_out(lambda part, number: passes[number].run(part))


class _Backward(_Block):
    """The backward pass of one thread."""

    def __init__(
        self, loops: _Loops, flat: Array, flags: Array, out: Any, arrays: Any, further: Sequence[Any]
    ) -> None:
        room = _Room(flat)
        super().__init__(loops, room, flags, further)
        (self.dq, self.dk, self.dv), (self.ct, self.q, self.k, self.v, self.lse, self.delta) = out, arrays
        (self.keys, self.values, self.wide_keys, self.by_keys, self.by_values, self.more, *self.spaces) = (
            room(count) for count in _backward_counts(loops)[1:]
        )

    def run(self, part: _Part) -> None:
        """Gradients of a part."""
        loops = self.loops
        key, value = (_by_heads(x, part) for x in (self.k, self.v))
        pairs = key.shape[:2]
        keys, values = (
            _front(space, (*pairs, x.shape[3] + 1, loops.s))
            for space, x in ((self.keys, key), (self.values, value))
        )
        for space, x in ((keys, key), (values, value)):
            np.copyto(space[..., :-1, :], x.swapaxes(-1, -2))
            space[..., -1, :] = 1
        if loops.narrow:
            wide = _front(self.wide_keys, key.shape)
            np.copyto(wide, key)
            key = wide
        totals = [_front(self.by_keys, key.shape), _front(self.by_values, value.shape)]
        for total in totals:
            total.fill(0)
        for block in loops.blocks(part):
            self.go_back(block, keys, values, key, totals)
        np.copyto(_by_heads(self.dk, part), totals[0], casting="unsafe")
        np.copyto(_by_heads(self.dv, part), totals[1], casting="unsafe")

    def go_back(self, block: Cut, keys: Array, values: Array, key: Array, totals: Sequence[Array]) -> None:
        """Gradients of a block of rows, and what they add to those of keys and values."""
        loops, op, near = self.loops, self.loops.op, block[3]
        keys, values, key = keys[..., near], values[..., near], key[..., near, :]
        by_keys, by_values = (total[..., near, :] for total in totals)
        shape = (*keys.shape[:2], block[2].stop - block[2].start)
        sizes = (keys.shape[-1], keys.shape[-1], loops.d + 1, loops.e + 1, loops.d)
        weights, slopes, query, g, change = (
            _front(space, (*shape, size)) for space, size in zip(self.spaces, sizes, strict=True)
        )
        lse, delta = _rows_of(self.lse, block), _rows_of(self.delta, block)
        # Not np.negative, which in NumPy 2.4 leaves elements out at some strides.
        _scaled(_by_heads(self.q, block), op.scale, query[..., :-1])
        np.multiply(lse, -1, out=query[..., -1:])
        _scaled(_by_heads(self.ct, block), self.factor, g[..., :-1])
        np.multiply(delta, -1, out=g[..., -1:])
        np.matmul(query, keys, out=weights)
        self.add_bias(weights, block)
        self.restrict(weights, block)
        np.exp(weights, out=weights)
        if self.step is None:
            np.matmul(g, values, out=slopes)
        else:
            factors = self.draw(weights.shape, block)
            np.matmul(g[..., :-1], values[..., :-1, :], out=slopes)
            np.multiply(slopes, factors, out=slopes)
            np.subtract(slopes, delta, out=slopes)
        np.multiply(weights, slopes, out=slopes)
        if lse.min() == LEAST:  # no key is seen: all have the same weight, which depends on nothing
            flags, share = _front(self.flags, lse.shape), change[..., :1]
            np.equal(lse, LEAST, out=flags)
            np.multiply(flags, 1 / loops.s, out=share)
            np.add(weights, share, out=weights)
        if self.step is not None:
            np.multiply(weights, factors, out=weights)
        self.add_up(by_values, weights, g[..., :-1])
        self.add_up(by_keys, slopes, query[..., :-1])
        np.matmul(slopes, key, out=change)
        np.multiply(change, op.scale, out=_by_heads(self.dq, block), casting="unsafe")

    def add_up(self, total: Array, left: Array, right: Array) -> None:
        """Add left^T right to a gradient of keys or values."""
        product = _front(self.more, total.shape)
        np.matmul(left.swapaxes(-1, -2), right, out=product)
        np.add(total, product, out=total)


def _accepts(op: Any, *specs: Spec) -> bool:
    """Whether there is something to do."""
    shapes = [spec for spec in specs if spec.ndim == 4]
    return all(spec.static and spec.size > 0 for spec in shapes)


KERNELS = {
    "DotProductAttention": Kernel(_forward, _forward_scratch, accepts=_accepts),
    "DotProductAttentionGrad": Kernel(_backward, _backward_scratch, accepts=_accepts),
}
