"""Settings: who wins, and what wrong ones say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gputrain import config
from gputrain.config import ConfigError

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def clean(monkeypatch, tmp_path):
    for name in list(os.environ):
        if name.startswith("GPUTRAIN_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    config.reset()
    yield
    config.reset()


def write(tmp_path, text):
    folder = tmp_path / "gputrain"
    folder.mkdir(exist_ok=True)
    (folder / "config.toml").write_text(text, encoding="utf-8")


def test_defaults():
    found = {name: config.get(name) for name in config.SETTINGS}
    assert found == {
        "backend": ("auto", "default"),
        "device": ("cuda:0", "default"),
        "floatx": ("float32", "default"),
        "epsilon": (1e-7, "default"),
        "seed": (None, "default"),
        "image_data_format": ("channels_last", "default"),
        "allow_tf32": (False, "default"),
        "nan_inputs": ("error", "default"),
        "dropped_masks": ("warn", "default"),
        "nonfinite_steps": ("stop", "default"),
        "deterministic": (True, "default"),
        "cuda_graphs": (True, "default"),
        "read_ahead": (True, "default"),
        "cpu_kernels": (True, "default"),
        "cpu_instructions": ("auto", "default"),
        "file_memory": (1 << 30, "default"),
        "model_memory": (16 << 20, "default"),
    }


def test_setter_beats_environment_beats_file_beats_default(monkeypatch, tmp_path):
    assert config.floatx() == "float32"
    config.reset()
    write(tmp_path, 'floatx = "float16"\n')
    assert config.floatx() == "float16"
    assert config.get("floatx")[1] == f"config file {tmp_path / 'gputrain' / 'config.toml'}"
    monkeypatch.setenv("GPUTRAIN_FLOATX", "float64")
    assert config.get("floatx") == ("float64", "environment variable GPUTRAIN_FLOATX")
    config.set_floatx("float32")
    assert config.get("floatx") == ("float32", "set")


def test_named_config_file(monkeypatch, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("seed = 12\nepsilon = 1e-5\nallow_tf32 = true\n")
    monkeypatch.setenv("GPUTRAIN_CONFIG", str(path))
    assert (config.seed(), config.epsilon(), config.allow_tf32()) == (12, 1e-5, True)


def test_named_config_file_must_exist(monkeypatch, tmp_path):
    monkeypatch.setenv("GPUTRAIN_CONFIG", str(tmp_path / "none.toml"))
    with pytest.raises(
        ConfigError, match=r"GPUTRAIN_CONFIG must name a config file\. There is none at .*none"
    ):
        config.backend()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "flaotx = 'float32'",
            r"Unknown setting 'flaotx' in config file .*config\.toml\. Did you mean 'floatx'",
        ),
        (
            "seed = 'x'",
            r"'seed' must be an integer from 0 to 2\*\*64 - 1\. Config file .*toml gives 'x' of type str",
        ),
        ("seed = true", r"'seed' must be an integer.* gives True of type bool"),
        ("seed = -1", r"'seed' must be an integer.* gives -1"),
        ("deterministic = 1", r"'deterministic' must be true: .* gives 1 of type int"),
        ("epsilon = 0", r"'epsilon' must be a number above 0 and below 1"),
        ("backend = 'torch'", r"'backend' must be one of 'auto', 'numpy', 'cupy', 'emulated'.*'torch'"),
        ("[backend]\nname = 'numpy'", r"'backend' must be one of .* of type dict"),
        ("backend = ", r"The config file must be readable TOML\. .*config\.toml"),
    ],
)
def test_wrong_config_file(tmp_path, text, message):
    write(tmp_path, text)
    with pytest.raises(ConfigError, match=message):
        config.backend()


@pytest.mark.parametrize(
    ("variable", "value", "ask", "message"),
    [
        (
            "GPUTRAIN_BACKEND",
            "cuppy",
            config.backend,
            r"variable GPUTRAIN_BACKEND gives 'cuppy'.*mean 'cupy'\?",
        ),
        ("GPUTRAIN_SEED", "1.5", config.seed, r"GPUTRAIN_SEED gives '1\.5'"),
        (
            "GPUTRAIN_ALLOW_TF32",
            "maybe",
            config.allow_tf32,
            r"true or false.*GPUTRAIN_ALLOW_TF32 gives 'maybe'",
        ),
    ],
)
def test_wrong_environment(monkeypatch, variable, value, ask, message):
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError, match=message):
        ask()


@pytest.mark.parametrize(("text", "expected"), [("1", True), ("off", False), ("True", True), ("", True)])
def test_flags_in_the_environment(monkeypatch, text, expected):
    monkeypatch.setenv("GPUTRAIN_READ_AHEAD", text)
    assert config.read_ahead() is expected


def test_there_is_nothing_that_need_not_be_deterministic(monkeypatch):
    wrong = r"'deterministic' must be true: all kernels add in a fixed order, and there are no faster ones\."
    with pytest.raises(ConfigError, match=wrong + r" set_deterministic\(\) gives False"):
        config.set_deterministic(False)
    config.set_deterministic(True)
    assert config.deterministic()
    config.reset()
    monkeypatch.setenv("GPUTRAIN_DETERMINISTIC", "0")
    with pytest.raises(ConfigError, match="environment variable GPUTRAIN_DETERMINISTIC gives False"):
        config.deterministic()


def test_wrong_setters():
    with pytest.raises(
        ConfigError, match=r"'floatx' must be one of .*set_floatx\(\) gives 'float8'.*Did you mean"
    ):
        config.set_floatx("float8")
    with pytest.raises(ConfigError, match=r"Unknown setting 'seeds' .*Did you mean 'seed'"):
        config.put("seeds", 1)
    config.set_image_data_format("channels_first")
    config.set_epsilon(1e-3)
    config.set_backend("numpy")
    config.set_cuda_graphs(False)
    assert (config.image_data_format(), config.epsilon()) == ("channels_first", 1e-3)
    assert (config.backend(), config.cuda_graphs()) == ("numpy", False)


def test_seed_is_drawn_once():
    first = config.seed()
    assert config.seed() == first
    assert 0 <= first < 2**32
    config.set_seed(5)
    assert config.seed() == 5
    config.set_seed(None)
    assert config.seed() == config.seed()


def test_set_seed_takes_numpy_integers_and_starts_draws_again():
    import numpy as np

    config.set_seed(np.int64(3))
    assert (config.seed(), config.next_draw(), config.next_draw()) == (3, 0, 1)
    config.set_seed(3)
    assert config.next_draw() == 0


def test_import_reads_nothing(tmp_path):
    """A broken config file must not break the import, only the first question."""
    write(tmp_path, "broken")
    code = "import sys, gputrain.config; assert 'tomllib' not in sys.modules"
    env = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], check=True, env=env)
