"""Callbacks in real training: rates that reach the optimizer, samples that reach the bar."""

import json
import re

import numpy as np
import pytest

from gputrain import callbacks, layers, models, optimizers

X = np.linspace(-1, 1, 20, dtype=np.float32).reshape(10, 2)
Y = X[:, :1] * 2


def model(rate=0.5):
    dense = layers.Dense(1, kernel_initializer="zeros", use_bias=False)
    made = models.Sequential([layers.Input((2,)), dense])
    made.compile(optimizers.SGD(rate), "mse")
    return made


def test_the_scheduled_rate_is_the_one_of_the_steps():
    """With a rate of 0 in the second epoch, its weights are those of the first."""
    weights = []
    watch = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: weights.append(made.get_weights()[0]))
    made = model()
    rates = [0.25, 0.0, 0.5]
    scheduler = callbacks.LearningRateScheduler(lambda epoch: rates[epoch])
    history = made.fit(X, Y, batch_size=10, epochs=3, callbacks=[scheduler, watch], verbose=0)
    assert history.history["learning_rate"] == rates
    # d(mean((x w - y)^2))/dw at w = 0, by hand
    np.testing.assert_allclose(weights[0], 0.25 * 2 * X.T @ Y / 10, rtol=1e-5)
    np.testing.assert_array_equal(weights[1], weights[0])
    assert np.abs(weights[2] - weights[1]).max() > 1e-3


def test_the_rate_is_lowered_in_fit(tmp_path):
    made = model(rate=0.0)
    plateau = callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=2, min_delta=0.0)
    lines = callbacks.JSONLinesLogger(tmp_path / "log.jsonl")
    made.optimizer.learning_rate = 1e-20
    history = made.fit(X, Y, batch_size=10, epochs=5, callbacks=[plateau, lines], verbose=0)
    rate = float(np.float32(1e-20))
    assert history.history["learning_rate"] == pytest.approx([rate] * 3 + [rate / 2] * 2)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["learning_rate"] for row in rows] == history.history["learning_rate"]
    assert [row["loss"] for row in rows] == history.history["loss"]


@pytest.mark.parametrize(
    "callback", [callbacks.ReduceLROnPlateau("loss"), callbacks.LearningRateScheduler(lambda epoch: 0.1)]
)
def test_an_optimizer_with_a_schedule_is_refused_before_the_first_step(callback):
    made = model(optimizers.schedules.ExponentialDecay(0.1, 10, 0.9))
    name = type(callback).__name__
    with pytest.raises(TypeError, match=f"{name} needs an optimizer whose .* LearningRateSchedule"):
        made.fit(X, Y, callbacks=[callback], verbose=0)
    assert int(made.step_counter) == 0


def test_a_rate_that_cannot_be_is_refused():
    scheduler = callbacks.LearningRateScheduler(lambda epoch: float("nan"))
    with pytest.raises(ValueError, match="learning_rate is a non-negative number"):
        model().fit(X, Y, callbacks=[scheduler], verbose=0)


def sizes(run):
    """The samples of each batch that `run` was given."""
    seen = []

    class Watch(callbacks.Callback):
        def samples_ahead(self, size):
            seen.append(size)

    run(Watch())
    return seen


def test_callbacks_are_told_the_samples_of_a_batch():
    made = model()
    assert sizes(lambda watch: made.fit(X, Y, batch_size=4, callbacks=[watch], verbose=0)) == [4, 4, 2]
    assert sizes(lambda watch: made.evaluate(X, Y, batch_size=6, callbacks=[watch], verbose=0)) == [6, 4]
    assert sizes(lambda watch: made.predict(X, batch_size=7, callbacks=[watch], verbose=0)) == [7, 3]
    batches = [(X[:3], Y[:3]), (X[3:], Y[3:])]
    assert sizes(lambda watch: made.fit(iter(batches), callbacks=[watch], verbose=0)) == [3, 7]
    made.compile("sgd", "mse", steps_per_execution=2)
    assert sizes(lambda watch: made.fit(X, Y, batch_size=4, callbacks=[watch], verbose=0)) == [8, 2]


def test_the_line_of_an_epoch_says_samples_per_second(capsys):
    made = model()
    made.fit(X, Y, batch_size=4, validation_data=(X, Y), verbose=2)
    made.evaluate(X, Y, verbose=2)
    made.predict(X, verbose=2)
    pace = r"0s - [\d.]+[mu]?s/step - [\d.]+[kM]? samples/s"
    fit, evaluate, predict = capsys.readouterr().out.splitlines()
    assert re.fullmatch(rf"Epoch 1/1 - 3/3 - {pace} - loss: [\d.]+ - val_loss: [\d.]+", fit)
    assert re.fullmatch(rf"Evaluate - 1/1 - {pace} - loss: [\d.]+", evaluate)
    assert re.fullmatch(rf"Predict - 1/1 - {pace}", predict)


def test_a_callback_that_fails_on_an_exception_hides_nothing():
    """The error is the one that ended fit, and those after it hear of it, too."""
    heard = []

    class Ends(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise RuntimeError("the cause")

        def on_exception(self, exception):
            raise OSError("no room")

    class Hears(callbacks.Callback):
        def on_exception(self, exception):
            heard.append(str(exception))

    with pytest.raises(RuntimeError, match="the cause") as caught:
        model().fit(X, Y, callbacks=[Ends(), Hears()], verbose=0)
    assert heard == ["the cause"]
    (told,) = caught.value.__notes__
    assert told.endswith("Ends.on_exception failed: OSError: no room")
