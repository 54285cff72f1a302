"""The data section of a recipe: what can be checked and filled in before any data is read."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gputrain.app.recipes import schema
from gputrain.app.recipes.errors import Source
from gputrain.app.recipes.known_data import DATASETS, ImageSet
from gputrain.losses import Loss
from gputrain.losses.base import TASKS

ORIGINS = ("dataset", "file", "folder")

# Which keys say something, by where the data comes from; elsewhere they are refused.
_OF_ARRAYS = ("scale", "reshape")
_OF_TABLES = ("target", "table")
_OF_FILES = ("test_file", "inputs", "target", "target_file", "test_target_file", *_OF_ARRAYS, "table")
_OF_FOLDERS = ("test_folder", "image_size", "image_channels", *_OF_ARRAYS)
_SPECIAL = dict.fromkeys((*_OF_FILES, *_OF_FOLDERS))
PATHS = ("file", "folder", "test_file", "test_folder", "target_file", "test_target_file")
_OF_CLASSES = ("one_hot", "balance", "cost_matrix", "stratify")


def resolve(given: Mapping[str, Any], loss: type[Loss], source: Source) -> dict[str, Any]:
    """Return the data section with every default that is known before the data is read.

    Args:
        given: the section as read.
        loss: its class says what the task is unless the section does.
        source: where it was read, for errors.

    Raises:
        RecipeError: an unknown key, a wrong value, or keys that do not go together.
    """
    section = schema.check(given, schema.DATA, "data", source)
    origin = _origin(section, source)
    known = DATASETS[section["dataset"]] if origin == "dataset" else None
    _check_fitting(given, section, origin, known, source)
    section["task"] = _task(section, loss, known, source)
    if isinstance(known, ImageSet):
        section["reshape"] = _shape(section, known, source)
        section["scale"] = float(section.get("scale", known.scale))
    section["table"] = _table(section["table"], source)
    for key in PATHS:
        if key in section:
            # A path in a recipe counts from the recipe's folder, one from the command line from where one is.
            section[key] = os.path.abspath(source.folder(f"data.{key}") / Path(section[key]).expanduser())
    _drop_idle(section, origin, known)
    if section["task"] == "classification":
        section.setdefault("stratify", True)
        section.setdefault("one_hot", loss.target_kind == "one-hot")
    return {key: section[key] for key in schema.DATA if key in section}


def _origin(section: Mapping[str, Any], source: Source) -> str:
    found = [key for key in ORIGINS if key in section]
    if len(found) != 1:
        rule = "The data comes from one place."
        expected = "one of dataset, file and folder"
        raise source.error("data", rule, expected=expected, received=" and ".join(found) or "none of them")
    return found[0]


def _check_fitting(
    given: Mapping[str, Any], section: Mapping[str, Any], origin: str, known: Any, source: Source
) -> None:
    """Refuse keys that would be silently without effect."""
    of_known = _OF_ARRAYS if isinstance(known, ImageSet) else _OF_TABLES
    fitting = {"file": _OF_FILES, "folder": _OF_FOLDERS}.get(origin, of_known)
    for key in _SPECIAL:
        if key in given and key not in fitting and given[key] != {}:
            what = f"the data set {section['dataset']}" if origin == "dataset" else f"data.{origin}"
            raise source.error(f"data.{key}", f"This key says nothing about {what}.", fix="Leave it out.")
    if "test_target_file" in section and "test_file" not in section:
        rule = "These are the targets of data.test_file, which is not given."
        raise source.error("data.test_target_file", rule, fix="Name both, or leave it out.")
    if isinstance(known, ImageSet) and section.get("test_fraction"):
        rule = f"The data set {section['dataset']} brings a test part of its own."
        raise source.error("data.test_fraction", rule, fix="Leave the key out.")


def _task(section: Mapping[str, Any], loss: type[Loss], known: Any, source: Source) -> str:
    task = str(section.get("task", TASKS.get(str(loss.target_kind), "regression")))
    right = "classification" if isinstance(known, ImageSet) else getattr(known, "task", None)
    if right and task != right:
        raise source.error(
            "data.task" if "task" in section else "loss",
            f"{section['dataset']} is for {right}.",
            expected=f"a loss for {right}",
            received=f"{loss.__name__}, which is for {task}" if "task" not in section else task,
            fix=None if "task" in section else f'Or say data.task = "{right}".',
        )
    if task == "regression":
        for key in _OF_CLASSES:
            if section.get(key) not in (None, False, "none"):
                raise source.error(f"data.{key}", "This key is for classes, not for numbers to predict.")
    return task


def _shape(section: Mapping[str, Any], known: ImageSet, source: Source) -> list[int]:
    shape = list(section.get("reshape", known.shape))
    if math.prod(shape) != math.prod(known.shape):
        rule = f"A sample of {section['dataset']} has the shape {known.shape}."
        expected = f"sizes whose product is {math.prod(known.shape)}, as {list(known.shape)}"
        received = f"{shape}, product {math.prod(shape)}"
        raise source.error("data.reshape", rule, expected=expected, received=received)
    return shape


def _table(given: Mapping[str, Any], source: Source) -> dict[str, Any]:
    table = schema.check(given, schema.TABLE, "data.table", source)
    table["checks"] = {
        column: schema.check(check, schema.CHECK, f"data.table.checks.{column}", source)
        for column, check in table["checks"].items()
    }
    return table


def _drop_idle(section: dict[str, Any], origin: str, known: Any) -> None:
    """Leave out what has no meaning here, so that the resolved config says only what was used."""
    if origin == "folder" or isinstance(known, ImageSet):
        del section["table"]
    if section["task"] == "regression":
        for key in ("one_hot", "balance", "stratify"):
            section.pop(key, None)
    else:
        del section["scale_targets"]
