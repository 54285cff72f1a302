"""What callbacks are told, in which order, and what comes of what they do."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import numpy as np

from tests.parity.means import numbers, refusal

X, Y = numbers(8, 3), numbers(8, 1, key="y")
FIT: dict[str, Any] = {"batch_size": 4, "shuffle": False, "verbose": 0}
HOOKS = [
    f"on_{kind}{batch}_{end}"
    for kind in ("train", "test", "predict")
    for batch in ("", "_batch")
    for end in ("begin", "end")
]
HOOKS += ["on_epoch_begin", "on_epoch_end"]


def _line(keras: Any, metrics: Any = None) -> Any:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse", metrics=metrics)
    return model


def _recorder(keras: Any, told: list[str], adds: bool = False) -> Any:
    """A callback that writes down each call: the hook, its numbers, the names and the kinds of the logs."""

    def recording(hook: str) -> Any:
        def told_of(self: Any, *args: Any, **kwargs: Any) -> None:
            *place, logs = [*args, *kwargs.values()]
            kinds = None if logs is None else {name: type(value).__name__ for name, value in logs.items()}
            told.append(f"{hook} {place} {kinds} {type(logs).__mro__[-2].__name__}")
            if adds:
                logs["more"] = 1.5

        return told_of

    kind = type("Recorder", (keras.callbacks.Callback,), {hook: recording(hook) for hook in HOOKS})
    return kind()


# --------------------------------------------------------------------------------------------- what is told


def all_calls_of_fit(keras: Any) -> dict[str, Any]:
    told: list[str] = []
    model = _line(keras, ["mae"])
    model.fit(X, Y, epochs=2, callbacks=[_recorder(keras, told)], validation_data=(X, Y), **FIT)
    return {"told": told}


def all_calls_of_evaluate(keras: Any) -> dict[str, Any]:
    told: list[str] = []
    model = _line(keras, ["mae"])
    model.evaluate(X, Y, batch_size=4, callbacks=[_recorder(keras, told)], verbose=0)
    return {"told": told}


def all_calls_of_predict(keras: Any) -> dict[str, Any]:
    told: list[str] = []
    _line(keras).predict(X, batch_size=4, callbacks=[_recorder(keras, told)], verbose=0)
    return {"told": told}


def all_calls_without_an_epoch(keras: Any) -> dict[str, Any]:
    told: list[str] = []
    history = _line(keras).fit(X, Y, epochs=0, callbacks=[_recorder(keras, told)], **FIT)
    return {"told": told, "history": history.history, "epochs": history.epoch}


def all_calls_by_hand(keras: Any) -> dict[str, Any]:
    told: list[str] = []
    model = _line(keras)
    run = {"epochs": 1, "steps": 2, "verbose": 0}
    both = keras.callbacks.CallbackList([_recorder(keras, told)], add_history=True, model=model, **run)
    both.on_train_begin()
    both.on_epoch_begin(0)
    for step in range(2):
        both.on_train_batch_begin(step)
        logs = model.train_on_batch(X, Y, return_dict=True)
        both.on_train_batch_end(step, logs)
    both.on_epoch_end(0, logs)
    both.on_train_end(logs)
    for kind in ("test", "predict"):
        getattr(both, f"on_{kind}_begin")()
        getattr(both, f"on_{kind}_batch_begin")(0)
        getattr(both, f"on_{kind}_batch_end")(0)
        getattr(both, f"on_{kind}_end")()
    return {"told": told, "history": model.history.history, "params": both.params}


def values_of_logs_by_hand(keras: Any) -> dict[str, Any]:
    """Numbers become floats, logs within logs stand beside the others, in the order of their names."""
    told: list[Any] = []
    both = keras.callbacks.CallbackList([_recorder(keras, told)])
    both.on_epoch_end(
        0, {"b": np.float32(1), "a": {"z": np.array(2.0), "y": 3}, "s": "word", "m": np.ones(2)}
    )
    return {"told": told}


def logs_are_there_from_the_beginning(keras: Any) -> dict[str, Any]:
    """As the guide to callbacks prints them."""
    told: list[str] = []

    class Guide(keras.callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            told.append(f"Starting training; got log keys: {list(logs.keys())}")

        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            told.append(f"...Training: start of batch {batch}; got log keys: {list(logs.keys())}")

        def on_predict_end(self, logs: Any = None) -> None:
            told.append(f"Stop predicting; got log keys: {list(logs.keys())}")

    model = _line(keras)
    model.fit(X, Y, callbacks=[Guide()], **FIT)
    model.predict(X, callbacks=[Guide()], verbose=0)
    return {"told": told}


def lambda_callbacks(keras: Any) -> dict[str, Any]:
    told: list[str] = []
    named = {
        hook: (lambda place, logs, hook=hook: told.append(f"{hook} {place} {sorted(logs)}"))
        for hook in HOOKS
        if "batch" in hook or "epoch" in hook
    }
    alone = {
        hook: (lambda logs, hook=hook: told.append(f"{hook} {sorted(logs)}"))
        for hook in HOOKS
        if hook not in named
    }
    watch = keras.callbacks.LambdaCallback(**named, **alone)
    model = _line(keras)
    model.fit(X, Y, callbacks=[watch], validation_data=(X, Y), **FIT)
    model.evaluate(X, Y, callbacks=[watch], verbose=0)
    model.predict(X, callbacks=[watch], verbose=0)
    return {"told": told}


def old_names_of_batch_hooks(keras: Any) -> dict[str, Any]:
    told: list[str] = []

    class Old(keras.callbacks.Callback):
        def on_batch_begin(self, batch: int, logs: Any = None) -> None:
            told.append(f"begin {batch} {list(logs)}")

        def on_batch_end(self, batch: int, logs: Any = None) -> None:
            told.append(f"end {batch} {list(logs)}")

    _line(keras).fit(X, Y, callbacks=[Old()], **FIT)
    return {"told": told}


def params_of_each_run(keras: Any) -> dict[str, Any]:
    watch, model = keras.callbacks.Callback(), _line(keras)
    params = {"before": watch.params}
    model.fit(X, Y, batch_size=3, epochs=2, verbose=0, callbacks=watch)
    params["fit"] = dict(sorted(watch.params.items()))
    model.evaluate(X, Y, batch_size=3, verbose=0, callbacks=[watch])
    params["evaluate"] = dict(sorted(watch.params.items()))
    model.predict(X, batch_size=3, verbose=0, callbacks=[watch])
    params["predict"] = dict(sorted(watch.params.items()))
    return {**params, "same model": watch.model is model}


def params_of_generators(keras: Any) -> dict[str, Any]:
    watch, model = keras.callbacks.Callback(), _line(keras)
    model.fit(((X, Y) for _ in range(6)), steps_per_epoch=3, epochs=2, verbose=0, callbacks=[watch])
    known = dict(sorted(watch.params.items()))
    model.fit(((X, Y) for _ in range(3)), verbose=0, callbacks=[watch])
    return {"known": known, "unknown": dict(sorted(watch.params.items()))}


def model_and_params_come_first(keras: Any) -> dict[str, Any]:
    told: list[Any] = []

    class Own(keras.callbacks.Callback):
        def __init__(self, word: str) -> None:  # without super().__init__()
            self.word = word

        def set_model(self, model: Any) -> None:
            super().set_model(model)
            told.append(self.word)

        def set_params(self, params: Any) -> None:
            super().set_params(params)
            told.append(sorted(params))

        def on_train_begin(self, logs: Any = None) -> None:
            told.append(self.model is not None)

    _line(keras).fit(X, Y, callbacks=[Own("a"), Own("b")], validation_data=(X, Y), **FIT)
    return {"told": told}


# ----------------------------------------------------------------------------------------- logs are their own


def logs_that_a_callback_adds(keras: Any) -> dict[str, Any]:
    """Those after it in the list see them in the same call, History in each epoch, nobody else."""
    told: list[str] = []
    both = [_recorder(keras, told, adds=True), _recorder(keras, told)]
    history = _line(keras).fit(X, Y, epochs=2, callbacks=both, validation_data=(X, Y), **FIT)
    return {"told": told, "history": history.history}


def kinds_of_values_that_a_callback_adds(keras: Any) -> dict[str, Any]:
    class Adds(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            logs.update(lr=np.float32(0.5), many=np.array([1.0, 2.0]), whole=3, word="w")

    history = _line(keras).fit(X, Y, callbacks=[Adds()], **FIT).history
    return {"history": history, "names": list(history)}


def batch_logs_are_dicts(keras: Any) -> dict[str, Any]:
    seen: dict[str, Any] = {}

    class Reads(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            seen.update(
                is_dict=isinstance(logs, dict),
                names=list(logs),
                copied=dict(logs),
                spread={**logs},
                joined=logs | {"u": 1.0},
                joined_behind={"u": 1.0} | logs,
                own_copy=logs.copy(),
                deep=copy.deepcopy(logs),
                packed=pickle.loads(pickle.dumps(logs)),  # noqa: S301 its own
                written=json.loads(json.dumps(logs)),
                got=logs.get("mae"),
                default=logs.get("none", 7.0),
                sums=sum(logs.values()),
                pairs=sorted(logs.items()),
                equal=logs == dict(logs),
                there="loss" in logs,
                count=len(logs),
                text=sorted(json.loads(repr(logs).replace("'", '"'))),
            )
            logs["more"] = 2.0
            logs.setdefault("most", 3.0)
            del logs["mae"]
            seen.update(after=list(logs), popped=logs.pop("more"))

    model = _line(keras, ["mae"])
    history = model.fit(X, Y, callbacks=[Reads()], **FIT).history
    return {**seen, "history": history}


def batch_logs_kept_for_later(keras: Any) -> dict[str, Any]:
    kept: list[Any] = []

    class Keeps(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            kept.append(logs)

        def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
            kept.append(logs)

    _line(keras, ["mae"]).fit(X, Y, epochs=2, callbacks=[Keeps()], validation_data=(X, Y), **FIT)
    return {"kept": kept}


def other_runs_within_a_batch(keras: Any) -> dict[str, Any]:
    seen: list[Any] = []

    class Runs(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            seen.append(self.model.predict(X[:2], verbose=0))
            seen.append(dict(logs))

    history = _line(keras).fit(X, Y, epochs=2, callbacks=[Runs()], **FIT).history
    return {"seen": seen, "history": history}


# ------------------------------------------------------------------------------------------- the end of a run


def training_stopped_in_a_batch(keras: Any) -> dict[str, Any]:
    told: list[Any] = []

    class Stops(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            told.append(batch)
            self.model.stop_training = batch == 1

        def on_train_end(self, logs: Any = None) -> None:
            told.append(list(logs))

    fit = {**FIT, "batch_size": 2}
    history = _line(keras).fit(X, Y, epochs=3, callbacks=[Stops()], validation_data=(X, Y), **fit)
    return {"told": told, "history": history.history, "epochs": history.epoch}


def training_stopped_before_it_begins(keras: Any) -> dict[str, Any]:
    def stops(hook: str) -> Any:
        def stop(self: Any, *args: Any, **kwargs: Any) -> None:
            self.model.stop_training = True

        return type("Stops", (keras.callbacks.Callback,), {hook: stop})()

    runs = {}
    for hook in ("on_train_begin", "on_epoch_begin", "on_train_batch_begin", "on_test_end", "on_epoch_end"):
        told: list[str] = []
        both = [stops(hook), _recorder(keras, told)]
        _line(keras).fit(X, Y, epochs=3, callbacks=both, validation_data=(X, Y), **FIT)
        runs[hook] = [text.split(" {")[0] for text in told]
    return runs


def evaluation_and_prediction_stopped(keras: Any) -> dict[str, Any]:
    class Stops(keras.callbacks.Callback):
        def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
            self.model.stop_evaluating = batch == 1

        def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
            self.model.stop_predicting = batch == 1

    model = _line(keras)
    return {
        "evaluated": model.evaluate(X, Y, batch_size=2, verbose=0, callbacks=[Stops()]),
        "predicted": model.predict(X, batch_size=2, verbose=0, callbacks=[Stops()]),
        "all of it": model.evaluate(X, Y, batch_size=2, verbose=0),
        "validated": model.fit(X, Y, validation_data=(X, Y), callbacks=[Stops()], **FIT).history,
    }


def an_error_in_a_callback(keras: Any) -> dict[str, Any]:
    told: list[str] = []

    class Fails(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            raise KeyError("own")

        def on_train_end(self, logs: Any = None) -> None:
            told.append("end")

    model = _line(keras)
    return {"kind": refusal(lambda: model.fit(X, Y, callbacks=[Fails()], **FIT)), "told": told}


# ---------------------------------------------------------------------------- those there are


def a_history_of_ones_own(keras: Any) -> dict[str, Any]:
    own, model = keras.callbacks.History(), _line(keras)
    returned = model.fit(X, Y, epochs=2, callbacks=[own], **FIT)
    again = model.fit(X, Y, epochs=3, initial_epoch=1, **FIT)
    return {
        "same": returned is own,
        "epochs": own.epoch,
        "params": own.params,
        "history": own.history,
        "of the model": model.history is again,
        "again": again.epoch,
    }


def a_list_of_callbacks_given_to_fit(keras: Any) -> dict[str, Any]:
    told: list[str] = []
    model = _line(keras)
    run = {"epochs": 1, "steps": 2, "verbose": 0}
    both = keras.callbacks.CallbackList([_recorder(keras, told)], add_history=True, model=model, **run)
    return {"history": model.fit(X, Y, callbacks=both, **FIT).history, "told": told}


def early_stopping_by_a_validated_metric(keras: Any) -> dict[str, Any]:
    stop = keras.callbacks.EarlyStopping("val_mae", patience=1, min_delta=10.0, restore_best_weights=True)
    model = _line(keras, ["mae"])
    history = model.fit(X, Y, epochs=6, validation_data=(X, Y), callbacks=[stop], **FIT)
    return {
        "history": history.history,
        "stopped": [stop.stopped_epoch, stop.wait, stop.best_epoch],
        "best": float(stop.best),
        "weights": model.get_weights(),
    }


def early_stopping_by_a_metric_of_a_layer(keras: Any) -> dict[str, Any]:
    class Size(keras.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.size = keras.metrics.Mean(name="size")

        def call(self, x: Any) -> Any:
            self.size.update_state(keras.ops.abs(x))
            return x

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="ones"), Size()])
    model.compile("sgd", "mse")
    stop = keras.callbacks.EarlyStopping("val_size", mode="max", patience=1)
    history = model.fit(X, Y, epochs=5, validation_data=(X, Y), callbacks=[stop], **FIT)
    return {"history": history.history}


def a_rate_that_is_lowered(keras: Any) -> dict[str, Any]:
    lower = keras.callbacks.ReduceLROnPlateau("loss", 0.5, 1, min_delta=10.0, cooldown=1, min_lr=1e-4)
    history = _line(keras).fit(X, Y, epochs=5, callbacks=[lower], **FIT)
    return {"history": history.history, "wait": lower.wait, "cooldown": lower.cooldown_counter}


def rates_by_schedule_and_by_hand(keras: Any) -> dict[str, Any]:
    class ByHand(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.model.optimizer.learning_rate = 0.1 * (epoch + 1)

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            logs["lr"] = float(self.model.optimizer.learning_rate)

    halves = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5)
    return {
        "schedule": _line(keras).fit(X, Y, epochs=3, callbacks=[halves], **FIT).history,
        "by hand": _line(keras).fit(X, Y, epochs=3, callbacks=[ByHand()], **FIT).history,
    }


def validation_in_some_epochs(keras: Any) -> dict[str, Any]:
    told: list[str] = []
    fit = {**FIT, "validation_data": (X, Y), "validation_freq": [2, 3]}
    history = _line(keras).fit(X, Y, epochs=3, callbacks=[_recorder(keras, told)], **fit)
    return {"history": history.history, "told": told}


# ------------------------------------------------------------------------------------- habits of scripts


def hooks_of_every_signature(keras: Any) -> dict[str, Any]:
    told: list[Any] = []

    class Old(keras.callbacks.Callback):
        def on_train_begin(self, logs: Any = {}) -> None:  # noqa: B006 as old scripts have it
            told.append(logs.get("loss"))

        def on_epoch_begin(self, e: int, words: Any) -> None:
            told.append(len(words))

        def on_epoch_end(self, *args: Any, **kwargs: Any) -> None:
            told.append(len(args) + len(kwargs))

        def on_batch_end(self, batch: int, logs: Any = {}) -> None:  # noqa: B006
            told.append(logs.get("loss"))

    _line(keras).fit(X, Y, callbacks=[Old()], **FIT)
    return {"told": told}


def evaluation_at_the_end_of_an_epoch(keras: Any) -> dict[str, Any]:
    class Tests(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            found = self.model.evaluate(X * 2, Y, verbose=0, return_dict=True)
            logs.update({f"test_{name}": value for name, value in found.items()})

    history = _line(keras, ["mae"]).fit(X, Y, epochs=3, callbacks=[Tests()], **FIT).history
    return {"history": history}


def the_best_weights_kept_by_hand(keras: Any) -> dict[str, Any]:
    class Keeps(keras.callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            self.best, self.wait, self.weights = np.inf, 0, None

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            current = logs.get("val_loss")
            if np.less(current, self.best):
                self.best, self.wait, self.weights = current, 0, self.model.get_weights()
                return
            self.wait += 1
            if self.wait >= 1:
                self.model.stop_training = True
                self.model.set_weights(self.weights)

    model, keeps = _line(keras), Keeps()
    model.optimizer.learning_rate = 1.2
    history = model.fit(X, Y, epochs=6, validation_data=(X, Y), callbacks=[keeps], **FIT).history
    return {"epochs": len(history["loss"]), "best": float(keeps.best)}


def rates_tried_batch_by_batch(keras: Any) -> dict[str, Any]:
    rates: list[float] = []
    losses: list[float] = []

    class Finder(keras.callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            self.weights = self.model.get_weights()
            self.model.optimizer.learning_rate.assign(1e-3)

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            rate = float(self.model.optimizer.learning_rate)
            rates.append(rate)
            losses.append(logs["loss"])
            self.model.optimizer.learning_rate.assign(rate * 2)

        def on_train_end(self, logs: Any = None) -> None:
            self.model.set_weights(self.weights)

    model = _line(keras)
    model.fit(X, Y, callbacks=[Finder()], **{**FIT, "batch_size": 2})
    return {"rates": rates, "losses": losses, "weights": model.get_weights()}


def stops_by_baseline_and_from_an_epoch_on(keras: Any) -> dict[str, Any]:
    stops = {
        "baseline": keras.callbacks.EarlyStopping("loss", baseline=0.5, patience=1),
        "start": keras.callbacks.EarlyStopping("loss", patience=0, start_from_epoch=2, min_delta=10.0),
        "max": keras.callbacks.EarlyStopping("loss", mode="max", patience=2, restore_best_weights=True),
    }
    runs = {}
    for name, stop in stops.items():
        history = _line(keras).fit(X, Y, epochs=6, callbacks=[stop], **FIT)
        runs[name] = [history.epoch, stop.stopped_epoch, stop.wait]
    return runs


def rates_of_a_schedule_in_the_logs(keras: Any) -> dict[str, Any]:
    class Rates(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            logs["lr"] = float(self.model.optimizer.learning_rate)

    model = _line(keras)
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
    model.compile(keras.optimizers.SGD(schedule), "mse")
    return {"history": model.fit(X, Y, epochs=3, callbacks=[Rates()], **FIT).history}


def predictions_within_training(keras: Any) -> dict[str, Any]:
    seen: list[Any] = []

    class Looks(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            seen.append(self.model.predict(X[:1], verbose=0))
            seen.append(self.model.predict_on_batch(X[:2]))
            seen.append(np.asarray(keras.ops.convert_to_numpy(self.model(X[:1]))))

    history = _line(keras).fit(X, Y, epochs=2, callbacks=[Looks()], **FIT).history
    return {"seen": seen, "history": history}
