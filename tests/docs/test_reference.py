"""The reference pages are those of the code, and the code says what they need."""

from __future__ import annotations

import importlib
import inspect
import re
import runpy
from typing import Any

import pytest

from gputrain import config
from gputrain.app.cli.parser import make_parser
from gputrain.app.recipes import catalog, schema
from tests.docs.pages import DOCS

pytestmark = pytest.mark.cpu_only("nothing of it depends on the device")

GENERATOR = runpy.run_path(str(DOCS / "make_reference.py"))
ROOMS, OPERANDS, public_names = (GENERATOR[name] for name in ("ROOMS", "OPERANDS", "public_names"))
PAGES: dict[str, str] = GENERATOR["pages"]()
COMMANDS = dict(GENERATOR["leaf_commands"](make_parser()))
EVERYWHERE = {name for names in OPERANDS for name in names.split(", ")}  # the page of ops explains them
each_room = pytest.mark.parametrize("room", ROOMS)


def public(room: str) -> dict[str, Any]:
    """The classes and functions of a room."""
    found = public_names(importlib.import_module(room)).items()
    return {name: item for name, item in found if inspect.isclass(item) or inspect.isroutine(item)}


@pytest.mark.parametrize("name", PAGES)
def test_page_is_up_to_date(name):
    path = DOCS / name
    found = path.read_text(encoding="utf-8") if path.is_file() else ""
    assert found == PAGES[name], f"docs/{name} is not what the code says. Run: {GENERATOR['COMMAND']}"


def test_every_generated_page_is_still_made():
    there = {path.relative_to(DOCS).as_posix() for path in DOCS.glob("api/*.md")}
    assert there == {name for name in PAGES if name.startswith("api/")}


@each_room
def test_every_public_name_stands_on_its_page(room):
    text = PAGES[f"api/{GENERATOR['page_name'](room)}.md"].partition("| name | what |")[2]
    shown = set(re.findall(r"^\| `(\w+)", text, re.MULTILINE))
    assert shown == set(public_names(importlib.import_module(room)))


# ------------------------------------------------------------------------------------------------- docstrings


def described(doc: str) -> set[str]:
    """The names that stand under Args: and Attributes:, as "x, y: the two" under each."""
    found: set[str] = set()
    for block in re.finditer(r"^(?:Args|Attributes):\n((?:[ ]+.*\n|\n)*)", doc + "\n", re.MULTILINE):
        for names in re.findall(r"^    ([\w*][\w*, \n]*?)(?: \([^)]*\))?:(?:\s|$)", block[1], re.MULTILINE):
            found |= set(re.findall(r"\w+", names))
    return found


def documented(item: Any, room: str) -> set[str]:
    """The parameters that are explained: in the docstring, in those of its bases, and in one it refers to."""
    docs = [inspect.getdoc(item) or ""]
    for name in re.findall(r"(?:as in|see|like|For) `(?:\w+\.)*(\w+)`", docs[0]):
        other = getattr(importlib.import_module(room), name, None)
        docs += _own_and_inherited(other) if other is not None else []
    return set().union(*(described(doc) for doc in [*docs, *_own_and_inherited(item)]))


def _own_and_inherited(item: Any) -> list[str]:
    owners = item.__mro__ if inspect.isclass(item) else (item,)
    return [inspect.cleandoc(owner.__doc__ or "") for owner in owners]


@each_room
def test_every_public_name_has_a_docstring_of_its_own(room):
    assert [name for name, item in public(room).items() if not (item.__doc__ or "").strip()] == []


@each_room
def test_every_parameter_is_explained(room):
    """Under Args; one that stands in the docstring's sentences need not stand there again."""
    missing = {name: unexplained(item, room) for name, item in public(room).items()}
    assert {name: parameters for name, parameters in missing.items() if parameters} == {}


def unexplained(item: Any, room: str) -> list[str]:
    """The parameters of which the docstring says nothing."""
    try:
        parameters = inspect.signature(item).parameters
    except ValueError:  # an exception without arguments of its own
        return []
    sentences = (inspect.getdoc(item) or "").partition("Example:")[0]
    known = documented(item, room) | set(re.findall(r"\w+", sentences)) | {"self", "args", "kwargs"}
    known |= EVERYWHERE if room == "gputrain.ops" else set()
    return [parameter for parameter in parameters if parameter not in known]


@pytest.mark.parametrize("room", [room for room in ROOMS if room != "gputrain.ops"])
def test_every_public_method_has_a_docstring(room):
    """Its own, or that of the method of a base that it takes the place of."""
    without = [
        f"{name}.{method}"
        for name, item in public(room).items()
        if inspect.isclass(item)
        for method, value in vars(item).items()
        if not method.startswith("_") and (inspect.isroutine(value) or isinstance(value, property))
        if not any(getattr(getattr(owner, method, None), "__doc__", None) for owner in item.__mro__)
    ]
    assert without == []


def test_what_is_not_explained_is_found():
    def function(a: int, b: int, c: int) -> None:
        """Of `b`.

        Args:
            a: first.

        Example:
            >>> c
        """

    assert unexplained(function, "gputrain.layers") == ["c"]


def test_the_search_for_arguments_finds_them():
    doc = "Sum.\n\nArgs:\n    x, y: the two.\n    out (optional): where.\n    a,\n        b: more: words.\n\n"
    assert described(f"{doc}Returns: z") == {"x", "y", "out", "a", "b"}


# ---------------------------------------------------------------------------- command line, recipe, settings


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_has_help(name):
    parser = COMMANDS[name]
    assert parser.description
    assert f"gputrain {name.removeprefix('gputrain ')}" in str(parser.epilog)
    assert "exit codes: 0" in str(parser.epilog) or "exit codes: that" in str(parser.epilog)
    assert [action.dest for action in GENERATOR["options"](parser) if not action.help] == []


def test_every_key_has_help():
    keys = [(section, name, key) for section, keys in schema.SECTIONS.items() for name, key in keys.items()]
    assert [(section, name) for section, name, key in keys if not key.help or not key.rule] == []
    page = PAGES["configuration.md"]
    assert [name for _, name, _ in keys if f"| `{name}` |" not in page] == []
    assert [name for name in config.SETTINGS if f"| `{name}` |" not in page] == []


@pytest.mark.parametrize("kind", GENERATOR["KINDS"])
def test_every_name_for_recipes_is_listed(kind):
    section = PAGES["configuration.md"].partition(GENERATOR["KINDS"][kind])[2].partition("\n##")[0]
    assert [name for name in catalog.classes(kind) if f"`{name}`" not in section] == []


def test_all_kinds_are_listed():
    assert set(GENERATOR["KINDS"]) == set(catalog._ROOMS)
