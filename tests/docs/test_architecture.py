"""docs/architecture.md says what is so: its tables are those of the code, what it names is there.

Write the tables anew after a room was added, moved or described in another way:

    python -m tests.docs.test_architecture
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import gputrain
from gputrain.app.cli import parser
from gputrain.app.recipes import catalog
from gputrain.backend.cupy.families import FAMILIES
from gputrain.callbacks import Callback
from gputrain.compiler.rewrite.rules import RULES
from gputrain.compiler.target import Target
from gputrain.data.sources import Source
from gputrain.layers import Layer
from gputrain.metrics import Metric
from gputrain.ops import Operation
from gputrain.optimizers import Optimizer
from gputrain.utils.resources import configs_dir, kernels_dir
from tests.docs.pages import DOCS, ROOT
from tests.test_floors import FLOORS, PACKAGE

pytestmark = pytest.mark.cpu_only("nothing of it depends on the device")

PAGE = DOCS / "architecture.md"
TEXT = PAGE.read_text(encoding="utf-8")
COMMAND = "python -m tests.docs.test_architecture"

# Nodes that the compiler and a model make for themselves; no user names them.
INNER_OPERATIONS = {"gputrain/compiler/chains/fused.py", "gputrain/layers/base/symbolic.py"}


# ------------------------------------------------------------------------------------------------- the tables


def described(path: Path) -> str:
    """The first paragraph of a module's docstring, on one line."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(text.partition("\n\n")[0].split())


def module_of(room: str) -> Path:
    """The file of a room; "" is the package itself."""
    package = PACKAGE / room / "__init__.py"
    return package if package.is_file() else PACKAGE / f"{room}.py"


def floors_table() -> str:
    """The floors from the roof down, a row for each room."""
    rows = [
        (str(number), f"`{room or 'gputrain'}`", described(module_of(room)))
        for number, rooms in reversed(list(enumerate(FLOORS)))
        for room in rooms
    ]
    return table(("floor", "room", "what it is for"), rows)


def inner_rooms_table() -> str:
    """The packages within rooms."""
    folders = sorted(path.parent for path in PACKAGE.glob("*/*/**/__init__.py"))
    names = [f"`gputrain/{folder.relative_to(PACKAGE).as_posix()}/`" for folder in folders]
    texts = [described(folder / "__init__.py") for folder in folders]
    return table(("room", "what it is for"), zip(names, texts, strict=True))


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


TABLES = {"floors": floors_table, "inner rooms": inner_rooms_table}


def with_tables(text: str) -> str:
    """The page with the tables as the code has them."""
    for name, make in TABLES.items():
        start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, _, rest = text.partition(start)
        text = f"{before}{start}\n{make()}\n\n{end}{rest.partition(end)[2]}"
    return text


def test_the_tables_are_those_of_the_package() -> None:
    assert with_tables(TEXT) == TEXT, f"Write them anew: {COMMAND}"


@pytest.mark.parametrize("make", TABLES.values())
def test_every_room_says_what_it_is_for(make: Callable[[], str]) -> None:
    assert not [row for row in make().splitlines() if row.endswith("|  |")]


# ---------------------------------------------------------------------------------------- what the page names


