"""Every key of every section refuses what it is not, and says what it is; made from the table of keys."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest

from gputrain.app.recipes import schema, toml_writer
from gputrain.app.recipes.errors import RecipeError, Source
from gputrain.app.recipes.recipe import check
from tests.app.recipes.material import CLASSIFIER, changed

SECTIONS = [section for section in schema.SECTIONS if section]
# A value of every type that TOML has.
TYPES: dict[str, Any] = {
    "boolean": True,
    "integer": 3,
    "float": 2.5,
    "text": "zzz",
    "array": [3.5, "a"],
    "table": {"zz": [1]},
    "date": tomllib.loads("d = 2024-01-01")["d"],
    "nan": float("nan"),
    "infinity": float("inf"),
    "huge": 10**400,
    "below": -1,
}
# A value that each key takes.
RIGHT: dict[str, Any] = {
    "name": "a", "seed": 1, "backend": "numpy", "metrics": ["accuracy"], "data": {"dataset": "digits"},
    "model": {"layers": []}, "optimizer": "adam", "loss": "mse", "training": {}, "callbacks": [],
    "versions": {},
    "data.dataset": "digits", "data.file": "a.csv", "data.folder": "a", "data.test_file": "a.csv",
    "data.test_folder": "a", "data.task": "regression", "data.inputs": "x", "data.target": ["a", "b"],
    "data.target_file": "a", "data.test_target_file": "a", "data.one_hot": True, "data.scale_targets": False,
    "data.scale": 2.0, "data.reshape": [2, 2], "data.image_size": [2, 2], "data.image_channels": 3,
    "data.validation_fraction": 0.5, "data.test_fraction": 0.0, "data.stratify": False, "data.split_seed": 0,
    "data.train_samples": 1, "data.balance": "none", "data.cost_matrix": [[0, 1.5], [1, 0]], "data.table": {},
    "data.table.ignore": ["a"], "data.table.numeric": [], "data.table.categorical": ["a"],
    "data.table.missing": "mean", "data.table.missing_values": ["-"], "data.table.zero_is_missing": ["a"],
    "data.table.missing_indicators": False, "data.table.scaling": "none", "data.table.max_categories": 2,
    "data.table.checks": {"a": {}}, "data.table.checks.<column>.min": -1.5,
    "data.table.checks.<column>.max": 3,
    "data.table.checks.<column>.integer": True, "data.table.checks.<column>.values": ["a"],
    "data.table.checks.<column>.required": True, "data.table.checks.<column>.unique": True,
    "model.layers": [{"type": "Dense"}], "model.builder": "mlp", "model.arguments": {"units": [3]},
    "training.epochs": 1, "training.batch_size": 1,
    "training.shuffle": False, "training.class_weight": {"a": 1, "b": 0.5}, "training.save_freq": 5,
}  # fmt: skip
# What lies just outside of a range, and lists of something else.
OUTSIDE: dict[str, list[Any]] = {
    "name": ["", "-a", "a/b", "../a", "a" * 65, "a\n"],
    "seed": [2**63],
    "data.scale": [0, 1e-40, 1e40],
    "data.reshape": [[], [0], [1] * 9, [2**31 + 1], [1.0], [True]],
    "data.image_size": [[2], [2, 2, 3], [0, 2]],
    "data.image_channels": [2, 4],
    "data.validation_fraction": [1, 1.0, -0.1],
    "data.test_fraction": [1.0, -0.1],
    "data.train_samples": [0, 2**40 + 1],
    "data.cost_matrix": [[[0]], [[0, -1], [1, 0]], [[0, "a"], [1, 0]], [0, 1]],
    "data.target": ["", [], ["a", 1]],
    "data.file": ["", "a\0b"],
    "data.table.ignore": ["a", [1]],
    "data.table.max_categories": [1, 10_001],
    "data.table.checks": [{"a": 3}],
    "model.layers": [[], [3], [{}] * 1001],
    "model.builder": ["", "a/b.py:f", "os.system", "a.py", "a.py:", "a.py:b.c"],
    "training.epochs": [0, 1_000_001, 1.0],
    "training.batch_size": [0, 10_000_001],
    "training.class_weight": [{}, {"a": -1}, {"a": "b"}, "equal"],
    "training.save_freq": ["batch", 0, 1.5, -1],
    "metrics": [[3]],
    "callbacks": [[3]],
}
KEYS = {
    f"{section}.{name}" if section else name: key
    for section, keys in schema.SECTIONS.items()
    for name, key in keys.items()
}


def put(path: str, value: Any) -> dict[str, Any]:
    """Return a recipe with `value` at a key path."""
    table = changed(CLASSIFIER, data={"file": "a.csv", "table": {"checks": {"<column>": {}}}})
    place = table
    *outer, last = path.split(".")
    for step in outer:
        place = place.setdefault(step, {})
    place[last] = value
    return table


def wrong() -> list[tuple[str, Any]]:
    """Each key with each value that is none of it."""
    of_wrong_type = [
        (path, value) for path, key in KEYS.items() for value in TYPES.values() if not key.holds(value)
    ]
    return of_wrong_type + [(path, value) for path, values in OUTSIDE.items() for value in values]


def test_the_tables_of_this_test_are_complete():
    assert set(RIGHT) == set(KEYS)
    for path, value in RIGHT.items():
        assert KEYS[path].holds(value), path
    for path, values in OUTSIDE.items():
        assert not any(map(KEYS[path].holds, values)), path


@pytest.mark.parametrize("path", KEYS)
def test_each_key_refuses_most_types(path):
    """A key that holds true, numbers and text alike would check nothing."""
    assert sum(map(KEYS[path].holds, TYPES.values())) <= 4


def test_wrong_values_are_refused_with_the_key_its_rule_and_what_came():
    cases = wrong()
    assert len(cases) > 500
    for path, value in cases:
        with pytest.raises(RecipeError) as caught:
            check(put(path, value), Source("a.toml"))
        message = str(caught.value)
        assert re.match(rf"a\.toml: {re.escape(path)}[.:[]", message) or path in ("data", "training"), message
        assert len(message) < 700, message


@pytest.mark.parametrize("section", SECTIONS)
def test_unknown_keys_are_refused_in_every_section(section):
    path = f"{section}.zzz"
    table = put(path, 1)
    with pytest.raises(RecipeError, match=rf"a\.toml: {re.escape(path)}: Unknown key\. .*Known names: "):
        check(table, Source("a.toml"))


@pytest.mark.parametrize("path", [path for path, key in KEYS.items() if key.required])
def test_required_keys(path):
    table = put(path, RIGHT[path])
    place = table
    *outer, last = path.split(".")
    for step in outer:
        place = place[step]
    del place[last]
    with pytest.raises(RecipeError, match=rf"a\.toml: {re.escape(path)}: This key is required\."):
        check(table, Source("a.toml"))


@pytest.mark.parametrize("path", KEYS)
def test_each_key_is_explained(path):
    key = KEYS[path]
    assert key.rule[0].islower() or key.rule[0].isdigit() or key.rule[0] == "'"
    assert key.help.endswith(".")
    if not key.required and key.default is not None:
        assert key.holds(key.default), path
        toml_writer.dumps({"key": key.default})


def test_names_suggest_the_nearest():
    for value, near in (("gpu", "cupy"), ("cuda", "cupy"), ("cpu", "numpy"), ("nunpy", "numpy")):
        with pytest.raises(
            RecipeError, match=rf"backend: Wrong value\..*'{value}' \(text\)\. Did you mean '{near}'"
        ):
            check(put("backend", value), Source("a.toml"))
