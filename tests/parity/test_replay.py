"""Every case of the table against the reference outputs of Keras, without Keras."""

from __future__ import annotations

import os

import numpy as np
import pytest

from tests.on_device import fewer
from tests.parity import allowed, references
from tests.parity.cases import GROUPS
from tests.parity.compare import differences
from tests.parity.gputrain_side import GputrainSide
from tests.parity.runners import Result, run
from tests.parity.table import Case

ALL = [pytest.param(group, case, id=case.id) for group, cases in GROUPS.items() for case in cases]
# Notes about guesses and unused arguments are not what is compared here.
pytestmark = pytest.mark.filterwarnings("ignore")


def replayed() -> list[object]:
    """All cases; on the emulator some of each kind, spread over the table."""
    if os.environ.get("GPUTRAIN_BACKEND") != "emulated":
        return list(ALL)
    kinds = dict.fromkeys(param.values[1].kind for param in ALL)
    return [p for kind in kinds for p in fewer([q for q in ALL if q.values[1].kind == kind], EMULATED[kind])]


EMULATED = {
    "layer": 30,
}


@pytest.mark.parametrize("group, case", replayed())
def test_replay(group: str, case: Case) -> None:
    expected = references.read(group)[case.id]
    found = references.kept(run(case, GputrainSide()))
    told = differences(found, allowed.without(case, expected), case.tolerances)
    assert not told, "\n".join(["Not as Keras has it:", *told])
