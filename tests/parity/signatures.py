"""How Keras's public classes and functions are called, kept in signatures.json."""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("signatures.json")
ROOMS = (
    "",
    "activations",
    "applications",
    "applications.imagenet_utils",
    "callbacks",
    "constraints",
    "datasets.fashion_mnist",
    "datasets.mnist",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "optimizers.schedules",
    "random",
    "regularizers",
    "saving",
    "utils",
)
# Classes whose methods are recorded, too: what people call, or write in a class of their own.
WITH_METHODS = (
    "Model",
    "Sequential",
    "layers.Layer",
    "losses.Loss",
    "metrics.Metric",
    "optimizers.Optimizer",
    "callbacks.Callback",
    "initializers.Initializer",
    "regularizers.Regularizer",
    "constraints.Constraint",
    "optimizers.schedules.LearningRateSchedule",
)
_PLAIN = (bool, int, float, str, tuple, list, type(None))


def described(item: Any, of_class: Callable[[type], Any]) -> list[str] | None:
    """The parameters as "name", "name=default", a star before what only a keyword can set; None if unknown.

    Left out are self, *args and **kwargs.

    Args:
        item: a class or function.
        of_class: what to ask for the parameters of a class.
    """
    try:
        signature = inspect.signature(of_class(item) if inspect.isclass(item) else item)
    except (TypeError, ValueError):
        return None
    found = [p for p in signature.parameters.values() if p.name != "self"]
    return [_text(p) for p in found if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]


def _text(parameter: inspect.Parameter) -> str:
    name = "*" * (parameter.kind is parameter.KEYWORD_ONLY) + parameter.name
    default = parameter.default
    if default is parameter.empty:
        return name
    if isinstance(default, float) and default.is_integer():
        default = int(default)  # 0 and 0.0 are the same default
    return f"{name}={default!r}" if isinstance(default, _PLAIN) else f"{name}={type(default).__name__}"


def of_keras() -> dict[str, list[str]]:
    """All public signatures of the Keras that is installed."""
    keras, found = importlib.import_module("keras"), {}
    for room in ROOMS:
        module = importlib.import_module(f"keras.{room}".rstrip("."))
        for name in sorted(vars(module)):
            item = getattr(module, name)
            if not name.startswith("_") and (inspect.isclass(item) or inspect.isfunction(item)):
                found[f"{room}.{name}".lstrip(".")] = described(item, lambda cls: cls.__init__)
    for path in WITH_METHODS:
        cls: Any = keras
        for name in path.split("."):
            cls = getattr(cls, name)
        for name, method in inspect.getmembers(cls, inspect.isroutine):
            if not name.startswith("_"):
                found[f"{path}.{name}"] = described(method, lambda cls: cls)
    return {path: parameters for path, parameters in found.items() if parameters is not None}


@cache
def committed() -> dict[str, list[str]]:
    """The signatures that are kept."""
    return json.loads(FILE.read_text())  # type: ignore[no-any-return]


def record() -> None:
    """Write the file, a name a line."""
    found = sorted(of_keras().items())
    lines = [f"{json.dumps(path)}: {json.dumps(parameters)}" for path, parameters in found]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def check() -> int:
    """Print where the file does not say what the installed Keras has; the number of such names."""
    kept, now = committed(), of_keras()
    wrong = sorted(path for path in kept.keys() | now.keys() if kept.get(path) != now.get(path))
    for path in wrong:
        print(f"{path}: {now.get(path)}, in {FILE.name} {kept.get(path)}")
    return len(wrong)
