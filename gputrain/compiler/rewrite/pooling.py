"""Rules for max pooling: it moves before what is non-decreasing, and into the convolution before it."""

from __future__ import annotations

from gputrain.compiler.rewrite.rules import Uses, become, made_by, make, rule
from gputrain.ir import Node, Value
from gputrain.ops.activation import Relu
from gputrain.ops.base import Operation
from gputrain.ops.conv_pool import ConvMaxPool
from gputrain.ops.convolution import Conv
from gputrain.ops.elementwise import Add
from gputrain.ops.pool import MaxPool


@rule(MaxPool)
def pool_before_activation(node: Node, uses: Uses) -> bool:
    """MaxPool(relu(x)) becomes relu(MaxPool(x)), and likewise past a bias: fewer elements, the same values.

    Both are non-decreasing for each channel, so the largest stays the largest.
    """
    (x,) = node.inputs
    before = x.node
    if before is None or uses.count(x) != 1 or uses.count(node.outputs[1]):
        return False
    if type(before.op) is Relu:
        pooled = make(node.op, node, before.inputs[0])[0]
        _move_after(node, Relu(), pooled)
        return True
    if type(before.op) is Add and [v.shape for v in before.inputs] == [x.shape, x.shape[-1:]]:
        pooled = make(node.op, node, before.inputs[0])[0]
        _move_after(node, Add(), pooled, before.inputs[1])
        return True
    return False


def _move_after(node: Node, op: Operation, *inputs: Value) -> None:
    """Node's first output is made by `op` from now on; its other outputs were not used."""
    become(node, op, *inputs)
    node.outputs = node.outputs[:1]


@rule(MaxPool)
def fuse_conv_pool(node: Node, uses: Uses) -> bool:
    """MaxPool(Conv(x, w)), windows side by side, becomes one operation that stays in cache."""
    if not node.op.tiled:
        return False
    (y,) = node.inputs
    conv = made_by(y, Conv)
    if conv is None or uses.count(y) != 1 or conv.op.groups != 1:
        return False
    op = ConvMaxPool(conv.op, node.op)
    become(node, op, *conv.inputs)
    return True
