"""The operations that Keras has in `keras.ops.image`."""

from typing import TYPE_CHECKING

from gputrain.names import public, stands_above

# Compositions of other operations, by the module that has them; imported when one is asked for.
_HOMES = {
    "derived_colours": "hsv_to_rgb rgb_to_grayscale rgb_to_hsv",
    "derived_neighbours": "gaussian_blur sobel_edges ssim",
    "derived_patches": "crop_images extract_patches extract_patches_3d pad_images",
    "derived_resizing": "resize scale_and_translate",
    "derived_sampling": "affine_transform elastic_transform map_coordinates perspective_transform",
}
__all__ = " ".join(_HOMES.values()).split()

for _module, _names in _HOMES.items():
    stands_above(__name__, _names.split(), f"gputrain.ops.{_module}")

if not TYPE_CHECKING:  # for a type checker a name that is not there is an error
    __getattr__, __dir__ = public("operation", __name__, __all__)
