"""The floors of the package: nothing imports upward, nothing in a circle, no private name of another room.

Every import counts, also those inside functions and those for type checkers alone.
"""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import gputrain

PACKAGE = Path(gputrain.__file__).resolve().parent

# From the ground up; rooms in one line stand side by side and import each other nowhere.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("errors", "release", "keras_names"),
    ("names", "absent"),
    ("config", "tree"),
    ("utils",),
    ("ir",),
    ("ops",),
    ("compiler",),
    ("backend",),
    ("runtime",),
    ("random",),
    ("initializers", "regularizers", "constraints", "activations"),
    ("losses",),
    ("metrics",),
    ("optimizers",),
    ("data",),
    ("datasets",),
    ("layers",),
    ("saving",),
    ("models",),
    ("applications", "callbacks"),
    ("app",),
    ("preprocessing", "tabular", "recipes", "reporting", "scripts"),  # short paths of rooms below
    ("",),  # gputrain/__init__.py
    ("__main__",),
)
FLOOR = {room: i for i, rooms in enumerate(FLOORS) for room in rooms}

# Imports inside functions: (module, what it imports) to the reason.
DEFERRED = {
    ("names", "keras_names"): "start-up: only needed where an error is worded",
    ("absent", "keras_names"): "start-up: only needed where a module is not there",
    ("backend", "backend.numpy"): "start-up: a device is opened when the first array needs it",
    ("backend", "backend.cupy.opening"): "optional: CuPy is looked for when a GPU is asked for",
    ("backend.cupy", "backend.cupy.device"): "optional: whether a GPU is there is found out without CuPy",
    ("backend.cupy.opening", "backend.cupy.launch"): "optional: needs CuPy",
    ("backend.cupy.opening", "backend.cupy.cublas"): "optional: needs CUDA's libraries",
    ("backend.cupy.opening", "backend.cupy.device"): "optional: needs CuPy",
    ("compiler.lower", "compiler.chains"): "start-up: only devices that emit kernels need it",
    ("models.training.callback_list", "models.training.progbar_logger"): "start-up: not all show a bar",
    ("models.model", "models.memory"): "start-up: for those who ask for a plan",
    ("models.model", "models.summary"): "start-up: for those who ask for a summary",
    ("models.model", "saving"): "start-up: for those who save or load",
    ("layers.base.tracking", "layers.base.places"): "start-up: for those who take or set a state",
    ("runtime.executable", "runtime.control"): "start-up: only loops and choices need it",
    ("data.arrays", "data.frames"): "start-up: most data is NumPy's",
    ("data.sources", "data.fingerprint"): "start-up: for those who save a state",
    ("models.training.trainer", "data.io.errors"): "start-up: for those whose file does not fit",
    ("models.training.loop", "saving"): "start-up: for those who resume",
    ("models.training.loop", "saving.checkpoint"): "start-up: for those who resume",
    ("datasets._load", "data.io.download"): "start-up: ssl and urllib cost more than all of gputrain",
    ("datasets._bundled", "data.tabular"): "start-up: tables are read by few programs",
    ("layers.core.einsum_dense", "ops.contraction"): "start-up: few models have sums over letters",
    ("layers.core.embedding", "ops.contraction"): "start-up: for embeddings that are read back",
    ("layers.normalization.rms_normalization", "ops.derived_sums"): "start-up: few models have it",
    ("initializers.short_transforms", "ops.derived_spectra"): "start-up: few models read sound",
    ("ops.recurrence", "ops.recurrent_samples"): "start-up: samples are for tests",
    ("layers.reshaping.rearranging", "ops.derived_resizing"): "start-up: few models need pixels in between",
}


class Import(NamedTuple):
    """One import of a module of the package.

    Attributes:
        source, target: modules, without "gputrain.".
        names: what is imported from the target.
        line: where.
        inside: whether it stands in a function.
        typing: whether it is for type checkers alone.
    """

    source: str
    target: str
    names: tuple[str, ...]
    line: int
    inside: bool
    typing: bool = False


