"""Saves the state of a training, so that it resumes after whatever ended it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from gputrain.callbacks import arguments
from gputrain.callbacks.frequency import EPOCH, Frequency
from gputrain.data.io.errors import CorruptFileError
from gputrain.errors import explain
from gputrain.models.training.callback import Callback, Logs
from gputrain.saving import state_tree
from gputrain.saving.checkpoint import Checkpoint, Writer, read
from gputrain.utils.files import remove_leftovers
from gputrain.utils.notes import note

NEWEST, PREVIOUS = "checkpoint.npz", "checkpoint.previous.npz"


class BackupAndRestore(Callback):
    """Saves all state of the training as it goes on, and lets a later fit resume there.

    If the process ends before the training does, run the same program again: the fit with this callback
    resumes after the step of the last checkpoint and ends with the same weights, bit for bit, as one that was
    not interrupted. Unlike in Keras that holds in the middle of an epoch too.

    A checkpoint is written by a thread while training goes on; training stops only for a copy of the state.
    One that falls due while the one before is still being written comes at the end of the next batch. Where
    one cannot be written, as on a full disk, a note says so, the last good one stays, and training goes on.

    Args:
        backup_dir: the folder for the checkpoints, made if it is not there; of this training alone.
        save_freq: "epoch", after how many batches to save, or False to only resume.
        double_checkpoint: keep the checkpoint before the last one too, for where that is damaged.
        delete_checkpoint: remove the checkpoints when training is over.

    Raises:
        ValueError: no folder, or an argument that is not as above; when training begins, the checkpoint is
            of another training, with what differs.
        CorruptFileError: when training begins, the checkpoint is damaged.
        OSError: when training begins, the folder cannot be made or read.
        TypeError: in training, a callback's `state()` gives what cannot be saved.

    Example:
        >>> model.fit(x, y, epochs=100, callbacks=[BackupAndRestore("backup")])
    """

    saves_state = True

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: Any = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        super().__init__()
        if not isinstance(backup_dir, str | os.PathLike) or not os.fspath(backup_dir):
            rule = "BackupAndRestore: backup_dir must name a folder."
            raise ValueError(explain(rule, received=repr(backup_dir)))
        self.backup_dir = Path(backup_dir)
        self.save_freq = save_freq
        self.double_checkpoint = arguments.flag(self, "double_checkpoint", double_checkpoint)
        self.delete_checkpoint = arguments.flag(self, "delete_checkpoint", delete_checkpoint)
        self._saves = save_freq is not False
        self._frequency = Frequency(self, save_freq if self._saves else EPOCH)
        self._newest, self._previous = self.backup_dir / NEWEST, self.backup_dir / PREVIOUS
        self._writer: Writer | None = None
        self._about: Any = {}
        self._due = False

    def __getstate__(self) -> dict[str, Any]:
        """What a copy or a pickle has: not what writes."""
        return {**super().__getstate__(), "_writer": None}

    def resumes_from(self) -> Path | None:
        """The newest checkpoint in the folder that is whole, if any."""
        if self._previous.exists() and not _is_whole(self._newest):
            return self._previous
        return self._newest if self._newest.exists() else None

    def on_train_begin(self, logs: Logs = None) -> None:
        """Make the folder, and read the data once for its fingerprint."""
        self.backup_dir.mkdir(parents=True, exist_ok=True)
        for path in (self._newest, self._previous):
            remove_leftovers(self.backup_dir, path.name)
        previous = self._previous if self.double_checkpoint else None
        damaged = self.double_checkpoint and self._previous.exists() and not _is_whole(self._newest)
        self._writer = Writer(self._newest, previous, replaces=damaged)
        identity = self.model._training_counters.identity
        self._about = {} if identity is None else identity.about
        self._due = False

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Save if it is time to."""
        self._due = self._frequency.saw(batch) or self._due
        self._save_if_due()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Save if it is time to."""
        self._due = self._due or (self._saves and self._frequency.by_epoch)
        self._save_if_due()

    def on_train_end(self, logs: Logs = None) -> None:
        """Let go of the checkpoints, or finish the last one."""
        if self._due and not self.delete_checkpoint:
            self.save()
        self._wait()
        if self.delete_checkpoint:
            self.remove()

    def on_exception(self, exception: BaseException) -> None:
        """Finish what is being written; after an interrupt, say where it is."""
        self._wait()
        is_told = not isinstance(exception, Exception) and (self.params or {}).get("verbose")
        if is_told and self._newest.exists():
            self._tell_how_to_resume()

    def save(self) -> None:
        """Save the state as it is now, and wait until it is written; at the end of a batch or of an epoch.

        Raises:
            OSError: it cannot be written.
        """
        if self._writer is not None:
            self._wait()
            self._begin(self._writer)
            self._writer.wait()

    def remove(self) -> None:
        """Remove the checkpoints, and their folder if nothing else stands in it."""
        for path in (self._newest, self._previous):
            path.unlink(missing_ok=True)
        if self.backup_dir.is_dir() and not any(self.backup_dir.iterdir()):
            self.backup_dir.rmdir()

    def _save_if_due(self) -> None:
        if self._due and self._writer is not None and not self._writer.busy:
            self._wait()
            self._begin(self._writer)

    def _begin(self, writer: Writer) -> None:
        self._due = False
        with self.model.undivided():
            writer.write(Checkpoint(state_tree(self.model, self.companions), self._about))

    def _tell_how_to_resume(self) -> None:
        """Say where the state is, after an interrupt."""
        told = f"Its state is in {self._newest}: run the same program again to resume."
        note(f"The training was interrupted. {told}")

    def _wait(self) -> None:
        """Wait for the thread, and tell what went wrong."""
        if self._writer is None:
            return
        try:
            self._writer.wait()
        except OSError as error:
            note(f"BackupAndRestore: a checkpoint could not be written, the one before it stays: {error}")


def _is_whole(path: Path) -> bool:
    try:
        read(path)
    except FileNotFoundError:
        return False
    except CorruptFileError as error:
        note(f"BackupAndRestore: {path} is damaged ({error.rule}), so it is not used")
        return False
    except OSError as error:
        note(f"BackupAndRestore: a checkpoint could not be read, so it is not used: {error}")
        return False
    return True
