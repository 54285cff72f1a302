"""Keras scripts on gputrain: what `import keras` finds, what is told missing, how a script runs and ends."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
import textwrap
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import gputrain
from gputrain import config, keras_names
from gputrain.app.scripts import keras_modules, missing_names, run_script, serving_keras
from tests.on_device import child_environment

ROOMS = (
    *("activations", "applications", "callbacks", "config", "constraints", "datasets", "initializers"),
    *("layers", "losses", "metrics", "models", "ops", "optimizers", "random", "regularizers", "saving"),
    "utils",
)
OTHER_MODULES_OF_KERAS = (
    *("distribution", "dtype_policies", "export", "mixed_precision", "preprocessing"),
    *("quantizers", "tree", "visualization", "wrappers"),
)


@pytest.fixture(autouse=True)
def _settings_of_its_own():
    yield
    config.reset()


@pytest.fixture
def script(tmp_path):
    """Write a script and return its path."""

    def write(text: str, name: str = "script.py") -> str:
        path = tmp_path / name
        path.write_text(textwrap.dedent(text))
        return str(path)

    return write


# What `import keras` finds.


@pytest.mark.parametrize("room", ROOMS)
def test_a_module_has_the_very_objects_of_its_room(room):
    ours = getattr(gputrain, room)
    served = keras_modules()[f"keras.{room}"]
    names = [
        name
        for name in getattr(ours, "__all__", dir(ours))
        if not name.startswith("_") and not isinstance(getattr(ours, name), ModuleType)
    ]
    assert len(names) > 1 or room == "datasets"
    for name in names:
        assert getattr(served, name) is getattr(ours, name)


def is_there(module):
    try:
        importlib.import_module(module)
    except ModuleNotFoundError:
        return False
    return True


def test_every_room_with_a_name_of_keras_is_served():
    """A new room must not be forgotten."""
    of_keras = [*ROOMS, *OTHER_MODULES_OF_KERAS]
    present = [name for name in of_keras if is_there(f"gputrain.{name}")]
    assert {"layers", "preprocessing"} <= set(present)
    assert set(present) <= {name.removeprefix("keras.") for name in keras_modules()}


def test_all_forms_of_import():
    scope: dict = {}
    forms = """
    import keras
    import keras.layers as L
    import keras.optimizers.schedules
    from keras import layers, Model, backend as K
    from keras.layers import Dense as D
    from keras.datasets import mnist
    from keras.datasets.mnist import load_data
    from keras.regularizers import *
    """
    with serving_keras():
        exec(textwrap.dedent(forms), scope)  # noqa: S102
    assert scope["keras"].layers is scope["layers"] is scope["L"]
    assert scope["D"] is gputrain.layers.Dense
    assert scope["Model"] is gputrain.Model
    assert scope["load_data"] is scope["mnist"].load_data is gputrain.datasets.mnist.load_data
    assert scope["keras"].optimizers.schedules.CosineDecay is gputrain.optimizers.schedules.CosineDecay
    assert scope["L2"] is scope["l2"] is gputrain.regularizers.L2
    assert "Dropout" not in scope
    assert scope["K"].floatx() == "float32"
    assert scope["K"].epsilon() == 1e-7
    assert scope["K"].image_data_format() == "channels_last"
    assert scope["K"].clear_session is gputrain.backend.clear_session
    assert repr(scope["keras"]) == f"<module 'keras' (gputrain {gputrain.__version__})>"


def test_names_at_the_top():
    keras = keras_modules()["keras"]
    assert keras.Input is gputrain.Input
    assert keras.Sequential is gputrain.Sequential
    assert keras.Variable is gputrain.Variable
    assert keras.Loss is gputrain.losses.Loss
    assert keras.Optimizer is gputrain.optimizers.Optimizer
    # Scripts take a version apart in the plainest way.
    assert [int(number) for number in keras.__version__.split(".")] == [3, 0, 0]
    assert keras.version() == keras.__version__
    assert {"Model", "layers", "ops"} <= set(dir(keras))
    assert "errors" not in dir(keras)


@pytest.mark.parametrize(
    "room, second, first",
    [
        ("regularizers", "l1_l2", "L1L2"),
        ("initializers", "glorot_uniform", "GlorotUniform"),
        ("initializers", "constant", "Constant"),
        ("constraints", "max_norm", "MaxNorm"),
    ],
)
def test_second_names_of_classes(room, second, first):
    assert getattr(getattr(gputrain, room), second) is getattr(getattr(gputrain, room), first)


def test_a_real_keras_is_shadowed_within_and_untouched_outside(tmp_path, monkeypatch):
    (tmp_path / "keras").mkdir()
    (tmp_path / "keras" / "__init__.py").write_text("from keras import layers\nreal = True\n")
    (tmp_path / "keras" / "layers.py").write_text("class Dense: pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import keras as real

    before = {name: module for name, module in sys.modules.items() if name.startswith("keras")}
    hooks = list(sys.meta_path)
    try:
        with serving_keras():
            import keras
            from keras.layers import Dense

            assert not hasattr(keras, "real")
            assert Dense is gputrain.layers.Dense
        assert sys.modules["keras"] is real
        assert {name: module for name, module in sys.modules.items() if name.startswith("keras")} == before
        assert sys.meta_path == hooks
        assert importlib.import_module("keras.layers").Dense is not Dense
    finally:
        for name in before:
            del sys.modules[name]


def test_nothing_is_left_where_no_keras_was():
    def fail() -> None:
        with serving_keras():
            import keras

            keras.layers.Nil()

    with pytest.raises(AttributeError, match=r"gputrain has no keras\.layers\.Nil"):
        fail()
    assert not [name for name in sys.modules if name.partition(".")[0] == "keras"]


def missing_error(line: str) -> Exception:
    with serving_keras(), pytest.raises((ImportError, AttributeError), match=r"\w") as caught:
        exec(compile(f"import keras\n{line}", "script.py", "exec"), {})  # noqa: S102
    return caught.value


@pytest.mark.parametrize(
    "line, kind, text",
    [
        (
            "keras.layers.Dens",
            AttributeError,
            "script.py, line 2: gputrain has no keras.layers.Dens (yet). "
            "The nearest name is keras.layers.Dense.",
        ),
        (
            "from keras.layers import Convolution2DD",
            ImportError,
            "script.py, line 2: gputrain has no keras.layers.Convolution2DD (yet). "
            "The nearest name is keras.layers.Convolution2D.",
        ),
        ("import keras.distribution", ImportError, "gputrain has no keras.distribution (yet)."),
        ("keras.layers.JaxLayer", AttributeError, "There is one engine."),
        ("keras.saving.KerasFileEditor", AttributeError, "keeps all of a model. Keras 3 reads the file"),
        ("keras.ops.scatter", AttributeError, "Write keras.ops.matmul with keras.ops.one_hot"),
        ("keras.layers.Sequential", AttributeError, "It is keras.Sequential."),
        ("from keras.backend import mean", ImportError, "It is keras.ops.mean."),
        ("keras.backend.pow", AttributeError, "It is keras.ops.power."),
        ("from keras.layers.normalization import BatchNormalization", ImportError, "from keras.layers."),
        ("from keras.distribution import DeviceMesh", ImportError, "has no keras.distribution (yet)."),
        ("keras.saving_", AttributeError, "script.py, line 2: gputrain has no keras.saving_ (yet)."),
        ("from keras.src.layers import Dense", ImportError, "That is the inside of Keras."),
        ("from keras.utils import np_utils", ImportError, "Use keras.utils.to_categorical."),
        ("from keras.layers.core import Dense", ImportError, "Import the name from keras.layers."),
        ("import keras.layers.Dense", ImportError, "Write: from keras.layers import Dense"),
        ("keras.layers.base", AttributeError, "gputrain has no keras.layers.base (yet)"),
        ("keras.__nothing__", AttributeError, "module 'keras' has no attribute '__nothing__'"),
    ],
)
def test_what_is_missing_says_so(line, kind, text):
    error = missing_error(line)
    assert isinstance(error, kind)
    assert text in str(error)


def test_far_names_are_not_called_near():
    assert "nearest" not in str(missing_error("keras.layers.JaxLayer"))


# What is told before a script runs.


def lacking(text: str) -> list[tuple[str, list[int], bool]]:
    found = missing_names(ast.parse(textwrap.dedent(text)), keras_modules())
    return [(one.path, one.lines, one.certain) for one in found]


@pytest.mark.parametrize(
    "text, path, line, certain",
    [
        ("from keras.layers import Nil", "keras.layers.Nil", 1, True),
        ("from keras.layers import (\n    Dense,\n    Nil,\n)", "keras.layers.Nil", 3, True),
        ("import keras.nil.more", "keras.nil", 1, True),
        ("from keras.nil import *", "keras.nil", 1, True),
        ("import keras\nkeras.layers.Nil(3)", "keras.layers.Nil", 2, True),
        ("import keras.layers as L\nx = [L.Nil(3)]", "keras.layers.Nil", 2, True),
        ("from keras import layers as L\nclass A(L.Nil): pass", "keras.layers.Nil", 2, True),
        ("import keras as k\nL = k.layers\nM = L\nL.Nil", "keras.layers.Nil", 4, True),
        ("import keras\n@keras.nil.register()\nclass A: pass", "keras.nil", 2, True),
        ("import keras\nclass A:\n    x = keras.nil", "keras.nil", 3, True),
        ("import keras\nclass A:\n    def f(self):\n        keras.nil", "keras.nil", 4, False),
        ("import keras\ndef f(x=keras.nil): pass", "keras.nil", 2, True),
        ("import keras\ndef f(x: keras.nil): pass", "keras.nil", 2, False),
        ("import keras\nf = lambda: keras.nil", "keras.nil", 2, False),
        ("import keras\nif x:\n    keras.nil", "keras.nil", 3, False),
        ("import keras\nif keras.nil: pass", "keras.nil", 2, True),
        ("import keras\nif __name__ == '__main__':\n    keras.nil", "keras.nil", 3, True),
        ("import keras\nfor x in keras.nil: pass", "keras.nil", 2, True),
        ("import keras\nfor x in y: keras.nil", "keras.nil", 2, False),
        ("import keras\nwhile y: keras.nil", "keras.nil", 2, False),
        ("import keras\n[keras.nil for x in y]", "keras.nil", 2, False),
        ("import keras\nx and keras.nil", "keras.nil", 2, False),
        ("import keras\nx if y else keras.nil", "keras.nil", 2, False),
        ("import keras\nmatch x:\n    case 1: keras.nil", "keras.nil", 3, False),
        ("import keras\nwith x: keras.nil", "keras.nil", 2, True),
        ("import keras\nwith suppress(Exception): keras.nil", "keras.nil", 2, False),
        ("try:\n    import keras.nil\nexcept ImportError: pass", "keras.nil", 2, False),
        ("try:\n    import keras.nil\nexcept (ValueError, Exception): pass", "keras.nil", 2, False),
        ("try:\n    import keras.nil\nexcept: pass", "keras.nil", 2, False),
        ("try:\n    import keras.nil\nexcept ValueError: pass", "keras.nil", 2, True),
        ("try:\n    import keras.nil\nfinally: pass", "keras.nil", 2, True),
        ("def f():\n    from keras.layers import Nil", "keras.layers.Nil", 2, False),
        ("from tensorflow import keras\nkeras.layers.Nil", "tensorflow.keras.layers.Nil", 2, True),
        ("import tensorflow as tf\ntf.keras.Nil()", "tensorflow.keras.Nil", 2, True),
        ("import tensorflow.keras as k\nk.layers.Nil", "tensorflow.keras.layers.Nil", 2, True),
        ("from tensorflow.keras.layers import Nil", "tensorflow.keras.layers.Nil", 1, True),
        ("from tensorflow.python.keras import layers", "tensorflow.python.keras.layers", 1, True),
        ("import tensorflow as tf\ntf.random.set_seed(3)", "tensorflow.random.set_seed", 2, True),
        ("import tensorflow as tf\ndef f():\n    tf.nn.relu(3)", "tensorflow.nn.relu", 3, False),
        ("from tensorflow import GradientTape", "tensorflow.GradientTape", 1, True),
    ],
)
def test_a_missing_name_is_found(text, path, line, certain):
    assert lacking(text) == [(path, [line], certain)]


@pytest.mark.parametrize(
    "text",
    [
        "import keras\nkeras.layers.Dense.nil",
        "import keras\nkeras = other()\nkeras.nil",
        "from keras import layers\ndef f(layers):\n    layers.nil",
        "from keras import layers\ndef f():\n    layers = []\n    layers.append(1)",
        "from keras import layers\n[layers.nil for layers in x]",
        "from keras import layers\nlambda layers: layers.nil",
        "try:\n    from keras import layers\nexcept ValueError as layers:\n    layers.nil",
        "from . import keras\nkeras.nil",
        "import tensorflow as tf\ntf.keras.layers.Dense(1)",
        "import tensorflow as tf\nfrom tensorflow import keras\nkeras.layers.Dense.nil",
        "from tensorflow.keras import layers, models\nlayers.Dense(1)",
        "import tensorflow.keras as keras\nkeras.backend.epsilon()",
        "from tensorflow.keras.layers import Dense\nfrom tensorflow.keras.datasets import mnist",
        "import keras_tuner\nkeras_tuner.nil",
        "a = a.b\na.c",
        "import keras\nkeras.layers.__name__",
        "x.keras.nil\nf().keras",
    ],
)
def test_what_is_there_or_is_something_else_is_not_told(text):
    assert lacking(text) == []


@pytest.mark.parametrize(
    "text, method, line",
    [
        ("m.save_weights('w.h5')", "save_weights", 1),
        ("build().load_weights(path)", "load_weights", 1),
        ("m.save('final.keras')", "save", 1),
        ("m.save(f'{folder}/last.h5')", "save", 1),
        ("import keras\nm = keras.Sequential()\nm.save(path)", "save", 3),
        ("class T:\n  def __init__(self):\n    self.net = Model(x, y)\n    self.net.save(p)", "save", 4),
    ],
)
def test_calls_that_keep_a_model_are_perhaps_missing(text, method, line):
    assert lacking(text) == [(f"keras.Model.{method}", [line], False)]


@pytest.mark.parametrize("text", ["image.save('a.png')", "m.save(path)", "x = [Model()]\nx.save()"])
def test_what_keeps_something_else_is_not_told(text):
    assert lacking(text) == []


def test_names_in_a_class_are_not_seen_by_its_methods():
    text = "import keras as layers\nclass A:\n    layers = 3\n    def f(self):\n        layers.nil"
    assert lacking(text) == [("keras.nil", [5], False)]


def test_lines_are_gathered_and_the_certain_one_counts():
    text = "import keras\ndef f():\n    keras.nil\nkeras.nil\nkeras.layers.Dens"
    assert lacking(text) == [("keras.nil", [3, 4], True), ("keras.layers.Dens", [5], True)]


def test_a_very_deep_expression_is_read_as_far_as_possible():
    deep = " + ".join(["x"] * 800)
    assert lacking(f"from keras.layers import Nil\ny = {deep}") == [("keras.layers.Nil", [1], True)]


def test_a_script_with_such_an_expression_runs(script, capsys):
    deep = " + ".join(["x"] * 800)
    assert run_script(script(f"import keras\nx = 1\nprint({deep})")) == 0
    assert capsys.readouterr() == ("800\n", "")


def test_all_that_is_missing_is_told_and_nothing_runs(script, capsys):
    path = script("""\
        from keras.layers import Dens, JaxLayer
        from tensorflow.python.keras import layers
        import keras
        print("ran")
        def f():
            keras.layers.JaxLayer(3)
            return keras.distribution.DeviceMesh()
        """)
    assert run_script(path) == 2
    out, err = capsys.readouterr()
    assert out == ""
    said = [
        (keras_names.instead_of(name) or "The nearest name is keras.layers.Dense.")
        for name in ("keras.layers.Dens", "keras.layers.JaxLayer", "tensorflow.python", "keras.distribution")
    ]
    assert err.splitlines() == [
        f"gputrain: {path} uses names that gputrain does not have (yet):",
        f"  line 1      keras.layers.Dens                        {said[0]}",
        f"  lines 1, 6  keras.layers.JaxLayer                    {said[1]}",
        f"  line 2      tensorflow.python.keras.layers           {said[2]}",
        f"  line 7      keras.distribution              perhaps  {said[3]}",
        "Nothing was run.",
    ]


def test_what_may_not_be_reached_is_told_and_the_script_runs(script, capsys):
    path = script("""\
        import keras
        try:
            from keras.layers import JaxLayer
        except ImportError as error:
            print("without:", error)
        if hasattr(keras, "distribution"):
            keras.distribution.DeviceMesh()
        """)
    assert run_script(path) == 0
    out, err = capsys.readouterr()
    instead = keras_names.instead_of("keras.layers.JaxLayer")
    assert out == f"without: {path}, line 3: gputrain has no keras.layers.JaxLayer (yet). {instead}\n"
    assert f"line 3  keras.layers.JaxLayer  perhaps  {instead}\n" in err
    assert "line 7  keras.distribution     perhaps  One device" in err
    assert err.endswith("The script runs; where it uses one of them, an error says so.\n")


# How a script runs and ends.


def test_it_is_main_with_its_arguments_and_its_folder(script, capsys, tmp_path):
    script("import keras\nsame = keras.layers.Dense\n", "beside.py")
    (tmp_path / "pack").mkdir()
    script("from keras import layers\nfrom .inner import x\n", "pack/__init__.py")
    script("x = 5\n", "pack/inner.py")
    path = script("""\
        import sys
        import beside, pack
        from keras.layers import Dense
        if __name__ == "__main__":
            print(sys.argv[1:], sys.argv[0] == __file__, beside.same is Dense, pack.x)
            print(sys.modules["__main__"].Dense is Dense)
        """)
    argv, places, main = sys.argv, list(sys.path), sys.modules["__main__"]
    assert run_script(path, ["--epochs", "3"]) == 0
    assert capsys.readouterr().out == "['--epochs', '3'] True True 5\nTrue\n"
    assert sys.argv is argv
    assert sys.path == places
    assert sys.modules["__main__"] is main
    assert not {"beside", "pack", "pack.inner", "keras"} & set(sys.modules)


@pytest.mark.parametrize(
    "argument, code, said",
    [("", 0, ""), ("0", 0, ""), ("7", 7, ""), ("'no data'", 1, "no data\n"), ("True", 1, "")],
)
def test_exit_codes_pass_through(script, capsys, argument, code, said):
    assert run_script(script(f"import sys\nsys.exit({argument})")) == code
    assert capsys.readouterr().err == said


def test_an_exception_keeps_the_lines_of_the_script_alone(script, capsys):
    path = script("""\
        def f():
            return {}["key"]
        f()
        """)
    assert run_script(path) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["Traceback (most recent call last):", f'  File "{path}", line 3, in <module>']
    assert lines[-1] == "KeyError: 'key'"
    assert not [line for line in lines if "runpy" in line or "running.py" in line]


def test_a_missing_name_ends_the_traceback_in_the_script(script, capsys):
    path = script("import keras\ndef f():\n    keras.layers.Dens\nf()\n")
    assert run_script(path) == 1
    err = capsys.readouterr().err
    assert err.endswith(
        f"AttributeError: {path}, line 3: gputrain has no keras.layers.Dens (yet). "
        "The nearest name is keras.layers.Dense.\n"
    )
    assert "keras_modules.py" not in err


def test_frames_below_the_script_stay(script, capsys):
    path = script("import keras\nkeras.layers.Dense(-1)\n")
    assert run_script(path) == 1
    err = capsys.readouterr().err
    assert f'File "{path}", line 2' in err
    assert "gputrain/layers/" in err.replace("\\", "/")


def test_ctrl_c(script, capsys):
    path = script("raise KeyboardInterrupt")
    assert run_script(path) == 130
    assert capsys.readouterr().err == f"gputrain: {path} was interrupted.\n"


@pytest.mark.parametrize(
    "content, said",
    [
        (b"x = (1,\n", "line 1: the script must be valid Python. '(' was never closed: x = (1,"),
        (b"x = 1\nreturn x\n", "line 2: the script must be valid Python. 'return' outside function"),
        (b"x = '\xff'\n", "the script must be valid Python. (unicode error) 'utf-8' codec"),
        (b"x = 1\0\n", "the script must be valid Python. source code"),
        (b"(" * 500, "the script must be valid Python. too many nested parentheses"),
        (b"x = " + b"-" * 100_000 + b"1", "the script must be valid Python."),
    ],
)
def test_what_is_no_python_is_one_message(tmp_path, capsys, content, said):
    path = tmp_path / "script.py"
    path.write_bytes(content)
    assert run_script(str(path)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"gputrain: {path}")
    assert said in err
    assert err.count("\n") == 1


def test_another_encoding_that_is_declared_is_read(tmp_path, capsys):
    path = tmp_path / "script.py"
    path.write_bytes("# -*- coding: latin-1 -*-\nprint('é')\n".encode("latin-1"))
    assert run_script(str(path)) == 0
    assert capsys.readouterr().out == "é\n"


def test_what_is_no_file_is_one_message(script, tmp_path, capsys):
    script("", "train.py")
    assert run_script(str(tmp_path / "trian.py")) == 2
    expected = f"There is no script '{tmp_path}/trian.py'. Did you mean '{tmp_path}/train.py'?\n"
    assert capsys.readouterr().err == f"gputrain: {expected}"
    assert run_script(str(tmp_path)) == 2
    assert capsys.readouterr().err == (
        f"gputrain: '{tmp_path}' is not a script. Expected: a Python file of at most 16 MiB. "
        "Received: a folder.\n"
    )
    assert run_script("/dev/zero") == 2
    assert "'/dev/zero' is not a script." in capsys.readouterr().err
    assert run_script("a\0b.py") == 2
    assert "cannot be read: embedded null byte." in capsys.readouterr().err


# Arrays from outside.


def test_arrays_become_global_names(script, tmp_path, capsys):
    np.savez(tmp_path / "data.npz", x_train=np.arange(3), y_train=np.eye(2))
    path = script("def f():\n    return x_train.sum() + y_train.sum()\nprint(f())\n")
    assert run_script(path, arrays=str(tmp_path / "data.npz")) == 0
    assert capsys.readouterr().out == "5.0\n"


@pytest.mark.parametrize("name", ["class", "two words", "a/b", "print", "__name__", "_x", "1x"])
def test_arrays_whose_names_are_no_names(script, tmp_path, capsys, name):
    np.savez(tmp_path / "data.npz", **{name: np.zeros(2)})
    assert run_script(script("print('ran')"), arrays=str(tmp_path / "data.npz")) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "an array's name becomes a global name of the script." in err
    assert f"Received: {name!r}." in err


def test_arrays_that_cannot_be_read(script, tmp_path, capsys):
    path = script("print('ran')")
    assert run_script(path, arrays=str(tmp_path / "none.npz")) == 2
    assert capsys.readouterr() == (
        "",
        f"gputrain: --arrays: '{tmp_path}/none.npz' cannot be read: No such file or directory.\n",
    )
    np.savez(tmp_path / "data.npz", x=np.array([{}], dtype=object))
    assert run_script(path, arrays=str(tmp_path / "data.npz")) == 2
    assert "--arrays: " in capsys.readouterr().err


def test_a_snippet_without_its_data_is_told_of_the_option(script, capsys):
    path = script("print(x_train)")
    assert run_script(path) == 1
    err = capsys.readouterr().err
    assert "NameError: name 'x_train' is not defined" in err
    assert err.endswith(f"can be given: gputrain run --arrays FILE.npz {path}\n")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            "utils.to_categorical([0, 1], nb_classes=2)",
            "to_categorical(nb_classes=...): Keras 3 calls it num_classes.",
        ),
        ("regularizers.L2(l=0.1)", "L2(l=...): Keras 3 calls it l2."),
        ("constraints.MaxNorm(m=2)", "MaxNorm(m=...): Keras 3 calls it max_value."),
        ("activations.leaky_relu(1.0, alpha=0.1)", "leaky_relu(alpha=...): Keras 3 calls it negative_slope."),
        ("ops.mean(1.0, keep_dims=True)", "mean(keep_dims=...): Keras 3 calls it keepdims."),
        ("ops.one_hot([0], depth=3)", "one_hot(depth=...): Keras 3 calls it num_classes."),
    ],
)
def test_an_argument_of_older_keras_is_told_after_the_traceback(script, capsys, call, words):
    assert run_script(script(f"import keras\nkeras.{call}")) == 1
    assert capsys.readouterr().err.endswith(f"gputrain: {words}\n")


def test_an_argument_of_a_function_of_ones_own_is_left_alone(script, capsys):
    assert run_script(script("def mine(): pass\nmine(nb_classes=2)")) == 1
    assert capsys.readouterr().err.endswith(
        "TypeError: mine() got an unexpected keyword argument 'nb_classes'\n"
    )


# Scripts as people write them for Keras 3.

FUNCTIONAL = """
import numpy as np
import keras
from keras import layers

