"""Layers that read pixels at other places: where from, how often, and what they leave alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import config, layers, models
from gputrain.errors import ShapeError
from tests.layers.draws import at_step
from tests.layers.harness import run
from tests.on_device import host, using

RNG = np.random.default_rng(8)
IMAGES = RNG.uniform(0, 255, (6, 8, 7, 2)).astype("float32")
LABELS = np.arange(6)
MASKS = RNG.integers(0, 4, (6, 8, 7, 1)).astype("uint8")

LAYERS: dict[str, Callable[..., Any]] = {
    "rotation": lambda **more: layers.RandomRotation(0.3, **more),
    "zoom": lambda **more: layers.RandomZoom(0.4, (-0.2, 0.5), **more),
    "translation": lambda **more: layers.RandomTranslation(0.4, 0.3, **more),
    "shear": lambda **more: layers.RandomShear(0.4, (0.1, 0.2), **more),
    "perspective": lambda **more: layers.RandomPerspective((0.5, 1), 0.6, **more),
    "elastic": lambda **more: layers.RandomElasticTransform((0.5, 1), (0.4, 0.8), **more),
    "flip": lambda **more: layers.RandomFlip(**more),
    "crop": lambda **more: layers.RandomCrop(5, 4, **more),
}
each = pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)


@pytest.fixture(autouse=True)
def _fresh_seed() -> Any:
    config.set_seed(1)
    yield
    config.reset()


# ----------------------------------------------------------------------------------- what all of them promise


@each
def test_both_devices_choose_the_same(make: Any) -> None:
    """What is drawn is equal bit by bit; what is computed of it, but for rounding."""
    here = make(seed=3).get_random_transformation(IMAGES, seed=5)
    with using("numpy"):
        there = make(seed=3).get_random_transformation(IMAGES, seed=5)
    for name, found in _named(here).items():
        if found.dtype.kind in "bi":
            np.testing.assert_array_equal(found, _named(there)[name])
        else:
            np.testing.assert_allclose(found, _named(there)[name], rtol=1e-6, atol=1e-6)


def _named(transformation: Any) -> dict[str, np.ndarray]:
    items = transformation.items() if isinstance(transformation, dict) else enumerate(transformation)
    return {str(name): host(value) for name, value in items}


@each
def test_a_transformation_can_be_kept_and_given(make: Any) -> None:
    layer = make(seed=3)
    kept = layer.get_random_transformation(IMAGES)
    once, again = (layer.transform_images(IMAGES, kept) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    assert not np.array_equal(once, layer.transform_images(IMAGES, layer.get_random_transformation(IMAGES)))
    assert layer.get_random_transformation(IMAGES, training=False) is None
    same = [_named(make().get_random_transformation(IMAGES, seed=5)) for _ in range(2)]
    for name, values in same[0].items():
        np.testing.assert_array_equal(values, same[1][name])


@each
def test_one_image_is_a_batch_of_one(make: Any) -> None:
    layer = make(seed=3)
    kept = layer.get_random_transformation(IMAGES[0])
    single = layer.transform_single_image(IMAGES[0], kept)
    np.testing.assert_array_equal(single, layer.transform_images(IMAGES[:1], kept)[0])
    assert layer(IMAGES[0]).shape == single.shape
    first = make(data_format="channels_first")
    assert first(np.moveaxis(IMAGES[0], -1, 0)).shape[0] == 2


@each
def test_a_model_takes_no_single_image(make: Any) -> None:
    """There, three dimensions are images without an axis of channels."""
    with pytest.raises(ShapeError, match="Give grey images a channel axis"):
        keras.Model(keras.Input((8, 7)), make()(keras.Input((8, 7))))
    model = keras.Sequential([make()])
    with pytest.raises(ShapeError, match="takes images, four dimensions"):
        model(IMAGES[..., 0])


@each
def test_labels_and_masks_go_along(make: Any) -> None:
    """The masks come out as the images do that are equal to them, read at the nearest pixel."""
    name = {"interpolation": "nearest"} if "interpolation" in make().get_config() else {}
    layer = make(seed=3, **name)
    data = {"images": np.repeat(MASKS, 2, -1), "labels": LABELS, "segmentation_masks": MASKS, "more": 7}
    found = layer(dict(data), training=True)
    assert found["more"] == 7
    np.testing.assert_array_equal(found["labels"], LABELS)
    np.testing.assert_array_equal(found["segmentation_masks"], host(found["images"])[..., :1])
    assert found["segmentation_masks"].dtype == "uint8"
    if not isinstance(layer, layers.RandomElasticTransform):  # small images move by less than half a pixel
        assert not np.array_equal(host(found["images"])[:, :5, :4], data["images"][:, :5, :4])
    one = layer({key: value[0] for key, value in data.items() if key != "more"})
    assert one["segmentation_masks"].shape == (*one["images"].shape[:2], 1)
    assert one["labels"].shape == ()
    left = layer(dict(data), training=False)
    np.testing.assert_array_equal(left["labels"], LABELS)
    if not isinstance(layer, layers.RandomCrop):
        np.testing.assert_array_equal(left["images"], data["images"])
        np.testing.assert_array_equal(left["segmentation_masks"], MASKS)


@each
def test_dicts_that_are_refused(make: Any) -> None:
    with pytest.raises(ValueError, match=r"does not move bounding boxes with the images\. Leave them out"):
        make()({"images": IMAGES, "bounding_boxes": {"boxes": np.ones((6, 1, 4)), "labels": LABELS[:, None]}})
    with pytest.raises(
        ValueError, match=r'takes images, or a dict of "images" and more\. Received: a dict of'
    ):
        make()({"image": IMAGES})


@each
def test_gradient_of_what_is_drawn(make: Any) -> None:
    """All is linear in the images: the gradient is the transpose."""
    x = RNG.normal(size=(3, 6, 5, 2))
    layer = make(seed=2, dtype="float64")
    layer.value_range = (-100.0, 100.0)  # which an elastic layer limits results to
    output = run(layer, [x], None, training=True).output
    upstream = RNG.normal(size=output.shape)
    gradient = run(layer, [x], upstream, training=True).inputs[0]
    assert abs((gradient * x).sum() - (upstream * output).sum()) < 1e-6


@each
def test_config_round_trip(make: Any) -> None:
    model = keras.Sequential([keras.Input((8, 7, 2)), make(seed=4)])
    again = models.model_from_json(model.to_json())
    assert again.layers[0].get_config() == model.layers[0].get_config()


def test_a_model_with_all_of_them_trains() -> None:
    stack = [make() for make in LAYERS.values()]
    model = keras.Sequential(
        [keras.Input((8, 7, 2)), *stack, layers.Resizing(6, 6), layers.Flatten(), layers.Dense(2)]
    )
    model.compile("adam", "mse")
    y = RNG.normal(size=(6, 2)).astype("float32")
    losses = model.fit(IMAGES / 255, y, batch_size=3, epochs=3, verbose=0).history["loss"]
    assert np.isfinite(losses).all()
    np.testing.assert_array_equal(*(model.predict(IMAGES / 255, verbose=0) for _ in range(2)))


# ------------------------------------------------------------------------------------------- where pixels go


def grid_of(images: np.ndarray, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """PyTorch's reading of pixels at places, zeros outside."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    height, width = images.shape[1:3]
    grid = np.stack([columns / (width - 1) * 2 - 1, rows / (height - 1) * 2 - 1], -1).astype("float32")
    x = torch.tensor(images).permute(0, 3, 1, 2)
    found = torch.nn.functional.grid_sample(x, torch.tensor(grid), align_corners=True)
    return found.permute(0, 2, 3, 1).numpy()


