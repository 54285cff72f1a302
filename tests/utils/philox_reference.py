"""Philox 4x64-10 in Python integers, from the paper (Salmon et al., SC 2011); slow and independent."""

MASK = 2**64 - 1
MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
WEYL = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)


def block(counter, key):
    """Return the four words of one counter (four words, lowest first) under one key (two words)."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        p0, p1 = MULTIPLIERS[0] * c0, MULTIPLIERS[1] * c2
        c0, c1, c2, c3 = (p1 >> 64) ^ c1 ^ k0, p1 & MASK, (p0 >> 64) ^ c3 ^ k1, p0 & MASK
        k0, k1 = (k0 + WEYL[0]) & MASK, (k1 + WEYL[1]) & MASK
    return [c0, c1, c2, c3]


def words(seed, stream, step, count, rank):
    """Return the first `count` words of one draw."""
    blocks = [block((b, 0, step, rank), (seed, stream)) for b in range(-(-count // 4))]
    return [word for four in blocks for word in four][:count]
