"""Which parameters of public classes and functions nobody reads, found in their source.

A parameter counts as read where its name stands in the body, other than in `del`. One that is handed on as it is
counts: whom it is handed to is looked at by itself. A body that only says what others are to do (a docstring,
`...`, `return None`, `raise NotImplementedError`) reads nothing, and need not.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any

from tests.test_public_names import RECORDED, room


def callables() -> Iterator[tuple[str, Callable[..., Any]]]:
    """The functions behind all public names, by their paths: constructors and methods of classes, too."""
    for path, names in RECORDED.items():
        for name, text in names.items():
            if not text.startswith(("class(", "function(")):
                continue
            item = attrgetter(name)(room(path))
            if inspect.isclass(item):
                item = item.__init__
            item = inspect.unwrap(getattr(item, "__func__", item))
            if inspect.isfunction(item) and item.__module__.startswith("gputrain"):
                yield f"{path.removeprefix('gputrain').lstrip('.')}.{name}".lstrip("."), item


def unread(function: Callable[..., Any]) -> list[str]:
    """The parameters that the function's own lines do not read."""
    try:
        definition = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    except (OSError, TypeError, SyntaxError):
        return []
    if not isinstance(definition, ast.FunctionDef) or _is_bare(definition):
        return []
    arguments = definition.args
    every = [
        *arguments.posonlyargs,
        *arguments.args,
        *arguments.kwonlyargs,
        arguments.vararg,
        arguments.kwarg,
    ]
    read = {
        node.id
        for statement in definition.body
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    return [a.arg for a in every if a is not None and a.arg not in ("self", "cls") and a.arg not in read]


def _is_bare(definition: ast.FunctionDef) -> bool:
    """Whether the body does nothing."""
    return all(
        isinstance(statement, ast.Pass | ast.Raise)
        or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        or (
            isinstance(statement, ast.Return)
            and (statement.value is None or isinstance(statement.value, ast.Constant))
        )
        for statement in definition.body
    )
