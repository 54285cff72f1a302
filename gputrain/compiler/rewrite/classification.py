"""Rules for softmax and sigmoid: their crossentropies and classes follow from the logits."""

from __future__ import annotations

import numpy as np

from gputrain.compiler.rewrite.rules import Uses, become, forward, made_by, make, rule
from gputrain.ir import Node, Value
from gputrain.ops.base import Constant, Operation
from gputrain.ops.crossentropy import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    SigmoidCrossentropy,
    Softmax,
    SoftmaxCrossentropy,
    SparseSoftmaxCrossentropy,
)
from gputrain.ops.elementwise import Add, Multiply, Sigmoid
from gputrain.ops.indexing import OneHot
from gputrain.ops.reduction import ArgMax


@rule(CategoricalCrossentropy)
def fuse_softmax_crossentropy(node: Node, uses: Uses) -> bool:
    """Crossentropy of a softmax becomes one operation on the logits, without logarithms of small numbers."""
    target, output = node.inputs
    softmax = made_by(output, Softmax)
    if softmax is None or output in uses.kept:
        return False
    (logits,) = softmax.inputs
    onehot = made_by(target, OneHot) if target not in uses.kept else None
    if onehot is not None and len(onehot.inputs) == 1 and onehot.op.axis in (-1, target.ndim - 1):
        loss = make(SparseSoftmaxCrossentropy(), node, onehot.inputs[0], logits)[0]
    else:
        loss = make(SoftmaxCrossentropy(), node, target, logits)[0]
    forward(node, loss)
    return True


@rule(SoftmaxCrossentropy)
def fold_label_smoothing(node: Node, uses: Uses) -> bool:
    """target * (1 - s) + s / classes under a softmax crossentropy becomes a parameter of it."""
    if node.op.smoothing:
        return False
    smoothed, logits = node.inputs
    classes = logits.shape[-1]
    even = _with_number(smoothed, Add, uses)
    kept = _with_number(even[0], Multiply, uses) if even else None
    if even is None or kept is None or not classes:
        return False
    smoothing = _share(kept[1], even[1], classes)
    if smoothing is None:
        return False
    become(node, SoftmaxCrossentropy(smoothing), kept[0], logits)
    return True


def _with_number(value: Value, kind: type[Operation], uses: Uses) -> tuple[Value, np.ndarray] | None:
    """The other operand and the number where `value`, read once, is made of an operand of its spec and a
    constant number."""
    made = made_by(value, kind)
    if made is None or uses.count(value) != 1:
        return None
    for other, number in (made.inputs, made.inputs[::-1]):
        constant = made_by(number, Constant)
        if constant is not None and number.spec.size == 1 and other.spec == value.spec:
            return other, constant.op.array().reshape(())
    return None


def _share(kept: np.ndarray, even: np.ndarray, classes: int) -> float | None:
    """The shortest s in 0..1 of which the numbers are 1 - s and s / classes, rounded; None without one."""
    number = kept.dtype.type
    if kept.dtype.kind != "f" or kept.dtype != even.dtype or not np.isfinite([kept, even]).all():
        return None
    (least, most), (low, high) = _rounded_to(kept), _rounded_to(even)
    middle = (max(1.0 - most, low * classes) + min(1.0 - least, high * classes)) / 2
    near = (middle, *(float(np.nextafter(middle, end)) for end in (0, 1)))
    candidates = (*(round(middle, digits) for digits in range(17)), *near)
    for s in candidates:
        if 0 <= s <= 1 and number(1.0 - s) == kept and number(s / classes) == even:
            return s
    return None


def _rounded_to(number: np.ndarray) -> tuple[float, float]:
    """Between which numbers lie those that are rounded to this one."""
    exact = float(number)
    below, above = (float(np.nextafter(number, number.dtype.type(end))) for end in (-np.inf, np.inf))
    return (exact + below) / 2, (exact + above) / 2


@rule(BinaryCrossentropy)
def fuse_sigmoid_crossentropy(node: Node, uses: Uses) -> bool:
    """Binary crossentropy of a sigmoid becomes one operation on the logits."""
    target, output = node.inputs
    sigmoid = made_by(output, Sigmoid)
    if sigmoid is None or output in uses.kept:
        return False
    become(node, SigmoidCrossentropy(), target, *sigmoid.inputs)
    return True


@rule(ArgMax)
def argmax_of_logits(node: Node, uses: Uses) -> bool:
    """The largest softmax output belongs to the largest logit, so a class is found without probabilities."""
    softmax = made_by(node.inputs[0], Softmax)
    if softmax is None or node.op.axis != softmax.outputs[0].ndim - 1:
        return False
    become(node, node.op, *softmax.inputs)
    return True
