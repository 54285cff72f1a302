"""All commands of the command line, and the options they share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import gputrain
from gputrain.app.cli import codes
from gputrain.utils.names import did_you_mean

Commands = Any  # what ArgumentParser.add_subparsers returns; argparse does not name its class


class _Parser(argparse.ArgumentParser):
    """Names the nearest command when there is no such command."""

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is not None and value not in action.choices:
            names = [str(name) for name in action.choices]
            rule = f"there is no command {value!r}. {did_you_mean(str(value), names)}"
            raise argparse.ArgumentError(None, rule.rstrip())


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    from gputrain.app.cli import (  # fmt: skip
        compare,
        completion,
        config,
        datasets,
        doctor,
        evaluate,
        find_lr,
        predict,
        run,
        summary,
        sweep,
        train,
    )

    parser = _Parser(
        prog="gputrain",
        description="Train neural networks from recipes, test them and compare them.",
        epilog=codes.EXPLAINED,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"gputrain {gputrain.__version__}")
    commands = parser.add_subparsers(
        title="commands", required=True, metavar="COMMAND", parser_class=argparse.ArgumentParser
    )
    training, results, around = (
        (train, sweep, find_lr),
        (evaluate, predict, compare),
        (summary, config, datasets),
    )
    for module in (*training, *results, *around, run, doctor, completion):
        module.add(commands)
    return parser


def add_command(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], int],
    *,
    help: str,
    description: str,
    examples: str,
    exit_codes: str = codes.EXPLAINED,
) -> argparse.ArgumentParser:
    """Add a command, with --debug, and return its parser.

    Args:
        commands: where it is added.
        name: what is typed.
        run: takes the parsed arguments, returns the exit code.
        help: a line in the list of commands.
        description: a sentence or two at the top of its help.
        examples: lines to type, at the end of its help.
        exit_codes: what its exit codes mean.
    """
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=help,
        description=description,
        epilog=f"{examples}\n{exit_codes}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(command=run, parser=parser)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add --json."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add the argument CONFIG."""
    parser.add_argument(
        "config",
        metavar="CONFIG",
        help="a recipe: a TOML file, the name of a shipped recipe, or a run folder",
    )


def add_backend(parser: argparse.ArgumentParser) -> None:
    """Add --backend."""
    parser.add_argument(
        "--backend",
        metavar="B",
        help="same as --set backend=B: auto (a GPU where there is one), numpy or cupy",
    )


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add the options that change a recipe: --set, --backend, --epochs, --seed."""
    parser.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="another value for a setting of the recipe, as training.batch_size=64; may be repeated",
    )
    add_backend(parser)
    parser.add_argument("--epochs", type=int, metavar="N", help="same as --set training.epochs=N")
    parser.add_argument("--seed", type=int, metavar="N", help="same as --set seed=N")


def settings_of(args: argparse.Namespace) -> list[tuple[str, Any, str]]:
    """Return (key path, value, the option that gave it) for all options that change the recipe."""
    from gputrain.app.recipes import parse_setting

    given = getattr(args, "settings", [])
    settings: list[tuple[str, Any, str]] = [(*parse_setting(text), "--set") for text in given]
    for option, path in (("epochs", "training.epochs"), ("seed", "seed"), ("backend", "backend")):
        value = getattr(args, option, None)
        if value is not None:
            settings.append((path, value, f"--{option}"))
    return settings
