"""Help for errors about names: the nearest known name to a misspelt or missing one."""

from __future__ import annotations

import re
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from types import FrameType
from typing import Any


def snake_case(name: str) -> str:
    """Return `name` in snake_case: "GlorotUniform" gives "glorot_uniform", "Conv2D" gives "conv2d".

    Args:
        name: a class name or a name already in snake_case.

    Example:
        >>> snake_case("HeNormal")
        'he_normal'
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=.)(?=[A-Z][a-z])", "_", name)
    return spaced.lower()


_used: Counter[str] = Counter()
_lock = threading.Lock()


def auto_name(class_name: str) -> str:
    """The next free name for a class. For people only: nothing random or saved depends on it."""
    prefix = snake_case(class_name)
    with _lock:
        number = _used[prefix]
        _used[prefix] += 1
    return prefix if number == 0 else f"{prefix}_{number}"


def forget_names() -> None:
    """Start again at "dense"."""
    with _lock:
        _used.clear()


def clear_session(free_memory: bool = True) -> None:
    """Let layer names start again at "dense", and free what unused models held.

    Args:
        free_memory: whether to collect garbage at once.
    """
    forget_names()
    if free_memory:
        import gc  # only needed here

        gc.collect()


def checked_name(name: str, where: str) -> str:
    """Return a name that may be a part of a path.

    Args:
        name: what the user gave.
        where: what is named, as "Dense".

    Raises:
        ValueError: not a string, or one with "/", which separates the parts of a path.
    """
    if not isinstance(name, str) or "/" in name:
        raise ValueError(f'{where}: name is a string without "/". Received: {name!r}.')
    return name


# What people call a backend.
_MEANT = {"gpu": "cupy", "cuda": "cupy", "cpu": "numpy"}


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the member of `names` that `name` most likely stands for, or None when none is close.

    A name spelt almost like it comes first, then one that has all its words ("top_k" in
    "top_k_categorical_accuracy"), then one spelt much like it, then one that begins with it, then one whose
    words it has all. Case, underscores and hyphens do not count.

    Example:
        >>> nearest("glorot-unifrom", ["zeros", "glorot_uniform"])
        'glorot_uniform'
    """
    known = list(names)
    if _MEANT.get(_key(name)) in known:
        return _MEANT[_key(name)]
    words = _words(name)
    longer = [other for other in known if words <= _words(other)]
    shorter = [other for other in known if _words(other) <= words]
    key = _key(name)
    begun = [other for other in known if len(key) > 2 and _key(other).startswith(key)]
    attempts = ((known, 0.85), (longer, 0.0), (known, 0.6), (begun, 0.0), (shorter, 0.0))
    found = (_closest(name, among, cutoff) for among, cutoff in attempts)
    return next((other for other in found if other is not None), None)


def _closest(name: str, names: Iterable[str], cutoff: float) -> str | None:
    """The name spelt most like `name`, unless it is less alike than `cutoff` (0..1)."""
    return next(iter(_alike(name, names, cutoff, 1)), None)


def _alike(name: str, names: Iterable[str], cutoff: float, most: int) -> list[str]:
    """The names spelt most like `name`, the nearest first, none less alike than `cutoff` (0..1)."""
    import difflib  # only needed where an error is worded

    by_key: dict[str, list[str]] = {}
    for known in names:
        by_key.setdefault(_key(known), []).append(known)
    close = difflib.get_close_matches(_key(name), by_key, n=most, cutoff=cutoff)
    return [difflib.get_close_matches(name, by_key[key], n=1, cutoff=0.0)[0] for key in close]


_ALL_TOLD = 30  # names that an error lists; of more it lists those that are like the unknown one
_FEW = 5


