"""The pages of the documentation: their code blocks, and what following one means."""

from __future__ import annotations

import glob
import os
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gputrain.app.cli import main

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

_BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<reason>[^>]+) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
# The first line of a block that belongs into a file: the file, and perhaps the line of it to stand behind.
_PLACE = re.compile(r"# (?P<file>[\w./-]+\.\w+)(?:, after: (?P<line>.+))?")
# What a page tells to type besides gputrain and Python, which a test has no need to do.
_NOT_FOLLOWED = ("pip", "python3", "nvidia-smi", "bash", "mkdocs")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        line: where its text begins.
        language: what stands behind the fence.
        text: what is in it.
        reason: why it cannot be run here; None if it can.
    """

    line: int
    language: str
    text: str
    reason: str | None


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    source = page.read_text(encoding="utf-8")
    return [
        Block(
            source.count("\n", 0, found.start("text")) + 1,
            found["language"],
            found["text"],
            found["reason"],
        )
        for found in _BLOCK.finditer(source)
    ]


def follow(page: Path, folder: Path, environment: dict[str, str]) -> int:
    """Do what a page says, in `folder`, which must be the working directory; return how many blocks it has.

    Args:
        page: its Python blocks are run, one after the other, with the names of those before. A block whose
            first line is a comment that names a file is written there, or put into it behind a line. Lines
            of its sh blocks that call gputrain or Python are run.
        folder: the working directory.
        environment: of Python.
    """
    names: dict[str, Any] = {}
    followed = 0
    for block in blocks(page):
        if block.reason is not None or block.language not in ("python", "toml", "sh"):
            continue
        followed += 1
        place = f"{page.name}, line {block.line}"
        if block.language == "sh":
            for line in lines(block.text):
                _type(line, place, environment)
        elif (found := _PLACE.fullmatch(block.text.partition("\n")[0])) is not None:
            _put(folder / found["file"], found["line"], block.text, place)
        elif block.language == "python":
            names = _run(block, page, folder, names)
    return followed


def _run(block: Block, page: Path, folder: Path, names: dict[str, Any]) -> dict[str, Any]:
    """Run a block; lines in tracebacks are those of the page."""
    program = folder / f".{page.stem}.py"
    program.write_text("\n" * (block.line - 1) + block.text, encoding="utf-8")
    return runpy.run_path(str(program), names)


def _put(file: Path, line: str | None, text: str, place: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    if line is None:
        file.write_text(text, encoding="utf-8")
        return
    there = file.read_text(encoding="utf-8").splitlines(keepends=True)
    numbers = [number for number, one in enumerate(there) if one.rstrip("\n") == line]
    assert len(numbers) == 1, f"{place}: {file.name} has the line {line!r} {len(numbers)} times"
    there[numbers[0] + 1 : numbers[0] + 1] = text.splitlines(keepends=True)[1:]
    file.write_text("".join(there), encoding="utf-8")


def lines(text: str) -> Iterator[str]:
    """Return the lines of a sh block, those that go on joined."""
    yield from (line for line in text.replace("\\\n", " ").splitlines() if line.strip())


def _type(line: str, place: str, environment: dict[str, str]) -> None:
    """Run what one line of a sh block says."""
    words = command(line)
    if not words:
        return
    if words[0] == "gputrain":
        with pytest.MonkeyPatch.context() as patch:
            for name, value in assignments(line).items():
                patch.setenv(name, value)
            assert _gputrain(words[1:]) == 0, f"{place}: {line}"
    elif words[0] == "python":
        options = ["-q", "-p", "no:cacheprovider"] if words[1:3] == ["-m", "pytest"] else []
        done = subprocess.run(
            [sys.executable, *words[1:], *options],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        assert done.returncode == 0, f"{place}: {line}\n{done.stdout}{done.stderr}"
    else:
        assert words[0] in _NOT_FOLLOWED, f"{place}: who knows what this does? {line}"


def command(line: str) -> list[str]:
    """Return the words of a line of sh, without assignments in front and comments."""
    words = shlex.split(line, comments=True)
    return words[len(assignments(line)) :]


def assignments(line: str) -> dict[str, str]:
    """Return the environment variables that a line of sh sets for its command."""
    found: dict[str, str] = {}
    for word in shlex.split(line, comments=True):
        name, sign, value = word.partition("=")
        if not (sign and name.isidentifier() and name.isupper()):
            break
        found[name] = os.path.expanduser(value)
    return found


def _gputrain(words: list[str]) -> int:
    """Run the command line, with `*` and `> FILE` as a shell has them."""
    if ">" in words:
        *words, _, name = words
        with open(name, "w", encoding="utf-8") as stream, redirect_stdout(stream):
            return _gputrain(words)
    given: list[str] = []
    for word in words:
        given += sorted(glob.glob(word)) or [word]
    return main(given)
