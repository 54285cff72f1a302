"""Models: Sequential, functional and subclassed; the programs of their steps; training."""

from typing import TYPE_CHECKING

from gputrain.models.model import Functional, Model
from gputrain.models.sequential import Sequential
from gputrain.names import public, stands_above

if TYPE_CHECKING:
    from gputrain.models.cloning import clone_model, model_from_json
    from gputrain.saving import load_model, save_model

__all__ = ["Functional", "Model", "Sequential", "clone_model", "load_model", "model_from_json", "save_model"]

stands_above(__name__, ("clone_model", "model_from_json"), "gputrain.models.cloning")
stands_above(__name__, ("load_model", "save_model"), "gputrain.saving.keras_format")

if not TYPE_CHECKING:  # for a type checker a name that is not there is an error
    __getattr__, __dir__ = public("", __name__, __all__)
