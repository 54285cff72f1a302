"""Nearest names and snake_case."""

import importlib
import json
import subprocess
import sys

import pytest

import gputrain
from gputrain import layers, losses
from gputrain.names import did_you_mean, listed, nearest, snake_case


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("GlorotUniform", "glorot_uniform"),
        ("Conv2D", "conv2d"),
        ("MaxPooling2D", "max_pooling2d"),
        ("L1L2", "l1l2"),
        ("CSVLogger", "csv_logger"),
        ("zeros", "zeros"),
    ],
)
def test_snake_case(name, expected):
    assert snake_case(name) == expected


def test_nearest():
    names = ["glorot_uniform", "zeros", "Ones"]
    assert nearest("GlorotUniform", names) == "glorot_uniform"
    assert nearest("zero", names) == "zeros"
    assert nearest("ONES", names) == "Ones"
    assert nearest("xyz", names) is None
    assert nearest("x", []) is None
    assert nearest("gpu", ["auto", "cupy", "numpy"]) == "cupy"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sparse_crossentropy", "sparse_categorical_crossentropy"),
        ("sparse-crossentropy", "sparse_categorical_crossentropy"),
        ("crossentropy", "binary_crossentropy"),
        ("mean_sqared_error", "mean_squared_error"),
        ("mean_squared", "mean_squared_error"),
        ("huber_loss", "huber"),
        ("cosine", "cosine_similarity"),
        ("quadratic", None),
    ],
)
def test_nearest_by_words(name, expected):
    assert nearest(name, losses.registry.names()) == expected


def test_a_name_spelt_almost_alike_comes_before_one_with_the_same_word():
    assert nearest("zero", ["zero_padding", "zeros"]) == "zeros"
    assert nearest("Conv2DTranspose", ["Dense", "Conv2D", "Dropout"]) == "Conv2D"


def test_did_you_mean():
    assert did_you_mean("one", ["zeros", "ones"]) == "Did you mean 'ones'? Known names: ones, zeros."
    assert did_you_mean("qqqq", ["zeros"]) == "Known names: zeros."
    assert did_you_mean("x", []) == "There are no known names."


def test_of_many_names_those_alike_are_told_and_where_all_are():
    names = [*(f"column_{i:02d}" for i in range(40)), "colour"]
    told = did_you_mean("column_077", names, "the table")
    assert told.startswith("Did you mean 'column_07'? Names like it: column_")
    assert told.count("column_") == 5
    assert told.endswith(". the table lists all.")
    assert did_you_mean("qqqq", names) == "There are 41 names."
    assert did_you_mean("qqqq", names[:30]).startswith("Known names: column_00, ")


ROOMS = {
    "activations": "activation",
    "callbacks": "callback",
    "constraints": "constraint",
    "initializers": "initializer",
    "layers": "layer",
    "losses": "loss",
    "metrics": "metric",
    "optimizers": "optimizer",
    "regularizers": "regularizer",
}


@pytest.mark.parametrize(("room", "kind"), ROOMS.items())
def test_a_name_that_a_room_lacks(room, kind):
    module = importlib.import_module(f"gputrain.{room}")
    message = f"gputrain has no {kind} 'Xyzzy'. "
    with pytest.raises(AttributeError, match=message):
        module.Xyzzy  # noqa: B018
    with pytest.raises(ImportError, match=message):
        exec(f"from gputrain.{room} import Xyzzy")  # noqa: S102
    assert not hasattr(module, "Xyzzy")
    with pytest.raises(AttributeError, match=f"module 'gputrain.{room}' has no attribute '__nothing__'"):
        module.__nothing__  # noqa: B018


def test_the_nearest_name_is_said():
    with pytest.raises(ImportError, match=r"no layer 'Conv2DD'\. Did you mean 'Conv2D'\?"):
        from gputrain.layers import Conv2DD  # noqa: F401
    with pytest.raises(ImportError, match=r"no layer 'JaxLayer'\. There is one engine\."):
        from gputrain.layers import JaxLayer  # noqa: F401
    with pytest.raises(AttributeError, match=r"no layer 'Desne'\. Did you mean 'Dense'\?") as caught:
        layers.Desne  # noqa: B018
    assert "concatenate" not in str(caught.value)
    assert caught.value.name == "Desne"


def test_what_the_package_lacks():
    """The room that has it is not looked for; `from gputrain import` names what is near too."""
    with pytest.raises(ImportError, match=r"no name 'Sequental'\. Did you mean 'Sequential'\?"):
        from gputrain import Sequental  # noqa: F401
    with pytest.raises(AttributeError, match=r"no name 'callback'\. Did you mean 'callbacks'\?"):
        gputrain.callback  # noqa: B018


def test_rooms_that_come_later_are_listed():
    code = "import gputrain, sys; assert {'callbacks', 'saving', 'tabular'} <= set(dir(gputrain))"
    code += "; assert 'gputrain.callbacks' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_submodules_can_still_be_imported():
    code = "from gputrain.layers import core; from gputrain.layers import *; import gputrain.losses.focal"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'gputrain\.layers\.nothing'"):
        importlib.import_module("gputrain.layers.nothing")


@pytest.mark.parametrize(
    ("items", "most", "words"),
    [([], 3, ""), (["a"], 1, "a"), (["a", "b", "c"], 3, "a, b, c"), (["a", "b", "c"], 1, "a and 2 more")],
)
def test_lists_are_cut_short(items, most, words):
    assert listed(items, most) == words


@pytest.mark.parametrize("room, name", [("layers", "Qqqq"), ("metrics", "Qqqq"), ("ops", "qqqq")])
def test_what_lists_all_names_does(room, name):
    module = getattr(gputrain, room)
    with pytest.raises(AttributeError, match=rf"dir\(keras\.{room}\) lists all\.$") as caught:
        getattr(module, name)
    assert len(str(caught.value)) < 200
    assert {*dir(module)} >= {*module.__all__}


@pytest.mark.parametrize(
    "config, words",
    [
        (
            {"class_name": "Densee", "config": {}},
            r"^Unknown layer 'Densee'\. Did you mean 'Dense'\? Names like",
        ),
        (
            {"class_name": "Block", "config": {}},
            r"dir\(keras\.layers\) lists all\. A class of your own is given",
        ),
        (
            {"class_name": "Sequential", "config": {"layers": [{"class_name": "Conv2", "config": {}}]}},
            "Conv2D",
        ),
    ],
)
def test_an_unknown_class_in_a_text_is_told_in_few_words(config, words):
    with pytest.raises(ValueError, match=words) as caught:
        gputrain.models.model_from_json(json.dumps(config))
    assert len(str(caught.value)) < 350
