"""The command line: `gputrain train CONFIG`, `gputrain doctor`.

Results go to stdout, everything said on the way to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage or a
wrong recipe, 130 interrupted with Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import gputrain
from gputrain.utils.names import did_you_mean

if TYPE_CHECKING:
    from gputrain.recipes import RunResult

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130

# What gputrain and NumPy raise for wrong input, a full disk, no device and the like. Anything else is a bug
# of ours and keeps its traceback.
_WRONG_INPUT = (ValueError, TypeError, ArithmeticError, LookupError)
_WRONG_PLACE = (OSError, MemoryError, RuntimeError, ImportError)

_TRAIN_EXAMPLES = """\
examples:
  gputrain train configs/digits_cnn.toml
  gputrain train digits_cnn --seed 3
  gputrain train digits_cnn --set optimizer.name=sgd --set training.batch_size=64
  gputrain train digits_cnn --set "model.layers[0].filters=16"

The run folder runs/<name>-<n>/ then holds config.toml (every setting, also those not given; it can be trained
again), history.csv, metrics.json and weights.npz.
"""

_DOCTOR_EXAMPLES = """\
examples:
  gputrain doctor
  gputrain doctor --json
  GPUTRAIN_BACKEND=cupy gputrain doctor
  GPUTRAIN_DEVICE=cuda:1 gputrain doctor

Each line is ok, warning or problem; below a warning or a problem stands what to type to mend it.

exit codes: 0 the configured backend works, 1 something that is asked for does not (backend = "cupy", or with
backend = "auto" a GPU that is there), 2 wrong usage or a wrong setting, 130 interrupted with Ctrl-C
"""

_EXIT_CODES = "exit codes: 0 done, 1 failed, 2 wrong usage or a wrong recipe, 130 interrupted with Ctrl-C"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        argv: the arguments after the program's name; None takes those of the process.

    Example:
        >>> main(["train", "configs/digits_cnn.toml", "--epochs", "1"])  # doctest: +SKIP
        0
    """
    try:
        args, unknown = _parser().parse_known_args(argv)
        if unknown:
            args.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else USAGE
    try:
        code: int = args.command(args)
        return code
    except KeyboardInterrupt as interrupt:
        return _report(f"interrupted. {interrupt}".rstrip(), INTERRUPTED)
    except BrokenPipeError:
        _close_stdout()
        return FAILED
    except (*_WRONG_INPUT, *_WRONG_PLACE) as error:
        if args.debug:
            raise
        return _report(_message(error), USAGE if _is_usage(error) else FAILED)


class _Parser(argparse.ArgumentParser):
    """Names the nearest command when there is no such command."""

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is not None and value not in action.choices:
            names = [str(name) for name in action.choices]
            rule = f"there is no command {value!r}. {did_you_mean(str(value), names)}"
            raise argparse.ArgumentError(None, rule.rstrip())


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="gputrain",
        description="Train neural networks from recipes.",
        epilog=_EXIT_CODES,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"gputrain {gputrain.__version__}")
    commands = parser.add_subparsers(
        title="commands", required=True, metavar="COMMAND", parser_class=argparse.ArgumentParser
    )
    _add_train(commands)
    _add_doctor(commands)
    return parser


def _add_train(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    train = commands.add_parser(
        "train",
        help="train the model of a recipe",
        description="Train the model of a recipe, test it, and keep the run in a folder of its own.",
        epilog=f"{_TRAIN_EXAMPLES}\n{_EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    train.add_argument(
        "config", metavar="CONFIG", help="a recipe: a TOML file or the name of a shipped recipe"
    )
    train.add_argument("--epochs", type=int, metavar="N", help="same as --set training.epochs=N")
    train.add_argument("--seed", type=int, metavar="N", help="same as --set seed=N")
    train.add_argument(
        "--backend",
        metavar="B",
        help="same as --set backend=B: auto (a GPU where there is one), numpy or cupy",
    )
    train.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="another value for a setting of the recipe, as training.batch_size=64; may be repeated",
    )
    train.add_argument(
        "--out",
        type=Path,
        default=Path("runs"),
        metavar="DIR",
        help="where run folders are made (default: runs)",
    )
    train.add_argument("--debug", action="store_true", help="show the traceback of an error")
    train.set_defaults(command=_train, parser=train)


def _add_doctor(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    doctor = commands.add_parser(
        "doctor",
        help="say what works on this machine, and how to mend what does not",
        description="Look at Python, NumPy, cupy, driver and GPU, and run a kernel and a matrix product.",
        epilog=_DOCTOR_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    doctor.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    doctor.add_argument("--debug", action="store_true", help="show the traceback of an error")
    doctor.set_defaults(command=_doctor, parser=doctor)


def _doctor(args: argparse.Namespace) -> int:
    from gputrain import doctor

    checks = doctor.examine()
    print(doctor.as_json(checks) if args.json else doctor.as_table(checks))
    sys.stdout.flush()
    return OK if doctor.works(checks) else FAILED


def _train(args: argparse.Namespace) -> int:
    from gputrain import recipes

    recipe = recipes.load(args.config, _settings(args))
    result = recipes.run(recipe, args.out)
    try:
        _print_result(result)
    except BrokenPipeError:
        raise
    except OSError as error:
        _close_stdout()
        rule = f"the result could not be written to stdout: {error.strerror}. It is in {result.folder}."
        return _report(rule, FAILED)
    return OK


def _settings(args: argparse.Namespace) -> list[tuple[str, object, str]]:
    """Return (key path, value, the option that gave it) for all options that change the recipe."""
    from gputrain.recipes import parse_setting

    settings: list[tuple[str, object, str]] = [(*parse_setting(text), "--set") for text in args.settings]
    for option, path in (("epochs", "training.epochs"), ("seed", "seed"), ("backend", "backend")):
        value = getattr(args, option)
        if value is not None:
            settings.append((path, value, f"--{option}"))
    return settings


def _print_result(result: RunResult) -> None:
    rows = {"run": result.folder, **result.metrics}
    width = max(map(len, rows))
    for name, value in rows.items():
        shown = f"{value:.4f}" if isinstance(value, float) else value
        print(f"{name:<{width}}  {shown}")
    sys.stdout.flush()


def _is_usage(error: BaseException) -> bool:
    from gputrain.config import ConfigError
    from gputrain.recipes import RecipeError

    return isinstance(error, RecipeError | ConfigError)


def _message(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return f"out of memory. {error}".rstrip()
    return str(error) or type(error).__name__


def _report(message: str, code: int) -> int:
    print(f"gputrain: {message}", file=sys.stderr)
    return code


def _close_stdout() -> None:
    """Whoever read our output is gone; keep Python from complaining about it again when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
