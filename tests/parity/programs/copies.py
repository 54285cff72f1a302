"""Copies and pickles of models and of what belongs to them: equal, independent, and trained on alike."""

from __future__ import annotations

import copy
import io
import json
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.parity.means import numbers

X, Y = numbers(12, 3), numbers(12, 1, key="y")
QUIET = {"verbose": 0, "shuffle": False, "batch_size": 5}


def _line(keras: Any, optimizer: Any = "adam", **compiled: Any) -> Any:
    layers = keras.layers
    first = layers.Dense(4, activation="tanh", name="first")
    last = layers.Dense(1, kernel_initializer="ones", name="last")
    model = keras.Sequential([keras.Input((3,)), first, last], name="line")
    model.layers[0].set_weights([numbers(3, 4, key="first"), np.zeros(4, "float32")])
    model.compile(optimizer, "mse", **{"metrics": ["mae"], **compiled})
    return model


def _pickled(thing: Any) -> Any:
    return pickle.loads(pickle.dumps(thing))


def _told(model: Any, other: Any) -> dict[str, Any]:
    """What a copy is, that training it leaves the original alone, and that both go on to the same weights."""
    seen = {
        "same": bool(np.array_equal(model.predict(X, verbose=0), other.predict(X, verbose=0))),
        "names": [other.name, *(layer.name for layer in other.layers)],
        "kinds": [type(layer).__name__ for layer in other.layers],
        "compiled": other.compiled,
        "trainable": [v.trainable for v in other.weights],
    }
    before = model.get_weights()
    logs = other.fit(X, Y, epochs=2, **QUIET).history
    seen["untouched"] = all(map(np.array_equal, before, model.get_weights()))
    seen["moved"] = not all(map(np.array_equal, before, other.get_weights()))
    model.fit(X, Y, epochs=2, **QUIET)
    seen["alike"] = all(map(np.array_equal, other.get_weights(), model.get_weights()))
    return {**seen, "weights": other.get_weights(), "logs": logs, "steps": int(other.optimizer.iterations)}


def a_trained_model_is_deep_copied(keras: Any) -> dict[str, Any]:
    model = _line(keras)
    model.fit(X, Y, epochs=3, **QUIET)
    return _told(model, copy.deepcopy(model))


def a_trained_model_is_copied(keras: Any) -> dict[str, Any]:
    model = _line(keras)
    model.fit(X, Y, epochs=3, **QUIET)
    return _told(model, copy.copy(model))


def a_trained_model_is_pickled(keras: Any) -> dict[str, Any]:
    model = _line(keras, keras.optimizers.RMSprop(0.01, momentum=0.9))
    model.fit(X, Y, epochs=3, **QUIET)
    return _told(model, _pickled(model))


def a_model_is_pickled_under_each_protocol(keras: Any) -> dict[str, Any]:
    model = _line(keras)
    model.fit(X, Y, **QUIET)
    others = [pickle.loads(pickle.dumps(model, protocol)) for protocol in range(2, 6)]
    return {"predicted": [other.predict(X, verbose=0) for other in others]}


def a_compiled_model_is_copied_before_training(keras: Any) -> dict[str, Any]:
    model = _line(keras, keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True))
    return _told(model, _pickled(model))


def a_model_without_compile_is_copied(keras: Any) -> dict[str, Any]:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, kernel_initializer="ones")])
    other = copy.deepcopy(model)
    other.compile("sgd", "mse")
    other.fit(X, X[:, :2], **QUIET)
    return {"compiled": model.compiled, "weights": other.get_weights(), "original": model.get_weights()}


def an_unbuilt_model_is_copied(keras: Any) -> dict[str, Any]:
    model = keras.Sequential([keras.layers.Dense(2, kernel_initializer="ones", name="only")])
    other = _pickled(model)
    other.compile("sgd", "mse")
    other.fit(X, X[:, :2], **QUIET)
    return {"built": [model.built, other.built], "weights": other.get_weights(), "left": len(model.weights)}