keras.utils.set_random_seed(812)
inputs = keras.Input(shape=(8,), name="features")
x = layers.Dense(8, activation="relu", kernel_regularizer=keras.regularizers.l2(1e-4))(inputs)
skip = x
x = layers.BatchNormalization()(x)
x = layers.Dense(8, kernel_initializer="he_normal")(x)
x = layers.add([layers.Activation("relu")(x), skip])
x = layers.Dropout(0.1)(x)
outputs = layers.Dense(3, activation="softmax", name="classes")(x)
model = keras.Model(inputs=inputs, outputs=outputs, name="mlp")
model.summary()

rng = np.random.default_rng(0)
y = rng.integers(0, 3, 64)
x = rng.normal(size=(64, 8)).astype("float32") + np.eye(3, 8)[y] * 3


class Printer(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        print("epoch", epoch, sorted(logs))


schedule = keras.optimizers.schedules.ExponentialDecay(0.02, decay_steps=10, decay_rate=0.9)
model.compile(
    optimizer=keras.optimizers.Adam(learning_rate=schedule),
    loss=keras.losses.SparseCategoricalCrossentropy(),
    metrics=[keras.metrics.SparseCategoricalAccuracy(name="acc")],
)
stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=5, restore_best_weights=True)
model.fit(x, y, batch_size=16, epochs=2, validation_split=0.25, verbose=0, callbacks=[Printer(), stop])
print(model.predict(x[:2], verbose=0).shape, keras.config.floatx())
"""

CUSTOM = """
import os
os.environ.setdefault("KERAS_BACKEND", "jax")
import numpy as np
import keras
from keras import ops


