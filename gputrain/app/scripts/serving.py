"""The modules of Keras made of gputrain's rooms, and the import hook that serves them."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import SequenceMatcher
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import FrameType, ModuleType
from typing import Any

from gputrain.errors import explain
from gputrain.names import nearest, what_to_do
from gputrain.release import KERAS_VERSION, __version__

# The modules of Keras that are rooms of gputrain under the same name: all public ones, and these in them.
_INNER_ROOMS = (
    *("datasets.fashion_mnist", "datasets.mnist", "ops.linalg", "ops.nn", "ops.numpy"),
    *("optimizers.schedules", "preprocessing.sequence"),
)
TENSORFLOW = "tensorflow"  # what is served of it is tensorflow.keras, the same modules
# Below this two names share letters, not a meaning: LSTM and Softmax.
_ALIKE = 0.75
_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep


class KerasModule(ModuleType):
    """A module of Keras whose names are those of a room of gputrain.

    A name that the room lacks raises an AttributeError that says so, with the line of the script and the
    nearest name that exists. Modules of the room are not passed on, they are gputrain's own.

    Args:
        name: as a script imports it, "keras.layers".
        room: the module of gputrain that has the names, or None.
    """

    def __init__(self, name: str, room: ModuleType | None) -> None:
        super().__init__(name, f"`{name}`, served by gputrain {__version__}.")
        self._room = room

    @property
    def room(self) -> ModuleType | None:
        """The module of gputrain that has the names."""
        return self._room

    def __getattr__(self, name: str) -> Any:
        if name == "__all__":
            return self.names()
        if name.startswith("_"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        found = self._in_room(name)
        if found is None:
            path = f"{self.__name__}.{name}"
            # With a name of its own, Python does not add a second guess to the message.
            raise AttributeError(_told(path, self), name=path, obj=None)
        return found

    def _in_room(self, name: str) -> Any:
        """What the room calls `name`, or None."""
        found = None if name.startswith("_") else getattr(self._room, name, None)
        return None if isinstance(found, ModuleType) else found

    def has(self, name: str) -> bool:
        """Return whether a script finds `name` here."""
        return name in vars(self) or hasattr(ModuleType, name) or self._in_room(name) is not None

    def names(self) -> list[str]:
        """Return the public names, sorted; what `from keras.layers import *` brings."""
        room = getattr(self._room, "__all__", None) or dir(self._room)
        known = {*vars(self), *(room if self._room is not None else ())}
        return sorted(name for name in known if not name.startswith("_") and self.has(name))

    __dir__ = names


def keras_modules() -> dict[str, KerasModule]:
    """Return the modules of Keras by name, each with its submodules as attributes; also those of tf.keras.

    Example:
        >>> keras_modules()["keras"].layers.Dense is gputrain.layers.Dense
        True
    """
    whole = importlib.import_module("gputrain")
    public = [name for name in whole.__all__ if isinstance(getattr(whole, name), ModuleType)]
    rooms: dict[str, ModuleType | None] = {TENSORFLOW: None}
    for root in ("keras", f"{TENSORFLOW}.keras"):
        rooms[root] = whole
        for name in (*public, *_INNER_ROOMS):
            rooms[f"{root}.{name}"] = importlib.import_module(f"gputrain.{name}")
    modules = {name: KerasModule(name, room) for name, room in rooms.items()}
    for name, module in modules.items():
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(modules[parent], child, module)
        if module.room is whole:  # of Keras; gputrain's own version is another
            module.__version__ = KERAS_VERSION  # type: ignore[attr-defined]
    return modules


@contextmanager
def serving_keras() -> Iterator[dict[str, KerasModule]]:
    """Within a `with` block, `import keras` and its kin find gputrain, also where a real Keras is installed.

    Afterwards the process is as it was: a Keras that had been imported is back in its place.

    Yields:
        The modules by name.

    Example:
        >>> with serving_keras():
        ...     import keras
        >>> keras.__version__
        '3.0.0'
    """
    modules = keras_modules()
    finder = _Finder(modules)
    real = _take_out()
    sys.meta_path.insert(0, finder)
    try:
        yield modules
    finally:
        sys.meta_path.remove(finder)
        _take_out()
        sys.modules.update(real)


def first_missing(path: str, modules: Mapping[str, KerasModule]) -> str | None:
    """Return the part of a dotted path at which it leaves what is served, or None.

    Example:
        >>> first_missing("keras.layers.Nothing.more", keras_modules())
        'keras.layers.Nothing'
    """
    root, *parts = path.split(".")
    if root not in modules or (root == TENSORFLOW and parts[:1] != ["keras"] and tensorflow_is_installed()):
        return None
    found: Any = modules[root]
    for number, part in enumerate(parts, start=1):
        if not isinstance(found, KerasModule):
            return None
        if not found.has(part):
            return ".".join([root, *parts[:number]])
        found = getattr(found, part)
    return None


def advice(path: str, modules: Mapping[str, KerasModule]) -> str:
    """Return what to do about a missing `path`: what to write instead, or the nearest name, or ""."""
    found = what_to_do(path)
    if found is not None:
        return found
    room, _, name = path.rpartition(".")
    close = nearest(name, modules[room].names()) if room in modules else None
    return f"The nearest name is {room}.{close}." if close is not None and _alike(name, close) else ""


def tensorflow_is_installed() -> bool:
    """Whether the real TensorFlow is there; scripts then have all of it but keras."""
    return PathFinder.find_spec(TENSORFLOW) is not None


def is_machinery(frame: FrameType) -> bool:
    """Return whether a frame belongs to this folder or to Python's import system."""
    return frame.f_code.co_filename.startswith((_HERE, "<frozen importlib"))


