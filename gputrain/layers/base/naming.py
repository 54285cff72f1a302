"""Names that layers get when the user gives none: "dense", "dense_1", as in Keras."""

from __future__ import annotations

import threading
from collections import Counter

from gputrain.names import snake_case

_used: Counter[str] = Counter()
_lock = threading.Lock()


def auto_name(class_name: str) -> str:
    """The next free name for a class. For people only: nothing random or saved depends on it."""
    prefix = snake_case(class_name)
    with _lock:
        number = _used[prefix]
        _used[prefix] += 1
    return prefix if number == 0 else f"{prefix}_{number}"


def forget_names() -> None:
    """Start again at "dense"."""
    with _lock:
        _used.clear()