def a_pickle_goes_through_a_file(keras: Any) -> dict[str, Any]:
    model, file = _line(keras), io.BytesIO()
    model.fit(X, Y, **QUIET)
    pickle.dump({"model": model, "scale": X.std(axis=0), "names": ["a", "b", "c"]}, file)
    file.seek(0)
    found = pickle.load(file)
    return {**_told(model, found["model"]), "scale": found["scale"], "columns": found["names"]}


def a_functional_model_with_shared_and_several_inputs(keras: Any) -> dict[str, Any]:
    left, right = keras.Input((3,), name="left"), keras.Input((3,), name="right")
    shared = keras.layers.Dense(2, kernel_initializer="ones", name="shared")
    joined = keras.layers.Concatenate(name="joined")([shared(left), shared(right)])
    outputs = [keras.layers.Dense(1, kernel_initializer="ones", name=name)(joined) for name in "ab"]
    model = keras.Model([left, right], outputs, name="twins")
    model.compile("adam", {"a": "mse", "b": "mae"}, loss_weights={"a": 1.0, "b": 0.5})
    targets = [Y, 2 * Y]
    model.fit([X, X + 1], targets, **QUIET)
    other = _pickled(model)
    predicted = [twins.predict([X, Y * X], verbose=0) for twins in (model, other)]
    same = [np.array_equal(*pair) for pair in zip(*predicted, strict=True)]
    logs = other.fit({"left": X, "right": X + 1}, targets, **QUIET).history
    logs = dict(sorted(logs.items()))
    return {
        "same": list(map(bool, same)),
        "weights": other.get_weights(),
        "logs": logs,
        "layers": [layer.name for layer in other.layers],
        "once": len(other.weights),
        "inputs": [list(value.shape) for value in other.inputs],
    }


def models_within_a_model(keras: Any) -> dict[str, Any]:
    inner = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(2, kernel_initializer="ones", use_bias=False)], name="inner"
    )
    inputs = keras.Input((3,), name="inputs")
    hidden = keras.layers.BatchNormalization(name="norm")(inner(inputs))
    model = keras.Model(
        inputs, keras.layers.Dense(1, kernel_initializer="ones", name="out")(hidden), name="outer"
    )
    model.compile("sgd", "mse", metrics=["mae"])
    model.fit(X, Y, **QUIET)
    other = copy.deepcopy(model)
    told = _told(model, other)
    own = other.get_layer("inner")
    return {**told, "shared": bool(np.array_equal(own.get_weights()[0], other.get_weights()[0]))}


def layers_taken_from_a_copy_are_those_of_the_copy(keras: Any) -> dict[str, Any]:
    model = _line(keras)
    other = copy.deepcopy(model)
    features = keras.Model(other.inputs, other.get_layer("first").output)
    model.set_weights([w * 0 for w in model.get_weights()])
    return {"features": features.predict(X, verbose=0)}


def frozen_layers_stay_frozen(keras: Any) -> dict[str, Any]:
    model = _line(keras)
    model.layers[0].trainable = False
    model.compile("sgd", "mse")
    told = _told(model, _pickled(model))
    return {**told, "left": len(_pickled(model).trainable_weights)}


def a_layer_alone_is_copied(keras: Any) -> dict[str, Any]:
    layer = keras.layers.Dense(
        2,
        activation="relu",
        kernel_initializer="ones",
        kernel_regularizer=keras.regularizers.L2(0.5),
        bias_constraint=keras.constraints.MaxNorm(1.0),
        name="alone",
    )
    early = copy.deepcopy(layer)
    layer.build((None, 3))
    found = {"early": [early.name, early.built, len(early.weights)]}
    for name, make in (("copy", copy.copy), ("deepcopy", copy.deepcopy), ("pickle", _pickled)):
        other = make(layer)
        other.kernel.assign(other.kernel * 2)
        other.bias.assign_add(np.ones(2, "float32"))
        found[name] = [other.name, other.built, other(X), layer(X), other.kernel_regularizer.get_config()]
    return found


