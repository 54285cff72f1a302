"""What is said where a module of Keras is imported that is not there."""

from __future__ import annotations

import sys
from typing import Any

_ROOT = __name__.partition(".")[0]


class AbsentModules:
    """Finds no module. It is asked last, and of a module that Keras has it says what to do instead."""

    @classmethod
    def find_spec(cls, fullname: str, path: Any = None, target: Any = None) -> None:
        """Raise ModuleNotFoundError for a name of Keras that is told of; the arguments are Python's."""
        root, _, name = fullname.partition(".")
        if root != _ROOT:
            return
        from gputrain.keras_names import instead_of  # only where a module is not there

        instead = instead_of(f"keras.{name}")
        if instead is not None:
            # With its name, `from gputrain import name` goes on to ask the module, which knows more.
            raise ModuleNotFoundError(f"{_ROOT} has no module keras.{name}. {instead}", name=fullname)


def advise_on_imports() -> None:
    """Let imports of modules that are not there say what to do instead."""
    if AbsentModules not in sys.meta_path:
        sys.meta_path.append(AbsentModules)
