"""Operations of an optimizer step over flat gradients and slots.

`Pack` joins the gradients of all trainable variables into one flat vector; the planner lets the
operations that make them write straight into it. An update is one operation over the whole of it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gputrain.errors import ShapeError, explain
from gputrain.ir import Spec, Value
from gputrain.ops.base import Operation, Sample, apply
from gputrain.ops.movement import reshape

__all__ = [
    "AdamUpdate",
    "AllFinite",
    "ClipFactors",
    "Gate",
    "Pack",
    "RMSpropUpdate",
    "SGDUpdate",
    "ScaleSegments",
]

ALIGNED = 8  # elements: a segment of a flat vector starts at a multiple, 16 bytes or more in any float dtype

Sizes = tuple[int, ...]


def _flat(array: Any) -> Any:
    return array.reshape(-1)


def segments(sizes: Sequence[int]) -> list[slice]:
    """Where arrays of these sizes lie in a flat vector. What lies between them is padding.

    Example:
        >>> segments([3, 8, 1])
        [slice(0, 3, None), slice(8, 16, None), slice(16, 17, None)]
    """
    starts = itertools.accumulate((-(-size // ALIGNED) * ALIGNED for size in sizes), initial=0)
    return [slice(start, start + size) for start, size in zip(starts, sizes, strict=False)]


def spans(sizes: Sequence[int]) -> list[slice]:
    """The segments, each with the padding that follows it."""
    places = segments(sizes)
    ends = [*(place.start for place in places[1:]), *(place.stop for place in places[-1:])]
    return [slice(place.start, end) for place, end in zip(places, ends, strict=True)]


def gaps(sizes: Sequence[int]) -> list[slice]:
    """Where the padding of a flat vector lies."""
    ends = [(place.stop, span.stop) for place, span in zip(segments(sizes), spans(sizes), strict=True)]
    return [slice(stop, end) for stop, end in ends if stop < end]


def flat_size(sizes: Sequence[int]) -> int:
    """Elements of a flat vector of arrays of these sizes, padding included."""
    return segments(sizes)[-1].stop if sizes else 0


class Pack(Operation):
    """All inputs, flattened, in `segments` of one vector, with zeros between them.

    Inputs that lie inside the output already are not moved.
    """

    def infer(self, *specs: Spec) -> Spec:
        if len({s.dtype for s in specs}) != 1:
            raise ShapeError(explain("Pack needs inputs of one dtype.", received=[str(s) for s in specs]))
        return Spec((flat_size([s.size for s in specs]),), specs[0].dtype)

    def vjp(self, ct: Value, out: Value, *inputs: Value) -> Sequence[Value]:
        places = segments([v.spec.size for v in inputs])
        return [reshape(ct[place], v.spec.dims) for place, v in zip(places, inputs, strict=True)]

    def compute(self, xp: Any, out: Any, *inputs: Any, scratch: tuple[Any, ...] = ()) -> None:
        sizes = [x.size for x in inputs]
        for place, x in zip(segments(sizes), inputs, strict=True):
            if not xp.may_share_memory(out[place], x):
                xp.copyto(out[place], _flat(x))
        for gap in gaps(sizes):
            out[gap] = 0

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(*xs: np.ndarray) -> np.ndarray:
            rows = [np.append(x.ravel(), np.zeros(-x.size % 8)) for x in xs[:-1]]
            return np.concatenate([*rows, xs[-1].ravel()])

        return [
            Sample(cls(), (Spec((2, 3)), Spec(()), Spec((0,)), Spec((4, 4)), Spec((9,))), reference),
            Sample(cls(), (Spec((5,)),), reference),
            Sample(cls(), (Spec((3, 5)), Spec((0,))), reference),
        ]


class AllFinite(Operation):
    """True where no element of any input is NaN or infinite."""

    def infer(self, *specs: Spec) -> Spec:
        return Spec((), "bool")

    def vjp(self, ct: Value, out: Value, *inputs: Value) -> Sequence[None]:
        return [None] * len(inputs)

    def scratch(self, *specs: Spec) -> tuple[Spec, ...]:
        return (Spec((max((s.size for s in specs), default=0),), "bool"),)

    def compute(self, xp: Any, out: Any, *inputs: Any, scratch: tuple[Any, ...] = ()) -> None:
        out[...] = True
        for x in inputs:
            flags = xp.isfinite(_flat(x), out=scratch[0][: x.size])
            xp.logical_and(out, flags.all(), out=out)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(*xs: np.ndarray) -> bool:
            return all(math.isfinite(v) for x in xs for v in x.ravel())

        bad = np.zeros(70001)
        bad[-1] = np.inf
        nan = np.array([[1.0, np.nan]])
        return [
            Sample(cls(), (Spec((3, 4)), Spec(())), reference),
            Sample(cls(), (Spec((0,)),), reference),
            Sample(cls(), (Spec((3,)), bad), reference, label="inf"),
            Sample(cls(), (nan,), reference, label="nan"),
        ]


class Gate(Operation):
    """New states where the flag holds, old ones where it does not: (flag, new..., old...) to states."""

    count: int

    @property
    def n_outputs(self) -> int:
        return self.count

    @property
    def overwrites(self) -> tuple[tuple[int, int], ...]:
        return tuple((i, 1 + self.count + i) for i in range(self.count))

    def infer(self, flag: Spec, *specs: Spec) -> tuple[Spec, ...]:
        return specs[self.count :]

    def vjp(self, ct: Any, out: Any, *inputs: Value) -> Sequence[None]:
        return [None] * len(inputs)

    def compute(self, xp: Any, out: Any, flag: Any, *states: Any, scratch: tuple[Any, ...] = ()) -> None:
        outs = out if self.count > 1 else (out,)
        for target, new, old in zip(outs, states[: self.count], states[self.count :], strict=True):
            if target is not old:
                xp.copyto(target, old)
            xp.copyto(target, new, where=flag)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(flag: np.ndarray, *xs: np.ndarray) -> Any:
            half = len(xs) // 2
            picked = xs[:half] if flag else xs[half:]
            return picked if half > 1 else picked[0]

        pair = (Spec((3,)), Spec(()), Spec((3,)), Spec(()))
        return [
            Sample(cls(2), (np.array(True), *pair), reference, differentiable=()),
            Sample(cls(2), (np.array(False), *pair), reference, differentiable=()),
            Sample(cls(1), (np.array(True), Spec((0,)), Spec((0,))), reference, differentiable=()),
        ]


# ------------------------------------------------------------------------------------------------ clipping


class ClipFactors(Operation):
    """One factor per segment of a flat gradient, so that norms stay within `limit`.

    Each variable's own norm counts (clipnorm), or with `together` the norm of all (global_clipnorm;
    Pascanu et al. 2013): factor = limit / max(norm, limit).
    """

    sizes: Sizes
    limit: float
    together: bool

    def infer(self, flat: Spec) -> Spec:
        return Spec((len(self.sizes),), flat.dtype)

    def vjp(self, ct: Value, out: Value, flat: Value) -> Sequence[None]:
        return (None,)

    def compute(self, xp: Any, out: Any, flat: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        for i, place in enumerate(segments(self.sizes)):
            out[i] = xp.dot(flat[place], flat[place])
        self.limited(xp, out)

    def limited(self, xp: Any, squares: Any) -> None:
        """From the sum of squares of each segment to its factor, in place."""
        if self.together:
            squares[...] = squares.sum()
        xp.sqrt(squares, out=squares)
        xp.maximum(squares, self.limit, out=squares)
        xp.divide(self.limit, squares, out=squares)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(together: bool) -> Any:
            def run(flat: np.ndarray) -> np.ndarray:
                parts = [flat[:3], flat[8:13], flat[16:17]]
                norms = [math.sqrt(float((p * p).sum())) for p in parts]
                if together:
                    norms = [math.sqrt(sum(n * n for n in norms))] * 3
                return np.array([min(1.0, 1.5 / n) if n else 1.0 for n in norms])

            return run

        sizes = (3, 5, 1)
        return [
            Sample(
                cls(sizes, 1.5, together),
                (Spec((17,)),),
                reference(together),
                differentiable=(),
                label=str(together),
            )
            for together in (False, True)
        ]


class ScaleSegments(Operation):
    """Each segment of a flat vector, and the padding after it, times its own factor."""

    sizes: Sizes
    overwrites = ((0, 0),)

    def infer(self, flat: Spec, factors: Spec) -> Spec:
        return flat

    def vjp(self, ct: Value, out: Value, flat: Value, factors: Value) -> Sequence[Value | None]:
        return apply(ScaleSegments(self.sizes), ct, factors), None

    def compute(self, xp: Any, out: Any, flat: Any, factors: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        for i, place in enumerate(spans(self.sizes)):
            xp.multiply(flat[place], factors[i : i + 1], out=out[place])

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(flat: np.ndarray, factors: np.ndarray) -> np.ndarray:
            return flat * np.repeat(factors, [8, 16, 1])

        return [Sample(cls((3, 9, 1)), (Spec((25,)), Spec((3,))), reference, differentiable=(0,))]


# ------------------------------------------------------------------------------------------------- updates


class _Update:
    """One optimizer step.

    From (flag, rate, step, gradient, slots..., variables...) to (slots..., variables...).

    `step` is the number of this step, counted from 1.

    `gradient` and slots are flat, in the variables' `segments`. Where the flag does not hold, nothing
    changes. `decay` says which variables weight decay applies to (decoupled: w -= w * rate * weight_decay).
    Subclasses write the arithmetic in `rule`; a device's kernels do the same faster.
    """

    guarded = True

    sizes: Sizes
    decay: tuple[bool, ...]
    weight_decay: float

    @property
    def slots(self) -> int:
        raise NotImplementedError

    @property
    def n_outputs(self) -> int:
        return self.slots + len(self.sizes)

    @property
    def overwrites(self) -> tuple[tuple[int, int], ...]:
        return tuple((i, 4 + i) for i in range(self.n_outputs))

    def infer(self, flag: Spec, rate: Spec, step: Spec, gradient: Spec, *states: Spec) -> tuple[Spec, ...]:
        if gradient.size != flat_size(self.sizes):
            raise ShapeError(
                explain(
                    "An update needs one gradient element per weight, each variable's from a multiple of "
                    f"{ALIGNED} on.",
                    expected=flat_size(self.sizes),
                    received=gradient,
                )
            )
        return states

    def vjp(self, ct: Any, out: Any, *inputs: Value) -> Sequence[None]:
        return [None] * len(inputs)

    def compute(
        self, xp: Any, out: Any, flag: Any, rate: Any, step: Any, gradient: Any, *states: Any,
        scratch: Any = (),
    ) -> None:  # fmt: skip
        outs = out if isinstance(out, tuple) else (out,)
        for target, old in zip(outs, states, strict=True):
            if target is not old:
                xp.copyto(target, old)
        if not flag:
            return
        size = self.step_size(float(rate), int(step))
        for number, place, decays in self.table():
            w = _flat(outs[self.slots + number])
            slots = [slot[place] for slot in outs[: self.slots]]
            kept = w * self.kept(float(rate)) if decays else w
            new = self.rule(xp, size, kept, gradient[place], *slots)
            for target, values in zip((w, *slots), new, strict=True):
                xp.copyto(target, values)

    def table(self) -> list[tuple[int, slice, bool]]:
        """(variable, its place in the flat vectors, whether weight decay applies) of each variable."""
        rows = enumerate(zip(segments(self.sizes), self.decay, strict=True))
        return [(number, place, bool(decays and self.weight_decay)) for number, (place, decays) in rows]

    def kept(self, rate: float) -> float:
        """Share of a decaying weight that a step keeps."""
        return 1.0 - rate * self.weight_decay

    def step_size(self, rate: float, step: int) -> float:
        """The learning rate, corrected for the number of this step where the rule asks for it."""
        return rate

    def rule(self, xp: Any, rate: float, w: Any, g: Any, *slots: Any) -> tuple[Any, ...]:
        """New weights and new slots of a variable."""
        raise NotImplementedError


def _case(op: Any, reference: Any, steps: int = 4, label: str = "") -> Sample:
    """A sample: flag set, rate 0.1, the step after `steps` others, positive second moments."""
    flat = Spec((flat_size(op.sizes),))
    numbers = [np.array(True), np.array(0.1), np.array(steps + 1, np.int64)]
    states = [*[flat] * op.slots, *(Spec((n,)) for n in op.sizes)]
    inside = np.concatenate([np.arange(s.start, s.stop) for s in segments(op.sizes)])

    def run(flag: Any, rate: Any, step: Any, g: Any, *states: Any) -> Any:
        w = np.concatenate(states[op.slots :])
        if op.weight_decay:
            w = w * (1 - rate * op.weight_decay * np.repeat(op.decay, op.sizes))
        slots = [s.copy() for s in states[: op.slots]]
        new, w = reference(float(rate), steps + 1, g[inside], [s[inside] for s in slots], w)
        for slot, values in zip(slots, new, strict=True):
            slot[inside] = values
        return (*slots, *np.split(w, np.cumsum(op.sizes)[:-1]))

    return Sample(op, (*numbers, flat, *states), run, 0.1, 1.0, differentiable=(), label=label)


class SGDUpdate(_Update, Operation):
    """w -= rate * g; with momentum v = momentum * v - rate * g and w += v, or Nesterov's look-ahead."""

    sizes: Sizes
    decay: tuple[bool, ...]
    weight_decay: float = 0.0
    momentum: float = 0.0
    nesterov: bool = False

    @property
    def slots(self) -> int:
        return 1 if self.momentum else 0

    def rule(self, xp: Any, rate: float, w: Any, g: Any, *slots: Any) -> tuple[Any, ...]:
        if not self.momentum:
            return (w - rate * g,)
        v = self.momentum * slots[0] - rate * g
        return (w + self.momentum * v - rate * g if self.nesterov else w + v), v

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(momentum: float, nesterov: bool) -> Any:
            def run(rate: float, step: int, g: Any, slots: Any, w: Any) -> Any:
                if not momentum:
                    return [], w - rate * g
                v = momentum * slots[0] - rate * g
                return [v], w + (momentum * v - rate * g if nesterov else v)

            return run

        sizes, decay = (3, 20000, 1), (True, False, True)
        ops = [cls(sizes, decay, 0.01), cls(sizes, decay, 0.0, 0.9), cls(sizes, decay, 0.0, 0.9, True)]
        return [
            _case(op, reference(op.momentum, op.nesterov), label=f"{op.momentum} {op.nesterov}") for op in ops
        ]


