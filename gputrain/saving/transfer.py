"""Weights out of a file into another model than they are of: what fits, with a report of what was loaded."""

from __future__ import annotations

import re
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gputrain.data.io.errors import FilePath
from gputrain.errors import explain
from gputrain.names import did_you_mean
from gputrain.optimizers import Optimizer
from gputrain.saving import keras_paths, legacy
from gputrain.saving.files.arrays import Stored
from gputrain.saving.keras_format import opened_weights
from gputrain.saving.loading import Matched, assign, differences, is_other

_SHOWN = 20  # lines of each part of a report
_OWN = "vars/"
_LAYERS = "layers"
_Held = dict[str, dict[str, Any]]  # layers by path, and what each has by the names of its arrays


@dataclass(frozen=True)
class TransferReport:
    """What `transfer_weights` did; `print` shows it.

    Attributes:
        loaded: layers that have the weights of the file, by path, with the path that they came from.
        left_alone: layers of the model that are as they were, by path, with the reason.
        left_over: paths of the layers in the file that no layer took.
    """

    loaded: Mapping[str, str]
    left_alone: Mapping[str, str]
    left_over: tuple[str, ...]

    def __str__(self) -> str:
        """A line for each layer that was left."""
        count = len(self.loaded) + len(self.left_alone)
        lines = [f"{len(self.loaded)} of {count} layers were loaded."]
        lines += _part("Left as they were:", (f"{path}: {why}" for path, why in self.left_alone.items()))
        lines += _part("In the file only:", self.left_over)
        return "\n".join(lines)


