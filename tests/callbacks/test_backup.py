"""BackupAndRestore, fit(resume=...), and what goes on beside them."""

from __future__ import annotations

import functools
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import callbacks
from gputrain.callbacks.backup import NEWEST, PREVIOUS
from gputrain.data.io.errors import CorruptFileError
from gputrain.models.training import identity
from gputrain.saving import checkpoint
from gputrain.utils import notes
from tests.saving.trainings import CASES, X, Y, built, settings

pytestmark = pytest.mark.cpu_only("tests/saving/test_state_tree.py goes on with trainings on any device")


class Fails(callbacks.Callback):
    """Ends a training after some batches, or in a validation."""

    def __init__(self, at: int, hook: str = "on_train_batch_end") -> None:
        super().__init__()
        self.left = at
        setattr(self, hook, self._count)

    def _count(self, batch: int, logs: Any = None) -> None:
        self.left -= 1
        if not self.left:
            raise RuntimeError("a crash")


def weights(model: Any) -> list[bytes]:
    return [array.tobytes() for array in model.get_weights()]


def full(*arguments: Any) -> None:
    raise OSError(28, "No space left on device", "checkpoint.npz")


def crash(case: str, at: int, *more: Any, hook: str = "on_train_batch_end", log: Path | None = None) -> None:
    model, listeners = built(case)
    logger = [callbacks.CSVLogger(log), callbacks.JSONLinesLogger(f"{log}l")] if log else []
    with pytest.raises(RuntimeError, match="a crash"):
        model.fit(**settings(case), callbacks=[Fails(at, hook), *more, *listeners, *logger])


@pytest.mark.parametrize("case", CASES)
def test_a_crashed_training_ends_as_if_it_had_not(case: str, tmp_path: Path) -> None:
    logs = [tmp_path / "through.csv", tmp_path / "again.csv"]
    through, listeners = built(case)
    loggers = [callbacks.CSVLogger(logs[0]), callbacks.JSONLinesLogger(f"{logs[0]}l")]
    history = through.fit(**settings(case), callbacks=[*listeners, *loggers])

    crash(case, 25, callbacks.BackupAndRestore(tmp_path / "backup", save_freq=4), log=logs[1])
    keras.config.set_seed(99)  # all is built anew, of other weights
    again, listeners = built(case)
    seen: list[int] = []
    counting = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch))
    loggers = [callbacks.CSVLogger(logs[1]), callbacks.JSONLinesLogger(f"{logs[1]}l")]
    backup = callbacks.BackupAndRestore(tmp_path / "backup", save_freq=4)
    resumed = again.fit(**settings(case), callbacks=[backup, counting, *listeners, *loggers])
    assert 0 < len(seen) < int(through.step_counter)
    assert weights(again) == weights(through)
    assert resumed.history == history.history
    for ending in ("", "l"):
        assert Path(f"{logs[1]}{ending}").read_text() == Path(f"{logs[0]}{ending}").read_text()
    assert not (tmp_path / "backup").exists()


@pytest.mark.parametrize("hook", ["on_test_batch_end", "on_epoch_end"])
def test_a_crash_between_epochs(hook: str, tmp_path: Path) -> None:
    case = "a plateau, arrays"
    through, listeners = built(case)
    through.fit(**settings(case), callbacks=listeners)
    crash(case, 3, callbacks.BackupAndRestore(tmp_path, save_freq=1), hook=hook)
    again, listeners = built(case)
    again.fit(**settings(case), callbacks=[callbacks.BackupAndRestore(tmp_path), *listeners])
    assert weights(again) == weights(through)


def test_one_that_was_stopped_stays_stopped(tmp_path: Path) -> None:
    """The checkpoint of the epoch after which EarlyStopping acts knows it."""
    case = "a plateau, an iterable"
    through, listeners = built(case)
    stopped = len(through.fit(**settings(case), callbacks=listeners).epoch)
    assert stopped < settings(case)["epochs"]

    class AtTheEnd(callbacks.Callback):
        def on_train_end(self, logs: Any = None) -> None:
            raise RuntimeError("a crash")

    model, listeners = built(case)
    with pytest.raises(RuntimeError, match="a crash"):
        model.fit(**settings(case), callbacks=[AtTheEnd(), callbacks.BackupAndRestore(tmp_path), *listeners])
    again, listeners = built(case)
    history = again.fit(**settings(case), callbacks=[*listeners, callbacks.BackupAndRestore(tmp_path)])
    assert len(history.epoch) == stopped
    assert weights(again) == weights(through)


def test_fit_resumes_where_it_is_told(tmp_path: Path) -> None:
    case = "a schedule, arrays"
    through, _ = built(case)
    through.fit(**settings(case))
    crash(case, 20, callbacks.BackupAndRestore(tmp_path, save_freq=3))
    again, _ = built(case)
    history = again.fit(**settings(case), resume=tmp_path / NEWEST)
    assert weights(again) == weights(through)
    assert history.epoch == list(range(settings(case)["epochs"]))
    assert (tmp_path / NEWEST).exists()


