"""CSV files: what is read exactly, and a table of files that are refused, each with its words."""

from __future__ import annotations

import csv
import gzip
import io
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gputrain.data.io.errors import CorruptFileError
from gputrain.data.tabular import Table, csv_files, iter_csv, read_csv
from gputrain.errors import DataError


def written(folder: Path, content: bytes | str) -> Path:
    path = folder / "t.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def as_lists(table: Table) -> dict[str, list[str]]:
    return {name: table[name].tolist() for name in table.names}


SAME = {"a": ["1", "x y"], "b": [" 2", ""]}


@pytest.mark.parametrize(
    "content",
    [
        "a,b\n1, 2\nx y,\n",
        "a,b\n1, 2\nx y,",
        "\ufeffa,b\r\n1, 2\r\nx y,\r\n",
        "a;b\n1; 2\nx y;\n",
        "a\tb\n1\t 2\nx y\t\n",
        "a|b\n1| 2\nx y|\n",
        '"a","b"\n"1"," 2"\n"x y",""\n',
        "\n \n a , b \n\n1, 2\n\nx y,\n  \n\n",
    ],
)
def test_spellings_of_one_table(tmp_path: Path, content: str) -> None:
    assert as_lists(read_csv(written(tmp_path, content))) == SAME


def test_quotes_keep_delimiters_line_ends_and_quotes(tmp_path: Path) -> None:
    table = read_csv(written(tmp_path, 'a,"b, c"\n"1\n2","say ""yes"""\nü,é\n'))
    assert as_lists(table) == {"a": ["1\n2", "ü"], "b, c": ['say "yes"', "é"]}
    assert table.lines is not None
    assert table.lines.tolist() == [2, 4], "the second row begins on line 4"


def test_blank_lines_count_in_line_numbers(tmp_path: Path) -> None:
    table = read_csv(written(tmp_path, "\na\n\n1\n\n\n2\n"))
    assert table.place(1) == f"line 7 of {tmp_path / 't.csv'}"


def test_columns_without_a_name(tmp_path: Path) -> None:
    assert read_csv(written(tmp_path, ",x,\n0,1,\n")).names == ("column 1", "x", "column 3")


def test_one_column_needs_no_delimiter(tmp_path: Path) -> None:
    assert as_lists(read_csv(written(tmp_path, "a\n1\n"))) == {"a": ["1"]}


def test_a_given_delimiter(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b:c\n1:2\n")
    assert as_lists(read_csv(path, delimiter=":")) == {"a,b": ["1"], "c": ["2"]}
    with pytest.raises(DataError, match=r"a delimiter is one character\. Received: '::'"):
        read_csv(path, delimiter="::")


@given(
    rows=st.lists(
        st.lists(
            st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=5),
            min_size=3,
            max_size=3,
        ),
        min_size=1,
        max_size=6,
    ),
    delimiter=st.sampled_from(",;\t|"),
)
def test_what_the_csv_module_writes_is_read_exactly(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], delimiter: str
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([["x", "y", "z"], *rows])
    table = read_csv(written(tmp_path_factory.getbasetemp(), text.getvalue()))
    assert [list(row) for row in zip(*as_lists(table).values(), strict=True)] == rows