def _part(title: str, items: Iterable[str]) -> list[str]:
    lines = [f"  {item}" for item in items]
    more = [f"  and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return [title, *lines[:_SHOWN], *more] if lines else []


def transfer_weights(model: Any, filepath: FilePath, match: str = "path") -> TransferReport:
    """Load what fits of the weights of another model, as those of a backbone into one with a new head.

    A layer is loaded as a whole, where all its weights are in the file in their shapes, or left as it was.
    The state of optimizers is not loaded.

    Args:
        model: a model, or a layer of one, that is built.
        filepath: a file of weights, or a whole model in a `.keras` file.
        match: how a layer is found in the file. "path": by its place in the model, as `load_weights` does.
            "name": by its name, wherever it stands; npz files have no names. "shape": the layers of a kind
            with the same shapes in their order, whatever their names.

    Returns:
        the report.

    Raises:
        ValueError: no layer of the model is in the file; another `match`; a model that is not built.
        CorruptFileError: the file is damaged or of another kind.
        OSError: it cannot be opened.

    Example:
        >>> report = transfer_weights(model, "backbone.keras", match="name")  # doctest: +SKIP
        >>> print(report)  # doctest: +SKIP
        52 of 53 layers were loaded.
        Left as they were:
          layers/dense: 'head': it is not in the file
    """
    if match not in _WAYS:
        rule = "transfer_weights: match says how layers are found."
        raise ValueError(explain(rule, received=repr(match), fix=did_you_mean(str(match), _WAYS)))
    if not model.built:
        rule = f"{model.name} has no weights yet that those of a file could replace."
        raise ValueError(explain(rule, fix="Call the model on data first, or build(input_shape)."))
    objects = keras_paths.saved_objects(model)
    here = _held_by(objects)
    with opened_weights(Path(filepath), model) as file:
        if legacy.is_legacy(file):
            rule = f"{filepath}: transfer_weights reads files of weights as Keras 3 writes them."
            fix = "Call load_weights(filepath, by_name=True, skip_mismatch=True), or convert the file."
            raise ValueError(explain(rule, received="a .h5 file of Keras 2", fix=fix))
        there = _held_in(file.specs)
        sources = _WAYS[match](here, there, keras_paths.names_of(objects), file.names)
        matched = Matched()
        left_alone: dict[str, str] = {}
        for path, own in here.items():
            why = _fit(objects[path], own, sources.get(path), there, matched)
            if why:
                left_alone[path] = f"{objects[path].name!r}: {why}"
        loaded = {path: sources[path] for path in here if path not in left_alone}
        if not loaded:
            raise ValueError(_nothing(model, filepath, match, left_alone, there, file.names))
        assign(matched, file)
    taken = {*loaded.values()}
    return TransferReport(loaded, left_alone, tuple(path for path in there if path not in taken))


def _fit(item: Any, own: Mapping[str, Any], source: str | None, there: _Held, matched: Matched) -> str:
    """Note what a layer takes from its source in the file, or say why it takes nothing."""
    if source is None:
        return "it is not in the file"
    start = keras_paths.variables_below(source)
    wanted = {start + key: each for key, each in own.items()}
    problems = differences(wanted, {start + key: spec for key, spec in there[source].items()})
    if not problems:
        if keras_paths.own_holders(item) is None:
            matched.stores.append((item, {start + key: key for key in own}))
        else:
            matched.holders |= wanted
    return "; ".join(problems)


def _held_by(objects: Mapping[str, Any]) -> _Held:
    """The variables of each layer that has some, or the arrays that it keeps in its own way."""
    held: _Held = {}
    for path, item in objects.items():
        if not isinstance(item, Optimizer):
            own = keras_paths.own_holders(item)
            held[path] = _kept_in_its_own_way(item) if own is None else dict(own)
    return {path: own for path, own in held.items() if own}


class _Kept(NamedTuple):
    """An array that an object keeps in its own way."""

    name: str
    shape: tuple[int, ...]


def _kept_in_its_own_way(item: Any) -> dict[str, _Kept]:
    store: dict[str, Any] = {}
    item.save_own_variables(store)
    return {key: _Kept(key, tuple(getattr(value, "shape", np.shape(value)))) for key, value in store.items()}


def _held_in(specs: Mapping[str, Stored]) -> _Held:
    """What a file has of each layer."""
    held: _Held = defaultdict(dict)
    for name, spec in specs.items():
        path, inner, key = ("", _OWN, name.removeprefix(_OWN)) if name.startswith(_OWN) else _divided(name)
        if inner and not is_other(name, set()):
            held[path][key] = spec
    return dict(held)


def _divided(name: str) -> tuple[str, str, str]:
    return name.rpartition(f"/{_OWN}")


# ------------------------------------------------------------------------ ways to find a layer: path to path


def _by_path(
    here: _Held, there: _Held, names: Mapping[str, str], others: Mapping[str, str]
) -> dict[str, str]:
    return {path: path for path in here if path in there}


def _by_name(
    here: _Held, there: _Held, names: Mapping[str, str], others: Mapping[str, str]
) -> dict[str, str]:
    """By the name of the layer of a model, and the place below it; a name that stands twice is of nobody."""
    called = {path: _called(path, names) for path in here}
    found = {path: _called(path, others) for path in there}
    counts, other_counts = Counter(called.values()), Counter(found.values())
    sources = {name: path for path, name in found.items() if name and other_counts[name] == 1}
    return {path: sources[name] for path, name in called.items() if name in sources and counts[name] == 1}


def _called(path: str, names: Mapping[str, str]) -> tuple[str, str] | None:
    """The name of the layer in the innermost model, and the place below it; None where it has none."""
    parts = path.split("/")
    ends = [i + 2 for i, part in enumerate(parts[:-1]) if part == _LAYERS]
    end = ends[-1] if ends else 1
    name = names.get("/".join(parts[:end]))
    return None if name is None else (name, "/".join(parts[end:]))


def _by_shape(
    here: _Held, there: _Held, names: Mapping[str, str], others: Mapping[str, str]
) -> dict[str, str]:
    """The first of a kind and of some shapes from the first of these, and so on."""
    sources: dict[Any, deque[str]] = defaultdict(deque)
    for path in sorted(there, key=_place):
        sources[_form(path, there[path])].append(path)
    found = {}
    for path in sorted(here, key=_place):
        if left := sources[_form(path, here[path])]:
            found[path] = left.popleft()
    return found


def _form(path: str, held: Mapping[str, Any]) -> Any:
    """The kind of a layer, as its path tells it, and the shapes of what it has."""
    kind = re.sub(r"_\d+$", "", path.rpartition("/")[2])
    return kind, tuple((key, tuple(held[key].shape)) for key in sorted(held))


def _place(path: str) -> list[tuple[str, int]]:
    """What paths are sorted by: "dense_10" comes after "dense_9"."""
    return [(text, int(number or 0)) for text, number in re.findall(r"([^/]+?)(?:_(\d{1,9}))?(?:/|$)", path)]


_WAYS: Mapping[str, Callable[..., dict[str, str]]] = {"path": _by_path, "name": _by_name, "shape": _by_shape}


def _nothing(
    model: Any,
    filepath: FilePath,
    match: str,
    left_alone: Mapping[str, str],
    there: _Held,
    names: Mapping[str, str],
) -> str:
    """The error about a file that has nothing for a model."""
    rule = f"{filepath}: no layer of {model.name!r} is in the file, by {match}."
    expected = (
        "; ".join(f"{path} ({why})" for path, why in [*left_alone.items()][:3]) or "a layer with weights"
    )
    found = [f"{path} {names.get(path, '')!r}" if match == "name" else path for path in there]
    received = ", ".join(found[:5]) or "no layer by a path of Keras 3, as layers/dense/vars/0"
    others = [f"{way!r}" for way in _WAYS if way != match]
    fix = f"Try match={' or '.join(others)}, or the layer of the model that the weights are of."
    if match == "name" and not any(path in names for path in there):
        received = "a file that has no names of layers"
    return explain(rule, expected=expected, received=received, fix=fix)
