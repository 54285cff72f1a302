"""How a table becomes inputs: the user's settings, checked where they are made."""

from __future__ import annotations

import reprlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from gputrain.data.tabular import configs
from gputrain.errors import DataError
from gputrain.names import did_you_mean

Missing = Literal["drop", "mean", "median", "predicted"]
Scale = Literal["standard", "minmax", "quantile", "none"]

# What stands in a cell that has no value, in the files of common programs.
MISSING_VALUES = (
    "", "NA", "N/A", "n/a", "na", "<NA>", "#N/A", "#NA", "NaN", "nan", "NAN", "-nan",
    "null", "NULL", "Null", "None", "none", "?",
)  # fmt: skip


@dataclass(frozen=True)
class ColumnCheck:
    """What every cell of one column must be; missing cells pass unless `required`.

    Attributes:
        min: float, smallest number allowed, or None.
        max: float, largest number allowed, or None.
        integer: bool, whole numbers only.
        values: tuple of str, the texts allowed; empty means all.
        required: bool, no missing cells.
        unique: bool, no value twice.

    Raises:
        DataError: min or max is not a finite number, or min is above max.
    """

    min: float | None = None
    max: float | None = None
    integer: bool = False
    values: tuple[str, ...] = ()
    required: bool = False
    unique: bool = False

    def __post_init__(self) -> None:
        for name in ("min", "max"):
            value = getattr(self, name)
            if value is not None and not _is_finite(value):
                raise DataError(f"ColumnCheck: {name} is a finite number.", received=repr(value))
        if self.min is not None and self.max is not None and self.min > self.max:
            received = f"min={self.min}, max={self.max}"
            raise DataError("ColumnCheck: min is at most max.", received=received)
        for name in ("integer", "required", "unique"):
            _check_flag("ColumnCheck", name, getattr(self, name))
        object.__setattr__(self, "values", _texts("ColumnCheck", "values", self.values))

    def to_config(self) -> dict[str, Any]:
        """Return a dict of plain values."""
        return {**vars(self), "values": list(self.values)}


@dataclass(frozen=True)
class TableSettings:
    """How a table becomes inputs.

    Attributes:
        ignore: columns that are no inputs (names, numbers of records).
        numeric: columns that must hold numbers; a cell that is none is an error.
        categorical: columns whose cells are categories, even if they look like numbers.
        missing: what happens to missing numbers: "mean" and "median" of the column fill them, "predicted"
            predicts them from the other columns; "drop" leaves out every row with a missing cell. A missing
            category is a category of its own: see `missing_indicators`.
        missing_values: texts that mean that a cell is missing.
        zero_is_missing: numeric columns in which 0 means that the cell is missing.
        missing_indicators: bool, whether a column with missing cells gets one more input that is 1 for them.
            Useful where it tells something that a value is missing, noise where cells are missing by chance.
            Without it a missing category is 0 in all inputs of its column.
        scale: "standard" (mean 0, variance 1), "minmax" (0 to 1), "quantile" (the scores of a normal
            distribution, for heavy tails) or "none".
        max_categories: int, most different values of a column that is found to be categorical.
        checks: name of a column to what its cells must be.

    Raises:
        DataError: a setting has a wrong value, or one column stands in two lists.
    """

    ignore: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    missing: Missing = "median"
    missing_values: tuple[str, ...] = MISSING_VALUES
    zero_is_missing: tuple[str, ...] = ()
    missing_indicators: bool = True
    scale: Scale = "standard"
    max_categories: int = 100
    checks: Mapping[str, ColumnCheck] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("ignore", "numeric", "categorical", "missing_values", "zero_is_missing"):
            object.__setattr__(self, name, _texts("TableSettings", name, getattr(self, name)))
        _check_choice("missing", self.missing, get_args(Missing))
        _check_choice("scale", self.scale, get_args(Scale))
        _check_flag("TableSettings", "missing_indicators", self.missing_indicators)
        if type(self.max_categories) is not int or self.max_categories < 2:
            raise DataError(
                "TableSettings: max_categories is an integer >= 2.", received=repr(self.max_categories)
            )
        self._check_overlaps()

    def _check_overlaps(self) -> None:
        pairs = (
            ("ignore", "numeric"),
            ("ignore", "categorical"),
            ("ignore", "zero_is_missing"),
            ("numeric", "categorical"),
            ("zero_is_missing", "categorical"),
        )
        for one, other in pairs:
            both = sorted(set(getattr(self, one)) & set(getattr(self, other)))
            if both:
                rule = f"TableSettings: a column cannot stand in both {one} and {other}."
                raise DataError(rule, received=", ".join(map(repr, both)))

    def to_config(self) -> dict[str, Any]:
        """Return a dict of plain values (str, int, float, bool, list, dict)."""
        config: dict[str, Any] = {
            name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()
        }
        return config | {"checks": {name: check.to_config() for name, check in self.checks.items()}}

    @classmethod
    def from_config(cls, config: Any) -> TableSettings:
        """Return the settings that `to_config` described.

        Raises:
            DataError: `config` is not such a description.
        """
        known = configs.fields(config, "settings", cls.__dataclass_fields__)
        checks = configs.mapping(known.get("checks", {}), "settings.checks")
        made = {
            name: ColumnCheck(
                **configs.fields(check, f"settings.checks.{name}", ColumnCheck.__dataclass_fields__)
            )
            for name, check in checks.items()
        }
        return cls(**{**known, "checks": made})


def _is_finite(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= sys.float_info.max  # an int may be too large for a float


def _check_flag(owner: str, name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise DataError(f"{owner}: {name} is true or false.", received=repr(value))


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in choices:
        hint = did_you_mean(str(value)[:50], choices)
        raise DataError(f"TableSettings: {name} cannot be {value!r}. {hint}")


def _texts(owner: str, name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise DataError(f"{owner}: {name} is a list of texts.", received=reprlib.repr(value))
    return tuple(value)
