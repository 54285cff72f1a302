"""Copies and pickles: what they hold, what they leave out, and where they can be read."""

from __future__ import annotations

import copy
import gc
import inspect
import io
import pickle
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import (
    backend,
    callbacks,
    config,
    constraints,
    initializers,
    layers,
    metrics,
    ops,
    optimizers,
    regularizers,
)
from gputrain.losses.base import registry as loss_classes
from gputrain.metrics.base import registry as metric_classes
from gputrain.optimizers.base import registry as optimizer_classes
from gputrain.runtime import Variable
from gputrain.saving import state_tree
from gputrain.utils import tree
from tests.layers.test_layers import CASES
from tests.models.small import LABELS, QUIET, REAL, X, classifier, regressor, same
from tests.on_device import on_cpu, using
from tests.subprocesses import environment


def pickled(thing: Any, protocol: int | None = None) -> Any:
    return pickle.loads(pickle.dumps(thing, protocol))


class Twice(keras.Model):
    """A subclassed model whose layer is called twice, with state of its own beside the weights."""

    def __init__(self, units: int = 4) -> None:
        super().__init__()
        self.dense = layers.Dense(units, activation="tanh")
        self.stack = [layers.Dense(3), layers.Dropout(0.5)]
        self.by_name = {"out": layers.Dense(2)}
        self.tracker = metrics.Mean(name="tracked")
        self.scale = Variable(np.float32(2.0), name="scale")

    def call(self, x: Any, training: bool = False) -> Any:
        x = self.dense(self.dense(x)) * self.scale
        for layer in self.stack:
            x = layer(x, training=training)
        return self.by_name["out"](x)


class Named(keras.Model):
    """A functional subclass."""

    def answer(self) -> str:
        return f"{self.name} of {len(self.layers)}"


def double(x: Any) -> Any:
    """An activation of the user's."""
    return x * 2.0


def trained(model: Any, y: Any = REAL, epochs: int = 2) -> Any:
    if not model.compiled:
        model.compile("adam", "mse", metrics=["mae"])
    model.fit(X, y, epochs=epochs, **QUIET)
    return model


def check_copy(model: Any, other: Any, y: Any = REAL) -> None:
    """Equal, independent, and trained on to equal weights: shuffles, dropout and slots included."""
    assert type(other) is type(model)
    assert other.name == model.name
    assert [w.path for w in other.weights] == [w.path for w in model.weights]
    assert not set(other.variables) & set(model.variables)
    assert not set(other.all_layers()) & set(model.all_layers())
    np.testing.assert_array_equal(other.predict(X, **QUIET), model.predict(X, **QUIET))
    before = model.get_weights()
    other.fit(X, y, epochs=2, **QUIET)
    assert same(before, model.get_weights())
    model.fit(X, y, epochs=2, **QUIET)
    assert same(other.get_weights(), model.get_weights())
    assert other.evaluate(X, y, **QUIET) == model.evaluate(X, y, **QUIET)


MAKES = {"copy": copy.copy, "deepcopy": copy.deepcopy, "pickle": pickled}
by_each = pytest.mark.parametrize("make", MAKES.values(), ids=MAKES)


# ----------------------------------------------------------------------------------------------------- models


@by_each
def test_a_subclassed_model(make: Any) -> None:
    model = trained(Twice())
    check_copy(model, make(model))


@by_each
def test_a_subclassed_model_before_its_weights(make: Any) -> None:
    model = Twice()
    other = make(model)
    assert not other.built
    assert len(other.weights) == 1  # the scale
    assert other.scale is not model.scale
    trained(other)
    assert not model.built


@by_each
def test_a_functional_subclass(make: Any) -> None:
    inputs = keras.Input((4,), name="inputs")
    model = Named(inputs, layers.Dense(2, name="out")(layers.Dropout(0.3)(inputs)), name="named")
    other = make(trained(model))
    assert other.answer() == "named of 3"
    check_copy(model, other)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol(protocol: int) -> None:
    model = trained(regressor())
    check_copy(model, pickled(model, protocol))


def test_two_hundred_layers() -> None:
    """Deeper than Python's own recursion goes, from the model and from a layer in its middle."""
    inputs = value = keras.Input((4,))
    for _ in range(200):
        value = layers.Dense(4)(value)
    model = keras.Model(inputs, value)
    for other in (copy.deepcopy(model), pickled(model)):
        assert same(other.get_weights(), model.get_weights())
        assert other.layers[100].output.shape == (None, 4)
    assert len(pickle.dumps(model.layers[100])) < 5000  # without the layers around it
    half = keras.Model(model.layers[100].output, model.output)
    assert len(pickled(half).layers) == 101