def test_more_epochs_may_follow(tmp_path: Path) -> None:
    case = "a schedule, arrays"
    short, _ = built(case)
    backup = callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
    short.fit(**{**settings(case), "epochs": 2}, callbacks=[backup])
    again, _ = built(case)
    history = again.fit(**{**settings(case), "epochs": 3}, resume=tmp_path / NEWEST)
    assert history.epoch == [0, 1, 2]
    through, _ = built(case)
    through.fit(**{**settings(case), "epochs": 3})
    assert weights(again) == weights(through)


def changed_rate(model: Any) -> None:
    optimizer = keras.optimizers.Adam(0.02, clipnorm=0.5)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])


OTHERS: dict[str, tuple[Any, dict[str, Any], str]] = {
    "other data": (None, {"x": X + 1}, r"data\.x: float32 \(120, 8, 8, 1\), \w{16} there, float32"),
    "fewer samples": (None, {"x": X[:100], "y": Y[:100]}, r"data\.x: .* there, float32 \(100, 8, 8, 1\)"),
    "other labels": (None, {"y": Y[::-1]}, r"data\.y: "),
    "another validation": (None, {"validation_data": (X[:20], Y[:20])}, r"validation\.x: "),
    "another batch size": (None, {"batch_size": 8}, r"fit\.batch_size: 16 there, 8 here"),
    "no shuffling": (None, {"shuffle": False}, r"fit\.shuffle: True there, False here"),
    "another rate": (changed_rate, {}, r"compile\.optimizer\.config\.learning_rate: 0\.01 there, 0\.02 here"),
}


@pytest.mark.parametrize(("change", "given", "told"), OTHERS.values(), ids=OTHERS)
def test_another_training_is_refused(change: Any, given: Any, told: str, tmp_path: Path) -> None:
    case = "a plateau, arrays"
    crash(case, 6, callbacks.BackupAndRestore(tmp_path, save_freq=2))
    model, listeners = built(case)
    if change is not None:
        change(model)
    before = weights(model)
    with pytest.raises(ValueError, match=rf"is of another training, .*{told}"):
        model.fit(**{**settings(case), **given}, callbacks=[callbacks.BackupAndRestore(tmp_path), *listeners])
    assert weights(model) == before
    assert (tmp_path / NEWEST).exists()


def test_names_that_layers_got_by_themselves_do_not_matter(tmp_path: Path) -> None:
    crash("a schedule, arrays", 6, callbacks.BackupAndRestore(tmp_path, save_freq=2))
    built("a schedule, arrays")
    model, _ = built("a schedule, arrays")  # dense_2, dropout_2 ...
    model.fit(**settings("a schedule, arrays"), resume=tmp_path / NEWEST)


def test_another_model_is_refused(tmp_path: Path) -> None:
    crash("a schedule, arrays", 6, callbacks.BackupAndRestore(tmp_path, save_freq=2))
    model, _ = built("a schedule, arrays")
    model.layers[-2].rate = 0.2
    with pytest.raises(ValueError, match=r"model\.layers\[6\]\.config\.rate: 0\.3 there, 0\.2 here"):
        model.fit(**settings("a schedule, arrays"), resume=tmp_path / NEWEST)


def test_other_callbacks_are_refused(tmp_path: Path) -> None:
    crash("a plateau, arrays", 6, callbacks.BackupAndRestore(tmp_path, save_freq=2))
    model, listeners = built("a plateau, arrays")
    told = (
        rf"{NEWEST}: this training cannot resume there\. callbacks: .*"
        r"Received: ReduceLROnPlateau is missing\. Give fit the same callbacks\. "
        r"To begin anew, delete that file\.$"
    )
    with pytest.raises(ValueError, match=told):
        model.fit(**settings("a plateau, arrays"), resume=tmp_path / NEWEST, callbacks=listeners[:1])