class _Finder(MetaPathFinder, Loader):
    """Finds the modules of Keras, and words the error where a script imports what is not there."""

    def __init__(self, modules: Mapping[str, KerasModule]) -> None:
        self.modules = modules

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not _is_served(fullname) or (fullname == TENSORFLOW and _asks_package()):
            return None
        if fullname == TENSORFLOW and tensorflow_is_installed():
            return self._with_keras(PathFinder.find_spec(fullname))
        if fullname in self.modules:
            return ModuleSpec(fullname, self, origin=f"gputrain {__version__}", is_package=True)
        room, _, name = fullname.rpartition(".")
        if room in self.modules and self.modules[room].has(name):
            raise ModuleNotFoundError(f"{fullname} is not a module. Write: from {room} import {name}")
        # Also for a name that `from keras.layers import ...` did not find, hence the word for both; without
        # `name`, or Python would swallow it and raise a shorter one.
        raise ModuleNotFoundError(_told(fullname, self.modules.get(room)))

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self.modules[spec.name]

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is left to do."""

    def _with_keras(self, spec: ModuleSpec | None) -> ModuleSpec | None:
        """The real TensorFlow, which has the served keras once it is imported."""
        loader: Any = getattr(spec, "loader", None)
        if loader is not None:
            run = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                run(module)
                vars(module)["keras"] = self.modules[f"{TENSORFLOW}.keras"]

            loader.exec_module = exec_module
        return spec


def _asks_package() -> bool:
    """Whether an installed package is looking, as some do to find out whether TensorFlow is there."""
    frame = _user_frame()
    return frame is not None and f"{os.sep}site-packages{os.sep}" in frame.f_code.co_filename


def _is_served(name: str) -> bool:
    """Whether a module is looked for here: Keras, tensorflow.keras, all of TensorFlow unless it is there."""
    root, _, rest = name.partition(".")
    if root != TENSORFLOW:
        return root == "keras"
    return not rest or rest.partition(".")[0] == "keras" or not tensorflow_is_installed()


def _told(path: str, room: KerasModule | None) -> str:
    """The error of a missing name. It names the line, since the one who reads it may see no traceback."""
    modules = {} if room is None else {room.__name__: room}
    words = explain(f"gputrain has no {path} (yet).", fix=advice(path, modules) or None)
    line = _user_line()
    return f"{line}: {words}" if line else words


def _alike(name: str, other: str) -> bool:
    return SequenceMatcher(None, name.lower(), other.lower()).ratio() >= _ALIKE


def _user_frame() -> FrameType | None:
    """The nearest caller that is not machinery."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and is_machinery(frame):
        frame = frame.f_back
    return frame


def _user_line() -> str:
    """`file, line N` of that caller."""
    frame = _user_frame()
    return f"{frame.f_code.co_filename}, line {frame.f_lineno}" if frame is not None else ""


def _take_out() -> dict[str, ModuleType]:
    """Remove every module that is served, whoever made it, from `sys.modules`; returns them."""
    names = [name for name in sys.modules if _is_served(name)]
    return {name: sys.modules.pop(name) for name in names}
