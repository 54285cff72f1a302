"""For mkdocs: prepares docstrings for Griffe, which reads them.

It knows "Examples:", not "Example:", and loses an argument whose names go on in the next line. It reads the
source: constructors and docstrings that are made when a class is made are taken from the class itself.
"""

from __future__ import annotations

import importlib
import inspect
import re
from typing import Any

import griffe


class Docstrings(griffe.Extension):
    """Rewords every docstring, and shows what classes and functions are called with where that is made."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Reword one docstring."""
        if isinstance(obj, griffe.Class | griffe.Attribute) and isinstance(obj.parent, griffe.Module):
            _complete(obj, getattr(importlib.import_module(obj.parent.path), obj.name, None))
        if obj.docstring is not None:
            text = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
            obj.docstring.value = re.sub(r"^( {4}\w+(?:, \w+)*,)\n +", r"\1 ", text, flags=re.MULTILINE)


def _complete(obj: griffe.Object, live: Any) -> None:
    """Take the docstring of a class or a made function, and the signature of a made constructor."""
    if inspect.isclass(live):
        signature = getattr(vars(live).get("__init__"), "__signature__", None)
        if signature is not None:
            obj.set_member("__init__", _function("__init__", signature))
    if live.__doc__ and (inspect.isclass(live) or inspect.isfunction(live)):
        obj.docstring = griffe.Docstring(inspect.cleandoc(live.__doc__), parent=obj)


def _function(name: str, signature: inspect.Signature) -> griffe.Function:
    shown = [
        griffe.Parameter(
            parameter.name,
            kind=griffe.ParameterKind[parameter.kind.name.lower()],
            default=None if parameter.default is parameter.empty else repr(parameter.default),
        )
        for parameter in signature.parameters.values()
    ]
    return griffe.Function(name, parameters=griffe.Parameters(*shown))
