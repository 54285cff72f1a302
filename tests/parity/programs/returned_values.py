"""Variables, Python numbers, arrays and lists wherever a tensor is expected or returned."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.parity.means import numbers

X, Y = numbers(8, 3), numbers(8, 1, key="y")


def _dense(keras: Any, units: int = 1, **more: Any) -> Any:
    return keras.layers.Dense(units, kernel_initializer="ones", **more)


def _line(keras: Any, kind: Any = None, **more: Any) -> Any:
    """A functional model of the class `kind`, compiled."""
    inputs = keras.Input((3,))
    model = (kind or keras.Model)(inputs, _dense(keras)(inputs))
    model.compile(**{"optimizer": "sgd", "loss": "mse", **more})
    return model


def _fitted(model: Any) -> dict[str, Any]:
    history = model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0).history
    return {**{name: history[name] for name in sorted(history)}, "test": model.evaluate(X, Y, verbose=0)}


# ----------------------------------------------------------------------------------------------- from call


def a_call_gives_a_variable(keras: Any) -> dict[str, Any]:
    class Layer(keras.layers.Layer):
        def build(self, input_shape):
            self.v = self.add_weight(shape=(3,), initializer="ones")

        def call(self, x):
            return self.v

    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.layer = Layer()

        def call(self, x):
            return x * self.layer(x)

    model = Model()
    return {"at once": Layer()(X), "model": model(X), "predicted": model.predict(X, verbose=0)}


def a_call_gives_a_number(keras: Any) -> dict[str, Any]:
    class Layer(keras.layers.Layer):
        def call(self, x):
            return 2.0

    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.layer, self.dense = Layer(), _dense(keras)

        def call(self, x):
            return self.dense(x) * self.layer(x)

    model = Model()
    model.compile("sgd", "mse")
    return {"model": model(X), "predicted": model.predict(X, verbose=0), **_fitted(model)}


def a_call_gives_an_array(keras: Any) -> dict[str, Any]:
    class Layer(keras.layers.Layer):
        def call(self, x):
            return np.arange(3, dtype="float32")

    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.layer = Layer()

        def call(self, x):
            return x + self.layer(x)

    model = Model()
    return {
        "at once": keras.ops.convert_to_numpy(Layer()(X)),
        "model": model(X),
        "predicted": model.predict(X, verbose=0),
    }


def a_call_gives_several_kinds(keras: Any) -> dict[str, Any]:
    class Layer(keras.layers.Layer):
        def build(self, input_shape):
            self.v = self.add_weight(shape=(3,), initializer="ones")

        def call(self, x):
            return {"x": x, "v": self.v, "sum": x + self.v}

    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.layer = Layer()

        def call(self, x):
            made = self.layer(x)
            return made["sum"] * made["v"]

    return {"at once": Layer()(X), "predicted": Model().predict(X, verbose=0)}


def a_call_gives_its_input(keras: Any) -> dict[str, Any]:
    class Layer(keras.layers.Layer):
        def call(self, x):
            return x

    inputs = keras.Input((3,))
    model = keras.Model(inputs, [Layer()(inputs), inputs])
    return {"at once": Layer()(X), "model": model.predict(X, verbose=0)}


def a_call_gives_none_beside_values(keras: Any) -> dict[str, Any]:
    class Layer(keras.layers.Layer):
        def call(self, x):
            return x, None

    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.layer = Layer()

        def call(self, x):
            made, nothing = self.layer(x)
            assert nothing is None
            return made * 2.0

    first, second = Layer()(X)
    return {"at once": first, "second": second, "predicted": Model().predict(X, verbose=0)}


def a_functional_layer_gives_variables_and_arrays(keras: Any) -> dict[str, Any]:
    class Layer(keras.layers.Layer):
        def __init__(self, gives):
            super().__init__()
            self.gives, self.v = gives, self.add_weight(shape=(3,), initializer="ones")

        def call(self, x):
            return self.gives(self, x)

    seen = {}
    for name, gives in {
        "variable": lambda layer, x: layer.v,
        "array": lambda layer, x: np.ones(3, "float32"),
        "both": lambda layer, x: [layer.v, x],
    }.items():
        inputs = keras.Input((3,))
        model = keras.Model(inputs, Layer(gives)(inputs))
        seen[name] = [model.predict(X[:2], verbose=0), model(X[:2]), model.output_shape]
    return seen


def a_model_gives_variables_and_arrays(keras: Any) -> dict[str, Any]:
    seen = {}
    for name, gives in {
        "variable": lambda model, x: model.v,
        "array": lambda model, x: np.ones((8, 1), "float32"),
        "doubled": lambda model, x: model.v * 2,
        "doubles": lambda model, x: np.ones((8, 1)),
    }.items():

        class Model(keras.Model):
            def __init__(self):
                super().__init__()
                self.v = self.add_weight(shape=(8, 1), initializer="ones", name="v")

            def call(self, x, gives=gives):
                return gives(self, x)

        model = Model()
        model.compile("sgd", "mse", metrics=["mae"])
        seen[name] = model.evaluate(X, Y, batch_size=8, verbose=0)
    return seen


def losses_and_metrics_are_computed_by_hand(keras: Any) -> dict[str, Any]:
    inputs, weights = keras.Input((3,)), numbers(8, key="w", low=0.0)
    model = keras.Model(inputs, _dense(keras, kernel_regularizer="l2")(inputs))
    model.compile("sgd", "mse", metrics=["mae"])
    made = model(X)
    found = model.compute_metrics(X, Y, made)
    seen = {
        "loss": model.compute_loss(X, Y, made),
        "weighted": model.compute_loss(X, Y, made, sample_weight=weights),
        "of arrays": model.compute_loss(y=Y, y_pred=keras.ops.convert_to_numpy(made)),
        "metric": found["mae"],
    }
    model.reset_metrics()
    return {**seen, "reset": model.get_metrics_result()["mae"]}


def a_call_gives_words_beside_values(keras: Any) -> dict[str, Any]:
    class Layer(keras.layers.Layer):
        def call(self, x):
            return {"x": x, "count": 3, "word": "word", "none": None, "list": [x, 1.0]}

    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.layer, self.dense = Layer(), _dense(keras)

        def call(self, x):
            made = self.layer(x)
            return self.dense(made["x"] * made["count"] * made["list"][1])

    model = Model()
    model.compile("sgd", "mse")
    return {"at once": Layer()(X), "model": model(X), **_fitted(model)}


# ------------------------------------------------------------------------------------------------ into call


def calls_of_lists_and_numbers(keras: Any) -> dict[str, Any]:
    class Layer(keras.layers.Layer):
        def call(self, x, factor=1.0, shift=None):
            made = keras.ops.convert_to_tensor(x) * factor
            return made if shift is None else made + shift

    layer, dense = Layer(), _dense(keras, 2)
    v = keras.Variable(np.ones(3, "float32"))
    return {
        "list": dense(keras.ops.convert_to_tensor(X.tolist())),
        "doubles": dense(X.astype("float64")),
        "integers": dense(np.arange(6).reshape(2, 3)),
        "booleans": dense(np.ones((2, 3), bool)),
        "variable": dense(keras.Variable(X)),
        "by a variable": layer(X, factor=v),
        "by an array": layer(X, factor=np.arange(3, dtype="float32")),
        "by a scalar": layer(X, factor=np.float32(2.0)),
        "by a whole number": layer(X, factor=2),
        "by a truth": layer(X, factor=True),
    }


def operations_on_variables(keras: Any) -> dict[str, Any]:
    ops, v = keras.ops, keras.Variable(numbers(2, 3))
    w = keras.Variable(numbers(3, 2, key="w"), trainable=False)
    count = keras.Variable(np.array(3, "int32"), trainable=False, dtype="int32")
    return {
        "matmul": ops.matmul(v, w),
        "operator": v @ w,
        "sum": ops.sum(v),
        "mean": ops.mean(v, axis=-1),
        "concatenate": ops.concatenate([v, v], axis=0),
        "stack": ops.stack([v, X[:2]]),
        "where": ops.where(v > 0, v, 0.0),
        "max": ops.maximum(v, 0),
        "reshape": ops.reshape(v, (3, 2)),
        "transpose": ops.transpose(v),
        "relu": ops.relu(v),
        "softmax": ops.softmax(v),
        "cast": ops.cast(count, "float32"),
        "counted": count + 1,
        "shape": list(v.shape),
        "numpy": ops.convert_to_numpy(v),
        "tensor": ops.convert_to_tensor(v),
        "sliced": v[:, 1:],
        "negative": -v,
        "power": v**2,
        "reverse": 1.0 - v,
        "compared": v > 0.0,
        "array": np.asarray(v),
        "number": float(count),
    }


def variables_take_all_kinds(keras: Any) -> dict[str, Any]:
    v = keras.Variable(np.zeros(3, "float32"))
    seen = []
    for value in ([1, 2, 3], (0.5, 1.0, 1.5), np.ones(3), keras.Variable(np.full(3, 2.0, "float32"))):
        v.assign(value)
        seen.append(v.numpy())
        v.assign_add(value)
        seen.append(v.numpy())
        v.assign_sub(keras.ops.convert_to_tensor(value, "float32"))
        seen.append(v.numpy())
    scalar = keras.Variable(1.0)
    scalar.assign(2)
    scalar.assign_add(np.float64(0.5))
    scalar.assign_sub(True)
    made = [
        keras.Variable(value, trainable=False) for value in (3, 2.5, True, [1, 2], [[1.0]], np.float64(1.5))
    ]
    return {
        "assigned": seen,
        "scalar": scalar.numpy(),
        "made": made,
        "dtypes": [str(one.dtype) for one in made],
    }


# ------------------------------------------------------------------------------------------------- metrics


def _metric(keras: Any, gives: Any) -> Any:
    """A metric that sums outputs, and whose result is `gives(total)`."""

    class Metric(keras.metrics.Metric):
        def __init__(self, name="own", **kwargs):
            super().__init__(name=name, **kwargs)
            self.total = self.add_variable(shape=(), initializer="zeros", name="total")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.total.assign_add(keras.ops.sum(y_pred))

        def result(self):
            return gives(self.total)

    return Metric()


def a_metric_gives_a_variable(keras: Any) -> dict[str, Any]:
    metric = _metric(keras, lambda total: total)
    metric.update_state(Y, X)
    return {"alone": metric.result(), "called": metric(Y, X), **_fitted(_line(keras, metrics=[metric]))}


def a_metric_gives_a_number(keras: Any) -> dict[str, Any]:
    metrics = [
        _metric(keras, lambda total: 3.0),
        _metric(keras, lambda total: 2),
        _metric(keras, lambda total: np.float32(0.5)),
    ]
    for i, metric in enumerate(metrics):
        metric.name = f"m{i}"
    return _fitted(_line(keras, metrics=metrics))


def a_metric_gives_a_dict(keras: Any) -> dict[str, Any]:
    metric = _metric(keras, lambda total: {"total": total, "twice": total * 2, "fixed": 1.5})
    model = _line(keras, metrics=[metric])
    history = model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0).history
    return {name: history[name] for name in sorted(history)}


def a_metric_gives_an_array(keras: Any) -> dict[str, Any]:
    class Sums(keras.metrics.Metric):
        def __init__(self, name="sums"):
            super().__init__(name=name)
            self.sums = self.add_variable(shape=(3,), initializer="zeros")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.sums.assign_add(keras.ops.stack([keras.ops.sum(y_pred), keras.ops.sum(y_true), 1.0]))

        def result(self):
            return self.sums / 2

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, "softmax", kernel_initializer="ones")])
    model.compile("sgd", "mse", metrics=[Sums(), keras.metrics.F1Score(average=None)])
    y = np.eye(2, dtype="float32")[np.arange(8) % 2]
    history = model.fit(
        X, y, batch_size=4, epochs=2, shuffle=False, verbose=0, validation_data=(X, y)
    ).history
    return {"history": history, "evaluated": model.evaluate(X, y, verbose=0)}


def a_metric_gives_an_expression(keras: Any) -> dict[str, Any]:
    return {
        "divided": _fitted(_line(keras, metrics=[_metric(keras, lambda total: total / 2)])),
        "where": _fitted(_line(keras, metrics=[_metric(keras, lambda t: keras.ops.where(t > 0, t, 0))])),
        "whole": _fitted(_line(keras, metrics=[_metric(keras, lambda t: keras.ops.cast(t, "int32"))])),
    }


def metrics_begin_with_other_values(keras: Any) -> dict[str, Any]:
    class Counts(keras.metrics.Metric):
        def __init__(self, name="counts", **kwargs):
            super().__init__(name=name, **kwargs)
            self.count = self.add_variable(shape=(2,), initializer="ones", name="count")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.count.assign_add(keras.ops.stack([1.0, 2.0]))

        def result(self):
            return keras.ops.sum(self.count)

    metric = Counts()
    first = metric.result()
    metric.update_state(Y, Y)
    counted = metric.result()
    metric.reset_state()
    return {
        "first": first,
        "counted": counted,
        "reset": metric.result(),
        **_fitted(_line(keras, metrics=[Counts()])),
    }


def metrics_take_all_kinds(keras: Any) -> dict[str, Any]:
    mean, total = keras.metrics.Mean(), keras.metrics.Sum()
    for value in (1.0, 2, [3.0, 4.0], np.float32(5.0), np.ones((2, 2)), keras.Variable(6.0)):
        mean.update_state(value)
        total.update_state(value)
    accuracy, error = keras.metrics.BinaryAccuracy(), keras.metrics.MeanSquaredError()
    accuracy.update_state([1, 0, 1], [0.9, 0.2, 0.3])
    error.update_state([1, 2], keras.Variable([1.5, 2.5]))
    return {
        "mean": mean.result(),
        "sum": total.result(),
        "accuracy": accuracy.result(),
        "error": error.result(),
    }


# --------------------------------------------------------------------------------------------- from a step


def _stepped(keras: Any, more: Any) -> dict[str, Any]:
    """A fit and an evaluation of a model whose steps add what `more(model)` gives to their logs."""

    class Model(keras.Model):
        def train_step(self, data):
            return {**super().train_step(data), **more(self)}

        def test_step(self, data):
            return {**super().test_step(data), **more(self)}

    model = _line(keras, Model)
    history = model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0).history
    found = model.evaluate(X, Y, verbose=0, return_dict=True)
    return {
        "history": {name: [float(v) for v in history[name]] for name in sorted(history)},
        "evaluated": {name: float(found[name]) for name in sorted(found)},
    }


def steps_give_the_learning_rate(keras: Any) -> dict[str, Any]:
    return _stepped(keras, lambda model: {"lr": model.optimizer.learning_rate})


def steps_give_numbers_of_all_kinds(keras: Any) -> dict[str, Any]:
    def more(model):
        return {
            "number": 1.5,
            "whole": 2,
            "array": np.float32(2.5),
            "scalar": np.array(3.5, "float32"),
            "double": np.float64(4.5),
        }

    return _stepped(keras, more)


def steps_give_variables(keras: Any) -> dict[str, Any]:
    v = keras.Variable(2.0, trainable=False)
    return _stepped(
        keras, lambda model: {"variable": v, "product": v * 2, "steps": model.optimizer.iterations}
    )


def steps_give_what_is_no_number(keras: Any) -> dict[str, Any]:
    """Arrays, lists, words and None stay what they are; dictionaries within are taken apart."""

    def more(model):
        return {
            "array": keras.ops.ones((3,)),
            "single": keras.ops.ones((1, 1)),
            "nothing": None,
            "word": "word",
            "truth": True,
            "list": [1.0, 2.0],
            "inner": {"inner 1": keras.ops.ones(()), "inner 2": {"inner 3": 3.0}},
        }

    class Model(keras.Model):
        def train_step(self, data):
            return {**super().train_step(data), **more(self)}

        def test_step(self, data):
            return {**super().test_step(data), **more(self)}

    model = _line(keras, Model, metrics=["mae"])
    return {
        "history": model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0).history,
        "evaluated": model.evaluate(X, Y, verbose=0, return_dict=True),
        "as a list": model.evaluate(X, Y, verbose=0),
        "on a batch": model.train_on_batch(X, Y, return_dict=True),
    }


def a_test_step_gives_nothing(keras: Any) -> dict[str, Any]:
    class Model(keras.Model):
        def test_step(self, data):
            super().test_step(data)

    model = _line(keras, Model)
    return {
        "dict": model.evaluate(X, Y, verbose=0, return_dict=True),
        "list": model.evaluate(X, Y, verbose=0),
    }


def a_predict_step_gives_all_kinds(keras: Any) -> dict[str, Any]:
    class Model(keras.Model):
        def predict_step(self, data):
            made = super().predict_step(data)
            return {"out": made, "kernel": keras.ops.ones((4, 1)) * self.layers[-1].kernel[0]}

    return _line(keras, Model).predict(X, batch_size=4, verbose=0)


# --------------------------------------------------------------------------------------------------- losses


def losses_give_numbers(keras: Any) -> dict[str, Any]:
    v = keras.Variable(0.5)
    return {
        "scalar": _fitted(_line(keras, loss=lambda t, p: keras.ops.mean(p) ** 2)),
        "samples": _fitted(_line(keras, loss=lambda t, p: keras.ops.abs(t - p)[:, 0])),
        "elements": _fitted(_line(keras, loss=lambda t, p: keras.ops.abs(t - p))),
        "shifted": _fitted(_line(keras, loss=lambda t, p: keras.ops.mean((t - p) ** 2) + v)),
        "built in": _fitted(
            _line(
                keras,
                loss=lambda t, p: (
                    keras.losses.mean_squared_error(t, p) + 0.1 * keras.losses.mean_absolute_error(t, p)
                ),
            )
        ),
    }


def a_loss_that_is_no_tensor_is_evaluated(keras: Any) -> dict[str, Any]:
    v = keras.Variable(0.5)
    seen = {}
    for name, gives in (("variable", v), ("number", 1.5), ("array", np.float32(2.0)), ("whole", 1)):
        seen[name] = _line(keras, loss=lambda t, p, gives=gives: gives).evaluate(X, Y, verbose=0)
    return seen


def compute_loss_gives_all_kinds(keras: Any) -> dict[str, Any]:
    seen = {}
    v = keras.Variable(0.5)
    for name, gives in (("variable", v), ("scaled", v * 2.0)):

        class Model(keras.Model):
            def compute_loss(
                self, x=None, y=None, y_pred=None, sample_weight=None, training=True, gives=gives
            ):
                return gives

        seen[name] = _line(keras, Model).evaluate(X, Y, verbose=0)
    return seen


def a_loss_has_one_element(keras: Any) -> dict[str, Any]:
    class Model(keras.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return keras.ops.mean(y_pred, keepdims=True)

    return _fitted(_line(keras, Model))


def losses_take_all_kinds(keras: Any) -> dict[str, Any]:
    loss, cross = keras.losses.MeanSquaredError(), keras.losses.SparseCategoricalCrossentropy()
    v = keras.Variable(X)
    return {
        "whole": loss(np.array([[1], [2]]), np.array([[1.5], [2.5]])),
        "variable": loss(X, v),
        "both": loss(v, v * 2),
        "weighted": loss(X, v, sample_weight=np.array([1, 0, 1, 0, 1, 0, 1, 0])),
        "classes": cross(np.array([0, 1]), keras.Variable([[0.9, 0.1], [0.2, 0.8]])),
        "function": keras.losses.mean_absolute_error(v, np.zeros((8, 3), "float32")),
    }


# -------------------------------------------------------------------------------------------- penalties etc.


def penalties_that_are_no_tensors(keras: Any) -> dict[str, Any]:
    seen = {}
    v = keras.Variable(0.25, trainable=False)
    for name, gives in (("sum", keras.ops.sum), ("halved", lambda w: keras.ops.sum(w) * v)):
        layer = _dense(keras, kernel_regularizer=gives, activity_regularizer=gives)
        model = keras.Sequential([keras.Input((3,)), layer])
        model.compile("sgd", "mse")
        seen[name] = _fitted(model)
    return seen


def initializers_give_all_kinds(keras: Any) -> dict[str, Any]:
    v = keras.Variable(np.ones((3, 2), "float32"))
    made = [
        lambda shape, dtype: np.ones(shape, dtype),
        lambda shape, dtype: keras.ops.convert_to_numpy(keras.ops.zeros(shape)),
        lambda shape, dtype: keras.ops.convert_to_tensor(v) * 2,
        lambda shape, dtype: keras.ops.convert_to_tensor([[1.0, 2.0]] * 3),
    ]
    return {str(i): keras.layers.Dense(2, kernel_initializer=one)(X) for i, one in enumerate(made)}


def fits_of_lists_of_numbers(keras: Any) -> dict[str, Any]:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse")
    x, y = np.array([[1.0], [2.0], [3.0], [4.0]]), np.array([[2.0], [4.0], [6.0], [8.0]])
    history = model.fit(x, y, epochs=2, verbose=0).history["loss"]
    return {"history": history, "predicted": model.predict(np.array([[5.0]]), verbose=0)}


def functions_of_the_model_read_variables(keras: Any) -> dict[str, Any]:
    """A layer counts its calls, and a callback reads and sets variables."""

    class Counting(keras.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.count = self.add_weight(shape=(), initializer="zeros", trainable=False)

        def call(self, x, training=False):
            if training:
                self.count.assign_add(1)
            return x * self.count if training else x

    class Sets(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.optimizer.learning_rate = float(self.model.optimizer.learning_rate) * 0.5

    layer = Counting()
    model = keras.Sequential([keras.Input((3,)), layer, _dense(keras)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0, callbacks=[Sets()])
    return {
        "count": layer.count.numpy(),
        "rate": float(model.optimizer.learning_rate),
        "weights": model.get_weights(),
    }


def layers_count_and_keep_means(keras: Any) -> dict[str, Any]:
    ops = keras.ops

    class Centred(keras.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.count = self.add_weight(shape=(), initializer="zeros", trainable=False, dtype="int32")
            self.mean = keras.Variable(np.zeros(3, "float32"), trainable=False, name="mean")

        def call(self, x, training=False):
            self.count.assign(self.count + 1)
            if training:
                self.mean.assign(self.mean * 0.9 + ops.mean(x, axis=0) * 0.1)
            return x - self.mean

    layer = Centred()
    model = keras.Sequential([keras.Input((3,)), Centred(), _dense(keras)])
    model.compile("sgd", "mse")
    return {
        "at once": [layer(X), layer(X, training=True), layer.count, layer.mean],
        "fit": model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0).history,
        "kept": model.layers[0].mean,
        "predicted": model.predict(X, verbose=0),
        "weights": [len(model.weights), len(model.non_trainable_weights)],
    }


def losses_read_variables(keras: Any) -> dict[str, Any]:
    """One of a loss, and one that a callback sets in each epoch."""
    share = keras.Variable(0.0, trainable=False)

    class Sets(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            share.assign(epoch * 0.5)

    class Weighted(keras.losses.Loss):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.w = keras.Variable([2.0], trainable=False)

        def call(self, y_true, y_pred):
            return keras.ops.mean(self.w * keras.ops.square(y_true - y_pred), axis=-1)

    def annealed(y_true, y_pred):
        return keras.ops.mean((y_true - y_pred) ** 2) + share * keras.ops.mean(y_pred)

    model = _line(keras, loss=annealed)
    history = model.fit(X, Y, batch_size=4, epochs=3, shuffle=False, verbose=0, callbacks=[Sets()]).history
    return {"annealed": history, "weighted": _fitted(_line(keras, loss=Weighted()))}


def callbacks_compute_with_weights(keras: Any) -> dict[str, Any]:
    seen = []

    class Halves(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            kernel, bias = self.model.weights
            seen.append(float(keras.ops.sum(keras.ops.abs(kernel))))
            kernel.assign(kernel * 0.5)
            bias.assign([1.0])

    model = _line(keras)
    history = model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0, callbacks=[Halves()]).history
    return {"history": history, "seen": seen, "weights": model.get_weights()}


def models_are_called_on_all_kinds(keras: Any) -> dict[str, Any]:
    model = keras.Sequential([keras.Input((3,)), _dense(keras, 2)])
    tensor = keras.ops.convert_to_tensor(X)
    return {
        "variable": model(keras.Variable(X)),
        "whole": model(np.arange(6).reshape(2, 3)),
        "truths": model(X > 0),
        "doubles": model(X.astype("float64")),
        "halves": model(X.astype("float16")),
        "tensor": model(tensor),
        "predicted": [model.predict(tensor, verbose=0), model.predict_on_batch(tensor)],
    }
