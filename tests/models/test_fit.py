"""fit, evaluate, predict and the methods for one batch: arguments, history, batches."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import callbacks, layers, ops
from gputrain.backend import current_device
from tests.models.small import LABELS, ONE_HOT, QUIET, REAL, X, classifier, regressor, same
from tests.tolerances import assert_close


class Recorder(callbacks.Callback):
    """Writes down every moment, with its number and the names of its logs."""

    def __init__(self) -> None:
        super().__init__()
        self.moments: list[Any] = []

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if not name.startswith("on_") or name in ("on_batch_begin", "on_batch_end"):
            return found
        return lambda *given: self._write_down(name.removeprefix("on_"), *given)

    def _write_down(self, moment: str, *given: Any) -> None:
        logs = given[-1] if isinstance(given[-1], Mapping) else {}
        self.moments.append((moment, given[0] if isinstance(given[0], int) else None, sorted(logs)))


class Every(callbacks.Callback):
    """Calls a function at the end of each batch and each epoch."""

    def __init__(self, batch: Any = None, epoch: Any = None) -> None:
        super().__init__()
        self.batch, self.epoch = batch, epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.batch is not None:
            self.batch(batch, logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.epoch is not None:
            self.epoch(epoch, logs)


def _steps(**fit: Any) -> list[int]:
    """Numbers of the batches of each epoch, as a callback sees them."""
    seen: list[int] = []
    regressor().fit(X, REAL, callbacks=[Every(batch=lambda n, logs: seen.append(n))], **QUIET, **fit)
    return seen


def test_history_and_its_place() -> None:
    model = classifier(metrics=["accuracy"])
    history = model.fit(X, LABELS, epochs=3, validation_data=(X, LABELS), **QUIET)
    assert history is model.history
    assert history.epoch == [0, 1, 2]
    assert sorted(history.history) == ["accuracy", "loss", "val_accuracy", "val_loss"]
    assert all(
        len(values) == 3 and all(isinstance(v, float) for v in values) for values in history.history.values()
    )
    assert history.params["epochs"] == 3


def test_the_callback_protocol_in_full() -> None:
    recorder = Recorder()
    model = regressor()
    model.fit(X, REAL, batch_size=25, validation_data=(X, REAL), callbacks=recorder, **QUIET)
    batches = [("train_batch_begin", 0, []), ("train_batch_end", 0, ["loss"])]
    batches += [("train_batch_begin", 1, []), ("train_batch_end", 1, ["loss"])]
    tests = [m for n in (0, 1) for m in [("test_batch_begin", n, []), ("test_batch_end", n, ["loss"])]]
    assert [m[:2] if m[1] is not None else m[0] for m in recorder.moments] == [
        "train_begin",
        ("epoch_begin", 0),
        *[m[:2] for m in batches],
        "test_begin",
        *[m[:2] for m in tests],
        "test_end",
        ("epoch_end", 0),
        "train_end",
    ]
    ends = {m[0]: m[2] for m in recorder.moments}
    assert ends["train_batch_end"] == ["loss"]
    assert ends["epoch_end"] == ["loss", "val_loss"]


def test_callbacks_of_evaluate_and_predict() -> None:
    recorder = Recorder()
    model = regressor()
    model.evaluate(X, REAL, callbacks=[recorder], **QUIET)
    model.predict(X, batch_size=50, callbacks=[recorder], **QUIET)
    names = [m[0] for m in recorder.moments]
    assert names[:2] == ["test_begin", "test_batch_begin"]
    assert names[-4:] == ["predict_begin", "predict_batch_begin", "predict_batch_end", "predict_end"]
    assert recorder.moments[-2][2] == ["outputs"]


def test_batch_logs_are_fetched_when_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from gputrain.models.program import Program

    fetched: list[int] = []
    read, numbers = Program.logs, []
    monkeypatch.setattr(Program, "logs", lambda self: fetched.append(numbers[-1]) or read(self))
    seen: list[Any] = []

    def reader(number: int, logs: Any) -> None:
        numbers.append(number)
        seen.append((list(logs), len(logs), "loss" in logs))
        if number == 2:
            seen.extend([logs["loss"], logs["loss"]])

    regressor().fit(X, REAL, batch_size=10, callbacks=[Every(batch=reader)], **QUIET)
    assert seen[:3] == [(["loss"], 1, True)] * 3
    assert math.isfinite(seen[3])
    assert seen[4] == seen[3]
    assert fetched == [2, 4]  # once where they are read, and at the end of the epoch


def test_logs_kept_beyond_their_batch_keep_their_values() -> None:
    lazy: list[Any] = []
    read: list[float] = []

    def keeper(number: int, logs: Any) -> None:
        lazy.append(logs)
        read.append(float(logs["loss"]))

    regressor().fit(X, REAL, batch_size=10, epochs=2, callbacks=[Every(batch=keeper)], verbose=0)
    assert [logs["loss"] for logs in lazy] == read
    assert len(set(read)) > 2


STEPS: dict[str, tuple[dict[str, Any], list[int]]] = {
    "once through": ({"batch_size": 20}, [0, 1, 2]),
    "default batch size": ({}, [0, 1]),
    "initial_epoch": ({"batch_size": 50, "epochs": 3, "initial_epoch": 1}, [0, 0]),
    "no epoch": ({"epochs": 0}, []),
    "begun after the end": ({"epochs": 1, "initial_epoch": 2}, []),
    "steps_per_epoch": ({"batch_size": 20, "steps_per_epoch": 2, "epochs": 2}, [0, 1, 0, 1]),
    "more steps than data": ({"batch_size": 20, "steps_per_epoch": 5}, [0, 1, 2, 3, 4]),
    "validation_split": ({"batch_size": 20, "validation_split": 0.2}, [0, 1]),
}


@pytest.mark.parametrize(("fit", "expected"), STEPS.values(), ids=STEPS)
def test_batches_of_an_epoch(fit: dict[str, Any], expected: list[int]) -> None:
    assert _steps(**fit) == expected


def test_steps_per_execution_groups_the_callbacks_only() -> None:
    kept: dict[int, Any] = {}
    for size in (1, 3):
        keras.config.set_seed(1)
        seen: list[int] = []
        model = regressor(steps_per_execution=size)
        model.fit(
            X, REAL, batch_size=10, callbacks=[Every(batch=lambda n, logs, s=seen: s.append(n))], **QUIET
        )
        kept[size] = (seen, model.get_weights())
    assert kept[1][0] == [0, 1, 2, 3, 4]
    assert kept[3][0] == [2, 4]
    assert same(kept[1][1], kept[3][1])


def test_validation_freq() -> None:
    for freq, expected in ((2, 2), ([1, 4, 9], 2), (5, 0)):
        history = regressor().fit(X, REAL, epochs=4, validation_data=(X, REAL), validation_freq=freq, **QUIET)
        assert len(history.history.get("val_loss", [])) == expected


def test_validation_split_is_the_last_rows() -> None:
    model = regressor()
    history = model.fit(X, REAL, validation_split=0.2, shuffle=True, **QUIET).history
    assert history["val_loss"][0] == pytest.approx(model.evaluate(X[40:], REAL[40:], **QUIET), rel=1e-6)


def test_validation_has_batches_of_its_own() -> None:
    recorder = Recorder()
    regressor().fit(
        X,
        REAL,
        validation_data=(X, REAL),
        validation_batch_size=10,
        validation_steps=2,
        callbacks=[recorder],
        **QUIET,
    )
    assert [m[1] for m in recorder.moments if m[0] == "test_batch_end"] == [0, 1]


def test_stop_training_ends_the_epoch_and_the_fit() -> None:
    model = regressor()

    def stop(batch: int, logs: Any) -> None:
        model.stop_training = batch == 1

    history = model.fit(X, REAL, epochs=5, batch_size=10, callbacks=[Every(batch=stop)], **QUIET)
    assert history.epoch == [0]
    assert int(model.step_counter) == 2


def _rows_seen(model: keras.Model, **fit: Any) -> list[list[int]]:
    """First column of each batch as training sees it."""
    seen: list[list[int]] = []
    rows = np.arange(10, dtype="float32")[:, None]
    watch = Every(batch=lambda n, logs: seen.append([int(logs[f"r{i}"]) for i in range(5)]))
    model.fit(rows, rows, batch_size=5, callbacks=[watch], **QUIET, **fit)
    return seen


class Rows(keras.Model):
    """Logs the first column of its batch."""

    def train_step(self, data: Any) -> dict[str, Any]:
        return {f"r{i}": data[0][i, 0] for i in range(5)}


def test_shuffle_orders_each_epoch_and_each_fit_anew() -> None:
    model = Rows()
    model.compile()
    plain = _rows_seen(model, shuffle=False, epochs=2)
    assert plain == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]] * 2
    shuffled = _rows_seen(model, epochs=2)
    again = _rows_seen(model)
    orders = [shuffled[0] + shuffled[1], shuffled[2] + shuffled[3], again[0] + again[1]]
    assert all(sorted(order) == list(range(10)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3


def _batches(count: int) -> Iterator[tuple[Any, Any]]:
    for i in range(count):
        yield X[10 * i : 10 * i + 10], REAL[10 * i : 10 * i + 10]


class Batches:
    """A sequence of batches."""

    def __init__(self) -> None:
        self.epochs = 0

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return list(_batches(5))[index]

    def on_epoch_end(self) -> None:
        self.epochs += 1


class Restartable:
    """An iterable that begins again."""

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        return _batches(5)


def test_iterators_sequences_and_iterables_give_the_same_as_arrays() -> None:
    expected = regressor()
    expected.fit(X, REAL, batch_size=10, epochs=2, shuffle=False, **QUIET)
    sequence = Batches()
    for source, more in ((sequence, {}), (Restartable(), {}), (Restartable(), {"steps_per_epoch": 5})):
        keras.config.set_seed(1)
        model = regressor()
        history = model.fit(source, epochs=2, shuffle=False, **QUIET, **more)
        assert same(model.get_weights(), expected.get_weights())
        assert history.history["loss"] == expected.history.history["loss"]
    assert sequence.epochs == 2
    model = regressor()
    model.fit(_batches(5), steps_per_epoch=2, epochs=2, **QUIET)
    assert int(model.step_counter) == 4
    assert model.evaluate(_batches(5), **QUIET) == pytest.approx(model.evaluate(X, REAL, **QUIET), rel=1e-6)
    assert model.predict(_batches(5), **QUIET).shape == (50, 2)


def test_methods_for_one_batch() -> None:
    model = classifier(metrics=["accuracy"], optimizer="sgd")
    model.predict_on_batch(X)
    twin = keras.Sequential.from_config(model.get_config())
    twin.set_weights(model.get_weights())
    twin.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    loss, accuracy = model.train_on_batch(X, LABELS)
    history = twin.fit(X, LABELS, batch_size=50, shuffle=False, **QUIET).history
    assert same(model.get_weights(), twin.get_weights())
    assert (loss, accuracy) == (history["loss"][0], history["accuracy"][0])
    model.reset_metrics()
    tested = model.test_on_batch(X, LABELS, return_dict=True)
    assert tested == pytest.approx(model.evaluate(X, LABELS, return_dict=True, **QUIET), rel=1e-6)
    np.testing.assert_allclose(model.predict_on_batch(X), model.predict(X, **QUIET), rtol=1e-5)


def test_each_single_batch_is_alone() -> None:
    model = regressor(optimizer=keras.optimizers.SGD(0.0))
    model.evaluate(X, REAL, **QUIET)
    first, second = ((X[i : i + 10], REAL[i : i + 10]) for i in (0, 10))
    for batch in (first, second, first):
        alone = float(np.mean((model.predict(batch[0], **QUIET) - batch[1]) ** 2))
        assert model.train_on_batch(*batch) == pytest.approx(alone, rel=1e-5)
        assert model.test_on_batch(*batch) == pytest.approx(alone, rel=1e-5)


def test_sample_weight_and_class_weight_agree() -> None:
    weights = {0: 0.5, 1: 2.0, 2: 1.0}
    per_sample = np.array([weights[label] for label in LABELS])
    losses = []
    for y, given in ((LABELS, {"class_weight": weights}), (LABELS, {"sample_weight": per_sample})):
        keras.config.set_seed(1)
        losses.append(classifier().fit(X, y, epochs=2, **given, **QUIET).history["loss"])
    keras.config.set_seed(1)
    one_hot = classifier(loss="categorical_crossentropy")
    losses.append(one_hot.fit(X, ONE_HOT, epochs=2, class_weight=weights, **QUIET).history["loss"])
    keras.config.set_seed(1)
    indices = classifier(loss="categorical_crossentropy")
    losses.append(indices.fit(X, LABELS, epochs=2, class_weight=weights, **QUIET).history["loss"])
    assert losses[0] == losses[1] == losses[3]
    assert losses[2] == pytest.approx(losses[0], rel=1e-5)


def test_balanced_class_weight_multiplies_sample_weight() -> None:
    counts = np.bincount(LABELS)
    table = {c: 50 / (3 * n) for c, n in enumerate(counts)}
    results = []
    for given in ("balanced", table):
        keras.config.set_seed(1)
        model = classifier()
        model.fit(X, LABELS, class_weight=given, sample_weight=np.full(50, 2.0), **QUIET)
        results.append(model.get_weights())
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_metrics_given_in_every_form() -> None:
    def largest(y_true: Any, y_pred: Any) -> Any:
        return ops.max(ops.absolute(y_true - y_pred), axis=-1)

    model = regressor(
        metrics=["mse", keras.metrics.MeanAbsoluteError(name="m"), largest], weighted_metrics=["mae"]
    )
    logs = model.evaluate(X, REAL, sample_weight=np.zeros(50), return_dict=True, **QUIET)
    assert list(logs) == ["largest", "loss", "m", "mae", "mse"]
    assert model.metrics_names == ["loss", "compile_metrics"]
    errors = np.abs(model.predict(X, **QUIET) - REAL)
    expected = [0, (errors**2).mean(), errors.mean(), errors.max(1).mean(), 0]
    values = model.evaluate(X, REAL, sample_weight=np.zeros(50), **QUIET)
    assert values == [logs[name] for name in ("loss", "mse", "m", "largest", "mae")]
    assert values == pytest.approx(expected, rel=1e-5)


def test_a_loss_function_of_the_users() -> None:
    def cubic(y_true: Any, y_pred: Any) -> Any:
        return ops.mean(ops.absolute(y_true - y_pred) ** 3, axis=-1)

    model = regressor(loss=cubic)
    expected = (np.abs(model.predict(X, **QUIET) - REAL) ** 3).mean()
    assert model.evaluate(X, REAL, **QUIET) == pytest.approx(expected, rel=1e-5)
    assert model.loss is cubic


def test_recompiling_starts_with_the_new_arguments() -> None:
    model = regressor()
    first = model.evaluate(X, REAL, **QUIET)
    model.compile("sgd", "mae", metrics=["mse"])
    assert model.evaluate(X, REAL, **QUIET)[1] == pytest.approx(first, rel=1e-6)


def test_run_eagerly_gives_the_same() -> None:
    results = []
    for eagerly in (False, True):
        keras.config.set_seed(1)
        model = classifier(metrics=["accuracy"], run_eagerly=eagerly)
        history = model.fit(X, LABELS, epochs=2, validation_split=0.2, **QUIET).history
        results.append((history, model.get_weights(), model.predict(X, **QUIET)))
    for name, values in results[0][0].items():
        assert values == pytest.approx(results[1][0][name])
    if current_device().chain_limits is None:
        assert same([results[0][2]], [results[1][2]])
    else:  # several operations run as one kernel, which rounds otherwise than they do one by one
        assert_close(results[0][2], results[1][2], "float32")


def test_python_lists_are_data_too() -> None:
    model = classifier()
    history = model.fit(X.tolist(), LABELS.tolist(), validation_split=0.2, **QUIET).history
    assert math.isfinite(history["val_loss"][0])
    assert model.predict(X.tolist(), **QUIET).shape == (50, 3)


def test_as_keras_names() -> None:
    assert keras.models.Model is keras.Model
    assert keras.layers.Input is keras.Input
    assert keras.utils.to_categorical([0, 2], 3).shape == (2, 3)
    for room in ("datasets", "ops", "random", "losses", "metrics", "optimizers", "callbacks", "regularizers"):
        assert hasattr(keras, room)
    assert isinstance(layers.Dense(1), keras.Layer)
