"""Nothing costs more than it did: counters of six workloads against those recorded in counters.json.

A counter that fell is told (pytest -rP), not refused. Record anew then, or after a change that is meant:

    python -m tests.test_counters
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.counting import Counters, counted_afresh

RECORD = Path(__file__).with_name("counters.json")
COMMAND = "python -m tests.test_counters"


def compare(recorded: Counters, counted: Counters) -> tuple[list[str], list[str]]:
    """Return a line for each counter that rose or is new or gone, and one for each that fell."""
    rose, fell = [], []
    for name in dict.fromkeys([*recorded, *counted]):
        before, now = recorded.get(name, {}), counted.get(name, {})
        for counter in dict.fromkeys([*before, *now]):
            line = f"{name}, {counter}: {before.get(counter, 'not recorded')} before, {now.get(counter)} now"
            if counter not in before or counter not in now or now[counter] > before[counter]:
                rose.append(line)
            elif now[counter] < before[counter]:
                fell.append(line)
    return rose, fell


@pytest.mark.cpu_only("a process of its own counts on the CPU and on a GPU device that launches nothing")
def test_no_counter_rose() -> None:
    rose, fell = compare(json.loads(RECORD.read_text(encoding="utf-8")), counted_afresh())
    if fell:
        print("\n".join([*fell, f"Record them anew: {COMMAND}"]))
    assert not rose, "\n".join([*rose, f"If that is meant: {COMMAND}"])


def test_what_rose_is_named_and_what_fell_is_allowed() -> None:
    recorded = {"a": {"calls": 3, "launches": 5}, "b": {"calls": 1}}
    assert compare(recorded, recorded) == ([], [])
    rose, fell = compare(recorded, {"a": {"calls": 4, "launches": 4}, "b": {"nodes": 2}})
    assert rose == [
        "a, calls: 3 before, 4 now",
        "b, calls: 1 before, None now",
        "b, nodes: not recorded before, 2 now",
    ]
    assert fell == ["a, launches: 5 before, 4 now"]


def record() -> None:
    """Write counters.json from what is counted now."""
    RECORD.write_text(json.dumps(counted_afresh(), indent=1) + "\n", encoding="utf-8")
    print(f"{RECORD.name} is written")


if __name__ == "__main__":
    record()
