"""Reads the JSON files of a run or sweep, which may come from anybody."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from gputrain.data.io.files import open_regular
from gputrain.datasets import CorruptFileError

T = TypeVar("T")


def read_json(path: Path, rule: str, make: Callable[[Any], T], max_bytes: int = 1 << 20) -> T:
    """Return what `make` makes of the value in the JSON file at `path`.

    Args:
        path: the file.
        rule: what it must be, for errors.
        make: takes the value; raises ValueError, TypeError, KeyError, AttributeError or OverflowError for one
            that is not what it should be.
        max_bytes: the largest file to read.

    Raises:
        OSError: it cannot be read.
        CorruptFileError: it is no regular file, too large, no JSON, or `make` refuses it.
    """
    with open_regular(path) as stream:
        data = stream.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise CorruptFileError(path, rule, f"at most {max_bytes} bytes", "more")
    try:
        return make(json.loads(data))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else (str(error) or type(error).__name__)
        raise CorruptFileError(path, rule, "such a file", reason) from error
