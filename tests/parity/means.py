"""What programs are written with: numbers, and what is seen of a refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.parity.table import uniform

# Said by one package where the other says nothing: both read either.
_UNSAID = ("autocast", "build_config", "jit_compile", "implementation", "training", "use_cudnn")
_KERAS_OPTIMIZERS = "keras.src.backend."  # the room of an optimizer of one of Keras's backends


def numbers(*shape: int, key: str = "", low: float = -1.0, high: float = 1.0) -> np.ndarray:
    """float32 numbers in low..high; another `key` gives others."""
    return uniform(f"program {key}", shape, low, high).astype("float32")


def refusal(call: Callable[[], Any]) -> str | None:
    """The kind of error that a call ends with, as Python names it ("ValueError"); None where it ends well."""
    try:
        call()
    except Exception as error:  # noqa: BLE001  whatever it is, its kind is what is asked for
        return next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins")
    return None


def as_data(item: Any) -> Any:
    """What a config says, without entries that are None or that one package leaves out."""
    if isinstance(item, dict):
        kept = {key: value for key, value in item.items() if value is not None and key not in _UNSAID}
        if str(kept.get("module", "")).startswith(_KERAS_OPTIMIZERS):
            kept = {**kept, "module": "keras.optimizers"}
            del kept["registered_name"]
        return {key: as_data(value) for key, value in sorted(kept.items())}
    if isinstance(item, list):
        return [as_data(each) for each in item]
    return float(f"{item:.6g}") if isinstance(item, float) else item


def weigh(model: Any) -> None:
    """Give each weight numbers that follow from its place and its shape."""
    model.set_weights(
        [numbers(*w.shape, key=f"weight {i}", low=0.05, high=0.45) for i, w in enumerate(model.weights)]
    )
