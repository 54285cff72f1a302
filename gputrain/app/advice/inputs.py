"""The look at the data before training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from gputrain.app.advice import features, targets
from gputrain.app.advice.advice import Advice
from gputrain.app.advice.task import Task
from gputrain.data.arrays import on_host
from gputrain.utils import tree

# Layers after which the scale of the inputs is another one, and those that pass it on. All others with
# weights feel it; for all others without, nobody knows, and nothing is said.
_SCALES = ("Rescaling", "Normalization", "BatchNormalization", "LayerNormalization", "GroupNormalization")
_PASSES = ("Flatten", "Reshape", "Permute", "Dropout", "SpatialDropout2D", "Concatenate", "Resizing")
_FEELS, _IS_IMMUNE, _IS_SCALED = "feels it", "is immune", "is scaled"


def data_advice(
    x: Any, task: Task, model: Any, feature_names: Sequence[str] | None
) -> Iterator[Advice | None]:
    """All signs in the data, input after input, then those in the targets.

    Args:
        x: the inputs, an array or a structure of arrays.
        task: what is learned.
        model: what it is learned with.
        feature_names: names of the columns of a single input of two dimensions.
    """
    leaves = [on_host(leaf) for leaf in tree.flatten(x)]
    for index, leaf in enumerate(leaves):
        if leaf.dtype.kind in "fiub" and leaf.size and not _are_indices(model, index):
            yield from _of_input(leaf, _names(leaf, feature_names), _start(model, index))
    yield from (targets.rare_classes(task), targets.imbalance(task), targets.unscaled(task))
    yield targets.few_samples(len(leaves[0]), sum(v.spec.size for v in model.trainable_variables))


def _of_input(x: np.ndarray, names: Sequence[str], start: str) -> Iterator[Advice | None]:
    """Signs in one input; columns of images and sequences are no features."""
    is_table = x.ndim == 2
    if is_table:
        nan = features.missing(x, names)
        if nan is not None:
            yield nan
            return
        yield features.constant(x, names)
        yield features.duplicate(x, names)
        yield features.zeros(x, names)
    apart = features.unscaled(x, names) if is_table and start != _IS_SCALED else None
    yield apart
    if apart is None and start == _FEELS:
        yield features.out_of_scale(x)


def _names(x: np.ndarray, given: Sequence[str] | None) -> list[str]:
    width = x.shape[-1] if x.ndim == 2 else 0
    if given is not None and len(given) == width:
        return [repr(name) for name in given]
    return [f"column {i}" for i in range(width)]


def _are_indices(model: Any, index: int) -> bool:
    """Whether an input is for a layer that looks rows up, as an Embedding: its numbers are no sizes."""
    inputs = getattr(model, "inputs", None) if getattr(model, "graph", None) is not None else None
    return inputs is not None and index < len(inputs) and inputs[index].dtype[0] in "iub"


def _start(model: Any, index: int) -> str:
    """What the first layers do to the scale of an input.

    A kernel right before a BatchNormalization is immune: twice the inputs give the same outputs, gradients
    and steps; only what differs between features remains.
    """
    if getattr(model, "graph", None) is None:
        names = [type(layer).__name__ for layer in model.all_layers()]
        return _IS_SCALED if any(name in _SCALES for name in names) else _FEELS
    value = model.inputs[index] if index < len(model.inputs) else None
    kinds = {_kind(model, node) for node in _readers(model, value)}
    return next((kind for kind in (_FEELS, _IS_IMMUNE) if kind in kinds), _IS_SCALED)


def _readers(model: Any, value: Any) -> Iterator[Any]:
    """The calls that read a value and do more than pass it on."""
    for node in model.graph.nodes:
        if not any(given is value for given in node.inputs):
            continue
        if type(getattr(node.op, "layer", None)).__name__ in _PASSES:
            yield from _readers(model, node.outputs[0])
        else:
            yield node


def _kind(model: Any, node: Any) -> str:
    layer = getattr(node.op, "layer", None)
    if layer is None or type(layer).__name__ in _SCALES or not layer.weights:
        return _IS_SCALED
    after = {type(getattr(reader.op, "layer", None)).__name__ for reader in _readers(model, node.outputs[0])}
    return _IS_IMMUNE if after == {"BatchNormalization"} else _FEELS
