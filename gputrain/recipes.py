"""The names of `gputrain.app.recipes` under their short path."""

from gputrain.app.recipes import *  # noqa: F403
from gputrain.app.recipes import __all__ as __all__
