"""The documentation's programs and commands work: each page is followed in a folder of its own."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import sys
import tomllib
from pathlib import Path

import pytest

import gputrain
from gputrain import config
from gputrain.app import recipes, reporting
from gputrain.app.cli.parser import make_parser
from tests.docs.pages import DOCS, ROOT, assignments, blocks, command, follow, lines

PAGES = sorted(page.name for page in DOCS.glob("*.md") if any(b.language != "text" for b in blocks(page)))
# They change gputrain itself; each with what must stand in the reference then.
GUIDES = {
    "extend_layer.md": (
        ("api/layers.md", "`LayerScaling(initial=0.1"),
        ("configuration.md", "| `LayerScaling` |"),
    ),
    "extend_operation.md": (("api/ops.md", "| `arctan(x)` | The angle whose tangent is x, elementwise. |"),),
}
GENERATED = ("command_line.md", "configuration.md")
MOST_NOT_RUN = 4  # blocks that need a GPU or a download


EXTRAS = {"files.md": "h5py", "images.md": "PIL"}  # what a page needs beside gputrain
PICTURES = ("runs.md", "run_folder")  # tests in which runs are drawn; Matplotlib takes a second for each


@pytest.fixture
def folder(request, tmp_path, monkeypatch):
    """An empty working directory, and the settings of the process as they were, afterwards."""
    monkeypatch.chdir(tmp_path)
    if not any(word in request.node.name for word in PICTURES):
        monkeypatch.setattr(reporting, "has_plot", lambda: False)
    monkeypatch.delenv("GPUTRAIN_SEED", raising=False)
    config.reset()
    yield tmp_path
    config.reset()


def environment(*first: Path) -> dict[str, str]:
    """That of a command: packages are looked for in `first`, then where this test finds them.

    Options for this run of the tests are none for those that a page runs.
    """
    found = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    return {**found, "PYTHONPATH": os.pathsep.join([*map(str, first), *filter(None, sys.path)])}


LONG = ("images.md", "recipes.md", "regression.md", "runs.md", "tuning.md")


def _pages():
    """The pages to be followed; those that train for seconds are slow."""
    for name in PAGES:
        if name not in (*GUIDES, *GENERATED):
            yield pytest.param(name, marks=pytest.mark.slow if name in LONG else ())


@pytest.mark.cpu_only("the pages are followed once")
@pytest.mark.parametrize("name", list(_pages()))
def test_page_can_be_followed(name, folder):
    pytest.importorskip(EXTRAS.get(name, "gputrain"))
    follow(DOCS / name, folder, environment())


@pytest.mark.cpu_only("the pages are followed once")
def test_the_advice_that_is_shown_is_what_comes(folder, capsys):
    follow(DOCS / "advice.md", folder, environment())
    printed = capsys.readouterr()
    (shown,) = (block.text for block in blocks(DOCS / "advice.md") if block.language == "text")
    assert shown in printed.out + printed.err


@pytest.mark.cpu_only("nothing of it depends on the device")
def test_every_file_of_a_run_folder_is_listed(folder):
    pytest.importorskip("matplotlib")
    page = (DOCS / "runs.md").read_text(encoding="utf-8").partition("## metrics.json")[0]
    cells = re.findall(r"^\| ([^|]*) \|", page, re.MULTILINE)
    listed = {name for cell in cells for name in re.findall(r"`(.+?)`", cell)}
    result = recipes.run(recipes.load("digits_mlp", [("training.epochs", 1, "test")]), verbose=0)
    assert {path.name for path in result.folder.iterdir()} == listed - {"residuals.png"}


@pytest.mark.slow
@pytest.mark.cpu_only("the pages are followed once")
@pytest.mark.parametrize("name", GUIDES)
def test_guide_can_be_followed(name, tmp_path, monkeypatch):
    """In a copy of gputrain and of what its tests need."""
    beside = [ROOT / folder for folder in ("tests", "docs", "kernels", "configs")]
    for source in (Path(gputrain.__file__).resolve().parent, *beside):
        if source.is_dir():
            shutil.copytree(source, tmp_path / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    monkeypatch.chdir(tmp_path)
    follow(DOCS / name, tmp_path, environment(tmp_path))
    for page, line in GUIDES[name]:
        assert line in (tmp_path / "docs" / page).read_text(encoding="utf-8")


@pytest.mark.cpu_only("nothing of it depends on the device")
@pytest.mark.parametrize(
    "language, text, error",
    [
        ("python", "1 / 0", ZeroDivisionError),
        ("sh", "gputrain train no_such_recipe", AssertionError),
        ("sh", "gputrain doctor > out.txt && rm out.txt", AssertionError),
        ("sh", "python -m pytest no_such_test.py", AssertionError),
        ("sh", "unheard --of", AssertionError),
        ("python", "# a.py, after: x = 1\ny = 2", AssertionError),
    ],
)
def test_a_page_that_is_wrong_is_found(language, text, error, folder):
    (folder / "a.py").write_text("z = 1\n", encoding="utf-8")
    page = folder / "page.md"
    page.write_text(f"# Page\n\n```{language}\n{text}\n```\n", encoding="utf-8")
    with pytest.raises(error):
        follow(page, folder, environment())


@pytest.mark.cpu_only("nothing of it depends on the device")
def test_what_following_a_page_means(folder, capsys):
    page = folder / "page.md"
    page.write_text(
        "```python\n# b/c.py\nx = 1\n```\n```python\n# b/c.py, after: x = 1\ny = 2\n```\n"
        "```python\nz = 3\n```\n```python\nprint(z + 1)\n```\n"
        "<!-- not run: needs a GPU -->\n```python\n1 / 0\n```\n```text\nunheard\n```\n",
        encoding="utf-8",
    )
    assert follow(page, folder, environment()) == 4
    assert (folder / "b" / "c.py").read_text(encoding="utf-8") == "# b/c.py\nx = 1\ny = 2\n"
    assert capsys.readouterr().out == "4\n"


@pytest.mark.gpu_only("the kernels of the page")
def test_kernels_of_the_page_run(folder):
    assert follow(DOCS / "own_kernel.md", folder, environment()) >= 3


@pytest.mark.cpu_only("nothing of it depends on the device")
def test_few_blocks_are_not_run():
    reasons = [b.reason for page in DOCS.rglob("*.md") for b in blocks(page) if b.reason is not None]
    assert len(reasons) <= MOST_NOT_RUN, reasons
    assert set(reasons) <= {"needs a GPU", "downloads", "takes minutes"}, reasons


@pytest.mark.cpu_only("nothing of it depends on the device")
@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda path: path.name)
def test_every_piece_of_a_recipe_is_toml(page):
    for block in blocks(page):
        if block.language == "toml":
            assert tomllib.loads(block.text), f"{page.name}, line {block.line}"


_COMMAND = re.compile(r"(?:[A-Z_]+=\S+ )*(?:\S+/)?gputrain \w.*")
VARIABLES = {setting.env for setting in config.SETTINGS.values()} | {"GPUTRAIN_DATA", "GPUTRAIN_CONFIG"}


@pytest.mark.cpu_only("nothing of it depends on the device")
@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))], ids=lambda path: path.name
)
def test_every_command_is_one(page):
    """Also what is not run is understood: commands, options and their values."""
    parser = make_parser()
    for block in blocks(page):
        for line in lines(block.text) if block.language in ("sh", "text") else ():
            if _COMMAND.fullmatch(line.strip()):
                words = list(itertools.takewhile(lambda word: word not in (">", "|"), command(line)))
                _, unknown = parser.parse_known_args(words[1:])
                assert not unknown, line
                assert assignments(line).keys() <= VARIABLES, line
