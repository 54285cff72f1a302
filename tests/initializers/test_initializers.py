"""Initializers: analytic moments, seeds, configs, names, errors."""

import inspect
import json
import math

import numpy as np
import pytest

from gputrain import config, initializers
from gputrain.initializers import (
    Constant,
    GlorotUniform,
    HeNormal,
    Identity,
    Initializer,
    Ones,
    Orthogonal,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
    Zeros,
)
from gputrain.initializers.scaling import compute_fans
from gputrain.random import SeedGenerator

SHAPE = (300, 500)  # fan_in 300, fan_out 500
TRUNCATED = 0.8796256610342398

# initializer, standard deviation, largest magnitude (None: unbounded)
SPREADS = [
    (RandomNormal(seed=1), 0.05, None),
    (RandomUniform(seed=1), 0.05 / math.sqrt(3), 0.05),
    (TruncatedNormal(stddev=0.2, seed=1), 0.2 * TRUNCATED, 0.4),
    (VarianceScaling(3.0, "fan_out", "untruncated_normal", seed=1), math.sqrt(3 / 500), None),
    (initializers.get("glorot_uniform"), math.sqrt(2 / 800), math.sqrt(6 / 800)),
    (initializers.get("glorot_normal"), math.sqrt(2 / 800), 2 * math.sqrt(2 / 800) / TRUNCATED),
    (initializers.get("he_uniform"), math.sqrt(2 / 300), math.sqrt(6 / 300)),
    (initializers.get("he_normal"), math.sqrt(2 / 300), 2 * math.sqrt(2 / 300) / TRUNCATED),
    (initializers.get("lecun_uniform"), math.sqrt(1 / 300), math.sqrt(3 / 300)),
    (initializers.get("lecun_normal"), math.sqrt(1 / 300), 2 * math.sqrt(1 / 300) / TRUNCATED),
]
RANDOM = [
    "random_normal",
    "random_uniform",
    "truncated_normal",
    "variance_scaling",
    "glorot_uniform",
    "orthogonal",
]


@pytest.fixture(autouse=True)
def clean():
    yield
    config.reset()


@pytest.mark.parametrize(("init", "stddev", "bound"), SPREADS, ids=lambda case: type(case).__name__)
def test_spread(init, stddev, bound):
    values = init(SHAPE, "float64")
    count = math.prod(SHAPE)
    assert abs(values.mean()) < 5 * stddev / math.sqrt(count)
    assert values.std() == pytest.approx(stddev, rel=0.01)
    if bound is not None:
        assert 0.99 * bound < abs(values).max() <= bound


def test_random_normal_mean():
    assert RandomNormal(mean=2.0, seed=1)(SHAPE).mean() == pytest.approx(2.0, abs=1e-3)


@pytest.mark.parametrize(
    ("shape", "fans"),
    [((), (1, 1)), ((7,), (7, 7)), ((3, 4), (3, 4)), ((3, 3, 16, 32), (144, 288)), ((5, 2, 4), (10, 20))],
)
def test_fans(shape, fans):
    assert compute_fans(shape) == fans


def test_fans_by_axes():
    assert compute_fans((2, 3, 5), input_axes=[0], output_axes=[1, 2]) == (2, 15)
    values = initializers.LecunNormal(seed=1, input_axes=[1, 2], output_axes=[0])((4, 50, 60), "float64")
    assert values.std() == pytest.approx(math.sqrt(1 / 3000), rel=0.03)


def test_without_chance():
    assert Zeros()((2, 3)).tolist() == [[0.0] * 3] * 2
    assert Ones()((2,), "int32").dtype == np.int32
    assert Constant(2.5)((2,)).tolist() == [2.5, 2.5]
    assert Constant([1, 2])((2, 2), "float64").tolist() == [[1.0, 2.0], [1.0, 2.0]]
    assert Identity(2.0)((2, 3)).tolist() == [[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]]
    assert Zeros()((1,)).dtype == np.float32


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5), (2, 3, 4), (3, 3, 2, 50)])
def test_orthogonal(shape):
    values = Orthogonal(gain=2.0, seed=1)(shape, "float64")
    assert values.shape == shape
    matrix = values.reshape(-1, shape[-1]) / 2.0
    gram = matrix.T @ matrix if matrix.shape[0] >= matrix.shape[1] else matrix @ matrix.T
    np.testing.assert_allclose(gram, np.eye(min(matrix.shape)), atol=1e-12)


@pytest.mark.parametrize("name", RANDOM)
def test_seeds(name):
    cls = type(initializers.get(name))
    one = cls(seed=1)
    np.testing.assert_array_equal(one((4, 5)), one((4, 5)))
    np.testing.assert_array_equal(one((4, 5)), cls(seed=1)((4, 5)))
    assert (one((4, 5)) != cls(seed=2)((4, 5))).any()
    unseeded = cls()
    np.testing.assert_array_equal(unseeded((4, 5)), unseeded((4, 5)))
    assert (unseeded((4, 5)) != cls()((4, 5))).any()
    assert (unseeded((4, 5)) != unseeded.clone()((4, 5))).any()
    moving = cls(seed=SeedGenerator(1))
    assert (moving((4, 5)) != moving((4, 5))).any()


