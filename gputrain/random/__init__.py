"""Random arrays on the host, as `keras.random` has them, on counter-based Philox words.

`gputrain.random.philox` holds the words themselves and says how a draw is named.
"""

from gputrain.random.draws import categorical, normal, randint, shuffle, truncated_normal, uniform
from gputrain.random.seeds import SeedGenerator

__all__ = ["SeedGenerator", "categorical", "normal", "randint", "shuffle", "truncated_normal", "uniform"]
