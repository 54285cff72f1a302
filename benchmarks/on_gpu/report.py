"""The JSON file and the tables."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.on_gpu.peers import NAMES

AIMS = {"pytorch eager": 5.0, "torch.compile": 1.5}  # how many times longer they should take than we do
EPOCH_AIM = 60.0  # milliseconds, on a card like the H100
MOST_LAUNCHES = 24


def slug(name: str) -> str:
    """A name for files.

    >>> slug("NVIDIA H100 80GB HBM3")
    'nvidia-h100-80gb-hbm3'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def new_file(folder: Path, gpu: str, date: str) -> Path:
    """A file that does not exist yet."""
    stem = f"{slug(gpu)}-{date}"
    paths = (folder / f"{stem}{'' if i == 1 else f'-{i}'}.json" for i in range(1, 10_000))
    return next(path for path in paths if not path.exists())


def write(path: Path | None, result: Mapping[str, Any]) -> None:
    """Write what is known so far; a run that is cut short leaves it behind."""
    if path is not None:
        path.write_text(json.dumps(storable(result), indent=1, allow_nan=False) + "\n", encoding="utf-8")


def storable(value: Any) -> Any:
    """The value with NaN and infinity, which JSON does not know, as text.

    >>> storable({"loss": [1.0, float("nan")]})
    {'loss': [1.0, 'nan']}
    """
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {key: storable(item) for key, item in value.items()}
    return [storable(item) for item in value] if isinstance(value, list | tuple) else value


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A Markdown table, the first column to the left."""
    yield f"| {' | '.join(columns)} |"
    yield "|".join(["", "---", *["---:"] * (len(columns) - 1), ""])
    for row in rows:
        yield f"| {' | '.join(row)} |"


def markdown(result: Mapping[str, Any]) -> str:
    """All tables."""
    lines = [f"# {result['machine']['gpu']}, {result['date']}", ""]
    if result["backend"] == "emulated":
        lines += [f"**{result['warning']}**", ""]
    for section in (_models, _epoch, _launches, _kernels, _problems):
        lines += [*section(result), ""]
    return "\n".join(lines).rstrip() + "\n"


def _models(result: Mapping[str, Any]) -> Iterator[str]:
    yield "## Training step"
    yield ""
    yield "Milliseconds per step: median of the rounds (quartiles). Ratios: times as long as gputrain."
    yield ""
    names = ("gputrain", *NAMES)
    ratios = [f"{name} / gputrain" + (f" (aim {AIMS[name]:g})" if name in AIMS else "") for name in NAMES]
    rows = [_model_row(row, names) for row in result["models"] if row.get("times")]
    yield from table(["model", "TF32", *names, *ratios], rows)
    for line in dict.fromkeys(_skipped(result)):
        yield ""
        yield line


def _model_row(row: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    times = [_time(row["times"].get(name)) for name in names]
    ratios = [f"{row['ratios'][name]:.2f}" if name in row["ratios"] else "-" for name in NAMES]
    return [row["title"], "on" if row["tf32"] else "off", *times, *ratios]


def _time(figures: Mapping[str, float] | None) -> str:
    if figures is None:
        return "-"
    return f"{figures['median']:.4g} ({figures['first_quartile']:.4g}..{figures['third_quartile']:.4g})"


def _skipped(result: Mapping[str, Any]) -> Iterator[str]:
    for row in result["models"]:
        for name, reason in row.get("skipped", {}).items():
            yield f"Skipped: {name}: {reason}."


def _epoch(result: Mapping[str, Any]) -> Iterator[str]:
    epoch = result.get("epoch")
    if epoch:
        yield "## One epoch"
        yield ""
        aim = f"aim: at most {EPOCH_AIM:g} ms on an H100-class card"
        median = epoch["milliseconds"]["median"]
        yield f"fit, {epoch['model']}, {epoch['images']} images: {median:.4g} ms per epoch ({aim})."


def _launches(result: Mapping[str, Any]) -> Iterator[str]:
    found = result.get("launches")
    if not found:
        return
    yield "## Launches of a training step"
    yield ""
    yield (
        f"{found['model']}: {found['launches']} kernels and cuBLAS calls (limit {MOST_LAUNCHES}) and "
        f"{found['copies']} further nodes that copy or fill memory; "
        f"recorded in {found['graphs_and_parts']} part(s), 1 being a single CUDA graph."
    )
    yield ""
    for i, name in enumerate(found["names"], 1):
        yield f"{i}. `{name}`"


def _kernels(result: Mapping[str, Any]) -> Iterator[str]:
    ceilings, rows = result.get("ceilings"), result.get("kernels", [])
    if not ceilings:
        return
    yield "## Kernels"
    yield ""
    yield (
        f"Ceilings measured here: {ceilings['bandwidth'] / 1e9:.4g} GB/s (copy, read plus written), "
        f"{ceilings['rate'] / 1e12:.4g} TFLOP/s (float32 product without TF32). Flushed cache, medians; "
        f"{ceilings['nothing'] * 1e3:.3g} us of each time are the events themselves."
    )
    yield ""
    columns = ["kernel", "inputs", "us", "GB/s", "TFLOP/s", "limit", "% of ceiling"]
    yield from table(columns, (_kernel_row(row) for row in rows if "milliseconds" in row))
    yield ""
    for row in rows:
        if "no_kernel" in row:
            yield f"No kernel of its own: {row['no_kernel']}."
    yield f"Not timed: {', '.join(result['not_timed']) or 'none'}."


def _kernel_row(row: Mapping[str, Any]) -> list[str]:
    return [
        row["name"],
        row["shapes"],
        f"{row['milliseconds']['median'] * 1e3:.4g}",
        f"{row['gigabytes_per_second']:.4g}",
        f"{row['teraflops']:.3g}" if row["flops"] else "-",
        row["limited_by"],
        f"{row['percent_of_ceiling']:.0f}",
    ]


def _problems(result: Mapping[str, Any]) -> Iterator[str]:
    if result["problems"]:
        yield "## Wrong or failed"
        yield ""
        for problem in result["problems"]:
            yield f"- {problem}"
