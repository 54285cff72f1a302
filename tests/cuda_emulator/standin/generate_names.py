"""Writes names.txt: what the installed CuPy's module offers, and with which parameters.

Run `python -m tests.cuda_emulator.standin.generate_names` when the version that the stand-in follows changes.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import numpy as np

TARGET = Path(__file__).with_name("names.txt")


def main() -> None:
    """Write the file."""
    import cupy

    head = f"# CuPy {cupy.__version__}: name, kind, parameters. Made by generate_names.py."
    TARGET.write_text("\n".join([head, *listing()]) + "\n", encoding="ascii")


def listing() -> list[str]:
    """A line for each function of the installed CuPy."""
    import cupy

    names = [name for name in sorted(dir(cupy)) if not name.startswith("_")]
    lines = [_line(name, getattr(cupy, name), type(cupy.add)) for name in names]
    return [line for line in lines if line]


def _line(name: str, value: Any, ufunc: Any) -> str | None:
    if value is None or isinstance(value, float | int) or value is getattr(np, name, ...):
        same = hasattr(np, name) and (
            value is getattr(np, name) or value == getattr(np, name) or name == "nan"
        )
        return f"{name} numpy" if same else None
    if isinstance(value, ufunc):
        return f"{name} ufunc {value.nin} {value.nout}"
    if callable(value) and not isinstance(value, type) and hasattr(np, name):
        return f"{name} function {' '.join(_parameters(value))}".rstrip()
    return None


def _parameters(function: Any) -> list[str]:
    """Parameter names, with * and ** where any number is taken."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        first = (function.__doc__ or "").partition("\n")[0]
        inside = re.search(r"\((.*)\)", first)
        parts = inside[1].split(",") if inside else ["*args", "**kwargs"]
        return [part.partition("=")[0].split()[-1] for part in parts if part.strip() != "*"]
    marks: dict[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    return [marks.get(p.kind, "") + p.name for p in parameters]


if __name__ == "__main__":
    main()