def test_rotation_turns_around_the_middle() -> None:
    layer = layers.RandomRotation(0.5, fill_mode="constant", seed=1)
    kept = layer.get_random_transformation(IMAGES)
    angle = np.deg2rad(host(kept["angle"]).astype("float64"))[:, None, None]
    y, x = (np.mgrid[:8, :7] - np.array([3.5, 3.0])[:, None, None])[:, None]
    columns, rows = np.cos(angle) * x - np.sin(angle) * y + 3, np.sin(angle) * x + np.cos(angle) * y + 3.5
    expected = grid_of(IMAGES, columns, rows)
    np.testing.assert_allclose(layer.transform_images(IMAGES, kept), expected, atol=2e-2)
    assert np.ptp(angle) > 1


def test_a_quarter_turn_is_rot90() -> None:
    square = IMAGES[:, :7]
    found = layers.RandomRotation((0.25, 0.25))(square)
    np.testing.assert_allclose(found, np.rot90(square, 1, (1, 2)), atol=0.02)


def test_angles_are_spread_evenly() -> None:
    layer = layers.RandomRotation((-0.1, 0.3), seed=1)
    angles = host(layer.get_random_transformation(np.zeros((2000, 2, 2, 1), "float32"))["angle"])
    assert angles.min() >= -36
    assert angles.max() < 108
    counts = np.histogram(angles, 8, (-36, 108))[0]
    assert ((counts - 250) ** 2 / 250).sum() < 24.3  # chi-square with 7 degrees of freedom: 999 in 1000


