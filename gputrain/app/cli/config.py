"""`gputrain config show`: a recipe with every default."""

from __future__ import annotations

import argparse
import sys

from gputrain.app.cli import parser as shared
from gputrain.app.cli.codes import EXPLAINED, OK
from gputrain.app.cli.output import print_json

_EXAMPLES = """\
examples:
  gputrain config show digits_cnn
  gputrain config show digits_cnn --set optimizer.name=sgd > my.toml
  gputrain config show runs/digits_cnn-1 --json

What is printed is a recipe again. docs/configuration.md says what each key means.
"""


def add(commands: shared.Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "config",
        help="show a recipe with every default",
        description="Look at recipes.",
        epilog=f"{_EXAMPLES}\n{EXPLAINED}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    inner = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    show = shared.add_command(
        inner,
        "show",
        _show,
        help="print a recipe, checked, with every default",
        description="Check a recipe and print it with every default, as TOML.",
        examples=_EXAMPLES,
    )
    shared.add_config(show)
    shared.add_settings(show)
    shared.add_json(show)


def _show(args: argparse.Namespace) -> int:
    from gputrain.app import recipes
    from gputrain.app.recipes import toml_writer

    settings = recipes.load(args.config, shared.settings_of(args)).settings
    if args.json:
        print_json(settings)
    else:
        sys.stdout.write(toml_writer.dumps(settings))
    return OK
