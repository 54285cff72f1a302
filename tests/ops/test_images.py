"""The operations on images against loops, NumPy's padding and PyTorch."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import ops
from gputrain.compiler import gradients
from gputrain.errors import DTypeError, ShapeError
from gputrain.ir import Spec, Trace, Value
from gputrain.runtime import Variable, interpret
from tests.on_device import host, using

RNG = np.random.default_rng(11)
IMAGES = RNG.uniform(0, 1, (2, 5, 7, 3)).astype("float32")
# NumPy's names of what lies outside.
PADS = {
    "nearest": "edge",
    "wrap": "wrap",
    "mirror": "reflect",
    "reflect": "symmetric",
    "constant": "constant",
}


def traced(function: Callable[..., Any], *arrays: np.ndarray, upstream: bool = True) -> list[np.ndarray]:
    """The output of a function in a traced graph, and the gradients of its sum with fixed weights."""
    values = [Value(Spec(a.shape, a.dtype.name)) for a in arrays]
    trace = Trace(counter=Variable(np.asarray(1, np.int64), trainable=False, name="step"))
    with trace.active():
        output = function(*values)
        found: list[Any] = []
        if upstream:
            found = gradients(ops.sum(ops.multiply(output, weights_of(output.shape))), values)
    return [host(x) for x in interpret(trace.graph(values, [output, *found]), list(arrays))]


def weights_of(shape: tuple[int, ...]) -> np.ndarray:
    return np.cos(np.arange(np.prod(shape))).reshape(shape)


def slope(function: Callable[..., Any], arrays: list[np.ndarray], which: int) -> np.ndarray:
    """Central differences of the sum of `function`'s output with fixed weights, on the CPU."""
    with using("numpy"):
        return _differences(function, arrays, which)


def _differences(function: Callable[..., Any], arrays: list[np.ndarray], which: int) -> np.ndarray:
    found = np.zeros(arrays[which].shape)
    for place in np.ndindex(found.shape):
        sums = []
        for step in (1e-5, -1e-5):
            moved = [a.copy() for a in arrays]
            moved[which][place] += step
            output = host(function(*moved))
            sums.append(float((output * weights_of(output.shape)).sum()))
        found[place] = (sums[0] - sums[1]) / 2e-5
    return found


# --------------------------------------------------------------------------------------------------- resizing


@pytest.mark.parametrize("size", [(3, 4), (11, 20), (5, 9), (1, 1)])
@pytest.mark.parametrize("method, antialias", [("bilinear", False), ("bilinear", True), ("bicubic", True)])
def test_resize_against_torch(size: tuple[int, int], method: str, antialias: bool) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    found = host(ops.image.resize(IMAGES, size, method, antialias))
    x = torch.tensor(IMAGES).permute(0, 3, 1, 2)
    expected = torch.nn.functional.interpolate(x, size, mode=method, antialias=antialias)
    np.testing.assert_allclose(found, expected.permute(0, 2, 3, 1).numpy(), atol=2e-6)


@pytest.mark.parametrize("method", ["bilinear", "bicubic", "lanczos3", "lanczos5"])
def test_resizing_keeps_what_is_even_and_is_its_own_transpose(method: str) -> None:
    even = np.full((1, 4, 6, 2), 3.0)
    np.testing.assert_allclose(host(ops.image.resize(even, (7, 5), method)), 3.0, rtol=1e-6)
    x = RNG.normal(size=(2, 3, 4, 2))
    resize = lambda x: ops.image.resize(x, (5, 3), method, antialias=True)  # noqa: E731
    _, gradient = traced(resize, x)
    np.testing.assert_allclose(gradient, slope(resize, [x], 0), atol=1e-7)


def test_resize_of_unknown_batches() -> None:
    x = keras.Input((4, 6, 3))
    model = keras.Model(x, ops.image.resize(x, (8, 9), "bicubic"))
    assert model.output_shape == (None, 8, 9, 3)
    images = RNG.normal(size=(3, 4, 6, 3)).astype("float32")
    np.testing.assert_allclose(model(images), ops.image.resize(images, (8, 9), "bicubic"), atol=1e-6)