def small_objects_are_copied(keras: Any) -> dict[str, Any]:
    schedules = keras.optimizers.schedules
    steps = schedules.PiecewiseConstantDecay([2, 4], [1.0, 0.5, 0.1])
    things = {
        "decay": (schedules.ExponentialDecay(0.1, 10, 0.9), lambda it: it(3)),
        "cosine": (schedules.CosineDecay(0.1, 10), lambda it: it(3)),
        "pieces": (steps, lambda it: [it(i) for i in (1, 3, 9)]),
        "huber": (keras.losses.Huber(), lambda it: it(Y, 3 * Y + 3)),
        "crossentropy": (keras.losses.BinaryCrossentropy(True, 0.1), lambda it: it(Y * 0 + 1, Y)),
        "initializer": (keras.initializers.Constant(3.0), lambda it: it((2, 2))),
        "l1l2": (keras.regularizers.L1L2(0.1, 0.2), lambda it: it(X)),
        "maxnorm": (keras.constraints.MaxNorm(0.5), lambda it: it(X)),
        "activation": (keras.activations.get("gelu"), lambda it: it(X)),
    }
    found: dict[str, Any] = {}
    makes: dict[str, Callable[[Any], Any]] = {"copy": copy.copy, "deep": copy.deepcopy, "pickle": _pickled}
    for name, (thing, look) in things.items():
        found[name] = [look(make(thing)) for make in makes.values()]
    return found


def settings_of_optimizers_are_copied(keras: Any) -> dict[str, Any]:
    found = {}
    for name, arguments in (
        ("SGD", {"momentum": 0.9, "clipnorm": 1.0}),
        ("Adam", {"beta_1": 0.8, "amsgrad": True}),
        ("RMSprop", {"rho": 0.7, "centered": True}),
        ("AdamW", {"weight_decay": 0.1}),
    ):
        optimizer = getattr(keras.optimizers, name)(0.25, **arguments)
        other = _pickled(optimizer)
        config = other.get_config()
        found[name] = [float(other.learning_rate), {key: config[key] for key in arguments}]
    return found


def an_optimizer_with_a_schedule_goes_on_in_a_copy(keras: Any) -> dict[str, Any]:
    rate = keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
    model = _line(keras, keras.optimizers.SGD(rate, momentum=0.5))
    model.fit(X, Y, epochs=2, **QUIET)
    other = copy.deepcopy(model)
    return {**_told(model, other), "rate": float(other.optimizer.learning_rate)}


def what_fit_returns_is_pickled(keras: Any) -> dict[str, Any]:
    model = _line(keras)
    history = model.fit(X, Y, epochs=2, validation_data=(X, Y), **QUIET)
    other = _pickled(history)
    return {
        "logs": _pickled(history.history),
        "again": other.history,
        "epochs": other.epoch,
        "steps": [other.params["epochs"], other.params["steps"]],
        "predicted": other.model.predict(X, verbose=0),
        "json": json.loads(json.dumps(history.history)),
        "kinds": sorted({type(value).__name__ for values in history.history.values() for value in values}),
    }


def early_stopping_is_copied_with_its_best_weights(keras: Any) -> dict[str, Any]:
    model = _line(keras, keras.optimizers.SGD(2.0))
    stop = keras.callbacks.EarlyStopping("loss", patience=1, restore_best_weights=True)
    fresh = copy.deepcopy(stop)
    model.fit(X, Y, epochs=6, callbacks=[stop], **QUIET)
    other = _pickled(stop)
    another = _line(keras, keras.optimizers.SGD(2.0))
    another.fit(X, Y, epochs=6, callbacks=[fresh], **QUIET)
    return {
        "best": [other.best, fresh.best],
        "epochs": [other.best_epoch, other.stopped_epoch, fresh.best_epoch, fresh.stopped_epoch],
        "weights": other.best_weights,
        "alike": all(map(np.array_equal, model.get_weights(), another.get_weights())),
    }


