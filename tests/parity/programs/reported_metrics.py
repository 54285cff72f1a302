"""What models report: metrics of layers, of steps of one's own, and those given to compile."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.parity.means import numbers

X, Y, WIDE = numbers(8, 3), numbers(8, 1, key="y"), numbers(8, 2, key="wide")
QUIET: dict[str, Any] = {"verbose": 0}


def _dense(keras: Any, units: int = 1, **more: Any) -> Any:
    return keras.layers.Dense(units, kernel_initializer="ones", **more)


def _stack(keras: Any, *layers: Any, metrics: Any = None) -> Any:
    model = keras.Sequential([keras.Input((3,)), *layers])
    model.compile("sgd", "mse", metrics=metrics)
    return model


def _two(keras: Any, **compiled: Any) -> Any:
    inputs = keras.Input((3,))
    model = keras.Model(inputs, [_dense(keras, 1, name="b")(inputs), _dense(keras, 2, name="a")(inputs)])
    model.compile("sgd", **{"loss": "mse", **compiled})
    return model


def _watch(keras: Any, name: str = "seen", inner: Any = ()) -> Any:
    """A layer that passes its input on and reports the mean of it."""

    class Watch(keras.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.seen = keras.metrics.Mean(name=name)
            self.inner = list(inner)

        def call(self, x: Any) -> Any:
            self.seen.update_state(x)
            for layer in self.inner:
                x = layer(x)
            return x

    return Watch()


def _everything(model: Any, x: Any = X, y: Any = Y) -> dict[str, Any]:
    """All that reports, and the names."""
    fit = {"batch_size": 4, "shuffle": False, "validation_data": (x, y), **QUIET}
    return {
        "history": model.fit(x, y, epochs=2, **fit).history,
        "list": model.evaluate(x, y, **QUIET),
        "dict": model.evaluate(x, y, return_dict=True, **QUIET),
        "names": model.metrics_names,
        "train": model.train_on_batch(x, y),
        "test": model.test_on_batch(x, y),
        "test dict": model.test_on_batch(x, y, return_dict=True),
    }


# ------------------------------------------------------------------------------------------ metrics of layers


def a_metric_inside_a_layer(keras: Any) -> dict[str, Any]:
    return _everything(_stack(keras, _watch(keras), _dense(keras), metrics=["mae"]))


def metrics_of_layers_within_layers(keras: Any) -> dict[str, Any]:
    inner = _watch(keras, "b", [_watch(keras, "c")])
    model = _stack(keras, _watch(keras, "a", [inner, _watch(keras, "d")]), _dense(keras), _watch(keras, "e"))
    result = _everything(model)
    return {key: result[key] for key in ("history", "dict")}


def a_metric_made_in_build(keras: Any) -> dict[str, Any]:
    class Late(keras.layers.Layer):
        def build(self, input_shape: Any) -> None:
            self.late = keras.metrics.Sum(name="late")
            self.built = True

        def call(self, x: Any) -> Any:
            self.late.update_state(keras.ops.max(x))
            return x

    return _everything(_stack(keras, Late(), _dense(keras)))


def a_layer_with_lists_and_dicts_of_metrics(keras: Any) -> dict[str, Any]:
    class Many(keras.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.listed = [keras.metrics.Mean(name="first"), keras.metrics.Sum(name="second")]
            self._kept = {"third": keras.metrics.Mean(name="third")}

        def call(self, x: Any) -> Any:
            for metric in (*self.listed, *self._kept.values()):
                metric.update_state(keras.ops.max(x))
            return x

    return _everything(_stack(keras, Many(), _dense(keras)))


def a_metric_that_is_never_updated(keras: Any) -> dict[str, Any]:
    class Idle(keras.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.idle = keras.metrics.Mean(name="idle")

        def call(self, x: Any) -> Any:
            return x

    return _everything(_stack(keras, Idle(), _dense(keras)))


def metrics_of_a_shared_layer(keras: Any) -> dict[str, Any]:
    inputs, watch = keras.Input((3,)), _watch(keras)
    model = keras.Model(inputs, _dense(keras)(watch(watch(inputs) * 2.0)))
    model.compile("sgd", "mse")
    return _everything(model)


def metrics_of_models_within_a_model(keras: Any) -> dict[str, Any]:
    """Those of a model inside are its own business, those of its layers are not."""

    class Inner(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.own = keras.metrics.Mean(name="own")
            self.watch = _watch(keras)

        def call(self, x: Any) -> Any:
            self.own.update_state(x)
            return self.watch(x)

    return _everything(_stack(keras, Inner(), _dense(keras)))


def a_compiled_model_within_a_model(keras: Any) -> dict[str, Any]:
    inner = _stack(keras, _dense(keras, 3), metrics=["mae"])
    return _everything(_stack(keras, inner, _dense(keras), metrics=["mse"]))


def metrics_of_a_layer_on_its_own(keras: Any) -> dict[str, Any]:
    layer = _watch(keras, "outer", [_watch(keras, "inner")])
    layer(X)
    first = float(layer.seen.result())
    layer(X + 1)
    return {
        "names": [metric.name for metric in layer.metrics],
        "variables": [variable.name for variable in layer.metrics_variables],
        "weights": len(layer.weights),
        "first": first,
        "both": float(layer.seen.result()),
    }


def metrics_of_layers_see_predict_too(keras: Any) -> dict[str, Any]:
    watch = _watch(keras)
    model = _stack(keras, watch, _dense(keras))
    model.predict(X, **QUIET)
    predicted = float(watch.seen.result())
    model.evaluate(X + 1, Y, **QUIET)
    return {"predicted": predicted, "evaluated": float(watch.seen.result())}


def what_a_model_holds_beside_weights(keras: Any) -> dict[str, Any]:
    model = _stack(keras, _watch(keras), _dense(keras), metrics=["mae"])
    model.fit(X, Y, **QUIET)
    return {
        "metrics": [metric.name for metric in model.metrics],
        "variables": len(model.variables),
        "metrics_variables": [variable.name for variable in model.metrics_variables],
        "parameters": model.count_params(),
    }


def reset_metrics_resets_those_of_layers(keras: Any) -> dict[str, Any]:
    model = _stack(keras, _watch(keras), _dense(keras), metrics=["mae"])
    model.evaluate(X, Y, **QUIET)
    before = {name: float(value) for name, value in model.get_metrics_result().items()}
    model.reset_metrics()
    after = {name: float(value) for name, value in model.get_metrics_result().items()}
    return {"before": before, "after": after}


# ------------------------------------------------------------------------------------- steps of one's own


def compiled_metrics_in_a_step(keras: Any) -> dict[str, Any]:
    """As the guide to train_step has it."""

    class Own(keras.Sequential):
        def test_step(self, data: Any) -> Any:
            x, y = data[:2]
            y_pred = self(x, training=False)
            loss = self.compute_loss(y=y, y_pred=y_pred)
            for metric in self.metrics:
                if metric.name == "loss":
                    metric.update_state(loss)
                else:
                    metric.update_state(y, y_pred)
            return {m.name: m.result() for m in self.metrics}

    model = Own([keras.Input((3,)), _dense(keras)])
    model.compile("sgd", "mse", metrics=["mae"], weighted_metrics=["mse"])
    return {
        "list": model.evaluate(X, Y, batch_size=4, **QUIET),
        "dict": model.evaluate(X, Y, return_dict=True, **QUIET),
        "names": model.metrics_names,
        "compiled": [metric.name for metric in model.metrics[1].metrics],
        "result": list(model.metrics[1].result()),
        "on batch": model.test_on_batch(X, Y),
        "validated": model.fit(X, Y, validation_data=(X, Y), batch_size=8, **QUIET).history,
    }


def results_of_all_metrics_in_a_step(keras: Any) -> dict[str, Any]:
    class Own(keras.Sequential):
        def test_step(self, data: Any) -> Any:
            x, y = data[:2]
            y_pred = self(x, training=False)
            self.compute_metrics(x, y, y_pred)
            return {m.name: m.result() for m in self.metrics}

    model = Own([keras.Input((3,)), _watch(keras), _dense(keras)])
    model.compile("sgd", "mse", metrics=["mae", keras.metrics.MeanSquaredError(name="squares")])
    return {"dict": model.evaluate(X, Y, return_dict=True, **QUIET), "list": model.evaluate(X, Y, **QUIET)}


def trackers_of_a_model(keras: Any) -> dict[str, Any]:
    """The way of the variational autoencoder: trackers, and `metrics` overridden."""

    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = _dense(keras)
            self._total = keras.metrics.Mean(name="total")
            self.largest = keras.metrics.Mean(name="largest")

        @property
        def metrics(self) -> list[Any]:
            return [self._total, self.largest]

        def call(self, x: Any) -> Any:
            return self.dense(x)

        def test_step(self, data: Any) -> Any:
            x, y = data[:2]
            y_pred = self(x)
            self._total.update_state(keras.ops.mean((y_pred - y) ** 2))
            self.largest.update_state(keras.ops.max(y_pred))
            return {"total": self._total.result(), "largest": self.largest.result()}

    model = Own()
    model.compile("sgd")
    return {
        "list": model.evaluate(X, Y, batch_size=4, **QUIET),
        "again": model.evaluate(X, Y, return_dict=True, **QUIET),
        "names": model.metrics_names,
        "on batch": model.test_on_batch(X, Y),
    }


def trackers_beside_compiled_metrics(keras: Any) -> dict[str, Any]:
    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = _dense(keras)
            self._total = keras.metrics.Mean(name="total")
            self.listed = [keras.metrics.Mean(name="a"), keras.metrics.Sum(name="b")]
            self.named = {"c": keras.metrics.Mean(name="c")}

        def call(self, x: Any) -> Any:
            for metric in (self._total, *self.listed, *self.named.values()):
                metric.update_state(keras.ops.sum(x))
            return self.dense(x)

    model = Own()
    model.compile("sgd", "mse", metrics=["mae"])
    return _everything(model)


def logs_of_names_that_are_no_metrics(keras: Any) -> dict[str, Any]:
    class Own(keras.Sequential):
        def test_step(self, data: Any) -> Any:
            y_pred = self(data[0], training=False)
            return {"zeta": keras.ops.mean(y_pred), "alpha": keras.ops.max(y_pred), "loss": 0.25}

    model = Own([keras.Input((3,)), _dense(keras)])
    model.compile("sgd", "mse")
    result = model.evaluate(X, Y, return_dict=True, **QUIET)
    return {"names": sorted(result), "list": model.evaluate(X, Y, **QUIET)[1:]}


def a_metric_of_several_results(keras: Any) -> dict[str, Any]:
    class Both(keras.metrics.Metric):
        def __init__(self) -> None:
            super().__init__(name="both")
            self.total = self.add_variable((), "zeros", name="total")

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
            self.total.assign_add(keras.ops.sum(y_pred))

        def result(self) -> Any:
            return {"zeta": self.total * 1.0, "alpha": self.total * 2.0}

    result = _everything(_stack(keras, _dense(keras), metrics=[Both(), "mae"]))
    return {**result, "history": dict(sorted(result["history"].items()))}


# ------------------------------------------------------------------------------------------ names and order


def metrics_before_and_after_training(keras: Any) -> dict[str, Any]:
    model = keras.Sequential([keras.Input((3,)), _dense(keras)])
    uncompiled = model.metrics_names
    model.compile("sgd", "mse")
    plain = model.metrics_names
    model.compile("sgd", "mse", metrics=["mae"], weighted_metrics=["mse"])
    compiled = model.metrics_names
    model.evaluate(X, Y, **QUIET)
    return {
        "uncompiled": uncompiled,
        "plain": plain,
        "compiled": compiled,
        "evaluated": model.metrics_names,
        "results": list(model.get_metrics_result()),
    }


def several_outputs_and_metrics(keras: Any) -> dict[str, Any]:
    compiled = {"metrics": [["mae"], ["mse", "mae"]], "loss_weights": [1.0, 0.5], "loss": ["mse", "mae"]}
    return _everything(_two(keras, **compiled), X, [Y, WIDE])


def one_metric_of_one_output(keras: Any) -> dict[str, Any]:
    return _everything(_two(keras, metrics={"a": "mae"}), X, [Y, WIDE])


def outputs_in_a_dict(keras: Any) -> dict[str, Any]:
    inputs = keras.Input((3,))
    model = keras.Model(inputs, {"p": _dense(keras, 1)(inputs), "q": _dense(keras, 2)(inputs)})
    metrics = {"p": ["mae"], "q": ["mse", "mae"]}
    model.compile("sgd", {"p": "mse", "q": "mae"}, metrics=metrics, weighted_metrics={"q": ["mae"]})
    return _everything(model, X, {"p": Y, "q": WIDE})


def metrics_of_one_name(keras: Any) -> dict[str, Any]:
    model = keras.Sequential([keras.Input((3,)), _dense(keras)])
    own = keras.metrics.MeanAbsoluteError(name="mae")
    model.compile("sgd", "mse", metrics=["mae", "mae", own], weighted_metrics=["mae", "mse"])
    return {"dict": model.evaluate(X, Y, return_dict=True, **QUIET), "own": own.name}


def metrics_keep_their_names(keras: Any) -> dict[str, Any]:
    kept = [keras.metrics.MeanAbsoluteError(name="kept") for _ in range(2)]
    model = _two(keras, metrics=[[kept[0]], [kept[1]]])
    result = model.evaluate(X, [Y, WIDE], return_dict=True, **QUIET)
    return {"dict": result, "list": model.evaluate(X, [Y, WIDE], **QUIET), "names": [m.name for m in kept]}


def names_of_accuracy(keras: Any) -> dict[str, Any]:
    model = keras.Sequential([keras.Input((3,)), _dense(keras, 2, activation="softmax")])
    own = keras.metrics.SparseCategoricalAccuracy(name="own")
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy", own])
    return _everything(model, X, np.arange(8) % 2)


def outputs_without_names(keras: Any) -> dict[str, Any]:
    """Metrics have their own names, losses those of the losses."""

    class Both(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = _dense(keras), _dense(keras, 2)

        def call(self, x: Any) -> Any:
            return self.first(x), self.second(x)

    runs = {}
    for name, metrics in {"none": None, "two": [["mae"], ["mse"]], "twice": [["mae"], ["mae"]]}.items():
        model = Both()
        model.compile("sgd", ["mse", keras.losses.MeanAbsoluteError(name="own")], metrics=metrics)
        result = _everything(model, X, (Y, WIDE))
        runs[name] = {key: result[key] for key in ("history", "dict", "names", "test dict")}
    return runs


def one_output_in_a_list_or_a_dict(keras: Any) -> dict[str, Any]:
    inputs = keras.Input((3,))
    listed = keras.Model(inputs, [_dense(keras, name="out")(inputs)])
    listed.compile("sgd", ["mse"], metrics=[["mae"]])
    named = keras.Model(inputs, {"out": _dense(keras)(inputs)})
    named.compile("sgd", {"out": "mse"}, metrics={"out": ["mae"]})
    return {"list": _everything(listed, X, [Y]), "dict": _everything(named, X, {"out": Y})}


def kinds_of_what_is_returned(keras: Any) -> dict[str, Any]:
    plain, more = _stack(keras, _dense(keras)), _stack(keras, _dense(keras), metrics=["mae"])
    found = {
        "evaluate": [plain.evaluate(X, Y, **QUIET), *more.evaluate(X, Y, **QUIET)],
        "train": [plain.train_on_batch(X, Y), *more.train_on_batch(X, Y)],
        "test": [plain.test_on_batch(X, Y), *more.test_on_batch(X, Y)],
        "dict": list(more.evaluate(X, Y, return_dict=True, **QUIET).values()),
        "history": more.fit(X, Y, **QUIET).history["mae"],
    }
    return {name: [type(value).__name__ for value in values] for name, values in found.items()}


def a_model_compiled_again(keras: Any) -> dict[str, Any]:
    model = _stack(keras, _watch(keras), _dense(keras), metrics=["mae"])
    first = _everything(model)
    model.compile("sgd", "mae", metrics=["mse", keras.metrics.MeanAbsoluteError(name="error")])
    return {"first": first, "second": _everything(model)}


def one_metric_in_two_models(keras: Any) -> dict[str, Any]:
    shared = keras.metrics.MeanAbsoluteError(name="shared")
    models = [_stack(keras, _dense(keras), metrics=[shared]) for _ in range(2)]
    return {"of": [model.evaluate(X * (i + 1), Y, **QUIET) for i, model in enumerate(models)]}


def weighted_and_unweighted_metrics(keras: Any) -> dict[str, Any]:
    model = keras.Sequential([keras.Input((3,)), _dense(keras)])
    model.compile("sgd", "mse", metrics=["mae"], weighted_metrics=["mae", "mse"])
    weights = numbers(8, key="w", low=0.1)
    fit = {"sample_weight": weights, "validation_data": (X, Y, weights), "shuffle": False, **QUIET}
    result = model.evaluate(X, Y, sample_weight=weights, return_dict=True, **QUIET)
    return {"history": model.fit(X, Y, **fit).history, "dict": result}


def a_loss_and_its_tracker_of_ones_own(keras: Any) -> dict[str, Any]:
    """As the help of `compute_loss` has it."""

    class Own(keras.Model):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.loss_tracker = keras.metrics.Mean(name="loss")

        def compute_loss(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, training: bool = True) -> Any:
            loss = keras.ops.mean((y_pred - y) ** 2)
            loss += keras.ops.sum(self.losses)
            self.loss_tracker.update_state(loss)
            return loss

        def reset_metrics(self) -> None:
            self.loss_tracker.reset_state()

        @property
        def metrics(self) -> list[Any]:
            return [self.loss_tracker]

    inputs = keras.Input((3,))
    model = Own(inputs, _dense(keras, kernel_regularizer="l2")(inputs))
    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    history = model.fit(X, Y, epochs=2, batch_size=4, shuffle=False, **QUIET).history
    return {"history": history, "tracked": float(model.loss_tracker.result())}


def results_added_by_compute_metrics(keras: Any) -> dict[str, Any]:
    class Own(keras.Sequential):
        def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
            results = super().compute_metrics(x, y, y_pred, sample_weight)
            return {**results, "extra": keras.ops.mean(y_pred)}

    model = Own([keras.Input((3,)), _dense(keras)])
    model.compile("sgd", "mse", metrics=["mae"])
    return _everything(model)


def how_often_metrics_are_reset(keras: Any) -> dict[str, Any]:
    told: list[str] = []

    class Own(keras.Sequential):
        def reset_metrics(self) -> None:
            told.append("reset")
            super().reset_metrics()

    model = Own([keras.Input((3,)), _dense(keras)])
    model.compile("sgd", "mse")
    runs = {
        "fit": lambda: model.fit(X, Y, epochs=2, validation_data=(X, Y), **QUIET),
        "evaluate": lambda: model.evaluate(X, Y, **QUIET),
        "train": lambda: model.train_on_batch(X, Y),
        "test": lambda: model.test_on_batch(X, Y),
        "predict": lambda: model.predict(X, **QUIET),
    }
    counts = {}
    for name, run in runs.items():
        told.clear()
        run()
        counts[name] = len(told)
    return counts


# ------------------------------------------------------------------------------------- habits of scripts


def an_endpoint_that_measures(keras: Any) -> dict[str, Any]:
    """The layer of the guide to layers that takes targets and adds a loss and a metric."""

    class Endpoint(keras.layers.Layer):
        def __init__(self, name: Any = None) -> None:
            super().__init__(name=name)
            self.loss_fn = keras.losses.BinaryCrossentropy(from_logits=True)
            self.accuracy_fn = keras.metrics.BinaryAccuracy(name="accuracy")

        def call(self, targets: Any, logits: Any, sample_weights: Any = None) -> Any:
            self.add_loss(self.loss_fn(targets, logits, sample_weights))
            self.accuracy_fn.update_state(targets, logits, sample_weights)
            return keras.ops.sigmoid(logits)

    inputs, targets = keras.Input((3,), name="inputs"), keras.Input((1,), name="targets")
    outputs = Endpoint(name="predictions")(targets, _dense(keras)(inputs))
    model = keras.Model(inputs=[inputs, targets], outputs=outputs)
    model.compile(optimizer="sgd")
    data = {"inputs": X, "targets": (Y > 0).astype("float32")}
    history = model.fit(data, epochs=2, batch_size=4, shuffle=False, **QUIET).history
    return {"history": history, "evaluated": model.evaluate(data, **QUIET), "names": model.metrics_names}


def a_penalty_and_the_mean_of_it(keras: Any) -> dict[str, Any]:
    class Penalty(keras.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.dense, self.mean = _dense(keras, 3), keras.metrics.Mean(name="penalty")

        def call(self, x: Any) -> Any:
            y = self.dense(x)
            penalty = 0.1 * keras.ops.mean(y**2)
            self.add_loss(penalty)
            self.mean.update_state(penalty)
            return y

    return _everything(_stack(keras, Penalty(), _dense(keras)))


def a_metric_of_a_layer_in_training_alone(keras: Any) -> dict[str, Any]:
    class Trains(keras.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.mean = keras.metrics.Mean(name="trained")

        def call(self, x: Any, training: bool = False) -> Any:
            if training:
                self.mean.update_state(x)
            return x

    return _everything(_stack(keras, Trains(), _dense(keras)))


def a_metric_of_a_layer_that_is_called(keras: Any) -> dict[str, Any]:
    class Calls(keras.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.mean = keras.metrics.Mean(name="called")

        def call(self, x: Any) -> Any:
            return x + 0.1 * self.mean(x)

    result = _everything(_stack(keras, Calls(), _dense(keras)))
    return {key: result[key] for key in ("history", "dict", "names")}


def metrics_of_one_name_in_two_layers(keras: Any) -> dict[str, Any]:
    model = _stack(keras, _watch(keras, "same"), _dense(keras, 3), _watch(keras, "same"), _dense(keras))
    return {"dict": model.evaluate(X, Y, return_dict=True, **QUIET), "names": model.metrics_names}


def a_metric_of_a_layer_named_loss(keras: Any) -> dict[str, Any]:
    model = _stack(keras, _watch(keras, "loss"), _dense(keras))
    return {"dict": model.evaluate(X, Y, return_dict=True, **QUIET)}


def metrics_that_are_functions(keras: Any) -> dict[str, Any]:
    def largest(y_true: Any, y_pred: Any) -> Any:
        return keras.ops.max(keras.ops.abs(keras.ops.subtract(y_true, y_pred)), axis=-1)

    def root(y_true: Any, y_pred: Any) -> Any:
        return keras.ops.sqrt(keras.ops.mean(keras.ops.square(keras.ops.subtract(y_true, y_pred))))

    return _everything(_stack(keras, _dense(keras), metrics=[largest, root, "mae"]))


def data_of_a_step_unpacked(keras: Any) -> dict[str, Any]:
    class Own(keras.Sequential):
        def test_step(self, data: Any) -> Any:
            x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
            y_pred = self(x)
            self.compute_loss(x, y, y_pred, weights)
            return {**self.compute_metrics(x, y, y_pred, weights), "mean": keras.ops.mean(y_pred)}

    model = Own([keras.Input((3,)), _dense(keras)])
    model.compile("sgd", "mse", metrics=["mae"], weighted_metrics=["mse"])
    weights = numbers(8, key="w", low=0.1)
    found = [model.evaluate(X, Y, **QUIET), model.evaluate(X, Y, sample_weight=weights, **QUIET)]
    pack, unpack = keras.utils.pack_x_y_sample_weight, keras.utils.unpack_x_y_sample_weight
    packed = [pack(1), pack([1, 2]), pack(1, 2), pack(1, 2, 3)]
    return {
        "found": found,
        "packed": packed,
        "unpacked": [unpack(data) for data in (1, (1,), [1, 2], (1, 2, 3))],
    }


def steps_of_a_model_with_metrics_of_its_own(keras: Any) -> dict[str, Any]:
    """As the guide to lower-level steps has it."""

    class Own(keras.Model):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.loss_tracker = keras.metrics.Mean(name="loss")
            self.mae_metric = keras.metrics.MeanAbsoluteError(name="mae")
            self.loss_fn = keras.losses.MeanSquaredError()

        @property
        def metrics(self) -> list[Any]:
            return [self.loss_tracker, self.mae_metric]

        def test_step(self, data: Any) -> Any:
            x, y = data[:2]
            y_pred = self(x, training=False)
            self.loss_tracker.update_state(self.loss_fn(y, y_pred))
            self.mae_metric.update_state(y, y_pred)
            return {"loss": self.loss_tracker.result(), "mae": self.mae_metric.result()}

    inputs = keras.Input((3,))
    model = Own(inputs, _dense(keras)(inputs))
    model.compile(optimizer="sgd", loss="mse")
    return {
        "list": model.evaluate(X, Y, batch_size=4, **QUIET),
        "dict": model.evaluate(X, Y, return_dict=True, **QUIET),
        "single": model.test_on_batch(X, Y),
        "names": model.metrics_names,
    }


def metrics_that_are_arrays(keras: Any) -> dict[str, Any]:
    """A score for each class, and an array of a step."""

    class Own(keras.Sequential):
        def test_step(self, data: Any) -> Any:
            y_pred = self(data[0], training=False)
            return {**super().test_step(data), "means": keras.ops.mean(y_pred, axis=0)}

    model = Own([keras.Input((3,)), _dense(keras, 2, activation="sigmoid")])
    scores = keras.metrics.F1Score(threshold=0.5), keras.metrics.Precision(thresholds=[0.4, 0.6], name="p")
    model.compile("sgd", "binary_crossentropy", metrics=[*scores, "mae"])
    y = np.eye(2, dtype="float32")[np.arange(8) % 2]
    seen: list[Any] = []

    class Reads(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            seen.append(dict(logs))

    fit = {"batch_size": 4, "shuffle": False, "validation_data": (X, y), **QUIET}
    history = model.fit(X, y, epochs=2, callbacks=[Reads()], **fit).history
    return {
        "history": history,
        "seen": seen,
        "list": model.evaluate(X, y, **QUIET),
        "dict": model.evaluate(X, y, return_dict=True, **QUIET),
        "train": model.train_on_batch(X, y),
        "test": model.test_on_batch(X, y, return_dict=True),
    }


def a_watched_model_within_a_model(keras: Any) -> dict[str, Any]:
    inner, outer = keras.Input((3,)), keras.Input((3,))
    part = keras.Model(inner, _watch(keras)(inner))
    model = keras.Model(outer, _dense(keras)(part(outer)))
    model.compile("sgd", "mse", metrics=["mae"])
    return _everything(model)


def layers_in_a_list_and_a_metric_beside_them(keras: Any) -> dict[str, Any]:
    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.parts = [_watch(keras, "a"), _watch(keras, "b")]
            self.dense, self.own = _dense(keras), keras.metrics.Mean(name="own")

        def call(self, x: Any) -> Any:
            for part in self.parts:
                x = part(x)
            self.own.update_state(x)
            return self.dense(x)

    model = Own()
    model.compile("sgd", "mse")
    return _everything(model)


def a_metric_of_a_metric(keras: Any) -> dict[str, Any]:
    class Outer(keras.metrics.Metric):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.inner = keras.metrics.Mean()
            self.count = self.add_weight(shape=(), name="count", initializer="zeros")

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
            self.inner.update_state(y_pred)
            self.count.assign_add(1.0)

        def result(self) -> Any:
            return self.inner.result() * self.count

        def reset_state(self) -> None:
            self.inner.reset_state()
            self.count.assign(0.0)

    return _everything(_stack(keras, _dense(keras), metrics=[Outer(name="outer")]))


def scores_of_a_classifier(keras: Any) -> dict[str, Any]:
    model = keras.Sequential([keras.Input((3,)), _dense(keras, activation="sigmoid")])
    scores = [
        keras.metrics.AUC(name="auc"),
        keras.metrics.Precision(name="p"),
        keras.metrics.Recall(name="r"),
    ]
    model.compile("sgd", "binary_crossentropy", metrics=["accuracy", *scores])
    return _everything(model, X, (Y > 0).astype("float32"))


def accuracies_of_two_outputs(keras: Any) -> dict[str, Any]:
    inputs = keras.Input((3,))
    kinds = _dense(keras, 2, activation="softmax", name="kinds")(inputs)
    yes = _dense(keras, activation="sigmoid", name="yes")(inputs)
    model = keras.Model(inputs, [kinds, yes])
    losses = {"kinds": "sparse_categorical_crossentropy", "yes": "binary_crossentropy"}
    model.compile("sgd", losses, metrics={"kinds": "accuracy", "yes": ["accuracy"]})
    targets = {"kinds": np.arange(8) % 2, "yes": (Y > 0).astype("float32")}
    stop = keras.callbacks.EarlyStopping("val_yes_accuracy", patience=1, min_delta=2.0, mode="max")
    fit = {"validation_data": (X, targets), "callbacks": [stop], "shuffle": False, **QUIET}
    history = model.fit(X, targets, epochs=4, **fit).history
    return {"history": history, "list": model.evaluate(X, targets, **QUIET), "names": model.metrics_names}


def metrics_of_one_output_and_weighted_ones_of_the_other(keras: Any) -> dict[str, Any]:
    model = _two(keras, metrics=[["mae"], None], weighted_metrics=[None, ["mae"]])
    return _everything(model, X, [Y, WIDE])
