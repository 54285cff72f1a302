"""What layers say when they are given what they cannot take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gputrain import layers
from gputrain.errors import ShapeError

X = np.ones((2, 8, 8, 3), "float32")

ARGUMENTS: list[tuple[Callable[[], Any], str]] = [
    (lambda: layers.Dense(0), r"Dense: units must be a positive int\. Received: 0"),
    (lambda: layers.Dense(2.5), r"Dense: units must be a positive int\. Received: 2\.5"),
    (lambda: layers.Dense(3, activation="rellu"), r"Unknown activation 'rellu'\. Did you mean 'relu'\?"),
    (lambda: layers.Dense(3, kernel_initializer="glorot"), r"Unknown initializer 'glorot'"),
    (lambda: layers.Conv2D(-1, 3), r"Conv2D: filters must be a positive int"),
    (lambda: layers.Conv2D(4, (3, 3, 3)), r"Conv2D: kernel_size must be a positive int or two of them"),
    (lambda: layers.Conv2D(4, "3"), r"Conv2D: kernel_size must be a positive int\. Received: '3'"),
    (lambda: layers.Conv2D(4, 3, strides=0), r"Conv2D: strides must be a positive int"),
    (
        lambda: layers.Conv2D(4, 3, padding="smae"),
        r"Conv2D: padding must be one of valid, same\..*Did you mean 'same'\?",
    ),
    (lambda: layers.Conv2D(4, 3, padding=1), r"Conv2D: padding must be one of valid, same\. Received: 1"),
    (lambda: layers.Conv2D(4, 3, data_format="NHWC"), r"Conv2D: data_format must be one of channels_last"),
    (
        lambda: layers.Conv2D(4, 3, groups=3),
        r"Conv2D: groups must divide filters\. Received: filters=4, groups=3",
    ),
    (lambda: layers.MaxPooling2D((2, -1)), r"MaxPooling2D: pool_size must be a positive int"),
    (lambda: layers.Dropout(1.5), r"Dropout: rate is a share\. Expected: 0 <= rate <= 1\. Received: 1\.5"),
    (lambda: layers.Dropout("a"), r"Dropout: rate is a share"),
    (lambda: layers.Reshape((-1, -1)), r"Reshape: target_shape is a tuple of sizes, at most one of them -1"),
    (lambda: layers.Reshape((2.0,)), r"Reshape: target_shape is a tuple of sizes"),
    (lambda: layers.ReLU(negative_slope=-1), r"ReLU: negative_slope must be a number, 0 or more"),
    (lambda: layers.ReLU(max_value=-1), r"ReLU: max_value must be a number, 0 or more"),
    (lambda: layers.Softmax("last"), r"Softmax: axis must be an int, or several\. Received: 'last'"),
    (lambda: layers.LayerNormalization([]), r"LayerNormalization: axis must be an int, or several"),
    (lambda: layers.UnitNormalization(1.0), r"UnitNormalization: axis must be an int, or several"),
    (lambda: layers.LeakyReLU(-0.1), r"LeakyReLU: negative_slope must be a number, 0 or more\. .*: -0\.1"),
    (lambda: layers.LeakyReLU(None), r"LeakyReLU: negative_slope must be a number"),
    (lambda: layers.PReLU(shared_axes=0), r"PReLU: shared_axes must be a positive int"),
    (lambda: layers.Permute((0, 1)), r"Permute: dims is an order of the axes after that of the samples"),
    (lambda: layers.Permute(2), r"Permute: dims is an order.*each of 1, 2, \.\.\. once.*Received: 2"),
    (lambda: layers.RepeatVector(0), r"RepeatVector: n must be a positive int"),
    (lambda: layers.Cropping2D(-1), r"Cropping2D: cropping is a number of rows and columns, 0 or more"),
    (lambda: layers.Cropping2D((1, 2, 3)), r"Cropping2D: cropping is .*Received: \(1, 2, 3\)"),
    (lambda: layers.Cropping2D(((1, 2), (1.5, 0))), r"Cropping2D: cropping is a number of rows"),
    (lambda: layers.UpSampling2D(0), r"UpSampling2D: size must be a positive int"),
    (lambda: layers.GaussianNoise(-1), r"GaussianNoise: stddev must be a number, 0 <= number < inf"),
    (lambda: layers.GaussianDropout(1), r"GaussianDropout: rate must be a number, 0 <= number < 1\. .*: 1"),
    (lambda: layers.SpatialDropout2D(2), r"SpatialDropout2D: rate is a share"),
    (lambda: layers.ActivityRegularization(l1=-1), r"L1L2: l1"),
    (lambda: layers.LayerNormalization(epsilon=0), r"LayerNormalization: epsilon is added to the variance"),
    (lambda: layers.Dot(0), r"Dot: axes is an axis of both inputs, or one of each, but that of the samples"),
    (lambda: layers.Dot((1, 2, 3)), r"Dot: axes is an axis of both.*Received: \(1, 2, 3\)"),
    (
        lambda: layers.BatchNormalization(momentum=1.5),
        r"BatchNormalization: momentum is a number\. Expected: 0\.0\.\.1",
    ),
    (lambda: layers.BatchNormalization(epsilon=-1), r"BatchNormalization: epsilon is a number"),
    (
        lambda: layers.deserialize({"class_name": "Dens", "config": {}}),
        r"Unknown layer 'Dens'\. Did you mean 'Dense'\?",
    ),
    (
        lambda: layers.deserialize({"class_name": "Dense", "config": {"unit": 3}}),
        r"The config of layer 'Dense' must hold its constructor's arguments",
    ),
    (lambda: layers.deserialize({"class_name": "os.system", "config": {}}), r"Unknown layer 'os\.system'"),
]


@pytest.mark.parametrize("make, message", ARGUMENTS, ids=[m for _, m in ARGUMENTS])
def test_arguments(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


SHAPES: list[tuple[Callable[[], Any], str]] = [
    (
        lambda: layers.Dense(3, name="d")(np.ones(4, "float32")),
        r"In layer d: Dense takes at least two dimensions.*Received: \(4,\)\. Give a single feature an axis",
    ),
    (
        lambda: layers.Dense(3, name="d")(layers.Input((None,))),
        r"In layer d: Dense makes its weights for a known size of axis -1\. Received: .*\(None, None\)",
    ),
    (
        lambda: layers.Conv2D(3, 3, name="c")(X[..., 0]),
        r"In layer c: Conv2D takes images.*\(N, H, W, C\).*Received: \(2, 8, 8\).*x\[\.\.\., None\]",
    ),
    (
        lambda: layers.Conv2D(3, 3, data_format="channels_first", name="c")(X[0]),
        r"In layer c: Conv2D takes images.*Expected: \(N, C, H, W\)",
    ),
    (
        lambda: layers.Conv2D(4, 3, groups=2, name="c")(X),
        r"In layer c: Conv2D: groups must divide the channels of the input\. Received: 3 channels, groups=2",
    ),
    (
        lambda: layers.Conv2D(3, 9, name="c")(X),
        r"In layer c: Conv: the \(dilated\) filter is larger than the image",
    ),
    (
        lambda: layers.MaxPooling2D(9, name="p")(X),
        r"In layer p: MaxPool: the window is larger than the image",
    ),
    (lambda: layers.MaxPooling2D(name="p")(X[0]), r"In layer p: MaxPooling2D takes images"),
    (
        lambda: layers.Reshape((5, 5), name="r")(X),
        r"In layer r: Reshape: the number of elements must stay the same",
    ),
    (
        lambda: layers.Add(name="a")(X),
        r"In layer a: Add takes a list of inputs\. Expected: Add\(\)\(\[a, b\]\)",
    ),
    (
        lambda: layers.Add(name="a")([np.ones((2, 3), "float32"), np.ones((2, 4), "float32")]),
        r"In layer a: Add: shapes must be equal or broadcast.*\(2, 3\) and \(2, 4\)",
    ),
    (
        lambda: layers.Subtract(name="s")([X, X, X]),
        r"In layer s: Subtract takes a list of two inputs\. Expected: Subtract\(\)\(\[a, b\]\).*3 inputs",
    ),
    (lambda: layers.Multiply(name="m")(X), r"In layer m: Multiply takes a list of inputs"),
    (lambda: layers.Dot(1, name="d")([X, X, X]), r"In layer d: Dot takes a list of two inputs"),
    (
        lambda: layers.Dot((1, 3), name="d")([X, X]),
        r"In layer d: Dot sums over axes of one size.*axes \(1, 3\) of shapes \(2, 8, 8, 3\) and \(2, 8,",
    ),
    (lambda: layers.Dot(-4, name="d")([X, X]), r"In layer d: Dot sums .* not over that of the samples"),
    (lambda: layers.GlobalAveragePooling2D(name="g")(X[0]), r"In layer g: GlobalAveragePooling2D takes im"),
    (lambda: layers.GlobalMaxPooling2D(name="g")(X[0]), r"In layer g: GlobalMaxPooling2D takes images"),
    (lambda: layers.Permute((2, 1), name="p")(X), r"In layer p: Permute: dims must name each axis of a samp"),
    (lambda: layers.RepeatVector(2, name="r")(X), r"In layer r: RepeatVector takes vectors"),
    (lambda: layers.Cropping2D(4, name="c")(X), r"In layer c: Cropping2D must leave something of the image"),
    (lambda: layers.UpSampling2D(name="u")(X[0]), r"In layer u: UpSampling2D takes images"),
    (lambda: layers.SpatialDropout2D(0.5, name="s")(X[0]), r"In layer s: SpatialDropout2D takes images"),
    (
        lambda: layers.PReLU(name="p")(layers.Input((None, 3))),
        r"In layer p: PReLU makes its weights for a known size of axis 1",
    ),
    (lambda: layers.PReLU(shared_axes=4, name="p")(X), r"In layer p: PReLU: shared_axes: axis must name a"),
    (
        lambda: layers.LayerNormalization(name="l")(layers.Input((None,))),
        r"In layer l: LayerNormalization makes its weights for a known size",
    ),
    (
        lambda: layers.Concatenate(name="a")([np.ones((2, 3), "float32"), np.ones((3, 3), "float32")]),
        r"In layer a: .*\(2, 3\).*\(3, 3\)",
    ),
    (
        lambda: layers.BatchNormalization(name="b")(layers.Input((None,))),
        r"In layer b: BatchNormalization makes its weights for a known size",
    ),
    (
        lambda: layers.BatchNormalization(axis=4, name="b")(X),
        r"In layer b: BatchNormalization: axis must name a dimension\. Expected: -4\.\.3\. Received: 4",
    ),
]


@pytest.mark.parametrize("use, message", SHAPES, ids=[m for _, m in SHAPES])
def test_shapes(use: Callable[[], Any], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        use()
