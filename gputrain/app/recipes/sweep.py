"""A sweep: one recipe trained with all combinations of some settings, each with several seeds.

Its folder holds sweep.json (what is to be run), the run folders, and results.csv. A sweep that was stopped
goes on where it was: a point whose run is complete is not run again.
"""

from __future__ import annotations

import copy
import csv
import itertools
import json
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from gputrain.app.recipes import overrides
from gputrain.app.recipes.builders import FILE_KEY, OPTION
from gputrain.app.recipes.errors import RecipeError, Source
from gputrain.app.recipes.json_files import read_json
from gputrain.app.recipes.reading import read_table
from gputrain.app.recipes.recipe import Recipe, check
from gputrain.app.recipes.run_folder import METRICS, PLAN, held, new_folder, remove
from gputrain.app.recipes.running import resume, run, test_figures
from gputrain.app.recipes.stored_run import read_metrics
from gputrain.app.recipes.toml_writer import dumps
from gputrain.app.stop import Stop
from gputrain.callbacks.backup import NEWEST
from gputrain.errors import DataError
from gputrain.utils.files import write_text, write_text_in_parts
from gputrain.utils.progress.lines import Overall
from gputrain.utils.settings import is_number

RECIPE, RESULTS = "recipe.toml", "results.csv"
MAX_POINTS = 10_000
MAX_PLAN_BYTES = 64 << 20


@dataclass(frozen=True)
class Point:
    """One training of a sweep.

    Attributes:
        folder: the name of its folder in the sweep's.
        settings: what it changes of the recipe, by key path.
        seed: its seed.
    """

    folder: str
    settings: Mapping[str, Any]
    seed: int

    def __str__(self) -> str:
        """The settings and the seed, as they are typed."""
        return " ".join([*(f"{path}={value}" for path, value in self.settings.items()), f"seed={self.seed}"])


@dataclass(frozen=True)
class Group:
    """The runs that differ only in their seed.

    Attributes:
        settings: what they change of the recipe.
        runs: how many are complete.
        failed: how many ended in an error.
        mean, deviation: of each figure, over the complete runs; the sample deviation, None for a single run.
    """

    settings: Mapping[str, Any]
    runs: int
    failed: int
    mean: Mapping[str, float]
    deviation: Mapping[str, float | None]


@dataclass(frozen=True)
class Sweep:
    """A sweep and its folder.

    Attributes:
        folder: where its recipe, its plan and its runs are.
        recipe: what is changed, as a table.
        points: all trainings.
        source: where the recipe comes from, for errors.
        code: the Python file of the model's builder, where it has one.

    Example:
        >>> sweep = Sweep.new("digits_mlp", [("optimizer.name", ["sgd", "adam"])], seeds=3)  # doctest: +SKIP
        >>> sweep.run()  # doctest: +SKIP
        >>> sweep.table()[0].mean["test_accuracy"]  # doctest: +SKIP
        0.9444
    """

    folder: Path
    recipe: Mapping[str, Any]
    points: Sequence[Point]
    source: Source
    code: Path | None = None

    @classmethod
    def new(
        cls,
        recipe: Recipe,
        grid: Sequence[tuple[str, Sequence[Any]]],
        seeds: int = 1,
        out: str | Path = "runs",
    ) -> Sweep:
        """Check all points and make the folder of a new sweep.

        Args:
            recipe: what is changed.
            grid: key paths, each with its values.
            seeds: how many seeds each point is trained with: the recipe's, the next, and so on.
            out: where the sweep's folder <name>-sweep-<n> is made.

        Raises:
            RecipeError: a point is no recipe; nothing is run then.
            OSError: the folder cannot be made.
        """
        table = recipe.portable()
        points = list(_points(grid, range(recipe.settings["seed"], recipe.settings["seed"] + seeds)))
        source = Source(recipe.source.file, {path: "--set" for path, _ in grid}, recipe.source.base)
        for point in points:
            _recipe(table, point, source, recipe.code)
        folder = new_folder(Path(out), f"{recipe.settings['name']}-sweep")
        plan = {"version": 1, "points": list(map(vars, points))}
        try:
            write_text(folder / RECIPE, dumps(table))
            write_text(folder / PLAN, json.dumps(plan, indent=1) + "\n")
        except BaseException:
            remove(folder, (RECIPE, PLAN))
            raise
        return cls(folder, table, points, source, recipe.code)

    @classmethod
    def open(cls, folder: str | Path, code: Path | None = None) -> Sweep:
        """Open the folder of a sweep, to go on with it or to read its results.

        Args:
            folder: the folder.
            code: the Python file of the model's builder, where it has one.

        Raises:
            RecipeError, CorruptFileError, OSError: it is none, or damaged.
        """
        folder = Path(folder)
        source = Source(str(folder / RECIPE))
        table = read_table(folder / RECIPE, source)
        return cls(folder, table, _read_plan(folder / PLAN), source, code)

    @staticmethod
    def is_at(folder: str | Path) -> bool:
        """Return whether `folder` is that of a sweep."""
        return (Path(folder) / PLAN).is_file()

    def run(self, stop: Stop | None = None) -> None:
        """Train all points that are not done yet. A point that fails is noted, and the others go on.

        Args:
            stop: ends the sweep when it is asked to, with the state of the training at hand saved.

        Raises:
            BlockingIOError: the sweep, or one of its runs, is still going on elsewhere.
            OSError: the disk is full, or the folder cannot be written to.
            KeyboardInterrupt: Ctrl-C, or what `stop` was asked with; calling `run` again goes on.
        """
        with held(self.folder, "sweep"):
            self._run(stop)

    def _run(self, stop: Stop | None) -> None:
        waiting = [point for point in self.points if not (self._metrics(point) or self._failed(point))]
        with Overall("sweep", len(self.points), done=len(self.points) - len(waiting)) as overall:
            for point in waiting:
                overall.advance(f"{point}: {self._train(point, stop)}")
        write_text_in_parts(self.folder / RESULTS, self._write_results)

    def table(self) -> list[Group]:
        """Return the means and spreads of each combination of settings, in the order of the grid."""
        groups: dict[str, list[Point]] = {}
        for point in self.points:
            groups.setdefault(json.dumps(point.settings, sort_keys=True), []).append(point)
        return [self._group(points) for points in groups.values()]

    def _train(self, point: Point, stop: Stop | None) -> str:
        """Train one point, or go on with its training; what came out, in words."""
        place = self.folder / point.folder
        place.mkdir(exist_ok=True)
        try:
            begun = next((path.parent for path in sorted(place.glob(f"*/{NEWEST}"))), None)
            if begun is not None:
                code = [] if self.code is None else [(FILE_KEY, str(self.code), OPTION)]
                result = resume(begun, code, verbose=1, stop=stop)
            else:
                recipe = _recipe(self.recipe, point, self.source, self.code)
                result = run(recipe, place, verbose=1, stop=stop)
        except (ArithmeticError, RecipeError, DataError) as error:
            write_text(place / "error.txt", f"{error}\n")
            return f"failed: {error}"
        return ", ".join(test_figures(result.metrics)[:3])

    def _failed(self, point: Point) -> bool:
        return (self.folder / point.folder / "error.txt").is_file()

    def _metrics(self, point: Point) -> dict[str, float]:
        """The figures of a point's complete run, {} if there is none."""
        for path in sorted((self.folder / point.folder).glob(f"*/{METRICS}")):
            metrics = read_metrics(path.parent)
            if not metrics.get("interrupted"):
                return {name: float(value) for name, value in metrics.items() if is_number(value)}
        return {}

    def _group(self, points: Sequence[Point]) -> Group:
        found = [metrics for metrics in map(self._metrics, points) if metrics]
        names = dict.fromkeys(name for metrics in found for name in metrics)
        values = {name: [metrics[name] for metrics in found if name in metrics] for name in names}
        return Group(
            points[0].settings,
            len(found),
            sum(map(self._failed, points)),
            {name: statistics.fmean(numbers) for name, numbers in values.items()},
            {name: statistics.stdev(n) if len(n) > 1 else None for name, n in values.items()},
        )

    def _write_results(self, stream: TextIO) -> None:
        """A line for each point: its settings, its seed and its figures."""
        found = [self._metrics(point) for point in self.points]
        paths = list(dict.fromkeys(path for point in self.points for path in point.settings))
        names = list(dict.fromkeys(name for metrics in found for name in metrics))
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow([*paths, "seed", *names])
        for point, metrics in zip(self.points, found, strict=True):
            own = [point.settings.get(path, "") for path in paths]
            rows.writerow([*own, point.seed, *(metrics.get(name, "") for name in names)])


