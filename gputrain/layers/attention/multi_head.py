"""Attention of several heads, each on projections of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from string import ascii_lowercase
from typing import Any, ClassVar, NamedTuple

from gputrain import initializers, ops
from gputrain.errors import ShapeError, explain
from gputrain.ir import Shape, Trace, normalize_axis
from gputrain.layers.base import Layer, arguments, declared, registry
from gputrain.layers.base.arguments import known_size, positive_int
from gputrain.layers.base.masking import unmasked
from gputrain.layers.core import EinsumDense
from gputrain.ops.attending import attend, weights_of
from gputrain.ops.contraction import einsum


def _positive_or_none(value: Any, where: str) -> int | None:
    return None if value is None else positive_int(value, where)


def _sizes_or_none(value: Any, where: str) -> tuple[int, ...] | None:
    """One size or several, as a tuple; None for those of the query."""
    if value is None or (isinstance(value, list | tuple) and not value):
        return None
    given = value if isinstance(value, list | tuple) else (value,)
    return tuple(positive_int(size, where) for size in given)


def _axes_or_none(value: Any, where: str) -> tuple[int, ...] | None:
    """One axis or several, as a tuple; None for all between samples and features."""
    if value is None:
        return None
    axes = arguments.axis_or_axes(value, where)
    return tuple(axes) if isinstance(axes, list) else (axes,)


class _HeadsAttention(Layer):
    """Base: queries, keys and values of several heads, attention, and a projection of what it gives.

    Args:
        dropout: share of the attention weights to drop in training.
        use_bias: whether the projections have biases.
        sliding_window: a query sees keys less than so many places away, on both sides; None for all.
        flash_attention: as in Keras; it changes nothing, for scores are stored only where they are asked for.
        kernel_initializer, bias_initializer: what the weights of each projection begin with.
        kernel_regularizer, bias_regularizer: penalties on the weights, added to the loss.
        activity_regularizer: a penalty on the output of each projection, added to the loss.
        kernel_constraint, bias_constraint: what the weights are held to after each step.
        use_gate: whether what attention gives is multiplied by a sigmoid of one more projection of the query.
        seed: of the dropout, an int; None means the configured seed.

    Raises:
        ShapeError: inputs, or masks, that do not fit together.
    """

    supports_masking = True
    dropout: float = declared.argument(arguments.share, 0.0)
    use_bias: bool = declared.flag(True)
    sliding_window: int | None = declared.argument(_positive_or_none, None)
    flash_attention: bool | None = declared.keras_only("flash_attention")
    kernel_initializer: Any = declared.initializer("glorot_uniform")
    bias_initializer: Any = declared.initializer("zeros")
    kernel_regularizer: Any = declared.regularizer()
    bias_regularizer: Any = declared.regularizer()
    activity_regularizer: Any = declared.regularizer()
    kernel_constraint: Any = declared.constraint()
    bias_constraint: Any = declared.constraint()
    use_gate: bool = declared.flag(False)
    seed: Any = declared.argument(arguments.seed, None, plain=arguments.plain_seed)

    @property
    def axes_of_places(self) -> tuple[int, ...]:
        """The axes along which attention looks."""
        return (1,)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as plain data, as Keras has them."""
        config = super().get_config()
        del config["flash_attention"]
        return config

    # ------------------------------------------------------------------------------------- projections

    def make_projections(
        self, shapes: Sequence[Shape], heads: Sequence[int], sizes: Sequence[int], output: Sequence[int]
    ) -> None:
        """Make and build the projections.

        Args:
            shapes: of query, key and value.
            heads, sizes: of them, as they are projected.
            output: sizes of the last axes of the output.
        """
        query, key, value = shapes
        self.query_dense = self._projection("query", query, 1, (heads[0], sizes[0]))
        self.key_dense = self._projection("key", key, 1, (heads[1], sizes[1]))
        if self.use_gate:
            self.gate_dense = self._projection("gate", query, 1, (heads[0], sizes[2]), activation="sigmoid")
        self.value_dense = self._projection("value", value, 1, (heads[2], sizes[2]))
        attended = (*query[:-1], heads[0], sizes[2])
        self.output_dense = self._projection("attention_output", attended, 2, output)

    def _projection(
        self, name: str, shape: Shape, summed: int, made: Sequence[int], **settings: Any
    ) -> EinsumDense:
        """A built projection of inputs of `shape`: their last `summed` axes become `made`."""
        known_size(shape, -1, f"{type(self).__name__}: {name}")
        places = len(shape) - summed
        letters = ascii_lowercase[: len(shape) + len(made)]
        new = letters[len(shape) :]
        equation = f"{letters[: len(shape)]},{letters[places:]}->{letters[:places]}{new}"
        fresh = {
            kind: initializers.serialize(getattr(self, kind))
            for kind in ("kernel_initializer", "bias_initializer")
        }
        shared = {
            kind: getattr(self, kind)
            for kind in (
                *("kernel_regularizer", "bias_regularizer", "activity_regularizer"),
                *("kernel_constraint", "bias_constraint"),
            )
        }
        projection = EinsumDense(
            equation,
            (*(None for _ in range(places - 1)), *made),
            bias_axes=new if self.use_bias else None,
            dtype=self.dtype,
            name=name,
            **fresh,
            **shared,
            **settings,
        )
        projection.build(shape)
        return projection

    # --------------------------------------------------------------------------------------- attention

    def call(
        self,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
        use_causal_mask: bool = False,
    ) -> Any:
        """What the queries find, projected; with the weights where they are asked for.

        Args:
            query: (N, T, ...), value, key: (N, S, ...); the value is the key where there is none.
            query_mask, value_mask, key_mask: True where a place counts; unless given, what inputs carry.
            attention_mask: True where a query may look at a key, (N, T, S), (N, heads, T, S) or what
                broadcasts to it.
            return_attention_scores: whether to return the weights too.
            training: whether to drop weights.
            use_causal_mask: whether a query may look at keys up to its own place only.
        """
        layout = _Layout(query.ndim, self.axes_of_places)
        masks = list(_restrictions(query_mask, value_mask, key_mask, attention_mask))
        masks = [layout.of_scores(mask, query.shape, (value if key is None else key).shape) for mask in masks]
        with unmasked(query, key, value):
            gate = self.gate_dense(query) if self.use_gate else None
            projected = self.query_dense(query), self.key_dense(value if key is None else key)
            q, k, v = (layout.joined(x) for x in (*projected, self.value_dense(value)))
        limits: dict[str, Any] = {"causal": bool(use_causal_mask), "window": self.sliding_window}
        if len(self.axes_of_places) > 1 and any(limits.values()):
            rule = f"{type(self).__name__}: a causal mask or a window needs attention along one axis."
            raise ShapeError(explain(rule, received=f"attention along axes {self.axes_of_places}"))
        rate = self.dropout if training else 0.0
        scale = 1.0 / math.sqrt(float(q.shape[-1]))
        weights = None
        if return_attention_scores:
            weights = weights_of(q, k, masks=masks, scale=scale, **limits)
            dropped = ops.dropout(weights, rate, seed=self.seed)
            found = _weighed(dropped, v)
        else:
            # A query that sees no key takes the mean of all values; nothing, in layers that can drop.
            blank = self.dropout > 0
            found = attend(
                q, k, v, masks=masks, scale=scale, rate=rate, seed=self.seed, blank=blank, **limits
            )
        found = layout.parted(found, projected[0])
        output = self.output_dense(found if gate is None else ops.multiply(found, gate))
        if weights is None:
            return output
        return output, layout.parted_scores(weights, projected[0], projected[1])


