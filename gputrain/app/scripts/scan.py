"""Read a script, without running it, for the names of Keras and of TensorFlow that gputrain lacks."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from gputrain.app.scripts.serving import TENSORFLOW, KerasModule, advice, first_missing
from gputrain.names import what_to_do

_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
# Methods of models that gputrain lacks, and how the names of files end that one of them writes.
_KEEPING = ("save", "save_weights", "load_weights")
_MAKERS = (("Model",), ("Sequential",))
_FILES_OF_MODELS = (".keras", ".h5", ".hdf5", ".tf")
_CATCHERS = ("ImportError", "ModuleNotFoundError", "AttributeError", "Exception", "BaseException")


@dataclass
class Missing:
    """A name of Keras that a script uses and gputrain lacks.

    Attributes:
        path: as "keras.layers.LSTM".
        lines: where the script uses it, in order.
        certain: whether the script cannot run past one of these lines: it stands at module level, and not
            under an `if`, in a loop, or in a `try` that would catch the error.
        advice: what to do, or "".
    """

    path: str
    lines: list[int]
    certain: bool
    advice: str


def missing_names(tree: ast.Module, modules: Mapping[str, KerasModule]) -> list[Missing]:
    """Return the names that a script uses and gputrain lacks, in the order of their first lines.

    Imports are followed, and chains of attributes through aliases (`import keras.layers as L`, `L.Dense`,
    `layers = keras.layers`). Names that the script also gives to other things are left alone, and so is what
    an object has: only modules are looked into. But calls that keep a model, or its weights, in a file are
    told as names that are perhaps missing: `.save_weights()`, `.load_weights()`, and `.save()` of what is
    made by `Model` or `Sequential`, or under a name such as "model.keras".

    Args:
        tree: the parsed script.
        modules: as `keras_modules()` gives them.

    Example:
        >>> tree = ast.parse("import keras.layers as L\\nL.Nothing(3)")
        >>> [(found.path, found.lines) for found in missing_names(tree, keras_modules())]
        [('keras.layers.Nothing', [2])]
    """
    reader = _Reader(modules, _models(tree))
    with suppress(RecursionError):  # nested deeper than functions can follow; what was found still counts
        reader.inside(_Scope(tree.body), tree.body)
    return sorted(reader.found.values(), key=lambda missing: missing.lines)


class _Scope:
    """The names that a module, class, function or comprehension binds.

    Attributes:
        names: for each name all that it is bound to: a dotted path where an import binds it, a chain of
            names (`keras`, `layers`) where an assignment does, None for anything else.
        in_class: whether functions inside do not see the names.
    """

    def __init__(self, body: Iterable[ast.AST], own: Iterable[str] = (), in_class: bool = False) -> None:
        self.names: dict[str, set[str | tuple[str, ...] | None]] = {name: {None} for name in own}
        self.in_class = in_class
        aliases: set[ast.AST] = set()
        for node in _own_nodes(body):
            if node not in aliases:
                for name, value in _bindings(node, aliases):
                    self.names.setdefault(name, set()).add(value)


def _own_nodes(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """The nodes of a scope, parents first, without the insides of the scopes in it."""
    waiting = list(body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, _Function | ast.ClassDef | _Comprehension):
            waiting.extend(ast.iter_child_nodes(node))


def _bindings(node: ast.AST, aliases: set[ast.AST]) -> Iterator[tuple[str, str | tuple[str, ...] | None]]:
    """What a node binds; the target of an assigned chain is added to `aliases`."""
    match node:
        case ast.Import():
            for alias in node.names:
                root = alias.name.partition(".")[0]
                yield (alias.asname, alias.name) if alias.asname else (root, root)
        case ast.ImportFrom():
            for alias in node.names:
                yield alias.asname or alias.name, None if node.level else f"{node.module}.{alias.name}"
        case ast.Assign(targets=[ast.Name() as target]) if len(chain := _chain(node.value)) > 1:
            aliases.add(target)
            yield target.id, chain
        case ast.Name(ctx=ast.Store() | ast.Del()):
            yield node.id, None
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield node.name, None
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield name, None
        case ast.MatchMapping(rest=str(name)):
            yield name, None


def _chain(node: ast.AST) -> tuple[str, ...]:
    """The names of `a.b.c`, or nothing for any other expression."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return (node.id, *reversed(names)) if isinstance(node, ast.Name) else ()


