"""The settings a recipe knows, section by section, each with its type, range, default and meaning.

These keys are the only description of the plain sections: validation, defaults, the resolved config and the
documentation are made from them; those of tables stand with the dataclasses that use them. The arguments of
layers, optimizers, losses and metrics are described by their classes (see `arguments`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, get_args

from gputrain.app.recipes.errors import Source
from gputrain.app.recipes.known_data import DATASETS
from gputrain.data.tabular import ColumnCheck, TableSettings
from gputrain.data.tabular.imbalance import Method
from gputrain.names import did_you_mean, nearest
from gputrain.utils import settings
from gputrain.utils.settings import Key

MAX_SEED = 2**63 - 1
NAME_RULE = "1 to 64 letters, digits, '_' or '-', the first a letter or digit"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
# A function in a Python file, which is named without a folder.
CODE = re.compile(r"([A-Za-z0-9_-]{1,64}\.py):([A-Za-z_][A-Za-z0-9_]{0,63})")


_is_sizes = settings.is_list_of(lambda size: settings.is_integer(size) and 1 <= size <= 2**31, 1, 8)


def _is_weight(value: Any) -> bool:
    return settings.is_number(value) and value >= 0


def _is_weights(value: object) -> bool:
    return isinstance(value, dict) and bool(value) and all(map(_is_weight, value.values()))


def _is_scale(value: Any) -> bool:
    return settings.is_number(value) and 1e-30 <= value <= 1e30


def _fraction(help: str, default: float | None = None) -> Key:
    rule = "a number from 0 to below 1"
    return Key(rule, lambda value: settings.is_number(value) and 0 <= value < 1, help, default)


def is_name(value: object) -> bool:
    """Return whether `value` is text that may name a run or a layer: no separators, not long."""
    return isinstance(value, str) and NAME.fullmatch(value) is not None


def _is_builder(value: object) -> bool:
    return isinstance(value, str) and (value.isidentifier() or CODE.fullmatch(value) is not None)


def _is_table_or_name(value: object) -> bool:
    return isinstance(value, str | dict)


def _named_things(what: str, help: str, default: Any = None) -> Key:
    rule = f"a list of {what} names or tables with 'name'"
    return Key(rule, settings.is_list_of(_is_table_or_name), help, default)


TOP: Mapping[str, Key] = {
    "name": Key(NAME_RULE, is_name, "Name of the run; its folder is runs/<name>-<n>.", settings.Required),
    "seed": settings.integer(
        0, MAX_SEED, "Seed of the weights, shuffles and dropout. Default: gputrain's seed."
    ),
    "backend": settings.choice(
        ("auto", "numpy", "cupy", "emulated"),
        "Where to compute. Default: gputrain's setting, which is 'auto'.",
    ),
    "metrics": _named_things(
        "metric",
        "What is reported beside the loss. Default: 'accuracy', for regression 'mean_absolute_error'.",
    ),
    "data": settings.table("The data and how it is prepared.", settings.Required),
    "model": settings.table("The layers, or what makes them.", settings.Required),
    "optimizer": Key(
        "a name or a table of arguments", _is_table_or_name, "How the weights are moved.", "adam"
    ),
    "loss": Key("a name or a table with 'name'", _is_table_or_name, "What is made small.", settings.Required),
    "training": settings.table("How long and in which portions.", {}),
    "callbacks": _named_things("callback", "What takes part in training, as early_stopping.", []),
    "versions": settings.table("Written by a run into its config.toml; not used.", {}),
}

DATA: Mapping[str, Key] = {
    "dataset": settings.choice(tuple(DATASETS), "A data set that gputrain knows (see `gputrain datasets`)."),
    "file": settings.text(
        "A file of the training data: CSV (named .csv, .tsv, .txt or .data), npz, npy or IDX."
    ),
    "folder": settings.text("A folder of images, with a folder for each class in it."),
    "test_file": settings.text("A file of the same form with the test data."),
    "test_folder": settings.text("A folder of the same form with the test images."),
    "task": settings.choice(
        ("classification", "regression"),
        "What the target is: a class, or a number. Default: what the loss is for.",
    ),
    "inputs": settings.text("Name of the array of inputs in an npz file. Default: x_train, x or the like."),
    "target": Key(
        "a name, or a list of names",
        lambda value: settings.is_text(value) or (settings.is_texts(value) and bool(value)),
        "Column of a CSV file (several for regression) or array in an npz file that is to be predicted. "
        "Default: 'target' in a CSV file; y_train, y or the like in npz.",
    ),
    "target_file": settings.text("An npy or IDX file with the targets of `file`, where that is npy or IDX."),
    "test_target_file": settings.text("Likewise for `test_file`."),
    "one_hot": settings.flag(
        "Whether the loss gets a class as a row of zeros and a one. Default: what the loss takes."
    ),
    "scale_targets": settings.flag("Whether numbers to predict are scaled to mean 0 and deviation 1.", True),
    "scale": Key(
        "a number from 1e-30 to 1e30",
        _is_scale,
        "Array inputs are divided by it. Default: the data set's largest value; 255 for bytes, else 1.",
    ),
    "reshape": Key(
        "a list of 1 to 8 sizes, each at least 1",
        _is_sizes,
        "Shape of one sample for the model, as [8, 8, 1]. Default: as the data has it.",
    ),
    "image_size": Key(
        "two sizes, [height, width]",
        settings.is_list_of(lambda size: settings.is_integer(size) and 1 <= size <= 2**31, 2, 2),
        "Images of a folder are scaled to it. Default: their own size, which must be one.",
    ),
    "image_channels": Key(
        "1 or 3",
        lambda value: settings.is_integer(value) and value in (1, 3),
        "Grey or RGB. Default: what the images have.",
    ),
    "validation_fraction": _fraction("Share of the training samples to validate on.", 0.0),
    "test_fraction": _fraction(
        "Share of all samples to test on. Default: 0.2 where the data brings no test part."
    ),
    "stratify": settings.flag("Whether each part gets its share of each class. Default: yes, of classes."),
    "split_seed": settings.integer(
        0, MAX_SEED, "Decides which samples go to which part, whatever `seed` is.", 0
    ),
    "train_samples": settings.integer(1, 2**40, "Train on so many samples only. Default: all."),
    "balance": settings.choice(
        ("none", *get_args(Method)),
        "How training samples of rare classes are made as many as of the most frequent one.",
        "none",
    ),
    "cost_matrix": Key(
        "a list of rows of numbers, 0 or above",
        settings.is_list_of(settings.is_list_of(_is_weight), 2),
        "cost_matrix[i][j] is what it costs to take class i for class j: the class of least expected cost is "
        "decided for.",
    ),
    "table": settings.table("How the columns of a table become inputs.", {}),
}

TABLE = settings.keys_of(TableSettings)
CHECK = settings.keys_of(ColumnCheck)

MODEL: Mapping[str, Key] = {
    "layers": Key(
        "a list of 1 to 1000 tables, written [[model.layers]]",
        settings.is_list_of(settings.is_table, 1, 1000),
        "The layers in order, each with its 'type' and arguments. units = \"outputs\" means as many as there "
        "are classes or targets.",
    ),
    "builder": Key(
        "a name, or FILE.py:FUNCTION",
        _is_builder,
        "What makes the model where there are no layers: 'mlp', or a function of a Python file beside the "
        "recipe, as 'my_models.py:build', whose code is run only with --builder-file my_models.py.",
    ),
    "arguments": settings.table("What the builder is called with beside input_shape and outputs."),
}

TRAINING: Mapping[str, Key] = {
    "epochs": settings.integer(1, 1_000_000, "How often all training samples are used.", 10),
    "batch_size": settings.integer(1, 10_000_000, "Samples a step.", 32),
    "shuffle": settings.flag("Whether each epoch takes the samples in a new order.", True),
    "class_weight": Key(
        "'none', 'balanced' or a table of a number for each class",
        lambda value: value in ("none", "balanced") if isinstance(value, str) else _is_weights(value),
        "What a sample of each class weighs in the loss.",
        "none",
    ),
    "save_freq": Key(
        "'epoch' or a number of batches, at least 1",
        lambda value: value == "epoch" or (settings.is_integer(value) and 1 <= value <= 2**40),
        "How often the state is saved, for `gputrain train --resume`: after each epoch or every so many "
        "batches.",
        "epoch",
    ),
}

SECTIONS: Mapping[str, Mapping[str, Key]] = {
    "": TOP,
    "data": DATA,
    "data.table": TABLE,
    "data.table.checks.<column>": CHECK,
    "model": MODEL,
    "training": TRAINING,
}


def check(table: Mapping[str, Any], keys: Mapping[str, Key], path: str, source: Source) -> dict[str, Any]:
    """Return the section `table` in the order of `keys`, with defaults filled in.

    Args:
        table: the section as read.
        keys: what it may hold.
        path: the section's key path ("" for the top level).
        source: where it was read, for errors.

    Raises:
        RecipeError: an unknown key, a missing one, or a wrong type or range.
    """
    for key in table:
        if key not in keys:
            raise source.error(join(path, key), "Unknown key.", fix=did_you_mean(key, keys))
    checked = {name: _checked(table, name, key, join(path, name), source) for name, key in keys.items()}
    return {name: value for name, value in checked.items() if value is not None}


def join(path: str, key: str) -> str:
    """Return the key path of `key` inside the section at `path`."""
    return f"{path}.{key}" if path else key


def _checked(table: Mapping[str, Any], name: str, key: Key, path: str, source: Source) -> Any:
    if name not in table:
        if key.required:
            rule = "This key is required."
            raise source.error(path, rule, expected=key.rule, received="nothing", fix=key.help)
        return key.default
    value = table[name]
    if not key.holds(value):
        close = nearest(value, key.names) if isinstance(value, str) else None
        fix = f"Did you mean {close!r}?" if close else None
        raise source.error(path, "Wrong value.", expected=key.rule, received=describe(value), fix=fix)
    return value


def describe(value: object) -> str:
    """Return `value` and its type in TOML's words, cut short if long.

    Example:
        >>> describe("many")
        "'many' (text)"
    """
    words = {bool: "boolean", int: "integer", float: "float", str: "text", list: "array", dict: "table"}
    shown = repr(value)
    if len(shown) > 80:
        shown = f"{shown[:77]}..."
    return f"{shown} ({words.get(type(value), type(value).__name__)})"
