"""Results on stdout: tables for people, JSON for programs."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gputrain.utils.plain import as_json


def print_fields(fields: Mapping[str, Any]) -> None:
    """Print one line for each name and its value."""
    width = max(map(len, fields), default=0)
    for name, value in fields.items():
        print(f"{name:<{width}}  {shown(value)}")


def print_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows below a header, each column as wide as its widest cell, numbers to the right."""
    rows = list(rows)
    table = [list(header), *[[shown(cell) for cell in row] for row in rows]]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    right = [
        bool(rows) and all(isinstance(row[column], int | float | None) for row in rows)
        for column in range(len(header))
    ]
    for row in table:
        cells = zip(row, widths, right, strict=True)
        line = "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width) for cell, width, to_right in cells
        )
        print(line.rstrip())


def print_json(value: Any) -> None:
    """Print plain data as JSON; numbers that are not finite become null, as JSON has no word for them."""
    print(json.dumps(as_json(value), indent=2, ensure_ascii=False, allow_nan=False))


def shown(value: Any) -> str:
    """Return a value as people read it: floats with four decimals, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e6 else f"{value:.4g}"
    return str(value)


def report(message: str, code: int) -> int:
    """Say on stderr what went wrong, and return the exit code."""
    with contextlib.suppress(OSError):  # nobody reads it
        print(f"gputrain: {message}", file=sys.stderr, flush=True)
    return code


def close_stdout_if_full() -> None:
    """Where stdout cannot be written to, an error was told; keep Python from telling it when it exits."""
    try:
        sys.stdout.flush()
    except OSError:
        close_stdout()


def close_stdout() -> None:
    """Whoever read our output is gone; keep Python from complaining about it again when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
