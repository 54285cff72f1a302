"""Networks of these layers learn: a U-Net segments images, a network over volumes tells solids apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import layers

pytestmark = [
    pytest.mark.slow,
    pytest.mark.cpu_only("what a layer computes is compared on every device by tests/parity"),
]


def discs_among_rings(count: int, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy images of a disc and two rings as bright as it, and where the disc is."""
    rng = np.random.default_rng(seed)
    row, column = np.mgrid[:size, :size]
    x, y = rng.normal(0, 0.3, (count, size, size, 1)), np.zeros((count, size, size, 1))
    for image, disc in zip(x[..., 0], y[..., 0], strict=True):
        top, left, outer = rng.uniform(4, size - 5, 3), rng.uniform(4, size - 5, 3), rng.uniform(3, 5, 3)
        distance = np.hypot(row[..., None] - top, column[..., None] - left)
        inside = distance <= outer
        rings = (inside & (distance > outer - 1.5))[..., 1:].any(-1)
        image += inside[..., 0] | rings
        disc += inside[..., 0]
    return x.astype("float32"), y.astype("float32")


def u_net(size: int) -> Any:
    """Down by strides and up by transposed convolutions alone, so that all gradients pass through these."""
    how = {"padding": "same", "activation": "relu", "kernel_initializer": "he_normal"}
    inputs = keras.Input((size, size, 1))
    whole = layers.Conv2D(8, 3, **how)(inputs)
    half = layers.Conv2D(16, 3, strides=2, **how)(whole)
    fourth = layers.Conv2D(32, 3, strides=2, **how)(half)
    x = layers.Conv2D(32, 3, **how)(fourth)
    x = layers.Conv2DTranspose(16, 4, strides=2, **how)(x)
    x = layers.Conv2DTranspose(8, 4, strides=2, **how)(layers.Concatenate()([x, half]))
    x = layers.Conv2DTranspose(1, 3, padding="same")(layers.Concatenate()([x, whole]))
    return keras.Model(inputs, layers.Activation("sigmoid")(x))


def overlap(found: np.ndarray, expected: np.ndarray) -> float:
    """Intersection over union."""
    found, expected = found > 0.5, expected > 0.5
    return float((found & expected).sum() / (found | expected).sum())


def test_a_u_net_segments_discs() -> None:
    """Right gradients reach 0.83 to 0.85; 0 or flipped ones of the transposed convolutions 0.5 to 0.8."""
    keras.utils.set_random_seed(1)
    x, y = discs_among_rings(640, 24, seed=1)
    model = u_net(24)
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy")
    model.fit(x, y, batch_size=32, epochs=8, verbose=0)
    new, expected = discs_among_rings(64, 24, seed=2)
    assert overlap(new, expected) < 0.45  # rings are as bright
    assert overlap(model.predict(new, verbose=0), expected) > 0.82


def solids(count: int, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy volumes of a ball, a cube, a rod or a plate of about as many elements, and which it is."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, count)
    x = rng.normal(0, 0.3, (count, size, size, size, 1))
    at = np.mgrid[:size, :size, :size]
    for volume, label in zip(x[..., 0], labels, strict=True):
        d, h, w = (
            abs(axis - middle)
            for axis, middle in zip(rng.permutation(at), rng.uniform(3, size - 4, 3), strict=True)
        )
        kinds = (
            d**2 + h**2 + w**2 <= 3.1**2,
            np.maximum(np.maximum(d, h), w) <= 2.4,
            (np.maximum(d, h) <= 1.6),
            (d <= 0.9) & (np.maximum(h, w) <= 4),
        )
        volume += kinds[label]
    return x.astype("float32"), labels


def test_a_network_of_volumes_tells_solids_apart() -> None:
    """Right gradients reach 0.92 to 0.95; flipped ones of the filters 0.89."""
    keras.utils.set_random_seed(2)
    x, labels = solids(320, 11, seed=3)
    model = keras.Sequential(
        [
            keras.Input((11, 11, 11, 1)),
            layers.ZeroPadding3D(1),
            layers.Conv3D(8, 3, strides=2, activation="relu"),
            layers.Conv3D(16, 3, padding="same", activation="relu"),
            layers.MaxPooling3D(2),
            layers.SpatialDropout3D(0.1),
            layers.Conv3D(16, 2, activation="relu"),
            layers.GlobalAveragePooling3D(),
            layers.Dense(4),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss, metrics=["accuracy"])
    model.fit(x, labels, batch_size=16, epochs=25, verbose=0)
    new, expected = solids(200, 11, seed=4)
    assert model.evaluate(new, expected, verbose=0)[1] > 0.9
