"""`gputrain compare`: runs side by side."""

from __future__ import annotations

import argparse

from gputrain.app.cli import parser as shared
from gputrain.app.cli.codes import OK
from gputrain.app.cli.output import print_json, print_table

_EXAMPLES = """\
examples:
  gputrain compare runs/digits_cnn-1 runs/digits_cnn-2
  gputrain compare runs/* --sort test_accuracy
  gputrain compare runs/* --json

The table has a line for each run: the settings in which they differ, then the results.
"""


def add(commands: shared.Commands) -> None:
    """Add the command."""
    parser = shared.add_command(
        commands,
        "compare",
        _run,
        help="compare runs: in which settings they differ, and what came out",
        description="Show the settings in which runs differ, and their results, side by side.",
        examples=_EXAMPLES,
    )
    parser.add_argument("runs", metavar="RUN", nargs="+", help="run folders")
    parser.add_argument(
        "--sort",
        metavar="METRIC",
        help="the best first, as test_accuracy; losses and errors: the least first",
    )
    shared.add_json(parser)


def _run(args: argparse.Namespace) -> int:
    from gputrain.app.recipes.comparing import compare

    table = compare(args.runs, args.sort)
    if args.json:
        print_json(
            [{"run": line.run, "settings": line.settings, "metrics": line.metrics} for line in table.lines]
        )
        return OK
    header = ["run", *table.settings, *table.metrics]
    print_table(
        header,
        [
            [line.run, *map(line.settings.get, table.settings), *map(line.metrics.get, table.metrics)]
            for line in table.lines
        ],
    )
    return OK