def a_callback_keeps_copies_of_the_model(keras: Any) -> dict[str, Any]:
    class Keep(keras.callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.kept: list[Any] = []

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.kept.append(copy.deepcopy(self.model))

    model, keep = _line(keras), Keep()
    model.fit(X, Y, epochs=3, callbacks=[keep], **QUIET)
    predicted = [kept.predict(X, verbose=0) for kept in keep.kept]
    again = keep.kept[0].fit(X, Y, epochs=2, **QUIET).history
    return {
        "ensemble": np.mean(predicted, axis=0),
        "last": bool(np.array_equal(predicted[-1], model.predict(X, verbose=0))),
        "again": again,
        "alike": all(map(np.array_equal, keep.kept[0].get_weights(), model.get_weights())),
    }


def folds_begin_with_copies_of_one_model(keras: Any) -> dict[str, Any]:
    model, losses = _line(keras), []
    for fold in range(3):
        held = np.arange(len(X)) % 3 == fold
        one = copy.deepcopy(model)
        one.fit(X[~held], Y[~held], epochs=2, **QUIET)
        losses.append(one.evaluate(X[held], Y[held], verbose=0))
    return {
        "losses": losses,
        "first": model.evaluate(X, Y, verbose=0),
        "steps": int(model.optimizer.iterations),
    }


def two_models_in_one_pickle_share_their_layers(keras: Any) -> dict[str, Any]:
    inputs = keras.Input((3,))
    code = keras.layers.Dense(2, kernel_initializer="ones", name="code")(inputs)
    encoder = keras.Model(inputs, code)
    whole = keras.Model(inputs, keras.layers.Dense(3, kernel_initializer="ones", name="back")(code))
    whole.compile("sgd", "mse")
    other = copy.deepcopy(whole)
    other.fit(X, X, **QUIET)
    return {"encoded": encoder.predict(X, verbose=0), "decoded": other.predict(X, verbose=0)}


def weights_are_pickled(keras: Any) -> dict[str, Any]:
    model = _line(keras)
    weights = _pickled(model.get_weights())
    copied = copy.deepcopy(model.get_weights())
    return {
        "weights": weights,
        "arrays": [type(w).__name__ for w in weights],
        "same": all(map(np.array_equal, weights, copied)),
    }


def statistics_and_drawn_layers_are_copied(keras: Any) -> dict[str, Any]:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(4, use_bias=False, name="first"),
            layers.BatchNormalization(momentum=0.5, name="norm"),
            layers.Dropout(0.0, seed=3, name="drop"),
            layers.Dense(1, kernel_initializer="ones", name="last"),
        ],
        name="stack",
    )
    model.layers[0].set_weights([numbers(3, 4, key="first")])
    model.compile(keras.optimizers.SGD(0.001), "mse")
    model.fit(X, Y, epochs=2, **QUIET)
    other = _pickled(model)
    return {"statistics": other.get_layer("norm").get_weights(), **_told(model, other)}


def an_adapted_layer_is_copied(keras: Any) -> dict[str, Any]:
    layer = keras.layers.Normalization()
    layer.adapt(X)
    model = keras.Sequential([keras.Input((3,)), layer, keras.layers.Dense(1, kernel_initializer="ones")])
    return {"layer": _pickled(layer)(X), "model": copy.deepcopy(model).predict(X, verbose=0)}


def a_cloned_model_begins_anew_and_a_copy_does_not(keras: Any) -> dict[str, Any]:
    model = _line(keras)
    model.fit(X, Y, **QUIET)
    clone = type(model).from_config(model.get_config())
    other = copy.deepcopy(model)
    return {
        "clone": [clone.compiled, bool(np.array_equal(clone.get_weights()[0], model.get_weights()[0]))],
        "copy": [other.compiled, bool(np.array_equal(other.get_weights()[0], model.get_weights()[0]))],
        "configs": other.get_config()["name"] == model.get_config()["name"],
    }


