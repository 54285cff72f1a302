"""The command line: `gputrain train CONFIG` and the other commands.

Results go to stdout, everything said on the way to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage or a
wrong recipe, 130 interrupted with Ctrl-C; `train` and `sweep` save their state before they end by SIGTERM
(143) or SIGHUP (129).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from gputrain.app.cli import signals
from gputrain.app.cli.codes import FAILED, INTERRUPTED, OK, USAGE
from gputrain.app.cli.output import close_stdout, close_stdout_if_full, report
from gputrain.app.cli.parser import make_parser
from gputrain.errors import UsageError

__all__ = ["main"]

# What gputrain and NumPy raise for wrong input, a full disk, no device and the like. Anything else is a bug
# of ours and keeps its traceback.
_WRONG_INPUT = (ValueError, TypeError, ArithmeticError, LookupError)
_WRONG_PLACE = (OSError, MemoryError, RuntimeError, ImportError)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        argv: the arguments after the program's name; None takes those of the process.

    Example:
        >>> main(["train", "configs/digits_cnn.toml", "--epochs", "1"])  # doctest: +SKIP
        0
    """
    args = argparse.Namespace(debug=False)
    try:
        args = _parsed(argv)
        code: int | None = args.command(args)
        sys.stdout.flush()
        return OK if code is None else code
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else USAGE
    except KeyboardInterrupt as interrupt:
        if argv is None:  # a process of its own, which ends now; another Ctrl-C would only add a traceback
            signals.ignore()
        told = ["interrupted.", str(interrupt), *getattr(interrupt, "__notes__", ())]
        return report(" ".join(filter(None, told)), getattr(interrupt, "code", INTERRUPTED))
    except BrokenPipeError:
        close_stdout()
        return FAILED
    except (*_WRONG_INPUT, *_WRONG_PLACE) as error:
        if args.debug:
            raise
        close_stdout_if_full()
        return report(_message(error), USAGE if isinstance(error, UsageError) else FAILED)


def _parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments; argparse ends the process, with a SystemExit, for --help and wrong usage."""
    if "_ARGCOMPLETE" in os.environ:
        _complete(make_parser(os.environ.get("COMP_LINE", "").split()))
    typed = sys.argv[1:] if argv is None else list(argv)
    args, unknown = make_parser(typed).parse_known_args(typed)
    if unknown:
        args.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    return args


def _message(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return f"out of memory. {error}".rstrip()
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error) or type(error).__name__


def _complete(parser: argparse.ArgumentParser) -> None:
    """The shell asks what may stand at the cursor; answers and ends the process."""
    try:
        import argcomplete
    except ImportError:
        return
    argcomplete.autocomplete(parser)
