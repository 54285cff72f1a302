"""Run a Keras script on gputrain, as `python SCRIPT.py ARGS` would run it on Keras."""

from __future__ import annotations

import ast
import builtins
import inspect
import keyword
import os
import re
import runpy
import stat
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from gputrain.app.scripts.scan import Missing, missing_names
from gputrain.app.scripts.serving import KerasModule, is_machinery, serving_keras
from gputrain.data.io.errors import CorruptFileError
from gputrain.data.io.npz import read_npz
from gputrain.errors import explain
from gputrain.names import argument_instead, nearest

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
MAX_SCRIPT_BYTES = 1 << 24
_MOST_LINES = 6
_UNKNOWN_ARGUMENT = re.compile(r"(\w+)(?:\.__init__)?\(\) got an unexpected keyword argument '(\w+)'")
_DATA_NAME = re.compile(r"[xXyY](_[a-z]+)?")


class ScriptError(ValueError):
    """A script, or the arrays for it, cannot be used as given; nothing was run."""


def run_script(path: str, argv: Sequence[str] = (), arrays: str | None = None) -> int:
    """Run a Keras script, `keras` and `tensorflow.keras` served by gputrain, and return the exit code.

    Before it starts, the script is read for names of Keras, and of TensorFlow, that gputrain lacks; all of
    them are told on stderr, with their lines. If one stands where the script is certain to reach it (at
    module level, or under `if __name__ == "__main__":`), nothing is run. Names in functions, in branches, or
    in a `try` that catches ImportError or AttributeError are only warned about: the script runs, and where it
    uses one, that import or attribute raises an error that says the same.

    The script is `__main__`, with `sys.argv = [path, *argv]`, its folder first on `sys.path` and `__file__`
    set; modules beside it may import keras too. When it is over, all of that is as before.

    Args:
        path: the script.
        argv: its arguments.
        arrays: an npz file whose arrays become global names of the script before it starts, for snippets
            that use x_train, y_train and so on without defining them. Nothing in it is unpickled.

    Returns:
        0 when the script ends; the script's own code when it calls `sys.exit`; 1 for an exception of the
        script, whose traceback starts at the script's own lines; 2 for a script or arrays that cannot be
        used, or a name that is certain to be missed; 130 when interrupted with Ctrl-C.

    Example:
        >>> run_script("mnist_cnn.py", ["--epochs", "3"])  # doctest: +SKIP
        0
    """
    try:
        tree = _read_script(path)
        names = {} if arrays is None else _read_arrays(arrays)
    except ScriptError as error:
        return _say(str(error), USAGE)
    with serving_keras() as modules:
        missing = missing_names(tree, modules)
        if missing:
            _say(_table(path, missing), USAGE)
        if any(one.certain for one in missing):
            return USAGE
        with _as_its_own_process(path, argv):
            return _run(path, names, modules)