def test_shared_layers_stay_shared_and_operations_stay_there() -> None:
    inputs = keras.Input((4,))
    shared = layers.Dense(4, name="shared")
    value = ops.tanh(shared(shared(inputs))) + shared(inputs) * 0.5
    model = keras.Model(inputs, layers.Dense(2)(value))
    other = pickled(trained(model))
    assert len(other.weights) == 4
    assert len(other.get_layer("shared").symbolic_calls) == 3
    check_copy(model, other)


@pytest.mark.parametrize("space", [ops, ops.image, ops.nn, ops.numpy], ids=lambda space: space.__name__)
def test_functions_of_operations_are_found_where_they_say_they_live(space: Any) -> None:
    functions = [function for name in dir(space) if inspect.isfunction(function := getattr(space, name))]
    assert len(functions) > 15
    for function in functions:
        assert pickle.loads(pickle.dumps(function)) is function


def test_models_in_one_pickle_share_what_they_shared() -> None:
    inputs = keras.Input((4,))
    code = layers.Dense(3, name="code")(inputs)
    encoder, whole = keras.Model(inputs, code), keras.Model(inputs, layers.Dense(2)(code))
    one, other = pickled((encoder, whole))
    assert one.get_layer("code") is other.get_layer("code")
    assert len(one.get_layer("code").symbolic_calls) == 1
    before = one.predict(X, **QUIET)
    trained(other)
    assert not np.array_equal(one.predict(X, **QUIET), before)
    assert np.array_equal(encoder.predict(X, **QUIET), before)


def test_a_layer_that_knows_its_model() -> None:
    """Attributes that lead in a circle."""
    model = Twice()
    model.dense.owner = [model]
    other = pickled(trained(model))
    assert other.dense.owner[0] is other


def test_a_function_as_activation() -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2, activation=double)])
    assert pickled(model).layers[0].activation is double
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2, activation=lambda x: x * 2.0)])
    check_copy(trained(model), copy.deepcopy(model))  # a lambda is copied; only its name cannot be written
    with pytest.raises((pickle.PicklingError, AttributeError), match="<lambda>"):
        pickle.dumps(model)


def test_copies_share_no_compiled_steps_and_hold_no_data() -> None:
    model = regressor(1)
    size = len(pickle.dumps(model))
    wide = np.repeat(X, 400, axis=0)
    model.fit(wide, wide[:, :1], **QUIET)
    model.predict(wide, **QUIET)
    assert len(pickle.dumps(model)) < size + 3000
    other = copy.deepcopy(model)
    assert other._traced_programs is not model._traced_programs
    assert other._lock is not model._lock


def test_a_copy_does_not_hold_the_original() -> None:
    model = trained(regressor())
    other, gone = copy.deepcopy(model), weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None
    trained(other)


def test_within_fit() -> None:
    """In the middle of an epoch: the same state tree, and no data, bar or callback of the run."""
    seen: list[Any] = []

    class Keep(callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if batch == 1:
                seen.append((state_tree(self.model), pickle.dumps(self.model)))

    big = np.repeat(X, 100, axis=0)
    model = regressor(1, metrics=["mae"])
    lines = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None)
    model.fit(big, big[:, :1], callbacks=[lines, Keep()], **QUIET)
    expected, written = seen[0]
    assert len(written) < 20_000
    other = pickle.loads(written)
    found = state_tree(other)
    del expected["random"], found["random"], expected["training"]["logs"], found["training"]["logs"]
    assert same(tree.flatten(found), tree.flatten(expected))
    other.fit(big, big[:, :1], **QUIET)


