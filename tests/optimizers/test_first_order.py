"""SGD, RMSprop, Adam and AdamW against loops by hand, with Keras's own places for epsilon."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from gputrain import config, optimizers
from gputrain.optimizers import SGD, Adam, AdamW, RMSprop, schedules
from gputrain.runtime import Variable

RNG = np.random.default_rng(1)
WEIGHTS = [RNG.normal(size=(3, 2)), RNG.normal(size=(5,))]
GRADIENTS = [[RNG.normal(size=w.shape) for w in WEIGHTS] for _ in range(6)]
State = dict[str, Any]


def _sgd(momentum: float = 0.0, nesterov: bool = False) -> Callable[..., Any]:
    def step(w: Any, g: Any, state: State, rate: float, t: int) -> Any:
        if not momentum:
            return w - rate * g
        v = state["v"] = momentum * state.get("v", 0.0) - rate * g
        return w + (momentum * v - rate * g if nesterov else v)

    return step


def _rmsprop(rho: float, epsilon: float, momentum: float = 0.0, centered: bool = False) -> Callable[..., Any]:
    def step(w: Any, g: Any, state: State, rate: float, t: int) -> Any:
        v = state["v"] = rho * state.get("v", 0.0) + (1 - rho) * g**2
        if centered:
            mean = state["mean"] = rho * state.get("mean", 0.0) + (1 - rho) * g
            v = v - mean**2
        change = rate * g / np.sqrt(v + epsilon)
        if momentum:
            change = state["m"] = momentum * state.get("m", 0.0) + change
        return w - change

    return step


def _adam(epsilon: float, amsgrad: bool = False, decay: float = 0.0) -> Callable[..., Any]:
    def step(w: Any, g: Any, state: State, rate: float, t: int) -> Any:
        w = w - w * rate * decay
        m = state["m"] = 0.9 * state.get("m", 0.0) + 0.1 * g
        v = state["v"] = 0.999 * state.get("v", 0.0) + 0.001 * g**2
        if amsgrad:
            v = state["top"] = np.maximum(state.get("top", 0.0), v)
        corrected = rate * math.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        return w - corrected * m / (np.sqrt(v) + epsilon)

    return step


CASES: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "SGD": (lambda **o: SGD(0.1, **o), _sgd()),
    "SGD momentum": (lambda **o: SGD(0.1, momentum=0.9, **o), _sgd(0.9)),
    "SGD nesterov": (lambda **o: SGD(0.1, momentum=0.9, nesterov=True, **o), _sgd(0.9, True)),
    "RMSprop": (lambda **o: RMSprop(0.1, epsilon=0.5, **o), _rmsprop(0.9, 0.5)),
    "RMSprop momentum": (lambda **o: RMSprop(0.1, momentum=0.5, **o), _rmsprop(0.9, 1e-7, 0.5)),
    "RMSprop centered": (lambda **o: RMSprop(0.1, centered=True, **o), _rmsprop(0.9, 1e-7, 0.0, True)),
    "Adam": (lambda **o: Adam(0.1, epsilon=0.5, **o), _adam(0.5)),
    "Adam amsgrad": (lambda **o: Adam(0.1, amsgrad=True, **o), _adam(1e-7, True)),
    "AdamW": (lambda **o: AdamW(0.1, **o), _adam(1e-7, False, 0.004)),
    "AdamW amsgrad": (lambda **o: AdamW(0.1, 0.2, amsgrad=True, **o), _adam(1e-7, True, 0.2)),
    "Adam weight_decay": (lambda **o: Adam(0.1, weight_decay=0.2, **o), _adam(1e-7, False, 0.2)),
}


def _each(gradients: list[Any], limit: float) -> list[Any]:
    return [g * min(1.0, limit / np.linalg.norm(g)) for g in gradients]


def _together(gradients: list[Any], limit: float) -> list[Any]:
    norm = math.sqrt(sum(float((g**2).sum()) for g in gradients))
    return [g * min(1.0, limit / norm) for g in gradients]


CLIPPING: dict[str, Callable[[list[Any], float], list[Any]]] = {
    "clipnorm": _each,
    "clipvalue": lambda gradients, limit: [np.clip(g, -limit, limit) for g in gradients],
    "global_clipnorm": _together,
}


def _variables() -> list[Variable]:
    return [Variable(w.astype("float32"), name=f"w{i}") for i, w in enumerate(WEIGHTS)]


def _run(optimizer: Any) -> list[Any]:
    variables = _variables()
    for gradients in GRADIENTS:
        optimizer.apply([g.astype("float32") for g in gradients], variables)
    return [v.numpy() for v in variables]


@pytest.mark.parametrize("clip", [None, *CLIPPING])
@pytest.mark.parametrize(("make", "step"), CASES.values(), ids=CASES)
def test_six_steps_against_a_loop_by_hand(make: Any, step: Any, clip: str | None) -> None:
    weights, states = [w.copy() for w in WEIGHTS], [{} for _ in WEIGHTS]
    for t, gradients in enumerate(GRADIENTS, 1):
        clipped = CLIPPING[clip](gradients, 0.7) if clip else gradients
        weights = [step(w, g, s, 0.1, t) for w, g, s in zip(weights, clipped, states, strict=True)]
    found = _run(make(**({clip: 0.7} if clip else {})))
    for ours, expected in zip(found, weights, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=2e-5, atol=2e-6)


def test_eager_use_counts_iterations_and_follows_schedules() -> None:
    optimizer = SGD(schedules.PiecewiseConstantDecay([2], [0.1, 0.0]))
    variables = _variables()
    values = [variables[0].numpy()]
    for gradients in GRADIENTS:
        optimizer.apply_gradients(zip([g.astype("float32") for g in gradients], variables, strict=True))
        values.append(variables[0].numpy())
    moved = [not np.array_equal(a, b) for a, b in pairwise(values)]
    assert moved == [True, True, True, False, False, False]
    assert int(optimizer.iterations) == 6


def test_a_gradient_that_is_not_finite_changes_nothing() -> None:
    for make, _ in CASES.values():
        optimizer, variables = make(), _variables()
        bad = [np.full(w.shape, np.nan, "float32") for w in WEIGHTS]
        optimizer.apply(bad, variables)
        assert all(
            np.array_equal(v.numpy(), w.astype("float32")) for v, w in zip(variables, WEIGHTS, strict=True)
        )
        assert int(optimizer.iterations) == 0


@pytest.mark.parametrize("by", ["var_names", "var_list"])
def test_weight_decay_leaves_out_what_is_named(by: str) -> None:
    optimizer, variables = SGD(0.1, weight_decay=0.5), _variables()
    optimizer.exclude_from_weight_decay(**{by: ["w1"] if by == "var_names" else variables[1:]})
    optimizer.apply([np.zeros(w.shape, "float32") for w in WEIGHTS], variables)
    np.testing.assert_allclose(variables[0].numpy(), WEIGHTS[0] * 0.95, rtol=1e-6)
    np.testing.assert_array_equal(variables[1].numpy(), WEIGHTS[1].astype("float32"))


@pytest.mark.peer
@pytest.mark.parametrize("amsgrad", [False, True])
def test_adamw_against_torch(amsgrad: bool) -> None:
    """20 steps, the second weight without decay. Epsilon stands elsewhere in PyTorch, so it is next to 0."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(5)
    theirs = [torch.tensor(w, dtype=torch.float64, requires_grad=True) for w in WEIGHTS]
    groups = [{"params": theirs[:1], "weight_decay": 0.3}, {"params": theirs[1:], "weight_decay": 0.0}]
    peer = torch.optim.AdamW(groups, lr=0.02, betas=(0.8, 0.95), eps=1e-30, amsgrad=amsgrad)
    ours = AdamW(0.02, 0.3, beta_1=0.8, beta_2=0.95, epsilon=1e-30, amsgrad=amsgrad)
    ours.exclude_from_weight_decay(var_names=["w1"])
    variables = [Variable(w, name=f"w{i}") for i, w in enumerate(WEIGHTS)]
    for _ in range(20):
        gradients = [rng.normal(size=w.shape) for w in WEIGHTS]
        for tensor, gradient in zip(theirs, gradients, strict=True):
            tensor.grad = torch.tensor(gradient)
        peer.step()
        ours.apply(gradients, variables)
    for variable, tensor in zip(variables, theirs, strict=True):
        assert variable.dtype == "float64"
        # The learning rate is a float32.
        np.testing.assert_allclose(variable.numpy(), tensor.detach().numpy(), rtol=1e-6, atol=1e-8)


