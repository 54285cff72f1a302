"""The pictures in a run folder."""

import os
import subprocess
import sys

import numpy as np
import pytest

from gputrain.app import reporting
from gputrain.app.reporting import curves, panels, pictures, plotting
from tests.app.reporting.reports import classifier_report, history, images, regression_report

matplotlib = pytest.importorskip("matplotlib", reason="pictures need the extra plot")

PNG = b"\x89PNG\r\n\x1a\n"
NAN = float("nan")


def size_of(path):
    content = path.read_bytes()
    assert content.startswith(PNG)
    return tuple(int.from_bytes(content[place : place + 4], "big") for place in (16, 20))


def test_classifier_of_images(tmp_path):
    report = classifier_report(samples={"images": images(4)})
    before = dict(matplotlib.rcParams)
    written = reporting.draw_all(tmp_path, report)
    assert written == [tmp_path / name for name in ("curves.png", "confusion.png", "mistakes.png")]
    assert sorted(os.listdir(tmp_path)) == ["confusion.png", "curves.png", "mistakes.png"]
    assert size_of(tmp_path / "curves.png") == (1440, 900)
    assert dict(matplotlib.rcParams) == before
    first = {path: path.read_bytes() for path in written}
    assert b"Software" not in first[written[0]]
    reporting.draw_all(tmp_path, report)
    assert {path: path.read_bytes() for path in written} == first


def test_regression(tmp_path):
    written = reporting.draw_all(tmp_path, regression_report(2))
    assert [path.name for path in written] == ["curves.png", "residuals.png"]
    assert size_of(written[1]) == (1440, 900)


def test_without_an_epoch_or_images_there_is_less_to_draw(tmp_path):
    report = classifier_report(history=[], samples={"rows": [{"a": "b"}]})
    assert [path.name for path in reporting.draw_all(tmp_path, report)] == ["confusion.png"]
    assert reporting.draw_all(tmp_path, classifier_report(history=[], assessment=None, samples=None)) == []


HOSTILE = ["负 😀", "$x^{", "a\nb\x00", "\ud800", "_hidden", "x" * 300, "مرحبا", "\\frac{1}"]


def test_names_that_no_font_has_and_no_formula_is(tmp_path):
    logs = [{"epoch": 0, "$\\frac{$": 0.5, "a" * 99: 0.5}]
    report = classifier_report(HOSTILE, samples={"images": images(3)}, history=logs)
    assert len(reporting.draw_all(tmp_path, report)) == 3
    target = reporting.assess_regression([1.0, 2.0], [1.0, 3.0], ["$y_{$ 负"])
    assert len(reporting.draw_all(tmp_path, regression_report(assessment=target))) == 2


HISTORIES = {
    "one epoch": history(1),
    "many epochs": history(700),
    "gaps": [{"loss": 1.0 / (i + 1), **({"val_loss": 1.0} if i % 5 == 4 else {})} for i in range(10)],
    "not a number": [{"loss": 1.0, "val_loss": NAN}, {"loss": NAN, "val_loss": NAN}],
    "exploding": [{"loss": 10.0**i, "val_loss": float("inf")} for i in range(0, 300, 50)],
    "overflowing": [{"loss": 1.7e308, "val_loss": -1.7e308}],
    "constant": [{"loss": 0.0}] * 3,
}


@pytest.mark.parametrize("logs", HISTORIES.values(), ids=HISTORIES)
def test_histories_of_all_kinds(tmp_path, logs):
    report = reporting.Report("a", history=logs)
    (path,) = reporting.draw_all(tmp_path, report)
    assert size_of(path)[1] in (450, 900)


def axes_of(panel):
    from matplotlib.figure import Figure

    axes = Figure().add_subplot()
    panel.draw(axes)
    return axes


def test_one_epoch_is_a_point_and_the_best_is_ringed():
    (panel,) = panels.curve_panels(curves.curves_of([{"epoch": 4, "loss": 2.0, "val_loss": 1.5}]))
    axes = axes_of(panel)
    lines = {line.get_label(): line for line in axes.lines}
    assert list(lines) == ["training", "validation", "best 1.500 in epoch 5"]
    assert lines["training"].get_marker() == "o"
    assert lines["validation"].get_xydata().tolist() == [[5.0, 1.5]]
    assert axes.get_xticks().tolist() == [5.0]
    assert panel.alt == (
        "Loss over 1 epoch(s); training from 2.000 to 2.000; validation from 1.500 to 1.500; "
        "best 1.500 in epoch 5."
    )


