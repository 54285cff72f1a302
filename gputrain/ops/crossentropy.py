"""Softmax and the crossentropies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gputrain import config
from gputrain.errors import ShapeError, explain
from gputrain.ir import Spec, Value, is_float, normalize_axes, normalize_axis
from gputrain.ops.base import Operation, Sample, apply, cast, convert, harmonize, require_float, spec_of
from gputrain.ops.comparison import equal, greater_equal, less_equal, logical_and
from gputrain.ops.elementwise import (
    add,
    clip,
    divide,
    exp,
    kept,
    log,
    multiply,
    negative,
    sigmoid,
    subtract,
    where,
)
from gputrain.ops.indexing import one_hot
from gputrain.ops.movement import expand_dims, moveaxis, reshape, squeeze, transpose
from gputrain.ops.pointwise import Gradients, as_float, scalar_like
from gputrain.ops.precision import wide_dtype
from gputrain.ops.reduction import Axes, sum
from gputrain.utils.notes import note

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "LogSoftmax",
    "SigmoidCrossentropy",
    "Softmax",
    "SoftmaxCrossentropy",
    "SparseSoftmaxCrossentropy",
    "binary_crossentropy",
    "categorical_crossentropy",
    "log_softmax",
    "softmax",
    "sparse_categorical_crossentropy",
]


def _exponentials(xp: Any, x: Any, shifted: Any, out: Any, total: Any) -> None:
    """x less the largest element of its row, the exponentials of that, and their sums."""
    xp.max(x, axis=-1, keepdims=True, out=total)
    xp.subtract(x, total, out=shifted)
    xp.exp(shifted, out=out)
    xp.sum(out, axis=-1, keepdims=True, out=total)


class Softmax(Operation):
    """exp(x) / sum(exp(x)) along the last axis."""

    overwrites = ((0, 0),)

    def infer(self, x: Spec) -> Spec:
        require_float(x, "Softmax")
        if x.ndim < 1:
            raise ShapeError(explain("Softmax needs at least one dimension.", received=x))
        return x

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        inner = sum(multiply(ct, out), axis=-1, keepdims=True)
        return (multiply(out, subtract(ct, inner)),)

    def scratch(self, x: Spec) -> tuple[Spec, ...]:
        return (Spec((*x.shape[:-1], 1), x.dtype),)

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        if out.size:
            _exponentials(xp, x, out, out, scratch[0])
            xp.divide(out, scratch[0], out=out)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(x: np.ndarray) -> np.ndarray:
            return np.exp(x) / np.exp(x).sum(-1, keepdims=True)

        shapes = [(3,), (2, 5), (2, 3, 1), (0, 4), (4, 0), (70001, 2)]
        return [Sample(cls(), (Spec(s),), reference) for s in shapes]


class LogSoftmax(Operation):
    """x - log(sum(exp(x))) along the last axis."""

    overwrites = ()

    def infer(self, x: Spec) -> Spec:
        require_float(x, "LogSoftmax")
        return x

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (subtract(ct, multiply(exp(out), sum(ct, axis=-1, keepdims=True))),)

    def scratch(self, x: Spec) -> tuple[Spec, ...]:
        return (Spec((*x.shape[:-1], 1), x.dtype), x)

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        total, work = scratch
        if out.size:
            _exponentials(xp, x, out, work, total)
            xp.log(total, out=total)
            xp.subtract(out, total, out=out)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(x: np.ndarray) -> np.ndarray:
            return x - np.log(np.exp(x).sum(-1, keepdims=True))

        return [Sample(cls(), (Spec(s),), reference) for s in [(3,), (2, 5), (2, 3, 1), (0, 4)]]


# ------------------------------------------------------------------------------------------- crossentropies


def _check_pair(what: str, target: Spec, output: Spec) -> None:
    require_float(output, what)
    if target.ndim != output.ndim or any(
        t is not None and o is not None and t != o for t, o in zip(target.shape, output.shape, strict=True)
    ):
        raise ShapeError(
            explain(
                f"{what}: the target must have the output's shape; a loss never broadcasts.",
                expected=output.shape,
                received=target.shape,
                fix="Use to_categorical(y) for class indices, or a sparse loss.",
            )
        )


class SoftmaxCrossentropy(Operation):
    """-sum(target * log_softmax(logits)) over the last axis, and its gradient.

    The gradient is softmax * sum(target) - target. Both come from one pass over the logits; probabilities
    are not stored. With `smoothing` the target is target * (1 - smoothing) + smoothing / classes.

    Source: Szegedy et al. 2016, Rethinking the Inception Architecture (label smoothing).
    """

    smoothing: float = 0.0
    n_outputs = 2

    def infer(self, target: Spec, logits: Spec) -> tuple[Spec, Spec]:
        _check_pair("Softmax crossentropy", target, logits)
        if not 0 <= self.smoothing <= 1:
            raise ValueError(
                explain(
                    "Softmax crossentropy: smoothing is a share.",
                    expected="0..1",
                    received=repr(self.smoothing),
                )
            )
        return logits.with_shape(logits.shape[:-1]), logits

    def vjp(self, ct: Gradients, out: Sequence[Value], target: Value, logits: Value) -> Gradients:
        mass = sum(target, axis=-1, keepdims=True)
        if self.smoothing:
            mass = add(multiply(mass, 1.0 - self.smoothing), self.smoothing)
        by_loss, by_gradient = ct
        d_target = d_logits = None
        if by_loss is not None:
            each = expand_dims(by_loss, -1)
            d_logits = multiply(each, out[1])
            d_target = multiply(each, negative(log_softmax(logits)))
        if by_gradient is not None:
            p = softmax(logits)
            inner = sum(multiply(by_gradient, p), axis=-1, keepdims=True)
            second = multiply(mass, multiply(p, subtract(by_gradient, inner)))
            d_logits = second if d_logits is None else add(d_logits, second)
            third = subtract(inner, by_gradient)
            d_target = third if d_target is None else add(d_target, third)
        if self.smoothing and d_target is not None:
            d_target = multiply(d_target, 1.0 - self.smoothing)
        return d_target, d_logits

    def scratch(self, target: Spec, logits: Spec) -> tuple[Spec, ...]:
        row = Spec((*logits.shape[:-1], 1), logits.dtype)
        return row, row, logits, *([logits] if self.smoothing else [])

    def compute(self, xp: Any, out: Any, target: Any, logits: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        work, *smoothed = scratch[2:]
        if smoothed:
            xp.multiply(target, 1.0 - self.smoothing, out=smoothed[0])
            target = xp.add(smoothed[0], self.smoothing / max(1, logits.shape[-1]), out=smoothed[0])
        _loss_and_gradient(xp, out, target, logits, (*scratch[:2], work))

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(smoothing: float) -> Any:
            def losses(t: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
                classes = z.shape[-1]
                even = np.full(z.shape, 1 / classes)
                t = t - smoothing * (t - even)  # this far from the target toward even shares
                p = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
                return -(t * np.log(p)).sum(-1), p * t.sum(-1, keepdims=True) - t

            return losses

        shapes = [(3, 5), (1, 2), (2, 3, 4), (0, 3), (70001, 2)]
        cases = [(s, 0.0) for s in shapes] + [
            ((3, 5), 0.1),
            ((2, 3, 4), 1.0),
            ((0, 3), 0.1),
            ((7001, 3), 0.25),
        ]
        return [
            Sample(cls(share), (Spec(s), Spec(s)), reference(share), label=f"{s} {share}")
            for s, share in cases
        ]


def _loss_and_gradient(xp: Any, out: Any, target: Any, logits: Any, scratch: Sequence[Any]) -> None:
    """-sum(target * log_softmax(logits)) and softmax * sum(target) - target, of each row."""
    (loss, gradient), (row, total, work) = out, scratch
    if not logits.size:
        loss[...] = 0
        return
    _exponentials(xp, logits, gradient, work, total)
    xp.divide(work, total, out=work)  # probabilities
    xp.log(total, out=total)
    xp.subtract(total, gradient, out=gradient)  # -log_softmax
    xp.multiply(gradient, target, out=gradient)
    xp.sum(gradient, axis=-1, out=loss)
    xp.sum(target, axis=-1, keepdims=True, out=row)
    xp.multiply(work, row, out=gradient)
    xp.subtract(gradient, target, out=gradient)


class SparseSoftmaxCrossentropy(Operation):
    """-log_softmax(logits)[label] over the last axis, with its gradient softmax - onehot(label).

    A label outside 0..classes-1 names no class, as in one_hot: its loss and gradient are 0.
    """

    n_outputs = 2

    def infer(self, label: Spec, logits: Spec) -> tuple[Spec, Spec]:
        require_float(logits, "Sparse softmax crossentropy")
        if is_float(label.dtype) or label.ndim != logits.ndim - 1:
            raise ShapeError(
                explain(
                    "Sparse crossentropy needs integer labels, one for each row of the output.",
                    expected=f"integers of shape {logits.shape[:-1]}",
                    received=label,
                )
            )
        return logits.with_shape(logits.shape[:-1]), logits

    def vjp(self, ct: Gradients, out: Sequence[Value], label: Value, logits: Value) -> Gradients:
        target = one_hot(label, logits.spec.dims[-1], dtype=logits.dtype)
        return None, SoftmaxCrossentropy().vjp(ct, out, target, logits)[1]

    def scratch(self, label: Spec, logits: Spec) -> tuple[Spec, ...]:
        row = Spec((*logits.shape[:-1], 1), logits.dtype)
        return row, row, logits, logits

    def compute(self, xp: Any, out: Any, label: Any, logits: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        *work, target = scratch
        xp.copyto(target, label[..., None] == xp.arange(logits.shape[-1]))
        _loss_and_gradient(xp, out, target, logits, work)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(label: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            t = (label[..., None] == np.arange(z.shape[-1])).astype(float)
            p = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
            return -(t * np.log(p)).sum(-1), p * t.sum(-1, keepdims=True) - t

        shapes = [(3, 5), (1, 2), (2, 3, 4), (0, 3), (7001, 2)]
        outside = Sample(cls(), (np.array([-1, 0, 2, 3]), Spec((4, 3))), reference, label="outside")
        return [
            outside,
            *(
                Sample(
                    cls(),
                    (np.arange(np.prod(s[:-1])).reshape(s[:-1]) % s[-1], Spec(s)),
                    reference,
                    label=str(s),
                )
                for s in shapes
            ),
        ]


class CategoricalCrossentropy(Operation):
    """-sum(target * log(q)) over the last axis, q being the output over its row's sum, clipped to eps..1-eps.

    An output row of zeros has no direction to be normalised in: it is taken as it is, so its loss is
    -log(eps) per unit of target (16.118 at eps = 1e-7) and its gradient is 0.
    """

    epsilon: float = 1e-7

    def infer(self, target: Spec, output: Spec) -> Spec:
        _check_pair("Categorical crossentropy", target, output)
        return output.with_shape(output.shape[:-1])

    def _normalised(self, output: Any) -> tuple[Any, Any, Any]:
        """Row sums (1 where 0), normalised output, and the same clipped."""
        total = sum(output, axis=-1, keepdims=True)
        total = where(equal(total, 0.0), scalar_like(output, 1.0), total)
        q = divide(output, total)
        return total, q, clip(q, self.epsilon, 1.0 - self.epsilon)

    def vjp(self, ct: Value, out: Value, target: Value, output: Value) -> Gradients:
        total, q, clipped = self._normalised(output)
        each = expand_dims(ct, -1)
        inside = logical_and(greater_equal(q, self.epsilon), less_equal(q, 1.0 - self.epsilon))
        dq = kept(negative(divide(multiply(each, target), clipped)), inside)
        inner = sum(multiply(dq, q), axis=-1, keepdims=True)
        return negative(multiply(each, log(clipped))), divide(subtract(dq, inner), total)

    def scratch(self, target: Spec, output: Spec) -> tuple[Spec, ...]:
        row = Spec((*output.shape[:-1], 1), output.dtype)
        return row, row.with_dtype("bool"), output

    def compute(self, xp: Any, out: Any, target: Any, output: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        total, zero, q = scratch
        xp.sum(output, axis=-1, keepdims=True, out=total)
        xp.equal(total, 0, out=zero)
        xp.copyto(total, 1, where=zero)
        xp.divide(output, total, out=q)
        xp.clip(q, self.epsilon, 1.0 - self.epsilon, out=q)
        xp.log(q, out=q)
        xp.multiply(q, target, out=q)
        xp.sum(q, axis=-1, out=out)
        xp.negative(out, out=out)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(t: np.ndarray, p: np.ndarray) -> np.ndarray:
            total = p.sum(-1, keepdims=True)
            q = np.clip(p / np.where(total == 0, 1.0, total), 1e-7, 1 - 1e-7)
            return -(t * np.log(q)).sum(-1)

        shapes = [(3, 5), (1, 2), (2, 3, 4), (0, 3), (7001, 2)]
        found = [Sample(cls(), (Spec(s), Spec(s)), reference, 0.2, 2.0, label=str(s)) for s in shapes]
        zeros = np.array([[0.0, 0.0, 0.0], [0.5, 0.25, 0.25]])
        return [
            *found,
            Sample(cls(), (np.eye(3)[:2], zeros), reference, differentiable=(0,), label="zero row"),
        ]


class BinaryCrossentropy(Operation):
    """-(target log(p) + (1 - target) log(1 - p)), elementwise, p clipped to eps..1-eps."""

    epsilon: float = 1e-7

    def infer(self, target: Spec, output: Spec) -> Spec:
        _check_pair("Binary crossentropy", target, output)
        return output

    def vjp(self, ct: Value, out: Value, target: Value, output: Value) -> Gradients:
        p = clip(output, self.epsilon, 1.0 - self.epsilon)
        inside = logical_and(greater_equal(output, self.epsilon), less_equal(output, 1.0 - self.epsilon))
        slope = divide(subtract(p, target), multiply(p, subtract(1.0, p)))
        d_output = kept(multiply(ct, slope), inside)
        return multiply(ct, subtract(log(subtract(1.0, p)), log(p))), d_output

    def scratch(self, target: Spec, output: Spec) -> tuple[Spec, ...]:
        return output, output

    def compute(self, xp: Any, out: Any, target: Any, output: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        p, rest = scratch
        xp.clip(output, self.epsilon, 1.0 - self.epsilon, out=p)
        xp.subtract(1, p, out=rest)
        xp.log(rest, out=rest)
        xp.log(p, out=p)
        xp.subtract(rest, p, out=p)  # log((1 - p) / p)
        xp.multiply(p, target, out=p)
        xp.subtract(p, rest, out=out)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(t: np.ndarray, p: np.ndarray) -> np.ndarray:
            p = np.clip(p, 1e-7, 1 - 1e-7)
            return -(t * np.log(p) + (1 - t) * np.log(1 - p))

        return [
            Sample(cls(), (Spec(s), Spec(s)), reference, 0.1, 0.9) for s in [(), (3, 5), (0, 2), (70001,)]
        ]


class SigmoidCrossentropy(Operation):
    """Binary crossentropy of logits: max(z, 0) - z * target + log1p(exp(-|z|)), elementwise."""

    def infer(self, target: Spec, logits: Spec) -> Spec:
        _check_pair("Sigmoid crossentropy", target, logits)
        return logits

    def vjp(self, ct: Value, out: Value, target: Value, logits: Value) -> Gradients:
        return negative(multiply(ct, logits)), multiply(ct, subtract(sigmoid(logits), target))

    def scratch(self, target: Spec, logits: Spec) -> tuple[Spec, ...]:
        return (logits,)

    def compute(self, xp: Any, out: Any, target: Any, logits: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        (work,) = scratch
        xp.abs(logits, out=work)
        xp.negative(work, out=work)
        xp.exp(work, out=work)
        xp.log1p(work, out=work)
        xp.multiply(logits, target, out=out)
        xp.subtract(work, out, out=out)
        xp.maximum(logits, 0, out=work)
        xp.add(out, work, out=out)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def reference(t: np.ndarray, z: np.ndarray) -> np.ndarray:
            p = 1 / (1 + np.exp(-z))
            return -(t * np.log(p) + (1 - t) * np.log(1 - p))

        return [Sample(cls(), (Spec(s), Spec(s)), reference) for s in [(), (3, 5), (0, 2), (70001,)]]


# ---------------------------------------------------------------------------------------- public functions


def _last(x: Any, axis: int, what: str) -> tuple[Any, bool]:
    """`x` with `axis` moved to the end, and whether it moved."""
    ndim = spec_of(x).ndim
    moved = normalize_axis(axis, ndim, what) != ndim - 1
    return (moveaxis(x, axis, -1), True) if moved else (x, False)


def _over_axes(function: Callable[..., Any], x: Any, axis: Sequence[int] | None) -> Any:
    """A function of one axis over several together: they are made one, the last."""
    axes = normalize_axes(axis, x.ndim, function.__name__)
    order = (*(i for i in range(x.ndim) if i not in axes), *axes)
    moved = transpose(x, order)
    kept, joined = spec_of(moved).shape[: -len(axes)], spec_of(moved).shape[-len(axes) :]
    result = function(reshape(moved, (*kept, -1)))
    back = reshape(result, (*kept, *(-1 if size is None else size for size in joined)))
    return transpose(back, tuple(int(i) for i in np.argsort(order)))


def softmax(x: Any, axis: Axes = -1) -> Any:
    """exp(x) / sum(exp(x)) along `axis`; over several axes together, or with None over all."""
    if not isinstance(axis, int | np.integer):
        return _over_axes(softmax, as_float(x), axis)
    x, moved = _last(as_float(x), axis, "softmax")
    if spec_of(x).shape[-1] == 1:
        note("softmax over an axis of size 1 always gives 1. For one output unit use sigmoid.")
    y = apply(Softmax(), x)
    return moveaxis(y, -1, axis) if moved else y


def log_softmax(x: Any, axis: Axes = -1) -> Any:
    """log(softmax(x)) along `axis`, without forming small probabilities; of several axes as `softmax`."""
    if not isinstance(axis, int | np.integer):
        return _over_axes(log_softmax, as_float(x), axis)
    x, moved = _last(as_float(x), axis, "log_softmax")
    y = apply(LogSoftmax(), x)
    return moveaxis(y, -1, axis) if moved else y


def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """-sum(target * log(output)) along `axis`.

    Args:
        target: probabilities or one-hot rows, of the output's shape.
        output: probabilities (each row is divided by its sum, then clipped to epsilon..1-epsilon), or logits.
        from_logits: whether `output` is logits.
        axis: the axis of the classes.

    Returns:
        the loss of each row, without `axis`.

    Raises:
        ShapeError: target and output differ in shape.
    """
    output = as_float(output)
    target = cast(convert(target), spec_of(output).dtype)
    target, _ = _last(target, axis, "categorical_crossentropy")
    output, _ = _last(output, axis, "categorical_crossentropy")
    if from_logits:
        return apply(SoftmaxCrossentropy(), target, output)[0]
    return apply(CategoricalCrossentropy(config.epsilon()), target, output)


def sparse_categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> Any:
    """Categorical crossentropy of class indices.

    Args:
        target: integers in 0..classes-1, of the output's shape without `axis` (or with size 1 there).
        output: probabilities or logits, see `categorical_crossentropy`.
    """
    output, _ = _last(as_float(output), axis, "sparse_categorical_crossentropy")
    label, shape = convert(target), spec_of(output).shape
    if spec_of(label).ndim == len(shape) and spec_of(label).shape[-1] == 1:
        label = squeeze(label, -1)
    if is_float(spec_of(label).dtype):
        label = cast(label, "int32")
    if from_logits:
        return apply(SparseSoftmaxCrossentropy(), label, output)[0]
    classes = shape[-1]
    if classes is None:
        raise ShapeError(explain("Sparse crossentropy needs a known number of classes.", received=shape))
    target = one_hot(label, classes, dtype=spec_of(output).dtype)
    return apply(CategoricalCrossentropy(config.epsilon()), target, output)


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    """-(target log(output) + (1 - target) log(1 - output)), elementwise; `output` in 0..1, or logits.

    Args:
        target: 0, 1 or between.
        output: of the shape of `target`.
        from_logits: whether `output` is logits; then no sigmoid has been applied.
    """
    output = as_float(output)
    target = cast(convert(target), spec_of(output).dtype)
    if from_logits:
        return apply(SigmoidCrossentropy(), target, output)
    dtype = spec_of(output).dtype
    wide = wide_dtype(dtype)  # in float16, 1 - epsilon is 1
    losses = apply(BinaryCrossentropy(config.epsilon()), *harmonize(cast(target, wide), cast(output, wide)))
    return cast(losses, dtype)
