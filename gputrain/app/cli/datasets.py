"""List the data sets that a recipe can name, and where on this machine each is.

examples:
  gputrain datasets
  gputrain datasets --json
  GPUTRAIN_DATA=~/data gputrain datasets      # where else to look

A set that is not on this machine is downloaded when it is first used, or asks for an extra.
"""

from __future__ import annotations

import argparse
from typing import Any

from gputrain.app.cli.codes import OK
from gputrain.app.cli.command import JSON, Command
from gputrain.app.cli.output import print_json, print_table
from gputrain.app.recipes.known_data import DATASETS


def _run(args: argparse.Namespace) -> int:
    rows = [_row(name, known) for name, known in DATASETS.items()]
    if args.json:
        print_json(rows)
    else:
        columns = ("name", "about", "place")
        print_table(columns, [[row[column] for column in columns] for row in rows])
    return OK


def _row(name: str, known: Any) -> dict[str, Any]:
    return {"name": name, "about": known.about, "place": known.place(name)}


COMMAND = Command(_run, __doc__, (JSON,))
