"""Tools of all rooms, and what Keras users expect: `to_categorical`, `normalize`, `set_random_seed`."""

from gputrain.utils.numerical import normalize, set_random_seed, to_categorical

__all__ = ["normalize", "set_random_seed", "to_categorical"]
