"""The names of `gputrain.data.tabular` under their short path."""

from gputrain.data.tabular import *  # noqa: F403
from gputrain.data.tabular import __all__ as __all__