def test_translation_is_a_shift() -> None:
    moved = layers.RandomTranslation((0.25, 0.25), (0.0, 0.0), fill_mode="wrap")(IMAGES)
    np.testing.assert_allclose(moved, np.roll(IMAGES, 2, 1), atol=1e-3)
    left = layers.RandomTranslation(0.0, (-3 / 7, -3 / 7), fill_mode="constant", fill_value=9)(IMAGES)
    expected = np.concatenate([IMAGES[:, :, 3:], np.full_like(IMAGES[:, :, :3], 9)], 2)
    np.testing.assert_allclose(left, expected, atol=1e-3)


def test_zoom_of_two_axes() -> None:
    kept = layers.RandomZoom(0.5, seed=1).get_random_transformation(IMAGES)
    np.testing.assert_array_equal(kept["height_zoom"], kept["width_zoom"])
    kept = layers.RandomZoom(0.5, 0.5, seed=1).get_random_transformation(IMAGES)
    assert not np.array_equal(kept["height_zoom"], kept["width_zoom"])
    ramp = np.broadcast_to(np.arange(8.0)[:, None, None], (1, 8, 7, 1)).astype("float32")
    found = host(layers.RandomZoom((-0.5, -0.5))(ramp))[0, :, 0, 0]
    np.testing.assert_allclose(found, (np.arange(8) - 3.5) * 0.5 + 3.5, atol=1e-5)


def test_shear_both_ways() -> None:
    layer = layers.RandomShear((0.2, 0.4), 0.0, seed=1)
    shear = host(layer.get_random_transformation(np.zeros((200, 2, 2, 1), "float32"))["shear_factor"])
    assert (np.abs(shear[:, 0]) >= 0.2).all()
    assert (np.abs(shear[:, 0]) <= 0.4).all()
    assert 60 < (shear[:, 0] < 0).sum() < 140
    assert not shear[:, 1].any()


def test_perspective_is_by_chance() -> None:
    layer = layers.RandomPerspective((0.3, 0.3), seed=1)
    chosen = host(layer.get_random_transformation(np.zeros((1000, 4, 4, 1), "float32"))["apply_perspective"])
    assert 240 < chosen.sum() < 360
    images = np.repeat(IMAGES[:1], 40, 0)
    kept = layer.get_random_transformation(images)
    found = host(layer.transform_images(images, kept))
    same = np.array(
        [np.array_equal(image, found_one) for image, found_one in zip(images, found, strict=True)]
    )
    np.testing.assert_array_equal(same, ~host(kept["apply_perspective"]))
    np.testing.assert_array_equal(layers.RandomPerspective(0.0)(IMAGES), IMAGES)
    np.testing.assert_allclose(layers.RandomPerspective((1, 1), 0.0)(IMAGES), IMAGES, rtol=1e-4)


def test_elastic_transform_is_by_chance_and_limited() -> None:
    np.testing.assert_array_equal(layers.RandomElasticTransform(0.0)(IMAGES), IMAGES)
    np.testing.assert_array_equal(layers.RandomElasticTransform(scale=0)(IMAGES), IMAGES)
    found = host(layers.RandomElasticTransform((1, 1), 0.8, value_range=(50, 200), seed=1)(IMAGES))
    assert found.min() == 50
    assert found.max() == 200
    kept = layers.RandomElasticTransform((1, 1), (0.5, 0.5), seed=1).get_random_transformation(IMAGES)
    assert float(kept["distortion_factor"]) == 0.5


# ------------------------------------------------------------------------------------------------------ sizes


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_resizing_with_unknown_sizes(data_format: str) -> None:
    first = data_format == "channels_first"
    x = keras.Input((2, None, None) if first else (None, None, 2))
    model = keras.Model(x, layers.Resizing(4, 10, "bicubic", data_format=data_format)(x))
    assert model.output_shape == ((None, 2, 4, 10) if first else (None, 4, 10, 2))
    given = np.moveaxis(IMAGES, -1, 1) if first else IMAGES
    expected = keras.ops.image.resize(given, (4, 10), "bicubic", data_format=data_format)
    np.testing.assert_allclose(model.predict(given, verbose=0), expected, atol=1e-3)


def test_resizing_keeps_the_dtype() -> None:
    found = layers.Resizing(3, 3)(MASKS)
    assert found.dtype == "uint8"
    beside = layers.Resizing(3, 3)({"images": IMAGES, "segmentation_masks": MASKS})
    assert set(np.unique(host(beside["segmentation_masks"]))) <= set(np.unique(MASKS))


