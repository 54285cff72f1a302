"""Learning-rate schedules against formulas written out by hand."""

import json
import math

import pytest

from gputrain.optimizers import schedules
from gputrain.optimizers.schedules import (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    LearningRateSchedule,
    PiecewiseConstantDecay,
    PolynomialDecay,
)

STEPS = [0, 1, 9, 10, 11, 25, 30, 31, 70, 99, 100, 150, 1000]


def exponential(step):
    return 0.1 * 0.5 ** (step / 10)


def staircase(step):
    return 0.1 * 0.5 ** (step // 10)


def inverse(step):
    return 0.1 / (1 + 0.5 * step / 10)


def polynomial(step):
    return 0.01 + 0.09 * (1 - min(step, 100) / 100) ** 2


def cycled(step):
    length = 10 * max(1, -(-step // 10))
    return 0.01 + 0.09 * (1 - step / length)


def pieces(step):
    return 1.0 if step <= 10 else 0.5 if step <= 30 else 0.1


def cosine(step):
    return 0.1 * (0.9 * (1 + math.cos(math.pi * min(step, 100) / 100)) / 2 + 0.1)


def warm(step):
    return (
        0.01 + 0.09 * step / 10
        if step < 10
        else 0.1 * (1 + math.cos(math.pi * min(step - 10, 100) / 100)) / 2
    )


def restarts(step):
    start, length, height = 0, 10, 1.0
    while step >= start + length:
        start, length, height = start + length, length * 2, height * 0.5
    return 0.1 * height * (1 + math.cos(math.pi * (step - start) / length)) / 2


def even_restarts(step):
    return 0.1 * (1 + math.cos(math.pi * (step % 10) / 10)) / 2


CASES = [
    (ExponentialDecay(0.1, 10, 0.5), exponential),
    (ExponentialDecay(0.1, 10, 0.5, staircase=True), staircase),
    (InverseTimeDecay(0.1, 10, 0.5), inverse),
    (InverseTimeDecay(0.1, 10, 0.5, staircase=True), lambda step: 0.1 / (1 + 0.5 * (step // 10))),
    (PolynomialDecay(0.1, 100, 0.01, power=2.0), polynomial),
    (PolynomialDecay(0.1, 10, 0.01, cycle=True), cycled),
    (PiecewiseConstantDecay([10, 30], [1.0, 0.5, 0.1]), pieces),
    (CosineDecay(0.1, 100, alpha=0.1), cosine),
    (CosineDecay(0.01, 100, warmup_target=0.1, warmup_steps=10), warm),
    (CosineDecayRestarts(0.1, 10, t_mul=2.0, m_mul=0.5), restarts),
    (CosineDecayRestarts(0.1, 10, t_mul=1.0), even_restarts),
]


@pytest.mark.parametrize(("schedule", "formula"), CASES, ids=lambda case: getattr(case, "__name__", None))
def test_formula(schedule, formula):
    for step in STEPS:
        value = schedule(step)
        assert type(value) is float
        assert value == pytest.approx(formula(step), rel=1e-12, abs=1e-15), step


@pytest.mark.parametrize("t_mul", [1.0001, 1.1, 1.5, 3.0])
def test_restarts_at_the_very_step(t_mul):
    schedule = CosineDecayRestarts(1.0, 1000, t_mul=t_mul)
    start, length = 0.0, 1000.0
    for _ in range(12):
        assert schedule(start + 1e-6) == pytest.approx(1.0, abs=1e-6)
        assert schedule(start + length - 1e-3) == pytest.approx(0.0, abs=1e-6)
        start, length = start + length, length * t_mul


@pytest.mark.cpu_only("configs are the same on every device")
@pytest.mark.parametrize("schedule", [case[0] for case in CASES])
def test_config_round_trip(schedule):
    saved = json.loads(json.dumps(schedules.serialize(schedule)))
    other = schedules.deserialize(saved)
    assert type(other) is type(schedule)
    assert other.get_config() == schedule.get_config()
    assert [other(step) for step in STEPS] == [schedule(step) for step in STEPS]
    assert schedules.get(schedule) is schedule


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: ExponentialDecay(0.1, 0, 0.5),
            r"ExponentialDecay: decay_steps must be above 0\. Received 0",
        ),
        (lambda: InverseTimeDecay(0.1, -1, 0.5), r"InverseTimeDecay: decay_steps must be above 0"),
        (lambda: PolynomialDecay(0.1, 0), r"PolynomialDecay: decay_steps must be above 0"),
        (lambda: CosineDecay(0.1, 0), r"CosineDecay: decay_steps must be above 0"),
        (lambda: CosineDecay(0.1, 9, warmup_steps=-1), r"warmup_steps must be 0 or more\. Received -1"),
        (lambda: CosineDecayRestarts(0.1, 0), r"first_decay_steps must be above 0"),
        (lambda: CosineDecayRestarts(0.1, 9, t_mul=0.5), r"t_mul must be 1 or more, .*Received 0\.5"),
        (
            lambda: PiecewiseConstantDecay([1], [1.0]),
            r"one more element than boundaries\. Received 1 bound.* 1 values",
        ),
        (lambda: PiecewiseConstantDecay([2, 1], [1, 2, 3]), r"boundaries must rise\. Received \[2, 1\]"),
        (
            lambda: schedules.get("CosinDecay"),
            r"Unknown learning-rate schedule 'CosinDecay'\. Did you mean 'CosineDecay'",
        ),
        (lambda: schedules.get("CosineDecay"), r"'CosineDecay' needs its arguments"),
        (
            lambda: schedules.deserialize({"class_name": "CosineDecay", "config": {"decay_steps": 3}}),
            r"config of learning-rate schedule 'CosineDecay' must hold its constructor's arguments",
        ),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_own_schedule():
    class Mine(LearningRateSchedule):
        pass

    with pytest.raises(NotImplementedError, match=r"Mine must define __call__\(self, step\)"):
        Mine()(0)
    with pytest.raises(NotImplementedError, match=r"Mine must define get_config\(\) to be saved"):
        schedules.serialize(Mine())
