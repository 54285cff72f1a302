"""What is said where a module of Keras is imported that is not there."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.abc import Loader
else:
    Loader = object  # that module would import many others

_ROOT = __name__.partition(".")[0]


class AbsentModules:
    """Finds, asked last, what an import of a module of Keras that is not there ends in.

    Only to import it is an error: `importlib.util.find_spec`, which asks here too, raises none.
    """

    @classmethod
    def find_spec(cls, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """The spec of a name of Keras that is told of, None of another; the arguments are Python's."""
        root, _, name = fullname.partition(".")
        if root != _ROOT:
            return None
        from gputrain.keras_names import instead_of  # only where a module is not there

        instead = instead_of(f"keras.{name}")
        if instead is None:
            return None
        return ModuleSpec(fullname, _Advice(f"{_ROOT} has no module keras.{name}. {instead}"))


class _Advice(Loader):
    """Loads no module, but says what to do instead."""

    def __init__(self, advice: str) -> None:
        self._advice = advice

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave that to Python."""

    def exec_module(self, module: ModuleType) -> None:
        # With its name, `from gputrain import name` goes on to ask the module, which knows more.
        raise ModuleNotFoundError(self._advice, name=module.__name__)


def advise_on_imports() -> None:
    """Let imports of modules that are not there say what to do instead."""
    if AbsentModules not in sys.meta_path:
        sys.meta_path.append(AbsentModules)
