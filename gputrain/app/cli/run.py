"""Run a Python script in which `keras` and `tensorflow.keras` are gputrain.

examples:
  gputrain run program.py                     # `import keras` in it gives gputrain,
                                              # and so does `from tensorflow import keras`
  gputrain run program.py --epochs 3          # what follows the script is the script's
  gputrain run --arrays data.npz snippet.py   # its arrays are variables of the script
  gputrain run --backend numpy program.py

What the script uses of Keras or of TensorFlow and gputrain does not have is listed before it starts.

exit codes: that of the script; 1 it raised an error, 2 nothing was run (it cannot be read, or names are
missing), 130 interrupted with Ctrl-C
"""

from __future__ import annotations

import argparse

from gputrain import config
from gputrain.app.cli.command import Command, option
from gputrain.app.scripts import run_script


def _run(args: argparse.Namespace) -> int:
    if args.backend is not None:
        try:
            config.set_backend(args.backend)
        except config.ConfigError as error:
            args.parser.error(f"argument --backend: {error}")
    return run_script(args.script, args.arguments, args.arrays)


COMMAND = Command(
    _run,
    __doc__,
    (
        option("--arrays", "an npz file whose arrays become variables of the script", "FILE"),
        option("--backend", "where to compute: auto, numpy or cupy", "B"),
        option("script", "a Python file", "SCRIPT"),
        option("arguments", "given to the script", "ARGS", nargs=argparse.REMAINDER),
    ),
)
