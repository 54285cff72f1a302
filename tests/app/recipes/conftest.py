"""Every test here runs in a folder of its own, and runs draw no pictures unless a test asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gputrain import config
from tests.app.recipes.material import Trained, settle_in


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settle_in(tmp_path, monkeypatch)
    yield
    config.reset()


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Runs that are trained once."""
    return Trained(tmp_path_factory.mktemp("trained"))
