"""Programs, buffers and states are used again; none of it may show in a result."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import layers
from gputrain.callbacks import Callback

ONES, ZEROS = np.ones((4, 2), "float32"), np.zeros((4, 2), "float32")


def two_inputs() -> keras.Model:
    a, b = keras.Input((2,), name="a"), keras.Input((2,), name="b")
    model = keras.Model({"a": a, "b": b}, layers.Concatenate()([a, b]))
    model.compile("sgd", "mse")
    return model


def classifier() -> keras.Model:
    model = keras.Sequential([layers.Input((3,)), layers.Dense(4, activation="softmax")])
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def class_data() -> tuple[Any, Any]:
    x = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
    return x, (x[:, 0] > 0).astype(int) + 2 * (x[:, 1] > 0)


def test_the_order_of_keys_does_not_matter() -> None:
    model = two_inputs()
    first = model.predict({"a": ONES, "b": ZEROS}, verbose=0)
    second = model.predict({"b": ZEROS, "a": ONES}, verbose=0)
    listed = model.predict([ONES, ZEROS], verbose=0)
    np.testing.assert_array_equal(first[0], [1, 1, 0, 0])
    np.testing.assert_array_equal(second, first)
    np.testing.assert_array_equal(listed, first)


def test_predict_in_a_callback_leaves_logs_alone() -> None:
    class Nosy(Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.model.predict(class_data()[0][:7], verbose=0)

        def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
            self.model.predict(class_data()[0][:7], verbose=0)

    histories, results = [], []
    for callbacks in ([], [Nosy()]):
        keras.config.set_seed(4)
        model = classifier()
        fit = model.fit(*class_data(), batch_size=16, epochs=2, verbose=0, callbacks=callbacks)
        histories.append(fit.history)
        results.append(model.evaluate(*class_data(), batch_size=16, verbose=0, callbacks=callbacks))
    assert histories[0] == histories[1]
    assert results[0] == results[1]


def test_another_optimizer_takes_over() -> None:
    model = classifier()
    model.fit(*class_data(), epochs=1, verbose=0)
    model.optimizer = keras.optimizers.SGD(0.0)
    before = model.get_weights()
    model.fit(*class_data(), epochs=1, verbose=0)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)
    assert int(model.optimizer.iterations) == 2


def test_decay_is_excluded_before_the_first_step_only() -> None:
    model = classifier()
    model.fit(*class_data(), epochs=1, verbose=0)
    with pytest.raises(ValueError, match="must come before the first step"):
        model.optimizer.exclude_from_weight_decay(var_names=["bias"])


def test_freezing_a_variable_keeps_the_order_of_weights() -> None:
    norm = layers.BatchNormalization()
    norm.build((None, 3))
    norm.gamma.assign(np.full(3, 5.0))
    weights = norm.get_weights()
    norm.gamma.trainable = False
    norm.set_weights(weights)
    np.testing.assert_array_equal(norm.gamma.numpy(), 5.0)


def test_labels_outside_the_classes_name_none_fused_or_not() -> None:
    from gputrain.compiler import gradients
    from gputrain.compiler import rewrite as passes
    from gputrain.ir import Spec, Trace, Value
    from gputrain.runtime import interpret

    labels, logits = np.array([-1, 0, 2, 9]), np.random.default_rng(1).normal(size=(4, 3))
    found = []
    for switched_off in (False, True):
        y, z = Value(Spec((4,), "int64")), Value(Spec((4, 3), "float64"))
        trace = Trace()
        with trace.active():
            output = keras.ops.softmax(z)
            loss = keras.ops.sparse_categorical_crossentropy(y, output)
            with passes.disabled() if switched_off else passes.disabled("none of this name"):
                (slope,) = gradients(keras.ops.sum(loss), [z])
        assert slope is not None
        found.append(interpret(trace.graph([y, z], [loss, slope]), [labels, logits]))
    for fused, plain in zip(*found, strict=True):
        np.testing.assert_allclose(fused, plain, atol=1e-6)
    np.testing.assert_array_equal(found[0][0][[0, 3]], 0.0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_process_computes() -> None:
    model = keras.Sequential([layers.Input((6, 6, 1)), layers.Conv2D(2, 3), layers.Flatten()])
    x = np.random.default_rng(0).normal(size=(8, 6, 6, 1)).astype("float32")
    expected = model.predict(x, verbose=0)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        same = bool((model.predict(x, verbose=0) == expected).all())
        os.write(writer, b"same" if same else b"else")
        os._exit(0)
    os.close(writer)
    assert os.read(reader, 4) == b"same"
    os.waitpid(child, 0)