def test_models_of_unknown_sizes() -> None:
    x = keras.Input((None, None, 3))
    transform = np.array([0.9, 0.1, 0.3, -0.2, 1.1, 0.0, 0.0, 0.0], "float32")
    points = np.array([[0, 0], [6, 0], [0, 4], [6, 4]], "float32")
    outputs = [
        ops.image.resize(x, (3, 4)),
        ops.image.affine_transform(x, transform),
        ops.image.perspective_transform(x, points, points + 1),
        ops.image.gaussian_blur(x),
        ops.image.rgb_to_hsv(x),
    ]
    assert [y.shape for y in outputs] == [(None, 3, 4, 3), *[(None, None, None, 3)] * 4]
    found = keras.Model(x, outputs).predict(IMAGES, verbose=0)
    np.testing.assert_allclose(found[0], ops.image.resize(IMAGES, (3, 4)), atol=1e-6)
    np.testing.assert_allclose(found[1], ops.image.affine_transform(IMAGES, transform), atol=1e-6)
    expected = ops.image.perspective_transform(IMAGES, points, points + 1)
    np.testing.assert_allclose(found[2], expected, atol=1e-5)


@pytest.mark.parametrize("dtype, most", [("uint8", 255), ("int8", 127)])
def test_resized_whole_numbers_are_limited(dtype: str, most: int) -> None:
    edge = np.array([0, 0, most, most], dtype).reshape(1, 1, 4, 1)
    found = host(ops.image.resize(edge, (1, 8), "bicubic"))
    assert found.dtype == dtype
    assert found.max() == most
    assert host(ops.image.resize(edge.astype("float32"), (1, 8), "bicubic")).max() > most


def test_scale_and_translate_has_gradients_of_its_numbers() -> None:
    x, scale, move = RNG.normal(size=(5, 4)), np.array([1.3, 0.7]), np.array([0.45, -0.35])

    def moved(x: Any, scale: Any, move: Any) -> Any:
        return ops.image.scale_and_translate(x, (6, 4), scale, move, (0, 1), "cubic")

    output, *found = traced(moved, x, scale, move)
    np.testing.assert_allclose(output, host(moved(x, scale, move)), atol=1e-12)
    for which, gradient in enumerate(found):
        np.testing.assert_allclose(gradient, slope(moved, [x, scale, move], which), atol=1e-6)


# -------------------------------------------------------------------------------------------- computed places


def by_loops(x: np.ndarray, places: np.ndarray, order: int, fill_mode: str, fill_value: float) -> np.ndarray:
    """x at each place, read from a padded copy that all places lie in."""
    margin = 40
    more = {"constant_values": fill_value} if fill_mode == "constant" else {}
    wide = np.pad(x.astype("float64"), margin, mode=PADS[fill_mode], **more)  # type: ignore[call-overload]
    found = np.zeros(places.shape[1:])
    for at in np.ndindex(found.shape):
        place = places[(slice(None), *at)]
        if order == 0:
            found[at] = wide[tuple((np.sign(place) * np.floor(np.abs(place) + 0.5) + margin).astype(int))]
            continue
        lower = np.floor(place)
        for corner in itertools.product((0, 1), repeat=len(place)):
            share = np.prod(np.where(corner, place - lower, 1 - (place - lower)))
            found[at] += share * wide[tuple((lower + corner + margin).astype(int))]
    return found


@pytest.mark.parametrize("fill_mode", PADS)
@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("shape", [(4, 5), (1, 3), (6,), (2, 3, 4)])
def test_map_coordinates_against_loops(shape: tuple[int, ...], order: int, fill_mode: str) -> None:
    x = RNG.normal(size=shape)
    places = RNG.uniform(-9, 12, (len(shape), 3, 5))
    found = host(ops.image.map_coordinates(x, places, order, fill_mode, 0.25))
    np.testing.assert_allclose(found, by_loops(x, places, order, fill_mode, 0.25), atol=1e-12)


@pytest.mark.parametrize("fill_mode", PADS)
def test_gradients_of_coordinates(fill_mode: str) -> None:
    x, places = RNG.normal(size=(4, 5)), RNG.uniform(-7, 11, (2, 9))

    def read(x: Any, places: Any) -> Any:
        return ops.image.map_coordinates(x, places, 1, fill_mode, 0.5)

    for which, gradient in enumerate(traced(read, x, places)[1:]):
        np.testing.assert_allclose(gradient, slope(read, [x, places], which), atol=1e-6)


