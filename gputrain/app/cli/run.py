"""`gputrain run`: a Keras script on gputrain."""

from __future__ import annotations

import argparse

from gputrain.app.cli import parser as shared

_EXAMPLES = """\
examples:
  gputrain run program.py                     # `import keras` in it gives gputrain
  gputrain run program.py --epochs 3          # what follows the script is the script's
  gputrain run --arrays data.npz snippet.py   # its arrays are variables of the script
  gputrain run --backend numpy program.py

What the script uses of Keras and gputrain does not have is listed before it starts.
"""

_EXIT_CODES = """\
exit codes: that of the script; 1 it raised an error, 2 it cannot be read, 130 interrupted with Ctrl-C
"""


def add(commands: shared.Commands) -> None:
    """Add the command."""
    parser = shared.add_command(
        commands,
        "run",
        _run,
        help="run a Keras script: `import keras` gives gputrain",
        description="Run a Python script in which `import keras` gives gputrain.",
        examples=_EXAMPLES,
        exit_codes=_EXIT_CODES,
    )
    parser.add_argument(
        "--arrays", metavar="FILE", help="an npz file whose arrays become variables of the script"
    )
    parser.add_argument("--backend", metavar="B", help="where to compute: auto, numpy or cupy")
    parser.add_argument("script", metavar="SCRIPT", help="a Python file")
    parser.add_argument("arguments", metavar="ARGS", nargs=argparse.REMAINDER, help="given to the script")


def _run(args: argparse.Namespace) -> int:
    from gputrain import config
    from gputrain.app.scripts import run_script

    if args.backend is not None:
        try:
            config.set_backend(args.backend)
        except config.ConfigError as error:
            args.parser.error(f"argument --backend: {error}")
    return run_script(args.script, args.arguments, args.arrays)
