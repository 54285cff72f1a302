"""Computes the reference outputs with Keras: `python -m tests.parity.record`; see tests/parity/README.md.

(nothing)   records the cases that have no reference yet and drops references of cases that are gone
WORD ...    also records anew the cases whose name has one of the words
--all       records all cases anew
--check     records nothing: computes a sixtieth of the cases and compares it with the committed references
--backend   only the groups that are computed on this backend of Keras
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import warnings
from datetime import date
from importlib import metadata
from pathlib import Path

from tests.parity import names, references, signatures
from tests.parity.cases import BACKENDS, GROUPS
from tests.parity.compare import differences
from tests.parity.runners import Result, run
from tests.parity.table import PARTS, Case

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
OF_TENSORFLOW = Path(__file__).with_name("requirements_tensorflow.txt")  # in a virtual environment of its own
WHICH = "GPUTRAIN_PARITY_PART"  # a number below PARTS, or "all"; else by date


def require_pinned(backend: str) -> None:
    """Refuse versions other than those in the requirements of a backend."""
    for line in (OF_TENSORFLOW if backend == "tensorflow" else REQUIREMENTS).read_text().splitlines():
        name, _, version = line.partition("==")
        found = metadata.version(name).partition("+")[0] if version else version  # torch says +cpu
        if found != version:
            sys.exit(f"{name} {found} is installed; references are made with {version}.")


def compute(case: Case) -> Result:
    """What Keras gives, as a file keeps it."""
    from tests.parity.keras_side import KerasSide  # once the backend is set

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return references.kept(run(case, KerasSide()))


def of_backend(backend: str) -> dict[str, list[Case]]:
    """The groups that are computed on a backend."""
    return {group: cases for group, cases in GROUPS.items() if BACKENDS[group] == backend}


def record(words: list[str], backend: str) -> None:
    """Write the references of a backend's groups; anew where a name has one of the words."""
    if backend == "jax":
        signatures.record()
        names.record()
    for group, cases in of_backend(backend).items():
        known = references.read(group)
        results = {}
        for case in cases:
            if case.id in known and not any(word in case.id for word in words):
                results[case.id] = known[case.id]
                continue
            print(case.id, flush=True)
            results[case.id] = compute(case)
        path = references.write(group, results)
        print(f"{path}: {len(results)} cases, {path.stat().st_size} bytes")


def check(part: str, backend: str) -> int:
    """Compare a part of a backend's references with what Keras gives now; the number of cases that differ."""
    print(f"part {part} of {PARTS}; {WHICH}={part} repeats it")
    wrong = signatures.check() + names.check() if backend == "jax" else 0
    count = 0
    for group, cases in of_backend(backend).items():
        chosen = [case for case in cases if part in ("all", str(case.part))]
        known = references.read(group) if chosen else {}
        for case in chosen:
            count += 1
            expected = known.get(case.id)
            told = ["has no reference"]
            if expected is not None:
                told = differences(compute(case), expected, case.tolerances)
            for text in told:
                print(f"{case.id}: {text}")
            wrong += bool(told)
    keras = f"Keras {metadata.version('keras')} on {backend}"
    print(f"{count} cases computed with {keras}: {wrong} differ from the files")
    return wrong


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("words", metavar="WORD", nargs="*")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--backend", choices=sorted(set(BACKENDS.values())))
    options = parser.parse_args()
    if options.backend is None:  # Keras has one backend in a process
        if options.check:
            sys.exit(_at_once(_backends()))
        sys.exit(sum(_alone(backend) for backend in _backends()) > 0)
    require_pinned(options.backend)
    os.environ.update(KERAS_BACKEND=options.backend, JAX_PLATFORMS="cpu", TF_CPP_MIN_LOG_LEVEL="3")
    if not options.check:
        record([""] if options.all else options.words, options.backend)
        return
    part = os.environ.get(WHICH) or str(date.today().toordinal() % PARTS)
    if part not in ("all", *map(str, range(PARTS))):
        sys.exit(f"{WHICH} must be 0 to {PARTS - 1} or all. Received {part!r}.")
    sys.exit(bool(check(part, options.backend)))


def _backends() -> list[str]:
    """The backends of all groups; TensorFlow where it is installed, which is large."""
    there = list(dict.fromkeys(BACKENDS.values()))
    if importlib.util.find_spec("tensorflow") is None:
        left_out = [group for group, backend in BACKENDS.items() if backend == "tensorflow"]
        print(f"left out, as TensorFlow is not installed ({OF_TENSORFLOW.name}): {', '.join(left_out)}")
        there.remove("tensorflow")
    return there


def _command(backend: str) -> list[str]:
    """This command once more, for the groups of a backend."""
    return [sys.executable, "-m", "tests.parity.record", *sys.argv[1:], "--backend", backend]


def _alone(backend: str) -> int:
    return subprocess.run(_command(backend), check=False).returncode


def _at_once(backends: list[str]) -> int:
    """The commands of all backends at the same time, what each says in one piece; 1 where one failed."""
    running = [subprocess.Popen(_command(b), stdout=subprocess.PIPE, text=True) for b in backends]
    for process in running:
        print(process.communicate()[0], end="", flush=True)
    return int(any(process.returncode for process in running))


if __name__ == "__main__":
    main()
