"""Random flips, brightness and contrast: what comes out, how often, and that it can be repeated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import config, layers
from gputrain.errors import ShapeError
from gputrain.random import SeedGenerator
from tests.layers.draws import at_step
from tests.layers.harness import run
from tests.on_device import using

RNG = np.random.default_rng(5)
IMAGES = RNG.integers(0, 256, (24, 3, 4, 2)).astype("uint8")
LEVELS = (np.arange(600 * 2) % 2 * 100 + 50).reshape(600, 1, 2, 1).astype("float32")  # 50 and 150

LAYERS: list[Callable[..., Any]] = [
    lambda **more: layers.RandomFlip(**more),
    lambda **more: layers.RandomCrop(2, 3, **more),
    lambda **more: layers.RandomBrightness(0.4, **more),
    lambda **more: layers.RandomContrast(0.9, **more),
    lambda **more: layers.RandomRotation(0.2, **more),
    lambda **more: layers.RandomZoom(0.4, 0.4, **more),
    lambda **more: layers.RandomTranslation(0.4, 0.3, **more),
    lambda **more: layers.RandomShear(0.4, 0.3, **more),
    lambda **more: layers.RandomPerspective((0.9, 1), 0.5, **more),
    lambda **more: layers.RandomElasticTransform((0.9, 1), (0.5, 1), **more),
]
NAMES = ["flip", "crop", "brightness", "contrast", "rotation"]
NAMES += ["zoom", "translation", "shear", "perspective", "elastic"]
each = pytest.mark.parametrize("make", LAYERS, ids=NAMES)


@pytest.fixture(autouse=True)
def _fresh_seed() -> Any:
    config.set_seed(1)
    yield
    config.reset()


# ---------------------------------------------------------------------------------- what all of them promise


@each
def test_draws_are_named_by_seed_and_step(make: Any) -> None:
    first = at_step(make(seed=3), IMAGES, 7)
    np.testing.assert_array_equal(at_step(make(seed=3), IMAGES, 7), first)
    np.testing.assert_array_equal(at_step(make(seed=SeedGenerator(3)), IMAGES, 7), first)
    assert not np.array_equal(at_step(make(seed=3), IMAGES, 8), first)
    assert not np.array_equal(at_step(make(seed=4), IMAGES, 7), first)


@each
def test_without_a_seed_the_configured_one_counts(make: Any) -> None:
    first = at_step(make(), IMAGES, 7)
    np.testing.assert_array_equal(at_step(make(seed=1), IMAGES, 7), first)
    config.set_seed(2)
    assert not np.array_equal(at_step(make(), IMAGES, 7), first)


@each
def test_samples_draw_by_themselves(make: Any) -> None:
    """Equal images of one batch come out in more than one way."""
    same = np.repeat(IMAGES[:1], 24, axis=0)
    assert len({image.tobytes() for image in at_step(make(seed=3), same, 7)}) > 1


@each
def test_the_same_on_the_cpu(make: Any) -> None:
    here = at_step(make(seed=3), IMAGES, 7)
    with using("numpy"):
        np.testing.assert_allclose(at_step(make(seed=3), IMAGES, 7), here, rtol=1e-6, atol=1e-4)


@each
def test_two_of_a_kind_in_a_model_draw_apart(make: Any) -> None:
    x = keras.Input((3, 4, 2))
    model = keras.Model(x, [make()(x), make()(x)])
    first, second = at_step_of_two(model)
    assert not np.array_equal(first, second)


def at_step_of_two(model: Any) -> list[np.ndarray]:
    return [np.asarray(a) for a in model(IMAGES, training=True)]


@each
def test_nothing_random_outside_of_training(make: Any) -> None:
    results = [at_step(make(seed=3), IMAGES, step, training=False) for step in (1, 2)]
    np.testing.assert_array_equal(*results)
    assert results[0].dtype == "float32"
    if results[0].shape == IMAGES.shape:
        np.testing.assert_array_equal(results[0], IMAGES)


@each
def test_alone_on_arrays_it_draws_anew_at_each_call(make: Any) -> None:
    layer = make()
    assert not np.array_equal(layer(IMAGES), layer(IMAGES))
    np.testing.assert_array_equal(layer(IMAGES, training=False), layer(IMAGES, False))


@each
def test_a_model_draws_in_training_only(make: Any) -> None:
    x = keras.Input((3, 4, 2))
    model = keras.Model(x, make()(x))
    np.testing.assert_array_equal(*(model.predict(IMAGES, batch_size=8, verbose=0) for _ in range(2)))
    assert not np.array_equal(model(IMAGES, training=True), model(IMAGES, training=True))


@each
def test_dtypes(make: Any) -> None:
    assert at_step(make(seed=3, dtype="float64"), IMAGES, 7).dtype == "float64"
    whole, half = (at_step(make(seed=3, dtype=d), IMAGES, 7) for d in ("float32", "float16"))
    assert half.dtype == "float16"
    np.testing.assert_allclose(half, whole, rtol=3e-3, atol=0.3)  # the choices are the same


@each
def test_unknown_sizes(make: Any) -> None:
    for sizes in ((None, 3, 4, 2), (8, None, None, 2)):
        x = keras.Input(batch_shape=sizes)
        model = keras.Model(x, make()(x, training=True))
        assert model(IMAGES[:8]).shape[0] == 8


@each
def test_needs_images(make: Any) -> None:
    with pytest.raises(ShapeError, match=r"In layer a: Random\w+ takes images, four dimensions"):
        make(name="a")(np.ones((2, 3), "float32"))


@each
def test_a_resumed_training_draws_what_the_whole_one_does(make: Any) -> None:
    def model_of(seed: int) -> Any:
        config.set_seed(seed)
        model = keras.Sequential([keras.Input((3, 4, 2)), make(), layers.Flatten(), layers.Dense(2)])
        model.compile(optimizer=keras.optimizers.SGD(1e-6), loss="mse")
        return model

    y = RNG.normal(size=(24, 2)).astype("float32")
    whole = model_of(1)
    for _ in range(2):
        whole.train_on_batch(IMAGES, y)
    resumed = model_of(1)
    resumed.set_weights(whole.get_weights())
    resumed.step_counter.assign(2)
    for model in (whole, resumed):
        model.train_on_batch(IMAGES, y)
    for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    other = model_of(1)
    other.set_weights(whole.get_weights())
    other.step_counter.assign(9)
    other.train_on_batch(IMAGES, y)
    whole.train_on_batch(IMAGES, y)
    assert not np.array_equal(whole.get_weights()[0], other.get_weights()[0])


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: layers.RandomFlip("sideways"), r"RandomFlip: mode must be one of horizontal, vertical, "),
        (lambda: layers.RandomFlip("horizntal"), r"Did you mean 'horizontal'\?"),
        (lambda: layers.RandomFlip(seed=-1), r"RandomFlip: seed must be an integer from 0"),
        (lambda: layers.RandomFlip(seed="a"), r"RandomFlip: seed must be an integer from 0"),
        (lambda: layers.RandomFlip(data_format="NHWC"), r"RandomFlip: data_format must be one of"),
        (
            lambda: layers.RandomBrightness(1.5),
            r"RandomBrightness: factor is a pair of numbers\. Expected: \(lower, upper\) with -1\.0 <= lower",
        ),
        (lambda: layers.RandomBrightness((0.5, 0.2)), r"factor is a pair.*Received: \(0\.5, 0\.2\)"),
        (
            lambda: layers.RandomBrightness(0.2, (255, 0)),
            r"RandomBrightness: value_range is a pair of numbers",
        ),
        (lambda: layers.RandomBrightness("much"), r"RandomBrightness: factor is a pair of numbers"),
        (
            lambda: layers.RandomContrast(-0.5),
            r"RandomContrast: factor is a share, or a pair of them\. Expected: 0\.\.1\. Received: \(-0\.5",
        ),
        (lambda: layers.RandomContrast((0.5, 0.2, 0.1)), r"RandomContrast: factor is a share"),
        (lambda: layers.RandomContrast(0.5, 255), r"RandomContrast: value_range is a pair of numbers"),
    ],
)
def test_arguments(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


# ------------------------------------------------------------------------------------------------------ flips


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize(
    "mode, ways",
    [
        ("horizontal", [(), ("W",)]),
        ("vertical", [(), ("H",)]),
        ("horizontal_and_vertical", [(), ("H",), ("W",), ("H", "W")]),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_flips(mode: str, ways: list[tuple[str, ...]], data_format: str, dtype: str) -> None:
    """Each image is one of the mirror images of its own input, about equally often."""
    count = 400
    x = RNG.integers(0, 256, (count, 3, 4, 2)).astype(dtype)
    axes = {"H": 0, "W": 1} if data_format == "channels_last" else {"H": 1, "W": 2}
    found = at_step(layers.RandomFlip(mode, seed=1, data_format=data_format), x, 5)
    assert found.dtype == "float32"
    taken = [0] * len(ways)
    for before, after in zip(x, found, strict=True):
        fits = [np.array_equal(np.flip(before, [axes[w] for w in way]), after) for way in ways]
        assert sum(fits) == 1
        taken[fits.index(True)] += 1
    expected = count / len(ways)
    spread = np.sqrt(expected * (1 - 1 / len(ways)))
    assert all(abs(n - expected) < 4 * spread for n in taken), taken


def test_gradient_of_flips() -> None:
    """Flipping is its own transpose: the gradient is the upstream one, flipped as its image was."""
    x, upstream = RNG.normal(size=(8, 3, 4, 2)), RNG.normal(size=(8, 3, 4, 2))
    found = run(layers.RandomFlip(seed=1, dtype="float64"), [x], upstream, training=True)
    for i in range(8):
        ways = [
            axes for axes in ([], [0], [1], [0, 1]) if np.array_equal(np.flip(x[i], axes), found.output[i])
        ]
        np.testing.assert_array_equal(found.inputs[0][i], np.flip(upstream[i], ways[0]))


# ------------------------------------------------------------------------------------ brightness and contrast


def test_brightness_adds_one_number_to_an_image() -> None:
    found = at_step(layers.RandomBrightness((-0.1, 0.3), (0, 500), seed=1), LEVELS, 5)
    added = found - LEVELS
    np.testing.assert_allclose(added[:, 0, 0], added[:, 0, 1], atol=1e-4)
    share = added[:, 0, 0, 0] / 500
    assert share.min() >= -0.1 - 1e-6
    assert share.max() <= 0.3 + 1e-6
    assert abs(share.mean() - 0.1) < 4 * 0.4 / np.sqrt(12 * 600)
    assert np.ptp(share) > 0.38


def test_one_number_is_both_bounds_of_the_brightness() -> None:
    assert layers.RandomBrightness(-0.2).factor == (-0.2, 0.2)
    assert layers.RandomBrightness(0).factor == (0.0, 0.0)


def test_brightness_is_limited() -> None:
    found = at_step(layers.RandomBrightness((1.0, 1.0), (0, 255)), LEVELS, 5)
    assert (found == 255).all()
    found = at_step(layers.RandomBrightness((-1.0, -1.0), (0, 255)), LEVELS, 5)
    assert (found == 0).all()


def test_contrast_stretches_around_the_mean() -> None:
    found = at_step(layers.RandomContrast((0.2, 0.6), (-1000, 1000), seed=1), LEVELS, 5)
    np.testing.assert_allclose(found.mean((1, 2, 3)), 100, rtol=1e-5)
    contrast = (found[:, 0, 1, 0] - found[:, 0, 0, 0]) / 100
    assert contrast.min() >= 0.8 - 1e-5
    assert contrast.max() <= 1.6 + 1e-5
    assert abs(contrast.mean() - 1.2) < 4 * 0.8 / np.sqrt(12 * 600)
    assert np.ptp(contrast) > 0.76


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_contrast_is_channel_by_channel(data_format: str) -> None:
    x = RNG.uniform(0, 255, (3, 4, 5, 2)).astype("float32")
    layer = layers.RandomContrast((1.0, 0.0), seed=1, data_format=data_format)
    found = at_step(layer, x if data_format == "channels_last" else np.moveaxis(x, -1, 1), 5)
    found = found if data_format == "channels_last" else np.moveaxis(found, 1, -1)
    np.testing.assert_allclose(found.mean((1, 2)), x.mean((1, 2)), rtol=1e-4)


def test_contrast_is_limited() -> None:
    found = at_step(layers.RandomContrast(0.0, (60, 140)), LEVELS, 5)
    np.testing.assert_array_equal(np.unique(found), [60, 140])