def test_a_copy_can_be_trained_while_the_original_is() -> None:
    losses = []

    class Rehearse(callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            losses.append(copy.deepcopy(self.model).fit(X, REAL, **QUIET).history["loss"][0])

    history = regressor().fit(X, REAL, epochs=3, callbacks=[Rehearse()], **QUIET)
    assert losses[:-1] == history.history["loss"][1:]


def test_another_thread_reads_a_pickle() -> None:
    model, found = trained(regressor()), []
    written = pickle.dumps(model)
    reader = threading.Thread(target=lambda: found.append(pickle.loads(written).predict(X, **QUIET)))
    reader.start()
    reader.join()
    np.testing.assert_array_equal(found[0], model.predict(X, **QUIET))


def test_another_process_reads_and_trains_a_pickle(tmp_path: Path) -> None:
    """A fresh Python without this one's names, as `multiprocessing` starts with "spawn"."""
    model = trained(classifier(), LABELS)
    file = tmp_path / "model.pkl"
    file.write_bytes(pickle.dumps((model, X, LABELS)))
    program = (
        "import pickle, sys\n"
        "model, x, y = pickle.load(open(sys.argv[1], 'rb'))\n"
        "model.fit(x, y, verbose=0, shuffle=False)\n"
        "pickle.dump(model, open(sys.argv[1], 'wb'))\n"
    )
    subprocess.run([sys.executable, "-c", program, str(file)], check=True, env=environment())
    if on_cpu():  # elsewhere the child's arithmetic is another device's
        model.fit(X, LABELS, shuffle=False, **QUIET)
        assert same(pickle.loads(file.read_bytes()).get_weights(), model.get_weights())


# ------------------------------------------------------------------------------------------------- everything


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_layer(case: Any) -> None:
    layer = case.layer()
    arrays = [np.linspace(-1, 1, int(np.prod(s)), dtype="float32").reshape(s) for s in case.inputs]
    given = arrays if len(arrays) > 1 else arrays[0]
    unbuilt = pickled(layer)
    assert (unbuilt.name, unbuilt.built, unbuilt.get_config()) == (
        layer.name,
        layer.built,
        layer.get_config(),
    )
    layer(given)
    start, others = config.draws(), (pickled(layer, 0), pickled(layer), copy.deepcopy(layer))
    expected = layer(given)
    for other in others:
        assert other.get_config() == layer.get_config()
        config.set_draws(start)
        np.testing.assert_array_equal(other(given), expected)


ROOMS = {
    "metric": metric_classes,
    "loss": loss_classes,
    "optimizer": optimizer_classes,
    "initializer": initializers.registry,
    "regularizer": regularizers.registry,
    "constraint": constraints.registry,
    "schedule": optimizers.schedules.registry,
}
NEED = {"ExponentialDecay": (0.1, 5, 0.5), "PiecewiseConstantDecay": ([1], [1.0, 0.5])}
NEED |= dict.fromkeys(("CosineDecay", "CosineDecayRestarts", "PolynomialDecay"), (0.1, 5))
NEED["InverseTimeDecay"] = (0.1, 5, 0.5)


@pytest.mark.parametrize("room", ROOMS)
def test_every_class_with_a_config(room: str) -> None:
    checked = 0
    for name in ROOMS[room].names():
        cls = ROOMS[room].find(name)
        needed = [
            p
            for p in inspect.signature(cls).parameters.values()
            if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD
        ]
        if not inspect.isclass(cls) or (needed and name not in NEED):
            continue
        item = cls(*NEED.get(name, ()))
        for make in MAKES.values():
            other = make(item)
            assert type(other) is cls
            assert other.get_config() == item.get_config()
        checked += 1
    assert checked > 3


@by_each
def test_metrics_keep_what_they_counted(make: Any) -> None:
    mean, auc, f1 = metrics.Mean(), metrics.AUC(num_thresholds=20), metrics.F1Score()
    mean.update_state([1.0, 2.0])
    auc.update_state([0, 1, 1], [0.2, 0.7, 0.4])
    f1.update_state([[0.0, 1.0], [1.0, 0.0]], [[0.4, 0.6], [0.3, 0.7]])
    for metric in (mean, auc, f1):
        other = make(metric)
        np.testing.assert_array_equal(other.result(), metric.result())
        other.reset_state()
        assert not np.array_equal(other.result(), metric.result())


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop"])
def test_optimizers_keep_their_slots(name: str) -> None:
    model = regressor(optimizer=getattr(optimizers, name)(0.01))
    other = pickled(trained(model))
    mine, theirs = (m.optimizer.slot_values() for m in (model, other))
    for (v, slots), (w, copied) in zip(mine.items(), theirs.items(), strict=True):
        assert v.path == w.path
        assert all(np.array_equal(slots[key], copied[key]) for key in slots)
    assert other.optimizer._trained_variables == other.trainable_variables
    check_copy(model, other)


def test_what_is_excluded_from_weight_decay_stays_so() -> None:
    model = regressor(optimizer=optimizers.AdamW(0.01, weight_decay=0.5))
    model.optimizer.exclude_from_weight_decay(var_list=[model.layers[0].kernel], var_names=["bias"])
    check_copy(model, pickled(model))


def test_a_schedule_that_was_looked_ahead() -> None:
    rate = optimizers.schedules.ExponentialDecay(0.1, 3, 0.5)
    model = trained(regressor(optimizer=optimizers.SGD(rate)))
    other = pickled(model)
    other.optimizer.iterations.assign(0)  # its own counter, which tells its own optimizer
    assert other.optimizer._rates_left == 0
    assert model.optimizer._rates_left > 0
    check_copy(model, pickled(model))


def test_callbacks() -> None:
    model = regressor()
    stop = callbacks.EarlyStopping("loss", restore_best_weights=True)
    slower = callbacks.ReduceLROnPlateau("loss", patience=1)
    lines = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None)
    history = model.fit(X, REAL, epochs=3, callbacks=[stop, slower, lines], **QUIET)
    others = pickled([stop, slower, history])
    assert others[0].best == stop.best
    assert same(others[0].best_weights, stop.best_weights)
    assert others[2].history == history.history
    assert others[0].model is others[2].model
    assert others[0].companions == ()
    others[0].model.fit(X, REAL, epochs=2, callbacks=others[:2], **QUIET)
    assert copy.copy(stop).model is model  # a shallow copy, as of any callback of Keras
    with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
        pickle.dumps(lines)


