"""Figures by matplotlib's objects: no pyplot, nothing global, equal bytes for equal numbers."""

from __future__ import annotations

import importlib.util
import io
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gputrain.errors import explain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito (2008): told apart with every kind of colour vision.
BLUE, ORANGE, INK, PALE = "#0072B2", "#D55E00", "#222222", "#9aa0a6"

INSTALL = 'pip install "gputrain[plot]"'

_DPI = 150
# DejaVu comes with matplotlib; the others, where they are installed, have what it lacks.
_EAST_ASIAN = ("Noto Sans CJK SC", "Noto Sans CJK JP")
_CHINESE = ("Source Han Sans SC", "Microsoft YaHei", "PingFang SC", "WenQuanYi Micro Hei")
_FAMILIES = ("DejaVu Sans", *_EAST_ASIAN, *_CHINESE, "Noto Sans")


class MissingExtraError(ImportError):
    """Pictures are asked for and matplotlib, the extra `plot`, is not installed."""


def has_plot() -> bool:
    """Return whether pictures can be drawn, that is, whether matplotlib is installed.

    Example:
        >>> if reporting.has_plot():
        ...     reporting.draw_all(folder, report)
    """
    return importlib.util.find_spec("matplotlib") is not None


def require_plot() -> None:
    """Check that pictures can be drawn.

    Raises:
        MissingExtraError: they cannot; the message has the line for pip.
    """
    if not has_plot():
        words = explain("Pictures need matplotlib, which is not installed.", fix=f"Run: {INSTALL}")
        raise MissingExtraError(words, name="matplotlib")


@dataclass(frozen=True)
class Panel:
    """One drawing in a picture.

    Attributes:
        alt: what it shows, in words.
        draw: puts it on axes.
        width: in inches.
        height: in inches.
    """

    alt: str
    draw: Callable[[Axes], None]
    width: float = 4.8
    height: float = 3.0


def as_png(panels: Sequence[Panel], columns: int = 1) -> bytes:
    """Draw equally large `panels` row by row, as a PNG on white.

    Nothing that depends on the time or the machine goes into the bytes. A character that no font has is
    drawn as a box.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    require_plot()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(columns, len(panels))
    rows = math.ceil(len(panels) / columns)
    size = (columns * panels[0].width, rows * panels[0].height)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # missing glyphs and tight layouts are no news to who reads a report
        figure = Figure(figsize=size, dpi=_DPI, facecolor="white", layout="constrained")
        canvas = FigureCanvasAgg(figure)
        for place, panel in enumerate(panels, start=1):
            panel.draw(figure.add_subplot(rows, columns, place))
        stream = io.BytesIO()
        canvas.print_png(stream, metadata={"Software": None})
    return stream.getvalue()


def image_png(image: NDArray[np.uint8]) -> bytes:
    """Return an image, (H, W) grey or (H, W, 3 or 4), as a PNG of its own pixels."""
    from matplotlib.image import imsave

    stream = io.BytesIO()
    imsave(stream, image, format="png", cmap="gray", vmin=0, vmax=255, origin="upper")
    return stream.getvalue()


def font_families() -> list[str]:
    """Return the fonts to draw text with, in the order in which they are asked for a character."""
    from matplotlib.font_manager import fontManager

    installed = set(fontManager.get_font_names())
    return [family for family in _FAMILIES if family in installed]
