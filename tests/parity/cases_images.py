"""Sizes and places of pixels."""

from __future__ import annotations

from typing import Any

from tests.parity.cases_functions import op
from tests.parity.cases_layers import drawn, layer
from tests.parity.table import Case, copies, given, real, whole


def transformed(name: str, *inputs: Any, transformation: Any, **arguments: Any) -> Case:
    """A layer that draws in training, with what it would draw given."""
    return Case("transformation", f"layers.{name}", inputs, arguments, {"transformation": transformation})


IMAGE, FIRST, SINGLE = real(2, 6, 9, 3), real(2, 3, 6, 9), real(6, 9, 3)
BYTES = whole(2, 5, 9, 3, below=256, dtype="uint8")
METHODS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
FILL_MODES = ("constant", "nearest", "wrap", "mirror", "reflect")
# No place is a whole number: there, slopes jump. No mean of bytes is halfway between two: rounding decides.
TURNED = [1.1037, 0.2113, -0.7071, -0.1529, 0.9241, 1.3389, 0.0, 0.0]
AFFINE = [TURNED, [0.6173, -0.4127, 2.7313, 0.3541, 0.8219, -2.3117, 0.0, 0.0]]
CORNERS = [[0.13, 0.21], [7.89, 0.17], [0.31, 4.87], [8.23, 5.11]]
MOVED = [[0.57, -0.43], [7.11, 1.03], [-1.07, 5.09], [8.59, 4.13]]
START, END = given([CORNERS, MOVED]), given([MOVED, CORNERS])
# Errors of the places read at, which Keras finds by solving equations, are multiplied by slopes of images.
SOLVED = {"output": 1e-4, "gradient": 5e-4}


def solved(*inputs: Any, **arguments: Any) -> Case:
    return Case("function", "ops.image.perspective_transform", inputs, arguments, {}, SOLVED)


