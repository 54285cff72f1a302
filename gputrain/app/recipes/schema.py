"""The settings a recipe knows, section by section, each with its type, range, default and meaning.

These tables are the only description of the plain sections: validation, defaults and the resolved config are
made from them. The arguments of layers, optimizers, losses and metrics are described by their classes (see
`arguments`).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gputrain.app.recipes.errors import Source
from gputrain.app.recipes.known_data import DATASETS
from gputrain.data.tabular import MISSING_VALUES
from gputrain.names import did_you_mean, nearest

MAX_SEED = 2**63 - 1
NAME_RULE = "1 to 64 letters, digits, '_' or '-', the first a letter or digit"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class Required:
    """Stands where a default would, for a key that has none."""


@dataclass(frozen=True)
class Key:
    """One setting.

    Attributes:
        rule: what a value must be, in words, as it stands in errors.
        holds: says whether a value is allowed.
        help: what the setting does.
        default: the value when none is given; None leaves it out; Required demands one.
        names: the values, where they are some names.
    """

    rule: str
    holds: Callable[[Any], bool]
    help: str
    default: Any = None
    names: Sequence[str] = ()

    @property
    def required(self) -> bool:
        """Whether a recipe must give this key."""
        return self.default is Required


def is_integer(value: object) -> bool:
    """Return whether `value` is an integer and not a boolean."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Return whether `value` is an integer or float that a float can hold, and finite."""
    return (is_integer(value) or isinstance(value, float)) and abs(value) <= sys.float_info.max


def integer(low: int, high: int, help: str, default: Any = None) -> Key:
    """Return a key for an integer from `low` to `high`."""
    rule = f"an integer from {low} to {high}"
    return Key(rule, lambda value: is_integer(value) and low <= value <= high, help, default)


def choice(names: Sequence[str], help: str, default: Any = None) -> Key:
    """Return a key for one of `names`."""
    rule = f"one of {', '.join(map(repr, names))}"
    return Key(rule, lambda value: isinstance(value, str) and value in names, help, default, names)


def flag(help: str, default: Any = None) -> Key:
    """Return a key for true or false."""
    return Key("true or false", lambda value: isinstance(value, bool), help, default)


def text(help: str, default: Any = None) -> Key:
    """Return a key for text that is not empty."""
    return Key("text", _is_text, help, default)


def texts(help: str, default: Any = None) -> Key:
    """Return a key for a list of texts."""
    return Key("a list of texts", _is_texts, help, default)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value) and "\0" not in value


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_row(value: object) -> bool:
    return isinstance(value, list) and all(is_number(item) and item >= 0 for item in value)


def _is_matrix(value: object) -> bool:
    return isinstance(value, list) and len(value) > 1 and all(map(_is_row, value))


def _is_weights(value: object) -> bool:
    return isinstance(value, dict) and bool(value) and all(is_number(w) and w >= 0 for w in value.values())


def _is_table_of_tables(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_table, value.values()))


def _is_shape(value: object) -> bool:
    return (
        isinstance(value, list)
        and 1 <= len(value) <= 8
        and all(is_integer(size) and 1 <= size <= 2**31 for size in value)
    )


def _is_scale(value: Any) -> bool:
    return is_number(value) and 1e-30 <= value <= 1e30


def _is_fraction(value: Any) -> bool:
    return is_number(value) and 0 <= value < 1


def is_name(value: object) -> bool:
    """Return whether `value` is text that may name a run or a layer: no separators, not long."""
    return isinstance(value, str) and NAME.fullmatch(value) is not None


def _is_table(value: object) -> bool:
    return isinstance(value, dict)


def _is_table_or_name(value: object) -> bool:
    return isinstance(value, str | dict)


def _is_list_of_those(value: object) -> bool:
    return isinstance(value, list) and all(_is_table_or_name(item) for item in value)


TOP: Mapping[str, Key] = {
    "name": Key(NAME_RULE, is_name, "Name of the run; its folder is runs/<name>-<n>.", Required),
    "seed": integer(0, MAX_SEED, "Seed of the weights, shuffles and dropout. Default: gputrain's seed."),
    "backend": choice(
        ("auto", "numpy", "cupy", "emulated"),
        "Where to compute. Default: gputrain's setting, which is 'auto'.",
    ),
    "metrics": Key(
        "a list of metric names or tables with 'name'",
        _is_list_of_those,
        "What is reported beside the loss. Default: 'accuracy', for regression 'mean_absolute_error'.",
    ),
    "data": Key("a table", _is_table, "The data and how it is prepared.", Required),
    "model": Key("a table", _is_table, "The layers.", Required),
    "optimizer": Key(
        "a name or a table of arguments", _is_table_or_name, "How the weights are moved.", "adam"
    ),
    "loss": Key("a name or a table with 'name'", _is_table_or_name, "What is made small.", Required),
    "training": Key("a table", _is_table, "How long and in which portions.", {}),
    "callbacks": Key(
        "a list of callback names or tables with 'name'",
        _is_list_of_those,
        "What takes part in training, as early_stopping.",
        [],
    ),
    "versions": Key("a table", _is_table, "Written by a run into its config.toml; not used.", {}),
}

