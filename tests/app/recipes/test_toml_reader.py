"""Keys of many parts are refused before `tomllib` takes memory for them; other text is read as by it."""

import tomllib
import tracemalloc

import pytest

from gputrain.app.recipes.errors import RecipeError, Source
from gputrain.app.recipes.reading import read_table
from gputrain.app.recipes.toml_reader import MAX_PARTS, loads

pytestmark = pytest.mark.cpu_only("text on the host")


def key(parts, part="a"):
    return ".".join([part] * parts)


DEEP = [
    f"{key(60_000)} = 1",
    f"{key(20_000)} = 1",
    f"[{key(20_000)}]",
    f"[[{key(20_000)}]]",
    f"x = {{ {key(20_000)} = 1 }}",
    f"x = [ 1.5, {{ y = {{ {key(20_000)} = 1 }} }} ]",
    key(20_000, '"a"') + " = 1",
    key(20_000, "'a.b'") + " = 1",
    " . ".join(["a"] * 20_000) + " = 1",
    # behind strings that end, or do not, in unusual ways
    f"x = ['''a'''', {{{key(20_000)}=1}}]",
    f'x = ["""a"""", {{{key(20_000)}=1}}]',
    f'x = ["""a\\"""b""""", {{{key(20_000)}=1}}]',
    f"x = ['''''', {{{key(20_000)}=1}}]",
    f"x = ['\\', {{{key(20_000)}=1}}]",
    f'x = ["\\\\", {{{key(20_000)}=1}}]',
    f'# "\n{key(20_000)} = 1',
    f"x = 1 # '''\n{key(20_000)} = 1",
    f'x = """\n"#\n"""\n{key(20_000)} = 1',
]


@pytest.mark.parametrize("text", DEEP)
def test_keys_of_many_parts(tmp_path, text):
    path = tmp_path / "a.toml"
    path.write_text(text)
    tracemalloc.start()
    try:
        told = r"a\.toml: A recipe must be plain TOML\. Received: a key of \d+ parts, of which"
        with pytest.raises(RecipeError, match=told):
            read_table(path, Source("a.toml"))
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


PLAIN = [
    f"{key(MAX_PARTS)} = 1",
    f"[{key(MAX_PARTS)}]\n{key(MAX_PARTS)} = 1.5",
    f"x = '{key(100)}'",
    f'x = "{key(100)}"',
    f'x = "\\"{key(100)}"',
    f"x = '''{key(100)}\n{key(100)}'''''",
    f'x = """{key(100)}\\""" {key(100)}"""""',
    f"# {key(100)}",
    f"'{key(100)}' = 1",
    "x = [" + "1.5, " * 1000 + "]",
    "x = 1979-05-27T00:32:00.999999-07:00",
]


@pytest.mark.parametrize("text", PLAIN)
def test_other_text_is_read_as_by_tomllib(text):
    assert loads(text) == tomllib.loads(text)


@pytest.mark.parametrize(
    "text", ['x = """' + '\\"' * 300_000, 'x = "' + '\\"' * 300_000, "'''a'''" * 100_000]
)
def test_strings_that_do_not_end_take_no_time(text):
    with pytest.raises(tomllib.TOMLDecodeError):
        loads(text)
