"""Losses that layers add: what `losses` holds, when, and what becomes of it in training."""

from __future__ import annotations

from typing import Any

from tests.parity.means import numbers, refusal, weigh

X, Y = numbers(8, 3), numbers(8, 1, key="y")


def _dense(keras: Any, units: int = 1, **more: Any) -> Any:
    return keras.layers.Dense(units, kernel_initializer="ones", **more)


def _adds(keras: Any) -> Any:
    """A class of layers that add the mean of their input, times `factor`, and give their input."""

    class Adds(keras.layers.Layer):
        def __init__(self, factor=1.0, **kwargs):
            super().__init__(**kwargs)
            self.factor = factor

        def call(self, x):
            self.add_loss(self.factor * keras.ops.mean(keras.ops.square(x)))
            return x

    return Adds


def _seen(keras: Any, model: Any) -> dict[str, Any]:
    """A fit and an evaluation, and the losses after each."""
    model.compile("sgd", "mse", metrics=["mae"])
    history = model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0).history
    return {
        "history": {name: history[name] for name in sorted(history)},
        "evaluated": model.evaluate(X, Y, verbose=0),
        "after": [float(loss) for loss in (model(X), model.losses)[1]],
    }


def a_layer_called_at_once(keras: Any) -> dict[str, Any]:
    layer = _adds(keras)()
    before = len(layer.losses)
    layer(X)
    once = list(layer.losses)
    layer(2 * X)
    return {"before": before, "once": once, "twice": list(layer.losses), "sum": sum(layer.losses)}


def losses_of_layers_within(keras: Any) -> dict[str, Any]:
    adds = _adds(keras)

    class Outer(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.first, self.second = adds(1.0), adds(2.0)

        def call(self, x):
            self.add_loss(keras.ops.sum(x) * 0.1)
            return self.second(self.first(x) + 1.0)

    layer = Outer()
    layer(X)
    return {
        "outer": list(layer.losses),
        "first": list(layer.first.losses),
        "second": list(layer.second.losses),
        "again": (layer(X), list(layer.losses))[1],
        "inner alone": (layer.first(2 * X), list(layer.losses))[1],
    }


def several_losses_of_one_call(keras: Any) -> dict[str, Any]:
    class Layer(keras.layers.Layer):
        def call(self, x):
            self.add_loss([keras.ops.sum(x), keras.ops.max(x)])
            self.add_loss(keras.ops.mean(x))
            return x

    layer = Layer()
    layer(X)
    model = keras.Sequential([keras.Input((3,)), Layer(), _dense(keras)])
    return {"losses": list(layer.losses), "model": _seen(keras, model)}


def a_layer_used_twice(keras: Any) -> dict[str, Any]:
    layer, inputs = _adds(keras)(), keras.Input((3,))
    model = keras.Model(inputs, _dense(keras)(layer(layer(inputs) * 2.0)))
    model(X)
    return {"losses": list(model.losses), "model": _seen(keras, model)}


def regularizers_of_kernels(keras: Any) -> dict[str, Any]:
    layer = _dense(keras, 2, kernel_regularizer="l2", bias_regularizer="l1")
    before = len(layer.losses)
    layer.build((None, 3))
    model = keras.Sequential([keras.Input((3,)), layer, _dense(keras, kernel_regularizer="l1")])
    return {
        "before": before,
        "built": list(layer.losses),
        "model": list(model.losses),
        "seen": _seen(keras, model),
    }


def regularizers_of_activities(keras: Any) -> dict[str, Any]:
    layer = keras.layers.Dense(2, kernel_initializer="ones", activity_regularizer="l2")
    layer(X)
    once = list(layer.losses)
    single = keras.layers.ActivityRegularization(l1=0.1, l2=0.2)
    single(X)
    model = keras.Sequential([keras.Input((3,)), layer, _dense(keras)])
    return {"once": once, "single": list(single.losses), "model": _seen(keras, model)}


def losses_after_a_model_is_called(keras: Any) -> dict[str, Any]:
    model = keras.Sequential([keras.Input((3,)), _adds(keras)(), _dense(keras, kernel_regularizer="l2")])
    built = len(model.losses)
    model(X)
    called = list(model.losses)
    model(X[:2])
    return {
        "built": built,
        "called": called,
        "again": list(model.losses),
        "layer": list(model.layers[0].losses),
    }


def losses_after_fit_and_predict(keras: Any) -> dict[str, Any]:
    model = keras.Sequential([keras.Input((3,)), _adds(keras)(), _dense(keras)])
    model.compile("sgd", "mse")
    model(X)
    model.fit(X, Y, batch_size=8, epochs=1, verbose=0)
    seen = {"number after fit": len(model.losses)}
    model.predict(X, verbose=0)
    return {**seen, "number after predict": len(model.losses)}


def losses_of_frozen_layers(keras: Any) -> dict[str, Any]:
    layer, adds = _dense(keras, 2, kernel_regularizer="l2"), _adds(keras)()
    model = keras.Sequential([keras.Input((3,)), adds, layer, _dense(keras, bias_regularizer="l1")])
    model(X)
    before = list(model.losses)
    layer.trainable = adds.trainable = False
    model(X)
    return {
        "before": before,
        "frozen": list(model.losses),
        "layer": list(layer.losses),
        "seen": _seen(keras, model),
    }


def an_inner_model_adds(keras: Any) -> dict[str, Any]:
    inner = keras.Sequential([keras.Input((3,)), _adds(keras)(), _dense(keras, 2, kernel_regularizer="l2")])
    inputs = keras.Input((3,))
    model = keras.Model(inputs, _dense(keras)(inner(inputs)))
    model(X)
    return {"outer": list(model.losses), "inner": list(inner.losses), "seen": _seen(keras, model)}


def a_subclassed_model_adds(keras: Any) -> dict[str, Any]:
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = _dense(keras, kernel_regularizer="l2")

        def call(self, x, training=False):
            made = self.dense(x)
            self.add_loss(keras.ops.mean(keras.ops.abs(made)))
            if training:
                self.add_loss(keras.ops.mean(made) ** 2)
            return made

    model = Model()
    model(X)
    at_once = list(model.losses)
    model(X, training=True)
    return {"at once": at_once, "in training": list(model.losses), "seen": _seen(keras, model)}


def added_losses_alone_are_minimised(keras: Any) -> dict[str, Any]:
    model = keras.Sequential([keras.Input((3,)), _dense(keras), _adds(keras)()])
    model.compile(keras.optimizers.SGD(0.1))
    history = model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0).history
    return {
        "history": history["loss"],
        "weights": model.get_weights(),
        "evaluated": model.evaluate(X, Y, verbose=0),
    }


