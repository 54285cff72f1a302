"""Predict for a CSV, npy, npz or IDX file, an image, or a folder of images.

examples:
  gputrain predict runs/tabular-1 new.csv                  # CSV on stdout: a line for each row
  gputrain predict runs/digits_cnn-1 scan.png              # one image, or a folder of them
  gputrain predict runs/digits_cnn-1 images.npy --output answers.csv
  gputrain predict runs/digits_cnn-1 data.npz --array x_test --json

A line holds the sample (its number from 0, or its file), the prediction, and the probability of each class.
With --json each line is a JSON object. Files of any size are read portion by portion.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from gputrain.app import recipes
from gputrain.app.cli.command import BACKEND, BUILDER_FILE, RUN, Arguments, Command, option
from gputrain.app.cli.settings import settings_of
from gputrain.app.recipes.data import Preparation
from gputrain.app.recipes.predicting import Portion
from gputrain.utils.files import write_text_in_parts
from gputrain.utils.plain import as_json


def _run(args: Arguments) -> None:
    run = recipes.open_run(args.run, settings_of(args))
    found = recipes.predict(run, args.data, args.array)
    write = _write_json if args.json else _write_csv
    if args.output is None:
        write(sys.stdout, found, run.preparation)
    else:
        write_text_in_parts(args.output, lambda stream: write(stream, found, run.preparation))


def _write_csv(stream: TextIO, portions: Iterator[Portion], preparation: Preparation) -> None:
    rows = csv.writer(stream, lineterminator="\n")
    classes = preparation.class_names
    columns = ["prediction", *(f"p({name})" for name in classes)] if classes else preparation.targets.names
    for number, portion in enumerate(portions):
        if number == 0:
            rows.writerow(["sample", *columns])
        for name, answer, values in zip(portion.names, portion.answers, portion.values, strict=True):
            shown = ["" if answer is None else f"{value:.6g}" for value in values]
            rows.writerow([name, answer, *shown] if classes else [name, *shown])
        stream.flush()


def _write_json(stream: TextIO, portions: Iterator[Portion], preparation: Preparation) -> None:
    names, classes = preparation.targets.names, preparation.class_names
    for portion in portions:
        for name, answer, values in zip(portion.names, portion.answers, portion.values, strict=True):
            numbers = None if answer is None else dict(zip(names, values.tolist(), strict=True))
            row = {"prediction": answer, "probabilities": numbers} if classes else {"prediction": numbers}
            line = json.dumps(as_json({"sample": name, **row}), ensure_ascii=False, allow_nan=False)
            stream.write(line + "\n")
        stream.flush()


COMMAND = Command(
    _run,
    __doc__,
    (
        RUN,
        option("data", "what to predict for", "FILE"),
        option("--array", "the array of an npz file that holds the inputs", "NAME"),
        option("--output", "write there instead of to stdout, whole or not at all", "FILE", type=Path),
        BACKEND,
        BUILDER_FILE,
        option("--json", "a JSON object a line instead of CSV", action="store_true"),
    ),
)
