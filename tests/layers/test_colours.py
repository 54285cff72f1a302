"""Colours and mixtures of images: what comes out, how often, labels, masks, training, and errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import config, layers
from gputrain.errors import ShapeError
from gputrain.layers.augmentation.transforming import Draws
from tests.layers.draws import at_step
from tests.layers.harness import run

RNG = np.random.default_rng(8)
IMAGES = RNG.integers(0, 256, (6, 7, 8, 3)).astype("uint8")
Make = Callable[..., Any]

RANDOM: dict[str, Make] = {
    "RandomHue": lambda **more: layers.RandomHue(0.5, **more),
    "RandomSaturation": lambda **more: layers.RandomSaturation((0.1, 0.5), **more),
    "RandomColorDegeneration": lambda **more: layers.RandomColorDegeneration(0.8, **more),
    "RandomSharpness": lambda **more: layers.RandomSharpness(0.9, **more),
    "RandomPosterization": lambda **more: layers.RandomPosterization((1, 6), **more),
    "RandomGrayscale": lambda **more: layers.RandomGrayscale(**more),
    "RandomInvert": lambda **more: layers.RandomInvert((0.4, 0.6), **more),
    "Solarization": lambda **more: layers.Solarization(0.4, 0.6, **more),
    "RandomErasing": lambda **more: layers.RandomErasing((0.4, 0.9), **more),
    "RandomGaussianBlur": lambda **more: layers.RandomGaussianBlur((0.5, 1.0), 5, **more),
    "RandomColorJitter": lambda **more: layers.RandomColorJitter(
        brightness_factor=0.3, contrast_factor=0.5, saturation_factor=0.6, hue_factor=0.2, **more
    ),
    "RandAugment": lambda **more: layers.RandAugment(**more),
    "AugMix": lambda **more: layers.AugMix(num_chains=2, chain_depth=1, **more),
    "MixUp": lambda **more: layers.MixUp(1.0, **more),
    "CutMix": lambda **more: layers.CutMix(**more),
}
FIXED: dict[str, Make] = {
    "AutoContrast": layers.AutoContrast,
    "Equalization": layers.Equalization,
    "CLAHE": layers.ContrastLimitedAdaptiveHistogramEqualization,
}
LESS = [name for name in RANDOM if name not in ("RandAugment", "AugMix")]  # those are made of others
each = pytest.mark.parametrize("name", RANDOM)


@pytest.fixture(autouse=True)
def _fresh_seed() -> Any:
    config.set_seed(1)
    yield
    config.reset()


# ---------------------------------------------------------------------------------- what all of them promise


@each
def test_bytes_come_out_within_their_range(name: str) -> None:
    output = RANDOM[name](seed=3)(IMAGES)
    assert (output.shape, output.dtype) == (IMAGES.shape, np.float32)
    assert output.min() >= 0
    assert output.max() <= 255.001
    assert not np.array_equal(output, IMAGES)


@each
def test_evaluation_leaves_images_alone(name: str) -> None:
    layer = RANDOM[name]()
    np.testing.assert_array_equal(layer(IMAGES, training=False), IMAGES.astype("float32"))
    assert layer.get_random_transformation(IMAGES, training=False) is None


@pytest.mark.parametrize("name", LESS)
def test_draws_are_named_by_seed_and_step(name: str) -> None:
    first = at_step(RANDOM[name](seed=3), IMAGES, 7)
    np.testing.assert_array_equal(at_step(RANDOM[name](seed=3), IMAGES, 7), first)
    others = (at_step(RANDOM[name](seed=seed), IMAGES, step) for seed, step in ((3, 8), (4, 7)))
    assert not all(np.array_equal(other, first) for other in others)


@each
def test_a_seed_gives_the_same_images_by_itself(name: str) -> None:
    first, again = (RANDOM[name](seed=3)(IMAGES) for _ in range(2))
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("name", [name for name in LESS if name not in ("MixUp", "CutMix")])
def test_samples_draw_by_themselves(name: str) -> None:
    same = np.repeat(IMAGES[:1], 16, axis=0)
    assert len({image.tobytes() for image in RANDOM[name](seed=3)(same)}) > 1


@each
def test_both_layouts_are_alike(name: str) -> None:
    last = RANDOM[name](seed=3)(IMAGES)
    first = RANDOM[name](seed=3, data_format="channels_first")(IMAGES.transpose(0, 3, 1, 2))
    np.testing.assert_allclose(np.transpose(first, (0, 2, 3, 1)), last, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("name", LESS)
def test_float16(name: str) -> None:
    layer = RANDOM[name](seed=3, dtype="float16")
    output = layer(IMAGES)
    assert output.dtype == np.float16
    assert np.isfinite(output).all()


@each
def test_one_image(name: str) -> None:
    assert RANDOM[name](seed=3)(IMAGES[0]).shape == IMAGES.shape[1:]


@pytest.mark.parametrize("name", [*RANDOM, *FIXED])
def test_a_config_makes_the_same_layer(name: str) -> None:
    layer = {**RANDOM, **FIXED}[name]()
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    unknown = keras.Input((None, None, 3))
    assert again(unknown).shape == (None, None, None, 3)


@pytest.mark.parametrize("name", FIXED)
def test_fixed_changes_keep_the_range(name: str) -> None:
    output = FIXED[name]()(IMAGES)
    assert output.dtype == np.float32
    assert output.min() >= 0
    assert output.max() <= 255.001
    unit = FIXED[name](value_range=(0, 1))((IMAGES / 255).astype("float32"))
    np.testing.assert_allclose(unit * 255, output, atol=0.01)


def test_a_stack_of_them_trains() -> None:
    stack = [
        RANDOM[name](value_range=(0, 1))
        for name in LESS
        if name not in ("RandomGrayscale", "MixUp", "CutMix")
    ]
    model = keras.Sequential(
        [keras.Input((7, 8, 3)), *stack, layers.MixUp(), layers.CutMix(), layers.Flatten(), layers.Dense(2)]
    )
    model.compile("sgd", "mse")
    x = (IMAGES / 255).astype("float32")
    losses = model.fit(x, np.zeros((6, 2)), batch_size=3, epochs=2, verbose=0).history["loss"]
    assert np.isfinite(losses).all()
    np.testing.assert_array_equal(model.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.slow
@pytest.mark.parametrize("made_by", [layers.RandAugment, layers.AugMix])
def test_policies_train(made_by: Make) -> None:
    model = keras.Sequential([keras.Input((7, 8, 3)), made_by((0, 1)), layers.Flatten(), layers.Dense(2)])
    model.compile("sgd", "mse")
    x = (IMAGES / 255).astype("float32")
    losses = model.fit(x, np.zeros((6, 2)), batch_size=3, epochs=2, verbose=0).history["loss"]
    assert np.isfinite(losses).all()


# --------------------------------------------------------------------------------------- mixtures and labels


def test_labels_are_mixed_as_the_images_are() -> None:
    """Images that are their own labels: flat planes, one of six channels each."""
    labels = np.eye(6, dtype="float32")
    images = np.broadcast_to(labels[:, None, None], (6, 8, 8, 6))
    for layer in (layers.MixUp(1.0, seed=3), layers.CutMix(seed=3)):
        found = layer({"images": images, "labels": labels})
        assert not np.array_equal(found["labels"], labels)
        np.testing.assert_allclose(found["images"].mean((1, 2)), found["labels"], atol=1e-6)
        np.testing.assert_allclose(found["labels"].sum(1), 1.0, rtol=1e-6)


def test_labels_of_any_shape_are_mixed() -> None:
    given = {"mix_weight": np.array([0.25, 1.0], "float32"), "permutation_order": np.array([1, 0])}
    mixed = layers.MixUp().transform_labels(np.array([2.0, 4.0]), given)
    np.testing.assert_allclose(mixed, [3.5, 4.0])
    whole = layers.MixUp().transform_labels(np.eye(2, dtype="int32"), given)
    np.testing.assert_allclose(whole, [[0.25, 0.75], [0.0, 1.0]])


@pytest.mark.parametrize("made_by", [layers.MixUp, layers.CutMix])
def test_class_indices_cannot_be_mixed(made_by: Make) -> None:
    for labels in (np.arange(6), np.arange(6)[:, None]):
        with pytest.raises(ValueError, match=r"class indices cannot be mixed(.|\n)*one_hot"):
            made_by()({"images": IMAGES, "labels": labels})


def test_masks_follow_their_images() -> None:
    masks = IMAGES[..., :1]
    cut = layers.CutMix(seed=3)({"images": IMAGES, "segmentation_masks": masks})
    assert cut["segmentation_masks"].dtype == np.uint8
    np.testing.assert_array_equal(cut["segmentation_masks"], cut["images"][..., :1])
    mixed = layers.MixUp(seed=3)({"images": IMAGES, "segmentation_masks": masks})
    np.testing.assert_allclose(mixed["segmentation_masks"], mixed["images"][..., :1], rtol=1e-6)


def test_a_jitter_makes_its_changes_in_order() -> None:
    factors = {"brightness_factor": 0.3, "contrast_factor": 0.5, "saturation_factor": 0.6, "hue_factor": 0.2}
    jitter = layers.RandomColorJitter(**factors, seed=3)
    drawn = jitter.get_random_transformation(IMAGES)
    parts = [layers.RandomBrightness, layers.RandomContrast, layers.RandomSaturation, layers.RandomHue]
    expected: Any = IMAGES
    for made_by, factor, given in zip(parts, factors.values(), drawn.values(), strict=True):
        expected = made_by(factor).transform_images(expected, given)
    np.testing.assert_allclose(jitter.transform_images(IMAGES, drawn), expected, rtol=1e-6)


def test_each_image_goes_its_own_ways() -> None:
    layer = layers.RandAugment(num_ops=1, seed=3)
    drawn = layer.get_random_transformation(IMAGES)
    ways = np.asarray(drawn["layer_idxes"])
    assert ways.shape == (1, 6)
    assert len(set(ways[0].tolist())) > 1
    output = layer.transform_images(IMAGES, drawn)
    for number, (name, given) in enumerate(drawn["transforms"].items()):
        alone = layer.parts[name].transform_images(IMAGES, given)
        np.testing.assert_array_equal(output[ways[0] == number], np.asarray(alone)[ways[0] == number])


def test_each_image_is_blurred_by_its_own_deviations() -> None:
    sigma = np.array([[0.3, 0.9], [0.8, 0.2], [0.5, 0.5]], "float32")
    given = {"should_apply_blur": np.array([True, True, False]), "blur_factor": sigma}
    output = layers.RandomGaussianBlur(kernel_size=(3, 5)).transform_images(IMAGES[:3], given)
    for i in range(2):
        alone = keras.ops.image.gaussian_blur(IMAGES[i : i + 1], (3, 5), sigma[i], "channels_last")
        np.testing.assert_allclose(output[i : i + 1], alone, rtol=1e-5, atol=1e-3)
    np.testing.assert_array_equal(output[2], IMAGES[2])


def test_what_is_erased() -> None:
    ones = np.ones((500, 6, 8, 3), "float32")
    output = layers.RandomErasing((1.0, 1.0), (0.25, 0.25), (0.1, 0.2, 0.3), (0, 1), seed=3)(ones)
    gone = output[..., 0] != 1.0
    np.testing.assert_array_equal(gone.sum((1, 2)), 12)  # half of either side
    np.testing.assert_allclose(output[gone], np.tile([0.1, 0.2, 0.3], (500 * 12, 1)), rtol=1e-6)
    halves = layers.RandomErasing((0.5, 0.5), (0.25, 0.25), 0.0, (0, 1), seed=3)(ones)
    assert 0.42 < np.mean((halves == 0).any((1, 2, 3))) < 0.58


def test_gradients_go_through_what_is_kept() -> None:
    x = (IMAGES / 255).astype("float32")
    layer = layers.CutMix(seed=3)
    found = run(layer, [x], np.ones(x.shape, "float32"), training=True)
    assert found.inputs[0].sum() == pytest.approx(x.size)


# -------------------------------------------------------------------------------------------------- the draws


@pytest.mark.parametrize("alpha", [0.3, 1.0, 2.5])
def test_shares_have_the_dirichlet_distribution(alpha: float) -> None:
    draws = Draws(keras.random.SeedGenerator(5), (20000, 1, 1, 1))
    expected = RNG.dirichlet([alpha] * 3, 20000)
    found = np.asarray(draws.shares(alpha, 3))
    np.testing.assert_allclose(found.sum(1), 1.0, rtol=1e-6)
    places = [0.1, 0.25, 0.5, 0.75, 0.9]
    np.testing.assert_allclose(np.quantile(found, places), np.quantile(expected, places), atol=0.012)
    np.testing.assert_allclose(np.cov(found.T), np.cov(expected.T), atol=0.004)


def test_orders_are_even() -> None:
    generator = keras.random.SeedGenerator(5)
    orders = np.array([np.asarray(Draws(generator, (4, 1, 1, 1)).order()) for _ in range(600)])
    np.testing.assert_array_equal(np.sort(orders, 1), np.tile(np.arange(4), (600, 1)))
    counts = [(orders[:, place] == number).sum() for place in range(4) for number in range(4)]
    assert 110 < min(counts) <= max(counts) < 190


# ----------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: layers.RandomHue(1.5), "factor is a number, or a pair"),
        (lambda: layers.RandomPosterization(0), r"Expected: 1\.\.8"),
        (lambda: layers.RandomErasing(scale=(0.1, 2.0)), "scale is a number, or a pair"),
        (lambda: layers.RandomErasing(fill_value=(1, 2)), "fill_value is a number, one for each of three"),
        (lambda: layers.RandomGaussianBlur(kernel_size=4), "kernel_size is an odd number"),
        (lambda: layers.RandomGaussianBlur(sigma=3.0), "sigma is a number, or a pair"),
        (lambda: layers.RandomColorJitter(hue_factor=7), "hue_factor"),
        (lambda: layers.MixUp(0.0), "alpha is a number above 0"),
        (lambda: layers.CutMix(2.0), "factor is a number, or a pair"),
        (lambda: layers.RandAugment(num_ops=0), "num_ops"),
        (lambda: layers.RandAugment(interpolation="cubic"), "interpolation"),
        (lambda: layers.AugMix(alpha=-1), "alpha is a number above 0"),
        (lambda: FIXED["CLAHE"](tile_grid_size=0), "tile_grid_size"),
        (lambda: FIXED["CLAHE"](clip_limit=-1), "clip_limit"),
        (lambda: layers.AutoContrast((1, 0)), "value_range is a pair"),
    ],
)
def test_arguments_are_checked(make: Make, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        make()


def test_three_values_need_three_channels() -> None:
    with pytest.raises(ShapeError, match="a number for each channel"):
        layers.RandomErasing(fill_value=(1, 2, 3))(IMAGES[..., :1])


def test_inputs_that_are_no_images_are_refused() -> None:
    for name, make in {**RANDOM, **FIXED}.items():
        with pytest.raises(ShapeError, match=type(make()).__name__):
            make()(np.ones((2, 3), "float32"))
        assert name
