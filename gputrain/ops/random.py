"""Random operations. Each draw is named by (seed, stream, step), so it is the same on every device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gputrain import config
from gputrain.errors import GraphError, explain
from gputrain.ir import Spec, Value, current_trace
from gputrain.ops.base import Operation, Sample, apply, constant, convert, require_float, spec_of
from gputrain.ops.elementwise import multiply
from gputrain.ops.pointwise import Gradients
from gputrain.utils import philox

__all__ = [
    "Dropout",
    "DropoutGrad",
    "RandomNormal",
    "RandomUniform",
    "dropout",
    "random_normal",
    "random_uniform",
]

_STEP = np.array(3, np.int64)


class Dropout(Operation):
    """x with a share `rate` of its elements set to 0 and the rest scaled up; and which were kept.

    Element i is kept where 16-bit lane i of the draw is below k = round((1 - rate) * 65536); kept elements
    are scaled by 65536 / k (Srivastava et al. 2014, inverted).
    """

    rate: float
    seed: int
    stream: int
    n_outputs = 2
    overwrites = ((0, 0),)

    def infer(self, x: Spec, step: Spec) -> tuple[Spec, Spec]:
        require_float(x, "Dropout")
        return x, x.with_dtype("bool")

    def vjp(self, ct: Gradients, out: Sequence[Value], x: Value, step: Value) -> Gradients:
        return (apply(DropoutGrad(self.rate), ct[0], out[1]) if ct[0] is not None else None), None

    def scratch(self, x: Spec, step: Spec) -> tuple[Spec, ...]:
        return (Spec((x.size,), "uint16"),)

    def compute(self, xp: Any, out: Any, x: Any, step: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        (y, keep), (lanes,) = out, scratch
        threshold, scale = philox.keep_threshold(self.rate)
        philox.fill_lanes(lanes, self.seed, self.stream, int(step))
        xp.less(lanes.reshape(keep.shape), threshold, out=keep)
        xp.multiply(x, scale, out=y)
        xp.multiply(y, keep, out=y)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(rate: float) -> Any:
            def run(x: np.ndarray, step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
                raw = philox.words(7, 11, int(step), -(-x.size // 4))
                lanes = [int(w) >> shift & 0xFFFF for w in raw for shift in (0, 16, 32, 48)][: x.size]
                k = int((1 - rate) * 65536 + 0.5)
                keep = np.array([lane < k for lane in lanes], bool).reshape(x.shape)
                return np.where(keep, x * 65536 / k, 0.0), keep

            return run

        cases = [(0.1, (3, 5)), (0.5, (0, 2)), (0.25, (1,)), (0.5, (70001,))]
        return [Sample(cls(r, 7, 11), (Spec(s), _STEP), reference(r), label=f"{r} {s}") for r, s in cases]


class DropoutGrad(Operation):
    """ct where kept, scaled as in the forward pass, else 0."""

    rate: float
    overwrites = ((0, 0),)

    def infer(self, ct: Spec, keep: Spec) -> Spec:
        return ct

    def vjp(self, ct2: Value, out: Value, ct: Value, keep: Value) -> Gradients:
        return apply(self, ct2, keep), None

    def compute(self, xp: Any, out: Any, ct: Any, keep: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        xp.multiply(ct, philox.keep_threshold(self.rate)[1], out=out)
        xp.multiply(out, keep, out=out)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        keep = np.arange(15).reshape(3, 5) % 4 > 0

        def reference(ct: np.ndarray, keep: np.ndarray) -> np.ndarray:
            return np.where(keep, ct / 0.75, 0.0)

        return [Sample(cls(0.25), (Spec(s), keep[: s[0]]), reference, label=str(s)) for s in [(3, 5), (0, 5)]]


class _Draw(Operation):
    """Fresh random numbers of a given shape."""

    shape: tuple[int, ...]
    dtype: str
    seed: int
    stream: int

    def infer(self, step: Spec) -> Spec:
        return Spec(self.shape, self.dtype)

    def vjp(self, ct: Value, out: Value, step: Value) -> Gradients:
        return (None,)


class RandomUniform(_Draw):
    """Uniform in [0, 1): the upper 53 bits of a word each."""

    def compute(self, xp: Any, out: Any, step: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        raw = philox.words(self.seed, self.stream, int(step), out.size)
        # Rounding to a narrower float could give 1; the largest value below it stays in the interval.
        top = np.nextafter(out.dtype.type(1), out.dtype.type(0))
        out[...] = xp.asarray(np.minimum(philox.uniform64(raw).astype(out.dtype), top)).reshape(out.shape)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(step: np.ndarray) -> np.ndarray:
            return np.array([(int(w) >> 11) / 2.0**53 for w in philox.words(5, 6, int(step), 12)]).reshape(
                3, 4
            )

        return [Sample(cls((3, 4), "float64", 5, 6), (_STEP,), reference)]


class RandomNormal(_Draw):
    """Standard normal, by the Box-Muller formula on pairs of words."""

    def compute(self, xp: Any, out: Any, step: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        raw = philox.words(self.seed, self.stream, int(step), out.size + out.size % 2)
        out[...] = xp.asarray(philox.normal64(raw)[: out.size]).reshape(out.shape)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(step: np.ndarray) -> np.ndarray:
            raw = philox.words(5, 6, int(step), 16).reshape(-1, 2)
            u, v = (raw[:, 0] >> 11) / 2.0**53 + 2.0**-53, (raw[:, 1] >> 11) / 2.0**53
            both = (
                np.stack([np.cos(2 * np.pi * v), np.sin(2 * np.pi * v)], 1) * np.sqrt(-2 * np.log(u))[:, None]
            )
            return both.reshape(-1)[:15].reshape(3, 5)

        return [Sample(cls((3, 5), "float64", 5, 6), (_STEP,), reference)]


# ---------------------------------------------------------------------------------------- public functions


def draw_source(seed: Any, what: str) -> tuple[int, int, Any]:
    """(seed, stream, step) of the next draw: of the traced model, or of the process outside of one."""
    number = getattr(seed, "seed", seed)
    chosen = config.seed() if number is None else int(number)
    trace = current_trace()
    if trace is None:
        return (
            chosen,
            philox.next_stream() if number is None else philox.stream_id(what),
            np.array(0, np.int64),
        )
    stream = philox.stream_id(f"{what}/{trace.stream_path()}")
    return chosen, stream, trace.step(seeded=number is not None)


def dropout(inputs: Any, rate: float, noise_shape: Any = None, seed: Any = None) -> Any:
    """Set a share `rate` of the elements to 0 and scale the others by about 1 / (1 - rate).

    Args:
        inputs: floats of any shape.
        rate: share to drop, 0 <= rate < 1 (1 gives zeros).
        noise_shape: shape of the mask, broadcast to the inputs; None means the inputs' own.
        seed: an int or SeedGenerator; None means the configured seed.
    """
    x = convert(inputs)
    rate = float(rate)
    if not 0 <= rate <= 1:
        raise ValueError(explain("A dropout rate is a share.", expected="0 <= rate <= 1", received=rate))
    if rate == 0:
        return x
    if rate == 1:
        return multiply(x, 0.0)
    chosen, stream, step = draw_source(seed, "dropout")
    op = Dropout(rate, chosen, stream)
    if noise_shape is None:
        return apply(op, x, step)[0]
    known = spec_of(x)
    shape = tuple(known.shape[i] if n is None else n for i, n in enumerate(noise_shape))
    if None in shape:
        return x  # only the shape matters while sizes are unknown
    return multiply(x, apply(op, constant(np.ones(shape, known.dtype)), step)[0])


def random_uniform(
    shape: tuple[int, ...],
    minval: float = 0.0,
    maxval: float = 1.0,
    dtype: str | None = None,
    seed: Any = None,
) -> Any:
    """Uniform numbers in [minval, maxval), drawn anew in each step of a traced model.

    Args:
        shape: of the result, all sizes known.
        minval, maxval: the ends.
        dtype: default `config.floatx()`.
        seed: an int or SeedGenerator; None means the configured seed.
    """
    chosen, stream, step = draw_source(seed, "uniform")
    unit = apply(RandomUniform(_known(shape), dtype or config.floatx(), chosen, stream), step)
    return unit * (maxval - minval) + minval


def random_normal(
    shape: tuple[int, ...], mean: float = 0.0, stddev: float = 1.0, dtype: str | None = None, seed: Any = None
) -> Any:
    """Normal numbers, drawn anew in each step of a traced model.

    Args:
        shape: of the result, all sizes known.
        mean, stddev: of the distribution.
        dtype: default `config.floatx()`.
        seed: an int or SeedGenerator; None means the configured seed.
    """
    chosen, stream, step = draw_source(seed, "normal")
    return apply(RandomNormal(_known(shape), dtype or config.floatx(), chosen, stream), step) * stddev + mean


def _known(shape: Any) -> tuple[int, ...]:
    if any(not isinstance(n, int | np.integer) for n in shape):
        raise GraphError(explain("A random draw needs known sizes.", received=tuple(shape)))
    return tuple(int(n) for n in shape)
