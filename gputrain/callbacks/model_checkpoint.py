"""Saves the model while it is trained."""

from __future__ import annotations

import os
import string
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gputrain.callbacks import arguments
from gputrain.callbacks.frequency import Frequency
from gputrain.callbacks.monitor import MonitorCallback
from gputrain.errors import explain
from gputrain.models.training.callback import Logs
from gputrain.names import did_you_mean
from gputrain.utils.plain import plain
from gputrain.utils.progress.bar import show_line
from gputrain.utils.states import check_names

WHOLE, WEIGHTS = ".keras", (".weights.h5", ".safetensors", ".npz")
_COUNTED = ("epoch", "batch")  # the values in a path that are whole numbers


class ModelCheckpoint(MonitorCallback):
    """Saves the model or its weights after each epoch, or every so many batches, or only when it got better.

    It saves by `model.save` and `model.save_weights`, before training goes on. To resume a training after a
    crash, bit for bit, there is `BackupAndRestore`.

    Args:
        filepath: path of the file, in which "{epoch}", "{batch}" and names of the logs stand for their
            values, as "{epoch:02d}-{val_loss:.2f}.keras"; epochs and batches count from 1 there. It ends in
            ".keras"; with save_weights_only in ".weights.h5", ".safetensors" or ".npz". Folders are made.
        monitor: name of the value in the logs that says what is better.
        verbose: 1 says when it saves, 0 does not.
        save_best_only: save only a model that is better than all before, also in earlier fits.
        save_weights_only: save the weights alone.
        mode: "min", "max", or "auto", which goes by the metric.
        save_freq: "epoch", or after how many batches to save.
        initial_value_threshold: a value to beat before the first model is saved.

    Raises:
        ValueError: an argument that is not as above; in training, a path that names what is no value, or,
            with save_best_only, a monitor that the logs do not hold.
        KeyError: in training, a path with a name that the logs do not hold.
        OSError: in training, the file cannot be written.

    Example:
        >>> keep = ModelCheckpoint("best.keras", monitor="val_accuracy", save_best_only=True)
        >>> model.fit(x, y, epochs=10, validation_split=0.1, callbacks=[keep])
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: Any = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode)
        self.verbose = arguments.verbosity(self, verbose)
        self.save_best_only = arguments.flag(self, "save_best_only", save_best_only)
        self.save_weights_only = arguments.flag(self, "save_weights_only", save_weights_only)
        self.filepath = _checked_path(filepath, self.save_weights_only)
        self.save_freq = save_freq
        self._frequency = Frequency(self, save_freq)
        if initial_value_threshold is not None:
            self.best = arguments.number(self, "initial_value_threshold", initial_value_threshold)
        self._epoch = 0

    def state(self) -> dict[str, Any]:
        """What `remembered` names, and the batches counted."""
        return {**super().state(), "frequency": self._frequency.state()}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Remember what `state` gave."""
        check_names(type(self).__name__, (*self.remembered, "frequency"), state)
        super().set_state({name: state[name] for name in self.remembered})
        self._frequency.set_state(state["frequency"])

    def check_monitor(self, names: Iterable[str]) -> None:
        """Check before the first epoch that the logs will hold what decides, where something does.

        Raises:
            ValueError: they will not, or nothing tells which way is better.
        """
        if self.save_best_only:
            super().check_monitor(names)

    def on_train_begin(self, logs: Logs = None) -> None:
        """The best value of an earlier fit still counts: its file is still there."""

    def on_train_end(self, logs: Logs = None) -> None:
        """Warn when what decides was never in the logs."""
        if self.save_best_only:
            super().on_train_end(logs)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Keep the number of the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Save if it is time to."""
        if self._frequency.saw(batch):
            self._save({"batch": batch + 1, **(logs or {})})

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Save if it is time to."""
        self._epoch = epoch
        if self._frequency.by_epoch:
            self._save(logs or {})

    def _save(self, logs: Mapping[str, Any]) -> None:
        path = Path(_filled(self.filepath, {"epoch": self._epoch + 1, **logs}))
        if not self._should_save(path, logs):
            return
        if path.is_dir():
            rule = f"ModelCheckpoint: {str(path)!r} must be a file."
            raise IsADirectoryError(explain(rule, received="a folder", fix="Name a file in it."))
        path.parent.mkdir(parents=True, exist_ok=True)
        save = self.model.save_weights if self.save_weights_only else self.model.save
        save(path, overwrite=True)
        value = self.current(logs) if self.save_best_only else None
        if value is not None:
            self.best = value
        self._say(f"finished saving model to {path}")

    def _should_save(self, path: Path, logs: Mapping[str, Any]) -> bool:
        if not self.save_best_only:
            self._say(f"saving model to {path}")
            return True
        value = self.current(logs)
        if value is None:
            warnings.warn(f"Can save best model only with {self.monitor} available.", stacklevel=2)
            return True
        before = "None" if self.best is None else f"{self.best:.5f}"
        if not self.improves(value, self.best):
            self._say(f"{self.monitor} did not improve from {before}")
            return False
        self._say(f"{self.monitor} improved from {before} to {value:.5f}, saving model to {path}")
        return True

    def _say(self, text: str) -> None:
        if self.verbose > 0:
            show_line(f"Epoch {self._epoch + 1}: {text}")


def _checked_path(given: Any, weights_only: bool) -> str:
    if not isinstance(given, str | os.PathLike):
        rule = "ModelCheckpoint: filepath must be a path."
        raise ValueError(explain(rule, received=repr(given)))
    path, endings = os.fspath(given), WEIGHTS if weights_only else WHOLE
    if not path.endswith(endings):
        known = " or ".join(endings) if weights_only else ".keras, or in .weights.h5"
        rule = f"ModelCheckpoint: filepath must end in {known} with save_weights_only=True."
        raise ValueError(explain(rule, received=repr(path)))
    try:
        for _, name, form, conversion in string.Formatter().parse(path):
            _check_field(name, form or "", conversion)
    except ValueError as error:
        rule = "ModelCheckpoint: filepath must name values of the logs, as {epoch:02d} or {val_loss:.2f}."
        raise ValueError(explain(rule, received=f"{path!r}: {error}")) from error
    return path


def _check_field(name: str | None, form: str, conversion: str | None) -> None:
    """Refuse what is no plain name, as attributes and items of a value, and forms that no number has."""
    if name is not None and (not name or any(sign in name for sign in ".[]{}!:")):
        raise ValueError(f"{{{name}}} is no name")
    if "{" in form or any(len(part) > 2 for part in "".join(c if c.isdigit() else " " for c in form).split()):
        raise ValueError(f"{form!r} is no form of a number in a path")
    if conversion:
        raise ValueError(f"!{conversion} makes text of a number")
    format(1 if name in _COUNTED else 1.0, form)


def _filled(template: str, values: Mapping[str, Any]) -> str:
    numbers = {name: plain(value) for name, value in values.items()}
    parts = []
    for text, name, form, _ in string.Formatter().parse(template):
        parts.append(text)
        if name is not None:
            parts.append(_shown(template, name, form or "", numbers))
    return "".join(parts)


def _shown(template: str, name: str, form: str, numbers: Mapping[str, Any]) -> str:
    if name not in numbers:
        known = did_you_mean(name, numbers)
        raise KeyError(
            f'Failed to format this callback filepath: "{template}". Reason: {name!r} is not known. {known}'
        )
    value = numbers[name]
    if not isinstance(value, int | float):
        rule = f"ModelCheckpoint: what stands in filepath must be a number, and {name!r} is none."
        raise ValueError(explain(rule, received=type(value).__name__))
    return format(value, form)