@registry.add()
class MultiHeadAttention(_HeadsAttention):
    """Attention of several heads (Vaswani et al. 2017).

    Args:
        num_heads: how many heads.
        key_dim: size of each head of queries and keys.
        value_dim: size of each head of values; None for `key_dim`.
        output_shape: size, or sizes, of the output's features; None for those of the query.
        attention_axes: the axes of the inputs that are looked along, one or several; None for all between
            samples and features.

    Shapes:
        query (N, T, C), value (N, S, V) and key (N, S, K) to (N, T, output_shape); with
        return_attention_scores also the weights (N, heads, T, S), before any are dropped. More axes may lie
        between samples and features.

    Raises:
        ValueError: num_heads, key_dim, value_dim or sliding_window is not a positive int.

    Example:
        >>> layer = MultiHeadAttention(num_heads=2, key_dim=4)
        >>> layer(numpy.ones((1, 3, 8), "float32"), numpy.ones((1, 5, 6), "float32")).shape
        (1, 3, 8)
    """

    num_heads: int = declared.argument(positive_int)
    key_dim: int = declared.argument(positive_int)
    value_dim: int = declared.argument(_positive_or_none, None)
    output_shape: tuple[int, ...] | None = declared.argument(_sizes_or_none, None, after="use_bias")
    attention_axes: tuple[int, ...] | None = declared.argument(_axes_or_none, None, after="output_shape")

    def check_arguments(self) -> None:
        """Values are as large as keys unless it is said."""
        self.value_dim = self.value_dim or self.key_dim

    @property
    def axes_of_places(self) -> tuple[int, ...]:
        """The axes along which attention looks."""
        assert self.attention_axes is not None
        return self.attention_axes

    def build(  # type: ignore[override]
        self, query_shape: Shape, value_shape: Shape, key_shape: Shape | None = None
    ) -> None:
        """Make the projections of query, key and value, and that of the output."""
        key_shape = value_shape if key_shape is None else key_shape
        ranks = {len(shape) for shape in (query_shape, value_shape, key_shape)}
        if len(ranks) > 1 or min(ranks) < 3 or tuple(key_shape[1:-1]) != tuple(value_shape[1:-1]):
            rule = "MultiHeadAttention: inputs of one rank of at least 3, a value for each key."
            shapes = f"query {query_shape}, value {value_shape}, key {key_shape}"
            raise ShapeError(explain(rule, expected="(N, places, features) each", received=shapes))
        rank = len(query_shape)
        axes = range(1, rank - 1) if self.attention_axes is None else self.attention_axes
        self.attention_axes = tuple(normalize_axis(axis, rank, "MultiHeadAttention") for axis in axes)
        known = set(range(1, rank - 1)) & set(self.attention_axes)
        if len(known) < len(self.attention_axes):
            rule = "MultiHeadAttention: attention_axes lie between samples and features, each once."
            raise ShapeError(explain(rule, expected=f"some of 1..{rank - 2}", received=self.attention_axes))
        self.make_projections(
            (query_shape, key_shape, value_shape),
            (self.num_heads,) * 3,
            (self.key_dim, self.key_dim, self.value_dim),
            self.output_shape or (known_size(query_shape, -1, "MultiHeadAttention"),),
        )

    def _regularize_activity(self, trace: Trace, outputs: Any) -> None:
        """Nothing more: the penalty is on what the projections give, as in Keras."""


