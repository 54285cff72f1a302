"""Where a draw on the host takes its words from: an int, a SeedGenerator, or the global seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gputrain import config
from gputrain.utils import philox

_INT_STREAM = philox.stream_id("gputrain.random")
_GENERATOR_STREAM = philox.stream_id("gputrain.random.SeedGenerator")


@dataclass(frozen=True)
class Draw:
    """The name of one draw: seed, stream and step of its Philox words."""

    seed: int
    stream: int
    step: int = 0

    def words(self, count: int) -> NDArray[np.uint64]:
        """Return the first `count` words of this draw, uint64, shape (count,)."""
        return philox.words(self.seed, self.stream, self.step, count)


class SeedGenerator:
    """A seed that gives new values at each use, and the same sequence of values in each run.

    Args:
        seed: an integer from 0 to 2**64 - 1; None takes one from the global seed.
        name: kept for reading only.

    Example:
        >>> seeds = SeedGenerator(seed=1)
        >>> a, b = normal((2,), seed=seeds), normal((2,), seed=seeds)  # a and b differ
    """

    def __init__(self, seed: int | None = None, name: str | None = None) -> None:
        if seed is None:
            seed = int(philox.words(config.seed(), philox.next_stream(), 0, 1)[0] >> np.uint64(32))
        self.seed = check_seed(seed, "SeedGenerator")
        self.name = name or "seed_generator"
        self._step = 0

    @property
    def state(self) -> NDArray[np.uint64]:
        """The seed and the number of draws made so far, uint64, shape (2,)."""
        return np.array([self.seed, self._step], np.uint64)

    def set_state(self, state: Any) -> None:
        """Go on from `state`, as `state` gave it: (seed, number of draws)."""
        seed, step = (int(word) for word in state)
        self.seed, self._step = check_seed(seed, "SeedGenerator.set_state"), step

    def next(self) -> Draw:
        """Return the name of the next draw."""
        draw = Draw(self.seed, _GENERATOR_STREAM, self._step)
        self._step += 1
        return draw

    def get_config(self) -> dict[str, Any]:
        """Return {"seed": int}."""
        return {"seed": self.seed}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SeedGenerator:
        """Return a generator at its first draw."""
        return cls(**config)


Seed = int | SeedGenerator | None


def next_draw(seed: Seed, where: str) -> Draw:
    """Return the draw that `seed` stands for.

    Args:
        seed: an int names one draw for good; a SeedGenerator gives its next; None is the next of all.
        where: who asks, for the error.

    Raises:
        ValueError: `seed` is none of these.
    """
    if seed is None:
        return Draw(config.seed(), philox.next_stream())
    if isinstance(seed, SeedGenerator):
        return seed.next()
    return Draw(check_seed(seed, where), _INT_STREAM)


def check_seed(seed: Any, where: str) -> int:
    """Return `seed` as an int from 0 to 2**64 - 1, or raise a ValueError that names `where`."""
    if not isinstance(seed, bool) and hasattr(seed, "__index__") and 0 <= seed.__index__() < 2**64:
        return int(seed.__index__())
    raise ValueError(
        f"{where}: seed must be an integer from 0 to 2**64 - 1, a SeedGenerator or None. Received {seed!r}."
    )
