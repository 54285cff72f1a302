"""Random arrays on the host, as `keras.random` has them, on counter-based Philox words.

`gputrain.random.philox` holds the words themselves and says how a draw is named.
"""

from typing import TYPE_CHECKING

from gputrain.names import public
from gputrain.random.draws import categorical, normal, randint, shuffle, truncated_normal, uniform
from gputrain.random.seeds import SeedGenerator

__all__ = ["SeedGenerator", "categorical", "normal", "randint", "shuffle", "truncated_normal", "uniform"]

if not TYPE_CHECKING:  # for a type checker a name that is not there is an error
    __getattr__, __dir__ = public("random function", __name__, __all__)
