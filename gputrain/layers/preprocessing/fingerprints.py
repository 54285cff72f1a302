"""Hashes of text that are the same everywhere: FarmHash's 64-bit fingerprint and SipHash.

Both work on all texts of one length at once, in NumPy's 64-bit words, which wrap around as the hashes want.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Words = np.ndarray  # uint64, one for each text
Factor = np.uint64 | np.ndarray
Key = tuple[int, int]

_K0, _K1, _K2 = map(np.uint64, (0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F))
_CROSS = np.uint64(0xC6A4A7935BD1E995)
CROSS_START = 0xDECAFCAFFE  # what TensorFlow begins the hash of a cross with


def fingerprints(texts: Sequence[bytes]) -> Words:
    """FarmHash's Fingerprint64 of each text, as uint64.

    Source:
        G. Pike, FarmHash, 2014 (github.com/google/farmhash), the hash called "na".

    Example:
        >>> hex(fingerprints([b"hello"])[0])
        '0xb48be5a931380ce8'
    """
    return _by_length(texts, _fingerprint)


def siphashes(texts: Sequence[bytes], key: Key) -> Words:
    """SipHash-2-4 of each text under a key of two 64-bit numbers, as uint64.

    Source:
        J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast short-input PRF", 2012.

    Example:
        >>> hex(siphashes([bytes(range(15))], (0x0706050403020100, 0x0F0E0D0C0B0A0908))[0])
        '0xa129ca6149be45e5'
    """
    return _by_length(texts, lambda rows: _siphash(rows, key))


def joined(first: Words, second: Words) -> Words:
    """The fingerprint of two fingerprints in a row, as TensorFlow joins them."""
    mixed = (first ^ _CROSS) ^ (_mixed(second * _CROSS) * _CROSS)
    return _mixed(_mixed(mixed * _CROSS) * _CROSS)


def _by_length(texts: Sequence[bytes], of_rows: Callable[[np.ndarray], Words]) -> Words:
    """The hashes of texts, computed for all those of one length (n, length) together."""
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    found = np.zeros(len(texts), np.uint64)
    for length in np.unique(lengths):
        places = np.flatnonzero(lengths == length)
        rows = np.frombuffer(b"".join(texts[int(i)] for i in places), np.uint8)
        found[places] = of_rows(rows.reshape(len(places), length))
    return found


def _word(rows: np.ndarray, start: int, size: int = 8) -> Words:
    """`size` bytes of each row from `start` on, the lowest first, as one number."""
    start += rows.shape[1] if start < 0 else 0
    part = np.zeros((len(rows), 8), np.uint8)
    part[:, :size] = rows[:, start : start + size]
    return part.view("<u8")[:, 0].astype(np.uint64)


def _turned(x: Words, bits: int) -> Words:
    """The bits turned to the right."""
    return (x >> np.uint64(bits)) | (x << np.uint64(64 - bits))


def _mixed(x: Words) -> Words:
    return x ^ (x >> np.uint64(47))


# ---------------------------------------------------------------------------------------------- fingerprints


def _of_two(u: Words, v: Words, factor: Factor) -> Words:
    """Two words as one."""
    a = _mixed((u ^ v) * factor)
    return _mixed((v ^ a) * factor) * factor


def _fingerprint(rows: np.ndarray) -> Words:
    """Of texts of one length."""
    length = rows.shape[1]
    if length == 0:
        return np.full(len(rows), _K2)
    if length < 8:
        return _up_to_7(rows)
    factor = np.uint64((int(_K2) + 2 * length) % 2**64)
    if length <= 16:
        a, b = _word(rows, 0) + _K2, _word(rows, -8)
        return _of_two(_turned(b, 37) * factor + a, (_turned(a, 25) + b) * factor, factor)
    if length <= 32:
        return _of_two(*_ends(rows, _word(rows, 0) * _K1, factor), factor)
    if length <= 64:
        return _33_to_64(rows, factor)
    return _long(rows)


def _up_to_7(rows: np.ndarray) -> Words:
    length = rows.shape[1]
    if length >= 4:
        factor = np.uint64((int(_K2) + 2 * length) % 2**64)
        first = np.uint64(length) + (_word(rows, 0, 4) << np.uint64(3))
        return _of_two(first, _word(rows, -4, 4), factor)
    first, middle, last = (_word(rows, place, 1) for place in (0, length // 2, -1))
    y, z = first + (middle << np.uint64(8)), np.uint64(length) + (last << np.uint64(2))
    return _mixed((y * _K2) ^ (z * _K0)) * _K2


def _ends(rows: np.ndarray, a: Words, factor: np.uint64) -> tuple[Words, Words]:
    """Two words of the first and last 16 bytes; `a` is the first word, multiplied."""
    b, c, d = _word(rows, 8), _word(rows, -8) * factor, _word(rows, -16) * _K2
    return _turned(a + b, 43) + _turned(c, 30) + d, a + _turned(b + _K2, 18) + c


def _33_to_64(rows: np.ndarray, factor: np.uint64) -> Words:
    a = _word(rows, 0) * _K2
    y, rest = _ends(rows, a, factor)
    z = _of_two(y, rest, factor)
    e, f = _word(rows, 16) * factor, _word(rows, 24)
    g, h = (y + _word(rows, -32)) * factor, (z + _word(rows, -24)) * factor
    return _of_two(_turned(e + f, 43) + _turned(g, 30) + h, e + _turned(f + a, 18) + g, factor)


def _two_of_32(rows: np.ndarray, start: int, a: Words, b: Words) -> tuple[Words, Words]:
    """Two words of the 32 bytes from `start` on, and two words."""
    w, x, y, z = (_word(rows, start + 8 * i) for i in range(4))
    a = a + w
    b = _turned(b + a + z, 21)
    whole = a + x + y
    return whole + z, b + _turned(whole, 44) + a


def _long(rows: np.ndarray) -> Words:
    """Of texts of more than 64 bytes: blocks of 64, then the last 64 bytes."""
    length, zero = rows.shape[1], np.zeros(len(rows), np.uint64)
    seed = np.full(len(rows), 81, np.uint64)
    x, y = seed * _K2 + _word(rows, 0), seed * _K1 + np.uint64(113)
    z = _mixed(y * _K2 + np.uint64(113)) * _K2
    state = x, y, z, (zero, zero), (zero, zero)
    for start in range(0, (length - 1) // 64 * 64, 64):
        state = _block(rows, start, state, _K1, np.uint64(1))
    x, y, z, v, w = state
    factor = _K1 + ((z & np.uint64(0xFF)) << np.uint64(1))
    w = w[0] + np.uint64((length - 1) & 63), w[1]
    v = v[0] + w[0], v[1]
    w = w[0] + v[0], w[1]
    x, y, z, v, w = _block(rows, length - 64, (x, y, z, v, w), factor, np.uint64(9))
    first = _of_two(v[0], w[0], factor) + _mixed(y) * _K0 + z
    return _of_two(first, _of_two(v[1], w[1], factor) + x, factor)


def _block(rows: np.ndarray, start: int, state: tuple, factor: Factor, weight: np.uint64) -> tuple:
    """The state (x, y, z, v, w) after the 64 bytes from `start` on; x and z change places."""
    x, y, z, v, w = state
    x = _turned(x + y + v[0] + _word(rows, start + 8), 37) * factor
    y = _turned(y + v[1] + _word(rows, start + 48), 42) * factor
    x = x ^ (w[1] * weight)
    y = y + v[0] * weight + _word(rows, start + 40)
    z = _turned(z + w[0], 33) * factor
    v = _two_of_32(rows, start, v[1] * factor, x + w[0])
    w = _two_of_32(rows, start + 32, z + w[1], y + _word(rows, start + 16))
    return z, y, x, v, w


# ------------------------------------------------------------------------------------------------- SipHash


def _siphash(rows: np.ndarray, key: Key) -> Words:
    """Of texts of one length."""
    count, length = rows.shape
    begin = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
    state = [np.full(count, part ^ (key[i % 2] % 2**64), np.uint64) for i, part in enumerate(begin)]
    for start in range(0, length - 7, 8):
        _absorb(state, _word(rows, start))
    tail = length % 8
    last = _word(rows, length - tail, tail) if tail else np.zeros(count, np.uint64)
    _absorb(state, last | np.uint64((length % 256) << 56))
    state[2] = state[2] ^ np.uint64(0xFF)
    for _ in range(4):
        _round(state)
    return state[0] ^ state[1] ^ state[2] ^ state[3]


def _absorb(state: list[Words], word: Words) -> None:
    state[3] = state[3] ^ word
    _round(state)
    _round(state)
    state[0] = state[0] ^ word


def _round(state: list[Words]) -> None:
    """One SipRound; turns are to the left, as the paper has them."""
    a, b, c, d = state
    a, c = a + b, c + d
    b, d = _turned(b, 64 - 13) ^ a, _turned(d, 64 - 16) ^ c
    a = _turned(a, 32)
    c, a = c + b, a + d
    b, d = _turned(b, 64 - 17) ^ c, _turned(d, 64 - 21) ^ a
    state[:] = a, b, _turned(c, 32), d
