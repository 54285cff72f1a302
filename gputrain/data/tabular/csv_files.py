"""CSV files as tables of text cells: read whole, or in portions whatever their size."""

from __future__ import annotations

import csv
import os
import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any, BinaryIO

import numpy as np

from gputrain.data.io.errors import FilePath
from gputrain.data.io.files import open_regular
from gputrain.data.io.sniff import describe, kind_of
from gputrain.data.tabular.table import Table, concatenate
from gputrain.errors import DataError

DELIMITERS = (",", ";", "\t", "|")
MAX_CSV_BYTES = 2 << 30
_MAX_LINE = 16 << 20
_MAX_COLUMNS = 100_000
_PORTION = 65_536
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def read_csv(path: FilePath, *, delimiter: str | None = None, max_bytes: int = MAX_CSV_BYTES) -> Table:
    """Read a CSV file (RFC 4180) whose first line names the columns.

    Cells stay text, exactly as they stand; blank lines are skipped; a column without a name is called
    "column N". Two spellings of one file give one table: with or without a byte order mark, any line end.

    Args:
        path: the file, UTF-8.
        delimiter: one character between cells; None means the one of `,` `;` tab `|` that is most frequent in
            the first line.
        max_bytes: int, largest file to read, in bytes.

    Returns:
        Table, every column an object array of str.

    Raises:
        DataError: the file breaks a rule; the message says which, the line, and what to do.
        CorruptFileError: `path` is not a regular file.
        OSError: the file cannot be opened.

    >>> read_csv("passengers.csv").names  # doctest: +SKIP
    ('age', 'sex', 'survived')
    """
    size = os.stat(path).st_size
    if size > max_bytes:
        rule = f"{os.fspath(path)}: a table read whole must fit the memory allowed."
        fix = "Raise max_bytes, or read it in portions with iter_csv."
        raise DataError(rule, expected=f"at most {max_bytes} bytes", received=f"{size} bytes", fix=fix)
    return concatenate(list(iter_csv(path, _PORTION, delimiter=delimiter)))


def iter_csv(path: FilePath, rows: int = 4096, *, delimiter: str | None = None) -> Iterator[Table]:
    """Read a CSV file of any size in portions.

    Args:
        path: the file, UTF-8.
        rows: int, rows of a portion; the last one may have fewer.
        delimiter: as in `read_csv`.

    Yields:
        Table of at most `rows` rows.

    Raises:
        DataError, CorruptFileError, OSError: as `read_csv`, when the reading gets there.

    >>> for portion in iter_csv("passengers.csv", rows=1000):  # doctest: +SKIP
    ...     print(len(portion))
    """
    if rows < 1:
        raise DataError("A portion has at least one row.", received=rows)
    _refuse_other_kinds(path)
    with open_regular(path) as file:
        yield from _Reader(os.fspath(path), file, delimiter).portions(rows)


class _Reader:
    """One pass over an open file."""

    def __init__(self, path: str, file: BinaryIO, delimiter: str | None) -> None:
        self.path = path
        lines = _lines(path, file)
        self.skipped, first = next(((n, line) for n, line in enumerate(lines) if line.strip()), (0, ""))
        if not first:
            raise _broken(path, None, "A CSV file begins with a line of column names.", received="no text")
        self.delimiter = _delimiter(path, first, delimiter)
        self._taken = 0
        self.csv = csv.reader(self._measured(chain([first], lines)), delimiter=self.delimiter, strict=True)
        self.names = _header(path, self._next_row() or [])

    def portions(self, rows: int) -> Iterator[Table]:
        remaining = self._rows()
        portion = list(islice(remaining, rows))
        if not portion:
            raise _broken(self.path, None, "A table has rows below its header.", received="the header alone")
        while portion:
            yield self._table(portion)
            portion = list(islice(remaining, rows))

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """Each row that is not blank, with the line on which it begins."""
        while True:
            line = self.skipped + self.csv.line_num + 1
            row = self._next_row()
            if row is None:
                return
            if not row or (len(row) == 1 < len(self.names) and not row[0].strip()):
                continue
            if len(row) != len(self.names):
                raise self._uneven(line, row)
            yield line, row

    def _measured(self, lines: Iterator[str]) -> Iterator[str]:
        """The lines, of which a row may take several where cells hold line ends, but not without limit."""
        for line in lines:
            self._taken += len(line)
            if self._taken > _MAX_LINE:
                rule = f"A row has at most {_MAX_LINE} characters."
                fix = "A double quote that is never closed joins lines: look above this one."
                raise _broken(self.path, self.skipped + self.csv.line_num + 1, rule, received="more", fix=fix)
            yield line

    def _next_row(self) -> list[str] | None:
        self._taken = 0
        try:
            return next(self.csv, None)
        except csv.Error as error:
            raise _csv_error(self.path, self.skipped + self.csv.line_num, error) from error

    def _uneven(self, line: int, row: list[str]) -> DataError:
        if len(row) < len(self.names):
            fix = f"Cells are missing from {self.names[len(row)]!r} on"
        else:
            fix = f"Put cells that hold {self.delimiter!r} in double quotes"
        rule, expected = "Every row has as many cells as the header.", len(self.names)
        received = f"{len(row)} cell{'' if len(row) == 1 else 's'}"
        fix = f"{fix}, or name another delimiter than {self.delimiter!r}."
        return _broken(self.path, line, rule, expected=expected, received=received, fix=fix)

    def _table(self, portion: list[tuple[int, list[str]]]) -> Table:
        lines, cells = zip(*portion, strict=True)
        columns = {}
        for name, column in zip(self.names, zip(*cells, strict=True), strict=True):
            columns[name] = np.empty(len(column), object)
            columns[name][:] = column
        return Table(columns, source=self.path, lines=np.array(lines, np.int64))


