"""The names of `gputrain.app.scripts` under their short path."""

from gputrain.app.scripts import *  # noqa: F403
from gputrain.app.scripts import __all__ as __all__
