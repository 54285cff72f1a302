"""Test the trained model of a run, on the test part of its own data or on other data.

examples:
  gputrain evaluate runs/digits_cnn-1                      # on the test part of its own data
  gputrain evaluate runs/tabular-1 more_flowers.csv        # on other data of the same form
  gputrain evaluate runs/photos-1 more_photos/             # a folder with class folders
  gputrain evaluate runs/arrays-1 x.npy --targets y.npy
  gputrain evaluate runs/digits_cnn-1 --json
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gputrain.app import recipes
from gputrain.app.cli.command import BACKEND, BUILDER_FILE, JSON, RUN, Arguments, Command, option
from gputrain.app.cli.output import print_fields, print_json, print_table
from gputrain.app.cli.settings import settings_of


def _run(args: Arguments) -> None:
    run = recipes.open_run(args.run, settings_of(args))
    tested = recipes.evaluate(run, args.data, args.targets)
    by_class: Sequence[Mapping[str, Any]] = getattr(tested.assessment, "per_class", ())
    if args.json:
        confusion = getattr(tested.assessment, "confusion", None)
        more = {} if confusion is None else {"per_class": list(by_class), "confusion": confusion.tolist()}
        print_json({"run": str(run.folder), **tested.metrics, **more})
        return
    print_fields({"run": str(run.folder), **tested.metrics})
    if by_class:
        print()
        columns = ("name", "precision", "recall", "f1", "support")
        print_table(("class", *columns[1:]), [[row[column] for column in columns] for row in by_class])


COMMAND = Command(
    _run,
    __doc__,
    (
        RUN,
        option(
            "data",
            "a file like the one trained on, or a folder of images (default: the test part)",
            "DATA",
            nargs="?",
        ),
        option("--targets", "the targets of an npy or IDX file", "FILE"),
        BACKEND,
        BUILDER_FILE,
        JSON,
    ),
)
