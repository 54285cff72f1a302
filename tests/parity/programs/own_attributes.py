"""Attributes of whatever name, and models trained by steps of their own, as users of Keras write them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.parity.means import numbers

X, Y = numbers(12, 3), numbers(12, 1, key="y")
FIT: dict[str, Any] = {"batch_size": 4, "shuffle": False, "verbose": 0}
PLAIN = ["_loss", "_state", "_watch", "_given", "_arguments", "_rate", "_table", "_values", "_schedule"]
PLAIN += ["_weights", "_programs", "_kept", "_own", "_settings", "_trained", "_flat", "_masters", "_no_decay"]
NAMED = ["strategy", "calls", "optimizers", "healthy", "step_counter", "draw_counter", "is_own", "state"]
NAMED += ["direction", "task", "version", "skipped_steps", "memory_plan", "training_state"]
METHODS = ["_prepare", "_results", "_loss_of", "_track_loss", "_alone", "_output_names", "_below", "_by_name"]
METHODS += ["_inline", "_attributes", "_inner", "_doubt", "_clipped", "_decays", "_finite", "_master"]
METHODS += ["_pairs", "_set", "_derived"]


def _ones_own(kind: type) -> type:
    """A subclass with attributes and methods of names that Keras leaves free."""

    def made(self: Any, *args: Any, **kwargs: Any) -> None:
        kind.__init__(self, *args, **kwargs)
        for name in [*PLAIN, *NAMED]:
            setattr(self, name, [name])

    def unlike(self: Any, one: Any, two: Any, three: Any, four: Any) -> None:
        raise AssertionError("only its user calls it")

    return type(kind.__name__, (kind,), {"__init__": made, **dict.fromkeys(METHODS, unlike)})


def _kept(held: Any) -> bool:
    return all(getattr(held, name) == [name] for name in [*PLAIN, *NAMED])


def _dense(keras: Any, units: int, **given: Any) -> Any:
    return keras.layers.Dense(units, kernel_initializer=keras.initializers.Constant(0.3), **given)


def _gradients(keras: Any, loss: Any, variables: Any) -> Any:
    """The gradients of a loss: Keras leaves them to its backend."""
    if hasattr(keras, "gradients"):
        return keras.gradients(loss, variables)
    import torch

    return list(torch.autograd.grad(loss, [v.value for v in variables], create_graph=True))


def _seen(keras: Any, model: Any) -> dict[str, Any]:
    """What training, evaluation and single batches give."""
    history = model.fit(X, Y, epochs=2, validation_data=(X, Y), **FIT).history
    batch = model.train_on_batch(X, Y, return_dict=True)
    return {
        **{f"output {name}": np.asarray(values) for name, values in history.items()},
        **{f"output of a batch {name}": np.asarray(float(value)) for name, value in batch.items()},
        "output predicted": model.predict(X, verbose=0),
        "output called": keras.ops.convert_to_numpy(model(X)),
        "weights": len(model.get_weights()),
        "layers": len(model.layers),
    }


def attributes_of_a_model(keras: Any) -> dict[str, Any]:
    kind = _ones_own(keras.Model)

    class Line(kind):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            super().__init__()
            self.dense = _dense(keras, 1)

        def call(self, x: Any) -> Any:
            return self.dense(x)

    model = Line()
    model.compile(keras.optimizers.SGD(0.1), "mse", metrics=["mae"])
    return {**_seen(keras, model), "kept": _kept(model)}


def attributes_of_a_functional_model(keras: Any) -> dict[str, Any]:
    inputs = keras.Input((3,))
    model = _ones_own(keras.Model)(inputs, _dense(keras, 1)(inputs))
    model.compile(keras.optimizers.SGD(0.1), "mse", metrics=["mae"])
    return {**_seen(keras, model), "kept": _kept(model)}


def attributes_of_a_layer(keras: Any) -> dict[str, Any]:
    layer = _ones_own(keras.layers.Dense)(1, kernel_initializer="ones")
    model = keras.Sequential([keras.Input((3,)), layer])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return {**_seen(keras, model), "kept": _kept(layer)}


def a_weight_in_an_attribute_of_ones_own(keras: Any) -> dict[str, Any]:
    class Scaled(keras.layers.Layer):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self._weights = None

        def build(self, shape: Any) -> None:
            self._weights = self.add_weight(shape=(shape[-1], 1), initializer="ones", name="w")

        def call(self, x: Any) -> Any:
            return keras.ops.matmul(x, self._weights)

    model = keras.Sequential([keras.Input((3,)), Scaled()])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return _seen(keras, model)


def attributes_of_a_metric(keras: Any) -> dict[str, Any]:
    metric = _ones_own(keras.metrics.MeanAbsoluteError)(name="off")
    model = keras.Sequential([keras.Input((3,)), _dense(keras, 1)])
    model.compile(keras.optimizers.SGD(0.1), "mse", metrics=[metric])
    return {**_seen(keras, model), "kept": _kept(metric)}


def attributes_of_a_loss(keras: Any) -> dict[str, Any]:
    loss = _ones_own(keras.losses.MeanSquaredError)()
    model = keras.Sequential([keras.Input((3,)), _dense(keras, 1)])
    model.compile(keras.optimizers.SGD(0.1), loss)
    return {**_seen(keras, model), "kept": _kept(loss)}


def attributes_of_optimizers(keras: Any) -> dict[str, Any]:
    seen = {}
    for kind in ("SGD", "Adam", "RMSprop"):
        optimizer = _ones_own(getattr(keras.optimizers, kind))(learning_rate=0.01)
        model = keras.Sequential([keras.Input((3,)), _dense(keras, 1)])
        model.compile(optimizer, "mse")
        found = {name: value for name, value in _seen(keras, model).items() if name.startswith("output")}
        seen |= {f"{name} {kind}": value for name, value in found.items()}
        seen[f"kept {kind}"] = _kept(optimizer)
    return seen


def attributes_of_a_callback(keras: Any) -> dict[str, Any]:
    callback = _ones_own(keras.callbacks.Callback)()
    model = keras.Sequential([keras.Input((3,)), _dense(keras, 1)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(X, Y, callbacks=[callback], **FIT)
    return {**_seen(keras, model), "kept": _kept(callback)}


def two_networks_with_a_list_of_optimizers(keras: Any) -> dict[str, Any]:
    ops = keras.ops

    class Gan(keras.Model):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.critic = keras.Sequential([keras.Input((3,)), _dense(keras, 4), _dense(keras, 1)])
            self.maker = keras.Sequential([keras.Input((2,)), _dense(keras, 3)])
            self.networks = [self.critic, self.maker]
            self.trackers = {name: keras.metrics.Mean(name=name) for name in ("d_loss", "g_loss")}
            self.built = True

        def compile(self, optimizers: Any, loss_fn: Any) -> None:
            super().compile()
            self.optimizers, self.loss_fn = optimizers, loss_fn

        @property
        def metrics(self) -> Any:
            return list(self.trackers.values())

        def train_step(self, data: Any) -> Any:
            real = data[0] if isinstance(data, tuple) else data
            drawn = ops.ones((ops.shape(real)[0], 2)) * 0.5
            one = ops.ones((ops.shape(real)[0], 1))
            both = ops.concatenate([self.maker(drawn), real], axis=0)
            said = self.critic(both)
            losses = [self.loss_fn(ops.concatenate([one, one * 0.0], axis=0), said)]
            self._update(0, losses[0])
            losses.append(self.loss_fn(one * 0.0, self.critic(self.maker(drawn))))
            self._update(1, losses[1])
            for tracker, loss in zip(self.metrics, losses, strict=True):
                tracker.update_state(loss)
            return {tracker.name: tracker.result() for tracker in self.metrics}

        def _update(self, which: int, loss: Any) -> None:
            weights = self.networks[which].trainable_weights
            self.optimizers[which].apply(_gradients(keras, loss, weights), weights)

    model = Gan()
    model.compile(
        [keras.optimizers.SGD(0.03), keras.optimizers.SGD(0.1)],
        keras.losses.BinaryCrossentropy(from_logits=True),
    )
    history = model.fit(X, epochs=2, **FIT).history
    made = model.maker.predict(np.ones((2, 2), "float32"), verbose=0)
    return {**{f"output {name}": np.asarray(values) for name, values in history.items()}, "output made": made}


def triplets_with_a_loss_method_of_ones_own(keras: Any) -> dict[str, Any]:
    ops = keras.ops
    inputs = [keras.Input((3,), name=name) for name in ("anchor", "positive", "negative")]
    embed = keras.Sequential([keras.Input((3,)), _dense(keras, 2)], name="embed")
    a, p, n = (embed(i) for i in inputs)
    network = keras.Model(inputs, [ops.sum(ops.square(a - p), -1), ops.sum(ops.square(a - n), -1)])

    class Siamese(keras.Model):  # type: ignore[name-defined, misc]
        def __init__(self, network: Any, margin: float = 0.5) -> None:
            super().__init__()
            self.network, self.margin = network, margin
            self.loss_tracker = keras.metrics.Mean(name="loss")

        def call(self, inputs: Any) -> Any:
            return self.network(inputs)

        def train_step(self, data: Any) -> Any:
            loss = self._loss(data)
            weights = self.network.trainable_weights
            self.optimizer.apply(_gradients(keras, ops.mean(loss), weights), weights)
            self.loss_tracker.update_state(loss)
            return {"loss": self.loss_tracker.result()}

        def test_step(self, data: Any) -> Any:
            self.loss_tracker.update_state(self._loss(data))
            return {"loss": self.loss_tracker.result()}

        def _loss(self, data: Any) -> Any:
            near, far = self.network(data[0] if isinstance(data, tuple) else data)
            return ops.maximum(near - far + self.margin, 0.0)

        @property
        def metrics(self) -> Any:
            return [self.loss_tracker]

    triple = [X, numbers(12, 3, key="p"), numbers(12, 3, key="n")]
    model = Siamese(network)
    model.compile(optimizer=keras.optimizers.SGD(0.1), weighted_metrics=[])
    history = model.fit(triple, epochs=2, validation_data=(triple,), **FIT).history
    return {
        **{f"output {name}": np.asarray(values) for name, values in history.items()},
        "output evaluated": np.asarray(model.evaluate(triple, verbose=0)),
        "weight": embed.get_weights()[0],
    }
