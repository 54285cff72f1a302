"""A recipe's file may be anything; it is read or refused in one message."""

import os
import re

import pytest

from gputrain.app.recipes.errors import RecipeError, Source
from gputrain.app.recipes.reading import MAX_BYTES, find_recipe, read_table, shipped_recipes

HOSTILE = [
    (b"name = ", r"A recipe must be valid TOML\. Received: Invalid value \(at end of document\)"),
    (b"a = 1\na = 2\n", r"must be valid TOML\. Received: .*line 2"),
    (b"[training]\n[training]\n", "must be valid TOML"),
    (b"name = '\xff'", r"must be text in UTF-8\. Received: byte 8 is not"),
    (b"\x00" * 10, "must be valid TOML"),
    (b"PK\x03\x04\x80\x81", r"must be text in UTF-8\. Received: a zip archive"),
    (b"x = " + b"[" * 100_000, "nested too deep|must be valid TOML"),
    (b"x = " + b"9" * 10_000, "A recipe must be plain TOML"),
    (b"# " + b"x" * MAX_BYTES, "must not be larger than 1048576 bytes"),
]


@pytest.mark.parametrize(("content", "message"), HOSTILE)
def test_hostile_files(tmp_path, content, message):
    path = tmp_path / "a.toml"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=message) as caught:
        read_table(path, Source("a.toml"))
    assert str(caught.value).startswith("a.toml: ")


def test_shipped_recipe_by_name():
    assert "digits_cnn" in shipped_recipes()
    assert read_table(find_recipe("digits_cnn")[0], Source("digits_cnn"))["name"] == "digits_cnn"


def test_a_file_goes_before_a_shipped_recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits_cnn").write_text("name = 'mine'")
    assert read_table(find_recipe("digits_cnn")[0], Source(""))["name"] == "mine"


def test_absent_file_names_the_nearest_recipe():
    with pytest.raises(RecipeError, match=r"no such recipe file\. Did you mean 'digits_cnn'\? .*digits_cnn"):
        find_recipe("configs/digit_cnn.toml")


def test_folder(tmp_path):
    with pytest.raises(RecipeError, match=re.escape(f"{tmp_path}: A recipe must be a regular file.")):
        find_recipe(str(tmp_path))


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RecipeError, match="Received: a device or pipe"):
        find_recipe(str(tmp_path / "pipe"))
