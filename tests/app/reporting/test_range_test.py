"""The picture of a learning-rate range test."""

import pytest

from gputrain.app import reporting

pytest.importorskip("matplotlib", reason="pictures need the extra plot")


def pixels(path):
    from matplotlib.image import imread

    return imread(path)


def test_the_suggestion_is_marked_in_orange(tmp_path):
    rates = [10.0**k for k in range(-6, 1)]
    losses = [2.3, 2.3, 2.2, 1.5, 0.9, 1.2, 4.0]
    reporting.draw_range_test(tmp_path / "with.png", rates, losses, losses, 1e-3)
    reporting.draw_range_test(tmp_path / "without.png", rates, losses, losses)
    orange = []
    for name in ("with", "without"):
        image = pixels(tmp_path / f"{name}.png")
        red, green, blue = image[..., 0], image[..., 1], image[..., 2]
        orange.append(int(((red > 0.7) & (green < 0.5) & (blue < 0.2)).sum()))
    assert orange[0] > 300
    assert orange[1] == 0


def test_no_file_is_left_where_it_cannot_be_written(tmp_path):
    with pytest.raises(OSError, match="absent"):
        reporting.draw_range_test(tmp_path / "absent" / "curve.png", [0.1, 1.0], [1.0, 2.0], [1.0, 2.0])