def _lines(path: str, file: BinaryIO) -> Iterator[str]:
    """The lines of a text file, each checked before it is used; those before the first text count as well."""
    offset = 0
    for number, raw in enumerate(iter(lambda: file.readline(_MAX_LINE + 1), b""), start=1):
        if number == 1 and raw.startswith(_UTF16):
            fix = "Save it as CSV in UTF-8 (Excel: CSV UTF-8)."
            raise _broken(path, None, "A CSV file is UTF-8 text.", received="UTF-16 text", fix=fix)
        if len(raw) > _MAX_LINE:
            raise _broken(path, number, f"A line has at most {_MAX_LINE} bytes.", received="more")
        nul = raw.find(b"\0")
        if nul >= 0:
            rule = "A CSV file is text, without NUL bytes."
            fix = "It may be a binary file, or UTF-16 text: save it as CSV in UTF-8."
            raise _broken(path, number, rule, received=f"NUL at byte {offset + nul} of the file", fix=fix)
        yield _decoded(path, number, offset, raw)
        offset += len(raw)


def _decoded(path: str, number: int, offset: int, raw: bytes) -> str:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        received = f"byte 0x{raw[error.start]:02x} at byte {offset + error.start} of the file"
        fix = "It may be Latin-1 (Windows-1252): save it as UTF-8, or run `iconv -f latin1 -t utf-8`."
        raise _broken(path, number, "A CSV file is UTF-8 text.", received=received, fix=fix) from error
    return text.removeprefix("\ufeff") if number == 1 else text


def _refuse_other_kinds(path: FilePath) -> None:
    kind = kind_of(path)
    if kind not in ("text", "empty", "binary"):  # what is wrong with "binary" is found line by line
        rule = "A table is read from CSV text."
        fix = "Export the table as CSV in UTF-8."
        raise _broken(os.fspath(path), None, rule, received=describe(kind), fix=fix)


def _delimiter(path: str, first: str, given: str | None) -> str:
    if given is None:
        bare = re.sub(r'"[^"]*"', "", first)
        return max(DELIMITERS, key=bare.count)  # the first of them where none occurs
    if len(given) != 1 or given in '"\r\n':
        raise DataError(f"{path}: a delimiter is one character.", received=repr(given))
    return given


def _header(path: str, cells: list[str]) -> list[str]:
    if len(cells) > _MAX_COLUMNS:
        raise _broken(path, None, f"A table has at most {_MAX_COLUMNS} columns.", received=len(cells))
    names = [cell.strip() or f"column {number}" for number, cell in enumerate(cells, 1)]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        rule = "Column names are unique."
        received = f"{', '.join(map(repr, twice[:10]))} more than once"
        raise _broken(path, None, rule, received=received, fix="Rename all but one in the first line.")
    if all(_is_number(cell) for cell in cells):
        received = f"numbers: {', '.join(cells[:5])}"
        fix = "Put a line of column names first."
        raise _broken(path, None, "The first line names the columns.", received=received, fix=fix)
    return names


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _csv_error(path: str, line: int, error: csv.Error) -> DataError:
    """The csv module's complaint, in our words where it is a known one."""
    words = str(error)
    if "field limit" in words:
        limit = csv.field_size_limit()
        fix = "A double quote that is never closed makes such a cell too: look above this line."
        return _broken(path, line, f"A cell has at most {limit} characters.", received="more", fix=fix)
    if "unexpected end of data" in words:
        rule = "A cell that begins with a double quote ends with one."
        return _broken(path, line, rule, received="the end of the file", fix="The file may be cut short.")
    if "new-line character" in words:
        rule = "Lines end with a line feed."
        fix = "Save it with line feeds (a carriage return alone is the old Macintosh way)."
        return _broken(path, line, rule, received="a carriage return alone", fix=fix)
    fix = 'Double a quote inside a quoted cell: "say ""yes""".'
    return _broken(path, line, "Cells are quoted as RFC 4180 has it.", received=words, fix=fix)


def _broken(path: str, line: int | None, rule: str, **words: Any) -> DataError:
    place = path if line is None else f"{path}, line {line}"
    return DataError(f"{place}: {rule}", **words)
