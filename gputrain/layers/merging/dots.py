"""Products of two inputs along an axis of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gputrain import ops
from gputrain.errors import ShapeError, explain
from gputrain.ir import Value, normalize_axis
from gputrain.layers.base import declared, registry
from gputrain.layers.merging.merging import Merge, require_two


def _axes(value: int | Sequence[int], where: str) -> int | tuple[int, ...]:
    """One axis, or one of each input, but that of the samples."""
    axes = value if isinstance(value, int) else tuple(value)
    pair = (axes, axes) if isinstance(axes, int) else axes
    if len(pair) != 2 or not all(isinstance(axis, int) and axis for axis in pair):
        rule = f"{where} is an axis of both inputs, or one of each, but that of the samples."
        raise ValueError(explain(rule, expected="one int or two, not 0", received=repr(value)))
    return axes


@registry.add()
class Dot(Merge):
    """Sums of products of two inputs along an axis of each, sample by sample.

    Args:
        axes: the axis to sum over, one for both inputs or one for each; not 0, that of the samples.
        normalize: whether both inputs get length 1 along the axis first, which makes it cosine similarity.

    Shapes:
        [(N, ...), (N, ...)] to (N, the other axes of the first, those of the second); (N, 1) without any.

    Raises:
        ValueError: axes are not as above.
        ShapeError: the sizes of the axes differ, or not two inputs.

    Example:
        >>> a, b = numpy.ones((5, 4, 3), "float32"), numpy.ones((5, 3, 2), "float32")
        >>> Dot(axes=(2, 1))([a, b]).shape
        (5, 4, 2)
    """

    axes: int | tuple[int, ...] = declared.argument(_axes)
    normalize: bool = declared.flag(False)

    def build(self, input_shape: Any) -> None:
        """Check that two inputs of one size along the axes come in."""
        super().build(input_shape)
        require_two(input_shape, "Dot")
        places = [
            normalize_axis(axis, len(shape), "Dot")
            for axis, shape in zip(self._pair, input_shape, strict=True)
        ]
        sizes = [shape[place] for shape, place in zip(input_shape, places, strict=True)]
        if 0 in places or (None not in sizes and sizes[0] != sizes[1]):
            raise ShapeError(
                explain(
                    "Dot sums over axes of one size, not over that of the samples.",
                    received=f"axes {self._pair} of shapes {' and '.join(map(str, input_shape))}",
                )
            )

    def call(self, inputs: Sequence[Any]) -> Any:
        """The sums of products."""
        rows, columns = self._operand(inputs[0], 0, -1), self._operand(inputs[1], 1, 1)
        others = (*rows.shape[1:-1], *columns.shape[2:])
        left = ops.reshape(rows, (None, -1, rows.shape[-1]))  # (N, M, K)
        right = ops.reshape(columns, (None, columns.shape[1], -1))  # (N, K, L)
        return ops.reshape(ops.matmul(left, right), (None, *(others or (1,))))

    @property
    def _pair(self) -> tuple[int, ...]:
        """The axis of each input."""
        return (self.axes, self.axes) if isinstance(self.axes, int) else self.axes

    def _operand(self, x: Value, number: int, place: int) -> Any:
        """An input, of length 1 where that is asked for, with the axis to sum over at `place`."""
        axis = self._pair[number]
        return ops.moveaxis(ops.normalize(x, axis) if self.normalize else x, axis, place)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """None: a mask's positions are summed over or combined."""
        return


def dot(inputs: Sequence[Any], axes: int | Sequence[int] = -1, **kwargs: Any) -> Any:
    """Sums of products of two symbolic values or arrays; see `Dot`.

    Args:
        inputs: two symbolic values or arrays.
        axes: the axis of each to sum over, one int or two.
        kwargs: arguments of the layer.
    """
    return Dot(axes=axes, **kwargs)(inputs)
