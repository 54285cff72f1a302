"""The objects that a recipe names, and their arguments, checked against what their classes take."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gputrain.app.recipes import catalog
from gputrain.app.recipes.errors import Source
from gputrain.app.recipes.schema import describe, join
from gputrain.names import did_you_mean
from gputrain.utils.settings import is_number

_MAX_NUMBER = 3.4e38  # about the largest float32
_NAMED_ONLY = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
# What a class may take in its **kwargs by Keras's rules; the data section says the shapes.
_HIDDEN = ("input_shape", "input_dim", "batch_input_shape", "batch_size")


def parameters(made_by: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Return the named arguments of a function, or of a class and its bases as far as **kwargs hands them on.

    Example:
        >>> list(parameters(Dropout))
        ['rate', 'noise_shape', 'seed', 'name', 'trainable', 'dtype']
    """
    if not isinstance(made_by, type):
        signature = inspect.signature(made_by).parameters
        return {name: item for name, item in signature.items() if item.kind in _NAMED_ONLY}
    found: dict[str, inspect.Parameter] = {}
    for base in made_by.__mro__:
        if "__init__" not in vars(base) or base is object:
            continue
        signature = inspect.signature(vars(base)["__init__"]).parameters
        for name, parameter in list(signature.items())[1:]:
            if parameter.kind in _NAMED_ONLY and name not in _HIDDEN and not name.startswith("_"):
                found.setdefault(name, parameter)
        if not any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in signature.values()):
            break
    return found


def check_named(
    kind: str, given: str | Mapping[str, Any], path: str, source: Source, default: str | None = None
) -> dict[str, Any]:
    """Check an object given as "name" or as { name = "...", arguments }.

    Args:
        kind: what it must be, as in `catalog.classes`.
        given: the name or table as read. The class's own argument `name` is not for recipes.
        path: its key path.
        source: where it was read, for errors.
        default: the name when the table has none.

    Returns:
        The table with every default.

    Raises:
        RecipeError: an unknown name, or arguments that its class does not take.
    """
    arguments = {"name": given} if isinstance(given, str) else dict(given)
    name = arguments.pop("name", default)
    cls = find_class(kind, name, path if isinstance(given, str) else join(path, "name"), source)
    checked = check_arguments(cls, arguments, path, source, beside=("name",), hidden=("name", "fn"))
    return {"name": name, **checked}


def find_class(kind: str, name: object, path: str, source: Source) -> type[Any]:
    """Return the class of `kind` that `name`, given at key path `path`, stands for.

    Raises:
        RecipeError: it is no text, or no known name.
    """
    if not isinstance(name, str):
        received = "nothing" if name is None else describe(name)
        raise source.error(path, f"Every {kind} needs a name.", expected="text", received=received)
    found = catalog.find(kind, name)
    if found is None:
        raise source.error(path, f"Unknown {kind} {name!r}.", fix=_hint(name, catalog.classes(kind)))
    return found


def check_arguments(
    cls: Callable[..., Any],
    given: Mapping[str, Any],
    path: str,
    source: Source,
    *,
    beside: Sequence[str],
    hidden: Sequence[str] = (),
) -> dict[str, Any]:
    """Return `given` with the defaults of `cls` filled in, as far as TOML can say them.

    Args:
        cls: the class that will be built, or the function that will be called.
        given: arguments as read from the recipe.
        path: key path of the table they stand in.
        source: where they were read, for errors.
        beside: keys of the table that are no arguments, for the hint.
        hidden: arguments of the class that a recipe does not give.

    Raises:
        RecipeError: an unknown argument, a missing one, or a value that no argument can be.
    """
    known = {name: item for name, item in parameters(cls).items() if name not in hidden}
    for name in given:
        if name not in known:
            rule = f"Unknown argument of {cls.__name__}."
            raise source.error(join(path, name), rule, fix=did_you_mean(name, (*beside, *known)))
    for name, parameter in known.items():
        if name not in given and parameter.default is inspect.Parameter.empty:
            raise source.error(join(path, name), f"{cls.__name__} needs this argument.", received="nothing")
    checked = {name: _checked(name, value, join(path, name), source) for name, value in given.items()}
    defaults = {name: item.default for name, item in known.items() if _is_plain(item.default)}
    return {
        name: checked.get(name, defaults.get(name)) for name in known if name in given or name in defaults
    }


def _checked(name: str, value: Any, path: str, source: Source) -> Any:
    """Check one value: plain data, or a table that names an object of the kind this argument takes."""
    if not isinstance(value, dict):
        check_plain(value, path, source)
        return value
    kind = _kind(name)
    if kind is None:
        raise source.error(path, "This argument is no table.", received=describe(value))
    return check_named(kind, value, path, source)


def _kind(argument: str) -> str | None:
    if argument == "learning_rate":
        return "schedule"
    ending = argument.rpartition("_")[2]
    return ending if ending in ("initializer", "regularizer", "constraint") else None


def _hint(name: str, known: Mapping[str, object]) -> str:
    if name in ("Input", "InputLayer"):
        return "A recipe has no input layer: data.reshape says the shape of a sample."
    return did_you_mean(name, known, "docs/configuration.md")


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return isinstance(value, bool | int | float | str)


def check_plain(value: Any, path: str, source: Source) -> None:
    """Refuse what TOML can say but no argument can be: dates, tables in arrays, what no float32 holds.

    Raises:
        RecipeError: `value`, at key path `path`, is such a thing.
    """
    if isinstance(value, list):
        for index, inner in enumerate(value):
            check_plain(inner, f"{path}[{index}]", source)
    elif not isinstance(value, bool | str) and not (is_number(value) and abs(value) <= _MAX_NUMBER):
        expected = "text, true or false, or a finite number up to 3.4e38"
        raise source.error(path, "Wrong value.", expected=expected, received=describe(value))
