"""The names of `gputrain.app.reporting` under their short path."""

from gputrain.app.reporting import *  # noqa: F403
from gputrain.app.reporting import __all__ as __all__
