"""The page of Keras's layers: how many are there, and that it says what is true of each."""

from __future__ import annotations

import re
import runpy

import pytest

from gputrain import layers
from gputrain.keras_names import NOT_THERE
from tests.docs.pages import DOCS
from tests.parity.signatures import committed, described

pytestmark = pytest.mark.cpu_only("nothing of it depends on the device")

GENERATOR = runpy.run_path(str(DOCS / "make_reference.py"))
PAGE = (DOCS / "keras_layers.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", PAGE, re.MULTILINE))
LEAST = 0.92  # of the names of keras.layers, but for those of other frameworks


def test_most_of_the_layers_are_there() -> None:
    assert GENERATOR["share_of_layers"]() >= LEAST


def test_the_page_says_how_many() -> None:
    names, absent = GENERATOR["layers_of_keras"](), GENERATOR["OTHER_FRAMEWORKS"]
    known = [name for name in names if name in layers.__all__]
    counted = len(names) - len(absent)
    assert not set(absent) & set(known)
    assert f"Of the {counted} public names" in PAGE
    assert f"{len(known)} are there: {len(known) / counted:.1%}" in PAGE
    assert set(ROWS) == set(names)


@pytest.mark.parametrize("name", ROWS)
def test_each_name_is_there_or_has_a_reason(name: str) -> None:
    row = ROWS[name]
    if row.startswith("no. "):
        assert name not in layers.__all__
        assert any(name in group.names.get("layers", "").split() for group in NOT_THERE)
        return
    item = getattr(layers, name)
    mine = [text.lstrip("*") for text in described(item, lambda cls: cls) or ()]
    theirs = [text.lstrip("*") for text in committed()[f"layers.{name}"]]
    of_all = [text.lstrip("*") for text in committed()["layers.Layer"]]
    own = [text for text in mine if text in theirs or text not in of_all]
    assert ("as in Keras" in row) == (own == theirs)
    assert "differs" not in row
    assert "stands elsewhere" not in row