class RMSpropUpdate(_Update, Operation):
    """w -= rate * g / sqrt(mean square + eps), optionally centered, with momentum (Hinton 2012)."""

    sizes: Sizes
    decay: tuple[bool, ...]
    weight_decay: float = 0.0
    rho: float = 0.9
    momentum: float = 0.0
    epsilon: float = 1e-7
    centered: bool = False

    @property
    def slots(self) -> int:
        return 1 + bool(self.momentum) + bool(self.centered)

    def rule(self, xp: Any, rate: float, w: Any, g: Any, *slots: Any) -> tuple[Any, ...]:
        square = self.rho * slots[0] + (1.0 - self.rho) * g * g
        new, variance = [square], square
        if self.centered:
            mean = self.rho * slots[-1] + (1.0 - self.rho) * g
            variance = square - mean * mean
        change = rate * g / xp.sqrt(variance + self.epsilon)
        if self.momentum:
            change = self.momentum * slots[1] + change
            new.append(change)
        return w - change, *new, *([mean] if self.centered else [])

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(op: RMSpropUpdate) -> Any:
            def run(rate: float, step: int, g: Any, slots: Any, w: Any) -> Any:
                v = op.rho * slots[0] + (1 - op.rho) * g * g
                out, denominator = [v], v + op.epsilon
                change = g * rate
                if op.centered:
                    a = op.rho * slots[-1] + (1 - op.rho) * g
                    denominator = denominator - a * a
                change = change / np.sqrt(denominator)
                if op.momentum:
                    change = op.momentum * slots[1] + change
                    out.append(change)
                return [*out, a] if op.centered else out, w - change

            return run

        sizes, decay = (3, 20000, 1), (True, False, True)
        plain = [cls(sizes, decay, 0.01), cls(sizes, decay, momentum=0.9)]
        found = [_case(op, reference(op), label=str(op.momentum)) for op in plain]
        # A centered second moment must exceed the square of the mean, as it does in training.
        op = cls((8,), (True,), 0.0, momentum=0.5, centered=True)
        arrays = [np.array(True), np.array(0.1), np.array(1, np.int64), np.linspace(-1, 1, 8)]
        arrays += [np.full(8, 2.0), np.full(8, 0.1), np.full(8, 0.2), np.linspace(0, 1, 8)]
        centered = _case(op, reference(op)).reference
        return [*found, Sample(op, tuple(arrays), centered, differentiable=(), label="centered")]