def _read_script(path: str) -> ast.Module:
    """Parse the script, and compile it to meet every syntax error before anything runs."""
    source = _read_source(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they are told when the script itself is compiled
            tree = ast.parse(source, path)
            compile(tree, path, "exec", dont_inherit=True)
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        shown = f": {error.text.strip()}" if error.text and error.text.strip() else ""
        raise ScriptError(f"{path}{line}: the script must be valid Python. {error.msg}{shown}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise ScriptError(f"{path}: the script must be valid Python. {_reason(error)}") from None
    return tree


def _read_source(path: str) -> bytes:
    try:
        status = os.stat(path)
        is_file = stat.S_ISREG(status.st_mode)
        if is_file and status.st_size <= MAX_SCRIPT_BYTES:
            return Path(path).read_bytes()
    except FileNotFoundError:
        raise ScriptError(f"There is no script {path!r}. {_nearest_script(path)}".rstrip()) from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise ScriptError(f"The script {path!r} cannot be read: {_reason(error)}.") from None
    other = "a folder" if stat.S_ISDIR(status.st_mode) else "no file"
    received = f"{status.st_size} bytes" if is_file else other
    expected = f"a Python file of at most {MAX_SCRIPT_BYTES >> 20} MiB"
    raise ScriptError(explain(f"{path!r} is not a script.", expected=expected, received=received))


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _nearest_script(path: str) -> str:
    """The script in the same folder whose name is spelt most like that of `path`."""
    close = nearest(Path(path).name, [file.name for file in Path(path).parent.glob("*.py")])
    return "" if close is None else f"Did you mean {str(Path(path).with_name(close))!r}?"


def _read_arrays(path: str) -> dict[str, Any]:
    try:
        found = read_npz(path)
    except CorruptFileError as error:
        raise ScriptError(f"--arrays: {error}") from None
    except (OSError, ValueError) as error:
        raise ScriptError(f"--arrays: {path!r} cannot be read: {_reason(error)}.") from None
    for name in found:
        if not name.isidentifier() or keyword.iskeyword(name) or name[0] == "_" or hasattr(builtins, name):
            words = explain(
                f"--arrays: {path}: an array's name becomes a global name of the script.",
                expected="a Python name as x_train, not one of Python's own and without a leading underscore",
                received=repr(name),
                fix="Save it under another: numpy.savez(file, x_train=x, y_train=y).",
            )
            raise ScriptError(words)
    return found


def _table(path: str, missing: list[Missing]) -> str:
    """All that is missing, a line each: where, what, whether it stops the script, what to do."""
    certain = any(one.certain for one in missing)
    rows = [(_lines(one.lines), one.path, "" if one.certain else "perhaps", one.advice) for one in missing]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    table = "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    end = "Nothing was run." if certain else "The script runs; where it uses one of them, an error says so."
    return f"{path} uses names that gputrain does not have (yet):\n{table}\n{end}"


def _lines(lines: list[int]) -> str:
    more = ", ..." if len(lines) > _MOST_LINES else ""
    return f"  line{'s' if len(lines) > 1 else ''} {', '.join(map(str, lines[:_MOST_LINES]))}{more}"


@contextmanager
def _as_its_own_process(path: str, argv: Sequence[str]) -> Iterator[None]:
    """What `python SCRIPT.py ARGS` would set; afterwards it, and the modules beside the script, are gone."""
    folder = os.path.dirname(os.path.realpath(path))
    before, old_argv, old_path = set(sys.modules), sys.argv, sys.path[:]
    sys.argv = [path, *argv]
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.argv, sys.path[:] = old_argv, old_path
        beside = {name for name in sys.modules.keys() - before if _stands_in(folder, name)}
        for name in [name for name in sys.modules if name.partition(".")[0] in beside]:
            del sys.modules[name]


def _stands_in(folder: str, name: str) -> bool:
    """Whether a module is a file of `folder`, or a package whose folder stands in it."""
    origin = getattr(getattr(sys.modules[name], "__spec__", None), "origin", None) or ""
    return origin in (os.path.join(folder, f"{name}.py"), os.path.join(folder, name, "__init__.py"))


def _run(path: str, names: Mapping[str, Any], modules: Mapping[str, KerasModule]) -> int:
    try:
        runpy.run_path(path, dict(names), "__main__")
    except SystemExit as stop:  # with what Python makes of the argument of `sys.exit`
        if stop.code is None or isinstance(stop.code, int):
            return int(stop.code or 0)
        print(stop.code, file=sys.stderr)
        return FAILED
    except KeyboardInterrupt as interrupt:
        return _say(f"{path} was interrupted. {interrupt}".rstrip(), INTERRUPTED)
    except BaseException as error:  # noqa: BLE001  (whatever it is, it is the script's)
        error.__traceback__ = _trimmed(error.__traceback__, path)
        sys.excepthook(type(error), error, error.__traceback__)
        return _say(_hint(error, path, modules), FAILED)
    return OK


def _trimmed(trace: TracebackType | None, path: str) -> TracebackType | None:
    """A traceback without the frames above the script's, and without those that word a missing name."""
    frames = []
    while trace is not None:
        frames.append(trace)
        trace = trace.tb_next
    first = next((n for n, one in enumerate(frames) if one.tb_frame.f_code.co_filename == path), 0)
    del frames[:first]
    while len(frames) > 1 and is_machinery(frames[-1].tb_frame):
        frames.pop()
        frames[-1].tb_next = None
    return frames[0] if frames else None


def _hint(error: BaseException, path: str, modules: Mapping[str, KerasModule]) -> str:
    """What `gputrain run` can do about an error that ends a script; mostly nothing."""
    if isinstance(error, NameError) and _DATA_NAME.fullmatch(str(error.name)):
        return f"arrays that a script does not define can be given: gputrain run --arrays FILE.npz {path}"
    unknown = _UNKNOWN_ARGUMENT.match(str(error)) if isinstance(error, TypeError) else None
    return "" if unknown is None else _older_argument(unknown[1], unknown[2], modules)


def _older_argument(function: str, argument: str, modules: Mapping[str, KerasModule]) -> str:
    """What to write for an argument of older Keras that a public function, or a class, does not take."""
    found = [getattr(module, function) for module in modules.values() if module.has(function)]
    known = {name for one in found if callable(one) for name in inspect.signature(one).parameters}
    instead = argument_instead(argument, known)
    return "" if instead is None else f"{function}({argument}=...): {instead}"


def _say(message: str, code: int) -> int:
    if message:
        print(f"gputrain: {message}", file=sys.stderr)
    return code
