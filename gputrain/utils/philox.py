"""Random words by counter: Philox 4x64-10, the same on every device.

A draw is named, not remembered: (seed, stream, step, rank) say which words come out, so a resumed run draws
what the uninterrupted one would have, and a mask can be drawn on the CPU or the GPU alike.

- The key is (seed, stream), two 64-bit words.
- Block b of a draw is Philox4x64-10 of the counter words (b, 0, step, rank), the first being the least
  significant, and yields four 64-bit words in order.
- 16-bit lanes are taken from each word lowest first.

On the host the words come from `numpy.random.Philox.random_raw`, whose output is fixed by the algorithm;
NumPy's `Generator` is not used, because its methods may change between versions.

Source: J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gputrain import config

WORDS_PER_CHUNK = 4096
LANES_PER_WORD = 4
LANE_VALUES = 65536

_WORD_VALUES = 2**64
_COUNTER_VALUES = 2**256


def words(seed: int, stream: int, step: int, count: int, rank: int = 0) -> NDArray[np.uint64]:
    """Return the first `count` words of one draw.

    Args:
        seed: the run's seed, 0 to 2**64 - 1.
        stream: which consumer draws, as `stream_id` gives it, 0 to 2**64 - 1.
        step: how many draws that consumer made before, 0 to 2**64 - 1.
        count: number of words, >= 0.
        rank: which process draws, when several train together, 0 to 2**64 - 1.

    Returns:
        uint64, shape (count,).

    Raises:
        ValueError: an argument out of its range.

    Example:
        >>> hex(words(0, 0, 0, 4)[0])
        '0x16554d9eca36314c'
    """
    if count < 0:
        raise ValueError(f"gputrain.random.philox.words: count must be >= 0. Received {count!r}.")
    drawn: NDArray[np.uint64] = bit_stream(seed, stream, step, rank).random_raw(count)
    return drawn


def fill_lanes(out: NDArray[np.uint16], seed: int, stream: int, step: int, rank: int = 0) -> None:
    """Fill `out` with the 16-bit lanes of one draw, allocating at most 32 KiB at a time.

    Args:
        out: uint16, shape (n,), contiguous; lane i is bits 16*(i % 4) and up of word i // 4.
        seed, stream, step, rank: as in `words`.

    Raises:
        ValueError: `out` has another dtype or shape, or is not contiguous, or a number is out of its range.
    """
    if out.dtype != np.uint16 or out.ndim != 1 or not out.flags.c_contiguous:
        raise ValueError(
            "gputrain.random.philox.fill_lanes: out must be a contiguous 1-D uint16 array. "
            f"Received {out.dtype} of shape {out.shape}, strides {out.strides}. Pass out.reshape(-1)."
        )
    source = bit_stream(seed, stream, step, rank)
    lanes_per_chunk = WORDS_PER_CHUNK * LANES_PER_WORD
    for start in range(0, out.size, lanes_per_chunk):
        part = out[start : start + lanes_per_chunk]
        chunk = source.random_raw(-(-part.size // LANES_PER_WORD))
        part[:] = chunk.astype("<u8", copy=False).view("<u2")[: part.size]


def keep_threshold(rate: float) -> tuple[int, float]:
    """Return (k, scale) for dropping a share `rate` of elements: keep where lane < k, times scale.

    k = round((1 - rate) * 65536) and scale = 65536 / k, so that the mean is kept exactly. A rate that keeps
    nothing gives (0, 0.0).

    Raises:
        ValueError: rate is not between 0 and 1.

    Example:
        >>> keep_threshold(0.25)
        (49152, 1.3333333333333333)
    """
    if not 0.0 <= rate <= 1.0:
        raise ValueError(f"A dropout rate must be from 0 to 1. Received {rate!r}.")
    k = round((1.0 - rate) * LANE_VALUES)
    return k, (LANE_VALUES / k if k else 0.0)


def stream_id(path: str) -> int:
    """Return the 64-bit stream id of a consumer, from its path in the model (BLAKE2b of the text).

    Example:
        >>> stream_id("sequential/dropout") == stream_id("sequential/dropout")
        True
    """
    import hashlib  # which loads OpenSSL, for those who draw

    digest = hashlib.blake2b(path.encode("utf-8"), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def next_stream() -> int:
    """Return a fresh stream id for a draw on the host that has no seed of its own.

    The ids follow from how many such draws were made since `set_seed`; use them for initial weights and the
    like only, never for what a model draws in training.
    """
    return stream_id(f"draw/{config.next_draw()}")


def permutation(n: int, seed: int, stream: int, step: int) -> NDArray[np.int64]:
    """Return a permutation of 0 .. n-1: the stable argsort of n words.

    Returns:
        int64, shape (n,).
    """
    return np.argsort(words(seed, stream, step, n), kind="stable").astype(np.int64, copy=False)


def uniform64(raw: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Turn words into float64 in [0, 1): the upper 53 bits of each, times 2**-53. Same shape."""
    return (raw >> np.uint64(11)).astype(np.float64) * np.float64(2.0**-53)


def uniform32(raw: NDArray[np.uint64]) -> NDArray[np.float32]:
    """Turn words into float32 in [0, 1), two from each, lower half first: upper 24 bits, times 2**-24.

    Args:
        raw: uint64, shape (n,).

    Returns:
        float32, shape (2 * n,).
    """
    halves = raw.astype("<u8", copy=False).view("<u4")
    return (halves >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)


def normal64(raw: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Turn pairs of words into pairs of standard normal float64, by the Box-Muller formula.

    With u = (upper 53 bits of word 2i, plus 1) / 2**53 in (0, 1] and v = upper 53 bits of word 2i+1 / 2**53:
    element 2i is sqrt(-2 ln u) cos(2 pi v), element 2i+1 is sqrt(-2 ln u) sin(2 pi v).

    Source: G. Box, M. Muller, "A note on the generation of random normal deviates", 1958.

    Args:
        raw: uint64, shape (n,), n even.

    Returns:
        float64, shape (n,).
    """
    radius = np.sqrt(-2.0 * np.log(uniform64(raw[0::2]) + 2.0**-53))
    angle = (2.0 * np.pi) * uniform64(raw[1::2])
    out = np.empty(raw.shape, np.float64)
    np.multiply(radius, np.cos(angle), out=out[0::2])
    np.multiply(radius, np.sin(angle), out=out[1::2])
    return out


def bit_stream(seed: int, stream: int, step: int, rank: int = 0, block: int = 0) -> Any:
    """The bit generator at a block of one draw; its `random_raw(n)` gives the next words."""
    for name, value in (("seed", seed), ("stream", stream), ("step", step), ("rank", rank)):
        if not 0 <= value < _WORD_VALUES:
            raise ValueError(f"Philox: {name} must be from 0 to 2**64 - 1. Received {value!r}.")
    counter = (int(rank) << 192) | (int(step) << 128) | int(block)
    key = int(seed) | (int(stream) << 64)
    # NumPy adds one to the counter before its first block.
    return np.random.Philox(counter=(counter - 1) % _COUNTER_VALUES, key=key)
