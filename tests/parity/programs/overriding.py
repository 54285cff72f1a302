"""Methods that users override, in every signature that Keras calls them with."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from tests.parity.means import numbers, refusal

X, Y, W = numbers(8, 3), numbers(8, 1, key="y"), numbers(8, key="w", low=0.0)


def _dense(keras: Any, units: int = 1, **more: Any) -> Any:
    return keras.layers.Dense(units, kernel_initializer="ones", **more)


def _line(keras: Any, kind: Any) -> Any:
    """A functional model of the class `kind`, compiled."""
    inputs = keras.Input((3,))
    model = kind(inputs, _dense(keras)(inputs))
    model.compile("sgd", "mse", metrics=["mae"])
    return model


def _seen(model: Any, weights: Any = W) -> dict[str, Any]:
    """What two epochs, an evaluation and a prediction give."""
    history = model.fit(X, Y, sample_weight=weights, batch_size=4, epochs=2, shuffle=False, verbose=0).history
    return {
        "history": {name: history[name] for name in sorted(history)},
        "evaluated": model.evaluate(X, Y, sample_weight=weights, verbose=0, return_dict=True),
        "predicted": model.predict(X, verbose=0),
    }


# -------------------------------------------------------------------------------------------- compute_loss


def compute_loss_without_training(keras: Any) -> dict[str, Any]:
    class Model(keras.Model):
        def compute_loss(self, x, y, y_pred, sample_weight=None):
            return keras.ops.mean(keras.ops.square(y - y_pred)) + 0.5

    return _seen(_line(keras, Model), None)


def compute_loss_of_other_names(keras: Any) -> dict[str, Any]:
    class Model(keras.Model):
        def compute_loss(self, data, target, output, weight):
            return 2.0 * super().compute_loss(data, target, output, weight)

    return _seen(_line(keras, Model))


def compute_loss_of_any_arguments(keras: Any) -> dict[str, Any]:
    given = []

    class Model(keras.Model):
        def compute_loss(self, *args, **kwargs):
            given.append([len(args), sorted(kwargs)])
            return 3.0 * super().compute_loss(*args, **kwargs)

    return {**_seen(_line(keras, Model)), "given": given[0]}


def compute_loss_of_further_keywords(keras: Any) -> dict[str, Any]:
    class Model(keras.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, **kwargs):
            loss = super().compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, **kwargs)
            return loss + keras.ops.mean(x)

    return _seen(_line(keras, Model))


def compute_loss_with_training_by_name(keras: Any) -> dict[str, Any]:
    class Model(keras.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, *, training=True):
            return super().compute_loss(x, y, y_pred, sample_weight) + (10.0 if training else 20.0)

    return _seen(_line(keras, Model))


def compute_loss_hands_training_on(keras: Any) -> dict[str, Any]:
    class Base(keras.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return super().compute_loss(x, y, y_pred, sample_weight, training) + (1.0 if training else 2.0)

    class Model(Base):
        def compute_loss(self, x, y, y_pred, sample_weight, training=False):
            return super().compute_loss(x, y, y_pred, sample_weight, training=training)

    return _seen(_line(keras, Model))


def compute_loss_without_a_compiled_one(keras: Any) -> dict[str, Any]:
    class Model(keras.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
            return keras.ops.mean(keras.ops.abs(y_pred - x[:, :1]))

    inputs = keras.Input((3,))
    model = Model(inputs, _dense(keras)(inputs))
    model.compile("sgd")
    return {
        "history": model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0).history,
        "evaluated": model.evaluate(X, Y, verbose=0, return_dict=True),
    }


# ------------------------------------------------------------------------------------------ compute_metrics


def compute_metrics_of_other_names(keras: Any) -> dict[str, Any]:
    class Model(keras.Model):
        def compute_metrics(self, data, target, output, sample_weight):
            return {**super().compute_metrics(data, target, output, sample_weight), "twice": 2.0}

    return _seen(_line(keras, Model))


def compute_metrics_of_any_arguments(keras: Any) -> dict[str, Any]:
    class Model(keras.Model):
        def compute_metrics(self, *args, **kwargs):
            found = super().compute_metrics(*args, **kwargs)
            return {"arguments": len(args) + len(kwargs), **found}

    return _seen(_line(keras, Model))


def compute_metrics_of_further_keywords(keras: Any) -> dict[str, Any]:
    class Model(keras.Model):
        def compute_metrics(self, x, y, y_pred, sample_weight=None, **kwargs):
            self.compute_seen = sorted(kwargs)
            return super().compute_metrics(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight)

    model = _line(keras, Model)
    return {**_seen(model), "further": model.compute_seen}


# ----------------------------------------------------------------------------------- compile, and results


def compile_of_other_arguments(keras: Any) -> dict[str, Any]:
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = _dense(keras)

        def compile(self, first_optimizer, loss_function, factor=1.0, **kwargs):
            super().compile(optimizer=first_optimizer, **kwargs)
            self.loss_function, self.factor = loss_function, factor

        def call(self, x):
            return self.dense(x)

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
            return self.loss_function(y, y_pred) * self.factor

    model = Model()
    model.compile(keras.optimizers.SGD(0.1), keras.losses.MeanSquaredError(), factor=2.0, metrics=["mae"])
    return _seen(model, None)


def a_model_with_a_tracker_of_its_own(keras: Any) -> dict[str, Any]:
    class Model(keras.Model):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.tracker = keras.metrics.Mean(name="loss")

        def compute_loss(self, x, y, y_pred, sample_weight, training=True):
            loss = keras.ops.mean(keras.ops.square(y_pred - y)) + keras.ops.sum(self.losses)
            self.tracker.update_state(loss)
            return loss

        def reset_metrics(self):
            self.tracker.reset_state()

        @property
        def metrics(self):
            return [self.tracker]

    inputs = keras.Input((3,))
    model = Model(inputs, _dense(keras, kernel_regularizer="l2")(inputs))
    model.compile("sgd")
    return {**_seen(model, None), "tracked": model.tracker.result()}


def results_of_metrics_are_overridden(keras: Any) -> dict[str, Any]:
    class Model(keras.Model):
        def get_metrics_result(self):
            return {**super().get_metrics_result(), "more": 3.0}

    return _seen(_line(keras, Model))


# --------------------------------------------------------------------------------------------------- steps


def a_train_step_calls_super(keras: Any) -> dict[str, Any]:
    class Model(keras.Model):
        def train_step(self, batch):
            x, y, w = batch
            return {**super().train_step((x, y, w)), "largest": keras.ops.max(x)}

        def test_step(self, batch):
            return {"first": keras.ops.max(batch[0]), **super().test_step(batch)}

        def predict_step(self, batch):
            return 2.0 * super().predict_step(batch)

    return _seen(_line(keras, Model))


def steps_of_any_arguments(keras: Any) -> dict[str, Any]:
    class Model(keras.Model):
        def train_step(self, *args):
            return super().train_step(*args)

        def test_step(self, *args, **kwargs):
            return super().test_step(*args, **kwargs)

        def predict_step(self, *args, **kwargs):
            return super().predict_step(*args, **kwargs)

    return _seen(_line(keras, Model))


def a_test_step_of_its_own(keras: Any) -> dict[str, Any]:
    class Model(keras.Model):
        def test_step(self, data):
            x, y = data
            y_pred = self(x, training=False)
            loss = self.compute_loss(y=y, y_pred=y_pred)
            for metric in self.metrics:
                if metric.name == "loss":
                    metric.update_state(loss)
                else:
                    metric.update_state(y, y_pred)
            return {m.name: m.result() for m in self.metrics}

        def predict_step(self, data):
            return {"line": self(data, training=False), "half": self(data) / 2}

    model = _line(keras, Model)
    return {
        "evaluated": model.evaluate(X, Y, batch_size=4, verbose=0, return_dict=True)["loss"],
        "predicted": model.predict(X, batch_size=4, verbose=0),
    }


def compute_loss_is_called_by_a_step(keras: Any) -> dict[str, Any]:
    class Model(keras.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
            return super().compute_loss(x, y, y_pred, sample_weight) * 2.0

        def test_step(self, data):
            x, y, w = data
            return {
                "by place": self.compute_loss(x, y, self(x), w),
                "by name": self.compute_loss(y=y, y_pred=self(x)),
            }

    return _line(keras, Model).evaluate(X, Y, sample_weight=W, batch_size=8, verbose=0, return_dict=True)


# ---------------------------------------------------------------------------------------------------- call


def _of_layer(keras: Any, layer: Any, **call: Any) -> dict[str, Any]:
    """A layer called at once, in training, as a functional model and in a fit."""
    inputs = keras.Input((3,))
    model = keras.Model(inputs, layer(inputs, **call))
    model.compile("sgd", "mse")
    seen = {
        "at once": layer(X, **call),
        "in training": layer(X, training=True, **call),
        "shape": list(model.output_shape),
        "fit": model.fit(X, numbers(8, 3), batch_size=8, epochs=2, verbose=0).history,
        "predicted": model.predict(X, verbose=0),
    }
    return {**seen, "weights": [w.shape for w in layer.weights]}


def a_call_with_training(keras: Any) -> dict[str, Any]:
    class Layer(keras.layers.Layer):
        def call(self, inputs, training=None):
            return inputs * 2.0 if training else inputs

    return _of_layer(keras, Layer())


def a_call_with_training_true_by_default(keras: Any) -> dict[str, Any]:
    class Layer(keras.layers.Layer):
        def call(self, inputs, training=True):
            return inputs * 2.0 if training else inputs

    layer = Layer()
    return {"at once": layer(X), "off": layer(X, training=False), **_of_layer(keras, Layer())}


def a_call_with_training_of_other_kinds(keras: Any) -> dict[str, Any]:
    class Layer(keras.layers.Layer):
        def call(self, inputs, training=False):
            return inputs * 2.0 if training else inputs

    return {str(given): Layer()(X, training=given) for given in (1, 0, np.bool_(True))}


def a_call_with_training_and_mask(keras: Any) -> dict[str, Any]:
    class Layer(keras.layers.Layer):
        def call(self, inputs, training=None, mask=None):
            assert mask is None
            return inputs + 1.0 if training else inputs

    return _of_layer(keras, Layer())


def a_call_with_keywords_alone(keras: Any) -> dict[str, Any]:
    class Layer(keras.layers.Layer):
        def call(self, inputs, *, factor=2.0, training=False):
            return inputs * factor + (1.0 if training else 0.0)

    return _of_layer(keras, Layer(), factor=3.0)


def a_call_of_any_keywords(keras: Any) -> dict[str, Any]:
    class Layer(keras.layers.Layer):
        def call(self, inputs, **kwargs):
            return inputs * kwargs.get("factor", 2.0) + len(kwargs)

    return {"plain": Layer()(X), **_of_layer(keras, Layer(), factor=3.0)}


def a_call_of_any_arguments(keras: Any) -> dict[str, Any]:
    class Layer(keras.layers.Layer):
        def call(self, *args, **kwargs):
            return args[0] + float(len(args)) + 10.0 * len(kwargs)

    layer = Layer()
    return {"one": layer(X), "two": layer(X, X), "named": layer(X, training=True)}


def a_call_of_several_inputs(keras: Any) -> dict[str, Any]:
    class Layer(keras.layers.Layer):
        def call(self, left, right, scale=1.0):
            return left + right * scale

    layer, a, b = Layer(), keras.Input((3,)), keras.Input((3,))
    model = keras.Model([a, b], layer(a, b, scale=2.0))
    return {
        "at once": layer(X, 2 * X),
        "named": layer(left=X, right=X),
        "swapped": layer(right=X, left=2 * X),
        "model": model.predict([X, 3 * X], verbose=0),
        "shape": list(model.output_shape),
    }


def a_call_of_a_list_and_of_a_dict(keras: Any) -> dict[str, Any]:
    class Of(keras.layers.Layer):
        def call(self, inputs):
            if isinstance(inputs, dict):
                return inputs["a"] * inputs["b"]
            first, *others = inputs
            return sum(others, first)

    layer, a, b = Of(), keras.Input((3,)), keras.Input((3,))
    model = keras.Model([a, b], [layer([a, b]), layer({"a": a, "b": b})])
    return {
        "list": layer([X, X, X]),
        "tuple": layer((X, X)),
        "dict": layer({"a": X, "b": 2 * X}),
        "model": model.predict([X, 3 * X], verbose=0),
    }


def a_call_gives_a_dict_or_a_tuple(keras: Any) -> dict[str, Any]:
    class Layer(keras.layers.Layer):
        def call(self, inputs, named=False):
            return {"a": inputs, "b": inputs + 1.0} if named else (inputs, inputs * 2.0)

    inputs = keras.Input((3,))
    model = keras.Model(inputs, Layer()(inputs, named=True))
    return {
        "dict": Layer()(X, named=True),
        "tuple": Layer()(X),
        "model": model.predict(X, verbose=0),
    }


def a_model_with_a_call_of_training_and_mask(keras: Any) -> dict[str, Any]:
    class Model(keras.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.first, self.last = _dense(keras, 4, activation="relu"), _dense(keras)

        def call(self, inputs, training=None, mask=None):
            return self.last(self.first(inputs)) + (1.0 if training else 0.0)

    model = Model(name="mine")
    model.compile("sgd", "mse", metrics=["mae"])
    return {**_seen(model), "at once": model(X, training=True), "name": model.name}


def a_model_with_a_call_of_two_arguments(keras: Any) -> dict[str, Any]:
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = _dense(keras, 2)

        def call(self, a, b=None, training=False):
            return self.dense(a if b is None else a + b)

    model = Model()
    return {
        "one": model(X),
        "two": model(X, X),
        "named": model(X, b=2 * X),
        "predicted": model.predict(X, verbose=0),
    }


def calls_hand_tensors_on_by_name(keras: Any) -> dict[str, Any]:
    class Cross(keras.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.query, self.key = _dense(keras, 2), _dense(keras, 2)

        def call(self, query, key=None, scale=1.0, training=None):
            key = query if key is None else key
            return self.query(query) + self.key(key) * scale

    class Outer(keras.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.cross = Cross()

        def call(self, x, context, training=None):
            return self.cross(x, key=context, scale=2.0, training=training)

    a, b = keras.Input((3,)), keras.Input((3,))
    model = keras.Model([a, b], [Outer()(a, b), Cross()(a, key=b, scale=3.0)])
    return {
        "at once": Outer()(X, 2 * X),
        "named": Outer()(X, context=X),
        "alone": Cross()(X),
        "model": model.predict([X, X], verbose=0),
    }


def layers_that_change_others(keras: Any) -> dict[str, Any]:
    class Scaled(keras.layers.Dense):
        def __init__(self, units, scale=2.0, **kwargs):
            super().__init__(units, **kwargs)
            self.scale = scale

        def build(self, input_shape):
            super().build(input_shape)
            self.extra = self.add_weight(shape=(self.units,), initializer="ones", name="extra")

        def call(self, inputs):
            return super().call(inputs) * self.scale + self.extra

        def get_config(self):
            return {**super().get_config(), "scale": self.scale}

    class Shifted(keras.layers.Dense):
        def call(self, inputs, training=None):
            return super().call(inputs) + (1.0 if training else 0.0)

    layer = Scaled(2, scale=3.0, kernel_initializer="ones", name="scaled")
    shifted = Shifted(2, kernel_initializer="ones")
    return {
        "called": layer(X),
        "weights": [[w.name, *w.shape] for w in layer.weights],
        "again": Scaled.from_config(layer.get_config())(X),
        "shifted": [shifted(X), shifted(X, training=True)],
    }


def dropout_that_always_drops(keras: Any) -> dict[str, Any]:
    class Always(keras.layers.Dropout):
        def call(self, inputs):
            return super().call(inputs, training=True)

    model = keras.Sequential([keras.Input((200,)), Always(0.5)])
    made = model.predict(np.ones((4, 200), "float32"), verbose=0)
    return {"values": sorted({float(value) for value in made.ravel()})}


def models_that_change_others(keras: Any) -> dict[str, Any]:
    class Stack(keras.Sequential):
        def __init__(self, units=2, **kwargs):
            super().__init__([keras.Input((3,)), _dense(keras, units), _dense(keras)], **kwargs)

        def train_step(self, data):
            return {**super().train_step(data), "more": 1.0}

    class Doubled(keras.Sequential):
        def call(self, inputs, training=None, mask=None):
            return super().call(inputs, training=training) * 2.0

    class Whole(keras.Model):
        def __init__(self, units=2, **kwargs):
            inputs = keras.Input((3,))
            super().__init__(inputs=inputs, outputs=_dense(keras, units)(inputs), **kwargs)

        def call(self, inputs, training=None, mask=None):
            return super().call(inputs, training=training) + 1.0

    stack, whole = Stack(name="stack"), Whole(1)
    stack.compile("sgd", "mse")
    return {
        "stack": _seen(stack),
        "doubled": Doubled([_dense(keras)])(X),
        "whole": [whole(X), whole.predict(X, verbose=0)],
    }


def calls_pass_all_arguments_on(keras: Any) -> dict[str, Any]:
    class Around(keras.layers.Layer):
        def __init__(self, *blocks, **kwargs):
            super().__init__(**kwargs)
            self.blocks = list(blocks)

        def call(self, x, *args, **kwargs):
            made = x
            for block in self.blocks:
                made = block(made, *args, **kwargs)
            return keras.layers.add([x, made])

    layer, inputs = Around(_dense(keras, 3, activation="relu"), keras.layers.Dropout(0.5)), keras.Input((3,))
    return {"at once": layer(X), "model": keras.Model(inputs, layer(inputs)).predict(X, verbose=0)}


def a_layer_around_another_one(keras: Any) -> dict[str, Any]:
    class Wrapper(keras.layers.Layer):
        def __init__(self, layer, **kwargs):
            super().__init__(**kwargs)
            self.layer = layer

        def build(self, input_shape=None):
            self.layer.build(input_shape)
            super().build(input_shape)

        def call(self, inputs, training=None, mask=None):
            return self.layer(inputs) + 1.0

        def compute_output_shape(self, input_shape):
            return self.layer.compute_output_shape(input_shape)

    wrapper = Wrapper(_dense(keras, 2))
    seen = {"called": wrapper(X), "built": [wrapper.built, wrapper.layer.built]}
    return {
        **seen,
        "shape": list(wrapper.compute_output_shape((None, 3))),
        "refused": refusal(wrapper.get_config),
    }


def masks_are_given(keras: Any) -> dict[str, Any]:
    class Reads(keras.layers.Layer):
        def call(self, x, mask=None):
            return x if mask is None else x * keras.ops.cast(mask, "float32")[..., None]

    class Two(keras.layers.Layer):
        def call(self, a, b, a_mask=None, b_mask=None):
            return a + b + (0.0 if a_mask is None else 1.0)

    x, mask = numbers(2, 3, 4), np.array([[True, False, True]] * 2)
    return {"with": Reads()(x, mask=mask), "without": Reads()(x), "two": Two()(x, x)}


def training_is_handed_down(keras: Any) -> dict[str, Any]:
    seen = []

    class Inner(keras.layers.Layer):
        def call(self, x, training=True):
            seen.append(training)
            return x

    class Outer(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = Inner()

        def build(self, input_shape):
            self.inner.build(input_shape)

        def call(self, x):
            return self.inner(x)

    class Says(Outer):
        def call(self, x, training=False):
            return self.inner(x)

    class Asks(keras.layers.Layer):
        def call(self, x, training=None):
            seen.append(training)
            return x

    for layer in (Outer(), Says(), Asks(), Inner()):
        layer.build((None, 3))
        for more in ({}, {"training": True}, {"training": False}, {"training": None}):
            layer(X, **more)
    return {"seen": seen}


# --------------------------------------------------------------------------------------------------- build


def a_build_of_a_shape(keras: Any) -> dict[str, Any]:
    class Layer(keras.layers.Layer):
        def build(self, shape):
            self.kernel = self.add_weight(shape=(shape[-1], 3), initializer="ones", name="kernel")
            super().build(shape)

        def call(self, x):
            return keras.ops.matmul(x, self.kernel)

    return _of_layer(keras, Layer())


def a_build_of_any_arguments(keras: Any) -> dict[str, Any]:
    class Layer(keras.layers.Layer):
        def build(self, *args, **kwargs):
            self.kernel = self.add_weight(shape=(3,), initializer="ones", name="kernel")

        def call(self, x):
            return x * self.kernel

    class Plain(Layer):
        def build(self, input_shape=None):
            self.kernel = self.add_weight(shape=(3,), initializer="zeros", name="kernel")
            self.built = True

    return {"any": _of_layer(keras, Layer()), "default": _of_layer(keras, Plain())}


def a_build_of_two_shapes(keras: Any) -> dict[str, Any]:
    class Layer(keras.layers.Layer):
        def build(self, left_shape, right_shape):
            self.left = self.add_weight(shape=(left_shape[-1], 2), initializer="ones")
            self.right = self.add_weight(shape=(right_shape[-1], 2), initializer="ones")

        def call(self, left, right):
            return keras.ops.matmul(left, self.left) + keras.ops.matmul(right, self.right)

    layer, a, b = Layer(), keras.Input((3,)), keras.Input((5,))
    model = keras.Model([a, b], layer(a, b))
    wide = numbers(8, 5)
    return {
        "at once": Layer()(X, wide),
        "named": Layer()(right=wide, left=X),
        "model": model.predict([X, wide], verbose=0),
        "weights": [list(w.shape) for w in layer.weights],
    }


def a_build_of_a_list_and_of_a_dict(keras: Any) -> dict[str, Any]:
    class Layer(keras.layers.Layer):
        def build(self, input_shape):
            shapes = input_shape.values() if isinstance(input_shape, dict) else input_shape
            self.kernels = [self.add_weight(shape=(shape[-1], 2), initializer="ones") for shape in shapes]

        def call(self, inputs):
            values = inputs.values() if isinstance(inputs, dict) else inputs
            return sum(keras.ops.matmul(x, k) for x, k in zip(values, self.kernels, strict=True))

    wide = numbers(8, 5)
    return {"list": Layer()([X, wide]), "dict": Layer()({"a": wide, "b": X}), "tuple": Layer()((X, X))}


def a_build_of_a_dict_of_shapes_by_name(keras: Any) -> dict[str, Any]:
    class Layer(keras.layers.Layer):
        def build(self, left_shape, right_shape=None):
            width = 1 if right_shape is None else right_shape[-1]
            self.kernel = self.add_weight(shape=(left_shape[-1], width), initializer="ones")

        def call(self, left, right=None):
            made = keras.ops.matmul(left, self.kernel)
            return made if right is None else made + right

    return {"one": Layer()(X), "two": Layer()(X, numbers(8, 4)), "named": Layer()(X, right=numbers(8, 4))}


def builds_of_few_or_wrong_arguments(keras: Any) -> dict[str, Any]:
    class Nothing(keras.layers.Layer):
        def build(self):
            self.w = self.add_weight(shape=(3,), initializer="ones")

        def call(self, x):
            return x * self.w

    class Strange(keras.layers.Layer):
        def build(self, input_shape, other):
            raise AssertionError

        def call(self, x):
            return x

    class Counts(keras.layers.Layer):
        def build(self, *args, **kwargs):
            self.seen = [len(args), sorted(kwargs)]

        def call(self, x, y=None):
            return x

    class First(keras.layers.Layer):
        def build(self, input_shape=None, **kwargs):
            self.seen = [list(input_shape), sorted(kwargs)]

        def call(self, x, y=None):
            return x

    counts, first = Counts(), First()
    counts(X)
    first(X, X[:, :2])
    return {
        "nothing": Nothing()(X),
        "strange": refusal(lambda: Strange()(X)),
        "counts": counts.seen,
        "first": first.seen,
    }


def a_model_with_a_build_of_its_own(keras: Any) -> dict[str, Any]:
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.first, self.last = _dense(keras, 2), _dense(keras)

        def build(self, input_shape):
            self.first.build(input_shape)
            self.last.build((input_shape[0], 2))
            self.scale = self.add_weight(shape=(), initializer="ones", name="scale")
            self.built = True

        def call(self, x):
            return self.last(self.first(x)) * self.scale

    built, fitted = Model(), Model()
    built.build((None, 3))
    fitted.compile("sgd", "mse")
    names = [w.path.split("/")[-1] for w in built.weights]
    return {"names": names, "shapes": [list(w.shape) for w in built.weights], **_seen(fitted, None)}


def a_built_layer_is_called(keras: Any) -> dict[str, Any]:
    class Layer(keras.layers.Layer):
        def build(self, input_shape):
            self.inner = _dense(keras, 2)
            self.inner.build(input_shape)

        def call(self, x):
            return self.inner(x)

    layer, model = Layer(), keras.Sequential([_dense(keras, 2)])
    layer.build((None, 3))
    model.build((None, 3))
    return {
        "layer": layer(X),
        "built": [layer.built, layer.inner.built, model.built],
        "model": model(X),
        "weights": [list(w.shape) for w in layer.weights],
    }


# -------------------------------------------------------------------------------------------------- configs


def a_config_merged_from_items(keras: Any) -> dict[str, Any]:
    class Layer(keras.layers.Layer):
        def __init__(self, units, scale=2.0, **kwargs):
            super().__init__(**kwargs)
            self.units, self.scale = units, scale

        def build(self, input_shape):
            self.kernel = self.add_weight(shape=(input_shape[-1], self.units), initializer="ones")

        def call(self, x):
            return keras.ops.matmul(x, self.kernel) * self.scale

        def get_config(self):
            base = super(Layer, self).get_config()  # noqa: UP008  as older scripts have it
            config = {"units": self.units, "scale": self.scale}
            return dict(list(base.items()) + list(config.items()))

    again = Layer.from_config(Layer(2, scale=3.0, name="mine").get_config())
    return {"units": again.units, "name": again.name, "called": again(X)}


def a_config_without_the_bases(keras: Any) -> dict[str, Any]:
    class Layer(keras.layers.Layer):
        def __init__(self, factor=1.0, **kwargs):
            super().__init__(**kwargs)
            self.factor = factor

        def call(self, x):
            return x * self.factor

        def get_config(self):
            return {"factor": self.factor}

    model = keras.Sequential([keras.Input((3,)), Layer(3.0), _dense(keras)])
    again = keras.Sequential.from_config(model.get_config(), custom_objects={"Layer": Layer})
    return {
        "entries": sorted(Layer(2.0).get_config()),
        "again": Layer.from_config({"factor": 3.0})(X),
        "factor": again.layers[0].factor,
    }


def a_layer_without_a_config_of_its_own(keras: Any) -> dict[str, Any]:
    class Layer(keras.layers.Layer):
        def __init__(self, units, scale=2.0, *, words=("a", "b"), **kwargs):
            super().__init__(**kwargs)
            self.units, self.scale, self.words = units, scale, words

        def call(self, x):
            return x * self.scale

    class Model(keras.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.inner = Layer(2)

        def call(self, x):
            return self.inner(x)

    config = Layer(3, name="mine", trainable=False).get_config()
    again = Layer.from_config(config)
    model = keras.Sequential([keras.Input((3,)), Layer(3, 4.0)])
    copied = keras.Sequential.from_config(model.get_config(), custom_objects={"Layer": Layer})
    return {
        "own": {name: config[name] for name in ("units", "scale", "words")},
        "again": [again.units, again.scale, again.name, again.trainable],
        "copied": copied.predict(X, verbose=0),
        "model": Model.from_config(Model(name="whole").get_config()).name,
        "refused": refusal(lambda: Layer(object()).get_config()),
        "a function": refusal(lambda: Layer(3, len).get_config()),
    }


def a_config_read_by_its_own_from_config(keras: Any) -> dict[str, Any]:
    class Layer(keras.layers.Layer):
        def __init__(self, inner, **kwargs):
            super().__init__(**kwargs)
            self.inner = inner

        def call(self, x):
            return self.inner(x)

        def get_config(self):
            config = super().get_config()
            config.update({"inner": keras.layers.serialize(self.inner)})
            return config

        @classmethod
        def from_config(cls, config, custom_objects=None):
            inner = keras.layers.deserialize(config.pop("inner"), custom_objects=custom_objects)
            return cls(inner, **config)

    again = Layer.from_config(Layer(_dense(keras, 2), name="mine").get_config())
    return {"units": again.inner.units, "name": again.name, "called": again(X)}


def models_describe_themselves(keras: Any) -> dict[str, Any]:
    class Model(keras.Model):
        def __init__(self, units=3, **kwargs):
            super().__init__(**kwargs)
            self.units, self.dense = units, _dense(keras, units)

        def call(self, x):
            return self.dense(x)

        def get_config(self):
            return {**super().get_config(), "units": self.units}

    class Older(Model):
        def get_config(self):
            return {"units": self.units, "name": self.name}

        @classmethod
        def from_config(cls, config):
            return cls(**config)

    config = Model(5, name="mine").get_config()
    again, older = Model.from_config(config), Older.from_config(Older(4, name="older").get_config())
    return {"units": again.units, "name": again.name, "older": [older.units, older.name], "called": again(X)}


def compute_output_shape_is_overridden(keras: Any) -> dict[str, Any]:
    class Layer(keras.layers.Layer):
        def call(self, inputs):
            return keras.ops.concatenate([inputs, inputs], axis=-1)

        def compute_output_shape(self, input_shape):
            return (*input_shape[:-1], input_shape[-1] * 2)

    class Listed(Layer):
        def compute_output_shape(self, input_shape):
            return [input_shape[0], input_shape[1] * 2]

    inputs = keras.Input((3,))
    return {
        "shapes": [list(kind().compute_output_shape((None, 3))) for kind in (Layer, Listed)],
        "models": [list(keras.Model(inputs, kind()(inputs)).output_shape) for kind in (Layer, Listed)],
        "called": Listed()(X),
    }


def compute_output_shape_of_two_shapes(keras: Any) -> dict[str, Any]:
    class Layer(keras.layers.Layer):
        def call(self, left, right):
            return keras.ops.concatenate([left, right], axis=-1)

        def compute_output_shape(self, left_shape, right_shape):
            return (left_shape[0], left_shape[1] + right_shape[1])

    a, b = keras.Input((3,)), keras.Input((5,))
    model = keras.Model([a, b], Layer()(a, b))
    return {"shape": list(model.output_shape), "predicted": model.predict([X, numbers(8, 5)], verbose=0)}


def compute_mask_of_other_names(keras: Any) -> dict[str, Any]:
    class Masks(keras.layers.Layer):
        def compute_mask(self, x, mask=None):
            return keras.ops.any(keras.ops.not_equal(x, 0), axis=-1)

        def call(self, x):
            return x

    class Reads(keras.layers.Layer):
        def call(self, x, mask=None):
            return x if mask is None else x * keras.ops.expand_dims(keras.ops.cast(mask, x.dtype), -1) + 1.0

    x = numbers(2, 4, 3)
    x[:, 2:] = 0
    inputs = keras.Input((4, 3))
    model = keras.Model(inputs, Reads()(Masks()(inputs)))
    return {"predicted": model.predict(x, verbose=0), "at once": keras.Sequential([Masks(), Reads()])(x)}


# -------------------------------------------------------------------------------------- losses and metrics


def _trained(keras: Any, loss: Any = "mse", metrics: Any = None, **more: Any) -> dict[str, Any]:
    """A line that learns for two epochs, and is evaluated."""
    model = keras.Sequential([keras.Input((3,)), _dense(keras)])
    model.compile("sgd", loss, metrics=metrics, **more)
    history = model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0).history
    return {
        "history": {name: history[name] for name in sorted(history)},
        "evaluated": model.evaluate(X, Y, verbose=0),
    }


def loss_functions_of_every_kind(keras: Any) -> dict[str, Any]:
    def powered(y_true, y_pred, power=2, scale=1.0):
        return scale * keras.ops.mean(keras.ops.abs(y_true - y_pred) ** power, axis=-1)

    class Holder:
        def method(self, y_true, y_pred):
            return keras.ops.mean(keras.ops.abs(y_true - y_pred), axis=-1)

        def __call__(self, y_true, y_pred):
            return 2.0 * self.method(y_true, y_pred)

    def wrapped(scale):
        def inner(t, p):
            return powered(t, p, scale=scale)

        return inner

    return {
        "default": _trained(keras, powered),
        "partial": _trained(keras, functools.partial(powered, power=3)),
        "lambda": _trained(keras, lambda t, p: keras.ops.mean((t - p) ** 2)),
        "method": _trained(keras, Holder().method),
        "object": _trained(keras, Holder()),
        "closure": _trained(keras, wrapped(2.0)),
    }


def a_loss_class_of_other_names(keras: Any) -> dict[str, Any]:
    class Own(keras.losses.Loss):
        def __init__(self, power=2, name="own", **kwargs):
            super().__init__(name=name, **kwargs)
            self.power = power

        def call(self, target, output):
            return keras.ops.abs(target - output) ** self.power

    class Whole(keras.losses.Loss):
        def __call__(self, y_true, y_pred, sample_weight=None):
            return keras.ops.mean(keras.ops.square(y_true - y_pred))

        def call(self, y_true, y_pred):
            raise AssertionError

    return {
        "fit": _trained(keras, Own(power=3)),
        "at once": Own()(Y, 2 * Y),
        "summed": Own(reduction="sum")(Y, 2 * Y, sample_weight=W[:, None]),
        "whole": _trained(keras, Whole()),
    }


def metric_functions_of_every_kind(keras: Any) -> dict[str, Any]:
    def off(y_true, y_pred, power=1):
        return keras.ops.abs(y_true - y_pred) ** power

    def largest(y_true, y_pred):
        return keras.ops.max(y_pred)

    def mean_IoU(y_true, y_pred):
        return keras.ops.mean(y_true)

    class Holder:
        def method(self, y_true, y_pred):
            return keras.ops.mean(y_pred)

        def __call__(self, y_true, y_pred):
            return 2.0 * keras.ops.mean(y_pred)

    given = [off, largest, mean_IoU, Holder().method, Holder(), lambda t, p: keras.ops.min(p)]
    return _trained(keras, metrics=[*given, functools.partial(off, power=2)])


def metrics_of_other_signatures(keras: Any) -> dict[str, Any]:
    class Plain(keras.metrics.Metric):
        def __init__(self, name="plain", **kwargs):
            super().__init__(name=name, **kwargs)
            self.total = self.add_weight(shape=(), initializer="zeros", name="total")

        def update_state(self, target, output, sample_weight=None):
            self.total.assign_add(keras.ops.sum(output))

        def result(self):
            return self.total

    class Any_(Plain):
        def update_state(self, *args, **kwargs):
            self.total.assign(self.total + keras.ops.sum(args[1]) + len(args) + len(kwargs))

    class Reset(Plain):
        def update_state(self, y_true, y_pred, sample_weight=None, **kwargs):
            self.total.assign_add(keras.ops.max(y_pred))

        def reset_state(self):
            self.total.assign(1.0)

    kinds = [Plain(), Any_(name="any"), Reset(name="reset")]
    alone = Plain()
    alone.update_state(Y, X)
    return {"fit": _trained(keras, metrics=kinds), "alone": alone.result(), "called": alone(Y, X)}


def losses_that_change_others(keras: Any) -> dict[str, Any]:
    class Doubled(keras.losses.MeanSquaredError):
        def call(self, y_true, y_pred):
            return super().call(y_true, y_pred) * 2.0

    class OfLogits(keras.losses.BinaryCrossentropy):
        def __init__(self, factor=2.0, **kwargs):
            super().__init__(from_logits=True, **kwargs)
            self.factor = factor

        def call(self, y_true, y_pred):
            return self.factor * super().call(keras.ops.cast(y_true > 0, "float32"), y_pred)

    class Both(keras.losses.Loss):
        def __init__(self):
            super().__init__()
            self.first = keras.losses.MeanSquaredError()
            self.second = keras.losses.MeanAbsoluteError(reduction="none")

        def call(self, y_true, y_pred):
            return self.first(y_true, y_pred) + 0.5 * self.second(y_true, y_pred)

    losses = {"doubled": Doubled(), "of logits": OfLogits(3.0), "both": Both()}
    return {name: _trained(keras, loss) for name, loss in losses.items()}


def metrics_that_change_others(keras: Any) -> dict[str, Any]:
    class Root(keras.metrics.MeanSquaredError):
        def __init__(self, name="root", **kwargs):
            super().__init__(name=name, **kwargs)

        def result(self):
            return keras.ops.sqrt(super().result())

    class Shifted(keras.metrics.BinaryAccuracy):
        def update_state(self, y_true, y_pred, sample_weight=None):
            return super().update_state(keras.ops.cast(y_true > 0, "float32"), y_pred + 0.5, sample_weight)

    class Precise(keras.metrics.Precision):
        def update_state(self, y_true, y_pred, sample_weight=None):
            super().update_state(y_true > 0, keras.ops.sigmoid(y_pred), sample_weight=sample_weight)

    class Keeps(keras.metrics.Mean):
        def reset_state(self):
            pass

    kept = Keeps()
    kept.update_state(3.0)
    kept.reset_state()
    given = [Root(), Shifted(name="shifted"), Precise(name="precise")]
    return {"fit": _trained(keras, metrics=given), "kept": kept.result()}


def metrics_made_of_others(keras: Any) -> dict[str, Any]:
    class Off(keras.metrics.Mean):
        def update_state(self, y_true, y_pred, sample_weight=None):
            return super().update_state(keras.ops.abs(y_true - y_pred), sample_weight=sample_weight)

    class Wrapped(keras.metrics.MeanMetricWrapper):
        def __init__(self, name="wrapped", **kwargs):
            super().__init__(
                fn=lambda t, p, factor: keras.ops.abs(t - p) * factor, name=name, factor=3.0, **kwargs
            )

    class Both(keras.metrics.Metric):
        def __init__(self, name="both", **kwargs):
            super().__init__(name=name, **kwargs)
            self.mean, self.sum = keras.metrics.Mean(), keras.metrics.Sum()

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.mean.update_state(y_pred)
            self.sum.update_state(y_true)

        def result(self):
            return self.mean.result() + self.sum.result()

        def reset_state(self):
            self.mean.reset_state()
            self.sum.reset_state()

    return _trained(keras, metrics=[Off(name="off"), Wrapped(), Both()])


# ---------------------------------------------------------------------------------------------- callbacks


def callbacks_of_other_signatures(keras: Any) -> dict[str, Any]:
    seen = []

    class Positional(keras.callbacks.Callback):
        def on_epoch_begin(self, number, values):
            seen.append(f"{number}")

        def on_epoch_end(self, epoch, logs):
            seen.append(f"{epoch} {sorted(logs)}")

        def on_train_begin(self, *args):
            seen.append(f"begin {len(args)}")

        def on_train_end(self, logs={}):  # noqa: B006  as scripts have it
            seen.append(f"end {sorted(logs)}")

        def on_train_batch_end(self, batch, logs=None, **kwargs):
            seen.append(f"batch {batch} {len(kwargs)}")

    class Old(keras.callbacks.Callback):
        def on_batch_end(self, batch, logs={}):  # noqa: B006
            seen.append(f"old {batch} {'loss' in logs}")

    def said(epoch, logs):
        seen.append(f"function {epoch}")

    model = keras.Sequential([keras.Input((3,)), _dense(keras)])
    model.compile("sgd", "mse")
    function = keras.callbacks.LambdaCallback(on_epoch_end=said)
    model.fit(X, Y, batch_size=4, epochs=2, verbose=0, callbacks=[Positional(), Old(), function])
    return {"seen": seen}


def callbacks_that_change_others(keras: Any) -> dict[str, Any]:
    seen = []

    class Stops(keras.callbacks.EarlyStopping):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(epoch)
            super().on_epoch_end(epoch, logs)

        def get_monitor_value(self, logs):
            return -float(logs["loss"])

    class Reduces(keras.callbacks.ReduceLROnPlateau):
        def on_epoch_end(self, epoch, logs={}):  # noqa: B006
            super().on_epoch_end(epoch, logs)

    model = keras.Sequential([keras.Input((3,)), _dense(keras)])
    model.compile("sgd", "mse")
    given = [Stops(monitor="loss", patience=1), Reduces(monitor="loss", patience=0, factor=0.5)]
    history = model.fit(X, Y, batch_size=4, epochs=5, shuffle=False, verbose=0, callbacks=given).history
    return {"seen": seen, "loss": history["loss"], "rate": float(model.optimizer.learning_rate)}


# ----------------------------------------------------------------------- initializers, penalties, constraints


def initializers_of_every_kind(keras: Any) -> dict[str, Any]:
    class Own(keras.initializers.Initializer):
        def __call__(self, shape, dtype=None, **kwargs):
            return keras.ops.full(shape, 0.5, dtype=dtype)

    class Plain:
        def __call__(self, shape, dtype):
            return np.full(shape, 0.25, dtype)

    def function(shape, dtype=None, **kwargs):
        return keras.ops.ones(shape, dtype=dtype) * 2.0

    def short(shape, dtype):
        return np.ones(shape) * 3.0

    class Holder:
        def method(self, shape, dtype=None):
            return keras.ops.zeros(shape, dtype) + 4.0

    given = [
        Own(),
        Plain(),
        function,
        short,
        Holder().method,
        lambda shape, dtype=None: keras.ops.ones(shape),
        functools.partial(function, more=1),
        keras.initializers.Constant(0.5),
        "ones",
    ]
    layers = [keras.layers.Dense(2, kernel_initializer=one) for one in given]
    return {str(i): layer(X) for i, layer in enumerate(layers)}


def regularizers_of_every_kind(keras: Any) -> dict[str, Any]:
    class Own(keras.regularizers.Regularizer):
        def __call__(self, weight):
            return 0.1 * keras.ops.sum(keras.ops.abs(weight))

    def function(w):
        return keras.ops.sum(w * w) * 0.5

    class Holder:
        def __call__(self, x, **kwargs):
            return keras.ops.sum(keras.ops.square(x))

    seen = {}
    for i, one in enumerate([Own(), function, Holder(), lambda w: 0.5 * keras.ops.max(w), "l2"]):
        layer = keras.layers.Dense(
            1, kernel_initializer="ones", kernel_regularizer=one, activity_regularizer=one
        )
        model = keras.Sequential([keras.Input((3,)), layer])
        model.compile("sgd", "mse")
        seen[str(i)] = model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0).history
    return seen


def constraints_of_every_kind(keras: Any) -> dict[str, Any]:
    class Own(keras.constraints.Constraint):
        def __call__(self, weight):
            return keras.ops.minimum(weight, 0.5)

    def function(w):
        return w * 0.5

    seen = {}
    for i, one in enumerate([Own(), function, lambda w: keras.ops.clip(w, 0.0, 0.25), "non_neg"]):
        layer = keras.layers.Dense(1, kernel_initializer="ones", kernel_constraint=one)
        model = keras.Sequential([keras.Input((3,)), layer])
        model.compile("sgd", "mse")
        model.fit(X, Y, batch_size=8, epochs=2, verbose=0)
        seen[str(i)] = layer.kernel
    return seen


# -------------------------------------------------------------------------------------------- optimizers


def optimizers_of_their_own(keras: Any) -> dict[str, Any]:
    class Plain(keras.optimizers.Optimizer):
        def __init__(self, learning_rate=0.1, **kwargs):
            super().__init__(learning_rate=learning_rate, **kwargs)

        def update_step(self, gradient, variable, learning_rate):
            self.assign_sub(variable, gradient * keras.ops.cast(learning_rate, variable.dtype))

    class Slots(Plain):
        def build(self, variables):
            if self.built:
                return
            super().build(variables)
            self.sums = [
                self.add_variable_from_reference(reference_variable=v, name="sum") for v in variables
            ]

        def update_step(self, grad, var, lr):
            total = self.sums[self._get_variable_index(var)]
            self.assign_add(total, keras.ops.square(grad))
            self.assign_sub(var, lr * grad / keras.ops.sqrt(total + 1e-7))

    seen = {}
    for i, optimizer in enumerate([Plain(), Plain(0.01), Slots()]):
        layer = _dense(keras)
        model = keras.Sequential([keras.Input((3,)), layer])
        model.compile(optimizer, "mse")
        seen[str(i)] = model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0).history
        seen[f"{i} kernel"] = layer.kernel
    return seen


def an_optimizer_whose_apply_is_overridden(keras: Any) -> dict[str, Any]:
    class Halved(keras.optimizers.SGD):
        def apply(self, grads, trainable_variables=None):
            return super().apply([g * 0.5 for g in grads], trainable_variables)

    class Doubled(keras.optimizers.SGD):
        def update_step(self, gradient, variable, learning_rate):
            super().update_step(gradient * 2.0, variable, learning_rate)

    seen = {}
    for name, optimizer in (("halved", Halved(0.1)), ("doubled", Doubled(0.1))):
        layer = _dense(keras)
        model = keras.Sequential([keras.Input((3,)), layer])
        model.compile(optimizer, "mse")
        seen[name] = model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0).history
    return seen


def steps_of_optimizers_are_changed(keras: Any) -> dict[str, Any]:
    class Adam(keras.optimizers.Adam):
        def update_step(self, gradient, variable, learning_rate):
            super().update_step(gradient, variable, learning_rate * 2.0)

    class KernelsAlone(keras.optimizers.RMSprop):
        def update_step(self, gradient, variable, learning_rate):
            if len(variable.shape) == 2:
                super().update_step(gradient, variable, learning_rate)

    class Momentum(keras.optimizers.SGD):
        def update_step(self, grad, var, lr):
            super().update_step(keras.ops.clip(grad, -0.5, 0.5), var, lr)

    class Signs(keras.optimizers.Optimizer):
        def __init__(self, learning_rate=0.01, beta=0.9, name="signs", **kwargs):
            super().__init__(learning_rate=learning_rate, name=name, **kwargs)
            self.beta = beta

        def build(self, variables):
            if self.built:
                return
            super().build(variables)
            self.means = self.add_optimizer_variables(variables, "mean")
            self.sums, _ = self.add_optimizer_variables(
                variables, ["sum", "other"], initializer=["ones", "zeros"]
            )

        def update_step(self, gradient, variable, learning_rate):
            mean, total = (slots[self._get_variable_index(variable)] for slots in (self.means, self.sums))
            self.assign(mean, self.beta * mean + (1 - self.beta) * gradient)
            self.assign_add(total, gradient)
            rate = keras.ops.cast(learning_rate, variable.dtype)
            self.assign_sub(variable, keras.ops.sign(mean) * rate * total)

    given = {
        "adam": Adam(0.1),
        "amsgrad": Adam(0.1, amsgrad=True, weight_decay=0.1),
        "kernels": KernelsAlone(0.1),
        "momentum": Momentum(0.1, momentum=0.9, nesterov=True),
        "signs": Signs(),
        "clipped": Signs(clipnorm=0.5),
    }
    seen = {}
    for name, optimizer in given.items():
        model = keras.Sequential([keras.Input((3,)), _dense(keras)])
        model.compile(optimizer, "mse")
        seen[name] = model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0).history["loss"]
    return seen


def schedules_of_their_own(keras: Any) -> dict[str, Any]:
    class Slow(keras.optimizers.schedules.LearningRateSchedule):
        def __init__(self, first):
            self.first = first

        def __call__(self, step):
            return self.first / (step + 1)

    class Ops(Slow):
        def __call__(self, iteration):
            rate = keras.ops.cast(iteration, "float32")
            return keras.ops.minimum(self.first * 0.5, rate * 0.01)

    seen = {}
    for i, schedule in enumerate([Slow(0.1), Ops(0.1)]):
        layer = _dense(keras)
        model = keras.Sequential([keras.Input((3,)), layer])
        model.compile(keras.optimizers.SGD(schedule), "mse")
        seen[str(i)] = model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0).history
    return seen
