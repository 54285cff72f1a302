"""Tables, columns and arrays of other libraries (pandas, SciPy, PyTorch), read without importing any."""

from __future__ import annotations

from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gputrain import config
from gputrain.errors import DataError

NUMBERS = "fiub"  # kinds of dtypes that a model takes
# What to do about other arrays; by kind of dtype: what they hold, and what to do.
_TEXT = (
    "Make numbers of them first (keras.layers.TextVectorization, StringLookup, to_categorical, "
    "pandas.get_dummies, pandas.to_numeric), or let gputrain.tabular.TablePreparation prepare the table."
)
PADDED = "Fill sequences up to one length: keras.utils.pad_sequences(x)."
KINDS = {
    "M": ("dates", "Make numbers of them first, as frame['when'].dt.dayofyear."),
    "m": ("durations", "Make numbers of them first, as frame['took'].dt.total_seconds()."),
    "c": (
        "complex numbers",
        "Pass real and imaginary parts as two columns, or what is to be learned of them.",
    ),
    "V": (
        "records",
        "Pass one array of numbers, numpy.lib.recfunctions.structured_to_unstructured(x), or a dict.",
    ),
}


def read(x: Any, name: str) -> Any:
    """An array, as NumPy or the device reads it, of what another library holds.

    Args:
        x: a DataFrame or Series, a sparse matrix, a tensor of PyTorch, a masked array; else it is returned.
        name: what it is to the user, for errors.

    Raises:
        DataError: what is no number or missing, with its column and row.
    """
    if isinstance(x, np.ma.MaskedArray):
        return _unmasked(x, name)
    if is_frame(x):
        return _frame(x, name)
    if hasattr(x, "to_numpy"):
        return _series(x, name)
    if hasattr(x, "toarray"):
        return _dense(x, name)
    return x.detach() if hasattr(x, "detach") else x


def is_frame(x: Any) -> bool:
    """Whether it is a table of named columns, as a DataFrame of pandas."""
    return hasattr(x, "columns") and hasattr(x, "items") and hasattr(x, "to_numpy")


def categorical_columns(x: Any) -> list[Any]:
    """The columns of a table that say of themselves that they hold categories."""
    return [name for name, column in x.items() if str(column.dtype) == "category"] if is_frame(x) else []


def is_missing(cell: Any) -> bool:
    """Whether a cell is None, NaN or what pandas has in their place."""
    return cell is None or type(cell).__name__ in ("NAType", "NaTType") or bool(cell != cell)


def plain_column(column: Any) -> NDArray[Any]:
    """The cells of a column in an array of NumPy's own dtypes.

    Args:
        column: what has `to_numpy()`, as a Series of any dtype: nullable, categorical, of text.

    Returns:
        numbers, with NaN where one is missing; or what else it holds, with None there.
    """
    array = np.asarray(column.to_numpy())
    if array.dtype.kind not in "OT" or array.ndim != 1:
        return array
    missing = column.isna() if hasattr(column, "isna") else np.zeros(len(array))
    return plain_cells(array.astype(object), np.asarray(missing, bool))


def plain_cells(cells: NDArray[Any], missing: NDArray[Any]) -> NDArray[Any]:
    """Objects as numbers where all that are not missing are such, with NaN; else with None."""
    known = cells[~missing].tolist()
    if all(isinstance(cell, Real | Decimal | np.bool_) for cell in known):
        return _numbers(known, missing)
    cells[missing] = None
    return cells


def not_numbers(array: NDArray[Any], where: str) -> DataError:
    """The error for an array that holds no numbers, with the first element that is none."""
    rule = f"{where} must hold numbers."
    if array.dtype.kind in KINDS:
        held, fix = KINDS[array.dtype.kind]
        return DataError(rule, received=f"{held} (dtype {array.dtype})", fix=fix)
    cells = array.reshape(-1).tolist()
    first = next((i for i, cell in enumerate(cells) if not isinstance(cell, Real)), None)
    if first is None:
        return DataError(
            rule, received="numbers as objects of Python (dtype object)", fix='Pass x.astype("float32").'
        )
    place = tuple(map(int, np.unravel_index(first, array.shape)))
    at = f"row {place[0]} (from 0)" if array.ndim == 1 else f"index {place}"
    received = f"{str(cells[first])[:60]!r} of type {type(cells[first]).__name__} at {at}"
    is_sequence = isinstance(cells[first], list | tuple | np.ndarray)
    return DataError(rule, received=received, fix=PADDED if is_sequence else _TEXT)


def _numbers(known: list[Any], missing: NDArray[np.bool_]) -> NDArray[Any]:
    """Numbers of Python in the dtype of their kind; float64 where some are missing."""
    if missing.any() or not known:
        found = np.full(len(missing), np.nan)
        found[~missing] = [float(cell) for cell in known]
        return found
    array = np.asarray(known)
    return array if array.dtype.kind in NUMBERS else array.astype(np.float64)


def _frame(frame: Any, name: str) -> NDArray[Any]:
    """All columns side by side, (rows, columns)."""
    if not len(frame.columns):
        raise DataError(f"{name} needs a column.", received="a table without columns")
    array = np.asarray(frame.to_numpy())
    if array.dtype.kind not in NUMBERS:
        columns = [(label, plain_column(column)) for label, column in frame.items()]
        for label, column in columns:
            if column.dtype.kind not in NUMBERS:
                raise not_numbers(column, f"{name}: column {label!r}")
        array = np.stack([column for _, column in columns], axis=1)
    _require_known(array, frame, name)
    return array


def _series(column: Any, name: str) -> NDArray[Any]:
    array = plain_column(column)
    label = getattr(column, "name", None)
    named = f"{name}: column {label!r}" if label is not None else name
    if array.dtype.kind not in NUMBERS:
        raise not_numbers(array, named)
    _require_known(array, column, named)
    return array


def _require_known(array: NDArray[Any], table: Any, name: str) -> None:
    """Refuse missing cells, unless NaN is allowed."""
    if array.dtype.kind != "f" or config.nan_inputs() == "allow" or not np.isnan(array).any():
        return
    places = np.argwhere(np.isnan(array))
    row, *column = places[0].tolist()
    if is_frame(table):
        name = f"{name}: column {table.columns[column[0]]!r}"
    label = f", index {table.index[row]!r}" if hasattr(table, "index") and len(table) == len(array) else ""
    more = f", and {len(places) - 1} more" if len(places) > 1 else ""
    raise DataError(
        f"{name} has a missing cell.",
        received=f"NaN or NA in row {row} (from 0{label}){more}",
        fix="Leave such rows out with dropna(), fill them with fillna(), let "
        "gputrain.tabular.TablePreparation fill them, or allow NaN with "
        'gputrain.config.set_nan_inputs("allow").',
    )


def _unmasked(x: Any, name: str) -> NDArray[Any]:
    if np.ma.is_masked(x):
        rule = f"{name} must have no masked elements."
        received = f"{int(np.ma.count_masked(x))} of {x.size}"
        raise DataError(rule, received=received, fix="Fill them, x.filled(0), or leave the rows out.")
    return np.asarray(x)


def _dense(x: Any, name: str) -> NDArray[Any]:
    """A sparse matrix with its zeros."""
    try:
        return np.asarray(x.toarray())
    except MemoryError:
        rule = f"{name}: this sparse matrix has no room in memory with its zeros."
        fix = "Give batches of it by a generator: (x[i:j].toarray(), y[i:j])."
        raise DataError(rule, received=f"shape {x.shape}", fix=fix) from None
