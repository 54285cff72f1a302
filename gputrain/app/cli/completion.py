"""`gputrain completion`: what makes a shell complete commands, options and recipes."""

from __future__ import annotations

import argparse

from gputrain.app.cli import parser as shared
from gputrain.app.cli.codes import OK

_EXAMPLES = """\
examples:
  eval "$(gputrain completion bash)"                        # in ~/.bashrc, or ~/.zshrc with zsh
  gputrain completion fish | source                         # in config.fish
"""


def add(commands: shared.Commands) -> None:
    """Add the command."""
    parser = shared.add_command(
        commands,
        "completion",
        _run,
        help="print what makes your shell complete gputrain's commands",
        description="Print shell code that completes commands, options, recipes and run folders.",
        examples=_EXAMPLES,
    )
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="your shell")


def _run(args: argparse.Namespace) -> int:
    try:
        import argcomplete
    except ImportError as error:
        raise ImportError(
            'Completion needs the extra "completion": pip install "gputrain[completion]".'
        ) from error
    print(argcomplete.shellcode(["gputrain"], shell=args.shell))
    return OK
