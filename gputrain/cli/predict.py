"""`gputrain predict`: the answers of a run's model for other data."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from gputrain.cli import parser as shared
from gputrain.cli.codes import OK
from gputrain.cli.output import plain

if TYPE_CHECKING:
    from gputrain.recipes.predicting import Portion

_EXAMPLES = """\
examples:
  gputrain predict runs/tabular-1 new.csv                  # CSV on stdout: a line for each row
  gputrain predict runs/digits_cnn-1 scan.png              # one image, or a folder of them
  gputrain predict runs/digits_cnn-1 images.npy --output answers.csv
  gputrain predict runs/digits_cnn-1 data.npz --array x_test --json

A line holds the sample (its number from 0, or its file), the prediction, and the probability of each class.
With --json each line is a JSON object. Files of any size are read portion by portion.
"""


def add(commands: shared.Commands) -> None:
    """Add the command."""
    parser = shared.add_command(
        commands,
        "predict",
        _run,
        help="predict with the model of a run",
        description="Predict for a CSV, npy, npz or IDX file, an image, or a folder of images.",
        examples=_EXAMPLES,
    )
    parser.add_argument("run", metavar="RUN", help="a run folder, as runs/digits_cnn-1")
    parser.add_argument("data", metavar="FILE", help="what to predict for")
    parser.add_argument("--array", metavar="NAME", help="the array of an npz file that holds the inputs")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="write there instead of to stdout, whole or not at all"
    )
    shared.add_backend(parser)
    parser.add_argument("--json", action="store_true", help="a JSON object a line instead of CSV")


def _run(args: argparse.Namespace) -> int:
    from gputrain import recipes
    from gputrain.recipes.predicting import value_names
    from gputrain.utils.files import write_text_in_parts

    run = recipes.open_run(args.run, shared.settings_of(args))
    found = recipes.predict(run, args.data, args.array)
    write = _write_json if args.json else _write_csv
    names = value_names(run.preparation)
    task: Callable[[TextIO], None] = lambda stream: write(stream, found, names)  # noqa: E731
    if args.output is None:
        task(sys.stdout)
    else:
        write_text_in_parts(args.output, task)
    return OK


def _write_csv(stream: TextIO, portions: Iterator[Portion], names: list[str]) -> None:
    rows = csv.writer(stream, lineterminator="\n")
    is_class = names[0].startswith("p(")
    for number, portion in enumerate(portions):
        if number == 0:
            rows.writerow(["sample", "prediction", *names] if is_class else ["sample", *names])
        for name, answer, values in zip(portion.names, portion.answers, portion.values, strict=True):
            shown = ["" if answer is None else f"{value:.6g}" for value in values]
            rows.writerow([name, "" if answer is None else answer, *shown] if is_class else [name, *shown])
        stream.flush()


def _write_json(stream: TextIO, portions: Iterator[Portion], names: list[str]) -> None:
    is_class = names[0].startswith("p(")
    for portion in portions:
        for name, answer, values in zip(portion.names, portion.answers, portion.values, strict=True):
            numbers = dict(zip(names, values.tolist(), strict=True))
            row: dict[str, Any] = {"sample": name}
            if is_class:
                row["prediction"] = answer
                row["probabilities"] = {key[2:-1]: value for key, value in numbers.items()}
            else:
                row.update(numbers)
            stream.write(json.dumps(plain(row), ensure_ascii=False, allow_nan=False) + "\n")
        stream.flush()