@registry.add("GroupQueryAttention")
class GroupedQueryAttention(_HeadsAttention):
    """Attention of several heads, of which some share keys and values (Ainslie et al. 2023).

    Args:
        head_dim: size of each head.
        num_query_heads: how many heads of the query.
        num_key_value_heads: how many heads of key and value; each serves as many heads of the query.

    Shapes:
        query (N, T, C), value (N, S, V) and key (N, S, K) to (N, T, C); with return_attention_scores also the
        weights (N, num_query_heads, T, S), before any are dropped.

    Raises:
        ValueError: a number is not a positive int, or num_query_heads is no multiple of num_key_value_heads.

    Example:
        >>> layer = GroupQueryAttention(head_dim=4, num_query_heads=6, num_key_value_heads=2)
        >>> layer(numpy.ones((1, 3, 8), "float32"), numpy.ones((1, 5, 8), "float32")).shape
        (1, 3, 8)
    """

    keras_name: ClassVar[str] = "GroupQueryAttention"
    saved_names = {f"{what}_dense": f"_{what}_dense" for what in ("query", "key", "value", "gate", "output")}

    head_dim: int = declared.argument(positive_int)
    num_query_heads: int = declared.argument(positive_int)
    num_key_value_heads: int = declared.argument(positive_int)

    def check_arguments(self) -> None:
        """Each head of keys serves as many heads of the query."""
        if self.num_query_heads % self.num_key_value_heads:
            raise ValueError(
                explain(
                    "GroupQueryAttention: num_query_heads is a multiple of num_key_value_heads.",
                    received=f"{self.num_query_heads} and {self.num_key_value_heads}",
                )
            )

    def build(  # type: ignore[override]
        self, query_shape: Shape, value_shape: Shape, key_shape: Shape | None = None
    ) -> None:
        """Make the projections of query, key and value, and that of the output."""
        key_shape = value_shape if key_shape is None else key_shape
        if {len(shape) for shape in (query_shape, value_shape, key_shape)} != {3}:
            rule = "GroupQueryAttention takes inputs of three dimensions."
            shapes = f"query {query_shape}, value {value_shape}, key {key_shape}"
            raise ShapeError(explain(rule, expected="(N, places, features) each", received=shapes))
        self.make_projections(
            (query_shape, key_shape, value_shape),
            (self.num_query_heads, self.num_key_value_heads, self.num_key_value_heads),
            (self.head_dim,) * 3,
            (known_size(query_shape, -1, "GroupQueryAttention"),),
        )