def losses_within_compute_loss(keras: Any) -> dict[str, Any]:
    class Model(keras.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
            loss = keras.ops.mean(keras.ops.square(y - y_pred))
            if self.losses:
                loss = loss + 2.0 * keras.ops.sum(self.losses)
            return loss

    inputs = keras.Input((3,))
    made = _dense(keras, kernel_regularizer="l2")(_adds(keras)()(inputs))
    return _seen(keras, Model(inputs, made))


def losses_summed_in_compute_loss(keras: Any) -> dict[str, Any]:
    class Model(keras.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            loss = super().compute_loss(x, y, y_pred, sample_weight)
            return loss + sum(self.losses) + float(len(self.losses))

    inputs = keras.Input((3,))
    made = _dense(keras, activity_regularizer="l2")(_adds(keras)(0.5)(inputs))
    return _seen(keras, Model(inputs, made))


def losses_within_a_test_step(keras: Any) -> dict[str, Any]:
    class Model(keras.Model):
        def test_step(self, data):
            x, _ = data
            made = self(x, training=False)
            first = len(self.losses)
            self(2.0 * x)
            return {
                "losses": sum(self.losses),
                "first": first,
                "count": len(self.losses),
                "out": keras.ops.mean(made),
            }

    inputs = keras.Input((3,))
    model = Model(inputs, _dense(keras, kernel_regularizer="l2")(_adds(keras)()(inputs)))
    model.compile("sgd", "mse")
    return {k: float(v) for k, v in sorted(model.evaluate(X, Y, verbose=0, return_dict=True).items())}


def losses_of_layers_for_each_step(keras: Any) -> dict[str, Any]:
    """As parts of a model: a wrapped layer itself is a case that differs, see docs/keras.md."""
    layers, x = keras.layers, numbers(4, 5, 3, key="steps")
    wrapped = {
        "penalty": lambda: [_dense(keras, 2, activity_regularizer="l2"), _dense(keras, 3)],
        "added": lambda: [_dense(keras, 2), _adds(keras)()],
        "both": lambda: [_adds(keras)(0.5), _dense(keras, 2, activity_regularizer="l1")],
        "function": lambda: [_dense(keras, 2, activity_regularizer=lambda y: keras.ops.mean(y) ** 2)],
        "statistics": lambda: [layers.BatchNormalization(activity_regularizer="l2")],
        "recurrent": lambda: [layers.Reshape((3, 1)), layers.LSTM(2, activity_regularizer="l2")],
    }
    found = {}
    for name, make in wrapped.items():
        for steps in (5, None):
            each = layers.TimeDistributed(keras.Sequential(make()), activity_regularizer="l1")
            model = keras.Sequential([keras.Input((steps, 3)), each])
            found[f"{name}, {steps} steps"] = _of_sequences(model, x)
    within = layers.TimeDistributed(keras.Sequential([_dense(keras, 2, activity_regularizer="l2")]))
    nested = keras.Sequential([keras.Input((2, 5, 3)), layers.TimeDistributed(keras.Sequential([within]))])
    return {**found, "nested": _of_sequences(nested, numbers(4, 2, 5, 3, key="nested"))}


def losses_of_both_directions(keras: Any) -> dict[str, Any]:
    layers, x, found = keras.layers, numbers(4, 5, 3, key="steps"), {}
    for name in ("LSTM", "GRU"):
        for more in ({}, {"return_sequences": True}):
            one = getattr(layers, name)(2, activity_regularizer="l2", **more)
            model = keras.Sequential(
                [keras.Input((5, 3)), layers.Bidirectional(one, activity_regularizer="l1")]
            )
            found[f"{name} {more}"] = _of_sequences(model, x)
    inputs = keras.Input((5, 3))
    states = layers.Bidirectional(layers.LSTM(2, activity_regularizer="l2", return_state=True))(inputs)
    return {**found, "states": _of_sequences(keras.Model(inputs, states[0]), x)}


def losses_of_cells(keras: Any) -> dict[str, Any]:
    """Unrolled: in a loop Keras fails on JAX, and counts the first step twice on PyTorch."""
    layers, x = keras.layers, numbers(4, 5, 3, key="steps")

    class Cell(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.state_size = self.output_size = 3
            self.adds = _adds(keras)()

        def call(self, inputs, states):
            made = self.adds(inputs + 0.5 * states[0])
            return made, [made]

    cells = {
        "LSTMCell": lambda: layers.LSTMCell(2, activity_regularizer="l2"),
        "GRUCell": lambda: layers.GRUCell(2, activity_regularizer="l2"),
        "SimpleRNNCell": lambda: layers.SimpleRNNCell(2, activity_regularizer="l1"),
        "stack": lambda: layers.StackedRNNCells(
            [layers.GRUCell(2), layers.LSTMCell(3)], activity_regularizer="l2"
        ),
        "own": lambda: Cell(activity_regularizer="l2"),
    }
    found = {}
    for name, make in cells.items():
        for more in ({}, {"return_sequences": True, "go_backwards": True}):
            model = keras.Sequential([keras.Input((5, 3)), layers.RNN(make(), unroll=True, **more)])
            found[f"{name} {more}"] = _of_sequences(model, x)
    both = layers.Bidirectional(layers.RNN(cells["GRUCell"](), unroll=True))
    return {**found, "both": _of_sequences(keras.Sequential([keras.Input((5, 3)), both]), x)}


def _of_sequences(model: Any, x: Any) -> dict[str, Any]:
    """What a model of sequences loses, with targets of 0, and what it becomes by it."""
    weigh(model)
    model.compile("sgd", "mse")
    y = 0.0 * model.predict(x, verbose=0)
    evaluated = [model.evaluate(x, y, batch_size=size, verbose=0) for size in (4, 2)]
    losses = model.fit(x, y, batch_size=2, epochs=2, shuffle=False, verbose=0).history["loss"]
    return {"evaluated": evaluated, "losses": losses, "weights": model.get_weights()}


def losses_that_are_not_scalars(keras: Any) -> dict[str, Any]:
    class Layer(keras.layers.Layer):
        def call(self, x):
            self.add_loss(keras.ops.mean(x, axis=-1))
            self.add_loss(keras.ops.sum(keras.ops.cast(x > 0, "int32")))
            return x

    layer = Layer()
    layer(X)
    model = keras.Sequential([keras.Input((3,)), Layer(), _dense(keras)])
    return {"losses": list(layer.losses), "seen": _losses_of(model)}


def _losses_of(model: Any) -> dict[str, Any]:
    model.compile("sgd", "mse")
    return {
        "history": model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0).history,
        "evaluated": model.evaluate(X, Y, verbose=0),
    }


def an_autoencoder_with_divergence(keras: Any) -> dict[str, Any]:
    class Divergence(keras.layers.Layer):
        def call(self, inputs):
            mean, log_var = inputs
            ops = keras.ops
            divergence = -0.5 * ops.mean(
                ops.sum(1.0 + log_var - ops.square(mean) - ops.exp(log_var), axis=-1)
            )
            self.add_loss(0.1 * divergence)
            return mean + ops.exp(0.5 * log_var) * 0.5

    inputs = keras.Input((3,))
    mean, log_var = _dense(keras, 2)(inputs), keras.layers.Dense(2, kernel_initializer="zeros")(inputs)
    decoded = _dense(keras, 3)(Divergence()([mean, log_var]))
    model = keras.Model(inputs, decoded)
    model.compile(keras.optimizers.SGD(0.05), "mse")
    history = model.fit(X, X, batch_size=4, epochs=3, shuffle=False, verbose=0).history
    return {"history": history, "predicted": model.predict(X, verbose=0)}


def losses_outside_of_a_call(keras: Any) -> dict[str, Any]:
    layer, model = _adds(keras)(), keras.Sequential([keras.Input((3,)), _dense(keras)])
    value = keras.ops.convert_to_tensor(2.5)
    layer.add_loss(value)
    model.add_loss(value * 2)
    seen = {"layer": list(layer.losses), "model": list(model.losses)}
    layer(X)
    model(X)
    return {**seen, "layer called": list(layer.losses), "model called": list(model.losses)}


def a_build_adds(keras: Any) -> dict[str, Any]:
    class Layer(keras.layers.Layer):
        def build(self, input_shape):
            self.w = self.add_weight(
                shape=(input_shape[-1],), initializer="ones", regularizer=lambda w: 0.5 * keras.ops.sum(w)
            )

        def call(self, x):
            return x * self.w

    layer = Layer()
    layer(X)
    return {
        "losses": list(layer.losses),
        "seen": _losses_of(keras.Sequential([keras.Input((3,)), Layer(), _dense(keras)])),
    }


def losses_of_blocks_within_models(keras: Any) -> dict[str, Any]:
    adds = _adds(keras)

    class Block(keras.layers.Layer):
        def __init__(self, factor):
            super().__init__()
            self.first, self.second = adds(factor), adds(factor * 10)

        def call(self, x):
            return self.second(self.first(x))

    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.one, self.two, self.dense = Block(1.0), Block(2.0), _dense(keras, kernel_regularizer="l2")

        def call(self, x):
            return self.dense(self.two(self.one(x)))

    inputs = keras.Input((3,))
    models = [
        Model(),
        keras.Sequential([Block(1.0), keras.Sequential([adds(3.0), Block(4.0)]), _dense(keras)]),
        keras.Model(inputs, _dense(keras)(Block(2.0)(Block(1.0)(inputs)))),
    ]
    return {str(i): (model(X), list(model.losses))[1] for i, model in enumerate(models)}


def losses_in_training_alone(keras: Any) -> dict[str, Any]:
    class Layer(keras.layers.Layer):
        def call(self, x, training=False):
            self.add_loss(keras.ops.sum(x) ** 2 if training else [])
            return x

    layer = Layer()
    counts = [len((layer(X, training=training), layer.losses)[1]) for training in (False, True, False)]
    return {"counts": counts, **_losses_of(keras.Sequential([keras.Input((3,)), Layer(), _dense(keras)]))}


def penalties_of_weights_beside_added_ones(keras: Any) -> dict[str, Any]:
    class Layer(keras.layers.Layer):
        def build(self, input_shape):
            self.w = self.add_weight(
                shape=(3,), initializer="ones", regularizer=keras.regularizers.L1L2(0.1, 0.2)
            )
            self.v = self.add_weight(shape=(3,), initializer="ones", regularizer="l1", trainable=False)

        def call(self, x):
            self.add_loss(keras.regularizers.L2(0.5)(self.w))
            return x * self.w

    layer = Layer()
    layer(X)
    return {
        "losses": list(layer.losses),
        **_losses_of(keras.Sequential([keras.Input((3,)), Layer(), _dense(keras)])),
    }


def a_variational_autoencoder(keras: Any) -> dict[str, Any]:
    ops = keras.ops

    class Autoencoder(keras.Model):
        def __init__(self):
            super().__init__()
            self.hidden, self.mean = _dense(keras, 4, activation="relu"), _dense(keras, 2)
            self.spread = keras.layers.Dense(2, kernel_initializer="zeros")
            self.decoder = _dense(keras, 3)
            self.total, self.divergence = (
                keras.metrics.Mean(name="total"),
                keras.metrics.Mean(name="divergence"),
            )

        @property
        def metrics(self):
            return [self.total, self.divergence]

        def call(self, x):
            hidden = self.hidden(x)
            mean, spread = self.mean(hidden), self.spread(hidden)
            divergence = -0.5 * ops.mean(1 + spread - ops.square(mean) - ops.exp(spread))
            self.add_loss(divergence)
            self.divergence.update_state(divergence)
            return self.decoder(mean + 0.1 * ops.exp(0.5 * spread))

        def test_step(self, data):
            x, _ = data
            loss = ops.mean(ops.sum(ops.square(x - self(x)), axis=-1)) + sum(self.losses)
            self.total.update_state(loss)
            return {metric.name: metric.result() for metric in self.metrics}

    model = Autoencoder()
    model.compile(keras.optimizers.SGD(0.01), "mse")
    found = model.evaluate(X, X, verbose=0, return_dict=True)
    model.fit(X, X, epochs=2, batch_size=8, verbose=0)
    return {"evaluated": found, "losses": (model(X), list(model.losses))[1], "weights": model.get_weights()}


def what_cannot_be_added(keras: Any) -> dict[str, Any]:
    layer = keras.layers.Layer()
    given = {
        "a function": lambda: 1.0,
        "a word": "word",
        "none": None,
        "nothing": [],
        "an input": keras.Input(()),
    }
    return {name: refusal(lambda value=value: layer.add_loss(value)) for name, value in given.items()}


def nothing_to_minimise(keras: Any) -> dict[str, Any]:
    model = keras.Sequential([keras.Input((3,)), _dense(keras)])
    model.compile("sgd")
    return {"fit": refusal(lambda: model.fit(X, Y, verbose=0))}


# ------------------------------------------------------------------------------------ what layers say of them


def frozen_weights(keras: Any) -> dict[str, Any]:
    layers = keras.layers
    normal = layers.BatchNormalization()
    model = keras.Sequential([keras.Input((3,)), _dense(keras, 2), normal, _dense(keras)])

    def states():
        return {
            "weights": [bool(w.trainable) for w in model.weights],
            "trainable": [list(w.shape) for w in model.trainable_weights],
            "frozen": [list(w.shape) for w in model.non_trainable_weights],
            "layers": [layer.trainable for layer in model.layers],
            "model": model.trainable,
        }

    seen = {"first": states()}
    model.layers[0].trainable = False
    seen["one frozen"] = states()
    model.trainable = False
    seen["all frozen"] = states()
    model.trainable = True
    seen["all free"] = states()
    normal.trainable = False
    seen["normal frozen"] = states()
    return seen


def weights_made_in_a_frozen_layer(keras: Any) -> dict[str, Any]:
    layer = _dense(keras, 2, trainable=False)
    layer(X)
    seen = [[bool(w.trainable) for w in layer.weights], len(layer.trainable_weights)]
    layer.trainable = True
    seen += [[bool(w.trainable) for w in layer.weights], len(layer.trainable_weights)]
    layer.kernel.trainable = False
    seen += [[bool(w.trainable) for w in layer.weights], [list(w.shape) for w in layer.trainable_weights]]
    seen += [[list(w.shape) for w in layer.non_trainable_weights], [list(w.shape) for w in layer.weights]]
    return {"seen": seen}


def parts_of_models_are_frozen(keras: Any) -> dict[str, Any]:
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.v = self.add_weight(shape=(2,), name="v", initializer="ones")
            self.n = self.add_weight(shape=(1,), name="n", initializer="ones", trainable=False)
            self.dense = _dense(keras, 2)

        def call(self, x):
            return self.dense(x) + self.v

    model = Model()
    model(X)

    def states():
        flags = [[w.name, bool(w.trainable)] for w in model.weights]
        return [
            flags,
            [w.name for w in model.trainable_weights],
            [w.name for w in model.non_trainable_weights],
        ]

    seen = []
    for owner, value in ((model, False), (model, True), (model.dense, False), (model, True)):
        owner.trainable = value
        seen.append(states())
    return {"seen": seen}


def a_discriminator_is_frozen_within_another_model(keras: Any) -> dict[str, Any]:
    judge = keras.Sequential([keras.Input((3,)), _dense(keras, activation="sigmoid")])
    judge.compile("sgd", "binary_crossentropy")
    maker = keras.Sequential([keras.Input((3,)), _dense(keras, 3)])
    judge.trainable = False
    inputs = keras.Input((3,))
    both = keras.Model(inputs, judge(maker(inputs)))
    both.compile("sgd", "binary_crossentropy")
    ones = Y * 0 + 1
    seen = {
        "both": both.train_on_batch(X, ones),
        "judge": judge.get_weights(),
        "count": len(both.trainable_weights),
    }
    judge.trainable = True
    return {**seen, "alone": judge.train_on_batch(X, ones), "after": both.get_weights()}


def a_single_weight_is_frozen(keras: Any) -> dict[str, Any]:
    layer = _dense(keras)
    model = keras.Sequential([keras.Input((3,)), layer])
    layer.kernel.trainable = False
    model.compile("sgd", "mse")
    model.fit(X, Y, batch_size=4, epochs=2, verbose=0, shuffle=False)
    return {"kernel": layer.kernel, "bias": layer.bias, "trainable": len(model.trainable_variables)}


def orders_of_weights(keras: Any) -> dict[str, Any]:
    class Layer(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.second = _dense(keras, 2)
            self.a = self.add_weight(shape=(1,), initializer="zeros", name="a")
            self.b = self.add_weight(shape=(2,), initializer="zeros", name="b", trainable=False)
            self.first = keras.layers.BatchNormalization()
            self.c = self.add_weight(shape=(3,), initializer="zeros", name="c")

        def build(self, input_shape):
            self.d = self.add_weight(shape=(4,), initializer="zeros", name="d")
            self.first.build(input_shape)
            self.second.build(input_shape)

        def call(self, x):
            return self.second(self.first(x))

    layer = Layer()
    layer(X)

    def shapes(weights):
        return [[w.name, *w.shape] for w in weights]

    return {
        "weights": shapes(layer.weights),
        "variables": shapes(layer.variables),
        "trainable": shapes(layer.trainable_weights),
        "others": shapes(layer.non_trainable_weights),
        "trainable variables": shapes(layer.trainable_variables),
        "other variables": shapes(layer.non_trainable_variables),
    }


def what_layers_say_of_themselves(keras: Any) -> dict[str, Any]:
    inputs = keras.Input((3,), name="given")
    first, normal = _dense(keras, 4, name="first"), keras.layers.BatchNormalization(name="normal")
    drop = keras.layers.Dropout(0.5, seed=1, name="drop")
    before = [first.built, first.path, list(first.weights)]
    model = keras.Model(inputs, drop(normal(first(inputs))), name="mine")
    outer = keras.Sequential([keras.Input((3,)), model, _dense(keras, name="last")], name="outer")
    late = keras.Sequential([_dense(keras, name="late")], name="stack")
    late(X)
    half = keras.layers.Dense(2, dtype="float16")
    return {
        "before": before,
        "built": [layer.built for layer in model.layers],
        "names": [layer.name for layer in model.layers],
        "late": [late.path, late.layers[0].path, *(w.path for w in late.weights)],
        "outer": [layer.name for layer in outer.layers],
        "dtypes": [[x.dtype, x.compute_dtype, x.variable_dtype] for x in (first, normal, drop, half, model)],
        "input": list(first.input.shape),
        "output": list(first.output.shape),
        "model input": list(model.input.shape),
        "model output": list(model.output.shape),
        "same": [first.output is normal.input, model.output is drop.output],
        "variables": [len(first.variables), len(normal.variables)],
        "counts": [first.count_params(), model.count_params()],
        "weights": [w.path for w in outer.weights],
        "paths": [layer.path for layer in (first, normal, model, *outer.layers, outer)],
    }
