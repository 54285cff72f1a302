"""Rows of ones, or counts, for class indices."""

from __future__ import annotations

from typing import Any

import numpy as np

from gputrain import ops
from gputrain.data.lookups import look_up
from gputrain.errors import DataError, explain
from gputrain.layers.base import arguments, declared, registry
from gputrain.layers.preprocessing.data_layer import DataLayer, as_numbers, encoded, no_sparse

_MODES = ("multi_hot", "one_hot", "count")


def _mode(value: Any, where: str) -> str:
    return arguments.one_of("multi_hot" if value == "binary" else value, _MODES, where)


def _tokens(value: Any, where: str) -> int:
    if value is None:
        fix = "Where nobody knows how many there are, IntegerLookup finds them."
        raise ValueError(explain(f"{where} must be given: how many classes there are.", fix=fix))
    return arguments.positive_int(value, where)


@registry.add()
class CategoryEncoding(DataLayer):
    """Class indices as rows of `num_tokens` numbers.

    Data is looked at before it is encoded, also that of a model before its first step. Where a model computes
    indices, those outside of 0..num_tokens-1 count nowhere.

    Args:
        num_tokens: how many classes there are.
        output_mode: "multi_hot": ones at all classes of a sample. "one_hot": a row for each index. "count":
            how often each class is there.
        sparse: of Keras; there are no sparse tensors.

    Shapes:
        (N, n) indices to (N, num_tokens); for "one_hot" (N, n, num_tokens), and (N, 1) to (N, num_tokens).
        What has no axis is one sample, what has one axis too.

    Raises:
        ValueError: an argument that is not as above; `count_weights` in another mode than "count".
        DataError: data with an index outside of 0..num_tokens-1.

    Example:
        >>> CategoryEncoding(num_tokens=4)([[0, 1], [0, 0], [3, 1]])
        array([[1., 1., 0., 0.],
               [1., 0., 0., 0.],
               [0., 1., 0., 1.]], dtype=float32)
    """

    num_tokens: int = declared.argument(_tokens, None)
    output_mode: str = declared.argument(_mode, "multi_hot")
    sparse: bool = declared.argument(no_sparse, False)

    def of_data(self, inputs: Any, count_weights: Any = None) -> Any:
        """The rows for data."""
        weights = None if count_weights is None else as_numbers(count_weights, f"{self.name}: count_weights")
        return super().of_data(inputs, count_weights=weights)

    def _require_classes(self, indices: np.ndarray, where: str) -> None:
        outside = indices[~((indices >= 0) & (indices < self.num_tokens))]
        if outside.size:
            raise DataError(
                explain(
                    f"{where}: an index is outside of the {self.num_tokens} classes.",
                    expected=f"0..{self.num_tokens - 1}",
                    received=f"{outside[0]}" + (f", and {outside.size - 1} more" if outside.size > 1 else ""),
                    fix="Raise num_tokens, or number the classes with IntegerLookup.",
                )
            )

    def call(self, inputs: Any, count_weights: Any = None) -> Any:
        """The rows for class indices; `count_weights`, as many, say what each counts."""
        if count_weights is not None and self.output_mode != "count":
            rule = f"{self.name}: count_weights are those of output_mode 'count'."
            raise ValueError(explain(rule, received=repr(self.output_mode)))
        look_up(inputs, self._require_classes)
        return encoded(
            ops.cast(inputs, "int32"), self.output_mode, self.num_tokens, self.compute_dtype, count_weights
        )
