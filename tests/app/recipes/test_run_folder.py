"""The folder of a run: numbering, the files in it, and what is left when a run ends early."""

import json
import math
import os
import zipfile

import numpy as np
import pytest

from gputrain.app.recipes.run_folder import RunFolder


class FakeWeight:
    def __init__(self, path, value):
        self.path = path
        self.value = np.asarray(value)

    def numpy(self):
        return self.value


def test_numbers_count_up_and_never_reuse_a_folder(tmp_path):
    assert RunFolder(tmp_path, "a").path.name == "a-1"
    assert RunFolder(tmp_path, "a").path.name == "a-2"
    (tmp_path / "a-7").mkdir()
    (tmp_path / "a-old").mkdir()
    (tmp_path / "ab-9").mkdir()
    assert RunFolder(tmp_path, "a").path.name == "a-8"
    assert RunFolder(tmp_path, "a-8").path.name == "a-8-1"


def test_a_file_of_that_name_is_stepped_over(tmp_path):
    (tmp_path / "a-1").write_text("mine")
    assert RunFolder(tmp_path, "a").path.name == "a-2"
    assert (tmp_path / "a-1").read_text() == "mine"


def test_parent_that_is_a_file(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(OSError, match=r"A run needs a folder to write to\. .*runs cannot hold it\..*--out"):
        RunFolder(tmp_path / "runs", "a")


def test_metrics_are_strict_json(tmp_path):
    folder = RunFolder(tmp_path, "a")
    folder.write_metrics({"test_loss": math.inf, "test_accuracy": 0.5, "parameters": 3})
    text = (folder.path / "metrics.json").read_text()
    assert json.loads(text) == {"test_loss": None, "test_accuracy": 0.5, "parameters": 3}


def test_weights_come_back_by_path(tmp_path):
    folder = RunFolder(tmp_path, "a")
    kernel = np.arange(6, dtype=np.float32).reshape(2, 3)
    folder.write_weights([FakeWeight("dense/kernel", kernel), FakeWeight("dense/bias", np.float32(2))])
    with np.load(folder.path / "weights.npz", allow_pickle=False) as archive:
        assert sorted(archive.files) == ["dense/bias", "dense/kernel"]
        np.testing.assert_array_equal(archive["dense/kernel"], kernel)
        assert archive["dense/bias"].shape == ()


def test_equal_weights_give_equal_files(tmp_path):
    weights = [FakeWeight("dense/kernel", np.ones((3, 2), np.float32))]
    first, second = RunFolder(tmp_path, "a"), RunFolder(tmp_path, "a")
    first.write_weights(weights)
    second.write_weights(weights)
    assert (first.path / "weights.npz").read_bytes() == (second.path / "weights.npz").read_bytes()
    assert zipfile.ZipFile(first.path / "weights.npz").testzip() is None


@pytest.mark.parametrize("path", ["../x", "a/../b", "/etc/x", "a//b", "", "a\\b"])
def test_a_weight_path_that_leaves_the_archive_is_refused(tmp_path, path):
    folder = RunFolder(tmp_path, "a")
    with pytest.raises(ValueError, match="A variable's path must be names joined by '/'"):
        folder.write_weights([FakeWeight(path, 1.0)])
    assert os.listdir(folder.path) == []


def test_two_weights_of_one_path_are_refused(tmp_path):
    folder = RunFolder(tmp_path, "a")
    with pytest.raises(ValueError, match=r"path of its own.*'d/k' twice\. Give the layers different names"):
        folder.write_weights([FakeWeight("d/k", 1.0), FakeWeight("d/k", 2.0)])


@pytest.mark.parametrize(("text", "epochs"), [(None, 0), ("", 0), ("epoch,loss\n", 0), ("epoch\n0\n1\n", 2)])
def test_recorded_epochs_are_counted(tmp_path, text, epochs):
    folder = RunFolder(tmp_path, "a")
    if text is not None:
        folder.history.write_text(text)
    assert folder.epochs_recorded() == epochs


def test_discard_removes_config_and_history(tmp_path):
    folder = RunFolder(tmp_path, "a")
    folder.write("config.toml", 'name = "a"\n')
    folder.history.write_text("")
    folder.discard()
    assert os.listdir(tmp_path) == []


def test_discard_keeps_foreign_files(tmp_path):
    folder = RunFolder(tmp_path, "a")
    (folder.path / "mine.txt").write_text("x")
    folder.discard()
    assert os.listdir(folder.path) == ["mine.txt"]