GroupQueryAttention = GroupedQueryAttention  # as Keras calls it in public


def _restrictions(query_mask: Any, value_mask: Any, key_mask: Any, attention_mask: Any) -> Iterator[Any]:
    """What of the masks there is, each as one of scores (..., T, S)."""
    if query_mask is not None:
        yield ops.expand_dims(ops.cast(query_mask, "bool"), -1)
    for mask in (value_mask, key_mask):
        if mask is not None:
            yield ops.expand_dims(ops.cast(mask, "bool"), -2)
    if attention_mask is not None:
        yield ops.cast(attention_mask, "bool")


def _weighed(weights: Any, values: Any) -> Any:
    """Weights (N, H, T, S) of values (N, S, G, E): (N, T, H, E)."""
    n, heads, length, keys = weights.shape
    groups, size = values.shape[2:]
    if heads == groups:
        return einsum("nhts,nshe->nthe", weights, values)
    shared = ops.reshape(weights, (-1 if n is None else n, groups, heads // groups, length, keys))
    found = einsum("ngrts,nsge->ntgre", shared, values)
    return ops.reshape(found, (-1 if n is None else n, length, heads, size))


class _Layout(NamedTuple):
    """How the axes of inputs become (N, places, heads, size): axes that are not looked along join the batch.

    Attributes:
        rank: of the inputs.
        axes: the axes that are looked along.
    """

    rank: int
    axes: tuple[int, ...]

    @property
    def plain(self) -> bool:
        """Whether the inputs are (N, places, size) already."""
        return self.rank == 3 and self.axes == (1,)

    @property
    def others(self) -> list[int]:
        """The axes of the batch."""
        return [axis for axis in range(self.rank - 1) if axis not in self.axes]

    def joined(self, x: Any) -> Any:
        """(N, ..., heads, size) as (N', places, heads, size)."""
        if self.plain:
            return x
        moved = ops.transpose(x, (*self.others, *self.axes, self.rank - 1, self.rank))
        sizes = moved.shape
        places = math.prod(_known(sizes[len(self.others) : -2]))
        return ops.reshape(moved, (-1, places, *sizes[-2:]))

    def parted(self, x: Any, like: Any) -> Any:
        """(N', places, heads, size) with the places of `like` (N, ..., heads, its size)."""
        if self.plain:
            return x
        order = [*self.others, *self.axes]
        sizes = [like.shape[axis] for axis in order]
        wide = ops.reshape(x, (*_one_open(sizes), *x.shape[-2:]))
        back = [order.index(axis) for axis in range(self.rank - 1)]
        return ops.transpose(wide, (*back, self.rank - 1, self.rank))

    def parted_scores(self, x: Any, query: Any, key: Any) -> Any:
        """(N', heads, T, S) with the places of query and key."""
        if self.plain:
            return x
        batch = [query.shape[axis] for axis in self.others]
        places = [like.shape[axis] for like in (query, key) for axis in self.axes]
        return ops.reshape(x, (*_one_open(batch), x.shape[1], *_known(places)))

    def of_scores(self, mask: Any, query: Shape, key: Shape) -> Any:
        """A mask of scores, (N, ..., [heads,] T, S), as (N', heads or 1, T, S)."""
        behind, rank = 2 * len(self.axes), self.rank + len(self.axes)
        if not behind <= mask.ndim <= rank:
            rule = "a mask of scores has their axes, or those but that of heads."
            raise ShapeError(explain(rule, expected=f"{rank - 1} or {rank} axes", received=mask.shape))
        while mask.ndim < rank:
            mask = ops.expand_dims(mask, -behind - 1)
        if self.plain:
            return mask
        batch = [query[axis] for axis in self.others]
        places = [[shape[axis] for axis in self.axes] for shape in (query, key)]
        full = (*batch, mask.shape[-behind - 1], *places[0], *places[1])
        wide = mask if None in full else ops.broadcast_to(mask, full)  # unknown while nothing is computed
        return ops.reshape(wide, (-1, full[len(batch)], *(math.prod(_known(part)) for part in places)))


def _known(sizes: Sequence[int | None]) -> list[int]:
    if None in sizes:
        rule = "attention along several axes, or beside others, needs known sizes but that of the batch."
        raise ShapeError(explain(rule, received=tuple(sizes)))
    return [size for size in sizes if size is not None]


def _one_open(sizes: Sequence[int | None]) -> list[int]:
    """Sizes for a reshape, of which one may be unknown."""
    return [-1 if size is None else size for size in sizes]