def split_values(value: Any) -> list[Any]:
    """Return the values of one `--set KEY=A,B,C`: what stands between commas, each read as TOML or as text.

    A value that is TOML as a whole, as [8, 8, 1], is one value.

    Example:
        >>> split_values("sgd,adam"), split_values("32,128"), split_values([8, 8])
        (['sgd', 'adam'], [32, 128], [[8, 8]])
    """
    if not isinstance(value, str):
        return [value]
    return [overrides.parse_setting(f"value={part}")[1] for part in _between_commas(value)]


def _between_commas(text: str) -> list[str]:
    """Split at commas that stand outside of brackets and quotes."""
    parts, depth, quote = [""], 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        else:
            depth += (letter in "[{") - (letter in "]}")
        if letter == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def _points(grid: Sequence[tuple[str, Sequence[Any]]], seeds: Iterable[int]) -> Iterator[Point]:
    paths = [path for path, _ in grid]
    combinations = list(itertools.product(*(values for _, values in grid)))
    seeds = list(seeds)
    if len(combinations) * len(seeds) > MAX_POINTS:
        rule = f"A sweep is of at most {MAX_POINTS} trainings."
        raise RecipeError(rule, received=len(combinations) * len(seeds))
    for number, values in enumerate(combinations, start=1):
        for seed in seeds:
            yield Point(f"{number}-seed-{seed}", dict(zip(paths, values, strict=True)), seed)


def _recipe(table: Mapping[str, Any], point: Point, source: Source, code: Path | None) -> Recipe:
    changed = copy.deepcopy(dict(table))
    overrides.apply(changed, [*point.settings.items(), ("seed", point.seed)], source)
    if code is not None:
        changed["model"][FILE_KEY.rpartition(".")[2]] = str(code)
        source = replace(source, options={**source.options, FILE_KEY: OPTION})
    return check(changed, source)


def _read_plan(path: Path) -> list[Point]:
    def points(plan: Any) -> list[Point]:
        return [
            Point(_checked_name(p["folder"]), dict(p["settings"]), int(p["seed"])) for p in plan["points"]
        ]

    return read_json(path, "The plan of a sweep must be what gputrain wrote", points, MAX_PLAN_BYTES)


def _checked_name(name: Any) -> str:
    if not isinstance(name, str) or not name.replace("-", "").isalnum():
        raise ValueError(f"{name!r} as a folder")
    return name