def code_spans(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", text)


def is_path(span: str) -> bool:
    return "/" in span


def exists(path: str) -> bool:
    """Whether a file or folder is there, in a checkout or in what a wheel installs."""
    folders = {"gputrain": PACKAGE, "kernels": kernels_dir(), "configs": configs_dir()}
    top, _, rest = path.partition("/")
    return (folders.get(top, ROOT / top) / rest).exists()


def is_word(span: str) -> bool:
    """Whether it is a name without a place, as `infer` or `set_state()`."""
    return re.fullmatch(r"[A-Za-z]\w*(\(\))?", span) is not None


def is_dotted(span: str) -> bool:
    """Whether it names something of gputrain by its place, as `ir.Graph` or `ops.relu(x)`."""
    rooms = {"gputrain", *(room for rooms in FLOORS for room in rooms)}
    return re.fullmatch(r"\w+(\.\w+)+(\(.*\))?", span) is not None and span.partition(".")[0] in rooms


def found(dotted: str) -> bool:
    """Whether `room.module.Name` leads to something."""
    parts = dotted.partition("(")[0].removeprefix("gputrain.").split(".")
    for count in range(len(parts), 0, -1):
        try:
            item: Any = importlib.import_module(".".join(["gputrain", *parts[:count]]))
        except ModuleNotFoundError:
            continue
        return all((item := getattr(item, name, None)) is not None for name in parts[count:])
    return False


def missing(text: str) -> list[str]:
    """Paths and names on a page that lead nowhere, and words that no module of gputrain has."""
    spans = code_spans(text)
    sources = (path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    known = {word for source in sources for word in re.findall(r"\w+", source)}
    files = [span for span in spans if is_path(span) and not exists(span)]
    places = [span for span in spans if is_dotted(span) and not found(span)]
    return files + places + [span for span in spans if is_word(span) and span.rstrip("()") not in known]


def test_what_the_page_names_is_there() -> None:
    spans = code_spans(TEXT)
    assert sum(map(is_path, spans)) > 60
    assert sum(map(is_dotted, spans)) > 25
    assert missing(TEXT) == []


def test_what_leads_nowhere_is_found() -> None:
    there = "`ir.Graph` `ops.relu(x)` `gputrain.data.make_arrays` `tests/docs/` `KERNELS` `state()` `a == b`"
    gone = ["gputrain/gone.py", "ir.Gone", "compiler.gone.f", "gputrain.ops.gone(x)", "no_such_word()"]
    assert missing(there) == []
    assert missing(" ".join(f"`{span}`" for span in gone)) == gone


@pytest.mark.parametrize("cls", [Layer, Optimizer, Metric, Callback, Source])
def test_what_has_state_gives_and_takes_it(cls: type) -> None:
    assert cls.__name__.lower() in TEXT.partition("## Where state lives")[2].lower()
    assert callable(getattr(cls, "state", None))
    assert callable(getattr(cls, "set_state", None))


def test_the_compiler_asks_a_device_what_the_page_lists() -> None:
    asked = [*Target.__annotations__, *(name for name in vars(Target) if not name.startswith("_"))]
    assert len(asked) == 4
    assert "four things" in TEXT


# ----------------------------------------------------------------------------------------- where does it go?


def answers() -> dict[str, list[str]]:
    """What is added, without its article, to the places that the page names."""
    rows = re.findall(
        r"^\| an? ([^|]+) \| ([^|]+) \|", TEXT.partition("## Where does it go?")[2], re.MULTILINE
    )
    return {added: [span for span in code_spans(places) if is_path(span)] for added, places in rows}


ANSWERS = answers()


def paths(modules: Iterable[str]) -> set[str]:
    """The files of modules, from the top folder on."""
    return {f"{module.replace('.', '/')}.py" for module in modules}


def elsewhere(files: Iterable[str], places: Iterable[str]) -> set[str]:
    """The files that are in none of the places."""
    return {file for file in files if not file.startswith(tuple(places))}


def everything() -> None:
    """Import all modules, so that each class is there."""
    for found in pkgutil.walk_packages(gputrain.__path__, "gputrain."):
        if found.name != "gputrain.__main__":
            importlib.import_module(found.name)


def subclasses(cls: type) -> Iterator[type]:
    for found in cls.__subclasses__():
        yield found
        yield from subclasses(found)


def modules_of(cls: type) -> set[str]:
    """Where gputrain defines subclasses."""
    everything()
    return paths(sub.__module__ for sub in subclasses(cls) if sub.__module__.startswith("gputrain."))


def named(*kinds: str) -> set[str]:
    """Where the classes are that have names in recipes."""
    return paths(cls.__module__ for kind in kinds for cls in catalog.classes(kind).values())


def that_define(pattern: str) -> set[str]:
    """Files of gputrain in which a line matches a pattern."""
    return {
        path.relative_to(PACKAGE.parent).as_posix()
        for path in PACKAGE.rglob("*.py")
        if re.search(pattern, path.read_text(encoding="utf-8"), re.MULTILINE)
    }


def cuda_kernels() -> set[str]:
    sources = {f"kernels/{path.name}" for path in kernels_dir().iterdir() if path.suffix == ".cu"}
    return sources | paths(family.__name__ for family in FAMILIES)


def layers() -> set[str]:
    """Each in the folder of a family, which exports it."""
    for cls in catalog.classes("layer").values():
        family = importlib.import_module(cls.__module__.rpartition(".")[0])
        assert re.fullmatch(r"gputrain\.layers\.(?!base)\w+", family.__name__), cls
        assert cls in [getattr(family, name) for name in family.__all__], cls  # by any name
    return named("layer")


def commands() -> set[str]:
    modules = [f"gputrain.app.cli.{module}" for _, _, module in parser.COMMANDS]
    assert all(hasattr(importlib.import_module(module), "COMMAND") for module in modules)
    return paths(modules) | that_define(r"^COMMANDS = ")


# Where these things are in truth: files, by what is added.
TRUTH: dict[str, Callable[[], set[str]]] = {
    "operation": lambda: modules_of(Operation) - INNER_OPERATIONS,
    "CUDA kernel": cuda_kernels,
    "CPU kernel": lambda: that_define(r"^KERNELS = ") - cuda_kernels(),
    "rewrite": lambda: paths(rule.__module__ for rules in RULES.values() for rule in rules),
    "layer": layers,
    "initializer, regularizer, constraint or activation": lambda: (
        named("initializer", "regularizer", "constraint") | paths([gputrain.activations.relu.__module__])
    ),
    "loss": lambda: named("loss") | paths([gputrain.losses.huber.__module__]),
    "metric": lambda: named("metric"),
    "optimizer": lambda: named("optimizer"),
    "learning-rate schedule": lambda: named("schedule"),
    "file format": lambda: that_define(r"^def read_(npy|npz|idx|csv|image)\("),
    "data set": lambda: that_define(r"^def load_data\("),
    "callback": lambda: modules_of(Callback),
    "command": commands,
    "section or a key of a recipe": lambda: that_define(r"^SECTIONS: Mapping"),
    "setting of the process": lambda: that_define(r"^SETTINGS: dict"),
}


def test_each_answer_is_compared() -> None:
    assert set(ANSWERS) == set(TRUTH)


@pytest.mark.parametrize("added", TRUTH)
def test_it_goes_where_the_page_says(added: str) -> None:
    found = TRUTH[added]()
    assert found
    assert not elsewhere(found, ANSWERS[added])


@pytest.mark.parametrize("added", TRUTH)
def test_no_place_is_named_without_need(added: str) -> None:
    found = TRUTH[added]()
    assert [place for place in ANSWERS[added] if not any(path.startswith(place) for path in found)] == []


def test_a_piece_in_another_place_is_found() -> None:
    found = {"gputrain/losses/classes.py", "gputrain/models/model.py"}
    assert elsewhere(found, ["gputrain/losses/"]) == {"gputrain/models/model.py"}


if __name__ == "__main__":
    PAGE.write_text(with_tables(TEXT), encoding="utf-8")
    print(f"docs/{PAGE.name} is written")
