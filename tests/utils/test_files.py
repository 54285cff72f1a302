"""A file is written whole or not at all."""

import errno
import io
import os

import pytest

from gputrain.utils.files import (
    Reserved,
    append,
    locked,
    naming,
    remove_leftovers,
    write_atomically,
    write_text,
    write_text_in_parts,
)


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


def test_appending_adds_to_the_end_and_makes_the_file(tmp_path):
    path = tmp_path / "a.txt"
    append(path, b"one\n")
    append(path, b"")
    append(path, "zwei ö\n".encode())
    assert path.read_text() == "one\nzwei ö\n"


def test_what_cannot_be_appended_whole_is_not_appended(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\n")

    class Short(io.FileIO):
        """Takes three bytes, and is full then."""

        def write(self, data):
            if self.tell() > 4:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(data[:3])

    monkeypatch.setattr("builtins.open", lambda name, mode, buffering: Short(name, mode))
    with pytest.raises(OSError, match=r"No space left on device: '.*a\.txt'"):
        append(path, b"two\n")
    assert path.read_bytes() == b"one\n"


def test_errors_name_the_file_and_not_the_temporary_one(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        write_text(tmp_path / "absent" / "a.txt", "x")
    assert caught.value.filename == str(tmp_path / "absent" / "a.txt")
    with pytest.raises(IsADirectoryError) as caught:
        write_text(tmp_path, "x")
    assert caught.value.filename == str(tmp_path)


def test_errors_about_other_files_keep_their_names(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, naming(tmp_path / "a.txt"):
        (tmp_path / "b.txt").read_text()
    assert caught.value.filename == str(tmp_path / "b.txt")
    with pytest.raises(OSError, match=r"^a sentence$"), naming(tmp_path / "a.txt"):
        raise OSError("a sentence")


def test_text_in_parts(tmp_path):
    path = tmp_path / "a.csv"
    write_text_in_parts(path, lambda stream: stream.writelines(["a\r\n", "ö\n"]))
    assert path.read_bytes() == "a\r\nö\n".encode()

    def fail(stream):
        stream.write("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_text_in_parts(path, fail)
    assert path.read_bytes() == "a\r\nö\n".encode()
    assert os.listdir(tmp_path) == ["a.csv"]


def test_space_that_somebody_removed_is_taken_anew(tmp_path):
    space = Reserved(tmp_path / "a.txt", lambda stream: stream.write(b"----"))
    remove_leftovers(tmp_path)
    space.write(lambda stream: stream.write(b"done"))
    assert (tmp_path / "a.txt").read_bytes() == b"done"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_folder_is_locked_once(tmp_path):
    with locked(tmp_path), pytest.raises(BlockingIOError), locked(tmp_path):
        pytest.fail("it was locked twice")
    with locked(tmp_path):
        assert os.listdir(tmp_path) == []


def test_the_older_file_is_kept_under_another_name(tmp_path):
    path, previous = tmp_path / "a.txt", tmp_path / "b.txt"
    for number in (b"1", b"2", b"3"):
        write_atomically(path, lambda stream, number=number: stream.write(number), previous)
    assert (path.read_bytes(), previous.read_bytes()) == (b"3", b"2")

    def fail(stream):
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        write_atomically(path, fail, previous)
    assert (path.read_bytes(), previous.read_bytes()) == (b"3", b"2")