@pytest.mark.parametrize("mode, padding", [("constant", "zeros"), ("nearest", "border")])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_affine_transform_against_torch(mode: str, padding: str, interpolation: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    transform = RNG.normal(size=(2, 8)).astype("float32")
    transform[:, 6:] = 0
    found = host(ops.image.affine_transform(IMAGES, transform, interpolation, mode))
    y, x = np.mgrid[:5, :7]
    a = transform[:, :6].reshape(2, 2, 3, 1, 1)
    columns, rows = (a[:, i, 0] * x + a[:, i, 1] * y + a[:, i, 2] for i in (0, 1))
    grid = torch.tensor(np.stack([columns / 6 * 2 - 1, rows / 4 * 2 - 1], -1), dtype=torch.float32)
    expected = torch.nn.functional.grid_sample(
        torch.tensor(IMAGES).permute(0, 3, 1, 2), grid, interpolation, padding, align_corners=True
    )
    np.testing.assert_allclose(found, expected.permute(0, 2, 3, 1).numpy(), atol=2e-5)


@pytest.mark.parametrize("fill_mode", ["constant", "reflect"])
def test_gradient_of_an_affine_transform(fill_mode: str) -> None:
    """That of the two numbers which are not read is 0."""
    x, transform = RNG.normal(size=(2, 4, 5, 2)), RNG.normal(size=(2, 8))

    def moved(x: Any, transform: Any) -> Any:
        return ops.image.affine_transform(x, transform, fill_mode=fill_mode)

    gradient = traced(moved, x, transform)[2]
    np.testing.assert_allclose(gradient, slope(moved, [x, transform], 1), atol=1e-4)


def test_one_transform_for_all_images() -> None:
    transform = np.array([0.9, 0.2, 1.0, -0.1, 1.1, 0.5, 0, 0], "float32")
    found = host(ops.image.affine_transform(IMAGES, transform))
    for image, one in zip(IMAGES, found, strict=True):
        np.testing.assert_allclose(ops.image.affine_transform(image, transform), one, atol=1e-6)


def test_perspective_takes_points_to_points() -> None:
    """An image that is its own coordinates shows where each pixel is read."""
    y, x = np.mgrid[:9, :9].astype("float64")
    image = np.stack([x, y], -1)
    start = np.array([[1.0, 2.0], [7.0, 1.0], [0.0, 8.0], [6.0, 6.0]])
    end = np.array([[2.0, 0.0], [8.0, 2.0], [1.0, 7.0], [7.0, 8.0]])
    found = host(ops.image.perspective_transform(image, start, end, fill_value=-1))
    for (x0, y0), (x1, y1) in zip(start, end, strict=True):
        np.testing.assert_allclose(found[int(y1), int(x1)], [x0, y0], atol=1e-9)

    def seen(image: Any, start: Any, end: Any) -> Any:
        return ops.image.perspective_transform(image, start, end)

    arrays = [image, start + 0.01, end]
    for which, gradient in enumerate(traced(seen, *arrays)[2:], 1):
        np.testing.assert_allclose(gradient, slope(seen, arrays, which), atol=1e-4)


def test_a_perspective_that_is_straight_is_an_affine_transform() -> None:
    start = np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 4.0], [6.0, 4.0]])
    end = start * 1.25 + [0.5, -0.25]
    found = host(ops.image.perspective_transform(IMAGES, start, end))
    expected = ops.image.affine_transform(IMAGES, [0.8, 0, -0.4, 0, 0.8, 0.2, 0, 0])
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_elastic_transform_reads_near_by() -> None:
    ramp = np.broadcast_to(np.arange(64.0)[:, None], (4, 64, 64, 1)).astype("float32")
    found = host(ops.image.elastic_transform(ramp, alpha=2.0, sigma=3.0, fill_mode="nearest", seed=1))
    ways = (found - ramp)[:, 16:-16, 16:-16]
    # Draws of deviation 3, doubled, under a Gaussian of 3 pixels: its squares sum to 1 / (4 pi 3 ** 2).
    assert abs(ways.std() / (6 / np.sqrt(4 * np.pi * 9)) - 1) < 0.15
    assert np.abs(np.diff(ways, axis=1)).max() < 0.5
    np.testing.assert_array_equal(
        found, ops.image.elastic_transform(ramp, alpha=2.0, sigma=3.0, fill_mode="nearest", seed=1)
    )
    whole = host(ops.image.elastic_transform(ramp.astype("uint8"), seed=2))
    assert whole.dtype == "uint8"


# --------------------------------------------------------------------------------- colours, neighbours, parts


