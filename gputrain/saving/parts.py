"""What a saved model is made of: the members of a `.keras` zip file, or the files of a folder."""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from gputrain.data.io import zips
from gputrain.data.io.errors import CorruptFileError
from gputrain.data.io.files import open_regular, require_at_most
from gputrain.saving.files import hdf5, safetensors
from gputrain.saving.files.arrays import ArrayFile
from gputrain.saving.files.kinds import foreign, kind_of_place

CONFIG, METADATA, ASSETS = "config.json", "metadata.json", "assets"
WEIGHTS_H5, WEIGHTS_SAFETENSORS = "model.weights.h5", "model.weights.safetensors"
_WHOLE = "load_model reads models that were saved as a whole"


@contextmanager
def opened_parts(path: Path) -> Iterator[PartReader]:
    """The parts of a saved model."""
    kind = kind_of_place(path)
    if kind == "folder":
        yield _FolderReader(path)
        return
    if kind not in ("keras", "zip"):
        raise foreign(path, kind, _WHOLE, "a .keras file, or a .h5 file with the model")
    with zips.opened(path) as archive:
        if CONFIG not in archive.members:
            raise foreign(path, kind, _WHOLE, f"a .keras file, with {CONFIG}")
        yield _ZipReader(path, archive)


class PartReader(ABC):
    """The parts of a saved model: members of a zip file, or files of a folder."""

    path: Path

    @abstractmethod
    def names(self) -> list[str]:
        """Of all parts."""

    def holds(self, name: str) -> bool:
        """Whether there is such a part."""
        return name in self.names()

    @abstractmethod
    def read(self, name: str, most: int) -> bytes:
        """A part, of `most` bytes or fewer."""

    @abstractmethod
    def size(self, name: str) -> int:
        """The bytes of a part."""

    @abstractmethod
    def place(self, name: str, most: int, stack: ExitStack) -> tuple[Path, int]:
        """The file in which the bytes of a part stand as they are, and from where on; `most` are unpacked."""

    def weights_name(self) -> str:
        """The part with the variables."""
        names = [name for name in (WEIGHTS_H5, WEIGHTS_SAFETENSORS) if self.holds(name)]
        if len(names) != 1:
            rule = "a saved model has one part with its weights"
            expected, received = f"{WEIGHTS_H5} or {WEIGHTS_SAFETENSORS}", names or self.names()[:20]
            raise CorruptFileError(self.path, rule, expected, received)
        return names[0]

    @contextmanager
    def weights(self, most: int) -> Iterator[ArrayFile]:
        """The variables; `most` bytes are unpacked for them."""
        name = self.weights_name()
        module: Any = hdf5 if name == WEIGHTS_H5 else safetensors
        with ExitStack() as stack:
            path, offset = self.place(name, most, stack)
            told = {"attributes": True} if module is hdf5 else {}
            try:
                yield stack.enter_context(module.opened(path, offset, self.size(name), **told))
            except CorruptFileError as error:
                if error.path == str(self.path):
                    raise
                raise CorruptFileError(
                    self.path, error.rule, error.expected, error.received, error.fix
                ) from error


class _ZipReader(PartReader):
    def __init__(self, path: Path, archive: zips.Archive) -> None:
        self.path, self._archive = path, archive

    def names(self) -> list[str]:
        return [name for name in self._archive.members if not name.endswith("/")]

    def read(self, name: str, most: int) -> bytes:
        return self._archive.read(name, most)

    def size(self, name: str) -> int:
        return self._archive.members[name].file_size

    def place(self, name: str, most: int, stack: ExitStack) -> tuple[Path, int]:
        """In the zip file itself; a part that is compressed is unpacked first."""
        if self._archive.is_stored(name):
            with zips.reading(self.path), self._archive.open(name) as stream:
                _pass_on(stream, None)  # to its end, where a wrong check sum is found
            return self.path, self._archive.offset(name)
        rule = f"{name} unpacked is about as large as the weights of the model"
        require_at_most(self.path, rule, most, self.size(name))
        file = stack.enter_context(tempfile.NamedTemporaryFile())  # noqa: SIM115
        with zips.reading(self.path), self._archive.open(name) as stream:
            _pass_on(stream, file)
        file.flush()
        return Path(file.name), 0


class _FolderReader(PartReader):
    def __init__(self, path: Path) -> None:
        self.path = path
        found = list(path.rglob("*"))
        if link := next((file for file in found if file.is_symlink()), None):
            name = repr(link.relative_to(path).as_posix())
            fix = "Put the file itself in its place."
            raise CorruptFileError(path, "a saved model holds no links", "files and folders", name, fix)
        self._names = [file.relative_to(path).as_posix() for file in found if file.is_file()]

    def names(self) -> list[str]:
        return self._names

    def read(self, name: str, most: int) -> bytes:
        with open_regular(self.path / name) as stream:
            content = stream.read(most + 1)
        if len(content) > most:
            raise CorruptFileError(self.path, f"{name} must fit the memory allowed", most, "more bytes")
        return content

    def size(self, name: str) -> int:
        return (self.path / name).stat().st_size

    def place(self, name: str, most: int, stack: ExitStack) -> tuple[Path, int]:
        return self.path / name, 0


def _pass_on(source: IO[bytes], target: Any) -> None:
    while chunk := source.read(1 << 20):
        if target is not None:
            target.write(chunk)
