"""Models that a recipe makes with a function instead of a list of layers.

A function is one of gputrain's, by a name of the closed list BUILDERS, or one in a Python file, as
"my_models.py:build". The code of a file is run only if whoever starts the run names that file
(`--builder-file my_models.py`): a recipe, or the folder of a run, never makes code run by itself.
"""

from __future__ import annotations

import inspect
import runpy
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gputrain import layers, models
from gputrain.app.recipes.arguments import check_arguments, check_plain, parameters
from gputrain.app.recipes.errors import RecipeError, Source
from gputrain.app.recipes.schema import CODE
from gputrain.names import did_you_mean, forget_names

Builder = Callable[..., models.Model]

FILE_KEY = "model.builder_file"
OPTION = "--builder-file"
_GIVEN = ("input_shape", "outputs")  # what every builder is called with


def mlp(
    input_shape: Sequence[int],
    outputs: int,
    units: Sequence[int] = (64, 64),
    activation: str = "relu",
    dropout: float = 0.0,
    last_activation: str = "softmax",
) -> models.Model:
    """Dense layers, one after the other.

    Args:
        input_shape: the shape of a sample; it is made flat.
        outputs: units of the last layer.
        units: units of each layer before it.
        activation: of these.
        dropout: share of their outputs that is dropped.
        last_activation: of the last layer.
    """
    model = models.Sequential([layers.Input(tuple(input_shape)), layers.Flatten()], name="mlp")
    for size in units:
        model.add(layers.Dense(size, activation=activation))
        if dropout:
            model.add(layers.Dropout(dropout))
    model.add(layers.Dense(outputs, activation=last_activation))
    return model


BUILDERS: Mapping[str, Builder] = {"mlp": mlp}


def file_name(model: Mapping[str, Any]) -> str | None:
    """Return the name of the Python file that a model section wants, or None."""
    found = CODE.fullmatch(model.get("builder", ""))
    return found[1] if found else None


def check_builder(model: Mapping[str, Any], file: object, source: Source) -> dict[str, Any]:
    """Return the checked model section of a recipe that names a builder, with its defaults; nothing is run.

    Args:
        model: the section.
        file: the Python file that whoever runs the recipe has named; None where they did not.
        source: where the section was read, for errors.

    Raises:
        RecipeError: no such builder or argument; or code would have to be run that nobody asked for.
    """
    name, arguments, path = model["builder"], model.get("arguments", {}), "model.arguments"
    wanted = file_name(model)
    if wanted is None:
        if name not in BUILDERS:
            known = did_you_mean(name, BUILDERS)
            fix = f'{known} A function of a file of yours is written "my_models.py:build".'
            raise source.error("model.builder", f"There is no builder {name!r}.", fix=fix)
        checked = check_arguments(BUILDERS[name], arguments, path, source, beside=(), hidden=_GIVEN)
    else:
        _check_file(wanted, file, source)
        checked = dict(arguments)
        for key, value in checked.items():
            check_plain(value, f"{path}.{key}", source)
    return {"builder": name, "arguments": checked}


def _check_file(wanted: str, file: object, source: Source) -> None:
    if file is None:
        rule = f"The model is made by code, in {wanted}, which is run only if you name that file."
        fix = f"Read it, then name it: {OPTION} {wanted} (a run folder keeps a copy of the file it used)."
        raise source.error("model.builder", rule, fix=fix)
    if not isinstance(file, str) or Path(file).name != wanted:
        raise source.error(FILE_KEY, "This is not the recipe's file.", expected=wanted, received=repr(file))
    if not Path(file).is_file():
        raise source.error(FILE_KEY, "There is no such file.", received=file)


def build(
    model: Mapping[str, Any], file: Path | None, shape: Sequence[int], outputs: int, source: Source
) -> models.Model:
    """Return the model that a checked model section's builder makes.

    Args:
        model: as `check_builder` returns it.
        file: the Python file named by whoever runs the recipe.
        shape: of one sample.
        outputs: how many outputs the data has.
        source: where the section was read, for errors.

    Raises:
        RecipeError: the builder refuses its arguments, fails, or makes no such model.
    """
    forget_names()  # so that the names of layers, and of weights, are the same in every process
    path = source.place("model.builder")
    try:
        builder = BUILDERS[model["builder"]] if file is None else _function(file, model["builder"])
        made = builder(input_shape=tuple(shape), outputs=outputs, **model["arguments"])
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        raise RecipeError(f"{path}: The builder failed{_line(error, file)}.", received=said) from error
    if not isinstance(made, models.Model) or getattr(made, "graph", None) is None:
        rule = "A builder returns a Sequential model that begins with Input, or a functional Model"
        raise RecipeError(f"{path}: {rule}.", received=type(made).__name__)
    if tuple(made.input_shape[1:]) != tuple(shape):
        received = tuple(made.input_shape[1:])
        raise RecipeError(f"{path}: The model takes other inputs.", expected=tuple(shape), received=received)
    return made


def _function(file: Path, builder: str) -> Builder:
    name = builder.partition(":")[2]
    found = runpy.run_path(str(file), run_name=file.stem).get(name)
    if not callable(found):
        raise LookupError(f"{file} has no function {name}")
    takes = parameters(found) if inspect.isroutine(found) else {}
    if not set(_GIVEN) <= takes.keys():
        raise TypeError(f"{name} must take {' and '.join(_GIVEN)}")
    return found


def _line(error: Exception, file: Path | None) -> str:
    """Where in the user's file an error was raised, in words."""
    calls = traceback.walk_tb(error.__traceback__)
    lines = [line for frame, line in calls if frame.f_code.co_filename == str(file)]
    return f" at {file}:{lines[-1]}" if lines else ""
