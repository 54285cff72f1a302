"""What callbacks share that write files."""

from __future__ import annotations

from pathlib import Path

from gputrain.errors import explain
from gputrain.models.training.callback import Callback


def require_folder(callback: Callback, path: Path) -> None:
    """Check before the first epoch that the folder of `path` is there.

    Raises:
        FileNotFoundError: it is not.
    """
    folder = path.parent
    if not folder.is_dir():
        rule = f"{type(callback).__name__}: {str(path)!r} needs a folder that is there."
        raise FileNotFoundError(explain(rule, received=f"no folder {str(folder)!r}", fix="Make it first."))
