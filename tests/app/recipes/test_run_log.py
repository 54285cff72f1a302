"""log.txt: whole lines, the notes of the library, and what went wrong."""

import errno
import re

import pytest

from gputrain.app.recipes import run_log
from gputrain.app.recipes.run_log import RunLog
from gputrain.utils.notes import logger, note


def told(path):
    lines = path.read_text().splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S", line) for line in lines)
    return [line[20:] for line in lines]


def test_lines_and_notes(tmp_path, capsys):
    path = tmp_path / "log.txt"
    with RunLog(path) as log:
        assert path.read_text() == ""
        log.write("to the file")
        log.say("to both")
        note("of the library")
    note("afterwards")
    assert told(path) == ["to the file", "to both", "of the library"]
    assert capsys.readouterr().err == "to both\n"
    assert not [handler for handler in logger.handlers if isinstance(handler, run_log._Appender)]


def test_an_error_is_told(tmp_path):
    path = tmp_path / "log.txt"
    with pytest.raises(ValueError, match="No"), RunLog(path):
        raise ValueError("No.")
    with pytest.raises(KeyboardInterrupt), RunLog(path):
        raise KeyboardInterrupt
    assert told(path) == ["failed: No."]


def test_text_that_is_no_unicode(tmp_path):
    with RunLog(tmp_path / "log.txt") as log:
        log.write("a name \udcff")
    assert told(tmp_path / "log.txt") == ["a name \\udcff"]


def test_a_full_disk_ends_the_run_instead_of_a_traceback_on_stderr(tmp_path, monkeypatch, capsys):
    def full(path, data):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with RunLog(tmp_path / "log.txt"):
        monkeypatch.setattr(run_log, "append", full)
        with pytest.raises(OSError, match="No space left"):
            note("of the library")
    assert capsys.readouterr().err == ""