def test_adamw_decays_by_default() -> None:
    optimizer, variables = AdamW(0.1), _variables()
    optimizer.apply([np.zeros(w.shape, "float32") for w in WEIGHTS], variables)
    for variable, first in zip(variables, WEIGHTS, strict=True):
        np.testing.assert_allclose(variable.numpy(), first * (1 - 0.1 * 0.004), rtol=1e-6)


class Halving(optimizers.Optimizer):
    """A user's optimizer: half of the mean of all gradients so far."""

    def __init__(self, learning_rate: Any = 1.0, **options: Any) -> None:
        super().__init__(learning_rate, **options)
        self.totals: dict[str, Variable] = {}

    def build(self, variables: Any) -> None:
        super().build(variables)
        for variable in variables:
            self.totals[variable.path] = self.add_variable_from_reference(variable, name="total")

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        total = self.totals[variable.path]
        self.assign_add(total, gradient)
        self.assign_sub(variable, total * learning_rate * 0.5)


def test_an_optimizer_of_the_users_written_in_operations() -> None:
    optimizer = Halving()
    found = _run(optimizer)
    for i, ours in enumerate(found):
        sums = np.cumsum([g[i] for g in GRADIENTS], axis=0)
        np.testing.assert_allclose(ours, WEIGHTS[i] - 0.5 * sums.sum(0), rtol=1e-4, atol=1e-5)
    assert len(optimizer.slots) == 2
    assert [v.name for v in optimizer.variables] == ["iterations", "learning_rate", "total", "total"]