class AdamUpdate(_Update, Operation):
    """Adam (Kingma & Ba 2015): moments m, v; w -= rate_t * m / (sqrt(v) + eps), bias-corrected rate_t.

    rate_t = rate * sqrt(1 - beta_2^t) / (1 - beta_1^t). With amsgrad the largest v so far divides.
    """

    sizes: Sizes
    decay: tuple[bool, ...]
    weight_decay: float = 0.0
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    amsgrad: bool = False

    @property
    def slots(self) -> int:
        return 3 if self.amsgrad else 2

    def step_size(self, rate: float, step: int) -> float:
        return rate * math.sqrt(1 - self.beta_2**step) / (1 - self.beta_1**step)

    def rule(self, xp: Any, rate: float, w: Any, g: Any, *slots: Any) -> tuple[Any, ...]:
        m = slots[0] + (1.0 - self.beta_1) * (g - slots[0])
        v = slots[1] + (1.0 - self.beta_2) * (g * g - slots[1])
        largest = xp.maximum(slots[2], v) if self.amsgrad else v
        w = w - rate * m / (xp.sqrt(largest) + self.epsilon)
        return w, m, v, *([largest] if self.amsgrad else [])

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(op: AdamUpdate) -> Any:
            def run(rate: float, step: int, g: Any, slots: Any, w: Any) -> Any:
                m = op.beta_1 * slots[0] + (1 - op.beta_1) * g
                v = op.beta_2 * slots[1] + (1 - op.beta_2) * g * g
                top = np.maximum(slots[2], v) if op.amsgrad else v
                corrected = rate * math.sqrt(1 - op.beta_2**step) / (1 - op.beta_1**step)
                new = w - corrected * m / (np.sqrt(top) + op.epsilon)
                return ([m, v, top] if op.amsgrad else [m, v]), new

            return run

        sizes, decay = (3, 20000, 1), (True, False, True)
        ops = [cls(sizes, decay), cls(sizes, decay, 0.01), cls(sizes, decay, amsgrad=True)]
        return [_case(op, reference(op), label=f"{op.weight_decay} {op.amsgrad}") for op in ops]
