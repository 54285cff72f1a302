"""CallbackList: order, which hooks are called, monitors checked before the first epoch."""

import pytest

from gputrain.callbacks import (
    Callback,
    CallbackList,
    CSVLogger,
    EarlyStopping,
    History,
    LambdaCallback,
    ProgbarLogger,
    TerminateOnNaN,
)

HOOKS = [name for name in vars(Callback) if name.startswith("on_")]


class Model:
    """As much of a model as callbacks see."""

    stop_training = False


class LazyLogs(dict):
    """Logs that must not be read."""

    def __getitem__(self, name):
        raise AssertionError(f"{name} was fetched from the device")

    items = values = get = __getitem__


class Recorder(Callback):
    def __init__(self, calls, name):
        super().__init__()
        self.calls, self.name = calls, name


def _record(hook):
    def method(self, *arguments, **keywords):
        self.calls.append((self.name, hook, arguments))

    return method


for _hook in HOOKS:
    setattr(Recorder, _hook, _record(_hook))


def test_every_hook_reaches_every_callback_in_order():
    calls = []
    both = CallbackList([Recorder(calls, "a"), [Recorder(calls, "b")]])
    for hook in HOOKS:
        aliased = hook.replace("on_batch", "on_train_batch")
        arguments = (3, {"loss": 1.0}) if "batch" in hook or "epoch" in hook else ({"loss": 1.0},)
        calls.clear()
        getattr(both, hook)(*arguments)
        assert calls == [("a", aliased, arguments), ("b", aliased, arguments)]


def test_logs_by_keyword():
    calls = []
    both = CallbackList(Recorder(calls, "a"))
    both.on_epoch_end(1, logs={"x": 1})
    both.on_train_begin(logs=None)
    assert calls == [("a", "on_epoch_end", (1, {"x": 1})), ("a", "on_train_begin", ({},))]


def test_old_names_of_batch_hooks_are_called():
    class Old(Callback):
        seen = ()

        def on_batch_end(self, batch, logs=None):
            self.seen += (batch,)

    old = Old()
    callbacks = CallbackList([old])
    assert callbacks.listens("on_train_batch_end")
    assert not callbacks.listens("on_train_batch_begin")
    callbacks.on_train_batch_begin(0)
    callbacks.on_train_batch_end(0, {})
    callbacks.on_train_batch_end(1, {})
    assert old.seen == (0, 1)


def test_hooks_not_overridden_are_not_called():
    callbacks = CallbackList([EarlyStopping(), History(), Callback(), LambdaCallback(on_epoch_end=print)])
    for hook in HOOKS:
        if "batch" in hook:
            assert not callbacks.listens(hook)
            getattr(callbacks, hook)(0, LazyLogs(loss=1.0))
    assert callbacks.listens("on_epoch_end")


def test_functions_set_later_are_found_when_training_begins():
    late, seen = Callback(), []
    callbacks = CallbackList([late])
    late.on_train_batch_end = lambda batch, logs=None: seen.append(batch)
    callbacks.on_train_begin()
    callbacks.on_train_batch_end(4)
    assert seen == [4]


def test_defaults_are_added_once():
    model, own = Model(), History()
    callbacks = CallbackList(
        [own], add_history=True, add_progbar=True, model=model, verbose=0, epochs=1, steps=2
    )
    assert [type(callback) for callback in callbacks] == [History, ProgbarLogger]
    assert model.history is own
    assert own.model is model
    assert own.params == {"verbose": 0, "epochs": 1, "steps": 2}
    assert list(CallbackList()) == []
    callbacks.append(TerminateOnNaN())
    assert callbacks.listens("on_train_batch_end")


def test_only_callbacks():
    with pytest.raises(
        TypeError, match=r"must be gputrain\.callbacks\.Callback objects.*For a function use Lambda"
    ):
        CallbackList([print])


@pytest.mark.parametrize("others", [[], [CSVLogger("x.csv"), TerminateOnNaN(), History()]])
def test_unknown_monitor_before_the_first_epoch(others):
    calls = []
    callbacks = CallbackList([*others, EarlyStopping("val_acuracy")], metrics=["loss", "val_accuracy"])
    message = (
        r"EarlyStopping: monitor must be a name in the logs.*'val_acuracy'\. Did you mean 'val_accuracy'\?"
    )
    with pytest.raises(ValueError, match=message):
        callbacks.on_train_begin()
    assert calls == []


def test_no_validation_data_is_said():
    with pytest.raises(
        ValueError, match=r"Known names: loss\. Pass validation data to fit to have val_ names\."
    ):
        CallbackList([EarlyStopping()], metrics=["loss"]).on_train_begin()


def test_a_monitor_may_come_from_the_users_callback():
    class Adds(Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["val_f1"] = 0.5

    stop = EarlyStopping("val_f1")
    callbacks = CallbackList([Adds(), stop], metrics=["loss"], model=Model())
    callbacks.on_train_begin()
    callbacks.on_epoch_end(0, {"loss": 1.0})
    assert stop.best == 0.5
