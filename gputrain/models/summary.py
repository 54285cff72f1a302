"""The table that `summary()` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gputrain.errors import explain
from gputrain.layers.base import Layer
from gputrain.utils import tree
from gputrain.utils.signatures import on_or_off

LINE = 80  # characters of a line that nobody gives a length
_UNITS = ("B", "KB", "MB", "GB", "TB")


def readable_bytes(nbytes: float) -> str:
    """1536 as "1.50 KB"."""
    for unit in _UNITS[:-1]:
        if nbytes < 1024:
            return f"{nbytes:.2f} {unit}"
        nbytes /= 1024
    return f"{nbytes:.2f} {_UNITS[-1]}"


def summary_text(
    model: Layer,
    layers: list[Layer],
    line_length: int | None,
    positions: Sequence[float] | None,
    expand_nested: bool,
    show_trainable: bool,
) -> str:
    """Layers with output shapes and numbers of weights, and the totals of the model."""
    expand_nested = on_or_off(expand_nested, "summary: expand_nested")
    show_trainable = on_or_off(show_trainable, "summary: show_trainable")
    header = ["Layer (type)", "Output shape", "Param #", *(["Trainable"] if show_trainable else [])]
    rows = [row for layer in layers for row in _rows(layer, "", expand_nested, show_trainable)]
    rows = rows or [["(no layers)", *[""] * (len(header) - 1)]]
    widths = [max(len(r[i]) for r in [header, *rows]) for i in range(len(header))]
    if positions is not None:
        ends = _ends(positions, line_length or LINE, len(widths))
        spans = [end - begin for begin, end in zip([0, *ends], [*ends[:-1], ends[-1] + 3], strict=False)]
        widths = [max(width, span - 3) for width, span in zip(widths, spans, strict=True)]
    elif line_length is not None:
        spare = line_length - sum(widths) - 3 * (len(widths) - 1)
        widths[0] += max(0, spare)
    rule = "-" * (sum(widths) + 3 * (len(widths) - 1))
    lines = [f'Model: "{model.name}"', rule, _line(header, widths), rule]
    lines += [_line(row, widths) for row in rows]
    return "\n".join([*lines, rule, *_totals(model)])


def _ends(positions: Any, line_length: int, columns: int) -> list[int]:
    """Where the columns end, in characters.

    Raises:
        ValueError: not an ascending position for each column.
    """
    given = list(positions) if isinstance(positions, Sequence) and not isinstance(positions, str) else []
    numbers = all(isinstance(end, int | float) and not isinstance(end, bool) and end > 0 for end in given)
    if len(given) != columns or not numbers or given != sorted(given):
        raise ValueError(
            explain(
                "summary: positions says where each column ends, as parts of the line or in characters.",
                expected=f"{columns} ascending numbers above 0",
                received=repr(positions),
            )
        )
    return [round(end * line_length) if given[-1] <= 1 else round(end) for end in given]


def _line(cells: list[str], widths: list[int]) -> str:
    return "   ".join(c.ljust(w) for c, w in zip(cells, widths, strict=True)).rstrip()


def _rows(layer: Layer, indent: str, expand: bool, show_trainable: bool) -> list[list[str]]:
    row = [f"{indent}{layer.name} ({type(layer).__name__})", _output_shape(layer), _count(layer)]
    if show_trainable:
        row.append("yes" if layer.trainable else "no")
    rows = [row]
    if expand:
        for child in getattr(layer, "layers", []):
            rows += _rows(child, indent + "  ", expand, show_trainable)
    return rows


def _output_shape(layer: Layer) -> str:
    try:
        shapes = [v.shape for v in tree.flatten(layer.output)]
    except AttributeError:
        return "multiple" if layer.symbolic_calls else "?"
    return ", ".join(str(s) for s in shapes)


def _count(layer: Layer) -> str:
    known = layer.built or layer.weights
    return f"{sum(v.spec.size for v in layer.weights):,}" if known else "0 (unbuilt)"


def _totals(model: Layer) -> list[str]:
    groups: list[tuple[str, Any]] = [
        ("Total", model.weights),
        ("Trainable", model.trainable_weights),
        ("Non-trainable", model.non_trainable_weights),
    ]
    lines = []
    for label, variables in groups:
        count = sum(v.spec.size for v in variables)
        nbytes = sum(v.spec.nbytes for v in variables)
        lines.append(f"{label} params: {count:,} ({readable_bytes(nbytes)})")
    return lines
