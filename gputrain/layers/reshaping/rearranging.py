"""Layers that move, repeat or leave out elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gputrain import ops
from gputrain.errors import ShapeError, explain
from gputrain.ir import Shape
from gputrain.layers.base import arguments
from gputrain.layers.base.layer import Layer
from gputrain.layers.base.layout import require_images


class Permute(Layer):
    """The axes of each sample in another order.

    Args:
        dims: the axes, counted from 1 after that of the samples: (2, 1) swaps the first two.

    Shapes:
        (N, ...) to (N, ...), the sizes in the new order.

    Raises:
        ValueError: dims is not an order of 1, 2, ...
        ShapeError: the inputs have more or fewer axes.

    Example:
        >>> Permute((2, 1))(numpy.ones((5, 2, 3), "float32")).shape
        (5, 3, 2)
    """

    def __init__(self, dims: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dims = (dims,) if isinstance(dims, int) else tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            rule = "Permute: dims is an order of the axes after that of the samples."
            raise ValueError(
                explain(rule, expected="each of 1, 2, ... once, as (2, 1)", received=repr(dims))
            )

    def build(self, input_shape: Shape) -> None:
        """Check that there are as many axes as `dims` has."""
        if len(input_shape) != len(self.dims) + 1:
            raise ShapeError(
                explain(
                    "Permute: dims must name each axis of a sample.",
                    expected=f"{len(self.dims)} axes after that of the samples",
                    received=f"inputs of shape {input_shape}",
                )
            )

    def call(self, inputs: Any) -> Any:
        """The axes in the new order."""
        return ops.transpose(inputs, (0, *self.dims))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {**super().get_config(), "dims": self.dims}


class RepeatVector(Layer):
    """Each sample `n` times, along a new axis.

    Args:
        n: how many times, at least 1.

    Shapes:
        (N, features) to (N, n, features).

    Raises:
        ValueError: n is not a positive int.
        ShapeError: samples that are no vectors.

    Example:
        >>> RepeatVector(3)(numpy.ones((5, 2), "float32")).shape
        (5, 3, 2)
    """

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n = arguments.positive_int(n, "RepeatVector: n")

    def build(self, input_shape: Shape) -> None:
        """Check that vectors come in."""
        if len(input_shape) != 2:
            raise ShapeError(
                explain("RepeatVector takes vectors.", expected="(N, features)", received=input_shape)
            )

    def call(self, inputs: Any) -> Any:
        """(N, features) to (N, n, features)."""
        return ops.repeat(ops.expand_dims(inputs, 1), self.n, axis=1)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {**super().get_config(), "n": self.n}


class Cropping2D(Layer):
    """Images without their margins.

    Args:
        cropping: rows and columns to leave out: one int for all four sides, two for (top and bottom, left
            and right), or ((top, bottom), (left, right)).
        data_format: "channels_last" or "channels_first"; None means `config.image_data_format()`.

    Shapes:
        (N, H, W, C) to (N, H - top - bottom, W - left - right, C).

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: inputs that are not images, or of which nothing would be left.

    Example:
        >>> Cropping2D(((1, 0), (2, 2)))(numpy.ones((1, 4, 6, 3), "float32")).shape
        (1, 3, 2, 3)
    """

    def __init__(
        self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.cropping = arguments.side_pairs(cropping, "Cropping2D: cropping")
        self.data_format = arguments.data_format(data_format, "Cropping2D")

    def build(self, input_shape: Shape) -> None:
        """Check that images come in which are larger than what is cropped."""
        require_images(input_shape, self.data_format, "Cropping2D")
        height = 1 if self.data_format == "channels_last" else 2
        for size, margins in zip(input_shape[height : height + 2], self.cropping, strict=True):
            if size is not None and size <= sum(margins):
                raise ShapeError(
                    explain(
                        "Cropping2D must leave something of the image.",
                        expected=f"more than {sum(margins)} rows or columns for cropping {self.cropping}",
                        received=input_shape,
                    )
                )

    def call(self, inputs: Any) -> Any:
        """(N, H, W, C) to the inner part."""
        rows, columns = (slice(before, -after or None) for before, after in self.cropping)
        whole = slice(None)
        if self.data_format == "channels_last":
            return inputs[whole, rows, columns]
        return inputs[whole, whole, rows, columns]

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {**super().get_config(), "cropping": self.cropping, "data_format": self.data_format}


class UpSampling2D(Layer):
    """Images with each row and column repeated.

    Args:
        size: how many times each row and each column, one int or two.
        data_format: "channels_last" or "channels_first"; None means `config.image_data_format()`.
        interpolation: "nearest"; others are not offered.

    Shapes:
        (N, H, W, C) to (N, H * size[0], W * size[1], C).

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: inputs that are not images.

    Example:
        >>> UpSampling2D((2, 3))(numpy.ones((1, 4, 6, 3), "float32")).shape
        (1, 8, 18, 3)
    """

    def __init__(
        self,
        size: Any = (2, 2),
        data_format: str | None = None,
        interpolation: str = "nearest",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.size = arguments.positive_pair(size, "UpSampling2D: size")
        self.data_format = arguments.data_format(data_format, "UpSampling2D")
        self.interpolation = arguments.one_of(interpolation, ("nearest",), "UpSampling2D: interpolation")

    def build(self, input_shape: Shape) -> None:
        """Check that images come in."""
        require_images(input_shape, self.data_format, "UpSampling2D")

    def call(self, inputs: Any) -> Any:
        """(N, H, W, C) to (N, H * size[0], W * size[1], C)."""
        height = 1 if self.data_format == "channels_last" else 2
        return ops.repeat(ops.repeat(inputs, self.size[0], height), self.size[1], height + 1)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {
            **super().get_config(),
            "size": self.size,
            "data_format": self.data_format,
            "interpolation": self.interpolation,
        }
