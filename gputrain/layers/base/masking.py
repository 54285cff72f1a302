"""Masks: what a call hands to its layer and what its outputs carry."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

from gputrain import config
from gputrain.errors import GraphError, explain
from gputrain.ir import Value
from gputrain.ops.base import apply, as_value
from gputrain.ops.movement import Reshape
from gputrain.utils import tree


def masks_of(structure: Any) -> Any:
    """The masks of values, in their structure; None where there is none."""
    return tree.map_leaves(lambda leaf: leaf.mask if isinstance(leaf, Value) else None, structure)


def any_mask(masks: Any) -> bool:
    """Whether one of the masks is there."""
    return any(mask is not None for mask in tree.flatten(masks))


def asked_for(names: Sequence[str], masks: Mapping[str, Any]) -> dict[str, Any]:
    """The masks that a `call` asks for by its arguments, as in Keras 3.

    Args:
        names: the arguments of `call`: `mask` is that of its first argument, `x_mask` that of `x`.
        masks: the masks of the arguments that were given, by name.
    """
    known = {f"{name}_mask": mask for name, mask in masks.items()}
    if names and names[0] in masks:
        known["mask"] = masks[names[0]]
    return {name: known[name] for name in names if name in known}


@contextmanager
def carried(inputs: Any, masks: Any) -> Iterator[None]:
    """Let inputs carry the masks that a caller gave beside them, as long as the call lasts."""
    given = zip(tree.flatten(inputs), tree.flatten(masks), strict=False) if masks is not None else ()
    changed = [
        (value, value.mask, mask) for value, mask in given if isinstance(value, Value) and mask is not None
    ]
    try:
        for value, _, mask in changed:
            value.mask = as_value(mask)
        yield
    finally:
        for value, before, _ in changed:
            value.mask = before


@contextmanager
def unmasked(*values: Any) -> Iterator[None]:
    """Let values carry no masks, for layers within one that has taken care of them."""
    before = [(value, value.mask) for value in values if isinstance(value, Value)]
    try:
        for value, _ in before:
            value.mask = None
        yield
    finally:
        for value, mask in before:
            value.mask = mask


_TOLD: WeakSet[Any] = WeakSet()  # layers that were warned of: a model traces each of its layers several times


def warn_of_dropped(layer: Any, path: str) -> None:
    """Say once that a layer without support of masks was given one.

    Args:
        layer: the layer.
        path: where it was called.

    Raises:
        GraphError: under `config.set_dropped_masks("error")`, each time.
    """
    rule = f"{path}: {type(layer).__name__} does not support masks; its input's mask stops here."
    if config.dropped_masks() == "error":
        fix = "Let the layer take it (supports_masking, compute_mask), or drop it before with your own layer."
        raise GraphError(explain(rule, fix=fix))
    if layer not in _TOLD:
        warnings.warn(rule, stacklevel=2)
        _TOLD.add(layer)


def attach(outputs: Any, masks: Any, inputs: Any) -> Any:
    """The outputs, with the masks that were computed for them where they carry none yet.

    An input that a layer returns as it is becomes a value of its own, so that other layers see the input
    without a mask.
    """
    leaves, given = tree.flatten(outputs), set(map(id, tree.flatten(inputs)))
    for i, (value, mask) in enumerate(zip(leaves, tree.flatten(masks), strict=False)):
        if isinstance(value, Value) and value.mask is None and mask is not None:
            if id(value) in given:
                leaves[i] = value = apply(Reshape(value.shape), value)
            value.mask = as_value(mask)
    return tree.pack(outputs, leaves)
