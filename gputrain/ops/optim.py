"""Operations of an optimizer step over flat gradients and slots.

`Pack` joins the gradients of all trainable variables into one flat vector; the planner lets the
operations that make them write straight into it. An update is one operation over the whole of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gputrain.errors import ShapeError, explain
from gputrain.ir import Spec, Value
from gputrain.ops.base import Operation, Sample, apply

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

BLOCK = 16384  # elements a pass works on at once, so that all its operands stay in cache

Sizes = tuple[int, ...]


def _flat(array: Any) -> Any:
    return array.reshape(-1)


class Pack(Operation):
    """All inputs, flattened, one after the other; those that lie inside the output already are not moved."""

    def infer(self, *specs: Spec) -> Spec:
        if len({s.dtype for s in specs}) != 1:
            raise ShapeError(explain("Pack needs inputs of one dtype.", received=[str(s) for s in specs]))
        return Spec((sum(s.size for s in specs),), specs[0].dtype)

    def vjp(self, ct: Value, out: Value, *inputs: Value) -> Sequence[Value]:
        from gputrain.ops.shape import reshape

        ends = np.cumsum([v.spec.size for v in inputs])
        return [
            reshape(ct[int(e) - v.spec.size : int(e)], v.spec.dims) for e, v in zip(ends, inputs, strict=True)
        ]

    def compute(self, xp: Any, out: Any, *inputs: Any, scratch: tuple[Any, ...] = ()) -> None:
        start = 0
        for x in inputs:
            part = out[start : start + x.size]
            if not xp.may_share_memory(part, x):
                xp.copyto(part, _flat(x))
            start += x.size

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(*xs: np.ndarray) -> np.ndarray:
            return np.concatenate([x.ravel() for x in xs])

        return [
            Sample(cls(), (Spec((2, 3)), Spec(()), Spec((0,)), Spec((4,))), reference),
            Sample(cls(), (Spec((5,)),), reference),
        ]


class AllFinite(Operation):
    """True where no element of any input is NaN or infinite."""

    def infer(self, *specs: Spec) -> Spec:
        return Spec((), "bool")

    def vjp(self, ct: Value, out: Value, *inputs: Value) -> Sequence[None]:
        return [None] * len(inputs)

    def scratch(self, *specs: Spec) -> tuple[Spec, ...]:
        return (Spec((BLOCK,), "bool"),)

    def compute(self, xp: Any, out: Any, *inputs: Any, scratch: tuple[Any, ...] = ()) -> None:
        out[...] = True
        for x in inputs:
            flat = _flat(x)
            for start in range(0, flat.size, BLOCK):
                block = flat[start : start + BLOCK]
                flags = scratch[0][: block.size]
                xp.isfinite(block, out=flags)
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
        start = 0
        for i, size in enumerate(self.sizes):
            part = flat[start : start + size]
            out[i] = xp.dot(part, part)
            start += size
        if self.together:
            out[...] = out.sum()
        xp.sqrt(out, out=out)
        xp.maximum(out, self.limit, out=out)
        xp.divide(self.limit, out, out=out)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(together: bool) -> Any:
            def run(flat: np.ndarray) -> np.ndarray:
                parts = [flat[:3], flat[3:8], flat[8:]]
                norms = [math.sqrt(float((p * p).sum())) for p in parts]
                if together:
                    norms = [math.sqrt(sum(n * n for n in norms))] * 3
                return np.array([min(1.0, 1.5 / n) if n else 1.0 for n in norms])

            return run

        sizes = (3, 5, 1)
        return [
            Sample(
                cls(sizes, 1.5, together),
                (Spec((9,)),),
                reference(together),
                differentiable=(),
                label=str(together),
            )
            for together in (False, True)
        ]


class ScaleSegments(Operation):
    """Each segment of a flat vector times its own factor."""

    sizes: Sizes
    overwrites = ((0, 0),)

    def infer(self, flat: Spec, factors: Spec) -> Spec:
        return flat

    def vjp(self, ct: Value, out: Value, flat: Value, factors: Value) -> Sequence[Value | None]:
        return apply(ScaleSegments(self.sizes), ct, factors), None

    def compute(self, xp: Any, out: Any, flat: Any, factors: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        start = 0
        for i, size in enumerate(self.sizes):
            part = slice(start, start + size)
            xp.multiply(flat[part], factors[i : i + 1], out=out[part])
            start += size

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(flat: np.ndarray, factors: np.ndarray) -> np.ndarray:
            return flat * np.repeat(factors, [3, 5, 1])

        return [Sample(cls((3, 5, 1)), (Spec((9,)), Spec((3,))), reference, differentiable=(0,))]


# ------------------------------------------------------------------------------------------------- updates


class _Update:
    """One optimizer step.

    From (flag, rate, step, gradient, slots..., variables...) to (slots..., variables...).

    `step` is the number of this step, counted from 1.

    `gradient` and slots are flat, of the variables' total length. Where the flag does not hold, nothing
    changes. `decay` says which variables weight decay applies to (decoupled: w -= w * rate * weight_decay).
    Subclasses write the arithmetic of one block in `block`.
    """

    guarded = True

    sizes: Sizes
    decay: tuple[bool, ...]
    weight_decay: float
    workspaces: int = 2

    @property
    def slots(self) -> int:
        raise NotImplementedError

    @property
    def n_outputs(self) -> int:
        return self.slots + len(self.sizes)

    @property
    def overwrites(self) -> tuple[tuple[int, int], ...]:
        return tuple((i, 4 + i) for i in range(self.n_outputs))

    def infer(
        self, flag: Spec, rate: Spec, step: Spec, gradient: Spec, *states: Spec
    ) -> tuple[Spec, ...]:
        if gradient.size != sum(self.sizes):
            raise ShapeError(
                explain(
                    "An update needs one gradient element per weight.",
                    expected=sum(self.sizes),
                    received=gradient,
                )
            )
        return states

    def vjp(self, ct: Any, out: Any, *inputs: Value) -> Sequence[None]:
        return [None] * len(inputs)

    def scratch(
        self, flag: Spec, rate: Spec, step: Spec, gradient: Spec, *states: Spec
    ) -> tuple[Spec, ...]:
        return (Spec((self.workspaces, BLOCK), gradient.dtype),)

    def compute(
        self,
        xp: Any,
        out: Any,
        flag: Any,
        rate: Any,
        step: Any,
        gradient: Any,
        *states: Any,
        scratch: Any = (),
    ) -> None:
        outs = out if isinstance(out, tuple) else (out,)
        for target, old in zip(outs, states, strict=True):
            if target is not old:
                xp.copyto(target, old)
        if not flag:
            return
        scalars = self.scalars(float(rate), int(step))
        for part, start, stop, decays in self.table():
            weights = _flat(outs[self.slots + part])
            for first in range(start, stop, BLOCK):
                last = min(first + BLOCK, stop)
                w = weights[first - start : last - start]
                if decays:
                    xp.multiply(w, self.kept(float(rate)), out=w)
                slots = [s[first:last] for s in outs[: self.slots]]
                work = [scratch[0][i, : last - first] for i in range(self.workspaces)]
                self.block(xp, scalars, w, gradient[first:last], slots, work)

    def table(self) -> list[tuple[int, int, int, bool]]:
        """(variable, first element, last element, weight decay applies) of each variable."""
        ends = np.cumsum(self.sizes, dtype=np.int64)
        return [
            (i, int(e) - n, int(e), bool(d and self.weight_decay))
            for i, (e, n, d) in enumerate(zip(ends, self.sizes, self.decay, strict=True))
        ]

    def kept(self, rate: float) -> float:
        """Share of a decaying weight that a step keeps."""
        return 1.0 - rate * self.weight_decay

    def scalars(self, rate: float, step: int) -> Any:
        """What `block` needs of learning rate and step number (from 1)."""
        return rate

    def block(self, xp: Any, scalars: Any, w: Any, g: Any, slots: list[Any], work: list[Any]) -> None:
        """Update weights and slots in place, all of one block; `work` is workspace."""
        raise NotImplementedError


def _case(op: Any, reference: Any, steps: int = 4, label: str = "") -> Sample:
    """A sample: flag set, rate 0.1, the step after `steps` others, positive second moments."""
    inputs: list[Any] = [
        np.array(True),
        np.array(0.1),
        np.array(steps + 1, np.int64),
        Spec((sum(op.sizes),)),
    ]
    inputs += [Spec((sum(op.sizes),))] * op.slots + [Spec((n,)) for n in op.sizes]

    def run(flag: Any, rate: Any, step: Any, g: Any, *states: Any) -> Any:
        w = np.concatenate(states[op.slots :])
        if op.weight_decay:
            w = w * (1 - rate * op.weight_decay * np.repeat(op.decay, op.sizes))
        slots, w = reference(float(rate), steps + 1, g, list(states[: op.slots]), w)
        return (*slots, *np.split(w, np.cumsum(op.sizes)[:-1]))

    return Sample(op, tuple(inputs), run, 0.1, 1.0, differentiable=(), label=label)


class SGDUpdate(_Update, Operation):
    """w -= rate * g; with momentum v = momentum * v - rate * g and w += v, or Nesterov's look-ahead."""

    sizes: Sizes
    decay: tuple[bool, ...]
    weight_decay: float = 0.0
    momentum: float = 0.0
    nesterov: bool = False
    workspaces = 1

    @property
    def slots(self) -> int:
        return 1 if self.momentum else 0

    def block(self, xp: Any, rate: float, w: Any, g: Any, slots: list[Any], work: list[Any]) -> None:
        (step,) = work
        xp.multiply(g, rate, out=step)
        if not self.momentum:
            xp.subtract(w, step, out=w)
            return
        (v,) = slots
        xp.multiply(v, self.momentum, out=v)
        xp.subtract(v, step, out=v)
        if self.nesterov:
            xp.subtract(w, step, out=w)
            xp.multiply(v, self.momentum, out=step)
            xp.add(w, step, out=w)
        else:
            xp.add(w, v, out=w)

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

    def block(self, xp: Any, rate: float, w: Any, g: Any, slots: list[Any], work: list[Any]) -> None:
        square, step = work
        velocity = slots[0]
        _decayed_mean(xp, velocity, xp.multiply(g, g, out=square), self.rho)
        if self.centered:
            average = slots[-1]
            xp.copyto(step, g)
            _decayed_mean(xp, average, step, self.rho)
            xp.multiply(average, average, out=square)
            xp.subtract(velocity, square, out=square)
            xp.add(square, self.epsilon, out=square)
        else:
            xp.add(velocity, self.epsilon, out=square)
        xp.sqrt(square, out=square)
        xp.multiply(g, rate, out=step)
        xp.divide(step, square, out=step)
        if self.momentum:
            m = slots[1]
            xp.multiply(m, self.momentum, out=m)
            step = xp.add(m, step, out=m)
        xp.subtract(w, step, out=w)

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
        op = cls((4,), (True,), 0.0, momentum=0.5, centered=True)
        arrays = [np.array(True), np.array(0.1), np.array(1, np.int64), np.linspace(-1, 1, 4)]
        arrays += [np.full(4, 2.0), np.full(4, 0.1), np.full(4, 0.2), np.linspace(0, 1, 4)]
        centered = _case(op, reference(op)).reference
        return [*found, Sample(op, tuple(arrays), centered, differentiable=(), label="centered")]