@pytest.mark.parametrize("make", [case[0] for case in CASES.values()], ids=CASES)
def test_configs_come_back(make: Any) -> None:
    optimizer = make(clipnorm=1.0)
    again = optimizers.deserialize(optimizers.serialize(optimizer))
    assert type(again) is type(optimizer)
    assert again.get_config() == optimizer.get_config()


def test_configs_hold_schedules() -> None:
    optimizer = Adam(schedules.ExponentialDecay(0.1, 5, 0.9))
    again = optimizers.deserialize(optimizers.serialize(optimizer))
    assert again.learning_rate == optimizer.learning_rate == 0.1


GET = {
    "sgd": SGD,
    "SGD": SGD,
    "adam": Adam,
    "Adam": Adam,
    "adamw": AdamW,
    "AdamW": AdamW,
    "rmsprop": RMSprop,
    "RMSprop": RMSprop,
}


@pytest.mark.parametrize(("name", "cls"), GET.items())
def test_names(name: str, cls: type) -> None:
    assert type(optimizers.get(name)) is cls


DEFAULTS = [(SGD, 0.01), (RMSprop, 0.001), (Adam, 0.001), (AdamW, 0.001)]


@pytest.mark.parametrize(("cls", "rate"), DEFAULTS)
def test_default_rates(cls: Any, rate: float) -> None:
    assert float(cls().learning_rate) == pytest.approx(rate)


def _apply(gradients: Any) -> Any:
    return lambda: SGD().apply(gradients, _variables())


ERRORS: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "a negative rate": (
        lambda: SGD(-1),
        ValueError,
        "learning_rate is a non-negative number or a schedule. Received: -1",
    ),
    "a rate of text": (lambda: SGD("fast"), ValueError, "learning_rate is a non-negative number"),
    "two clippings": (
        lambda: Adam(clipnorm=1, clipvalue=1),
        ValueError,
        "only one of clipnorm, clipvalue and",
    ),
    "clipping to zero": (
        lambda: Adam(clipnorm=0),
        ValueError,
        "clipnorm must be a positive number. Received: 0",
    ),
    "momentum": (lambda: SGD(momentum=2), ValueError, r"momentum must lie in 0\.\.1"),
    "momentum of RMSprop": (
        lambda: RMSprop(momentum=-0.1),
        ValueError,
        r"RMSprop: momentum must lie in 0\.\.1\. Received: -0\.1\.",
    ),
    "rho": (lambda: RMSprop(rho=1.1), ValueError, r"RMSprop: rho must lie in 0\.\.1\. Received: 1\.1\."),
    "rho of text": (lambda: RMSprop(rho="0.9"), ValueError, r"rho must lie in 0\.\.1\. Received: '0\.9'\."),
    "beta_1 of 1": (
        lambda: Adam(beta_1=1.0),
        ValueError,
        r"Adam: beta_1 is a share below 1\. Expected: 0 <= beta_1 < 1\. Received: 1\.0\.",
    ),
    "beta_1 of 2": (lambda: Adam(beta_1=2), ValueError, r"Expected: 0 <= beta_1 < 1\. Received: 2\."),
    "beta_2 below 0": (lambda: Adam(beta_2=-0.5), ValueError, r"0 <= beta_2 < 1\. Received: -0\.5\."),
    "beta_2 of NaN": (lambda: Adam(beta_2=math.nan), ValueError, r"0 <= beta_2 < 1\. Received: nan\."),
    "epsilon of Adam": (
        lambda: Adam(epsilon=-1e-7),
        ValueError,
        r"Adam: epsilon must be a finite number, not below 0\. Received: -1e-07\.",
    ),
    "epsilon of RMSprop": (
        lambda: RMSprop(epsilon=None),
        ValueError,
        r"RMSprop: epsilon must be a finite number, not below 0\. Received: None\.",
    ),
    "no decay": (
        lambda: AdamW(weight_decay=None),
        ValueError,
        r"AdamW: weight_decay is a number\. Received: None\. Adam is the optimizer without weight decay",
    ),
    "not supported": (
        lambda: Adam(use_ema=True),
        ValueError,
        "use_ema must be False: moving averages of weights are not kept",
    ),
    "too few gradients": (
        _apply([np.zeros((3, 2))]),
        ValueError,
        "one gradient per variable. Expected: 2. Received: 1",
    ),
    "no gradient": (
        _apply([None, None]),
        ValueError,
        r"no variable has a gradient; .*Received: \['w0', 'w1'\]",
    ),
    "unknown": (
        lambda: optimizers.get("adamm"),
        ValueError,
        "Unknown optimizer 'adamm'. Did you mean 'adam'",
    ),
}


@pytest.mark.parametrize(("call", "error", "text"), ERRORS.values(), ids=ERRORS)
def test_errors(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    config.reset()
    with pytest.raises(error, match=text):
        call()


def test_a_variable_without_a_gradient_is_named() -> None:
    variables = _variables()
    with pytest.warns(UserWarning, match="the loss does not depend on w1; left unchanged"):
        SGD().apply([np.ones((3, 2), "float32"), None], variables)