def a_copy_is_compiled_frozen_and_given_a_new_head(keras: Any) -> dict[str, Any]:
    model = _line(keras)
    other, frozen = copy.deepcopy(model), copy.deepcopy(model)
    other.compile("sgd", "mae", metrics=["mse"])
    frozen.layers[0].trainable = False
    frozen.compile("sgd", "mse")
    frozen.fit(X, Y, **QUIET)
    kept = [
        bool(np.array_equal(a, b)) for a, b in zip(model.get_weights(), frozen.get_weights(), strict=True)
    ]
    new = keras.layers.Dense(2, kernel_initializer="ones", name="new")(other.layers[0].output)
    return {
        "recompiled": other.fit(X, Y, **QUIET).history,
        "kept": kept,
        "trainable": [len(model.trainable_weights), len(frozen.trainable_weights)],
        "head": keras.Model(other.inputs, new).predict(X, verbose=0),
    }


def facts_of_a_copy(keras: Any) -> dict[str, Any]:
    model = _line(
        keras, keras.optimizers.Adam(0.0125), metrics=["mae", keras.metrics.RootMeanSquaredError(name="r")]
    )
    model.fit(X, Y, **QUIET)
    other = _pickled(model)
    return {
        "loss": other.loss,
        "rate": float(other.optimizer.learning_rate),
        "optimizer": type(other.optimizer).__name__,
        "results": sorted(other.evaluate(X, Y, verbose=0, return_dict=True)),
        "json": other.to_json() == model.to_json(),
        "shapes": [list(other.input_shape), list(other.output_shape), list(other.layers[0].output.shape)],
        "count": other.count_params(),
        "layer": other.get_layer("last").name,
    }


def resuming_from_a_pickle(keras: Any) -> dict[str, Any]:
    model = _line(keras)
    model.fit(X, Y, epochs=2, **QUIET)
    written = pickle.dumps(model)
    model.fit(X, Y, initial_epoch=2, epochs=4, **QUIET)
    other = pickle.loads(written)
    history = other.fit(X, Y, initial_epoch=2, epochs=4, **QUIET)
    return {
        "epochs": history.epoch,
        "loss": history.history["loss"],
        "alike": all(map(np.array_equal, model.get_weights(), other.get_weights())),
    }


def regularizers_and_constraints_go_with_a_copy(keras: Any) -> dict[str, Any]:
    layer = keras.layers.Dense(
        1,
        kernel_initializer="ones",
        kernel_regularizer=keras.regularizers.L1L2(0.1, 0.2),
        bias_regularizer="l2",
        kernel_constraint=keras.constraints.MaxNorm(0.5),
    )
    model = keras.Sequential([keras.Input((3,)), layer])
    model.compile(keras.optimizers.SGD(1.0), "mse")
    other = _pickled(model)
    penalty = float(sum(map(float, other.losses)))
    logs = other.fit(X, Y, epochs=2, **QUIET).history
    return {"penalty": penalty, "loss": logs["loss"], "norm": float(np.linalg.norm(other.get_weights()[0]))}


def callbacks_are_copied_for_each_run(keras: Any) -> dict[str, Any]:
    given = [
        keras.callbacks.EarlyStopping("loss", patience=1, min_delta=0.5),
        keras.callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=0.5),
        keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1)),
    ]
    runs = [_line(keras).fit(X, Y, epochs=5, callbacks=copy.deepcopy(given), **QUIET) for _ in range(2)]
    return {"epochs": [run.epoch for run in runs], "loss": [run.history["loss"] for run in runs]}


def an_object_that_holds_a_model_is_copied(keras: Any) -> dict[str, Any]:
    class Estimator:
        def __init__(self) -> None:
            self.model, self.names = _line(keras), ["a", "b", "c"]

        def fit(self, x: Any, y: Any) -> Any:
            self.history = self.model.fit(x, y, **QUIET).history
            return self

    first = Estimator().fit(X, Y)
    other = copy.deepcopy(first)
    other.fit(X, Y)
    layers = keras.Sequential([keras.Input((3,)), *copy.deepcopy(first.model.layers)])
    return {
        "losses": [first.history["loss"], other.history["loss"]],
        "predicted": [layers.predict(X, verbose=0), first.model.predict(X, verbose=0)],
    }