def test_global_seed_gives_the_same_weights_again():
    config.set_seed(3)
    first = [GlorotUniform()((3, 4)), HeNormal()((3, 4))]
    config.set_seed(3)
    np.testing.assert_array_equal([GlorotUniform()((3, 4)), HeNormal()((3, 4))], first)


@pytest.mark.parametrize("name", [name for name in initializers.__all__ if name[0].isupper()])
def test_config_round_trip(name):
    cls = getattr(initializers, name)
    if name in ("Initializer", "RandomInitializer") or name != cls.__name__:
        return
    shape = (4, 1, 4) if name == "STFT" else (4, 4)
    one = cls(seed=7) if "seed" in inspect.signature(cls).parameters else cls()
    saved = json.loads(json.dumps(initializers.serialize(one)))
    assert saved["class_name"] == name
    other = initializers.deserialize(saved)
    assert type(other) is cls
    assert other.get_config() == one.get_config()
    np.testing.assert_array_equal(other(shape), one(shape))


def test_seed_generator_is_saved():
    saved = json.loads(json.dumps(initializers.serialize(RandomNormal(seed=SeedGenerator(3)))))
    np.testing.assert_array_equal(
        initializers.deserialize(saved)((3,)), RandomNormal(seed=SeedGenerator(3))((3,))
    )


def test_get():
    assert initializers.get(None) is None
    assert type(initializers.get("HeNormal")) is type(initializers.get("he_normal")) is HeNormal
    assert type(initializers.get("zero")) is Zeros
    assert type(initializers.get(Ones)) is Ones
    one = Ones()
    assert initializers.get(one) is one
    assert initializers.get({"class_name": "Constant", "config": {"value": 3}}).value == 3
    written_by_keras = {"module": "os", "class_name": "Zeros", "config": {}, "registered_name": None}
    assert type(initializers.get(written_by_keras)) is Zeros

    def halves(shape, dtype=None):
        return np.full(shape, 0.5, dtype)

    assert initializers.get(halves) is halves
    plain = {"module": "builtins", "class_name": "function", "config": "halves"}
    assert initializers.serialize(halves) == {**plain, "registered_name": "function"}
    assert initializers.deserialize(initializers.serialize(halves), {"halves": halves}) is halves
    assert initializers.deserialize("halves", {"halves": halves}) is halves


class Mine(Initializer):
    pass


@pytest.mark.parametrize(
    ("identifier", "message"),
    [
        ("glorot_unifrom", r"Unknown initializer 'glorot_unifrom'\. Did you mean 'glorot_uniform'\?"),
        ("os.system", r"Unknown initializer 'os\.system'.* dir\(keras\.initializers\) lists all"),
        ({"class_name": "Popen", "module": "subprocess", "config": {}}, r"Unknown initializer 'Popen'"),
        (
            {"class_name": "Zeros", "conifg": {}},
            r"Unknown key 'conifg' in a saved initializer\. Did you mean 'config'",
        ),
        ({"config": {}}, r"A saved initializer is a dict with 'class_name' and 'config'"),
        (
            {"class_name": "Zeros", "config": {"x": 1}},
            r"config of initializer 'Zeros' must hold its constructor's",
        ),
        (
            {"class_name": "Zeros", "config": 3},
            r"'config' of a saved initializer must be a dict\. Received 3",
        ),
        (initializers.serialize(Mine()), r"Unknown initializer 'Mine'.*custom_objects"),
    ],
)
def test_get_refuses(identifier, message):
    with pytest.raises(ValueError, match=message):
        initializers.get(identifier)


def test_get_refuses_other_types():
    with pytest.raises(TypeError, match=r"Expected for the initializer: a name, .* Received 3 of type int"):
        initializers.get(3)
    with pytest.raises(
        TypeError, match=r"a custom initializer is a named function or an object with get_config"
    ):
        initializers.serialize(lambda shape, dtype=None: None)
    with pytest.raises(NotImplementedError, match=r"Mine must define __call__"):
        Mine()((2,))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: VarianceScaling(0.0), r"scale must be above 0\. Received 0\.0"),
        (lambda: VarianceScaling(mode="fan_on"), r"unknown mode 'fan_on'\. Did you mean 'fan_in'"),
        (
            lambda: VarianceScaling(distribution="gauss"),
            r"unknown distribution 'gauss'\. .*Known names: normal",
        ),
        (
            lambda: GlorotUniform()((2, 3), "int32"),
            r"GlorotUniform: dtype must be float16, float32 or float64",
        ),
        (lambda: GlorotUniform()((None, 3)), r"GlorotUniform: shape must be a tuple of integers"),
        (lambda: GlorotUniform(seed=1.5), r"GlorotUniform: seed must be an integer.*Received 1\.5"),
        (
            lambda: Orthogonal()((3,)),
            r"Orthogonal: a weight must have at least 2 dimensions\. Received shape \(3,\)",
        ),
        (lambda: Identity()((3, 3, 3)), r"Identity: a weight must have 2 dimensions"),
        (
            lambda: Constant([1, 2, 3])((2, 2)),
            r"Constant: value must broadcast to the weight's shape \(2, 2\)",
        ),
        (lambda: Zeros()((2,), "bfloat"), r"Zeros: dtype must be one that NumPy knows.*'bfloat'"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_registry_refuses_a_taken_name():
    with pytest.raises(
        ValueError, match=r"A name stands for one initializer\. 'zeros' already stands for Zeros"
    ):
        initializers.registry.register(Mine, "zeros")