def test_gaps_are_bridged_and_wide_ranges_are_logarithmic():
    logs = [{"loss": 10.0**-i, **({"val_loss": 1.0} if i % 2 else {})} for i in range(6)]
    (panel,) = panels.curve_panels(curves.curves_of(logs))
    axes = axes_of(panel)
    assert axes.lines[1].get_xdata().tolist() == [2, 4, 6]
    assert axes.get_yscale() == "log"
    assert [text.get_text() for text in axes.get_yticklabels()][3] == "0.001"


def test_many_quantities_stand_in_three_columns_and_more_than_fit_are_cut(tmp_path):
    logs = {f"metric_{i}": float(i) for i in range(60)}
    assert len(pictures.drawn_curves(reporting.Report("a", history=[logs]))) == 48
    nine = dict(list(logs.items())[:9])
    (path,) = reporting.draw_all(tmp_path, reporting.Report("a", history=[nine]))
    assert size_of(path) == (3 * 720, 3 * 450)


def test_hundred_classes_are_neither_named_nor_counted():
    small, large = (classifier_report([str(i) for i in range(n)]).assessment for n in (4, 100))
    named = axes_of(panels.confusion_panel(small))
    assert [text.get_text() for text in named.get_yticklabels()] == list("0123")
    assert sum(int(text.get_text()) for text in named.texts) == small.confusion.sum()
    assert not axes_of(panels.confusion_panel(large)).texts


def test_thousands_of_points_are_thinned_and_what_is_not_finite_left_out():
    truth = np.arange(12000.0)
    predictions = np.where(truth == 3, NAN, truth)
    agreement, _ = panels.residual_panels(reporting.assess_regression(predictions, truth, ["y"]))
    _, points = axes_of(agreement).lines
    assert points.get_xdata().tolist() == [i for i in range(0, 12000, 3) if i != 3]


def test_mistakes_carry_both_classes_and_the_probability():
    report = classifier_report(["cat", "dog"])
    drawn = panels.mistake_panels(report.assessment, report.images())
    row = report.assessment.worst_rows()[0]
    words = f"true {row['true']}\npredicted {row['predicted']}\n{row['probability']:.1%}"
    assert axes_of(drawn[0]).get_title(loc="left") == words
    assert len(drawn) == len(report.assessment.worst)


@pytest.mark.parametrize("channels", [(), (1.0,), (1.0, 0.5, 0.2), (1.0, 0.5, 0.2, 1.0)])
def test_image_becomes_a_png_of_its_own_pixels(channels):
    import io

    from matplotlib.image import imread

    shown = reporting.Report("a", samples={"images": images(1, 6, channels=channels)}).images()
    pixels = np.rint(imread(io.BytesIO(plotting.image_png(shown[0]))) * 255)
    grey = shown[0] if shown.ndim == 4 else np.stack([shown[0]] * 3, -1)
    np.testing.assert_array_equal(pixels[..., : grey.shape[-1]], grey)


def test_missing_matplotlib_is_told_with_the_line_for_pip(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert not reporting.has_plot()
    with pytest.raises(reporting.MissingExtraError, match="Pictures need matplotlib") as caught:
        reporting.draw_all(tmp_path, classifier_report())
    assert 'Run: pip install "gputrain[plot]"' in str(caught.value)
    assert isinstance(caught.value, ImportError)
    assert os.listdir(tmp_path) == []


def test_failed_write_keeps_the_older_picture(tmp_path, monkeypatch):
    (tmp_path / "curves.png").write_text("old")

    def fail(*paths):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no space"):
        reporting.draw_all(tmp_path, reporting.Report("a", history=history(2)))
    assert os.listdir(tmp_path) == ["curves.png"]
    assert (tmp_path / "curves.png").read_text() == "old"


def test_import_draws_nothing_in_and_drawing_needs_no_pyplot(tmp_path):
    program = (
        "import sys; from gputrain import reporting; assert 'matplotlib' not in sys.modules; "
        "from pathlib import Path; "
        f"reporting.draw_all(Path({str(tmp_path)!r}), reporting.Report('a', history=[{{'loss': 1.0}}])); "
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, cwd=os.getcwd())
