"""Reads a recipe's text into plain data, without trusting the file."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from gputrain.app.recipes import toml_reader
from gputrain.app.recipes.errors import Source
from gputrain.data.io.files import open_regular
from gputrain.data.io.sniff import describe, kind_of
from gputrain.names import nearest
from gputrain.utils.resources import configs_dir

MAX_BYTES = 1 << 20
CONFIG = "config.toml"  # the resolved recipe in a run folder


def shipped_recipes() -> list[str]:
    """Return the names of the recipes that come with gputrain, sorted.

    Example:
        >>> "digits_cnn" in shipped_recipes()
        True
    """
    return sorted(path.stem for path in configs_dir().glob("*.toml"))


def find_recipe(name: str) -> tuple[Path, Path | None]:
    """Return the file that `name` stands for: a path, a run folder, or the name of a shipped recipe.

    Args:
        name: a path as the user typed it, or for example "digits_cnn".

    Returns:
        The file, and the folder that paths in it count from (None: where the program runs).

    Raises:
        RecipeError: there is no such file, or it is not a regular file.
    """
    path = Path(name)
    source = Source(name)
    if path.is_dir() and (path / CONFIG).is_file():
        path = path / CONFIG
    if path.is_file():
        return path, path.parent
    if path.exists():
        fix = "Name a file, or a run folder, which holds a config.toml." if path.is_dir() else None
        rule = "A recipe must be a regular file."
        raise source.error("", rule, received="a folder" if path.is_dir() else "a device or pipe", fix=fix)
    known = shipped_recipes()
    if name in known:
        return configs_dir() / f"{name}.toml", None
    close = nearest(path.stem, known)
    hint = f"Did you mean {close!r}? " if close else ""
    raise source.error(
        "",
        "There is no such recipe file.",
        fix=f"{hint}Name a TOML file, or one of the shipped recipes: {', '.join(known)}.",
    )


def read_table(path: Path, source: Source) -> dict[str, Any]:
    """Return the TOML table in the file at `path`.

    Raises:
        RecipeError: it cannot be read, is larger than 1 MiB, or is not TOML in UTF-8.
        CorruptFileError: it is not a regular file.
    """
    try:
        with open_regular(path) as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise source.error("", "The recipe cannot be read.", received=error.strerror or error) from error
    if len(data) > MAX_BYTES:
        rule = f"A recipe must not be larger than {MAX_BYTES} bytes."
        raise source.error("", rule, received="a larger file")
    try:
        return toml_reader.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        kind = kind_of(path)
        received = f"byte {error.start} is not" if kind in ("text", "binary") else describe(kind)
        raise source.error("", "A recipe must be text in UTF-8.", received=received) from error
    except tomllib.TOMLDecodeError as error:
        raise source.error("", "A recipe must be valid TOML.", received=error) from error
    except (RecursionError, ValueError, OverflowError) as error:
        reason = "arrays or tables nested too deep" if isinstance(error, RecursionError) else error
        raise source.error("", "A recipe must be plain TOML.", received=reason) from error
