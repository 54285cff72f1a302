"""Which way a metric improves: its own word, that of what bears its name, or what the name says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from gputrain import losses
from gputrain.metrics.base import registry

_DIRECTIONS = ("up", "down")
_WORDS = {
    "down": ("loss", "error", "mse", "mae", "rmse", "crossentropy", "entropy", "divergence"),
    "up": ("accuracy", "acc", "auc", "precision", "recall", "iou", "f1", "r2"),
}


def direction_of(metric: Any) -> str | None:
    """Return "up" where more of a metric is better, "down" where less is, None where nothing tells.

    Args:
        metric: a metric, which says it itself, a loss, or a name from the logs. Of a name what stands before
            ("val_", an output's name) and a number after it do not count.

    Example:
        >>> direction_of("val_accuracy"), direction_of("val_out_hinge_1"), direction_of("epochs")
        ('up', 'down', None)
    """
    if isinstance(metric, str):
        return _direction_of_name(re.sub(r"_\d+$", "", metric))
    if isinstance(metric, losses.Loss):
        return "down"
    own = getattr(metric, "_direction", None)
    return own if own in _DIRECTIONS else None


def _direction_of_name(name: str) -> str | None:
    known = registry.names()
    for ending in _endings(name):
        own = direction_of(registry.find(ending)) if ending in known else None
        if own is not None:
            return own
        if ending in losses.registry.names():
            return "down"
    words = name.lower().split("_")
    found = (way for way, known in _WORDS.items() if any(word in known for word in words))
    return next(found, None)


def _endings(name: str) -> Iterator[str]:
    """The name, then what is left of it behind each underscore."""
    while name:
        yield name
        name = name.partition("_")[2]
