"""The parser of the whole command line, made from the table of commands."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from importlib import import_module

from gputrain.app.cli.codes import EXPLAINED
from gputrain.app.cli.command import Command
from gputrain.names import did_you_mean
from gputrain.release import __version__

# What is typed, its line in the list of commands, and the module in this room whose COMMAND it is. A module
# is imported when its command is typed: `gputrain --help` needs none of them.
COMMANDS = (
    ("train", "train the model of a recipe", "train"),
    ("sweep", "train a recipe with all combinations of some settings, each with several seeds", "sweep"),
    ("find-lr", "find a learning rate for a recipe", "find_lr"),
    ("evaluate", "test the model of a run", "evaluate"),
    ("predict", "predict with the model of a run", "predict"),
    ("compare", "compare runs: in which settings they differ, and what came out", "compare"),
    ("summary", "show the layers and the size of a recipe's model, or of a file", "summary"),
    ("convert", "write the model of a file in another format", "convert"),
    ("config", "show a recipe with every default", "config"),
    ("datasets", "list the data sets that recipes can name, and where they are", "datasets"),
    ("run", "run a Keras script: `keras` and `tensorflow.keras` are gputrain", "run"),
    ("doctor", "say what works on this machine, and how to mend what does not", "doctor"),
    ("completion", "print what makes your shell complete gputrain's commands", "completion"),
)


class _Parser(argparse.ArgumentParser):
    """Names the nearest command when there is no such command."""

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is not None and value not in action.choices:
            names = [str(name) for name in action.choices]
            rule = f"there is no command {value!r}. {did_you_mean(str(value), names)}"
            raise argparse.ArgumentError(None, rule.rstrip())


def make_parser(words: Collection[str] | None = None) -> argparse.ArgumentParser:
    """Return the parser of the whole command line.

    Args:
        words: what was typed: only the commands among these get their options. None gives all of them theirs.
    """
    parser = _Parser(
        prog="gputrain",
        description="Train neural networks from recipes, test them and compare them.",
        epilog=EXPLAINED,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"gputrain {__version__}")
    commands = parser.add_subparsers(
        title="commands", required=True, metavar="COMMAND", parser_class=argparse.ArgumentParser
    )
    for name, help, module in COMMANDS:
        added = commands.add_parser(name, help=help, allow_abbrev=False)
        if words is None or name in words:
            _fill(added, import_module(f"gputrain.app.cli.{module}").COMMAND)
    return parser


def _fill(parser: argparse.ArgumentParser, command: Command) -> None:
    """Give a command's parser its texts, options and commands."""
    parser.description, _, more = (command.doc or "").partition("\n\n")
    parser.epilog = more if "exit codes:" in more else f"{more}\n{EXPLAINED}"
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    if command.commands:
        inner = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
        for name, (help, below) in command.commands.items():
            _fill(inner.add_parser(name, help=help, allow_abbrev=False), below)
        return
    parser.set_defaults(command=command.run, parser=parser)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    for name, details in command.options:
        parser.add_argument(name, **details)
