"""Input: where data enters a model."""

from __future__ import annotations

from typing import Any

from gputrain import config
from gputrain.errors import explain
from gputrain.ir import Node, Shape, Spec, Value, dtype_name
from gputrain.layers.base import Layer, registry
from gputrain.layers.base.naming import auto_name


@registry.add()
class InputLayer(Layer):
    """The layer behind `Input`: holds the spec of one input of a model.

    Args:
        shape: shape of one sample.
        batch_size: size of a batch, if fixed.
        dtype: default `config.floatx()`.
        name: default "input_layer", numbered.
        batch_shape: shape with the batch; instead of `shape`.
        sparse, input_tensor, optional: as in Keras; not in this version, so only the defaults are taken.
    """

    def __init__(
        self,
        shape: Any = None,
        batch_size: int | None = None,
        dtype: Any = None,
        sparse: Any = None,
        batch_shape: Any = None,
        input_tensor: Any = None,
        optional: bool = False,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name or auto_name("InputLayer"))
        if sparse or input_tensor is not None or optional:
            raise ValueError(explain("Input: sparse, input_tensor and optional are not supported."))
        self.batch_shape = _full_shape(shape, batch_size, batch_shape)
        self.dtype = dtype_name(dtype or config.floatx())
        self.value = Value(Spec(self.batch_shape, self.dtype), name=self.name)
        self.value.origin = self
        self.built = True

    def call(self) -> Value:
        return self.value

    def get_config(self) -> dict[str, Any]:
        return {"batch_shape": list(self.batch_shape), "dtype": self.dtype, "name": self.name}

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
    full = tuple(batch_shape) if batch_shape is not None else (batch_size, *_as_tuple(shape))
    if any(d is not None and (not isinstance(d, int) or d < 0) for d in full):
        raise ValueError(explain("Input: each size must be a non-negative int or None.", received=full))
    return full


def _as_tuple(shape: Any) -> tuple[Any, ...]:
    if isinstance(shape, int):
        raise ValueError(explain("Input: shape is a tuple.", received=shape, fix=f"Pass shape=({shape},)."))
    return tuple(shape)


def Input(
    shape: Any = None,
    batch_size: int | None = None,
    dtype: Any = None,
    sparse: Any = None,
    batch_shape: Any = None,
    name: str | None = None,
    tensor: Any = None,
    optional: bool = False,
) -> Value:
    """A symbolic input of a functional model.

    Args:
        shape: shape of one sample; unknown sizes None.
        batch_size: size of a batch, if fixed.
        dtype: default `config.floatx()`.
        batch_shape: shape with the batch; instead of `shape`.
        name: name of the input, also its key when data comes as a dict.
        sparse, tensor, optional: as in Keras; not in this version, so only the defaults are taken.

    Returns:
        a Value to call layers on.

    Example:
        >>> x = Input(shape=(28, 28, 1))
        >>> x.shape
        (None, 28, 28, 1)
    """
    return InputLayer(shape, batch_size, dtype, sparse, batch_shape, tensor, optional, name).value
