"""Print shell code that completes commands, options, recipes and run folders.

examples:
  eval "$(gputrain completion bash)"                        # in ~/.bashrc, or ~/.zshrc with zsh
  gputrain completion fish | source                         # in config.fish
"""

from __future__ import annotations

from gputrain.app.cli.command import Arguments, Command, option


def _run(args: Arguments) -> None:
    try:
        import argcomplete
    except ImportError as error:
        raise ImportError(
            'Completion needs the extra "completion": pip install "gputrain[completion]".'
        ) from error
    print(argcomplete.shellcode(["gputrain"], shell=args.shell))


COMMAND = Command(_run, __doc__, (option("shell", "your shell", choices=("bash", "zsh", "fish")),))
