"""ModelCheckpoint: when it saves, under which names, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import callbacks
from gputrain.callbacks import ModelCheckpoint
from gputrain.callbacks.backup import BackupAndRestore

X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
QUIET: dict[str, Any] = {"verbose": 0, "batch_size": 8}


class Logs(callbacks.Callback):
    """Sets what the logs of each epoch say."""

    def __init__(self, values: list[float]) -> None:
        super().__init__()
        self.values = values

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs["score"] = self.values[epoch]


def model() -> Any:
    keras.config.set_seed(3)
    made = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    made.compile("sgd", "mse", metrics=["mae"])
    return made


def fit(given: ModelCheckpoint, epochs: int = 3, *before: Any, **more: Any) -> Any:
    made = model()
    made.fit(X, X.sum(axis=1), epochs=epochs, callbacks=[*before, given], **{**QUIET, **more})
    return made


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_it_saves_after_each_epoch(tmp_path: Path) -> None:
    made = fit(ModelCheckpoint(tmp_path / "below" / "{epoch:02d}-{loss:.1f}.keras"))
    losses = made.history.history["loss"]
    assert names(tmp_path) == [f"below/{i:02d}-{loss:.1f}.keras" for i, loss in enumerate(losses, 1)]


@pytest.mark.parametrize("ending", [".weights.h5", ".safetensors", ".npz"])
def test_it_saves_weights_alone(tmp_path: Path, ending: str) -> None:
    pytest.importorskip("h5py" if ending == ".weights.h5" else "safetensors")
    made = fit(ModelCheckpoint(tmp_path / f"a{ending}", save_weights_only=True))
    other = model()
    other.load_weights(tmp_path / f"a{ending}")
    for one, two in zip(other.get_weights(), made.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_what_it_saved_is_the_model_of_that_moment(tmp_path: Path) -> None:
    made = fit(ModelCheckpoint(tmp_path / "{epoch}.keras"), 2)
    first = fit(ModelCheckpoint(tmp_path / "other.keras"), 1)
    loaded = keras.models.load_model(tmp_path / "1.keras")
    np.testing.assert_array_equal(loaded.get_weights()[0], first.get_weights()[0])
    loaded = keras.models.load_model(tmp_path / "2.keras")
    np.testing.assert_array_equal(loaded.get_weights()[0], made.get_weights()[0])


@pytest.mark.parametrize(
    ("mode", "threshold", "saved"),
    [("max", None, [1, 3]), ("min", None, [1, 2, 4]), ("max", 2.5, [3]), ("min", 0.5, [4])],
)
def test_only_the_best(tmp_path: Path, mode: str, threshold: float | None, saved: list[int]) -> None:
    given = ModelCheckpoint(
        tmp_path / "{epoch}.keras", "score", 0, True, mode=mode, initial_value_threshold=threshold
    )
    fit(given, 5, Logs([2.0, 1.0, 3.0, 0.0, float("nan")]))
    assert names(tmp_path) == [f"{number}.keras" for number in saved]


def test_the_best_of_an_earlier_fit_counts(tmp_path: Path) -> None:
    given = ModelCheckpoint(tmp_path / "{epoch}.keras", "score", save_best_only=True, mode="max")
    made = fit(given, 1, Logs([2.0]))
    for value, there in ((1.0, ["1.keras"]), (3.0, ["1.keras", "2.keras"])):
        made.fit(X, X.sum(axis=1), initial_epoch=1, epochs=2, callbacks=[Logs([0, value]), given], **QUIET)
        assert names(tmp_path) == there


def test_what_could_not_be_saved_is_not_the_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, keep = model(), ModelCheckpoint(tmp_path / "a.keras", "score", save_best_only=True, mode="max")

    def full(*arguments: Any, **options: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(made, "save", full)
    with pytest.raises(OSError, match="No space left"):
        made.fit(X, X.sum(axis=1), epochs=1, callbacks=[Logs([2.0]), keep], **QUIET)
    assert keep.best is None
    monkeypatch.undo()
    made.fit(X, X.sum(axis=1), epochs=2, callbacks=[Logs([1.0, 0.5]), keep], **QUIET)
    assert keep.best == 1.0
    assert names(tmp_path) == ["a.keras"]


@pytest.mark.parametrize(("together", "batches"), [(1, [3, 6, 9]), (2, [4, 7, 10])])
def test_it_counts_batches_on_from_epoch_to_epoch(tmp_path: Path, together: int, batches: list[int]) -> None:
    """Two at a time, callbacks hear of 2, 4, 5 batches of the first epoch and 7, 9, 10 with the second."""
    made = model()
    made.compile("sgd", "mse", steps_per_execution=together)
    given = ModelCheckpoint(tmp_path / "{epoch}-{batch}.keras", save_freq=3)
    made.fit(X, X.sum(axis=1), epochs=2, callbacks=[given], **QUIET)
    found = [5 * (int(e) - 1) + int(b) for e, b in (name[:-6].split("-") for name in names(tmp_path))]
    assert found == batches


def test_it_says_what_it_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.keras"
    fit(ModelCheckpoint(path, "score", 1, True, mode="max"), 2, Logs([0.5, 0.25]))
    out = capsys.readouterr().out
    assert f"Epoch 1: score improved from None to 0.50000, saving model to {path}" in out
    assert f"Epoch 1: finished saving model to {path}" in out
    assert "Epoch 2: score did not improve from 0.50000" in out


def test_without_a_value_it_saves_and_warns(tmp_path: Path) -> None:
    given = ModelCheckpoint(tmp_path / "{epoch}.keras", "val_loss", save_best_only=True)
    with pytest.warns(UserWarning, match="Can save best model only with val_loss available"):
        fit(given, 2, validation_data=(X, X.sum(axis=1)), validation_freq=2)
    assert names(tmp_path) == ["1.keras", "2.keras"]


def test_an_unknown_monitor_is_an_error_only_where_it_decides(tmp_path: Path) -> None:
    fit(ModelCheckpoint(tmp_path / "a.keras"), 1)
    with pytest.raises(ValueError, match=r"monitor must be a name in the logs.*'val_loss'"):
        fit(ModelCheckpoint(tmp_path / "a.keras", save_best_only=True), 1)


@pytest.mark.parametrize(
    "template",
    [
        "{val_loss.__class__}.keras", "{loss.__class__.__init__.__globals__}.keras", "{loss[0]}.keras",
        "{}.keras", "{0.a}.keras", "{epoch:{loss}}.keras", "{epoch:999999999d}.keras", "{epoch:.999f}.keras",
        "{epoch.keras", "{epoch!r.a}.keras",
    ],
)  # fmt: skip
def test_templates_reach_nothing_but_values(template: str) -> None:
    with pytest.raises(ValueError, match="filepath must"):
        ModelCheckpoint(template)


def test_templates_of_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match=r"Failed to format this callback filepath.*los.*Did you mean .*loss"):
        fit(ModelCheckpoint(tmp_path / "{los}.keras"), 1)

    class Text(callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            logs["name"] = "../../a"

    with pytest.raises(ValueError, match="must be a number, and 'name' is none"):
        fit(ModelCheckpoint(tmp_path / "{name}.keras"), 1, Text())


def test_a_folder_in_the_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.keras").mkdir()
    with pytest.raises(IsADirectoryError, match="must be a file"):
        fit(ModelCheckpoint(tmp_path / "a.keras"), 1)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"filepath": "a.txt"}, r"must end in \.keras, or in \.weights\.h5 with save_weights_only=True\."),
        (
            {"filepath": "a.keras", "save_weights_only": True},
            r"must end in \.weights\.h5 or .*save_weights_only",
        ),
        ({"filepath": "a.h5"}, r"must end in \.keras, or in \.weights\.h5 with save_weights_only=True\."),
        ({"filepath": "{epoch!r:02d}.keras"}, "!r makes text of a number"),
        ({"filepath": "{val_loss:d}.keras"}, "Unknown format code 'd'"),
        ({"filepath": 3}, "filepath must be a path"),
        ({"filepath": "a.keras", "save_freq": "batch"}, "save_freq must be 'epoch' or a number of batches"),
        ({"filepath": "a.keras", "save_freq": True}, "save_freq must be"),
        ({"filepath": "a.keras", "mode": "most"}, "unknown mode 'most'"),
        ({"filepath": "a.keras", "initial_value_threshold": "a"}, "initial_value_threshold must be"),
    ],
)
def test_arguments(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        ModelCheckpoint(**given)


def test_what_it_remembers_survives_a_crash(tmp_path: Path) -> None:
    """The best value and the counted batches come back."""

    def listeners(folder: str, fails: bool) -> list[Any]:
        given = ModelCheckpoint(tmp_path / folder / "{epoch}.keras", "score", 0, True, mode="max")
        by_batch = ModelCheckpoint(tmp_path / folder / "{epoch}-{batch}.keras", save_freq=4)
        backup = [BackupAndRestore(tmp_path / "backup")] if folder == "crashed" else []
        values = Logs([1.0, 3.0, 2.0, 4.0])
        crash = (
            callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: 1 / (epoch - 2)) if fails else None
        )
        return [values, given, by_batch, *backup, *([crash] if crash else [])]

    for folder, fails in (("through", False), ("crashed", True), ("crashed", False)):
        made = model()
        try:
            made.fit(X, X.sum(axis=1), epochs=4, callbacks=listeners(folder, fails), **QUIET)
        except ZeroDivisionError:
            assert fails
    assert names(tmp_path / "crashed") == names(tmp_path / "through")