class _Reader(ast.NodeVisitor):
    """Goes through a script, knowing the scopes around and whether a line is reached for certain."""

    def __init__(self, modules: Mapping[str, KerasModule], models: Collection[tuple[str, ...]]) -> None:
        self.modules = modules
        self.models = models
        self.found: dict[str, Missing] = {}
        self.scopes: list[_Scope] = []
        self.certain = True

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._use(alias.name, node.lineno)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names if not node.level else ():
            name = "" if alias.name == "*" else f".{alias.name}"
            self._use(f"{node.module}{name}", alias.lineno)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        chain = _chain(node)
        if not chain:
            return self.generic_visit(node)
        root = self._resolve(chain[:1])
        if root is not None and self._lacks(root) is None:  # else the import itself is told of
            self._use(".".join([root, *chain[1:]]), node.lineno)

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        match node:
            case ast.Call(func=ast.Attribute(value=owner, attr=name)) if name in _KEEPING:
                if name != "save" or _chain(owner) in self.models or _names_a_model(node.args):
                    self._tell(f"keras.Model.{name}", node.lineno, certain=False)

    def _function(self, node: _Function) -> None:
        """Defaults are evaluated where the function stands, annotations perhaps, its body when called."""
        body = [node.body] if isinstance(node, ast.Lambda) else node.body
        parts = list(ast.iter_child_nodes(node.args))
        arguments = [part for part in parts if isinstance(part, ast.arg)]
        self._visit(getattr(node, "decorator_list", ()))
        self._visit([part for part in parts if part not in arguments])
        self._visit(arguments, perhaps=True)
        self.inside(_Scope(body, [argument.arg for argument in arguments]), body, perhaps=True)

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = _function

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._visit([*node.decorator_list, *node.bases, *node.keywords])
        self.inside(_Scope(node.body, in_class=True), node.body)

    def _comprehension(self, node: _Comprehension) -> None:
        first, *_ = node.generators
        self._visit([first.iter])
        targets = [generator.target for generator in node.generators]
        self.inside(_Scope(targets), ast.iter_child_nodes(node), perhaps=True)

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        self._visit(node.values[:1])
        self._visit(node.values[1:], perhaps=True)

    def generic_visit(self, node: ast.AST) -> None:
        reached = _reached_parts(node)
        if reached is None:
            return super().generic_visit(node)
        for name, part in ast.iter_fields(node):
            nodes = part if isinstance(part, list) else [part]
            self._visit([one for one in nodes if isinstance(one, ast.AST)], perhaps=name not in reached)

    def _visit(self, nodes: Iterable[ast.AST], perhaps: bool = False) -> None:
        """Go through nodes, which `perhaps` are never reached."""
        before = self.certain
        self.certain = before and not perhaps
        for node in nodes:
            self.visit(node)
        self.certain = before

    def inside(self, scope: _Scope, nodes: Iterable[ast.AST], perhaps: bool = False) -> None:
        """Go through the nodes of a scope."""
        self.scopes.append(scope)
        self._visit(nodes, perhaps)
        self.scopes.pop()

    def _resolve(self, chain: tuple[str, ...], outer: int = 0) -> str | None:
        """The dotted path that a chain of names stands for, as seen from `outer` scopes further out."""
        name, *rest = chain
        for number, scope in enumerate(reversed(self.scopes)):
            if number < outer or name not in scope.names or (scope.in_class and number):
                continue
            if len(scope.names[name]) != 1:
                return None
            (value,) = scope.names[name]
            if isinstance(value, tuple):
                # An alias of an alias of the same scope is followed; one of itself is not.
                value = self._resolve(value, number) if value[0] != name else None
            return None if value is None else ".".join([value, *rest])
        return None

    def _lacks(self, path: str) -> str | None:
        """The part of `path` that is a missing name of Keras, or of TensorFlow, or None."""
        return first_missing(path, self.modules)

    def _use(self, path: str, line: int) -> None:
        lacking = self._lacks(path)
        if lacking is None:
            return
        of_tensorflow = path.startswith(f"{TENSORFLOW}.") and not path.startswith(f"{TENSORFLOW}.keras.")
        if of_tensorflow or what_to_do(path) != what_to_do(lacking):
            lacking = path  # what to do goes by the whole name
        self._tell(lacking, line, self.certain)

    def _tell(self, lacking: str, line: int, certain: bool) -> None:
        missing = self.found.setdefault(lacking, Missing(lacking, [], False, advice(lacking, self.modules)))
        missing.lines = sorted({*missing.lines, line})
        missing.certain = missing.certain or certain


def _models(tree: ast.Module) -> set[tuple[str, ...]]:
    """The names, as chains, that a script gives to what `Model(...)` or `Sequential(...)` make."""
    found: set[tuple[str, ...]] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Assign(value=ast.Call(func=maker)) if _chain(maker)[-1:] in _MAKERS:
                found.update(map(_chain, node.targets))
    return found - {()}


def _names_a_model(arguments: list[ast.expr]) -> bool:
    """Whether the first argument is the name of a file as models are kept in."""
    match arguments:
        case [ast.Constant(value=str(name)), *_] | [
            ast.JoinedStr(values=[*_, ast.Constant(value=str(name))]),
            *_,
        ]:
            return name.endswith(_FILES_OF_MODELS)
    return False


def _reached_parts(node: ast.AST) -> tuple[str, ...] | None:
    """The parts of a statement or expression that are reached for certain where it is; None: all."""
    match node:
        case ast.If():
            return ("test", "body") if _asks_for_main(node.test) else ("test",)
        case ast.While() | ast.IfExp():
            return ("test",)
        case ast.For() | ast.AsyncFor():
            return ("iter",)
        case ast.AnnAssign():
            return ("target", "value")
        case ast.Match():
            return ("subject",)
        case ast.With() | ast.AsyncWith():
            return ("items",) if any(_suppresses(item.context_expr) for item in node.items) else None
        case ast.Try() | ast.TryStar():
            caught = any(_catches(handler.type) for handler in node.handlers)
            return ("finalbody",) if caught else ("body", "finalbody")
    return None


def _asks_for_main(test: ast.expr) -> bool:
    """Whether a test is `__name__ == "__main__"`, which holds in a script."""
    return ast.unparse(test) in ("__name__ == '__main__'", "'__main__' == __name__")


def _catches(kind: ast.expr | None) -> bool:
    """Whether `except kind` takes the error of a missing name."""
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(one is None or (isinstance(one, ast.Name) and one.id in _CATCHERS) for one in kinds)


def _suppresses(manager: ast.expr) -> bool:
    return isinstance(manager, ast.Call) and _chain(manager.func)[-1:] == ("suppress",)