def _decayed_mean(xp: Any, mean: Any, new: Any, keep: float) -> None:
    """mean = keep * mean + (1 - keep) * new; `new` is overwritten."""
    xp.multiply(mean, keep, out=mean)
    xp.multiply(new, 1.0 - keep, out=new)
    xp.add(mean, new, out=mean)


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

    def scalars(self, rate: float, step: int) -> float:
        return rate * math.sqrt(1 - self.beta_2**step) / (1 - self.beta_1**step)

    def block(self, xp: Any, rate: float, w: Any, g: Any, slots: list[Any], work: list[Any]) -> None:
        m, v = slots[:2]
        change, root = work
        xp.subtract(g, m, out=change)
        xp.multiply(change, 1 - self.beta_1, out=change)
        xp.add(m, change, out=m)
        xp.multiply(g, g, out=change)
        xp.subtract(change, v, out=change)
        xp.multiply(change, 1 - self.beta_2, out=change)
        xp.add(v, change, out=v)
        if self.amsgrad:
            v = xp.maximum(slots[2], v, out=slots[2])
        xp.sqrt(v, out=root)
        xp.add(root, self.epsilon, out=root)
        xp.divide(m, root, out=root)
        xp.multiply(root, rate, out=root)
        xp.subtract(w, root, out=w)

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
