"""A recipe is checked key by key; what it leaves out is filled in; written out, it reads back equal."""

import copy
import tomllib

import pytest

from gputrain import config
from gputrain.app.recipes import toml_writer
from gputrain.app.recipes.errors import RecipeError, Source
from gputrain.app.recipes.reading import shipped_recipes
from gputrain.app.recipes.recipe import check, load

BASE = {
    "name": "small",
    "seed": 1,
    "loss": "sparse_categorical_crossentropy",
    "data": {"dataset": "digits"},
    "model": {"layers": [{"type": "Flatten"}, {"type": "Dense", "units": 10, "activation": "softmax"}]},
}


@pytest.fixture(autouse=True)
def fresh_settings():
    yield
    config.reset()


def changed(path, value):
    """Return BASE with `value` at `path`; `...` removes the key."""
    table = copy.deepcopy(BASE)
    place = table
    *outer, last = path
    for step in outer:
        place = place.setdefault(step, {}) if isinstance(place, dict) else place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return table


def checked(table):
    return check(table, Source("a.toml")).settings


def test_defaults_are_filled_in():
    settings = checked(BASE)
    assert settings["backend"] == config.backend()
    assert settings["data"] == {
        "dataset": "digits",
        "task": "classification",
        "one_hot": False,
        "scale": 16.0,
        "reshape": [8, 8, 1],
        "validation_fraction": 0.0,
        "stratify": True,
        "split_seed": 0,
        "balance": "none",
    }
    assert settings["training"] == {
        "epochs": 10, "batch_size": 32, "shuffle": True, "class_weight": "none", "save_freq": "epoch"
    }  # fmt: skip
    assert settings["metrics"] == ["accuracy"]
    assert settings["optimizer"]["name"] == "adam"
    assert settings["optimizer"]["learning_rate"] == pytest.approx(0.001)
    assert settings["loss"]["from_logits"] is False
    assert settings["model"]["layers"][1]["use_bias"] is True


def test_an_optimizer_without_a_name_is_the_default_one():
    assert checked(changed(["optimizer"], {"learning_rate": 0.5}))["optimizer"]["name"] == "adam"


def test_seed_and_backend_come_from_the_process_when_not_given():
    config.set_seed(77)
    config.set_backend("numpy")
    settings = checked(changed(["seed"], ...))
    assert (settings["seed"], settings["backend"]) == (77, "numpy")


WRONG = [
    (
        ["nme"],
        "x",
        r"a\.toml: nme: Unknown key\. Did you mean 'name'\? Known names: backend, callbacks, data, ",
    ),
    (["name"], ..., r"name: This key is required\. Expected: 1 to 64 letters.* Received: nothing"),
    (
        ["name"],
        "../up",
        r"name: Wrong value\. Expected: 1 to 64 letters, digits, .*Received: '../up' \(text\)",
    ),
    (["name"], "", "name: Wrong value"),
    (["seed"], -1, r"seed: Wrong value\. Expected: an integer from 0 to .* Received: -1 \(integer\)"),
    (["seed"], True, r"seed: Wrong value\. .* Received: True \(boolean\)"),
    (["seed"], 2**63, "seed: Wrong value"),
    (["backend"], "cuda", r"backend: Wrong value\. Expected: one of 'auto', 'numpy', 'cupy', 'emulated'"),
    (["metrics"], "accuracy", r"metrics: Wrong value\. Expected: a list of metric names"),
    (["metrics"], ["acuracy"], r"metrics\[0\]: Unknown metric 'acuracy'\. Did you mean "),
    (["data"], 3, r"data: Wrong value\. Expected: a table\. Received: 3 \(integer\)"),
    (
        ["data", "dataset"],
        "digit",
        r"data\.dataset: Wrong value\. Expected: one of 'breast_cancer', .*Did you mean 'digits'\?",
    ),
    (["data", "datset"], "digits", r"data\.datset: Unknown key\. Did you mean 'dataset'\?"),
    (
        ["data", "scale"],
        0,
        r"data\.scale: Wrong value\. Expected: a number from 1e-30 to 1e30\. Received: 0 \(integer\)",
    ),
    (["data", "scale"], float("nan"), r"data\.scale: Wrong value\..* Received: nan \(float\)"),
    (
        ["data", "reshape"],
        [8, 9],
        r"data\.reshape: A sample of digits has the shape \(8, 8, 1\)\. .*product is 64",
    ),
    (["data", "reshape"], [64, -1], r"data\.reshape: Wrong value\. Expected: a list of 1 to 8 sizes"),
    (["data", "validation_fraction"], 1.0, r"data\.validation_fraction: Wrong value\. .*from 0 to below 1"),
    (["training", "epochs"], 0, r"training\.epochs: Wrong value\. Expected: an integer from 1 to 1000000"),
    (["training", "epochs"], 2.0, r"training\.epochs: Wrong value\..* Received: 2\.0 \(float\)"),
    (["training", "batch_size"], -32, r"training\.batch_size: Wrong value\. .* Received: -32"),
    (["training", "batchsize"], 32, r"training\.batchsize: Unknown key\. Did you mean 'batch_size'\?"),
    (
        ["training", "shuffle"],
        "yes",
        r"training\.shuffle: Wrong value\. Expected: true or false\. Received: 'yes'",
    ),
    (["model", "layers"], [], r"model\.layers: Wrong value\. Expected: a list of 1 to 1000 tables"),
    (["model", "layers"], ["Dense"], r"model\.layers: Wrong value"),
    (
        ["model", "layers", 1, "type"],
        ...,
        r"model\.layers\[1\]\.type: Every layer needs a name.* Received: nothing",
    ),
    (["model", "layers", 1, "type"], 3, r"model\.layers\[1\]\.type: Every layer needs a name.* Received: 3"),
    (
        ["model", "layers", 1, "type"],
        "Dens",
        r"layers\[1\]\.type: Unknown layer 'Dens'\. Did you mean 'Dense'",
    ),
    (["model", "layers", 1, "type"], "os.system", r"layers\[1\]\.type: Unknown layer 'os\.system'"),
    (["model", "layers", 0, "type"], "Input", r"a recipe has no input layer: data\.reshape"),
    (
        ["model", "layers", 1, "unit"],
        3,
        r"layers\[1\]\.unit: Unknown argument of Dense\. Did you mean 'units'",
    ),
    (["model", "layers", 1, "units"], ..., r"layers\[1\]\.units: Dense needs this argument"),
    (["model", "layers", 1, "units"], float("inf"), r"layers\[1\]\.units: Wrong value\. .* Received: inf"),
    (["optimizer"], "adm", r"optimizer: Unknown optimizer 'adm'\. Did you mean 'adam'"),
    (["optimizer"], {"name": "adam", "lr": 1}, r"optimizer\.lr: Unknown argument of Adam"),
    (["loss"], {"from_logits": True}, r"loss\.name: Every loss needs a name.* Received: nothing"),
    (["loss"], "mee", r"loss: Unknown loss 'mee'\. Did you mean "),
    (["loss"], {"name": "mse", "fn": "os.system"}, r"loss\.fn: Unknown argument of MeanSquaredError"),
    (["loss"], 3, r"loss: Wrong value\. Expected: a name or a table with 'name'"),
]


