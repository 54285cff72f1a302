"""Settings from the command line: `--set training.epochs=3` laid over a recipe's table."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from gputrain.app.recipes import toml_reader
from gputrain.app.recipes.errors import RecipeError, Source
from gputrain.app.recipes.schema import join

_PART = re.compile(r"([A-Za-z0-9_-]+)((?:\[[0-9]+\])*)")
ORIGIN_KEYS = ("data.dataset", "data.file", "data.folder")
_SAID_OF_THEM = ("data.scale", "data.reshape")
_INDEX = re.compile(r"\[([0-9]+)\]")


def parse_setting(text: str) -> tuple[str, Any]:
    """Return the key path and the value of one `--set KEY=VALUE`.

    The value is read as TOML (`3`, `1e-3`, `true`, `[8, 8, 1]`); what is not TOML is text, so that
    `optimizer.name=sgd` needs no quotes.

    Args:
        text: what follows `--set`.

    Raises:
        RecipeError: there is no `=`, or the key path is malformed.

    Example:
        >>> parse_setting("optimizer.name=sgd")
        ('optimizer.name', 'sgd')
        >>> parse_setting("model.layers[0].filters=16")
        ('model.layers[0].filters', 16)
    """
    path, equals, value = text.partition("=")
    path = path.strip()
    if not equals or not all(_PART.fullmatch(part) for part in path.split(".")):
        raise RecipeError(
            f"--set {text}: A setting must be a key path and a value. Expected: KEY=VALUE, "
            f"as in training.batch_size=32 or model.layers[0].filters=16. Received: {text!r}."
        )
    return path, _parsed(value.strip())


def apply(table: dict[str, Any], settings: Iterable[tuple[str, Any]], source: Source) -> None:
    """Lay `settings` over `table` in place, later ones last. Whether the keys exist is checked afterwards.

    Args:
        table: a recipe's table as read.
        settings: key paths and values.
        source: where the table comes from, for errors.

    Raises:
        RecipeError: a path runs through something that is no table, or past the end of an array.
    """
    settings = list(settings)
    for path, _ in settings:
        _leave_out_others(table, path)
    for path, value in settings:
        *outer, last = _steps(path)
        place: Any = table
        walked = ""
        for step in outer:
            walked = _joined(walked, step)
            place = _enter(place, step, walked, source)
        _check_step(place, last, path, source)
        place[last] = value


def _leave_out_others(table: dict[str, Any], path: str) -> None:
    """Data comes from one place: naming another one replaces the recipe's, and what was said of that."""
    data = table.get("data")
    if isinstance(data, dict) and path in ORIGIN_KEYS:
        for other in (*ORIGIN_KEYS, *_SAID_OF_THEM):
            data.pop(other.partition(".")[2], None)


def _parsed(text: str) -> Any:
    try:
        table = toml_reader.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return table["value"] if table.keys() == {"value"} else text


def _steps(path: str) -> list[str | int]:
    """Split "model.layers[0].filters" into "model", "layers", 0, "filters"."""
    steps: list[str | int] = []
    for part in path.split("."):
        name = part.partition("[")[0]
        steps += [name, *(int(index) for index in _INDEX.findall(part))]
    return steps


def _joined(walked: str, step: str | int) -> str:
    return f"{walked}[{step}]" if isinstance(step, int) else join(walked, step)


def _enter(place: Any, step: str | int, walked: str, source: Source) -> Any:
    _check_step(place, step, walked, source)
    inner = place.setdefault(step, {}) if isinstance(step, str) else place[step]
    if isinstance(inner, str) and walked in ("loss", "optimizer"):
        inner = place[step] = {"name": inner}
    return inner


def _check_step(place: Any, step: str | int, walked: str, source: Source) -> None:
    if isinstance(step, str):
        if not isinstance(place, dict):
            raise source.error(walked, "A key can only be set in a table.", received=f"{place!r} above it")
    elif not isinstance(place, list):
        raise source.error(walked, "Only an array has numbered items.", received=repr(place))
    elif step >= len(place):
        raise source.error(walked, "The array is shorter.", expected=f"0..{len(place) - 1}", received=step)
