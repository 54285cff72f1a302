"""The main job: train a recipe's model, test it, and keep what came of it."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gputrain import callbacks
from gputrain.app.advice import Advisor
from gputrain.app.recipes import toml_writer
from gputrain.app.recipes.build import callbacks_of
from gputrain.app.recipes.data.inputs import TableInputs
from gputrain.app.recipes.data.targets import ClassTargets
from gputrain.app.recipes.errors import RecipeError
from gputrain.app.recipes.job import Job, class_weight, ready
from gputrain.app.recipes.reading import CONFIG
from gputrain.app.recipes.recipe import Recipe
from gputrain.app.recipes.reports import write_report
from gputrain.app.recipes.run_folder import PREPARATION, REPORT, SUMMARY, RunFolder, held
from gputrain.app.recipes.run_log import Clock, RunLog
from gputrain.app.recipes.stopping import StopAtStep
from gputrain.app.recipes.stored_run import require_run_folder, resumable
from gputrain.app.recipes.testing import Tested, test
from gputrain.app.stop import Stop
from gputrain.callbacks.backup import NEWEST
from gputrain.datasets import CorruptFileError
from gputrain.errors import DataError, explain
from gputrain.names import listed
from gputrain.saving.checkpoint import ANEW


@dataclass(frozen=True)
class RunResult:
    """What a run leaves behind.

    Attributes:
        folder: the run folder.
        metrics: what stands in metrics.json.
    """

    folder: Path
    metrics: Mapping[str, Any]

    @property
    def report(self) -> Path:
        """The page that shows all of it."""
        return self.folder / REPORT


class _Backup(callbacks.BackupAndRestore):
    """Of a run: the command that began it says what to type to resume."""

    def _tell_how_to_resume(self) -> None:
        pass


class _Training:
    """What a run trains with, and what is watched while it does."""

    def __init__(self, job: Job, folder: RunFolder, verbose: int | str, stop: Stop | None) -> None:
        preparation, train = job.dataset.preparation, job.dataset.train
        self.job, self.folder = job, folder
        self.class_weight = class_weight(job.recipe, preparation)
        self.callbacks = callbacks_of(job.recipe)
        self.history = callbacks.History()
        self.clock = Clock()
        self.advisor = Advisor(
            train.x,
            train.y,
            feature_names=preparation.inputs.names,
            class_names=preparation.class_names,
            verbose=int(verbose != 0),
        )
        self.stop = Stop() if stop is None else stop
        self.backup = _Backup(
            folder.path, job.recipe.settings["training"]["save_freq"], delete_checkpoint=False
        )
        self.verbose = verbose

    def metrics(self) -> dict[str, Any]:
        """The logs of the last complete epoch, and how much was trained."""
        return {
            **{_split_name(name): float(values[-1]) for name, values in self.history.history.items()},
            "epochs": len(self.history.epoch),
            "seconds": round(self.clock.seconds(), 3),
            "parameters": self.job.model.count_params(),
        }


def run(
    recipe: Recipe, out: str | Path = "runs", verbose: int | str = "auto", stop: Stop | None = None
) -> RunResult:
    """Train and test `recipe`, in a new run folder.

    The folder holds config.toml (every setting; it can be run again), preparation.json, summary.txt, log.txt,
    history.csv and history.jsonl (a line an epoch), weights.npz, metrics.json, report.html and, with the
    extra `plot`, pictures. Each file is there whole or not at all. While it trains, checkpoint.npz is there
    too, from which `resume` goes on. A run that fails before its first epoch is over leaves no folder; one
    that fails later keeps what was written; one that is interrupted after its first step also keeps the
    weights, and metrics.json with `"interrupted": true`. Where the folder cannot be written to any more, what
    was trained is kept in a folder for temporary files. Once metrics.json is there the run is complete: what
    goes wrong with the report does not change it. Progress goes to stderr. The seed and backend of the recipe
    become the process's.

    Args:
        recipe: as `load` returns it.
        out: the folder of all runs.
        verbose: as in `fit`.
        stop: ends the run when it is asked to, with the state after the step at hand saved.

    Returns:
        The folder and the metrics.

    Raises:
        RecipeError: the model cannot be built as the recipe says, or data, model, loss and metrics do not
            fit together.
        DeviceError: the backend is not to be had.
        DataError, CorruptFileError: the data cannot be used.
        OSError: the run folder cannot be written to, or the data is not to be had.
        KeyboardInterrupt: Ctrl-C, or what `stop` was asked with, with words on how far the run came.

    Example:
        >>> run(load("digits_cnn")).metrics["test_accuracy"] > 0.98
        True
    """
    job = ready(recipe)
    folder = RunFolder(Path(out), recipe.settings["name"])
    try:
        with held(folder.path, "run"):
            return _carry_out(job, folder, verbose, stop, begun=False)
    except KeyboardInterrupt as interrupt:
        if not int(job.model.step_counter):
            folder.discard()
            interrupt.args = ("No step was complete; no run folder is kept.",)
        raise
    except BaseException:
        if not folder.epochs_recorded():
            with contextlib.suppress(OSError):
                folder.discard()
        raise


def resume(
    path: str | Path,
    settings: Iterable[tuple[str, Any, str]] = (),
    verbose: int | str = "auto",
    stop: Stop | None = None,
) -> RunResult:
    """Go on with a run that ended before it was complete, as if it had not: its results are the same.

    Args:
        path: the run folder.
        settings: changes, as for `load`: only of the backend, and the file of the model's builder.
        verbose, stop: as for `run`.

    Raises:
        RecipeError: it is no run folder, is complete, has no checkpoint, or its settings or data are others
            now; the message says what differs.
        CorruptFileError: the checkpoint is damaged.
        BlockingIOError: the run is still going on.
        DeviceError, DataError, OSError, KeyboardInterrupt: as for `run`.

    Example:
        >>> resume("runs/digits_cnn-1").metrics["epochs"]  # doctest: +SKIP
        20
    """
    place = require_run_folder(path)
    with held(place, "run"):
        _, recipe = resumable(place, settings)
        try:
            return _carry_out(ready(recipe), RunFolder.reopened(place), verbose, stop, begun=True)
        except CorruptFileError as error:
            if error.path != str(place / NEWEST) or error.fix != ANEW:
                raise
            fix = f"Begin anew: gputrain train {place}"
            raise CorruptFileError(error.path, error.rule, error.expected, error.received, fix) from error


def _carry_out(job: Job, folder: RunFolder, verbose: int | str, stop: Stop | None, begun: bool) -> RunResult:
    watched = _Training(job, folder, verbose, stop)
    try:
        with RunLog(folder.log) as log:
            if begun:
                log.say(f"{folder.path}: the run resumes")
            else:
                _write_beginning(job, folder, log)
            with watched.stop.waiting():
                _train(watched, log)
                trained = watched.metrics()
                folder.write_weights(job.model.weights, job.model.name)
            batch_size = int(job.recipe.settings["training"]["batch_size"])
            tested = test(job.model, job.dataset.test, job.dataset.preparation, batch_size)
            metrics = {**tested.metrics, **trained}
            folder.write_metrics(metrics)
            figures = test_figures(metrics)
            log.say("result: " + ", ".join(figures) if figures else "done; there was no test part")
            watched.backup.remove()
    except KeyboardInterrupt as interrupt:
        if int(job.model.step_counter):
            interrupt.args = (_keep_interrupted(watched),)
        raise
    except OSError as error:
        with watched.stop.waiting():
            kept = _keep_elsewhere(watched, error)
            if kept is None:
                raise
            raise kept from error  # in here, so that a signal which came meanwhile does not hide it
    finally:
        folder.release()
    _write_report(watched, folder, metrics, tested)
    return RunResult(folder.path, metrics)


def _write_beginning(job: Job, folder: RunFolder, log: RunLog) -> None:
    """Write what is known before the first step."""
    _write_settings(job, folder)
    folder.reserve_weights(job.model.weights, job.model.name)
    sizes = ((name, getattr(job.dataset, name)) for name in ("train", "validation", "test"))
    parts = ", ".join(f"{len(part)} {name}" for name, part in sizes if part is not None)
    log.say(f"{folder.path}: {parts} samples; {job.model.count_params()} parameters")
    for line in _of_the_data(job):
        log.say(line)


def _write_settings(job: Job, folder: RunFolder) -> None:
    """Write what the run is of."""
    summary: list[str] = []
    job.model.summary(print_fn=summary.append)
    folder.write(CONFIG, toml_writer.dumps(job.recipe.resolved()))
    if job.recipe.code is not None:
        folder.keep(job.recipe.code)
    folder.write(PREPARATION, job.dataset.preparation.to_json())
    folder.write(SUMMARY, "\n".join(summary) + "\n")


def _of_the_data(job: Job) -> Iterator[str]:
    """What one may want to know of the training samples: missing cells, and the numbers of named classes."""
    train, preparation = job.dataset.train, job.dataset.preparation
    if isinstance(preparation.inputs, TableInputs):
        counts = preparation.inputs.missing_cells(train.raw.x)
        missing = listed([f"{name} {count}" for name, count in counts.items()])
        if missing:
            how = job.recipe.settings["data"]["table"]["missing"]
            yield f"missing cells in training, filled (numbers: {how}): {missing}"
    names = getattr(preparation.targets, "names", ())
    if isinstance(preparation.targets, ClassTargets) and any(not name.isdecimal() for name in names):
        sizes = np.bincount(train.truth, minlength=len(names))
        classes = enumerate(zip(names, sizes, strict=True))
        told = [f"{number} {name!r} ({size})" for number, (name, size) in classes]
        yield f"classes (training samples): {listed(told)}"


def _train(watched: _Training, log: RunLog) -> None:
    recipe, dataset, model = watched.job.recipe, watched.job.dataset, watched.job.model
    validation = None if dataset.validation is None else (dataset.validation.x, dataset.validation.y)
    followers = [
        *watched.callbacks,
        watched.history,
        watched.clock,
        callbacks.CSVLogger(watched.folder.history),
        callbacks.JSONLinesLogger(watched.folder.history_lines),
        log.callback(),
        watched.advisor,
        watched.backup,
        StopAtStep(watched.stop, watched.backup),
    ]
    # The other keys of the section are arguments of fit.
    settings = {key: value for key, value in recipe.settings["training"].items() if key != "save_freq"}
    try:
        # stdout is for results; what fit says on the way is not one.
        with contextlib.redirect_stdout(sys.stderr):
            model.fit(
                dataset.train.x,
                dataset.train.y,
                validation_data=validation,
                verbose=watched.verbose,
                callbacks=followers,
                **{**settings, "class_weight": watched.class_weight},
            )
    except (ValueError, TypeError) as error:
        # Before its first step fit only checks that all parts fit together; what it refuses is the recipe.
        if isinstance(error, DataError | RecipeError | CorruptFileError) or int(model.step_counter):
            raise
        raise RecipeError(f"{recipe.source.file}: Training cannot begin. {error}") from error
    for advice in watched.advisor.advice:
        log.write(advice.text())


def _split_name(name: str) -> str:
    return name if name.startswith("val_") or name == "learning_rate" else f"train_{name}"


def test_figures(metrics: Mapping[str, Any]) -> list[str]:
    """Return the figures of the test part, in words."""
    return [f"{name} {value:.4f}" for name, value in metrics.items() if name.startswith("test_")]


def _write_report(watched: _Training, folder: RunFolder, metrics: Mapping[str, Any], tested: Tested) -> None:
    logs = watched.history.history.items()
    history: Sequence[Mapping[str, Any]] = [
        {"epoch": epoch, **{name: values[i] for name, values in logs if i < len(values)}}
        for i, epoch in enumerate(watched.history.epoch)
    ]
    advice = [item.to_config() for item in watched.advisor.advice]
    try:
        write_report(watched.job, folder, metrics, history, advice, tested)
    except KeyboardInterrupt as interrupt:
        interrupt.args = (f"{folder.path} is complete but for its report.",)
        raise
    except OSError as error:
        rule = f"{folder.path}: the run is complete, but its report could not be written."
        raise OSError(explain(rule, received=error)) from error


def _keep_interrupted(watched: _Training) -> str:
    """Save what was trained before the end, and return what was saved, in words."""
    model, folder = watched.job.model, watched.folder
    steps = int(model.step_counter)
    try:
        folder.write_weights(model.weights, model.name)
        folder.write_metrics({**watched.metrics(), "steps": steps, "interrupted": True})
    except OSError as error:
        return str(_keep_elsewhere(watched, error) or error)
    watched.stop.hint = how_to_go_on(folder.path)
    return (
        f"{folder.path} keeps weights.npz as of step {steps}, config.toml, and the history and metrics of "
        f"{len(watched.history.epoch)} complete epoch(s)."
    )


def _keep_elsewhere(watched: _Training, error: OSError) -> OSError | None:
    """Where a run folder cannot be written to, keep what was trained in one for temporary files.

    Where that cannot be written to either, as on one full disk, the weights go to the space taken for them.

    Returns:
        the error to raise, with words on that folder; None where there is nothing to keep, or no place.
    """
    model, folder = watched.job.model, watched.folder
    steps = int(model.step_counter)
    if not steps:
        return None
    try:
        other = RunFolder(Path(tempfile.gettempdir()), f"gputrain-{folder.path.name}")
        _write_settings(watched.job, other)
        other.write_weights(model.weights, model.name)
        other.write_metrics({**watched.metrics(), "steps": steps, "interrupted": True})
        for name in (folder.history.name, folder.history_lines.name, folder.log.name, NEWEST):
            with contextlib.suppress(OSError):
                other.keep(folder.path / name)
        place = other.path
    except OSError:
        try:
            folder.write_weights(model.weights, model.name)
        except OSError:
            return None
        place = folder.path
    return OSError(
        explain(
            f"{error.filename or folder.path}: {error.strerror or error}.",
            fix=f"{place} keeps the weights as of step {steps}, with all that `gputrain evaluate` and "
            f"`gputrain predict` need. {how_to_go_on(place)}".rstrip(),
        )
    )


def how_to_go_on(folder: Path) -> str:
    """What to type to resume a run, where it left a checkpoint."""
    return f"Resume: gputrain train --resume {folder}" if (folder / NEWEST).exists() else ""
