"""Tools of all rooms, and what Keras users expect: `to_categorical`, `set_random_seed`, `PyDataset` ..."""

from gputrain.utils.numerical import (
    PyDataset,
    Sequence,
    normalize,
    pack_x_y_sample_weight,
    set_random_seed,
    to_categorical,
    unpack_x_y_sample_weight,
)

__all__ = [
    "PyDataset",
    "Sequence",
    "normalize",
    "pack_x_y_sample_weight",
    "set_random_seed",
    "to_categorical",
    "unpack_x_y_sample_weight",
]
