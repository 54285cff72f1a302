"""How a table becomes inputs: the user's settings, checked where they are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from gputrain.data.tabular import configs
from gputrain.errors import DataError
from gputrain.utils.plain import Described
from gputrain.utils.settings import check_fields, choice, flag, integer, number, tables, texts, with_keys

Missing = Literal["drop", "mean", "median", "predicted"]
Scale = Literal["standard", "minmax", "quantile", "none"]

# What stands in a cell that has no value, in the files of common programs.
MISSING_VALUES = (
    "", "NA", "N/A", "n/a", "na", "<NA>", "#N/A", "#NA", "NaN", "nan", "NAN", "-nan",
    "null", "NULL", "Null", "None", "none", "?",
)  # fmt: skip


@dataclass(frozen=True)
@with_keys
class ColumnCheck(Described):
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

    min: float | None = number("The least number.")
    max: float | None = number("The greatest number.")
    integer: bool = flag("Whether all numbers must be whole.", False)
    values: tuple[str, ...] = texts("The cells that may stand in it.")
    required: bool = flag("Whether no cell may be missing.", False)
    unique: bool = flag("Whether no cell may come twice.", False)

    def __post_init__(self) -> None:
        check_fields(self)
        if self.min is not None and self.max is not None and self.min > self.max:
            received = f"min={self.min}, max={self.max}"
            raise DataError("ColumnCheck: min is at most max.", received=received)


@dataclass(frozen=True)
@with_keys
class TableSettings(Described):
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

    ignore: tuple[str, ...] = texts("Columns that are no inputs.")
    numeric: tuple[str, ...] = texts("Columns that hold numbers. Default: those whose cells all are numbers.")
    categorical: tuple[str, ...] = texts("Columns that hold categories. Default: all others.")
    missing: Missing = choice(  # noqa: RUF009 - a key
        get_args(Missing),
        "What stands in for a missing number: its row is left out, or the column's mean or median, or what a "
        "linear model predicts from the other columns.",
        "median",
    )
    missing_values: tuple[str, ...] = texts("Cells that mean: missing.", MISSING_VALUES)
    zero_is_missing: tuple[str, ...] = texts("Numeric columns in which 0 means: missing.")
    missing_indicators: bool = flag(
        "Whether an input says for each column that its number was missing.", True
    )
    scale: Scale = choice(  # noqa: RUF009 - a key
        get_args(Scale),
        "Numbers to mean 0 and deviation 1, to 0..1, to the quantiles of a normal distribution, or as is.",
        "standard",
        called="scaling",
    )
    max_categories: int = integer(2, 10_000, "Different cells that a column of categories may have.", 100)
    checks: Mapping[str, ColumnCheck] = tables("What must hold of a column.")

    def __post_init__(self) -> None:
        check_fields(self)
        pairs = [("ignore", other) for other in ("numeric", "categorical", "zero_is_missing")]
        pairs += [(one, "categorical") for one in ("numeric", "zero_is_missing")]
        for one, other in pairs:
            both = sorted(set(getattr(self, one)) & set(getattr(self, other)))
            if both:
                rule = f"TableSettings: a column cannot stand in both {one} and {other}."
                raise DataError(rule, received=", ".join(map(repr, both)))

    @classmethod
    def from_config(cls, config: Any) -> TableSettings:
        """Return the settings that `to_config` described.

        Raises:
            DataError: `config` is not such a description.
        """
        known = configs.fields(config, "settings", cls.__dataclass_fields__, some=True)
        checks = configs.mapping(known.get("checks", {}), "settings.checks")
        names = ColumnCheck.__dataclass_fields__
        made = {
            name: ColumnCheck(**configs.fields(check, f"settings.checks.{name}", names, some=True))
            for name, check in checks.items()
        }
        return cls(**{**known, "checks": made})
