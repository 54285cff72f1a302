"""Writes the reference pages of the documentation from the code.

    python docs/make_reference.py

configuration.md comes from the recipe's schema, the closed list of classes and the settings of the process,
command_line.md from the argument parser, the last table of keras.md from gputrain/keras_names.py, api/*.md
from the public rooms, keras_layers.md from them and from what tests/parity keeps of Keras. tests/docs
compares the pages with what would be written now.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import gputrain
from gputrain import config, keras_names
from gputrain.app.cli import parser as command_line
from gputrain.app.recipes import catalog, schema
from gputrain.app.recipes.arguments import parameters

DOCS = Path(__file__).resolve().parent
COMMAND = "python docs/make_reference.py"
NOTE = f"<!-- Written by `{COMMAND}`; change the code instead. -->"

# The public rooms, each with its page.
ROOMS = {
    "gputrain": "The top level.",
    "gputrain.models": "Models, and their training.",
    "gputrain.layers": "Layers. All take the arguments of `Layer` too.",
    "gputrain.losses": "Losses, as classes and as functions. All classes take `reduction` and `name`.",
    "gputrain.metrics": "Metrics, as classes and as functions. All classes take `name` and `dtype`.",
    "gputrain.optimizers": "Optimizers. All take the arguments of `Optimizer` too.",
    "gputrain.optimizers.schedules": "Learning rates that change from step to step.",
    "gputrain.callbacks": "What takes part in training.",
    "gputrain.applications": "Architectures for images.",
    "gputrain.applications.imagenet_utils": "Preparing images, naming classes.",
    "gputrain.saving": "The state of a training, by name.",
    "gputrain.activations": "Activations: functions of one array or value.",
    "gputrain.initializers": "What weights begin with.",
    "gputrain.regularizers": "Penalties on weights and activations.",
    "gputrain.constraints": "What weights are held to after each step.",
    "gputrain.ops": "Operations: computed at once on arrays, recorded while a model is traced.",
    "gputrain.ops.image": "Operations on images: other sizes, other places of pixels, colours, parts.",
    "gputrain.random": "Random numbers, equal on the CPU and on a GPU.",
    "gputrain.utils": "Small helpers.",
    "gputrain.datasets": "Data sets, with Keras's `load_data`.",
    "gputrain.data": "How arrays become batches.",
    "gputrain.tabular": "Tables: reading, checking and preparing them.",
    "gputrain.recipes": "Recipes and runs, from Python.",
    "gputrain.reporting": "Assessments, reports and pictures.",
    "gputrain.scripts": "Keras scripts on gputrain.",
    "gputrain.config": "Settings of the process.",
    "gputrain.errors": "Errors that gputrain raises.",
}

# What operations call their usual arguments; their docstrings need not say it again.
OPERANDS = {
    "x, x1, x2": "an array, a value of a model, a Variable, or what becomes an array",
    "axis": "an axis or several, negative ones counted from the end; None means all",
    "keepdims": "whether axes that are summed over stay, with size 1",
    "dtype": 'of the result, as "float32"',
    "shape": "of the result",
}

KINDS = {
    "layer": "Layers: `[[model.layers]]`, `type`",
    "optimizer": "Optimizers: `[optimizer]`, `name`",
    "schedule": "Schedules: `[optimizer.learning_rate]`, `name`",
    "loss": "Losses: `loss`",
    "metric": "Metrics: `metrics`",
    "callback": "Callbacks: `[[callbacks]]`, `name`",
    "initializer": "Initializers: arguments that end in `_initializer`",
    "regularizer": "Regularizers: arguments that end in `_regularizer`",
    "constraint": "Constraints: arguments that end in `_constraint`",
}


ABOUT_RECIPES = """\
A recipe is a TOML file. `gputrain config show RECIPE` prints one with every default; an unknown key or a
value that cannot be is an error that names file and key. `--set KEY=VALUE` changes a key on the way, as
`--set training.epochs=3`. [recipes.md](recipes.md) lists the recipes that come with gputrain."""

ABOUT_NAMES = """\
Names are those of Keras: classes of layers as they are, everything else in snake_case. An object is given
by its name, `optimizer = "adam"`, or as a table with its arguments, `{ name = "adam", learning_rate = 0.01
}`. Nothing is imported by a name: what is not listed here is an error. Arguments that say `required` have
no default."""

ABOUT_SETTINGS = """\
These hold for the whole process. A value is taken from the first place that has one: the setter
(`gputrain.config.set_floatx("float64")`), the environment variable, the config file, the default. The file
is TOML, at `$GPUTRAIN_CONFIG` or else at `$XDG_CONFIG_HOME/gputrain/config.toml` (`~/.config` when
`XDG_CONFIG_HOME` is not set)."""

ABOUT_LAYERS = """\
Below, what each name is here, and where it is called in another way. That values, shapes, gradients, weights,
configs and steps of training are those of Keras, too, is held by the rows of tests/parity; where they are not
meant to be, [keras.md](keras.md#what-differs) says why."""

# Layers that hold those of other frameworks, for which there is no place on an engine of its own.
OTHER_FRAMEWORKS = ("FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper")

ABOUT_COMMANDS = """\
Results go to stdout, all else to stderr. `gputrain COMMAND --help` says what stands here; `gputrain
--version` prints the version. Without installing, `python -m gputrain` does the same."""


def pages() -> dict[str, str]:
    """Return the text of each generated page by its path under docs/."""
    return {
        "configuration.md": configuration_page(),
        "command_line.md": command_line_page(),
        "keras.md": keras_page(),
        "keras_layers.md": keras_layers_page(),
        **api_pages(),
    }


def page_name(room: str) -> str:
    """Return the name of a room's page: "gputrain.optimizers.schedules" gives "schedules"."""
    return room.rpartition(".")[2]


# ------------------------------------------------------------------------------------------ configuration.md


def configuration_page() -> str:
    """Return the page of all keys of a recipe, of what it may name, and of the settings of the process."""
    lines = [
        "# Configuration",
        NOTE,
        ABOUT_RECIPES,
        "## Recipe",
    ]
    for section, keys in schema.SECTIONS.items():
        lines += [f"### {f'`[{section}]`' if section else 'Top level'}", *_keys_table(keys)]
    lines += [
        "## What a recipe may name",
        ABOUT_NAMES,
    ]
    for kind, title in KINDS.items():
        lines += [f"### {title}", _names_table(kind)]
    lines += ["## Settings of the process", ABOUT_SETTINGS, _settings_table()]
    return _page(lines)


def _keys_table(keys: Mapping[str, schema.Key]) -> list[str]:
    rows = ((f"`{name}`", key.rule, _default_of(key), key.help) for name, key in keys.items())
    return [_table(("key", "value", "default", "meaning"), rows)]


def _default_of(key: schema.Key) -> str:
    if key.required:
        return "required"
    return "" if key.default is None else _code(_toml(key.default))


def _names_table(kind: str) -> str:
    names: dict[type, list[str]] = {}
    for name, cls in catalog.classes(kind).items():
        names.setdefault(cls, []).append(name)
    hidden = ("name", "fn") if kind != "layer" else _layer_arguments()
    rows = (
        (", ".join(map(_code, known)), _arguments(cls, hidden), _first_line(cls))
        for cls, known in sorted(names.items(), key=lambda item: item[1])
    )
    table = _table(("name", "arguments", "what"), rows)
    if kind != "layer":
        return table
    shared = ", ".join(map(_code, _layer_arguments()))
    return f"All layers also take {shared}.\n\n{table}"


def _layer_arguments() -> tuple[str, ...]:
    return tuple(parameters(gputrain.Layer))


def _arguments(cls: type, hidden: Sequence[str]) -> str:
    shown = []
    for name, parameter in parameters(cls).items():
        if name in hidden:
            continue
        required = parameter.default is inspect.Parameter.empty
        shown.append(f"`{name}`" + (" required" if required else f" {_code(_toml(parameter.default))}"))
    return ", ".join(shown)


def _settings_table() -> str:
    rows = (
        (
            _code(name),
            setting.rule,
            "" if setting.default is None else _code(_toml(setting.default)),
            _code(setting.env) if setting.env else "",
            _first_line(getattr(config, f"set_{name}")),
        )
        for name, setting in config.SETTINGS.items()
    )
    return _table(("setting", "value", "default", "environment", "what its setter does"), rows)


# ------------------------------------------------------------------------------------------- command_line.md


def command_line_page() -> str:
    """Return the page of all commands, with their arguments, options and examples."""
    parser = command_line.make_parser()
    commands = list(leaf_commands(parser))
    rows = ((f"[`{name}`](#{_anchor(name)})", found.description) for name, found in commands)
    lines = [
        "# Command line",
        NOTE,
        ABOUT_COMMANDS,
        _table(("command", "what"), rows),
    ]
    for name, found in commands:
        lines += [f"## {name}", *_command(found)]
    return _page(lines)


def leaf_commands(
    parser: argparse.ArgumentParser, prefix: str = "gputrain"
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Return (what is typed, its parser) of every command that does something."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not groups:
        yield prefix, parser
    for group in groups:
        for name, inner in group.choices.items():
            yield from leaf_commands(inner, f"{prefix} {name}")


def options(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Return the arguments and options of a command, but for --help; --debug, which all have, comes last."""
    own = [action for action in parser._actions if not isinstance(action, argparse._HelpAction)]
    return sorted(own, key=lambda action: action.dest == "debug")


def _command(parser: argparse.ArgumentParser) -> Iterator[str]:
    yield str(parser.description)
    yield _table(("argument", "meaning"), ((_typed(action), action.help) for action in options(parser)))
    examples, _, codes = str(parser.epilog).partition("exit codes: ")
    shown = re.sub(r"^  ", "", examples.removeprefix("examples:\n").rstrip(), flags=re.MULTILINE)
    yield f"```text\n{shown}\n```"
    yield f"Exit codes: {' '.join(codes.split())}."


def _typed(action: argparse.Action) -> str:
    metavar = action.metavar if isinstance(action.metavar, str) else None
    if not action.option_strings:
        choices = "{" + ",".join(action.choices) + "}" if action.choices else None
        shown = metavar or choices or action.dest
        return _code(
            {"+": f"{shown} ...", "?": f"[{shown}]", "...": f"{shown} ..."}.get(str(action.nargs), shown)
        )
    takes = "" if action.nargs == 0 else f" {metavar or action.dest.upper()}"
    return _code(", ".join(action.option_strings) + takes)


# -------------------------------------------------------------------------------------------------- keras.md


def keras_page() -> str:
    """Return the page for those who come from Keras, with its table of names that are not there."""
    page = (DOCS / "keras.md").read_text(encoding="utf-8")
    before, start, rest = page.partition("<!-- not there -->")
    _, end, after = rest.partition("<!-- /not there -->")
    return f"{before}{start}\n\n{_not_there_table()}\n\n{end}{after}"


def _not_there_table() -> str:
    rows = ((group.what, _folded(_names_of(group)), group.instead) for group in keras_names.NOT_THERE)
    lines = [("what", "names", "instead"), ("---",) * 3, *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _names_of(group: keras_names.Group) -> list[str]:
    return [
        f"keras.{room}.{name}".replace("..", ".")
        for room, names in group.names.items()
        for name in names.split()
    ]


def _folded(names: Sequence[str]) -> str:
    """Names in a cell; from the seventh on they fold."""
    shown, more = ", ".join(map(_code, names[:6])), ", ".join(map(_code, names[6:]))
    return f"{shown} <details><summary>{len(names) - 6} more</summary>{more}</details>" if more else shown


# ------------------------------------------------------------------------------------------- keras_layers.md


def keras_layers_page() -> str:
    """Return the page that compares the public names of `keras.layers` with those that are there."""
    signatures = _parity("signatures").committed()
    names = layers_of_keras()
    known = [name for name in names if hasattr(gputrain.layers, name)]
    same = [name for name in known if not _other_parameters(name, signatures)]
    counted = len(names) - len(OTHER_FRAMEWORKS)
    share = (
        f"Of the {counted} public names of `keras.layers` in Keras {_keras_release()}, {len(known)} are "
        f"there: {share_of_layers():.1%}. {len(same)} of them are called as in Keras, argument by argument. "
        f"{_listed(OTHER_FRAMEWORKS)} are not counted: they hold layers of other frameworks."
    )
    rows = ((_code(name), *_compared(name, signatures)) for name in sorted(names, key=str.lower))
    return _page(["# Keras's layers", NOTE, share, ABOUT_LAYERS, _table(("name", "here", "arguments"), rows)])


def layers_of_keras() -> list[str]:
    """Return the public names of `keras.layers`."""
    paths = [path.split(".") for path in _parity("names").committed()]
    return [parts[2] for parts in paths if parts[:2] == ["keras", "layers"] and len(parts) == 3]


def share_of_layers() -> float:
    """Return how many of the names of `keras.layers` are there, but for those of other frameworks."""
    counted = [name for name in layers_of_keras() if name not in OTHER_FRAMEWORKS]
    return sum(hasattr(gputrain.layers, name) for name in counted) / len(counted)


def _parity(module: str) -> Any:
    """A module of tests/parity, which keeps what Keras has."""
    if str(DOCS.parent) not in sys.path:
        sys.path.append(str(DOCS.parent))
    return importlib.import_module(f"tests.parity.{module}")


def _keras_release() -> str:
    """The version of Keras that the tests compare with, as "3.15"."""
    text = (DOCS.parent / "tests" / "parity" / "requirements.txt").read_text(encoding="utf-8")
    found = re.search(r"^keras==(\d+\.\d+)", text, re.MULTILINE)
    assert found is not None
    return found[1]


def _compared(name: str, signatures: Mapping[str, Sequence[str]]) -> tuple[str, str]:
    """What is there for a name of Keras, and how it is called."""
    item = getattr(gputrain.layers, name, None)
    if item is None:
        return f"no. {keras_names.instead_of(f'keras.layers.{name}')}", ""
    own = _own_name(name, item)
    others = _other_parameters(name, signatures)
    told = [f"{_code(argument)} {reason}" for argument, reason in others.items()] or ["as in Keras"]
    single = [
        argument
        for argument, declared in getattr(item, "_declared_arguments", {}).items()
        if declared.shown and declared.asks_nothing
    ]
    if single:
        told.append(f"{_listed(single)} with [one value](keras.md#arguments-that-take-one-value)")
    alias = own != name and own in gputrain.layers.__all__
    return f"the same as {_code(own)}" if alias else "yes", "; ".join(told)


def _other_parameters(name: str, signatures: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The arguments that are not as in Keras, with the reasons."""
    expected = [text.lstrip("*") for text in signatures[f"layers.{name}"]]
    described = _parity("signatures").described(getattr(gputrain.layers, name), lambda cls: cls) or []
    found = [text.lstrip("*") for text in described]  # all may be given by name
    found = [text for text in found if text in expected or _argument(text) not in _layer_arguments()]
    reasons = dict.fromkeys(map(_argument, found[len(expected) :]), "is one more")
    reasons |= {_argument(text): "differs" for text in expected if text not in found}
    if not reasons and found != expected:
        reasons = dict.fromkeys(map(_argument, expected), "stands elsewhere")
    return reasons | _parity("allowed").PARAMETERS.get(f"layers.{name}", {})


def _argument(text: str) -> str:
    """The name of an argument, of "name=default"."""
    return text.partition("=")[0]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(_code, names))


# -------------------------------------------------------------------------------------------------- api/*.md


def api_pages() -> dict[str, str]:
    """Return the page of each room: its public names in a table, and for mkdocs their docstrings.

    What several rooms export is explained on the page of one; the top level comes last.
    """
    explained: set[int] = set()
    texts = {room: _api_page(room, explained) for room in (*list(ROOMS)[1:], "gputrain")}
    return {f"api/{page_name(room)}.md": texts[room] for room in ROOMS}


def _api_page(room: str, explained: set[int]) -> str:
    names = public_names(importlib.import_module(room))
    rows = ((_code(_call(name, item)), _summary(name, item)) for name, item in names.items())
    details = []
    for name, item in names.items():
        if not inspect.ismodule(item) and _own_name(name, item) == name and id(item) not in explained:
            details.append(f"::: {_definition(room, name, item)}")
            explained.add(id(item))
    operands = _operands() if room == "gputrain.ops" else []
    return _page([f"# {room}", NOTE, ROOMS[room], *operands, _table(("name", "what"), rows), *details])


def _operands() -> list[str]:
    rows = ((", ".join(map(_code, names.split(", "))), meaning) for names, meaning in OPERANDS.items())
    return ["Arguments that mean the same everywhere:", _table(("argument", "meaning"), rows)]


def public_names(module: ModuleType) -> dict[str, Any]:
    """Return what a room offers, functions before classes: its __all__, or what its own modules define."""
    names: Iterable[str] | None = getattr(module, "__all__", None)
    if names is None:
        names = [name for name, item in vars(module).items() if _is_own(name, item, module)]
        names += [name for name in ("cond", "scan") if hasattr(module, name) and name not in names]
    found = {name: getattr(module, name) for name in sorted(names, key=str.lower)}
    return dict(sorted(found.items(), key=lambda item: inspect.isclass(item[1])))


def _is_own(name: str, item: Any, module: ModuleType) -> bool:
    place = getattr(item, "__module__", None) or ""
    inside = place == module.__name__ or place.startswith(f"{module.__name__}.")
    return not name.startswith("_") and inside and _is_definition(item)


def _own_name(name: str, item: Any) -> str:
    """The name that a class or function was defined with; another one is an alias."""
    own = getattr(item, "__name__", name)
    return str(own) if _is_definition(item) else name


def _definition(room: str, name: str, item: Any) -> str:
    """The dotted path at which mkdocs finds a name: where it was defined."""
    place = getattr(item, "__module__", None) or room
    return f"{place if getattr(sys.modules.get(place), name, None) is item else room}.{name}"


def _is_definition(item: Any) -> bool:
    return inspect.isclass(item) or inspect.isroutine(item)


def _call(name: str, item: Any) -> str:
    if not callable(item) or _is_plain_exception(item):
        return name
    try:
        signature = inspect.signature(item)
    except ValueError:
        return name
    shown = []
    for parameter in signature.parameters.values():
        stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        default = "" if parameter.default is parameter.empty else f"={_default(parameter.default)}"
        shown.append(f"{stars}{parameter.name}{default}")
    return f"{name}({', '.join(shown)})"


def _is_plain_exception(item: Any) -> bool:
    """Whether it is an exception that takes what all take, which versions of Python describe differently."""
    return inspect.isclass(item) and issubclass(item, BaseException) and "__init__" not in vars(item)


def _default(value: Any) -> str:
    if _is_definition(value):
        return str(value.__name__)
    shown = repr(value)
    return "..." if " at 0x" in shown or len(shown) > 40 else shown


def _summary(name: str, item: Any) -> str:
    own = _own_name(name, item)
    if own != name:
        return f"the same as `{own}`"
    if inspect.ismodule(item) and item.__name__ in ROOMS:
        return f"[{ROOMS[item.__name__]}]({page_name(item.__name__)}.md)"
    if inspect.ismodule(item) or _is_definition(item):
        return _first_line(item)
    return _first_line(type(item)) if type(item).__module__.startswith("gputrain") else _code(repr(item))


# ---------------------------------------------------------------------------------------------------- shared


def _first_line(item: Any) -> str:
    """The first sentence of a docstring, on one line."""
    text = inspect.getdoc(item) or ""
    return " ".join(text.partition("\n\n")[0].split())


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(value: Any) -> str:
    """Text of a cell. Outside of `code`, what Markdown would take for a tag or emphasis is escaped."""
    parts = str("" if value is None else value).replace("\n", " ").replace("|", "\\|").split("`")
    parts[::2] = [part.replace("<", "&lt;").replace("*", "\\*").replace("][", "]\\[") for part in parts[::2]]
    return "`".join(parts)


def _code(text: str) -> str:
    return f"`{text}`"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "none"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return str(value)


def _anchor(title: str) -> str:
    """The anchor of a heading, as code hosts and mkdocs make it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _page(blocks: Iterable[str]) -> str:
    return "\n\n".join(blocks) + "\n"


def main() -> None:
    """Write the pages."""
    (DOCS / "api").mkdir(exist_ok=True)
    for name, text in pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")
        print(f"docs/{name}")


if __name__ == "__main__":
    main()
