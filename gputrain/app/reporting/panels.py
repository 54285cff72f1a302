"""What the pictures show, one function for each kind of drawing."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gputrain.app.reporting.classification import ClassifierAssessment
from gputrain.app.reporting.curves import LEARNING_RATES, Curve
from gputrain.app.reporting.plotting import BLUE, INK, ORANGE, PALE, Panel, font_families
from gputrain.app.reporting.regression import RegressionAssessment
from gputrain.app.reporting.wording import number, short, title
from gputrain.metrics.counting import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FEW_EPOCHS = 30  # up to here each epoch gets a dot
_MOST_COUNTED_CLASSES, _MOST_NAMED_CLASSES = 20, 40
_MOST_POINTS = 5000
_HUGE = 1e30  # axes cannot be laid out for the largest floats


def curve_panels(curves: Sequence[Curve]) -> list[Panel]:
    """Return a panel for each curve."""
    return [Panel(_told(curve), partial(_draw_curve, curve)) for curve in curves]


def confusion_panel(assessment: ClassifierAssessment) -> Panel:
    """Return the confusion matrix, each row shaded by its share of the true class."""
    count = len(assessment.classes)
    side = max(4.2, 3.2 + 0.25 * count) if count <= _MOST_NAMED_CLASSES else 7.0
    alt = f"Confusion matrix of {count} classes; accuracy {number(assessment.accuracy)}."
    return Panel(alt, partial(_draw_confusion, assessment), side, side)


def mistake_panels(assessment: ClassifierAssessment, images: NDArray[np.uint8]) -> list[Panel]:
    """Return the worst mistakes, each with its true and its predicted class."""
    return [
        Panel(f"{row['true']} taken for {row['predicted']}", partial(_draw_mistake, row, image), 1.75, 2.3)
        for row, image in zip(assessment.worst_rows(), images, strict=False)
    ]


def residual_panels(assessment: RegressionAssessment) -> list[Panel]:
    """Return two panels for each target: predictions over true values, and how the errors are spread."""
    panels = []
    for column, row in enumerate(assessment.per_target):
        name, r2, mae = row["name"], number(row["r2"]), number(row["mae"])
        true, predicted = _finite_pairs(assessment.targets[:, column], assessment.predictions[:, column])
        agreement = partial(_draw_agreement, name, true, predicted)
        errors = partial(_draw_errors, name, predicted - true)
        panels.append(Panel(f"Predicted over true values of {name}; R² {r2}.", agreement))
        panels.append(Panel(f"Distribution of the errors of {name}; MAE {mae}.", errors))
    return panels


def range_test_panel(
    rates: Sequence[float], losses: Sequence[float], smoothed: Sequence[float], suggestion: float | None
) -> Panel:
    """Return the panel of a learning-rate range test, with the suggested rate marked."""
    marked = "" if suggestion is None else f"suggested: {suggestion:.2e}"

    def draw(axes: Axes) -> None:
        axes.plot(rates, losses, color=PALE, linewidth=0.8, label="each step")
        axes.plot(rates, smoothed, color=BLUE, linewidth=1.8, label="running mean")
        if suggestion is not None:
            axes.axvline(suggestion, color=ORANGE, linestyle="--", label=marked)
        axes.set_xscale("log")
        axes.legend(frameon=False, fontsize=8)
        _dress(axes, "Learning-rate range test", "learning rate", "loss")

    alt = "; ".join(filter(None, ["Loss over learning rate", marked]))
    return Panel(f"{alt}.", draw, 6.4, 4.0)


def _told(curve: Curve) -> str:
    """What a curve shows, for those who cannot see it."""
    words = [f"{title(curve.name)} over {len(curve.epochs)} epoch(s)"]
    for name, values in (("training", curve.training), ("validation", curve.validation)):
        finite = values[np.isfinite(values)] if values is not None else np.array([])
        if finite.size:
            words.append(f"{name} from {number(finite[0])} to {number(finite[-1])}")
    if curve.best is not None:
        words.append(_best_label(curve))
    return "; ".join(words) + "."


def _best_label(curve: Curve) -> str:
    assert curve.best is not None
    return f"best {number(curve.judged[curve.best])} in epoch {curve.epochs[curve.best]:g}"


def _draw_curve(curve: Curve, axes: Axes) -> None:
    _dress(axes, title(curve.name), "epoch", "")
    label = "" if curve.name in LEARNING_RATES else "training"
    _draw_line(axes, curve.epochs, curve.training, BLUE, "-" if curve.validation is None else "--", label)
    if curve.validation is not None:
        _draw_line(axes, curve.epochs, curve.validation, ORANGE, "-", "validation")
    if curve.best is not None and abs(curve.judged[curve.best]) < _HUGE:
        place = curve.epochs[curve.best], curve.judged[curve.best]
        ring: dict[str, Any] = {"marker": "o", "ms": 9, "mfc": "none", "mec": INK, "ls": "none"}
        axes.plot(*place, label=_best_label(curve), **ring)
    _scale(axes, curve)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, prop={"family": font_families(), "size": 8.5})


def _draw_line(axes: Axes, epochs: Floats, values: Floats, color: str, style: str, label: str) -> None:
    kept = np.isfinite(values) & (np.abs(np.nan_to_num(values)) < _HUGE)
    if kept.any():
        dots: dict[str, Any] = {"marker": "o" if kept.sum() <= _FEW_EPOCHS else "", "ms": 3.5}
        axes.plot(epochs[kept], values[kept], color=color, ls=style, lw=1.8, label=label, **dots)


def _scale(axes: Axes, curve: Curve) -> None:
    """Whole epochs below, and powers of ten at the side where the values span more than three of them."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))
    values = np.array([value for line in axes.lines for value in np.asarray(line.get_ydata())])
    if values.size and values.min() > 0 and values.max() > 1000 * values.min():
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    if len(curve.epochs) == 1:
        axes.set_xlim(curve.epochs[0] - 1, curve.epochs[0] + 1)
        axes.set_xticks([curve.epochs[0]])