def modules(package: Path) -> dict[str, Path]:
    """The modules of the package by their names within it; "" is the package itself."""
    found = {}
    for path in package.rglob("*.py"):
        parts = path.relative_to(package).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_of(name: str, path: Path, known: dict[str, Path]) -> Iterator[Import]:
    """All imports of modules of the package in one file."""

    def walk(node: ast.AST, inside: bool, typing: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                for alias in child.names:
                    if alias.name.split(".")[0] == "gputrain":
                        yield Import(name, alias.name[9:], (), child.lineno, inside, typing)
            elif isinstance(child, ast.ImportFrom):
                yield from imported_from(child, inside, typing)
            is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            for_types = isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
            yield from walk(child, inside or is_function, typing or for_types)

    def imported_from(node: ast.ImportFrom, inside: bool, typing: bool) -> Iterator[Import]:
        assert node.level == 0, f"{path}:{node.lineno}: imports within the package are absolute"
        top, _, base = (node.module or "").partition(".")
        if top != "gputrain":
            return
        for alias in node.names:
            whole = f"{base}.{alias.name}" if base else alias.name
            if whole in known:
                yield Import(name, whole, (), node.lineno, inside, typing)
            else:
                yield Import(name, base, (alias.name,), node.lineno, inside, typing)

    yield from walk(ast.parse(path.read_text(encoding="utf-8")), False, False)


def all_imports(package: Path) -> list[Import]:
    known = modules(package)
    return [found for name, path in known.items() for found in imports_of(name, path, known)]


def room(module: str) -> str:
    return module.split(".")[0]


def upward(imports: list[Import]) -> list[str]:
    """Imports of a room above, or beside."""
    return [
        f"gputrain.{i.source}:{i.line} imports gputrain.{i.target}"
        for i in imports
        if room(i.source) != room(i.target) and FLOOR[room(i.target)] >= FLOOR[room(i.source)]
    ]


def circles(imports: list[Import]) -> list[str]:
    """Modules that import each other, directly or through others. Within a room, types may."""
    graph: dict[str, set[str]] = {}
    for i in imports:
        if i.source != i.target and not (i.typing and room(i.source) == room(i.target)):
            graph.setdefault(i.source, set()).add(i.target)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return [" -> ".join(f"gputrain.{name}" for name in error.args[1])]
    return []


def private(imports: list[Import]) -> list[str]:
    """Names with an underscore that another room's module keeps for itself."""
    found = []
    for i in imports:
        own = [*i.target.split("."), *i.names]
        hidden = [part for part in own if part.startswith("_") and not part.startswith("__")]
        if hidden and room(i.source) != room(i.target):
            found.append(f"gputrain.{i.source}:{i.line} imports {hidden[0]} of gputrain.{i.target}")
    return found


def deferred(imports: list[Import]) -> list[str]:
    """Imports inside functions without a reason in the table."""
    return [
        f"gputrain.{i.source}:{i.line} imports gputrain.{i.target} inside a function"
        for i in imports
        if i.inside and (i.source, i.target) not in DEFERRED
    ]


IMPORTS = all_imports(PACKAGE)
RULES = {"upward": upward, "in a circle": circles, "of a private name": private, "in a function": deferred}


@pytest.mark.parametrize("rule", RULES)
def test_no_import(rule: str) -> None:
    found = RULES[rule](IMPORTS)
    assert not found, f"{len(found)} imports {rule}:\n" + "\n".join(found)


def test_every_room_has_a_floor() -> None:
    assert {room(name) for name in modules(PACKAGE)} == set(FLOOR)


def test_no_reason_is_left_over() -> None:
    assert set(DEFERRED) <= {(i.source, i.target) for i in IMPORTS if i.inside}


PLANTED = {
    "upward": "from gputrain.models import Model\n",
    "in a circle": "from gputrain.ops.base import apply\nfrom gputrain.ops.movement import reshape\n",
    "of a private name": "from gputrain.ir.value import _sequence\n",
    "in a function": "def f():\n    from gputrain.utils import tree\n    return tree\n",
}


@pytest.mark.parametrize("rule", RULES)
def test_a_planted_fault_is_found(rule: str, tmp_path: Path) -> None:
    planted = tmp_path / "elementwise.py"
    planted.write_text(PLANTED[rule], encoding="utf-8")
    new = list(imports_of("ops.planted", planted, modules(PACKAGE)))
    if rule == "in a circle":
        new.append(Import("ops.movement", "ops.planted", (), 1, False))
    assert RULES[rule]([*IMPORTS, *new])


def test_an_upward_import_for_type_checkers_is_found(tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from gputrain.layers import Dense\n",
        encoding="utf-8",
    )
    assert upward(list(imports_of("ir.planted", planted, modules(PACKAGE))))
