"""Layers that make one value of several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, ClassVar

from gputrain import ops
from gputrain.errors import ShapeError, explain
from gputrain.ir import Shape, normalize_axis
from gputrain.layers.base import Layer, arguments, declared, registry


class Merge(Layer):
    """Base of the layers that take a list of inputs."""

    supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Check that a list of values comes in.

        Raises:
            ShapeError: one value, an empty list, or a scalar without the axis of samples.
        """
        if not isinstance(input_shape, list | tuple) or not input_shape or not _is_shape(input_shape[0]):
            name = type(self).__name__
            raise ShapeError(
                explain(
                    f"{name} takes a list of inputs.",
                    expected=f"{name}()([a, b])",
                    received=f"an input of shape {input_shape}",
                )
            )

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """A position counts where it counts in all inputs that have a mask."""
        given = [mask for mask in previous_mask if mask is not None]
        return reduce(ops.logical_and, given) if given else None


class Elementwise(Merge):
    """Base of the layers that work element by element; sizes of 1 broadcast.

    Inputs of fewer axes get axes of size 1 after that of the samples, as in Keras.

    Attributes:
        pairwise: what makes one input of two.

    Shapes:
        a list of (N, ...) to (N, ...).
    """

    pairwise: ClassVar[Callable[..., Any]]

    def call(self, inputs: Sequence[Any]) -> Any:
        """The inputs as one."""
        ndim = max(x.ndim for x in inputs)
        return reduce(type(self).pairwise, [_with_axes(x, ndim) for x in inputs])


def require_two(shapes: Sequence[Any], name: str) -> None:
    """Refuse a list of other than two inputs.

    Raises:
        ShapeError: with how many came.
    """
    if len(shapes) != 2:
        rule = f"{name} takes a list of two inputs."
        raise ShapeError(explain(rule, expected=f"{name}()([a, b])", received=f"{len(shapes)} inputs"))


def _with_axes(x: Any, ndim: int) -> Any:
    return x if x.ndim == ndim else ops.expand_dims(x, tuple(range(1, 1 + ndim - x.ndim)))


def _is_shape(item: Any) -> bool:
    return isinstance(item, list | tuple)


@registry.add()
class Add(Elementwise):
    """Sum of the inputs, elementwise; sizes of 1 broadcast.

    Example:
        >>> Add()([numpy.full((1, 2), 3.0), numpy.full((1, 2), 2.0)]).tolist()
        [[5.0, 5.0]]
    """

    pairwise = staticmethod(ops.add)


@registry.add()
class Subtract(Elementwise):
    """The first of two inputs less the second, elementwise; sizes of 1 broadcast.

    Example:
        >>> Subtract()([numpy.full((1, 2), 3.0), numpy.full((1, 2), 2.0)]).tolist()
        [[1.0, 1.0]]
    """

    pairwise = staticmethod(ops.subtract)

    def build(self, input_shape: Any) -> None:
        """Check that two inputs come in.

        Raises:
            ShapeError: a single value, or a list of more or fewer.
        """
        super().build(input_shape)
        require_two(input_shape, "Subtract")


@registry.add()
class Multiply(Elementwise):
    """Product of the inputs, elementwise; sizes of 1 broadcast.

    Example:
        >>> Multiply()([numpy.full((1, 2), 3.0), numpy.full((1, 2), 2.0)]).tolist()
        [[6.0, 6.0]]
    """

    pairwise = staticmethod(ops.multiply)


@registry.add()
class Average(Elementwise):
    """Mean of the inputs, elementwise; sizes of 1 broadcast.

    Example:
        >>> Average()([numpy.full((1, 2), 3.0), numpy.full((1, 2), 2.0)]).tolist()
        [[2.5, 2.5]]
    """

    pairwise = staticmethod(ops.add)

    def call(self, inputs: Sequence[Any]) -> Any:
        """The inputs as one."""
        return ops.divide(super().call(inputs), float(len(inputs)))


@registry.add()
class Maximum(Elementwise):
    """The largest of the inputs, elementwise; sizes of 1 broadcast.

    Example:
        >>> Maximum()([numpy.full((1, 2), 3.0), numpy.full((1, 2), 2.0)]).tolist()
        [[3.0, 3.0]]
    """

    pairwise = staticmethod(ops.maximum)


@registry.add()
class Minimum(Elementwise):
    """The smallest of the inputs, elementwise; sizes of 1 broadcast.

    Example:
        >>> Minimum()([numpy.full((1, 2), 3.0), numpy.full((1, 2), 2.0)]).tolist()
        [[2.0, 2.0]]
    """

    pairwise = staticmethod(ops.minimum)


@registry.add()
class Concatenate(Merge):
    """The inputs joined along an axis they have.

    Args:
        axis: the axis; its sizes are added up.

    Shapes:
        a list of shapes that agree on all other axes.

    Raises:
        ShapeError: shapes that differ on another axis.

    Example:
        >>> Concatenate()([numpy.ones((5, 2), "float32"), numpy.ones((5, 3), "float32")]).shape
        (5, 5)
    """

    axis: int = declared.argument(arguments.whole, -1)

    def call(self, inputs: Sequence[Any]) -> Any:
        """The joined inputs."""
        return ops.concatenate(list(inputs), axis=self.axis)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Masks are joined where the inputs are joined along one of the masks' axes; else as in `Merge`."""
        given = [mask for mask in previous_mask if mask is not None]
        if not given:
            return None
        axis = normalize_axis(self.axis, inputs[0].ndim, "Concatenate")
        if axis >= given[0].ndim:
            return super().compute_mask(inputs, previous_mask)
        masks = [_full_mask(m, x, given[0].ndim) for m, x in zip(previous_mask, inputs, strict=True)]
        return ops.concatenate(masks, axis=axis)


def _full_mask(mask: Any, x: Any, ndim: int) -> Any:
    """`mask`, or one that is True at all positions of `x`."""
    if mask is not None:
        return mask
    first: Shape = (0,) * (x.ndim - ndim)
    return ops.ones_like(x[(..., *first)], dtype="bool")


def _function(cls: type[Merge]) -> Callable[..., Any]:
    """The function that makes a layer of `cls` and calls it at once."""

    def function(inputs: Sequence[Any], **kwargs: Any) -> Any:
        return cls(**kwargs)(inputs)

    function.__name__ = function.__qualname__ = cls.__name__.lower()
    function.__doc__ = f"""{(cls.__doc__ or "").partition(";")[0]}; see `{cls.__name__}`.

    Args:
        inputs: a list of symbolic values or arrays.
        kwargs: arguments of the layer.
    """
    return function


add = _function(Add)
subtract = _function(Subtract)
multiply = _function(Multiply)
average = _function(Average)
maximum = _function(Maximum)
minimum = _function(Minimum)


def concatenate(inputs: Sequence[Any], axis: int = -1, **kwargs: Any) -> Any:
    """A list of symbolic values or arrays joined along `axis`; see `Concatenate`.

    Args:
        inputs: a list of symbolic values or arrays.
        axis: the axis along which they are joined.
        kwargs: arguments of the layer.
    """
    return Concatenate(axis=axis, **kwargs)(inputs)
