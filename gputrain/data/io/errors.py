"""The three errors that data files and downloads can end in."""

from __future__ import annotations

from os import PathLike, fspath

FilePath = str | PathLike[str]


class CorruptFileError(ValueError):
    """A data file breaks a rule of its format; nothing of it was used.

    Args:
        path: the file.
        rule: the broken rule, as a full clause.
        expected: what the rule asks for.
        received: what the file holds.
        fix: what to do, as a sentence.

    Attributes:
        path: str, the file.
        rule: str, the rule that it breaks.
        expected, received: what the rule asks for, and what the file holds.
        fix: str, what to do.
    """

    def __init__(
        self,
        path: FilePath,
        rule: str,
        expected: object,
        received: object,
        fix: str = "The file is damaged or not what its name says: replace it with a good copy.",
    ) -> None:
        """Args: the file, the broken rule as a full clause, what the rule asks for, what the file holds."""
        self.path = fspath(path)
        self.rule, self.expected, self.received, self.fix = rule, expected, received, fix
        super().__init__(f"{self.path}: {rule}. Expected: {expected}. Received: {received}. {fix}")


class DownloadError(OSError):
    """One file could not be fetched; the target is as it was before, and no partial file is left.

    Args:
        url: the address.
        rule: what had to hold, as a full clause.
        expected: what was expected.
        received: what happened instead.
    """

    def __init__(self, url: str, rule: str, expected: object, received: object) -> None:
        """Args: the address, what had to hold, what was expected, what happened instead."""
        self.url = url
        self.rule = rule
        super().__init__(f"{url}: {rule}. Expected: {expected}. Received: {received}.")


class DatasetUnavailableError(OSError):
    """A data set is on no known folder and could not be downloaded.

    The message names the reason, the folders that were searched, and the files with their SHA-256 sums, so
    that they can be fetched elsewhere and put in place by hand.
    """
