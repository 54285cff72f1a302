"""Words, lanes and streams against a Philox written from the paper."""

import importlib.util
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from gputrain import config
from gputrain.utils import philox

_spec = importlib.util.spec_from_file_location(
    "philox_reference", Path(__file__).with_name("philox_reference.py")
)
reference = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(reference)

VECTOR = [0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B]
TOP = 2**64 - 1


def test_published_vector():
    assert reference.block((0, 0, 0, 0), (0, 0)) == VECTOR
    assert philox.words(0, 0, 0, 4).tolist() == VECTOR


@pytest.mark.parametrize(
    ("seed", "stream", "step", "rank"),
    [(0, 0, 0, 0), (1, 2, 3, 4), (TOP, TOP, TOP, TOP), (7, 0, 0, 1), (0, 9, 1, 0), (5, TOP, 0, 0)],
)
@pytest.mark.parametrize("count", [0, 1, 4, 5, 41])
def test_words(seed, stream, step, rank, count):
    found = philox.words(seed, stream, step, count, rank)
    assert found.dtype == np.uint64
    assert found.tolist() == reference.words(seed, stream, step, count, rank)


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 130])
def test_lanes_are_taken_lowest_first(count):
    out = np.full(count, 0xDEAD, np.uint16)
    philox.fill_lanes(out, 3, 5, 7, 11)
    whole = reference.words(3, 5, 7, -(-count // 4), 11)
    assert out.tolist() == [(word >> shift) & 0xFFFF for word in whole for shift in (0, 16, 32, 48)][:count]


@pytest.mark.parametrize("extra", [-1, 0, 1, 16384])
def test_lanes_go_on_over_chunks(extra):
    count = 2 * philox.WORDS_PER_CHUNK * philox.LANES_PER_WORD + extra
    out = np.empty(count, np.uint16)
    philox.fill_lanes(out, 1, 2, 3)
    expected = philox.words(1, 2, 3, -(-count // 4)).astype("<u8").view("<u2")[:count]
    np.testing.assert_array_equal(out, expected)


def test_lanes_allocate_little():
    out = np.empty(300_000, np.uint16)
    philox.fill_lanes(out, 1, 2, 3)
    tracemalloc.start()
    philox.fill_lanes(out, 1, 2, 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * 32768 + 8192  # one chunk is let go when the next has come


@pytest.mark.parametrize(
    "out", [np.empty(4, np.int16), np.empty((2, 2), np.uint16), np.empty(8, np.uint16)[::2]]
)
def test_lanes_refuse_other_arrays(out):
    with pytest.raises(ValueError, match=r"fill_lanes: out must be a contiguous 1-D uint16 array\. Received"):
        philox.fill_lanes(out, 1, 2, 3)


@pytest.mark.parametrize("name", ["seed", "stream", "step", "rank"])
@pytest.mark.parametrize("value", [-1, 2**64])
def test_numbers_out_of_range(name, value):
    arguments = {"seed": 0, "stream": 0, "step": 0, "rank": 0, name: value}
    with pytest.raises(ValueError, match=rf"Philox: {name} must be from 0 to 2\*\*64 - 1\. Received {value}"):
        philox.words(count=1, **arguments)


def test_negative_count():
    with pytest.raises(ValueError, match="count must be >= 0"):
        philox.words(0, 0, 0, -1)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.25, 0.5, 0.9, 0.999])
def test_keep_threshold(rate):
    k, scale = philox.keep_threshold(rate)
    assert abs(k / 65536 - (1 - rate)) <= 0.5 / 65536
    assert scale * k == pytest.approx(65536, rel=1e-15)
    lanes = np.empty(400_000, np.uint16)
    philox.fill_lanes(lanes, 1, 2, 3)
    spread = np.sqrt(rate * (1 - rate) / lanes.size)
    assert abs((lanes < k).mean() - (1 - rate)) <= 5 * spread + 1e-5


def test_keep_threshold_at_the_ends():
    assert philox.keep_threshold(0.0) == (65536, 1.0)
    assert philox.keep_threshold(1.0) == (0, 0.0)
    for rate in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="dropout rate must be from 0 to 1"):
            philox.keep_threshold(rate)


def test_stream_ids():
    assert philox.stream_id("a/b") == philox.stream_id("a/b") != philox.stream_id("a/c")
    # A saved run depends on these numbers.
    assert philox.stream_id("sequential/dropout") == 0x3BAB305C3C2C9D73
    assert philox.stream_id("") == 0xB4B2797457A0A6E4


def test_next_stream_starts_again_with_set_seed():
    config.set_seed(1)
    first = [philox.next_stream() for _ in range(3)]
    assert len(set(first)) == 3
    config.set_seed(1)
    assert [philox.next_stream() for _ in range(3)] == first
    config.reset()


def test_permutation():
    found = philox.permutation(1000, 1, 2, 3)
    assert found.dtype == np.int64
    assert sorted(found.tolist()) == list(range(1000))
    raw = reference.words(1, 2, 3, 1000, 0)
    assert found.tolist() == sorted(range(1000), key=raw.__getitem__)
    assert (philox.permutation(1000, 1, 2, 4) != found).any()
    assert philox.permutation(0, 1, 2, 3).shape == (0,)


def test_uniform_conversions_are_exact():
    raw = np.array([0, TOP, 1 << 63, 2**11 - 1, (1 << 32) - 1], np.uint64)
    assert philox.uniform64(raw).tolist() == [(word >> 11) / 2**53 for word in raw.tolist()]
    halves = [half for word in raw.tolist() for half in (word & 0xFFFFFFFF, word >> 32)]
    found = philox.uniform32(raw)
    assert found.dtype == np.float32
    assert found.tolist() == [(half >> 8) / 2**24 for half in halves]
    assert philox.uniform64(raw).max() < 1
    assert found.max() < 1


def test_normals_follow_box_muller():
    import math

    raw = np.array([0, 0, TOP, 1 << 62, 12345 << 40, 1 << 63], np.uint64)
    expected = []
    for first, second in raw.reshape(-1, 2).tolist():
        radius = math.sqrt(-2 * math.log(((first >> 11) + 1) / 2**53))
        angle = 2 * math.pi * (second >> 11) / 2**53
        expected += [radius * math.cos(angle), radius * math.sin(angle)]
    np.testing.assert_allclose(philox.normal64(raw), expected, rtol=1e-13, atol=1e-13)
    assert np.isfinite(philox.normal64(raw)).all()