@pytest.mark.parametrize("verbose", [0, 2])
def test_an_interrupt_says_where_the_state_is_and_the_rerun_where_it_resumes(
    verbose: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    case = "a schedule, arrays"
    given = {**settings(case), "verbose": verbose}

    def interrupt(batch: int, logs: Any = None) -> None:
        if batch == 5:
            raise KeyboardInterrupt

    model, _ = built(case)
    pressed = callbacks.LambdaCallback(on_train_batch_end=interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(**given, callbacks=[callbacks.BackupAndRestore(tmp_path, save_freq=4), pressed])
    again, _ = built(case)
    again.fit(**given, callbacks=[callbacks.BackupAndRestore(tmp_path)])
    where = tmp_path / NEWEST
    told = [
        f"The training was interrupted. Its state is in {where}: run the same program again to resume.",
        f"fit resumes after batch 4 of epoch 1, from {where}",
    ]
    assert [text for text in caplog.messages if str(where) in text] == (told if verbose else [])


def test_no_checkpoint(tmp_path: Path) -> None:
    model, _ = built("a schedule, arrays")
    with pytest.raises(FileNotFoundError):
        model.fit(**settings("a schedule, arrays"), resume=tmp_path / "none.npz")


def test_the_one_before_serves_where_the_last_is_damaged(tmp_path: Path) -> None:
    case = "a schedule, arrays"
    backup = callbacks.BackupAndRestore(tmp_path, save_freq=2, double_checkpoint=True)
    crash(case, 12, backup)
    assert checkpoint.read(tmp_path / PREVIOUS).tree["training"]["step"] > 0
    (tmp_path / NEWEST).write_bytes((tmp_path / NEWEST).read_bytes()[:-100])
    again, _ = built(case)
    again.fit(**settings(case), callbacks=[callbacks.BackupAndRestore(tmp_path, double_checkpoint=True)])
    through, _ = built(case)
    through.fit(**settings(case))
    assert weights(again) == weights(through)
    assert not list(tmp_path.parent.glob(tmp_path.name))


def test_a_damaged_checkpoint_says_how_to_begin_anew(tmp_path: Path) -> None:
    case = "a schedule, arrays"
    crash(case, 12, callbacks.BackupAndRestore(tmp_path, save_freq=2))
    (tmp_path / NEWEST).write_bytes((tmp_path / NEWEST).read_bytes()[:-100])
    model, _ = built(case)
    with pytest.raises(CorruptFileError, match=rf"{NEWEST}: .*Received: .*delete this file to begin anew\.$"):
        model.fit(**settings(case), callbacks=[callbacks.BackupAndRestore(tmp_path)])
    (tmp_path / NEWEST).unlink()
    model.fit(**{**settings(case), "epochs": 1}, callbacks=[callbacks.BackupAndRestore(tmp_path)])


def test_a_full_disk_after_that_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = "a schedule, arrays"
    crash(case, 12, callbacks.BackupAndRestore(tmp_path, save_freq=2, double_checkpoint=True))
    (tmp_path / NEWEST).write_bytes((tmp_path / NEWEST).read_bytes()[:-100])
    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "write_npz", full)
        crash(case, 3, callbacks.BackupAndRestore(tmp_path, save_freq=1, double_checkpoint=True))
    again, _ = built(case)
    again.fit(**settings(case), callbacks=[callbacks.BackupAndRestore(tmp_path, double_checkpoint=True)])
    through, _ = built(case)
    through.fit(**settings(case))
    assert weights(again) == weights(through)


def test_what_cannot_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in (NEWEST, PREVIOUS):
        (tmp_path / name).touch()

    def forbidden(path: Path) -> Any:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("gputrain.callbacks.backup.read", forbidden)
    assert callbacks.BackupAndRestore(tmp_path).resumes_from() == tmp_path / PREVIOUS
    assert "could not be read, so it is not used: [Errno 13] Permission denied" in caplog.text


def test_arrays_of_a_state_are_those_of_its_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A callback goes on to write into the array that its `state()` gave, while the thread writes."""

    class Counts(callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.seen = np.zeros(3)

        def state(self) -> dict[str, Any]:
            return {"seen": self.seen}

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.seen += 1
            goes_on.set() if self.seen[0] > 4 else None

    goes_on, write = threading.Event(), checkpoint.write_members
    found: list[tuple[int, float]] = []

    def slow(path: Path, *given: Any) -> None:
        assert goes_on.wait(60)
        write(path, *given)
        tree = checkpoint.read(path).tree
        found.append((int(tree["training"]["step"]), tree["callbacks"]["Counts"]["seen"][0]))

    monkeypatch.setattr(checkpoint, "write_members", slow)
    model, _ = built("a schedule, arrays")
    backup = callbacks.BackupAndRestore(tmp_path, save_freq=1)
    model.fit(**{**settings("a schedule, arrays"), "epochs": 1}, callbacks=[Counts(), backup])
    assert found[0] == (1, 1)
    assert all(step == seen for step, seen in found)


def test_false_saves_nothing(tmp_path: Path) -> None:
    model, _ = built("a schedule, arrays")
    backup = callbacks.BackupAndRestore(tmp_path, save_freq=False, delete_checkpoint=False)
    model.fit(**{**settings("a schedule, arrays"), "epochs": 1}, callbacks=[backup])
    assert not list(tmp_path.iterdir())


@pytest.mark.cpu_only("when threads write is the same on all devices")
def test_training_does_not_wait_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one is being written others fall due; the newest is written when it is done."""
    goes_on, write, steps = threading.Event(), checkpoint.write_members, []

    def slow(path: Path, *given: Any) -> None:
        assert goes_on.wait(60)
        write(path, *given)
        steps.append(int(checkpoint.read(path).tree["training"]["step"]))

    monkeypatch.setattr(checkpoint, "write_members", slow)
    last = callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: epoch == 2 and goes_on.set())
    model, _ = built("a schedule, arrays")
    backup = callbacks.BackupAndRestore(tmp_path, save_freq=1, delete_checkpoint=False)
    model.fit(**{**settings("a schedule, arrays"), "epochs": 3}, callbacks=[backup, last])
    assert steps[0] == 1
    assert steps[1] > 16
    assert steps[-1] == 24


