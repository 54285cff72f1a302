"""What the parts of benchmarks/first_contact.sh leave behind: a line of JSON for each, and a summary.

It needs Python alone, because it also tells of an installation that failed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

LAST_LINES = 40  # of a part's output
STATES = {0: "done", 124: "out of time", 137: "killed", 130: "interrupted"}


def new_file(folder: Path) -> Path:
    """A file of today that does not exist yet."""
    names = (f"first-contact-{date.today()}{'' if i == 1 else f'-{i}'}.jsonl" for i in range(1, 10_000))
    return next(folder / name for name in names if not (folder / name).exists())


def add(path: Path, line: dict[str, Any]) -> None:
    """Write a line; those before it stay whatever happens to this one."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def lines(path: Path) -> list[dict[str, Any]]:
    """What was written so far."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def ended(options: argparse.Namespace) -> dict[str, Any]:
    """The line of a part that has ended."""
    said = options.said.read_text(encoding="utf-8", errors="replace").splitlines()
    told = {name for line in lines(options.file) for name in line.get("reports", ())}
    folder = options.file.parent.glob("*.json")
    reports = sorted(p for p in folder if p.stat().st_mtime >= options.began and p.name not in told)
    return {
        "part": options.part,
        "state": STATES.get(options.code, f"failed with exit code {options.code}"),
        "seconds": options.seconds,
        "limit": options.limit,
        "reports": [path.name for path in reports],
        "figures": [figure for path in reports for figure in figures(path)],
        "said": said[-LAST_LINES:],
    }


def figures(path: Path) -> list[str]:
    """What a report of benchmarks/gpu.py found, in words."""
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return [f"{path.name} cannot be read"]
    wrong = (f"WRONG: {text}" for text in report["problems"])
    return [*_steps(report), *_epoch(report), *_kernels(report), *wrong]


def _steps(report: dict[str, Any]) -> Iterator[str]:
    for row in report["models"]:
        times = {name: found["median"] for name, found in row.get("times", {}).items()}
        shown = ", ".join(f"{name} {median:.4g} ms" for name, median in times.items()) or "not timed"
        yield f"a step of {row['title']}, TF32 {'on' if row['tf32'] else 'off'}: {shown}"


def _epoch(report: dict[str, Any]) -> Iterator[str]:
    if epoch := report.get("epoch"):
        yield f"an epoch of {epoch['images']} images: {epoch['milliseconds']['median']:.4g} ms"


def _kernels(report: dict[str, Any]) -> Iterator[str]:
    timed = [row for row in report.get("kernels", []) if "milliseconds" in row]
    for row in sorted(timed, key=lambda row: row["percent_of_ceiling"])[:10]:
        time, share = row["milliseconds"]["median"] * 1e3, row["percent_of_ceiling"]
        yield f"{row['name']} {row['shapes']}: {time:.4g} us, {share:.0f}% of what the card reaches"


def summary(path: Path) -> str:
    """A table of the parts, and what each found."""
    last = {line["part"]: line for line in lines(path) if "part" in line}  # what never ended stays "begun"
    rows = [f"| {part} | {line['state']} | {line.get('seconds', '')} |" for part, line in last.items()]
    shown = [f"# {path.stem}", "", "| part | state | seconds |", "|---|---|---:|", *rows]
    for part, line in last.items():
        found = line.get("figures") or (line.get("said", [])[-3:])
        shown += ["", f"## {part}", "", *(f"- {text}" for text in found)]
    return "\n".join(shown) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the script asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("new").add_argument("folder", type=Path)
    for name in ("begin", "end", "skip"):
        command = commands.add_parser(name)
        command.add_argument("file", type=Path)
        command.add_argument("part")
        if name == "end":
            for figure in ("code", "began", "seconds", "limit"):
                command.add_argument(f"--{figure}", type=int, required=True)
            command.add_argument("--said", type=Path, required=True)
    commands.add_parser("summary").add_argument("file", type=Path)
    options = parser.parse_args(arguments)
    if options.command == "new":
        options.folder.mkdir(parents=True, exist_ok=True)
        path = new_file(options.folder)
        add(path, {"date": str(date.today()), "python": sys.version.split()[0]})
        print(path)
    elif options.command == "summary":
        print(summary(options.file), end="")
    elif options.command == "end":
        add(options.file, ended(options))
    else:
        state = "begun" if options.command == "begin" else "skipped: no time was left"
        add(options.file, {"part": options.part, "state": state})
    return 0


if __name__ == "__main__":
    sys.exit(main())
