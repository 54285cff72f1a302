"""Which files of a folder are images of which class, and what is wrong with other folders."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gputrain.data.io.images import files_in, scan
from gputrain.errors import DataError
from gputrain.utils import notes


@pytest.fixture(autouse=True)
def _notes_anew() -> None:
    notes.forget()


def made(root: Path, *names: str) -> Path:
    """Make empty files; a name that ends in a slash is a folder."""
    root.mkdir(exist_ok=True)
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir() if name.endswith("/") else path.touch()
    return root


def names(root: Path, files: tuple[Path, ...]) -> list[str]:
    return [file.relative_to(root).as_posix() for file in files]


def test_classes_and_files_are_sorted(tmp_path: Path) -> None:
    root = made(
        tmp_path / "data",
        "rose/b.PNG",
        "rose/a.jpg",
        "daisy/z.webp",
        "daisy/more/y.tif",
        "Aster/1.jpeg",
        "rose/A.gif",
    )
    found = scan(root)
    assert found.classes == ("Aster", "daisy", "rose")
    expected = ["Aster/1.jpeg", "daisy/more/y.tif", "daisy/z.webp", "rose/A.gif", "rose/a.jpg", "rose/b.PNG"]
    assert names(root, found.files) == expected
    np.testing.assert_array_equal(found.labels, [0, 1, 1, 2, 2, 2])
    assert found.labels.dtype == np.int64
    assert names(root, files_in(root)) == expected


def test_a_class_whose_name_begins_as_another_keeps_its_files(tmp_path: Path) -> None:
    root = made(tmp_path / "data", "a/z.png", "a b/1.png", "a-b/1.png")
    found = scan(str(root))
    assert found.classes == ("a", "a b", "a-b")
    assert [file.parent.name for file in found.files] == [found.classes[label] for label in found.labels]


def test_what_is_left_out_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = made(
        tmp_path / "data",
        "cat/1.png",
        "dog/1.png",
        "cat/.hidden.png",
        ".git/x.png",
        "__MACOSX/cat/1.png",
        "dog/Thumbs.db",
        "dog/png",
        "loose.png",
        "read\x1bme.txt",
    )
    with caplog.at_level(logging.WARNING, "gputrain"):
        scan(root)
        scan(root)
    assert len(caplog.messages) == 1
    (message,) = caplog.messages
    assert message.startswith(f"{root}: ignored ")
    assert "3 hidden ('.git', '__MACOSX', 'cat/.hidden.png')" in message
    assert r"3 not images ('dog/Thumbs.db', 'dog/png', 'read\x1bme.txt')" in message
    assert "1 outside the class folders ('loose.png')" in message


def test_many_that_are_left_out_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = made(tmp_path / "data", "a/1.png", "b/1.png", *(f"a/{number}.txt" for number in range(9)))
    with caplog.at_level(logging.WARNING, "gputrain"):
        scan(root)
    assert "ignored 9 not images ('a/0.txt', 'a/1.txt', 'a/2.txt', 'a/3.txt', 'a/4.txt', ...)." in caplog.text


def test_nothing_is_said_of_a_clean_folder(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    scan(made(tmp_path / "data", "a/1.png", "b/1.png"))
    assert not caplog.messages


def test_links_that_leave_the_folder_are_not_followed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made(tmp_path / "other", "secret.png", "sub/s.png")
    root = made(tmp_path / "data", "cat/1.png", "dog/1.png")
    (root / "cat" / "in.png").symlink_to(root / "dog" / "1.png")
    (root / "cat" / "out.png").symlink_to(tmp_path / "other" / "secret.png")
    (root / "cat" / "up.png").symlink_to("../../other/secret.png")
    (root / "cat" / "gone.png").symlink_to("nowhere.png")
    (root / "cat" / "self.png").symlink_to("self.png")
    (root / "cat" / "round").symlink_to(root)
    (root / "dog" / "sub").symlink_to(tmp_path / "other" / "sub")
    (root / "fish").symlink_to(tmp_path / "other")
    with caplog.at_level(logging.WARNING, "gputrain"):
        found = scan(root)
    assert names(root, found.files) == ["cat/1.png", "cat/in.png", "dog/1.png"]
    assert found.classes == ("cat", "dog")
    assert "7 links to folders or out of the folder" in caplog.text


def test_a_folder_may_itself_be_a_link(tmp_path: Path) -> None:
    made(tmp_path / "data", "a/1.png", "b/1.png")
    (tmp_path / "link").symlink_to("data")
    (tmp_path / "data" / "b" / "2.png").symlink_to("../a/1.png")
    assert len(scan(tmp_path / "link").files) == 3


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_no_image(tmp_path: Path) -> None:
    root = made(tmp_path / "data", "a/1.png", "b/1.png")
    os.mkfifo(root / "a" / "pipe.png")
    assert names(root, scan(root).files) == ["a/1.png", "b/1.png"]


FOLDERS: dict[str, tuple[list[str], str]] = {
    "empty": (
        [],
        r"no class folders\. Expected: one a class\. Received: no images\. Make a folder for each class",
    ),
    "images directly in it": (["1.png", "2.png"], r"Received: 2 images directly in it\. Make .*cat/1\.png"),
    "only other files": (["a.txt"], r"no class folders.*Received: no images"),
    "only hidden folders": ([".a/1.png", ".b/1.png"], r"no class folders"),
    "a class without images": (
        ["a/1.png", "b/x.txt", "c/"],
        r"must have images\. Expected: files named \*\.bmp, .*Received: none in 'b', 'c'\. Add images",
    ),
    "one class": (
        ["a/1.png"],
        r"at least two classes\. Received: one, 'a'\. If .* are the classes, give .*data/a\.",
    ),
    "parts": (
        ["train/cat/1.png", "Validation/cat/1.png", "test/cat/1.png"],
        r"parts of a data set, not classes\. Received: 'Validation', 'test', 'train'\. Name one",
    ),
    "one part": (["train/cat/1.png"], r"parts of a data set.*Name one of them, as .*data/train\."),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_folders_without_classes(name: str, tmp_path: Path) -> None:
    content, message = FOLDERS[name]
    root = made(tmp_path / "data", *content)
    with pytest.raises(DataError, match=message) as caught:
        scan(root)
    assert str(root) in str(caught.value)


def test_a_class_may_be_named_as_a_part(tmp_path: Path) -> None:
    root = made(tmp_path / "data", "train/1.png", "bus/1.png")
    assert scan(root).classes == ("bus", "train")


@pytest.mark.parametrize("find", [scan, files_in])
def test_what_is_no_folder(find: Any, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"There is no folder .*absent\. Check the path"):
        find(tmp_path / "absent")
    (tmp_path / "file").write_bytes(b"PK\x03\x04")
    with pytest.raises(NotADirectoryError, match=r"must be a folder of images\. Received: a zip archive"):
        find(tmp_path / "file")


@pytest.mark.parametrize("find", [scan, files_in])
def test_the_number_of_files_is_bounded(find: Any, tmp_path: Path) -> None:
    root = made(tmp_path / "data", "a/1.png", "b/1.png", "b/x.txt")
    assert find(root, max_files=5)
    with pytest.raises(DataError, match=r"too many files\. Expected: at most 4\."):
        find(root, max_files=4)


def test_images_without_classes(tmp_path: Path) -> None:
    root = made(tmp_path / "data", "b.png", "a.jpg", "deep/er/c.bmp", "notes.txt")
    assert names(root, files_in(root)) == ["a.jpg", "b.png", "deep/er/c.bmp"]
    with pytest.raises(DataError, match=r"has no images\. Expected: files named \*\.bmp, "):
        files_in(made(tmp_path / "empty", "notes.txt"))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_folder_is_an_error(tmp_path: Path) -> None:
    root = made(tmp_path / "data", "a/1.png", "b/1.png")
    (root / "b").chmod(0)
    try:
        with pytest.raises(PermissionError):
            scan(root)
    finally:
        (root / "b").chmod(0o700)
