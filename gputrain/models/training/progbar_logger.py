"""Shows how training goes on."""

from __future__ import annotations

from typing import Any

from gputrain.models.training.callback import Callback, Logs
from gputrain.utils.progress.bar import Redraws
from gputrain.utils.progress.lines import Progress, resolve_style


class ProgbarLogger(Callback):
    """One line per epoch, after a bar on a terminal or in a notebook; `fit` adds it by itself.

    It goes by the `verbose` of fit, evaluate or predict: 0 is silent, 1 and "auto" as above, 2 always lines.
    Batch logs are read and the bar is redrawn at most 10 times a second. A line says the time of the whole
    epoch, then the pace of the training steps alone.

    Example:
        >>> model.fit(x, y, epochs=1, verbose=2)
        Epoch 1/1 - 12/12 - 0s - 9ms/step - 3.56k samples/s - accuracy: 0.9120 - loss: 0.3051
    """

    shows_progress = True

    def __init__(self) -> None:
        super().__init__()
        self._progress: Progress | None = None
        self._redraws = Redraws()
        self._samples = 0
        self._in_fit = False
        self._style: str | None = None

    def set_params(self, params: dict[str, Any]) -> None:
        """Take "verbose", "epochs" and "steps".

        Raises:
            ValueError: verbose is not 0, 1, 2 or "auto".
        """
        super().set_params(params)
        self._style = resolve_style(params.get("verbose", 1))

    def on_train_begin(self, logs: Logs = None) -> None:
        """Validation within fit shows no bar of its own."""
        self._abandon()
        self._in_fit = True

    def on_train_end(self, logs: Logs = None) -> None:
        """End of fit."""
        self._abandon()
        self._in_fit = False

    def on_exception(self, exception: BaseException) -> None:
        """End of a fit that failed: the bar stays where it stopped."""
        self.on_train_end()

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Start the epoch's bar."""
        epochs = self.params.get("epochs")
        self._open(f"Epoch {epoch + 1}" + (f"/{epochs}" if epochs else ""))

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Show the epoch's results, validation included."""
        self._close(logs)

    def on_test_begin(self, logs: Logs = None) -> None:
        """Start the bar of `evaluate`; in fit, the training steps of the epoch are over."""
        if not self._in_fit:
            self._open("Evaluate")
        elif self._progress is not None:
            self._progress.end_steps()

    def on_test_end(self, logs: Logs = None) -> None:
        """Show the results of `evaluate`."""
        if not self._in_fit:
            self._close(logs)

    def on_predict_begin(self, logs: Logs = None) -> None:
        """Start the bar of `predict`."""
        self._open("Predict")

    def on_predict_end(self, logs: Logs = None) -> None:
        """End the bar of `predict`."""
        self._close(None)

    def samples_ahead(self, size: int) -> None:
        """Count the samples."""
        self._samples += size

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Move the bar."""
        self._update(batch, logs)

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Move the bar of `evaluate`."""
        if not self._in_fit:
            self._update(batch, logs)

    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Move the bar of `predict`; the predictions are not shown."""
        self._update(batch, None)

    def _open(self, title: str) -> None:
        self._abandon()
        self._samples = 0
        if self._style is not None:
            self._progress = Progress(title, self.params.get("steps"), self._style, self._redraws)

    def _update(self, batch: int, logs: Logs) -> None:
        if self._progress is not None:
            self._progress.update(batch + 1, self._samples, lambda: {} if logs is None else logs)

    def _close(self, logs: Logs) -> None:
        if self._progress is not None:
            self._progress.close({} if logs is None else logs)
            self._progress = None

    def _abandon(self) -> None:
        if self._progress is not None:
            self._progress.abandon()
            self._progress = None