RESIZE = [
    *(
        op("image.resize", IMAGE, size=size, interpolation=method, antialias=antialias)
        for method in METHODS
        for size in ((4, 5), (13, 20), (3, 18))
        for antialias in (False, True)
    ),
    *(
        op("image.resize", FIRST, size=(4, 11), interpolation=m, data_format="channels_first")
        for m in METHODS
    ),
    *(op("image.resize", BYTES, size=(7, 5), interpolation=m) for m in METHODS),
    op("image.resize", SINGLE, size=(3, 3), antialias=True),
    op("image.resize", IMAGE, size=(6, 9)),
    op("image.resize", IMAGE, size=(1, 1)),
    op("image.resize", real(2, 1, 1, 3), size=(3, 2), interpolation="bicubic"),
    *(
        op("image.resize", IMAGE, size=size, **how)
        for size in ((4, 4), (3, 12))
        for how in (
            {"crop_to_aspect_ratio": True},
            {"pad_to_aspect_ratio": True, "fill_value": 0.5},
        )
    ),
    op("image.resize", SINGLE, size=(4, 4), pad_to_aspect_ratio=True, interpolation="nearest"),
    *(
        op(
            "image.scale_and_translate",
            IMAGE,
            output_shape=(2, 5, 7, 3),
            scale=[0.8, 1.3],
            translation=[0.5, -1.2],
            spatial_dims=(1, 2),
            method=method,
            antialias=antialias,
        )
        for method in ("linear", "cubic", "lanczos3", "lanczos5")
        for antialias in (True, False)
    ),
]
SAMPLED = [
    *(
        op(
            "image.affine_transform",
            IMAGE,
            transform=AFFINE,
            interpolation=interpolation,
            fill_mode=fill_mode,
            fill_value=0.5,
        )
        for interpolation in ("nearest", "bilinear")
        for fill_mode in FILL_MODES
    ),
    op("image.affine_transform", FIRST, transform=AFFINE, data_format="channels_first"),
    op("image.affine_transform", SINGLE, transform=TURNED, fill_mode="reflect"),
    op("image.affine_transform", BYTES, transform=AFFINE, fill_mode="nearest"),
    *(solved(IMAGE, START, END, interpolation=how, fill_value=0.2) for how in ("nearest", "bilinear")),
    solved(FIRST, START, END, data_format="channels_first"),
    solved(SINGLE, given(CORNERS), given(MOVED)),
    *(
        op(
            "image.map_coordinates",
            real(6, 9),
            real(2, 4, 5, low=-7, high=12),
            order=order,
            fill_mode=fill_mode,
        )
        for order in (0, 1)
        for fill_mode in FILL_MODES
    ),
    op("image.map_coordinates", real(7), real(1, 9, low=-2, high=8), order=1, fill_value=2.5),
    op("image.map_coordinates", real(3, 4, 5), real(3, 6, low=-1, high=4), order=1, fill_mode="nearest"),
    op("image.map_coordinates", whole(6, 9, below=200), real(2, 20, low=-2, high=8), order=1, fill_value=7),
]
NEIGHBOURS = [
    op("image.gaussian_blur", IMAGE, data_format="channels_last"),
    op("image.gaussian_blur", IMAGE, kernel_size=(3, 5), sigma=(1.0, 2.0), data_format="channels_last"),
    op("image.gaussian_blur", IMAGE, kernel_size=(4, 2), sigma=(0.7, 1.5), data_format="channels_last"),
    op("image.gaussian_blur", FIRST, kernel_size=(3, 5), sigma=(1.0, 2.0), data_format="channels_first"),
    op("image.gaussian_blur", SINGLE, data_format="channels_last"),
    op("image.sobel_edges", IMAGE),
    op("image.sobel_edges", FIRST, data_format="channels_first"),
    op("image.ssim", real(2, 12, 14, 3, low=0, high=1), real(2, 12, 14, 3, low=0, high=1)),
    op("image.ssim", real(9, 8, 1, low=0, high=1), real(9, 8, 1, low=0, high=1), filter_size=5, max_val=2.0),
    op(
        "image.ssim",
        real(2, 2, 9, 8, low=0, high=1),
        real(2, 2, 9, 8, low=0, high=1),
        filter_size=7,
        filter_sigma=1.0,
        k1=0.02,
        k2=0.05,
        data_format="channels_first",
    ),
]
PARTS = [
    op("image.pad_images", IMAGE, top_padding=1, left_padding=2, target_height=9, right_padding=0),
    op("image.pad_images", SINGLE, bottom_padding=2, target_width=13, target_height=11, right_padding=1),
    op(
        "image.pad_images",
        FIRST,
        top_padding=1,
        left_padding=2,
        bottom_padding=3,
        right_padding=4,
        data_format="channels_first",
    ),
    op("image.crop_images", IMAGE, top_cropping=1, left_cropping=2, target_height=4, target_width=3),
    op("image.crop_images", SINGLE, bottom_cropping=2, right_cropping=1, target_height=3, left_cropping=4),
    op("image.extract_patches", IMAGE, size=3),
    op("image.extract_patches", IMAGE, size=(2, 3), padding="same"),
    op("image.extract_patches", IMAGE, size=(4, 2), padding="same"),
    op("image.extract_patches", IMAGE, size=3, strides=(1, 2)),
    op("image.extract_patches", IMAGE, size=2, strides=1, dilation_rate=2, padding="same"),
    op("image.extract_patches", FIRST, size=2, strides=2, data_format="channels_first"),
    op("image.extract_patches", SINGLE, size=(2, 3), strides=1),
    op("image.extract_patches", real(2, 5, 6, 4, 2), size=(2, 3, 1), strides=(1, 2, 1)),
    op("image.extract_patches_3d", real(2, 5, 6, 4, 2), size=2, padding="same"),
    op("image.extract_patches_3d", real(5, 6, 4, 2), size=(2, 1, 3), strides=1),
]
RESIZING = [
    *(layer("Resizing", IMAGE, height=4, width=12, interpolation=method) for method in METHODS),
    layer("Resizing", IMAGE, height=4, width=4, antialias=True),
    layer("Resizing", IMAGE, height=4, width=4, crop_to_aspect_ratio=True),
    layer("Resizing", IMAGE, height=4, width=4, pad_to_aspect_ratio=True, fill_value=1.5),
    layer("Resizing", FIRST, height=3, width=10, data_format="channels_first", interpolation="bicubic"),
    layer("CenterCrop", IMAGE, height=6, width=9),
    layer("CenterCrop", IMAGE, height=8, width=5),
    layer("CenterCrop", IMAGE, height=3, width=12),
    layer("CenterCrop", FIRST, height=12, width=9, data_format="channels_first"),
    *(layer("UpSampling2D", IMAGE, interpolation=method) for method in METHODS),
    layer("UpSampling2D", IMAGE, size=(3, 1), interpolation="bilinear"),
    layer("UpSampling2D", FIRST, size=(1, 4), interpolation="bicubic", data_format="channels_first"),
]
PLACES = [
    *(
        layer("RandomRotation", IMAGE, training=True, factor=(0.1, 0.1), fill_mode=fill_mode, fill_value=0.5)
        for fill_mode in ("reflect", "wrap", "constant", "nearest")
    ),
    layer("RandomRotation", IMAGE, training=True, factor=(-0.3, -0.3), interpolation="nearest"),
    layer("RandomRotation", FIRST, training=True, factor=(0.2, 0.2), data_format="channels_first"),
    layer("RandomRotation", IMAGE, training=False, factor=0.4, seed=3),
    layer("RandomZoom", IMAGE, training=True, height_factor=(0.3, 0.3)),
    layer("RandomZoom", IMAGE, training=True, height_factor=(-0.4, -0.4), width_factor=(0.2, 0.2)),
    layer("RandomZoom", FIRST, training=True, height_factor=(0.3, 0.3), data_format="channels_first"),
    layer("RandomZoom", IMAGE, training=True, height_factor=(0.5, 0.5), fill_mode="constant", fill_value=2.0),
    layer("RandomZoom", IMAGE, training=True, height_factor=(0.3, 0.3), interpolation="nearest"),
    layer("RandomZoom", IMAGE, training=False, height_factor=0.2),
    *(
        layer(
            "RandomTranslation",
            IMAGE,
            training=True,
            height_factor=(0.21, 0.21),
            width_factor=(-0.31, -0.31),
            fill_mode=fill_mode,
            fill_value=-1.0,
        )
        for fill_mode in ("reflect", "wrap", "constant", "nearest")
    ),
    layer("RandomTranslation", IMAGE, training=False, height_factor=0.2, width_factor=0.1),
    layer(
        "RandomTranslation",
        FIRST,
        training=True,
        height_factor=(-0.4, -0.4),
        width_factor=(0.1, 0.1),
        data_format="channels_first",
        interpolation="nearest",
    ),
    layer("RandomShear", IMAGE, training=False, x_factor=(0.1, 0.2), y_factor=(0.0, 0.3), seed=4),
    layer("RandomPerspective", IMAGE, training=False, factor=0.5, scale=0.4, fill_value=1.0),
    layer("RandomElasticTransform", IMAGE, training=False, factor=(0.2, 0.5), scale=0.4, value_range=(0, 1)),
    layer("RandomElasticTransform", IMAGE, training=True, factor=0.0),
]
ANGLES = [[0.0, 1.0, 8.0, -1.0, 0.0, 5.0, 0.0, 0.0], [0.8, -0.6, 1.0, 0.6, 0.8, -2.0, 0.0, 0.0]]
TWO_FLIPS = {"flips": [[[[True]]], [[[False]]]]}
TRANSFORMED = [
    transformed("RandomRotation", IMAGE, factor=0.1, transformation={"rotation_matrix": ANGLES}),
    transformed(
        "RandomZoom",
        IMAGE,
        height_factor=0.1,
        transformation={"height_zoom": [[0.7], [1.2]], "width_zoom": [[1.4], [0.9]]},
    ),
    transformed(
        "RandomTranslation",
        IMAGE,
        height_factor=0.1,
        width_factor=0.1,
        fill_mode="wrap",
        transformation={"translations": [[1.25, -2.5], [0.0, 30.25]]},
    ),
    transformed(
        "RandomShear",
        IMAGE,
        x_factor=(0.1, 0.2),
        transformation={"shear_factor": [[0.3, -0.2], [-0.45, 0.1]]},
    ),
    Case(
        "transformation",
        "layers.RandomPerspective",
        (IMAGE,),
        {"scale": 0.3, "fill_value": 0.5},
        {
            "transformation": {
                "apply_perspective": [True, False],
                "start_points": [CORNERS, CORNERS],
                "end_points": [MOVED, MOVED],
            }
        },
        SOLVED,
    ),
    *(
        transformed("RandomFlip", IMAGE, mode=mode, transformation=TWO_FLIPS)
        for mode in ("horizontal", "vertical", "horizontal_and_vertical")
    ),
    transformed("RandomCrop", IMAGE, height=3, width=4, seed=1, transformation=(2, 5)),
    transformed(
        "RandomBrightness", IMAGE, factor=0.2, transformation={"rgb_delta": [[[[0.75]]], [[[-0.5]]]]}
    ),
    transformed(
        "RandomContrast",
        IMAGE,
        factor=(0.2, 0.5),
        value_range=(-1, 1),
        transformation={"contrast_factor": [[[[0.75]]], [[[1.5]]]]},
    ),
]
MANY = 4000
TILTED = [[[0.0], [3.0], [1.0]], [[5.0], [2.0], [8.0]], [[4.0], [7.0], [6.0]]]
DRAWN = [
    drawn("RandomRotation", copies(MANY, TILTED), factor=0.2),
    drawn("RandomRotation", copies(MANY, TILTED), factor=(0.1, 0.3), fill_mode="constant", fill_value=-3.0),
    drawn("RandomZoom", copies(MANY, TILTED), height_factor=0.4),
    drawn("RandomZoom", copies(MANY, TILTED), height_factor=(0.1, 0.3), width_factor=(-0.5, 0.5)),
    drawn("RandomTranslation", copies(MANY, TILTED), height_factor=0.4, width_factor=(0.0, 0.3)),
    drawn("RandomFlip", copies(MANY, TILTED), mode="horizontal"),
    drawn("RandomPerspective", copies(MANY, TILTED), scale=0.8),
    drawn("RandomPerspective", copies(MANY, TILTED), factor=(1, 1), scale=0.5, fill_value=1.0),
    drawn("RandomShear", copies(MANY, TILTED), x_factor=(0.2, 0.6), y_factor=(0.0, 0.3)),
]
CASES: list[Case] = [
    *RESIZE,
    *SAMPLED,
    *NEIGHBOURS,
    *PARTS,
    *RESIZING,
    *PLACES,
    *TRANSFORMED,
    *DRAWN,
]
