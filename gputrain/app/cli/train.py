"""Train the model of a recipe, test it, and keep the run in a folder of its own.

examples:
  gputrain train digits_cnn
  gputrain train configs/digits_cnn.toml --epochs 3 --seed 3
  gputrain train digits_cnn --set optimizer.name=sgd --set training.batch_size=64
  gputrain train digits_cnn --set "model.layers[0].filters=16"
  gputrain train tabular --set data.file=flowers.csv --set data.target=species
  gputrain train runs/digits_cnn-1            # the same once more
  gputrain train --resume runs/digits_cnn-1   # goes on with one that was ended before it was complete

The run folder runs/<name>-<n>/ then holds config.toml (every setting, also those not given; it can be trained
again), history.csv, metrics.json, weights.npz, report.html and more; docs/runs.md lists them.

Ctrl-C, SIGTERM and SIGHUP end it after the step at hand, with its state saved. A run that was ended, also by
a crash, resumes from its last checkpoint and gives the results that it would have given.
"""

from __future__ import annotations

from pathlib import Path

from gputrain.app import recipes
from gputrain.app.cli.codes import FAILED
from gputrain.app.cli.command import CONFIG, JSON, SETTINGS, Arguments, Command, option
from gputrain.app.cli.output import close_stdout, print_fields, print_json, report
from gputrain.app.cli.settings import settings_of
from gputrain.app.cli.signals import heeded
from gputrain.app.stop import Stop


def _run(args: Arguments) -> int | None:
    with heeded() as stop:
        try:
            result = _result(args, stop)
        except KeyboardInterrupt as interrupt:
            interrupt.args = (f"{interrupt} {stop.hint}".strip(),)
            raise
    fields = {"run": str(result.folder), "report": str(result.report), **result.metrics}
    try:
        if args.json:
            print_json(fields)
        else:
            print_fields(fields)
            print(end="", flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        close_stdout()
        rule = f"the result could not be written to stdout: {error.strerror}. It is in {result.folder}."
        return report(rule, FAILED)
    return None


def _result(args: Arguments, stop: Stop) -> recipes.RunResult:
    if (args.config is None) == (args.resume is None):
        args.parser.error("name a recipe, or a run folder with --resume")
    if args.resume is not None:
        return recipes.resume(args.resume, settings_of(args), stop=stop)
    return recipes.run(recipes.load(args.config, settings_of(args)), args.out, stop=stop)


COMMAND = Command(
    _run,
    __doc__,
    (
        CONFIG._replace(details={**CONFIG.details, "nargs": "?"}),
        option("--resume", "go on with this run, as it was begun", "RUN"),
        *SETTINGS,
        option("--out", "where run folders are made (default: runs)", "DIR", type=Path, default=Path("runs")),
        JSON,
    ),
)
