"""Input: where data enters a model."""

from __future__ import annotations

from typing import Any

from gputrain import config
from gputrain.errors import explain
from gputrain.ir import Node, Shape, Spec, Value, dtype_name
from gputrain.layers.base import Layer, registry
from gputrain.layers.base.arguments import is_int
from gputrain.utils.signatures import on_or_off, only_taken


@registry.add()
class InputLayer(Layer):
    """The layer behind `Input`: holds the spec of one input of a model.

    Args:
        shape: shape of one sample.
        batch_size: size of a batch, if fixed.
        dtype: default `config.floatx()`.
        name: default "input_layer", numbered.
        batch_shape: shape with the batch; instead of `shape` and `batch_size`.
        optional: whether None may be passed in its place; layers that it is given to are called with None.
        sparse, ragged, input_tensor: of Keras; only the defaults, and False, are taken.
        kwargs: input_shape and batch_input_shape, the older names of shape and batch_shape.
    """

    def __init__(
        self,
        shape: Any = None,
        batch_size: int | None = None,
        dtype: Any = None,
        sparse: Any = None,
        ragged: Any = None,
        batch_shape: Any = None,
        input_tensor: Any = None,
        optional: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        given = {"sparse": sparse, "ragged": ragged, "input_tensor": input_tensor}
        for argument, value in given.items():
            only_taken(argument, value, "Input")
        shape = kwargs.pop("input_shape", shape)
        batch_shape = kwargs.pop("batch_input_shape", batch_shape)
        super().__init__(name=name or None, **kwargs)
        self.optional = on_or_off(optional, "Input: optional")
        self.batch_shape = _full_shape(shape, batch_size, batch_shape)
        self._dtype = dtype_name(dtype or config.floatx())
        self.value = Value(Spec(self.batch_shape, self.dtype), name=self.name)
        self.value.origin = self
        self.built = True

    def call(self) -> Value:
        return self.value

    def get_config(self) -> dict[str, Any]:
        unused = {"sparse": False, "ragged": False}
        own = {"name": self.name, "optional": self.optional}
        return {"batch_shape": list(self.batch_shape), "dtype": self.dtype, **unused, **own}

    def renewed(self) -> InputLayer:
        """Another input of the same shape, dtype and name."""
        made: InputLayer = self.from_config(self.get_config())
        return made

    def _only_call(self) -> Node:
        raise AttributeError("An input layer has no input of its own.")

    @property
    def output(self) -> Value:
        return self.value


def _full_shape(shape: Any, batch_size: int | None, batch_shape: Any) -> Shape:
    if (shape is None) == (batch_shape is None):
        raise ValueError(
            explain("Input needs either shape or batch_shape.", received=f"{shape} and {batch_shape}")
        )
    if batch_size is not None and batch_shape is not None:
        raise ValueError(
            explain("Input: batch_shape has the batch's size.", received=f"batch_size={batch_size}, too")
        )
    full = (
        (batch_size, *_as_tuple(shape, "shape"))
        if batch_shape is None
        else _as_tuple(batch_shape, "batch_shape")
    )
    if not all(size is None or (is_int(size) and size >= 0) for size in full):
        raise ValueError(explain("Input: each size must be a non-negative int or None.", received=full))
    return tuple(None if size is None else int(size) for size in full)


def _as_tuple(shape: Any, what: str) -> tuple[Any, ...]:
    if is_int(shape):
        whole = f"None, {shape}" if what == "batch_shape" else f"{shape},"
        raise ValueError(explain(f"Input: {what} is a tuple.", received=shape, fix=f"Pass {what}=({whole})."))
    return tuple(shape)


def Input(
    shape: Any = None,
    batch_size: int | None = None,
    dtype: Any = None,
    sparse: Any = None,
    ragged: Any = None,
    batch_shape: Any = None,
    name: str | None = None,
    tensor: Any = None,
    optional: bool = False,
) -> Value:
    """A symbolic input of a functional model.

    Args:
        shape: shape of one sample; unknown sizes None.
        batch_size: size of a batch for layers that need to know it. Data may come in batches of another size,
            as the last one does.
        dtype: default `config.floatx()`.
        batch_shape: shape with the batch; instead of `shape` and `batch_size`.
        name: name of the input, also its key when data comes as a dict.
        optional: whether None may be passed in its place; layers that it is given to are called with None.
        sparse, ragged, tensor: of Keras; only the defaults, and False, are taken.

    Returns:
        a Value to call layers on.

    Example:
        >>> x = Input(shape=(28, 28, 1))
        >>> x.shape
        (None, 28, 28, 1)
    """
    only_taken("tensor", tensor, "Input")
    return InputLayer(shape, batch_size, dtype, sparse, ragged, batch_shape, None, optional, name).value