def test_a_full_disk_is_noted_and_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    notes.forget()  # other tests write to a full disk too
    monkeypatch.setattr(checkpoint, "write_npz", full)
    model, _ = built("a schedule, arrays")
    model.fit(
        **{**settings("a schedule, arrays"), "epochs": 2}, callbacks=[callbacks.BackupAndRestore(tmp_path)]
    )
    assert int(model.step_counter) == 16
    assert "the one before it stays: [Errno 28] No space left on device" in caplog.text


def test_what_cannot_be_saved_ends_the_training(tmp_path: Path) -> None:
    class Odd(callbacks.Callback):
        def state(self) -> dict[str, Any]:
            return {"seen": {1, 2}}

    model, _ = built("a schedule, arrays")
    with pytest.raises(TypeError, match=r"'callbacks', 'Odd', 'seen'\. .*a set\. Let state\(\) give"):
        model.fit(**settings("a schedule, arrays"), callbacks=[Odd(), callbacks.BackupAndRestore(tmp_path)])


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"backup_dir": ""}, "backup_dir must name a folder"),
        ({"backup_dir": "a", "save_freq": 0}, "save_freq must be 'epoch' or a number of batches"),
        ({"backup_dir": "a", "save_freq": "batch"}, "save_freq must be"),
        ({"backup_dir": "a", "double_checkpoint": 1}, "double_checkpoint must be True or False"),
    ],
)
def test_arguments(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        callbacks.BackupAndRestore(**given)


def test_a_checkpoint_of_another_device_is_plain_numpy(tmp_path: Path) -> None:
    crash("a schedule, arrays", 6, callbacks.BackupAndRestore(tmp_path, save_freq=2))
    kept = checkpoint.read(tmp_path / NEWEST).tree["weights"]
    assert all(isinstance(array, np.ndarray) for array in kept.values())


# ----------------------------------------------------------------------------------- losses of the user's own


class Scaled(keras.losses.Loss):
    """Its config leaves out by what it scales."""

    def __init__(self, scale: Any, inner: Any = None) -> None:
        super().__init__()
        self.scale, self._inner = scale, inner

    def call(self, y: Any, outputs: Any) -> Any:
        return self.scale * keras.ops.mean(keras.ops.square(y - outputs), axis=-1)


class WithoutConfig(Scaled):
    def get_config(self) -> Any:
        raise NotImplementedError


def scaled(scale: Any) -> Any:
    def loss(y: Any, outputs: Any) -> Any:
        return scale * keras.ops.mean(keras.ops.square(y - outputs), axis=-1)

    return loss


def with_default(scale: Any) -> Any:
    return lambda y, outputs, scale=scale: scaled(scale)(y, outputs)


def partly(scale: Any) -> Any:
    return functools.partial(lambda factor, y, outputs: scaled(factor)(y, outputs), scale)


MADE = {
    "a class": Scaled,
    "a class without a config": WithoutConfig,
    "a loss within a loss": lambda scale: Scaled(1.0, Scaled(scale)),
    "a function that captured it": scaled,
    "a default": with_default,
    "a part of a function": partly,
    "several": lambda scale: {"out": WithoutConfig(scale)},
    "an array": lambda scale: Scaled(np.full(1, scale, "float32")),
}


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_losses_of_one_class_are_told_apart(make: Any, tmp_path: Path) -> None:
    x, y = np.ones((8, 3), "float32"), np.ones((8, 2), "float32")

    def fit(scale: float, **arguments: Any) -> Any:
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="out")])
        model.compile("sgd", make(scale))
        return model.fit(x, y, verbose=0, shuffle=False, **arguments)

    backup = callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
    fit(2.0, epochs=1, callbacks=[backup])
    with pytest.raises(ValueError, match=r"is of another training, .*compile\.loss.*made_with"):
        fit(3.0, epochs=2, resume=tmp_path / NEWEST)
    assert fit(2.0, epochs=2, resume=tmp_path / NEWEST).epoch == [0, 1]


def test_a_loss_that_holds_itself_is_described() -> None:
    """To some depth."""
    loss = Scaled(1.0)
    loss._inner = [loss]
    assert "made_with" in identity._serialized(loss)
