"""Embeddings: rows of a learnt table."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from gputrain import ops
from gputrain.data.labels import first_in
from gputrain.data.lookups import look_up
from gputrain.errors import DataError, explain
from gputrain.ir import dtype_name, is_float
from gputrain.layers.base import Layer, declared, registry
from gputrain.layers.base.arguments import positive_int
from gputrain.runtime import Variable
from gputrain.utils.dtypes import is_number


@registry.add()
class Embedding(Layer):
    """The row of a learnt table for each id: words, categories, users.

    Args:
        input_dim: rows of the table: the largest id plus 1.
        output_dim: size of a row.
        embeddings_initializer: first values of the table.
        embeddings_regularizer: penalty on the table, added to the loss.
        activity_regularizer: penalty on the outputs, added to the loss.
        embeddings_constraint: what the table keeps to after each update.
        mask_zero: whether the id 0 is padding, which the layers that follow leave out.
        weights: the table to begin with, (input_dim, output_dim), or a list of it.
        input_length: of Keras 2; left out with a note.
        lora_rank, lora_alpha, quantization_config: of Keras; only None is taken.

    Shapes:
        ids (N, ...) to (N, ..., output_dim); embeddings (input_dim, output_dim). Ids are whole numbers; a
        fraction is cut off.

    Raises:
        ValueError: input_dim or output_dim is not a positive int.
        ShapeError: weights of another shape.
        DataError: an id outside 0..input_dim-1, where the layer is called on arrays or looks up an input of a
            model, or ids of a known size as `ops.arange`. Ids that a model computes from data wrap around.

    Example:
        >>> Embedding(3, 2, weights=[[0, 0], [1, 2], [3, 4]])(numpy.array([[2, 1]])).tolist()
        [[[3.0, 4.0], [1.0, 2.0]]]
    """

    input_dtype = "int32"  # of the input that a Sequential makes for it
    embeddings: Variable
    input_dim: int = declared.argument(positive_int)
    output_dim: int = declared.argument(positive_int)
    embeddings_initializer: Any = declared.initializer("uniform")
    embeddings_regularizer: Any = declared.regularizer()
    activity_regularizer: Any = declared.regularizer(shown=False)
    embeddings_constraint: Any = declared.constraint()
    mask_zero: bool = declared.flag(False)
    weights: Any = declared.argument(default=None, kept=False)
    input_length: Any = declared.argument(default=None, kept=False, shown=False)
    lora_rank: None = declared.keras_only("lora_rank")
    lora_alpha: None = declared.keras_only("lora_alpha")
    quantization_config: None = declared.keras_only("quantization_config")

    def check_arguments(self, weights: Any = None, input_length: Any = None) -> None:
        """Begin with the weights that are given; ids are no numbers to compute with, so none is rounded."""
        self.supports_masking = self.mask_zero
        self.autocast = False
        if input_length is not None:
            warnings.warn(
                "Embedding: input_length is not needed: sequences may have any length. Leave it out.",
                stacklevel=2,
            )
        if weights is not None:
            self.build()
            self.set_weights(weights if isinstance(weights, list) and len(weights) == 1 else [weights])

    def build(self, input_shape: Any = None) -> None:
        """Make the table."""
        if not self.built:
            self.embeddings = self.add_declared_weight("embeddings", (self.input_dim, self.output_dim))

    def call(self, inputs: Any) -> Any:
        """The rows of the ids."""
        look_up(inputs, self._require_rows)
        return ops.take(self.embeddings, inputs, axis=0)

    def _require_rows(self, ids: np.ndarray, where: str) -> None:
        low, high = (int(number) if np.isfinite(number) else number for number in (ids.min(), ids.max()))
        if not (low >= 0 and high < self.input_dim):
            outside = ~((ids > -1) & (ids < self.input_dim))
            raise DataError(
                f"{where}: ids must lie in 0..{self.input_dim - 1}, rows of its table.",
                received=f"ids from {low} to {high}; the first outside is {first_in(ids, outside)}",
                fix="Renumber the ids from 0, or make input_dim one more than the largest.",
            )

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Where the ids are not 0, with `mask_zero`; None without."""
        return ops.not_equal(inputs, 0) if self.mask_zero else None


def _cap(value: Any, where: str) -> float | None:
    """A number above 0, or None."""
    if value is not None and not (is_number(value) and value > 0):
        raise ValueError(explain(f"{where} is a number above 0, or None.", received=repr(value)))
    return value


def _float(value: Any, where: str) -> str | None:
    """A floating dtype by its name, or None."""
    name = None if value is None else dtype_name(value)
    if name is not None and not is_float(name):
        raise ValueError(explain(f"{where} is a floating dtype, or None.", received=repr(value)))
    return name


@registry.add()
class ReversibleEmbedding(Embedding):
    """An Embedding that is also called the other way, for language models: from rows to scores of all ids.

    Args:
        input_dim: rows of the table: the largest id plus 1.
        output_dim: size of a row.
        tie_weights: whether the scores are products with the rows of the same table, and not with one of
            their own.
        embeddings_initializer: first values of the table, or of both.
        reverse_dtype: dtype that scores are computed in; default the layer's.
        logit_soft_cap: scores become cap * tanh(scores / cap), in -cap..cap; None for no cap.

    Shapes:
        ids (N, ...) to (N, ..., output_dim); with reverse=True (N, ..., output_dim) to (N, ..., input_dim).
        embeddings (input_dim, output_dim); without tie_weights, reverse_embeddings (output_dim, input_dim).

    Source:
        Press & Wolf 2017, Using the Output Embedding to Improve Language Models.

    Example:
        >>> layer = ReversibleEmbedding(10, 4)
        >>> layer(layer(numpy.array([[1, 2, 3]])), reverse=True).shape
        (1, 3, 10)
    """

    tie_weights: bool = declared.flag(True, after="output_dim")
    reverse_dtype: str | None = declared.argument(_float, None, after="mask_zero")
    logit_soft_cap: float | None = declared.argument(_cap, None, after="reverse_dtype")
    weights: Any = declared.argument(default=None, kept=False, shown=False)
    lora_rank: None = declared.keras_only("lora_rank", shown=False)
    lora_alpha: None = declared.keras_only("lora_alpha", shown=False)
    quantization_config: None = declared.keras_only("quantization_config", shown=False)

    def build(self, input_shape: Any = None) -> None:
        """Make the table, or both."""
        super().build(input_shape)
        if not self.tie_weights:
            self.reverse_embeddings = self.add_weight(
                (self.output_dim, self.input_dim), self.embeddings_initializer, name="reverse_embeddings"
            )

    def call(self, inputs: Any, reverse: bool = False) -> Any:
        """The rows of the ids; or, in reverse, the scores of all ids."""
        if not reverse:
            rows = super().call(inputs)
            rows.mask = super().compute_mask(inputs)
            return rows
        table = self.embeddings if self.tie_weights else self.reverse_embeddings
        if self.reverse_dtype is not None:
            inputs, table = ops.cast(inputs, self.reverse_dtype), ops.cast(table, self.reverse_dtype)
        from gputrain.ops.contraction import einsum

        scores = einsum("...d,vd->...v" if self.tie_weights else "...d,dv->...v", inputs, table)
        if self.logit_soft_cap is None:
            return scores
        return ops.multiply(ops.tanh(ops.divide(scores, self.logit_soft_cap)), self.logit_soft_cap)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """None: `call` gives rows their mask, and scores have none."""
        return
