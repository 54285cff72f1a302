"""The settings a recipe knows, section by section, each with its type, range, default and meaning.

These tables are the only description of the plain sections: validation, defaults and the resolved config are
made from them. The arguments of layers, optimizers, losses and metrics are described by their classes (see
`arguments`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gputrain.recipes.data import DATASETS
from gputrain.recipes.errors import Source
from gputrain.utils.names import did_you_mean

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
    """

    rule: str
    holds: Callable[[Any], bool]
    help: str
    default: Any = None

    @property
    def required(self) -> bool:
        """Whether a recipe must give this key."""
        return self.default is Required


def is_integer(value: object) -> bool:
    """Return whether `value` is an integer and not a boolean."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    """Return whether `value` is a finite integer or float."""
    return is_integer(value) or (isinstance(value, float) and math.isfinite(value))


def integer(low: int, high: int, help: str, default: Any = None) -> Key:
    """Return a key for an integer from `low` to `high`."""
    rule = f"an integer from {low} to {high}"
    return Key(rule, lambda value: is_integer(value) and low <= value <= high, help, default)


def choice(names: Sequence[str], help: str, default: Any = None) -> Key:
    """Return a key for one of `names`."""
    rule = f"one of {', '.join(map(repr, names))}"
    return Key(rule, lambda value: isinstance(value, str) and value in names, help, default)


def flag(help: str, default: Any = None) -> Key:
    """Return a key for true or false."""
    return Key("true or false", lambda value: isinstance(value, bool), help, default)


def _is_shape(value: object) -> bool:
    return (
        isinstance(value, list)
        and 1 <= len(value) <= 8
        and all(is_integer(size) and 1 <= size <= 2**31 for size in value)
    )


def _is_positive(value: Any) -> bool:
    return is_number(value) and value > 0


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
    "seed": integer(
        0, MAX_SEED, "Seed of the weights, shuffles, dropout and split. Default: gputrain's seed."
    ),
    "backend": choice(
        ("auto", "numpy", "cupy", "emulated"),
        "Where to compute. Default: gputrain's setting, which is 'auto'.",
    ),
    "metrics": Key(
        "a list of metric names or tables with 'name'",
        _is_list_of_those,
        "What is reported beside the loss.",
        ["accuracy"],
    ),
    "data": Key("a table", _is_table, "The data and how it is prepared.", Required),
    "model": Key("a table", _is_table, "The layers.", Required),
    "optimizer": Key(
        "a name or a table of arguments", _is_table_or_name, "How the weights are moved.", "adam"
    ),
    "loss": Key("a name or a table with 'name'", _is_table_or_name, "What is made small.", Required),
    "training": Key("a table", _is_table, "How long and in which portions.", {}),
    "versions": Key("a table", _is_table, "Written by a run into its config.toml; not used.", {}),
}

DATA: Mapping[str, Key] = {
    "dataset": choice(tuple(DATASETS), "Which data.", Required),
    "scale": Key(
        "a number above 0", _is_positive, "Inputs are divided by it. Default: the data set's largest value."
    ),
    "reshape": Key(
        "a list of 1 to 8 sizes, each at least 1",
        _is_shape,
        "Shape of one sample for the model, as [8, 8, 1]. Default: as the data set has it.",
    ),
    "validation_fraction": Key(
        "a number from 0 to below 1",
        _is_fraction,
        "Share of the training samples that is held out of each class, by the seed.",
        0.0,
    ),
}

MODEL: Mapping[str, Key] = {
    "layers": Key(
        "a list of 1 to 1000 tables, written [[model.layers]]",
        lambda value: isinstance(value, list) and 1 <= len(value) <= 1000 and all(map(_is_table, value)),
        "The layers in order, each with its 'type' and arguments.",
        Required,
    ),
}

TRAINING: Mapping[str, Key] = {
    "epochs": integer(1, 1_000_000, "How often all training samples are used.", 10),
    "batch_size": integer(1, 10_000_000, "Samples a step.", 32),
    "shuffle": flag("Whether each epoch takes the samples in a new order.", True),
    "class_weight": choice(("none", "balanced"), "Whether rare classes weigh more in the loss.", "none"),
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
        raise source.error(path, "Wrong value.", expected=key.rule, received=describe(value))
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
