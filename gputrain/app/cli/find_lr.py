"""Train with ever larger learning rates, and show where the loss falls fastest.

examples:
  gputrain find-lr digits_cnn
  gputrain find-lr digits_cnn --low 1e-5 --high 1 --steps 100 --plot curve.png
  gputrain find-lr tabular --set data.file=flowers.csv --json

The rate grows from step to step; the table shows the smoothed loss at some of them. Suggested is the rate at
which it fell fastest (Smith 2017). Try it with --set optimizer.learning_rate=RATE.
"""

from __future__ import annotations

import sys
from pathlib import Path

from gputrain.app import recipes, reporting
from gputrain.app.cli.command import CONFIG, JSON, SETTINGS, Arguments, Command, option
from gputrain.app.cli.output import print_json, print_table
from gputrain.app.cli.settings import settings_of
from gputrain.app.recipes.find_lr import RangeTest, check_bounds, find_lr, ready
from gputrain.utils.progress.lines import Counter

_ROWS = 15


def _run(args: Arguments) -> None:
    check_bounds(args.low, args.high, args.steps)
    job = ready(recipes.load(args.config, settings_of(args)), args.low)
    with Counter("range test", args.steps, unit="steps", stream=sys.stderr) as counter:
        found = find_lr(job, args.low, args.high, args.steps, lambda step, loss: counter.advance())
    if args.plot is not None:
        reporting.draw_range_test(args.plot, found.rates, found.losses, found.smoothed, found.suggestion)
    if args.json:
        print_json(vars(found))
    else:
        _print(found)


def _print(found: RangeTest) -> None:
    count = len(found.rates)
    shown = sorted({round(i * (count - 1) / (_ROWS - 1)) for i in range(_ROWS)}) if count else []
    least, most = min(found.smoothed, default=0.0), max(found.smoothed, default=1.0)
    rows = []
    for i in shown:
        length = round(40 * (found.smoothed[i] - least) / ((most - least) or 1.0))
        rows.append([f"{found.rates[i]:.2e}", found.smoothed[i], "#" * max(1, length)])
    print_table(("learning rate", "loss", ""), rows)
    print()
    if found.suggestion is None:
        print("The loss never fell; the model, the loss or the data may be wrong.")
    else:
        print(f"suggested learning rate: {found.suggestion:.2e} (the loss fell fastest there)")
        print(f"least loss at:           {found.largest:.2e} (larger rates make it rise)")


COMMAND = Command(
    _run,
    __doc__,
    (
        CONFIG,
        *SETTINGS,
        option("--low", "the first rate (default: 1e-6)", "RATE", type=float, default=1e-6),
        option("--high", "the last rate (default: 10)", "RATE", type=float, default=10.0),
        option("--steps", "how many rates (default: 200)", "N", type=int, default=200),
        option("--plot", "draw the curve as a PNG (extra: plot)", "FILE", type=Path),
        JSON,
    ),
)
