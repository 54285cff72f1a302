"""`tensorflow.keras` in a script is served from gputrain; what is TensorFlow's own is told before it runs."""

from __future__ import annotations

import importlib.util
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import gputrain
from gputrain import config
from gputrain.app.scripts import run_script, serving_keras

INSTALLED = importlib.util.find_spec("tensorflow") is not None


@pytest.fixture(autouse=True)
def _settings_of_its_own() -> Iterator[None]:
    yield
    config.reset()


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], str]:
    def write(text: str) -> str:
        path = tmp_path / "script.py"
        path.write_text(textwrap.dedent(text))
        return str(path)

    return write


FORMS = (
    "import tensorflow as tf\nDense = tf.keras.layers.Dense",
    "import tensorflow\nDense = tensorflow.keras.layers.Dense",
    "from tensorflow import keras\nDense = keras.layers.Dense",
    "from tensorflow.keras.layers import Dense",
    "from tensorflow.keras import layers, models\nDense = layers.Dense",
    "import tensorflow.keras as keras\nDense = keras.layers.Dense",
    "import tensorflow.keras.layers as L\nDense = L.Dense",
    "import tensorflow as tf\nfrom tensorflow.keras import *\nDense = layers.Dense",
    "from tensorflow.keras.layers import *",
    "import tensorflow as tf\nkeras = tf.keras\nlayers = keras.layers\nDense = layers.Dense",
)


@pytest.mark.skipif(INSTALLED, reason="TensorFlow is installed")
@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_import_finds_the_layer(form: str) -> None:
    scope: dict[str, object] = {}
    with serving_keras():
        exec(form, scope)  # noqa: S102
    assert scope["Dense"] is gputrain.layers.Dense
    assert not [name for name in sys.modules if name.partition(".")[0] == "tensorflow"]


@pytest.mark.skipif(INSTALLED, reason="TensorFlow is installed")
def test_a_script_for_tensorflow_runs(
    script: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = script(
        """\
        import numpy as np
        import tensorflow as tf
        from tensorflow.keras.layers import Dense
        from tensorflow.keras.models import Sequential
        from tensorflow.keras.utils import to_categorical

        tf.keras.utils.set_random_seed(3)
        model = Sequential([tf.keras.Input((4,)), Dense(8, activation="relu"), Dense(3, "softmax")])
        model.compile(tf.keras.optimizers.Adam(0.01), "categorical_crossentropy", metrics=["accuracy"])
        x, y = np.ones((6, 4), "float32"), to_categorical([0, 1, 2, 0, 1, 2])
        history = model.fit(x, y, epochs=2, verbose=0)
        print(sorted(history.history), tf.keras.__version__)
        """
    )
    assert run_script(path) == 0
    assert capsys.readouterr().out == "['accuracy', 'loss'] 3.0.0\n"


@pytest.mark.skipif(INSTALLED, reason="TensorFlow is installed")
@pytest.mark.parametrize(
    "lines, name, advice",
    [
        (
            "import tensorflow as tf\ntf.random.set_seed(1)",
            "tensorflow.random.set_seed",
            "set_random_seed(seed)",
        ),
        ("import tensorflow as tf\nx = tf.constant(1)", "tensorflow.constant", "convert_to_tensor"),
        ("import tensorflow as tf\nprint(tf.__version__)", "tensorflow.__version__", "keras.__version__"),
        ("import tensorflow as tf\ntf.data.Dataset", "tensorflow.data.Dataset", "Pass NumPy arrays"),
        (
            "from tensorflow.python.keras import backend",
            "tensorflow.python.keras.backend",
            "inside of Tensor",
        ),
        ("import tensorflow.compat.v1 as tf", "tensorflow.compat.v1", "Write import keras."),
        (
            "from keras.preprocessing.sequence import TimeseriesGenerator",
            "keras.preprocessing.sequence.TimeseriesGenerator",
            "PyDataset that fit() takes",
        ),
        ("import tensorflow as tf\ntf.matmul(1, 2)", "tensorflow.matmul", "It is keras.ops.matmul."),
        ("import tensorflow as tf\ntf.math.log(1)", "tensorflow.math.log", "It is keras.ops.log."),
        ("from tensorflow import GradientTape", "tensorflow.GradientTape", "gputrain.gradients"),
        ("from tensorflow.keras.layers import JaxLayer", "tensorflow.keras.layers.JaxLayer", "keras.ops"),
        (
            "import tensorflow as tf\ntf.keras.distribution",
            "tensorflow.keras.distribution",
            "One device",
        ),
        ("import tensorflow as tf\ntf.keras.layers.Dens", "tensorflow.keras.layers.Dens", "layers.Dense."),
    ],
)
def test_what_is_not_there_is_told_with_its_line_and_nothing_runs(
    script: Callable[[str], str], capsys: pytest.CaptureFixture[str], lines: str, name: str, advice: str
) -> None:
    assert run_script(script(f"print('ran')\n{lines}\n")) == 2
    out, err = capsys.readouterr()
    assert out == ""
    (row,) = [line for line in err.splitlines() if name in line]
    assert row.split()[:3] == ["line", str(1 + len(lines.splitlines())), name]
    assert advice in row


@pytest.mark.skipif(INSTALLED, reason="TensorFlow is installed")
def test_a_name_in_a_function_is_an_error_where_it_is_used(
    script: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = script("import tensorflow as tf\ndef f():\n    return tf.nn.relu(1.0)\nprint('ran')\nf()\n")
    assert run_script(path) == 1
    out, err = capsys.readouterr()
    assert out == "ran\n"
    assert f"{path}, line 3: gputrain has no tensorflow.nn (yet). Use keras.ops and keras.activations." in err
    assert "line 3  tensorflow.nn.relu  perhaps  It is keras.ops.relu.\n" in err


def test_where_tensorflow_is_installed_all_but_keras_is_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: Callable[[str], str]
) -> None:
    package = tmp_path / "installed" / "tensorflow"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("def constant(x): return [x]\nkeras = 'its own'\n")
    (package / "data.py").write_text("real = True\n")
    monkeypatch.syspath_prepend(str(package.parent))
    path = script(
        """\
        import tensorflow as tf
        from tensorflow.data import real
        from tensorflow.keras.layers import Dense
        import gputrain
        assert tf.constant(3) == [3] and real
        assert tf.keras.layers.Dense is Dense is gputrain.layers.Dense
        """
    )
    try:
        assert run_script(path) == 0
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "tensorflow"]:
            del sys.modules[name]


@pytest.mark.skipif(INSTALLED, reason="TensorFlow is installed")
def test_an_installed_package_that_looks_for_tensorflow_finds_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "looks_for_tensorflow.py").write_text(
        "try:\n    import tensorflow\n    found = True\nexcept ImportError:\n    found = False\n"
    )
    monkeypatch.syspath_prepend(str(folder))
    with serving_keras():
        import looks_for_tensorflow  # type: ignore[import-not-found]
    del sys.modules["looks_for_tensorflow"]
    assert not looks_for_tensorflow.found
