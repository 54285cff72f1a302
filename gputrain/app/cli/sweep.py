"""Train a recipe with all combinations of some settings, or go on with such a sweep.

examples:
  gputrain sweep digits_mlp --set optimizer.name=sgd,adam,rmsprop --set training.batch_size=32,128 --seeds 3
  gputrain sweep digits_cnn --set optimizer.learning_rate=1e-4,1e-3,1e-2
  gputrain sweep runs/digits_mlp-sweep-1      # goes on with a sweep that was stopped

Values are separated by commas; each key with one value is the same in all runs. The folder
runs/<name>-sweep-<n>/ holds all runs and results.csv. The table at the end has the mean over the seeds and,
after +-, the sample standard deviation.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gputrain.app import recipes
from gputrain.app.cli.codes import FAILED
from gputrain.app.cli.command import JSON, SETTINGS, Arguments, Command, option
from gputrain.app.cli.output import print_json, print_table, shown
from gputrain.app.cli.settings import settings_of
from gputrain.app.cli.signals import heeded
from gputrain.app.recipes.comparing import best_first
from gputrain.app.recipes.sweep import Group, Sweep, split_values


def _run(args: Arguments) -> int | None:
    sweep = _sweep(args)
    try:
        with heeded() as stop:
            sweep.run(stop)
    except KeyboardInterrupt as interrupt:
        interrupt.args = (f"{interrupt} `gputrain sweep {sweep.folder}` goes on.".strip(),)
        raise
    groups = sweep.table()
    metrics = _metrics(groups)
    if args.metric is not None:
        groups = best_first(groups, args.metric, lambda group: group.mean)
        metrics = [args.metric, *(name for name in metrics if name != args.metric)]
    if args.json:
        print_json({"sweep": str(sweep.folder), "results": [vars(group) for group in groups]})
    else:
        print_table(*_table(groups, metrics))
    return FAILED if any(group.failed for group in groups) else None


def _sweep(args: Arguments) -> Sweep:
    if Sweep.is_at(args.config):
        for option in ("settings", "backend", "epochs", "seed", "seeds", "out"):
            if getattr(args, option):
                args.parser.error(f"a sweep goes on as it was begun; leave out what changes it ({option})")
        return Sweep.open(args.config, None if args.builder_file is None else Path(args.builder_file))
    if args.seeds is not None and not 1 <= args.seeds <= 1000:
        args.parser.error(f"--seeds must be a number from 1 to 1000, not {args.seeds}")
    grid = [(path, split_values(value)) for path, value, _ in settings_of(args)]
    fixed = [(path, values[0], "--set") for path, values in grid if len(values) == 1]
    varied = [(path, values) for path, values in grid if len(values) > 1]
    return Sweep.new(recipes.load(args.config, fixed), varied, args.seeds or 1, args.out or Path("runs"))


def _metrics(groups: list[Group]) -> list[str]:
    names = dict.fromkeys(name for group in groups for name in group.mean)
    return [name for name in names if name.startswith(("test_", "val_"))] or list(names)


def _table(groups: list[Group], metrics: list[str]) -> tuple[list[str], list[list[Any]]]:
    paths = list(dict.fromkeys(path for group in groups for path in group.settings))
    failed = ["failed"] if any(group.failed for group in groups) else []
    rows = [
        [
            *(group.settings.get(path, "") for path in paths),
            group.runs,
            *([group.failed] if failed else []),
            *(_spread(group, name) for name in metrics),
        ]
        for group in groups
    ]
    return [*paths, "runs", *failed, *metrics], rows


def _spread(group: Group, name: str) -> str:
    if name not in group.mean:
        return ""
    deviation = group.deviation[name]
    return shown(group.mean[name]) + (f" +- {shown(deviation)}" if deviation is not None else "")


COMMAND = Command(
    _run,
    __doc__,
    (
        option(
            "config", "a recipe as for `gputrain train`, or the folder of a sweep to go on with", "CONFIG"
        ),
        *SETTINGS,
        option("--seeds", "train each with N seeds: the recipe's, the next, ... (default: 1)", "N", type=int),
        option("--out", "where the folder of the sweep is made (default: runs)", "DIR", type=Path),
        option("--metric", "sort the table by it, as test_accuracy (default: the order of the grid)", "NAME"),
        JSON,
    ),
)