def _draw_confusion(assessment: ClassifierAssessment, axes: Axes) -> None:
    count = len(assessment.classes)
    support = assessment.confusion.sum(1, keepdims=True)
    shares = assessment.confusion / np.maximum(support, 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    _dress(axes, "Confusion matrix", "predicted", "true")
    axes.grid(False)
    if count <= _MOST_NAMED_CLASSES:
        names = [short(name, 24) for name in assessment.classes]
        upright = max(map(len, names)) > 3
        axes.set_xticks(range(count), names, rotation=90 if upright else 0, **_text(8))
        axes.set_yticks(range(count), names, **_text(8))
    if count <= _MOST_COUNTED_CLASSES:
        for (true, predicted), samples in np.ndenumerate(assessment.confusion):
            if samples:
                color = "white" if shares[true, predicted] > 0.6 else INK
                axes.text(predicted, true, str(samples), ha="center", va="center", color=color, fontsize=7.5)


def _draw_mistake(row: dict[str, Any], image: NDArray[np.uint8], axes: Axes) -> None:
    axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_axis_off()
    true, predicted = short(row["true"], 20), short(row["predicted"], 15)
    words = f"true {true}\npredicted {predicted}\n{row['probability']:.1%}"
    axes.set_title(words, loc="left", **_text(8.5))


def _draw_agreement(name: str, true: Floats, predicted: Floats, axes: Axes) -> None:
    _dress(axes, f"{short(name, 30)}: predicted over true", "true", "predicted")
    if true.size:
        both = np.array([min(true.min(), predicted.min()), max(true.max(), predicted.max())])
        axes.plot(both, both, color=PALE, lw=1.2, ls="--", label="exact")
        axes.plot(true, predicted, color=BLUE, marker="o", ms=3, mew=0, alpha=0.5, ls="none", label="sample")
        axes.legend(frameon=False, prop={"family": font_families(), "size": 8.5})


def _draw_errors(name: str, errors: Floats, axes: Axes) -> None:
    _dress(axes, f"{short(name, 30)}: errors", "predicted - true", "samples")
    if errors.size:
        axes.hist(errors, bins=int(np.clip(np.sqrt(errors.size), 5, 50)), color=BLUE)
        axes.axvline(0, color=INK, lw=1)


def _finite_pairs(true: Floats, predicted: Floats) -> tuple[Floats, Floats]:
    """Those of at most 5000 evenly taken samples that can be drawn."""
    step = -(-len(true) // _MOST_POINTS)
    pairs = np.stack([true, predicted])[:, ::step]
    pairs = pairs[:, (np.abs(np.nan_to_num(pairs, nan=np.inf)) < _HUGE).all(0)]
    return pairs[0], pairs[1]


def _dress(axes: Axes, heading: str, below: str, beside: str) -> None:
    axes.set_title(short(heading, 48), loc="left", weight="bold", **_text(10.5))
    axes.set_xlabel(below, **_text(9))
    axes.set_ylabel(beside, **_text(9))
    axes.tick_params(labelsize=8.5, color=PALE)
    axes.grid(True, color="#e3e5e8", lw=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(PALE)


def _text(size: float) -> dict[str, Any]:
    """How text is set; names from outside are no formulas."""
    return {"fontsize": size, "family": font_families(), "color": INK, "parse_math": False}