def did_you_mean(name: str, names: Iterable[str], listing: str = "") -> str:
    """Return the closing words of an error about an unknown name: the nearest name and all known ones.

    Of many names, those that are spelt like it, and where all are.

    Args:
        name: the unknown one.
        names: the known ones.
        listing: what lists many names, as "dir(keras.layers)".

    Example:
        >>> did_you_mean("ones_", ["ones", "zeros"])
        "Did you mean 'ones'? Known names: ones, zeros."
    """
    known = sorted(set(names))
    if not known:
        return "There are no known names."
    close = nearest(name, known)
    hint = f"Did you mean {close!r}? " if close is not None else ""
    if len(known) <= _ALL_TOLD:
        return f"{hint}Known names: {', '.join(known)}."
    alike = [other for other in _alike(name, known, 0.5, _FEW) if other != close]
    others = f"Names like it: {', '.join(alike)}. " if alike else ""
    return f"{hint}{others}" + (f"{listing} lists all." if listing else f"There are {len(known)} names.")


def listed(items: Sequence[str], most: int = 20) -> str:
    """Return the first `most` items with commas between them, and how many more there are.

    Example:
        >>> listed(["a", "b", "c"], 2)
        'a, b and 1 more'
    """
    more = len(items) - most
    return ", ".join(items[:most]) + (f" and {more} more" if more > 0 else "")


_ABOVE: dict[tuple[str, str], str] = {}
# Where a name is looked for that another room was asked for, the likeliest first.
_ROOMS = (
    *("layers", "ops", "losses", "metrics", "optimizers", "callbacks", "models", "utils", "random"),
    *("activations", "initializers", "regularizers", "constraints", "datasets", "saving", "config"),
)


def stands_above(module: str, names: Iterable[str], home: str) -> None:
    """Let names that users look for in `module` be served from a module above it, imported when asked for.

    Args:
        module: a module whose `__getattr__` is from `missing_name`.
        names: what it lacks.
        home: the module that has it.

    Example:
        >>> stands_above("gputrain.callbacks", ["Advisor"], "gputrain.app.advice")
    """
    _ABOVE.update({(module, name): home for name in names})


