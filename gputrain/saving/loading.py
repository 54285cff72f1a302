"""From the arrays of a file to the variables of a model: compared first, then set one by one."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gputrain import config
from gputrain.data.io.errors import CorruptFileError, FilePath
from gputrain.optimizers import Optimizer
from gputrain.runtime import Variable
from gputrain.saving import keras_paths
from gputrain.saving.files.arrays import ArrayFile, Stored
from gputrain.utils.states import Holder

_SHOWN = 5  # differences that an error lists
_BESIDE = 16 << 20  # bytes beside the weights: of metrics and counters, of groups and names in a file
_WIDER = 4  # how much wider a variable may be than what the file has for it: float32 for int8
_WITH_SLOTS = 8  # copies of the weights in a file: themselves and slots of the optimizer, float32 for 16 bits
_HEADER = 4096  # bytes beside each array and its slots
_MOST_OWN = 1 << 30  # bytes of what classes keep in their own way


class Budget:
    """How much memory the variables may take of a model that is built for the weights of a file.

    Args:
        path: of the file.
        held: bytes of its part with the weights.
    """

    def __init__(self, path: FilePath, held: int) -> None:
        self._path, self._held, self._taken = path, held, 0
        self._most = held * _WIDER + config.model_memory()

    def keep(self, where: str, shape: tuple[int, ...], dtype: str) -> None:
        """Count a variable before it is made.

        Raises:
            CorruptFileError: the file cannot hold it.
        """
        self.pass_by(where, shape, dtype)
        self._taken += math.prod(shape) * np.dtype(dtype).itemsize

    def pass_by(self, where: str, shape: tuple[int, ...], dtype: str) -> None:
        """Refuse something else that is made, beside the variables, where that is too much.

        Raises:
            CorruptFileError: the variables of the file would not take as much.
        """
        size = math.prod(shape) * np.dtype(dtype).itemsize
        total = self._taken + size
        if total > self._most:
            rule = "the weights that the config describes are in the file"
            expected = f"at most {self._most} bytes for the {self._held} that the file has of weights"
            received = f"{where!r} of shape {shape}, {size} bytes, and so {total} with those before it"
            more = total - self._held * _WIDER
            fix = f"The file is damaged; one that you trust may take more: config.set_model_memory({more})."
            raise CorruptFileError(self._path, rule, expected, received, fix)


def most_stored(model: Any) -> int:
    """How many bytes the weights of a model, with the state of an optimizer, take in a file at most."""
    items = keras_paths.saved_objects(model).values()
    variables = model.variables
    size = sum(variable.spec.size * np.dtype(variable.dtype).itemsize for variable in variables)
    has_own = any(keras_paths.own_holders(item) is None for item in items)
    return size * _WITH_SLOTS + len(variables) * _HEADER + _BESIDE + (_MOST_OWN if has_own else 0)


@dataclass
class Matched:
    """What a file has for a model.

    Attributes:
        holders: variables, by the names of their arrays.
        stores: objects of classes that load in their own way, each with the names of its arrays.
        problems: what does not fit, by the path of the layer.
        notes: what is left as it is without harm.
    """

    holders: dict[str, Holder] = field(default_factory=dict)
    stores: list[tuple[Any, dict[str, str]]] = field(default_factory=list)
    problems: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def load_into(
    model: Any,
    file: ArrayFile,
    path: object,
    skip_mismatch: bool = False,
    skip: Iterable[Any] = (),
    is_new: bool = False,
) -> None:
    """Set the variables of a model to the arrays of a file; none is changed unless all fit.

    Args:
        model: its weights exist.
        file: an open one, with arrays by Keras's names.
        path: of the file, for errors.
        skip_mismatch: warn about layers that do not fit, and leave them as they are.
        skip: layers that are left as they are in any case.
        is_new: whether the model is thrown away where reading fails: then arrays are read into its variables.

    Raises:
        ValueError: arrays are missing, too many or of other shapes.
    """
    skip = list(skip)
    objects = keras_paths.saved_objects(model, skip)
    left_out = [] if not skip else keras_paths.saved_objects(model).keys() - objects.keys()
    _build_optimizers(objects, file.specs, model)
    matched = _matched(model, objects, file.specs, set(left_out))
    if matched.problems:
        text = told(model, path, matched.problems, skip_mismatch)
        if not skip_mismatch:
            raise ValueError(text)
        warnings.warn(text, stacklevel=4)
    for note in matched.notes:
        warnings.warn(note, stacklevel=4)
    assign(matched, file, _own_memory(matched, file) if is_new else {})


def _own_memory(matched: Matched, file: ArrayFile) -> dict[str, np.ndarray]:
    """The memory of variables on the host that hold what the file does, dtype and all."""
    found = {}
    for name, holder in matched.holders.items():
        array = holder.array if isinstance(holder, Variable) else None
        if isinstance(array, np.ndarray) and array.dtype.name == file.specs[name].dtype:
            found[name] = array
    return found


def assign(matched: Matched, file: ArrayFile, places: Mapping[str, np.ndarray] | None = None) -> None:
    """Set what is matched to the arrays of a file; some may be read where `places` says."""
    for name, array in file.arrays(list(matched.holders), places):
        matched.holders[name].fill(array)
        del array  # the next one is read into other memory
    for item, names in matched.stores:
        arrays = dict(file.arrays(list(names)))
        item.load_own_variables({names[name]: array for name, array in arrays.items()})


def _own_names(specs: Mapping[str, Stored], path: str) -> dict[str, str]:
    """The arrays of an object itself: their keys in its store, by their names."""
    start = keras_paths.variables_below(path)
    return {name: name.removeprefix(start) for name in specs if name.startswith(start)}


def _build_optimizers(objects: Mapping[str, Any], specs: Mapping[str, Stored], model: Any) -> None:
    """Make the slots of optimizers that have some in the file."""
    for path, item in objects.items():
        is_new = isinstance(item, Optimizer) and not item.built
        if is_new and len(_own_names(specs, path)) > len(item.saved_variables()):
            item.build(model.trainable_variables)


def _matched(
    model: Any, objects: Mapping[str, Any], specs: Mapping[str, Stored], left_out: set[str]
) -> Matched:
    matched = Matched()
    known: set[str] = set()
    for path, item in objects.items():
        names = _own_names(specs, path)
        known |= names.keys()
        holders = keras_paths.own_holders(item)
        if holders is None:
            matched.stores.append((item, names))
            continue
        wanted = {keras_paths.variables_below(path) + key: holder for key, holder in holders.items()}
        problems = differences(wanted, {name: specs[name] for name in names})
        if isinstance(item, Optimizer) and problems:
            matched.notes.append(_left_alone(item, problems))
        elif problems:
            matched.problems[path or item.name] = [f"{item.name!r}: {text}" for text in problems]
        else:
            matched.holders |= wanted
    for name, holder in keras_paths.of_gputrain(model).items():
        if name in specs and specs[name].shape == holder.shape:
            matched.holders[name] = holder
    for name in specs:
        if name not in known and not is_other(name, left_out):
            place = name.rpartition("/vars/")[0]
            matched.problems.setdefault(place, []).append(f"{name}: the model has no such layer")
    return matched


def is_other(name: str, left_out: set[str]) -> bool:
    """Whether an array is no weight of the model: gputrain's own, an optimizer's, or of what is left out."""
    first = name.partition("/")[0]
    beginnings = (f"{keras_paths.OWN}/", *(keras_paths.variables_below(path) for path in left_out))
    return name.startswith(beginnings) or first.endswith("optimizer")


def differences(wanted: Mapping[str, Holder], found: Mapping[str, Stored]) -> list[str]:
    """What of the wanted arrays is missing, too much, or of another shape."""
    missing = [
        f"{name} ({holder.name} of shape {holder.shape}) is missing in the file"
        for name, holder in wanted.items()
        if name not in found
    ]
    extra = [
        f"{name} of shape {spec.shape} is in the file only"
        for name, spec in found.items()
        if name not in wanted
    ]
    shapes = [
        f"{name} ({holder.name}) has shape {found[name].shape} in the file and {holder.shape} here"
        for name, holder in wanted.items()
        if name in found and tuple(holder.shape) != found[name].shape
    ]
    return [*missing, *extra, *shapes]


def _left_alone(optimizer: Optimizer, problems: list[str]) -> str:
    rule = f"The state of optimizer {optimizer.name!r} is not that of the file and is left as it is."
    return f"{rule}\n  " + "\n  ".join(_shortened(problems))


def _shortened(lines: list[str]) -> list[str]:
    more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return [*lines[:_SHOWN], *more]


def told(model: Any, path: object, problems: Mapping[str, list[str]], skipped: bool) -> str:
    """What does not fit, a line for each."""
    lines = [text for texts in problems.values() for text in texts]
    is_one = len(problems) == 1
    left, unfit = ("is left as it is", "does not fit") if is_one else ("are left as they are", "do not fit")
    fix = "" if skipped else "\nload_weights(..., skip_mismatch=True) takes what fits."
    if not model.built and not model.variables:
        fix = f"\n{model.name} is not built: call it on data, or build(input_shape), so that it has weights."
    count = f"{len(problems)} layer{'' if is_one else 's'}"
    what = left if skipped else unfit
    return f"{path}: {count} of {model.name!r} {what}.\n  " + "\n  ".join(_shortened(lines)) + fix