def test_colours_there_and_back() -> None:
    found = host(ops.image.hsv_to_rgb(ops.image.rgb_to_hsv(IMAGES)))
    np.testing.assert_allclose(found, IMAGES, atol=1e-6)
    first = np.moveaxis(IMAGES, -1, 1)
    np.testing.assert_array_equal(
        np.moveaxis(host(ops.image.rgb_to_hsv(first, "channels_first")), 1, -1),
        ops.image.rgb_to_hsv(IMAGES),
    )


def test_hues_against_python() -> None:
    import colorsys

    pixels = IMAGES.reshape(-1, 3)
    expected = [colorsys.rgb_to_hsv(*map(float, pixel)) for pixel in pixels]
    np.testing.assert_allclose(host(ops.image.rgb_to_hsv(IMAGES)).reshape(-1, 3), expected, atol=1e-6)
    grey = np.array([[[0.0] * 3, [1.0] * 3, [0.3] * 3]], "float32")
    np.testing.assert_allclose(ops.image.rgb_to_hsv(grey), [[[0, 0, 0], [0, 0, 1], [0, 0, 0.3]]], atol=1e-7)


def test_grey_of_whole_numbers_is_rounded_down() -> None:
    found = host(ops.image.rgb_to_grayscale(np.full((1, 2, 2, 3), 200, "uint8")))
    assert found.dtype == "uint8"
    assert found.shape == (1, 2, 2, 1)
    assert found.max() == 199  # the weights' sum is 0.9999
    np.testing.assert_array_equal(ops.image.rgb_to_grayscale(found), found)


