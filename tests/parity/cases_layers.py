"""Layers: a row is a layer's name, its inputs, its arguments."""

from __future__ import annotations

from typing import Any

from tests.parity.table import Case, copies, of, real


def layer(name: str, *inputs: Any, training: bool | None = None, **arguments: Any) -> Case:
    """A layer called on its inputs, with a list where it takes a list."""
    settings = {} if training is None else {"training": training}
    return Case("layer", f"layers.{name}", inputs, arguments, settings)


def drawn(name: str, *inputs: Any, **arguments: Any) -> Case:
    """A layer that draws in training: compared by distribution."""
    return Case("drawn layer", f"layers.{name}", inputs, arguments)


ROWS, SEQUENCE, IMAGE = real(3, 4), real(3, 5, 4), real(2, 5, 7, 4)
FIRST = real(2, 4, 5, 7)  # channels first
L2 = of("regularizers.L2", l2=0.01)
MANY = 4000  # samples, where distributions are compared
CORNER = [[[100], [100]], [[100], [160]]]

CASES = [
    # ------------------------------------------------------------------------------------------------ core
    layer("Dense", ROWS, units=6),
    layer("Dense", ROWS, units=6, use_bias=False, activation="gelu"),
    layer("Dense", SEQUENCE, units=3, activation="relu"),
    layer("Dense", real(3, 2, 5, 4), units=1, activation="tanh"),
    layer("Dense", ROWS, units=3, activation="softmax"),
    layer("Dense", ROWS, units=3, kernel_initializer="he_normal", bias_initializer="ones"),
    layer("Dense", ROWS, units=3, kernel_regularizer=of("regularizers.L1L2", l1=0.01, l2=0.02)),
    layer("Dense", ROWS, units=3, bias_regularizer=L2, activity_regularizer=L2),
    layer("Dense", ROWS, units=3, kernel_constraint=of("constraints.MaxNorm", max_value=1.0)),
    layer("Dense", ROWS, units=3, kernel_constraint=of("constraints.NonNeg"), bias_constraint="unit_norm"),
    layer("Activation", ROWS, activation="silu"),
    layer("Activation", ROWS, activation="softmax"),
    layer("Identity", ROWS),
    layer("Rescaling", ROWS, scale=0.5, offset=-1),
    layer("Rescaling", real(3, 2), scale=[0.5, 2.0], offset=[1.0, 0.0]),
    layer("ActivityRegularization", ROWS, l1=0.1, l2=0.2),
    # ---------------------------------------------------------------------------------------- convolution
    layer("Conv2D", IMAGE, filters=6, kernel_size=3),
    layer("Conv2D", IMAGE, filters=6, kernel_size=1, use_bias=False),
    layer("Conv2D", IMAGE, filters=3, kernel_size=3, padding="same", activation="relu"),
    layer("Conv2D", IMAGE, filters=6, kernel_size=(2, 3), strides=2, padding="same", groups=2),
    layer("Conv2D", IMAGE, filters=4, kernel_size=(3, 1), strides=(1, 2), groups=4),
    layer("Conv2D", IMAGE, filters=3, kernel_size=2, dilation_rate=2),
    layer("Conv2D", IMAGE, filters=3, kernel_size=3, dilation_rate=(2, 1), padding="same"),
    layer("Conv2D", FIRST, filters=3, kernel_size=3, data_format="channels_first", activation="sigmoid"),
    layer("Conv2D", FIRST, filters=2, kernel_size=2, strides=2, padding="same", data_format="channels_first"),
    layer("Conv2D", IMAGE, filters=3, kernel_size=3, kernel_regularizer=L2),
    layer("Convolution2D", IMAGE, filters=2, kernel_size=5),
    # -------------------------------------------------------------------------------------------- pooling
    layer("MaxPooling2D", IMAGE),
    layer("MaxPooling2D", IMAGE, pool_size=3, strides=(1, 2), padding="same"),
    layer("MaxPooling2D", IMAGE, pool_size=(2, 3), strides=1),
    layer("MaxPooling2D", FIRST, data_format="channels_first"),
    layer("MaxPool2D", IMAGE, pool_size=2, padding="same"),
    layer("AveragePooling2D", IMAGE, pool_size=2),
    layer("AveragePooling2D", IMAGE, pool_size=3, strides=2, padding="same"),
    layer("AveragePooling2D", IMAGE, pool_size=(1, 2), strides=(2, 1)),
    layer("AveragePooling2D", FIRST, pool_size=3, strides=(1, 2), data_format="channels_first"),
    layer("AvgPool2D", IMAGE, pool_size=4),
    layer("GlobalAveragePooling2D", IMAGE),
    layer("GlobalAveragePooling2D", IMAGE, keepdims=True),
    layer("GlobalAveragePooling2D", FIRST, data_format="channels_first"),
    layer("GlobalMaxPooling2D", IMAGE),
    layer("GlobalMaxPooling2D", FIRST, data_format="channels_first", keepdims=True),
    layer("GlobalMaxPool2D", IMAGE, keepdims=True),
    layer("GlobalAvgPool2D", IMAGE),
    # ------------------------------------------------------------------------------------------ reshaping
    layer("Cropping2D", IMAGE),
    layer("Cropping2D", IMAGE, cropping=((1, 0), (0, 3))),
    layer("Cropping2D", IMAGE, cropping=(1, 2)),
    layer("Cropping2D", FIRST, cropping=2, data_format="channels_first"),
    layer("ZeroPadding2D", IMAGE),
    layer("ZeroPadding2D", IMAGE, padding=((1, 2), (0, 3))),
    layer("ZeroPadding2D", FIRST, padding=(2, 1), data_format="channels_first"),
    layer("UpSampling2D", IMAGE),
    layer("UpSampling2D", real(2, 4, 2, 3), size=(1, 3), data_format="channels_first"),
    layer("CenterCrop", IMAGE, height=4, width=3),
    layer("CenterCrop", FIRST, height=2, width=5, data_format="channels_first"),
    layer("Flatten", IMAGE),
    layer("Flatten", FIRST, data_format="channels_first"),
    layer("Flatten", real(3)),
    layer("Reshape", real(3, 12), target_shape=(2, -1)),
    layer("Reshape", real(3, 2, 6), target_shape=(12,)),
    layer("Permute", ROWS, dims=(1,)),
    layer("Permute", real(3, 2, 4, 5), dims=(3, 1, 2)),
    layer("RepeatVector", ROWS, n=2),
    # -------------------------------------------------------------------------------------- normalization
    *(
        layer("BatchNormalization", inputs, training=training, **arguments)
        for training in (True, False)
        for inputs, arguments in (
            (real(8, 4), {}),
            (real(8, 4), {"momentum": 0.5, "epsilon": 0.1}),
            (IMAGE, {"gamma_regularizer": L2}),
            (IMAGE, {"axis": 1, "scale": False}),
            (IMAGE, {"center": False}),
            (SEQUENCE, {"beta_initializer": "ones"}),
        )
    ),
    layer("BatchNormalization", IMAGE, center=False, scale=False),
    layer("LayerNormalization", ROWS),
    # Keras sorts the axes as they are written, so that [1, -1] would give its weights the shape (4, 5).
    layer("LayerNormalization", IMAGE, axis=[1, 3], gamma_regularizer=L2),
    layer("LayerNormalization", SEQUENCE, axis=1, scale=False),
    layer("LayerNormalization", SEQUENCE, axis=[-2, -1]),
    layer("LayerNormalization", ROWS, center=False, scale=False, epsilon=0.5),
    layer("UnitNormalization", ROWS),
    layer("UnitNormalization", SEQUENCE, axis=[1, 2]),
    layer("UnitNormalization", SEQUENCE, axis=1),
    layer("Normalization", real(3, 2), mean=[0.5, 1.0], variance=[4.0, 0.25]),
    layer("Normalization", IMAGE, axis=(1, 3), mean=0.5, variance=4, invert=True),
    layer("Normalization", ROWS, axis=None, mean=0.5, variance=4.0),
    # ---------------------------------------------------------------------------------------- activations
    layer("ReLU", ROWS),
    layer("ReLU", ROWS, negative_slope=0.1, max_value=1.5, threshold=0.2),
    layer("LeakyReLU", ROWS),
    layer("LeakyReLU", ROWS, negative_slope=0.01),
    layer("ELU", ROWS),
    layer("ELU", ROWS, alpha=0.5),
    layer("PReLU", ROWS),
    layer("PReLU", IMAGE, shared_axes=[1, 2], alpha_initializer="ones", alpha_regularizer=L2),
    layer("Softmax", ROWS),
    layer("Softmax", SEQUENCE, axis=1),
    layer("Softmax", SEQUENCE, axis=(1, 2)),
    # -------------------------------------------------------------------------------------------- merging
    layer("Add", [ROWS, ROWS, real(3, 1)]),
    layer("Add", [ROWS, real(3, 3, 4)]),
    layer("Subtract", [ROWS, real(3, 1)]),
    layer("Multiply", [ROWS, ROWS, real(3, 1)]),
    layer("Multiply", [real(3, 2, 5, 4), ROWS]),
    layer("Average", [ROWS, ROWS, real(3, 1)]),
    layer("Maximum", [ROWS, ROWS, real(3, 1)]),
    layer("Minimum", [ROWS, ROWS, real(3, 1)]),
    layer("Dot", [ROWS, ROWS], axes=1),
    layer("Dot", [SEQUENCE, real(3, 4, 2)], axes=(2, 1)),
    layer("Dot", [SEQUENCE, real(3, 5)], axes=1, normalize=True),
    layer("Dot", [real(3, 2, 4, 5), real(3, 6, 5)], axes=-1),
    layer("Concatenate", [ROWS, real(3, 2)]),
    layer("Concatenate", [real(3, 4, 2), real(3, 1, 2)], axis=1),
    layer("Concatenate", [ROWS, ROWS, ROWS], axis=-1),
    # ---------------------------------------------------------- what draws in training, outside of training
    layer("Dropout", ROWS, rate=0.5),
    layer("GaussianDropout", ROWS, rate=0.5),
    layer("GaussianNoise", ROWS, stddev=0.5),
    layer("SpatialDropout2D", IMAGE, rate=0.5),
    layer("RandomCrop", IMAGE, training=False, height=4, width=3, seed=1),
    layer("RandomBrightness", IMAGE, training=False, factor=0.2, seed=1),
    layer("RandomContrast", IMAGE, training=False, factor=(0.2, 0.3), seed=1),
    layer("RandomFlip", IMAGE, training=False, seed=1),
    # ------------------------------------------------------------------------------------ and in training
    drawn("Dropout", real(MANY, 3, low=1, high=2), rate=0.4),
    drawn("Dropout", real(MANY, 3, 2, low=1, high=2), rate=0.4, noise_shape=(None, 1, 2)),
    drawn("GaussianDropout", real(MANY, 3, low=1, high=2), rate=0.3),
    drawn("GaussianNoise", real(MANY, 3, low=1, high=2), stddev=0.5),
    drawn("SpatialDropout2D", real(MANY, 2, 2, 3, low=1, high=2), rate=0.3),
    drawn("RandomBrightness", real(MANY, 2, 2, 1, low=100, high=120), factor=0.2),
    drawn("RandomContrast", copies(MANY, CORNER), factor=(0.3, 0.5)),
    drawn("RandomContrast", copies(MANY, CORNER), factor=0.5),
]
