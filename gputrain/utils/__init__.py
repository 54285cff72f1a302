"""Tools of all rooms, and what Keras users expect: `to_categorical`, `normalize`, `set_random_seed`."""

from gputrain.utils.numerical import (
    normalize,
    pack_x_y_sample_weight,
    set_random_seed,
    to_categorical,
    unpack_x_y_sample_weight,
)

__all__ = [
    "normalize",
    "pack_x_y_sample_weight",
    "set_random_seed",
    "to_categorical",
    "unpack_x_y_sample_weight",
]
