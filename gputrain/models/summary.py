"""The table that `summary()` prints."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from typing import Any

from gputrain import tree
from gputrain.errors import explain
from gputrain.ir import Node
from gputrain.layers.base import Layer
from gputrain.layers.base.calling import shape_once_built
from gputrain.models.functional import FunctionalGraph, name_of
from gputrain.names import did_you_mean
from gputrain.ops.calls import Call, FunctionCall, class_name
from gputrain.utils.signatures import on_or_off

LINE = 80  # characters of a line that nobody gives a length
_GAP = 3  # spaces between columns
_CONNECTED = 40  # characters of what a layer reads; more go on the next line
_UNITS = ("B", "KB", "MB", "GB", "TB")
Cell = Callable[[Any], str]  # text about a layer, or about the node of an operation


def readable_bytes(nbytes: float) -> str:
    """1536 as "1.50 KB"."""
    for unit in _UNITS[:-1]:
        if nbytes < 1024:
            return f"{nbytes:.2f} {unit}"
        nbytes /= 1024
    return f"{nbytes:.2f} {_UNITS[-1]}"


def summary_text(
    model: Any,
    line_length: int | None,
    positions: Sequence[float] | None,
    expand_nested: bool,
    show_trainable: bool,
    layer_range: Any,
) -> str:
    """Layers and operations with output shapes, numbers of weights and what they read; then the totals."""
    expand_nested = on_or_off(expand_nested, "summary: expand_nested")
    show_trainable = on_or_off(show_trainable, "summary: show_trainable")
    graph = model.graph if model.shows_calls else None
    columns: dict[str, Cell] = {"Layer (type)": _label, "Output Shape": _output_shape, "Param #": _count}
    if graph is not None and not graph.is_chain:
        columns["Connected to"] = _connections_in(graph)
    ends = _ends(positions, line_length or LINE, len(columns)) if positions is not None else None
    if show_trainable:
        columns["Trainable"] = _trainable
        ends = ends and [*(round(0.9 * end) for end in ends), ends[-1]]
    listed = _between(model.layers if graph is None else graph.operations, layer_range)
    rows = [row for subject in listed for row in _rows(subject, list(columns.values()), expand_nested)]
    rows = rows or [["(no layers)", *[""] * (len(columns) - 1)]]
    widths = _widths([list(columns), *rows], ends, line_length)
    rule = "-" * (sum(widths) + _GAP * (len(widths) - 1))
    lines = [f'Model: "{model.name}"', rule, *_lines(list(columns), widths), rule]
    lines += [line for row in rows for line in _lines(row, widths)]
    return "\n".join([*lines, rule, *_totals(model)])


# ------------------------------------------------------------------------------------------------ the rows


def _between(subjects: list[Any], names: Any) -> list[Any]:
    """Those from the first whose name matches to the last that does; all where no names are given."""
    if names is None:
        return subjects
    if not isinstance(names, list | tuple) or len(names) != 2 or not all(isinstance(x, str) for x in names):
        raise ValueError(explain("layer_range is a pair of layer names.", received=repr(names)))
    known = [name_of(subject) for subject in subjects]
    first, last = ([i for i, name in enumerate(known) if re.match(pattern, name)] for pattern in names)
    for pattern, found in zip(names, (first, last), strict=True):
        if not found:
            hint = did_you_mean(pattern, known, "summary()")
            raise ValueError(f"layer_range: no layer is named {pattern!r}. {hint}")
    return subjects[min(first[0], last[0]) : max(first[-1], last[-1]) + 1]


def _rows(subject: Any, columns: Sequence[Cell], expand: bool, indent: str = "") -> Iterator[list[str]]:
    name, *others = [cell(subject) for cell in columns]
    yield [indent + name, *others]
    if expand:
        for child in getattr(subject, "layers", ()):
            yield from _rows(child, columns, expand, indent + "  ")


def _label(subject: Any) -> str:
    kind = type(subject.op if isinstance(subject, Node) else subject).__name__
    if isinstance(subject, Node) and isinstance(subject.op, FunctionCall):
        kind = class_name(subject.op.function.__name__)
    return f"{name_of(subject)} ({kind})"


def _output_shape(subject: Any) -> str:
    """Of the last call, or else for what the layer was built for; "?" where neither tells it."""
    calls = [subject] if isinstance(subject, Node) else subject.symbolic_calls[-1:]
    made = _made(calls[0]) if calls else getattr(subject, "output", None)
    shapes = [value.shape for value in tree.flatten(made)] if made is not None else _once_built(subject)
    if shapes is None:
        return "?"
    told = tree.map_shape_structure(str, shapes)
    leaves = tree.flatten(told)
    return str(leaves[0]) if len(leaves) == 1 else str(told).replace("'", "")


def _made(node: Node) -> Any:
    """What a call returned."""
    return node.op.packed(node.outputs) if isinstance(node.op, Call) else node.outputs


def _once_built(layer: Layer) -> Any:
    try:
        return shape_once_built(layer)
    except (TypeError, ValueError, NotImplementedError):  # it was built for what its call does not take
        return None


def _count(subject: Any) -> str:
    if isinstance(subject, Node):
        return "0"
    known = subject.built or subject.weights
    return f"{sum(v.spec.size for v in subject.weights):,}" if known else "0 (unbuilt)"


def _connections_in(graph: FunctionalGraph) -> Cell:
    """The cell about what a layer reads: the name of another one, the number of its call, the place."""
    calls, places = graph.calls(), graph.places()

    def connections(subject: Any) -> str:
        read = [places[value] for node in calls.get(subject, ()) for value in node.inputs]
        text = ", ".join(f"{name}[{number}][{index}]" for name, number, index in read)
        lines = textwrap.wrap(text, _CONNECTED, break_long_words=False, break_on_hyphens=False)
        return "\n".join(lines) or "-"

    return connections


def _trainable(subject: Any) -> str:
    if isinstance(subject, Node) or not subject.weights:
        return "-"
    return "Y" if subject.trainable else "N"


# ------------------------------------------------------------------------------------------------ the drawing


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


def _widths(rows: list[list[str]], ends: list[int] | None, line_length: int | None) -> list[int]:
    """Of the columns: as their contents need, or wider where that is told."""
    widths = [max(len(line) for row in rows for line in row[i].split("\n")) for i in range(len(rows[0]))]
    if ends is not None:
        spans = [end - begin for begin, end in zip([0, *ends], [*ends[:-1], ends[-1] + _GAP], strict=False)]
        return [max(width, span - _GAP) for width, span in zip(widths, spans, strict=True)]
    if line_length is not None:
        widths[0] += max(0, line_length - sum(widths) - _GAP * (len(widths) - 1))
    return widths


def _lines(row: list[str], widths: list[int]) -> Iterator[str]:
    for cells in zip_longest(*(cell.split("\n") for cell in row), fillvalue=""):
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        yield (" " * _GAP).join(padded).rstrip()


def _totals(model: Any) -> list[str]:
    optimizer = model.optimizer.variables if model.optimizer is not None and model.optimizer.built else []
    groups = {
        "Total": [*model.weights, *optimizer],
        "Trainable": model.trainable_weights,
        "Non-trainable": model.non_trainable_weights,
        **({"Optimizer": optimizer} if optimizer else {}),
    }
    return [f"{label} params: {_size(variables)}" for label, variables in groups.items()]


def _size(variables: Sequence[Any]) -> str:
    count = sum(v.spec.size for v in variables)
    return f"{count:,} ({readable_bytes(sum(v.spec.nbytes for v in variables))})"