@pytest.mark.parametrize(("path", "value", "message"), WRONG)
def test_wrong_settings(path, value, message):
    with pytest.raises(RecipeError, match=f"(?i){message}") as caught:
        checked(changed(path, value))
    assert str(caught.value).startswith("a.toml: ")


NESTED = [
    (
        {"name": "cosine_decay", "decay_step": 3},
        r"learning_rate\.decay_step: Unknown argument of CosineDecay\. Did",
    ),
    ({"name": "cosine"}, r"learning_rate\.name: Unknown schedule 'cosine'\. Did you mean 'cosine_decay'"),
    (
        {"name": "cosine_decay", "initial_learning_rate": 1.0},
        r"learning_rate\.decay_steps: CosineDecay needs this",
    ),
    ([{"name": "cosine_decay"}], r"learning_rate\[0\]: Wrong value\. .*\(table\)"),
]


@pytest.mark.parametrize(("value", "message"), NESTED)
def test_objects_inside_objects_are_checked(value, message):
    with pytest.raises(RecipeError, match=rf"a\.toml: optimizer\.{message}"):
        checked(changed(["optimizer"], {"learning_rate": value}))


def test_a_table_where_none_belongs():
    with pytest.raises(RecipeError, match=r"model\.layers\[1\]\.units: This argument is no table"):
        checked(changed(["model", "layers", 1, "units"], {"name": "l2"}))


def test_objects_inside_objects_get_their_defaults():
    schedule = {"name": "CosineDecay", "initial_learning_rate": 0.01, "decay_steps": 100}
    settings = checked(changed(["optimizer"], {"learning_rate": schedule}))
    assert settings["optimizer"]["learning_rate"] == {**schedule, "alpha": 0.0, "warmup_steps": 0}
    settings = checked(changed(["model", "layers", 1, "kernel_regularizer"], {"name": "l2"}))
    assert settings["model"]["layers"][1]["kernel_regularizer"] == {"name": "l2", "l2": 0.01}


@pytest.mark.parametrize("name", ["../x", ["a"], "a/b", ""])
def test_a_layer_name_is_checked(name):
    with pytest.raises(
        RecipeError, match=r"model\.layers\[1\]\.name: Wrong value\. Expected: 1 to 64 letters"
    ):
        checked(changed(["model", "layers", 1, "name"], name))


def test_layers_are_named_by_their_place():
    dense = {"type": "Dense", "units": 3}
    table = changed(["model", "layers"], [dense, {**dense, "name": "dense_1"}, dense, {"type": "Flatten"}])
    names = [layer["name"] for layer in checked(table)["model"]["layers"]]
    assert names == ["dense", "dense_1", "dense_2", "flatten"]


def test_a_long_value_is_cut_short():
    with pytest.raises(RecipeError) as caught:
        checked(changed(["name"], "x" * 10_000))
    assert len(str(caught.value)) < 300


def test_a_date_is_no_argument():
    table = changed(["model", "layers", 1, "units"], tomllib.loads("d = 2024-01-01")["d"])
    with pytest.raises(RecipeError, match=r"layers\[1\]\.units: Wrong value\. .*\(date\)"):
        checked(table)


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_setting_survives_writing_and_reading(name):
    recipe = load(name)
    again = check(tomllib.loads(toml_writer.dumps(recipe.resolved())), Source("config.toml"))
    assert toml_writer.dumps(again.settings) == toml_writer.dumps(recipe.settings)
    assert set(recipe.resolved()["versions"]) == {"gputrain", "numpy", "python"}


@pytest.mark.parametrize("name", shipped_recipes())
def test_shipped_recipes_are_valid(name):
    assert load(name).settings["name"] == name


def test_changes_from_the_command_line():
    recipe = load("digits_cnn", [("training.epochs", 3, "--epochs"), ("optimizer", "sgd", "--set")])
    assert recipe.settings["training"]["epochs"] == 3
    assert recipe.settings["optimizer"]["name"] == "sgd"


def test_an_error_in_a_change_names_the_option():
    with pytest.raises(RecipeError, match=r"digits_cnn: training\.epochs \(from --epochs\): Wrong value"):
        load("digits_cnn", [("training.epochs", 0, "--epochs")])
