"""Pooling over images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gputrain import ops
from gputrain.ir import Shape
from gputrain.layers.base import arguments
from gputrain.layers.base.layer import Layer
from gputrain.layers.base.layout import from_last, require_images, to_last


class _Pooling2D(Layer):
    """What the poolings share: windows over images, channel by channel."""

    def __init__(
        self,
        pool_size: Any = (2, 2),
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        what = type(self).__name__
        self.pool_size = arguments.positive_pair(pool_size, f"{what}: pool_size")
        given = self.pool_size if strides is None else strides
        self.strides = arguments.positive_pair(given, f"{what}: strides")
        self.padding = arguments.padding(padding, what)
        self.data_format = arguments.data_format(data_format, what)

    def build(self, input_shape: Shape) -> None:
        """Check that images come in."""
        require_images(input_shape, self.data_format, type(self).__name__)

    def _pooled(self, pool: Callable[..., Any], inputs: Any) -> Any:
        images = to_last(inputs, self.data_format)
        return from_last(pool(images, self.pool_size, self.strides, self.padding), self.data_format)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {
            **super().get_config(),
            "pool_size": self.pool_size,
            "strides": self.strides,
            "padding": self.padding,
            "data_format": self.data_format,
        }


class AveragePooling2D(_Pooling2D):
    """The mean of each window, channel by channel.

    Args:
        pool_size: height and width of the window, one int or two.
        strides: steps of the window, one int or two; None means pool_size.
        padding: "valid" (only whole windows) or "same" (the mean is over what lies inside the image).
        data_format: "channels_last" or "channels_first"; None means `config.image_data_format()`.
        name: name of the layer; default is the class name in snake case, numbered.

    Shapes:
        (N, H, W, C) to (N, OH, OW, C).

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: inputs that are not images, or smaller than the window.

    Example:
        >>> AveragePooling2D(2)(numpy.ones((1, 4, 6, 3), "float32")).shape
        (1, 2, 3, 3)
    """

    def call(self, inputs: Any) -> Any:
        """(N, H, W, C) to (N, OH, OW, C)."""
        return self._pooled(ops.average_pool, inputs)


class MaxPooling2D(_Pooling2D):
    """The largest value of each window, channel by channel.

    Args:
        pool_size: height and width of the window, one int or two.
        strides: steps of the window, one int or two; None means pool_size.
        padding: "valid" (only whole windows) or "same" (the border never wins).
        data_format: "channels_last" or "channels_first"; None means `config.image_data_format()`.
        name: name of the layer; default is the class name in snake case, numbered.

    Shapes:
        (N, H, W, C) to (N, OH, OW, C).

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: inputs that are not images, or smaller than the window.

    Example:
        >>> MaxPooling2D(2)(numpy.ones((1, 4, 6, 3), "float32")).shape
        (1, 2, 3, 3)
    """

    def call(self, inputs: Any) -> Any:
        """(N, H, W, C) to (N, OH, OW, C)."""
        return self._pooled(ops.max_pool, inputs)


class _GlobalPooling2D(Layer):
    """What the global poolings share: one number for each channel of an image."""

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = arguments.data_format(data_format, type(self).__name__)
        self.keepdims = bool(keepdims)

    def build(self, input_shape: Shape) -> None:
        """Check that images come in."""
        require_images(input_shape, self.data_format, type(self).__name__)

    @property
    def _axes(self) -> tuple[int, int]:
        """The axes of height and width."""
        return (1, 2) if self.data_format == "channels_last" else (2, 3)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {**super().get_config(), "data_format": self.data_format, "keepdims": self.keepdims}


class GlobalAveragePooling2D(_GlobalPooling2D):
    """The mean of each channel over the whole image.

    Args:
        data_format: "channels_last" or "channels_first"; None means `config.image_data_format()`.
        keepdims: whether height and width stay as axes of size 1.

    Shapes:
        (N, H, W, C) to (N, C), or (N, 1, 1, C) with keepdims.

    Raises:
        ShapeError: inputs that are not images.

    Example:
        >>> GlobalAveragePooling2D()(numpy.ones((2, 4, 5, 3), "float32")).shape
        (2, 3)
    """

    def call(self, inputs: Any) -> Any:
        """(N, H, W, C) to (N, C)."""
        return ops.mean(inputs, axis=self._axes, keepdims=self.keepdims)


class GlobalMaxPooling2D(_GlobalPooling2D):
    """The largest value of each channel over the whole image.

    Args:
        data_format: "channels_last" or "channels_first"; None means `config.image_data_format()`.
        keepdims: whether height and width stay as axes of size 1.

    Shapes:
        (N, H, W, C) to (N, C), or (N, 1, 1, C) with keepdims.

    Raises:
        ShapeError: inputs that are not images.

    Example:
        >>> GlobalMaxPooling2D(keepdims=True)(numpy.ones((2, 4, 5, 3), "float32")).shape
        (2, 1, 1, 3)
    """

    def call(self, inputs: Any) -> Any:
        """(N, H, W, C) to (N, C)."""
        return ops.max(inputs, axis=self._axes, keepdims=self.keepdims)


AveragePool2D = AveragePooling2D
AvgPool2D = AveragePooling2D
GlobalAvgPool2D = GlobalAveragePooling2D
GlobalMaxPool2D = GlobalMaxPooling2D
MaxPool2D = MaxPooling2D
