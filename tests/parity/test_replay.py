"""Every case of the table against the reference outputs of Keras, without Keras."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.on_device import emulated, fewer
from tests.parity import allowed, references
from tests.parity.cases import GROUPS
from tests.parity.compare import differences
from tests.parity.gputrain_side import GputrainSide
from tests.parity.runners import Result, run
from tests.parity.table import PARTS, Case

# On the emulator, where a case builds kernels of its own first, one case of each layer, and so many of each
# other kind, spread over the table.
EMULATED = {"function": 40, "program": 15}
OF_LAYERS = ("layer", "drawn layer")

ALL = [(group, case) for group, cases in GROUPS.items() for case in cases]
KINDS = dict.fromkeys(case.kind for _, case in ALL if case.kind not in OF_LAYERS)
LAYERS = [pair for pair in ALL if pair[1].kind in OF_LAYERS]
OF_EACH_LAYER = list({case.path: (group, case) for group, case in reversed(LAYERS)}.values())
CHOSEN = [
    *(OF_EACH_LAYER if emulated() else LAYERS),
    *(
        pair
        for kind in KINDS
        for pair in fewer([pair for pair in ALL if pair[1].kind == kind], EMULATED.get(kind, 5))
    ),
]
CASES = [pytest.param(group, case, id=case.id) for group, case in CHOSEN]


def found(case: Case) -> Result:
    """What gputrain gives, as the references are kept."""
    return references.kept(run(case, GputrainSide()))


# Notes about guesses and unused arguments are not what is compared here.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("group, case", CASES)
def test_replay(group: str, case: Case) -> None:
    expected, mine = references.read(group)[case.id], found(case)
    told = differences(allowed.without(case, mine), allowed.without(case, expected), case.tolerances)
    assert not told, "\n".join(["Not as Keras has it:", *told])
    gone = [n for n in allowed.arrays(case) if _same(mine, expected, n, case)]
    gone += [n for n in allowed.FACTS.get(case.id, ()) if mine.facts[n] == expected.facts[n]]
    assert not gone, f"as in Keras by now, though listed as a difference: {gone}"


def _same(mine: Result, expected: Result, name: str, case: Case) -> bool:
    """Whether an array is as in the reference."""
    one, other = (Result({name: result.arrays[name]}) for result in (mine, expected))
    return not differences(one, other, case.tolerances)


def test_each_case_has_its_own_reference() -> None:
    for group, cases in GROUPS.items():
        names = [case.id for case in cases]
        assert len(set(names)) == len(names)
        assert set(references.read(group)) == set(names), "python -m tests.parity.record"


def test_all_parts_hold_cases() -> None:
    parts = [case.part for cases in GROUPS.values() for case in cases]
    assert all(parts.count(part) > len(parts) / PARTS / 2 for part in range(PARTS))


def test_a_changed_reference_is_told() -> None:
    """A reference off by little more than the tolerance, a fact that differs, an array that is missing."""
    case = next(case for case in GROUPS["layers"] if case.path == "layers.Dense")
    expected = references.read("layers")[case.id]
    assert differences(expected, expected, {}) == []
    arrays = {name: array * np.float32(1 + 2e-4) for name, array in expected.arrays.items()}
    told = differences(Result(arrays, expected.facts), expected, {})
    assert [text.split(":")[0] for text in told] == sorted(arrays)
    config = {**expected.facts["config"], "units": 7}
    told = differences(Result(expected.arrays, {**expected.facts, "config": config}), expected, {})
    assert told == ["config: units is 7, not 6"]
    some = dict(list(expected.arrays.items())[1:])
    assert differences(Result(some, expected.facts), expected, {}) == ["output 0 is not there"]


def test_references_stay_small_and_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under 20 MB now and later; read and written again, a file has the same contents byte for byte."""
    assert sum(path.stat().st_size for path in references.FOLDER.rglob("*.npz")) < 20e6
    results = references.read("losses")
    monkeypatch.setattr(references, "FOLDER", tmp_path)
    first = references.write("losses", results).read_bytes()
    assert references.write("losses", results).read_bytes() == first
    references.read.cache_clear()
    again = references.read("losses")
    references.read.cache_clear()
    for name, result in results.items():
        assert again[name].facts == result.facts
        assert again[name].arrays.keys() == result.arrays.keys()
        for key, array in result.arrays.items():
            assert again[name].arrays[key].tobytes() == array.tobytes()
