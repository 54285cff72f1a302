"""Public names stay: each one that is recorded in public_names.json is there, and is called as it was.

New names are allowed. Record anew after a change that is meant:

    python -m tests.test_public_names
"""

from __future__ import annotations

import enum
import inspect
import json
import pkgutil
import re
import runpy
from collections.abc import Collection, Iterator, Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
RECORD = Path(__file__).with_name("public_names.json")
COMMAND = "python -m tests.test_public_names"

# Public modules that no page of the reference is about. They are attributes of the room above.
INNER_ROOMS = (
    *(f"gputrain.datasets.{name}" for name in ("idx", "npz", "npy", "images", "sniff")),
    "gputrain.preprocessing.sequence",
)

RECORDED: dict[str, dict[str, str]] = json.loads(RECORD.read_text(encoding="utf-8"))


def room(path: str) -> Any:
    """Return a public module, imported or reached as an attribute of the room above."""
    return pkgutil.resolve_name(path)


# ---------------------------------------------------------------------------------- what a name is, as text


def describe(item: Any) -> str:
    """Return the kind of `item` and, where it can be called, how: "function(x, axis=-1)".

    Neither annotations nor modules nor addresses are told, so that a definition may move.
    """
    return _kind(item) + (_signature(item) if callable(item) else "")


def _kind(item: Any) -> str:
    if inspect.isclass(item):
        return "class"
    if inspect.isroutine(item):
        return "function"
    if isinstance(item, property):
        return "property"
    return "module" if inspect.ismodule(item) else "value"


def _signature(item: Any) -> str:
    if _is_described_by_python(item):
        return ""
    try:
        signature = inspect.signature(item)
    except ValueError:  # written in C
        return ""
    bare = [
        parameter.replace(annotation=inspect.Parameter.empty, default=_default(parameter))
        for parameter in signature.parameters.values()
    ]
    return str(inspect.Signature(bare))


def _is_described_by_python(item: Any) -> bool:
    """Whether it takes what all exceptions or enumerations take, which differs between versions of Python."""
    if not inspect.isclass(item):
        return False
    return issubclass(item, enum.Enum) or (issubclass(item, BaseException) and "__init__" not in vars(item))


class _Text:
    """A default that is shown as it stands."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _default(parameter: inspect.Parameter) -> Any:
    value = parameter.default
    if value is parameter.empty:
        return value
    if inspect.isclass(value) or inspect.isroutine(value):
        return _Text(value.__name__)
    return _Text(re.sub(r"<?(?:\w+\.)*(\w+)(?: object)? at 0x[0-9a-f]+>?", r"\1", repr(value)))


# ------------------------------------------------------------------------------------------ record, compare


def names_of(rooms: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Return the names of each room, also those of the methods that its classes define or change."""
    classes = {item for names in rooms.values() for item in names.values() if inspect.isclass(item)}
    found = {}
    for path, items in rooms.items():
        named = {name: describe(item) for name, item in items.items()}
        for name, cls in items.items():
            if inspect.isclass(cls):
                named |= {f"{name}.{member}": text for member, text in _members(cls, classes)}
        found[path] = dict(sorted(named.items()))
    return found


def _members(cls: type, public: Collection[type]) -> Iterator[tuple[str, str]]:
    """The public methods and properties that no public base class has in the same way."""
    bases = [base for base in cls.__mro__[1:] if base in public or not base.__module__.startswith("gputrain")]
    for name in dir(cls):
        value = getattr(cls, name)
        if name.startswith("_") or not (inspect.isroutine(value) or isinstance(value, property)):
            continue
        inherited = next((getattr(base, name) for base in bases if hasattr(base, name)), None)
        if inherited is None or describe(value) != describe(inherited):
            yield name, describe(value)


def changes(path: str) -> list[str]:
    """Return a line for each recorded name of a room that is gone, or is not what it was."""
    found = []
    for name, recorded in RECORDED[path].items():
        try:
            now = describe(attrgetter(name)(room(path)))
        except AttributeError:
            now = "gone"
        if now != recorded:
            found.append(f"{path}.{name} was {recorded}, is {now}")
    return found


def record() -> None:
    """Write public_names.json from what is public now."""
    generator = runpy.run_path(str(ROOT / "docs" / "make_reference.py"))
    paths = (*generator["ROOMS"], *INNER_ROOMS)
    found = names_of({path: generator["public_names"](room(path)) for path in paths})
    RECORD.write_text(json.dumps(found, indent=0, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{sum(map(len, found.values()))} names of {len(found)} rooms in {RECORD.relative_to(ROOT)}")


# ------------------------------------------------------------------------------------------------------ tests


@pytest.mark.parametrize("path", RECORDED)
def test_recorded_names_are_still_there_and_called_as_before(path: str) -> None:
    found = changes(path)
    assert not found, "\n".join([*found, f"If that is meant: {COMMAND}"])


def test_what_vanished_and_what_changed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = room("gputrain.layers")
    monkeypatch.setattr(layers, "dot", lambda inputs, axis: None)
    monkeypatch.setattr(layers.Layer, "add_weight", property(lambda self: None))
    monkeypatch.delattr(layers, "PReLU")
    told = "\n".join(changes("gputrain.layers"))
    assert re.search(r"^gputrain\.layers\.PReLU was class\(.*\), is gone$", told, re.MULTILINE)
    assert re.search(r"^gputrain\.layers\.dot was .*, is function\(inputs, axis\)$", told, re.MULTILINE)
    assert re.search(r"^gputrain\.layers\.Layer\.add_weight was function.*, is property$", told, re.MULTILINE)


def test_a_default_tells_neither_its_module_nor_its_address() -> None:
    thing = object()

    def function(a: int, b: Any = room, c: Any = Path, *, d: Any = thing, e: str = "x") -> None: ...

    assert describe(function) == "function(a, b=room, c=Path, *, d=object, e='x')"


if __name__ == "__main__":
    record()
