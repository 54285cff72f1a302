"""Reads damaged files of every kind that gputrain reads, and tells where that ends otherwise than documented.

    python -m tests.saving.fuzz --minutes 60
    python -m tests.saving.fuzz --minutes 5 --parser model --seed 7

Each parser runs in a process of its own, under the limits of `tests.saving.fuzz_guard`: no error but a worded
one, no code, import, socket, program or file beside the given one, 5 seconds and 192 MB a case (images: as
much as 2**26 pixels take).
"""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

ROUND = 50  # cases that hypothesis makes at once


def fuzz(name: str, seconds: float, first: int, cases: int | None = None) -> tuple[int, list[str]]:
    """Read damaged files for some time.

    Args:
        name: of the parser.
        seconds: how long.
        first: the seed of the first round.
        cases: ends it earlier.

    Returns:
        How many cases there were, and what went wrong, each with the path of its file.
    """
    from tests.saving.fuzz_guard import Guard
    from tests.saving.fuzz_parsers import PARSERS

    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
    parser = PARSERS[name]
    files = parser.seeds()
    path = folder / f"case{parser.suffix}"
    for content in files:
        path.write_bytes(content)
        parser.read(path)  # what good files import is imported
    guard, found, count = Guard(folder), {}, 0
    end = time.monotonic() + seconds
    while time.monotonic() < end and (cases is None or count < cases):

        @seed(first)
        @settings(
            max_examples=ROUND if cases is None else min(ROUND, cases - count),
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.data())
        def one_round(data: st.DataObject) -> None:
            nonlocal count
            content = parser.damage(data.draw, data.draw(st.sampled_from(files)))
            path.write_bytes(content)
            count += 1
            if problem := guard.check(parser.read, path, parser.memory):
                kind = _kind(problem)
                if kind not in found:
                    kept = folder / f"found{len(found)}{parser.suffix}"
                    kept.write_bytes(content)
                    found[kind] = f"{name}, seed {first}: {kept}\n{problem}"  # noqa: B023  (it is called in this round)
                    print(found[kind], flush=True)

        one_round()
        first += 1
    return count, list(found.values())


def _kind(problem: str) -> str:
    """What makes two problems the same: the place in the code, or the first line."""
    lines = [line.strip() for line in problem.splitlines()]
    places = [
        line for line in lines if line.startswith("File ") and "gputrain" in line and "/tests/" not in line
    ]
    return places[-1] if places else lines[0]


def main(arguments: list[str] | None = None) -> int:
    """Fuzz all parsers in turn, or one; 1 if anything was found."""
    from tests.saving.fuzz_parsers import PARSERS

    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--minutes", type=float, default=1.0, help="for all parsers together")
    options.add_argument("--parser", choices=sorted(PARSERS))
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--cases", type=int)
    options.add_argument("--here", action="store_true", help="all in this process, which is quicker to begin")
    given_ = options.parse_args(arguments)
    names = [given_.parser] if given_.parser else list(PARSERS)
    if given_.here:
        return max(_told(name, given_.minutes * 60 / len(names), given_.seed, given_.cases) for name in names)
    codes = [_started(name, given_.minutes / len(names), given_.seed, given_.cases) for name in names]
    return int(any(codes))


def _told(name: str, seconds: float, first: int, cases: int | None) -> int:
    """Fuzz one parser in this process, and print how it was."""
    count, found = fuzz(name, seconds, first, cases)
    print(f"{name}: {count} cases, {len(found)} found", flush=True)
    return int(bool(found))


def _started(name: str, minutes: float, first: int, cases: int | None) -> int:
    """Fuzz one parser in a process of its own, which a crash or a limit may end."""
    command = [sys.executable, "-m", "tests.saving.fuzz", "--here", "--parser", name]
    command += ["--minutes", str(minutes), "--seed", str(first), *(["--cases", str(cases)] if cases else [])]
    code = subprocess.run(command, check=False).returncode
    if code not in (0, 1):
        print(f"{name}: the process ended by {code}", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
