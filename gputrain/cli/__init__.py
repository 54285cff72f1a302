"""The command line: `gputrain train CONFIG` and its kin.

Results go to stdout, everything said on the way to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage or a
wrong recipe, 130 interrupted with Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from gputrain.cli.codes import FAILED, INTERRUPTED, USAGE
from gputrain.cli.output import close_stdout, report
from gputrain.cli.parser import make_parser

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
    parser = make_parser()
    if "_ARGCOMPLETE" in os.environ:
        _complete(parser)
    try:
        args, unknown = parser.parse_known_args(argv)
        if unknown:
            args.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else USAGE
    try:
        code: int = args.command(args)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt as interrupt:
        return report(f"interrupted. {interrupt}".rstrip(), INTERRUPTED)
    except BrokenPipeError:
        close_stdout()
        return FAILED
    except (*_WRONG_INPUT, *_WRONG_PLACE) as error:
        if args.debug:
            raise
        return report(_message(error), USAGE if _is_usage(error) else FAILED)


def _is_usage(error: BaseException) -> bool:
    from gputrain.config import ConfigError
    from gputrain.recipes import RecipeError

    return isinstance(error, RecipeError | ConfigError)


def _message(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return f"out of memory. {error}".rstrip()
    return str(error) or type(error).__name__


def _complete(parser: argparse.ArgumentParser) -> None:
    """The shell asks what may stand at the cursor; answers and ends the process."""
    try:
        import argcomplete
    except ImportError:
        return
    argcomplete.autocomplete(parser)
