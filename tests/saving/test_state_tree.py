"""One tree names all state of a training: taken, set in a new model, and trained on, bit for bit."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import callbacks, config, layers, ops
from gputrain.data import make_arrays
from gputrain.data.sources import ArraySource, make_source
from gputrain.errors import ShapeError
from gputrain.saving import set_state_tree, state_tree

R = np.random.default_rng(11)
X = R.normal(size=(70, 6)).astype("float32")
Y = R.integers(0, 3, 70)
QUIET: dict[str, Any] = {"verbose": 0}


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    config.set_seed(5)
    yield
    config.reset()


def network() -> keras.Sequential:
    """Dropout, moving statistics, a model within the model."""
    inner = keras.Sequential([layers.Dense(7, activation="relu"), layers.BatchNormalization()])
    return keras.Sequential([keras.Input((6,)), inner, layers.Dropout(0.4), layers.Dense(3)])


def compiled(optimizer: Callable[[], Any], **given: Any) -> keras.Sequential:
    model = network()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer(), loss, metrics=["accuracy"], **given)
    return model


def falling() -> Any:
    schedule = keras.optimizers.schedules.ExponentialDecay(0.02, 4, 0.9)
    return keras.optimizers.Adam(schedule, clipnorm=0.5)


def steady() -> Any:
    return keras.optimizers.Adam(0.05, clipnorm=0.3)


def halving(epoch: int, rate: float) -> float:
    return rate * 0.5 if epoch else rate


def watching() -> list[Any]:
    """Callbacks that remember: they lower the rate, and end the run before its last epoch."""
    return [
        callbacks.EarlyStopping("val_loss", patience=2, restore_best_weights=True, min_delta=0.01),
        callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=0.05, cooldown=1),
        callbacks.History(),
    ]


class Take(callbacks.Callback):
    """Takes the tree after a batch (or, with batch None, at the end) of an epoch, and stops the training."""

    def __init__(self, epoch: int, batch: int | None) -> None:
        super().__init__()
        self.at, self.batch, self.epoch, self.tree = epoch, batch, -1, {}

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if (self.epoch, batch) == (self.at, self.batch):
            self.take()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if epoch == self.at and self.batch is None:
            self.take()

    def take(self) -> None:
        self.tree = plain(state_tree(self.model, self.companions))
        self.model.stop_training = True


def plain(tree: Any) -> Any:
    """A copy by way of NumPy and JSON: what files can hold, and in another order."""
    if isinstance(tree, dict):
        return {key: plain(tree[key]) for key in sorted(tree)}
    if isinstance(tree, list | tuple):
        return [plain(item) for item in tree]
    return np.array(tree) if isinstance(tree, np.ndarray) else json.loads(json.dumps(tree))


def flat(tree: Any, path: str = "") -> dict[str, Any]:
    """Leaves of a tree by their path."""
    if isinstance(tree, dict):
        return {k: v for key, item in tree.items() for k, v in flat(item, f"{path}/{key}").items()}
    return {path: tree}


def assert_same(first: Any, second: Any) -> None:
    one, two = flat(first), flat(second)
    assert sorted(one) == sorted(two)
    different = [path for path in one if not np.array_equal(one[path], two[path])]
    assert not different


OPTIMIZERS: dict[str, tuple[Callable[[], Any], Callable[[], list[Any]]]] = {
    "Adam, clipped, callbacks that lower the rate": (steady, watching),
    "Adam, a schedule": (falling, lambda: [watching()[0], callbacks.History()]),
    "SGD with momentum, a rate set each epoch": (
        lambda: keras.optimizers.SGD(0.1, momentum=0.9, global_clipnorm=1.0),
        lambda: [callbacks.LearningRateScheduler(halving), callbacks.History()],
    ),
}
PLACES = {"the middle of an epoch": (2, 1), "the last batch": (1, 4), "the end of an epoch": (1, None)}
DATA: dict[str, Callable[[], dict[str, Any]]] = {
    "arrays": lambda: {"x": X, "y": Y, "batch_size": 16},
    "arrays, steps": lambda: {"x": X, "y": Y, "batch_size": 16, "steps_per_epoch": 6},
    "an iterable": lambda: {"x": Again(), "steps_per_epoch": 7},
}


class Again:
    """Batches from the beginning, as often as asked."""

    def __iter__(self) -> Iterator[Any]:
        return ((X[i : i + 14], Y[i : i + 14]) for i in range(0, 70, 14))


def fit(model: Any, data: dict[str, Any], listeners: list[Any]) -> Any:
    return model.fit(**data, epochs=6, validation_data=(X[:20], Y[:20]), callbacks=listeners, **QUIET)


@pytest.mark.parametrize(("optimizer", "listeners"), OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize(("epoch", "batch"), PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("data", DATA.values(), ids=DATA)
def test_a_training_goes_on_in_a_new_model(
    optimizer: Any, listeners: Any, epoch: int, batch: int | None, data: Any
) -> None:
    through, heard = compiled(optimizer), listeners()
    history = fit(through, data(), heard)
    expected = plain(state_tree(through, heard))

    config.set_seed(5)
    take = Take(epoch, batch)
    fit(compiled(optimizer), data(), [*listeners(), take])
    assert take.tree["training"]["epoch"] == (epoch if batch is not None else epoch + 1)

    config.set_seed(99)  # all is built anew, of other weights
    resumed, again = compiled(optimizer), listeners()
    set_state_tree(resumed, take.tree, again)
    history_again = fit(resumed, data(), again)
    assert history_again.history == history.history
    assert history_again.epoch == history.epoch
    assert_same(plain(state_tree(resumed, again)), expected)


def test_the_callbacks_of_these_tests_act() -> None:
    history = fit(compiled(steady), DATA["arrays"](), watching())
    assert history.epoch[-1] < 5, "stopped early"
    assert len(set(history.history["learning_rate"])) > 1


def test_what_is_set_is_what_was_taken() -> None:
    model, heard = compiled(steady), watching()
    fit(model, DATA["arrays"](), heard)
    tree = plain(state_tree(model, heard))
    other, again = compiled(steady), watching()
    other.fit(X, Y, epochs=1, **QUIET)
    set_state_tree(other, copy.deepcopy(tree), again)
    assert_same(plain(state_tree(other, again)), tree)


def test_names() -> None:
    model = compiled(falling)
    model.fit(X, Y, epochs=1, batch_size=35, **QUIET)
    tree = state_tree(model)
    assert list(tree) == ["weights", "optimizers", "training", "metrics", "callbacks", "random"]
    assert list(tree["weights"]) == [
        "0/0/kernel", "0/0/bias", "0/1/gamma", "0/1/beta", "0/1/moving_mean", "0/1/moving_variance",
        "2/kernel", "2/bias",
    ]  # fmt: skip
    slots = tree["optimizers"]["optimizer"]["slots"]
    assert list(slots) == [name for name in tree["weights"] if "moving" not in name]
    assert {name: array.shape for name, array in slots["2/kernel"].items()} == {
        "momentum": (7, 3), "velocity": (7, 3)
    }  # fmt: skip
    assert list(tree["metrics"]) == ["loss", "compile_metrics"]
    assert tree["training"]["step"] == 2
    assert (tree["training"]["epoch"], tree["training"]["batch"]) == (1, 0)
    assert tree["training"]["source"] == {"pass": 0, "batch": 2}
    assert tree["random"]["seed"] == 5


WRONG: dict[str, tuple[Callable[[dict[str, Any]], Any], type[Exception], str]] = {
    "a weight is missing": (
        lambda tree: tree["weights"].pop("2/bias"), ValueError, r"net: the state lacks '2/bias'"
    ),
    "a weight too many": (
        lambda tree: tree["weights"].update({"5/bias": 0}), ValueError,
        r"net: the state holds '5/bias', which is not here. Did you mean '2/bias'\?",
    ),
    "a weight of another shape": (
        lambda tree: tree["weights"].update({"2/bias": np.zeros(4)}), ShapeError,
        r"'2/bias' has another shape in the state. Expected: \(3,\). Received: \(4,\)",
    ),
    "slots of no weight": (
        lambda tree: tree["optimizers"]["optimizer"]["slots"].update({"9/kernel": {}}), ValueError,
        r"slots of '9/kernel', which is no weight here",
    ),
    "slots are missing": (
        lambda tree: tree["optimizers"]["optimizer"]["slots"].pop("2/bias"), ValueError,
        r"slots: the state lacks '2/bias'",
    ),
    "a slot is missing": (
        lambda tree: tree["optimizers"]["optimizer"]["slots"]["2/bias"].pop("velocity"), ValueError,
        r"slots of '2/bias': the state lacks 'velocity'",
    ),
    "a metric is missing": (
        lambda tree: tree["metrics"].pop("loss"), ValueError, r"metrics: the state lacks 'loss'"
    ),
    "a counter is missing": (
        lambda tree: tree["training"].pop("step"), ValueError, r"training: the state lacks 'step'"
    ),
    "a callback that was not given": (
        lambda tree: tree["callbacks"].update({"Mine": {"a": 1}}), ValueError,
        r"callbacks: .* begun with\. Expected: EarlyStopping, .*Received: Mine is missing\. Give fit",
    ),
    "a callback without state": (
        lambda tree: tree["callbacks"].pop("EarlyStopping"), ValueError,
        r"callbacks: .* begun with\. Expected: .*Received: EarlyStopping is new\. Give fit",
    ),
    "a part is missing": (
        lambda tree: tree.pop("random"), ValueError, r"the state tree: the state lacks 'random'"
    ),
    "no tree": (lambda tree: tree.update({"metrics": 3}), ValueError, r"metrics: a state is a dict"),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "kind", "text"), WRONG.values(), ids=WRONG)
def test_what_does_not_fit_is_named(spoil: Any, kind: type[Exception], text: str) -> None:
    model, heard = compiled(steady), watching()
    model.name = "net"
    fit(model, DATA["arrays"](), heard)
    tree = plain(state_tree(model, heard))
    spoil(tree)
    with pytest.raises(kind, match=text):
        set_state_tree(model, tree, heard)


def test_a_model_without_weights_yet() -> None:
    """No name is unknown: the model has to be built first."""
    model = compiled(falling)
    model.fit(X, Y, **QUIET)
    fresh = keras.Sequential([layers.Dense(3)], name="net")
    fresh.compile("adam", "mse")
    with pytest.raises(ValueError, match=r"net: the weights must exist before their state is set\. Call it"):
        set_state_tree(fresh, state_tree(model))


def test_what_is_no_tree() -> None:
    with pytest.raises(ValueError, match=r"the state tree: a state is a dict.*Received: None"):
        set_state_tree(compiled(falling), None)  # type: ignore[arg-type]


def test_metrics_that_are_not_made_yet_are_checked_when_fit_makes_them() -> None:
    model = compiled(falling)
    model.fit(X, Y, **QUIET)
    tree = plain(state_tree(model))
    tree["metrics"]["other"] = {}
    fresh = compiled(falling)
    set_state_tree(fresh, tree)
    with pytest.raises(ValueError, match=r"metrics: the state holds 'other', which is not here"):
        fresh.fit(X, Y, **QUIET)


def test_another_initial_epoch_than_the_trees() -> None:
    model = compiled(falling)
    model.fit(X, Y, epochs=2, **QUIET)
    fresh = compiled(falling)
    set_state_tree(fresh, state_tree(model))
    with pytest.raises(ValueError, match=r"Expected: initial_epoch=2, or none. Received: 1"):
        fresh.fit(X, Y, initial_epoch=1, epochs=3, **QUIET)
    assert fresh.fit(X, Y, initial_epoch=2, epochs=3, **QUIET).epoch == [2]
    assert fresh.fit(X, Y, epochs=1, **QUIET).epoch == [0], "a further fit begins where it is told"


def test_a_sequence_of_models_with_two_optimizers_and_a_subclassed_model() -> None:
    """A traced train_step of its own: weights by attributes, each optimizer with its slots."""

    class Pair(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = layers.Dense(4), [layers.Dense(2)]
            self.slow = keras.optimizers.SGD(0.1, momentum=0.9)
            self.seeds = keras.random.SeedGenerator(3)

        def call(self, x: Any) -> Any:
            return self.second[0](self.first(x))

        def train_step(self, data: Any) -> Any:
            loss = ops.mean(ops.square(self(data)))
            one, two = self.first.trainable_variables, self.second[0].trainable_variables
            grads = keras.gradients(loss, [*one, *two])
            self.optimizer.apply(grads[:2], one)
            self.slow.apply(grads[2:], two)
            return {"loss": loss}

    def pair() -> Pair:
        model = Pair()
        model.compile("adam")
        model.build((None, 6))
        return model

    model = pair()
    keras.random.normal((2,), seed=model.seeds)
    model.fit(X, epochs=2, **QUIET)
    tree = plain(state_tree(model))
    assert list(tree["weights"]) == ["first/bias", "first/kernel", "second.0/bias", "second.0/kernel"]
    assert list(tree["optimizers"]) == ["optimizer", "slow"]
    assert list(tree["optimizers"]["slow"]["slots"]) == ["second.0/bias", "second.0/kernel"]
    assert tree["random"]["generators"]["seeds"].tolist() == [3, 1]
    model.fit(X, initial_epoch=2, epochs=4, **QUIET)
    fresh = pair()
    set_state_tree(fresh, tree)
    fresh.fit(X, epochs=4, **QUIET)
    assert_same(plain(state_tree(fresh)), plain(state_tree(model)))


def test_a_callback_of_the_user_takes_part() -> None:
    class Counts(callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.count = 0

        def on_train_begin(self, logs: Any = None) -> None:
            self.count = 0

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.count += 1

        def state(self) -> dict[str, Any]:
            return {"count": self.count}

        def set_state(self, state: Any) -> None:
            self.count = state["count"]

    model, two = compiled(falling), [Counts(), Counts()]
    model.fit(X, Y, epochs=3, callbacks=two, **QUIET)
    tree = state_tree(model, two)
    assert tree["callbacks"] == {"Counts": {"count": 3}, "Counts_1": {"count": 3}}
    fresh, again = compiled(falling), [Counts(), Counts()]
    set_state_tree(fresh, tree, again)
    fresh.fit(X, Y, epochs=5, callbacks=again, **QUIET)
    assert [c.count for c in again] == [5, 5]
    fresh.fit(X, Y, epochs=1, callbacks=again, **QUIET)
    assert [c.count for c in again] == [1, 1], "a fit that does not resume starts anew"


def test_attributes_named_state_do_not_stand_in_the_way() -> None:
    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.state, self.set_state = layers.Dense(2), None

        def call(self, x: Any) -> Any:
            return self.state(x)

    class Hears(callbacks.Callback):
        def __init__(self) -> None:  # without super().__init__()
            self.state = "here"

    def own() -> Own:
        model = Own()
        model.compile("sgd", "mse")
        model.build((None, 6))
        return model

    model = own()
    model.fit(X, X[:, :2], callbacks=[Hears()], **QUIET)
    fresh, tree = own(), state_tree(model, [Hears()])
    assert list(tree["weights"]) == ["state/kernel", "state/bias"]
    set_state_tree(fresh, tree, [Hears()])
    assert_same(state_tree(fresh), state_tree(model))


SOURCES: dict[str, Callable[[], Any]] = {
    "arrays": lambda: ArraySource(make_arrays(X), 16, True, 7, repeat=True),
    "a sequence": lambda: make_source(Known(), 1, True, 7, "fit", repeat=True),
    "an iterable": lambda: make_source(Again(), 1, False, 7, "fit", repeat=True),
    "a generator": lambda: make_source(endless(), 1, False, 7, "fit", repeat=True),
}


def endless() -> Iterator[Any]:
    while True:
        yield from Again()


class Known:
    """Batches by number."""

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> Any:
        return X[14 * index : 14 * index + 14], Y[14 * index : 14 * index + 14]


@pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)
@pytest.mark.parametrize("peek", [False, True])
def test_a_source_goes_on_from_its_state(make: Callable[[], Any], peek: bool) -> None:
    def sums(batches: Any) -> list[float]:
        leaves = [b.arrays.x if b.rows is None else b.arrays.x[b.rows] for b in batches]
        return [float(x.sum()) for x in leaves]

    source = make()
    expected = [sums(source.epoch(0)) for _ in range(3)]
    source, other = make(), make()
    assert sums(source.epoch(0)) == expected[0]
    begun = source.epoch(0)
    assert sums([next(begun) for _ in range(4)]) == expected[1][:4]
    if peek:
        other.first()
    other.set_state(plain(source.state()))
    assert sums(other.epoch(7, done=4)) == expected[1][4:]
    assert sums(other.epoch(14)) == expected[2]


def test_a_source_of_the_users_own_in_the_tree() -> None:
    model, source = compiled(falling), SOURCES["arrays"]()
    list(source.epoch(0))
    tree = state_tree(model, source=source)
    assert tree["training"]["source"] == source.state() == {"pass": 1, "batch": 2}
    other = SOURCES["arrays"]()
    set_state_tree(compiled(falling), tree, source=other)
    assert other.state() == source.state()