class Affine(keras.layers.Layer):
    def __init__(self, units=4, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1], self.units), initializer="glorot_uniform", name="w")
        self.b = self.add_weight(shape=(self.units,), initializer="zeros", name="b")

    def call(self, inputs):
        return ops.matmul(inputs, self.w) + self.b

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.first, self.second = Affine(8), Affine(1)

    def call(self, x):
        return self.second(ops.relu(self.first(x)))

    def train_step(self, data):
        return super().train_step(data)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return ops.mean(ops.square(y - y_pred))


keras.backend.clear_session()
keras.utils.set_random_seed(1)
x = ops.convert_to_numpy(keras.random.normal((48, 5), seed=3))
y = x @ np.ones((5, 1), "float32")
net = Net()
net.compile(optimizer=keras.optimizers.SGD(0.05), metrics=["mae"])
losses = net.fit(x, y, epochs=3, batch_size=16, verbose=0).history["loss"]
print(losses[-1] < losses[0], Affine.from_config(net.first.get_config()).units)
net.first.trainable = False
print([v.name for v in net.trainable_variables], net.count_params())
"""

SEVERAL_OUTPUTS = """
import keras
from keras import layers
import numpy as np

a, b = keras.Input((4,)), keras.Input((4,))
m = layers.Dense(3, activation=keras.activations.relu)(layers.Concatenate()([a, b]))
one, two = layers.Dense(1, name="one")(m), layers.Dense(2, activation="softmax", name="two")(m)
model = keras.models.Model([a, b], [one, two])
losses = {"one": "mse", "two": "categorical_crossentropy"}
model.compile("adam", loss=losses, loss_weights={"one": 1.0, "two": 0.2})
x = np.zeros((8, 4), "float32")
model.fit([x, x], {"one": x[:, :1], "two": np.eye(2)[np.zeros(8, int)]}, verbose=0)
v = keras.Variable(keras.ops.ones((2,)), name="v")
v.assign(v * 2)
print(keras.ops.convert_to_numpy(v).tolist())
print(keras.ops.convert_to_numpy(keras.ops.relu(keras.ops.array([1.0, -2.0]))).tolist())
metric = keras.metrics.CategoricalAccuracy()
metric.update_state(np.eye(2), np.eye(2))
print(float(metric.result()), keras.utils.to_categorical([1, 0]).tolist())
"""

OLD_STYLE = """
from __future__ import print_function
import keras
from keras.models import Sequential
from keras.layers import Dense, Dropout, Flatten, Conv2D, MaxPooling2D
from keras import backend as K
from keras.utils import to_categorical
import numpy as np

