"""Keras's random functions on the host: moments, seeds, dtypes, errors."""

import math

import numpy as np
import pytest

from gputrain import config, random
from gputrain.random import SeedGenerator

N = 200_000


@pytest.fixture(autouse=True)
def seeded():
    config.set_seed(1)
    yield
    config.reset()


def close_to(values, mean, stddev):
    """The mean within 5 of its standard errors, the variance within 3 %."""
    assert abs(values.mean(dtype=float) - mean) < 5 * stddev / math.sqrt(values.size)
    assert values.std(dtype=float) == pytest.approx(stddev, rel=0.03)


def test_normal_moments():
    values = random.normal((N,), mean=2.0, stddev=3.0, seed=1)
    close_to(values, 2.0, 3.0)
    z = (values - 2.0) / 3.0
    assert (z**3).mean() == pytest.approx(0.0, abs=0.05)
    assert (z**4).mean() == pytest.approx(3.0, abs=0.1)


def test_uniform_moments():
    values = random.uniform((N,), -1.0, 3.0, seed=1)
    close_to(values, 1.0, 4.0 / math.sqrt(12))
    assert -1.0 <= values.min() < -0.999
    assert 2.999 < values.max() <= 3.0


def test_truncated_normal_moments():
    values = random.truncated_normal((N,), stddev=0.5, seed=1)
    close_to(values, 0.0, 0.5 * 0.8796256610342398)
    assert 0.999 < abs(values).max() <= 1.0


def test_truncated_normal_does_not_depend_on_the_length():
    long = random.truncated_normal((5000,), seed=1)
    np.testing.assert_array_equal(random.truncated_normal((70,), seed=1), long[:70])


@pytest.mark.parametrize("draw", [random.normal, random.uniform, random.truncated_normal])
def test_seeds(draw):
    np.testing.assert_array_equal(draw((5,), seed=1), draw((5,), seed=1))
    assert (draw((5,), seed=1) != draw((5,), seed=2)).any()
    seeds = SeedGenerator(1)
    assert (draw((5,), seed=seeds) != draw((5,), seed=seeds)).any()
    first, second = draw((5,)), draw((5,))
    assert (first != second).any()
    config.set_seed(1)
    np.testing.assert_array_equal(draw((5,)), first)
    np.testing.assert_array_equal(draw((5,)), second)


@pytest.mark.parametrize("draw", [random.normal, random.uniform, random.truncated_normal])
def test_shapes_and_dtypes(draw):
    assert draw((2, 3)).dtype == np.float32
    assert draw((2, 3), dtype="float16").dtype == np.float16
    assert draw([2, 0]).shape == (2, 0)
    assert draw(()).shape == ()
    config.set_floatx("float64")
    assert draw(4).dtype == np.float64
    name = draw.__name__
    with pytest.raises(
        ValueError, match=rf"random\.{name}: dtype must be float16, float32 or float64\. Received 'int32'"
    ):
        draw((2,), dtype="int32")
    with pytest.raises(
        ValueError, match=rf"random\.{name}: shape must be a tuple of integers >= 0\. Received \(None, 2\)"
    ):
        draw((None, 2))
    with pytest.raises(ValueError, match=rf"random\.{name}: seed must be an integer.*Received 'x'"):
        draw((2,), seed="x")


def test_randint():
    values = random.randint((N,), -3, 4, seed=1)
    assert values.dtype == np.int32
    counts = np.bincount(values + 3, minlength=7)
    assert counts.size == 7
    np.testing.assert_allclose(counts, N / 7, rtol=0.05)
    wide = random.randint((1000,), -(2**63), 2**63, dtype="int64", seed=1)
    assert (wide < 0).any()
    assert (wide > 0).any()
    bytes_ = random.randint((1000,), 0, 256, dtype="uint8", seed=1)
    assert bytes_.max() > 250


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((3, 3), "needs minval < maxval within int32.*minval=3, maxval=3"),
        ((0, 300, "int8"), "within int8, -128 to 127"),
        ((0, 3, "float32"), "dtype must be an integer type"),
    ],
)
def test_randint_errors(arguments, message):
    with pytest.raises(ValueError, match=rf"random\.randint: .*{message}"):
        random.randint((2,), *arguments)


def test_shuffle():
    x = np.arange(60).reshape(3, 20)
    before = x.copy()
    found = random.shuffle(x, axis=1, seed=1)
    assert (found != x).any()
    np.testing.assert_array_equal(np.sort(found, axis=1), x)
    np.testing.assert_array_equal(found[1] - found[0], 20)
    np.testing.assert_array_equal(x, before)


def test_categorical():
    logits = np.log([[0.1, 0.2, 0.7], [0.5, 0.5, 1e-30]])
    found = random.categorical(logits, 50_000, seed=1)
    assert found.dtype == np.int32
    shares = np.stack([np.bincount(row, minlength=3) for row in found]) / 50_000
    np.testing.assert_allclose(shares, [[0.1, 0.2, 0.7], [0.5, 0.5, 0.0]], atol=0.01)
    for wrong in ([0.0, 1.0], [[np.nan, 0.0]], [[-np.inf, -np.inf]]):
        with pytest.raises(ValueError, match=r"random\.categorical: logits must have shape"):
            random.categorical(wrong, 2)


def test_seed_generator_state():
    seeds = SeedGenerator(4)
    random.normal((2,), seed=seeds)
    assert seeds.state.tolist() == [4, 1]
    state, expected = seeds.state, random.normal((3,), seed=seeds)
    other = SeedGenerator.from_config(seeds.get_config())
    other.set_state(state)
    np.testing.assert_array_equal(random.normal((3,), seed=other), expected)
    assert SeedGenerator().seed != SeedGenerator().seed
    with pytest.raises(ValueError, match="SeedGenerator: seed must be an integer"):
        SeedGenerator(-1)
