"""Every test here runs `gputrain` in a folder of its own, with a small recipe, and draws no pictures."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from gputrain import config
from gputrain.app.cli import main
from tests.app.recipes.material import Trained, flowers, settle_in, write_csv, write_recipe


class Done(NamedTuple):
    """What a command left."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settle_in(tmp_path, monkeypatch)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "elsewhere"))
    write_csv(tmp_path / "flowers.csv", flowers())
    write_recipe(tmp_path / "small.toml", data={"file": "flowers.csv", "target": "species"})
    yield
    config.reset()


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Runs that are trained once."""
    return Trained(tmp_path_factory.mktemp("trained"))


@pytest.fixture
def gputrain(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Runs a command; an error is one message without a traceback, and nothing on stdout."""

    def call(*argv: object) -> Done:
        capsys.readouterr()
        code = main([str(argument) for argument in argv])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Done(code, out, err)

    return call


@pytest.fixture
def refused(gputrain: Callable[..., Done]) -> Callable[..., str]:
    """Runs a command that must fail; returns its one message."""

    def call(code: int, *argv: object) -> str:
        done = gputrain(*argv)
        assert (done.code, done.out) == (code, ""), done
        messages = [line for line in done.err.splitlines() if line.startswith("gputrain: ")]
        assert len(messages) == 1, done.err
        assert done.err.endswith(messages[0] + "\n")
        return messages[0]

    return call
