"""What a report is made of: samples, curves and words."""

import math

import numpy as np
import pytest

from gputrain.app.reporting import Report
from gputrain.app.reporting.curves import curves_of
from gputrain.app.reporting.wording import clean, duration, number, short, title
from gputrain.errors import DataError

NAN = math.nan


def shown(images):
    return Report("a", samples={"images": images}).images()


def test_images_in_0_to_1_are_not_stretched():
    assert shown(np.array([[[0.0, 0.5], [0.2, 0.4]]])).tolist() == [[[0, 128], [51, 102]]]


def test_other_floats_are_stretched_over_all_images():
    images = shown(np.array([[[-1.0, 0.0]], [[1.0, 3.0]]], np.float32))
    assert images.dtype == np.uint8
    assert images.tolist() == [[[0, 64]], [[128, 255]]]
    assert shown(np.full((1, 2, 2), 7.0)).tolist() == [[[0, 0], [0, 0]]]


def test_bytes_stay_and_one_channel_goes():
    images = np.arange(8, dtype=np.uint8).reshape(2, 2, 2, 1)
    np.testing.assert_array_equal(shown(images), images[..., 0])


def test_nan_is_black_and_large_images_are_thinned():
    assert shown(np.array([[[NAN, 1.0]]])).tolist() == [[[0, 255]]]
    assert shown(np.zeros((2, 600, 300, 3))).shape == (2, 200, 100, 3)
    assert shown(np.zeros((0, 8, 8))).shape == (0, 8, 8)


@pytest.mark.parametrize("shape", [(3, 64), (3, 8, 8, 2), (3, 8, 8, 8, 3)])
def test_what_is_no_picture_is_refused(shape):
    with pytest.raises(DataError, match=r"Expected: \(k, H, W\) or .* Received: float64") as caught:
        Report("a", samples={"images": np.zeros(shape)})
    assert "Pass other samples as rows." in str(caught.value)


def test_unknown_samples_are_refused():
    with pytest.raises(DataError, match=r"unknown kind 'image'\. Did you mean 'images'"):
        Report("a", samples={"image": []})


def test_curves_pair_training_with_validation_loss_first_rate_last():
    logs = {"learning_rate": 1e-3, "accuracy": 0.5, "val_accuracy": 0.4, "loss": 2.0, "val_loss": 3.0}
    curves = curves_of([{"epoch": 0, **logs}, {"epoch": 1, **logs, "accuracy": 0.7, "val_loss": 2.5}])
    assert [curve.name for curve in curves] == ["loss", "accuracy", "learning_rate"]
    assert curves[0].epochs.tolist() == [1, 2]
    assert curves[0].validation.tolist() == [3.0, 2.5]
    assert [curve.best for curve in curves] == [1, 0, None]
    assert curves[2].validation is None


def test_best_goes_by_training_without_validation_and_is_never_nan():
    curves = curves_of([{"loss": NAN}, {"loss": 1.0}, {"loss": 0.5}, {"loss": math.inf}, {"loss": 0.5}])
    assert curves[0].best == 2
    assert curves[0].epochs.tolist() == [1, 2, 3, 4, 5]


def test_best_is_left_open_where_the_name_does_not_tell():
    assert curves_of([{"norm": 1.0}, {"norm": 2.0}])[0].best is None


def test_validation_now_and_then_and_what_is_no_number():
    curves = curves_of(
        [{"epoch": 0, "loss": 1.0, "cells": [1, 2], "note": "x"}, {"epoch": 1, "loss": None, "val_loss": 4}]
    )
    assert [curve.name for curve in curves] == ["loss"]
    np.testing.assert_array_equal(curves[0].training, [1.0, NAN])
    np.testing.assert_array_equal(curves[0].validation, [NAN, 4.0])
    assert curves_of([]) == []
    assert curves_of([{"epoch": 0, "loss": NAN}]) == []


NUMBERS = [
    (0.98333, "0.9833"),
    (0.5, "0.5000"),
    (np.float32(0.25), "0.2500"),
    (0.0, "0"),
    (1e-5, "1e-05"),
    (-12345.67, "-12,345.7"),
    (1.23456e9, "1.235e+09"),
    (NAN, "nan"),
    (-math.inf, "-inf"),
    (1797, "1,797"),
    (np.int64(-3), "-3"),
    (True, "yes"),
    (np.False_, "no"),
    (None, "–"),
    ("as it is", "as it is"),
]


@pytest.mark.parametrize(("value", "words"), NUMBERS)
def test_numbers(value, words):
    assert number(value) == words


def test_times():
    times = [0.04, 59.94, 59.96, 3599, 3600, 90061, NAN, -1]
    words = ["0.0 s", "59.9 s", "1 min 0 s", "59 min 59 s", "1 h 0 min", "25 h 1 min", "–", "–"]
    assert [duration(seconds) for seconds in times] == words


def test_names_and_texts():
    assert [title(n) for n in ("roc_auc", "macro_f1", "loss", "r2")] == ["ROC AUC", "Macro F1", "Loss", "R²"]
    assert short("x" * 30 + "\n7", 9) == "xxxx…xx 7"
    assert clean("a\x1b[31mred\x1b[0m\x00\ud800\tb\n") == "ared\ufffd\ufffd\tb\n"
