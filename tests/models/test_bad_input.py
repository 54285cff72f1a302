"""Bad arguments and data: one clear error before the first step, and nothing changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import layers, ops
from gputrain.errors import DataError, ShapeError
from tests.models.small import LABELS, QUIET, REAL, X, classifier, regressor, same

pytestmark = pytest.mark.cpu_only("refused before a device is asked")

Model = keras.Model


def _spoiled(array: Any, value: float) -> Any:
    spoiled = array.copy()
    spoiled[3, 1] = value
    return spoiled


def _fit(**arguments: Any) -> Callable[[Model], Any]:
    return lambda m: m.fit(**{"x": X, "y": REAL, "verbose": 0, **arguments})


CALLS: dict[str, tuple[Callable[[Model], Any], type[Exception], str]] = {
    # data
    "no x": (_fit(x=None), DataError, "fit needs data. Received: x=None"),
    "empty arrays": (
        _fit(x=X[:0], y=REAL[:0]),
        DataError,
        "fit needs at least one sample. Received: empty arrays",
    ),
    "empty lists": (_fit(x=[], y=[]), DataError, "fit needs at least one sample"),
    "lengths": (_fit(y=REAL[:40]), DataError, "the same number of samples. Received: x: 50, y: 40"),
    "weight lengths": (_fit(sample_weight=np.ones(3)), DataError, "x: 50, y: 50, sample_weight: 3"),
    "weight shape": (
        _fit(sample_weight=np.ones((50, 3))),
        ShapeError,
        "sample_weight must have one number for each",
    ),
    "NaN in x": (
        _fit(x=_spoiled(X, np.nan)),
        DataError,
        r"fit\(x\) must hold finite numbers. Received: 1 NaN and 0 infinite of 200 elements, .*3, 1",
    ),
    "infinity in y": (
        _fit(y=_spoiled(REAL, np.inf)),
        DataError,
        r"fit\(y\) must hold finite.*0 NaN and 1 infinite",
    ),
    "NaN in weights": (
        _fit(sample_weight=np.full(50, np.nan)),
        DataError,
        r"fit\(sample_weight\) must hold finite",
    ),
    "too large for float32": (_fit(x=X.astype("float64") * 1e300), DataError, "infinite of 200 elements"),
    "text": (
        _fit(x=[["a"] * 4] * 50),
        DataError,
        r"fit\(x\) must hold numbers. Received: 'a' of type str at index \(0, 0\). Make numbers of them",
    ),
    "objects": (
        _fit(x=np.full((50, 4), None)),
        DataError,
        r"must hold numbers. Received: 'None' of type NoneType at index \(0, 0\)",
    ),
    "complex numbers": (_fit(x=X * 1j), DataError, "must hold numbers. Received: complex numbers"),
    "a number": (_fit(x=3.0), DataError, "needs a first axis that counts samples. Received: a single number"),
    "ragged rows": (_fit(x=[[1.0, 2.0], [1.0]]), DataError, r"rows have different lengths.*pad_sequences"),
    "ragged objects": (
        _fit(x=np.array([[1, 2], [1]] * 25, object)),
        DataError,
        r"must hold numbers.*of type list at row 0.*keras\.utils\.pad_sequences",
    ),
    "wrong width": (
        _fit(x=X[:, :2]),
        ShapeError,
        r"has the wrong shape. Expected: \(None, 4\). Received: \(32, 2\)",
    ),
    "an axis too many": (_fit(x=X[:, None]), ShapeError, r"has the wrong shape.*Received: \(32, 1, 4\)"),
    "a dict of unknown names": (_fit(x={"y": X}), ShapeError, "input 'input_layer.*' is missing"),
    "y beside an iterator": (_fit(x=iter([(X, REAL)])), DataError, "an iterator bring their own targets"),
    "an empty iterator": (_fit(x=iter(()), y=None), DataError, "the iterator gave no batch"),
    "an empty sequence": (_fit(x=np.empty((0, 4)), y=None), DataError, "at least one sample"),
    "a batch of four parts": (_fit(x=iter([(X, REAL, None, None)]), y=None), DataError, "Received: 4 parts"),
    "a text file": (_fit(x="data.csv"), DataError, "must hold numbers"),
    # numbers
    "negative epochs": (_fit(epochs=-1), ValueError, "epochs must be a non-negative int. Received: -1"),
    "half an epoch": (_fit(epochs=0.5), ValueError, "epochs must be a non-negative int. Received: 0.5"),
    "epochs=True": (_fit(epochs=True), ValueError, "epochs must be a non-negative int. Received: True"),
    "negative initial_epoch": (
        _fit(initial_epoch=-1),
        ValueError,
        "initial_epoch must be a non-negative int",
    ),
    "zero batch size": (_fit(batch_size=0), ValueError, "batch_size must be a positive int. Received: 0"),
    "negative batch size": (
        _fit(batch_size=-4),
        ValueError,
        "batch_size must be a positive int. Received: -4",
    ),
    "a batch size of floats": (_fit(batch_size=1.5), ValueError, "batch_size must be a positive int"),
    "zero steps": (_fit(steps_per_epoch=0), ValueError, "steps_per_epoch must be a positive int"),
    "zero validation steps": (
        _fit(validation_steps=0),
        ValueError,
        "validation_steps must be a positive int",
    ),
    "zero validation batch": (
        _fit(validation_batch_size=0),
        ValueError,
        "validation_batch_size must be a positive",
    ),
    "all held out": (
        _fit(validation_split=1.0),
        ValueError,
        "is a share. Expected: 0 <= validation_split < 1",
    ),
    "a negative share": (_fit(validation_split=-0.1), ValueError, "is a share"),
    "a share of nothing": (
        _fit(x=X[:1], y=REAL[:1], validation_split=0.5),
        DataError,
        "validation_split=0.5 of 1 samples leaves one part empty",
    ),
    "a share of an iterator": (
        _fit(x=iter([(X, REAL)]), y=None, validation_split=0.5),
        DataError,
        "validation_split needs arrays. Pass validation_data",
    ),
    "validation_freq": (_fit(validation_freq=0), ValueError, "validation_freq is a positive int"),
    "verbose": (_fit(verbose=3), ValueError, 'verbose is a level. Expected: 0, 1, 2 or "auto". Received: 3'),
    "validation data": (
        _fit(validation_data=X),
        DataError,
        r"validation_data is \(x, y\).*Received: ndarray",
    ),
    "validation lengths": (
        _fit(validation_data=(X, REAL[:3])),
        DataError,
        "validation_data: all arrays.*x: 50, y: 3",
    ),
    "validation shape": (_fit(validation_data=(X[:, :2], REAL)), ShapeError, "has the wrong shape"),
    "a callback that is none": (
        _fit(callbacks=[print]),
        TypeError,
        "callbacks must be gputrain.callbacks.Callback",
    ),
    "balanced weights of an iterator": (
        _fit(x=iter([(X, REAL)]), y=None, class_weight="balanced"),
        DataError,
        r"counts the classes of all samples, which must be arrays.*Pass \{class: weight\}",
    ),
    # arguments there are not
    "batch": (
        _fit(batch=3),
        TypeError,
        r"^Sequential.fit: unknown argument. Received: batch. Did you mean 'batch_size'\?",
    ),
    "epoch": (_fit(epoch=3), TypeError, "Received: epoch. Did you mean 'epochs'"),
    "nb_epoch": (_fit(nb_epoch=3), TypeError, "Received: nb_epoch. Keras 3 calls it epochs."),
    "callback": (_fit(callback=[]), TypeError, "Did you mean 'callbacks'"),
    "workers": (_fit(workers=4), TypeError, "Received: workers. Leave it out: batches are read ahead"),
    "use_multiprocessing": (
        _fit(use_multiprocessing=True),
        TypeError,
        "Leave it out: batches are read ahead",
    ),
    "max_queue_size": (_fit(max_queue_size=3), TypeError, "Leave it out: batches are read ahead"),
    "optimiser": (lambda m: m.compile(optimiser="sgd"), TypeError, "Sequential.compile.*mean 'optimizer'"),
    "losses": (lambda m: m.compile(losses="mse"), TypeError, "Did you mean 'loss'"),
    "sample_weight_mode": (
        lambda m: m.compile("sgd", "mse", sample_weight_mode="temporal"),
        TypeError,
        r"sample_weight_mode. Leave it out: sample_weight of shape \(N, steps\)",
    ),
    "workers of evaluate": (
        lambda m: m.evaluate(X, REAL, workers=2),
        TypeError,
        "Sequential.evaluate.*ahead",
    ),
    "steps_per_epoch of evaluate": (lambda m: m.evaluate(X, REAL, step=2), TypeError, "mean 'steps'"),
    "batch of predict": (lambda m: m.predict(X, batchsize=2), TypeError, "mean 'batch_size'"),
    "weights of one batch": (
        lambda m: m.train_on_batch(X, REAL, sample_weights=X[:, 0]),
        TypeError,
        "Sequential.train_on_batch.*mean 'sample_weight'",
    ),
    # other methods
    "evaluate on nothing": (
        lambda m: m.evaluate(X[:0], REAL[:0], **QUIET),
        DataError,
        "evaluate needs at least one",
    ),
    "evaluate by zero": (
        lambda m: m.evaluate(X, REAL, batch_size=0, **QUIET),
        ValueError,
        "batch_size must be a pos",
    ),
    "predict by zero": (
        lambda m: m.predict(X, batch_size=0, **QUIET),
        ValueError,
        "batch_size must be a positive",
    ),
    "predict zero steps": (
        lambda m: m.predict(X, steps=0, **QUIET),
        ValueError,
        "steps must be a positive int",
    ),
    "predict NaN": (
        lambda m: m.predict(_spoiled(X, np.nan), **QUIET),
        DataError,
        r"predict\(x\) must hold finite",
    ),
    "one batch of an iterator": (
        lambda m: m.train_on_batch(iter([X])),
        DataError,
        "A batch is given as arrays",
    ),
    # compile
    "a misspelt optimizer": (
        lambda m: m.compile("adma"),
        ValueError,
        "Unknown optimizer 'adma'. Did you mean 'adam'",
    ),
    "a misspelt loss": (
        lambda m: m.compile(loss="mes"),
        ValueError,
        "Unknown loss 'mes'. Did you mean 'mse'",
    ),
    "a misspelt metric": (
        lambda m: m.compile(loss="mse", metrics=["acuracy_"]),
        ValueError,
        "Unknown metric 'acuracy_'. Did you mean 'accuracy'",
    ),
    "zero steps_per_execution": (
        lambda m: m.compile(steps_per_execution=0),
        ValueError,
        "steps_per_execution must be a positive int",
    ),
    "losses for other outputs": (
        lambda m: (m.compile(loss={"other": "mse"}), _fit()(m)),
        ValueError,
        "loss: no output is named 'other'",
    ),
    "too many losses": (
        lambda m: (m.compile(loss=["mse", "mse"]), _fit()(m)),
        ValueError,
        "loss needs one entry per output. Expected: 1",
    ),
    "metrics for other outputs": (
        lambda m: (m.compile(loss="mse", metrics={"other": ["mae"]}), _fit()(m)),
        ValueError,
        "metrics: no output is named 'other'",
    ),
}


@pytest.mark.parametrize(("call", "error", "text"), CALLS.values(), ids=CALLS)
def test_bad_input(call: Callable[[Model], Any], error: type[Exception], text: str) -> None:
    model = regressor()
    before = model.get_weights()
    with pytest.raises(error, match=text):
        call(model)
    assert int(model.step_counter) == 0
    assert same(before, model.get_weights())
    model.compile("sgd", "mse")
    model.fit(X, REAL, **QUIET)
    assert int(model.step_counter) == 2


@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_an_uncompiled_model(method: str) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match=rf"{method}\(\) needs a compiled model. Call model.compile"):
        getattr(model, method)(X, REAL)


def test_nan_in_the_data_may_be_allowed() -> None:
    keras.config.set_nan_inputs("allow")
    model = regressor(loss="mae")
    predicted = model.predict(_spoiled(X, np.nan), **QUIET)
    assert np.isnan(predicted).any(axis=1).nonzero()[0].tolist() == [3]


def test_data_is_left_as_it_was_and_may_be_read_only() -> None:
    x, y = X.copy(), LABELS.copy()
    for array in (x, y):
        array.setflags(write=False)
    model = classifier(metrics=["accuracy"])
    model.fit(x, y, validation_split=0.2, class_weight="balanced", **QUIET)
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(
        model.predict(x[:, ::1], **QUIET), model.predict(np.asfortranarray(x), **QUIET)
    )


def test_what_a_new_user_runs_into_is_said() -> None:
    class Forgetful(layers.Layer):
        def __init__(self) -> None:
            self.units = 3

    with pytest.raises(AttributeError, match=r"Forgetful\.__init__ must call super\(\)\.__init__\(\)"):
        Forgetful()(np.zeros((2, 2), "float32"))
    with pytest.raises(TypeError, match=r"Dense: unknown argument.*Did you mean 'activation'"):
        layers.Dense(3, actvation="relu")
    with pytest.raises(AttributeError, match="the learning rate is called learning_rate"):
        keras.optimizers.Adam().lr = 0.1
    assert "value=0.5" in repr(keras.optimizers.SGD(0.5).learning_rate)
    images = np.zeros((4, 8, 8), "float32")
    model = keras.Sequential([layers.Input((8, 8)), layers.Dense(10, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(keras.ShapeError, match="put a Flatten layer before it"):
        model.fit(images, np.zeros(4, int), verbose=0)


SHAPES_OF_TARGETS: dict[str, tuple[Any, Any]] = {
    "mse": ("mse", None),
    "binary_crossentropy": ("binary_crossentropy", None),
    "AUC": ("sparse_categorical_crossentropy", [keras.metrics.AUC()]),
    "Precision": ("sparse_categorical_crossentropy", [keras.metrics.Precision()]),
    "F1Score": ("sparse_categorical_crossentropy", [keras.metrics.F1Score()]),
}


@pytest.mark.parametrize("name", SHAPES_OF_TARGETS)
def test_class_indices_where_rows_are_needed_name_the_output_and_the_way(name: str) -> None:
    loss, wanted = SHAPES_OF_TARGETS[name]
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="softmax", name="kind")])
    model.compile("sgd", loss, metrics=wanted)
    with pytest.raises(ShapeError, match=r"^Output 'kind': .*Class indices need to_categorical\(y, 3\);"):
        model.fit(X, np.arange(len(X)) % 3, verbose=0)


@pytest.mark.parametrize("dtype", ["bool", "int64", "float32"])
def test_labels_of_any_dtype_are_held_against_the_units(dtype: str) -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(DataError, match=r"has 1 class, so labels must lie in 0\.\.0\. .* at sample 1\."):
        model.fit(X, (np.arange(len(X)) % 2).astype(dtype), verbose=0)


def test_a_metric_function_is_told_that_its_arithmetic_broadcasts(caplog: pytest.LogCaptureFixture) -> None:
    def error(y: Any, p: Any) -> Any:
        return ops.mean(ops.square(ops.reshape(y, (-1, 1)) - p), axis=-1)

    x = np.random.default_rng(0).normal(size=(30, 3)).astype("float32")
    model = keras.Sequential([layers.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse", metrics=[error])
    loss, metric = model.evaluate(x, x.sum(1), verbose=0)
    assert metric == pytest.approx(loss, rel=1e-6)
    assert "error is given y_true of shape (30,) and y_pred of shape (30, 1) as they are" in caplog.text


def test_data_that_runs_out_ends_the_training(caplog: pytest.LogCaptureFixture) -> None:
    x, y = np.zeros((8, 3), "float32"), np.zeros((8, 1), "float32")
    model = keras.Sequential([layers.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    history = model.fit(((x, y) for _ in range(2)), epochs=3, verbose=0)
    assert len(history.history["loss"]) == 1
    assert "the data ran out before epoch 2; training stops here" in caplog.text
