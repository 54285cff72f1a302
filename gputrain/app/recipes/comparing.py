"""Runs side by side: the settings in which they differ, and their results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from gputrain.app.recipes import reading
from gputrain.app.recipes.errors import RecipeError, Source
from gputrain.app.recipes.overrides import ORIGIN_KEYS
from gputrain.app.recipes.run_folder import PLAN
from gputrain.app.recipes.stored_run import read_metrics, require_run_folder
from gputrain.metrics.directions import direction_of
from gputrain.names import did_you_mean
from gputrain.utils.settings import is_number

T = TypeVar("T")
_KIND = ("name", "type")
_NOT_COMPARED = ("versions", "name")
_COSTS = ("cost", "seconds")


@dataclass(frozen=True)
class Line:
    """One run: its folder, all settings in which the runs differ, and its figures."""

    run: str
    settings: Mapping[str, Any]
    metrics: Mapping[str, Any]


@dataclass(frozen=True)
class Comparison:
    """Runs side by side.

    Attributes:
        settings: the key paths in which they differ.
        metrics: the names of the figures to show.
        lines: the runs.
    """

    settings: Sequence[str]
    metrics: Sequence[str]
    lines: Sequence[Line]


def compare(folders: Iterable[str | Path], sort: str | None = None) -> Comparison:
    """Read run folders and compare them.

    Args:
        folders: of the runs; that of a sweep stands for all of its runs.
        sort: the figure by which they are sorted, best first: the greatest, of losses and errors the least.

    Raises:
        RecipeError: something that is no run folder.
        CorruptFileError: a file in one is damaged.
        ValueError: no run has a figure of that name.
    """
    runs = [(str(run), *_read(run)) for folder in folders for run in _runs_of(Path(folder))]
    flat = [dict(flattened(settings)) for settings in _told_by_kind([settings for _, settings, _ in runs])]
    keys = dict.fromkeys(key for settings in flat for key in settings)
    differing = [key for key in keys if len({repr(settings.get(key)) for settings in flat}) > 1]
    differing = [key for key in differing if not _follows(key, flat)]
    lines = [
        Line(_told(name, metrics), {key: settings.get(key) for key in differing}, metrics)
        for (name, _, metrics), settings in zip(runs, flat, strict=True)
    ]
    names = dict.fromkeys(name for line in lines for name in line.metrics)
    shown = [name for name in names if name.startswith(("test_", "val_")) or name in ("epochs", "seconds")]
    if sort is not None:
        lines = best_first(lines, sort, lambda line: line.metrics)
    return Comparison(differing, shown, lines)


def falls(metric: str) -> bool:
    """Return whether less of `metric` is better, going by its name."""
    return direction_of(metric) == "down" or any(word in metric.split("_") for word in _COSTS)


def flattened(value: Any, path: str = "") -> Iterable[tuple[str, Any]]:
    """Return (key path, value) of all plain values in nested tables and lists of tables."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if path or key not in _NOT_COMPARED:
                yield from flattened(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        for index, inner in enumerate(value):
            yield from flattened(inner, f"{path}[{index}]")
    else:
        yield path, value


def _told_by_kind(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Name layers and callbacks by their kinds alone where these differ; arguments do not compare then."""
    told = [dict(run) for run in runs]
    for section, key in (("model", "type"), ("callbacks", "name")):
        kinds = [_kinds(run.get(section), key) for run in runs]
        for run, words in zip(told, kinds, strict=True):
            if len(set(kinds)) > 1:
                run[section] = words
    return told


def _kinds(section: Any, key: str) -> str:
    """The kinds of a section's tables, in order, as "Dense Dropout Dense"."""
    if isinstance(section, Mapping) and "builder" in section:
        return str(section["builder"])
    tables = section.get("layers") if isinstance(section, Mapping) else section
    found = [table.get(key) for table in tables or () if isinstance(table, Mapping)]
    return " ".join(map(str, found)) or "none"


def _follows(key: str, runs: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a key is in some runs only because they name another optimizer, loss or origin of data."""
    if all(key in run for run in runs) or key in ORIGIN_KEYS:
        return False
    table, _, last = key.rpartition(".")
    if last in _KIND:
        table = table.rpartition(".")[0]
    while table:
        kinds = ORIGIN_KEYS if table == "data" else [f"{table}.{kind}" for kind in _KIND]
        if len({tuple(run.get(kind) for kind in kinds) for run in runs}) > 1:
            return True
        table = table.rpartition(".")[0]
    return False


def _told(name: str, metrics: Mapping[str, Any]) -> str:
    return f"{name} (interrupted)" if metrics.get("interrupted") else name


def _runs_of(folder: Path) -> list[Path]:
    if not (folder / PLAN).is_file():
        return [folder]
    return sorted(config.parent for config in folder.glob(f"*/*/{reading.CONFIG}"))


def _read(folder: Path) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    folder = require_run_folder(folder)
    config = folder / reading.CONFIG
    return reading.read_table(config, Source(str(config))), read_metrics(folder)


def best_first(items: Sequence[T], metric: str, figures: Callable[[T], Mapping[str, Any]]) -> list[T]:
    """Return runs, or groups of them, sorted by a figure; those without it come last.

    Raises:
        RecipeError: none has it.
    """
    names = list(dict.fromkeys(name for item in items for name in figures(item)))
    if metric not in names:
        raise RecipeError(f"No run has a figure {metric!r}.", fix=did_you_mean(metric, names))
    sign = 1 if falls(metric) else -1

    def place(item: T) -> tuple[bool, float]:
        value: Any = figures(item).get(metric)
        return (False, sign * value) if is_number(value) else (True, 0.0)

    return sorted(items, key=place)