def test_small_images_are_enlarged_by_crops() -> None:
    for layer in (layers.CenterCrop(12, 6), layers.RandomCrop(12, 6)):
        expected = layers.Resizing(12, 6, crop_to_aspect_ratio=True)(IMAGES)
        np.testing.assert_allclose(layer(IMAGES), expected, rtol=1e-6)
        assert layer({"images": IMAGES, "segmentation_masks": MASKS})["segmentation_masks"].shape == (
            6,
            12,
            6,
            1,
        )


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos3", "lanczos5"])
def test_enlarged_feature_maps(interpolation: str) -> None:
    layer = layers.UpSampling2D((2, 3), interpolation=interpolation)
    found = layer(IMAGES)
    np.testing.assert_allclose(found, keras.ops.image.resize(IMAGES, (16, 21), interpolation), rtol=1e-6)
    assert layer(keras.Input((None, 7, 2))).shape == (None, None, 21, 2)
    x = keras.Input((None, None, 2))
    np.testing.assert_allclose(keras.Model(x, layer(x)).predict(IMAGES, verbose=0), found, rtol=1e-5)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: layers.Resizing(0, 3), r"Resizing: height must be a positive int"),
        (
            lambda: layers.Resizing(3, 3, "cubic"),
            r"Resizing: interpolation must be one of .*Did you mean 'bicubic'",
        ),
        (lambda: layers.Resizing(3, 3, fill_mode="reflect"), r"Resizing: fill_mode must be one of constant"),
        (
            lambda: layers.Resizing(3, 3, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True),
            r"Resizing: either crop_to_aspect_ratio or pad_to_aspect_ratio can be True",
        ),
        (
            lambda: layers.UpSampling2D(interpolation="area"),
            r"UpSampling2D: interpolation must be one of nearest",
        ),
        (
            lambda: layers.RandomRotation(1.5),
            r"RandomRotation: factor is a number, or a pair.*Expected: -1\.\.1",
        ),
        (lambda: layers.RandomRotation("a"), r"RandomRotation: factor is a number, or a pair of them"),
        (
            lambda: layers.RandomRotation(0.1, "mirror"),
            r"RandomRotation: fill_mode must be one of reflect, wrap",
        ),
        (
            lambda: layers.RandomRotation(0.1, interpolation="cubic"),
            r"interpolation must be one of nearest, bil",
        ),
        (lambda: layers.RandomRotation(0.1, fill_value="a"), r"RandomRotation: fill_value"),
        (
            lambda: layers.RandomZoom(-1.0),
            r"RandomZoom: height_factor must be above -1: nothing would be left",
        ),
        (lambda: layers.RandomZoom(0.1, (0.1, 2)), r"RandomZoom: width_factor is a number, or a pair"),
        (lambda: layers.RandomTranslation(2, 0), r"RandomTranslation: height_factor is a number"),
        (lambda: layers.RandomTranslation(0, (1, 2, 3)), r"RandomTranslation: width_factor is a number"),
        (lambda: layers.RandomShear(x_factor=2), r"RandomShear: x_factor is a number"),
        (lambda: layers.RandomPerspective(factor=-0.5), r"RandomPerspective: factor.*Expected: 0\.\.1"),
        (
            lambda: layers.RandomPerspective(scale=1.5),
            r"RandomPerspective: scale is a share\. Expected: 0 <= scale <= 1",
        ),
        (lambda: layers.RandomElasticTransform(scale=(0.5, 2)), r"RandomElasticTransform: scale is a number"),
        (
            lambda: layers.RandomElasticTransform(value_range=(255, 0)),
            r"RandomElasticTransform: value_range is a pair",
        ),
        (lambda: layers.RandomRotation(0.1, seed=-1), r"RandomRotation: seed must be an integer from 0"),
    ],
)
def test_arguments(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_numbers_stand_for_both_sides() -> None:
    assert layers.RandomRotation(-0.2).factor == (-0.2, 0.2)
    assert layers.RandomRotation((0.3, -0.1)).factor == (-0.1, 0.3)
    assert layers.RandomPerspective(0.4).factor == (0.0, 0.4)
    assert layers.RandomElasticTransform(scale=0.4).scale == (0.0, 0.4)
    assert layers.RandomShear(0.2).x_factor == (-0.2, 0.2)


def test_drawn_at_each_step() -> None:
    layer = layers.RandomTranslation(0.5, 0.5, seed=2)
    np.testing.assert_array_equal(at_step(layer, IMAGES, 3), at_step(layer, IMAGES, 3))
    assert not np.array_equal(at_step(layer, IMAGES, 3), at_step(layer, IMAGES, 4))
