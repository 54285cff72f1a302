"""The error of a recipe: what rule, where (file and key path), what came, what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gputrain.errors import UsageError


class RecipeError(UsageError):
    """A recipe cannot be used as it stands; the message names the file and the key path."""


@dataclass(frozen=True)
class Source:
    """Where the settings of a recipe come from, for error messages.

    Attributes:
        file: the recipe's file as the user named it.
        options: key paths given on the command line, each with the option that gave it.
        base: the folder that paths in the recipe count from; None means where the program runs.

    Example:
        >>> Source("a.toml", {"training.epochs": "--epochs"}).place("training.epochs")
        'a.toml: training.epochs (from --epochs)'
    """

    file: str
    options: Mapping[str, str] = field(default_factory=dict)
    base: Path | None = None

    def folder(self, path: str) -> Path:
        """Return the folder that a file named at key path `path` counts from."""
        given = any(_covers(key, path) for key in self.options)
        return Path() if given or self.base is None else self.base

    def place(self, path: str) -> str:
        """Return the words that say where `path` was set."""
        if not path:
            return self.file
        option = next((text for key, text in self.options.items() if _covers(key, path)), None)
        return f"{self.file}: {path}" + (f" (from {option})" if option else "")

    def error(
        self,
        path: str,
        rule: str,
        *,
        expected: object = None,
        received: object = None,
        fix: str | None = None,
    ) -> RecipeError:
        """Return (not raise) the error that `rule` is broken at key path `path`."""
        rule = f"{self.place(path)}: {rule}"
        return RecipeError(rule, expected=expected, received=received, fix=fix)


@contextmanager
def blaming(place: str, refusals: tuple[type[Exception], ...]) -> Iterator[None]:
    """Turn `refusals`, raised inside, into a RecipeError that says where the cause stands in the recipe.

    Example:
        >>> with blaming("a.toml: loss", (ValueError,)):
        ...     raise ValueError("No.")
        Traceback (most recent call last):
        gputrain.recipes.errors.RecipeError: a.toml: loss: No.
    """
    try:
        yield
    except RecipeError:
        raise
    except refusals as error:
        raise RecipeError(f"{place}: {error}") from error


def _covers(key: str, path: str) -> bool:
    return path == key or path.startswith((f"{key}.", f"{key}["))
