"""Variables of 16, 32 and 64 bits under one optimizer: masters, slots, and what stands beside what."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain.optimizers import SGD, Adam, AdamW, Optimizer, RMSprop
from gputrain.runtime.variable import Variable

MAKERS: dict[str, Callable[..., Optimizer]] = {
    "SGD": lambda **o: SGD(0.01, momentum=0.9, **o),
    "RMSprop": lambda **o: RMSprop(0.01, centered=True, **o),
    "Adam": lambda **o: Adam(0.01, **o),
    "AdamW": lambda **o: AdamW(0.01, amsgrad=True, **o),
}
SHAPES = [(3, 2), (5,), (4, 4)]


def _weights(*dtypes: str) -> list[Variable]:
    rng = np.random.default_rng(2)
    pairs = zip(SHAPES, dtypes, strict=True)
    return [Variable(rng.normal(size=s).astype(d), name=f"w{i}") for i, (s, d) in enumerate(pairs)]


def _steps(optimizer: Optimizer, variables: list[Variable], count: int = 5, scale: float = 1.0) -> None:
    rng = np.random.default_rng(4)
    for _ in range(count):
        optimizer.apply([(scale * rng.normal(size=v.shape)).astype(v.dtype) for v in variables], variables)


def _slot_dtypes(optimizer: Optimizer) -> dict[str, set[str]]:
    values = optimizer.slot_values()
    return {v.name: {slot.dtype.name for slot in slots.values()} for v, slots in values.items()}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_each_variable_of_a_mixed_list_moves_as_it_does_alone(make: Any) -> None:
    """The one of 16 bits as in float32 from the same start, rounded."""
    dtypes = ("float64", "float16", "float32")
    mixed, optimizer = _weights(*dtypes), make()
    alone = [Variable(v.numpy().astype("float32" if v.dtype == "float16" else v.dtype)) for v in mixed]
    single = [make() for _ in alone]
    rng = np.random.default_rng(3)
    for _ in range(5):
        gradients = [rng.normal(size=v.shape).astype(v.dtype) for v in mixed]
        optimizer.apply(gradients, mixed)
        for one, variable, gradient in zip(single, alone, gradients, strict=True):
            one.apply([gradient.astype(variable.dtype)], [variable])
    assert tuple(v.dtype for v in mixed) == dtypes
    for found, expected in zip(mixed, alone, strict=True):
        np.testing.assert_array_equal(found.numpy(), expected.numpy().astype(found.dtype))
    assert _slot_dtypes(optimizer) == {"w0": {"float64"}, "w1": {"float32"}, "w2": {"float32"}}


def test_steps_too_small_for_16_bits_add_up_in_the_master() -> None:
    variable, optimizer = Variable(np.ones(3, "float16")), SGD(1e-4)
    for _ in range(50):
        optimizer.apply([np.ones(3, "float16")], [variable])
    np.testing.assert_array_equal(variable.numpy(), np.float16(1 - 50e-4))


def test_a_weight_set_from_outside_reaches_its_master() -> None:
    variable, optimizer = Variable(np.ones(3, "float16"), name="w"), SGD(0.25)
    optimizer.apply([np.ones(3, "float16")], [variable])
    variable.assign(np.array([8.0, 0.75, -2.0]))
    optimizer.apply([np.ones(3, "float16")], [variable])
    np.testing.assert_array_equal(variable.numpy(), [7.75, 0.5, -2.25])
    np.testing.assert_array_equal(optimizer.slot_values()[variable]["master"], [7.75, 0.5, -2.25])


def test_set_weights_in_a_model_reaches_the_masters() -> None:
    model, x = _dense("float16"), np.ones((4, 3), "float32")
    model.fit(x, np.ones((4, 2)), verbose=0)
    model.optimizer.learning_rate = 0.0
    wanted = [np.full(w.shape, 0.5, "float16") for w in model.get_weights()]
    model.set_weights(wanted)
    model.fit(x, np.ones((4, 2)), verbose=0)
    for found, expected in zip(model.get_weights(), wanted, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_constraint_holds_for_the_master() -> None:
    variable, optimizer = Variable(np.full(3, 0.001, "float16")), SGD(1.0)
    variable.constraint = keras.constraints.NonNeg()
    optimizer.apply([np.array([1, -1, 0], "float16")], [variable])
    np.testing.assert_array_equal(variable.numpy(), np.float16([0, 1.001, 0.001]))
    assert (optimizer.slot_values()[variable]["master"] >= 0).all()


def test_a_bad_step_changes_no_variable_of_any_dtype() -> None:
    variables, optimizer = _weights("float16", "float32", "float64"), Adam(0.1)
    _steps(optimizer, variables)
    before = [v.numpy() for v in (*variables, *optimizer.variables)]
    gradients = [np.ones(v.shape, v.dtype) for v in variables]
    for bad in range(3):
        poisoned = [g if i != bad else g * np.nan for i, g in enumerate(gradients)]
        optimizer.apply(poisoned, variables)
        for found, expected in zip((*variables, *optimizer.variables), before, strict=True):
            np.testing.assert_array_equal(found.numpy(), expected)


@pytest.mark.parametrize("options", [{"clipnorm": 0.5}, {"global_clipnorm": 0.5}, {"clipvalue": 0.1}])
def test_clipping_over_several_dtypes(options: dict[str, float]) -> None:
    variables, reference = _weights("float64", "float16", "float32"), _weights(*["float64"] * 3)
    for variable, other in zip(variables, reference, strict=True):
        other.assign(variable.numpy())
    _steps(SGD(0.1, **options), variables, 1, scale=3.0)
    rng = np.random.default_rng(4)
    gradients = [(3.0 * rng.normal(size=v.shape)).astype(v.dtype).astype("float64") for v in variables]
    SGD(0.1, **options).apply(gradients, reference)
    for found, expected in zip(variables, reference, strict=True):
        tolerance = 1e-3 if found.dtype == "float16" else 1e-6
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_slots_come_back(make: Any) -> None:
    """As of a checkpoint: another optimizer with these slots and counter goes the same way."""
    dtypes = ("float16", "float32", "float64")
    variables, optimizer, other = _weights(*dtypes), make(), make()
    _steps(optimizer, variables)
    copies = [Variable(v.numpy()) for v in variables]
    other.build(copies)
    saved = optimizer.slot_values()
    other.set_slot_values({copy: saved[v] for v, copy in zip(variables, copies, strict=True)})
    other.iterations.assign(optimizer.iterations.numpy())
    _steps(optimizer, variables)
    _steps(other, copies)
    for found, expected in zip(copies, variables, strict=True):
        np.testing.assert_array_equal(found.numpy(), expected.numpy())


def test_slots_that_do_not_fit_are_refused() -> None:
    variables, optimizer = _weights("float16", "float32", "float64"), Adam()
    optimizer.build(variables)
    with pytest.raises(ValueError, match=r"adam: w1 has no slot 'master'\. Expected: .*momentum.*velocity"):
        optimizer.set_slot_values({variables[1]: {"master": np.zeros(5)}})
    with pytest.raises(ValueError, match=r"slot 'velocity' has the shape .*, w1\. Expected: \(5,\)"):
        optimizer.set_slot_values({variables[1]: {"velocity": np.zeros(4)}})
    with pytest.raises(ValueError, match=r"has no slot 'momentum'.*a variable that this optimizer trains"):
        optimizer.set_slot_values({Variable(np.zeros(3)): {"momentum": np.zeros(3)}})


class Sign(Optimizer):
    """w -= rate * sign(mean gradient), written in operations."""

    def __init__(self, learning_rate: Any = 1e-4, **options: Any) -> None:
        super().__init__(learning_rate, **options)
        self.means: dict[Variable, Variable] = {}

    def build(self, variables: Any) -> None:
        super().build(variables)
        for variable in variables:
            self.means[variable] = self.add_variable_from_reference(variable, "mean")

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        mean = self.means[variable]
        self.assign(mean, mean * 0.5 + gradient * 0.5)
        self.assign_sub(variable, keras.ops.sign(mean) * learning_rate)


def test_an_optimizer_of_the_users_has_masters_too() -> None:
    variable, optimizer = Variable(np.ones(3, "float16")), Sign()
    for _ in range(50):
        optimizer.apply([np.ones(3, "float16")], [variable])
    np.testing.assert_array_equal(variable.numpy(), np.float16(1 - 50e-4))
    assert {s.dtype.name for s in optimizer.slot_values()[variable].values()} == {"float32"}


def _dense(*dtypes: str, **compiled: Any) -> keras.Sequential:
    keras.utils.set_random_seed(0)
    units = [8] * (len(dtypes) - 1) + [2]
    stack = [keras.layers.Dense(n, dtype=d) for n, d in zip(units, dtypes, strict=True)]
    model = keras.Sequential([keras.layers.Input((3,)), *stack])
    model.compile(**{"optimizer": Adam(0.01), "loss": "mse", **compiled})
    return model


@pytest.mark.parametrize("dtypes", [("float16", "float32"), ("float32", "float16"), ("float64", "float32")])
def test_layers_of_two_dtypes_train_beside_each_other(dtypes: tuple[str, ...]) -> None:
    x = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
    y = x[:, :2] * 0.5
    model = _dense(*dtypes)
    losses = model.fit(x, y, epochs=20, batch_size=16, verbose=0).history["loss"]
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.5 * losses[0]
    assert {w.dtype for w in model.weights} == set(dtypes)


def _first_epoch(dtype: str) -> float:
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 2000)
    x = (np.eye(10)[labels].repeat(3, axis=1) + 0.3 * rng.normal(size=(2000, 30))).astype("float32")
    model = keras.Sequential(
        [
            keras.layers.Input((30,)),
            keras.layers.Dense(32, activation="relu", dtype=dtype),
            keras.layers.Dense(10, dtype=dtype),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(Adam(0.001), loss)
    return model.fit(x, labels, batch_size=32, verbose=0, shuffle=False).history["loss"][0]


def test_adam_in_float16_learns_as_in_float32() -> None:
    assert _first_epoch("float16") == pytest.approx(_first_epoch("float32"), rel=0.02)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_each_variables_gradient_starts_at_a_multiple_of_16_bytes(dtype: str) -> None:
    sizes = (3, 1, 0, 16, 5, 9)
    places = keras.ops.optim.segments(sizes)
    assert [p.stop - p.start for p in places] == list(sizes)
    assert all(p.start * np.dtype(dtype).itemsize % 16 == 0 for p in places)
    assert all(a.stop <= b.start for a, b in pairwise(places))


@pytest.mark.parametrize("options", [{}, {"clipnorm": 0.1}, {"global_clipnorm": 0.1}])
def test_what_lies_between_gradients_in_the_arena_does_not_matter(options: dict[str, float]) -> None:
    """Weights of odd sizes, and a step that finds NaN all over the memory it is about to use."""
    x, y = np.ones((4, 3), "float32"), np.ones((4, 2), "float32")
    weights = []
    for poison in (False, True):
        keras.utils.set_random_seed(0)
        stack = [keras.layers.Dense(n) for n in (5, 7, 2)]
        model = keras.Sequential([keras.layers.Input((3,)), *stack])
        model.compile(Adam(0.01, **options), "mse")
        for _ in range(3):
            model.train_on_batch(x, y)
            if poison:
                arena = model._traced_programs.arena
                arena.device.upload(np.full(arena.memory.size, 255, "uint8"), arena.memory)
        weights.append(model.get_weights())
    for found, expected in zip(*weights, strict=True):
        assert np.isfinite(found).all()
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_slots_of_several_dtypes_have_paths_of_their_own(make: Any) -> None:
    variables, optimizer = _weights("float64", "float16", "float32"), make()
    _steps(optimizer, variables, count=1)
    paths = [v.path for v in optimizer.variables]
    assert len(set(paths)) == len(paths), paths


@pytest.mark.parametrize("scheduled", [False, True])
def test_the_learning_rate_is_as_exact_as_floatx(scheduled: bool) -> None:
    keras.config.set_floatx("float64")
    try:
        rate = keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.7) if scheduled else 0.1
        optimizer = keras.optimizers.SGD(rate)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="ones")])
        model.compile(optimizer, "mse")
        x, y = np.linspace(-1, 1, 12).reshape(4, 3), np.linspace(0, 1, 4).reshape(4, 1)
        model.fit(x, y, epochs=5, verbose=0)
    finally:
        keras.config.reset()
    weights, bias = np.ones((3, 1)), np.zeros(1)
    for step in range(5):
        off = x @ weights + bias - y
        now = 0.1 * 0.7 ** (step / 3) if scheduled else 0.1
        weights, bias = weights - now * x.T @ off / 2, bias - now * off.sum(0) / 2
    np.testing.assert_allclose(model.get_weights()[0], weights, rtol=1e-12)
    if not scheduled:
        assert optimizer.get_config()["learning_rate"] == 0.1
