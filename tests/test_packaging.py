"""What a wheel, an editable install and a checkout must all have."""

import re
import runpy
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import gputrain
from gputrain.utils import resources

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = Path(gputrain.__file__).resolve().parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_kernels_and_configs_are_found():
    assert "GPUTRAIN_GRID_STRIDE" in (resources.kernels_dir() / "common.cuh").read_text(encoding="utf-8")
    assert (resources.configs_dir() / "digits_cnn.toml").is_file()


@pytest.mark.parametrize("place", ["gputrain/_kernels", "kernels"])
def test_both_layouts_are_searched(tmp_path, place):
    (tmp_path / place).mkdir(parents=True)
    assert resources._folder("kernels", tmp_path / "gputrain") == tmp_path / place


def test_the_wheel_s_own_folder_goes_before_a_stranger_s_beside_it(tmp_path):
    for place in ("gputrain/_kernels", "kernels"):
        (tmp_path / place).mkdir(parents=True)
    assert resources._folder("kernels", tmp_path / "gputrain") == tmp_path / "gputrain" / "_kernels"


def test_an_incomplete_installation_says_so(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"needs the folder of its configs\. Expected: .*install gputrain again"
    ):
        resources._folder("configs", tmp_path / "gputrain")


def test_data_files_are_there():
    assert (PACKAGE / "py.typed").is_file()
    assert (PACKAGE / "datasets" / "files" / "digits.npz").is_file()


def test_every_folder_with_code_is_a_package():
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    assert [folder for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


def test_version_is_one():
    assert gputrain.__version__ == PROJECT["version"]
    assert f"## {PROJECT['version']}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_this_python_and_numpy_are_allowed():
    assert PROJECT["requires-python"] == ">=3.11"
    assert sys.version_info >= (3, 11)
    assert int(np.__version__.split(".")[0]) == 2


def test_readme_commands_are_marked_for_ci():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"<!-- ci: (\w+) -->\n```sh\n", readme) == ["install", "test"]


def few_images():
    """Return ((x_train, y_train), (x_test, y_test)) in the form of MNIST, with few images of noise."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (192, 28, 28), np.uint8)
    labels = (np.arange(192) % 10).astype(np.uint8)
    return (images[:128], labels[:128]), (images[128:], labels[128:])


def test_readme_programs_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(gputrain.datasets.mnist, "load_data", few_images)
    gputrain.config.set_seed(1)
    programs = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    results = []
    for number, program in enumerate(programs):
        path = tmp_path / f"program_{number}.py"
        path.write_text(program, encoding="utf-8")
        runpy.run_path(str(path))
        results.append(float(re.findall(r"[0-9.]+", capsys.readouterr().out.splitlines()[-1])[-1]))
    assert len(results) == 3
    assert results[0] > 0.9
