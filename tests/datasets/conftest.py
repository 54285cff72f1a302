"""Every test here runs with folders of its own and without a network; `server` answers on the loopback."""

from __future__ import annotations

from pathlib import Path

import pytest

from gputrain.datasets import _catalog, fashion_mnist
from tests.loopback import server

__all__ = ["server"]


@pytest.fixture(autouse=True)
def own_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable, cache or system folder of this machine counts; downloads go to a port that refuses."""
    monkeypatch.delenv("GPUTRAIN_DATA", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("GPUTRAIN_DATASETS_URL", "http://127.0.0.1:1")
    alone = _catalog.FASHION_MNIST._replace(system=(tmp_path / "system",))
    monkeypatch.setattr(fashion_mnist, "FASHION_MNIST", alone)
    monkeypatch.setitem(_catalog.CATALOG, "fashion_mnist", alone)
