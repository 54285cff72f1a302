"""List the data sets that a recipe can name, and where on this machine each is.

examples:
  gputrain datasets
  gputrain datasets --json
  GPUTRAIN_DATA=~/data gputrain datasets      # where else to look

A set that is not on this machine is downloaded when it is first used, or asks for an extra.
"""

from __future__ import annotations

from gputrain.app.cli.command import JSON, Arguments, Command
from gputrain.app.cli.output import print_json, print_table
from gputrain.app.recipes.known_data import DATASETS


def _run(args: Arguments) -> None:
    rows = [
        {"name": name, "about": known.about, "place": known.place(name)} for name, known in DATASETS.items()
    ]
    if args.json:
        print_json(rows)
    else:
        print_table(("name", "about", "place"), [list(row.values()) for row in rows])


COMMAND = Command(_run, __doc__, (JSON,))