def test_blur_by_loops() -> None:
    x, (across, down) = IMAGES[0].astype("float64"), (3, 5)
    bells = []
    for size, sigma in ((down, 1.5), (across, 0.8)):
        bell = np.exp(-(((np.arange(size) - size // 2) / sigma) ** 2) / 2)
        bells.append(bell / bell.sum())
    wide = np.pad(x, ((2, 2), (1, 1), (0, 0)))
    expected = np.zeros_like(x)
    for i, j in np.ndindex(down, across):
        expected += bells[0][i] * bells[1][j] * wide[i : i + 5, j : j + 7]
    found = ops.image.gaussian_blur(x, (across, down), (0.8, 1.5))
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_the_width_of_a_blur_may_be_computed() -> None:
    x, sigma = RNG.normal(size=(1, 4, 5, 2)), np.array([0.8, 1.5])
    blur = lambda x, sigma: ops.image.gaussian_blur(x, (5, 3), sigma)  # noqa: E731
    for which, gradient in enumerate(traced(blur, x, sigma)[1:]):
        np.testing.assert_allclose(gradient, slope(blur, [x, sigma], which), atol=1e-7)


def test_patches_by_slices() -> None:
    found = host(ops.image.extract_patches(IMAGES, (2, 3), (1, 2)))
    for n, i, j in np.ndindex(found.shape[:3]):
        patch = IMAGES[n, i : i + 2, 2 * j : 2 * j + 3]
        np.testing.assert_array_equal(found[n, i, j], patch.ravel())
    x = keras.Input((4, 6, 3))
    assert ops.image.extract_patches(x, 2).shape == (None, 2, 3, 12)


def test_similar_images() -> None:
    near = np.clip(np.tile(IMAGES, (1, 3, 2, 1)) + 0.05, 0, 1)
    itself, other = (
        host(ops.image.ssim(np.tile(IMAGES, (1, 3, 2, 1)), y)) for y in (np.tile(IMAGES, (1, 3, 2, 1)), near)
    )
    np.testing.assert_allclose(itself, 1.0, atol=1e-6)
    assert (other < 1).all()
    assert (other > 0.8).all()


# --------------------------------------------------------------------------------------------------- mistakes

X, GREY = IMAGES, IMAGES[..., :1]
POINTS = np.zeros((4, 2), "float32")
MISTAKES: list[tuple[Any, type[Exception], str]] = [
    (lambda i: i.resize(X[0, 0], (2, 2)), ShapeError, r"resize takes an image, three dimensions, or several"),
    (
        lambda i: i.resize(X, 4),
        ValueError,
        r"resize: size is two positive ints\. Expected: \(height, width\)",
    ),
    (lambda i: i.resize(X, (4, 0)), ValueError, r"resize: size is two positive ints.*Received: \(4, 0\)"),
    (
        lambda i: i.resize(X, (4, 4), "bilinaer"),
        ValueError,
        r"interpolation must be one of .*Did you mean 'bilin",
    ),
    (
        lambda i: i.resize(X, (4, 4), fill_mode="wrap"),
        ValueError,
        r"resize: fill_mode must be one of constant",
    ),
    (
        lambda i: i.resize(X, (4, 4), crop_to_aspect_ratio=True, pad_to_aspect_ratio=True),
        ValueError,
        r"either crop_to_aspect_ratio or pad_to_aspect_ratio",
    ),
    (lambda i: i.resize(X, (4, 4), data_format="NHWC"), ValueError, r"resize: unknown data_format"),
    (
        lambda i: i.scale_and_translate(X, (2, 5, 7, 3), [1.0], [0.0], (1,), "area"),
        ValueError,
        r"method must be",
    ),
    (
        lambda i: i.scale_and_translate(X, (2, 5, 8, 3), [1.0], [0.0], (1,), "linear"),
        ShapeError,
        r"output_shape may differ along spatial_dims alone",
    ),
    (lambda i: i.affine_transform(X, np.ones((2, 6))), ShapeError, r"a transform of eight numbers"),
    (lambda i: i.affine_transform(X, np.ones((3, 8))), ShapeError, r"one row for each image\. Expected: 2"),
    (
        lambda i: i.affine_transform(X, np.ones(8), "bicubic"),
        ValueError,
        r"interpolation must be one of nearest",
    ),
    (lambda i: i.affine_transform(X, np.ones(8), fill_mode="reflct"), ValueError, r"Did you mean 'reflect'"),
    (lambda i: i.perspective_transform(X, POINTS, POINTS[:3]), ShapeError, r"four start_points"),
    (lambda i: i.map_coordinates(X, np.ones((3, 2)), 1), ShapeError, r"an array of places for each axis"),
    (lambda i: i.map_coordinates(X, np.ones((4, 2)), 3), ValueError, r"order must be 0 or 1\. Received: 3"),
    (lambda i: i.map_coordinates(X, np.ones((4, 2)), 1, "edge"), ValueError, r"fill_mode must be one of"),
    (lambda i: i.elastic_transform(X, sigma=0), ValueError, r"sigma must be a number above 0"),
    (lambda i: i.rgb_to_hsv(GREY), ShapeError, r"rgb_to_hsv needs three channels along axis 3"),
    (lambda i: i.rgb_to_hsv(np.ones((2, 2, 3), "uint8")), DTypeError, r"needs floating-point images"),
    (lambda i: i.hsv_to_rgb(X[0, 0]), ShapeError, r"hsv_to_rgb takes an image"),
    (lambda i: i.rgb_to_grayscale(X[..., :2]), ShapeError, r"three channels along axis 3, or one"),
    (lambda i: i.gaussian_blur(X, 3), ValueError, r"gaussian_blur: kernel_size is two positive ints"),
    (lambda i: i.ssim(X, X[0]), ShapeError, r"ssim compares images of one shape"),
    (
        lambda i: i.pad_images(X, 1, 1),
        ValueError,
        r"pad_images takes exactly two of top_padding, bottom_padding",
    ),
    (lambda i: i.pad_images(X, -1, 1, 1, 1), ValueError, r"top_padding must be an int, 0 or more"),
    (lambda i: i.pad_images(X, 1, 1, None, 1, 4), ShapeError, r"the images are larger than target_height"),
    (lambda i: i.crop_images(X, 1, 1, 1, 1, 1, 1), ValueError, r"exactly two of top_cropping"),
    (lambda i: i.crop_images(X, 3, 1, 3, 1), ShapeError, r"the images have too few rows"),
    (lambda i: i.extract_patches(X, 6), ShapeError, r"the patch is larger than the image"),
    (lambda i: i.extract_patches(X, 2, padding="full"), ValueError, r'padding must be "valid" or "same"'),
    (
        lambda i: i.extract_patches(X, (2, 0)),
        ValueError,
        r"extract_patches: size is a positive int, or 2 of them",
    ),
    (lambda i: i.extract_patches_3d(X[0, 0], 2), ShapeError, r"extract_patches_3d: wrong number of axes"),
]


@pytest.mark.parametrize("call, error, message", MISTAKES)
def test_mistakes(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(ops.image)


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match=r"gputrain has no operation 'resise'\. Did you mean 'resize'\?"):
        _ = ops.image.resise  # type: ignore[attr-defined]
    assert "resize" in dir(ops.image)
