"""What a command of the command line is made of, and the options that several share."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Arguments = argparse.Namespace  # what was typed


class Option(NamedTuple):
    """An argument or option: its name, and what else argparse is told about it."""

    name: str
    details: Mapping[str, Any]


@dataclass(frozen=True)
class Command:
    """What is typed after a command's name, and what it does.

    Attributes:
        run: takes the parsed arguments, returns the exit code; None is that of success.
        doc: the docstring of its module, from which its help comes: what it does, and then examples; what its
            exit codes mean, where that is something special.
        options: its arguments and options, besides --debug, which all have.
        commands: those below it, name to (a line of help, the command); it does nothing itself then.
    """

    run: Callable[[Arguments], int | None] | None
    doc: str | None
    options: tuple[Option, ...] = ()
    commands: Mapping[str, tuple[str, Command]] = field(default_factory=dict)


def option(name: str, help: str, metavar: str | None = None, **details: Any) -> Option:
    """Return the row of an argument or option; `details` as in `ArgumentParser.add_argument`."""
    return Option(name, {"help": help, **details} | ({"metavar": metavar} if metavar else {}))


JSON = option("--json", "print JSON instead of a table", action="store_true")
CONFIG = option("config", "a recipe: a TOML file, the name of a shipped recipe, or a run folder", "CONFIG")
RUN = option("run", "a run folder, as runs/digits_cnn-1", "RUN")
BACKEND = option("--backend", "same as --set backend=B: auto (a GPU where there is one), numpy or cupy", "B")
_SET = "another value for a setting of the recipe, as training.batch_size=64; may be repeated"
BUILDER_FILE = option(
    "--builder-file", "the Python file of the recipe's model builder; its code is run", "FILE"
)
# What changes a recipe.
SETTINGS = (
    option("--set", _SET, "KEY=VALUE", dest="settings", action="append", default=[]),
    BACKEND,
    option("--epochs", "same as --set training.epochs=N", "N", type=int),
    option("--seed", "same as --set seed=N", "N", type=int),
    BUILDER_FILE,
)
