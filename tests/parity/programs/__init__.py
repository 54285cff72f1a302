"""Programs as users of Keras write them; Keras runs them on PyTorch, its backend that runs line by line.

A program is a public function of a module here. It is given the package, `keras` or `gputrain`, and returns
what it saw under names of its own; see `runners.run_program` for what may be returned. It imports neither
package, uses only what both have, and draws nothing at random: `tests.parity.means` has numbers.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import Any

from tests.parity.table import Case

Program = Callable[[Any], dict[str, Any]]


def _programs(room: Any) -> dict[str, Program]:
    """The programs of a module by `module.function`."""
    module = room.__name__.rpartition(".")[2]
    return {
        f"{module}.{name}": value
        for name, value in vars(room).items()
        if inspect.isfunction(value) and value.__module__ == room.__name__ and name[0] != "_"
    }


_ROOMS = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
PROGRAMS = {path: program for room in _ROOMS for path, program in _programs(room).items()}
BY_MODULE = {
    room.__name__.rpartition(".")[2]: [Case("program", path) for path in _programs(room)] for room in _ROOMS
}
