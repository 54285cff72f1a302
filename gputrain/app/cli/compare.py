"""Show the settings in which runs differ, and their results, side by side.

examples:
  gputrain compare runs/digits_cnn-1 runs/digits_cnn-2
  gputrain compare runs/* --sort test_accuracy
  gputrain compare runs/* --json

The table has a line for each run: the settings in which they differ, then the results.
"""

from __future__ import annotations

from gputrain.app.cli.command import JSON, Arguments, Command, option
from gputrain.app.cli.output import print_json, print_table
from gputrain.app.recipes.comparing import compare


def _run(args: Arguments) -> None:
    table = compare(args.runs, args.sort)
    if args.json:
        print_json(list(map(vars, table.lines)))
        return
    rows = [
        [line.run, *map(line.settings.get, table.settings), *map(line.metrics.get, table.metrics)]
        for line in table.lines
    ]
    print_table(["run", *table.settings, *table.metrics], rows)


COMMAND = Command(
    _run,
    __doc__,
    (
        option("runs", "run folders", "RUN", nargs="+"),
        option("--sort", "the best first, as test_accuracy; losses and errors: the least first", "METRIC"),
        JSON,
    ),
)