def public(
    kind: str, module: str, names: Iterable[str], rooms: Iterable[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return a room's `__getattr__`, which says what to do about a name that is not there, and its `__dir__`.

    A name that `stands_above` was told of comes from the module that has it.

    Args:
        kind: the word for what the module holds, as "layer"; "" where names are told by their paths.
        module: its `__name__`.
        names: its public names; `dir` shows them alone, not the modules that they come from.
        rooms: modules that are found under their last name, imported when they are first asked for; `dir`
            shows them too.

    Returns:
        two functions. The first raises AttributeError, or ImportError where `from module import name` asks:
        that statement would replace the words of an AttributeError by its own. Of a name in capitals it
        lists the classes, of another one the functions.

    Example:
        >>> __getattr__, __dir__ = public("layer", __name__, __all__)
    """

    places = {path.rpartition(".")[2]: path for path in rooms}

    def missing(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        if name in places:
            return import_module(places[name])
        if (module, name) in _ABOVE:
            return getattr(import_module(_ABOVE[module, name]), name)
        asking = sys._getframe(1)
        if asking.f_code.co_name == "_handle_fromlist":  # Python looks whether to import a module
            raise AttributeError(name)
        path = f"{module}.{name}".replace("gputrain", "keras", 1)
        instead = what_to_do(path)
        if instead is None:
            alike = [known for known in names if known[:1].isupper() == name[:1].isupper()]
            instead = did_you_mean(name, alike, f"dir({path.rpartition('.')[0]})")
        what = f"{kind} {name!r}" if kind else path
        message = f"gputrain has no {what}. {instead}"
        if _is_from_import(asking):
            raise ImportError(message, name=name)
        raise AttributeError(message, name=name)

    def shown() -> list[str]:
        return sorted({*names, *places})

    return missing, shown


def what_to_do(path: str) -> str | None:
    """Return what to do about a name of Keras, or of older Keras, that is not there; None where nobody knows.

    Args:
        path: as "keras.layers.LSTM".

    Example:
        >>> what_to_do("keras.backend.square")
        'It is keras.ops.square.'
    """
    from gputrain.keras_names import instead_of, is_operation_of_tensorflow  # only where an error is worded

    place = _elsewhere(path)
    if place is not None and place.startswith("keras.ops.") and is_operation_of_tensorflow(path):
        return f"It is {place}."
    found = instead_of(path)
    return f"It is {place}." if found is None and place is not None else found


def missing_attribute(owner: str) -> Callable[[Any, str], Any]:
    """Return a class's `__getattr__`, which says what to do about attributes that Keras has and it lacks.

    Args:
        owner: the class of Keras, as "optimizers.Optimizer".

    Example:
        >>> __getattr__ = missing_attribute("optimizers.Optimizer")
    """

    def missing(self: Any, name: str) -> Any:
        words = f"{type(self).__name__!r} object has no attribute {name!r}"
        raise lacking(self, name, words, attribute_instead(owner, name))

    return missing


def lacking(owner: Any, name: str, words: str, instead: str) -> AttributeError:
    """Return the error about an attribute; Python guesses at a name only where `instead` says nothing.

    Args:
        owner: whose it would be.
        name: as it was asked for.
        words: the error of Python.
        instead: as `attribute_instead` gives it.
    """
    return AttributeError(f"{words}{instead}", name=name, obj=None if instead else owner)


def attribute_instead(owner: str, name: str) -> str:
    """Return the closing words of an error about an attribute: what to do instead, or ""."""
    if name.startswith("__"):
        return ""
    from gputrain.keras_names import instead_of  # only needed where an error is worded

    found = instead_of(f"keras.{owner}.{name}")
    return "" if found is None else f". {found}"


def unknown_argument(name: str, known: Iterable[str]) -> str:
    """Return the closing words of an error about an unknown argument: what to write instead of it.

    Args:
        name: as it was given; one of Keras 1 or 2 is known by what it is called now.
        known: names of the arguments there are.

    Example:
        >>> unknown_argument("nb_epoch", ["epochs"])
        'Keras 3 calls it epochs.'
    """
    taken = set(known)
    return argument_instead(name, taken) or did_you_mean(name, taken)


def unknown_arguments(names: Iterable[str], known: Iterable[str]) -> str:
    """Return the closing words of an error about unknown arguments: of several, all that have a name now.

    Args:
        names, known: see `unknown_argument`.

    Example:
        >>> unknown_arguments(["nb_epoch", "show"], ["epochs"])
        'Keras 3 calls it epochs.'
    """
    given, taken = sorted(names), set(known)
    told = {name: text for name in given if (text := argument_instead(name, taken)) is not None}
    if len(told) > 1:
        return " ".join(f"{name}: {text}" for name, text in told.items())
    return next(iter(told.values()), None) or did_you_mean(given[0], taken)


def argument_instead(name: str, known: Iterable[str]) -> str | None:
    """Return what to write for an argument of Keras 1 or 2, where `known` has that; None for others."""
    from gputrain.keras_names import argument_of_old  # only needed where an error is worded

    return argument_of_old(name, set(known))


def _elsewhere(path: str) -> str | None:
    """Where in the rooms that are imported the last name of `path` is public."""
    name = path.rpartition(".")[2]
    for room in ("", *_ROOMS):
        module = sys.modules.get(f"gputrain.{room}".rstrip("."))
        of_keras = room != "ops" or name.islower()  # classes of operations are gputrain's own
        if of_keras and name in getattr(module, "__all__", ()):
            return f"keras.{room}.{name}" if room else f"keras.{name}"
    return None


def _is_from_import(frame: FrameType) -> bool:
    """Whether a frame is at the step of `from module import name` that takes the name."""
    import dis  # only needed where an error is worded

    return dis.opname[frame.f_code.co_code[frame.f_lasti]] == "IMPORT_FROM"


def _words(name: str) -> set[str]:
    return set(snake_case(name).replace("-", "_").split("_")) - {""}


def _key(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