def test_portions_are_the_whole(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b\n" + "".join(f"{n},{n * n}\n" for n in range(10)))
    portions = list(iter_csv(path, rows=4))
    assert [len(portion) for portion in portions] == [4, 4, 2]
    assert [cell for portion in portions for cell in portion["b"]] == [str(n * n) for n in range(10)]
    assert portions[2].place(1).startswith("line 11 of")
    assert [len(portion) for portion in iter_csv(path, rows=5)] == [5, 5]
    with pytest.raises(DataError, match="at least one row"):
        next(iter_csv(path, rows=0))


def test_a_long_file_needs_the_memory_of_a_portion(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b\n" + "some text,and more of it\n" * 8_000)
    next(iter_csv(path, rows=200))  # imports
    tracemalloc.start()
    rows = sum(len(portion) for portion in iter_csv(path, rows=200))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rows == 8_000
    assert peak < 300_000


def zipped(name: str) -> bytes:
    import zipfile

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, "x")
    return out.getvalue()


REFUSED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", r"t\.csv: A CSV file begins with a line of column names\. Received: no text"),
    "blank": (b"\n \n", r"begins with a line of column names\. Received: no text"),
    "header alone": (b"a,b\n", r"A table has rows below its header\. Received: the header alone"),
    "no header": (
        b"1,2.5\n3,4\n",
        r"The first line names the columns\. Received: numbers: 1, 2\.5\. Put a line",
    ),
    "one name twice": (b"a,b, a\n1,2,3\n", r"Column names are unique\. Received: 'a' more than once"),
    "few cells": (
        b"a,b,c\n1,2,3\n4,5\n",
        r"line 3: Every row has as many cells as the header\. Expected: 3\. Received: 2 cells\. "
        r"Cells are missing from 'c' on",
    ),
    "many cells": (
        b"a,b\n1,2\n\n1,2,3\n",
        r"line 4: .* Received: 3 cells.*Put cells that hold ',' in double quotes",
    ),
    "NUL": (
        b"a,b\n1,\x002\n",
        r"line 2: A CSV file is text, without NUL bytes\. Received: NUL at byte 6 of the file",
    ),
    "latin-1": (
        "a,b\n1,Zürich\n".encode("latin-1"),
        r"line 2: A CSV file is UTF-8 text\. Received: byte 0xfc at byte 7 of the file\. It may be Latin-1",
    ),
    "many columns": (b"," * 100_000, r"A table has at most 100000 columns\. Received: 100001"),
    "utf-16": (
        "a,b\n1,2\n".encode("utf-16"),
        r"UTF-8 text\. Received: UTF-16 text\. Save it as CSV in UTF-8",
    ),
    "open quote": (b'a,b\n1,"2\n', r"line 2: A cell that begins with a double quote ends with one"),
    "quote inside": (b'a,b\n1,"2"3\n', r"line 2: Cells are quoted as RFC 4180 has it\. .*Double a quote"),
    "old Macintosh": (
        b"a,b\r1,2\r",
        r"line 1: Lines end with a line feed\. Received: a carriage return alone",
    ),
    "long cell": (
        b"a,b\n1," + b"x" * 200_000,
        r"line 2: A cell has at most 131072 characters\. Received: more",
    ),
    "png": (b"\x89PNG\r\n\x1a\n" + bytes(99), r"A table is read from CSV text\. Received: a PNG image"),
    "zip": (zipped("a.csv"), r"Received: a zip archive"),
    "excel": (zipped("xl/workbook.xml"), r"Received: an Excel workbook\. Export the table as CSV"),
    "parquet": (b"PAR1\x15\x04" + bytes(99), r"Received: a Parquet file"),
    "gzip": (gzip.compress(b"a,b\n1,2\n"), r"Received: a gzip file"),
    "web page": (b"<!DOCTYPE html><html>", r"Received: a web page"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_files_that_are_refused(tmp_path: Path, case: str) -> None:
    content, words = REFUSED[case]
    path = written(tmp_path, content)
    with pytest.raises(DataError, match=words) as caught:
        read_csv(path)
    assert str(caught.value).startswith(str(path))
    with pytest.raises(DataError, match=words):
        list(iter_csv(path, rows=1))


def test_a_large_file_is_refused_or_read_in_portions(tmp_path: Path) -> None:
    path = written(tmp_path, "a\n1\n2\n")
    with pytest.raises(
        DataError, match=r"Expected: at most 5 bytes\. Received: 6 bytes\. Raise max_bytes, or"
    ):
        read_csv(path, max_bytes=5)
    assert read_csv(path, max_bytes=6).rows == 2


def test_a_line_without_end_is_not_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_files, "_MAX_LINE", 1000)
    with pytest.raises(DataError, match=r"line 2: A line has at most 1000 bytes"):
        read_csv(written(tmp_path, "a,b\n" + "1," * 600))


def test_a_row_without_end_is_not_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_files, "_MAX_LINE", 1000)
    path = written(tmp_path, "a,b\n" + "1,2\n" * 500 + '"\n",' * 500)
    with pytest.raises(DataError, match=r"line \d+: A row has at most 1000 characters\..*never closed"):
        list(iter_csv(path, rows=10))


def test_a_folder_or_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(CorruptFileError, match="only regular files are read"):
            read_csv(path)
    with pytest.raises(FileNotFoundError):
        read_csv(tmp_path / "none.csv")


def test_the_file_is_closed_when_the_reader_stops_early(tmp_path: Path) -> None:
    portions = iter_csv(written(tmp_path, "a\n1\n2\n"), rows=1)
    next(portions)
    portions.close()  # type: ignore[attr-defined]


def test_cells_are_objects_of_text(tmp_path: Path) -> None:
    table = read_csv(written(tmp_path, "a\n001\n1e3\n"))
    assert table["a"].dtype == np.dtype(object)
    assert table["a"].tolist() == ["001", "1e3"]
