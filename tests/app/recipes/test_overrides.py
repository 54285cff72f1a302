"""`--set KEY=VALUE`: how values are read and where they go."""

import pytest

from gputrain.app.recipes.errors import RecipeError, Source
from gputrain.app.recipes.overrides import apply, parse_setting

VALUES = [
    ("a=3", 3),
    ("a=1e-3", 1e-3),
    ("a=true", True),
    ("a=sgd", "sgd"),
    ('a="sgd"', "sgd"),
    ("a=[8, 8, 1]", [8, 8, 1]),
    ("a = x=y ", "x=y"),
    ("a=", ""),
    ("a=007", "007"),
    ("a=1\nb=2", "1\nb=2"),
    ("a={name='L2', l2=0.1}", {"name": "L2", "l2": 0.1}),
]


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_values(text, value):
    assert parse_setting(text) == ("a", value)


@pytest.mark.parametrize("text", ["training.epochs", "=3", "a..b=1", "a[x]=1", "a b=1", ".a=1", "[0]=1"])
def test_malformed(text):
    with pytest.raises(RecipeError, match=r"--set .*Expected: KEY=VALUE, as in training.batch_size=32"):
        parse_setting(text)


def applied(table, *settings):
    apply(table, settings, Source("a.toml"))
    return table


def test_into_a_table_that_is_there_and_one_that_is_not():
    assert applied({"t": {"a": 1}}, ("t.a", 2), ("u.b", 3)) == {"t": {"a": 2}, "u": {"b": 3}}


def test_into_an_item_of_an_array():
    assert applied({"layers": [{"units": 1}, {"units": 2}]}, ("layers[1].units", 5))["layers"][1] == {
        "units": 5
    }


def test_the_last_one_stands():
    assert applied({}, ("seed", 1), ("seed", 2)) == {"seed": 2}


@pytest.mark.parametrize("key", ["optimizer", "loss"])
def test_an_argument_beside_a_bare_name(key):
    assert applied({key: "x"}, (f"{key}.a", 1)) == {key: {"name": "x", "a": 1}}


MISPLACED = [
    ("name.a", r"a\.toml: name\.a: A key can only be set in a table"),
    ("name[0]", "Only an array has numbered items"),
    ("list[2]", r"The array is shorter\. Expected: 0\.\.1\. Received: 2"),
    ("list[0].a", "A key can only be set in a table"),
    ("list.a", "A key can only be set in a table"),
]


@pytest.mark.parametrize(("path", "message"), MISPLACED)
def test_misplaced(path, message):
    with pytest.raises(RecipeError, match=message):
        applied({"name": "x", "list": [1, 2]}, (path, 1))


def test_the_place_of_an_error_names_the_option():
    source = Source("a.toml", {"training.epochs": "--epochs", "optimizer": "--set"})
    assert source.place("training.epochs") == "a.toml: training.epochs (from --epochs)"
    assert source.place("optimizer.name") == "a.toml: optimizer.name (from --set)"
    assert source.place("optimizers") == "a.toml: optimizers"


def test_data_from_elsewhere_replaces_the_recipes_and_what_was_said_of_it():
    table = {"data": {"dataset": "digits", "scale": 16, "reshape": [64], "split_seed": 3}}
    assert applied(table, ("data.file", "a.npz")) == {"data": {"split_seed": 3, "file": "a.npz"}}


@pytest.mark.parametrize("turned", [False, True])
def test_what_is_said_of_it_beside_it_stays(turned):
    table = {"data": {"dataset": "digits", "scale": 16}}
    given = [("data.scale", 2), ("data.folder", "a")]
    assert applied(table, *(reversed(given) if turned else given)) == {"data": {"scale": 2, "folder": "a"}}
