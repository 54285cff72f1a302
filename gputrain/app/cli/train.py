"""`gputrain train`: the main job."""

from __future__ import annotations

import argparse
from pathlib import Path

from gputrain.app.cli import parser as shared
from gputrain.app.cli.codes import FAILED, OK
from gputrain.app.cli.output import close_stdout, print_fields, print_json, report

_EXAMPLES = """\
examples:
  gputrain train digits_cnn
  gputrain train configs/digits_cnn.toml --epochs 3 --seed 3
  gputrain train digits_cnn --set optimizer.name=sgd --set training.batch_size=64
  gputrain train digits_cnn --set "model.layers[0].filters=16"
  gputrain train tabular --set data.file=flowers.csv --set data.target=species
  gputrain train runs/digits_cnn-1            # the same once more

The run folder runs/<name>-<n>/ then holds config.toml (every setting, also those not given; it can be trained
again), history.csv, metrics.json, weights.npz, report.html and more; docs/runs.md lists them.
"""


def add(commands: shared.Commands) -> None:
    """Add the command."""
    parser = shared.add_command(
        commands,
        "train",
        _run,
        help="train the model of a recipe",
        description="Train the model of a recipe, test it, and keep the run in a folder of its own.",
        examples=_EXAMPLES,
    )
    shared.add_config(parser)
    shared.add_settings(parser)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("runs"),
        metavar="DIR",
        help="where run folders are made (default: runs)",
    )
    shared.add_json(parser)


def _run(args: argparse.Namespace) -> int:
    from gputrain.app import recipes

    recipe = recipes.load(args.config, shared.settings_of(args))
    result = recipes.run(recipe, args.out)
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
    return OK
