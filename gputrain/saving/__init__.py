"""Saving: what a training is made of, as one tree of named arrays and plain data."""

from typing import TYPE_CHECKING

from gputrain.names import public, stands_above
from gputrain.saving.state import set_state_tree, state_tree

if TYPE_CHECKING:
    from gputrain.saving.keras_format import load_model, load_weights, save_model, save_weights
    from gputrain.saving.transfer import TransferReport, transfer_weights
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

__all__ = [
    "CustomObjectScope",
    "TransferReport",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "load_model",
    "load_weights",
    "register_keras_serializable",
    "save_model",
    "save_weights",
    "serialize_keras_object",
    "set_state_tree",
    "state_tree",
    "transfer_weights",
]

_FILES = {"load_model", "load_weights", "save_model", "save_weights"}
_TRANSFER = {"TransferReport", "transfer_weights"}

stands_above(__name__, _FILES, "gputrain.saving.keras_format")
stands_above(__name__, _TRANSFER, "gputrain.saving.transfer")
stands_above(
    __name__,
    {*__all__} - _FILES - _TRANSFER - {"set_state_tree", "state_tree"},
    "gputrain.utils.custom_objects",
)

if not TYPE_CHECKING:  # for a type checker a name that is not there is an error
    __getattr__, __dir__ = public("function for saving", __name__, __all__)
