"""`gputrain run`: a Keras script on gputrain."""

from __future__ import annotations

import argparse

from gputrain import config
from gputrain.app.cli.command import Command, option
from gputrain.app.scripts import run_script

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


def _run(args: argparse.Namespace) -> int:
    if args.backend is not None:
        try:
            config.set_backend(args.backend)
        except config.ConfigError as error:
            args.parser.error(f"argument --backend: {error}")
    return run_script(args.script, args.arguments, args.arrays)


COMMAND = Command(
    run=_run,
    description="Run a Python script in which `import keras` gives gputrain.",
    examples=_EXAMPLES,
    options=(
        option("--arrays", "an npz file whose arrays become variables of the script", metavar="FILE"),
        option("--backend", "where to compute: auto, numpy or cupy", metavar="B"),
        option("script", "a Python file", metavar="SCRIPT"),
        option("arguments", "given to the script", metavar="ARGS", nargs=argparse.REMAINDER),
    ),
    exit_codes=_EXIT_CODES,
)