num_classes = 3
if K.image_data_format() == 'channels_first':
    input_shape = (1, 8, 8)
else:
    input_shape = (8, 8, 1)
y = np.arange(24) % num_classes
x = (np.ones((24, 8, 8, 1)) * y[:, None, None, None]).astype('float32') / num_classes
y = to_categorical(y, num_classes)
model = Sequential()
model.add(Conv2D(2, kernel_size=(3, 3), activation='relu', input_shape=input_shape))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(Dropout(0.25))
model.add(Flatten())
model.add(Dense(num_classes, activation='softmax'))
model.compile(loss=keras.losses.categorical_crossentropy, optimizer=keras.optimizers.RMSprop(),
              metrics=['accuracy'])
model.fit(x, y, batch_size=8, epochs=1, verbose=0, validation_data=(x, y))
score = model.evaluate(x, y, verbose=0)
print('Test loss is a number:', score[0] < 10)
print(model.layers[0].name, model.input_shape, model.output_shape, model.count_params())
"""


@pytest.mark.parametrize(
    "text, printed",
    [
        (
            FUNCTIONAL,
            "epoch 0 ['acc', 'loss', 'val_acc', 'val_loss']\nepoch 1 ['acc', 'loss', 'val_acc', 'val_loss']\n"
            "(2, 3) float32\n",
        ),
        (CUSTOM, "True 8\n['w', 'b'] 57\n"),
        (SEVERAL_OUTPUTS, "[2.0, 2.0]\n[1.0, 0.0]\n1.0 [[0.0, 1.0], [1.0, 0.0]]\n"),
        (OLD_STYLE, "Test loss is a number: True\nconv2d (None, 8, 8, 1) (None, 3) 77\n"),
    ],
    ids=["functional", "custom layer and loss", "several outputs", "old style"],
)
def test_scripts_for_keras_run_unchanged(script, capsys, text, printed):
    gputrain.names.forget_names()
    code = run_script(script(text))
    out, err = capsys.readouterr()
    assert (code, err.count("Traceback")) == (0, 0), err
    assert out.endswith(printed)


@pytest.mark.cpu_only("names are the same on every device")
def test_clear_session_starts_layer_names_again():
    clear = keras_modules()["keras.utils"].clear_session
    gputrain.layers.Dense(1)
    clear()
    assert gputrain.layers.Dense(1).name == "dense"
    clear(free_memory=False)
    assert gputrain.layers.Dense(1).name == "dense"


def test_the_command_hands_over_arguments_and_code(script):
    """In a process of its own, whose `sys.path` knows nothing of the script's folder."""
    script("import keras\nname = keras.Sequential.__name__\n", "beside.py")
    path = script("import sys, beside\nprint(beside.name, sys.argv[1:])\nsys.exit(4)\n")
    environment = {**child_environment(), "PYTHONPATH": str(Path(gputrain.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-m", "gputrain", "run", path, "--epochs", "3"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert (done.returncode, done.stdout, done.stderr) == (4, "Sequential ['--epochs', '3']\n", "")