DATA: Mapping[str, Key] = {
    "dataset": choice(tuple(DATASETS), "A data set that gputrain knows (see `gputrain datasets`)."),
    "file": text("A file of the training data: CSV, npz, npy or IDX."),
    "folder": text("A folder of images, with a folder for each class in it."),
    "test_file": text("A file of the same form with the test data."),
    "test_folder": text("A folder of the same form with the test images."),
    "task": choice(
        ("classification", "regression"),
        "What the target is: a class, or a number. Default: what the loss is for.",
    ),
    "inputs": text("Name of the array of inputs in an npz file. Default: x_train, x or the like."),
    "target": Key(
        "a name, or a list of names",
        lambda value: _is_text(value) or (_is_texts(value) and bool(value)),
        "Column of a CSV file (several for regression) or array in an npz file that is to be predicted. "
        "Default: 'target' in a CSV file; y_train, y or the like in npz.",
    ),
    "target_file": text("An npy or IDX file with the targets of `file`, where that is npy or IDX."),
    "test_target_file": text("Likewise for `test_file`."),
    "one_hot": flag("Whether the loss gets a class as a row of zeros and a one.", False),
    "scale_targets": flag("Whether numbers to predict are scaled to mean 0 and deviation 1.", True),
    "scale": Key(
        "a number from 1e-30 to 1e30",
        _is_scale,
        "Array inputs are divided by it. Default: the data set's largest value; 255 for bytes, else 1.",
    ),
    "reshape": Key(
        "a list of 1 to 8 sizes, each at least 1",
        _is_shape,
        "Shape of one sample for the model, as [8, 8, 1]. Default: as the data has it.",
    ),
    "image_size": Key(
        "two sizes, [height, width]",
        lambda value: _is_shape(value) and len(value) == 2,
        "Images of a folder are scaled to it. Default: their own size, which must be one.",
    ),
    "image_channels": Key(
        "1 or 3",
        lambda value: is_integer(value) and value in (1, 3),
        "Grey or RGB. Default: what the images have.",
    ),
    "validation_fraction": Key(
        "a number from 0 to below 1", _is_fraction, "Share of the training samples to validate on.", 0.0
    ),
    "test_fraction": Key(
        "a number from 0 to below 1",
        _is_fraction,
        "Share of all samples to test on. Default: 0.2 where the data brings no test part.",
    ),
    "stratify": flag("Whether each part gets its share of each class. Default: yes, of classes."),
    "split_seed": integer(0, MAX_SEED, "Decides which samples go to which part, whatever `seed` is.", 0),
    "train_samples": integer(1, 2**40, "Train on so many samples only. Default: all."),
    "balance": choice(
        ("none", "oversample", "undersample"),
        "How training samples of rare classes are made as many as of the most frequent one.",
        "none",
    ),
    "cost_matrix": Key(
        "a list of rows of numbers, 0 or above",
        _is_matrix,
        "cost_matrix[i][j] is what it costs to take class i for class j: the class of least expected cost is "
        "decided for.",
    ),
    "table": Key("a table", _is_table, "How the columns of a table become inputs.", {}),
}

TABLE: Mapping[str, Key] = {
    "ignore": texts("Columns that are no inputs.", []),
    "numeric": texts("Columns that hold numbers. Default: those whose cells all are numbers.", []),
    "categorical": texts("Columns that hold categories. Default: all others.", []),
    "missing": choice(
        ("drop", "mean", "median", "predicted"),
        "What stands in for a missing number: its row is left out, or the column's mean or median, or what "
        "a linear model predicts from the other columns.",
        "median",
    ),
    "missing_values": texts("Cells that mean: missing.", list(MISSING_VALUES)),
    "zero_is_missing": texts("Numeric columns in which 0 means: missing.", []),
    "missing_indicators": flag("Whether an input says for each column that its number was missing.", True),
    "scaling": choice(
        ("standard", "minmax", "quantile", "none"),
        "Numbers to mean 0 and deviation 1, to 0..1, to the quantiles of a normal distribution, or as is.",
        "standard",
    ),
    "max_categories": integer(2, 10_000, "Different cells that a column of categories may have.", 100),
    "checks": Key("a table of tables", _is_table_of_tables, "What must hold of a column.", {}),
}

CHECK: Mapping[str, Key] = {
    "min": Key("a number", is_number, "The least number."),
    "max": Key("a number", is_number, "The greatest number."),
    "integer": flag("Whether all numbers must be whole.", False),
    "values": texts("The cells that may stand in it.", []),
    "required": flag("Whether no cell may be missing.", False),
    "unique": flag("Whether no cell may come twice.", False),
}

MODEL: Mapping[str, Key] = {
    "layers": Key(
        "a list of 1 to 1000 tables, written [[model.layers]]",
        lambda value: isinstance(value, list) and 1 <= len(value) <= 1000 and all(map(_is_table, value)),
        "The layers in order, each with its 'type' and arguments. units = \"outputs\" means as many as there "
        "are classes or targets.",
        Required,
    ),
}

TRAINING: Mapping[str, Key] = {
    "epochs": integer(1, 1_000_000, "How often all training samples are used.", 10),
    "batch_size": integer(1, 10_000_000, "Samples a step.", 32),
    "shuffle": flag("Whether each epoch takes the samples in a new order.", True),
    "class_weight": Key(
        "'none', 'balanced' or a table of a number for each class",
        lambda value: value in ("none", "balanced") if isinstance(value, str) else _is_weights(value),
        "What a sample of each class weighs in the loss.",
        "none",
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
            raise source.error(
                path, "This key is required.", expected=key.rule, received="nothing", fix=key.help
            )
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
