"""What a reader of a stranger's file may not do: watched by an audit hook, in a process with limits."""

from __future__ import annotations

import faulthandler
import linecache
import os
import resource
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gputrain
from gputrain.saving.files import hdf5

PACKAGE = str(Path(gputrain.__file__).parent)
LIBRARIES = tuple({os.path.realpath(place) for place in (*sys.path, sys.prefix, sys.base_prefix) if place})
MODULES = ("gputrain", "numpy", "h5py", "PIL", "safetensors")  # that may import parts of themselves
# Modules that nothing here needs, by which a file may call upon what it should not reach.
STRANGE_MODULES = ("antigravity", "turtle", "smtpd", "crypt", "this", "pty")
SECONDS = 5.0  # of processor time a case, with its children
WALL = 60.0  # when the machine is busy
ADDRESSES = 3 << 30  # bytes that the process may map beside what it has
_NEVER = (
    *("socket.", "os.system", "os.exec", "os.fork", "os.spawn", "os.posix_spawn", "ctypes.", "pickle."),
    "urllib.",
)
_CHANGES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.symlink", "os.link", "os.chmod", "shutil.")
_CHILD_PROGRAM = str(hdf5._CHILD)


class Breach(BaseException):
    """What was done that must not be; no `except Exception` hides it."""


class Guard:
    """Watches one case after the other.

    Args:
        folder: where the files are, and all that may be written.
    """

    def __init__(self, folder: Path) -> None:
        self._allowed = (os.path.realpath(folder), os.path.realpath(tempfile.gettempdir()))
        self._on = False
        self._found: str | None = None
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (_status("VmSize") + ADDRESSES, hard))
        sys.addaudithook(self._audit)

    def check(self, read: Callable[[Path], object], path: Path, memory: int) -> str | None:
        """Read a file; return what went wrong, or None where it was read or refused as documented.

        Args:
            read: reads it.
            path: of it.
            memory: bytes that this may take.
        """
        Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here on
        before, start = _status("VmRSS"), processor_time()
        self._found = None
        faulthandler.dump_traceback_later(WALL, exit=True)
        try:
            with self._watching():
                read(path)
            problem = None
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            problem = undocumented(error)
        finally:
            faulthandler.cancel_dump_traceback_later()
        taken, most = processor_time() - start, _status("VmHWM") - before
        if self._found:
            return self._found
        if taken > SECONDS:
            return f"it took {taken:.1f} s of processor time\n{problem or ''}"
        return problem or (f"it took {most >> 20} MB" if most > memory else None)

    @contextmanager
    def _watching(self) -> Iterator[None]:
        self._on = True
        try:
            yield
        finally:
            self._on = False

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        if not self._on or (told := self._forbidden(event, args)) is None:
            return
        self._on = False
        self._found = f"{told}\n{''.join(traceback.format_stack(limit=12))}"
        raise Breach(told)

    def _forbidden(self, event: str, args: tuple[Any, ...]) -> str | None:
        if event.startswith(_NEVER):
            return f"{event}{args!r}"
        if event == "open" or event.startswith(_CHANGES):
            places = [place for place in args[:2] if isinstance(place, str | bytes | os.PathLike)]
            places = places[: 2 if event in ("os.rename", "os.link", "os.symlink") else 1]
            folder = _folder(args[-1]) if event != "open" else ""
            outside = [place for place in places if not self._may_open(os.fspath(place), event, folder)]
            return f"{event} of {outside[0]!r}" if outside else None
        if event == "import":
            name = str(args[0])
            root = name.partition(".")[0]
            known = root in MODULES or (root in sys.stdlib_module_names and root not in STRANGE_MODULES)
            return None if known else f"import of {name!r}"
        if event == "exec":
            code = args[0]
            return None if _of_library(getattr(code, "co_filename", "")) else f"exec of {code!r}"
        if event == "subprocess.Popen":
            ours = list(args[1]) == [sys.executable, "-I", _CHILD_PROGRAM]
            return None if ours else f"the program {args[1]!r}"
        return None

    def _may_open(self, place: str | bytes, event: str, folder: str) -> bool:
        real = os.path.realpath(os.path.join(folder, os.fsdecode(place)))
        if event == "open" and (real.startswith(LIBRARIES) or real.startswith(("/proc/self/", "/dev/null"))):
            return True
        return any(real == top or real.startswith(top + os.sep) for top in self._allowed)


def _folder(descriptor: Any) -> str:
    """Where relative names begin: an open folder, or the folder of the process."""
    return f"/proc/self/fd/{descriptor}" if isinstance(descriptor, int) and descriptor >= 0 else ""


def _of_library(file: str) -> bool:
    return file.startswith("<frozen") or (
        os.path.isabs(file) and os.path.realpath(file).startswith(LIBRARIES)
    )


def undocumented(error: BaseException) -> str | None:
    """The traceback of an error that nobody worded, or None.

    A worded one is raised as such by a line of gputrain. One that stands for a lack of memory is none: a file
    is refused before there is need of any.
    """
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and cause not in chain:
        chain.append(cause)
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1]
    line = linecache.getline(last.filename, last.lineno or 0).strip()
    worded = last.filename.startswith(PACKAGE) and line.startswith("raise ")
    documented = isinstance(error, ValueError | OSError | TypeError | ImportError)
    if worded and documented and not any(isinstance(each, MemoryError) for each in chain):
        return None
    return "".join(traceback.format_exception(error, limit=-12))


def _status(key: str) -> int:
    """A figure of this process in bytes."""
    text = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith(key + ":"))


def processor_time() -> float:
    times = os.times()
    return sum(times[:4])
