"""The learning-rate range test against a loop written by hand."""

import math

import numpy as np
import pytest

import gputrain
from gputrain.app.recipes import load
from gputrain.app.recipes.errors import RecipeError
from gputrain.app.recipes.find_lr import find_lr, ready
from gputrain.utils import philox
from tests.app.recipes.material import REGRESSION, houses, pictures, recipe, write_csv


@pytest.fixture
def made(tmp_path):
    x, y = pictures(60)
    np.savez(tmp_path / "a.npz", x_train=x[:48], y_train=y[:48], x_test=x[48:], y_test=y[48:])
    return recipe(data={"file": str(tmp_path / "a.npz")}, optimizer={"name": "sgd"})


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def test_the_curve_is_that_of_a_loop(made):
    """Stochastic gradient descent on a softmax regression, in float64."""
    work = ready(made)
    kernel, bias = (weight.numpy().astype(np.float64) for weight in work.model.weights)
    x, y = work.dataset.train.x.reshape(48, 16).astype(np.float64), work.dataset.train.y
    rates = 1e-3 * (1e3 ** (np.arange(20) / 19))
    rows, epoch = [], 0
    while len(rows) < 20:
        order = philox.permutation(48, 3, philox.stream_id("recipe/range_test"), epoch)
        rows, epoch = rows + np.split(order, 3), epoch + 1
    losses = []
    for rate, batch in zip(rates, rows, strict=False):
        shares = softmax(x[batch] @ kernel + bias)
        losses.append(-np.mean(np.log(shares[np.arange(16), y[batch]])))
        error = (shares - np.eye(3)[y[batch]]) / 16
        kernel, bias = kernel - rate * x[batch].T @ error, bias - rate * error.sum(axis=0)
    found = find_lr(work, 1e-3, 1.0, 20)
    np.testing.assert_allclose(found.rates, rates, rtol=1e-6)
    np.testing.assert_allclose(found.losses, losses, rtol=2e-4)
    mean, smoothed = 0.0, []
    for step, loss in enumerate(losses, start=1):
        mean = 0.95 * mean + 0.05 * loss
        smoothed.append(mean / (1 - 0.95**step))
    np.testing.assert_allclose(found.smoothed, smoothed, rtol=2e-4)
    assert found.largest == found.rates[int(np.argmin(found.smoothed))]
    assert found.suggestion in found.rates


@pytest.mark.cpu_only("many steps")
def test_the_suggestion_for_the_digits_trains_them():
    settings = [("training.epochs", 3, "--epochs"), ("data.train_samples", 400, "--set")]
    found = find_lr(ready(load("digits_mlp", settings)), steps=120)
    assert 1e-4 < found.suggestion < 1e-1
    assert found.suggestion < found.largest
    good = ("optimizer.learning_rate", found.suggestion, "--set")
    tiny = ("optimizer.learning_rate", found.suggestion / 1000, "--set")
    first, second = (
        gputrain.recipes.run(load("digits_mlp", [*settings, rate]), verbose=0) for rate in (good, tiny)
    )
    assert first.metrics["test_accuracy"] > 0.8
    assert second.metrics["test_accuracy"] < 0.5


def test_it_ends_where_the_loss_runs_away(tmp_path):
    section = {"file": str(write_csv(tmp_path / "a.csv", houses())), "target": "price"}
    found = find_lr(ready(recipe(REGRESSION, data=section, optimizer={"name": "sgd"})), 1e-3, 1e5, 100)
    assert 10 < len(found.losses) < 100
    assert all(map(math.isfinite, found.losses))
    assert len(found.rates) == len(found.losses) == len(found.smoothed)
    assert found.largest < 10


def test_a_loss_that_is_not_finite_ends_it(tmp_path):
    section = {
        "file": str(write_csv(tmp_path / "a.csv", houses())),
        "target": "price",
        "scale_targets": False,
    }
    found = find_lr(ready(recipe(REGRESSION, data=section, optimizer={"name": "sgd"})), 1e5, 1e6, 50)
    assert len(found.losses) < 12
    assert all(map(math.isfinite, found.losses))


def test_a_schedule_makes_way(made):
    schedule = {"name": "cosine_decay", "initial_learning_rate": 0.1, "decay_steps": 10}
    with_schedule = recipe(**{**made.given, "optimizer": {"name": "sgd", "learning_rate": schedule}})
    plain, other = (find_lr(ready(given), 1e-3, 1.0, 12) for given in (made, with_schedule))
    assert plain.losses == other.losses


def test_each_step_is_told(made):
    told = []
    found = find_lr(ready(made), 1e-3, 1.0, 12, lambda step, loss: told.append((step, loss)))
    assert told == list(enumerate(found.losses))


BOUNDS = [
    (0, 1, 20),
    (-1, 1, 20),
    (1, 1, 20),
    (1, 0.1, 20),
    (math.nan, 1, 20),
    (1e-3, math.inf, 20),
    (1e-3, math.nan, 20),
    (1e-13, 1, 20),
    (1e-3, 1e7, 20),
    (1e-3, 1, 9),
    (1e-3, 1, 10**12),
    (1e-3, 1, -5),
]


@pytest.mark.parametrize(("low", "high", "steps"), BOUNDS)
def test_wrong_bounds(low, high, steps):
    with pytest.raises(
        RecipeError, match=r"Expected: rates from 1e-12 to 1e6, 10 to 100000 steps\. Received: "
    ):
        find_lr(None, low, high, steps)