def test_seed_generators_go_on() -> None:
    seeds = keras.random.SeedGenerator(3)
    keras.random.normal((2,), seed=seeds)
    other = pickled(seeds)
    np.testing.assert_array_equal(
        keras.random.normal((2,), seed=other), keras.random.normal((2,), seed=seeds)
    )


def test_variables() -> None:
    variable = Variable(np.arange(3.0), dtype="float32", trainable=False, name="v", path="a/v")
    variable.constraint = constraints.NonNeg()
    for make in (*MAKES.values(), lambda v: pickled(v, 0)):
        other = make(variable)
        assert (other.path, other.dtype, other.shape, other.trainable) == ("a/v", "float32", (3,), False)
        other.assign(np.ones(3))
        assert variable.numpy().tolist() == [0.0, 1.0, 2.0]
        assert isinstance(other.constraint, constraints.NonNeg)
    table = pickled({variable: 1, "again": variable})
    assert table[table["again"]] == 1


# ------------------------------------------------------------------------------------------- where it is read


@pytest.mark.gpu_only("there is one device otherwise")
def test_a_pickle_lands_on_the_device_in_use() -> None:
    here = trained(regressor(optimizer="adam"))
    with using("numpy"):
        host = pickled(here)
        assert host.weights[0].device.name == "numpy"
        assert isinstance(host.optimizer.slots[0].array, np.ndarray)
        found = host.predict(X, **QUIET)
        trained(host)
        back = pickle.dumps(host)
    np.testing.assert_allclose(found, here.predict(X, **QUIET), rtol=1e-4, atol=1e-5)
    again = pickle.loads(back)
    assert again.weights[0].device is backend.current_device()
    trained(again)


def test_a_pickle_of_another_layout_says_so() -> None:
    state = Variable(np.zeros(2), name="v").__getstate__()
    for written_by, words in (((99, "7.2.0"), "one of gputrain 7.2.0"), (None, "an older version")):
        other = Variable.__new__(Variable)
        with pytest.raises(ValueError, match=f"another version of gputrain.*{words}"):
            other.__setstate__({**state, "written_by": written_by})


# ------------------------------------------------------------------------------------------------ other tools


def test_joblib(tmp_path: Path) -> None:
    joblib = pytest.importorskip("joblib", reason="joblib comes with scikit-learn, which is not installed")
    model = trained(regressor())
    joblib.dump({"model": model, "columns": list("abcd")}, tmp_path / "model.joblib", compress=3)
    check_copy(model, joblib.load(tmp_path / "model.joblib")["model"])
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    np.testing.assert_array_equal(joblib.load(file).predict(X, **QUIET), model.predict(X, **QUIET))


class Regressor:
    """A scikit-learn estimator around a model, as scripts write them: it is cloned, searched and pickled."""

    def __init__(self, model: Any = None, epochs: int = 1) -> None:
        self.model, self.epochs = model, epochs

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return {"model": self.model, "epochs": self.epochs}

    def set_params(self, **params: Any) -> Regressor:
        vars(self).update(params)
        return self

    def fit(self, x: Any, y: Any) -> Regressor:
        self.model_ = copy.deepcopy(self.model)
        self.history_ = self.model_.fit(x, y, epochs=self.epochs, **QUIET)
        return self

    def predict(self, x: Any) -> Any:
        return self.model_.predict(x, **QUIET)

    def score(self, x: Any, y: Any) -> float:
        return -self.model_.evaluate(x, y, **QUIET)

    def __sklearn_tags__(self) -> Any:
        from sklearn.base import BaseEstimator

        return BaseEstimator.__sklearn_tags__(self)


@pytest.mark.filterwarnings("ignore")  # scikit-learn's own
def test_scikit_learn() -> None:
    selection = pytest.importorskip("sklearn.model_selection")
    from sklearn.base import clone

    model = regressor()
    estimator = Regressor(model)
    assert clone(estimator).model is not model
    scores = selection.cross_val_score(estimator, X, REAL, cv=3)
    assert scores.shape == (3,)
    search = selection.GridSearchCV(estimator, {"epochs": [1, 20]}, cv=2, n_jobs=1).fit(X, REAL)
    assert search.best_params_ == {"epochs": 20}
    again = pickled(search)
    np.testing.assert_array_equal(again.predict(X), search.predict(X))
    assert int(model.step_counter) == 0
