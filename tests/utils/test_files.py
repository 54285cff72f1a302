"""A file is written whole or not at all."""

import os

import pytest

from gputrain.utils.files import write_atomically, write_text


def test_text_arrives_and_replaces_what_was_there(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    write_text(path, "größer")
    assert path.read_bytes() == "größer".encode()
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt, OSError("no space left on device"), ValueError("broken")]
)
def test_failure_keeps_the_old_file_and_leaves_nothing(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail(stream):
        stream.write(b"half")
        raise error

    with pytest.raises(type(error) if isinstance(error, Exception) else error):
        write_atomically(path, fail)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_mode_follows_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        write_text(tmp_path / "a.txt", "x")
    finally:
        os.umask(old)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640


def test_missing_folder_is_an_os_error(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        write_text(tmp_path / "absent" / "a.txt", "x")
