"""Check a recipe and print it with every default, as TOML.

examples:
  gputrain config show digits_cnn
  gputrain config show digits_cnn --set optimizer.name=sgd > my.toml
  gputrain config show runs/digits_cnn-1 --json

What is printed is a recipe again. docs/configuration.md says what each key means.
"""

from __future__ import annotations

import sys

from gputrain.app import recipes
from gputrain.app.cli.command import CONFIG, JSON, SETTINGS, Arguments, Command
from gputrain.app.cli.output import print_json
from gputrain.app.cli.settings import settings_of
from gputrain.app.recipes import toml_writer


def _show(args: Arguments) -> None:
    settings = recipes.load(args.config, settings_of(args)).settings
    if args.json:
        print_json(settings)
    else:
        sys.stdout.write(toml_writer.dumps(settings))


_SHOW = Command(_show, __doc__, (CONFIG, *SETTINGS, JSON))
COMMAND = Command(
    None,
    "Look at recipes.\n\n" + str(__doc__).partition("\n\n")[2],
    commands={"show": ("print a recipe, checked, with every default", _SHOW)},
)
