"""Tools of all rooms, and what Keras users expect: `to_categorical`, `set_random_seed`, `PyDataset` ..."""

from typing import TYPE_CHECKING, Any

from gputrain.names import clear_session, public, stands_above
from gputrain.utils.numerical import (
    PyDataset,
    Sequence,
    normalize,
    pack_x_y_sample_weight,
    set_random_seed,
    to_categorical,
    unpack_x_y_sample_weight,
)

if TYPE_CHECKING:
    from gputrain.utils.custom_objects import (
        CustomObjectScope,
        custom_object_scope,
        deserialize_keras_object,
        get_custom_objects,
        get_registered_name,
        get_registered_object,
        register_keras_serializable,
        serialize_keras_object,
    )
    from gputrain.utils.padding import pad_sequences

    get_file: Any  # these stand above this room
    is_keras_tensor: Any
    standardize_dtype: Any

__all__ = [
    "CustomObjectScope",
    "PyDataset",
    "Sequence",
    "clear_session",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_file",
    "get_registered_name",
    "get_registered_object",
    "is_keras_tensor",
    "normalize",
    "pack_x_y_sample_weight",
    "pad_sequences",
    "register_keras_serializable",
    "serialize_keras_object",
    "set_random_seed",
    "standardize_dtype",
    "to_categorical",
    "unpack_x_y_sample_weight",
]

_CUSTOM_OBJECTS = (
    *("CustomObjectScope", "custom_object_scope", "get_custom_objects", "get_registered_name"),
    *("get_registered_object", "register_keras_serializable"),
    *("deserialize_keras_object", "serialize_keras_object"),
)
stands_above(__name__, _CUSTOM_OBJECTS, "gputrain.utils.custom_objects")
stands_above(__name__, ("pad_sequences",), "gputrain.utils.padding")
stands_above(__name__, ("get_file",), "gputrain.data.io.cache")
stands_above(__name__, ("is_keras_tensor", "standardize_dtype"), "gputrain.backend.symbols")

if not TYPE_CHECKING:  # for a type checker a name that is not there is an error
    __getattr__, __dir__ = public("tool", __name__, __all__)
