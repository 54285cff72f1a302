"""The public names of Keras and what kind of thing each is, kept in names.json."""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.parity.signatures import WITH_METHODS

FILE = Path(__file__).with_name("names.json")
# Its inside, and the names that `tf.keras` has, too.
_INSIDE = ("src", "_tf_keras")


def kind(item: Any) -> str:
    """module, class, function, property or value."""
    if inspect.ismodule(item):
        return "module"
    if inspect.isclass(item):
        return "class"
    if inspect.isroutine(item):
        return "function"
    return "property" if isinstance(item, property) else "value"


def _in_module(module: ModuleType, path: str) -> Iterator[tuple[str, str]]:
    """The names below a module, `path.name` and its kind."""
    for name in sorted(vars(module)):
        item = getattr(module, name)
        if name in _INSIDE or (name.startswith("_") and name != "__version__"):
            continue
        yield f"{path}.{name}", kind(item)
        if inspect.ismodule(item):
            yield from _in_module(item, f"{path}.{name}")


def _in_class(cls: type, path: str) -> Iterator[tuple[str, str]]:
    """The public methods and properties of a class."""
    for name in dir(cls):
        if not name.startswith("_"):
            yield f"{path}.{name}", kind(inspect.getattr_static(cls, name))


def of_keras() -> dict[str, str]:
    """All public names of the Keras that is installed, as `keras.layers.Dense`, and the kind of each."""
    keras: Any = importlib.import_module("keras")
    found = dict(_in_module(keras, "keras"))
    for path in WITH_METHODS:
        cls = keras
        for name in path.split("."):
            cls = getattr(cls, name)
        found.update(_in_class(cls, f"keras.{path}"))
    return found


@cache
def committed() -> dict[str, str]:
    """The names that are kept."""
    return json.loads(FILE.read_text())  # type: ignore[no-any-return]


def record() -> None:
    """Write the file, a name a line."""
    lines = [f"{json.dumps(path)}: {json.dumps(what)}" for path, what in sorted(of_keras().items())]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def check() -> int:
    """Print where the file does not say what the installed Keras has; the number of such names."""
    kept, now = committed(), of_keras()
    wrong = sorted(path for path in kept.keys() | now.keys() if kept.get(path) != now.get(path))
    for path in wrong:
        print(f"{path}: {now.get(path)}, in {FILE.name} {kept.get(path)}")
    return len(wrong)
