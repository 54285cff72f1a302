"""A target column as class indices, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gputrain.data.tabular import configs
from gputrain.data.tabular.cells import factorize, is_missing, parse
from gputrain.data.tabular.settings import MISSING_VALUES
from gputrain.data.tabular.table import Column, Table
from gputrain.errors import DataError
from gputrain.utils.plain import Described

MAX_CLASSES = 1000


@dataclass(frozen=True)
class Labels(Described):
    """The classes of a target column.

    Attributes:
        classes: tuple of str, sorted as numbers if all are numbers, else as text; the places are the class
            indices.

    Example:
        >>> labels = Labels.fit(np.array(["10", "9", "10"]))
        >>> labels.classes, labels.encode(np.array(["10", "9"])).tolist()
        (('9', '10'), [1, 0])
    """

    classes: tuple[str, ...]

    @classmethod
    def fit(cls, column: ArrayLike, lines: NDArray[np.int64] | None = None) -> Labels:
        """Find the classes of the training rows.

        Args:
            column: text or numbers (n,).
            lines: the line of each row in its file, for errors.

        Raises:
            DataError: missing labels, fewer than two classes, or too many for classes.
        """
        target = Table({"target": column}, lines=lines)
        texts, _ = factorize(target["target"])
        _refuse(target, is_missing(target["target"], MISSING_VALUES), "A row has no label.")
        classes = sorted(set(texts))
        if not 2 <= len(classes) <= MAX_CLASSES:
            fix = "For numbers to predict use a regression loss." if len(classes) > 2 else None
            received = f"{len(classes)} different values: {', '.join(classes[:5])}"
            rule = "A target of classes has several of them."
            raise DataError(rule, expected=f"2 to {MAX_CLASSES}", received=received, fix=fix)
        if all(np.isfinite(parse(text)) for text in classes):
            classes.sort(key=float)
        return cls(tuple(classes))

    def encode(self, column: ArrayLike, lines: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """Return the class index of each label, int64 (n,).

        Args:
            column: text or numbers (n,).
            lines: the line of each row in its file, for errors.

        Raises:
            DataError: a label is none of the classes; it names them and their rows.
        """
        target = Table({"target": column}, lines=lines)
        texts, codes = factorize(target["target"])
        index = {name: number for number, name in enumerate(self.classes)}
        indices = np.array([index.get(text, -1) for text in texts], np.int64)[codes]
        _refuse(target, indices < 0, "A label is none of the classes.", ", ".join(self.classes[:20]))
        return indices

    def decode(self, indices: ArrayLike) -> NDArray[Any]:
        """Return the labels of class indices, object array of str, same shape.

        Raises:
            DataError: an index is not from 0 to the number of classes - 1.
        """
        chosen = np.asarray(indices)
        whole = chosen.dtype.kind in "iu"
        if not whole or (chosen.size and not 0 <= chosen.min() <= chosen.max() < len(self.classes)):
            expected = f"integers from 0 to {len(self.classes) - 1}"
            received = f"from {chosen.min()} to {chosen.max()}" if whole else f"dtype {chosen.dtype}"
            raise DataError("Class indices name classes.", expected=expected, received=received)
        return np.array(self.classes, object)[chosen]

    @classmethod
    def from_config(cls, config: Any) -> Labels:
        """Return the labels that `to_config` described.

        Raises:
            DataError: `config` is not such a description.
        """
        found = configs.fields(config, "labels", ("classes",))
        classes = configs.distinct_texts(found["classes"], "labels.classes")
        if not 2 <= len(classes) <= MAX_CLASSES:
            raise configs.broken("labels.classes", f"2 to {MAX_CLASSES} classes", classes)
        return cls(classes)


def _refuse(target: Table, wrong: NDArray[np.bool_], rule: str, expected: str | None = None) -> None:
    rows = np.flatnonzero(wrong)
    if not rows.size:
        return
    cells: Column = target["target"][rows]
    shown = ", ".join(repr(text) for text in list(dict.fromkeys(factorize(cells)[0]))[:5])
    places = ", ".join(target.place(int(row)) for row in rows[:5])
    more = f" and {rows.size - 5} more" if rows.size > 5 else ""
    fix = "Leave such rows out, or mend them."
    raise DataError(rule, expected=expected, received=f"{shown} in {places}{more}", fix=fix)
